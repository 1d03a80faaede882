//! HTTP as adapters may use it. The only file that names `reqwest`.
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

use std::error::Error as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;

use super::redact::redacted;
use super::{Fault, Refusal};
use crate::time::{Clock, SystemClock};
use crate::trial::Guard;

/// Largest answer that is read, in bytes.
const ANSWER_LIMIT: usize = 4 * 1024 * 1024;

/// How HTTP is set up.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// Total time of one call.
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

/// A call's body.
#[derive(Debug, Clone)]
pub enum Body {
    /// None.
    Empty,
    /// JSON.
    Json(serde_json::Value),
    /// A form, `application/x-www-form-urlencoded`.
    Form(Vec<(String, String)>),
    /// Bytes of a MIME type.
    Bytes {
        /// The bytes.
        bytes: Vec<u8>,
        /// Their MIME type.
        mime: String,
    },
    /// A multipart form.
    Multipart(Vec<Field>),
}

/// A field of a multipart form.
#[derive(Debug, Clone)]
pub enum Field {
    /// Text.
    Text {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
    /// A file.
    File {
        /// Its name.
        name: String,
        /// The file's name.
        file_name: String,
        /// Its MIME type.
        mime: String,
        /// The bytes.
        bytes: Vec<u8>,
    },
}

/// A call.
#[derive(Debug, Clone)]
pub struct Request {
    method: Method,
    url: String,
    query: Vec<(String, String)>,
    headers: Vec<(&'static str, String)>,
    secret_headers: Vec<(&'static str, SecretString)>,
    bearer: Option<SecretString>,
    basic: Option<(String, SecretString)>,
    hidden: Vec<SecretString>,
    body: Body,
    timeout: Option<Duration>,
}

/// HTTP methods that adapters use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "they are HTTP's own")]
pub enum Method {
    Delete,
    Get,
    Post,
    Put,
}

impl Request {
    /// A call to an absolute URL.
    pub fn new(method: Method, url: impl Into<String>) -> Self {
        Self {
            method,
            url: url.into(),
            query: Vec::new(),
            headers: Vec::new(),
            secret_headers: Vec::new(),
            bearer: None,
            basic: None,
            hidden: Vec::new(),
            body: Body::Empty,
            timeout: None,
        }
    }

    /// GET.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new(Method::Get, url)
    }

    /// POST.
    pub fn post(url: impl Into<String>) -> Self {
        Self::new(Method::Post, url)
    }

    /// PUT.
    pub fn put(url: impl Into<String>) -> Self {
        Self::new(Method::Put, url)
    }

    /// DELETE.
    pub fn delete(url: impl Into<String>) -> Self {
        Self::new(Method::Delete, url)
    }

    /// Adds a query parameter.
    #[must_use]
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// Adds a header that is no secret.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Adds a header that is a secret, where a network wants neither a bearer token nor a password.
    #[must_use]
    pub fn secret_header(mut self, name: &'static str, value: SecretString) -> Self {
        self.secret_headers.push((name, value));
        self
    }

    /// Adds a bearer token.
    #[must_use]
    pub fn bearer(mut self, token: SecretString) -> Self {
        self.bearer = Some(token);
        self
    }

    /// Adds a name and a password (RFC 7617).
    #[must_use]
    pub fn basic(mut self, name: impl Into<String>, password: SecretString) -> Self {
        self.basic = Some((name.into(), password));
        self
    }

    /// A secret that the body holds: should the server send it back, no message shows it. A bearer token and a password
    /// are hidden anyway.
    #[must_use]
    pub fn hide(mut self, secret: SecretString) -> Self {
        self.hidden.push(secret);
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }

    /// Another total time limit than the usual one: for uploads.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

/// A complete answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
    /// The URL that answered at last.
    pub url: String,
    /// Only the start of the body was read ([`Http::page`] alone).
    pub cut: bool,
    headers: reqwest::header::HeaderMap,
    hidden: Vec<SecretString>,
}

impl Answer {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_slice(&self.body).map_err(|error| {
            // It tells the values that were not expected.
            self.without_secrets(format!("the answer is not what was expected: {error}"))
        })
    }

    /// When the server wants to be asked again: `Retry-After`, in seconds or as a date.
    pub fn retry_after(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let value = self.header("retry-after")?.trim();
        if let Ok(seconds) = value.parse::<u64>() {
            // A century is as good as any longer time: a person is asked long before.
            let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
            return Some(now + chrono::Duration::seconds(i64::from(seconds)));
        }
        DateTime::parse_from_rfc2822(value).ok().map(|at| at.with_timezone(&Utc))
    }

