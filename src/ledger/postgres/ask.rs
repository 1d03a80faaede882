//! The frame around every request: a connection, a time limit, another attempt where that is safe.
//!
//! As macros, since what is asked borrows the connection and its arguments alike, which no closure can say of a future
//! that is sent between threads.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use deadpool_postgres::Object;

use super::error::Trouble;
use crate::ledger::Result;

/// Attempts at what the server has taken back itself, or what it has not begun.
const ATTEMPTS: u32 = 5;

/// Asks the server something that changes nothing, or that may be done twice: `read!(server, limit, session => future)`.
/// `None`: the ledger was opened for reading, and there is none.
macro_rules! read {
    ($server:expr, $limit:expr, $session:ident => $work:expr) => {{
        let server = &*$server;
        let mut attempt = 0;
        loop {
            let outcome = match server.session().await {
                Ok(None) => Ok(None),
                Ok(Some(session)) => {
                    let $session = &session;
                    let done = $crate::ledger::postgres::ask::in_time($limit, $work).await;
                    $crate::ledger::postgres::ask::back(session, &done);
                    done.map(Some)
                }
                Err(trouble) => Err(trouble),
            };
            attempt += 1;
            match $crate::ledger::postgres::ask::again(outcome, attempt, server.place()).await {
                std::ops::ControlFlow::Break(outcome) => break outcome,
                std::ops::ControlFlow::Continue(()) => {}
            }
        }
    }};
}

/// Runs statements that change something, each of which is a transaction of its own and may be done twice.
macro_rules! change {
    ($server:expr, $session:ident => $work:expr) => {
        match $server.may_write() {
            Ok(()) => $crate::ledger::postgres::ask::read!($server, $server.limit, $session => $work)
                .and_then(|done| done.ok_or_else(|| $server.nothing_there())),
            Err(error) => Err(error),
        }
    };
}

/// Runs one transaction, again when the server has taken it back: `transact!(server, limit, transaction => future)`. A commit that
/// is not answered is an error, and is not tried again.
macro_rules! transact {
    ($server:expr, $limit:expr, $transaction:ident => $work:expr) => {{
        let server = &*$server;
        server.may_write()?;
        let mut attempt = 0;
        loop {
            let mut committing = false;
            let outcome = match server.session().await {
                Ok(None) => Err(server.nothing_there().into()),
                Ok(Some(mut session)) => {
                    let done = $crate::ledger::postgres::ask::in_time($limit, async {
                        let mut transaction = session.transaction().await?;
                        let done = {
                            let $transaction = &mut transaction;
                            $work.await?
                        };
                        committing = true;
                        transaction.commit().await?;
                        Ok(done)
                    })
                    .await;
                    $crate::ledger::postgres::ask::back(session, &done);
                    done
                }
                Err(trouble) => Err(trouble),
            };
            let outcome = $crate::ledger::postgres::ask::confirmed(outcome, committing, server.place());
            attempt += 1;
            match $crate::ledger::postgres::ask::again(outcome, attempt, server.place()).await {
                std::ops::ControlFlow::Break(outcome) => break outcome,
                std::ops::ControlFlow::Continue(()) => {}
            }
        }
    }};
}

/// Runs one transaction that begins and commits by itself, so that its statements are on their way together:
/// `pipelined!(server, committing, session => future)`. The future says that it has come to its commit (see
/// [`commit_with`]), and gives `None` for a transaction that was taken back. Gives the result, and whether the server has
/// said no to a statement, after which others may still be taken. Tried again like [`transact`].
macro_rules! pipelined {
    ($server:expr, $committing:ident, $session:ident => $work:expr) => {{
        let server = &*$server;
        let mut attempt = 0;
        loop {
            let doubt = std::sync::atomic::AtomicBool::new(false);
            let outcome = match server.session().await {
                Ok(None) => Err(server.nothing_there().into()),
                Ok(Some(session)) => {
                    let begun = $crate::ledger::postgres::ask::Begun::new(session);
                    let done = $crate::ledger::postgres::ask::in_time(server.limit, async {
                        let ($session, $committing) = (begun.session(), &doubt);
                        let done = $work.await;
                        $crate::ledger::postgres::ask::end($session, done).await
                    })
                    .await;
                    begun.ended(&done);
                    done
                }
                Err(trouble) => Err(trouble),
            };
            let committing = doubt.into_inner();
            let refused =
                !committing && outcome.as_ref().is_err_and($crate::ledger::postgres::error::Trouble::is_refusal);
            let outcome = $crate::ledger::postgres::ask::confirmed(outcome, committing, server.place());
            attempt += 1;
            match $crate::ledger::postgres::ask::again(outcome, attempt, server.place()).await {
                std::ops::ControlFlow::Break(outcome) => break (outcome, refused),
                std::ops::ControlFlow::Continue(()) => {}
            }
        }
    }};
}

