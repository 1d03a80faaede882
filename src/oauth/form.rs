//! A form that holds secrets, and hides them in what is said of its answer.

use secrecy::{ExposeSecret, SecretString};

use crate::adapter::http::{Body, Request};

/// A form, `application/x-www-form-urlencoded`.
#[derive(Default)]
pub(super) struct Form {
    fields: Vec<(String, String)>,
    secrets: Vec<SecretString>,
}

impl Form {
    /// An empty one.
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Adds a field that is no secret.
    pub(super) fn field(mut self, name: &str, value: impl Into<String>) -> Self {
        self.fields.push((name.to_owned(), value.into()));
        self
    }

    /// Adds a secret: should the server send it back, no message shows it.
    pub(super) fn secret(mut self, name: &str, value: &SecretString) -> Self {
        self.fields.push((name.to_owned(), value.expose_secret().to_owned()));
        self.secrets.push(value.clone());
        self
    }

    /// As a POST.
    pub(super) fn into_request(self, url: &str) -> Request {
        let request = Request::post(url).header("accept", "application/json").body(Body::Form(self.fields));
        self.secrets.into_iter().fold(request, Request::hide)
    }
}
