//! The address on this machine that a browser comes back to (RFC 8252, section 7.3).

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Router, serve};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinHandle;

use super::browser::{Code, Heard};
use crate::adapter::Fault;

/// The page that the browser shows at the end may take so long to be delivered.
const LAST_PAGE: Duration = Duration::from_secs(1);

/// What makes a code of the query of an address.
pub(super) type Reader = dyn Fn(&str) -> Heard + Send + Sync;

/// The address is taken, and not listened at yet: the client has to be told of it first.
pub(super) struct Bound {
    listener: TcpListener,
    /// As the authorization server is told it.
    pub(super) url: String,
}

impl Bound {
    /// Takes this port of 127.0.0.1; 0: any that is free.
    pub(super) async fn take(port: u16) -> Result<Self, Fault> {
        let cannot = |error: std::io::Error| {
            let which = if port == 0 { "a port".to_owned() } else { format!("port {port}") };
            Fault::NotSent(format!("cannot listen at {which} of 127.0.0.1: {error}"))
        };
        let listener = TcpListener::bind(("127.0.0.1", port)).await.map_err(cannot)?;
        let port = listener.local_addr().map_err(cannot)?.port();
        Ok(Self { listener, url: format!("http://127.0.0.1:{port}/") })
    }

    /// Listens, for one answer.
    pub(super) fn listen(self, read: Arc<Reader>) -> Loopback {
        let (send, answers) = mpsc::channel(1);
        let (stop, stopped) = oneshot::channel::<()>();
        let router = Router::new().route("/", get(come_back)).with_state(Waiting { read, send });
        let server = serve(self.listener, router).with_graceful_shutdown(async move {
            // A sender that is gone is told as well.
            let _ = stopped.await;
        });
        let task = tokio::spawn(async move {
            if let Err(error) = server.await {
                tracing::debug!(%error, "the loopback address is no longer listened at");
            }
        });
        Loopback { answers: Mutex::new(answers), stop: Some(stop), task: Some(task) }
    }
}

/// What the page needs.
#[derive(Clone)]
struct Waiting {
    read: Arc<Reader>,
    send: mpsc::Sender<Result<Code, Fault>>,
}

/// Listens until the browser has come back.
pub(super) struct Loopback {
    answers: Mutex<mpsc::Receiver<Result<Code, Fault>>>,
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<()>>,
}

impl Loopback {
    /// Waits for the browser.
    pub(super) async fn answer(&self) -> Result<Code, Fault> {
        let lost = || Fault::NotSent("the address on this machine is no longer listened at".to_owned());
        self.answers.lock().await.recv().await.ok_or_else(lost)?
    }

    /// Ends it, once the browser has its last page.
    pub(super) async fn close(mut self) {
        if let (Some(stop), Some(task)) = (self.stop.take(), self.task.as_mut()) {
            let _ = stop.send(());
            // Late or not: it is ended with this value.
            let _ = tokio::time::timeout(LAST_PAGE, task).await;
        }
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// The only page. One answer is taken; whoever else comes is told so.
async fn come_back(State(waiting): State<Waiting>, RawQuery(query): RawQuery) -> Response {
    let (status, title, text, answer) = match (waiting.read)(query.as_deref().unwrap_or_default()) {
        Heard::Code(code) => {
            let text = "smm has the answer. This window may be closed; go on in the terminal.";
            (StatusCode::OK, "Signed in", text, Ok(code))
        }
        Heard::Refused(fault) => {
            let text = "smm was refused; the terminal says why. This window may be closed.";
            (StatusCode::OK, "Not signed in", text, Err(fault))
        }
        Heard::Foreign => {
            let text = "This is no answer to the sign-in that smm waits for.";
            return page(StatusCode::BAD_REQUEST, "Not expected", text);
        }
    };
    if waiting.send.try_send(answer).is_err() {
        return page(StatusCode::GONE, "Not expected", "smm has an answer already.");
    }
    page(status, title, text)
}

fn page(status: StatusCode, title: &str, text: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title><h1>{title}</h1><p>{text}</p></html>\n"
    );
    let headers = [
        (header::CACHE_CONTROL, "no-store"),
        (header::CONNECTION, "close"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (status, headers, Html(html)).into_response()
}
