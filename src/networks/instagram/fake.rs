//! A stand-in for Instagram, made after the specification of its API and its guides (see `wire.rs`).

#![expect(clippy::result_large_err, reason = "an answer is axum's own type, and this is for tests alone")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::adapter::suite::{Fake, FakePost, Front, HOST, number, outside};
use crate::adapter::{Fault, Outside, Refusal, Secrets};
use crate::model::{Account, AccountName};
use crate::text::{Counting, FoundKind, MentionWeight, Unit, find, measure};

/// A stand-in for the server, with one account.
pub(super) struct Server {
    front: Front,
    /// The path of the one call: each stand-in has another account, whose number is in it.
    publish: &'static str,
    world: Arc<Mutex<World>>,
}

/// Fields of a form or a query.
type Fields = BTreeMap<String, String>;

/// What it holds.
struct World {
    user: u64,
    token: String,
    changes: u32,
    /// How often an access token ended that could be renewed.
    ends: u32,
    next: u64,
    containers: BTreeMap<String, Held>,
    posts: Vec<Post>,
    comments: Vec<Comment>,
    /// Posts of the last day that came by other ways.
    used: u64,
}

struct Held {
    fields: Fields,
    /// So many more looks find it unready.
    looks: u32,
    published: bool,
    /// What it says instead.
    stage: Option<&'static str>,
}

struct Post {
    id: String,
    fields: Fields,
    at: DateTime<Utc>,
}

struct Comment {
    id: String,
    media: String,
    text: String,
    at: DateTime<Utc>,
}

type Shared = State<Arc<Mutex<World>>>;
type Answered = Result<Json<Value>, Response>;

impl Server {
    pub(super) async fn start() -> Self {
        let user = 17_841_400_000_000_000 + u64::from(number());
        let world = Arc::new(Mutex::new(World {
            user,
            token: "IGAA-0".to_owned(),
            changes: 0,
            ends: 0,
            next: 18_000_000_000_000_000 + u64::from(number()) * 1_000_000,
            containers: BTreeMap::new(),
            posts: Vec::new(),
            comments: Vec::new(),
            used: 0,
        }));
        let router = Router::new()
            .route("/v25.0/me", get(me))
            .route("/v25.0/{id}/media", get(media).post(create))
            .route("/v25.0/{id}/media_publish", post(publish))
            .route("/v25.0/{id}/content_publishing_limit", get(limit))
            .route("/v25.0/{id}", get(look).delete(remove))
            .route("/v25.0/{id}/comments", get(comments).post(comment))
            .with_state(Arc::clone(&world));
        let publish = Box::leak(format!("/v25.0/{user}/media_publish").into_boxed_str());
        Self { front: Front::serve(router).await, publish, world }
    }

    /// What a container was made of.
    #[cfg(test)]
    pub(super) fn made(&self, id: &str) -> Fields {
        held(&self.world).containers[id].fields.clone()
    }

    /// Containers say this from now on.
    #[cfg(test)]
    pub(super) fn say(&self, stage: &'static str) {
        for container in held(&self.world).containers.values_mut() {
            container.stage = Some(stage);
        }
    }

    /// So many posts of the last day.
    #[cfg(test)]
    pub(super) fn used(&self, posts: u64) {
        held(&self.world).used = posts;
    }
}

#[async_trait]
impl Fake for Server {
    fn front(&self) -> Option<&Front> {
        Some(&self.front)
    }

    fn account(&self) -> Account {
        let mut account = Account::new(AccountName::new("ig"), "instagram");
        account.server = Some(self.front.url().to_owned());
        account
    }

    fn secrets(&self) -> BTreeMap<&'static str, String> {
        BTreeMap::from([("token", held(&self.world).token.clone())])
    }

    async fn posts(&self) -> Vec<FakePost> {
        let world = held(&self.world);
        let field = |fields: &Fields, name: &str| fields.get(name).cloned();
        let alts = |fields: &Fields| match fields.get("children") {
            Some(children) => {
                let alt = |id: &str| field(&world.containers[id].fields, "alt_text").unwrap_or_default();
                children.split(',').map(alt).collect()
            }
            None => vec![field(fields, "alt_text").unwrap_or_default()],
        };
        let post = |post: &Post| FakePost {
            id: post.id.clone(),
            text: field(&post.fields, "caption").unwrap_or_default(),
            parent: None,
            alts: alts(&post.fields),
            key: None,
        };
        let comment = |comment: &Comment| FakePost {
            id: comment.id.clone(),
            text: comment.text.clone(),
            parent: Some(comment.media.clone()),
            ..FakePost::default()
        };
        world.posts.iter().map(post).chain(world.comments.iter().map(comment)).collect()
    }

    fn publish_call(&self) -> Option<(&'static str, &'static str)> {
        Some(("POST", self.publish))
    }

    fn change_secret(&self) {
        let mut world = held(&self.world);
        world.changes += 1;
        world.token = format!("IGAA-{}", world.changes);
    }

    fn end_session(&self) -> bool {
        let mut world = held(&self.world);
        world.ends += 1;
        world.token = format!("IGAA-{}-{}", world.changes, world.ends);
        true
    }

    fn outside(&self) -> Outside {
        let (token, changes) = {
            let world = held(&self.world);
            (Mutex::new(world.token.clone()), world.changes)
        };
        let secrets = Arc::new(Token { world: Arc::clone(&self.world), value: token, changes });
        Outside { secrets, ..outside(self.secrets(), self.files()) }
    }
}

