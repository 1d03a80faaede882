//! The comparison of a calendar with the ledger's rows. Linear in posts and rows.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, NaiveDateTime, Timelike, Utc};

use super::late::{self, Fate, fate};
use super::occurrence::{Occurrence, Series};
use super::shift::{self, Shift};
use super::{Change, ChangeKind, Schedule, UNASKED};
use crate::calendar::Calendar;
use crate::ledger::{CalendarRecord, SeriesRecord, may_be_out};
use crate::model::{
    AccountName, DeliveryId, LateThen, OccurrenceName, Post, PostId, Reason, ReasonCode, Settled, Standing, Standings,
    State, Trigger,
};
use crate::trial::Guard;

/// One comparison.
pub(super) struct Diff<'a> {
    calendar: &'a Calendar,
    record: &'a CalendarRecord,
    now: DateTime<Utc>,
    /// Ids in the files that could not be read.
    unreadable: HashSet<&'a str>,
    /// Rows by the name that their occurrences begin with.
    rows: HashMap<&'a str, Rows<'a>>,
    changes: Vec<Change>,
    /// Overdue rows of one-off posts that are new, or back, and would go out at once: nobody was asked. By change and post.
    unasked: Vec<(usize, PostId)>,
    series: BTreeMap<String, SeriesRecord>,
    /// The accounts that shift times.
    shifts: HashMap<&'a AccountName, Shift<'a>>,
    again: Option<DateTime<Utc>>,
}

/// The rows whose occurrences' names begin alike: those of one post.
#[derive(Default)]
struct Rows<'a> {
    open: Vec<&'a Standing>,
    settled: Vec<&'a Settled>,
}

/// Rows by occurrence and account; `None`: there is one that the calendar has no say in any more.
type Known<'a> = HashMap<(&'a str, &'a str), Option<&'a Standing>>;

impl<'a> Rows<'a> {
    fn known(&self) -> Known<'a> {
        let open = self.open.iter().map(|row| ((row.occurrence.as_str(), row.account.as_str()), Some(*row)));
        let settled = self.settled.iter().map(|row| ((row.occurrence.as_str(), row.account.as_str()), None));
        open.chain(settled).collect()
    }
}

impl<'a> Diff<'a> {
    pub(super) fn new(
        calendar: &'a Calendar,
        ids: &'a [PostId],
        rows: &'a Standings,
        record: &'a CalendarRecord,
        now: DateTime<Utc>,
    ) -> Self {
        let mut unreadable: HashSet<&str> = ids.iter().map(PostId::as_str).collect();
        for post in &calendar.posts {
            unreadable.remove(post.id.as_str());
        }
        let mut by_name: HashMap<&str, Rows<'_>> = HashMap::with_capacity(calendar.posts.len());
        for row in &rows.open {
            by_name.entry(split(&row.occurrence).0).or_default().open.push(row);
        }
        for row in &rows.settled {
            by_name.entry(split(&row.occurrence).0).or_default().settled.push(row);
        }
        Self {
            calendar,
            record,
            now,
            unreadable,
            rows: by_name,
            changes: Vec::new(),
            unasked: Vec::new(),
            series: record.series.clone(),
            shifts: calendar
                .accounts
                .values()
                .filter_map(|account| Some((&account.name, Shift::of(&calendar.name, account)?)))
                .collect(),
            again: None,
        }
    }

    pub(super) fn run(mut self) -> Schedule {
        let calendar = self.calendar;
        let mut running = HashSet::new();
        for post in &calendar.posts {
            let rows = self.rows.remove(post.name.as_str()).unwrap_or_default();
            match &post.trigger {
                Some(Trigger::At { civil, instant }) if !post.draft => self.once(post, *civil, *instant, &rows),
                Some(Trigger::Cron { .. }) if !post.draft => {
                    running.insert(post.name.as_str());
                    self.series(post, &rows);
                }
                // Rows of a release are made by the one who announces it.
                Some(Trigger::Release(_)) if !post.draft => {}
                _ => rows.open.iter().for_each(|row| self.drop(row)),
            }
        }
        self.removed();
        // A series that does not run now begins anew when it comes back.
        for (name, seen) in &mut self.series {
            if !running.contains(name.as_str()) && !self.unreadable.contains(name.as_str()) {
                seen.rule.clear();
            }
        }
        self.ask();
        let first_seen = self.record.first_seen.or(Some(self.now));
        Schedule {
            calendar: calendar.name.clone(),
            changes: self.changes,
            record: CalendarRecord { first_seen, series: self.series, adopted: self.record.adopted },
            again: self.again,
        }
    }

