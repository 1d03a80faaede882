//! The post of a delivery, wherever it is kept: in the calendar, or in the ledger (those of `smm post`, and those of
//! releases, which somebody has filled in).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::connect::Folders;
use super::{Engine, World};
use crate::calendar::Calendar;
use crate::ledger::{LedgerError, StoredPost};
use crate::model::{Delivery, Origin, Post};
use crate::time::Zone;

/// A delivery's post, with what is needed to compose it.
pub(super) struct Source {
    pub(super) calendar: Arc<Calendar>,
    pub(super) post: Post,
    pub(super) folders: Folders,
    /// It announces a release, and was not announced before this. Then the calendar's edits do not reach it.
    pub(super) announced: Option<DateTime<Utc>>,
}

impl Engine {
    /// Its post; the inner `Err` says why it cannot be had.
    pub(super) async fn source(&self, row: &Delivery, world: &World) -> Result<Result<Source, String>, LedgerError> {
        let folders = self.folders(row, world).await?;
        if row.occurrence.tag().is_some() {
            return self.announced(row, world, folders).await;
        }
        if row.origin == Origin::Command {
            let Some(stored) = self.ledger.post(&row.calendar, &row.post).await? else {
                return Ok(Err("its post is not in the ledger".to_owned()));
            };
            let zone = match Zone::parse(&stored.timezone) {
                Ok(zone) => zone,
                Err(error) => return Ok(Err(error.to_string())),
            };
            let calendar = Calendar {
                name: row.calendar.clone(),
                zone,
                folder: folders.media.clone(),
                posts: Vec::new(),
                accounts: world.accounts.clone(),
                campaigns: BTreeMap::new(),
                missing_alt_warns: true,
                // It was checked when the post was written; what has changed since, the call tells.
                media_host: true,
            };
            return Ok(Ok(Source { calendar: Arc::new(calendar), post: stored.post, folders, announced: None }));
        }
        let Some(calendar) = &world.calendar else {
            return Ok(Err(format!("it is of the calendar `{}`, which is not open", row.calendar)));
        };
        Ok(match calendar.post(&row.post) {
            Some(post) => Ok(Source { calendar: Arc::clone(calendar), post: post.clone(), folders, announced: None }),
            // A thread that was begun goes on by its frozen plan.
            None if row.is_frozen() => {
                let late = row.late;
                let post = Post {
                    id: row.post.clone(),
                    name: row.post.clone(),
                    trigger: None,
                    to: Vec::new(),
                    content: crate::model::Content::default(),
                    overrides: BTreeMap::new(),
                    campaign: None,
                    late,
                    draft: false,
                };
                Ok(Source { calendar: Arc::clone(calendar), post, folders, announced: None })
            }
            None => Err("its post is not in the calendar, or has errors; `smm check` tells".to_owned()),
        })
    }

    /// The post of a release, as the first who announced it has filled it in: whoever sends it sends the same.
    async fn announced(
        &self,
        row: &Delivery,
        world: &World,
        folders: Folders,
    ) -> Result<Result<Source, String>, LedgerError> {
        let Some(calendar) = &world.calendar else {
            return Ok(Err(format!("it is of the calendar `{}`, which is not open", row.calendar)));
        };
        let kept = StoredPost::of_release(&row.occurrence);
        let Some(stored) = self.ledger.post(&row.calendar, &kept).await? else {
            return Ok(Err("what it says is not in the ledger".to_owned()));
        };
        let post = Post { id: row.post.clone(), ..stored.post };
        let since = stored.announced.map(|announced| announced.since);
        Ok(Ok(Source { calendar: Arc::clone(calendar), post, folders, announced: Some(since.unwrap_or(stored.at)) }))
    }

    /// The folders that its adapter is handed.
    pub(super) async fn folders(&self, row: &Delivery, world: &World) -> Result<Folders, LedgerError> {
        let own = || world.calendar.as_ref().map_or_else(|| world.folder.clone(), |calendar| calendar.folder.clone());
        let media = match row.origin {
            Origin::Calendar => own(),
            Origin::Command => {
                let stored = self.ledger.post(&row.calendar, &row.post).await?;
                stored.and_then(|stored| stored.folder).map_or_else(own, PathBuf::from)
            }
        };
        Ok(Folders { media, files: world.folder.clone() })
    }
}
