//! When the turn of each planned delivery comes: spacing, catching up after downtime and blackout hours may make that
//! later than it is due. A forecast, for people; what holds is the ledger's claim.

use std::collections::{BTreeMap, HashMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::ledger::Burst;
use crate::model::{Account, AccountName, Delivery, DeliveryId, State};
use crate::time::Blackout;

/// When a delivery's turn comes, where that is later than it is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Turn {
    /// About then.
    pub at: DateTime<Utc>,
    /// What it waits for.
    pub wait: Wait,
}

/// What a delivery waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Wait {
    /// The least time between two posts of its account.
    Spacing,
    /// After downtime an account catches up with a few posts at a time.
    Burst,
    /// The end of its account's blackout hours.
    Blackout,
}

impl Wait {
    /// For people, after a time.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Spacing => "spacing",
            Self::Burst => "catching up, a few at a time",
            Self::Blackout => "blackout hours",
        }
    }
}

/// The turns of all planned rows that do not go out as soon as they are due and `now` allows. `last_sent`: when an account
/// last sent something, as the ledger knows it.
pub fn turns<'a>(
    rows: impl IntoIterator<Item = &'a Delivery>,
    accounts: &BTreeMap<AccountName, Account>,
    last_sent: &BTreeMap<AccountName, DateTime<Utc>>,
    burst: Burst,
    now: DateTime<Utc>,
) -> HashMap<DeliveryId, Turn> {
    let mut queues: BTreeMap<&AccountName, Vec<&Delivery>> = BTreeMap::new();
    let mut begun: BTreeMap<&AccountName, Vec<DateTime<Utc>>> = BTreeMap::new();
    for row in rows {
        if row.state == State::Planned {
            queues.entry(&row.account).or_default().push(row);
        }
        if let Some(at) = began(row) {
            begun.entry(&row.account).or_default().push(at);
        }
    }
    let mut found = HashMap::new();
    for (name, queue) in queues {
        let Some(account) = accounts.get(name) else { continue };
        let mut line = Line::new(account, begun.remove(name).unwrap_or_default(), last_sent.get(name).copied(), burst);
        line.walk(queue, now, &mut found);
    }
    found
}

/// When its first part was sent.
fn began(row: &Delivery) -> Option<DateTime<Utc>> {
    let first = row.receipts.first().map(|receipt| receipt.at);
    first.or_else(|| row.intent.as_ref().map(|intent| intent.first_at))
}

/// The queue of one account.
struct Line {
    spacing: TimeDelta,
    blackout: Option<Blackout>,
    burst: Burst,
    last: Option<DateTime<Utc>>,
    /// When the latest posts began, at most as many as a burst has.
    begun: VecDeque<DateTime<Utc>>,
}

impl Line {
    fn new(account: &Account, mut begun: Vec<DateTime<Utc>>, last: Option<DateTime<Utc>>, burst: Burst) -> Self {
        begun.sort_unstable();
        let latest = begun.len().saturating_sub(burst.posts as usize);
        Self {
            spacing: account.spacing.and_then(|spacing| TimeDelta::from_std(spacing).ok()).unwrap_or_default(),
            blackout: Blackout::of(account),
            burst,
            last: last.max(begun.last().copied()),
            begun: begun.split_off(latest).into(),
        }
    }

    /// Claims one row after the other, as the ledger would.
    fn walk(&mut self, mut queue: Vec<&Delivery>, now: DateTime<Utc>, found: &mut HashMap<DeliveryId, Turn>) {
        // Blackout hours do not concern these: they go when they are ready.
        queue.retain(|row| !row.any_hour);
        queue.sort_by_key(|row| row.ready_at());
        let mut coming = queue.into_iter().peekable();
        // What is ready, by due time and by the time since when it is.
        let mut waiting: BTreeMap<(DateTime<Utc>, DeliveryId), &Delivery> = BTreeMap::new();
        let mut since: BTreeMap<(DateTime<Utc>, DeliveryId), &Delivery> = BTreeMap::new();
        let mut at = now;
        // What has held up the queue since the last one went.
        let mut held: Option<Wait> = None;
        loop {
            while let Some(row) = coming.next_if(|row| row.ready_at() <= at) {
                waiting.insert((row.due, row.id), row);
                since.insert((row.ready_at(), row.id), row);
            }
            if waiting.is_empty() {
                let Some(next) = coming.peek() else { return };
                (at, held) = (next.ready_at(), None);
                continue;
            }
            if let Some(free) = self.free().filter(|free| *free > at) {
                (at, held) = (free, Some(Wait::Spacing));
                continue;
            }
            if let Some(end) = self.blackout.as_ref().map(|hours| hours.end(at)).filter(|end| *end > at) {
                (at, held) = (end, Some(Wait::Blackout));
                continue;
            }
            let calm = self.calm().filter(|calm| *calm > at);
            let limit = at - seconds(self.burst.overdue);
            let first =
                waiting.values().next().filter(|row| calm.is_none() || row.is_frozen() || row.ready_at() >= limit);
            let on_time =
                || since.range((limit, DeliveryId::MIN)..).map(|(_, row)| row).min_by_key(|row| (row.due, row.id));
            let Some(row) = first.or_else(on_time).copied() else {
                let next = coming.peek().map(|row| row.ready_at());
                let calm = calm.unwrap_or(at);
                at = next.map_or(calm, |next| next.min(calm));
                held = Some(Wait::Burst);
                continue;
            };
            waiting.remove(&(row.due, row.id));
            since.remove(&(row.ready_at(), row.id));
            if let Some(wait) = held.filter(|_| at > row.ready_at().max(now)) {
                found.insert(row.id, Turn { at, wait });
            }
            self.last = Some(at);
            self.begun.push_back(at);
            if self.begun.len() > self.burst.posts as usize {
                self.begun.pop_front();
            }
        }
    }

