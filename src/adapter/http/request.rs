//! A call, before it is made.

use std::time::Duration;

use secrecy::SecretString;

use super::Body;

/// A call.
#[derive(Debug, Clone)]
pub struct Request {
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) secret_headers: Vec<(&'static str, SecretString)>,
    pub(super) bearer: Option<SecretString>,
    pub(super) basic: Option<(String, SecretString)>,
    pub(super) hidden: Vec<SecretString>,
    pub(super) body: Body,
    pub(super) timeout: Option<Duration>,
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

    /// Another time limit than the usual one. What the body's files need on a slow line comes on top of either.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}
