//! What wakes the daemon, apart from time and what is under way. Handed in, so that a simulator can hand in its own: the
//! daemon's loop is the same there.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::follow::{Changed, Follow};
use super::{Asked, Signals, World};
use crate::calendar::DeliverySettings;
use crate::ledger::Ledger;
use crate::time::{Clock as _, SystemClock};

/// What the daemon is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// Somebody has written to the ledger.
    Bell,
    /// Calendar or settings were edited.
    Edited,
    /// A person asks to read calendar and settings again.
    Reload,
    /// To stop.
    Stop,
}

/// Calendar and settings as they are now, or why they cannot be used: then the last good ones go on.
pub type Present = Result<(World, DeliverySettings), String>;

/// Where news comes from.
#[async_trait]
pub trait Newsroom: Send {
    /// Waits for news. May be dropped at any time and asked again: nothing is lost by it.
    async fn next(&mut self) -> News;

    /// Reads calendar and settings. What changes from now on, while they are read too, is news.
    fn read(&mut self) -> Present;
}

/// What [`Watch`] reads.
#[derive(Debug)]
pub struct Reading {
    /// What is published, or why it cannot be used.
    pub world: Present,
    /// The files and folders that it came from: a change of one of them is an edit.
    pub files: Vec<PathBuf>,
}

/// News of the real world: signals, followed files, and whoever rings at the ledger.
pub struct Watch<R> {
    ledger: Arc<dyn Ledger>,
    signals: Signals,
    follow: Follow,
    read: R,
}

impl<R: Fn() -> Reading + Send> Watch<R> {
    /// Begins to follow `files`, which were read at or after `since` by the machine's clock; `read` reads them again.
    pub fn new(ledger: Arc<dyn Ledger>, signals: Signals, files: Vec<PathBuf>, since: DateTime<Utc>, read: R) -> Self {
        let follow = Follow::new(ledger.bell(), files, since.into());
        Self { ledger, signals, follow, read }
    }
}

#[async_trait]
impl<R: Fn() -> Reading + Send> Newsroom for Watch<R> {
    async fn next(&mut self) -> News {
        tokio::select! {
            biased;
            asked = self.signals.next() => match asked {
                Asked::Stop => News::Stop,
                Asked::Reload => News::Reload,
            },
            changed = self.follow.changed() => match changed {
                Changed::Bell => News::Bell,
                Changed::Files => News::Edited,
            },
            () = self.ledger.rung() => News::Bell,
        }
    }

    fn read(&mut self) -> Present {
        // The machine's own clock, since the times of files are compared with it.
        let (before, since) = (self.follow.glance(), SystemClock.now());
        let Reading { world, files } = (self.read)();
        self.follow.files(files, &before, since.into());
        world
    }
}
