//! The adapter's side: what a daemon can know of a network. Here calls go wrong.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use smm::adapter::{
    Api, Fault, Identity, Metrics, Plan, Progress, Refusal, RepeatSafety, Reply, Step, StepKind, Verdict,
};
use smm::calendar::Calendar;
use smm::compose::Instance;
use smm::engine::{Connector, Folders};
use smm::model::{Account, DeliveryId, Frozen, LimitOverrides, Post, Receipt};

use super::network::{Answer, Held, Kind, LATEST, Network, Request};
use super::process::Process;
use super::witness::{Outcome, Witness};

/// Clocks of machines and networks differ by less than this: how much earlier than the intent a look still searches.
const SKEW: TimeDelta = TimeDelta::minutes(2);

/// The networks by their ids.
pub(crate) type Networks = BTreeMap<&'static str, Arc<Network>>;

/// Links a process to the networks.
pub(crate) struct Links {
    pub(crate) process: Arc<Process>,
    pub(crate) networks: Arc<Networks>,
    pub(crate) witness: Arc<Witness>,
}

impl Connector for Links {
    fn repeat(&self, network: &str) -> RepeatSafety {
        Kind::of(network).map_or(RepeatSafety::None, Kind::repeat)
    }

    fn compose(&self, _: &Calendar, post: &Post, account: &Account, instance: Instance) -> Result<Plan, String> {
        let text = match (&post.content.text, post.content.texts.as_slice()) {
            (Some(text), _) => text.clone(),
            (None, []) => return Err("nothing is left to send".to_owned()),
            (None, texts) => texts[instance.variation % texts.len()].clone(),
        };
        let containers = account.network == Kind::TwoStep.id();
        let uploads = containers || account.network == Kind::LookFresh.id();
        let mut steps = Vec::new();
        for (part, text) in std::iter::once(&text).chain(&post.content.thread).enumerate() {
            let number = u16::try_from(part).expect("a short thread");
            if uploads {
                steps.push(Step { index: steps.len(), part: number, kind: StepKind::Prepare, payload: json!({}) });
            }
            let key = instance.delivery.derive_bytes("simulated key", number, instance.generation);
            let payload = json!({
                "delivery": instance.delivery.to_string(),
                "key": smm::model::hex(&key[..8]),
                "text": text,
            });
            steps.push(Step { index: steps.len(), part: number, kind: StepKind::Publish, payload });
        }
        Ok(Plan { steps })
    }

    fn server_time(&self) -> Option<DateTime<Utc>> {
        Some(self.process.stage.now())
    }

    fn connect(&self, account: &Account, _: &Folders) -> Result<Box<dyn Api>, String> {
        let network = self.networks.get(account.network.as_str()).ok_or("no such network")?;
        Ok(Box::new(Link {
            token: network.token(&account.name),
            account: account.clone(),
            network: Arc::clone(network),
            process: Arc::clone(&self.process),
            witness: Arc::clone(&self.witness),
        }))
    }
}

/// An account at its network, with the token that its file held when it was opened.
struct Link {
    account: Account,
    token: u64,
    network: Arc<Network>,
    process: Arc<Process>,
    witness: Arc<Witness>,
}

/// How the one call goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Well,
    Refused,
    LostBefore,
    LostAfter,
    Silence,
    Late,
    Doubled,
    ErrorThoughDone,
    NoId,
    OtherId,
    FalseDuplicate,
    Throttled,
    ThrottledThoughDone,
    Busy,
    Rejected,
}

impl Way {
    /// What it is called when it happens; in the order of the weights below.
    const FAULTS: [(Self, &'static str, u64); 14] = [
        (Self::Refused, "connection refused", 10),
        (Self::LostBefore, "request lost", 10),
        (Self::LostAfter, "answer lost", 15),
        (Self::Silence, "no answer", 10),
        (Self::Late, "late effect", 15),
        (Self::Doubled, "request doubled", 10),
        (Self::ErrorThoughDone, "500 though done", 6),
        (Self::NoId, "2xx without an id", 6),
        (Self::OtherId, "id of another post", 4),
        (Self::FalseDuplicate, "duplicate, it says", 3),
        (Self::Throttled, "429", 8),
        (Self::ThrottledThoughDone, "429 though done", 8),
        (Self::Busy, "503 that did nothing", 6),
        (Self::Rejected, "422", 2),
    ];
}

impl Link {
    fn throttled(&self) -> Fault {
        let seconds = self.process.stage.dice.between(1, 3600);
        let wait = TimeDelta::seconds(i64::try_from(seconds).expect("an hour"));
        Fault::Refused {
            refusal: Refusal::RateLimited,
            message: "too many requests".to_owned(),
            retry_at: Some(self.process.now() + wait),
        }
    }

    fn way(&self) -> Way {
        let stage = &self.process.stage;
        if !stage.strikes(stage.weather.network) {
            return Way::Well;
        }
        let kind = self.network.kind;
        let may = |way: Way| match way {
            Way::Doubled => kind.takes_doubles(),
            Way::ThrottledThoughDone => kind.throttles_after_the_fact(),
            _ => true,
        };
        let ways = || Way::FAULTS.iter().filter(|(way, _, _)| may(*way));
        let mut left = stage.dice.below(ways().map(|(_, _, weight)| weight).sum());
        for (way, name, weight) in ways() {
            if left < *weight {
                stage.fault(name);
                stage.say(format_args!("   {}: {name}", kind.id()));
                return *way;
            }
            left -= weight;
        }
        Way::Well
    }

