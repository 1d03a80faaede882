//! Sessions on the real PDS: one that ends in the middle of a thread, and a password that is taken back meanwhile.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use smm::adapter::http::{Answer, Body, Request};

use crate::process::Daemon;
use crate::proxy::{Cut, Proxy};
use crate::servers::{Pds, http, json_of};
use crate::support::TestEnv;

const PUT: (&str, &str) = ("POST", "/xrpc/com.atproto.repo.putRecord");
const REFRESH: (&str, &str) = ("POST", "/xrpc/com.atproto.server.refreshSession");
const SIGN_IN: (&str, &str) = ("POST", "/xrpc/com.atproto.server.createSession");

/// As the PDS says that an access token has run out.
const EXPIRED: Cut = Cut::Answer(400, r#"{"error":"ExpiredToken","message":"Token has expired"}"#);

/// The parts of the thread, in their order.
const PARTS: [&str; 3] = ["The first part.", "The second part.", "The third part."];

fn thread(to: &str) -> String {
    let at = chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now()) + chrono::TimeDelta::seconds(2);
    format!(
        "name = \"real\"\ntimezone = \"Etc/UTC\"\n\n[[posts]]\nid = \"story\"\nat = {}\nto = [{to}]\ntext = \"{}\"\nthread = \
         [\"{}\", \"{}\"]\n",
        at.format("%Y-%m-%dT%H:%M:%S"),
        PARTS[0],
        PARTS[1],
        PARTS[2]
    )
}

fn account(name: &str, handle: &str, server: &str) -> String {
    format!("[accounts.{name}]\nnetwork = \"bluesky\"\nhandle = \"{handle}\"\nserver = \"{server}\"\n\n")
}

/// Starts a daemon whose secrets are files that can be written anew.
fn daemon(env: &TestEnv) -> Daemon {
    let mut command = env.command();
    command.env("CREDENTIALS_DIRECTORY", env.path().join("credentials"));
    Daemon::start(command)
}

/// The delivery of an account.
fn delivery(env: &TestEnv, account: &str) -> Option<Value> {
    let list = env.smm(&["status", "--all", "--format", "json"]).json();
    list["deliveries"].as_array()?.iter().find(|row| row["account"] == account).cloned()
}

async fn until(env: &TestEnv, account: &str, state: &str) -> Value {
    let end = Instant::now() + Duration::from_mins(1);
    loop {
        let row = delivery(env, account);
        match row {
            Some(row) if row["state"] == state => return row,
            row => assert!(Instant::now() < end, "{account} is not {state} but {row:?}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// What is out on an account, oldest first.
async fn texts(pds: &Pds, did: &str) -> Vec<String> {
    let listed = json_of(
        &http(),
        Request::get(format!("{}/xrpc/com.atproto.repo.listRecords", pds.url))
            .query("repo", did)
            .query("collection", "app.bsky.feed.post"),
    )
    .await;
    let mut posts = listed["records"].as_array().expect("records").clone();
    posts.sort_by_key(|post| post["value"]["createdAt"].as_str().unwrap_or_default().to_owned());
    posts.iter().map(|post| post["value"]["text"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Calls the PDS as the account itself, with its own password.
async fn as_owner(pds: &Pds, call: &str, body: Value) -> Answer {
    let own = json!({ "identifier": pds.handle, "password": "the-account's-own-password" });
    let session = Request::post(format!("{}{}", pds.url, SIGN_IN.1)).body(Body::Json(own));
    let session = json_of(&http(), session).await;
    let token = session["accessJwt"].as_str().expect("a token").to_owned();
    let request = Request::post(format!("{}/xrpc/{call}", pds.url)).bearer(token.into()).body(Body::Json(body));
    let answer = http().call(request).await.expect("the PDS answers");
    assert!(answer.is_success(), "HTTP {}: {}", answer.status, String::from_utf8_lossy(&answer.body));
    answer
}

/// The access token ends between the second part and the third: it is renewed once, and each part is out once.
pub(crate) async fn a_session_ends_in_a_thread() {
    let pds = Pds::start("erin").await;
    let proxy = Proxy::before(&pds.url).await;
    proxy.cut(PUT, Cut::Not, 2);
    proxy.cut(PUT, EXPIRED, 1);
    let env = TestEnv::new();
    env.write("credentials/bsky.password", &pds.app_password);
    env.write("smm.toml", account("bsky", &pds.handle, proxy.url()) + "[delivery]\nsettle = \"1s\"\n");
    env.write("calendar.toml", thread("\"bsky\""));
    let daemon = daemon(&env);
    until(&env, "bsky", "published").await;
    assert_eq!(texts(&pds, &pds.did).await, PARTS);
    assert!(proxy.is_spent());
    assert_eq!((proxy.count(PUT), proxy.count(REFRESH), proxy.count(SIGN_IN)), (4, 1, 1));
    daemon.stops();
}

/// The app password is taken back while a thread is on its way: its account is held and somebody is told, the other account
/// goes on; with a new one the thread is brought to its end.
pub(crate) async fn a_password_is_taken_back() {
    let pds = Pds::start("alice").await;
    let (bob, bob_did) = pds.another("bob").await;
    let proxy = Proxy::before(&pds.url).await;
    // A token that was handed out holds for two hours, whatever became of the password: here it has run out.
    proxy.cut(PUT, Cut::Not, 1);
    proxy.cut(PUT, EXPIRED, usize::MAX);
    let env = TestEnv::new();
    env.write("credentials/bsky.password", &pds.app_password);
    env.write("credentials/other.password", "another-password-of-a-test");
    let accounts = account("bsky", &pds.handle, proxy.url()) + &account("other", &bob, &pds.url);
    env.write("smm.toml", accounts + "[delivery]\nsettle = \"1s\"\n");
    env.write("calendar.toml", thread("\"bsky\", \"other\""));
    let daemon = daemon(&env);
    let end = Instant::now() + Duration::from_mins(1);
    while proxy.count(PUT) < 2 {
        assert!(Instant::now() < end, "the second part does not come: {:?}", daemon.said());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    as_owner(&pds, "com.atproto.server.revokeAppPassword", json!({ "name": "smm" })).await;
    let held = until(&env, "bsky", "held").await;
    assert_eq!(held["reason"]["code"], "credentials", "{held}");
    assert_eq!(held["receipts"].as_array().map(Vec::len), Some(1), "the first part stays");
    until(&env, "other", "published").await;
    assert_eq!(texts(&pds, &bob_did).await, PARTS);
    let shown = env.smm(&["show", held["id"].as_str().expect("an id"), "--format", "json"]).expect(0).json();
    assert!(shown.to_string().contains("`smm login bsky`"), "somebody is told what to do: {shown}");

    proxy.clear();
    let made = as_owner(&pds, "com.atproto.server.createAppPassword", json!({ "name": "smm again" })).await;
    let made: Value = made.json().expect("JSON");
    env.write("credentials/bsky.password", made["password"].as_str().expect("a password"));
    // Whoever changes something rings; this changes nothing for the account.
    env.smm(&["pause", "other"]).expect(0);
    until(&env, "bsky", "published").await;
    assert_eq!(texts(&pds, &pds.did).await, PARTS, "each once");
    daemon.stops();
}
