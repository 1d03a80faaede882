//! A stand-in for the Bot API as its documentation (10.1) has it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use axum::extract::{FromRequest, Multipart, Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use crate::adapter::suite::{Fake, FakePost, Front, number};
use crate::model::{Account, AccountName};

/// The bot.
const BOT: i64 = 7_000_000_001;
/// Its token, until it is changed.
const TOKEN: &str = "7000000001:AAsmm-stand-in-token-of-35-letters";
/// The one call, with that token.
const PUBLISH: &str = "/bot7000000001:AAsmm-stand-in-token-of-35-letters/sendMessage";

/// A stand-in for the server, with one bot and one channel.
pub(super) struct Server {
    front: Front,
    world: Arc<Mutex<World>>,
}

/// What it holds.
struct World {
    token: String,
    changes: u32,
    chat: i64,
    next: i64,
    messages: Vec<Sent>,
}

/// A message, or one of an album.
struct Sent {
    id: i64,
    /// The album's, which is the number of its first message.
    album: Option<i64>,
    text: String,
    parent: Option<i64>,
}

type Shared = State<Arc<Mutex<World>>>;

impl Server {
    pub(super) async fn start() -> Self {
        let world = Arc::new(Mutex::new(World {
            token: TOKEN.to_owned(),
            changes: 0,
            chat: -1_001_000_000_000 - i64::from(number()),
            next: 10,
            messages: Vec::new(),
        }));
        let router = Router::new().route("/{bot}/{method}", post(answer)).with_state(Arc::clone(&world));
        Self { front: Front::serve(router).await, world }
    }
}

#[async_trait]
impl Fake for Server {
    fn front(&self) -> Option<&Front> {
        Some(&self.front)
    }

    fn account(&self) -> Account {
        let mut account = Account::new(AccountName::new("channel"), "telegram");
        account.server = Some(self.front.url().to_owned());
        account.settings.insert("chat".to_owned(), json!("@acme"));
        account
    }

    fn secrets(&self) -> BTreeMap<&'static str, String> {
        BTreeMap::from([("token", held(&self.world).token.clone())])
    }

    async fn posts(&self) -> Vec<FakePost> {
        let world = held(&self.world);
        let shown = world.messages.iter().filter(|sent| sent.album.is_none_or(|album| album == sent.id));
        shown
            .map(|sent| FakePost {
                id: sent.id.to_string(),
                text: sent.text.clone(),
                parent: sent.parent.map(|parent| parent.to_string()),
                alts: Vec::new(),
                key: None,
            })
            .collect()
    }

    fn publish_call(&self) -> Option<(&'static str, &'static str)> {
        Some(("POST", PUBLISH))
    }

    fn change_secret(&self) {
        let mut world = held(&self.world);
        world.changes += 1;
        world.token = format!("{TOKEN}-{}", world.changes);
    }
}

fn held(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

fn no(status: u16, description: &str) -> Response {
    let body = json!({"ok": false, "error_code": status, "description": description});
    (StatusCode::from_u16(status).expect("a status code"), Json(body)).into_response()
}

/// Fields of a call, and the names of those that are files.
struct Form {
    fields: Map<String, Value>,
    files: Vec<String>,
}

impl Form {
    /// JSON, or a form whose fields hold JSON where they are no text.
    async fn read(request: Request) -> Option<Self> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
        if !kind.starts_with("multipart/form-data") {
            let Json(fields) = Json::<Map<String, Value>>::from_request(request, &()).await.ok()?;
            return Some(Self { fields, files: Vec::new() });
        }
        let mut form = Multipart::from_request(request, &()).await.ok()?;
        let mut read = Self { fields: Map::new(), files: Vec::new() };
        while let Some(field) = form.next_field().await.ok()? {
            let name = field.name()?.to_owned();
            if field.file_name().is_some() {
                if field.bytes().await.ok()?.is_empty() {
                    return None;
                }
                read.files.push(name);
            } else {
                let text = field.text().await.ok()?;
                // As it stands in the documentation, a text is no JSON, even when it looks like it.
                let plain = matches!(name.as_str(), "text" | "caption" | "question" | "parse_mode");
                let value = if plain { None } else { serde_json::from_str(&text).ok() };
                read.fields.insert(name, value.unwrap_or(Value::String(text)));
            }
        }
        Some(read)
    }

    fn text(&self, key: &str) -> &str {
        self.fields.get(key).and_then(Value::as_str).unwrap_or_default()
    }
}

