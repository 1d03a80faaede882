//! The daemon: publishes on time until it is stopped. One timer, the bell, the files, signals; idle it does nothing.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::older::OLDER;
use super::{Engine, News, Newsroom, Trouble, Worker, alerts, systemd};
use crate::ledger::LedgerError;

/// A ledger that does not answer is asked again after this long.
const LEDGER_AGAIN: Duration = Duration::from_secs(5);

/// A clock that is doubted is looked at again after this long.
const DOUBT_AGAIN: TimeDelta = TimeDelta::seconds(20);

/// While a ledger waits to be adopted it is looked at again after this long.
const OLDER_AGAIN: TimeDelta = TimeDelta::seconds(30);

/// Publishes until it is stopped. The caller holds the ledger's lock and has read calendar and settings a first time.
pub async fn run(engine: Arc<Engine>, mut newsroom: impl Newsroom) -> Result<(), LedgerError> {
    engine.pulse.begins(engine.clock.elapsed());
    let mut worker = Worker::new(Arc::clone(&engine), None);
    let mut again = None;
    let mut begun = begin(&engine, &mut worker, &mut again, false).await?;
    // Whoever is told that it is ready may ask at once.
    engine.note_turn(begun);
    systemd::ready(&if begun { following(&engine) } else { OLDER.to_owned() });
    tracing::info!(
        calendar = engine.world().calendar.as_ref().map(|calendar| calendar.name.as_str()),
        accounts = engine.world().accounts.len(),
        "ready"
    );
    // What was said of a broken edit, so that it is said once.
    let mut broken: Option<String> = None;
    let mut beat = systemd::beat().map(tokio::time::interval);
    loop {
        engine.pulse.begins(engine.clock.elapsed());
        let next = match turn(&engine, &mut worker, &mut again, &mut begun).await {
            Ok(next) => {
                engine.note_turn(begun);
                next
            }
            Err(error @ LedgerError::Gone(_)) => {
                tracing::error!(%error, "stopping; calls under way are waited for");
                drain(&engine, &mut worker).await;
                return Err(error);
            }
            Err(error) => {
                engine.pulse.troubled(Trouble::from(&error));
                tracing::error!(%error, "the ledger does not answer; nothing is sent until it does");
                Some(engine.now() + TimeDelta::from_std(LEDGER_AGAIN).unwrap_or_default())
            }
        };
        let clock = Arc::clone(&engine.clock);
        let timer = async {
            match next {
                Some(at) => clock.sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let pulse = async {
            match beat.as_mut() {
                Some(beat) => {
                    beat.tick().await;
                }
                None => std::future::pending().await,
            }
        };
        engine.pulse.rests();
        // In this order nothing starves: a beat and news are rare, and every turn begins with what has ended.
        tokio::select! {
            biased;
            () = pulse => systemd::alive(),
            told = newsroom.next() => match engine.heard(told) {
                // A person may have written to the ledger after any of them: everything is looked at anew.
                News::Bell => news(&engine, &mut worker, &mut again, begun).await,
                News::Edited => {
                    reload(&engine, &mut newsroom, &mut broken);
                    news(&engine, &mut worker, &mut again, begun).await;
                }
                News::Reload => {
                    systemd::reloading();
                    broken = None;
                    reload(&engine, &mut newsroom, &mut broken);
                    news(&engine, &mut worker, &mut again, begun).await;
                    systemd::ready(&broken.clone().unwrap_or_else(|| following(&engine)));
                }
                News::Stop => break,
            },
            () = timer => {}
            error = engine.is_lost() => {
                tracing::error!(%error, "stopping; calls under way are waited for");
                drain(&engine, &mut worker).await;
                return Err(error);
            }
            ended = worker.ended(), if worker.is_working() => {
                if let Err(error) = ended {
                    engine.heed_loss(&error);
                    tracing::error!(%error, "the ledger does not answer");
                }
            }
        }
    }
    tracing::info!("stopping; calls under way are waited for");
    drain(&engine, &mut worker).await;
    tracing::info!("stopped");
    Ok(())
}

impl Engine {
    /// A turn of the loop has ended as it should; `begun`: nothing has to be adopted first.
    fn note_turn(&self, begun: bool) {
        if !begun {
            self.pulse.troubled(Trouble::LedgerOlder);
        } else if self.clock_doubt().is_some() {
            self.pulse.troubled(Trouble::Clock);
        } else {
            self.pulse.turned(self.now());
        }
    }

    /// The loop has something to do.
    fn heard(&self, news: News) -> News {
        self.pulse.begins(self.clock.elapsed());
        news
    }
}

/// Begins nothing more, and lets what is under way end.
async fn drain(engine: &Engine, worker: &mut Worker) {
    systemd::stopping();
    engine.drain(worker).await;
}

/// Does what is to be done now. Gives when there is more, if nothing happens before.
async fn turn(
    engine: &Arc<Engine>,
    worker: &mut Worker,
    again: &mut Option<DateTime<Utc>>,
    begun: &mut bool,
) -> Result<Option<DateTime<Utc>>, LedgerError> {
    let before = *begun;
    *begun = begin(engine, worker, again, before).await?;
    if *begun && !before {
        systemd::status(&following(engine));
    }
    if !*begun {
        // It is adopted with a ring of the bell; one that was missed is made up for.
        return Ok(Some(engine.now() + OLDER_AGAIN));
    }
    if !engine.is_clock_sound().await? {
        // What is under way goes on; nothing is planned or begun.
        worker.start().await?;
        return Ok(Some(engine.now() + DOUBT_AGAIN));
    }
    if engine.is_outdated() {
        *again = Some(engine.now());
    }
    if again.is_some_and(|at| at <= engine.now()) {
        *again = engine.apply().await?;
    }
    engine.try_again().await?;
    worker.start().await?;
    let ahead = engine.look_ahead().await?;
    Ok(worker.next().await?.into_iter().chain(*again).chain(engine.try_again_at()).chain(ahead).min())
}

/// Settles what earlier processes have left, once, and makes ledger and calendar agree. Gives whether that is done: not
/// while the ledger is older than what was seen of it. `begun`: it was done before.
async fn begin(
    engine: &Arc<Engine>,
    worker: &mut Worker,
    again: &mut Option<DateTime<Utc>>,
    begun: bool,
) -> Result<bool, LedgerError> {
    // Under an exclusive ledger that is open nothing is restored without its being noticed otherwise.
    if begun && engine.ledger.is_exclusive() {
        return Ok(true);
    }
    if engine.is_ledger_older().await? {
        return Ok(false);
    }
    if !begun {
        worker.recover().await?;
        *again = engine.apply().await?;
        worker.read_unknown().await?;
        engine.find_waiting().await?;
    }
    Ok(true)
}

async fn news(engine: &Arc<Engine>, worker: &mut Worker, again: &mut Option<DateTime<Utc>>, begun: bool) {
    if !begun {
        // The next turn looks whether it may begin.
        return;
    }
    // Somebody may have signed in.
    engine.horizon.doubt();
    let looked = async {
        worker.read_unknown().await?;
        engine.find_waiting().await?;
        engine.waiting.rung();
        engine.apply().await
    };
    match looked.await {
        Ok(next) => *again = next,
        Err(error) => {
            tracing::error!(%error, "the ledger does not answer");
            // At once, since nothing may be claimed before: a row may have the time that it had before an edit.
            *again = Some(engine.now());
        }
    }
}

fn reload(engine: &Engine, newsroom: &mut impl Newsroom, broken: &mut Option<String>) {
    match newsroom.read() {
        Ok((world, settings)) => {
            engine.set_world(world, settings);
            engine.alarm.call_off("calendar");
            *broken = None;
            tracing::info!("calendar and settings were read again");
            systemd::status(&following(engine));
        }
        Err(why) => {
            engine.alarm.later("calendar", alerts::calendar_broken(&why, engine.now()));
            if broken.as_ref() != Some(&why) {
                tracing::error!("{why}; the last good calendar stays in force");
                systemd::status(&format!("{why}; the last good calendar stays in force"));
            }
            *broken = Some(why);
        }
    }
}

fn following(engine: &Engine) -> String {
    let world = engine.world();
    let name = world.calendar.as_ref().map_or("no calendar", |calendar| calendar.name.as_str());
    format!("following {name}, {} accounts", world.accounts.len())
}
