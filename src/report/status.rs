//! The state of deliveries: what needs a person first, then what comes, then what went out last.

use std::collections::HashMap;
use std::fmt::Write as _;

use chrono::{DateTime, NaiveDateTime, SecondsFormat, Timelike, Utc};
use serde::Serialize;

use super::alert::{self, UntoldView};
use super::delivery::DeliveryView;
use super::table::{Cell, Table, Tone};
use crate::ledger::{Age, Errand, Mark};
use crate::model::{AccountName, Delivery, DeliveryId, State};
use crate::schedule::Turn;

/// Without `--all`, so many of those to come are shown.
const COMING: usize = 20;
/// Without `--all`, so many of those that are done with are shown.
const DONE: usize = 10;

/// The state of deliveries.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status<'a> {
    /// All of them, earliest due first.
    pub deliveries: Vec<DeliveryView<'a>>,
    /// What is paused.
    pub paused: Vec<PauseView>,
    /// Accounts that nothing is sent to for a while: their networks ask for it, or do not answer.
    pub held_off: Vec<HoldOffView>,
    /// Alerts that somebody should know of and could not be told.
    pub alerts: Vec<UntoldView>,
    /// The ledger is older than what was seen of it: nothing is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub older: Option<OlderView>,
    /// The present.
    #[serde(skip)]
    now: DateTime<Utc>,
}

/// What was seen of a ledger, and what it says, as programs see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OlderView {
    /// In a sentence.
    pub message: String,
    /// What was seen.
    pub seen: Mark,
    /// What it says.
    pub found: Mark,
}

impl OlderView {
    /// Of a ledger; `None`: it is not older.
    pub fn of(age: &Age) -> Option<Self> {
        let Age::Older { seen, found } = age else { return None };
        Some(Self { message: age.doubt()?, seen: seen.clone(), found: found.clone() })
    }
}

/// A pause as programs see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PauseView {
    /// The account; `None`: all of them.
    pub account: Option<AccountName>,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Why.
    pub reason: String,
}

/// An account that is left alone for a while, as programs see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HoldOffView {
    /// The account.
    pub account: AccountName,
    /// Until when.
    pub until: DateTime<Utc>,
    /// Why.
    pub reason: String,
}

impl<'a> Status<'a> {
    /// The state of `rows` at `now`.
    pub fn new(rows: &'a [Delivery], paused: Vec<PauseView>, now: DateTime<Utc>) -> Self {
        let deliveries = rows.iter().map(|row| DeliveryView::at(row, now)).collect();
        Self { deliveries, paused, held_off: Vec::new(), alerts: Vec::new(), older: None, now }
    }

    /// With the ledger's age.
    #[must_use]
    pub fn age(mut self, age: &Age) -> Self {
        self.older = OlderView::of(age);
        self
    }

    /// With the accounts that are left alone for a while.
    #[must_use]
    pub fn held_off(mut self, accounts: Vec<HoldOffView>) -> Self {
        self.held_off = accounts;
        self
    }

    /// With the alerts that could not be told.
    #[must_use]
    pub fn untold(mut self, errands: &[Errand]) -> Self {
        self.alerts = errands.iter().map(UntoldView::from).collect();
        self
    }

    /// With when the turns of those come that wait for their account.
    #[must_use]
    pub fn turns(mut self, turns: &HashMap<DeliveryId, Turn>) -> Self {
        for row in &mut self.deliveries {
            row.turn = turns.get(&row.id).copied();
        }
        self
    }

    /// How many are in one of these states.
    pub fn count(&self, is: impl Fn(State) -> bool) -> usize {
        self.deliveries.iter().filter(|row| is(row.state)).count()
    }

    /// For people. `all`: nothing is left out.
    pub fn human(&self, all: bool, colour: bool) -> String {
        let mut text = String::new();
        if let Some(older) = &self.older {
            let _ = writeln!(text, "nothing is sent: {}", older.message);
        }
        for pause in &self.paused {
            let what = pause.account.as_ref().map_or("everything", AccountName::as_str);
            let since = pause.since.to_rfc3339_opts(SecondsFormat::Secs, true);
            let reason = super::printable(&pause.reason);
            let _ = writeln!(text, "{what} is paused since {since}: {reason}");
        }
        for hold in &self.held_off {
            let until = hold.until.to_rfc3339_opts(SecondsFormat::Secs, true);
            let reason = super::printable(&hold.reason);
            let _ = writeln!(text, "nothing is sent to {} until {until}: {reason}", hold.account);
        }
        text.push_str(&alert::untold(&self.alerts));
        let (needs, others): (Vec<_>, Vec<_>) = self.deliveries.iter().partition(|row| row.state.needs_person());
        let (mut done, coming): (Vec<_>, Vec<_>) = others.into_iter().partition(|row| row.state.is_final());
        done.sort_by_key(|row| std::cmp::Reverse((row.receipts.last().map_or(row.due, |receipt| receipt.at), row.id)));
        let (coming_shown, done_shown) = if all { (coming.len(), done.len()) } else { (COMING, DONE) };
        let mut table = Table::new(&["due", "post", "account", "state", "id", "why or where"], colour);
        for row in needs.iter().chain(coming.iter().take(coming_shown)).chain(done.iter().take(done_shown)) {
            table.row(line(row, self.now));
        }
        if !table.is_empty() {
            if !text.is_empty() {
                text.push('\n');
            }
            let _ = write!(text, "{table}");
            let hidden = coming.len().saturating_sub(coming_shown) + done.len().saturating_sub(done_shown);
            if hidden > 0 {
                let _ = writeln!(text, "… and {hidden} more (--all)");
            }
            text.push('\n');
        }
        let _ = writeln!(text, "{}", self.summary());
        text
    }

