//! Watches a run while it goes on: every row that is written and every call that is made is held to the rules at once, when
//! all that belongs to it is still known.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use smm::adapter::{Fault, RepeatSafety};
use smm::engine::core;
use smm::ledger::memory::MemoryStore;
use smm::model::{Account, AccountName, Delivery, DeliveryId, Frozen, Late, LateThen, State};

use super::network::{Kind, Request};
use super::paper::Paper;
use super::process::Process;
use super::stage::{Stage, locked};

/// A daemon has read an edit, or given up what it had claimed before, after this long: a ledger that hangs may hold up its
/// loop.
const NEWS_TAKES: TimeDelta = TimeDelta::minutes(10);

/// What came of a call, as its caller knows it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    Done,
    Definite(Fault),
    Unknown,
}

/// A call that cannot be taken back.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) delivery: DeliveryId,
    pub(crate) by: String,
    pub(crate) frozen: Frozen,
    /// `None`: whoever made it never learned.
    pub(crate) outcome: Option<Outcome>,
    /// A person has had a say since.
    pub(crate) person: bool,
}

/// Watches.
pub(crate) struct Witness {
    pub(crate) stage: Arc<Stage>,
    pub(crate) store: MemoryStore,
    pub(crate) paper: Arc<Paper>,
    sent: Mutex<Vec<Sent>>,
    /// The last intent of each account: whose, and when.
    last: Mutex<BTreeMap<AccountName, (DeliveryId, DateTime<Utc>)>>,
    /// A ledger of the past is in place, and nobody has adopted it.
    pub(crate) older: Mutex<bool>,
    /// It was set back at some time: rows may not know what is out.
    pub(crate) restored: Mutex<bool>,
}

impl Witness {
    pub(crate) fn new(stage: Arc<Stage>, store: MemoryStore, paper: Arc<Paper>) -> Arc<Self> {
        let witness = Arc::new(Self {
            stage,
            store,
            paper,
            sent: Mutex::default(),
            last: Mutex::default(),
            older: Mutex::new(false),
            restored: Mutex::new(false),
        });
        let weak = Arc::downgrade(&witness);
        witness.store.witness(Arc::new(move |before, after| {
            if let Some(witness) = weak.upgrade() {
                witness.written(before, after);
            }
        }));
        witness
    }

    /// A person has decided something about a delivery.
    pub(crate) fn person(&self, delivery: DeliveryId) {
        for sent in locked(&self.sent).iter_mut().filter(|sent| sent.delivery == delivery) {
            sent.person = true;
        }
    }

    /// A row was written.
    fn written(&self, before: Option<&Delivery>, after: &Delivery) {
        let reason = after.reason.as_ref().map_or("", |reason| reason.message.as_str());
        self.stage.say(format_args!(
            "   {} {}/{} {}→{} v{} f{} {} {reason}",
            after.id.short(),
            after.occurrence,
            after.account,
            before.map_or("-", |row| row.state.as_str()),
            after.state,
            after.version,
            after.fence,
            after.owner.as_deref().unwrap_or("-"),
        ));
        let name = after.id.short();
        if let Err(wrong) = core::sound(after) {
            self.stage.wrong(format_args!("{name}: {wrong}"));
        }
        let Some(before) = before else {
            if after.version != 1 {
                self.stage.wrong(format_args!("{name}: a new row with the version {}", after.version));
            }
            return;
        };
        if !core::allowed(before.state, after.state) {
            self.stage.wrong(format_args!("{name}: from {} to {}", before.state, after.state));
        }
        let claimed = before.state == State::Planned && after.state == State::Claimed;
        if after.version != before.version + 1 || after.fence != before.fence + u64::from(claimed) {
            self.stage.wrong(format_args!(
                "{name}: version {} → {}, fence {} → {}",
                before.version, after.version, before.fence, after.fence
            ));
        }
        if before.receipts.iter().zip(&after.receipts).any(|(before, after)| before != after)
            || after.receipts.len() < before.receipts.len()
        {
            self.stage.wrong(format_args!("{name}: a receipt was lost or changed"));
        }
        if let (None, Some(intent)) = (&before.intent, &after.intent) {
            self.begun(before, after, intent.at);
        }
    }

    /// A part of a delivery is about to be sent for the first time.
    fn begun(&self, before: &Delivery, after: &Delivery, at: DateTime<Utc>) {
        let name = after.id.short();
        let spacing = self.paper.accounts.get(&after.account).and_then(|account| account.spacing);
        let last = locked(&self.last).insert(after.account.clone(), (after.id, at));
        if let (Some(spacing), Some((other, last))) = (spacing, last)
            && other != after.id
            && at - last < TimeDelta::from_std(spacing).expect("minutes")
        {
            self.stage.wrong(format_args!("{name}: only {} s after {}", (at - last).num_seconds(), other.short()));
        }
        if at < after.due {
            self.stage.wrong(format_args!("{name}: begun at {at}, due at {}", after.due));
        }
        if before.receipts.is_empty() && !before.released && is_past(before.late, before.due, at) {
            self.stage.wrong(format_args!("{name}: begun at {at}, past its grace, due at {}", before.due));
        }
    }

