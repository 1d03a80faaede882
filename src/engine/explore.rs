//! The core and the order of its calls, with several processes: every interleaving of claims, writes, calls, lost answers,
//! lost confirmations, crashes, leases that lapse and takeovers, as far as the bounds go. With a guard off the search finds
//! what the guard is for.
//!
//! What is taken for granted: a call is over for its sender when its time limit is, and on its way no longer than the
//! settle time; with [`Case::deadline`] no call begins that could outlive its lease. Time itself stands still, so a key's
//! window does not end here; `model_check` has that.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use super::core::late::{Late, late};
use super::core::{Input, Next, Rules, may_repeat, step};
use super::samples::*;
use crate::adapter::{Fault, Refusal, RepeatSafety, Verdict};
use crate::model::{Delivery, State};

/// What is searched.
#[derive(Debug, Clone)]
struct Case {
    class: RepeatSafety,
    /// Processes that publish; one: of an exclusive ledger.
    daemons: usize,
    claims: u64,
    attempts: u32,
    crashes: u32,
    /// A key is looked at and noted in one step by the server.
    atomic: bool,
    /// A look may miss what is there.
    stale: bool,
    intent: bool,
    fence: bool,
    deadline: bool,
    settle: bool,
    witness: bool,
    unresolved: bool,
    /// What lapses while it is sent becomes due again, as in a job queue.
    requeue: bool,
}

impl Case {
    fn new(class: RepeatSafety) -> Self {
        Self {
            class,
            daemons: 2,
            claims: 3,
            attempts: 2,
            crashes: 1,
            atomic: true,
            stale: false,
            intent: true,
            fence: true,
            deadline: true,
            settle: true,
            witness: true,
            unresolved: true,
            requeue: false,
        }
    }

    fn rules(&self) -> Rules {
        let settle = if self.settle { Duration::from_mins(2) } else { Duration::ZERO };
        let alone = self.daemons == 1 || !self.witness;
        Rules { class: self.class, settle, tries: self.attempts + 1, alone, ..Rules::default() }
    }
}

thread_local! {
    static NUMBERS: RefCell<HashMap<String, u32>> = RefCell::default();
}

/// The same number for the same text.
fn number(text: String) -> u32 {
    NUMBERS.with_borrow_mut(|numbers| {
        let next = u32::try_from(numbers.len()).expect("few");
        *numbers.entry(text).or_insert(next)
    })
}

/// Something that many worlds share, with the number of all that counts for the same.
#[derive(Debug, Clone)]
struct Shared<T>(Arc<(u32, T)>);

impl<T> Shared<T> {
    fn number(&self) -> u32 {
        self.0.0
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.1
    }
}

type Row = Shared<Delivery>;
type Told = Shared<Input>;

impl From<Delivery> for Row {
    /// All but the version is told apart: that one counts only by how far it is behind.
    fn from(row: Delivery) -> Self {
        let unknown = row.unknown.as_ref().map(|unknown| {
            let look = unknown.next_look.map(|at| (at - start()).num_seconds().min(120));
            (unknown.looks, unknown.repeated, unknown.witnessed, look)
        });
        let code = row.reason.as_ref().map(|reason| reason.code);
        let text = format!(
            "{:?} {} {} {} {} {code:?} {unknown:?}",
            row.state,
            row.attempts,
            row.failures,
            row.fence,
            row.receipts.len()
        );
        Self(Arc::new((number(text), row)))
    }
}

impl From<Input> for Told {
    fn from(input: Input) -> Self {
        Self(Arc::new((number(format!("{input:?}")), input)))
    }
}

/// What a process is about to do.
#[derive(Debug, Clone)]
enum Doing {
    Nothing,
    WriteIntent(Row),
    Call(Row),
    Wait(Row),
    /// What was sent, the row as it was last read, and what came of it.
    Record(Row, Row, Told),
    GiveBack(Row),
    WriteLook(Row, Verdict),
    Repeat(Row),
}

impl Doing {
    fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing)
    }
}

/// What tells a world from others, with the processes in any order.
type Key = (u32, bool, Vec<[u64; 6]>, Vec<Flying>, u32, u32);

/// A call on its way: of which claim and attempt, and whether the server has looked at its key.
type Flying = (u64, u32, bool);