    /// How many are in which state, in one line.
    fn summary(&self) -> String {
        if self.deliveries.is_empty() {
            return "nothing is planned and nothing was published".to_owned();
        }
        let counts: Vec<String> = State::ALL
            .into_iter()
            .map(|state| (self.count(|is| is == state), state))
            .filter(|&(count, _)| count > 0)
            .map(|(count, state)| format!("{count} {state}"))
            .collect();
        counts.join(", ")
    }
}

/// One line per delivery, as every table of deliveries begins.
fn line(row: &DeliveryView<'_>, now: DateTime<Utc>) -> Vec<Cell> {
    let urls = row.receipts.iter().filter_map(|receipt| receipt.url);
    let mut why = Vec::new();
    why.extend(row.reason.map(|reason| reason.message.clone()));
    // Of a thread the first part leads to the others.
    why.extend(urls.take(1).map(str::to_owned));
    if row.receipts.len() > 1 {
        why.push(format!("({} parts)", row.receipts.len()));
    }
    if let Some(turn) = row.turn {
        let wait = u64::try_from((turn.at - now).num_seconds()).unwrap_or(0);
        why.push(format!("(in about {}: {})", duration(wait), turn.wait.as_str()));
    }
    if let Some(late) = row.late_by.filter(|&late| late >= 60) {
        why.push(format!("({} late)", duration(late)));
    }
    vec![
        civil(row.civil).into(),
        row.post.into(),
        row.account.into(),
        Cell::toned(row.state, row.state.into()),
        Cell::toned(row.id.short(), Tone::Dim),
        why.join(" ").into(),
    ]
}

/// A civil time, to the minute where it has no seconds.
pub fn civil(at: NaiveDateTime) -> String {
    let format = if at.second() == 0 { "%Y-%m-%d %H:%M" } else { "%Y-%m-%d %H:%M:%S" };
    at.format(format).to_string()
}

/// Seconds as people say them, in the two largest units.
pub fn duration(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    let two = |large: u64, unit: &str, small: u64, below: &str| {
        if small == 0 { format!("{large} {unit}") } else { format!("{large} {unit} {small} {below}") }
    };
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => two(minutes, "min", seconds % 60, "s"),
        (0, _, _) => two(hours, "h", minutes, "min"),
        _ => two(days, "d", hours, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CalendarName, Late, OccurrenceName, Origin, PostId, Reason, ReasonCode, Receipt};

    fn row(post: &str, state: State, due: &str) -> Delivery {
        let civil: NaiveDateTime = due.parse().unwrap();
        let mut row = Delivery::planned(
            CalendarName::new("acme"),
            PostId::new(post),
            OccurrenceName::new(post),
            AccountName::new("fedi"),
            "some-network",
            Origin::Calendar,
            civil.and_utc(),
            civil,
            Late::default(),
        );
        row.state = state;
        row
    }

    #[test]
    fn what_needs_a_person_comes_first() {
        let mut out = row("out", State::Published, "2026-12-01T09:00:00");
        let receipt = |part: u16| Receipt {
            part,
            id: part.to_string(),
            url: Some(format!("https://fedi.example/{part}")),
            at: out.due,
            data: serde_json::Value::Null,
        };
        out.receipts = vec![receipt(1), receipt(2)];
        let mut held = row("held", State::Held, "2026-12-03T09:00:00");
        held.reason = Some(Reason::new(ReasonCode::Late, "2 h late"));
        let next = row("next", State::Planned, "2026-12-04T09:00:30");
        let rows = [out, held, next];
        let now = "2026-12-03T08:00:00Z".parse().unwrap();
        let pause = PauseView { account: None, since: now, reason: "holiday".to_owned() };
        let status = Status::new(&rows, vec![pause], now);
        let text = status.human(false, false);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "everything is paused since 2026-12-03T08:00:00Z: holiday");
        assert!(lines[3].starts_with("2026-12-03 09:00     held  fedi     held       "), "{text}");
        assert!(lines[3].ends_with("2 h late"), "{text}");
        assert!(lines[4].starts_with("2026-12-04 09:00:30  next"), "{text}");
        assert!(lines[5].ends_with("https://fedi.example/1 (2 parts)"), "{text}");
        assert_eq!(lines[7], "1 planned, 1 published, 1 held");
        assert_eq!(Status::new(&[], vec![], now).human(false, false), "nothing is planned and nothing was published\n");
    }

    #[test]
    fn long_lists_are_cut_unless_asked_for() {
        let rows: Vec<_> = (10..50)
            .map(|minute| row(&format!("p{minute}"), State::Planned, &format!("2026-12-01T09:{minute}:00")))
            .collect();
        let status = Status::new(&rows, vec![], rows[0].due);
        assert!(status.human(false, false).contains("… and 20 more (--all)"));
        assert!(!status.human(true, false).contains("more"));
    }

    #[test]
    fn durations_in_two_units() {
        let said = [59, 60, 61, 3600, 3660, 90_000].map(duration);
        assert_eq!(said, ["59 s", "1 min", "1 min 1 s", "1 h", "1 h 1 min", "1 d 1 h"]);
    }
}