    /// A post with one time.
    fn once(&mut self, post: &Post, civil: NaiveDateTime, due: DateTime<Utc>, rows: &Rows<'a>) {
        let occurrence = OccurrenceName::once(&post.name);
        let known = rows.known();
        for account in &post.to {
            let mut time = Occurrence { nominal: civil, due, moved: None };
            if let Some(shift) = self.shifts.get(account) {
                let end = shift.light(due);
                time.moved = (end > due).then_some((due, end));
                time.due = shift.jittered(&occurrence, post.late, end, || None);
            }
            match known.get(&(occurrence.as_str(), account.as_str())) {
                Some(Some(row)) => self.follow(post, row, time),
                Some(None) => {}
                None => self.make(post, account, &occurrence, time),
            }
        }
        for row in rows.open.iter().filter(|row| row.occurrence != occurrence || !post.to.contains(&row.account)) {
            self.drop(row);
        }
    }

    /// A series: what went by, the one row ahead, and the rows that there are.
    fn series(&mut self, post: &Post, rows: &Rows<'a>) {
        let calendar = self.calendar;
        let Some(plain) = Series::new(post, &calendar.zone) else { return };
        let text = plain.text();
        let begin = match self.record.series.get(post.name.as_str()) {
            Some(seen) if seen.rule == text => seen.watermark,
            Some(seen) => self.begin(&plain, Some(seen.watermark)),
            None => self.begin(&plain, None),
        };
        let passed = plain.overdue(begin, self.now);
        let known = rows.known();
        // An account with blackout hours may be behind the others: what has a row keeps it.
        let watermark = passed.as_ref().map_or(begin, |passed| passed.last.nominal);

        for account in &post.to {
            let shifted = self.shifts.get(account).map(|shift| plain.shifted(Some(shift.clone())));
            let series = shifted.as_ref().unwrap_or(&plain);
            let own = shifted.as_ref().map(|series| series.overdue(begin, self.now));
            let overdue = own.as_ref().unwrap_or(&passed).as_ref();
            let last = overdue.map(|overdue| overdue.last);
            let mut settled = Vec::with_capacity(2);
            if let Some(overdue) = overdue {
                let earlier = overdue.latest.iter().filter(|time| **time != overdue.last);
                if overdue.latest.front() != Some(&overdue.first) {
                    let until = overdue.latest.front().map_or(overdue.last.nominal, |time| time.nominal);
                    self.supersede_new(post, account, &known, overdue.first, overdue.last, Some(until));
                }
                for time in earlier {
                    self.supersede_new(post, account, &known, *time, overdue.last, None);
                }
                let occurrence = OccurrenceName::civil(&post.name, overdue.last.nominal);
                match known.get(&(occurrence.as_str(), account.as_str())) {
                    Some(Some(row)) => self.follow(post, row, overdue.last),
                    Some(None) => {}
                    None => self.make(post, account, &occurrence, overdue.last),
                }
                settled.push(overdue.last.nominal);
            }
            // One that has gone by for others may be ahead here: at the end of blackout hours.
            let mut after = last.map_or(begin, |last| last.nominal);
            let ahead = rows
                .open
                .iter()
                .filter(|row| &row.account == account && follows(row))
                .filter_map(|row| split(&row.occurrence).1.filter(|nominal| *nominal <= after))
                .map(|nominal| (nominal, series.at(nominal)))
                .find(|(nominal, time)| time.nominal == *nominal && time.due > self.now);
            if let Some((_, time)) = ahead {
                self.look_again(time.due);
            }
            // The next one that is not settled already: a person may have cancelled the very next.
            while let Some(time) = series.next_after(after).filter(|_| ahead.is_none()) {
                after = time.nominal;
                self.look_again(time.due);
                let occurrence = OccurrenceName::civil(&post.name, time.nominal);
                match known.get(&(occurrence.as_str(), account.as_str())) {
                    None => self.make(post, account, &occurrence, time),
                    Some(Some(row)) if follows(row) || was_removed(row) => self.follow(post, row, time),
                    Some(_) => continue,
                }
                settled.push(time.nominal);
                break;
            }
            for row in rows.open.iter().filter(|row| &row.account == account && follows(row)) {
                match split(&row.occurrence).1 {
                    Some(nominal) if settled.contains(&nominal) => {}
                    Some(nominal) if nominal <= watermark => {
                        let time = series.at(nominal);
                        // A later one went by since, or is to go out at the end of the same blackout hours.
                        let same = Some(time).filter(|time| time.nominal != nominal);
                        match last.filter(|last| nominal < last.nominal).or(same) {
                            Some(later) if row.state == State::Planned && !row.released => {
                                self.supersede(row, nominal, later);
                            }
                            _ => self.follow(post, row, Occurrence { nominal, ..time }),
                        }
                    }
                    _ => self.drop(row),
                }
            }
        }
        for row in rows.open.iter().filter(|row| !post.to.contains(&row.account)) {
            self.drop(row);
        }
        self.series.insert(post.name.as_str().to_owned(), SeriesRecord { rule: text, watermark });
    }