    /// A process is about to make a call.
    pub(crate) fn sends(&self, process: &Process, account: &Account, kind: Kind, frozen: &Frozen) {
        let id: DeliveryId =
            frozen.request["delivery"].as_str().and_then(|id| id.parse().ok()).expect("the id that compose wrote");
        let name = id.short();
        let now = self.stage.now();
        self.stage.count("calls");
        self.stage.say(format_args!("   {} sends {name} part {} to {}", process.name, frozen.part + 1, account.name));
        if *locked(&self.older) {
            self.stage.wrong(format_args!("{name}: sent from a ledger that is older than what was seen"));
        }
        let Some(row) = self.store.row(id) else {
            self.stage.wrong(format_args!("{name}: sent, and the ledger has never heard of it"));
            return;
        };
        let intent = row.intent.as_ref().filter(|intent| intent.frozen == *frozen);
        if row.state != State::Sending || intent.is_none() {
            self.stage.wrong(format_args!("{name}: sent without an intent; it is {}", row.state));
        }
        if row.owner.as_ref().is_some_and(|owner| *owner != process.name) {
            self.stage.wrong(format_args!("{name}: sent by {}, and {:?} has it", process.name, row.owner));
        }
        // A repeat of what was begun in time is not early, although its clock was set back meanwhile.
        if process.now() < row.due && now < row.due {
            self.stage.wrong(format_args!("{name}: sent at {}, due at {}", process.now(), row.due));
        }
        let parent = frozen.request["parent"].as_str();
        if usize::from(frozen.part) != row.receipts.len()
            || parent != row.receipts.last().map(|receipt| receipt.id.as_str())
        {
            self.stage.wrong(format_args!("{name}: part {} after {} receipts", frozen.part + 1, row.receipts.len()));
        }
        self.is_what_the_calendar_says(process, &row, frozen, now);
        let mut sent = locked(&self.sent);
        if let Some(last) = sent.iter().rfind(|sent| sent.delivery == id && sent.frozen.part == frozen.part) {
            self.is_a_good_repeat(last, process, kind, frozen);
        }
        let by = process.name.clone();
        sent.push(Sent { delivery: id, by, frozen: frozen.clone(), outcome: None, person: false });
    }

    /// What is sent is what the calendar said at most a moment ago; for a thread that was begun, when it was begun.
    fn is_what_the_calendar_says(&self, process: &Process, row: &Delivery, frozen: &Frozen, now: DateTime<Utc>) {
        if row.attempts > 1 || !row.receipts.is_empty() {
            return;
        }
        // Who was stopped reads the news when it is woken, and goes on at the same time.
        let woken = locked(&process.woken).filter(|woken| now - *woken < NEWS_TAKES);
        if woken.is_some() {
            return;
        }
        let text = frozen.request["text"].as_str().unwrap_or_default();
        let said = self.paper.editions(now - NEWS_TAKES, now).iter().any(|entries| {
            entries.iter().any(|entry| entry.present && entry.to.contains(&row.account) && entry.says(text))
        });
        if !said {
            self.stage.wrong(format_args!("{}: the calendar does not say \"{text}\"", row.id.short()));
        }
    }

    fn is_a_good_repeat(&self, last: &Sent, process: &Process, kind: Kind, frozen: &Frozen) {
        let name = last.delivery.short();
        if last.person {
            return;
        }
        match &last.outcome {
            Some(Outcome::Done) => self.stage.wrong(format_args!("{name}: sent again although it was done")),
            None | Some(Outcome::Unknown) => {
                if kind.repeat() == RepeatSafety::None || last.frozen != *frozen {
                    self.stage.wrong(format_args!("{name}: sent again, and whether it was out was not known"));
                }
            }
            Some(Outcome::Definite(Fault::Refused { retry_at: Some(at), .. })) => {
                if process.now() < *at && process.name == last.by {
                    self.stage.wrong(format_args!("{name}: sent again before {at}, when the network had asked to"));
                }
            }
            Some(Outcome::Definite(_)) => {}
        }
    }

    /// A process has learned what came of its call.
    pub(crate) fn answered(&self, frozen: &Frozen, outcome: Outcome) {
        let mut sent = locked(&self.sent);
        if let Some(last) = sent.iter_mut().rfind(|sent| sent.frozen == *frozen) {
            self.stage.say(format_args!("   {} hears of {}: {outcome:?}", last.by, last.delivery.short()));
            last.outcome = Some(outcome);
        }
    }

    /// A request arrives at a network.
    pub(crate) fn arrives(&self, request: &Request) {
        let intents = self.store.intents();
        let mut own = intents.iter().filter(|(id, _)| *id == request.delivery);
        let known = own.any(|(_, intent)| {
            intent.frozen.key == request.key
                && intent.frozen.request == request.body
                && intent.binding.uid == request.uid
        });
        if !known && !*locked(&self.older) {
            self.stage.wrong(format_args!(
                "{}: what arrives as {} is no intent of the ledger",
                request.delivery.short(),
                request.uid
            ));
        }
    }
}

/// Past its grace by more than it takes to get from the claim to the intent.
fn is_past(late: Late, due: DateTime<Utc>, at: DateTime<Utc>) -> bool {
    let grace = TimeDelta::seconds(i64::try_from(late.grace_seconds).expect("a grace of some hours"));
    late.then != LateThen::Publish && at > due + grace + NEWS_TAKES
}
