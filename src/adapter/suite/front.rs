//! An HTTP front for fakes: logs requests, gives answers told beforehand, waits.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::Response;

/// Largest body that a fake takes, in bytes.
const BODY_LIMIT: usize = 128 * 1024 * 1024;

/// A router on a port of this machine. It stops with the value.
pub struct Front {
    url: String,
    shared: Arc<Shared>,
    server: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    seen: Mutex<Vec<Seen>>,
    rules: Mutex<Vec<Rule>>,
}

/// A request that came in, and what was answered.
#[derive(Debug, Clone)]
pub struct Seen {
    /// `GET`, `POST`, …
    pub method: String,
    /// Path without the query.
    pub path: String,
    /// The query, as it came; empty without one.
    pub query: String,
    /// Headers, names in small letters.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
    /// What the network itself answered; `None`: a rule answered in its place, or nothing is answered yet.
    pub answer: Option<SeenAnswer>,
}

/// What was answered to a request.
#[derive(Debug, Clone)]
pub struct SeenAnswer {
    /// Status code.
    pub status: u16,
    /// The body.
    pub body: Bytes,
}

impl Seen {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// What the front does to some requests. Rules are tried in the order in which they were added.
#[derive(Debug, Clone)]
pub struct Rule {
    method: Option<String>,
    path: Option<String>,
    left: usize,
    act: Act,
}

/// What is done to a request.
#[derive(Debug, Clone)]
pub enum Act {
    /// This answer; the network never sees the request.
    Answer {
        /// Status code.
        status: u16,
        /// Headers.
        headers: Vec<(String, String)>,
        /// Body.
        body: String,
    },
    /// The network does it, and its answer is replaced by this one.
    AnswerAfter {
        /// Status code.
        status: u16,
        /// Headers.
        headers: Vec<(String, String)>,
        /// Body.
        body: String,
    },
    /// The network does it, and its answer waits for so long.
    Wait(Duration),
    /// An error that sends back what was sent, address and credentials and all, as debugging pages do; the network never sees the
    /// request.
    Echo {
        /// Status code.
        status: u16,
        /// As a JSON object with `error`, `message` and `error_description`, else as plain text.
        json: bool,
    },
}

impl Rule {
    /// A rule for the next request of any kind.
    pub fn new(act: Act) -> Self {
        Self { method: None, path: None, left: 1, act }
    }

    /// An answer without headers.
    pub fn answer(status: u16, body: impl Into<String>) -> Self {
        Self::new(Act::Answer { status, headers: Vec::new(), body: body.into() })
    }

    /// Only requests with this method and path. A path that ends with `*` stands for all that begin so.
    #[must_use]
    pub fn on(mut self, method: &str, path: &str) -> Self {
        self.method = Some(method.to_owned());
        self.path = Some(path.to_owned());
        self
    }

    /// For so many requests.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.left = times;
        self
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        if let Act::Answer { headers, .. } | Act::AnswerAfter { headers, .. } = &mut self.act {
            headers.push((name.to_owned(), value.into()));
        }
        self
    }

    fn takes(&self, method: &str, path: &str) -> bool {
        self.left > 0
            && self.method.as_deref().is_none_or(|wanted| wanted == method)
            && self.path.as_deref().is_none_or(|wanted| is_path(wanted, path))
    }
}

/// Whether a path is the wanted one, or begins as one that ends with `*` says.
fn is_path(wanted: &str, path: &str) -> bool {
    wanted.strip_suffix('*').map_or(wanted == path, |start| path.starts_with(start))
}

impl Front {
    /// Serves a router on a free port of this machine.
    pub async fn serve(router: Router) -> Self {
        let shared = Arc::new(Shared::default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port on this machine");
        let url = format!("http://{}", listener.local_addr().expect("a bound socket has an address"));
        let router = router
            .layer(axum::extract::DefaultBodyLimit::max(BODY_LIMIT))
            .layer(middleware::from_fn_with_state(Arc::clone(&shared), watch));
        let server = tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        });
        Self { url, shared, server }
    }

    /// Its address, without a trailing slash.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Adds a rule.
    pub fn rule(&self, rule: Rule) {
        held(&self.shared.rules).push(rule);
    }

    /// Drops all rules.
    pub fn no_rules(&self) {
        held(&self.shared.rules).clear();
    }

    /// The requests so far, oldest first.
    pub fn seen(&self) -> Vec<Seen> {
        held(&self.shared.seen).clone()
    }

    /// How many requests with this method and path came in so far. A path that ends with `*` stands for all that begin so.
    pub fn count(&self, method: &str, path: &str) -> usize {
        held(&self.shared.seen).iter().filter(|seen| seen.method == method && is_path(path, &seen.path)).count()
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn watch(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    // A body that breaks off never became a request.
    let Ok(body) = axum::body::to_bytes(body, BODY_LIMIT).await else {
        return answer(400, &[], "the body broke off");
    };
    let (method, path) = (parts.method.as_str().to_owned(), parts.uri.path().to_owned());
    let number = {
        let mut seen = held(&shared.seen);
        seen.push(Seen {
            method: method.clone(),
            path: path.clone(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts
                .headers
                .iter()
                .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
                .collect(),
            body: body.clone(),
            answer: None,
        });
        seen.len() - 1
    };
    let act = {
        let mut rules = held(&shared.rules);
        rules.iter_mut().find(|rule| rule.takes(&method, &path)).map(|rule| {
            rule.left -= 1;
            rule.act.clone()
        })
    };
    let request = Request::from_parts(parts, Body::from(body));
    match act {
        None => {
            let (parts, body) = next.run(request).await.into_parts();
            let body = axum::body::to_bytes(body, BODY_LIMIT).await.unwrap_or_default();
            let told = SeenAnswer { status: parts.status.as_u16(), body: body.clone() };
            held(&shared.seen)[number].answer = Some(told);
            Response::from_parts(parts, Body::from(body))
        }
        Some(Act::Answer { status, headers, body }) => answer(status, &headers, &body),
        Some(Act::AnswerAfter { status, headers, body }) => {
            next.run(request).await;
            answer(status, &headers, &body)
        }
        Some(Act::Echo { status, json }) => {
            let (parts, body) = request.into_parts();
            let body = axum::body::to_bytes(body, BODY_LIMIT).await.unwrap_or_default();
            let sent = parts.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
            let said = format!("{sent} {} {}", parts.uri, String::from_utf8_lossy(&body));
            let said = if json {
                serde_json::json!({"error": said, "message": said, "error_description": said}).to_string()
            } else {
                said
            };
            answer(status, &[], &said)
        }
        Some(Act::Wait(wait)) => {
            let response = next.run(request).await;
            tokio::time::sleep(wait).await;
            response
        }
    }
}

fn answer(status: u16, headers: &[(String, String)], body: &str) -> Response {
    let mut builder = Response::builder().status(StatusCode::from_u16(status).expect("a status code"));
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
        builder = builder.header("content-type", "application/json");
    }
    for (name, value) in headers {
        builder = builder.header(name, value);
    }
    builder.body(Body::from(body.to_owned())).expect("a valid answer")
}
