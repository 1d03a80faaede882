//! What the tests of this module stand on: an authorization server in this process, a store in memory, a clock that is set.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::{Client, ClientAuth, Grant};
use crate::adapter::http::{Http, HttpSettings};
use crate::model::{Account, AccountName};
use crate::secrets::{Owner, Source};
use crate::time::Clock;

/// The life of an access token, in seconds.
pub(super) const LIFE: i64 = 600;

/// Fields of a form.
pub(super) type Fields = BTreeMap<String, String>;

/// An authorization server whose refresh tokens are good for one use.
pub(super) struct Server {
    pub(super) url: String,
    world: Arc<Mutex<World>>,
    task: tokio::task::JoinHandle<()>,
}

/// What it holds.
#[derive(Default)]
struct World {
    /// How many tokens it has handed out.
    handed_out: u32,
    /// The refresh token that is good.
    refresh: String,
    /// What it answers instead, next.
    next: VecDeque<Act>,
    /// Forms that came to the token's address, with how the client signed.
    asked: Vec<Fields>,
    /// Forms that came to other addresses, with the path.
    others: Vec<(&'static str, Fields)>,
    /// What it says of itself; `None`: nothing.
    document: Option<Value>,
    /// It sends no new refresh token.
    keeps_refresh: bool,
}

/// What a server does instead of its work.
#[derive(Debug, Clone)]
pub(super) enum Act {
    /// It answers so, and does nothing.
    Answer(u16, String),
    /// The same, with `Retry-After` in seconds.
    Later(u16, u32),
    /// It does its work, and the answer is lost.
    Lose,
}

type Shared = State<Arc<Mutex<World>>>;

impl Server {
    pub(super) async fn start() -> Self {
        let world = Arc::new(Mutex::new(World { refresh: "refresh-0".to_owned(), ..World::default() }));
        let router = Router::new()
            .route("/.well-known/oauth-authorization-server", get(describe))
            .route("/oauth/token", post(token))
            .route("/api/v1/apps", post(apps))
            .route("/oauth/revoke", post(revoke))
            .route("/access_token", get(exchange))
            .route("/refresh_access_token", get(exchange_again))
            .route("/device", post(device))
            .with_state(Arc::clone(&world));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Self { url, world, task }
    }

    fn held(&self) -> MutexGuard<'_, World> {
        held(&self.world)
    }

    /// It does these things next.
    pub(super) fn next(&self, acts: impl IntoIterator<Item = Act>) {
        self.held().next.extend(acts);
    }

    pub(super) fn deny(&self, error: &str) {
        self.next([Act::Answer(400, json!({"error": error, "error_description": "as a test wants it"}).to_string())]);
    }

    /// What it says of itself, beside its name and its ordinary addresses.
    pub(super) fn describe(&self, more: Value) {
        let mut document = json!({"issuer": self.url, "token_endpoint": format!("{}/oauth/token", self.url)});
        if let (Some(fields), Value::Object(more)) = (document.as_object_mut(), more) {
            fields.extend(more);
        }
        self.held().document = Some(document);
    }

    pub(super) fn keep_refresh(&self) {
        self.held().keeps_refresh = true;
    }

    /// Forms that came to the token's address.
    pub(super) fn asked(&self) -> Vec<Fields> {
        self.held().asked.clone()
    }

    /// Forms that came to another path.
    pub(super) fn posted(&self, path: &str) -> Vec<Fields> {
        self.held().others.iter().filter(|(at, _)| *at == path).map(|(_, fields)| fields.clone()).collect()
    }

    /// An account on it.
    pub(super) fn account(&self) -> Account {
        let mut account = Account::new(AccountName::new("fedi"), "mastodon");
        account.server = Some(self.url.clone());
        account
    }