    /// Where a series begins that was never seen, that was edited, or that came back: nothing at or before the present,
    /// neither on the clock nor in real time (the clock may show a time twice).
    fn begin(&self, series: &Series<'_>, before: Option<NaiveDateTime>) -> NaiveDateTime {
        let present = self.calendar.zone.civil(self.now);
        let present = present.with_nanosecond(0).unwrap_or(present);
        let mut watermark = before.map_or(present, |before| before.max(present));
        while let Some(gone) = series.next_after(watermark).filter(|time| time.due <= self.now) {
            watermark = gone.nominal;
        }
        watermark
    }

    /// A row that was never seen.
    fn make(&mut self, post: &Post, account: &AccountName, occurrence: &OccurrenceName, time: Occurrence) {
        let Some(mut row) = self.planned(post, account, occurrence, time) else { return };
        let fate = self.fate(post, account, time.due);
        if self.may_be_out(time) {
            let kind = if fate == Fate::Miss { ChangeKind::Missed } else { ChangeKind::Held };
            row.state = if fate == Fate::Miss { State::Missed } else { State::Held };
            row.reason = Some(Box::new(may_be_out()));
            self.push(kind, None, row);
            return;
        }
        let first_run = self.record.first_seen.is_none() && time.due <= self.now;
        let kind = if is_one_off(post) && (first_run || fate == Fate::Publish) {
            self.unasked.push((self.changes.len(), post.id.clone()));
            ChangeKind::Added
        } else {
            self.settle(&mut row, fate).unwrap_or(ChangeKind::Added)
        };
        self.push(kind, None, row);
    }

    /// Whether the ledger was adopted after this time, so that the one before it may have brought it out.
    fn may_be_out(&self, time: Occurrence) -> bool {
        // By the earliest that it can have been due: hours that are quiet now need not have been then.
        let earliest = self.calendar.zone.local(time.nominal).instant().min(time.due);
        self.record.adopted.is_some_and(|adopted| earliest <= adopted)
    }

    /// A new planned row; `None`: the account is not known (the calendar says so elsewhere).
    fn planned(
        &self,
        post: &Post,
        account: &AccountName,
        occurrence: &OccurrenceName,
        time: Occurrence,
    ) -> Option<Standing> {
        let network = &self.calendar.accounts.get(account)?.network;
        Some(Standing {
            id: DeliveryId::derive(&self.calendar.name, occurrence, account),
            post: post.id.clone(),
            occurrence: occurrence.clone(),
            account: account.clone(),
            network: network.as_str().into(),
            due: time.due,
            civil: time.nominal,
            late: post.late,
            state: State::Planned,
            reason: self.reason(account, time),
            not_before: None,
            released: false,
            any_hour: false,
            frozen: false,
            version: 0,
        })
    }

    /// Why it is due at another time than its post says.
    fn reason(&self, account: &AccountName, time: Occurrence) -> Option<Box<Reason>> {
        let (asked, end) = time.moved?;
        Some(Box::new(shift::reason(&self.calendar.zone, account, asked, end)))
    }

    /// What the late rule says of a due time; blackout hours are not counted.
    fn fate(&self, post: &Post, account: &AccountName, due: DateTime<Utc>) -> Fate {
        fate(post.late, due, self.now, self.shifts.get(account).and_then(Shift::blackout))
    }

