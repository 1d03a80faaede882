//! Tells by an HTTP POST. What receives it may read `alerts`, or, as chats do, show `text` (Slack, Mattermost, Google Chat)
//! or `content` (Discord).

use std::sync::Arc;

use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use url::Url;

use super::{Message, Sender};
use crate::adapter::Secrets;
use crate::adapter::http::{Body, Http, Request, is_loopback};

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
    let written = words.chain(segments).filter(|part| part.len() > 1).map(str::to_owned);
    let values = url.query_pairs().map(|(_, value)| value.into_owned());
    let password = url.password().map(decoded);
    written.chain(values).chain(password).filter(|part| part.len() > 2).map(SecretString::from).collect()
}

/// Without the `%` of an address. (In a form `+` stands for a blank; not so before its `?`.)
fn decoded(part: &str) -> String {
    let part = part.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    url::form_urlencoded::parse(part.as_bytes()).map(|(name, _)| name.into_owned()).collect()
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::Router;

    use super::super::super::samples::start;
    use super::super::samples::{alert, begin, engine, store, target, teller, until};
    use super::*;
    use crate::adapter::http::HttpSettings;
    use crate::adapter::suite::{Act, Front, Rule};
    use crate::secrets::{Chain, Owner};

    const PATH: &str = "/services/T0000/verysecret";

    fn webhook(url: String, timeout: Duration) -> Webhook {
        let secrets =
            Chain::new(move |name| (name == "SMM_ALERT_A_URL").then(|| url.clone()), None).of(Owner::alert("a"));
        Webhook::new(Http::new(HttpSettings { timeout, private_pages: false }), secrets)
    }

    async fn front() -> Front {
        Front::serve(Router::new().route(PATH, axum::routing::post(|| async { "ok" }))).await
    }

    #[tokio::test]
    async fn it_gets_one_post() {
        let front = front().await;
        let hook = webhook(format!("{}{PATH}", front.url()), Duration::from_secs(5));
        hook.send(&Message::test(start())).await.expect("told");
        let seen = front.seen();
        assert_eq!((seen.len(), seen[0].header("content-type")), (1, Some("application/json")));
        let body: Value = serde_json::from_slice(&seen[0].body).expect("JSON");
        assert_eq!(body["subject"], "smm: this is a test: alerts of smm arrive here");
    }

    #[tokio::test]
    async fn what_it_says_instead_is_told_without_its_address() {
        let front = front().await;
        let hook = webhook(format!("{}{PATH}?sig=abcdef", front.url()), Duration::from_secs(5));
        front.rule(Rule::new(Act::Echo { status: 403, json: false }));
        front.rule(Rule::answer(500, format!("no route {PATH} with sig=abcdef")));
        front.rule(Rule::answer(302, "").header("location", "http://elsewhere.example/"));
        for expected in ["HTTP 403", "HTTP 500: no route [secret] with [secret]", "HTTP 302: it leads elsewhere"] {
            let why = hook.send(&Message::test(start())).await.expect_err("refused");
            assert!(why.starts_with(expected), "{why}");
            assert!(!why.contains("verysecret") && !why.contains("abcdef"), "{why}");
        }
        drop(front);
        let why = hook.send(&Message::test(start())).await.expect_err("nobody is there");
        assert!(why.starts_with("cannot connect") && !why.contains("verysecret"), "{why}");
        let none = Webhook::new(hook.http.clone(), Chain::new(|_| None, None).of(Owner::alert("a")));
        let why = none.send(&Message::test(start())).await.expect_err("no address");
        assert_eq!(why, "the url of alert `a` is not there; looked for SMM_ALERT_A_URL");
    }

    #[tokio::test]
    async fn down_then_broken_then_slow_then_up_is_told_exactly_once() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
        let hook = webhook(format!("http://{free}{PATH}"), Duration::from_millis(300));
        let store = store();
        let engine = engine(&store);
        let teller = teller(&engine, vec![target("a", Arc::new(hook))]).await;
        let running = begin(&teller);
        engine.raise(&alert("one")).await.expect("raised");
        let names = ["a".to_owned()];
        let mut attempts = 0;
        for _ in 0..200 {
            attempts = engine.ledger.untold(&names).await.expect("answers").first().map_or(0, |errand| errand.attempts);
            if attempts > 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(attempts > 0, "nobody was there");
        let (heard, slow) = (Arc::new(std::sync::Mutex::new(0)), Arc::new(std::sync::Mutex::new(0)));
        let server = {
            let (heard, slow) = (Arc::clone(&heard), Arc::clone(&slow));
            let answer = move || {
                let (heard, slow) = (Arc::clone(&heard), Arc::clone(&slow));
                async move {
                    let asked = {
                        let mut slow = slow.lock().expect("a count");
                        *slow += 1;
                        *slow
                    };
                    match asked {
                        1 | 2 => axum::http::StatusCode::INTERNAL_SERVER_ERROR,
                        3 => std::future::pending().await,
                        _ => {
                            *heard.lock().expect("a count") += 1;
                            axum::http::StatusCode::NO_CONTENT
                        }
                    }
                }
            };
            let listener = tokio::net::TcpListener::bind(free).await.expect("the port is free");
            let router = Router::new().route(PATH, axum::routing::post(answer));
            tokio::spawn(async move { axum::serve(listener, router).await })
        };
        until("it was told", || *heard.lock().expect("a count") > 0).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!((*heard.lock().expect("a count"), *slow.lock().expect("a count")), (1, 4));
        assert_eq!(engine.ledger.untold(&names).await.expect("answers"), []);
        running.abort();
        server.abort();
    }

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
        let url =
            address("https://bot:p%40+ss@hooks.example/services/T0000/verysecret?sig=abc&v=1").expect("an address");
        let parts: Vec<String> = secret_parts(&url).iter().map(|part| part.expose_secret().to_owned()).collect();
        let path = ["/services/T0000/verysecret", "services", "verysecret"];
        assert_eq!(parts[..2], ["sig=abc&v=1", "p%40+ss"]);
        assert_eq!(
            (&parts[2..5], &parts[5..]),
            (&path.map(str::to_owned)[..], &["abc", "p@+ss"].map(str::to_owned)[..])
        );
    }
}
