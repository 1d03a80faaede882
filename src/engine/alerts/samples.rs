//! What the tests of alerts share.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::TimeDelta;

use super::super::connect::{Connector, Folders};
use super::{Message, Pace, Sender, Target, Teller};
use crate::adapter::{Api, Plan, RepeatSafety};
use crate::calendar::{Calendar, DeliverySettings};
use crate::compose::Instance;
use crate::engine::{Engine, World};
use crate::ledger::Alert;
use crate::ledger::memory::MemoryStore;
use crate::model::{Account, Delivery, Post};
use crate::time::{Clock, SystemClock};

/// Hears what it is told, unless it is to fail or to hang.
#[derive(Default)]
pub(super) struct Ear {
    heard: Mutex<Vec<Vec<String>>>,
    /// So many attempts fail first.
    fails: Mutex<u32>,
    attempts: Mutex<Vec<Instant>>,
}

impl Ear {
    pub(super) fn failing(times: u32) -> Arc<Self> {
        Arc::new(Self { fails: Mutex::new(times), ..Self::default() })
    }

    /// The kinds and keys of each message.
    pub(super) fn heard(&self) -> Vec<Vec<String>> {
        self.heard.lock().expect("an ear").clone()
    }
}

#[async_trait]
impl Sender for Ear {
    async fn send(&self, message: &Message) -> Result<(), String> {
        self.attempts.lock().expect("an ear").push(Instant::now());
        {
            let mut fails = self.fails.lock().expect("an ear");
            if *fails > 0 {
                *fails -= 1;
                return Err("HTTP 500".to_owned());
            }
        }
        let json = message.json();
        let keys = json["alerts"].as_array().expect("a list").iter();
        let mut keys: Vec<String> = keys.map(|alert| alert["key"].as_str().unwrap_or_default().to_owned()).collect();
        if message.count() > keys.len() {
            keys.push(format!("and {} more", message.count() - keys.len()));
        }
        self.heard.lock().expect("an ear").push(keys);
        Ok(())
    }
}

/// Never ends.
pub(super) struct Hangs;

#[async_trait]
impl Sender for Hangs {
    async fn send(&self, _: &Message) -> Result<(), String> {
        std::future::pending().await
    }
}

struct Nobody;

impl Connector for Nobody {
    fn repeat(&self, _: &str) -> RepeatSafety {
        RepeatSafety::None
    }

    fn compose(&self, _: &Calendar, _: &Post, _: &Account, _: Instance) -> Result<Plan, String> {
        Err("there is nobody".to_owned())
    }

    fn connect(&self, _: &Account, _: &Folders) -> Result<Box<dyn Api>, String> {
        Err("there is nobody".to_owned())
    }
}

pub(super) const QUICK: Pace = Pace {
    gather: TimeDelta::milliseconds(50),
    apart: TimeDelta::milliseconds(50),
    back_off: Duration::from_millis(20),
};

pub(super) fn engine(store: &MemoryStore) -> Engine {
    engine_at(store, Arc::new(SystemClock))
}

pub(super) fn engine_at(store: &MemoryStore, clock: Arc<dyn Clock>) -> Engine {
    Engine::new(Arc::new(store.open()), clock, Arc::new(Nobody), DeliverySettings::default(), "me", World::default())
}

pub(super) fn store() -> MemoryStore {
    MemoryStore::exclusive(Arc::new(SystemClock))
}

pub(super) fn target(name: &str, sender: Arc<dyn Sender>) -> Target {
    Target { name: name.to_owned(), sender }
}

pub(super) fn alert(key: &str) -> Alert {
    let now = SystemClock.now();
    let (message, help) = (format!("{key} has happened"), "do something".to_owned());
    Alert { key: key.to_owned(), at: now, tell_at: now, delivery: None, kind: "held".to_owned(), message, help }
}

pub(super) async fn teller(engine: &Engine, targets: Vec<Target>) -> Arc<Teller> {
    Arc::new(Teller::new(engine, targets, QUICK).await.expect("the ledger answers"))
}

pub(super) fn begin(teller: &Arc<Teller>) -> tokio::task::JoinHandle<()> {
    let teller = Arc::clone(teller);
    tokio::spawn(async move { teller.run().await })
}

/// Waits until it is so, for a few seconds.
pub(super) async fn until(what: &str, so: impl Fn() -> bool) {
    for _ in 0..500 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what}");
}

/// The alerts about a delivery.
pub(super) async fn alerts(engine: &Engine, row: &Delivery) -> Vec<Alert> {
    engine.ledger.alerts(row.id).await.expect("the ledger answers").into_iter().map(|raised| raised.alert).collect()
}
