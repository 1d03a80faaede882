//! A stand-in for a site, made after `WordPress` 6.1.9 itself.

#![expect(clippy::result_large_err, reason = "an answer is axum's own type, and this is for tests alone")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use axum::body::Bytes;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::adapter::suite::{Fake, FakePost, Front};
use crate::model::{Account, AccountName};

use super::wire::plain;

/// The number of the first post on every site.
const FIRST: u64 = 17;

/// A stand-in for a site.
pub(super) struct Site {
    front: Front,
    world: Arc<Mutex<World>>,
}

/// What it holds.
struct World {
    /// It has plain permalinks: its API is behind `?rest_route=`.
    plain: bool,
    changes: u32,
    /// What the user may do.
    role: &'static str,
    next_post: u64,
    next: u64,
    posts: Vec<Post>,
    media: BTreeMap<u64, (String, String)>,
    terms: BTreeMap<u64, (&'static str, String)>,
    comments: Vec<(u64, String)>,
}

#[derive(Clone)]
struct Post {
    id: u64,
    slug: String,
    fields: serde_json::Map<String, Value>,
}

type Answered = Result<Response, Response>;

/// A call to the API.
struct Call {
    method: Method,
    route: String,
    query: BTreeMap<String, String>,
    headers: HeaderMap,
    body: Bytes,
}

impl Site {
    /// Starts one. `plain`: with plain permalinks.
    pub(super) async fn start(plain: bool) -> Self {
        let world = Arc::new(Mutex::new(World {
            plain,
            changes: 0,
            role: "author",
            next_post: FIRST,
            next: 1000,
            posts: Vec::new(),
            media: BTreeMap::new(),
            terms: BTreeMap::from([
                (1, ("categories", "Uncategorized".to_owned())),
                (2, ("tags", "R&amp;D".to_owned())),
            ]),
            comments: Vec::new(),
        }));
        let router = Router::new().fallback(serve).with_state(Arc::clone(&world));
        Self { front: Front::serve(router).await, world }
    }

    /// Another role of its user.
    #[cfg(test)]
    pub(super) fn role(&self, role: &'static str) {
        held(&self.world).role = role;
    }

    /// Somebody comments on a post.
    #[cfg(test)]
    pub(super) fn comment(&self, post: u64, html: &str) {
        held(&self.world).comments.push((post, html.to_owned()));
    }

    /// A field of a post, whatever its status.
    #[cfg(test)]
    pub(super) fn field(&self, id: u64, name: &str) -> Value {
        held(&self.world).post(id).and_then(|post| post.fields.get(name).cloned()).unwrap_or_default()
    }

    /// Somebody changes a post on the site.
    #[cfg(test)]
    pub(super) fn set(&self, id: u64, name: &str, value: Value) {
        if let Some(post) = held(&self.world).posts.iter_mut().find(|post| post.id == id) {
            post.fields.insert(name.to_owned(), value);
        }
    }

    /// How many posts there are, drafts too.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        held(&self.world).posts.len()
    }
}

fn password(changes: u32) -> String {
    format!("abcd EFGH ijkl MNOP qrst {changes:04}")
}

#[async_trait]
impl Fake for Site {
    fn front(&self) -> Option<&Front> {
        Some(&self.front)
    }

    fn account(&self) -> Account {
        let mut account = Account::new(AccountName::new("blog"), "wordpress");
        account.server = Some(self.front.url().to_owned());
        account.settings.insert("user".to_owned(), "acme".into());
        account
    }

    fn secrets(&self) -> BTreeMap<&'static str, String> {
        BTreeMap::from([("password", password(held(&self.world).changes))])
    }

    async fn posts(&self) -> Vec<FakePost> {
        let world = held(&self.world);
        let published = world.posts.iter().filter(|post| post.text("status") == "publish");
        published.map(|post| world.read(post)).collect()
    }

    fn publish_call(&self) -> Option<(&'static str, &'static str)> {
        Some(("POST", "/wp-json/wp/v2/posts/17"))
    }

    fn change_secret(&self) {
        held(&self.world).changes += 1;
    }
}

