//! Tells by an HTTP POST. What receives it may read `alerts`, or, as chats do, show `text` (Slack, Mattermost, Google Chat)
//! or `content` (Discord).

use std::sync::Arc;

use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use url::{Host, Url};

use super::{Message, Sender};
use crate::adapter::Secrets;
use crate::adapter::http::{Body, Http, Request};

/// Discord shows no more. <https://discord.com/developers/docs/resources/webhook>, 2026-11-22.
const CONTENT: usize = 2000;

/// An address that is a secret.
pub(super) struct Webhook {
    http: Http,
    secrets: Arc<dyn Secrets>,
}

impl Webhook {
    pub(super) fn new(http: Http, secrets: Arc<dyn Secrets>) -> Self {
        Self { http, secrets }
    }
}

#[async_trait]
impl Sender for Webhook {
    async fn send(&self, message: &Message) -> Result<(), String> {
        let secret = self.secrets.secret("url").await.map_err(|fault| fault.to_string())?;
        let url = address(secret.expose_secret())?;
        let mut request = Request::post(url.as_str()).body(Body::Json(body(message)));
        for part in secret_parts(&url) {
            request = request.hide(part);
        }
        // It may be sent again: an alert that is told twice is better than one that nobody hears.
        let answer = self.http.call(request.hide(secret)).await.map_err(|fault| fault.to_string())?;
        match answer.status {
            200..300 => Ok(()),
            300..400 => Err(format!("HTTP {}: it leads elsewhere, and redirects are not followed", answer.status)),
            _ => Err(answer.fault(false, None, message.at).to_string()),
        }
    }
}

fn body(message: &Message) -> Value {
    let mut body = message.json();
    let text = message.text();
    if let Some(fields) = body.as_object_mut() {
        fields.insert("text".to_owned(), quiet(&text).into());
        fields.insert("content".to_owned(), cut(&quiet(&text), CONTENT).into());
        // Nobody is called by what some server's error message says.
        fields.insert("allowed_mentions".to_owned(), json!({ "parse": [] }));
    }
    body
}

/// Chats call people, or everybody, where a text says `@name` or `<!channel>`.
fn quiet(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('@', "@\u{200b}")
}

fn cut(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => text.to_owned(),
        Some(_) => text.chars().take(limit - 1).chain(['…']).collect(),
    }
}

/// What a server may show of the address in its answer.
fn secret_parts(url: &Url) -> Vec<SecretString> {
    let words = [url.query(), url.password(), Some(url.path())].into_iter().flatten();
    let segments = url.path_segments().into_iter().flatten().filter(|part| part.len() >= 8);
    words.chain(segments).filter(|part| part.len() > 1).map(SecretString::from).collect()
}

/// The address: `https`, or this very machine.
fn address(text: &str) -> Result<Url, String> {
    // The text itself is a secret.
    let url = Url::parse(text).map_err(|error| format!("its address is not a URL: {error}"))?;
    match (url.scheme(), url.host()) {
        (_, None) => Err("its address has no host".to_owned()),
        ("https", _) => Ok(url),
        ("http", Some(host)) if is_loopback(&host) => Ok(url),
        ("http", _) => Err("its address is plain http, which is for this very machine alone; write https".to_owned()),
        _ => Err("its address does not begin with https://".to_owned()),
    }
}

/// This very machine.
pub(super) fn is_loopback<T: AsRef<str>>(host: &Host<T>) -> bool {
    match host {
        Host::Domain(name) => name.as_ref() == "localhost" || name.as_ref().ends_with(".localhost"),
        Host::Ipv4(v4) => v4.is_loopback(),
        Host::Ipv6(v6) => v6.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::samples::start;
    use super::*;

    #[test]
    fn addresses_are_https_or_this_machine() {
        for good in ["https://hooks.example/a?sig=b", "http://127.0.0.1:9/x", "http://[::1]/", "http://localhost/x"] {
            assert!(address(good).is_ok(), "{good}");
        }
        for bad in
            ["http://hooks.example/secret", "ftp://hooks.example/secret", "hooks.example/secret", "file:///secret"]
        {
            let why = address(bad).expect_err(bad);
            assert!(!why.contains("secret"), "{why}");
        }
    }

    #[test]
    fn chats_show_it_and_call_nobody() {
        let body = body(&Message::test(start()));
        for field in ["text", "content"] {
            assert!(body[field].as_str().is_some_and(|text| text.contains("this is a test")), "{body}");
        }
        assert_eq!(body["alerts"][0]["kind"], "test");
        assert_eq!(quiet("<!channel> @everyone"), "&lt;!channel&gt; @\u{200b}everyone");
        assert_eq!(cut("ab…", 3), "ab…");
        assert_eq!(cut("abcd", 3), "ab…");
    }

    #[test]
    fn no_part_of_the_address_is_shown() {
        let url = address("https://hooks.example/services/T0000/verysecret?sig=abc").expect("an address");
        let parts: Vec<String> = secret_parts(&url).iter().map(|part| part.expose_secret().to_owned()).collect();
        assert_eq!(parts, ["sig=abc", "/services/T0000/verysecret", "services", "verysecret"]);
    }
}
