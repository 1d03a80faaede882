//! The calendar as people edit it, and the daemons that read it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, NaiveDateTime, Utc};
use smm::calendar::{Calendar, DeliverySettings};
use smm::engine::{News, Newsroom, Present, World};
use smm::ledger::Ledger;
use smm::model::{Account, AccountName, CalendarName, Content, Late, Post, PostId, Trigger};
use smm::time::Zone;
use tokio::sync::Notify;

use super::process::Process;
use super::stage::{Stage, locked};

/// When a post is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum When {
    Once(NaiveDateTime),
    Series(String),
}

/// A post of the calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) id: PostId,
    /// What it was called first: names its occurrences.
    pub(crate) name: PostId,
    pub(crate) when: When,
    pub(crate) to: Vec<AccountName>,
    /// Parts beyond the first.
    pub(crate) more: u16,
    /// Texts taken in turn.
    pub(crate) turns: u16,
    pub(crate) late: Late,
    /// Rises with every edit of the text.
    pub(crate) revision: u32,
    /// It is in the files.
    pub(crate) present: bool,
    /// It has no mistake.
    pub(crate) readable: bool,
}

impl Entry {
    /// The text of a part, as the networks get it.
    pub(crate) fn text(&self, part: u16, turn: u16) -> String {
        match (part, self.turns) {
            (0, 0) => format!("{} r{}", self.name, self.revision),
            (0, _) => format!("{} r{} turn {turn}", self.name, self.revision),
            _ => format!("{} r{} part {part}", self.name, self.revision),
        }
    }

    /// Whether a text is one of its own now.
    pub(crate) fn says(&self, text: &str) -> bool {
        (0..=self.more).any(|part| (0..self.turns.max(1)).any(|turn| self.text(part, turn) == text))
    }

    fn post(&self, zone: &Zone) -> Post {
        let mut content =
            Content { thread: (1..=self.more).map(|part| self.text(part, 0)).collect(), ..Content::default() };
        if self.turns == 0 {
            content.text = Some(self.text(0, 0));
        } else {
            content.texts = (0..self.turns).map(|turn| self.text(0, turn)).collect();
        }
        let trigger = match &self.when {
            When::Once(civil) => Trigger::At { civil: *civil, instant: zone.local(*civil).instant() },
            When::Series(rule) => Trigger::Cron { rule: rule.clone(), from: None, until: None, except: Vec::new() },
        };
        Post {
            id: self.id.clone(),
            name: self.name.clone(),
            trigger: Some(trigger),
            to: self.to.clone(),
            content,
            overrides: BTreeMap::new(),
            campaign: None,
            late: self.late,
            draft: false,
        }
    }
}

/// All posts as they were from a moment on.
pub(crate) type Edition = (DateTime<Utc>, Arc<Vec<Entry>>);

/// From, and until; `None`: still.
type Gap = (DateTime<Utc>, Option<DateTime<Utc>>);

/// The calendar's files.
pub(crate) struct Paper {
    stage: Arc<Stage>,
    pub(crate) name: CalendarName,
    pub(crate) zone: Zone,
    pub(crate) accounts: BTreeMap<AccountName, Account>,
    pub(crate) settings: DeliverySettings,
    editions: Mutex<Vec<Edition>>,
    /// When the file could not be read at all.
    broken: Mutex<Vec<Gap>>,
    edits: AtomicU64,
    edited: Notify,
}

impl Paper {
    pub(crate) fn new(
        stage: Arc<Stage>,
        zone: Zone,
        accounts: BTreeMap<AccountName, Account>,
        settings: DeliverySettings,
        entries: Vec<Entry>,
    ) -> Arc<Self> {
        let now = stage.now();
        Arc::new(Self {
            stage,
            name: CalendarName::new("sim"),
            zone,
            accounts,
            settings,
            editions: Mutex::new(vec![(now, Arc::new(entries))]),
            broken: Mutex::default(),
            edits: AtomicU64::new(0),
            edited: Notify::new(),
        })
    }

    /// The posts now.
    pub(crate) fn entries(&self) -> Arc<Vec<Entry>> {
        Arc::clone(&locked(&self.editions).last().expect("the first edition").1)
    }

