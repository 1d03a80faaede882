//! What `smm plan --since` shows: what a change of the calendar does, with what each account would receive.

mod comment;

use std::fmt::Write as _;

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::Serialize;

use super::preview::{Preview, PreviewReport, previews};
use super::{Cell, DeliveryView, Table, Tone, civil, printable};
use crate::calendar::Calendar;
use crate::compose::{Composer, Instance, PartView, Rendering};
use crate::model::{Account, AccountName, CalendarName, DeliveryId, OccurrenceName, Post, PostId, Trigger};
use crate::schedule::{Difference, Effect};

/// Lines that people are shown.
const LINES: usize = 100;

/// What the comparison was made from.
#[derive(Debug, Clone)]
pub struct Source {
    /// The commit, as digits.
    pub commit: String,
    /// The calendar's name before, where it was another.
    pub renamed: Option<CalendarName>,
    /// There was no calendar before.
    pub is_new: bool,
    /// A ledger said what is out. Without one, what is past is taken to be.
    pub has_ledger: bool,
    /// Mistakes in the form of the calendar after the change: posts that have one are left out.
    pub mistakes: usize,
}

/// What a change of the calendar does.
#[derive(Debug)]
pub struct SincePlan<'a> {
    calendar: &'a Calendar,
    differences: Vec<Difference>,
    source: Source,
    now: DateTime<Utc>,
}

/// The differences as programs see them. Fields are added, never renamed.
#[derive(Debug, Serialize)]
struct Report<'a> {
    since: &'a str,
    calendar: &'a CalendarName,
    renamed_from: Option<&'a CalendarName>,
    ledger: bool,
    mistakes: usize,
    changes: Vec<ChangeView<'a>>,
    deliveries: Vec<DeliveryView<'a>>,
}

#[derive(Debug, Serialize)]
struct ChangeView<'a> {
    post: &'a PostId,
    account: &'a AccountName,
    network: &'a str,
    change: &'static str,
    due: Option<DateTime<Utc>>,
    civil: Option<NaiveDateTime>,
    was: Option<NaiveDateTime>,
    edited: bool,
    note: &'a str,
    /// As `preview` writes it; empty for what is dropped.
    renderings: serde_json::Value,
}

impl<'a> SincePlan<'a> {
    /// Of a calendar as it is after the change, and what [`crate::schedule::since`] found.
    pub fn new(calendar: &'a Calendar, differences: Vec<Difference>, source: Source, now: DateTime<Utc>) -> Self {
        Self { calendar, differences, source, now }
    }

    /// For programs.
    pub fn json(&self) -> impl Serialize {
        let changes = self.differences.iter().map(|one| {
            let previews = self.previews(one);
            let renderings = serde_json::to_value(PreviewReport::new(&previews)).ok();
            ChangeView {
                post: &one.post,
                account: &one.account,
                network: &one.network,
                change: one.effect.as_str(),
                due: one.due.map(|(due, _)| due),
                civil: one.due.map(|(_, civil)| civil),
                was: one.was,
                edited: one.edited,
                note: &one.note,
                renderings: renderings.map_or_else(Default::default, |mut all| all["renderings"].take()),
            }
        });
        let rows = self.differences.iter().filter_map(|one| Some((one.row.as_ref()?, one.effect)));
        Report {
            since: &self.source.commit,
            calendar: &self.calendar.name,
            renamed_from: self.source.renamed.as_ref(),
            ledger: self.source.has_ledger,
            mistakes: self.source.mistakes,
            changes: changes.collect(),
            deliveries: rows.map(|(row, effect)| DeliveryView::at(row, self.now).change(effect.as_str())).collect(),
        }
    }

    /// For people.
    pub fn human(&self, colour: bool) -> String {
        let mut table = Table::new(&["due", "post", "account", "change", "why"], colour);
        for one in self.differences.iter().take(LINES) {
            table.row(vec![
                printable(&self.when(one)).into(),
                (&one.post).into(),
                (&one.account).into(),
                Cell::toned(one.effect.as_str(), tone(one.effect)),
                printable(&Self::why(one)).into(),
            ]);
        }
        let mut text = String::new();
        if !table.is_empty() {
            text = table.to_string();
            if self.differences.len() > LINES {
                let _ = writeln!(text, "… and {} more (--format json has all)", self.differences.len() - LINES);
            }
            text.push('\n');
        }
        let _ = writeln!(text, "{}; times in {}", self.summary(), self.calendar.zone.name());
        for line in self.remarks() {
            let _ = writeln!(text, "note: {}", printable(&line));
        }
        text
    }

    /// For a comment on a forge, at most `limit` bytes: whole posts, and how many are left out.
    pub fn markdown(&self, limit: usize) -> String {
        comment::comment(self, limit)
    }

