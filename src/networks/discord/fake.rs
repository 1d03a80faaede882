//! A stand-in for Discord's API, version 10, as its documentation and its machine-readable specification have it: one bot
//! in one channel, and one webhook.

#![expect(clippy::result_large_err, reason = "an answer is axum's own type, and this is for tests alone")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use axum::extract::{FromRequest, Multipart, Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::adapter::suite::{Fake, FakePost, Front, number};
use crate::model::{Account, AccountName};

use super::wire::Snowflake;

const GUILD: &str = "800000000000000001";
const CHANNEL: &str = "800000000000000002";
const HOOK: &str = "800000000000000003";
/// The thread that a forum opens.
const THREAD: &str = "800000000000000004";
const TOKEN: &str = "MTAstand-in.token.of-a-bot";
const HOOK_TOKEN: &str = "stand-in_token-of-a-webhook";

/// The one call of a bot, and of a webhook.
const PUBLISH: &str = "/api/v10/channels/800000000000000002/messages";
const EXECUTE: &str = "/api/v10/webhooks/800000000000000003/stand-in_token-of-a-webhook";

/// A stand-in for the server.
pub(super) struct Server {
    front: Front,
    world: Arc<Mutex<World>>,
    hook: bool,
}

/// What it holds.
struct World {
    /// The bot's number: another one in each stand-in.
    bot: String,
    changes: u32,
    messages: Vec<Message>,
    /// Nonce → number of the message.
    nonces: BTreeMap<String, String>,
    last: u64,
}

struct Message {
    id: String,
    channel: String,
    author: String,
    body: Value,
    nonce: Option<String>,
    at: DateTime<Utc>,
}

type Shared = State<Arc<Mutex<World>>>;
type Asked = Query<BTreeMap<String, String>>;

impl Server {
    /// Starts one. `hook`: its account is the webhook.
    pub(super) async fn start(hook: bool) -> Self {
        let world = Arc::new(Mutex::new(World {
            bot: (800_000_000_000_001_000 + u64::from(number())).to_string(),
            changes: 0,
            messages: Vec::new(),
            nonces: BTreeMap::new(),
            last: 0,
        }));
        let router = Router::new()
            .route("/api/v10/users/@me", get(me))
            .route("/api/v10/channels/{channel}", get(channel))
            .route("/api/v10/channels/{channel}/messages", get(list).post(create))
            .route("/api/v10/channels/{channel}/messages/{id}", get(one).delete(remove))
            .route("/api/v10/webhooks/{hook}/{token}", get(webhook).post(execute))
            .route("/api/v10/webhooks/{hook}/{token}/messages/{id}", get(hook_one).delete(hook_remove))
            .fallback(post(|| async { no(404, 0, "404: Not Found") }))
            .with_state(Arc::clone(&world));
        Self { front: Front::serve(router).await, world, hook }
    }
}

#[async_trait]
impl Fake for Server {
    fn front(&self) -> Option<&Front> {
        Some(&self.front)
    }

    fn account(&self) -> Account {
        let mut account = Account::new(AccountName::new("news"), "discord");
        account.server = Some(self.front.url().to_owned());
        if !self.hook {
            account.settings.insert("channel".to_owned(), json!(CHANNEL));
        }
        account
    }

    fn secrets(&self) -> BTreeMap<&'static str, String> {
        let world = held(&self.world);
        let secret = if self.hook {
            format!("https://discord.com/api/webhooks/{HOOK}/{}", world.hook_token())
        } else {
            world.token()
        };
        BTreeMap::from([("token", secret)])
    }

    async fn posts(&self) -> Vec<FakePost> {
        let world = held(&self.world);
        let post = |message: &Message| FakePost {
            id: message.id.clone(),
            text: message.body["content"].as_str().unwrap_or_default().to_owned(),
            parent: message.body["message_reference"]["message_id"].as_str().map(str::to_owned),
            alts: attachments(&message.body)
                .map(|attachment| attachment["description"].as_str().unwrap_or_default().to_owned())
                .collect(),
            key: message.nonce.clone(),
        };
        world.messages.iter().map(post).collect()
    }

    fn publish_call(&self) -> Option<(&'static str, &'static str)> {
        Some(("POST", if self.hook { EXECUTE } else { PUBLISH }))
    }

    fn change_secret(&self) {
        held(&self.world).changes += 1;
    }
}