    /// Lets a row follow its post, as far as it still follows anything.
    fn follow(&mut self, post: &Post, row: &Standing, time: Occurrence) {
        let Some(account) = self.calendar.accounts.get(&row.account) else { return };
        let restored = was_removed(row);
        if !follows(row) && !restored {
            return;
        }
        let moved = row.due != time.due || row.civil != time.nominal;
        let edited = row.late != post.late || row.post != post.id || *row.network != *account.network;
        let mut after = row.clone();
        after.due = time.due;
        after.civil = time.nominal;
        after.late = post.late;
        after.post = post.id.clone();
        if edited {
            after.network = account.network.as_str().into();
        }
        if moved {
            // Whoever released it did so for its old time.
            after.released = false;
        }
        let why = self.reason(&row.account, time);
        // What the engine has said of a row that waits stays.
        let ours = row.reason.as_ref().is_none_or(|reason| reason.code == ReasonCode::Blackout);
        let mut retold = row.state == State::Planned && ours && row.not_before.is_none() && row.reason != why;
        if let (Some(reason), Some(until)) = (&row.reason, row.not_before)
            && reason.code == ReasonCode::Blackout
            && until > self.now
            && until != self.shifts.get(&row.account).map_or(self.now, |shift| shift.light(self.now))
        {
            // The hours that it waits for the end of are others now.
            after.not_before = None;
            retold = true;
        }
        if retold {
            after.reason.clone_from(&why);
        }
        let fate = self.fate(post, &row.account, time.due);
        let held = row.reason.as_ref().filter(|_| row.state == State::Held).map(|reason| reason.code);
        let mut settled = None;
        if restored {
            after.state = State::Planned;
            after.reason = why;
            after.not_before = None;
            after.released = false;
            if self.may_be_out(time) {
                after.state = State::Held;
                after.reason = Some(Box::new(may_be_out()));
            } else {
                self.settle(&mut after, fate);
            }
            if is_one_off(post) && fate == Fate::Publish && after.state == State::Planned {
                self.unasked.push((self.changes.len(), post.id.clone()));
            }
        } else if row.state == State::Planned {
            if !after.released {
                settled = self.settle(&mut after, fate);
            }
        } else if moved && held == Some(ReasonCode::Late) {
            after.state = State::Planned;
            after.reason = why;
            settled = self.settle(&mut after, fate).filter(|kind| *kind == ChangeKind::Missed);
        } else if moved && held == Some(ReasonCode::FirstRun) && time.due > self.now {
            after.state = State::Planned;
            after.reason = why;
        }
        let by_time = row.state == State::Planned || matches!(held, Some(ReasonCode::Late | ReasonCode::FirstRun));
        if moved && by_time && after.state != State::Missed && self.may_be_out(time) {
            // It may have been moved to this time while the ledger before was in use, and gone out.
            after.state = State::Held;
            after.reason = Some(Box::new(may_be_out()));
            settled = Some(ChangeKind::Held);
        }
        let kind = match settled {
            _ if restored => ChangeKind::Restored,
            Some(kind) => kind,
            None if moved => ChangeKind::Moved,
            None if edited || retold => ChangeKind::Edited,
            None => {
                self.watch(&after);
                return;
            }
        };
        self.push(kind, Some(row), after);
    }

    /// Applies the late rule to a planned row.
    fn settle(&self, row: &mut Standing, fate: Fate) -> Option<ChangeKind> {
        let (state, kind) = match fate {
            Fate::InTime | Fate::Publish => return None,
            Fate::Hold => (State::Held, ChangeKind::Held),
            Fate::Miss => (State::Missed, ChangeKind::Missed),
        };
        row.state = state;
        let mut reason = late::reason(row.late, row.civil, row.due, self.now);
        // What has kept it: a network that was down all the while, say.
        if let Some(before) = row.reason.take().filter(|_| row.not_before.is_some()) {
            reason.message = format!("{}; before: {}", reason.message, before.message);
        }
        row.reason = Some(Box::new(reason));
        Some(kind)
    }

    /// A planned row of a series whose place a later time took.
    fn supersede(&mut self, row: &Standing, nominal: NaiveDateTime, later: Occurrence) {
        let mut after = row.clone();
        after.due = self.calendar.zone.local(nominal).instant();
        after.civil = nominal;
        after.state = State::Missed;
        after.reason = Some(Box::new(superseded(later, None)));
        self.push(ChangeKind::Missed, Some(row), after);
    }

    /// The record of a time that was never made. `until`: it speaks for all before this time.
    fn supersede_new(
        &mut self,
        post: &Post,
        account: &AccountName,
        known: &Known<'_>,
        time: Occurrence,
        later: Occurrence,
        until: Option<NaiveDateTime>,
    ) {
        let occurrence = OccurrenceName::civil(&post.name, time.nominal);
        if known.contains_key(&(occurrence.as_str(), account.as_str())) {
            return;
        }
        let Some(mut row) = self.planned(post, account, &occurrence, time) else { return };
        row.state = State::Missed;
        row.reason = Some(Box::new(if self.may_be_out(time) { may_be_out() } else { superseded(later, until) }));
        self.push(ChangeKind::Missed, None, row);
    }

