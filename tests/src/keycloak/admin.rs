//! What an administrator of Keycloak does, by its administration interface.

use super::shared::City;
use reqwest::{Client, Method};
use serde_json::Value;

pub(crate) struct Admin {
    address: String,
    password: String,
    client: Client,
}

impl Admin {
    pub(crate) const NAME: &'static str = "administrator";

    pub(crate) fn new(address: &str, password: &str) -> Admin {
        let client = Client::builder().no_proxy().build().unwrap();
        Admin { address: address.to_owned(), password: password.to_owned(), client }
    }

    /// Its tokens live for a minute: each call has its own.
    async fn token(&self) -> String {
        let fields = [
            ("grant_type", "password"),
            ("client_id", "admin-cli"),
            ("username", Admin::NAME),
            ("password", &self.password),
        ];
        let address = format!("{}/realms/master", self.address);
        let answer = City::ask(&self.client, &address, &fields).await;
        answer["access_token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> (u16, Value) {
        let address = format!("{}/admin/realms{path}", self.address);
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.client.request(method, address).bearer_auth(self.token().await);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or(Value::Null))
    }

    /// What has to succeed.
    #[track_caller]
    pub(crate) fn done(outcome: (u16, Value)) -> Value {
        let (status, answer) = outcome;
        assert!((200..300).contains(&status), "{status} {answer}");
        answer
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        Admin::done(self.send("GET", path, None).await)
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) {
        Admin::done(self.send("POST", path, Some(body)).await);
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) {
        Admin::done(self.send("PUT", path, Some(body)).await);
    }

    /// A client as it is now.
    pub(crate) async fn client(&self, realm: &str, id: &str) -> Value {
        self.get(&format!("/{realm}/clients?clientId={id}")).await[0].clone()
    }

    pub(crate) async fn user(&self, realm: &str, name: &str) -> Value {
        self.get(&format!("/{realm}/users?exact=true&username={name}")).await[0].clone()
    }
}