fn held(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

fn attachments(body: &Value) -> impl Iterator<Item = &Value> {
    body["attachments"].as_array().into_iter().flatten()
}

fn no(status: u16, code: u32, message: &str) -> Response {
    let status = StatusCode::from_u16(status).expect("a status code");
    (status, Json(json!({"code": code, "message": message}))).into_response()
}

fn told(result: Result<Value, Response>) -> Response {
    result.map_or_else(|response| response, |value| Json(value).into_response())
}

/// A message's payload: JSON, or a form with `payload_json` and files.
async fn payload(request: Request) -> Option<Value> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    if !kind.starts_with("multipart/form-data") {
        return Json::<Value>::from_request(request, &()).await.ok().map(|Json(body)| body);
    }
    let mut form = Multipart::from_request(request, &()).await.ok()?;
    let (mut body, mut files) = (json!({}), BTreeMap::new());
    while let Some(field) = form.next_field().await.ok()? {
        match field.name()?.to_owned() {
            name if name == "payload_json" => body = serde_json::from_str(&field.text().await.ok()?).ok()?,
            name => {
                let number = name.strip_prefix("files[")?.strip_suffix(']')?.to_owned();
                let file_name = field.file_name()?.to_owned();
                files.insert(number, (file_name, field.bytes().await.ok()?.len()));
            }
        }
    }
    for attachment in body["attachments"].as_array_mut()? {
        let (name, bytes) = files.get(attachment["id"].as_str()?)?;
        (attachment["filename"] == name.as_str()).then_some(())?;
        attachment["size"] = json!(bytes);
    }
    Some(body)
}

async fn me(State(world): Shared, headers: HeaderMap) -> Response {
    let world = held(&world);
    told(world.bot_asks(&headers).map(|()| {
        let mut user = user(&world.bot, "acme-bot");
        user["mfa_enabled"] = json!(false);
        user["locale"] = json!("en-US");
        user["bot"] = json!(true);
        user
    }))
}

fn user(id: &str, name: &str) -> Value {
    json!({
        "id": id, "username": name, "avatar": null, "discriminator": "0000", "public_flags": 0, "flags": 0,
        "global_name": null, "primary_guild": null,
    })
}

async fn channel(State(world): Shared, headers: HeaderMap, Path(id): Path<String>) -> Response {
    told(
        held(&world)
            .bot_in(&headers, &id)
            .map(|()| json!({"id": CHANNEL, "type": 0, "flags": 0, "guild_id": GUILD, "name": "news", "position": 1})),
    )
}

async fn webhook(State(world): Shared, Path((id, token)): Path<(String, String)>) -> Response {
    told(held(&world).hooked(&id, &token).map(|()| {
        json!({
            "application_id": null, "avatar": null, "channel_id": CHANNEL, "guild_id": GUILD, "id": HOOK,
            "name": "Acme", "type": 1,
        })
    }))
}

async fn create(State(world): Shared, headers: HeaderMap, Path(id): Path<String>, request: Request) -> Response {
    if let Err(response) = held(&world).bot_in(&headers, &id) {
        return response;
    }
    let Some(body) = payload(request).await else { return no(400, 50109, "The request body contains invalid JSON.") };
    let mut world = held(&world);
    let author = world.bot.clone();
    told(world.post(CHANNEL, &author, body))
}

async fn execute(
    State(world): Shared,
    Path((id, token)): Path<(String, String)>,
    Query(query): Asked,
    request: Request,
) -> Response {
    if let Err(response) = held(&world).hooked(&id, &token) {
        return response;
    }
    let Some(body) = payload(request).await else { return no(400, 50109, "The request body contains invalid JSON.") };
    let thread = query.get("thread_id").cloned();
    let opens = body.get("thread_name").is_some();
    let channel = thread.unwrap_or_else(|| if opens { THREAD } else { CHANNEL }.to_owned());
    let result = held(&world).post(&channel, HOOK, body);
    match result {
        Ok(_) if query.get("wait").is_none_or(|wait| wait != "true") => StatusCode::NO_CONTENT.into_response(),
        other => told(other),
    }
}

