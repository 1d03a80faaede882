//! A receiver that keeps the standard: it checks signatures, and knows an event that it has had.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::sign::signature;
use crate::adapter::suite::{Fake, FakePost, Front};
use crate::model::{Account, AccountName};

/// Where it listens: a part of it is as good as a password.
const PATH: &str = "/hooks/T024stand-in-path";

const KEYS: [&str; 2] = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx"];

/// A receiver.
pub(super) struct Receiver {
    front: Front,
    world: Arc<Mutex<World>>,
}

#[derive(Default)]
struct World {
    changes: usize,
    posts: Vec<FakePost>,
    had: Vec<String>,
}

impl World {
    fn key(&self) -> &'static str {
        KEYS[self.changes % KEYS.len()]
    }
}

impl Receiver {
    pub(super) async fn start() -> Self {
        let world = Arc::default();
        let router = Router::new().route(PATH, post(receive)).with_state(Arc::clone(&world));
        Self { front: Front::serve(router).await, world }
    }
}

#[async_trait]
impl Fake for Receiver {
    fn front(&self) -> Option<&Front> {
        Some(&self.front)
    }

    fn account(&self) -> Account {
        let mut account = Account::new(AccountName::new("hook"), "webhook");
        account.server = Some(self.front.url().to_owned());
        account.settings.insert("idempotent".to_owned(), json!(true));
        account
    }

    fn secrets(&self) -> BTreeMap<&'static str, String> {
        let url = format!("{}{PATH}", self.front.url());
        BTreeMap::from([("url", url), ("key", held(&self.world).key().to_owned())])
    }

    async fn posts(&self) -> Vec<FakePost> {
        held(&self.world).posts.clone()
    }

    fn publish_call(&self) -> Option<(&'static str, &'static str)> {
        Some(("POST", PATH))
    }

    fn change_secret(&self) {
        held(&self.world).changes += 1;
    }

    fn is_mute(&self) -> bool {
        true
    }
}

fn held(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

fn no(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({"error": error}))).into_response()
}

async fn receive(State(world): State<Arc<Mutex<World>>>, headers: HeaderMap, body: Bytes) -> Response {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut world = held(&world);
    let text = String::from_utf8_lossy(&body);
    let seconds = header("webhook-timestamp").parse().unwrap_or(0);
    let wanted = signature(&SecretString::from(world.key()), header("webhook-id"), seconds, &text);
    if wanted.as_deref() != Ok(header("webhook-signature")) {
        return no(StatusCode::UNAUTHORIZED, "the signature is wrong");
    }
    let Ok(event) = serde_json::from_str::<Value>(&text) else { return no(StatusCode::BAD_REQUEST, "no JSON") };
    let (id, data) = (header("webhook-id").to_owned(), &event["data"]);
    let words = |key: &str| data[key].as_str().unwrap_or_default().to_owned();
    if event["type"] == "post.deleted" {
        world.posts.retain(|post| post.id != words("id"));
        return StatusCode::NO_CONTENT.into_response();
    }
    if words("text").len() > 16_000 {
        return no(StatusCode::PAYLOAD_TOO_LARGE, "the text is too long");
    }
    if !world.had.contains(&id) {
        world.had.push(id.clone());
        let parent = data["after"].as_str().map(str::to_owned);
        let post = FakePost { id: id.clone(), text: words("text"), parent, alts: Vec::new(), key: Some(id.clone()) };
        world.posts.push(post);
    }
    Json(json!({"id": id})).into_response()
}