    /// What the accounts of a difference would receive.
    fn previews(&self, one: &Difference) -> Vec<Preview<'a>> {
        if matches!(one.effect, Effect::Dropped | Effect::Unreadable) || self.calendar.post(&one.post).is_none() {
            return Vec::new();
        }
        previews(self.calendar, Some(&one.post), Some(&one.account), self.now)
    }

    fn when(&self, one: &Difference) -> String {
        match one.due {
            Some((due, _)) => {
                let at = self.calendar.zone.civil(due);
                format!("{} {}", at.format("%a"), civil(at))
            }
            None if self.is_release(one) => "on release".to_owned(),
            None => "no time".to_owned(),
        }
    }

    fn is_release(&self, one: &Difference) -> bool {
        self.calendar.post(&one.post).is_none_or(|post| matches!(post.trigger, Some(Trigger::Release(_))))
    }

    /// Everything there is to say of one in a line.
    fn why(one: &Difference) -> String {
        let mut why = Vec::new();
        if let Some(was) = one.was {
            why.push(format!("was {} {}", was.format("%a"), civil(was)));
        }
        if one.edited && one.effect != Effect::Edited {
            why.push("edited".to_owned());
        }
        if !one.note.is_empty() {
            why.push(one.note.clone());
        }
        why.join("; ")
    }

    /// How many of each, in one line. Posts are counted, not accounts.
    fn summary(&self) -> String {
        let told: Vec<String> = Effect::ALL
            .into_iter()
            .filter_map(|effect| {
                let mut posts: Vec<&PostId> =
                    self.differences.iter().filter(|one| one.effect == effect).map(|one| &one.post).collect();
                posts.sort_unstable();
                posts.dedup();
                (!posts.is_empty()).then(|| format!("{} {}", posts.len(), phrase(effect)))
            })
            .collect();
        if told.is_empty() { "this changes nothing that is published".to_owned() } else { told.join(", ") }
    }

    /// What holds for all of it.
    fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        if let Some(old) = &self.source.renamed {
            remarks.push(format!(
                "the calendar was called `{old}`: under another name every delivery is a new one, and what is out is not \
                 known to be; keep the name"
            ));
        }
        if self.source.is_new {
            remarks.push("there was no calendar before".to_owned());
        }
        if self.source.mistakes > 0 {
            let count = self.source.mistakes;
            let mistakes = if count == 1 { "1 mistake".to_owned() } else { format!("{count} mistakes") };
            remarks.push(format!(
                "the calendar has {mistakes}, and posts that cannot be read are left out: see smm check"
            ));
        }
        if !self.source.has_ledger {
            remarks.push("without a ledger, every post whose time is past is taken to be out".to_owned());
        }
        remarks
    }
}

/// What a count of posts is followed by.
fn phrase(effect: Effect) -> &'static str {
    match effect {
        Effect::Again => "would be sent again",
        Effect::Held => "would wait for a person",
        Effect::Missed => "would not go out any more",
        Effect::Unreadable => "cannot be read",
        Effect::Added => "new",
        Effect::Moved => "moved",
        Effect::Edited => "edited",
        Effect::Renamed => "renamed",
        Effect::Dropped => "dropped",
        Effect::Nothing => "changed without effect",
        Effect::Draft => "a draft",
    }
}

fn tone(effect: Effect) -> Tone {
    match effect {
        Effect::Again | Effect::Missed | Effect::Unreadable => Tone::Bad,
        Effect::Held | Effect::Moved | Effect::Dropped => Tone::Warning,
        Effect::Added => Tone::Good,
        Effect::Edited | Effect::Renamed => Tone::Plain,
        Effect::Nothing | Effect::Draft => Tone::Dim,
    }
}

/// Whether an account receives something else of a post after a change. The calendars are those that the posts are from.
pub fn edited(before: &Calendar, after: &Calendar, old: &Post, new: &Post, account: &Account) -> bool {
    if old.content == new.content
        && old.overrides == new.overrides
        && old.campaign == new.campaign
        && before.campaigns == after.campaigns
    {
        return false;
    }
    let Some(was) = before.accounts.get(&account.name) else { return true };
    let count = Composer::variations(new, account);
    if Composer::variations(old, was) != count {
        return true;
    }
    // The same keys for both: an id is no part of what is received.
    let delivery = DeliveryId::derive(&after.name, &OccurrenceName::once(&new.name), &account.name);
    let old = Post { id: new.id.clone(), ..old.clone() };
    let (before, after) = (Composer::new(before), Composer::new(after));
    (0..count).any(|variation| {
        let instance = Instance { delivery, generation: 0, variation };
        !alike(&before.compose(&old, was, instance), &after.compose(new, account, instance))
    })
}

/// Whether two renderings are the same for whoever receives them.
fn alike(a: &Rendering, b: &Rendering) -> bool {
    let part = |part: &PartView| {
        let media: Vec<(String, String)> =
            part.media.iter().map(|(file, alt, _)| (file.clone(), alt.clone())).collect();
        (part.text.clone(), part.link.clone(), media)
    };
    a.parts.iter().map(part).eq(b.parts.iter().map(part))
        && (&a.title, &a.body, &a.tags, &a.languages) == (&b.title, &b.body, &b.tags, &b.languages)
        && (a.visibility, &a.content_warning, &a.labels) == (b.visibility, &b.content_warning, &b.labels)
        && (&a.reply_to, &a.quote, &a.poll) == (&b.reply_to, &b.quote, &b.poll)
}