pub(super) use {change, pipelined, read, transact};

/// Whether the answer to a commit is waited for: until it comes nobody knows what became of the transaction.
pub(super) type Committing = AtomicBool;

/// Sends the last statements of a transaction with its commit. When the server refuses one of them, its commit takes all
/// back, and that is certain.
pub(super) async fn commit_with<T>(
    session: &Object,
    committing: &Committing,
    statements: impl Future<Output = std::result::Result<T, tokio_postgres::Error>>,
) -> std::result::Result<T, Trouble> {
    let mut statements = std::pin::pin!(statements);
    // The first look at them sends them all, or says why not: then there is nothing to commit.
    let first = std::future::poll_fn(|context| Poll::Ready(statements.as_mut().poll(context))).await;
    if let Poll::Ready(Err(error)) = first {
        return Err(error.into());
    }
    committing.store(true, Ordering::SeqCst);
    let statements = async {
        match first {
            Poll::Ready(done) => done,
            Poll::Pending => statements.await,
        }
    };
    let (done, committed) = tokio::join!(biased; statements, session.batch_execute("COMMIT"));
    match done {
        Ok(done) => {
            committed?;
            Ok(done)
        }
        Err(error) => {
            committing.store(error.code().is_none(), Ordering::SeqCst);
            Err(error.into())
        }
    }
}

/// Takes back what is left of a transaction in which something went wrong.
pub(super) async fn end<T>(session: &Object, work: std::result::Result<T, Trouble>) -> std::result::Result<T, Trouble> {
    if work.as_ref().is_err_and(|trouble| !trouble.is_cut()) {
        session.batch_execute("ROLLBACK").await?;
    }
    work
}

/// A connection on which a transaction may be open. Left in the middle it is closed, and the server takes all back.
pub(super) struct Begun(Option<Object>);

impl Begun {
    pub(super) fn new(session: Object) -> Self {
        Self(Some(session))
    }

    pub(super) fn session(&self) -> &Object {
        self.0.as_ref().expect("it is given back by value alone")
    }

    /// Gives the connection back, unless it did not answer or is cut.
    pub(super) fn ended<T>(mut self, done: &std::result::Result<T, Trouble>) {
        if let Some(session) = self.0.take() {
            back(session, done);
        }
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.0.take().map(Object::take);
    }
}

/// Waits for an answer no longer than that.
pub(super) async fn in_time<T>(
    limit: Duration,
    work: impl Future<Output = std::result::Result<T, Trouble>>,
) -> std::result::Result<T, Trouble> {
    tokio::time::timeout(limit, work).await.unwrap_or(Err(Trouble::Silent))
}

/// Gives a connection back, unless it did not answer or is cut.
pub(super) fn back<T>(session: Object, done: &std::result::Result<T, Trouble>) {
    if done.as_ref().is_err_and(Trouble::is_cut) {
        drop(Object::take(session));
    }
}

/// A commit whose answer did not come may be kept or not: that is said, and nothing is tried again. What the server itself
/// has taken back is certain.
pub(super) fn confirmed<T>(
    outcome: std::result::Result<T, Trouble>,
    committing: bool,
    place: &str,
) -> std::result::Result<T, Trouble> {
    outcome.map_err(
        |trouble| {
            if committing && !trouble.is_rolled_back() { trouble.unconfirmed(place).into() } else { trouble }
        },
    )
}

/// Whether one more attempt is right, after waiting a little. `attempt`: those that there were.
pub(super) async fn again<T>(
    outcome: std::result::Result<T, Trouble>,
    attempt: u32,
    place: &str,
) -> ControlFlow<Result<T>> {
    let trouble = match outcome {
        Ok(done) => return ControlFlow::Break(Ok(done)),
        Err(trouble) => trouble,
    };
    let wait = if attempt >= ATTEMPTS {
        None
    } else if trouble.is_full_or_starting() {
        Some(Duration::from_millis(100) * 2_u32.pow(attempt))
    } else if trouble.is_rolled_back() {
        Some(Duration::from_millis(5) * attempt)
    } else {
        // A connection that has died in the pool: the next one is new.
        (attempt == 1 && trouble.is_stale()).then_some(Duration::ZERO)
    };
    let Some(wait) = wait else { return ControlFlow::Break(Err(trouble.explain(place))) };
    tokio::time::sleep(wait).await;
    ControlFlow::Continue(())
}
