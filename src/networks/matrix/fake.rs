//! A stand-in for a homeserver: what Synapse 1.163 was seen to do, and the specification's shapes.

#![expect(clippy::result_large_err, reason = "an answer is axum's own type, and this is for tests alone")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::adapter::suite::{Fake, FakePost, Front, number};
use crate::model::{Account, AccountName};

use super::profile::{CONTENT_BYTES, TEXT_BYTES};

/// What every stand-in calls itself.
const SERVER: &str = "acme.example";

/// Its rooms: the first is the one that is written to, the second is encrypted, and nobody was let into the third.
const ROOM: &str = "!news:acme.example";
pub(super) const ENCRYPTED: &str = "#secret:acme.example";
pub(super) const CLOSED: &str = "#closed:acme.example";

/// What its user signs in with, as `acme`.
pub(super) const SECRET: &str = "correct horse of a stand-in";

/// A stand-in for a homeserver.
pub(super) struct Homeserver {
    front: Front,
    world: Arc<Mutex<World>>,
}

/// What it holds.
struct World {
    user: String,
    token: String,
    /// What the device that is signed in renews its token with.
    refresh: Option<String>,
    device: u32,
    /// We are in the room.
    joined: bool,
    files: u32,
    events: Vec<Event>,
    /// Device, room and transaction id → index of the event.
    transactions: BTreeMap<(u32, String, String), usize>,
}

struct Event {
    id: String,
    sender: String,
    content: Value,
    transaction: String,
    device: u32,
    at: i64,
    redacted: bool,
}

type Shared = State<Arc<Mutex<World>>>;
type Answered = Result<Json<Value>, Response>;

impl Homeserver {
    /// Starts one.
    pub(super) async fn start() -> Self {
        let world = Arc::new(Mutex::new(World {
            user: format!("@acme{}:{SERVER}", number()),
            token: "syt_token_0".to_owned(),
            refresh: None,
            device: 0,
            joined: true,
            files: 0,
            events: Vec::new(),
            transactions: BTreeMap::new(),
        }));
        let v3 = "/_matrix/client/v3";
        let router = Router::new()
            .route(&format!("{v3}/login"), get(flows).post(login))
            .route(&format!("{v3}/refresh"), post(refresh))
            .route(&format!("{v3}/logout"), post(logout))
            .route(&format!("{v3}/account/whoami"), get(whoami))
            .route(&format!("{v3}/directory/room/{{alias}}"), get(directory))
            .route(&format!("{v3}/join/{{room}}"), post(join))
            .route(&format!("{v3}/rooms/{{room}}/state/m.room.encryption/"), get(encryption))
            .route(&format!("{v3}/rooms/{{room}}/state/m.room.member/{{user}}"), get(member))
            .route(&format!("{v3}/rooms/{{room}}/send/m.room.message/{{txn}}"), put(send))
            .route(&format!("{v3}/rooms/{{room}}/redact/{{event}}/{{txn}}"), put(redact))
            .route(&format!("{v3}/rooms/{{room}}/messages"), get(messages))
            .route("/_matrix/client/v1/rooms/{room}/relations/{event}/{kind}", get(relations))
            .route("/_matrix/client/v1/media/config", get(config))
            .route("/_matrix/media/v3/upload", post(upload))
            .with_state(Arc::clone(&world));
        Self { front: Front::serve(router).await, world }
    }

    /// The account is no longer in its room.
    #[cfg(test)]
    pub(super) fn leave(&self) {
        held(&self.world).joined = false;
    }

    /// The content of an event as it was sent.
    #[cfg(test)]
    pub(super) fn content(&self, id: &str) -> Value {
        held(&self.world).events.iter().find(|event| event.id == id).expect("it is there").content.clone()
    }
}

#[async_trait]
impl Fake for Homeserver {
    fn front(&self) -> Option<&Front> {
        Some(&self.front)
    }

    fn account(&self) -> Account {
        let mut account = Account::new(AccountName::new("room"), "matrix");
        account.server = Some(self.front.url().to_owned());
        account.settings.insert("room".to_owned(), json!("#news:acme.example"));
        account
    }

    fn secrets(&self) -> BTreeMap<&'static str, String> {
        BTreeMap::from([("token", held(&self.world).token.clone())])
    }

    async fn posts(&self) -> Vec<FakePost> {
        let world = held(&self.world);
        let post = |event: &Event| {
            let text = |key: &str| event.content[key].as_str().unwrap_or_default().to_owned();
            let file = event.content.get("url").is_some();
            FakePost {
                id: event.id.clone(),
                text: if file { String::new() } else { text("body") },
                parent: event.content["m.relates_to"]["m.in_reply_to"]["event_id"].as_str().map(str::to_owned),
                alts: if file && text("body") != text("filename") { vec![text("body")] } else { Vec::new() },
                key: Some(event.transaction.clone()),
            }
        };
        world.events.iter().filter(|event| !event.redacted).map(post).collect()
    }

    fn publish_call(&self) -> Option<(&'static str, &'static str)> {
        Some(("PUT", "/_matrix/client/v3/rooms/%21news%3Aacme.example/send/m.room.message/*"))
    }

    /// A new sign-in: another device with another token.
    fn change_secret(&self) {
        let mut world = held(&self.world);
        world.device += 1;
        world.token = format!("syt_token_{}", world.device);
    }
}