    /// What an answer that is no success means. `own` is the network's own error message, found in the body: a "no"
    /// without it may come from a proxy in between and proves nothing when the call was `irreversible`.
    pub fn fault(&self, irreversible: bool, own: Option<String>, now: DateTime<Utc>) -> Fault {
        let status = self.status;
        let own_words = own.is_some();
        let said = self.without_secrets(own.unwrap_or_else(|| self.excerpt()));
        let message = if said.is_empty() { format!("HTTP {status}") } else { format!("HTTP {status}: {said}") };
        let refused = |refusal| Fault::Refused { refusal, message: message.clone(), retry_at: self.retry_after(now) };
        match status {
            429 => refused(Refusal::RateLimited),
            200..400 | 408 | 409 | 425 | 500.. if irreversible => Fault::Unknown(message),
            400..500 if irreversible && !own_words => Fault::Unknown(message),
            401 => refused(Refusal::Credentials),
            403 => refused(Refusal::Forbidden),
            404 | 410 => refused(Refusal::Gone),
            400..408 | 411..425 | 426..500 => refused(Refusal::Invalid),
            // A repeatable call: nothing that matters was done.
            _ => refused(Refusal::Busy),
        }
    }

    /// The start of a body that is not the network's own error, for messages. Secrets go first: half of one is one too.
    fn excerpt(&self) -> String {
        let text = self.without_secrets(String::from_utf8_lossy(&self.body).into_owned());
        let text: String = text.chars().take(300).collect();
        let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
        text.chars().filter(|c| !c.is_control()).take(160).collect()
    }

    /// A text that the server had a part in, without the secrets that it was sent.
    pub fn without_secrets(&self, text: String) -> String {
        redacted(text, &self.hidden)
    }
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
        if let Some(timeout) = request.timeout {
            builder = builder.timeout(timeout);
        }
        builder = match request.body {
            Body::Empty => builder,
            Body::Json(value) => builder.json(&value),
            Body::Form(fields) => builder.form(&fields),
            Body::Bytes { bytes, mime } => builder.header("content-type", mime).body(bytes),
            Body::Multipart(fields) => builder.multipart(multipart(fields)?),
        };
        let mut hidden = request.hidden;
        hidden.extend(request.secret_headers.into_iter().map(|(_, value)| value));
        hidden.extend(request.bearer);
        hidden.extend(request.basic.map(|(_, password)| password));
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

fn multipart(fields: Vec<Field>) -> Result<reqwest::multipart::Form, Fault> {
    let mut form = reqwest::multipart::Form::new();
    for field in fields {
        form = match field {
            Field::Text { name, value } => form.text(name, value),
            Field::File { name, file_name, mime, bytes } => {
                let part = reqwest::multipart::Part::bytes(bytes)
                    .file_name(file_name)
                    .mime_str(&mime)
                    .map_err(|error| Fault::NotSent(format!("`{mime}` is not a MIME type: {error}")))?;
                form.part(name, part)
            }
        };
    }
    Ok(form)
}

/// How many root certificates servers are trusted by. They are built in; the system's are not used.
pub fn roots() -> usize {
    webpki_roots::TLS_SERVER_ROOTS.len()
}

/// Plain HTTP must not pay for roots: this is only called when a client is first built, and takes the compiled-in roots.
pub(super) fn tls() -> rustls::ClientConfig {
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring speaks the default protocol versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
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

/// Refuses URLs that are not `http(s)`, and literal addresses that are not public unless `private` ones are allowed.
fn public_or(private: bool, url: &url::Url) -> Result<(), Fault> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Fault::NotSent(format!("`{}` links are not fetched", url.scheme())));
    }
    let address = match url.host() {
        Some(url::Host::Ipv4(v4)) => Some(IpAddr::V4(v4)),
        Some(url::Host::Ipv6(v6)) => Some(IpAddr::V6(v6)),
        _ => None,
    };
    match address {
        Some(address) if !private && !is_public(address) => {
            Err(Fault::NotSent(format!("{address} is not a public address, so its page is not fetched")))
        }
        _ => Ok(()),
    }
}