/// A token that can be renewed as long as nobody has changed the secret.
struct Token {
    world: Arc<Mutex<World>>,
    value: Mutex<String>,
    changes: u32,
}

#[async_trait]
impl Secrets for Token {
    async fn secret(&self, _field: &str) -> Result<SecretString, Fault> {
        Ok(SecretString::from(self.value.lock().unwrap_or_else(PoisonError::into_inner).as_str()))
    }

    async fn renewed(&self, _field: &str, _refused: &SecretString) -> Result<SecretString, Fault> {
        let world = held(&self.world);
        if world.changes != self.changes {
            return Err(Fault::refused(Refusal::Credentials, "the token cannot be renewed"));
        }
        let mut token = self.value.lock().unwrap_or_else(PoisonError::into_inner);
        token.clone_from(&world.token);
        Ok(SecretString::from(token.as_str()))
    }
}

fn held(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

fn error(status: u16, code: i64, subcode: i64, message: &str) -> Response {
    let status = StatusCode::from_u16(status).expect("a status code");
    let error = json!({
        "message": message, "type": "OAuthException", "code": code, "error_subcode": subcode, "fbtrace_id": "A1b2",
    });
    (status, Json(json!({"error": error}))).into_response()
}

fn invalid(message: &str) -> Response {
    error(400, 100, 4_279_048, message)
}

fn gone() -> Response {
    error(400, 100, 33, "Object does not exist, cannot be loaded due to missing permissions")
}

fn allowed(world: &World, fields: &Fields) -> Result<(), Response> {
    if fields.get("access_token") == Some(&world.token) {
        Ok(())
    } else {
        Err(error(400, 190, 463, "Error validating access token: Session has expired"))
    }
}

fn form(body: &str) -> Fields {
    url::form_urlencoded::parse(body.as_bytes()).into_owned().collect()
}

async fn me(State(world): Shared, Query(query): Query<Fields>) -> Answered {
    let world = held(&world);
    allowed(&world, &query)?;
    Ok(Json(json!({"user_id": world.user.to_string(), "username": "acme", "id": "24000000000000000"})))
}

async fn limit(State(world): Shared, Path(id): Path<String>, Query(query): Query<Fields>) -> Answered {
    let world = held(&world);
    allowed(&world, &query)?;
    world.own(&id)?;
    let posts = world.posts.len() as u64 + world.used;
    Ok(Json(json!({"data": [{"quota_usage": posts, "config": {"quota_total": 100, "quota_duration": 86400}}]})))
}

async fn create(State(world): Shared, Path(id): Path<String>, body: String) -> Answered {
    let fields = form(&body);
    let mut world = held(&world);
    allowed(&world, &fields)?;
    world.own(&id)?;
    world.valid(&fields)?;
    let id = world.id();
    world.containers.insert(id.clone(), Held { fields, looks: 1, published: false, stage: None });
    Ok(Json(json!({"id": id})))
}

async fn publish(State(world): Shared, Path(user): Path<String>, body: String) -> Answered {
    let fields = form(&body);
    let mut world = held(&world);
    allowed(&world, &fields)?;
    world.own(&user)?;
    let id = world.id();
    let unready = || error(400, 9007, 2_207_027, "Media ID is not available");
    let container = fields.get("creation_id").and_then(|id| world.containers.get_mut(id)).ok_or_else(gone)?;
    if container.published {
        return Err(error(400, 9007, 2_207_009, "The media was published already"));
    }
    if container.looks > 0 || container.stage.is_some() {
        return Err(unready());
    }
    container.published = true;
    let fields = container.fields.clone();
    world.posts.push(Post { id: id.clone(), fields, at: DateTime::from(std::time::SystemTime::now()) });
    Ok(Json(json!({"id": id})))
}

async fn look(State(world): Shared, Path(id): Path<String>, Query(query): Query<Fields>) -> Answered {
    let mut world = held(&world);
    allowed(&world, &query)?;
    if let Some(post) = world.posts.iter().find(|post| post.id == id) {
        return Ok(Json(world.view(post)));
    }
    if world.comments.iter().any(|comment| comment.id == id) {
        return Ok(Json(json!({"id": id, "like_count": 1})));
    }
    let container = world.containers.get_mut(&id).ok_or_else(gone)?;
    let status = match (container.stage, container.published, container.looks) {
        (Some(stage), ..) => stage,
        (None, true, _) => "PUBLISHED",
        (None, false, 0) => "FINISHED",
        _ => "IN_PROGRESS",
    };
    container.looks = container.looks.saturating_sub(1);
    Ok(Json(json!({"id": id, "status_code": status, "status": format!("{status}: as a stand-in has it")})))
}

async fn remove(State(world): Shared, Path(id): Path<String>, Query(query): Query<Fields>) -> Answered {
    let mut world = held(&world);
    allowed(&world, &query)?;
    let before = world.posts.len() + world.comments.len();
    world.posts.retain(|post| post.id != id);
    world.comments.retain(|comment| comment.id != id && comment.media != id);
    if world.posts.len() + world.comments.len() == before { Err(gone()) } else { Ok(Json(json!({"success": true}))) }
}

async fn media(State(world): Shared, Path(id): Path<String>, Query(query): Query<Fields>) -> Answered {
    let world = held(&world);
    allowed(&world, &query)?;
    world.own(&id)?;
    let since = query.get("since").and_then(|since| since.parse::<i64>().ok()).unwrap_or(0);
    let posts = world.posts.iter().rev().filter(|post| post.at.timestamp() >= since);
    Ok(Json(json!({"data": posts.map(|post| world.view(post)).collect::<Vec<_>>()})))
}

async fn comment(State(world): Shared, Path(media): Path<String>, body: String) -> Answered {
    let fields = form(&body);
    let mut world = held(&world);
    allowed(&world, &fields)?;
    if !world.posts.iter().any(|post| post.id == media) {
        return Err(gone());
    }
    let text = fields.get("message").cloned().filter(|text| !text.is_empty()).ok_or_else(|| invalid("No message"))?;
    let id = world.id();
    world.comments.push(Comment { id: id.clone(), media, text, at: DateTime::from(std::time::SystemTime::now()) });
    Ok(Json(json!({"id": id})))
}

async fn comments(State(world): Shared, Path(media): Path<String>, Query(query): Query<Fields>) -> Answered {
    let world = held(&world);
    allowed(&world, &query)?;
    if !world.posts.iter().any(|post| post.id == media) {
        return Err(gone());
    }
    let view = |comment: &Comment| json!({"id": comment.id, "text": comment.text, "username": "acme", "timestamp": date(comment.at)});
    let found = world.comments.iter().filter(|comment| comment.media == media).map(view);
    Ok(Json(json!({"data": found.collect::<Vec<_>>()})))
}

fn date(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S+0000").to_string()
}

impl World {
    fn id(&mut self) -> String {
        self.next += 1;
        self.next.to_string()
    }

    fn own(&self, id: &str) -> Result<(), Response> {
        if id == self.user.to_string() { Ok(()) } else { Err(gone()) }
    }

    fn view(&self, post: &Post) -> Value {
        let comments = self.comments.iter().filter(|comment| comment.media == post.id).count();
        let mut view = json!({
            "id": post.id,
            "permalink": format!("https://www.instagram.com/p/{}/", post.id),
            "timestamp": date(post.at),
            "like_count": 2,
            "comments_count": comments,
        });
        if let Some(caption) = post.fields.get("caption") {
            view["caption"] = json!(caption);
        }
        view
    }

    fn valid(&self, fields: &Fields) -> Result<(), Response> {
        let field = |name: &str| fields.get(name).map(String::as_str);
        let caption = field("caption").unwrap_or_default();
        let counting = Counting { unit: Unit::Utf16, link: None, mention: MentionWeight::Raw };
        let found = find(caption);
        let count = |kind: FoundKind| found.iter().filter(|found| found.kind == kind).count();
        if measure(caption, counting) > 2200 || count(FoundKind::Tag) > 30 || count(FoundKind::Mention) > 20 {
            return Err(error(400, 100, 2_207_010, "The caption is too long, or has too many tags or mentions"));
        }
        let fetched = |name: &str| match field(name) {
            Some(url) if url.starts_with(HOST) => Ok(()),
            _ => Err(error(400, 9004, 2_207_052, "The media could not be fetched from this URI")),
        };
        let item = field("is_carousel_item") == Some("true");
        match field("media_type") {
            None => fetched("image_url")?,
            Some("REELS") if !item => fetched("video_url")?,
            Some("VIDEO") if item => fetched("video_url")?,
            Some("CAROUSEL") => {
                let children: Vec<&str> = field("children").unwrap_or_default().split(',').collect();
                let good = |id: &&str| {
                    self.containers.get(*id).is_some_and(|child| {
                        child.fields.get("is_carousel_item").is_some_and(|item| item == "true") && child.looks == 0
                    })
                };
                if !(2..=10).contains(&children.len()) || !children.iter().all(good) {
                    return Err(invalid("A carousel has 2 to 10 items that are ready"));
                }
            }
            _ => return Err(invalid("The media type is not known here")),
        }
        Ok(())
    }
}
