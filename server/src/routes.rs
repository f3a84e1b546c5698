//! The URL table. What lies below `/fhir` is in `http/target.rs`, which bundle entries use too.
//!
//! Nothing is served that does not stand in `ROUTES`, with who is answered there.

use crate::app::App;
use crate::caller::{caller, tried};
use crate::http::answer::failure_response;
use crate::http::body::{self, SMALL_BYTES_MAX};
use crate::http::etag::{Condition, parse_http_date};
use crate::http::failure::{Failure, Tried};
use crate::http::format::{BodyFormat, Format, answer_format, body_format};
use crate::http::head;
use crate::http::origin::{Origin, is_forwarded, origin};
use crate::http::preferences::Preferences;
use crate::http::request::{Headers, Presentation, Request, decode, parse_query};
use crate::http::target::{Method, Target};
use crate::interactions::perform;
use crate::interactions::refusal::{self, Asked};
use crate::proofs;
use crate::smart;
use crate::telemetry::{metrics, trace};
use access::{Caller, Interaction};
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderName, HeaderValue};
use actix_web::web::{self, Bytes, Data, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use fhir::outcome::Code;
use futures_util::StreamExt;
use std::time::Instant;
use tracing::Instrument;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use uuid::Uuid;

/// An address, what is there, and for whom.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    pub path: &'static str,
    pub what: What,
    pub policy: Policy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The process runs; never asks the database.
    Alive,
    /// The database answers, has our schema, and we are not draining.
    Ready,
    /// Figures for Prometheus.
    Figures,
    /// Where and how an app gets a token.
    Smart,
    /// Heads of the trail and proofs.
    Checkpoint,
    Consistency,
    Inclusion,
    /// The FHIR API.
    Fhir,
}

/// Who is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    Anyone,
    /// Whoever reaches the listener for figures; without one, this machine.
    Machine,
    /// As `access::decide` says of the interaction: without a token the CapabilityStatement and nothing else.
    Decided,
}

pub static ROUTES: [Route; 9] = [
    Route { path: "/livez", what: What::Alive, policy: Policy::Anyone },
    Route { path: "/readyz", what: What::Ready, policy: Policy::Anyone },
    Route { path: "/metrics", what: What::Figures, policy: Policy::Machine },
    Route {
        path: "/fhir/.well-known/smart-configuration",
        what: What::Smart,
        policy: Policy::Anyone,
    },
    Route { path: "/audit/checkpoint", what: What::Checkpoint, policy: Policy::Anyone },
    Route { path: "/audit/consistency", what: What::Consistency, policy: Policy::Anyone },
    Route { path: "/audit/inclusion", what: What::Inclusion, policy: Policy::Decided },
    Route { path: "/fhir", what: What::Fhir, policy: Policy::Decided },
    Route { path: "/fhir/{path:.*}", what: What::Fhir, policy: Policy::Decided },
];

/// What callers reach.
pub fn configure(routes: &mut ServiceConfig) {
    for route in &ROUTES {
        let answer = match route.what {
            What::Alive => web::get().to(alive),
            What::Ready => web::get().to(ready),
            What::Figures => web::get().to(figures_for_this_machine),
            What::Smart => web::get().to(smart::configuration),
            What::Checkpoint => web::get().to(proofs::checkpoint),
            What::Consistency => web::get().to(proofs::consistency),
            What::Inclusion => web::get().to(proofs::inclusion),
            What::Fhir => web::to(fhir),
        };
        routes.route(route.path, answer);
    }
    routes.default_service(web::to(nowhere));
}

/// What the listener for figures has.
pub fn configure_figures(routes: &mut ServiceConfig) {
    for route in &ROUTES {
        let answer = match route.what {
            What::Alive => web::get().to(alive),
            What::Ready => web::get().to(ready),
            What::Figures => web::get().to(figures),
            What::Smart | What::Checkpoint | What::Consistency | What::Inclusion | What::Fhir => {
                continue;
            }
        };
        routes.route(route.path, answer);
    }
    routes.default_service(web::to(nowhere));
}

async fn alive() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("alive\n")
}

