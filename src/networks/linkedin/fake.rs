//! A stand-in for `LinkedIn`, made after its documentation and what clients of it tell.

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
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::adapter::suite::{Fake, FakePost, Front, PICTURE, Tokens, number};
use crate::model::{Account, AccountName};
use crate::text::from_little;

use super::profile::PART;

/// A stand-in for `LinkedIn`.
pub(super) struct Service {
    front: Front,
    tokens: Tokens,
    author: Option<String>,
    world: Arc<Mutex<World>>,
}

/// What it holds.
struct World {
    tokens: Tokens,
    member: String,
    organization: String,
    next: u64,
    /// Pictures that have arrived.
    images: BTreeMap<String, usize>,
    videos: BTreeMap<String, Video>,
    documents: BTreeMap<String, Document>,
    posts: Vec<Held>,
}

#[derive(Default)]
struct Video {
    total: u64,
    parts: BTreeMap<usize, Bytes>,
    ended: bool,
    /// How many more looks find it unready.
    looks: u32,
}

#[derive(Default)]
struct Document {
    bytes: Bytes,
    /// How many more looks find it unready.
    looks: u32,
}

struct Held {
    urn: String,
    body: Value,
    at: DateTime<Utc>,
}

type Shared = State<Arc<Mutex<World>>>;
type Answered = Result<Json<Value>, Response>;
type Asked = Query<BTreeMap<String, String>>;

impl Service {
    /// Starts one, with a member's account or an organization's.
    pub(super) async fn start(member: bool) -> Self {
        let tokens = Tokens::default();
        let who = number();
        let world = Arc::new(Mutex::new(World {
            tokens: tokens.clone(),
            member: format!("A-{who}"),
            organization: format!("urn:li:organization:{}", 5_515_715 + who),
            next: 0,
            images: BTreeMap::new(),
            videos: BTreeMap::new(),
            documents: BTreeMap::new(),
            posts: Vec::new(),
        }));
        let router = Router::new()
            .route("/v2/userinfo", get(userinfo))
            .route("/rest/posts", post(create).get(list))
            .route("/rest/posts/{urn}", axum::routing::delete(remove))
            .route("/rest/images", post(images))
            .route("/rest/videos", post(videos))
            .route("/rest/videos/{urn}", get(video))
            .route("/rest/documents", post(documents))
            .route("/rest/documents/{urn}", get(document))
            .route("/rest/organizationalEntityShareStatistics", get(statistics))
            .route("/rest/socialActions/{urn}/comments", get(comments))
            .route("/dms-images/{id}", put(image_bytes))
            .route("/dms-documents/{id}", put(document_bytes))
            .route("/dms/{id}/{part}", put(video_bytes))
            .route("/page", get(page))
            .route("/shot.png", get(|| async { ([(header::CONTENT_TYPE, "image/png")], PICTURE) }))
            .with_state(Arc::clone(&world));
        let front = Front::serve(router).await;
        let author = (!member).then(|| held(&world).organization.clone());
        Self { front, tokens, author, world }
    }

    /// The bytes of a document.
    #[cfg(test)]
    pub(super) fn document(&self, urn: &str) -> Vec<u8> {
        held(&self.world).documents.get(urn).map(|document| document.bytes.to_vec()).unwrap_or_default()
    }

    /// The bytes of a video, in order.
    #[cfg(test)]
    pub(super) fn film(&self, urn: &str) -> Vec<u8> {
        held(&self.world)
            .videos
            .get(urn)
            .map(|video| video.parts.values().flatten().copied().collect())
            .unwrap_or_default()
    }
}

#[async_trait]
impl Fake for Service {
    fn front(&self) -> Option<&Front> {
        Some(&self.front)
    }

    fn account(&self) -> Account {
        let mut account = Account::new(AccountName::new("page"), "linkedin");
        account.server = Some(self.front.url().to_owned());
        if let Some(author) = &self.author {
            account.settings.insert("author".to_owned(), json!(author));
        }
        account
    }

    fn tokens(&self) -> Option<&Tokens> {
        Some(&self.tokens)
    }

    async fn posts(&self) -> Vec<FakePost> {
        let world = held(&self.world);
        let post = |post: &Held| {
            let content = &post.body["content"];
            let images = content["multiImage"]["images"].as_array().cloned().unwrap_or_default();
            let files = images.into_iter().chain(content["media"].is_object().then(|| content["media"].clone()));
            // What is said of a document is its title.
            let said = |file: Value| file["altText"].as_str().or(file["title"].as_str()).unwrap_or_default().to_owned();
            FakePost {
                id: post.urn.clone(),
                text: from_little(post.body["commentary"].as_str().unwrap_or_default()),
                parent: None,
                alts: files.map(said).collect(),
                key: None,
            }
        };
        world.posts.iter().map(post).collect()
    }