#[derive(Debug, Clone)]
struct World {
    row: Row,
    /// The lease of who has it lasts.
    leased: bool,
    doing: Vec<Doing>,
    net: Vec<Flying>,
    /// Posts that the network shows.
    out: u32,
    crashes: u32,
}

/// What must never be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Wrong {
    Duplicate,
    SaidFailedButLive,
    SaidPublishedButNot,
}

impl World {
    fn start(case: &Case) -> Self {
        let doing = vec![Doing::Nothing; case.daemons];
        Self { row: planned().into(), leased: false, doing, net: Vec::new(), out: 0, crashes: case.crashes }
    }

    fn wrong(&self) -> Option<Wrong> {
        match self.row.state {
            _ if self.out > 1 => Some(Wrong::Duplicate),
            State::Failed if self.out > 0 => Some(Wrong::SaidFailedButLive),
            State::Published if self.out == 0 => Some(Wrong::SaidPublishedButNot),
            _ => None,
        }
    }

    fn key(&self) -> Key {
        let row = |row: &Row| [row.number().into(), self.row.version - row.version.min(self.row.version)];
        let of = |kind: u64, [number, behind]: [u64; 2]| [kind, number, behind, 0, 0, 0];
        let mut doing: Vec<[u64; 6]> = self
            .doing
            .iter()
            .map(|doing| match doing {
                Doing::Nothing => [0; 6],
                Doing::WriteIntent(it) => of(1, row(it)),
                Doing::Call(it) => of(2, row(it)),
                Doing::Wait(it) => of(3, row(it)),
                Doing::Record(sent, it, told) => {
                    let ([sent, sent_behind], [it, behind]) = (row(sent), row(it));
                    [4, sent, sent_behind, it, behind, told.number().into()]
                }
                Doing::GiveBack(it) => of(5, row(it)),
                Doing::WriteLook(it, Verdict::Done(_)) => of(6, row(it)),
                Doing::WriteLook(it, _) => of(7, row(it)),
                Doing::Repeat(it) => of(8, row(it)),
            })
            .collect();
        doing.sort_unstable();
        let mut net = self.net.clone();
        net.sort_unstable();
        (self.row.number(), self.leased, doing, net, self.out, self.crashes)
    }

    /// Nothing that was sent is on its way any more.
    fn is_settled(&self) -> bool {
        self.net.is_empty()
    }

    /// Stores a row over the one that was read. `false`: somebody was faster.
    fn store(&mut self, case: &Case, read: &Delivery, next: &Delivery) -> bool {
        if read.version != self.row.version && case.fence {
            return false;
        }
        self.row = Delivery { version: self.row.version + 1, fence: self.row.fence, ..next.clone() }.into();
        true
    }

    fn with(&self, daemon: usize, doing: Doing) -> Self {
        let mut next = self.clone();
        next.doing[daemon] = doing;
        next
    }
}

/// Everything that can happen next.
fn next(case: &Case, world: &World) -> Vec<(String, World)> {
    let mut all = Vec::new();
    let held = matches!(world.row.state, State::Claimed | State::Sending);
    // A call that is under way ends before its lease; without the deadline it may outlive it.
    let calling = world.doing.iter().any(|doing| matches!(doing, Doing::Wait(_)));
    let alone = case.daemons == 1;
    let dead = alone && world.doing[0].is_nothing();
    if world.leased && held && if alone { dead } else { !(case.deadline && calling) } {
        all.push(("the lease lapses".to_owned(), World { leased: false, ..world.clone() }));
    }
    for daemon in 0..world.doing.len() {
        let says = |what: &str| format!("{daemon} {what}");
        if world.crashes > 0 && !world.doing[daemon].is_nothing() {
            let mut next = world.with(daemon, Doing::Nothing);
            next.crashes -= 1;
            all.push((says("dies"), next));
        }
        daemon_next(case, world, daemon, &mut |what, next| all.push((says(what), next)));
    }
    for index in 0..world.net.len() {
        server_next(case, world, index, &mut |what, next| all.push((what.to_owned(), next)));
    }
    all
}

