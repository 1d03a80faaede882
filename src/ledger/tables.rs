//! A ledger as tables in memory, and the rules of [`super::Ledger`] over them: all of a ledger in memory, and what a ledger
//! in git is while somebody works on it.

mod transfer;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    AccountRecord, Alert, CalendarRecord, ClaimRequest, Errand, Mark, Query, Raised, StoredPost, Tally, TellRequest,
    Told, Write, Written,
};
use crate::model::{
    AccountName, Binding, CalendarName, Delivery, DeliveryId, Event, Intent, OccurrenceName, PostId, Receipt,
    Standings, State,
};
use crate::trial::Guard;

/// Everything.
#[derive(Debug, Clone, Default)]
pub(super) struct Tables {
    pub(super) deliveries: BTreeMap<DeliveryId, Delivery>,
    /// When the lease of a claimed or sending row last began.
    pub(super) leases: BTreeMap<DeliveryId, DateTime<Utc>>,
    /// In the order in which they were written.
    pub(super) intents: Vec<KeptIntent>,
    pub(super) receipts: Vec<KeptReceipt>,
    pub(super) events: Vec<KeptEvent>,
    pub(super) calendars: BTreeMap<CalendarName, CalendarRecord>,
    pub(super) adopted: Option<DateTime<Utc>>,
    pub(super) accounts: BTreeMap<AccountName, AccountRecord>,
    pub(super) paused: Option<(DateTime<Utc>, String)>,
    /// In the order in which they were settled: the series' name stands before the `@`.
    pub(super) variations: Vec<(CalendarName, OccurrenceName, u32)>,
    pub(super) posts: BTreeMap<(CalendarName, PostId), StoredPost>,
    pub(super) alerts: Vec<KeptAlert>,
    /// The targets that were met, since when.
    pub(super) targets: BTreeMap<String, DateTime<Utc>>,
    /// Rises with everything that is kept in the order in which it was written.
    pub(super) order: u64,
    /// Rises with every intent.
    pub(super) sequence: u64,
    pub(super) last_intent: Option<DateTime<Utc>>,
    /// An import was begun, and not ended.
    pub(super) importing: bool,
}