    /// A row that the calendar no longer has. What announces a release stays, whatever the calendar says by now: it was
    /// asked for by name, and the announcer may read a newer version of the calendar. A person may cancel it.
    fn drop(&mut self, row: &Standing) {
        if !follows(row) || row.occurrence.tag().is_some() {
            return;
        }
        let mut after = row.clone();
        after.state = State::Cancelled;
        after.reason = Some(Box::new(Reason::new(ReasonCode::Removed, "no longer in the calendar")));
        after.not_before = None;
        self.push(ChangeKind::Dropped, Some(row), after);
    }

    /// Rows of posts that are not in the calendar, unless the post is there and cannot be read.
    fn removed(&mut self) {
        let mut left: Vec<&Standing> = std::mem::take(&mut self.rows)
            .into_iter()
            .filter(|(name, _)| !self.unreadable.contains(name))
            .flat_map(|(_, rows)| rows.open)
            .filter(|row| !self.unreadable.contains(row.post.as_str()))
            .collect();
        left.sort_by_key(|row| (row.due, row.id));
        for row in left {
            self.drop(row);
        }
    }

    /// Settles the overdue rows that would go out although nobody was asked: a few do, many are held.
    fn ask(&mut self) {
        let unasked = std::mem::take(&mut self.unasked);
        let posts = unasked.iter().map(|(_, post)| post).collect::<HashSet<_>>().len();
        let first_run = self.record.first_seen.is_none();
        for (change, _) in unasked {
            let Change { kind, before, after } = &mut self.changes[change];
            if posts <= UNASKED || first_run && !Guard::FirstRun.holds() {
                // Whatever `late` says, now and when it is looked at again before its turn.
                after.released = first_run || after.late.then == LateThen::Publish;
                continue;
            }
            let (code, message) = if first_run {
                (ReasonCode::FirstRun, format!("the ledger is new and {posts} posts are overdue, more than {UNASKED}"))
            } else {
                (
                    ReasonCode::Late,
                    format!("{posts} posts came into the calendar after their time, more than {UNASKED}"),
                )
            };
            if before.is_none() {
                *kind = ChangeKind::Held;
            }
            after.state = State::Held;
            after.reason = Some(Box::new(Reason::new(code, message)));
        }
    }

    fn push(&mut self, kind: ChangeKind, before: Option<&Standing>, after: Standing) {
        self.watch(&after);
        self.changes.push(Change { kind, before: before.cloned().map(Box::new), after });
    }

    /// Its grace may run out.
    fn watch(&mut self, row: &Standing) {
        if row.state == State::Planned
            && !row.released
            && let Some(plain) = late::deadline(row.late, row.due, None)
            && self.again.is_none_or(|again| plain < again)
        {
            // Blackout hours only make it later, so most rows are done with by now.
            let blackout = self.shifts.get(&row.account).and_then(Shift::blackout);
            let deadline = blackout.map_or(Some(plain), |hours| late::deadline(row.late, row.due, Some(hours)));
            if let Some(at) = deadline {
                self.look_again(at);
            }
        }
    }

    fn look_again(&mut self, at: DateTime<Utc>) {
        if at > self.now && self.again.is_none_or(|again| at < again) {
            self.again = Some(at);
        }
    }
}

fn superseded(later: Occurrence, until: Option<NaiveDateTime>) -> Reason {
    let shown = |time: NaiveDateTime| time.format("%a %Y-%m-%d %H:%M").to_string();
    let all = until.map(|until| format!(", like every other time before {}", shown(until))).unwrap_or_default();
    Reason::new(
        ReasonCode::Superseded,
        format!("went by unmade{all}; the one of {} took its place", shown(later.nominal)),
    )
}

fn is_one_off(post: &Post) -> bool {
    matches!(post.trigger, Some(Trigger::At { .. }))
}

/// Whether a row still follows its post: nothing was sent and nobody has it.
fn follows(row: &Standing) -> bool {
    matches!(row.state, State::Planned | State::Held) && !row.frozen
}

/// Whether a row was taken back because its post had gone.
fn was_removed(row: &Standing) -> bool {
    row.state == State::Cancelled
        && !row.frozen
        && row.reason.as_ref().is_some_and(|reason| reason.code == ReasonCode::Removed)
}

/// The post's name in an occurrence's name, and the nominal time of a series.
fn split(occurrence: &OccurrenceName) -> (&str, Option<NaiveDateTime>) {
    match occurrence.as_str().split_once('@') {
        None => (occurrence.as_str(), None),
        Some((name, time)) => (name, OccurrenceName::read_civil(time)),
    }
}
