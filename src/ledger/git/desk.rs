//! Whoever keeps the ledger for this process: a thread that asks the remote, holds what was loaded last, and changes it.
//!
//! Requests that wait are worked on together: one look at the remote, or one push, for all of them. A change is worked
//! out over what was loaded last and pushed at once; when the remote has gone on since, the push is refused, and the
//! change is worked out anew over what is there now.

mod push;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;

use self::push::Outcome;
use super::age::Seen;
use super::guards;
use super::keeper::{Job, Kind, Stray, Terms, Turn, stopped};
use super::layout::{self, DeliveryFile, Whole};
use super::objects::{self, Files};
use super::place::Place;
use super::program::Git;
use super::remote::{self, Oid};
use super::trouble::Trouble;
use crate::ledger::{LedgerError, Result};
use crate::model::{DeliveryId, State};

/// A change that others are always faster with is given up after so long.
const PATIENCE: Duration = Duration::from_secs(90);

/// The longest pause between two tries.
const PAUSE: Duration = Duration::from_secs(1);

/// A refusal that no change of the remote explains is believed after so many tries: another push may be under way.
const TRIES: u32 = 4;

/// So many, where a lock tells that one is, or was.
const LOCKED: u32 = 10;

/// What no ref leads to is brought again so often in one go, when a `git gc` beside us takes it away.
const BROUGHT: u32 = 3;

/// Most requests that are worked on together.
const GROUP: usize = 256;

/// What was loaded last.
#[derive(Default)]
struct Loaded {
    head: Option<Oid>,
    files: Files,
    whole: Whole,
}

/// What tells whether a claim was renewed: the row's version, and its owner's beat.
type Token = (u64, Option<u64>);

/// The thread's own.
pub(super) struct Desk {
    terms: Terms,
    place: Option<Place>,
    loaded: Option<Loaded>,
    /// Since when each claim is as it is, as this process has seen it.
    leases: HashMap<DeliveryId, (Token, DateTime<Utc>)>,
    /// When the remote was asked last, from before the question.
    looked: Option<Duration>,
    /// What was loaded may not be what is there.
    doubt: bool,
    /// What was loaded is not all in this clone any more.
    missing: bool,
    /// Refs of deliveries that the ledger knows nothing of.
    strays: BTreeMap<DeliveryId, Oid>,
    /// Refs of deliveries that the ledger knows and that are gone.
    absent: BTreeSet<DeliveryId>,
    news: watch::Sender<u64>,
    /// The commits that this process has tried to push last: what is found of them is no news.
    own: Option<Oid>,
}

impl Desk {
    pub(super) fn new(terms: Terms, news: watch::Sender<u64>) -> Self {
        Self {
            terms,
            place: None,
            loaded: None,
            leases: HashMap::new(),
            looked: None,
            doubt: false,
            missing: false,
            strays: BTreeMap::new(),
            absent: BTreeSet::new(),
            news,
            own: None,
        }
    }

    pub(super) fn work(mut self, waiting: &Receiver<Box<dyn Job>>) {
        while let Ok(first) = waiting.recv() {
            let mut jobs = vec![first];
            while jobs.len() < GROUP
                && let Ok(more) = waiting.try_recv()
            {
                jobs.push(more);
            }
            let failed = self.together(&mut jobs).err();
            for job in jobs {
                job.finish(failed.as_ref());
            }
        }
    }

    fn together(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<()> {
        self.settle(jobs).map_err(|trouble| {
            // What was under way may be there all the same.
            self.doubt = true;
            let shown = self.place.as_ref().map_or("refs/smm", |place| &place.shown);
            trouble.explain(shown, self.terms.git.folder())
        })
    }

    fn elapsed(&self) -> Duration {
        self.terms.clock.elapsed()
    }

    /// The present of leases.
    fn lease_now(&self) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::from_std(self.elapsed()).unwrap_or(TimeDelta::zero())
    }

    fn is_fresh(&self) -> bool {
        !self.doubt && self.looked.is_some_and(|looked| self.elapsed().saturating_sub(looked) < self.terms.fresh)
    }

