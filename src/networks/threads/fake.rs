//! A stand-in for Threads, made after its Postman collection and guides (see `wire.rs`).

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
use crate::text::{Counting, MentionWeight, Unit, measure};

/// A stand-in for the server, with one account.
pub(super) struct Server {
    front: Front,
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

type Shared = State<Arc<Mutex<World>>>;
type Answered = Result<Json<Value>, Response>;

impl Server {
    pub(super) async fn start() -> Self {
        let user = 1_000_000 + u64::from(number());
        let world = Arc::new(Mutex::new(World {
            user,
            token: "THAA-0".to_owned(),
            changes: 0,
            ends: 0,
            next: user * 1_000_000,
            containers: BTreeMap::new(),
            posts: Vec::new(),
            used: 0,
        }));
        let router = Router::new()
            .route("/v1.0/me", get(me))
            .route("/v1.0/me/threads", get(threads).post(create))
            .route("/v1.0/me/replies", get(own_replies))
            .route("/v1.0/me/threads_publish", post(publish))
            .route("/v1.0/me/threads_publishing_limit", get(limit))
            .route("/v1.0/{id}", get(look).delete(remove))
            .route("/v1.0/{id}/insights", get(insights))
            .route("/v1.0/{id}/replies", get(replies))
            .with_state(Arc::clone(&world));
        Self { front: Front::serve(router).await, world }
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
        let mut account = Account::new(AccountName::new("th"), "threads");
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
            None if fields["media_type"] == "TEXT" => Vec::new(),
            None => vec![field(fields, "alt_text").unwrap_or_default()],
        };
        let post = |post: &Post| FakePost {
            id: post.id.clone(),
            text: field(&post.fields, "text").unwrap_or_default(),
            parent: field(&post.fields, "reply_to_id"),
            alts: alts(&post.fields),
            key: None,
        };
        world.posts.iter().map(post).collect()
    }

    fn publish_call(&self) -> Option<(&'static str, &'static str)> {
        Some(("POST", "/v1.0/me/threads_publish"))
    }

    fn change_secret(&self) {
        let mut world = held(&self.world);
        world.changes += 1;
        world.token = format!("THAA-{}", world.changes);
    }

    fn end_session(&self) -> bool {
        let mut world = held(&self.world);
        world.ends += 1;
        world.token = format!("THAA-{}-{}", world.changes, world.ends);
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
    Ok(Json(json!({"id": world.user.to_string(), "username": "acme"})))
}

async fn limit(State(world): Shared, Query(query): Query<Fields>) -> Answered {
    let world = held(&world);
    allowed(&world, &query)?;
    let replies = world.posts.iter().filter(|post| post.fields.contains_key("reply_to_id")).count() as u64;
    let posts = world.posts.len() as u64 - replies + world.used;
    Ok(Json(json!({"data": [{
        "quota_usage": posts, "config": {"quota_total": 250, "quota_duration": 86400},
        "reply_quota_usage": replies, "reply_config": {"quota_total": 1000, "quota_duration": 86400},
    }]})))
}

async fn create(State(world): Shared, body: String) -> Answered {
    let fields = form(&body);
    let mut world = held(&world);
    allowed(&world, &fields)?;
    world.valid(&fields)?;
    let id = world.id();
    world.containers.insert(id.clone(), Held { fields, looks: 1, published: false, stage: None });
    Ok(Json(json!({"id": id})))
}

async fn publish(State(world): Shared, body: String) -> Answered {
    let fields = form(&body);
    let mut world = held(&world);
    allowed(&world, &fields)?;
    let id = world.id();
    let missing = || error(400, 24, 4_279_009, "The requested resource does not exist");
    let container = fields.get("creation_id").and_then(|id| world.containers.get_mut(id)).ok_or_else(missing)?;
    if container.published || container.looks > 0 || container.stage.is_some() {
        return Err(missing());
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
        return Ok(Json(view(post)));
    }
    let container = world.containers.get_mut(&id).ok_or_else(gone)?;
    let status = match (container.stage, container.published, container.looks) {
        (Some(stage), ..) => stage,
        (None, true, _) => "PUBLISHED",
        (None, false, 0) => "FINISHED",
        _ => "IN_PROGRESS",
    };
    container.looks = container.looks.saturating_sub(1);
    Ok(Json(json!({"id": id, "status": status})))
}

async fn remove(State(world): Shared, Path(id): Path<String>, Query(query): Query<Fields>) -> Answered {
    let mut world = held(&world);
    allowed(&world, &query)?;
    let before = world.posts.len();
    world.posts.retain(|post| post.id != id);
    if world.posts.len() == before { Err(gone()) } else { Ok(Json(json!({"success": true, "deleted_id": id}))) }
}

async fn threads(State(world): Shared, Query(query): Query<Fields>) -> Answered {
    held(&world).list(&query, |post| !post.fields.contains_key("reply_to_id"))
}

async fn own_replies(State(world): Shared, Query(query): Query<Fields>) -> Answered {
    held(&world).list(&query, |post| post.fields.contains_key("reply_to_id"))
}

async fn replies(State(world): Shared, Path(id): Path<String>, Query(query): Query<Fields>) -> Answered {
    let world = held(&world);
    if !world.posts.iter().any(|post| post.id == id) {
        return Err(gone());
    }
    world.list(&query, |post| post.fields.get("reply_to_id") == Some(&id))
}

async fn insights(State(world): Shared, Path(id): Path<String>, Query(query): Query<Fields>) -> Answered {
    let world = held(&world);
    allowed(&world, &query)?;
    if !world.posts.iter().any(|post| post.id == id) {
        return Err(gone());
    }
    let metric =
        |name: &str| json!({"name": name, "period": "lifetime", "values": [{"value": 3}], "title": name, "id": name});
    let names = query.get("metric").map(String::as_str).unwrap_or_default();
    Ok(Json(json!({"data": names.split(',').map(metric).collect::<Vec<_>>()})))
}

impl World {
    fn id(&mut self) -> String {
        self.next += 1;
        self.next.to_string()
    }

