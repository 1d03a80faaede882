//! A stand-in for X's API v2, made after its reference (`openapi.json` 2.168) and what clients of it tell.

#![expect(clippy::result_large_err, reason = "an answer is axum's own type, and this is for tests alone")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use axum::extract::{Multipart, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use crate::adapter::suite::{Fake, FakePost, Front, Tokens, number};
use crate::model::{Account, AccountName};
use crate::text::{shortened_links, weighted_length};

/// Keys of a post that X knows and `smm` sends; it refuses all that it does not know.
const KEYS: [&str; 4] = ["media", "poll", "reply", "text"];

/// A stand-in for X.
pub(super) struct Service {
    front: Front,
    tokens: Tokens,
    world: Arc<Mutex<World>>,
}

/// What it holds.
struct World {
    tokens: Tokens,
    user: String,
    next: u64,
    uploads: BTreeMap<String, Upload>,
    posts: Vec<Held>,
}

#[derive(Default)]
struct Upload {
    film: bool,
    total: u64,
    segments: BTreeMap<u64, Vec<u8>>,
    ended: bool,
    /// How many more looks find it unready.
    looks: u32,
    alt: String,
}

struct Held {
    id: String,
    body: Value,
    at: DateTime<Utc>,
}

type Shared = State<Arc<Mutex<World>>>;
type Answered = Result<Json<Value>, Response>;
type Asked = Query<BTreeMap<String, String>>;

impl Service {
    /// Starts one.
    pub(super) async fn start() -> Self {
        let tokens = Tokens::default();
        let world = Arc::new(Mutex::new(World {
            tokens: tokens.clone(),
            user: (2_244_994_945 + u64::from(number())).to_string(),
            next: 100,
            uploads: BTreeMap::new(),
            posts: Vec::new(),
        }));
        let router = Router::new()
            .route("/2/users/me", get(me))
            .route("/2/users/{id}/tweets", get(timeline))
            .route("/2/tweets", post(create))
            .route("/2/tweets/{id}", get(one).delete(remove))
            .route("/2/tweets/search/recent", get(search))
            .route("/2/media/upload", get(status))
            .route("/2/media/upload/initialize", post(initialize))
            .route("/2/media/upload/{id}/append", post(append))
            .route("/2/media/upload/{id}/finalize", post(finalize))
            .route("/2/media/metadata", post(metadata))
            .with_state(Arc::clone(&world));
        Self { front: Front::serve(router).await, tokens, world }
    }

    /// The bytes of an upload, in order.
    #[cfg(test)]
    pub(super) fn film(&self, id: &str) -> Vec<u8> {
        held(&self.world)
            .uploads
            .get(id)
            .map(|upload| upload.segments.values().flatten().copied().collect())
            .unwrap_or_default()
    }
}

#[async_trait]
impl Fake for Service {
    fn front(&self) -> Option<&Front> {
        Some(&self.front)
    }

    fn account(&self) -> Account {
        let mut account = Account::new(AccountName::new("acme-x"), "x");
        account.server = Some(self.front.url().to_owned());
        account
    }

    fn tokens(&self) -> Option<&Tokens> {
        Some(&self.tokens)
    }

    async fn posts(&self) -> Vec<FakePost> {
        let world = held(&self.world);
        let post = |post: &Held| FakePost {
            id: post.id.clone(),
            text: post.body["text"].as_str().unwrap_or_default().to_owned(),
            parent: post.body["reply"]["in_reply_to_tweet_id"].as_str().map(str::to_owned),
            alts: files(&post.body)
                .map(|id| world.uploads.get(id).map_or_else(String::new, |upload| upload.alt.clone()))
                .collect(),
            key: None,
        };
        world.posts.iter().map(post).collect()
    }

    fn publish_call(&self) -> Option<(&'static str, &'static str)> {
        Some(("POST", "/2/tweets"))
    }
}

