//! What `smm plan` shows: the deliveries as they will be, and what the calendar's edits do to them.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use chrono::{DateTime, Utc};

use serde::Serialize;

use super::markdown::{code, link};
use super::{Cell, DeliveryView, Table, Tone, civil, duration, printable};
use crate::adapter::Price;
use crate::calendar::Calendar;
use crate::compose::Composer;
use crate::ledger::{Burst, CalendarRecord};
use crate::model::{AccountName, Delivery, DeliveryId, Origin, PostId, ReasonCode, State};
use crate::schedule::{Change, ChangeKind, Schedule, Turn, forecast, turns};
use crate::time::{Local, Zone};

/// Deliveries that are out already, or done with, and are shown to people: the latest.
const DONE: usize = 5;

/// How much a plan tells.
#[derive(Debug, Clone, Copy)]
pub struct Scope {
    /// Nothing that is due later.
    pub until: Option<DateTime<Utc>>,
    /// Times of each series.
    pub per_series: usize,
    /// Lines of what is to come; `None`: all.
    pub limit: Option<usize>,
    /// How fast accounts catch up.
    pub burst: Burst,
}

/// A plan.
#[derive(Debug)]
pub struct Plan {
    zone: Zone,
    now: DateTime<Utc>,
    first_run: bool,
    limit: Option<usize>,
    /// By due time.
    lines: Vec<Line>,
}

/// A delivery of the plan.
#[derive(Debug)]
struct Line {
    row: Delivery,
    what: What,
    /// When it was due before, where that differs.
    was: Option<DateTime<Utc>>,
    /// When its turn comes, where that is later.
    turn: Option<Turn>,
    /// How much later than its time the account's jitter has made it.
    jitter: u64,
    /// What it will cost, where its network takes money.
    price: Option<Price>,
}

/// A plan for programs.
#[derive(Debug, Serialize)]
pub struct PlanList<'a> {
    /// The deliveries.
    pub deliveries: Vec<DeliveryView<'a>>,
    /// What those to come will cost together, in US dollars, where a network takes money.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
}

/// What the plan makes of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Changed(ChangeKind),
    /// Nothing.
    Same,
    /// A later time of a series, without a row as yet.
    Later,
}

impl What {
    /// The word in JSON.
    fn as_str(self) -> &'static str {
        match self {
            Self::Changed(kind) => kind.as_str(),
            Self::Same => "none",
            Self::Later => "later",
        }
    }
}

impl Plan {
    /// Puts together what is stored and what is to be done. `rows`, `record` and `last_sent` (when each account last sent
    /// something) are as the ledger has them.
    pub fn new(
        calendar: &Calendar,
        rows: &[Delivery],
        record: &CalendarRecord,
        last_sent: &BTreeMap<AccountName, DateTime<Utc>>,
        schedule: &Schedule,
        now: DateTime<Utc>,
        scope: Scope,
    ) -> Self {
        let changes: HashMap<DeliveryId, &Change> =
            schedule.changes.iter().map(|change| (change.after.id, change)).collect();
        let after = schedule.apply(rows);
        let later = forecast(calendar, &after, &schedule.record, now, scope.until, scope.per_series);
        let mut lines: Vec<Line> = after
            .into_iter()
            .map(|row| {
                let change = changes.get(&row.id);
                let before = change.and_then(|change| change.before.as_ref());
                let was = before.map(|before| before.due).filter(|was| *was != row.due);
                Line { was, ..Line::new(row, change.map_or(What::Same, |change| What::Changed(change.kind))) }
            })
            .collect();
        lines.extend(later.into_iter().map(|time| {
            let late = calendar.post(&time.post).map(|post| post.late).unwrap_or_default();
            let row = Delivery::planned(
                calendar.name.clone(),
                time.post,
                time.occurrence,
                time.account,
                time.network,
                Origin::Calendar,
                time.due,
                time.civil,
                late,
            );
            let row = Delivery { reason: time.reason, ..row };
            Line::new(row, What::Later)
        }));
        let turns = turns(lines.iter().map(|line| &line.row), &calendar.accounts, last_sent, scope.burst, now);
        for line in &mut lines {
            line.turn = turns.get(&line.row.id).copied();
            if calendar.accounts.get(&line.row.account).is_some_and(|account| account.jitter.is_some()) {
                line.jitter = later_than_asked(&calendar.zone, &line.row);
            }
        }
        lines.retain(|line| scope.until.is_none_or(|until| line.row.due <= until));
        lines.sort_by(|a, b| (a.row.due, &a.row.post, &a.row.account).cmp(&(b.row.due, &b.row.post, &b.row.account)));
        Self { zone: calendar.zone.clone(), now, first_run: record.first_seen.is_none(), limit: scope.limit, lines }
    }