    fn list(&self, query: &Fields, wanted: impl Fn(&Post) -> bool) -> Answered {
        allowed(self, query)?;
        let since = query.get("since").and_then(|since| since.parse::<i64>().ok()).unwrap_or(0);
        let posts = self.posts.iter().rev().filter(|post| post.at.timestamp() >= since && wanted(post));
        Ok(Json(json!({"data": posts.map(view).collect::<Vec<_>>()})))
    }

    fn valid(&self, fields: &Fields) -> Result<(), Response> {
        let field = |name: &str| fields.get(name).map(String::as_str);
        let text = field("text").unwrap_or_default();
        let counting = Counting { unit: Unit::EmojiBytes, link: None, mention: MentionWeight::Raw };
        if measure(text, counting) > 500 {
            return Err(invalid("Param text must be at most 500 characters long."));
        }
        let fetched = |name: &str| match field(name) {
            Some(url) if url.starts_with(HOST) => Ok(()),
            _ => Err(error(400, 100, 2_207_052, "The media could not be fetched from this URI")),
        };
        match field("media_type") {
            Some("TEXT") if text.is_empty() => return Err(invalid("The text is missing")),
            Some("TEXT") => {}
            Some("IMAGE") => fetched("image_url")?,
            Some("VIDEO") => fetched("video_url")?,
            Some("CAROUSEL") => {
                let children: Vec<&str> = field("children").unwrap_or_default().split(',').collect();
                let good = |id: &&str| {
                    self.containers.get(*id).is_some_and(|item| {
                        item.fields.get("is_carousel_item").is_some_and(|item| item == "true") && item.looks == 0
                    })
                };
                if !(2..=20).contains(&children.len()) || !children.iter().all(good) {
                    return Err(invalid("A carousel has 2 to 20 items that are ready"));
                }
            }
            _ => return Err(invalid("Param media_type must be one of {TEXT, IMAGE, VIDEO, CAROUSEL}")),
        }
        if field("reply_to_id").is_some_and(|id| !self.posts.iter().any(|post| post.id == id)) {
            return Err(gone());
        }
        Ok(())
    }
}

/// A post as the API shows it.
fn view(post: &Post) -> Value {
    let mut view = json!({
        "id": post.id,
        "permalink": format!("https://www.threads.com/@acme/post/{}", post.id),
        "username": "acme",
        "timestamp": post.at.format("%Y-%m-%dT%H:%M:%S+0000").to_string(),
    });
    if let Some(text) = post.fields.get("text") {
        view["text"] = json!(text);
    }
    view
}