fn daemon_next(case: &Case, world: &World, daemon: usize, add: &mut dyn FnMut(&str, World)) {
    let (rules, row) = (case.rules(), &world.row);
    match &world.doing[daemon] {
        Doing::Nothing => {
            if row.state == State::Planned && row.fence < case.claims {
                let mut next = world.clone();
                let (fence, version) = (row.fence + 1, row.version + 1);
                let owner = Some("me".into());
                next.row = Delivery { state: State::Claimed, owner, fence, version, ..Delivery::clone(row) }.into();
                next.leased = true;
                next.doing[daemon] = Doing::WriteIntent(next.row.clone());
                add("claims", next);
            }
            if matches!(row.state, State::Claimed | State::Sending) && !world.leased {
                let mut next = world.clone();
                let lost = step(row, &Input::OwnerLost, &rules, start()).0;
                let lost = if case.requeue && row.state == State::Sending {
                    Delivery { state: State::Planned, intent: None, unknown: None, reason: None, ..lost }
                } else {
                    lost
                };
                next.store(case, row, &lost);
                add("takes over", next);
            }
            if let (State::Unknown, Some(unknown)) = (row.state, &row.unknown)
                && let Some(at) = unknown.next_look
                && unknown.looks < 4
                && (at - start() < chrono::TimeDelta::minutes(2) || world.is_settled())
            {
                if world.out > 0 {
                    add("finds it", world.with(daemon, Doing::WriteLook(row.clone(), Verdict::Done(receipt(0)))));
                }
                if world.out == 0 || case.stale {
                    add("finds nothing", world.with(daemon, Doing::WriteLook(row.clone(), Verdict::NotDone)));
                }
            }
        }
        Doing::WriteIntent(read) if case.intent => {
            let (sending, _, _) = step(read, &intent(read, 1), &rules, start());
            let mut next = world.clone();
            // The ledger takes it only while the lease lasts.
            if (world.leased || !case.fence) && next.store(case, read, &sending) {
                let sent = next.row.clone();
                if next.crashes > 0 {
                    let mut lost = next.with(daemon, Doing::GiveBack(sent.clone()));
                    lost.crashes -= 1;
                    add("writes the intent, unconfirmed", lost);
                }
                next.doing[daemon] = Doing::Call(sent);
                add("writes the intent", next);
            } else {
                add("is too late for the intent", world.with(daemon, Doing::Nothing));
            }
        }
        Doing::WriteIntent(read) => {
            let (sending, _, _) = step(read, &intent(read, 1), &rules, start());
            add("writes no intent", world.with(daemon, Doing::Call(sending.into())));
        }
        Doing::Call(sent) => {
            let may = !case.deadline || (world.leased && sent.version == row.version) || !case.intent;
            let fault = |fault| Doing::Record(sent.clone(), sent.clone(), Input::Faulted(fault).into());
            if may {
                let mut next = world.with(daemon, Doing::Wait(sent.clone()));
                next.net.push((sent.fence, sent.attempts, false));
                add("sends", next);
            }
            add("reaches nobody", world.with(daemon, fault(Fault::NotSent("refused".into()))));
        }
        Doing::Wait(sent) => {
            let lost = Input::Faulted(Fault::Unknown("no answer".into()));
            add("waits in vain", world.with(daemon, Doing::Record(sent.clone(), sent.clone(), lost.into())));
        }
        Doing::Record(sent, read, told) => record(case, world, daemon, (sent, read, told), add),
        Doing::GiveBack(ours) => {
            let mut next = world.with(daemon, Doing::Nothing);
            if row.fence == ours.fence && row.state == State::Sending && row.attempts == ours.attempts {
                let back = Input::Faulted(Fault::NotSent("unconfirmed".into()));
                let after = step(row, &back, &rules, start()).0;
                next.store(case, row, &after);
            }
            add("gives back", next);
        }
        Doing::WriteLook(read, verdict) => {
            let mut next = world.with(daemon, Doing::Nothing);
            let (after, _, then) = step(read, &Input::Looked(verdict.clone()), &rules, start());
            if next.store(case, read, &after) && then == Next::Repeat && next.row.attempts < case.attempts {
                next.doing[daemon] = Doing::Repeat(next.row.clone());
            }
            add("writes what it saw", next);
        }
        Doing::Repeat(read) => {
            let mut next = world.with(daemon, Doing::Nothing);
            if may_repeat(read, &rules, start()) {
                let (after, _, _) = step(read, &repeat(), &rules, start());
                if next.store(case, read, &after) {
                    next.leased = true;
                    next.doing[daemon] = Doing::Call(next.row.clone());
                }
            }
            add("writes that it repeats", next);
        }
    }
}

