//! Group commit: what is handed in while a transaction is under way is stored in the next one, together. At one commit for
//! each group a busy minute costs little more than a quiet one does.
//!
//! Each writer is answered when the commit that holds its rows is durable, and as if it had been alone: a batch that cannot
//! be stored as it is, or that would have to wait for somebody else's lock, is taken out and stored by itself.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::ask::{pipelined, transact};
use super::session::Server;
use super::write::{self, Batch, Terms, Together};
use crate::ledger::{LedgerError, Result, Write, Written};
use crate::model::DeliveryId;

/// Most rows in one transaction: beyond this the commit's share of the cost is gone, and answers only wait.
const MOST: usize = 64;

/// Transactions at once: while one is being committed the next is put together.
const LANES: usize = 2;

/// The writers that wait.
#[derive(Default)]
pub(super) struct Group(Arc<Mutex<Queue>>);

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Handed>,
    /// So many store what waits.
    lanes: usize,
}

/// What a writer has handed in.
struct Handed {
    writes: Vec<Write>,
    answer: oneshot::Sender<Result<Vec<Written>>>,
}

impl Group {
    /// Stores rows with what others hand in at the same time. They are stored also when nobody waits for the answer any more.
    pub(super) async fn write(&self, server: &Arc<Server>, writes: &[Write]) -> Result<Vec<Written>> {
        let (answer, answered) = oneshot::channel();
        let begins = {
            let mut queue = locked(&self.0);
            queue.waiting.push_back(Handed { writes: writes.to_vec(), answer });
            let begins = queue.lanes < LANES;
            queue.lanes += usize::from(begins);
            begins
        };
        if begins {
            tokio::spawn(serve(Serving { queue: Arc::clone(&self.0), ended: false }, Arc::clone(server)));
        }
        answered.await.unwrap_or_else(|_| {
            Err(LedgerError::Storage("smm is stopping: what was to be written counts as not written".to_owned()))
        })
    }
}

fn locked(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Who stores what waits. However it ends, the next writer finds that it does not any more.
struct Serving {
    queue: Arc<Mutex<Queue>>,
    /// Nothing was left.
    ended: bool,
}

impl Serving {
    /// What is stored next, together; `None`: nothing waits.
    fn next(&mut self) -> Option<Vec<Handed>> {
        let mut queue = locked(&self.queue);
        let mut ids = BTreeSet::new();
        let mut next: Vec<Handed> = Vec::new();
        while let Some(first) = queue.waiting.front() {
            let fits = next.is_empty() || ids.len() + first.writes.len() <= MOST;
            // A row that comes a second time is looked at when the first has been stored.
            if !fits || !first.writes.iter().all(|write| !ids.contains(&write.delivery.id)) {
                break;
            }
            ids.extend(first.writes.iter().map(|write| write.delivery.id));
            next.extend(queue.waiting.pop_front());
        }
        // Under the same lock: whoever hands in something from now on finds that it has to begin.
        self.ended = next.is_empty();
        queue.lanes -= usize::from(self.ended);
        (!self.ended).then_some(next)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        // It was broken off, and whoever waits hears that nobody comes.
        let mut queue = locked(&self.queue);
        queue.lanes -= 1;
        if queue.lanes == 0 {
            queue.waiting.clear();
        }
    }
}

async fn serve(mut serving: Serving, server: Arc<Server>) {
    loop {
        // Those that are ready at this very moment hand in theirs first.
        tokio::task::yield_now().await;
        let Some(group) = serving.next() else { return };
        for handed in store(&server, group).await {
            tokio::spawn(store_alone(Arc::clone(&server), handed));
        }
    }
}

/// Stores a group in one transaction and answers it. Gives those that have to be stored alone.
async fn store(server: &Arc<Server>, group: Vec<Handed>) -> Vec<Handed> {
    if group.iter().any(|handed| has_twins(&handed.writes)) {
        return group;
    }
    let batches: Vec<&[Write]> = group.iter().map(|handed| handed.writes.as_slice()).collect();
    let sends = batches.iter().any(|batch| sends(batch));
    let (stored, refused) = pipelined!(server, committing, session => async {
        let known = if sends { server.watch.may_send(session).await? } else { 0 };
        write::together(session, committing, &batches, &Terms { lease: server.lease, known }).await
    });
    match stored {
        Ok(Together { answers, sent, older }) => {
            if older {
                // A number is used up also by what is taken back: the next one would pass.
                server.watch.doubt();
            }
            if let Some((number, at)) = sent {
                server.watch.sent(number, at).await;
            }
            let mut alone = Vec::new();
            for (handed, answers) in group.into_iter().zip(answers) {
                match answers {
                    Some(answers) => drop(handed.answer.send(Ok(answers))),
                    None => alone.push(handed),
                }
            }
            alone
        }
        // Whose fault it is shows when each is alone.
        Err(_) if refused && group.len() > 1 => group,
        Err(error) => {
            for handed in group {
                let _ = handed.answer.send(Err(error.clone()));
            }
            Vec::new()
        }
    }
}

async fn store_alone(server: Arc<Server>, handed: Handed) {
    let Handed { writes, answer } = handed;
    // Nobody waits any more when the writer was cancelled; the work is done all the same.
    let _ = answer.send(write_alone(&server, &writes).await);
}

async fn write_alone(server: &Arc<Server>, writes: &[Write]) -> Result<Vec<Written>> {
    let sends = sends(writes);
    let Batch { answers, sent } = transact!(server, server.limit, transaction => async {
        let known = if sends { server.watch.may_send(&*transaction).await? } else { 0 };
        write::write(transaction, writes, &Terms { lease: server.lease, known }).await
    })?;
    if let Some((number, at)) = sent {
        server.watch.sent(number, at).await;
    }
    Ok(answers)
}

fn sends(writes: &[Write]) -> bool {
    writes.iter().any(|write| write.delivery.intent.is_some())
}

/// Whether two rows are of one delivery.
fn has_twins(writes: &[Write]) -> bool {
    let ids: BTreeSet<DeliveryId> = writes.iter().map(|write| write.delivery.id).collect();
    ids.len() < writes.len()
}
