//! HTTP as adapters may use it. The only folder that names `reqwest`.
//!
//! Three clients, built when they are first needed:
//!
//! - *irreversible*: no redirect, no automatic retry, no pooled connection (a pooled one may be found dead and the
//!   request sent again below us), a total time limit;
//! - *repeatable*: the same rules, for calls that may be made again: tokens are never carried to another host;
//! - *pages*: for link cards: follows a few redirects, sends no credential, takes no more than it was told to, and does
//!   not go to addresses that are not public, since a link comes from the calendar and anybody may propose a change to it.
//!
//! What a transport error means ([`Fault`]) was measured, not guessed: after the connection is up, "the server never read
//! it" and "the server did it and the answer was lost" give the same error. Only a failed connect proves that nothing was sent.

mod address;
mod answer;
mod body;
mod flow;
mod request;
mod tls;

pub use address::{is_loopback, server_url};
pub use answer::Answer;
pub use body::{Body, Field};
pub use request::{Method, Request};
pub use tls::roots;

pub(super) use tls::tls;

use std::error::Error as _;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};

use self::address::{PublicOnly, public_or};
use self::flow::Flow;
use super::Fault;
use crate::time::{Clock, SystemClock};
use crate::trial::Guard;

/// Largest answer that is read, in bytes.
const ANSWER_LIMIT: usize = 4 * 1024 * 1024;

/// The slowest line that files go over, in bytes a second: 1 Mbit/s. A call that carries some may take so much longer.
pub(super) const SLOWEST: u64 = 128 * 1024;

/// How HTTP is set up.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Total time of one call, but for what files in its body need on a slow line.
    pub timeout: Duration,
    /// Link cards may be fetched from addresses that are not public. For tests and for intranets.
    pub private_pages: bool,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(30), private_pages: false }
    }
}

/// HTTP as adapters may use it. Cheap to clone.
#[derive(Clone)]
pub struct Http {
    inner: Arc<Inner>,
}

struct Inner {
    settings: HttpSettings,
    irreversible: OnceLock<Result<reqwest::Client, String>>,
    repeatable: OnceLock<Result<reqwest::Client, String>>,
    pages: OnceLock<Result<reqwest::Client, String>>,
    /// What the last server said that the time is, and the time that had passed then.
    server_time: Mutex<Option<(DateTime<Utc>, Duration)>>,
}

impl Http {
    /// Sets HTTP up; no client is built and no root certificate read before the first call.
    pub fn new(settings: HttpSettings) -> Self {
        Self {
            inner: Arc::new(Inner {
                settings,
                irreversible: OnceLock::new(),
                repeatable: OnceLock::new(),
                pages: OnceLock::new(),
                server_time: Mutex::default(),
            }),
        }
    }

    /// Total time of one call.
    pub(super) fn timeout(&self) -> Duration {
        self.inner.settings.timeout
    }

