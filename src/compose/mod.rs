//! Post × account → what the account receives. Pure but for reading media files. What `check`, `preview` and the engine
//! share, so that none of them can be of another opinion.

use crate::adapter::Plan;
use crate::calendar::Diagnostic;
use crate::calendar::{Calendar, Loaded};
use crate::model::{Account, DeliveryId, MediaFacts, Post, Problem};
use crate::text::Unit;

/// What one account would receive for a post.
#[derive(Debug, Clone)]
pub struct Rendering {
    /// What is sent, as data.
    pub plan: Option<Plan>,
    /// The messages, for people.
    pub parts: Vec<PartView>,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
    /// What will be done to its media.
    pub notes: Vec<String>,
}

/// A message, for people.
#[derive(Debug, Clone)]
pub struct PartView {
    /// Its text.
    pub text: String,
    /// Its length in `unit`.
    pub length: u64,
    /// What is allowed.
    pub limit: u64,
    /// In this unit.
    pub unit: Unit,
    /// Its files: path, alt text, facts where the file can be read.
    pub media: Vec<(String, String, Option<MediaFacts>)>,
    /// The link of its card.
    pub link: Option<String>,
}

/// Which occurrence of a post is composed.
#[derive(Debug, Clone, Copy)]
pub struct Instance {
    /// Names the keys.
    pub delivery: DeliveryId,
    /// Rises when a person says "post again".
    pub generation: u32,
    /// Which of `texts`.
    pub variation: usize,
}

/// Composes one post for one account.
pub fn compose(calendar: &Calendar, post: &Post, account: &Account, instance: Instance) -> Rendering {
    let _ = (calendar, post, account, instance);
    todo!()
}

/// Everything that is wrong with a calendar: its form, and what each account would refuse. `now` makes past times notes.
pub fn check(loaded: &Loaded, now: chrono::DateTime<chrono::Utc>) -> Vec<Diagnostic> {
    let _ = (loaded, now);
    todo!()
}
