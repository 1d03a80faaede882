//! A stand-in for a server of Meta's Graph API: one account whose posts come to be by containers. What a network has of its
//! own is handed in as a [`Kind`].

#![expect(clippy::result_large_err, reason = "an answer is axum's own type, and this is for tests alone")]

#[cfg(test)]
pub(crate) mod cases;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use axum::body::Bytes;
use axum::extract::{FromRequest, Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{Fake, FakePost, Front, HOST, Tokens, number};
use crate::adapter::Network;
use crate::model::{Account, AccountName};

/// The account's name.
pub const USERNAME: &str = "acme";

/// Fields of a form or a query.
pub type Fields = BTreeMap<String, String>;

/// What an answer is: JSON, or an error.
pub type Answered = Result<Json<Value>, Response>;

/// What handlers are given.
pub type Shared = State<Arc<World>>;

/// What one network has of its own.
pub struct Kind {
    /// Its adapter.
    pub network: &'static dyn Network,
    /// The version in paths.
    pub version: &'static str,
    /// The path at which containers are made and posts are listed, `{user}` being the account's number.
    pub posts: &'static str,
    /// The path at which containers are published.
    pub publish: &'static str,
    /// The parameter that holds a post's text.
    pub text: &'static str,
    /// The field that says how far a container is.
    pub stage: &'static str,
    /// What is wrong with a container's parameters.
    pub valid: fn(&Data, &Fields) -> Result<(), Response>,
    /// Everything that can be asked of a post. `null`: there is none.
    pub view: fn(&Data, &Post) -> Value,
    /// The answer when a container is not ready, or has been published.
    pub unready: fn() -> Response,
    /// What else there is below the version, `{user}` being replaced.
    pub routes: Routes,
}

/// What is served below the paths that the function given makes of its own.
pub type Routes = fn(&dyn Fn(&str) -> String) -> Router<Arc<World>>;

/// A stand-in for the server, with one account.
pub struct Server {
    front: Front,
    /// The path of the one call, which may have the account's number in it.
    publish: &'static str,
    world: Arc<World>,
}

/// What it is made of.
pub struct World {
    kind: &'static Kind,
    /// The account's number.
    pub user: u64,
    tokens: Tokens,
    data: Mutex<Data>,
}

/// What it holds.
pub struct Data {
    next: u64,
    containers: BTreeMap<String, Container>,
    /// The posts, answers and comments, the oldest first.
    pub posts: Vec<Post>,
    /// Posts of the last day that came by other ways.
    pub used: u64,
}

struct Container {
    fields: Fields,
    /// So many more looks find it unready.
    looks: u32,
    published: bool,
    /// What it says instead.
    stage: Option<&'static str>,
}

/// A post, an answer or a comment.
#[derive(Debug, Clone)]
pub struct Post {
    /// Its id.
    pub id: String,
    /// Who wrote it.
    pub username: String,
    /// Its text; `None`: a post without one.
    pub text: Option<String>,
    /// What it answers.
    pub parent: Option<String>,
    /// The alt texts of its files.
    pub alts: Vec<String>,
    /// When it was published.
    pub at: DateTime<Utc>,
}

impl Post {
    /// Its time, as the Graph API writes it.
    pub fn date(&self) -> String {
        self.at.format("%Y-%m-%dT%H:%M:%S+0000").to_string()
    }
}

impl Server {
    /// Starts one.
    pub async fn start(kind: &'static Kind) -> Self {
        let number = u64::from(number());
        let user = 17_841_400_000_000_000 + number;
        let world = Arc::new(World {
            kind,
            user,
            tokens: Tokens::default(),
            data: Mutex::new(Data {
                next: 18_000_000_000_000_000 + number * 1_000_000,
                containers: BTreeMap::new(),
                posts: Vec::new(),
                used: 0,
            }),
        });
        let path = move |path: &str| format!("/{}/{}", kind.version, path.replace("{user}", &user.to_string()));
        let router = (kind.routes)(&path)
            .route(&path(kind.posts), get(list).post(create))
            .route(&path(kind.publish), post(publish))
            .route(&path("{id}"), get(look).delete(remove))
            .fallback(|| async { gone() })
            .with_state(Arc::clone(&world));
        let publish = Box::leak(path(kind.publish).into_boxed_str());
        Self { front: Front::serve(router).await, publish, world }
    }

    /// What is below the front.
    pub fn world(&self) -> &World {
        &self.world
    }
}

impl World {
    /// What it holds.
    pub fn held(&self) -> MutexGuard<'_, Data> {
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A list of those posts that are wanted, the latest first, with what was asked of them.
    pub fn list(&self, asked: &Fields, wanted: impl Fn(&Post) -> bool) -> Answered {
        let data = self.held();
        let since = asked.get("since").and_then(|since| since.parse::<i64>().ok()).unwrap_or(0);
        let posts = data.posts.iter().rev().filter(|post| post.at.timestamp() >= since && wanted(post));
        let shown: Vec<Value> =
            posts.map(|post| shown((self.kind.view)(&data, post), asked)).collect::<Result<_, Response>>()?;
        Ok(Json(json!({"data": shown})))
    }
}

impl Data {
    /// An id that nothing else has.
    pub fn id(&mut self) -> String {
        self.next += 1;
        self.next.to_string()
    }

    /// The post, if it is one.
    pub fn post(&self, id: &str) -> Option<&Post> {
        self.posts.iter().find(|post| post.id == id)
    }

    /// Whether a carousel has so many files, all of them ready.
    pub fn carousel(&self, fields: &Fields, files: &RangeInclusive<usize>) -> Result<(), Response> {
        let children: Vec<&str> = fields.get("children").map(|ids| ids.split(',').collect()).unwrap_or_default();
        let good = |id: &&str| {
            self.containers.get(*id).is_some_and(|child| {
                child.fields.get("is_carousel_item").is_some_and(|item| item == "true") && child.looks == 0
            })
        };
        if files.contains(&children.len()) && children.iter().all(good) {
            Ok(())
        } else {
            Err(invalid(&format!("A carousel has {} to {} items that are ready", files.start(), files.end())))
        }
    }

    fn alts(&self, fields: &Fields) -> Vec<String> {
        let alt = |fields: &Fields| fields.get("alt_text").cloned().unwrap_or_default();
        match fields.get("children") {
            Some(children) => children.split(',').map(|id| alt(&self.containers[id].fields)).collect(),
            None if fields.contains_key("image_url") || fields.contains_key("video_url") => vec![alt(fields)],
            None => Vec::new(),
        }
    }
}

#[async_trait]
impl Fake for Server {
    fn front(&self) -> Option<&Front> {
        Some(&self.front)
    }

    fn account(&self) -> Account {
        let mut account = Account::new(AccountName::new("acme"), self.world.kind.network.profile().id);
        account.server = Some(self.front.url().to_owned());
        account
    }

    fn tokens(&self) -> Option<&Tokens> {
        Some(&self.world.tokens)
    }

    async fn posts(&self) -> Vec<FakePost> {
        let post = |post: &Post| FakePost {
            id: post.id.clone(),
            text: post.text.clone().unwrap_or_default(),
            parent: post.parent.clone(),
            alts: post.alts.clone(),
            key: None,
        };
        self.world.held().posts.iter().map(post).collect()
    }

    fn publish_call(&self) -> Option<(&'static str, &'static str)> {
        Some(("POST", self.publish))
    }
}

/// What a request asks with, in its query or its form. It came with the good token.
pub struct Asked(pub Fields);

impl FromRequest<Arc<World>> for Asked {
    type Rejection = Response;

    async fn from_request(request: Request, world: &Arc<World>) -> Result<Self, Response> {
        let mut fields = pairs(request.uri().query().unwrap_or_default().as_bytes());
        let body = Bytes::from_request(request, world).await.map_err(IntoResponse::into_response)?;
        fields.extend(pairs(&body));
        if fields.remove("access_token") == Some(world.tokens.current()) {
            Ok(Self(fields))
        } else {
            Err(error(190, 463, "Error validating access token: Session has expired"))
        }
    }
}

fn pairs(text: &[u8]) -> Fields {
    url::form_urlencoded::parse(text).into_owned().collect()
}

/// An error of the Graph API. Nearly all have status 400.
pub fn error(code: i64, subcode: i64, message: &str) -> Response {
    let error = json!({
        "message": message, "type": "OAuthException", "code": code, "error_subcode": subcode, "fbtrace_id": "A1b2",
    });
    (StatusCode::BAD_REQUEST, Json(json!({"error": error}))).into_response()
}

/// A parameter that is wrong.
pub fn invalid(message: &str) -> Response {
    error(100, 0, message)
}

/// It does not exist, or may not be seen.
pub fn gone() -> Response {
    error(100, 33, "Object does not exist, cannot be loaded due to missing permissions")
}

/// Whether the file at a parameter's address can be fetched.
pub fn fetched(fields: &Fields, name: &str) -> Result<(), Response> {
    match fields.get(name) {
        Some(url) if url.starts_with(HOST) => Ok(()),
        _ => Err(error(9004, 2_207_052, "The media could not be fetched from this URI")),
    }
}

/// Of all that there is, what was asked for as `fields`, and the id.
pub fn shown(all: Value, asked: &Fields) -> Result<Value, Response> {
    let Value::Object(mut all) = all else { return Ok(all) };
    let mut shown = serde_json::Map::new();
    for name in asked.get("fields").map(String::as_str).unwrap_or_default().split(',').chain(["id"]) {
        match all.remove(name) {
            Some(Value::Null) => {}
            Some(value) => drop(shown.insert(name.to_owned(), value)),
            None if name.is_empty() || shown.contains_key(name) => {}
            None => return Err(invalid(&format!("Tried accessing nonexisting field ({name})"))),
        }
    }
    Ok(Value::Object(shown))
}

async fn list(State(world): Shared, Asked(asked): Asked) -> Answered {
    world.list(&asked, |post| post.parent.is_none())
}

async fn create(State(world): Shared, Asked(fields): Asked) -> Answered {
    let mut data = world.held();
    (world.kind.valid)(&data, &fields)?;
    let id = data.id();
    data.containers.insert(id.clone(), Container { fields, looks: 1, published: false, stage: None });
    Ok(Json(json!({"id": id})))
}

async fn publish(State(world): Shared, Asked(fields): Asked) -> Answered {
    let mut data = world.held();
    let id = data.id();
    let container = fields.get("creation_id").and_then(|id| data.containers.get_mut(id));
    let ready = container.filter(|container| !container.published && container.looks == 0 && container.stage.is_none());
    let container = ready.ok_or_else(world.kind.unready)?;
    container.published = true;
    let fields = container.fields.clone();
    let post = Post {
        id: id.clone(),
        username: USERNAME.to_owned(),
        text: fields.get(world.kind.text).cloned(),
        parent: fields.get("reply_to_id").cloned(),
        alts: data.alts(&fields),
        at: DateTime::from(std::time::SystemTime::now()),
    };
    data.posts.push(post);
    Ok(Json(json!({"id": id})))
}

async fn look(State(world): Shared, Path(id): Path<String>, Asked(asked): Asked) -> Answered {
    let mut data = world.held();
    if let Some(post) = data.post(&id) {
        return Ok(Json(shown((world.kind.view)(&data, post), &asked)?));
    }
    let container = data.containers.get_mut(&id).ok_or_else(gone)?;
    let stage = match (container.stage, container.published, container.looks) {
        (Some(stage), ..) => stage,
        (None, true, _) => "PUBLISHED",
        (None, false, 0) => "FINISHED",
        _ => "IN_PROGRESS",
    };
    container.looks = container.looks.saturating_sub(1);
    let mut all = json!({"id": id, "status": null, "status_code": null, "error_message": null});
    all[world.kind.stage] = json!(stage);
    Ok(Json(shown(all, &asked)?))
}

async fn remove(State(world): Shared, Path(id): Path<String>, Asked(_): Asked) -> Answered {
    let mut data = world.held();
    let before = data.posts.len();
    data.posts.retain(|post| post.id != id);
    if data.posts.len() == before { Err(gone()) } else { Ok(Json(json!({"success": true, "deleted_id": id}))) }
}
