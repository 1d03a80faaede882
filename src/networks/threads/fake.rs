//! What a stand-in for Threads has of its own, made after its Postman collection and guides (see `wire.rs`).

#![expect(clippy::result_large_err, reason = "an answer is axum's own type, and this is for tests alone")]

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::Threads;
use crate::adapter::suite::graph::{
    Answered, Asked, Data, Fields, Kind, Post, Shared, USERNAME, World, error, fetched, gone, invalid, shown,
};
use crate::text::{Counting, MentionWeight, Unit, measure};

/// Threads.
pub(super) static KIND: Kind = Kind {
    network: &Threads,
    version: "v1.0",
    posts: "me/threads",
    publish: "me/threads_publish",
    text: "text",
    stage: "status",
    valid,
    view,
    unready: || error(24, 4_279_009, "The requested resource does not exist"),
    routes,
};

fn routes(path: &dyn Fn(&str) -> String) -> Router<Arc<World>> {
    Router::new()
        .route(&path("me"), get(me))
        .route(&path("me/replies"), get(own_replies))
        .route(&path("me/threads_publishing_limit"), get(limit))
        .route(&path("{id}/insights"), get(insights))
        .route(&path("{id}/replies"), get(replies))
}

async fn me(State(world): Shared, _: Asked) -> Answered {
    Ok(Json(json!({"id": world.user.to_string(), "username": USERNAME})))
}

async fn limit(State(world): Shared, Asked(asked): Asked) -> Answered {
    let data = world.held();
    let replies = data.posts.iter().filter(|post| post.parent.is_some()).count() as u64;
    let posts = data.posts.len() as u64 - replies + data.used;
    let all = json!({
        "id": null,
        "quota_usage": posts, "config": {"quota_total": 250, "quota_duration": 86400},
        "reply_quota_usage": replies, "reply_config": {"quota_total": 1000, "quota_duration": 86400},
    });
    Ok(Json(json!({"data": [shown(all, &asked)?]})))
}

async fn own_replies(State(world): Shared, Asked(asked): Asked) -> Answered {
    world.list(&asked, |post| post.parent.is_some())
}

async fn replies(State(world): Shared, Path(id): Path<String>, Asked(asked): Asked) -> Answered {
    world.held().post(&id).ok_or_else(gone)?;
    world.list(&asked, |post| post.parent.as_ref() == Some(&id))
}

async fn insights(State(world): Shared, Path(id): Path<String>, Asked(asked): Asked) -> Answered {
    world.held().post(&id).ok_or_else(gone)?;
    let metric =
        |name: &str| json!({"name": name, "period": "lifetime", "values": [{"value": 3}], "title": name, "id": name});
    let names = asked.get("metric").map(String::as_str).unwrap_or_default();
    Ok(Json(json!({"data": names.split(',').map(metric).collect::<Vec<_>>()})))
}

fn valid(data: &Data, fields: &Fields) -> Result<(), Response> {
    let field = |name: &str| fields.get(name).map(String::as_str);
    let text = field("text").unwrap_or_default();
    let counting = Counting { unit: Unit::EmojiBytes, link: None, mention: MentionWeight::Raw };
    if measure(text, counting) > 500 {
        return Err(invalid("Param text must be at most 500 characters long."));
    }
    match field("media_type") {
        Some("TEXT") if text.is_empty() => return Err(invalid("The text is missing")),
        Some("TEXT") => {}
        Some("IMAGE") => fetched(fields, "image_url")?,
        Some("VIDEO") => fetched(fields, "video_url")?,
        Some("CAROUSEL") => data.carousel(fields, &(2..=20))?,
        _ => return Err(invalid("Param media_type must be one of {TEXT, IMAGE, VIDEO, CAROUSEL}")),
    }
    if field("reply_to_id").is_some_and(|id| data.post(id).is_none()) {
        return Err(gone());
    }
    Ok(())
}

fn view(_data: &Data, post: &Post) -> Value {
    json!({
        "id": post.id,
        "text": post.text,
        "permalink": format!("https://www.threads.com/@{USERNAME}/post/{}", post.id),
        "username": post.username,
        "timestamp": post.date(),
    })
}