async fn list(State(world): Shared, headers: HeaderMap, Path(id): Path<String>, Query(query): Asked) -> Response {
    let world = held(&world);
    if let Err(response) = world.bot_in(&headers, &id) {
        return response;
    }
    let after = query.get("after").and_then(|after| Snowflake::parse(after));
    let limit = query.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(50);
    let new = |message: &&Message| Snowflake::parse(&message.id) > after && message.channel == CHANNEL;
    // The first ones after, the latest of them first.
    let mut page: Vec<_> = world.messages.iter().filter(new).take(limit).map(view).collect();
    page.reverse();
    Json(page).into_response()
}

async fn one(State(world): Shared, headers: HeaderMap, Path((channel, id)): Path<(String, String)>) -> Response {
    let world = held(&world);
    told(world.bot_in(&headers, &channel).and_then(|()| world.find(&id, CHANNEL).map(view)))
}

async fn remove(State(world): Shared, headers: HeaderMap, Path((channel, id)): Path<(String, String)>) -> Response {
    let mut world = held(&world);
    match world.bot_in(&headers, &channel).and_then(|()| world.remove(&id, CHANNEL)) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(response) => response,
    }
}

async fn hook_one(
    State(world): Shared,
    Path((hook, token, id)): Path<(String, String, String)>,
    Query(query): Asked,
) -> Response {
    let world = held(&world);
    let channel = query.get("thread_id").map_or(CHANNEL, String::as_str);
    told(world.hooked(&hook, &token).and_then(|()| world.find(&id, channel).map(view)))
}

async fn hook_remove(
    State(world): Shared,
    Path((hook, token, id)): Path<(String, String, String)>,
    Query(query): Asked,
) -> Response {
    let mut world = held(&world);
    let channel = query.get("thread_id").map_or(CHANNEL, String::as_str);
    match world.hooked(&hook, &token).and_then(|()| world.remove(&id, channel)) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(response) => response,
    }
}
impl World {
    fn token(&self) -> String {
        if self.changes == 0 { TOKEN.to_owned() } else { format!("{TOKEN}.{}", self.changes) }
    }

    fn hook_token(&self) -> String {
        if self.changes == 0 { HOOK_TOKEN.to_owned() } else { format!("{HOOK_TOKEN}-{}", self.changes) }
    }

    fn bot_asks(&self, headers: &HeaderMap) -> Result<(), Response> {
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !header(header::USER_AGENT).starts_with("DiscordBot (") {
            return Err(no(403, 40333, "internal network error"));
        }
        let known = header(header::AUTHORIZATION).strip_prefix("Bot ") == Some(&self.token());
        if known { Ok(()) } else { Err(no(401, 0, "401: Unauthorized")) }
    }

    fn bot_in(&self, headers: &HeaderMap, channel: &str) -> Result<(), Response> {
        self.bot_asks(headers)?;
        if channel == CHANNEL { Ok(()) } else { Err(no(404, 10003, "Unknown Channel")) }
    }

    fn hooked(&self, id: &str, token: &str) -> Result<(), Response> {
        if id != HOOK {
            return Err(no(404, 10015, "Unknown Webhook"));
        }
        if token == self.hook_token() { Ok(()) } else { Err(no(401, 50027, "Invalid Webhook Token")) }
    }

    fn find(&self, id: &str, channel: &str) -> Result<&Message, Response> {
        let found = self.messages.iter().find(|message| message.id == id && message.channel == channel);
        found.ok_or_else(|| no(404, 10008, "Unknown Message"))
    }

    fn remove(&mut self, id: &str, channel: &str) -> Result<(), Response> {
        self.find(id, channel)?;
        self.messages.retain(|message| message.id != id);
        Ok(())
    }

