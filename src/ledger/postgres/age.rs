//! Whether the database is as new as what this machine has seen of it.
//!
//! It is compared at every new connection: a server that was restored, or a replica that took over, is one that has to be
//! connected to. What is restored beneath an open connection shows at the next intent, whose number must be higher than
//! every one that was seen.
//!
//! An instance is the ledger's own name, the cluster's and its timeline. A replica that took over has another timeline: it
//! may lack the last that the old server confirmed, so a person has to say that it does not. Adopting gives the ledger a
//! new name, and keeps the old ones: a machine that knew it by one of those takes part in what was adopted elsewhere.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use deadpool_postgres::{GenericClient, Transaction};

use super::calendars;
use super::error::Trouble;
use super::rows::unsigned;
use crate::ledger::{Age, LedgerError, Mark, MarkFile};
use crate::trial::Guard;

type Result<T> = std::result::Result<T, Trouble>;

/// The names that the ledger had before it was adopted, with blanks between: a key of `meta`.
const FORMER: &str = "former";

/// What this machine has seen, and whether the database has come as far.
pub(super) struct Watch {
    file: Arc<MarkFile>,
    /// Older than what was seen: nothing is sent.
    older: AtomicBool,
    /// The number of the last intent that is known to be committed.
    known: AtomicI64,
    /// The instance that was found last.
    instance: Mutex<String>,
}

/// What a database says of itself.
struct Found {
    mark: Mark,
    former: Vec<String>,
}

impl Watch {
    pub(super) fn new(file: MarkFile) -> Self {
        Self {
            file: Arc::new(file),
            older: AtomicBool::new(false),
            known: AtomicI64::new(0),
            instance: Mutex::default(),
        }
    }

    /// Compares, and remembers what it came to. `note`: a ledger that is current is known from now on.
    pub(super) async fn look(&self, session: &impl GenericClient, note: bool) -> Result<Age> {
        // What was seen comes first, since the ledger comes first when both go on.
        let file = Arc::clone(&self.file);
        let seen = blocking(move || file.read()).await;
        let found = found(session).await?;
        let age = match seen.clone() {
            Some(seen) if found.mark.instance != seen.instance && found.is_heir_of(&seen) => Age::Current,
            seen => Age::of(seen, found.mark.clone()),
        };
        self.older.store(age != Age::Current, Ordering::SeqCst);
        if age == Age::Current {
            self.instance.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&found.mark.instance);
            self.known.store(number(&found.mark), Ordering::SeqCst);
            if note {
                self.meet(seen, found.mark).await;
            }
        }
        Ok(age)
    }

    /// The age of what is not there.
    pub(super) fn of_nothing(&self) -> Age {
        Age::of(self.file.read(), Mark { instance: "none".to_owned(), sequence: 0, at: None })
    }

    async fn meet(&self, seen: Option<Mark>, found: Mark) {
        if found.sequence == 0 {
            return;
        }
        let file = Arc::clone(&self.file);
        let kept = blocking(move || match seen {
            Some(seen) if seen.instance == found.instance => file.raise(&found),
            _ => file.replace(&found),
        });
        self.warn(kept.await);
    }

    /// The number above which the next intent has to be. An error when the database is older than what was seen.
    pub(super) async fn may_send(&self, session: &impl GenericClient) -> Result<i64> {
        // Looked at again: a person may have adopted it meanwhile.
        if self.older.load(Ordering::SeqCst) && self.look(session, true).await? != Age::Current {
            return Err(older().into());
        }
        Ok(self.known.load(Ordering::SeqCst))
    }

    /// Nothing is sent before it was compared again.
    pub(super) fn doubt(&self) {
        self.older.store(true, Ordering::SeqCst);
    }

    /// An intent was committed.
    pub(super) async fn sent(&self, number: i64, at: DateTime<Utc>) {
        self.known.fetch_max(number, Ordering::SeqCst);
        let instance = self.instance.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mark = Mark { instance, sequence: u64::try_from(number).unwrap_or(0), at: Some(at) };
        let file = Arc::clone(&self.file);
        self.warn(blocking(move || file.raise(&mark)).await);
    }

    /// Takes the ledger as it is.
    pub(super) async fn adopted(&self, session: &impl GenericClient) -> Result<()> {
        let found = found(session).await?.mark;
        let (file, mark) = (Arc::clone(&self.file), found.clone());
        blocking(move || file.replace(&mark)).await.map_err(|error| {
            LedgerError::Storage(format!("`{}` cannot be written: {error}", self.file.path().display()))
        })?;
        self.known.store(number(&found), Ordering::SeqCst);
        *self.instance.lock().unwrap_or_else(PoisonError::into_inner) = found.instance;
        self.older.store(false, Ordering::SeqCst);
        Ok(())
    }

    fn warn(&self, kept: std::io::Result<()>) {
        if let Err(error) = kept {
            // It is what notices a restored backup, not what makes a call safe.
            tracing::warn!(mark = %self.file.path().display(), %error, "what was seen of the ledger cannot be kept");
        }
    }
}