async fn ready(app: Data<App>) -> HttpResponse {
    let reason = if app.is_draining() {
        "draining".to_owned()
    } else {
        match app.store.ready().await {
            Ok(()) if !app.callers.are_known() => {
                "the keys of no issuer could be had yet; see `bund issuer check`".to_owned()
            }
            Ok(()) => {
                return HttpResponse::Ok()
                    .content_type("text/plain; charset=utf-8")
                    .body("ready\n");
            }
            Err(error) => error.to_string(),
        }
    };
    HttpResponse::ServiceUnavailable()
        .content_type("text/plain; charset=utf-8")
        .body(format!("not ready: {reason}\n"))
}

async fn figures(app: Data<App>) -> HttpResponse {
    match metrics::page(&app).await {
        Some(page) => {
            HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(page)
        }
        None => HttpResponse::ServiceUnavailable().body("no figures are kept\n"),
    }
}

/// Where there is no listener for them. Behind a proxy everybody comes from this machine.
async fn figures_for_this_machine(app: Data<App>, http: HttpRequest) -> HttpResponse {
    let is_near = http.peer_addr().is_some_and(|peer| peer.ip().to_canonical().is_loopback());
    if app.settings.telemetry.metrics_listen.is_some() || !is_near || is_forwarded(&http) {
        return nowhere().await;
    }
    figures(app).await
}

async fn nowhere() -> HttpResponse {
    let presentation = Presentation { format: Format::Json, pretty: false };
    let failure = Failure::new(404, Code::NotFound, "nothing is here; the FHIR API is under /fhir");
    failure_response(&failure, presentation)
}

async fn fhir(app: Data<App>, http: HttpRequest, payload: Payload) -> HttpResponse {
    let began = Instant::now();
    let _in_progress = metrics::InProgress::begin();
    let id = Uuid::now_v7();
    let origin = origin(&http, &app.settings);
    let shown = origin.request_name.clone().unwrap_or_else(|| id.to_string());
    let span = tracing::info_span!("request", request = %shown, trace = tracing::field::Empty);
    if let Some(parent) = origin.trace.clone() {
        span.record("trace", tracing::field::display(parent.trace_id()));
        // Fails only where no trace is kept.
        let _ = span.set_parent(trace::within(parent));
    }
    let work = async {
        let target = addressed(&http);
        let (resource, interaction) = about(&target, &http);
        let mut response = answer(&app, &http, payload, Came { id, origin }, target).await;
        let headers = response.headers_mut();
        if let Ok(value) = HeaderValue::from_str(&shown) {
            headers.insert(HeaderName::from_static("x-request-id"), value);
        }
        // Health data is nobody's cache's business.
        let no_store = HeaderValue::from_static("no-store");
        headers.insert(HeaderName::from_static("cache-control"), no_store);
        if interaction == Some(Interaction::Capabilities) {
            // What every app may know before it has a token.
            let everyone = HeaderValue::from_static("*");
            headers.insert(HeaderName::from_static("access-control-allow-origin"), everyone);
        }
        if http.headers().contains_key(ACCEPT_ENCODING) {
            compress_only_large(&mut response);
        }
        let bytes = match response.body().size() {
            BodySize::Sized(bytes) => bytes,
            BodySize::None | BodySize::Stream => 0,
        };
        let (status, took) = (response.status().as_u16(), began.elapsed());
        metrics::answered(interaction, resource, status, bytes, took);
        tracing::info!(
            method = %http.method(),
            record = %id,
            interaction = interaction.map_or("none", Interaction::code),
            resource = resource.unwrap_or("none"),
            status,
            duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            "answered"
        );
        response
    };
    work.instrument(span).await
}

/// What a request is called, and where it came from.
struct Came {
    id: Uuid,
    origin: Origin,
}

fn addressed(http: &HttpRequest) -> Result<Target, Failure> {
    let path = http.path().strip_prefix("/fhir").unwrap_or_default();
    Target::parse(&decode(path.trim_start_matches('/'), false)?)
}

/// The type and the interaction of a request, as far as its address says.
fn about(
    target: &Result<Target, Failure>,
    http: &HttpRequest,
) -> (Option<&'static str>, Option<Interaction>) {
    let Ok(target) = target else { return (None, None) };
    let interaction =
        Method::parse(http.method().as_str()).and_then(|method| target.interaction(method).ok());
    (target.table().map(|table| table.resource), interaction)
}