    /// With what each delivery to come will cost. Of a series whose text is not chosen yet it is the dearest one; what a
    /// release post will say is not known, and has no price.
    #[must_use]
    pub fn priced(mut self, calendar: &Calendar) -> Self {
        let composer = Composer::new(calendar);
        let mut known: HashMap<(PostId, AccountName, Option<u32>), Option<Price>> = HashMap::new();
        for line in self.lines.iter_mut().filter(|line| !line.row.state.is_final()) {
            let row = &line.row;
            let key = (row.post.clone(), row.account.clone(), row.variation);
            line.price = *known.entry(key).or_insert_with(|| {
                let (post, account) = (calendar.post(&row.post)?, calendar.accounts.get(&row.account)?);
                composer.price(post, account, row.variation.map(|number| number as usize))
            });
        }
        self
    }

    /// What all that is to come costs together.
    fn price(&self) -> Option<Price> {
        let mut prices = self.lines.iter().filter_map(|line| line.price).peekable();
        prices.peek().is_some().then(|| prices.sum())
    }

    /// For programs: everything, by due time, or the first `limit` of it.
    pub fn json(&self) -> PlanList<'_> {
        let lines = self.lines.iter().take(self.limit.unwrap_or(usize::MAX));
        let view = |line| {
            let Line { row, turn, what, price, .. }: &Line = line;
            DeliveryView::at(row, self.now).turn(*turn).change(what.as_str()).price(*price)
        };
        PlanList { deliveries: lines.map(view).collect(), price: self.price() }
    }

    /// For people: what needs somebody, what is to come, what was dropped, what is out.
    pub fn human(&self, colour: bool) -> String {
        let mut table = Table::new(&["due", "post", "account", "plan", "why or where"], colour);
        let (lines, hidden) = self.shown();
        for line in lines {
            table.row(vec![
                self.shown_due(&line.row).into(),
                (&line.row.post).into(),
                (&line.row.account).into(),
                Cell::toned(line.word(), line.tone()),
                [self.note(line), line.url().unwrap_or_default().to_owned()].join(" ").trim().into(),
            ]);
        }
        let mut text = table.to_string();
        if table.is_empty() {
            text.clear();
        } else {
            if hidden > 0 {
                let _ = writeln!(text, "… and {hidden} more (--limit)");
            }
            text.push('\n');
        }
        let _ = writeln!(text, "{}", self.summary());
        text
    }

    /// For a pull request.
    pub fn markdown(&self) -> String {
        let mut text = format!("**{}**\n", self.summary());
        let (lines, hidden) = self.shown();
        if !lines.is_empty() {
            text.push_str("\n| due | post | account | plan | why or where |\n|---|---|---|---|---|\n");
        }
        for line in lines {
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} |",
                self.shown_due(&line.row),
                code(line.row.post.as_str()),
                code(line.row.account.as_str()),
                line.word(),
                [code(&self.note(line)), line.url().and_then(|url| link("open", url)).unwrap_or_default()]
                    .join(" ")
                    .trim(),
            );
        }
        if hidden > 0 {
            let _ = writeln!(text, "\n… and {hidden} more");
        }
        text
    }

    /// What people are shown, in their order, and how many lines that leaves out.
    fn shown(&self) -> (Vec<&Line>, usize) {
        let is_new = |line: &Line| matches!(line.what, What::Changed(_));
        let (needs, others): (Vec<&Line>, Vec<&Line>) =
            self.lines.iter().partition(|line| line.row.state.needs_person());
        let (done, coming): (Vec<&Line>, Vec<&Line>) = others.into_iter().partition(|line| line.row.state.is_final());
        let (dropped, done): (Vec<&Line>, Vec<&Line>) = done.into_iter().partition(|line| is_new(line));
        let limit = self.limit.unwrap_or(usize::MAX);
        let hidden = coming.len().saturating_sub(limit) + done.len().saturating_sub(DONE);
        let shown = needs
            .into_iter()
            .chain(coming.into_iter().take(limit))
            .chain(dropped)
            .chain(done.into_iter().rev().take(DONE))
            .collect();
        (shown, hidden)
    }

    /// As the clock in the calendar's zone will show it, with the weekday.
    fn shown_due(&self, row: &Delivery) -> String {
        let at = self.zone.civil(row.due);
        format!("{} {}", at.format("%a"), civil(at))
    }

    fn note(&self, line: &Line) -> String {
        let row = &line.row;
        let mut notes = Vec::new();
        if let Some(was) = line.was {
            let was = self.zone.civil(was);
            notes.push(format!("was {} {}", was.format("%a"), civil(was)));
        }
        if matches!(self.zone.local(row.civil), Local::Gap { .. }) && !row.state.is_final() {
            notes.push(format!("the clocks jump over {}", row.civil.format("%H:%M")));
        }
        if line.jitter > 0 && !row.state.is_final() {
            notes.push(format!("with {} of jitter", duration(line.jitter)));
        }
        let late = (self.now - row.due).num_seconds();
        if let Some(reason) = &row.reason {
            notes.push(reason.message.clone());
        } else if !row.state.is_final() && late > 0 && line.turn.is_none() {
            notes.push(format!("goes out at once, {} late", duration(late.unsigned_abs())));
        }
        if let Some(price) = line.price {
            notes.push(format!("costs {price}"));
        }
        if let Some(turn) = line.turn {
            let at = self.zone.civil(turn.at);
            notes.push(format!("its turn comes about {}: {}", at.format("%a %H:%M"), turn.wait.as_str()));
        }
        printable(&notes.join("; "))
    }

    /// How many of each, in one line.
    fn summary(&self) -> String {
        let mut counts: Vec<(&str, usize)> = Vec::new();
        for line in &self.lines {
            match counts.iter_mut().find(|(word, _)| *word == line.word()) {
                Some((_, count)) => *count += 1,
                None => counts.push((line.word(), 1)),
            }
        }
        let counts: Vec<String> = counts.iter().map(|(word, count)| format!("{count} {word}")).collect();
        let mut text = if counts.is_empty() { "nothing is planned".to_owned() } else { counts.join(", ") };
        if let Some(price) = self.price() {
            let _ = write!(text, "; what is to come costs {price}");
        }
        let _ = write!(text, "; times in {}", self.zone.name());
        if self.first_run {
            text.push_str("; the ledger has not seen this calendar before");
        }
        text
    }
}