    fn milliseconds(&self, low: u64, high: u64) -> Duration {
        Duration::from_millis(self.process.stage.dice.between(low, high))
    }

    /// A call that can be repeated: on its way it may go wrong in any way that says nothing.
    async fn ask(&self, what: &'static str) -> Result<(), Fault> {
        let stage = &self.process.stage;
        self.process.step(what).await;
        if stage.is_out(self.network.kind.id()) {
            stage.fault("outage");
            return Err(Fault::NotSent("connection refused".to_owned()));
        }
        tokio::time::sleep(self.milliseconds(20, 400)).await;
        if stage.strikes(stage.weather.network / 2) {
            stage.fault("a question fails");
            let fault = match stage.dice.below(4) {
                0 => Fault::NotSent("connection refused".to_owned()),
                1 => {
                    tokio::time::sleep(Duration::from_secs(30)).await;
                    Fault::Unknown("no answer in time".to_owned())
                }
                2 => self.throttled(),
                _ => Fault::Unknown("connection reset".to_owned()),
            };
            self.process.runs().await;
            return Err(fault);
        }
        self.process.step(what).await;
        Ok(())
    }

    fn me(&self) -> Result<String, Fault> {
        let owner = self.network.owner(&self.account.name, self.token);
        owner.ok_or_else(|| Fault::refused(Refusal::Credentials, "the token has expired"))
    }

    /// Sends the request on its way; it does not come back when the process dies.
    async fn send(&self, request: Request, work: Duration) -> Answer {
        let way = self.milliseconds(20, 400);
        let back = self.milliseconds(20, 300);
        let answer = tokio::spawn(Arc::clone(&self.network).take(request, way, work));
        self.process.step("sent").await;
        let answer = answer.await.expect("a network that answers");
        tokio::time::sleep(back).await;
        answer
    }

    async fn call(&self, frozen: &Frozen) -> Result<Receipt, Fault> {
        let stage = &self.process.stage;
        let kind = self.network.kind;
        if stage.is_out(kind.id()) {
            stage.fault("outage");
            if stage.dice.chance(500) {
                return Err(Fault::NotSent("connection refused".to_owned()));
            }
            return std::future::pending().await;
        }
        let way = self.way();
        if way == Way::Refused {
            return Err(Fault::NotSent("connection refused".to_owned()));
        }
        let uid = self.me()?;
        let request = request(uid, frozen);
        let work = self.milliseconds(5, 500);
        match way {
            Way::Refused => Err(Fault::NotSent("connection refused".to_owned())),
            Way::LostBefore => {
                tokio::time::sleep(work).await;
                Err(Fault::Unknown("connection reset".to_owned()))
            }
            Way::LostAfter => {
                self.send(request, work).await;
                Err(Fault::Unknown("connection reset".to_owned()))
            }
            Way::Silence => {
                if stage.dice.chance(500) {
                    self.send(request, work).await;
                }
                std::future::pending().await
            }
            Way::Late => {
                let work = self.milliseconds(5_000, u64::try_from(LATEST.as_millis()).expect("seconds"));
                let cut = stage.dice.chance(500);
                let sent = self.send(request, work);
                if cut {
                    let patience = self.milliseconds(100, 5_000);
                    if tokio::time::timeout(patience, sent).await.is_err() {
                        return Err(Fault::Unknown("connection reset".to_owned()));
                    }
                    return Err(Fault::Unknown("connection reset after all".to_owned()));
                }
                self.receipt(sent.await, frozen)
            }
            Way::Doubled => {
                // The weak key takes it only when the first has taken effect.
                let network = Arc::clone(&self.network);
                let (again, way) = (request.clone(), self.milliseconds(1_000, 60_000));
                let second_work = self.milliseconds(5, 500);
                let answer = self.send(request, work).await;
                tokio::spawn(network.take(again, way, second_work));
                self.receipt(answer, frozen)
            }
            Way::ErrorThoughDone => {
                self.send(request, work).await;
                Err(Fault::Unknown("500 internal server error".to_owned()))
            }
            Way::NoId => {
                self.send(request, work).await;
                Err(Fault::Unknown("the answer has no id".to_owned()))
            }
            Way::OtherId => {
                if stage.dice.chance(500) {
                    self.send(request, work).await;
                }
                // The answer repeats what it is about, and the adapter compares.
                Err(Fault::Unknown("the answer is about another post".to_owned()))
            }
            Way::FalseDuplicate => Err(Fault::refused(Refusal::Duplicate, "you have posted this already")),
            Way::Throttled => Err(self.throttled()),
            Way::ThrottledThoughDone => {
                self.send(request, work).await;
                // Its adapter knows that this network says so of posts that are out.
                Err(Fault::Unknown("too many requests, which says nothing here".to_owned()))
            }
            Way::Busy => Err(Fault::refused(Refusal::Busy, "503, nothing was done")),
            Way::Rejected => Err(Fault::refused(Refusal::Invalid, "the content is not acceptable")),
            Way::Well => {
                let answer = self.send(request, work).await;
                self.receipt(answer, frozen)
            }
        }
    }