/// Compressing a small body costs more than the whole request: the middleware leaves alone what says it is encoded already.
fn compress_only_large(response: &mut HttpResponse<BoxBody>) {
    const WORTHWHILE_BYTES: u64 = 8 << 10;
    let size = response.body().size();
    let is_small = match size {
        BodySize::Sized(size) => size < WORTHWHILE_BYTES,
        BodySize::None => true,
        BodySize::Stream => false,
    };
    if is_small {
        response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("identity"));
    }
}

async fn answer(
    app: &App,
    http: &HttpRequest,
    payload: Payload,
    came: Came,
    target: Result<Target, Failure>,
) -> HttpResponse {
    let mut presentation = Presentation { format: Format::Json, pretty: false };
    if let Err(failure) = head::check(http) {
        return refuse(&failure, presentation);
    }
    let query = match parse_query(http.query_string()) {
        Ok(query) => query,
        Err(failure) => return refuse(&failure, presentation),
    };
    match presented(http, &query) {
        Ok(asked) => presentation = asked,
        Err(failure) => return refuse(&failure, presentation),
    }
    let target = match target {
        Ok(target) => target,
        Err(failure) => return refuse(&failure, presentation),
    };
    let mut known = None;
    let asked = target.clone();
    let outcome = async {
        let request =
            read(app, http, payload, &came, target, query, presentation, &mut known).await;
        let request = match request? {
            Incoming::Request(request) => request,
            Incoming::Options(allow) => {
                return Ok(HttpResponse::NoContent().insert_header(("Allow", allow)).finish());
            }
        };
        let answer = perform(app, *request).await?;
        Ok(answer.into_response(&app.settings.service.base_url, presentation))
    };
    let failure = match outcome.await {
        Ok(response) => return response,
        Err(failure) => failure,
    };
    let method = Method::parse(http.method().as_str());
    let interaction = method.and_then(|method| asked.interaction(method).ok());
    let failure = match interaction {
        Some(interaction) => {
            let (id, address) = (came.id, came.origin.address);
            let asked = Asked { id, interaction, target: &asked, address, caller: known.as_ref() };
            refusal::record(app, &asked, failure).await
        }
        None => failure,
    };
    let failure = match tried(http) {
        Tried::Proof => failure.of_proof(),
        Tried::Bearer | Tried::Nothing => failure,
    };
    refuse(&failure, presentation)
}

fn refuse(failure: &Failure, presentation: Presentation) -> HttpResponse {
    if failure.is_ours() {
        tracing::error!(status = failure.status, "request failed");
    }
    failure_response(failure, presentation)
}

fn presented(http: &HttpRequest, query: &[(String, String)]) -> Result<Presentation, Failure> {
    let parameter =
        |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let format = answer_format(parameter("_format"), header(http, "accept")?)?;
    let pretty = match parameter("_pretty") {
        None | Some("false") => false,
        Some("true") => true,
        Some(other) => {
            return Err(Failure::bad_request(format!("_pretty={other} is neither true nor false")));
        }
    };
    Ok(Presentation { format, pretty })
}

enum Incoming {
    Request(Box<Request>),
    Options(&'static str),
}

#[expect(clippy::too_many_arguments, reason = "the parts of a request come together here")]
async fn read(
    app: &App,
    http: &HttpRequest,
    payload: Payload,
    came: &Came,
    target: Target,
    mut query: Vec<(String, String)>,
    presentation: Presentation,
    known: &mut Option<Caller>,
) -> Result<Incoming, Failure> {
    let method =
        Method::parse(http.method().as_str()).ok_or_else(|| Failure::method(target.allow()))?;
    if method == Method::Options {
        return Ok(Incoming::Options(target.allow()));
    }
    let interaction = target.interaction(method)?;
    let needs_token = interaction != Interaction::Capabilities;
    let caller = caller(app, http, &came.origin, needs_token).await?;
    *known = Some(caller.clone());
    app.traffic.admit(&caller)?;
    let headers = headers(http)?;
    let bytes = receive(app, payload).await?;
    let is_search = matches!(interaction, Interaction::Search | Interaction::SearchSystem);
    let takes_form = is_search && method == Method::Post;
    let body = if takes_form {
        query.extend(form(http, &bytes)?);
        None
    } else if bytes.is_empty() || matches!(method, Method::Get | Method::Head | Method::Delete) {
        None
    } else {
        let format = body_format(header(http, "content-type")?)?;
        Some(parse(app, &caller, format, bytes).await?)
    };
    let request = Request {
        id: came.id,
        address: came.origin.address,
        caller,
        method,
        target,
        interaction,
        query,
        headers,
        body,
        presentation,
    };
    Ok(Incoming::Request(Box::new(request)))
}

fn form(http: &HttpRequest, bytes: &Bytes) -> Result<Vec<(String, String)>, Failure> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    match body_format(header(http, "content-type")?)? {
        BodyFormat::Form => {
            let text = std::str::from_utf8(bytes)
                .map_err(|_| Failure::bad_request("the form is not UTF-8"))?;
            parse_query(text)
        }
        BodyFormat::Resource(_) | BodyFormat::JsonPatch => Err(Failure::new(
            415,
            Code::NotSupported,
            "_search takes a form: application/x-www-form-urlencoded",
        )),
    }
}