    fn post(&mut self, channel: &str, author: &str, body: Value) -> Result<Value, Response> {
        let nonce = body["nonce"].as_str().map(str::to_owned);
        if let Some(id) = nonce.as_ref().and_then(|nonce| self.nonces.get(nonce)) {
            let id = id.clone();
            return self.find(&id, channel).map(view);
        }
        self.valid(&body)?;
        let at = DateTime::<Utc>::from(std::time::SystemTime::now());
        let first = Snowflake::before(at).to_string().parse::<u64>().unwrap_or(0) + 1;
        self.last = first.max(self.last + 1);
        let id = self.last.to_string();
        if let Some(nonce) = nonce.as_ref().filter(|_| body["enforce_nonce"] == true) {
            self.nonces.insert(nonce.clone(), id.clone());
        }
        let (channel, author) = (channel.to_owned(), author.to_owned());
        self.messages.push(Message { id, channel, author, body, nonce: nonce.clone(), at });
        let message = self.messages.last().expect("it was put there just now");
        let mut view = view(message);
        // It is told to the one who sent it, and to nobody later.
        if let Some(nonce) = nonce {
            view["nonce"] = json!(nonce);
        }
        Ok(view)
    }

    fn valid(&self, body: &Value) -> Result<(), Response> {
        let wrong = |field: &str, message: &str| {
            let error = json!({"_errors": [{"code": "INVALID", "message": message}]});
            let body = json!({"code": 50035, "message": "Invalid Form Body", "errors": {field: error}});
            Err((StatusCode::BAD_REQUEST, Json(body)).into_response())
        };
        let content = body["content"].as_str().unwrap_or_default();
        if content.chars().count() > 2000 {
            return wrong("content", "Must be 2000 or fewer in length.");
        }
        let files = attachments(body).count();
        if files > 10 {
            return wrong("attachments", "Must be 10 or fewer in length.");
        }
        if content.trim().is_empty() && files == 0 && body.get("poll").is_none() {
            return Err(no(400, 50006, "Cannot send an empty message"));
        }
        if let Some(id) = body["message_reference"]["message_id"].as_str()
            && self.find(id, CHANNEL).is_err()
        {
            return wrong("message_reference", "Unknown message");
        }
        Ok(())
    }
}

/// A message as the API shows it.
fn view(message: &Message) -> Value {
    let body = &message.body;
    let files: Vec<_> = attachments(body)
        .map(|attachment| {
            let name = attachment["filename"].as_str().unwrap_or_default();
            let url = format!("https://cdn.discordapp.example/attachments/1/{name}");
            let mut view =
                json!({"id": "900", "filename": name, "size": attachment["size"], "url": url, "proxy_url": url});
            if let Some(description) = attachment.get("description") {
                view["description"] = description.clone();
            }
            view
        })
        .collect();
    let mut view = json!({
        "type": 0, "content": body["content"].as_str().unwrap_or_default(), "mentions": [], "mention_roles": [],
        "attachments": files, "embeds": [], "timestamp": message.at.to_rfc3339_opts(SecondsFormat::Micros, false),
        "edited_timestamp": null, "flags": body["flags"].as_u64().unwrap_or(0), "components": [], "id": message.id,
        "channel_id": message.channel, "author": user(&message.author, if message.author == HOOK { "Acme" } else { "acme-bot" }),
        "pinned": false, "mention_everyone": false, "tts": false,
    });
    if let Some(id) = body["message_reference"].get("message_id") {
        view["type"] = json!(19);
        view["message_reference"] = json!({"type": 0, "channel_id": message.channel, "message_id": id});
    }
    if message.author == HOOK {
        view["webhook_id"] = json!(HOOK);
    }
    if let Some(poll) = body.get("poll") {
        let answers: Vec<_> = poll["answers"]
            .as_array()
            .into_iter()
            .flatten()
            .enumerate()
            .map(|(index, answer)| json!({"answer_id": index + 1, "poll_media": answer["poll_media"]}))
            .collect();
        let hours = TimeDelta::hours(poll["duration"].as_i64().unwrap_or(24));
        view["poll"] = json!({
            "question": poll["question"], "answers": answers, "allow_multiselect": poll["allow_multiselect"],
            "expiry": (message.at + hours).to_rfc3339_opts(SecondsFormat::Micros, false), "layout_type": 1,
            "results": {"answer_counts": [], "is_finalized": false},
        });
    }
    view
}