/// How many seconds after its nominal time a row is due, when no blackout hours have moved it.
fn later_than_asked(zone: &Zone, row: &Delivery) -> u64 {
    let asked = match zone.local(row.civil) {
        Local::Overlap { second, .. } if second <= row.due => second,
        local => local.instant(),
    };
    let told = row.reason.as_ref().is_some_and(|reason| reason.code == ReasonCode::Blackout);
    if told { 0 } else { u64::try_from((row.due - asked).num_seconds()).unwrap_or(0) }
}

impl Line {
    fn new(row: Delivery, what: What) -> Self {
        Self { row, what, was: None, turn: None, jitter: 0, price: None }
    }

    /// Where people see it.
    fn url(&self) -> Option<&str> {
        self.row
            .receipts
            .iter()
            .find_map(|receipt| receipt.url.as_deref())
            .filter(|url| !url.contains(['|', '<', '>', ' ']))
    }

    /// The word for people.
    fn word(&self) -> &'static str {
        match (self.what, self.row.state) {
            (_, State::Held) => "held",
            (_, State::Missed) => "missed",
            (What::Changed(ChangeKind::Added), _) => "new",
            (What::Changed(ChangeKind::Restored), _) => "back",
            (What::Changed(kind), _) => kind.as_str(),
            (What::Later, _) => "later",
            (What::Same, State::Published) => "out",
            (What::Same, state) => state.as_str(),
        }
    }

    fn tone(&self) -> Tone {
        match (self.what, self.row.state) {
            (What::Later, _) => Tone::Dim,
            (What::Changed(ChangeKind::Added | ChangeKind::Restored), State::Planned) => Tone::Good,
            (What::Changed(ChangeKind::Moved | ChangeKind::Dropped), State::Planned | State::Cancelled) => {
                Tone::Warning
            }
            (_, state) => state.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        Account, CalendarName, Content, Late, LateThen, Post, PostId, Reason, Receipt, Standings, Trigger,
    };
    use crate::schedule::schedule;

    fn post(id: &str, trigger: Trigger) -> Post {
        Post {
            id: PostId::new(id),
            name: PostId::new(id),
            trigger: Some(trigger),
            to: vec![AccountName::new("fedi")],
            content: Content::default(),
            overrides: BTreeMap::new(),
            campaign: None,
            late: Late::default(),
            draft: false,
        }
    }

    fn calendar(posts: &[(&str, &str)]) -> Calendar {
        let zone = Zone::parse("Europe/Berlin").expect("a zone");
        let fedi = AccountName::new("fedi");
        let posts = posts
            .iter()
            .map(|(id, when)| {
                if let Ok(civil) = when.parse() {
                    post(id, Trigger::At { civil, instant: zone.local(civil).instant() })
                } else {
                    let rule = (*when).to_owned();
                    post(id, Trigger::Cron { rule, from: None, until: None, except: Vec::new() })
                }
            })
            .collect();
        Calendar {
            name: CalendarName::new("acme"),
            zone,
            folder: ".".into(),
            posts,
            accounts: BTreeMap::from([(fedi.clone(), Account::new(fedi, "mastodon"))]),
            campaigns: BTreeMap::new(),
            missing_alt_warns: false,
            media_host: false,
        }
    }

    /// A plan after edits: one post out, one moved, one dropped, one late, one new, one series.
    fn plan(limit: Option<usize>) -> Plan {
        let then: DateTime<Utc> = "2026-03-01T00:00:00Z".parse().expect("a time");
        let before = calendar(&[
            ("out", "2026-03-02T09:00:00"),
            ("moved", "2026-04-01T09:00:00"),
            ("dropped", "2026-04-02T09:00:00"),
            ("late", "2026-03-03T09:00:00"),
        ]);
        let done = schedule(&before, &[], &Standings::default(), &CalendarRecord::default(), then);
        let mut rows = done.apply(&[]);
        let out = &mut rows[0];
        out.state = State::Published;
        out.receipts.push(Receipt {
            part: 0,
            id: "1".to_owned(),
            url: Some("https://fedi.example/@acme/1".to_owned()),
            at: then,
            data: serde_json::Value::Null,
        });
        let mut after = calendar(&[
            ("out", "2026-03-02T09:00:00"),
            ("moved", "2026-04-03T10:30:00"),
            ("late", "2026-03-03T09:00:00"),
            ("new|post", "2026-04-01T09:00:00"),
            ("series", "30 2 * * sun"),
            ("forgotten", "2026-01-01T09:00:00"),
        ]);
        after.posts[5].late.then = LateThen::Skip;
        let now = "2026-03-27T12:00:00Z".parse().expect("a time");
        let next = schedule(&after, &[], &Standings::of(&rows), &done.record, now);
        Plan::new(
            &after,
            &rows,
            &done.record,
            &BTreeMap::new(),
            &next,
            now,
            Scope { until: None, per_series: 2, limit, burst: Burst::default() },
        )
    }

    #[test]
    fn for_people() {
        insta::assert_snapshot!(plan(None).human(false), @r"
        DUE                   POST       ACCOUNT  PLAN     WHY OR WHERE
        Thu 2026-01-01 09:00  forgotten  fedi     missed   due Thu 2026-01-01 09:00, 85 d 4 h late; its grace is 15 min
        Tue 2026-03-03 09:00  late       fedi     held     due Tue 2026-03-03 09:00, 24 d 4 h late; its grace is 15 min
        Sun 2026-03-29 03:30  series     fedi     new      the clocks jump over 02:30
        Wed 2026-04-01 09:00  new|post   fedi     new
        Fri 2026-04-03 10:30  moved      fedi     moved    was Wed 2026-04-01 09:00
        Sun 2026-04-05 02:30  series     fedi     later
        Thu 2026-04-02 09:00  dropped    fedi     dropped  no longer in the calendar
        Mon 2026-03-02 09:00  out        fedi     out      https://fedi.example/@acme/1

        1 missed, 1 out, 1 held, 2 new, 1 dropped, 1 moved, 1 later; times in Europe/Berlin
        ");
    }

    #[test]
    fn for_a_pull_request() {
        insta::assert_snapshot!(plan(Some(2)).markdown(), @r#"
        **1 missed, 1 out, 1 held, 2 new, 1 dropped, 1 moved, 1 later; times in Europe/Berlin**

        | due | post | account | plan | why or where |
        |---|---|---|---|---|
        | Thu 2026-01-01 09:00 | <code>forgotten</code> | <code>fedi</code> | missed | <code>due Thu 2026-01-01 09:00, 85 d 4 h late; its grace is 15 min</code> |
        | Tue 2026-03-03 09:00 | <code>late</code> | <code>fedi</code> | held | <code>due Tue 2026-03-03 09:00, 24 d 4 h late; its grace is 15 min</code> |
        | Sun 2026-03-29 03:30 | <code>series</code> | <code>fedi</code> | new | <code>the clocks jump over 02:30</code> |
        | Wed 2026-04-01 09:00 | <code>new&#124;post</code> | <code>fedi</code> | new |  |
        | Thu 2026-04-02 09:00 | <code>dropped</code> | <code>fedi</code> | dropped | <code>no longer in the calendar</code> |
        | Mon 2026-03-02 09:00 | <code>out</code> | <code>fedi</code> | out | <a href="https://fedi.example/%40acme/1">open</a> |

        … and 2 more
        "#);
    }

    #[test]
    fn for_programs() {
        let plan = plan(None);
        let shown = serde_json::to_value(plan.json()).expect("JSON");
        let lines: Vec<String> = shown["deliveries"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|row| {
                format!("{} {} {} {}", row["due"], row["occurrence"], row["state"], row["change"]).replace('"', "")
            })
            .collect();
        assert_eq!(
            lines,
            [
                "2026-01-01T08:00:00Z forgotten missed missed",
                "2026-03-02T08:00:00Z out published none",
                "2026-03-03T08:00:00Z late held held",
                "2026-03-29T01:30:00Z series@2026-03-29T02:30:00 planned added",
                "2026-04-01T07:00:00Z new|post planned added",
                "2026-04-02T07:00:00Z dropped cancelled dropped",
                "2026-04-03T08:30:00Z moved planned moved",
                "2026-04-05T00:30:00Z series@2026-04-05T02:30:00 planned later",
            ]
        );
    }

    #[test]
    fn what_costs_is_told_and_summed() {
        let mut plan = plan(None);
        for (index, mills) in [(3, 15), (4, 200)] {
            plan.lines[index].price = Some(Price::mills(mills));
        }
        let shown = plan.human(false);
        assert!(shown.contains("the clocks jump over 02:30; costs $0.015"), "{shown}");
        assert!(shown.contains("1 later; what is to come costs $0.215; times"), "{shown}");
        assert!(plan.markdown().contains("| new | <code>costs &#36;0.20</code> |"), "{}", plan.markdown());
        let json = serde_json::to_value(plan.json()).expect("JSON");
        assert_eq!((&json["price"], &json["deliveries"][4]["price"]), (&"0.215".into(), &"0.200".into()));
        assert_eq!(json["deliveries"][0].get("price"), None);
    }

    #[test]
    fn an_end_and_nothing_at_all() {
        let empty = calendar(&[]);
        let now = "2026-03-27T12:00:00Z".parse().expect("a time");
        let record = CalendarRecord::default();
        let next = schedule(&empty, &[], &Standings::default(), &record, now);
        let scope = Scope { until: Some(now), per_series: 5, limit: None, burst: Burst::default() };
        assert_eq!(
            Plan::new(&empty, &[], &record, &BTreeMap::new(), &next, now, scope).human(false),
            "nothing is planned; times in Europe/Berlin; the ledger has not seen this calendar before\n"
        );
        let one = calendar(&[("soon", "2026-04-01T09:00:00")]);
        let next = schedule(&one, &[], &Standings::default(), &record, now);
        assert!(
            Plan::new(&one, &[], &record, &BTreeMap::new(), &next, now, scope).lines.is_empty(),
            "it is due after the end"
        );
    }

    #[test]
    fn foreign_text_is_safe() {
        let mut plan = plan(None);
        plan.lines[0].row.reason = Some(Reason::new(ReasonCode::Refused, "\u{1b}[31m|\n<b>"));
        assert!(!plan.human(false).contains('\u{1b}'));
        let comment = plan.markdown();
        assert!(comment.contains("&#124;") && !comment.contains("<b>"), "{comment}");
    }
}