fn held(world: &Mutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

fn error(status: u16, code: &str, message: &str) -> Response {
    let status_code = StatusCode::from_u16(status).expect("a status code");
    (status_code, Json(json!({"code": code, "message": message, "data": {"status": status}}))).into_response()
}

async fn serve(
    State(world): State<Arc<Mutex<World>>>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else { return error(400, "broken", "") };
    let mut world = held(&world);
    let path = parts.uri.path();
    let route = match (world.plain, path.strip_prefix("/wp-json"), query.get("rest_route")) {
        (false, Some(route), _) => Some(route.to_owned()),
        // Both ways lead to it where permalinks are pretty.
        (_, None, Some(route)) if path == "/" => Some(route.clone()),
        _ => None,
    };
    match route {
        Some(route) => {
            let call = Call { method: parts.method, route, query, headers, body };
            world.api(&call).unwrap_or_else(|refused| refused)
        }
        None if path == "/" => "<html>The site".into_response(),
        None => (StatusCode::NOT_FOUND, "<html>Nothing here").into_response(),
    }
}

impl Post {
    fn text(&self, key: &str) -> &str {
        self.fields.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    fn view(&self) -> Value {
        json!({
            "id": self.id,
            "slug": self.slug,
            "status": self.text("status"),
            "link": format!("https://blog.example/{}/", self.slug),
            "title": {"rendered": self.text("title"), "raw": self.text("title")},
            "content": {"rendered": self.text("content"), "raw": self.text("content")},
        })
    }
}

impl World {
    #[cfg(test)]
    fn post(&self, id: u64) -> Option<&Post> {
        self.posts.iter().find(|post| post.id == id)
    }

    fn allowed(&self, call: &Call) -> Result<(), Response> {
        let sent = call.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let right = format!("Basic {}", STANDARD.encode(format!("acme:{}", password(self.changes))));
        if sent == Some(&right) {
            Ok(())
        } else {
            Err(error(401, "rest_not_logged_in", "You are not currently logged in."))
        }
    }

    fn may(&self, what: &str) -> bool {
        match self.role {
            "contributor" => what == "edit_posts",
            _ => what != "manage_categories" || self.role == "editor",
        }
    }

    fn api(&mut self, call: &Call) -> Answered {
        let get = call.method == Method::GET;
        let segments: Vec<&str> = call.route.trim_matches('/').split('/').collect();
        if segments == [""] {
            return Ok(Json(json!({"namespaces": ["oembed/1.0", "wp/v2"]})).into_response());
        }
        let ["wp", "v2", rest @ ..] = segments.as_slice() else {
            return Err(error(404, "rest_no_route", "No route was found matching the URL and request method."));
        };
        self.allowed(call)?;
        let number = rest.get(1).and_then(|id| id.parse::<u64>().ok());
        match (rest.first().copied(), number) {
            (Some("users"), _) => Ok(self.me()),
            (Some("media"), None) => self.upload(call),
            (Some("media"), Some(id)) => self.describe(id, call),
            (Some(kind @ ("tags" | "categories")), _) if get => Ok(self.terms(kind, call)),
            (Some("tags"), _) => self.make_term("tags", call),
            (Some("categories"), _) => self.make_term("categories", call),
            (Some("posts"), None) if get => Ok(self.find(call)),
            (Some("posts"), None) => self.create(call),
            (Some("posts"), Some(id)) => self.one(id, call),
            (Some("comments"), _) => Ok(self.commented(call)),
            _ => Err(error(404, "rest_no_route", "No route was found matching the URL and request method.")),
        }
    }

    fn me(&self) -> Response {
        let all = ["edit_posts", "publish_posts", "upload_files", "manage_categories"];
        let capabilities: BTreeMap<&str, bool> =
            all.into_iter().filter(|what| self.may(what)).map(|what| (what, true)).collect();
        Json(json!({"id": 3, "name": "Acme", "slug": "acme", "roles": [self.role], "capabilities": capabilities}))
            .into_response()
    }

    fn upload(&mut self, call: &Call) -> Answered {
        if !self.may("upload_files") {
            return Err(error(403, "rest_cannot_create", "Sorry, you are not allowed to upload media on this site."));
        }
        let disposition =
            call.headers.get("content-disposition").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let Some(name) = disposition.split('"').nth(1).filter(|_| !call.body.is_empty()) else {
            return Err(error(400, "rest_upload_no_content_disposition", "No Content-Disposition supplied."));
        };
        let id = self.id();
        let url = format!("https://blog.example/wp-content/uploads/{id}-{name}");
        self.media.insert(id, (url.clone(), String::new()));
        Ok((StatusCode::CREATED, Json(json!({"id": id, "source_url": url}))).into_response())
    }

    fn describe(&mut self, id: u64, call: &Call) -> Answered {
        let body = body(call)?;
        let Some((url, alt)) = self.media.get_mut(&id) else {
            return Err(error(404, "rest_post_invalid_id", "Invalid post ID."));
        };
        if let Some(told) = body.get("alt_text").or_else(|| body.get("description")).and_then(Value::as_str) {
            plain(told).clone_into(alt);
        }
        Ok(Json(json!({"id": id, "source_url": url, "alt_text": alt})).into_response())
    }

    fn terms(&self, of: &str, call: &Call) -> Response {
        let search = call.query.get("search").map(|search| search.to_lowercase()).unwrap_or_default();
        let found: Vec<Value> = self
            .terms
            .iter()
            // It looks among names as it keeps them: `R&D` does not find `R&amp;D`.
            .filter(|(_, (kind, name))| *kind == of && name.to_lowercase().contains(&search))
            .map(|(id, (_, name))| json!({"id": id, "name": name}))
            .collect();
        Json(found).into_response()
    }

    fn make_term(&mut self, kind: &'static str, call: &Call) -> Answered {
        if kind == "categories" && !self.may("manage_categories") {
            return Err(error(
                403,
                "rest_cannot_create",
                "Sorry, you are not allowed to create terms in this taxonomy.",
            ));
        }
        let name = body(call)?.get("name").and_then(Value::as_str).unwrap_or_default().replace('&', "&amp;");
        let there =
            self.terms.iter().find(|(_, (of, other))| *of == kind && other.to_lowercase() == name.to_lowercase());
        if let Some((id, _)) = there {
            let told = "A term with the name provided already exists with this parent.";
            let body = json!({"code": "term_exists", "message": told, "data": {"status": 400, "term_id": id}});
            return Err((StatusCode::BAD_REQUEST, Json(body)).into_response());
        }
        let id = self.id();
        self.terms.insert(id, (kind, name.clone()));
        Ok((StatusCode::CREATED, Json(json!({"id": id, "name": name}))).into_response())
    }

    fn find(&self, call: &Call) -> Response {
        let states = call.query.get("status").map_or("publish", String::as_str);
        let found: Vec<Value> = self
            .posts
            .iter()
            .filter(|post| call.query.get("slug") == Some(&post.slug))
            .filter(|post| states.split(',').any(|state| state == post.text("status")))
            .map(Post::view)
            .collect();
        Json(found).into_response()
    }

    fn create(&mut self, call: &Call) -> Answered {
        let fields = body(call)?;
        let id = self.next_post;
        let slug = fields.get("slug").and_then(Value::as_str).unwrap_or("post").to_owned();
        let mut post = Post { id, slug, fields: serde_json::Map::new() };
        self.change(&mut post, fields)?;
        self.next_post += 1;
        let view = post.view();
        self.posts.push(post);
        Ok((StatusCode::CREATED, Json(view)).into_response())
    }

    fn one(&mut self, id: u64, call: &Call) -> Answered {
        let Some(index) = self.posts.iter().position(|post| post.id == id) else {
            return Err(error(404, "rest_post_invalid_id", "Invalid post ID."));
        };
        if call.method == Method::DELETE {
            if self.posts[index].text("status") == "trash" {
                return Err(error(410, "rest_already_trashed", "The post has already been deleted."));
            }
            self.posts[index].fields.insert("status".to_owned(), "trash".into());
        } else if call.method == Method::POST {
            let mut post = self.posts[index].clone();
            self.change(&mut post, body(call)?)?;
            self.posts[index] = post;
        }
        Ok(Json(self.posts[index].view()).into_response())
    }

    /// Changes a post as `WordPress` does: who is published under a name that is taken gets another.
    fn change(&self, post: &mut Post, fields: serde_json::Map<String, Value>) -> Result<(), Response> {
        let publish = fields.get("status").is_some_and(|status| status == "publish");
        if publish && !self.may("publish_posts") {
            return Err(error(
                403,
                "rest_cannot_publish",
                "Sorry, you are not allowed to publish posts in this post type.",
            ));
        }
        for (key, value) in fields {
            let known = match key.as_str() {
                "tags" | "categories" => value
                    .as_array()
                    .is_some_and(|ids| ids.iter().all(|id| id.as_u64().is_some_and(|id| self.terms.contains_key(&id)))),
                "featured_media" => value.as_u64().is_some_and(|id| self.media.contains_key(&id)),
                "status" => value.as_str().is_some_and(|status| matches!(status, "draft" | "publish")),
                "title" | "content" | "excerpt" | "slug" => value.is_string(),
                _ => false,
            };
            if !known {
                return Err(error(400, "rest_invalid_param", &format!("Invalid parameter(s): {key}")));
            }
            post.fields.insert(key, value);
        }
        let taken = |slug: &str| {
            self.posts
                .iter()
                .any(|other| other.id != post.id && other.slug == slug && other.text("status") == "publish")
        };
        if publish && taken(&post.slug) {
            post.slug.push_str("-2");
        }
        Ok(())
    }

    fn commented(&self, call: &Call) -> Response {
        let post = call.query.get("post").and_then(|id| id.parse::<u64>().ok());
        let found: Vec<Value> = self
            .comments
            .iter()
            .enumerate()
            .filter(|(_, (of, _))| Some(*of) == post)
            .map(|(id, (_, html))| {
                json!({"id": id, "author_name": "Eve", "date_gmt": "2026-12-01T10:00:00", "content": {"rendered": html}})
            })
            .collect();
        ([("x-wp-total", found.len().to_string())], Json(found)).into_response()
    }

    fn id(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// A post as readers see it: the featured image first.
    fn read(&self, post: &Post) -> FakePost {
        let content = post.text("content");
        let featured = post.fields.get("featured_media").and_then(Value::as_u64).and_then(|id| self.media.get(&id));
        let mut alts: Vec<String> = featured.map(|(_, alt)| alt.clone()).into_iter().collect();
        alts.extend(content.split(" alt=\"").skip(1).map(|piece| plain(piece.split('"').next().unwrap_or_default())));
        let text = content.split("<figure").next().unwrap_or_default();
        FakePost { id: post.id.to_string(), text: plain(text), parent: None, alts, key: Some(post.slug.clone()) }
    }
}

fn body(call: &Call) -> Result<serde_json::Map<String, Value>, Response> {
    serde_json::from_slice(&call.body).map_err(|_| error(400, "rest_invalid_json", "Invalid JSON body passed."))
}