    /// A grant of it, whose refresh token is the first that is good.
    pub(super) fn grant(&self, now: DateTime<Utc>) -> Grant {
        Grant {
            access: SecretString::from("access-0"),
            access_ends: Some(now + TimeDelta::seconds(LIFE)),
            refresh: Some(SecretString::from("refresh-0")),
            refresh_ends: None,
            scopes: vec!["read".to_owned()],
            client: Client {
                id: "client".to_owned(),
                secret: Some(SecretString::from("s3cret+of client")),
                auth: ClientAuth::Post,
            },
            server: self.url.clone(),
            token_url: format!("{}/oauth/token", self.url),
            revoke_url: Some(format!("{}/oauth/revoke", self.url)),
            exchanged_by: None,
            session: None,
            issuer: None,
            obtained: now,
            begun: None,
            seed: None,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn held(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A form's fields.
fn read(form: &str) -> Fields {
    url::form_urlencoded::parse(form.as_bytes()).into_owned().collect()
}

async fn describe(State(world): Shared) -> Response {
    let document = held(&world).document.clone();
    document.map_or_else(|| StatusCode::NOT_FOUND.into_response(), |document| Json(document).into_response())
}

async fn token(State(world): Shared, headers: HeaderMap, form: String) -> Response {
    let mut fields = read(&form);
    if let Some(basic) = headers.get(header::AUTHORIZATION) {
        fields.insert("authorization".to_owned(), basic.to_str().expect("text").to_owned());
    }
    // Long enough that a second renewal would be seen beside the first.
    tokio::time::sleep(Duration::from_millis(20)).await;
    let mut world = held(&world);
    world.asked.push(fields.clone());
    let act = world.next.pop_front();
    if let Some(act @ (Act::Answer(..) | Act::Later(..))) = act {
        return answered(act);
    }
    let renewal = fields.get("grant_type").is_some_and(|kind| kind == "refresh_token");
    if renewal && fields.get("refresh_token") != Some(&world.refresh) {
        // It came before: all that came of the sign-in ends.
        world.refresh = "none is good".to_owned();
        return answered(Act::Answer(400, json!({"error": "invalid_grant"}).to_string()));
    }
    world.handed_out += 1;
    let mut tokens = json!({
        "access_token": format!("access-{}", world.handed_out), "token_type": "Bearer", "expires_in": LIFE,
    });
    if !(renewal && world.keeps_refresh) {
        world.refresh = format!("refresh-{}", world.handed_out);
        tokens["refresh_token"] = world.refresh.clone().into();
        tokens["refresh_expires_in"] = 86_400.into();
    }
    if matches!(act, Some(Act::Lose)) {
        answered(Act::Answer(200, "{\"access_".to_owned()))
    } else {
        Json(tokens).into_response()
    }
}

/// Meta's way: a token for a token.
async fn exchange(world: Shared, RawQuery(query): RawQuery) -> Response {
    longer("/access_token", &world, query.as_deref())
}

async fn exchange_again(world: Shared, RawQuery(query): RawQuery) -> Response {
    longer("/refresh_access_token", &world, query.as_deref())
}

fn longer(path: &'static str, State(world): &Shared, query: Option<&str>) -> Response {
    let mut world = held(world);
    world.others.push((path, read(query.unwrap_or_default())));
    match world.next.pop_front() {
        Some(Act::Lose) => return answered(Act::Answer(200, "{\"access_".to_owned())),
        Some(act) => return answered(act),
        None => {}
    }
    world.handed_out += 1;
    let token = format!("longer-{}", world.handed_out);
    Json(json!({"access_token": token, "token_type": "bearer", "expires_in": 60 * 86_400})).into_response()
}

fn answered(act: Act) -> Response {
    let code = |status: u16| StatusCode::from_u16(status).expect("a status");
    match act {
        Act::Answer(status, body) => (code(status), body).into_response(),
        Act::Later(status, seconds) => (code(status), [(header::RETRY_AFTER, seconds.to_string())], "").into_response(),
        Act::Lose => StatusCode::OK.into_response(),
    }
}

async fn apps(State(world): Shared, form: String) -> Response {
    held(&world).others.push(("/api/v1/apps", read(&form)));
    Json(json!({"id": "1", "client_id": "given", "client_secret": "given-secret"})).into_response()
}

async fn revoke(State(world): Shared, form: String) -> Response {
    let mut world = held(&world);
    world.others.push(("/oauth/revoke", read(&form)));
    world.next.pop_front().map_or_else(|| Json(json!({})).into_response(), answered)
}

async fn device(State(world): Shared, form: String) -> Response {
    held(&world).others.push(("/device", read(&form)));
    Json(json!({
        "device_code": "device-secret", "user_code": "ABCD-EFGH", "verification_uri": "https://id.example/device",
        "expires_in": 300, "interval": 1,
    }))
    .into_response()
}

/// HTTP with a short time limit.
pub(super) fn http() -> Http {
    Http::new(HttpSettings { timeout: Duration::from_secs(5), private_pages: true })
}

/// A place for secrets, in memory. Clones share it.
#[derive(Clone)]
pub(super) struct Store {
    name: &'static str,
    keeps: bool,
    inner: Arc<StoreInner>,
}

#[derive(Default)]
struct StoreInner {
    values: Mutex<BTreeMap<String, String>>,
    /// Everything that was ever stored.
    history: Mutex<Vec<String>>,
    fails: AtomicBool,
}

impl Store {
    pub(super) fn new(name: &'static str, keeps: bool) -> Self {
        Self { name, keeps, inner: Arc::default() }
    }

    /// Puts a secret there, as an operator does.
    pub(super) fn put(&self, field: &str, secret: &str) {
        self.inner.values.lock().expect("no panic").insert(field.to_owned(), secret.to_owned());
    }

    /// The grant that is there.
    pub(super) fn grant(&self) -> Option<Grant> {
        let values = self.inner.values.lock().expect("no panic");
        values.get(super::FIELD).map(|text| Grant::read(&SecretString::from(text.as_str())).expect("a grant"))
    }

    /// Everything that was ever stored, as grants.
    pub(super) fn history(&self) -> Vec<Grant> {
        let history = self.inner.history.lock().expect("no panic");
        history.iter().map(|text| Grant::read(&SecretString::from(text.as_str())).expect("a grant")).collect()
    }

    /// From now on it cannot keep anything, or can again.
    pub(super) fn fail(&self, fails: bool) {
        self.inner.fails.store(fails, Ordering::SeqCst);
    }
}

#[async_trait]
impl Source for Store {
    fn name(&self) -> &'static str {
        self.name
    }

    fn place(&self, owner: &Owner, field: &str) -> String {
        format!("{} {} {field}", self.name, owner.name)
    }

    async fn read(&self, _owner: &Owner, field: &str) -> Result<Option<SecretString>, String> {
        Ok(self.inner.values.lock().expect("no panic").get(field).map(|text| SecretString::from(text.as_str())))
    }

    async fn store(&self, _owner: &Owner, field: &str, secret: &SecretString) -> Result<(), String> {
        if self.inner.fails.load(Ordering::SeqCst) {
            return Err("no room".to_owned());
        }
        self.put(field, secret.expose_secret());
        self.inner.history.lock().expect("no panic").push(secret.expose_secret().to_owned());
        Ok(())
    }

    async fn remove(&self, _owner: &Owner, field: &str) -> Result<bool, String> {
        Ok(self.inner.values.lock().expect("no panic").remove(field).is_some())
    }

    fn is_store(&self) -> bool {
        self.keeps
    }
}

/// A clock that shows what it is set to; waiting takes a moment of real time, and does not set it.
pub(super) struct SetClock(Mutex<DateTime<Utc>>);

impl SetClock {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(DateTime::from_timestamp(1_800_000_000, 0).expect("a time"))))
    }

    pub(super) fn pass(&self, seconds: i64) {
        *self.0.lock().expect("no panic") += TimeDelta::seconds(seconds);
    }
}

#[async_trait]
impl Clock for SetClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().expect("no panic")
    }

    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }

    async fn sleep_until(&self, _at: DateTime<Utc>) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