    /// The time by the server that answered last (its `Date`), and [`Clock::elapsed`] of the machine's clock then. Pages
    /// do not count: anybody may name one.
    pub fn server_time(&self) -> Option<(DateTime<Utc>, Duration)> {
        *self.inner.server_time.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a call that may be repeated. An error status is an `Ok` answer; see [`Answer::fault`].
    pub async fn call(&self, request: Request) -> Result<Answer, Fault> {
        // Some servers reset a connection that they had offered to keep.
        let client = built(&self.inner.repeatable, || self.builder().pool_max_idle_per_host(0).build())?;
        self.send(client, request, Use::Repeatable).await
    }

    /// Makes the one call that cannot be taken back. An error status is an `Ok` answer; see [`Answer::fault`].
    pub async fn publish(&self, request: Request) -> Result<Answer, Fault> {
        let client = built(&self.inner.irreversible, || self.builder().pool_max_idle_per_host(0).build())?;
        self.send(client, request, Use::Irreversible).await
    }

    /// Fetches a page or picture that the calendar links to, without any credential: its first `limit` bytes
    /// ([`Answer::cut`] when there are more).
    pub async fn page(&self, url: &str, limit: usize) -> Result<Answer, Fault> {
        let private = self.inner.settings.private_pages;
        let parsed = url::Url::parse(url).map_err(|error| Fault::NotSent(format!("`{url}` is not a URL: {error}")))?;
        public_or(private, &parsed)?;
        let client = built(&self.inner.pages, || {
            let policy = reqwest::redirect::Policy::custom(move |attempt| {
                if attempt.previous().len() >= 5 {
                    return attempt.error("more than five redirects");
                }
                match public_or(private, attempt.url()) {
                    Ok(()) => attempt.follow(),
                    Err(fault) => attempt.error(fault.to_string()),
                }
            });
            let builder = self.builder().redirect(policy).timeout(Duration::from_secs(10));
            if private { builder.build() } else { builder.dns_resolver(Arc::new(PublicOnly)).build() }
        })?;
        let request = Request::get(url).header("accept", "text/html,application/xhtml+xml,image/*;q=0.9");
        self.send(client, request, Use::Page { limit }).await
    }

    fn builder(&self) -> reqwest::ClientBuilder {
        use reqwest::redirect::Policy;

        // A redirected request takes its body, and every header but one, to another host.
        let redirect = if Guard::Redirect.holds() { Policy::none() } else { Policy::default() };
        reqwest::Client::builder()
            .tls_backend_preconfigured(tls())
            .user_agent(concat!("smm/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect)
            .retry(reqwest::retry::never())
            .connect_timeout(Duration::from_secs(10).min(self.inner.settings.timeout))
            .timeout(self.inner.settings.timeout)
            .no_proxy()
    }

    async fn send(&self, client: &reqwest::Client, request: Request, purpose: Use) -> Result<Answer, Fault> {
        let method = match request.method {
            Method::Delete => reqwest::Method::DELETE,
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
        };
        let mut builder = client.request(method, &request.url);
        if !request.query.is_empty() {
            builder = builder.query(&request.query);
        }
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        for (name, value) in &request.secret_headers {
            let mut value = reqwest::header::HeaderValue::from_str(value.expose_secret())
                .map_err(|_| Fault::NotSent(format!("the secret for `{name}` cannot stand in a header")))?;
            value.set_sensitive(true);
            builder = builder.header(*name, value);
        }
        if let Some(token) = &request.bearer {
            builder = builder.bearer_auth(token.expose_secret());
        }
        if let Some((name, password)) = &request.basic {
            builder = builder.basic_auth(name, Some(password.expose_secret()));
        }
        let more = Duration::from_secs(request.body.length() / SLOWEST);
        if request.timeout.is_some() || !more.is_zero() {
            builder = builder.timeout(request.timeout.unwrap_or(self.inner.settings.timeout) + more);
        }
        let flow = Flow::default();
        builder = request.body.put(builder, &flow)?;
        let mut hidden = request.hidden;
        hidden.extend(request.secret_headers.into_iter().map(|(_, value)| value));
        hidden.extend(request.bearer);
        hidden.extend(request.basic.map(|(_, password)| password));
        let answer = self.exchange(builder, hidden, purpose).await;
        // What was sent is no whole request then, whatever arrived of it: nothing was done (RFC 9112, section 8).
        flow.fault().map_or(answer, Err)
    }

    async fn exchange(
        &self,
        builder: reqwest::RequestBuilder,
        hidden: Vec<SecretString>,
        purpose: Use,
    ) -> Result<Answer, Fault> {
        let mut response = builder.send().await.map_err(|error| classify(&error, purpose))?;
        let (status, url, headers) =
            (response.status().as_u16(), response.url().to_string(), response.headers().clone());
        if !matches!(purpose, Use::Page { .. })
            && let Some(date) = headers.get(reqwest::header::DATE).and_then(|date| date.to_str().ok())
            && let Ok(date) = DateTime::parse_from_rfc2822(date)
        {
            let told = Some((date.with_timezone(&Utc), SystemClock.elapsed()));
            *self.inner.server_time.lock().unwrap_or_else(PoisonError::into_inner) = told;
        }
        let limit = purpose.limit();
        let (mut body, mut cut) = (Vec::new(), false);
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() > limit => {
                    if !matches!(purpose, Use::Page { .. }) {
                        return Err(purpose.lost(format!("HTTP {status}, but the answer is larger than {limit} bytes")));
                    }
                    body.extend_from_slice(&chunk[..limit - body.len()]);
                    cut = true;
                    break;
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) => {
                    return Err(purpose.lost(format!("HTTP {status}, but the answer was cut: {}", told(&error))));
                }
            }
        }
        Ok(Answer { status, body, url, cut, headers, hidden })
    }
}

/// What a call is for.
#[derive(Debug, Clone, Copy)]
enum Use {
    Irreversible,
    Repeatable,
    Page { limit: usize },
}

impl Use {
    /// Most bytes of an answer that are read.
    fn limit(self) -> usize {
        match self {
            Self::Page { limit } => limit,
            Self::Irreversible | Self::Repeatable => ANSWER_LIMIT,
        }
    }

    /// No (whole) answer: only after an irreversible call does it matter whether the request arrived. The others may be
    /// repeated, and no part of a post hangs on them.
    fn lost(self, message: String) -> Fault {
        match self {
            Self::Irreversible => Fault::Unknown(message),
            Self::Repeatable | Self::Page { .. } => Fault::NotSent(message),
        }
    }
}

fn built(
    slot: &OnceLock<Result<reqwest::Client, String>>,
    build: impl FnOnce() -> reqwest::Result<reqwest::Client>,
) -> Result<&reqwest::Client, Fault> {
    slot.get_or_init(|| build().map_err(|error| told(&error)))
        .as_ref()
        .map_err(|error| Fault::NotSent(format!("HTTP cannot be set up: {error}")))
}

fn classify(error: &reqwest::Error, purpose: Use) -> Fault {
    let message = told(error);
    if error.is_connect() || error.is_builder() { Fault::NotSent(message) } else { purpose.lost(message) }
}

/// The whole chain of causes in one line, without the URL: it may hold a token.
fn told(error: &reqwest::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
        source = cause.source();
    }
    let what = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        "cannot connect"
    } else {
        "the connection broke"
    };
    if parts.is_empty() { what.to_owned() } else { format!("{what}: {}", parts.join(": ")) }
}
