//! Stand-ins for relays and a media server: what nostr-relay 1.14 was seen to do, and NIP-01, NIP-09, NIP-11, NIP-42.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::put;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::adapter::socket::Socket;
use crate::adapter::suite::{Fake, FakePost, Front, number};
use crate::model::{Account, AccountName, hex};

use super::plan::LABEL;
use super::profile::TEXT;
use super::wire::{AUTHENTICATION, DELETION, Event, NOTE, UPLOAD};

/// Longest time of a conversation.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a relay asks those to sign who are to sign in.
const CHALLENGE: &str = "who are you?";

/// How a relay is today.
#[cfg_attr(not(test), expect(dead_code, reason = "only this network's own tests make a relay moody"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    /// It takes what is good.
    Good,
    /// It answers every event with this "no".
    Refuse(&'static str),
    /// It hangs up before the handshake has ended.
    Deaf,
    /// It takes events, and hangs up instead of answering.
    Mute,
    /// It wants everybody to sign in.
    Members,
    /// It answers with what is none, and hangs up.
    Odd,
    /// It gives all that it has to whoever asks for anything, says yes to an event that nobody sent, and no to the one that
    /// was.
    Careless,
}

/// Some relays and a media server.
pub(super) struct Net {
    relays: Vec<Relay>,
    blossom: Front,
    secret: Mutex<String>,
}

/// A relay on a port of this machine. It stops with the value.
struct Relay {
    url: String,
    world: Arc<Mutex<World>>,
    server: JoinHandle<()>,
}

struct World {
    mood: Mood,
    limit: u64,
    events: Vec<Event>,
}

impl Net {
    /// Starts so many relays, and a key that nobody else has.
    pub(super) async fn start(relays: usize) -> Self {
        let mut all = Vec::new();
        for _ in 0..relays {
            all.push(Relay::start().await);
        }
        let url = Arc::new(Mutex::new(String::new()));
        let router = Router::new().route("/upload", put(upload)).with_state(Arc::clone(&url));
        let blossom = Front::serve(router).await;
        blossom.url().clone_into(&mut held(&url));
        Self { relays: all, blossom, secret: Mutex::new(secret()) }
    }

    /// Changes a relay's mood.
    #[cfg(test)]
    pub(super) fn mood(&self, relay: usize, mood: Mood) {
        held(&self.relays[relay].world).mood = mood;
    }

    /// From now on a relay takes no longer texts.
    #[cfg(test)]
    pub(super) fn limit(&self, relay: usize, limit: u64) {
        held(&self.relays[relay].world).limit = limit;
    }

    /// Lays an event on every relay, good or not.
    #[cfg(test)]
    pub(super) fn put(&self, event: &Event) {
        for relay in &self.relays {
            held(&relay.world).events.push(event.clone());
        }
    }

    /// The media server.
    #[cfg(test)]
    pub(super) fn blossom(&self) -> &Front {
        &self.blossom
    }
}

/// Another key each time.
fn secret() -> String {
    hex(&Sha256::digest(format!("the key of stand-in {}", number())))
}

impl Relay {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port on this machine");
        let url = format!("ws://{}", listener.local_addr().expect("a bound socket has an address"));
        let world = Arc::new(Mutex::new(World { mood: Mood::Good, limit: TEXT, events: Vec::new() }));
        let shared = Arc::clone(&world);
        let server = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(converse(connection, Arc::clone(&shared)));
            }
        });
        Self { url, world, server }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.server.abort();
    }
}

#[async_trait]
impl Fake for Net {
    fn front(&self) -> Option<&Front> {
        None
    }

    fn account(&self) -> Account {
        let mut account = Account::new(AccountName::new("keys"), "nostr");
        let relays: Vec<&str> = self.relays.iter().map(|relay| relay.url.as_str()).collect();
        account.settings.insert("relays".to_owned(), json!(relays));
        account.settings.insert("media_server".to_owned(), json!(self.blossom.url()));
        account
    }