/// Not loopback, private, link-local, shared, documentation, multicast or otherwise special (IANA's registries).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            !(a == 0
                || a == 10
                || a == 127
                || (a == 100 && (64..128).contains(&b))
                || (a == 169 && b == 254)
                || (a == 172 && (16..32).contains(&b))
                || (a == 192 && b == 0 && (c == 0 || c == 2))
                || (a == 192 && b == 168)
                || (a == 198 && (18..20).contains(&b))
                || (a == 198 && b == 51 && c == 100)
                || (a == 203 && b == 0 && c == 113)
                || a >= 224)
        }
        IpAddr::V6(v6) => {
            if let Some(v4) = v6.to_ipv4_mapped() {
                return is_public(IpAddr::V4(v4));
            }
            // Only 2000::/3 is global unicast today; documentation, 6to4 and Teredo lie inside it.
            let [first, second, ..] = v6.segments();
            (first & 0xe000) == 0x2000 && first != 0x2002 && !(first == 0x2001 && (second < 0x200 || second == 0x0db8))
        }
    }
}

/// Resolves names to public addresses only, so that a name cannot lead where a literal address may not.
struct PublicOnly;

impl reqwest::dns::Resolve for PublicOnly {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.filter(|address| is_public(address.ip())).collect();
            if found.is_empty() {
                return Err(format!("{} has no public address", name.as_str()).into());
            }
            Ok(Box::new(found.into_iter()) as reqwest::dns::Addrs)
        })
    }
}

/// Whether a host is this very machine.
pub fn is_loopback<T: AsRef<str>>(host: &url::Host<T>) -> bool {
    match host {
        url::Host::Domain(name) => name.as_ref() == "localhost" || name.as_ref().ends_with(".localhost"),
        url::Host::Ipv4(v4) => v4.is_loopback(),
        url::Host::Ipv6(v6) => v6.is_loopback(),
    }
}

/// Checks a server's address: `https`, or plain `http` to loopback alone; no user, query or fragment. Gives it without a
/// trailing slash.
pub fn server_url(text: &str) -> Result<String, String> {
    let url = url::Url::parse(text).map_err(|error| format!("`{text}` is not a URL: {error}"))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a server's address holds no user name and no password".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("a server's address has no `?` and no `#`".to_owned());
    }
    let loopback = is_loopback(&url.host().ok_or("a server's address needs a host")?);
    match url.scheme() {
        "https" => {}
        "http" if loopback => {}
        "http" => return Err("plain http is for this very machine alone; write https".to_owned()),
        other => return Err(format!("`{other}` is not a way to reach a server; write https")),
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_says_in_seconds_or_as_a_date_when_to_come_again() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).expect("a time");
        let of = |value: &str| {
            let mut headers = reqwest::header::HeaderMap::new();
            headers.insert("retry-after", value.parse().expect("a header"));
            let answer =
                Answer { status: 429, body: Vec::new(), url: String::new(), cut: false, headers, hidden: Vec::new() };
            answer.retry_after(now).map(|at| (at - now).num_seconds())
        };
        assert_eq!(of("120"), Some(120));
        assert_eq!(of(" 0 "), Some(0));
        assert_eq!(of("1000000000"), Some(1_000_000_000));
        assert_eq!(of("99999999999999"), Some(i64::from(u32::MAX)));
        assert_eq!(of("Fri, 15 Jan 2027 08:05:00 GMT"), Some(300));
        assert_eq!(
            of("Sun, 06 Nov 1994 08:49:37 GMT"),
            Some(784_111_777 - 1_800_000_000),
            "gone by: the back-off holds"
        );
        for garbage in ["soon", "-5", "1.5", "", "12 seconds", "Fri, 99 Jan 2027 08:05:00 GMT"] {
            assert_eq!(of(garbage), None, "{garbage}");
        }
    }

    #[test]
    fn servers_are_https_or_loopback() {
        assert_eq!(server_url("https://fedi.example/").as_deref(), Ok("https://fedi.example"));
        assert_eq!(server_url("http://127.0.0.1:8001").as_deref(), Ok("http://127.0.0.1:8001"));
        for bad in
            ["http://fedi.example", "ftp://fedi.example", "https://a:b@c.example", "https://c.example/?x", "c.example"]
        {
            assert!(server_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn special_addresses_are_not_public() {
        for special in [
            "127.0.0.1",
            "10.1.2.3",
            "169.254.169.254",
            "192.168.1.1",
            "100.64.0.1",
            "::1",
            "fd00::1",
            "::ffff:10.0.0.1",
            "2002:a00::1",
        ] {
            assert!(!is_public(special.parse().expect("an address")), "{special}");
        }
        for public in ["1.1.1.1", "2606:4700::1111"] {
            assert!(is_public(public.parse().expect("an address")), "{public}");
        }
    }
}