/// A large body is parsed off the threads that serve requests.
#[tracing::instrument(level = "debug", skip_all)]
async fn parse(
    app: &App,
    caller: &Caller,
    format: BodyFormat,
    bytes: Bytes,
) -> Result<body::Body, Failure> {
    if bytes.len() <= SMALL_BYTES_MAX {
        return body::parse(format, &bytes, &app.settings.limits);
    }
    let _permit = app.traffic.parsing.enter(caller.hospital()).await?;
    let limits = app.settings.limits.clone();
    web::block(move || body::parse(format, &bytes, &limits))
        .await
        .map_err(|_| Failure::new(503, Code::Transient, "the server is shutting down; try again"))?
}

/// The whole body, within the bounds on its size and on how long it may take to arrive.
async fn receive(app: &App, mut payload: Payload) -> Result<Bytes, Failure> {
    let limits = &app.settings.limits;
    let too_large = || {
        let text = format!(
            "the body is larger than the {} bytes this server takes",
            limits.body_bytes_max
        );
        Failure::new(413, Code::TooLong, text)
    };
    let whole = async {
        let mut bytes = web::BytesMut::new();
        while let Some(chunk) = payload.next().await {
            let chunk = chunk
                .map_err(|error| Failure::bad_request(format!("the body broke off: {error}")))?;
            if bytes.len() + chunk.len() > limits.body_bytes_max {
                return Err(too_large());
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes.freeze())
    };
    match tokio::time::timeout(limits.request_timeout, whole).await {
        Ok(outcome) => outcome,
        Err(_) => {
            Err(Failure::new(408, Code::Timeout, "the body took too long to arrive; send it again"))
        }
    }
}

fn headers(http: &HttpRequest) -> Result<Headers, Failure> {
    let condition = |name: &'static str| {
        let parsed = header(http, name)?.map(Condition::parse).transpose();
        parsed.map_err(|reason| Failure::bad_request(format!("{name}: {reason}")))
    };
    let idempotency_key = header(http, "idempotency-key")?.map(str::to_owned);
    if idempotency_key.as_ref().is_some_and(|key| key.is_empty() || key.len() > 255) {
        return Err(Failure::bad_request("Idempotency-Key must have 1 to 255 characters"));
    }
    let mut prefer = Vec::new();
    for value in http.headers().get_all("prefer") {
        prefer.push(value.to_str().map_err(|_| not_text("prefer"))?);
    }
    Ok(Headers {
        if_match: condition("if-match")?,
        if_none_match: condition("if-none-match")?,
        if_modified_since: header(http, "if-modified-since")?.and_then(parse_http_date),
        if_none_exist: header(http, "if-none-exist")?
            .map(|text| text.trim_start_matches('?').to_owned()),
        idempotency_key,
        preferences: Preferences::parse(&prefer.join(",")),
    })
}

fn header<'a>(http: &'a HttpRequest, name: &'static str) -> Result<Option<&'a str>, Failure> {
    match http.headers().get(name) {
        None => Ok(None),
        Some(value) => value.to_str().map(Some).map_err(|_| not_text(name)),
    }
}

fn not_text(name: &str) -> Failure {
    Failure::bad_request(format!(
        "the header {name} has characters that are not ASCII; percent-encode them"
    ))
}