    fn receipt(&self, answer: Answer, frozen: &Frozen) -> Result<Receipt, Fault> {
        match answer {
            Answer::Out(id) => Ok(receipt(frozen, id, self.process.now())),
            Answer::Exists => Err(Fault::refused(Refusal::Duplicate, "there is a record with this id")),
        }
    }
}

fn receipt(frozen: &Frozen, id: String, at: DateTime<Utc>) -> Receipt {
    Receipt { part: frozen.part, url: Some(format!("https://sim/{id}")), id, at, data: Value::Null }
}

fn request(uid: String, frozen: &Frozen) -> Request {
    let delivery: DeliveryId =
        frozen.request["delivery"].as_str().and_then(|id| id.parse().ok()).expect("the id that compose wrote");
    Request { uid, key: frozen.key.clone(), body: frozen.request.clone(), delivery, part: frozen.part }
}

#[async_trait]
impl Api for Link {
    async fn host(&self) -> Result<Option<String>, Fault> {
        Ok(Some(format!("https://{}.sim", self.network.kind.id())))
    }

    async fn whoami(&self) -> Result<Identity, Fault> {
        self.ask("who am I").await?;
        let uid = self.me()?;
        Ok(Identity {
            handle: format!("@{}", self.account.name),
            uid,
            host: format!("https://{}.sim", self.network.kind.id()),
            limits: LimitOverrides::default(),
            repeat: None,
        })
    }

    async fn prepare(&self, _: &Step, _: &Progress) -> Result<Value, Fault> {
        self.ask("prepare").await?;
        self.me()?;
        Ok(json!(format!("prepared-{:x}", self.process.stage.dice.next())))
    }

    fn freeze(&self, step: &Step, progress: &Progress, _: &Identity, _: DateTime<Utc>) -> Result<Frozen, Fault> {
        let text = |key: &str| step.payload[key].as_str().unwrap_or_default().to_owned();
        let prepared = step.index.checked_sub(1).and_then(|before| progress.value(before));
        let parent = progress.receipts.last().map(|receipt| receipt.id.clone());
        let request = json!({
            "delivery": text("delivery"),
            "text": text("text"),
            "prepared": prepared,
            "parent": parent,
        });
        Ok(Frozen { part: step.part, key: text("key"), request })
    }

    async fn publish(&self, frozen: &Frozen) -> Result<Receipt, Fault> {
        // No step before this: between the engine's last look at the clock and the first byte there is nothing that could
        // be asked once more. A process that is stopped in just this instant, for longer than its lease, is the one case
        // that only the network's own class can save.
        self.witness.sends(&self.process, &self.account, self.network.kind, frozen);
        let answer = self.call(frozen).await;
        let outcome = match &answer {
            Ok(_) => Outcome::Done,
            Err(Fault::Unknown(_) | Fault::Refused { refusal: Refusal::Duplicate, .. }) => Outcome::Unknown,
            Err(fault) => Outcome::Definite(fault.clone()),
        };
        self.process.step("answered").await;
        self.witness.answered(frozen, outcome);
        answer
    }

    async fn reconcile(&self, frozen: &Frozen, started: DateTime<Utc>) -> Result<Verdict, Fault> {
        self.ask("look").await?;
        self.process.stage.count("looks");
        let uid = self.me()?;
        let kind = self.network.kind;
        let held = self.network.listing(&uid, self.network.lag());
        let same = |held: &&Held| match kind {
            Kind::Content | Kind::Chosen => held.request.key == frozen.key,
            Kind::TwoStep => held.request.body["prepared"] == frozen.request["prepared"],
            // As people would: the same text under the same post, since it was sent.
            _ => {
                held.request.body["text"] == frozen.request["text"]
                    && held.request.body["parent"] == frozen.request["parent"]
                    && held.at >= started - SKEW
            }
        };
        let found: Vec<&Held> = held.iter().filter(same).collect();
        let verdict = match found.as_slice() {
            _ if kind == Kind::Webhook => Verdict::CannotTell { why: "there is nothing to look at".to_owned() },
            [] => Verdict::NotDone,
            [one] => Verdict::Done(receipt(frozen, one.id.clone(), self.process.now())),
            _ => Verdict::CannotTell { why: "there is more than one".to_owned() },
        };
        self.process.step("looked").await;
        Ok(verdict)
    }

    async fn metrics(&self, _: &Receipt) -> Result<Metrics, Fault> {
        Err(Fault::NotSent("not simulated".to_owned()))
    }

    async fn replies(&self, _: &Receipt) -> Result<Vec<Reply>, Fault> {
        Err(Fault::NotSent("not simulated".to_owned()))
    }

    async fn delete(&self, _: &Receipt) -> Result<(), Fault> {
        Err(Fault::NotSent("not simulated".to_owned()))
    }
}