fn held(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

fn error(status: u16, code: &str, error: &str) -> Response {
    let status = StatusCode::from_u16(status).expect("a status code");
    (status, Json(json!({"errcode": code, "error": error}))).into_response()
}

fn allowed(world: &World, headers: &HeaderMap) -> Result<(), Response> {
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    match token {
        None => Err(error(401, "M_MISSING_TOKEN", "Missing access token")),
        Some(token) if token == world.token => Ok(()),
        Some(_) => Err(error(401, "M_UNKNOWN_TOKEN", "Unrecognised access token.")),
    }
}

fn inside(world: &World, room: &str) -> Result<(), Response> {
    if room == "!closed:acme.example" || !world.joined {
        return Err(error(403, "M_FORBIDDEN", &format!("User {} not in room {room}", world.user)));
    }
    Ok(())
}

async fn flows() -> Json<Value> {
    Json(json!({"flows": [{"type": "m.login.sso"}, {"type": "m.login.password"}]}))
}

async fn login(State(world): Shared, Json(asked): Json<Value>) -> Answered {
    let mut world = held(&world);
    let user = &asked["identifier"]["user"];
    let known = *user == "acme" || *user == world.user.as_str();
    if asked["type"] != "m.login.password" || !known || asked["password"] != SECRET {
        return Err(error(403, "M_FORBIDDEN", "Invalid username or password"));
    }
    let own = asked["device_id"].as_str().and_then(|device| device.strip_prefix("DEVICE")?.parse().ok());
    world.device = own.unwrap_or(world.device + 1);
    world.refresh = (asked["refresh_token"] == true).then(|| format!("syr_{}", number()));
    let mut given = world.tokens();
    given["user_id"] = json!(world.user);
    given["device_id"] = json!(format!("DEVICE{}", world.device));
    Ok(Json(given))
}

async fn refresh(State(world): Shared, Json(asked): Json<Value>) -> Answered {
    let mut world = held(&world);
    if world.refresh.as_deref() != asked["refresh_token"].as_str() || world.refresh.is_none() {
        return Err(error(401, "M_UNKNOWN_TOKEN", "Invalid refresh token"));
    }
    Ok(Json(world.tokens()))
}

async fn logout(State(world): Shared, headers: HeaderMap) -> Answered {
    let mut world = held(&world);
    allowed(&world, &headers)?;
    world.token = format!("syt_of_nobody_{}", number());
    world.refresh = None;
    Ok(Json(json!({})))
}

async fn whoami(State(world): Shared, headers: HeaderMap) -> Answered {
    let world = held(&world);
    allowed(&world, &headers)?;
    Ok(Json(json!({"user_id": world.user, "device_id": format!("DEVICE{}", world.device), "is_guest": false})))
}

async fn directory(State(world): Shared, headers: HeaderMap, Path(alias): Path<String>) -> Answered {
    allowed(&held(&world), &headers)?;
    let known = ["#news:acme.example", ENCRYPTED, CLOSED];
    if !known.contains(&alias.as_str()) {
        return Err(error(404, "M_NOT_FOUND", &format!("Room alias {alias} not found")));
    }
    Ok(Json(json!({"room_id": alias.replacen('#', "!", 1), "servers": [SERVER]})))
}

async fn join(State(world): Shared, headers: HeaderMap, Path(room): Path<String>) -> Answered {
    let mut world = held(&world);
    allowed(&world, &headers)?;
    if room == CLOSED {
        return Err(error(403, "M_FORBIDDEN", "You are not invited to this room."));
    }
    world.joined = true;
    Ok(Json(json!({"room_id": room.replacen('#', "!", 1)})))
}

async fn encryption(State(world): Shared, headers: HeaderMap, Path(room): Path<String>) -> Answered {
    let world = held(&world);
    allowed(&world, &headers)?;
    inside(&world, &room)?;
    if room == ENCRYPTED.replacen('#', "!", 1) {
        return Ok(Json(json!({"algorithm": "m.megolm.v1.aes-sha2"})));
    }
    Err(error(404, "M_NOT_FOUND", "Event not found."))
}

async fn member(State(world): Shared, headers: HeaderMap, Path((room, user)): Path<(String, String)>) -> Answered {
    let world = held(&world);
    allowed(&world, &headers)?;
    // Everybody may see who is in the first room.
    if room != ROOM {
        inside(&world, &room)?;
    }
    if user != world.user || !world.joined {
        return Err(error(404, "M_NOT_FOUND", "Event not found."));
    }
    Ok(Json(json!({"membership": "join"})))
}

async fn send(
    State(world): Shared,
    headers: HeaderMap,
    Path((room, txn)): Path<(String, String)>,
    Json(content): Json<Value>,
) -> Answered {
    let mut world = held(&world);
    allowed(&world, &headers)?;
    inside(&world, &room)?;
    if room != ROOM {
        return Err(error(403, "M_FORBIDDEN", "Unknown room"));
    }
    let transaction = (world.device, room, txn.clone());
    // Whatever the body is now.
    if let Some(at) = world.transactions.get(&transaction) {
        return Ok(Json(json!({"event_id": world.events[*at].id})));
    }
    let body = content["body"].as_str().unwrap_or_default();
    // The whole event counts; what the server adds is thought to be as long as it can be.
    if body.len() as u64 > TEXT_BYTES || content.to_string().len() > CONTENT_BYTES {
        return Err(error(413, "M_TOO_LARGE", "event too large"));
    }
    let event = Event {
        id: format!("$event{}_{}", world.events.len(), number()),
        sender: world.user.clone(),
        content,
        transaction: txn,
        device: world.device,
        at: chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now()).timestamp_millis(),
        redacted: false,
    };
    let id = event.id.clone();
    let at = world.events.len();
    world.transactions.insert(transaction, at);
    world.events.push(event);
    Ok(Json(json!({"event_id": id})))
}