    /// Works them out, until what they change is on the remote.
    fn settle(&mut self, jobs: &mut [Box<dyn Job>]) -> std::result::Result<(), Trouble> {
        let began = self.elapsed();
        let now = self.lease_now();
        let changes = jobs.iter().any(|job| matches!(job.kind(), Kind::Change | Kind::Own | Kind::Adopt));
        let adopts = jobs.iter().any(|job| job.kind() == Kind::Adopt);
        if changes && self.terms.read_only {
            return Err(LedgerError::Storage("the ledger was opened for reading".to_owned()).into());
        }
        let mut sure = false;
        if self.loaded.is_none() || self.doubt || jobs.iter().any(|job| matches!(job.kind(), Kind::Fresh | Kind::Adopt))
        {
            self.look(self.loaded.is_none() || adopts || !self.strays.is_empty())?;
            sure = true;
        } else if !changes && !self.is_fresh() {
            self.look(!self.strays.is_empty())?;
            sure = true;
        }
        let own = jobs.iter().all(|job| job.kind() == Kind::Own);
        let strays = if adopts { self.read_strays()? } else { Vec::new() };
        let (mut tries, mut unexplained, mut brought) = (0, 0, 0);
        loop {
            let older = self.judge()?;
            self.terms.watch.note_older(older.clone());
            let Some(loaded) = &self.loaded else { return Err(stopped().into()) };
            let place = self.place.clone().ok_or_else(stopped)?;
            let mut whole = loaded.whole.clone();
            let (mut says, mut squash, mut unguarded) = (Vec::new(), false, false);
            for job in jobs.iter_mut() {
                job.run(&mut Turn {
                    whole: &mut whole,
                    now,
                    lease: self.terms.lease,
                    older: older.as_ref(),
                    says: &mut says,
                    squash: &mut squash,
                    unguarded: &mut unguarded,
                    strays: &strays,
                    place: &place.shown,
                    head: loaded.head.as_ref(),
                });
            }
            if !changes {
                return Ok(());
            }
            whole.tidy();
            if !squash && !adopts && layout::differences(&loaded.files, &whole.files(&loaded.files)).is_empty() {
                if sure || own || self.is_fresh() {
                    return Ok(());
                }
                // Nothing is to be changed of what was loaded; is that what is there?
                let before = loaded.head.clone();
                self.look(false)?;
                sure = true;
                if self.loaded.as_ref().is_some_and(|loaded| loaded.head == before) {
                    return Ok(());
                }
                continue;
            }
            let outcome = match self.push(whole, &says, squash, !unguarded) {
                Err(_) if brought < BROUGHT && self.bring_back()? => {
                    brought += 1;
                    continue;
                }
                outcome => outcome?,
            };
            match outcome {
                Outcome::There => {
                    if adopts {
                        self.strays.clear();
                    }
                    let loaded = self.loaded.as_ref().ok_or_else(stopped)?;
                    self.terms.watch.pushed(&Seen::of(loaded.head.as_deref(), &loaded.whole), adopts)?;
                    return Ok(());
                }
                Outcome::Overtaken => unexplained = 0,
                Outcome::Unexplained(why) => {
                    unexplained += 1;
                    let most = if why.is_locked() { LOCKED } else { TRIES };
                    if unexplained >= most || why.is_final() {
                        self.look(true)?;
                        return Err(why);
                    }
                }
            }
            sure = true;
            if self.elapsed().saturating_sub(began) > PATIENCE || tries > 200 {
                return Err(LedgerError::Storage(format!(
                    "the ledger at {} was changed by others {tries} times while this was to be written; nothing is sent, try again",
                    place.shown
                ))
                .into());
            }
            tries += 1;
            std::thread::sleep(jitter(tries));
        }
    }

    /// Asks the remote what is there, and loads it when it is something else than before. `all`: with every ref of a
    /// delivery.
    fn look(&mut self, all: bool) -> std::result::Result<(), Trouble> {
        if self.place.is_none() {
            self.place = Some(Place::find(&self.terms.git, &self.terms.setting)?);
        }
        let place = self.place.clone().ok_or_else(stopped)?;
        let mut tries = 0;
        loop {
            self.terms.watch.read();
            let before = self.elapsed();
            let pattern = if all { place.all() } else { place.state() };
            let mut refs = remote::look(&self.terms.git, &place, &[&pattern])?;
            let head = refs.remove(&place.state());
            let here = self.load(&place, head)?;
            if here {
                (self.looked, self.doubt) = (Some(before), false);
                if !all {
                    return Ok(());
                }
                self.compare(&place, &refs);
                if self.strays.is_empty() || tries >= TRIES {
                    return Ok(());
                }
                // A push may be under way that has changed a part of them.
            } else if tries > 10 {
                let text = format!("the ledger at {} is changed faster than it can be read; try again", place.shown);
                return Err(LedgerError::Storage(text).into());
            }
            tries += 1;
            std::thread::sleep(jitter(tries));
        }
    }