/// What must be there once: one part of one occurrence for one identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Effect {
    pub(super) calendar: CalendarName,
    pub(super) occurrence: OccurrenceName,
    pub(super) network: String,
    pub(super) uid: String,
    pub(super) part: u16,
    pub(super) generation: u32,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct KeptIntent {
    pub(super) order: u64,
    pub(super) delivery: DeliveryId,
    pub(super) effect: Effect,
    pub(super) open: bool,
    pub(super) intent: Intent,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct KeptReceipt {
    pub(super) order: u64,
    pub(super) delivery: DeliveryId,
    pub(super) effect: Effect,
    pub(super) receipt: Receipt,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct KeptEvent {
    pub(super) order: u64,
    pub(super) event: Event,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct KeptAlert {
    pub(super) order: u64,
    pub(super) alert: Alert,
    /// By target.
    pub(super) errands: BTreeMap<String, KeptErrand>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct KeptErrand {
    pub(super) attempts: u32,
    /// Not handed out before this.
    pub(super) again: Option<DateTime<Utc>>,
    pub(super) told_at: Option<DateTime<Utc>>,
    pub(super) error: Option<String>,
}

impl Tables {
    pub(super) fn account(&mut self, name: &AccountName) -> &mut AccountRecord {
        self.accounts.entry(name.clone()).or_default()
    }

    /// The number of the next thing that is kept in order.
    pub(super) fn next_order(&mut self) -> u64 {
        self.order += 1;
        self.order
    }

    #[cfg(feature = "testing")]
    pub(super) fn mark(&self, instance: impl Into<String>) -> Mark {
        Mark { instance: instance.into(), sequence: self.sequence, at: self.last_intent }
    }

    /// How many deliveries are in which state.
    pub(super) fn states(&self) -> BTreeMap<State, u64> {
        let mut states = BTreeMap::new();
        for row in self.deliveries.values() {
            *states.entry(row.state).or_default() += 1;
        }
        states
    }

    pub(super) fn tally(&self) -> Vec<Tally> {
        let mut tallies: Vec<Tally> = Vec::new();
        for row in self.deliveries.values() {
            let same = |tally: &&mut Tally| {
                (&tally.account, &tally.network, tally.state) == (&row.account, &row.network, row.state)
            };
            match tallies.iter_mut().find(same) {
                Some(tally) => (tally.count, tally.ready) = (tally.count + 1, tally.ready.min(row.ready_at())),
                None => tallies.push(Tally {
                    account: row.account.clone(),
                    network: row.network.clone(),
                    state: row.state,
                    count: 1,
                    ready: row.ready_at(),
                }),
            }
        }
        tallies
    }

    pub(super) fn calendar(&self, name: &CalendarName) -> CalendarRecord {
        let known = self.calendars.get(name).cloned().unwrap_or_default();
        CalendarRecord { adopted: self.adopted, ..known }
    }

    pub(super) fn put_calendar(&mut self, name: &CalendarName, record: &CalendarRecord) {
        self.calendars.insert(name.clone(), CalendarRecord { adopted: None, ..record.clone() });
    }

    /// The account is not used before `until`, unless it was told so already for longer.
    pub(super) fn hold_off(&mut self, name: &AccountName, until: DateTime<Utc>, why: &str) {
        let known = &mut self.account(name).hold_off;
        if known.as_ref().is_none_or(|(before, _)| *before < until) {
            *known = Some((until, why.to_owned()));
        }
    }

    pub(super) fn meet(&mut self, targets: &[String], now: DateTime<Utc>) {
        for target in targets {
            self.targets.entry(target.clone()).and_modify(|since| *since = (*since).min(now)).or_insert(now);
        }
    }

    /// The history of one delivery, oldest first; or the latest of all, newest first.
    pub(super) fn history(&self, delivery: Option<DeliveryId>, limit: usize) -> Vec<Event> {
        let events = self.events.iter().map(|kept| &kept.event);
        match delivery {
            Some(id) => events.filter(|event| event.delivery == id).take(limit).cloned().collect(),
            None => events.rev().take(limit).cloned().collect(),
        }
    }

    pub(super) fn add_event(&mut self, event: Event) {
        let order = self.next_order();
        self.events.push(KeptEvent { order, event });
    }

    pub(super) fn query(&self, query: &Query) -> Vec<Delivery> {
        let start = query.id_start.as_ref().map(|start| start.to_ascii_lowercase());
        let wanted = |row: &&Delivery| {
            query.calendar.as_ref().is_none_or(|calendar| row.calendar == *calendar)
                && query.post.as_ref().is_none_or(|post| row.post == *post)
                && query.account.as_ref().is_none_or(|account| row.account == *account)
                && (query.states.is_empty() || query.states.contains(&row.state))
                && query.ids.as_ref().is_none_or(|ids| ids.contains(&row.id))
                && start.as_ref().is_none_or(|start| row.id.to_string().starts_with(start))
        };
        let mut found: Vec<&Delivery> = self.deliveries.values().filter(wanted).collect();
        found.sort_by_key(|row| (row.due, row.id));
        if let Some(count) = query.latest {
            found.reverse();
            found.truncate(count);
        }
        found.into_iter().cloned().collect()
    }

    /// How the deliveries of a calendar stand.
    pub(super) fn standings(&self, calendar: &CalendarName) -> Standings {
        let mut found: Vec<&Delivery> = self.deliveries.values().filter(|row| row.calendar == *calendar).collect();
        found.sort_by_key(|row| (row.due, row.id));
        Standings::of(found)
    }

    /// Stores a row, or says why not.
    pub(super) fn write(&mut self, write: &Write, lease: Option<TimeDelta>, now: DateTime<Utc>) -> Written {
        let mut next = write.delivery.clone();
        let present = self.deliveries.get(&next.id);
        if present.map_or(0, |row| row.version) != write.expect && Guard::Fence.holds() {
            return Written::Stale;
        }
        let claimed = present.is_some_and(|row| row.state == State::Claimed);
        let open = self.intents.iter().rposition(|kept| kept.open && kept.delivery == next.id);
        let new =
            next.intent.as_deref().cloned().filter(|intent| open.is_none_or(|at| self.intents[at].intent != *intent));
        if let Some(intent) = &new {
            if claimed && !self.has_lease(next.id, lease, now) && Guard::Fence.holds() {
                return Written::Stale;
            }
            if let Some(out) = self.already_out(&next, intent) {
                return out;
            }
            if open.is_some() && self.is_busy(&next, intent.at) && Guard::Fence.holds() {
                return Written::Stale;
            }
        }
        next.version = write.expect + 1;
        let binding = match open {
            Some(at) => {
                if next.intent.as_deref() != Some(&self.intents[at].intent) {
                    self.intents[at].open = false;
                }
                Some(self.intents[at].intent.binding.clone())
            }
            None => self.binding_of(&next),
        };
        if let Some(intent) = new {
            self.add_intent(&next, intent);
        }
        for receipt in &next.receipts {
            self.add_receipt(&next, receipt, binding.as_ref());
        }
        match next.state {
            // A claimed row keeps its lease; one that is sent again begins one.
            State::Claimed | State::Sending => {
                self.leases.entry(next.id).or_insert(now);
            }
            _ => {
                self.leases.remove(&next.id);
            }
        }
        if write.withdraws() {
            let (id, at) = (next.id, write.event.at);
            self.alerts.retain(|kept| kept.alert.delivery != Some(id) || kept.alert.tell_at <= at);
        }
        if let Some(alert) = &write.alert {
            self.raise(alert);
        }
        self.add_event(write.event.clone());
        self.deliveries.insert(next.id, next);
        Written::Done
    }

    /// Somebody is at work on a row's account, or has begun a call there after `since`.
    fn is_busy(&self, row: &Delivery, since: DateTime<Utc>) -> bool {
        let at_work = |other: &Delivery| {
            other.account == row.account && other.id != row.id && matches!(other.state, State::Claimed | State::Sending)
        };
        let last = self.accounts.get(&row.account).and_then(|account| account.last_sent);
        last.is_some_and(|last| last > since) || self.deliveries.values().any(at_work)
    }

    fn has_lease(&self, id: DeliveryId, lease: Option<TimeDelta>, now: DateTime<Utc>) -> bool {
        let Some(lease) = lease else { return true };
        self.leases.get(&id).is_some_and(|began| now - *began < lease)
    }

    #[cfg(feature = "testing")]
    pub(super) fn renew(&mut self, owner: &str, now: DateTime<Utc>) {
        for (id, began) in &mut self.leases {
            if self.deliveries.get(id).is_some_and(|row| row.owner.as_deref() == Some(owner)) {
                *began = now;
            }
        }
    }

    pub(super) fn lapsed(&self, owner: &str, lease: Option<TimeDelta>, now: DateTime<Utc>) -> Vec<Delivery> {
        let gone = |row: &&Delivery| match lease {
            None => row.owner.as_deref() != Some(owner),
            Some(_) => !self.has_lease(row.id, lease, now),
        };
        let held = |row: &&Delivery| matches!(row.state, State::Claimed | State::Sending);
        let mut found: Vec<Delivery> = self.deliveries.values().filter(held).filter(gone).cloned().collect();
        found.sort_by_key(|row| (row.due, row.id));
        found
    }

    fn effect(next: &Delivery, network: &str, uid: &str, part: u16) -> Effect {
        Effect {
            calendar: next.calendar.clone(),
            occurrence: next.occurrence.clone(),
            network: network.to_owned(),
            uid: uid.to_owned(),
            part,
            generation: next.generation,
        }
    }

    /// One part of one occurrence reaches one identity once, whatever the account is called.
    fn already_out(&self, next: &Delivery, intent: &Intent) -> Option<Written> {
        let effect = Self::effect(next, &intent.binding.network, &intent.binding.uid, intent.frozen.part);
        if let Some(kept) = self.receipts.iter().find(|kept| kept.effect == effect) {
            return Some(Written::AlreadyOut { by: kept.delivery, receipt: Some(kept.receipt.clone()) });
        }
        let other = self.intents.iter().find(|kept| kept.open && kept.delivery != next.id && kept.effect == effect)?;
        Some(Written::AlreadyOut { by: other.delivery, receipt: None })
    }

    pub(super) fn add_intent(&mut self, next: &Delivery, intent: Intent) {
        let effect = Self::effect(next, &intent.binding.network, &intent.binding.uid, intent.frozen.part);
        self.sequence += 1;
        self.last_intent = self.last_intent.max(Some(intent.at));
        let account = self.account(&next.account);
        account.last_sent = account.last_sent.max(Some(intent.at));
        let order = self.next_order();
        self.intents.push(KeptIntent { order, delivery: next.id, effect, open: true, intent });
    }

    /// Whose receipts these are when the row had no open intent: a person has said that it is out.
    fn binding_of(&self, next: &Delivery) -> Option<Binding> {
        let latest = self.intents.iter().rfind(|kept| kept.delivery == next.id);
        latest
            .map(|kept| kept.intent.binding.clone())
            .or_else(|| self.accounts.get(&next.account).and_then(|account| account.binding.clone()))
    }

    fn add_receipt(&mut self, next: &Delivery, receipt: &Receipt, binding: Option<&Binding>) {
        // An account that was never bound has sent nothing; its name stands in for its identity.
        let stand_in = format!("name {}", next.account);
        let uid = binding.map_or(stand_in.as_str(), |binding| binding.uid.as_str());
        let network = binding.map_or(next.network.as_str(), |binding| binding.network.as_str());
        let effect = Self::effect(next, network, uid, receipt.part);
        // What is there stays: a part that went out before a person said "post again" keeps its generation.
        let known = self.receipts.iter().any(|kept| {
            kept.effect == effect
                || (Effect { generation: effect.generation, ..kept.effect.clone() } == effect
                    && kept.delivery == next.id
                    && kept.receipt == *receipt)
        });
        if !known {
            let order = self.next_order();
            self.receipts.push(KeptReceipt { order, delivery: next.id, effect, receipt: receipt.clone() });
        }
    }

    /// Claims what is ready; gives each row as it was and as it is.
    pub(super) fn claim(&mut self, request: &ClaimRequest, now: DateTime<Utc>) -> Vec<(Delivery, Delivery)> {
        let free = self.free(request);
        let mut first: BTreeMap<&AccountName, &Delivery> = BTreeMap::new();
        for row in self.planned(request) {
            let Some(from) = free.get(&row.account) else { continue };
            if self.ready(row, *from, request) > request.now {
                continue;
            }
            let best = first.entry(&row.account).or_insert(row);
            if (row.due, row.id) < (best.due, best.id) {
                *best = row;
            }
        }
        let mut ready: Vec<(DateTime<Utc>, DeliveryId)> = first.values().map(|row| (row.due, row.id)).collect();
        ready.sort_unstable();
        ready.truncate(request.limit);
        let mut claimed = Vec::with_capacity(ready.len());
        for (_, id) in ready {
            let Some(row) = self.deliveries.get_mut(&id) else { continue };
            let before = row.clone();
            row.state = State::Claimed;
            row.owner = Some(request.owner.clone());
            row.fence += 1;
            row.version += 1;
            let row = row.clone();
            self.leases.insert(id, now);
            self.add_event(Event {
                at: request.now,
                delivery: id,
                kind: "claimed".to_owned(),
                state: State::Claimed,
                detail: format!("by {}", request.owner),
                actor: "smm".to_owned(),
            });
            claimed.push((before, row));
        }
        claimed
    }

    pub(super) fn next_ready(&self, request: &ClaimRequest) -> Option<DateTime<Utc>> {
        let free = self.free(request);
        self.planned(request).filter_map(|row| Some(self.ready(row, *free.get(&row.account)?, request))).min()
    }

    fn planned<'a>(&'a self, request: &'a ClaimRequest) -> impl Iterator<Item = &'a Delivery> {
        self.deliveries.values().filter(|row| {
            row.state == State::Planned
                && (request.calendars.is_empty() || request.calendars.contains(&row.calendar))
                && request.only.as_ref().is_none_or(|only| only.contains(&row.id))
        })
    }

    /// The accounts that a claim may take from, each with the time from which its spacing allows it.
    fn free(&self, request: &ClaimRequest) -> BTreeMap<AccountName, DateTime<Utc>> {
        if self.paused.is_some() || self.importing {
            return BTreeMap::new();
        }
        let held = |row: &&Delivery| matches!(row.state, State::Claimed | State::Sending);
        let busy: BTreeSet<&AccountName> = self.deliveries.values().filter(held).map(|row| &row.account).collect();
        let mut free = BTreeMap::new();
        for (name, spacing) in &request.accounts {
            let known = self.accounts.get(name);
            if busy.contains(name) || known.is_some_and(|known| known.paused.is_some()) {
                continue;
            }
            let spacing = TimeDelta::try_seconds(i64::try_from(*spacing).unwrap_or(i64::MAX)).unwrap_or(TimeDelta::MAX);
            let spaced = known.and_then(|known| known.last_sent).map(|last| last + spacing);
            let held_off = known.and_then(|known| known.hold_off.as_ref()).map(|(until, _)| *until);
            free.insert(name.clone(), spaced.max(held_off).unwrap_or(DateTime::<Utc>::MIN_UTC));
        }
        free
    }

    /// When a row can be claimed, if its account is free from `from` on and nothing else is begun.
    fn ready(&self, row: &Delivery, from: DateTime<Utc>, request: &ClaimRequest) -> DateTime<Utc> {
        let seconds = |seconds: u64| TimeDelta::seconds(i64::try_from(seconds).unwrap_or(i64::MAX / 1_000_000));
        let at = row.ready_at().max(from);
        let overdue = at.max(request.now) - row.ready_at() > seconds(request.burst.overdue);
        if !overdue || row.is_frozen() {
            return at;
        }
        // When each other post of the account last began, latest first.
        let mut begun: BTreeMap<DeliveryId, DateTime<Utc>> = BTreeMap::new();
        for kept in self.intents.iter().filter(|kept| kept.effect.part == 0 && kept.delivery != row.id) {
            if self.deliveries.get(&kept.delivery).is_some_and(|other| other.account == row.account) {
                let latest = begun.entry(kept.delivery).or_insert(kept.intent.at);
                *latest = kept.intent.at.max(*latest);
            }
        }
        let mut begun: Vec<DateTime<Utc>> = begun.into_values().collect();
        begun.sort_unstable_by(|a, b| b.cmp(a));
        let most = usize::try_from(request.burst.posts.max(1)).unwrap_or(usize::MAX);
        begun.get(most - 1).map_or(at, |oldest| at.max(*oldest + seconds(request.burst.within)))
    }

    pub(super) fn variation(&mut self, delivery: &Delivery, count: u32) -> u32 {
        let count = count.max(1);
        let of = |(calendar, occurrence, _): &&(CalendarName, OccurrenceName, u32)| {
            *calendar == delivery.calendar && *occurrence == delivery.occurrence
        };
        if let Some((_, _, settled)) = self.variations.iter().find(of) {
            return settled % count;
        }
        let series = |occurrence: &OccurrenceName| {
            let name = occurrence.as_str();
            name.split_once('@').map_or(name, |(series, _)| series).to_owned()
        };
        let name = series(&delivery.occurrence);
        let last = self
            .variations
            .iter()
            .rfind(|(calendar, occurrence, _)| *calendar == delivery.calendar && series(occurrence) == name);
        let next = last.map_or(0, |(_, _, last)| (last % count + 1) % count);
        self.variations.push((delivery.calendar.clone(), delivery.occurrence.clone(), next));
        next
    }

    pub(super) fn raise(&mut self, alert: &Alert) {
        if self.alerts.iter().all(|kept| kept.alert.key != alert.key) {
            let order = self.next_order();
            self.alerts.push(KeptAlert { order, alert: alert.clone(), errands: BTreeMap::new() });
        }
    }

    /// Whether a target is to be told of an alert at all: it was there when the alert was raised.
    fn concerns(&self, target: &str, alert: &Alert) -> bool {
        self.targets.get(target).is_some_and(|since| alert.at >= *since)
    }

    pub(super) fn tell(&mut self, request: &TellRequest) -> Vec<Errand> {
        let mut order: Vec<usize> =
            (0..self.alerts.len()).filter(|at| self.concerns(&request.target, &self.alerts[*at].alert)).collect();
        order.sort_by_key(|at| self.alerts[*at].alert.at);
        let mut errands = Vec::new();
        for at in order {
            let kept = &mut self.alerts[at];
            if errands.len() >= request.limit || kept.alert.tell_at > request.now {
                continue;
            }
            let errand = kept.errands.entry(request.target.clone()).or_default();
            if errand.told_at.is_none() && errand.again.is_none_or(|again| again <= request.now) {
                errand.again = Some(request.until);
                errands.push(errand.of(&kept.alert, &request.target));
            }
        }
        errands
    }

    pub(super) fn told(&mut self, target: &str, keys: &[String], told: &Told, now: DateTime<Utc>) {
        for kept in self.alerts.iter_mut().filter(|kept| keys.contains(&kept.alert.key)) {
            let errand = kept.errands.entry(target.to_owned()).or_default();
            errand.attempts += 1;
            match told {
                Told::Yes => {
                    errand.told_at = Some(now);
                    errand.error = None;
                }
                Told::NotYet { again, error } => {
                    errand.again = Some(*again);
                    errand.error = Some(error.clone());
                }
            }
        }
    }

    pub(super) fn next_tell(&self, targets: &[String]) -> Option<DateTime<Utc>> {
        let mut next: Option<DateTime<Utc>> = None;
        for kept in &self.alerts {
            for target in targets.iter().filter(|target| self.concerns(target, &kept.alert)) {
                let errand = kept.errands.get(target);
                if errand.is_none_or(|errand| errand.told_at.is_none()) {
                    let at = errand.and_then(|errand| errand.again).max(Some(kept.alert.tell_at));
                    next = next.into_iter().chain(at).min();
                }
            }
        }
        next
    }

    pub(super) fn untold(&self, targets: &[String]) -> Vec<Errand> {
        let mut errands = Vec::new();
        for kept in &self.alerts {
            for (target, errand) in kept.errands.iter().filter(|(target, _)| targets.contains(target)) {
                if errand.told_at.is_none() && errand.attempts > 0 && self.concerns(target, &kept.alert) {
                    errands.push(errand.of(&kept.alert, target));
                }
            }
        }
        errands
    }

    pub(super) fn alerts_of(&self, delivery: DeliveryId) -> Vec<Raised> {
        let about = self.alerts.iter().filter(|kept| kept.alert.delivery == Some(delivery));
        let told = |kept: &KeptAlert| {
            kept.errands.iter().filter_map(|(target, errand)| Some((target.clone(), errand.told_at?))).collect()
        };
        let mut about: Vec<_> = about.map(|kept| Raised { alert: kept.alert.clone(), told: told(kept) }).collect();
        about.sort_by_key(|raised| raised.alert.at);
        about
    }
}

impl KeptErrand {
    fn of(&self, alert: &Alert, target: &str) -> Errand {
        Errand {
            alert: alert.clone(),
            target: target.to_owned(),
            attempts: self.attempts,
            told_at: self.told_at,
            error: self.error.clone(),
        }
    }
}