/// Writes what came of a call, as `Engine::insist` does.
fn record(
    case: &Case,
    world: &World,
    daemon: usize,
    (sent, read, told): (&Row, &Row, &Told),
    add: &mut dyn FnMut(&str, World),
) {
    let (rules, input) = (case.rules(), &**told);
    let mut next = world.with(daemon, Doing::Nothing);
    // Without an intent it is this write that tells of the call at all.
    let expect =
        Delivery { version: if case.intent { read.version } else { world.row.version }, ..Delivery::clone(read) };
    let resolved = Delivery { unknown: None, ..Delivery::clone(read) };
    let from =
        if case.unresolved || !matches!(input, Input::Faulted(Fault::Refused { .. })) { &**read } else { &resolved };
    let (after, _, _) = step(from, input, &rules, start());
    if case.intent || world.row.fence == sent.fence {
        if next.store(case, &expect, &after) {
            if next.crashes > 0 {
                let again = Doing::Record(sent.clone(), read.clone(), told.clone());
                let mut lost = next.with(daemon, again);
                lost.crashes -= 1;
                add("records, unconfirmed", lost);
            }
            return add("records", next);
        }
    } else {
        return add("has nothing to write over", next);
    }
    match late(sent, read, &world.row, input, &rules, start()) {
        Late::Written(_) => add("had recorded", next),
        Late::Write(late) => {
            let record = Doing::Record(sent.clone(), world.row.clone(), late.into());
            add("records late", world.with(daemon, record));
        }
        // Somebody else is at it: nothing changes until that is over.
        Late::Wait => {}
        Late::Nothing => add("has nothing new to tell", next),
    }
}

fn server_next(case: &Case, world: &World, index: usize, add: &mut dyn FnMut(&str, World)) {
    let (fence, attempt, checked) = world.net[index];
    let mut gone = world.clone();
    gone.net.remove(index);
    let waits = |doing: &Doing| matches!(doing, Doing::Wait(it) if (it.fence, it.attempts) == (fence, attempt));
    let waiting = world.doing.iter().position(waits);
    let answer = |add: &mut dyn FnMut(&str, World), what: &str, next: &World, input: Input| {
        add(&format!("{what}, the answer is lost"), next.clone());
        if let (Some(daemon), Doing::Wait(sent)) = (waiting, waiting.map_or(&Doing::Nothing, |at| &world.doing[at])) {
            add(what, next.with(daemon, Doing::Record(sent.clone(), sent.clone(), input.into())));
        }
    };
    let knows = match case.class {
        RepeatSafety::ContentAddressed | RepeatSafety::ChosenId | RepeatSafety::Key { .. } => world.out > 0,
        RepeatSafety::TwoStep | RepeatSafety::LookUp | RepeatSafety::None => false,
    };
    let kept = World { out: world.out + 1, ..gone.clone() };
    if checked {
        return answer(add, "the server keeps it at last", &kept, Input::Answered(receipt(0)));
    }
    if knows {
        return answer(add, "the server knows it", &gone, Input::Answered(receipt(0)));
    }
    if matches!(case.class, RepeatSafety::Key { .. }) && !case.atomic {
        let mut checked = world.clone();
        checked.net[index].2 = true;
        add("the server does not know the key", checked);
    } else {
        answer(add, "the server keeps it", &kept, Input::Answered(receipt(0)));
    }
    answer(add, "the server says no", &gone, said(Refusal::Invalid));
    add("the call is lost", gone);
}

/// What is wrong in any run, each with the shortest one, until `wanted` is found; and how many worlds there are.
fn search(case: &Case, wanted: Option<Wrong>) -> (Vec<(Wrong, Vec<String>)>, usize) {
    let first = World::start(case);
    // Of each world the one before it, and what has led from there to it.
    let mut came: Vec<(usize, String)> = vec![(0, String::new())];
    let mut known = HashSet::from([first.key()]);
    let mut queue = VecDeque::from([(0, first)]);
    let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
    while let Some((from, world)) = queue.pop_front() {
        for (what, next) in next(case, &world) {
            if !known.insert(next.key()) {
                continue;
            }
            let here = came.len();
            came.push((from, what));
            if let Some(wrong) = next.wrong() {
                if seen.insert(wrong) {
                    let (mut run, mut at) = (Vec::new(), here);
                    while at != 0 {
                        run.push(came[at].1.clone());
                        at = came[at].0;
                    }
                    run.reverse();
                    found.push((wrong, run));
                }
                if wanted == Some(wrong) {
                    return (found, came.len());
                }
                continue;
            }
            assert!(came.len() < 400_000, "the bounds of {case:?} are too wide");
            queue.push_back((here, next));
        }
    }
    (found, came.len())
}