    /// Which refs of deliveries the ledger does not know, and which it misses.
    fn compare(&mut self, place: &Place, refs: &BTreeMap<String, Oid>) {
        let Some(loaded) = &self.loaded else { return };
        let there: BTreeMap<DeliveryId, &Oid> =
            refs.iter().filter_map(|(name, oid)| Some((place.delivery_of(name)?, oid))).collect();
        let known = &loaded.whole.guards;
        self.absent = known.keys().filter(|id| !there.contains_key(id)).copied().collect();
        // What was folded may have kept its ref when a collection was cut short.
        let left = |id: &DeliveryId| loaded.whole.folded.contains_key(id) && !known.contains_key(id);
        let strays = there.into_iter().filter(|(id, oid)| known.get(id) != Some(*oid) && !left(id));
        self.strays = strays.map(|(id, oid)| (id, oid.clone())).collect();
    }

    /// Reads a commit, which is fetched where it is not here. `None`: it has gone meanwhile.
    fn bring(&self, place: &Place, oid: &Oid, before: &Loaded) -> std::result::Result<Option<(Files, Whole)>, Trouble> {
        let git = &self.terms.git;
        let known = before.head.as_deref().filter(|_| !self.missing);
        if objects::is_here(git, oid, known)?
            // A `git gc` beside us may take away what no ref leads to: then it is fetched.
            && let Ok(files) = objects::files(git, oid, &before.files)
        {
            let whole = Whole::read(&files)?;
            return Ok(Some((files, whole)));
        }
        let known = match known {
            Some(oid) if objects::has(git, oid)? => Some(oid),
            _ => None,
        };
        let state = [place.state()];
        match remote::fetch(git, place, &state, known) {
            // What was said to be here was taken away in part.
            Err(trouble) if known.is_some() && trouble.is_unexplained() => remote::fetch(git, place, &state, None)?,
            other => other?,
        }
        if !objects::is_here(git, oid, known)? {
            return Ok(None);
        }
        let files = objects::files(git, oid, &before.files)?;
        let whole = Whole::read(&files)?;
        Ok(Some((files, whole)))
    }

