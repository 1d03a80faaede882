//! Whoever keeps the ledger for this process: a thread that asks the remote, holds what was loaded last, and changes it.
//!
//! Requests that wait are worked on together: one look at the remote, or one push, for all of them. A change is worked
//! out over what was loaded last and pushed at once; when the remote has gone on since, the push is refused, and the
//! change is worked out anew over what is there now.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{oneshot, watch};

use super::age::{Seen, Watch};
use super::guards;
use super::layout::{self, DeliveryFile, Whole};
use super::objects::{self, Commit, Files};
use super::place::Place;
use super::program::Git;
use super::remote::{self, Change, Oid, Pushed};
use super::trouble::Trouble;
use crate::ledger::{LedgerError, Result};
use crate::model::{DeliveryId, GitSetting, State};
use crate::time::Clock;

/// A change that others are always faster with is given up after so long.
const PATIENCE: Duration = Duration::from_secs(90);

/// The longest pause between two tries.
const PAUSE: Duration = Duration::from_secs(1);

/// A refusal that no change of the remote explains is believed after so many tries: another push may be under way.
const TRIES: u32 = 4;

/// Most requests that are worked on together.
const GROUP: usize = 256;

/// What a request may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Changes nothing; what was loaded a moment ago is good enough.
    Read,
    /// Changes nothing; the remote is asked.
    Fresh,
    /// Changes something, perhaps.
    Change,
    /// Changes what this process has in hand: when it has nothing, the remote need not be asked.
    Own,
    /// Takes the ledger as it is.
    Adopt,
}

/// A delivery's own ref that the ledger knows nothing of.
#[derive(Debug, Clone)]
pub(super) struct Stray {
    pub(super) id: DeliveryId,
    pub(super) oid: Oid,
    /// What is behind it, when that can be read.
    pub(super) file: Option<DeliveryFile>,
}

/// What a request works on.
pub(super) struct Turn<'a> {
    pub(super) whole: &'a mut Whole,
    /// The present, by the time that passes: what leases are counted in.
    pub(super) now: DateTime<Utc>,
    pub(super) lease: TimeDelta,
    /// Nothing is sent.
    pub(super) older: Option<&'a (Seen, Seen)>,
    /// What has happened, for the log.
    pub(super) says: &'a mut Vec<String>,
    /// The history before is cut off.
    pub(super) squash: &'a mut bool,
    /// Deliveries get no ref of their own by this.
    pub(super) unguarded: &'a mut bool,
    /// To be adopted.
    pub(super) strays: &'a [Stray],
    /// For people.
    pub(super) place: &'a str,
    /// The commit that this is over; `None`: there is no ledger yet.
    pub(super) head: Option<&'a Oid>,
}

/// A request on its way. It may be run several times; the last time counts.
trait Job: Send {
    fn kind(&self) -> Kind;
    fn run(&mut self, turn: &mut Turn<'_>);
    fn finish(self: Box<Self>, failed: Option<&LedgerError>);
}

struct Request<F, T> {
    kind: Kind,
    work: F,
    done: Option<Result<T>>,
    answer: oneshot::Sender<Result<T>>,
}

impl<F, T> Job for Request<F, T>
where
    F: FnMut(&mut Turn<'_>) -> Result<T> + Send,
    T: Send,
{
    fn kind(&self) -> Kind {
        self.kind
    }

    fn run(&mut self, turn: &mut Turn<'_>) {
        self.done = Some((self.work)(turn));
    }

    fn finish(self: Box<Self>, failed: Option<&LedgerError>) {
        let answer = match (self.done, failed) {
            (Some(Err(own)), None) => Err(own),
            (_, Some(error)) => Err(error.clone()),
            (Some(Ok(done)), None) => Ok(done),
            (None, None) => Err(stopped()),
        };
        // Nobody waits any more when the caller was cancelled; the work is done all the same.
        let _ = self.answer.send(answer);
    }
}

fn stopped() -> LedgerError {
    LedgerError::Storage("the ledger's thread has ended".to_owned())
}

/// How a ledger is kept.
pub(super) struct Terms {
    pub(super) git: Git,
    pub(super) setting: GitSetting,
    pub(super) read_only: bool,
    pub(super) lease: TimeDelta,
    /// What was loaded is good enough for a read for so long.
    pub(super) fresh: Duration,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) watch: Arc<Watch>,
}

/// A handle to the thread. It is started by the first request, and ends with this.
pub(super) struct Keeper {
    jobs: Mutex<Start>,
    news: watch::Receiver<u64>,
}

enum Start {
    Waiting(Box<(Terms, watch::Sender<u64>)>),
    Running(Sender<Box<dyn Job>>),
    Failed,
}

impl Keeper {
    pub(super) fn new(terms: Terms) -> Self {
        let (sender, news) = watch::channel(0);
        Self { jobs: Mutex::new(Start::Waiting(Box::new((terms, sender)))), news }
    }