impl Found {
    /// A person has adopted it, on whatever machine, after it was what `seen` names.
    fn is_heir_of(&self, seen: &Mark) -> bool {
        let name = seen.instance.split('/').next().unwrap_or_default();
        self.former.iter().any(|former| former == name)
    }
}

/// Of an intent whose number is not above what was seen before: the database was set back beneath us.
pub(super) fn goes_back(number: i64, known: i64) -> bool {
    number <= known && Guard::Age.holds()
}

/// Nothing is sent.
pub(super) fn older() -> LedgerError {
    LedgerError::Storage(
        "the ledger is older than what this machine has seen of it (was a backup restored, or did a replica take over?), so \
         nothing is sent; `smm ledger` says more, `smm ledger adopt` takes it as it is"
            .to_owned(),
    )
}

/// Gives the ledger a new name; what was before knows nothing of what is sent from now on.
pub(super) async fn adopt(transaction: &Transaction<'_>, now: DateTime<Utc>) -> Result<()> {
    calendars::put_adopted(transaction, now).await?;
    transaction
        .execute(
            "INSERT INTO meta AS known (key, value) SELECT $1, value FROM meta WHERE key = 'instance'
             ON CONFLICT (key) DO UPDATE SET value = known.value || ' ' || excluded.value",
            &[&FORMER],
        )
        .await?;
    transaction
        .execute("UPDATE meta SET value = replace(gen_random_uuid()::text, '-', '') WHERE key = 'instance'", &[])
        .await?;
    Ok(())
}

/// One look at one moment.
async fn found(session: &impl GenericClient) -> Result<Found> {
    let statement = session
        .prepare_cached(
            "SELECT (SELECT value FROM meta WHERE key = 'instance'),
                 (SELECT system_identifier::text FROM pg_control_system()),
                 CASE WHEN pg_is_in_recovery() THEN (SELECT timeline_id FROM pg_control_checkpoint())
                     ELSE ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int END,
                 coalesce((SELECT value FROM meta WHERE key = $1), ''), latest.seq, latest.at
             FROM (SELECT 1) one LEFT JOIN (SELECT seq, at FROM intents ORDER BY seq DESC LIMIT 1) latest ON true",
        )
        .await?;
    let row = session.query_one(&statement, &[&FORMER]).await?;
    let (name, cluster, timeline): (String, String, i32) = (row.get(0), row.get(1), row.get(2));
    let former: &str = row.get(3);
    let sequence: Option<i64> = row.get(4);
    Ok(Found {
        mark: Mark {
            instance: format!("{name}/{cluster}/{timeline}"),
            sequence: sequence.map(unsigned).transpose()?.unwrap_or(0),
            at: row.get(5),
        },
        former: former.split_whitespace().map(str::to_owned).collect(),
    })
}

fn number(mark: &Mark) -> i64 {
    i64::try_from(mark.sequence).unwrap_or(i64::MAX)
}

/// The mark is a file: off the runtime's thread.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