fn held(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

fn files(body: &Value) -> impl Iterator<Item = &str> {
    body["media"]["media_ids"].as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn problem(status: u16, title: &str, detail: &str) -> Response {
    let code = StatusCode::from_u16(status).expect("a status code");
    (code, Json(json!({"title": title, "detail": detail, "type": "about:blank", "status": status}))).into_response()
}

fn invalid(detail: &str) -> Response {
    problem(400, "Invalid Request", detail)
}

fn allowed(world: &World, headers: &HeaderMap) -> Result<(), Response> {
    if world.tokens.allow(headers) { Ok(()) } else { Err(problem(401, "Unauthorized", "Unauthorized")) }
}

async fn me(State(world): Shared, headers: HeaderMap) -> Answered {
    let world = held(&world);
    allowed(&world, &headers)?;
    Ok(Json(json!({"data": {"id": world.user, "name": "Acme", "username": "acme"}})))
}

async fn create(State(world): Shared, headers: HeaderMap, Json(body): Json<Value>) -> Result<Response, Response> {
    let mut world = held(&world);
    allowed(&world, &headers)?;
    world.valid(&body)?;
    let id = world.id();
    let answer = json!({"data": {"id": id, "text": body["text"], "edit_history_post_ids": [id]}});
    world.posts.push(Held { id, body, at: DateTime::from(std::time::SystemTime::now()) });
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

async fn one(State(world): Shared, headers: HeaderMap, Path(id): Path<String>) -> Answered {
    let world = held(&world);
    allowed(&world, &headers)?;
    let found = world.posts.iter().find(|post| post.id == id);
    found
        .map(|post| Json(json!({"data": world.view(post)})))
        .ok_or_else(|| problem(404, "Not Found Error", "Not found"))
}

async fn remove(State(world): Shared, headers: HeaderMap, Path(id): Path<String>) -> Answered {
    let mut world = held(&world);
    allowed(&world, &headers)?;
    let before = world.posts.len();
    world.posts.retain(|post| post.id != id);
    if world.posts.len() == before {
        return Err(problem(404, "Not Found Error", "Not found"));
    }
    Ok(Json(json!({"data": {"deleted": true}})))
}

async fn timeline(State(world): Shared, headers: HeaderMap, Path(id): Path<String>, Query(query): Asked) -> Answered {
    let world = held(&world);
    allowed(&world, &headers)?;
    if id != world.user {
        return Err(problem(404, "Not Found Error", "Not found"));
    }
    let number = |name: &str| query.get(name).and_then(|value| value.parse::<usize>().ok());
    let since = query.get("start_time").and_then(|at| at.parse::<DateTime<Utc>>().ok());
    let fitting: Vec<_> = world.posts.iter().rev().filter(|post| since.is_none_or(|since| post.at >= since)).collect();
    let (skip, take) = (number("pagination_token").unwrap_or(0), number("max_results").unwrap_or(10).clamp(5, 100));
    let page: Vec<_> = fitting.iter().skip(skip).take(take).map(|post| world.view(post)).collect();
    let mut answer = json!({"meta": {"result_count": page.len()}});
    if skip + page.len() < fitting.len() {
        answer["meta"]["next_token"] = json!((skip + page.len()).to_string());
    }
    if !page.is_empty() {
        answer["data"] = json!(page);
    }
    Ok(Json(answer))
}

async fn search(State(world): Shared, headers: HeaderMap, Query(query): Asked) -> Answered {
    let world = held(&world);
    allowed(&world, &headers)?;
    let asked = query.get("query").and_then(|query| query.strip_prefix("in_reply_to_tweet_id:")).unwrap_or_default();
    let found: Vec<_> = world
        .posts
        .iter()
        .rev()
        .filter(|post| post.body["reply"]["in_reply_to_tweet_id"] == asked)
        .map(|post| world.view(post))
        .collect();
    let users = json!({"users": [{"id": world.user, "username": "acme"}]});
    Ok(Json(json!({"data": found, "includes": users, "meta": {"result_count": found.len()}})))
}

async fn initialize(State(world): Shared, headers: HeaderMap, Json(body): Json<Value>) -> Answered {
    let mut world = held(&world);
    allowed(&world, &headers)?;
    let category = body["media_category"].as_str().unwrap_or_default();
    let (Some(total), Some(_)) = (body["total_bytes"].as_u64(), body["media_type"].as_str()) else {
        return Err(invalid("total_bytes and media_type are required"));
    };
    let id = world.id();
    world.uploads.insert(id.clone(), Upload { film: category == "tweet_video", total, ..Upload::default() });
    Ok(Json(json!({"data": {"id": id, "media_key": format!("3_{id}"), "expires_after_secs": 86_400}})))
}

async fn append(State(world): Shared, headers: HeaderMap, Path(id): Path<String>, mut form: Multipart) -> Answered {
    allowed(&held(&world), &headers)?;
    let (mut segment, mut bytes) = (None, Vec::new());
    while let Ok(Some(field)) = form.next_field().await {
        match field.name() {
            Some("segment_index") => segment = field.text().await.unwrap_or_default().parse::<u64>().ok(),
            Some("media") => bytes = field.bytes().await.map(|bytes| bytes.to_vec()).unwrap_or_default(),
            _ => {}
        }
    }
    let mut world = held(&world);
    let upload = world.uploads.get_mut(&id).ok_or_else(|| invalid("unknown media id"))?;
    let Some(segment) = segment.filter(|segment| *segment < 1000 && !bytes.is_empty() && !upload.ended) else {
        return Err(invalid("segment_index or media is wrong"));
    };
    upload.segments.insert(segment, bytes);
    Ok(Json(json!({"data": {"expires_at": 1_800_000_000}})))
}

async fn finalize(State(world): Shared, headers: HeaderMap, Path(id): Path<String>) -> Answered {
    let mut world = held(&world);
    allowed(&world, &headers)?;
    let upload = world.uploads.get_mut(&id).ok_or_else(|| invalid("unknown media id"))?;
    let sum: u64 = upload.segments.values().map(|bytes| bytes.len() as u64).sum();
    if upload.ended || sum != upload.total {
        return Err(invalid("Segments do not add up to provided total file size."));
    }
    upload.ended = true;
    upload.looks = u32::from(upload.film);
    Ok(Json(json!({"data": told(&id, upload)})))
}

async fn status(State(world): Shared, headers: HeaderMap, Query(query): Asked) -> Answered {
    let mut world = held(&world);
    allowed(&world, &headers)?;
    let id = query.get("media_id").cloned().unwrap_or_default();
    let upload = world.uploads.get_mut(&id).filter(|upload| upload.ended).ok_or_else(|| invalid("unknown media id"))?;
    let answer = told(&id, upload);
    upload.looks = upload.looks.saturating_sub(1);
    Ok(Json(json!({"data": answer})))
}

fn told(id: &str, upload: &Upload) -> Value {
    let mut told = json!({"id": id, "media_key": format!("3_{id}"), "size": upload.total});
    if upload.film {
        told["processing_info"] = match upload.looks {
            0 => json!({"state": "succeeded", "progress_percent": 100}),
            _ => json!({"state": "in_progress", "check_after_secs": 0, "progress_percent": 5}),
        };
    }
    told
}

async fn metadata(State(world): Shared, headers: HeaderMap, Json(body): Json<Value>) -> Answered {
    let mut world = held(&world);
    allowed(&world, &headers)?;
    let id = body["id"].as_str().unwrap_or_default();
    let alt = body["metadata"]["alt_text"]["text"].as_str().unwrap_or_default().to_owned();
    let upload = world.uploads.get_mut(id).ok_or_else(|| invalid("unknown media id"))?;
    upload.alt = alt;
    Ok(Json(json!({"data": {"id": id, "associated_metadata": body["metadata"]}})))
}

impl World {
    fn id(&mut self) -> String {
        self.next += 1;
        self.next.to_string()
    }

    fn valid(&self, body: &Value) -> Result<(), Response> {
        let text = body["text"].as_str().unwrap_or_default();
        if let Some(key) =
            body.as_object().into_iter().flatten().map(|(key, _)| key).find(|key| !KEYS.contains(&key.as_str()))
        {
            return Err(invalid(&format!("The `{key}` parameter is unknown")));
        }
        if text.is_empty() && files(body).next().is_none() {
            return Err(invalid("One of text or media is required"));
        }
        if weighted_length(text, true) > 280 {
            return Err(invalid("Your Tweet text is too long. For more information, see the counting of characters."));
        }
        if files(body).count() > 4 {
            return Err(invalid("The number of media ids must be at most 4"));
        }
        if files(body).any(|id| self.uploads.get(id).is_none_or(|upload| !upload.ended || upload.looks > 0)) {
            return Err(invalid("Your media IDs are invalid."));
        }
        let parent = body["reply"]["in_reply_to_tweet_id"].as_str();
        if parent.is_some_and(|id| !self.posts.iter().any(|post| post.id == id)) {
            return Err(problem(
                403,
                "Forbidden",
                "You attempted to reply to a Tweet that is deleted or not visible to you.",
            ));
        }
        let plain = files(body).next().is_none();
        if plain && self.posts.iter().any(|post| post.body["text"] == text && files(&post.body).next().is_none()) {
            return Err(problem(403, "Forbidden", "You are not allowed to create a Tweet with duplicate content."));
        }
        Ok(())
    }

    /// A post as X gives it back: links shortened, HTML's three characters escaped, a link for its files.
    fn view(&self, post: &Held) -> Value {
        let text = post.body["text"].as_str().unwrap_or_default();
        let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let (mut shown, mut urls, mut at) = (String::new(), Vec::new(), 0);
        let mut shorten = |shown: &mut String, long: &str, key: Option<String>| {
            let short = format!("https://t.co/{}x{}", post.id, urls.len());
            let start = shown.encode_utf16().count();
            shown.push_str(&short);
            let mut url = json!({"start": start, "end": start + short.len(), "url": short, "expanded_url": long});
            if let Some(key) = key {
                url["media_key"] = json!(key);
            }
            urls.push(url);
        };
        for (start, end) in shortened_links(text) {
            shown.push_str(&escaped(&text[at..start]));
            let written = &text[start..end];
            let long = if written.contains("://") { written.to_owned() } else { format!("http://{written}") };
            shorten(&mut shown, &long, None);
            at = end;
        }
        shown.push_str(&escaped(&text[at..]));
        let keys: Vec<_> = files(&post.body).map(|id| format!("3_{id}")).collect();
        if let Some(key) = keys.first() {
            shown.push(' ');
            shorten(&mut shown, &format!("https://x.com/acme/status/{}/photo/1", post.id), Some(key.clone()));
        }
        let answers = self.posts.iter().filter(|other| other.body["reply"]["in_reply_to_tweet_id"] == post.id.as_str());
        let mut view = json!({
            "id": post.id,
            "text": shown,
            "author_id": self.user,
            "created_at": post.at.to_rfc3339_opts(SecondsFormat::Millis, true),
            "public_metrics": {
                "repost_count": 0, "reply_count": answers.count(), "like_count": 0, "quote_count": 0,
                "bookmark_count": 0, "impression_count": 0,
            },
        });
        if !urls.is_empty() {
            view["entities"] = json!({"urls": urls});
        }
        if !keys.is_empty() {
            view["attachments"] = json!({"media_keys": keys});
        }
        if post.body["poll"].is_object() {
            view["attachments"]["poll_ids"] = json!([post.id]);
        }
        if let Some(parent) = post.body["reply"]["in_reply_to_tweet_id"].as_str() {
            view["referenced_tweets"] = json!([{"type": "replied_to", "id": parent}]);
        }
        view
    }
}