fn holds(name: &str, case: &Case) {
    let (found, worlds) = search(case, None);
    assert!(found.is_empty(), "{name}: {found:#?}");
    assert!(worlds > 100, "{name}: only {worlds} worlds");
}

fn breaks(name: &str, case: &Case, wrong: Wrong) {
    let (found, worlds) = search(case, Some(wrong));
    let is_found = found.iter().any(|(it, _)| *it == wrong);
    assert!(is_found, "{name}: {wrong:?} was not found in {worlds} worlds; found: {found:?}");
}

/// Content-addressed is the same to the core as a chosen id.
const CLASSES: [RepeatSafety; 5] =
    [RepeatSafety::ChosenId, WINDOW, RepeatSafety::TwoStep, RepeatSafety::LookUp, RepeatSafety::None];

#[test]
fn every_class_holds_with_two_daemons() {
    for class in CLASSES {
        let named = class == RepeatSafety::ChosenId;
        holds(&format!("{class:?}"), &Case { claims: if named { 1 } else { 3 }, ..Case::new(class) });
    }
}

#[test]
fn every_class_holds_with_one_and_two_crashes() {
    for class in CLASSES {
        holds(&format!("{class:?}, alone"), &Case { daemons: 1, crashes: 2, ..Case::new(class) });
    }
}

#[test]
fn three_daemons() {
    for (class, claims) in [(RepeatSafety::LookUp, 1), (RepeatSafety::None, 2)] {
        holds(&format!("{class:?}, three"), &Case { daemons: 3, claims, ..Case::new(class) });
    }
}

/// However long a process sleeps between its intent and its call.
#[test]
fn a_pause_without_end() {
    for (class, claims) in [(RepeatSafety::None, 3), (RepeatSafety::ChosenId, 1), (WINDOW, 1)] {
        holds(&format!("{class:?}, deadline off"), &Case { deadline: false, claims, ..Case::new(class) });
    }
    // Where only looking helps, a sender that may live is waited for: for ever, or until it tells.
    holds("look-up, deadline off", &Case { deadline: false, ..Case::new(RepeatSafety::LookUp) });
}

#[test]
fn a_server_that_looks_at_a_key_and_notes_it_later() {
    let weak = Case { atomic: false, ..Case::new(WINDOW) };
    holds("weak key", &weak);
    breaks("weak key, settle off", &Case { settle: false, ..weak }, Wrong::Duplicate);
}

#[test]
fn without_the_settle_time() {
    breaks("settle off", &Case { settle: false, ..Case::new(RepeatSafety::LookUp) }, Wrong::Duplicate);
}

#[test]
fn without_a_witness_and_a_deadline() {
    let case = Case { witness: false, ..Case::new(RepeatSafety::LookUp) };
    holds("witness off", &case);
    breaks("witness and deadline off", &Case { deadline: false, ..case }, Wrong::Duplicate);
}

#[test]
fn looks_that_miss_what_is_there() {
    breaks("stale looks", &Case { stale: true, ..Case::new(RepeatSafety::LookUp) }, Wrong::Duplicate);
}

#[test]
fn without_the_intent() {
    breaks("intent off", &Case { intent: false, ..Case::new(RepeatSafety::None) }, Wrong::Duplicate);
}

#[test]
fn a_queue_that_runs_it_again() {
    breaks("requeue", &Case { requeue: true, ..Case::new(RepeatSafety::None) }, Wrong::Duplicate);
    let chosen = Case { requeue: true, ..Case::new(RepeatSafety::ChosenId) };
    breaks("requeue, chosen id", &chosen, Wrong::SaidFailedButLive);
}

#[test]
fn without_the_fence() {
    breaks("fence off", &Case { fence: false, ..Case::new(RepeatSafety::LookUp) }, Wrong::Duplicate);
}

#[test]
fn a_no_that_counts_for_an_earlier_attempt() {
    let case = Case { unresolved: false, ..Case::new(RepeatSafety::ChosenId) };
    breaks("unresolved off", &case, Wrong::SaidFailedButLive);
}