    /// Rises whenever somebody else has changed the ledger, as far as this process has looked.
    pub(super) fn news(&self) -> watch::Receiver<u64> {
        self.news.clone()
    }

    /// Runs `work`, perhaps several times, and answers when what it changed is on the remote.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        kind: Kind,
        work: impl FnMut(&mut Turn<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let request = Request { kind, work, done: None, answer };
        self.hand(Box::new(request))?;
        answered.await.unwrap_or_else(|_| Err(stopped()))
    }

    fn hand(&self, job: Box<dyn Job>) -> Result<()> {
        let mut start = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Start::Waiting(_) = *start
            && let Start::Waiting(terms) = std::mem::replace(&mut *start, Start::Failed)
        {
            let (jobs, waiting) = mpsc::channel();
            let (terms, news) = *terms;
            std::thread::Builder::new()
                .name("smm-ledger-git".to_owned())
                .spawn(move || Desk::new(terms, news).work(&waiting))
                .map_err(|error| LedgerError::Storage(format!("cannot start a thread for the ledger: {error}")))?;
            *start = Start::Running(jobs);
        }
        match &*start {
            Start::Running(jobs) => jobs.send(job).map_err(|_| stopped()),
            _ => Err(stopped()),
        }
    }
}

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
struct Desk {
    terms: Terms,
    place: Option<Place>,
    loaded: Option<Loaded>,
    /// Since when each claim is as it is, as this process has seen it.
    leases: HashMap<DeliveryId, (Token, DateTime<Utc>)>,
    /// When the remote was asked last, from before the question.
    looked: Option<Duration>,
    /// What was loaded may not be what is there.
    doubt: bool,
    /// Refs of deliveries that the ledger knows nothing of.
    strays: BTreeMap<DeliveryId, Oid>,
    /// Refs of deliveries that the ledger knows and that are gone.
    absent: BTreeSet<DeliveryId>,
    news: watch::Sender<u64>,
    /// The commits that this process has tried to push last: what is found of them is no news.
    own: Option<Oid>,
}

impl Desk {
    fn new(terms: Terms, news: watch::Sender<u64>) -> Self {
        Self {
            terms,
            place: None,
            loaded: None,
            leases: HashMap::new(),
            looked: None,
            doubt: false,
            strays: BTreeMap::new(),
            absent: BTreeSet::new(),
            news,
            own: None,
        }
    }