    /// When the account's spacing is over.
    fn free(&self) -> Option<DateTime<Utc>> {
        self.last.filter(|_| !self.spacing.is_zero())?.checked_add_signed(self.spacing)
    }

    /// When the oldest of as many posts as an account may catch up with is long enough ago.
    fn calm(&self) -> Option<DateTime<Utc>> {
        let full = self.begun.len() >= self.burst.posts.max(1) as usize;
        self.begun.front().filter(|_| full)?.checked_add_signed(seconds(self.burst.within))
    }
}

fn seconds(seconds: u64) -> TimeDelta {
    i64::try_from(seconds).ok().and_then(TimeDelta::try_seconds).unwrap_or(TimeDelta::zero())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CalendarName, Late, OccurrenceName, Origin, PostId};
    use std::time::Duration;

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn row(post: &str, due: &str) -> Delivery {
        let due = utc(due);
        Delivery::planned(
            CalendarName::new("acme"),
            PostId::new(post),
            OccurrenceName::new(post),
            AccountName::new("fedi"),
            "some-network",
            Origin::Calendar,
            due,
            due.naive_utc(),
            Late::default(),
        )
    }

    fn told(rows: &[Delivery], account: &Account, last: Option<&str>, now: &str) -> Vec<String> {
        let accounts = BTreeMap::from([(account.name.clone(), account.clone())]);
        let sent = last.map(|at| (account.name.clone(), utc(at))).into_iter().collect();
        let turns = turns(rows, &accounts, &sent, Burst::default(), utc(now));
        let mut told: Vec<String> = turns
            .iter()
            .map(|(id, turn)| {
                let post = rows.iter().find(|row| row.id == *id).unwrap().post.to_string();
                format!("{post} {} {:?}", turn.at.format("%H:%M:%S"), turn.wait)
            })
            .collect();
        told.sort();
        told
    }

    fn account() -> Account {
        Account::new(AccountName::new("fedi"), "some-network")
    }

    #[test]
    fn spacing_is_counted_from_the_last_post() {
        let account = Account { spacing: Some(Duration::from_mins(2)), ..account() };
        let rows = [
            row("a", "2026-12-01T09:00:00Z"),
            row("b", "2026-12-01T09:00:00Z"),
            row("c", "2026-12-01T09:03:00Z"),
            row("d", "2026-12-01T09:30:00Z"),
        ];
        let first = if rows[0].id < rows[1].id { "b" } else { "a" };
        assert_eq!(
            told(&rows, &account, None, "2026-12-01T08:00:00Z"),
            [format!("{first} 09:02:00 Spacing"), "c 09:04:00 Spacing".to_owned()]
        );
        assert_eq!(
            told(&rows[3..], &account, Some("2026-12-01T09:29:00Z"), "2026-12-01T08:00:00Z"),
            ["d 09:31:00 Spacing"]
        );
        assert_eq!(told(&rows[3..], &account, Some("2026-12-01T09:28:00Z"), "2026-12-01T08:00:00Z"), [""; 0]);
        assert_eq!(told(&rows, &self::account(), None, "2026-12-01T08:00:00Z"), [""; 0], "none where nothing is set");
    }

    #[test]
    fn an_account_catches_up_with_five_at_a_time() {
        let mut rows: Vec<Delivery> =
            (0..12).map(|n| row(&format!("p{n:02}"), &format!("2026-12-01T08:{n:02}:00Z"))).collect();
        assert_eq!(told(&rows[..5], &account(), None, "2026-12-01T10:00:00Z"), [""; 0], "five go at once");
        assert_eq!(
            told(&rows, &account(), None, "2026-12-01T10:00:00Z"),
            [5, 6, 7, 8, 9]
                .map(|n| format!("p{n:02} 10:10:00 Burst"))
                .into_iter()
                .chain(["p10", "p11"].map(|post| format!("{post} 10:20:00 Burst")))
                .collect::<Vec<_>>()
        );
        // What went out a moment ago counts; what is on time is not concerned.
        rows[0].state = State::Published;
        for (index, row) in rows[..5].iter_mut().enumerate() {
            row.state = State::Published;
            row.receipts.push(crate::model::Receipt {
                part: 0,
                id: index.to_string(),
                url: None,
                at: utc("2026-12-01T09:55:00Z"),
                data: serde_json::Value::Null,
            });
        }
        rows.truncate(6);
        rows.push(row("now", "2026-12-01T10:00:00Z"));
        rows.push(row("soon", "2026-12-01T10:01:00Z"));
        assert_eq!(told(&rows, &account(), None, "2026-12-01T10:00:00Z"), ["p05 10:05:00 Burst"]);
    }

    #[test]
    fn what_is_overdue_in_blackout_hours_waits_for_their_end() {
        let mut account = account();
        account.blackout = crate::time::parse_hours("22:00-07:00").unwrap();
        let mut rows = vec![row("p", "2026-12-01T21:55:00Z")];
        assert_eq!(told(&rows, &account, None, "2026-12-01T22:01:00Z"), ["p 07:00:00 Blackout"]);
        rows[0].any_hour = true;
        assert_eq!(told(&rows, &account, None, "2026-12-01T22:01:00Z"), [""; 0]);
    }
}