async fn answer(State(world): Shared, Path((bot, method)): Path<(String, String)>, request: Request) -> Response {
    let Some(form) = Form::read(request).await else { return no(400, "Bad Request: the form cannot be read") };
    let mut world = held(&world);
    if bot.strip_prefix("bot") != Some(&world.token) {
        return no(401, "Unauthorized");
    }
    let result = match method.as_str() {
        "getMe" => Ok(json!({"id": BOT, "is_bot": true, "first_name": "Acme", "username": "acme_bot"})),
        "getChat" => world.at(&form).map(|()| world.full_chat()),
        "deleteMessage" => world.at(&form).and_then(|()| world.delete(&form)),
        "sendMessage" | "sendPhoto" | "sendVideo" | "sendAnimation" | "sendMediaGroup" | "sendPoll" => {
            world.at(&form).and_then(|()| world.send(&method, &form))
        }
        _ => return no(404, "Not Found: method not found"),
    };
    match result {
        Ok(result) => Json(json!({"ok": true, "result": result})).into_response(),
        Err(why) => no(400, &format!("Bad Request: {why}")),
    }
}

impl World {
    /// The call is for the channel.
    fn at(&self, form: &Form) -> Result<(), String> {
        let chat = form.fields.get("chat_id");
        let known = chat.is_some_and(|chat| chat == "@acme" || chat.as_i64() == Some(self.chat));
        if known { Ok(()) } else { Err("chat not found".to_owned()) }
    }

    fn chat(&self) -> Value {
        json!({"id": self.chat, "type": "channel", "title": "Acme", "username": "acme"})
    }

    fn full_chat(&self) -> Value {
        let mut chat = self.chat();
        chat["accent_color_id"] = json!(1);
        chat["max_reaction_count"] = json!(11);
        chat["accepted_gift_types"] = json!({
            "unlimited_gifts": false, "limited_gifts": false, "unique_gifts": false, "premium_subscription": false,
            "gifts_from_channels": false,
        });
        chat
    }

    fn delete(&mut self, form: &Form) -> Result<Value, String> {
        let id = form.fields.get("message_id").and_then(Value::as_i64);
        let before = self.messages.len();
        self.messages.retain(|sent| Some(sent.id) != id);
        if self.messages.len() == before { Err("message to delete not found".to_owned()) } else { Ok(json!(true)) }
    }

    fn send(&mut self, method: &str, form: &Form) -> Result<Value, String> {
        let parent = form.fields.get("reply_parameters").map(|reply| {
            let id = reply["message_id"].as_i64();
            let elsewhere = reply.get("chat_id").is_some();
            let known = elsewhere || self.messages.iter().any(|sent| Some(sent.id) == id);
            if known { Ok(id.filter(|_| !elsewhere)) } else { Err("message to be replied not found".to_owned()) }
        });
        let parent = parent.transpose()?.flatten();
        if method == "sendMediaGroup" {
            return self.album(form, parent);
        }
        let id = self.next;
        let mut message = json!({"message_id": id, "date": 1_795_000_000 + id, "chat": self.chat()});
        let text = match method {
            "sendMessage" => {
                let text = visible(form.text("text"), form.text("parse_mode"))?;
                room(&text, 4096, "message is too long")?;
                if text.trim().is_empty() {
                    return Err("message text is empty".to_owned());
                }
                message["text"] = json!(text);
                text
            }
            "sendPoll" => {
                message["poll"] = poll(form)?;
                form.text("question").to_owned()
            }
            _ => {
                let field = method.trim_start_matches("send").to_lowercase();
                if form.files != [field.clone()] {
                    return Err(format!("there is no {field} in the request"));
                }
                let caption = visible(form.text("caption"), form.text("parse_mode"))?;
                room(&caption, 1024, "message caption is too long")?;
                message[&field] = file(&field);
                if !caption.is_empty() {
                    message["caption"] = json!(caption);
                }
                caption
            }
        };
        self.next += 1;
        self.messages.push(Sent { id, album: None, text, parent });
        Ok(message)
    }