    fn publish_call(&self) -> Option<(&'static str, &'static str)> {
        Some(("POST", "/rest/posts"))
    }
}

fn held(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The address at which this was asked, as addresses for uploads begin.
fn asked(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    format!("http://{host}")
}

fn error(status: u16, code: &str, message: &str) -> Response {
    let told = StatusCode::from_u16(status).expect("a status code");
    (told, Json(json!({"status": status, "code": code, "message": message}))).into_response()
}

fn allowed(world: &World, headers: &HeaderMap) -> Result<(), Response> {
    if world.tokens.allow(headers) { Ok(()) } else { Err(error(401, "INVALID_ACCESS_TOKEN", "Invalid access token")) }
}

/// Who calls, with what every versioned call needs.
fn versioned(world: &World, headers: &HeaderMap) -> Result<(), Response> {
    allowed(world, headers)?;
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if header("linkedin-version").len() != 6 || header("x-restli-protocol-version") != "2.0.0" {
        return Err(error(400, "VERSION_MISSING", "A version must be present. Please specify a version"));
    }
    Ok(())
}

/// What the documentation asks for where the verb does not tell it all.
fn method(headers: &HeaderMap, wanted: &str) -> Result<(), Response> {
    let named = headers.get("x-restli-method").is_some_and(|method| method == wanted);
    if named { Ok(()) } else { Err(error(400, "INVALID", "X-RestLi-Method is missing")) }
}

async fn userinfo(State(world): Shared, headers: HeaderMap) -> Answered {
    let world = held(&world);
    allowed(&world, &headers)?;
    Ok(Json(json!({"sub": world.member, "name": "Ada Acme", "locale": "en-US"})))
}

async fn create(State(world): Shared, headers: HeaderMap, Json(body): Json<Value>) -> Result<Response, Response> {
    let mut world = held(&world);
    versioned(&world, &headers)?;
    world.valid(&body)?;
    let now: DateTime<Utc> = DateTime::from(std::time::SystemTime::now());
    world.next += 1;
    let number = (u64::try_from(now.timestamp_millis()).unwrap_or(0) << 22) + world.next;
    let urn = format!("urn:li:share:{number}");
    world.posts.push(Held { urn: urn.clone(), body, at: now });
    // LinkedIn's body is empty; with this one there is something to be cut.
    Ok((StatusCode::CREATED, [("x-restli-id", urn.clone())], Json(json!({"id": urn}))).into_response())
}

async fn list(State(world): Shared, headers: HeaderMap, Query(query): Asked) -> Answered {
    let world = held(&world);
    versioned(&world, &headers)?;
    method(&headers, "FINDER")?;
    let author = query.get("author").map_or("", String::as_str);
    if query.get("q").map(String::as_str) != Some("author") || author != world.organization {
        return Err(error(403, "ACCESS_DENIED", "Not enough permissions to access: partnerApiPosts.FINDER-author"));
    }
    let posts = world.posts.iter().rev().map(|post| {
        json!({
            "id": post.urn,
            "author": post.body["author"],
            "commentary": post.body["commentary"],
            "content": post.body["content"],
            "createdAt": post.at.timestamp_millis(),
            "lifecycleState": "PUBLISHED",
        })
    });
    let posts: Vec<Value> = posts.collect();
    Ok(Json(json!({"paging": {"start": 0, "count": posts.len()}, "elements": posts})))
}

async fn remove(State(world): Shared, headers: HeaderMap, Path(urn): Path<String>) -> Result<Response, Response> {
    let mut world = held(&world);
    versioned(&world, &headers)?;
    method(&headers, "DELETE")?;
    let before = world.posts.len();
    world.posts.retain(|post| post.urn != urn);
    if world.posts.len() == before {
        return Err(error(404, "NOT_FOUND", "Post not found"));
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn images(State(world): Shared, headers: HeaderMap, Query(query): Asked, Json(body): Json<Value>) -> Answered {
    let mut world = held(&world);
    versioned(&world, &headers)?;
    begins(&world, &query, &body)?;
    world.next += 1;
    let id = format!("C{}", world.next);
    Ok(Json(
        json!({"value": {"uploadUrl": format!("{}/dms-images/{id}", asked(&headers)), "image": format!("urn:li:image:{id}")}}),
    ))
}

async fn image_bytes(
    State(world): Shared,
    headers: HeaderMap,
    Path(id): Path<String>,
    bytes: Bytes,
) -> Result<Response, Response> {
    let mut world = held(&world);
    allowed(&world, &headers)?;
    world.images.insert(format!("urn:li:image:{id}"), bytes.len());
    Ok(StatusCode::CREATED.into_response())
}

async fn videos(
    State(world): Shared,
    headers: HeaderMap,
    Query(query): Asked,
    Json(body): Json<Value>,
) -> Result<Response, Response> {
    let mut world = held(&world);
    versioned(&world, &headers)?;
    match query.get("action").map_or("", String::as_str) {
        "initializeUpload" => {
            let request = &body["initializeUploadRequest"];
            let Some(total) = request["fileSizeBytes"]
                .as_u64()
                .filter(|_| world.is_author(request["owner"].as_str().unwrap_or_default()))
            else {
                return Err(error(400, "INVALID", "owner or fileSizeBytes is wrong"));
            };
            world.next += 1;
            let id = format!("C{}", world.next);
            let instructions: Vec<_> = (0..total.div_ceil(PART))
                .map(|part| {
                    json!({
                        "uploadUrl": format!("{}/dms/{id}/{part}", asked(&headers)),
                        "firstByte": part * PART,
                        "lastByte": ((part + 1) * PART).min(total) - 1,
                    })
                })
                .collect();
            let urn = format!("urn:li:video:{id}");
            world.videos.insert(urn.clone(), Video { total, ..Video::default() });
            let value = json!({"video": urn, "uploadToken": "", "uploadInstructions": instructions});
            Ok(Json(json!({"value": value})).into_response())
        }
        "finalizeUpload" => {
            let request = &body["finalizeUploadRequest"];
            let video = world.videos.get_mut(request["video"].as_str().unwrap_or_default());
            let video = video.ok_or_else(|| error(404, "NOT_FOUND", "no such video"))?;
            let named: Vec<_> =
                request["uploadedPartIds"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            let there: Vec<_> = video.parts.keys().map(|part| format!("etag-{part}")).collect();
            let sum: usize = video.parts.values().map(Bytes::len).sum();
            if video.ended || named != there || sum as u64 != video.total {
                return Err(error(400, "INVALID", "the parts are not those of the video"));
            }
            (video.ended, video.looks) = (true, 1);
            Ok(StatusCode::OK.into_response())
        }
        _ => Err(error(400, "INVALID", "no such action")),
    }
}

async fn video_bytes(
    State(world): Shared,
    Path((id, part)): Path<(String, usize)>,
    bytes: Bytes,
) -> Result<Response, Response> {
    let mut world = held(&world);
    let video =
        world.videos.get_mut(&format!("urn:li:video:{id}")).ok_or_else(|| error(404, "NOT_FOUND", "no such upload"))?;
    video.parts.insert(part, bytes);
    Ok((StatusCode::OK, [(header::ETAG, format!("\"etag-{part}\""))]).into_response())
}

async fn video(State(world): Shared, headers: HeaderMap, Path(urn): Path<String>) -> Answered {
    let mut world = held(&world);
    versioned(&world, &headers)?;
    let video = world.videos.get_mut(&urn).ok_or_else(|| error(404, "NOT_FOUND", "no such video"))?;
    let status = match (video.ended, video.looks) {
        (false, _) => "WAITING_UPLOAD",
        (true, 0) => "AVAILABLE",
        (true, _) => "PROCESSING",
    };
    video.looks = video.looks.saturating_sub(1);
    Ok(Json(json!({"id": urn, "status": status})))
}

async fn documents(State(world): Shared, headers: HeaderMap, Query(query): Asked, Json(body): Json<Value>) -> Answered {
    let mut world = held(&world);
    versioned(&world, &headers)?;
    begins(&world, &query, &body)?;
    world.next += 1;
    let id = format!("D{}", world.next);
    world.documents.insert(format!("urn:li:document:{id}"), Document::default());
    Ok(Json(json!({"value": {
        "uploadUrlExpiresAt": 1_800_000_000_000_i64,
        "uploadUrl": format!("{}/dms-documents/{id}", asked(&headers)),
        "document": format!("urn:li:document:{id}"),
    }})))
}

async fn document_bytes(
    State(world): Shared,
    headers: HeaderMap,
    Path(id): Path<String>,
    bytes: Bytes,
) -> Result<Response, Response> {
    let mut world = held(&world);
    allowed(&world, &headers)?;
    let document = world.documents.get_mut(&format!("urn:li:document:{id}"));
    let document = document.ok_or_else(|| error(404, "NOT_FOUND", "no such upload"))?;
    *document = Document { bytes, looks: 1 };
    Ok(StatusCode::CREATED.into_response())
}

async fn document(State(world): Shared, headers: HeaderMap, Path(urn): Path<String>) -> Answered {
    let mut world = held(&world);
    versioned(&world, &headers)?;
    let owner = world.organization.clone();
    let document = world.documents.get_mut(&urn).ok_or_else(|| error(404, "NOT_FOUND", "no such document"))?;
    let status = match (document.bytes.is_empty(), document.looks) {
        (true, _) => "WAITING_UPLOAD",
        (false, 0) => "AVAILABLE",
        (false, _) => "PROCESSING",
    };
    document.looks = document.looks.saturating_sub(1);
    Ok(Json(json!({"id": urn, "owner": owner, "status": status})))
}

async fn statistics(State(world): Shared, headers: HeaderMap) -> Answered {
    versioned(&held(&world), &headers)?;
    let totals = json!({"likeCount": 3, "shareCount": 1, "commentCount": 1, "impressionCount": 40, "engagement": 0.1});
    Ok(Json(json!({"elements": [{"totalShareStatistics": totals}]})))
}

async fn comments(State(world): Shared, headers: HeaderMap) -> Answered {
    versioned(&held(&world), &headers)?;
    let comment = json!({"actor": "urn:li:person:b", "id": "1", "message": {"text": "Well done (all of you)"}, "created": {"time": 1_771_171_249_000_i64}});
    Ok(Json(json!({"elements": [comment]})))
}

async fn page() -> Response {
    let html = r#"<title>Acme 2.0</title><meta name="description" content="It is out"><meta property="og:image" content="/shot.png">"#;
    ([(header::CONTENT_TYPE, "text/html")], html).into_response()
}

/// The first call of an upload, for an owner who may post.
fn begins(world: &World, query: &BTreeMap<String, String>, body: &Value) -> Result<(), Response> {
    let owner = body["initializeUploadRequest"]["owner"].as_str().unwrap_or_default();
    if query.get("action").map(String::as_str) != Some("initializeUpload") || !world.is_author(owner) {
        return Err(error(400, "INVALID", "owner is wrong"));
    }
    Ok(())
}

impl World {
    fn is_author(&self, urn: &str) -> bool {
        urn == self.organization || urn.strip_prefix("urn:li:person:") == Some(&self.member)
    }

    fn valid(&self, body: &Value) -> Result<(), Response> {
        let commentary = body["commentary"].as_str().unwrap_or_default();
        let content = &body["content"];
        if !self.is_author(body["author"].as_str().unwrap_or_default()) {
            return Err(error(403, "ACCESS_DENIED", "Field Value validation failed: /author"));
        }
        if body["visibility"] != "PUBLIC" || body["lifecycleState"] != "PUBLISHED" || !body["distribution"].is_object()
        {
            return Err(error(422, "INVALID", "a field is required but not found"));
        }
        if commentary.is_empty() && content.is_null() {
            return Err(error(422, "INVALID", "commentary is required"));
        }
        if commentary.encode_utf16().count() > 3000 {
            return Err(error(422, "INVALID", "commentary exceeds the maximum length of 3000"));
        }
        let images = content["multiImage"]["images"].as_array();
        if images.is_some_and(|images| !(2..=20).contains(&images.len())) {
            return Err(error(400, "INVALID", "a multiImage has 2 to 20 images"));
        }
        let files = images.into_iter().flatten().chain(content["media"].is_object().then_some(&content["media"]));
        for urn in files.filter_map(|file| file["id"].as_str()) {
            let ready = self.images.contains_key(urn)
                || self.documents.get(urn).is_some_and(|document| !document.bytes.is_empty() && document.looks == 0)
                || self.videos.get(urn).is_some_and(|video| video.ended && video.looks == 0);
            if !ready {
                return Err(error(400, "MEDIA_ASSET_WAITING_UPLOAD", "the asset has not been uploaded"));
            }
        }
        let named = content["media"]["id"].as_str().is_some_and(|urn| urn.starts_with("urn:li:document:"));
        if named && content["media"]["title"].as_str().is_none_or(str::is_empty) {
            return Err(error(422, "MISSING_FIELD", "a document has a title"));
        }
        let same = |post: &&Held| {
            post.body["commentary"] == commentary
                && post.body["author"] == body["author"]
                && post.body["content"].is_null()
        };
        if let Some(first) = self.posts.iter().find(same).filter(|_| content.is_null()) {
            return Err(error(422, "DUPLICATE_POST", &format!("Content is a duplicate of {}", first.urn)));
        }
        Ok(())
    }
}
