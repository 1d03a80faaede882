//! Who asks for something of the ledger, and how the thread that keeps it is handed what is asked.

use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{oneshot, watch};

use super::age::{Seen, Watch};
use super::desk::Desk;
use super::layout::{DeliveryFile, Whole};
use super::program::Git;
use super::remote::Oid;
use crate::ledger::{LedgerError, Result};
use crate::model::{DeliveryId, GitSetting};
use crate::time::Clock;

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
pub(super) trait Job: Send {
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

pub(super) fn stopped() -> LedgerError {
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

/// Sixteen hex digits that nobody else has.
pub(super) fn nonce() -> Result<String> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| LedgerError::Storage(format!("no random numbers: {error}")))?;
    Ok(crate::model::hex(&bytes))
}
