//! A stand-in for a server: Mastodon 4.6 as its documentation and source have it, or one of its kin that ignores keys.

#![expect(clippy::result_large_err, reason = "an answer is axum's own type, and this is for tests alone")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use axum::body::Bytes;
use axum::extract::{Multipart, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use crate::adapter::suite::{Fake, FakePost, Front, Tokens};
use crate::model::{Account, AccountName};
use crate::text::{Counting, FoundKind, MentionWeight, Unit, find, measure};

/// Its only account: the same number on all of them, as the first account has on any server. Who it is follows from the
/// number and the server.
pub(super) const ACCOUNT: &str = "109348";

/// Polls of a file until it is ready.
const PROCESSING: u32 = 1;

/// A stand-in for a server.
pub(super) struct Instance {
    front: Front,
    tokens: Tokens,
    world: Arc<Mutex<World>>,
}

/// What it holds.
struct World {
    kin: bool,
    tokens: Tokens,
    next: u64,
    media: BTreeMap<String, Media>,
    statuses: Vec<Status>,
    /// Key → id of the status.
    keys: BTreeMap<String, String>,
}

/// A file that was uploaded.
struct Media {
    alt: String,
    #[cfg(test)]
    bytes: Bytes,
    /// So many more looks find it unready.
    looks: u32,
}

struct Status {
    id: String,
    body: Value,
    key: Option<String>,
    at: DateTime<Utc>,
}

type Shared = State<Arc<Mutex<World>>>;
type Answered = Result<Json<Value>, Response>;

impl Instance {
    /// Starts one. `kin`: it has no keys, an old version's address of the instance, and no such thing as 202.
    pub(super) async fn start(kin: bool) -> Self {
        let tokens = Tokens::default();
        let world = Arc::new(Mutex::new(World {
            kin,
            tokens: tokens.clone(),
            next: 100,
            media: BTreeMap::new(),
            statuses: Vec::new(),
            keys: BTreeMap::new(),
        }));
        let router = Router::new()
            .route("/api/v1/accounts/verify_credentials", get(verify))
            .route("/api/v1/apps/verify_credentials", get(app))
            .route("/api/v2/instance", get(instance_v2))
            .route("/api/v1/instance", get(instance_v1))
            .route("/api/v2/media", post(upload))
            .route("/api/v1/media/{id}", get(media))
            .route("/api/v1/statuses", post(publish))
            .route("/api/v1/statuses/{id}", get(status).delete(remove))
            .route("/api/v1/statuses/{id}/context", get(context))
            .route("/api/v1/accounts/{id}/statuses", get(statuses))
            .route("/api/v2/search", get(search))
            .with_state(Arc::clone(&world));
        Self { front: Front::serve(router).await, tokens, world }
    }

    /// The bytes of a file that was uploaded.
    #[cfg(test)]
    pub(super) fn file(&self, id: &str) -> Vec<u8> {
        held(&self.world).media.get(id).map(|media| media.bytes.to_vec()).unwrap_or_default()
    }

    /// The body of a status as it was sent.
    #[cfg(test)]
    pub(super) fn body(&self, id: &str) -> Option<Value> {
        held(&self.world).status(id).map(|status| status.body.clone())
    }
}

#[async_trait]
impl Fake for Instance {
    fn front(&self) -> Option<&Front> {
        Some(&self.front)
    }

    fn account(&self) -> Account {
        let mut account = Account::new(AccountName::new("fedi"), "mastodon");
        account.server = Some(self.front.url().to_owned());
        account
    }

    fn tokens(&self) -> Option<&Tokens> {
        Some(&self.tokens)
    }

    async fn posts(&self) -> Vec<FakePost> {
        let world = held(&self.world);
        let post = |status: &Status| FakePost {
            id: status.id.clone(),
            text: status.body["status"].as_str().unwrap_or_default().to_owned(),
            parent: status.body["in_reply_to_id"].as_str().map(str::to_owned),
            alts: files(&status.body)
                .map(|id| world.media.get(id).map_or_else(String::new, |media| media.alt.clone()))
                .collect(),
            key: status.key.clone(),
        };
        world.statuses.iter().map(post).collect()
    }

    fn publish_call(&self) -> Option<(&'static str, &'static str)> {
        Some(("POST", "/api/v1/statuses"))
    }

    fn forget_keys(&self) -> bool {
        held(&self.world).kin = true;
        true
    }
}

fn held(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

fn files(body: &Value) -> impl Iterator<Item = &str> {
    body["media_ids"].as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn error(status: u16, error: &str) -> Response {
    let status = StatusCode::from_u16(status).expect("a status code");
    (status, Json(json!({"error": error}))).into_response()
}

fn allowed(world: &World, headers: &HeaderMap) -> Result<(), Response> {
    if world.tokens.allow(headers) { Ok(()) } else { Err(error(401, "The access token is invalid")) }
}

async fn verify(State(world): Shared, headers: HeaderMap) -> Answered {
    allowed(&held(&world), &headers)?;
    let mut account = account();
    account["role"] = json!({"id": "-99", "name": "", "color": "", "permissions": "65536", "highlighted": false});
    account["source"] = json!({
        "note": "", "fields": [], "privacy": "public", "sensitive": false, "follow_requests_count": 0, "indexable": false,
    });
    Ok(Json(account))
}

/// An account, as every status has it.
fn account() -> Value {
    let picture = "https://fedi.example/avatars/original/missing.png";
    json!({
        "id": ACCOUNT, "username": "acme", "acct": "acme", "display_name": "Acme", "note": "", "fields": [], "emojis": [],
        "url": "https://fedi.example/@acme", "uri": "https://fedi.example/users/acme", "avatar": picture,
        "avatar_static": picture, "header": picture, "header_static": picture, "bot": false, "group": false, "locked": false,
        "indexable": false, "created_at": "2016-03-16T00:00:00.000Z", "followers_count": 0, "following_count": 0,
        "statuses_count": 0,
    })
}

async fn app(State(world): Shared, headers: HeaderMap) -> Answered {
    let world = held(&world);
    allowed(&world, &headers)?;
    if world.kin {
        return Err(error(404, "Not found"));
    }
    let (paste, scopes) = ("urn:ietf:wg:oauth:2.0:oob", ["read", "write"]);
    Ok(Json(json!({
        "id": "1", "name": "smm", "scopes": scopes, "redirect_uri": paste, "redirect_uris": [paste], "vapid_key": "BCk",
    })))
}

async fn instance_v2(State(world): Shared) -> Answered {
    if held(&world).kin {
        return Err(error(404, "Not found"));
    }
    Ok(Json(json!({
        "version": "4.6.6",
        "source_url": "https://github.com/mastodon/mastodon",
        "api_versions": {"mastodon": 9},
        "domain": "fedi.example",
        "title": "Fedi",
        "description": "",
        "languages": ["en"],
        "icon": [],
        "rules": [],
        "thumbnail": {"url": "https://fedi.example/thumbnail.png"},
        "usage": {"users": {"active_month": 1}},
        "registrations": {"enabled": false, "approval_required": false},
        "contact": {"email": "staff@fedi.example"},
        "configuration": {
            "urls": {},
            "accounts": {"max_featured_tags": 10, "max_pinned_statuses": 5},
            "translation": {"enabled": false},
            "statuses": {"max_characters": 500, "max_media_attachments": 4, "characters_reserved_per_url": 23},
            "media_attachments": {
                "description_limit": 10000, "image_size_limit": 16_777_216, "image_matrix_limit": 33_177_600,
                "video_size_limit": 103_809_024, "video_matrix_limit": 8_294_400, "video_frame_rate_limit": 120,
                "supported_mime_types": ["image/gif", "image/jpeg", "image/png", "image/webp", "video/mp4"],
            },
            "polls": {"max_options": 4, "max_characters_per_option": 50, "min_expiration": 300, "max_expiration": 2_629_746},
        },
    })))
}

async fn instance_v1() -> Json<Value> {
    Json(json!({"version": "4.0.0 (compatible; Fake 1.0)", "configuration": {"statuses": {"max_characters": 5000}}}))
}

async fn upload(State(world): Shared, headers: HeaderMap, mut form: Multipart) -> Result<Response, Response> {
    allowed(&held(&world), &headers)?;
    let (mut alt, mut bytes) = (String::new(), Bytes::new());
    while let Ok(Some(field)) = form.next_field().await {
        match field.name() {
            Some("description") => alt = field.text().await.unwrap_or_default(),
            Some("file") => bytes = field.bytes().await.unwrap_or_default(),
            _ => {}
        }
    }
    if bytes.is_empty() {
        return Err(error(422, "Validation failed: File can't be blank"));
    }
    let mut world = held(&world);
    let id = world.id();
    let (status, looks) = if world.kin { (StatusCode::OK, 0) } else { (StatusCode::ACCEPTED, PROCESSING) };
    world.media.insert(
        id.clone(),
        Media {
            alt,
            #[cfg(test)]
            bytes,
            looks,
        },
    );
    Ok((status, Json(json!({"id": id, "type": "image", "url": null}))).into_response())
}

async fn media(State(world): Shared, headers: HeaderMap, Path(id): Path<String>) -> Result<Response, Response> {
    let mut world = held(&world);
    allowed(&world, &headers)?;
    let Some(media) = world.media.get_mut(&id) else { return Err(error(404, "Record not found")) };
    let status = if media.looks == 0 { StatusCode::OK } else { StatusCode::PARTIAL_CONTENT };
    media.looks = media.looks.saturating_sub(1);
    Ok((status, Json(json!({"id": id, "type": "image"}))).into_response())
}

async fn publish(State(world): Shared, headers: HeaderMap, Json(body): Json<Value>) -> Answered {
    let mut world = held(&world);
    allowed(&world, &headers)?;
    let key = headers.get("idempotency-key").and_then(|value| value.to_str().ok()).map(str::to_owned);
    if let Some(id) = key.as_ref().filter(|_| !world.kin).and_then(|key| world.keys.get(key))
        && let Some(status) = world.status(id)
    {
        return Ok(Json(world.view(status)));
    }
    world.valid(&body)?;
    let id = world.id();
    if let Some(key) = &key {
        world.keys.insert(key.clone(), id.clone());
    }
    world.statuses.push(Status { id, body, key, at: DateTime::from(std::time::SystemTime::now()) });
    let status = world.statuses.last().expect("it was put there just now");
    Ok(Json(world.view(status)))
}

async fn status(State(world): Shared, headers: HeaderMap, Path(id): Path<String>) -> Answered {
    let world = held(&world);
    allowed(&world, &headers)?;
    world.status(&id).map(|status| Json(world.view(status))).ok_or_else(|| error(404, "Record not found"))
}

async fn remove(State(world): Shared, headers: HeaderMap, Path(id): Path<String>) -> Answered {
    let mut world = held(&world);
    allowed(&world, &headers)?;
    let gone = world.status(&id).map(|status| world.view(status)).ok_or_else(|| error(404, "Record not found"))?;
    world.statuses.retain(|status| status.id != id);
    Ok(Json(gone))
}

async fn context(State(world): Shared, headers: HeaderMap, Path(id): Path<String>) -> Answered {
    let world = held(&world);
    allowed(&world, &headers)?;
    if world.status(&id).is_none() {
        return Err(error(404, "Record not found"));
    }
    let mut thread = vec![id];
    let mut descendants = Vec::new();
    for status in &world.statuses {
        if status.body["in_reply_to_id"].as_str().is_some_and(|parent| thread.iter().any(|id| id == parent)) {
            thread.push(status.id.clone());
            descendants.push(world.view(status));
        }
    }
    Ok(Json(json!({"ancestors": [], "descendants": descendants})))
}

async fn statuses(
    State(world): Shared,
    headers: HeaderMap,
    Path(id): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Answered {
    let world = held(&world);
    allowed(&world, &headers)?;
    if id != ACCOUNT {
        return Err(error(404, "Record not found"));
    }
    let number = |name: &str| query.get(name).and_then(|value| value.parse::<usize>().ok());
    let before = number("max_id").unwrap_or(usize::MAX);
    let page = world
        .statuses
        .iter()
        .rev()
        .filter(|status| status.id.parse::<usize>().is_ok_and(|id| id < before))
        .take(number("limit").unwrap_or(20).min(40));
    Ok(Json(page.map(|status| world.view(status)).collect()))
}

async fn search(State(world): Shared, headers: HeaderMap, Query(query): Query<BTreeMap<String, String>>) -> Answered {
    let world = held(&world);
    allowed(&world, &headers)?;
    let asked = query.get("q").map_or("", String::as_str);
    let found: Vec<_> =
        world.statuses.iter().map(|status| world.view(status)).filter(|view| view["url"] == asked).collect();
    Ok(Json(json!({"accounts": [], "statuses": found, "hashtags": []})))
}

impl World {
    fn id(&mut self) -> String {
        self.next += 1;
        self.next.to_string()
    }

    fn status(&self, id: &str) -> Option<&Status> {
        self.statuses.iter().find(|status| status.id == id)
    }

    fn valid(&self, body: &Value) -> Result<(), Response> {
        let text = |key: &str| body[key].as_str().unwrap_or_default();
        let counting = Counting { unit: Unit::Graphemes, link: Some(23), mention: MentionWeight::LocalPart };
        if text("status").is_empty() && files(body).next().is_none() {
            return Err(error(422, "Validation failed: Text can't be blank"));
        }
        if measure(text("status"), counting) + measure(text("spoiler_text"), counting) > 500 {
            return Err(error(422, "Validation failed: Text character limit of 500 exceeded"));
        }
        if files(body).count() > 4 {
            return Err(error(422, "Validation failed: Cannot attach more than 4 files"));
        }
        if files(body).any(|id| !self.media.contains_key(id)) {
            return Err(error(422, "Media attachments could not be found"));
        }
        if files(body).any(|id| self.media[id].looks > 0) {
            return Err(error(422, "Cannot attach files that have not finished processing. Try again in a moment!"));
        }
        if body["in_reply_to_id"].as_str().is_some_and(|id| self.status(id).is_none()) {
            return Err(error(404, "The post you are trying to reply to does not appear to exist."));
        }
        Ok(())
    }

    fn view(&self, status: &Status) -> Value {
        let body = &status.body;
        let files: Vec<_> = files(body)
            .map(|id| json!({"id": id, "type": "image", "description": self.media.get(id).map(|media| &media.alt)}))
            .collect();
        let answers = self.statuses.iter().filter(|other| other.body["in_reply_to_id"] == status.id.as_str()).count();
        json!({
            "id": status.id,
            "url": format!("https://fedi.example/@acme/{}", status.id),
            "uri": format!("https://fedi.example/users/acme/statuses/{}", status.id),
            "created_at": status.at.to_rfc3339_opts(SecondsFormat::Millis, true),
            "in_reply_to_id": body["in_reply_to_id"],
            "content": html(body["status"].as_str().unwrap_or_default()),
            "spoiler_text": body["spoiler_text"].as_str().unwrap_or_default(),
            "visibility": body["visibility"].as_str().unwrap_or("public"),
            "language": body["language"],
            "sensitive": body["sensitive"].as_bool().unwrap_or(false),
            "media_attachments": files,
            "account": account(),
            "mentions": [],
            "tags": [],
            "emojis": [],
            "favourites_count": 0,
            "reblogs_count": 0,
            "replies_count": answers,
            "quotes_count": 0,
        })
    }
}

/// A text as the server shows it: links shortened for the eye, mentions without their host.
fn html(text: &str) -> String {
    let escape =
        |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    let mut out = String::from("<p>");
    let mut at = 0;
    for found in find(text) {
        let written = &text[found.start..found.end];
        let shown = escape(written);
        let shown = match found.kind {
            FoundKind::Link => {
                let cut = written.find("://").map_or(0, |at| at + 3);
                format!(
                    r#"<a href="{shown}" rel="nofollow"><span class="invisible">{}</span><span class="ellipsis">{}</span></a>"#,
                    escape(&written[..cut]),
                    escape(&written[cut..])
                )
            }
            FoundKind::Mention => {
                let name = written[1..].split('@').next().unwrap_or_default();
                format!(
                    r#"<span class="h-card"><a href="https://fedi.example/@{name}" class="u-url mention">@<span>{name}</span></a></span>"#
                )
            }
            _ => shown,
        };
        out.push_str(&escape(&text[at..found.start]));
        out.push_str(&shown);
        at = found.end;
    }
    out.push_str(&escape(&text[at..]));
    out.push_str("</p>");
    out.replace("\n\n", "</p><p>").replace('\n', "<br />")
}
