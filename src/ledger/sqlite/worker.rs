//! The thread that a connection lives on, so that no disk ever blocks the runtime.
//!
//! The writer commits in groups: all requests that wait are run in one transaction, each in a savepoint of its own, and
//! are answered when the commit is durable. At one `fsync` per group a busy minute costs what a quiet one does.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::error::{disk_failed, leaves_doubt};
use crate::ledger::{LedgerError, Result};

/// Most requests in one transaction: beyond this the commit's share of the cost is gone, and answers only wait.
const GROUP: usize = 256;

/// Whoever was answered together is likely to ask again at once: for so long the next group waits for them. A small part of
/// what a commit takes.
const GATHER: Duration = Duration::from_micros(250);

/// A request on its way: run inside the transaction, answered after it.
trait Job: Send {
    /// Does the work; `false` when it failed and what it wrote has to be taken back.
    fn run(&mut self, conn: &Connection) -> bool;

    /// Answers. `failed` says why nothing of the transaction is durable.
    fn finish(self: Box<Self>, failed: Option<&LedgerError>);
}

struct Request<F, T> {
    work: Option<F>,
    done: Option<Result<T>>,
    answer: oneshot::Sender<Result<T>>,
}

impl<F, T> Job for Request<F, T>
where
    F: FnOnce(&Connection) -> Result<T> + Send,
    T: Send,
{
    fn run(&mut self, conn: &Connection) -> bool {
        self.done = self.work.take().map(|work| work(conn));
        matches!(self.done, Some(Ok(_)))
    }

    fn finish(self: Box<Self>, failed: Option<&LedgerError>) {
        let answer = match (self.done, failed) {
            (Some(Err(own)), _) => Err(own),
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

/// A connection on a thread of its own. Dropping it runs what waits and closes the connection.
#[derive(Debug)]
pub(super) struct Worker {
    jobs: Option<Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
    doubt: Arc<AtomicBool>,
}

impl Worker {
    /// A thread that only reads.
    pub(super) fn reader(conn: Connection) -> Result<Self> {
        Self::spawn("smm-ledger-read", move |jobs, _| {
            for mut job in jobs {
                job.run(&conn);
                job.finish(None);
            }
        })
    }

    /// A thread that writes, in groups. `committed` looks at what each commit has made durable before anybody is answered.
    pub(super) fn writer(conn: Connection, mut committed: impl FnMut(&Connection) + Send + 'static) -> Result<Self> {
        Self::spawn("smm-ledger-write", move |jobs, doubt| write_loop(&conn, &jobs, &doubt, &mut committed))
    }

    fn spawn(name: &str, body: impl FnOnce(Receiver<Box<dyn Job>>, Arc<AtomicBool>) + Send + 'static) -> Result<Self> {
        let (jobs, waiting) = mpsc::channel();
        let doubt = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&doubt);
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || body(waiting, seen))
            .map_err(|error| LedgerError::Storage(format!("cannot start a thread for the ledger: {error}")))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread), doubt })
    }

    /// An input or output error has left it open what the disk holds. Stays until the ledger is opened again.
    pub(super) fn doubt(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.doubt)
    }

    /// Runs `work` on the thread. On the writer the answer comes when its transaction is durable; when `work` fails,
    /// what it wrote is taken back and the others of its group stay.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let job = Box::new(Request { work: Some(work), done: None, answer });
        self.jobs.as_ref().ok_or_else(stopped)?.send(job).map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn write_loop(
    conn: &Connection,
    jobs: &Receiver<Box<dyn Job>>,
    doubt: &AtomicBool,
    committed: &mut dyn FnMut(&Connection),
) {
    let mut waiting = VecDeque::new();
    let mut answered = 0;
    loop {
        if waiting.is_empty() {
            match jobs.recv() {
                Ok(job) => waiting.push_back(job),
                Err(mpsc::RecvError) => return,
            }
        }
        let until = Instant::now() + GATHER;
        while waiting.len() < GROUP {
            let next = jobs.try_recv().ok().or_else(|| {
                let left = until.checked_duration_since(Instant::now()).filter(|_| waiting.len() < answered)?;
                jobs.recv_timeout(left).ok()
            });
            let Some(job) = next else { break };
            waiting.push_back(job);
        }
        let (tried, failed) = match transact(conn, waiting.make_contiguous()) {
            Ok(tried) => {
                committed(conn);
                (tried, None)
            }
            Err((tried, error)) => {
                let in_doubt = leaves_doubt(&error);
                doubt.fetch_or(in_doubt, Ordering::SeqCst);
                if !conn.is_autocommit() {
                    // Whether it works or not, nothing of this transaction was promised to anybody.
                    let _ = conn.execute_batch("ROLLBACK");
                }
                (tried, Some(if in_doubt { disk_failed(&error) } else { LedgerError::from(error) }))
            }
        };
        answered = tried;
        for job in waiting.drain(..tried) {
            job.finish(failed.as_ref());
        }
    }
}

/// Runs the jobs in one transaction. Gives how many of them it concerns; the rest was not begun.
fn transact(conn: &Connection, jobs: &mut [Box<dyn Job>]) -> std::result::Result<usize, (usize, rusqlite::Error)> {
    let all = jobs.len();
    conn.execute_batch("BEGIN IMMEDIATE").map_err(|error| (all, error))?;
    for (index, job) in jobs.iter_mut().enumerate() {
        let here = |error| (index + 1, error);
        conn.execute_batch("SAVEPOINT job").map_err(here)?;
        let end = if job.run(conn) { "RELEASE job" } else { "ROLLBACK TO job; RELEASE job" };
        // After a full disk, or a failed read, SQLite may have ended the whole transaction by itself: then this says so.
        conn.execute_batch(end).map_err(here)?;
    }
    conn.execute_batch("COMMIT").map_err(|error| (all, error))?;
    Ok(all)
}