    /// Fetches what was loaded once more, if it was taken away since, or what was written over it: no ref of this clone
    /// leads there, so that a `git gc --prune=now` takes it. `false`: it is all here.
    fn bring_back(&mut self) -> std::result::Result<bool, Trouble> {
        let git = &self.terms.git;
        let head = self.loaded.as_ref().and_then(|loaded| loaded.head.clone());
        for oid in head.iter().chain(&self.own) {
            if !objects::is_here(git, oid, None)? {
                self.missing = true;
                self.look(false)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Loads a commit. `false`: it has gone meanwhile.
    fn load(&mut self, place: &Place, head: Option<Oid>) -> std::result::Result<bool, Trouble> {
        let before = self.loaded.take().unwrap_or_default();
        let first = self.looked.is_none();
        if !first && !self.missing && before.head == head {
            self.loaded = Some(before);
            return Ok(true);
        }
        let Some(oid) = &head else {
            if before.head.is_some() {
                self.terms.watch.rewound(&Seen::of(before.head.as_deref(), &before.whole));
            }
            self.loaded = Some(Loaded::default());
            self.observe();
            return Ok(true);
        };
        let (files, whole) = match self.bring(place, oid, &before) {
            Ok(Some(loaded)) => loaded,
            other => {
                self.loaded = Some(before).filter(|_| !first);
                return other.map(|_| false);
            }
        };
        self.missing = false;
        if let Some(old) = &before.head
            && !whole.continues(&before.whole, &self.terms.git, old, oid)?
        {
            self.terms.watch.rewound(&Seen::of(Some(old), &before.whole));
        }
        if !first && before.head != head && self.own.as_ref() != Some(oid) {
            self.news.send_modify(|news| *news += 1);
        }
        self.loaded = Some(Loaded { head, files, whole });
        self.observe();
        Ok(true)
    }

    /// Compares with what this machine has seen.
    fn judge(&mut self) -> std::result::Result<Option<(Seen, Seen)>, Trouble> {
        let Some(loaded) = &self.loaded else { return Ok(None) };
        let older = self.terms.watch.compare(&self.terms.git, loaded.head.as_deref(), &loaded.whole)?;
        let found = Seen::of(loaded.head.as_deref(), &loaded.whole);
        if older.is_none() && !self.strays.is_empty() {
            let known = loaded.whole.tables.sequence;
            let seen = Seen { sequence: known + self.strays.len() as u64, ..found.clone() };
            return Ok(Some((seen, found)));
        }
        if older.is_none() {
            self.terms.watch.current(&found);
        }
        Ok(older)
    }

    /// Since when each claim is as it is: what has changed begins anew, from now on.
    fn observe(&mut self) {
        let now = self.lease_now();
        let Some(loaded) = &mut self.loaded else { return };
        let mut leases = HashMap::new();
        for (id, token) in loaded.whole.tokens() {
            let since = self.leases.get(&id).filter(|(known, _)| *known == token).map_or(now, |(_, since)| *since);
            leases.insert(id, (token, since));
        }
        loaded.whole.tables.leases = leases.iter().map(|(id, (_, since))| (*id, *since)).collect();
        self.leases = leases;
    }

    /// What is behind the refs that the ledger does not know.
    fn read_strays(&self) -> std::result::Result<Vec<Stray>, Trouble> {
        let Some(place) = &self.place else { return Ok(Vec::new()) };
        let mut strays = Vec::new();
        let all: Vec<(&DeliveryId, &Oid)> = self.strays.iter().collect();
        for some in all.chunks(200) {
            let refs: Vec<String> = some.iter().map(|(id, _)| place.delivery(**id)).collect();
            remote::fetch(&self.terms.git, place, &refs, None)?;
            let oids: Vec<&str> = some.iter().map(|(_, oid)| oid.as_str()).collect();
            let found = objects::one_of_each(&self.terms.git, &oids, guards::FILE)?;
            for ((id, oid), content) in some.iter().zip(found) {
                let file = content.and_then(|content| layout::json::<DeliveryFile>(guards::FILE, &content).ok());
                let file = file.filter(|file| file.delivery.id == **id);
                strays.push(Stray { id: **id, oid: (*oid).clone(), file });
            }
        }
        Ok(strays)
    }
}

impl Whole {
    /// Whether this is what came of `before`, whose commit was `old`.
    fn continues(&self, before: &Self, git: &Git, old: &str, new: &str) -> std::result::Result<bool, Trouble> {
        let (was, is) = (&before.facts, &self.facts);
        if is.former.contains(&was.instance) {
            return Ok(true);
        }
        if was.instance != is.instance || was.serial > is.serial {
            return Ok(false);
        }
        if is.squashed.iter().any(|cut| cut.serial >= was.serial) {
            return Ok(true);
        }
        objects::is_ancestor(git, old, new)
    }

    /// The deliveries that somebody has in hand, with what changes when they are renewed.
    fn tokens(&self) -> impl Iterator<Item = (DeliveryId, Token)> + '_ {
        let held = self.tables.deliveries.values().filter(|row| matches!(row.state, State::Claimed | State::Sending));
        held.map(|row| {
            let beat = row.owner.as_ref().and_then(|owner| self.beats.get(owner)).copied();
            (row.id, (row.version, beat))
        })
    }

    /// Forgets the processes that have nothing in hand any more.
    fn tidy(&mut self) {
        let rows = self.tables.deliveries.values();
        let held = rows.filter(|row| matches!(row.state, State::Claimed | State::Sending));
        let owners: BTreeSet<&String> = held.filter_map(|row| row.owner.as_ref()).collect();
        self.beats.retain(|owner, _| owners.contains(owner));
    }
}

/// How long to wait before the next try: by chance, so that of many who are refused together one is first.
fn jitter(tries: u32) -> Duration {
    let most = Duration::from_millis(15).saturating_mul(1 << tries.min(7)).min(PAUSE);
    let mut byte = [0; 2];
    let _ = getrandom::fill(&mut byte);
    most.mul_f64(0.1 + 0.9 * f64::from(u16::from_le_bytes(byte)) / f64::from(u16::MAX))
}