    /// Every edition that was in force at some time from `from` to `to`. While the file cannot be read the last good one
    /// stays in force.
    pub(crate) fn editions(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<Arc<Vec<Entry>>> {
        let broken = locked(&self.broken);
        let before = |from: &DateTime<Utc>| {
            let during = broken.iter().filter(|(start, end)| start < from && end.is_none_or(|end| end >= *from));
            during.map(|(start, _)| *start).min()
        };
        let from = std::iter::successors(Some(from), before).last().unwrap_or(from);
        let editions = locked(&self.editions);
        let ends = editions.iter().skip(1).map(|(at, _)| *at).chain([DateTime::<Utc>::MAX_UTC]);
        let in_force = editions.iter().zip(ends).filter(|((at, _), end)| *at <= to && *end >= from);
        in_force.map(|((_, entries), _)| Arc::clone(entries)).collect()
    }

    /// Every edition, with the moment from which it was in force.
    pub(crate) fn all(&self) -> Vec<Edition> {
        locked(&self.editions).clone()
    }

    /// Changes something.
    pub(crate) fn edit(&self, change: impl FnOnce(&mut Vec<Entry>)) {
        let mut entries = (*self.entries()).clone();
        change(&mut entries);
        locked(&self.editions).push((self.stage.now(), Arc::new(entries)));
        self.tell();
    }

    /// Breaks the whole file, or mends it.
    pub(crate) fn set_broken(&self, broken: bool) {
        let now = self.stage.now();
        let mut times = locked(&self.broken);
        match times.last_mut().filter(|(_, end)| end.is_none()) {
            None if broken => times.push((now, None)),
            Some((_, end)) if !broken => *end = Some(now),
            _ => {}
        }
        drop(times);
        self.tell();
    }

    fn tell(&self) {
        self.edits.fetch_add(1, Ordering::SeqCst);
        self.edited.notify_waiters();
    }

    /// What a daemon reads.
    pub(crate) fn world(&self) -> Present {
        if locked(&self.broken).last().is_some_and(|(_, end)| end.is_none()) {
            return Err("calendar.toml cannot be read".to_owned());
        }
        let entries = self.entries();
        let present = || entries.iter().filter(|entry| entry.present);
        let calendar = Calendar {
            name: self.name.clone(),
            zone: self.zone.clone(),
            folder: PathBuf::from("calendar"),
            posts: present().filter(|entry| entry.readable).map(|entry| entry.post(&self.zone)).collect(),
            accounts: self.accounts.clone(),
            campaigns: BTreeMap::new(),
            missing_alt_warns: true,
            media_host: false,
        };
        let world = World {
            calendar: Some(Arc::new(calendar)),
            ids: present().map(|entry| entry.id.clone()).collect(),
            complete: true,
            accounts: self.accounts.clone(),
            folder: PathBuf::from("files"),
        };
        Ok((world, self.settings))
    }
}

/// What wakes a daemon.
pub(crate) struct Room {
    process: Arc<Process>,
    paper: Arc<Paper>,
    ledger: Arc<dyn Ledger>,
    /// The edits that it was told of.
    heard: u64,
    stop: Arc<Notify>,
}

impl Room {
    /// For a process that has just read the calendar.
    pub(crate) fn new(process: Arc<Process>, paper: Arc<Paper>, ledger: Arc<dyn Ledger>, stop: Arc<Notify>) -> Self {
        let heard = paper.edits.load(Ordering::SeqCst);
        Self { process, paper, ledger, heard, stop }
    }

    async fn edited(paper: &Paper, heard: &mut u64) {
        loop {
            let mut edited = std::pin::pin!(paper.edited.notified());
            edited.as_mut().enable();
            let edits = paper.edits.load(Ordering::SeqCst);
            if edits != *heard {
                // An editor writes in several steps.
                tokio::time::sleep(Duration::from_millis(100)).await;
                *heard = edits;
                return;
            }
            edited.await;
        }
    }
}

#[async_trait]
impl Newsroom for Room {
    async fn next(&mut self) -> News {
        let news = tokio::select! {
            biased;
            () = self.stop.notified() => News::Stop,
            () = Self::edited(&self.paper, &mut self.heard) => News::Edited,
            () = self.ledger.rung() => News::Bell,
        };
        self.process.runs().await;
        news
    }

    fn read(&mut self) -> Present {
        self.paper.world()
    }
}
