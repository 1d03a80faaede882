//! A stand-in for a PDS. It answers as the official PDS 0.5 was seen to answer on 2026-11-22.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::adapter::suite::{Fake, FakePost, Front, PICTURE, number};
use crate::model::{Account, AccountName};
use crate::text::{Counting, MentionWeight, Unit, measure};

use super::key::is_tid;
use super::wire::{POSTS, at_uri};

/// Its only account's handle: the same on all of them, as a handle may go from one person to another.
pub(super) const HANDLE: &str = "acme.test";

/// A stand-in for a PDS.
pub(super) struct Pds {
    front: Front,
    world: Arc<Mutex<World>>,
}

/// What it holds.
struct World {
    /// Its only account.
    did: String,
    password: String,
    /// Rises with each token and each new password.
    count: u32,
    access: BTreeSet<String>,
    expired: BTreeSet<String>,
    refresh: BTreeSet<String>,
    blobs: BTreeMap<String, (usize, String)>,
    /// Key → record, hash, number in order of arrival.
    records: BTreeMap<String, (Value, String, usize)>,
    arrived: usize,
    video: Video,
}

/// The one video that the video service has.
#[derive(Default)]
struct Video {
    total: u64,
    parts: BTreeMap<u64, Bytes>,
    /// How many more looks find it unready, once it has ended.
    looks: Option<u32>,
}

/// Bytes of its parts.
const PART: u64 = 5 * 1024 * 1024;

type Shared = State<Arc<Mutex<World>>>;
type Answered = Result<Json<Value>, No>;

/// An error of the server's.
struct No {
    status: u16,
    error: &'static str,
    message: String,
}

impl IntoResponse for No {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).expect("a status code");
        (status, Json(json!({"error": self.error, "message": self.message}))).into_response()
    }
}

impl Pds {
    /// Starts one.
    pub(super) async fn start() -> Self {
        let world = Arc::new(Mutex::new(World {
            did: did(number()),
            password: "app-pass-word-0".to_owned(),
            count: 0,
            access: BTreeSet::new(),
            expired: BTreeSet::new(),
            refresh: BTreeSet::new(),
            blobs: BTreeMap::new(),
            records: BTreeMap::new(),
            arrived: 0,
            video: Video::default(),
        }));
        let router = Router::new()
            .route("/xrpc/com.atproto.server.createSession", post(create_session))
            .route("/xrpc/com.atproto.server.refreshSession", post(refresh_session))
            .route("/xrpc/com.atproto.server.getSession", get(get_session))
            .route("/xrpc/com.atproto.server.describeServer", get(describe_server))
            .route("/xrpc/com.atproto.identity.resolveHandle", get(resolve_handle))
            .route("/xrpc/com.atproto.repo.uploadBlob", post(upload_blob))
            .route("/xrpc/com.atproto.server.getServiceAuth", get(service_auth))
            .route("/xrpc/app.bsky.video.startUpload", post(start_upload))
            .route("/xrpc/app.bsky.video.uploadPart", post(upload_part))
            .route("/xrpc/app.bsky.video.finishUpload", post(finish_upload))
            .route("/xrpc/app.bsky.video.getJobStatus", get(job_status))
            .route("/xrpc/com.atproto.repo.putRecord", post(put_record))
            .route("/xrpc/com.atproto.repo.createRecord", post(create_record))
            .route("/xrpc/com.atproto.repo.deleteRecord", post(delete_record))
            .route("/xrpc/com.atproto.repo.getRecord", get(get_record))
            .route("/xrpc/app.bsky.feed.getPosts", get(get_posts))
            .route("/xrpc/app.bsky.feed.getPostThread", get(get_thread))
            .route("/page", get(page))
            .route("/shot.png", get(async || ([(header::CONTENT_TYPE, "image/png")], PICTURE)))
            .with_state(Arc::clone(&world));
        Self { front: Front::serve(router).await, world }
    }

    /// Its account.
    #[cfg(test)]
    pub(super) fn did(&self) -> String {
        held(&self.world).did.clone()
    }

    /// The bytes of the video service's video, in order.
    #[cfg(test)]
    pub(super) fn film(&self) -> Vec<u8> {
        held(&self.world).video.parts.values().flatten().copied().collect()
    }

    /// The record under a key.
    #[cfg(test)]
    pub(super) fn record(&self, key: &str) -> Option<Value> {
        held(&self.world).records.get(key).map(|(record, _, _)| record.clone())
    }
}

#[async_trait]
impl Fake for Pds {
    fn front(&self) -> Option<&Front> {
        Some(&self.front)
    }

