//! What a stand-in for Instagram has of its own, made after the specification of its API and its guides (see `wire.rs`).

#![expect(clippy::result_large_err, reason = "an answer is axum's own type, and this is for tests alone")]

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use chrono::DateTime;
use serde_json::{Value, json};

use super::Instagram;
use crate::adapter::suite::graph::{
    Answered, Asked, Data, Fields, Kind, Post, Shared, USERNAME, World, error, fetched, gone, invalid, shown,
};
use crate::text::{Counting, FoundKind, MentionWeight, Unit, find, measure};

/// Instagram.
pub(super) static KIND: Kind = Kind {
    network: &Instagram,
    version: "v25.0",
    posts: "{user}/media",
    publish: "{user}/media_publish",
    text: "caption",
    stage: "status_code",
    valid,
    view,
    unready: || error(9007, 2_207_027, "Media ID is not available"),
    routes,
};

fn routes(path: &dyn Fn(&str) -> String) -> Router<Arc<World>> {
    Router::new()
        .route(&path("me"), get(me))
        .route(&path("{user}/content_publishing_limit"), get(limit))
        .route(&path("{id}/comments"), get(comments).post(comment))
}

async fn me(State(world): Shared, _: Asked) -> Answered {
    Ok(Json(json!({"data": [{"user_id": world.user.to_string(), "username": USERNAME}]})))
}

async fn limit(State(world): Shared, Asked(asked): Asked) -> Answered {
    let data = world.held();
    let posts = data.posts.iter().filter(|post| post.parent.is_none()).count() as u64 + data.used;
    let all = json!({"id": null, "quota_usage": posts, "config": {"quota_total": 100, "quota_duration": 86400}});
    Ok(Json(json!({"data": [shown(all, &asked)?]})))
}

async fn comment(State(world): Shared, Path(media): Path<String>, Asked(fields): Asked) -> Answered {
    let mut data = world.held();
    data.post(&media).ok_or_else(gone)?;
    let text = fields.get("message").cloned().filter(|text| !text.is_empty()).ok_or_else(|| invalid("No message"))?;
    let id = data.id();
    data.posts.push(Post {
        id: id.clone(),
        username: USERNAME.to_owned(),
        text: Some(text),
        parent: Some(media),
        alts: Vec::new(),
        at: DateTime::from(std::time::SystemTime::now()),
    });
    Ok(Json(json!({"id": id})))
}

async fn comments(State(world): Shared, Path(media): Path<String>, Asked(asked): Asked) -> Answered {
    world.held().post(&media).ok_or_else(gone)?;
    world.list(&asked, |post| post.parent.as_ref() == Some(&media))
}

fn valid(data: &Data, fields: &Fields) -> Result<(), Response> {
    let field = |name: &str| fields.get(name).map(String::as_str);
    let caption = field("caption").unwrap_or_default();
    let counting = Counting { unit: Unit::Utf16, link: None, mention: MentionWeight::Raw };
    let found = find(caption);
    let count = |kind: FoundKind| found.iter().filter(|found| found.kind == kind).count();
    if measure(caption, counting) > 2200 || count(FoundKind::Tag) > 30 || count(FoundKind::Mention) > 20 {
        return Err(error(36004, 2_207_010, "The caption is too long, or has too many tags or mentions"));
    }
    let item = field("is_carousel_item") == Some("true");
    match field("media_type") {
        None => fetched(fields, "image_url"),
        Some("REELS") if !item => fetched(fields, "video_url"),
        Some("VIDEO") if item => fetched(fields, "video_url"),
        Some("CAROUSEL") => data.carousel(fields, &(2..=10)),
        _ => Err(error(100, 2_207_023, "The media type is not known")),
    }
}

/// A post, or a comment: they have other fields.
fn view(data: &Data, post: &Post) -> Value {
    if post.parent.is_some() {
        return json!({
            "id": post.id, "text": post.text, "username": post.username, "timestamp": post.date(), "like_count": 1,
        });
    }
    json!({
        "id": post.id,
        "caption": post.text,
        "permalink": format!("https://www.instagram.com/p/{}/", post.id),
        "username": post.username,
        "timestamp": post.date(),
        "like_count": 2,
        "comments_count": data.posts.iter().filter(|comment| comment.parent.as_ref() == Some(&post.id)).count(),
    })
}
