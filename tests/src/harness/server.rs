//! The real server, in this process, on a port of its own.

use super::{Answer, Database};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;
use server::app::App;
use server::settings::{Settings, Source};
use std::thread::JoinHandle;
use std::time::Duration;

pub(crate) struct TestServer {
    pub(crate) database: Database,
    pub(crate) base: String,
    /// What every request shows, if any.
    pub(crate) token: Option<String>,
    client: Client,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Who is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Callers {
    Anyone,
    Known,
}

/// Settings as `BUND_*` variables.
pub(crate) type Options = Vec<(&'static str, String)>;

pub(crate) fn options(pairs: &[(&'static str, &str)]) -> Options {
    pairs.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
}

impl TestServer {
    pub(crate) async fn start() -> TestServer {
        TestServer::start_with(Vec::new()).await
    }

    pub(crate) async fn start_with(options: Options) -> TestServer {
        TestServer::start_on(Database::migrated().await, options).await
    }

    /// Another replica on the same database.
    pub(crate) async fn replica(&self) -> TestServer {
        TestServer::start_on(self.database.clone(), Vec::new()).await
    }

    pub(crate) async fn start_on(database: Database, options: Options) -> TestServer {
        TestServer::start_for(Callers::Anyone, database, options).await
    }

    pub(crate) async fn start_for(
        callers: Callers,
        database: Database,
        options: Options,
    ) -> TestServer {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut variables: Options = options;
        variables.push(("BUND_DATABASE_URL", database.url.clone()));
        variables.push(("BUND_LISTEN", address.to_string()));
        variables.push(("BUND_WORKERS", "1".to_owned()));
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let (ready, started) = tokio::sync::oneshot::channel();
        let thread = std::thread::spawn(move || {
            let given = |name: &str| {
                variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone())
            };
            let source = Source::read(None, given).unwrap();
            let settings = Settings::read(&source, None).unwrap();
            actix_web::rt::System::new().block_on(async {
                let mut app = App::new(settings).await.unwrap();
                if callers == Callers::Known {
                    app.demand_tokens().await.unwrap();
                }
                let server = server::serve::start(app, listener).unwrap();
                let handle = server.handle();
                actix_web::rt::spawn(async move {
                    let _ = stopped.await;
                    handle.stop(false).await;
                });
                ready.send(()).unwrap();
                server.run().await.unwrap();
            });
        });
        started.await.unwrap();
        TestServer {
            database,
            base: format!("http://{address}/fhir"),
            token: None,
            client: Client::builder().no_proxy().build().unwrap(),
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let separator = if path.is_empty() || path.starts_with('?') { "" } else { "/" };
        let url = format!("{}{separator}{path}", self.base);
        let request = self.client.request(Method::from_bytes(method.as_bytes()).unwrap(), url);
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub(crate) async fn send(&self, request: RequestBuilder) -> Answer {
        Answer::read(request.send().await.unwrap()).await
    }

    /// With one header replaced.
    pub(crate) async fn send_with(
        &self,
        request: RequestBuilder,
        name: &'static str,
        value: &str,
    ) -> Answer {
        let mut request = request.build().unwrap();
        request.headers_mut().insert(name, value.parse().unwrap());
        Answer::read(self.client.execute(request).await.unwrap()).await
    }

    /// For answers whose body is not text.
    pub(crate) async fn send_raw(&self, request: RequestBuilder) -> Answer {
        Answer::without_body(&request.send().await.unwrap())
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request("GET", path)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(self.request("DELETE", path)).await
    }

    pub(crate) async fn post(&self, path: &str, resource: &Value) -> Answer {
        self.send(self.json("POST", path, resource)).await
    }

    pub(crate) async fn put(&self, path: &str, resource: &Value) -> Answer {
        self.send(self.json("PUT", path, resource)).await
    }

    pub(crate) fn json(&self, method: &str, path: &str, resource: &Value) -> RequestBuilder {
        self.request(method, path)
            .header("content-type", "application/fhir+json")
            .body(resource.to_string())
    }

    /// Creates and returns `Type/id`.
    pub(crate) async fn create(&self, resource: &Value) -> String {
        let kind = resource["resourceType"].as_str().unwrap();
        let created = self.post(kind, resource).await.expect(201);
        format!("{kind}/{}", created.json()["id"].as_str().unwrap())
    }

    /// An address outside `/fhir`.
    pub(crate) async fn get_outside(&self, path: &str) -> Answer {
        let url = format!("{}/{path}", self.base.trim_end_matches("/fhir"));
        self.send(self.client.get(url)).await
    }
}

impl TestServer {
    /// Waits until the server says whether it is ready; what it says.
    pub(crate) async fn is_ready(&self, expected: u16) -> String {
        let agrees = async {
            loop {
                let answer = self.get_outside("readyz").await;
                if answer.status == expected {
                    return answer.text;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), agrees).await.unwrap()
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