    fn secrets(&self) -> BTreeMap<&'static str, String> {
        BTreeMap::from([("nsec", held(&self.secret).clone())])
    }

    /// What the first relay has.
    async fn posts(&self) -> Vec<FakePost> {
        let world = held(&self.relays[0].world);
        world.events.iter().filter(|event| event.kind == NOTE).map(post).collect()
    }

    fn publish_call(&self) -> Option<(&'static str, &'static str)> {
        None
    }

    fn change_secret(&self) {
        *held(&self.secret) = secret();
    }
}

fn post(event: &Event) -> FakePost {
    let mut text = event.content.clone();
    let mut alts = Vec::new();
    for file in event.tags.iter().filter(|tag| tag[0] == "imeta") {
        let field = |name: &str| file.iter().find_map(|field| field.strip_prefix(name)).unwrap_or_default();
        text = text.replace(field("url "), "");
        alts.push(field("alt ").to_owned());
    }
    let label = event.tags.iter().find(|tag| tag[0] == "l" && tag.get(2).is_some_and(|name| name == LABEL));
    FakePost {
        id: event.id.clone(),
        text: text.trim_end().to_owned(),
        parent: event.answers().map(str::to_owned),
        alts,
        key: label.map(|tag| tag[1].clone()),
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One connection: a socket, or a question what the relay is.
async fn converse(mut connection: TcpStream, world: Arc<Mutex<World>>) {
    let mut head = [0; 4096];
    // The head is looked at and left where it is.
    let asked = loop {
        match connection.peek(&mut head).await {
            Ok(0) | Err(_) => return,
            Ok(count) if head[..count].windows(4).any(|four| four == b"\r\n\r\n") => {
                break String::from_utf8_lossy(&head[..count]).to_ascii_lowercase();
            }
            Ok(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    if held(&world).mood == Mood::Deaf {
        return;
    }
    if !asked.contains("upgrade: websocket") {
        let body = json!({"name": "a stand-in", "limitation": {"max_content_length": held(&world).limit}}).to_string();
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/nostr+json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        // Read what was only looked at, or the end of the connection would be a reset.
        let mut rest = vec![0; 4096];
        let _ = tokio::io::AsyncReadExt::read(&mut connection, &mut rest).await;
        let _ = connection.write_all(answer.as_bytes()).await;
        let _ = connection.shutdown().await;
        return;
    }
    let Ok(mut socket) = Socket::accept(connection, PATIENCE).await else { return };
    let mut member = false;
    if held(&world).mood == Mood::Members && socket.send(&json!(["AUTH", CHALLENGE]).to_string()).await.is_err() {
        return;
    }
    while let Ok(text) = socket.next().await {
        let said: Value = serde_json::from_str(&text).unwrap_or_default();
        let mood = held(&world).mood;
        let answers = match (said[0].as_str(), mood) {
            (Some(_), Mood::Odd) => {
                for word in ["no json", "{}", "[\"NOTICE\",\"cannot make sense of it\"]"] {
                    let _ = socket.send(word).await;
                }
                return;
            }
            (Some("AUTH"), _) => sign_in(&said[1], &mut member),
            (Some("EVENT"), Mood::Members) if !member => {
                vec![json!(["OK", said[1]["id"], false, "auth-required: members only"])]
            }
            (Some("REQ"), Mood::Members) if !member => vec![json!(["CLOSED", said[1], "auth-required: members only"])],
            (Some("EVENT"), Mood::Careless) => {
                vec![json!(["OK", "0".repeat(64), true, ""]), json!(["OK", said[1]["id"], false, "blocked: no"])]
            }
            (Some("REQ"), Mood::Careless) => held(&world).search(&said[1], &json!({})),
            (Some("EVENT"), mood) => {
                let answer = held(&world).take(&said[1]);
                if mood == Mood::Mute {
                    return;
                }
                vec![answer]
            }
            (Some("REQ"), _) => held(&world).search(&said[1], &said[2]),
            _ => vec![json!(["NOTICE", "what is that?"])],
        };
        for answer in answers {
            if socket.send(&answer.to_string()).await.is_err() {
                return;
            }
        }
    }
}

fn sign_in(event: &Value, member: &mut bool) -> Vec<Value> {
    let Ok(event) = serde_json::from_value::<Event>(event.clone()) else { return Vec::new() };
    *member = event.is_genuine()
        && event.kind == AUTHENTICATION
        && event.values("challenge").eq([CHALLENGE])
        && event.values("relay").all(|relay| relay.starts_with("ws://"));
    vec![json!(["OK", event.id, *member, if *member { "" } else { "restricted: that was not it" }])]
}

impl World {
    fn take(&mut self, event: &Value) -> Value {
        let no = |id: &str, why: &str| json!(["OK", id, false, why]);
        let Ok(event) = serde_json::from_value::<Event>(event.clone()) else {
            return no("", "invalid: no event");
        };
        if let Mood::Refuse(why) = self.mood {
            return no(&event.id, why);
        }
        // With an empty id, as nostr-relay does.
        if !event.is_genuine() {
            return no("", "invalid: bad id or signature");
        }
        if event.content.chars().count() as u64 > self.limit {
            return no(&event.id, "invalid: content too long");
        }
        if self.events.iter().any(|known| known.id == event.id) {
            return no(&event.id, "duplicate: exists");
        }
        if event.kind == DELETION {
            let gone: Vec<&str> = event.values("e").collect();
            self.events.retain(|known| known.pubkey != event.pubkey || !gone.contains(&known.id.as_str()));
        }
        let answer = json!(["OK", event.id, true, ""]);
        self.events.push(event);
        answer
    }

    fn search(&self, name: &Value, filter: &Value) -> Vec<Value> {
        let has = |key: &str, found: &[&str]| match filter.get(key).and_then(Value::as_array) {
            None => true,
            Some(wanted) => found.iter().any(|value| wanted.iter().any(|wanted| wanted == value)),
        };
        let kind = |event: &Event| match filter.get("kinds").and_then(Value::as_array) {
            None => true,
            Some(kinds) => kinds.iter().any(|kind| kind == event.kind),
        };
        let found = self.events.iter().filter(|event| {
            has("ids", &[event.id.as_str()])
                && has("authors", &[event.pubkey.as_str()])
                && has("#e", &event.values("e").collect::<Vec<_>>())
                && has("#l", &event.values("l").collect::<Vec<_>>())
                && kind(event)
        });
        let mut said: Vec<Value> = found.map(|event| json!(["EVENT", name, event])).collect();
        said.push(json!(["EOSE", name]));
        said
    }
}

/// `PUT /upload` of a Blossom server.
async fn upload(State(url): State<Arc<Mutex<String>>>, headers: HeaderMap, bytes: Bytes) -> Response {
    let no = |status: StatusCode, why: &str| (status, Json(json!({"message": why}))).into_response();
    let leave = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Nostr "));
    let event = leave
        .and_then(|leave| STANDARD.decode(leave).ok())
        .and_then(|text| serde_json::from_slice::<Event>(&text).ok())
        .filter(|event| event.is_genuine() && event.kind == UPLOAD);
    let Some(event) = event else { return no(StatusCode::UNAUTHORIZED, "Missing Auth event") };
    let hash = hex(&Sha256::digest(&bytes));
    if !event.values("t").eq(["upload"]) || !event.values("x").any(|wanted| wanted == hash) {
        return no(StatusCode::FORBIDDEN, "not a leave to upload this file");
    }
    if event.values("expiration").next().is_none() {
        return no(StatusCode::BAD_REQUEST, "a leave must end");
    }
    let mime = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let url = format!("{}/{hash}.png", held(&url));
    let described = json!({"url": url, "sha256": hash, "size": bytes.len(), "type": mime, "uploaded": 1_725_105_921});
    (StatusCode::CREATED, Json(described)).into_response()
}