    fn work(mut self, waiting: &Receiver<Box<dyn Job>>) {
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
        let (mut tries, mut unexplained) = (0, 0);
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
            match self.push(whole, &says, squash, !unguarded)? {
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
                    if unexplained >= TRIES || why.is_final() {
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

    /// Loads a commit. `false`: it has gone meanwhile.
    fn load(&mut self, place: &Place, head: Option<Oid>) -> std::result::Result<bool, Trouble> {
        let git = &self.terms.git;
        let before = self.loaded.take().unwrap_or_default();
        let first = self.looked.is_none();
        if !first && before.head == head {
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
        let loaded = (|| {
            if !objects::has(git, oid)? {
                let known = before.head.as_deref();
                let known = if known.is_some_and(|oid| objects::has(git, oid).unwrap_or(false)) { known } else { None };
                remote::fetch(git, place, &[place.state()], known)?;
                if !objects::has(git, oid)? {
                    return Ok(None);
                }
            }
            let files = objects::files(git, oid, &before.files)?;
            let whole = Whole::read(&files)?;
            Ok(Some((files, whole)))
        })();
        let (files, whole) = match loaded {
            Ok(Some(loaded)) => loaded,
            other => {
                self.loaded = Some(before).filter(|_| !first);
                return other.map(|_| false);
            }
        };
        if let Some(old) = &before.head
            && !whole.continues(&before.whole, git, old, oid)?
        {
            self.terms.watch.rewound(&Seen::of(Some(old), &before.whole));
        }
        if !first && self.own.as_ref() != Some(oid) {
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

    /// Writes what a change comes to and pushes it. `guarded`: deliveries that are begun or out get refs of their own.
    fn push(
        &mut self,
        mut whole: Whole,
        says: &[String],
        squash: bool,
        guarded: bool,
    ) -> std::result::Result<Outcome, Trouble> {
        let began = self.elapsed();
        let place = self.place.clone().ok_or_else(stopped)?;
        let Some(loaded) = &self.loaded else { return Err(stopped().into()) };
        let (git, at, mark) = (&self.terms.git, self.terms.clock.now(), nonce()?);
        if guarded {
            let fresh = guards::wanted(&loaded.whole, &mut whole);
            let files: Vec<(Vec<u8>, String)> = fresh
                .iter()
                .map(|(_, file)| (layout::pretty(file), format!("{}\n\nNonce: {mark}\n", guards::message(file))))
                .collect();
            let commits: Vec<Commit<'_>> = files
                .iter()
                .map(|(file, message)| Commit { parent: None, message, at, changes: vec![(guards::FILE, Some(file))] })
                .collect();
            if !commits.is_empty() {
                let oids = objects::write(git, &mark, &commits)?;
                whole.guards.extend(fresh.into_iter().map(|(id, _)| id).zip(oids));
            }
        }
        whole.facts.serial += 1;
        if whole.facts.instance.is_empty() {
            whole.facts.instance = nonce()? + &nonce()?;
        }
        let parent = if squash { None } else { loaded.head.as_deref() };
        let nothing = Files::new();
        // What was folded is written anew with a history that is cut off.
        let before = if parent.is_some() { &loaded.files } else { &nothing };
        let files = whole.files(before);
        let changes = layout::differences(before, &files);
        // Two processes that do the same at the same time must not come to the same commit: each push is to be one's own.
        let message = format!("{}\n\nSerial: {}\nNonce: {mark}\n", summary(says), whole.facts.serial);
        let commit = Commit { parent, message: &message, at, changes };
        let head = objects::write(git, &mark, &[commit])?.remove(0);
        let mut refs = vec![Change { name: place.state(), from: loaded.head.clone(), to: Some(head.clone()) }];
        refs.extend(guards::changes(&place, &loaded.whole.guards, &whole.guards, &self.absent, &self.strays));
        self.own = Some(head.clone());
        // A cut connection is tried again with the same commit: should the first try arrive late, nothing is done twice.
        for again in 0.. {
            let said = match remote::push(git, &place, &refs)? {
                Pushed::Done => None,
                Pushed::Refused { reasons, said } => Some((Some(reasons), said)),
                Pushed::Unclear(said) => Some((None, said)),
            };
            let Some((reasons, said)) = said else { break };
            let was_refused = reasons.is_some();
            let names: Vec<&str> = refs.iter().map(|change| change.name.as_str()).collect();
            // Only what is there now tells what became of it.
            let there = match remote::look(git, &place, &names) {
                Ok(there) => there,
                // The first words say more than those of a second try.
                Err(Trouble::Said { .. }) if !was_refused => return Err(Trouble::said("push", &said)),
                Err(other) => return Err(other),
            };
            let now = there.get(&place.state());
            if now == Some(&head) {
                break;
            }
            if now != loaded.head.as_ref() {
                return self.overtaken(&place, &there, &head, whole, files, began);
            }
            if let Some(outcome) = look_at_guards(&mut self.absent, &place, &refs, &there) {
                return Ok(outcome);
            }
            if was_refused {
                let reasons = reasons.unwrap_or_default();
                return Ok(Outcome::Unexplained(denied(&reasons, &said)));
            }
            let trouble = Trouble::said("push", &said);
            if again >= 2 || trouble.is_final() {
                return Err(trouble);
            }
            std::thread::sleep(jitter(again + 1));
        }
        self.take(head, files, whole, began);
        Ok(Outcome::There)
    }

    /// It is there.
    fn take(&mut self, head: Oid, files: BTreeMap<String, Vec<u8>>, whole: Whole, began: Duration) {
        let before = self.loaded.take().unwrap_or_default();
        for id in whole.guards.keys() {
            if before.whole.guards.get(id) != whole.guards.get(id) {
                self.absent.remove(id);
            }
        }
        self.leases =
            whole.tokens().filter_map(|(id, token)| Some((id, (token, *whole.tables.leases.get(&id)?)))).collect();
        self.loaded = Some(Loaded { head: Some(head), files: layout::written(before.files, files), whole });
        (self.looked, self.doubt) = (Some(began), false);
    }

    /// The remote has another commit than before, and not the one that was pushed: is that in it?
    fn overtaken(
        &mut self,
        place: &Place,
        there: &BTreeMap<String, Oid>,
        head: &Oid,
        whole: Whole,
        files: BTreeMap<String, Vec<u8>>,
        began: Duration,
    ) -> std::result::Result<Outcome, Trouble> {
        let now = there.get(&place.state()).cloned();
        if let Some(now) = &now {
            let git = &self.terms.git;
            if !objects::has(git, now)? {
                remote::fetch(git, place, &[place.state()], Some(head))?;
            }
            if objects::is_ancestor(git, head, now)? {
                // It was there, and somebody has gone on from it.
                self.take(head.clone(), files, whole, began);
                self.load(place, Some(now.clone()))?;
                return Ok(Outcome::There);
            }
        }
        if self.load(place, now)? {
            self.looked = Some(began)
        } else {
            self.doubt = true
        }
        if self.doubt {
            self.look(false)?;
        }
        Ok(Outcome::Overtaken)
    }
}

enum Outcome {
    /// What was pushed is there.
    There,
    /// Others have changed it: to be worked out anew.
    Overtaken,
    /// It was refused, and nothing has changed that would say why.
    Unexplained(Trouble),
}

/// Whether refs of deliveries are not what they must be although the ledger is.
fn look_at_guards(
    absent: &mut BTreeSet<DeliveryId>,
    place: &Place,
    refs: &[Change],
    there: &BTreeMap<String, Oid>,
) -> Option<Outcome> {
    let mut outcome = None;
    for change in refs {
        let Some(id) = place.delivery_of(&change.name) else { continue };
        match (there.get(&change.name), &change.from) {
            (None, Some(_)) => {
                absent.insert(id);
                outcome.get_or_insert(Outcome::Overtaken);
            }
            (Some(now), from) if Some(now) != from.as_ref() => {
                let text = format!(
                    "{} is there, although the ledger says that nothing was begun or sent: was the ledger's ref deleted or \
                     set back? Nothing is sent; `smm ledger` says more, `smm ledger adopt` takes it as it is",
                    change.name
                );
                outcome = Some(Outcome::Unexplained(LedgerError::Storage(text).into()));
            }
            _ => {}
        }
    }
    outcome
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

/// Why a push was refused that nothing stands in the way of.
fn denied(reasons: &[(String, String)], said: &str) -> Trouble {
    let words: Vec<String> = reasons.iter().map(|(name, why)| format!("{name}: {why}")).collect();
    Trouble::said("push", &format!("{said}\n{}", words.join("\n")))
}

/// What happened, as the first lines of a commit's message.
fn summary(says: &[String]) -> String {
    let plain =
        |text: &String| -> String { text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect() };
    match says {
        [] => "changed".to_owned(),
        [one] => plain(one),
        [first, rest @ ..] => {
            let mut text = format!("{}, and {} more\n\n- {}", plain(first), rest.len(), plain(first));
            for one in rest.iter().take(99) {
                text.push_str("\n- ");
                text.push_str(&plain(one));
            }
            text
        }
    }
}

/// Sixteen hex digits that nobody else has.
pub(super) fn nonce() -> Result<String> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| LedgerError::Storage(format!("no random numbers: {error}")))?;
    Ok(crate::model::hex(&bytes))
}

/// How long to wait before the next try: by chance, so that of many who are refused together one is first.
fn jitter(tries: u32) -> Duration {
    let most = Duration::from_millis(15).saturating_mul(1 << tries.min(7)).min(PAUSE);
    let mut byte = [0; 2];
    let _ = getrandom::fill(&mut byte);
    most.mul_f64(0.1 + 0.9 * f64::from(u16::from_le_bytes(byte)) / f64::from(u16::MAX))
}