    fn account(&self) -> Account {
        let mut account = Account::new(AccountName::new("bsky"), "bluesky");
        account.server = Some(self.front.url().to_owned());
        account.settings.insert("handle".to_owned(), json!(HANDLE));
        account
    }

    fn secrets(&self) -> BTreeMap<&'static str, String> {
        BTreeMap::from([("password", held(&self.world).password.clone())])
    }

    async fn posts(&self) -> Vec<FakePost> {
        let world = held(&self.world);
        let mut records: Vec<_> = world.records.iter().collect();
        records.sort_by_key(|(_, (_, _, arrived))| *arrived);
        records
            .into_iter()
            .map(|(key, (record, _, _))| {
                let text = |pointer: &str| record.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
                let embed = record.pointer("/embed/media").or_else(|| record.get("embed"));
                let images = embed.and_then(|embed| embed.get("images")).and_then(Value::as_array);
                FakePost {
                    id: at_uri(&world.did, key),
                    text: text("/text").unwrap_or_default(),
                    parent: text("/reply/parent/uri"),
                    alts: images
                        .into_iter()
                        .flatten()
                        .filter_map(|image| image.get("alt")?.as_str().map(str::to_owned))
                        .collect(),
                    key: Some(key.clone()),
                }
            })
            .collect()
    }

    fn publish_call(&self) -> Option<(&'static str, &'static str)> {
        Some(("POST", "/xrpc/com.atproto.repo.putRecord"))
    }

    fn change_secret(&self) {
        let mut world = held(&self.world);
        world.count += 1;
        world.password = format!("app-pass-word-{}", world.count);
        world.access.clear();
        world.expired.clear();
        world.refresh.clear();
    }

    fn end_session(&self) -> bool {
        let mut world = held(&self.world);
        let ended = std::mem::take(&mut world.access);
        world.expired.extend(ended);
        true
    }
}

/// The DID with this number: 24 letters, as the method `plc` has them.
fn did(number: u32) -> String {
    let letters = (0..10).rev().map(|place| char::from(b"abcdefgh"[(number >> (3 * place) & 7) as usize]));
    format!("did:plc:smmfakeaccount{}", letters.collect::<String>())
}