    fn album(&mut self, form: &Form, parent: Option<i64>) -> Result<Value, String> {
        let media = form.fields.get("media").and_then(Value::as_array).cloned().unwrap_or_default();
        if !(2..=10).contains(&media.len()) {
            return Err("there must be 2 to 10 items in an album".to_owned());
        }
        let album = self.next;
        let mut messages = Vec::new();
        let mut texts = Vec::new();
        for (index, item) in media.iter().enumerate() {
            let name = item["media"].as_str().and_then(|media| media.strip_prefix("attach://")).unwrap_or_default();
            if !form.files.iter().any(|file| file == name) {
                return Err(format!("there is no file {name}"));
            }
            let kind = item["type"].as_str().filter(|kind| matches!(*kind, "photo" | "video"));
            let kind = kind.ok_or("an album holds photos and videos")?;
            let mode = item["parse_mode"].as_str().unwrap_or_default();
            let caption = visible(item["caption"].as_str().unwrap_or_default(), mode)?;
            room(&caption, 1024, "message caption is too long")?;
            let id = album + i64::try_from(index).unwrap_or(0);
            let mut message = json!({
                "message_id": id, "date": 1_795_000_000 + id, "chat": self.chat(), "media_group_id": album.to_string(),
            });
            message[kind] = file(kind);
            if !caption.is_empty() {
                message["caption"] = json!(caption);
            }
            messages.push(message);
            texts.push(Sent { id, album: Some(album), text: caption, parent });
        }
        self.next += i64::try_from(media.len()).unwrap_or(0);
        self.messages.extend(texts);
        Ok(Value::Array(messages))
    }
}

fn file(kind: &str) -> Value {
    let id = json!({"file_id": "AgAC", "file_unique_id": "AQAD", "width": 1, "height": 1});
    if kind == "photo" {
        return json!([id]);
    }
    let mut film = id;
    film["duration"] = json!(1);
    film
}

fn poll(form: &Form) -> Result<Value, String> {
    let options = form.fields.get("options").and_then(Value::as_array).cloned().unwrap_or_default();
    if !(1..=12).contains(&options.len()) {
        return Err("poll must have 1-12 answer options".to_owned());
    }
    room(form.text("question"), 300, "poll question is too long")?;
    let shown: Vec<_> = options
        .iter()
        .enumerate()
        .map(|(index, option)| json!({"persistent_id": index.to_string(), "text": option["text"], "voter_count": 0}))
        .collect();
    Ok(json!({
        "id": "5", "question": form.text("question"), "options": shown, "total_voter_count": 0, "is_closed": false,
        "is_anonymous": true, "type": "regular", "allows_revoting": true, "members_only": false,
        "allows_multiple_answers": form.fields.get("allows_multiple_answers").cloned().unwrap_or(json!(false)),
    }))
}

fn room(text: &str, max: usize, why: &str) -> Result<(), String> {
    if text.chars().count() > max { Err(why.to_owned()) } else { Ok(()) }
}

/// What is left of a text after entities parsing.
fn visible(text: &str, mode: &str) -> Result<String, String> {
    if mode.is_empty() {
        return Ok(text.to_owned());
    }
    if mode != "HTML" {
        return Err("unsupported parse_mode".to_owned());
    }
    let bad = |what: &str| Err(format!("can't parse entities: {what}"));
    let (mut out, mut rest, mut open) = (String::new(), text, false);
    while let Some(at) = rest.find(['<', '>', '&']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let known: &[(&str, &str)] =
            &[("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"), ("<tg-spoiler>", ""), ("</tg-spoiler>", "")];
        let Some((written, shown)) = known.iter().find(|(written, _)| rest.starts_with(written)) else {
            return bad("a character that must be escaped");
        };
        if shown.is_empty() {
            if open == written.starts_with("<tg") {
                return bad("tags that do not match");
            }
            open = !open;
        }
        out.push_str(shown);
        rest = &rest[written.len()..];
    }
    out.push_str(rest);
    if open { bad("a tag that is not closed") } else { Ok(out) }
}