async fn redact(
    State(world): Shared,
    headers: HeaderMap,
    Path((room, id, _)): Path<(String, String, String)>,
) -> Answered {
    let mut world = held(&world);
    allowed(&world, &headers)?;
    inside(&world, &room)?;
    let Some(event) = world.events.iter_mut().find(|event| event.id == id) else {
        return Err(error(404, "M_NOT_FOUND", "Could not find event"));
    };
    event.redacted = true;
    Ok(Json(json!({"event_id": format!("$redaction{}", number())})))
}

async fn messages(
    State(world): Shared,
    headers: HeaderMap,
    Path(room): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Answered {
    let world = held(&world);
    allowed(&world, &headers)?;
    inside(&world, &room)?;
    let number = |name: &str| query.get(name).and_then(|value| value.parse::<usize>().ok());
    let (from, limit) = (number("from").unwrap_or(0), number("limit").unwrap_or(10));
    let chunk: Vec<Value> =
        world.events.iter().rev().skip(from).take(limit).map(|event| world.view(event, &room)).collect();
    let mut page = json!({"start": from.to_string(), "chunk": chunk});
    if from + limit < world.events.len() {
        page["end"] = json!((from + limit).to_string());
    }
    Ok(Json(page))
}

async fn relations(
    State(world): Shared,
    headers: HeaderMap,
    Path((room, id, kind)): Path<(String, String, String)>,
) -> Answered {
    let world = held(&world);
    allowed(&world, &headers)?;
    inside(&world, &room)?;
    let relates = |event: &&Event| {
        let relation = &event.content["m.relates_to"];
        !event.redacted && relation["rel_type"] == kind.as_str() && relation["event_id"] == id.as_str()
    };
    let chunk: Vec<Value> = world.events.iter().rev().filter(relates).map(|event| world.view(event, &room)).collect();
    Ok(Json(json!({"chunk": chunk})))
}

async fn config(State(world): Shared, headers: HeaderMap) -> Answered {
    allowed(&held(&world), &headers)?;
    Ok(Json(json!({"m.upload.size": 20_000_000})))
}

async fn upload(
    State(world): Shared,
    headers: HeaderMap,
    Query(query): Query<BTreeMap<String, String>>,
    bytes: Bytes,
) -> Answered {
    let mut world = held(&world);
    allowed(&world, &headers)?;
    if bytes.is_empty() || query.get("filename").is_none_or(String::is_empty) {
        return Err(error(400, "M_INVALID_PARAM", "Nothing was uploaded"));
    }
    world.files += 1;
    Ok(Json(json!({"content_uri": format!("mxc://{SERVER}/file{}", world.files)})))
}

impl World {
    /// Another token for the device that is signed in; those before it end.
    fn tokens(&mut self) -> Value {
        self.token = format!("syt_{}", number());
        let mut given = json!({"access_token": self.token});
        if let Some(refresh) = &self.refresh {
            given["refresh_token"] = json!(refresh);
            given["expires_in_ms"] = json!(300_000);
        }
        given
    }

    fn view(&self, event: &Event, room: &str) -> Value {
        let mut unsigned = json!({"age": 1});
        if event.device == self.device {
            unsigned["transaction_id"] = json!(event.transaction);
        }
        json!({
            "event_id": event.id,
            "room_id": room,
            "sender": event.sender,
            "type": "m.room.message",
            "origin_server_ts": event.at,
            "content": if event.redacted { json!({}) } else { event.content.clone() },
            "unsigned": unsigned,
        })
    }
}