fn held(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

fn error(status: u16, error: &'static str, message: &str) -> No {
    No { status, error, message: message.to_owned() }
}

fn token(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

/// The official server answers 400 here, not 401.
fn allowed(world: &World, headers: &HeaderMap) -> Result<(), No> {
    match token(headers) {
        None => Err(error(401, "AuthMissing", "Authentication Required")),
        Some(token) if world.access.contains(token) => Ok(()),
        Some(token) if world.expired.contains(token) => Err(error(400, "ExpiredToken", "Token has expired")),
        Some(_) => Err(error(400, "InvalidToken", "Token could not be verified")),
    }
}

fn session(world: &mut World) -> Value {
    world.count += 1;
    let (access, refresh) = (format!("access-token-{}", world.count), format!("refresh-token-{}", world.count));
    world.access.insert(access.clone());
    world.refresh.insert(refresh.clone());
    // One signs in at a server that stands before the one that keeps the account.
    let keeper =
        json!({"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": "https://keeper.test"});
    json!({
        "accessJwt": access, "refreshJwt": refresh, "did": world.did, "handle": HANDLE, "active": true,
        "didDoc": {"id": world.did, "service": [keeper]},
    })
}

async fn create_session(State(world): Shared, Json(body): Json<Value>) -> Answered {
    let mut world = held(&world);
    let known = [HANDLE, &*world.did].contains(&body["identifier"].as_str().unwrap_or_default());
    if !known || body["password"].as_str() != Some(&world.password) {
        return Err(error(401, "AuthenticationRequired", "Invalid identifier or password"));
    }
    Ok(Json(session(&mut world)))
}

async fn refresh_session(State(world): Shared, headers: HeaderMap) -> Answered {
    let mut world = held(&world);
    match token(&headers) {
        // A used refresh token keeps working for a while.
        Some(token) if world.refresh.contains(token) => Ok(Json(session(&mut world))),
        _ => Err(error(400, "ExpiredToken", "Token has been revoked")),
    }
}

async fn get_session(State(world): Shared, headers: HeaderMap) -> Answered {
    let world = held(&world);
    allowed(&world, &headers)?;
    Ok(Json(json!({"did": world.did, "handle": HANDLE, "active": true})))
}

async fn describe_server() -> Json<Value> {
    Json(json!({"did": "did:web:localhost", "availableUserDomains": [".test"], "blobUploadLimit": 5_242_880}))
}

async fn resolve_handle(State(world): Shared, Query(query): Query<BTreeMap<String, String>>) -> Answered {
    match query.get("handle").map(String::as_str) {
        Some(HANDLE) => Ok(Json(json!({"did": held(&world).did}))),
        Some("friend.test") => Ok(Json(json!({"did": "did:plc:friend222222222222222222"}))),
        _ => Err(error(400, "InvalidRequest", "Unable to resolve handle")),
    }
}

async fn upload_blob(State(world): Shared, headers: HeaderMap, body: Bytes) -> Answered {
    let mut world = held(&world);
    allowed(&world, &headers)?;
    if body.len() > 5_242_880 {
        return Err(error(413, "PayloadTooLarge", "request entity too large"));
    }
    // What the header says does not count: the server looks at the bytes.
    let mime = if body.starts_with(b"\x89PNG") { "image/png" } else { "application/octet-stream" };
    let cid = hash(&body);
    world.blobs.insert(cid.clone(), (body.len(), mime.to_owned()));
    Ok(Json(json!({"blob": {"$type": "blob", "ref": {"$link": cid}, "mimeType": mime, "size": body.len()}})))
}

async fn service_auth(
    State(world): Shared,
    headers: HeaderMap,
    Query(query): Query<BTreeMap<String, String>>,
) -> Answered {
    allowed(&held(&world), &headers)?;
    let good = query.get("aud").map(String::as_str) == Some("did:web:keeper.test")
        && query.get("lxm").map(String::as_str) == Some("com.atproto.repo.uploadBlob");
    if good { Ok(Json(json!({"token": "service-token"}))) } else { Err(error(400, "InvalidRequest", "aud or lxm")) }
}

/// The video service knows no token of the account's.
fn served(headers: &HeaderMap) -> Result<(), No> {
    if token(headers) == Some("service-token") { Ok(()) } else { Err(error(401, "AuthMissing", "no service token")) }
}

async fn start_upload(State(world): Shared, headers: HeaderMap, Json(body): Json<Value>) -> Answered {
    served(&headers)?;
    let total = body["sizeBytes"].as_u64().filter(|total| *total > 0 && body["mimeType"] == "video/mp4");
    let total = total.ok_or_else(|| error(400, "UnsupportedContentType", "sizeBytes or mimeType"))?;
    held(&world).video = Video { total, ..Video::default() };
    let count = total.div_ceil(PART);
    Ok(Json(json!({"jobId": "job-1", "partSizeBytes": PART, "partCount": count, "expiresAt": "2099-01-01T00:00:00Z"})))
}

async fn upload_part(
    State(world): Shared,
    headers: HeaderMap,
    Query(query): Query<BTreeMap<String, String>>,
    body: Bytes,
) -> Answered {
    served(&headers)?;
    let video = &mut held(&world).video;
    let number = query.get("partNumber").and_then(|number| number.parse::<u64>().ok()).unwrap_or(0);
    let start = number.saturating_sub(1) * PART;
    if query.get("jobId").map(String::as_str) != Some("job-1") || number == 0 || start >= video.total {
        return Err(error(400, "InvalidPartNumber", "no such part"));
    }
    if body.len() as u64 != PART.min(video.total - start) {
        return Err(error(400, "PartSizeMismatch", "not the size of this part"));
    }
    video.parts.insert(number, body.clone());
    Ok(Json(json!({"partNumber": number, "sizeBytes": body.len()})))
}

async fn finish_upload(State(world): Shared, headers: HeaderMap, Json(_): Json<Value>) -> Answered {
    served(&headers)?;
    let video = &mut held(&world).video;
    if video.parts.len() as u64 != video.total.div_ceil(PART) {
        return Err(error(400, "MissingParts", "some parts are missing"));
    }
    video.looks = video.looks.or(Some(1));
    let status = json!({"jobId": "job-2", "did": "did:plc:a", "state": "JOB_STATE_CREATED"});
    Ok(Json(json!({"completedJobId": "job-2", "jobStatus": status})))
}

async fn job_status(State(world): Shared, Query(query): Query<BTreeMap<String, String>>) -> Answered {
    let mut world = held(&world);
    let did = world.did.clone();
    let looks = world.video.looks.filter(|_| query.get("jobId").map(String::as_str) == Some("job-2"));
    let mut status = json!({"jobId": "job-2", "did": did, "state": "JOB_STATE_ENCODING"});
    match looks {
        None => return Err(error(400, "InvalidRequest", "no such job")),
        Some(0) => {
            // Hashing a film takes a build for tests longer than anybody waits.
            let size: usize = world.video.parts.values().map(Bytes::len).sum();
            let cid = hash(&size.to_be_bytes());
            world.blobs.insert(cid.clone(), (size, "video/mp4".to_owned()));
            status["state"] = json!("JOB_STATE_COMPLETED");
            status["blob"] = json!({"$type": "blob", "ref": {"$link": cid}, "mimeType": "video/mp4", "size": size});
        }
        Some(looks) => world.video.looks = Some(looks - 1),
    }
    Ok(Json(json!({"jobStatus": status})))
}

async fn put_record(State(world): Shared, headers: HeaderMap, Json(body): Json<Value>) -> Answered {
    let mut world = held(&world);
    allowed(&world, &headers)?;
    let (key, record) = valid(&world, &body)?;
    if let Some((present, cid, _)) = world.records.get(&key) {
        if *present == record {
            return Ok(Json(json!({"uri": at_uri(&world.did, &key), "cid": cid, "validationStatus": "valid"})));
        }
        if body.get("swapRecord").is_some_and(Value::is_null) {
            return Err(error(400, "InvalidSwap", &format!("Record was at {cid}")));
        }
    }
    Ok(Json(world.store(key, record)))
}

/// As the official server: a key that is taken is its own fault.
async fn create_record(State(world): Shared, headers: HeaderMap, Json(body): Json<Value>) -> Answered {
    let mut world = held(&world);
    allowed(&world, &headers)?;
    let (key, record) = valid(&world, &body)?;
    if world.records.contains_key(&key) {
        return Err(error(500, "InternalServerError", "Internal Server Error"));
    }
    Ok(Json(world.store(key, record)))
}

async fn delete_record(State(world): Shared, headers: HeaderMap, Json(body): Json<Value>) -> Answered {
    let mut world = held(&world);
    allowed(&world, &headers)?;
    world.records.remove(body["rkey"].as_str().unwrap_or_default());
    Ok(Json(json!({})))
}

async fn get_record(State(world): Shared, Query(query): Query<BTreeMap<String, String>>) -> Answered {
    let world = held(&world);
    let of = |name: &str| query.get(name).map_or("", String::as_str);
    let ours = [&*world.did, HANDLE].contains(&of("repo")) && of("collection") == POSTS;
    match world.records.get(of("rkey")).filter(|_| ours) {
        Some((record, cid, _)) => Ok(Json(json!({"uri": at_uri(&world.did, of("rkey")), "cid": cid, "value": record}))),
        None => Err(error(400, "RecordNotFound", "Could not locate record")),
    }
}

async fn get_posts(
    State(world): Shared,
    headers: HeaderMap,
    Query(query): Query<BTreeMap<String, String>>,
) -> Answered {
    let world = held(&world);
    allowed(&world, &headers)?;
    let uri = query.get("uris").map_or("", String::as_str);
    let posts: Vec<Value> = world.view(uri).into_iter().collect();
    Ok(Json(json!({"posts": posts})))
}

async fn get_thread(
    State(world): Shared,
    headers: HeaderMap,
    Query(query): Query<BTreeMap<String, String>>,
) -> Answered {
    let world = held(&world);
    allowed(&world, &headers)?;
    let uri = query.get("uri").map_or("", String::as_str);
    let Some(post) = world.view(uri) else { return Err(error(400, "NotFound", "Post not found")) };
    let replies: Vec<Value> = world
        .answers(uri)
        .filter_map(|key| Some(json!({"post": world.view(&at_uri(&world.did, key))?, "replies": []})))
        .collect();
    Ok(Json(json!({"thread": {"post": post, "replies": replies}})))
}

async fn page() -> Response {
    let html = r#"<!doctype html><title>Plain</title><meta property="og:title" content="Acme &amp; Co">
        <meta property="og:description" content="What it is"><meta property="og:image" content="/shot.png">"#;
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response()
}

impl World {
    fn store(&mut self, key: String, record: Value) -> Value {
        let cid = hash(record.to_string().as_bytes());
        let uri = at_uri(&self.did, &key);
        self.arrived += 1;
        let arrived = self.arrived;
        self.records.insert(key, (record, cid.clone(), arrived));
        json!({"uri": uri, "cid": cid, "validationStatus": "valid"})
    }

    fn answers<'a>(&'a self, uri: &'a str) -> impl Iterator<Item = &'a str> {
        self.records
            .iter()
            .filter(move |(_, (record, _, _))| record.pointer("/reply/parent/uri").and_then(Value::as_str) == Some(uri))
            .map(|(key, _)| key.as_str())
    }

    /// A post as the app view shows it.
    fn view(&self, uri: &str) -> Option<Value> {
        let key = uri.rsplit('/').next()?;
        let (record, cid, _) = self.records.get(key).filter(|_| at_uri(&self.did, key) == uri)?;
        Some(json!({
            "uri": uri, "cid": cid, "record": record, "author": {"did": self.did, "handle": HANDLE},
            "likeCount": 0, "repostCount": 0, "replyCount": self.answers(uri).count(), "quoteCount": 0,
        }))
    }
}

/// Something in the form of a CID.
fn hash(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    let letters = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|nibble| char::from(b'a' + nibble));
    format!("bafyrei{}", letters.take(52).collect::<String>())
}

/// What the lexicon of posts asks for, as far as an adapter can get it wrong.
fn valid(world: &World, body: &Value) -> Result<(String, Value), No> {
    let no = |message: &str| error(400, "InvalidRequest", message);
    let key = body["rkey"].as_str().unwrap_or_default();
    if body["repo"] != *world.did {
        return Err(no("Invalid repo"));
    }
    if body["collection"] != POSTS || body["record"]["$type"] != POSTS {
        return Err(no("Invalid $type"));
    }
    if !is_tid(key) {
        return Err(no("Invalid record key"));
    }
    let record = &body["record"];
    let Some(text) = record["text"].as_str() else { return Err(no("Record must have the property \"text\"")) };
    let graphemes = Counting { unit: Unit::Graphemes, link: None, mention: MentionWeight::Raw };
    if measure(text, graphemes) > 300 {
        return Err(no("Invalid app.bsky.feed.post record: Record/text must not be longer than 300 graphemes"));
    }
    if text.len() > 3000 {
        return Err(no("Invalid app.bsky.feed.post record: Record/text must not be longer than 3000 characters"));
    }
    if record["createdAt"].as_str().is_none_or(|at| chrono::DateTime::parse_from_rfc3339(at).is_err()) {
        return Err(no("Invalid app.bsky.feed.post record: Record/createdAt must be an valid atproto datetime"));
    }
    if record["langs"].as_array().is_some_and(|langs| langs.len() > 3) {
        return Err(no("Invalid app.bsky.feed.post record: Record/langs must not have more than 3 elements"));
    }
    for facet in record["facets"].as_array().into_iter().flatten() {
        let offset = |name: &str| facet["index"][name].as_u64().and_then(|at| usize::try_from(at).ok());
        let range = offset("byteStart").zip(offset("byteEnd"));
        if range.is_none_or(|(start, end)| text.get(start..end).is_none_or(str::is_empty)) {
            return Err(no("Invalid facet"));
        }
    }
    for reference in ["/reply/root", "/reply/parent"] {
        if record.get("reply").is_some() {
            let target = record.pointer(reference).ok_or_else(|| no("Invalid reply"))?;
            let uri = target["uri"].as_str().unwrap_or_default();
            let known = uri.rsplit('/').next().and_then(|key| world.records.get(key));
            if uri.starts_with(&format!("at://{}/", world.did)) && known.is_none_or(|(_, cid, _)| target["cid"] != *cid)
            {
                return Err(no("Invalid reply"));
            }
        }
    }
    let embed = record.pointer("/embed/media").or_else(|| record.get("embed"));
    let images = embed.and_then(|embed| embed["images"].as_array());
    if images.is_some_and(|images| images.len() > 4) {
        return Err(no("Invalid app.bsky.feed.post record: Record/embed/images must not have more than 4 elements"));
    }
    let blobs = images
        .into_iter()
        .flatten()
        .map(|image| (&image["image"], 2_000_000))
        .chain(embed.and_then(|embed| embed.pointer("/external/thumb")).map(|thumb| (thumb, 1_000_000)));
    for (blob, most) in blobs {
        let cid = blob.pointer("/ref/$link").and_then(Value::as_str).unwrap_or_default();
        match world.blobs.get(cid) {
            None => return Err(error(400, "BlobNotFound", &format!("Could not find blob: {cid}"))),
            Some((size, _)) if *size > most => {
                return Err(error(400, "BlobTooLarge", &format!("This file is too large. It is {size} bytes")));
            }
            Some((_, mime)) if !mime.starts_with("image/") => {
                return Err(error(400, "InvalidMimeType", "Wrong type of file"));
            }
            Some(_) => {}
        }
    }
    Ok((key.to_owned(), record.clone()))
}
