//! What a change of a calendar does: the state before it and the state after it, compared for a review.
//!
//! The rules are those of [`super::schedule`] and nothing else: the deliveries are put as they would be if the calendar
//! had been followed up to now as it was before, and then it is asked what the calendar as it is after would do to them.
//! Without a ledger whatever was due by now is taken to be out, since nobody can say that it is not.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, NaiveDateTime, Utc};

use super::{ChangeKind, next_time, schedule};
use crate::calendar::Calendar;
use crate::ledger::CalendarRecord;
use crate::model::{
    Account, AccountName, Delivery, DeliveryId, OccurrenceName, Post, PostId, Standings, State, Trigger,
};

/// One of the two states of a calendar.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// The calendar.
    pub calendar: &'a Calendar,
    /// The ids of all posts in its files, also of those that cannot be read.
    pub ids: &'a [PostId],
}

/// What a ledger knows of the calendar.
#[derive(Debug, Clone, Copy)]
pub struct Ledgered<'a> {
    /// Its deliveries.
    pub rows: &'a [Delivery],
    /// Its record.
    pub record: &'a CalendarRecord,
}

/// What a change does to what one account receives of one post.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The post, as it is called after the change; before it, for what was dropped.
    pub post: PostId,
    /// The account.
    pub account: AccountName,
    /// The account's network.
    pub network: String,
    /// What happens.
    pub effect: Effect,
    /// When it is due, as an instant and in the calendar's zone: after the change, or before it for what was dropped.
    /// `None`: a release, or a draft without a time.
    pub due: Option<(DateTime<Utc>, NaiveDateTime)>,
    /// When it was due before, where that differs.
    pub was: Option<NaiveDateTime>,
    /// What the account receives differs too.
    pub edited: bool,
    /// Why, or what to do about it: for people, may be empty.
    pub note: String,
    /// The delivery, where it has a row now or will have one.
    pub row: Option<Delivery>,
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// It would go out although the same is out already: its id was changed without `renamed_from`, or the calendar's
    /// name was.
    Again,
    /// It would wait for a person.
    Held,
    /// Its time is past, and it is not to be published late.
    Missed,
    /// The post cannot be read any more: its deliveries stay as they are.
    Unreadable,
    /// New.
    Added,
    /// Its time changed.
    Moved,
    /// What the account receives changed, or how it is called.
    Edited,
    /// It has another id, and stays the same delivery, or was not out yet.
    Renamed,
    /// It does not go out any more.
    Dropped,
    /// It is out, or its time is past: the change reaches nobody.
    Nothing,
    /// A draft: checked, and never published.
    Draft,
}

impl Effect {
    /// All of them, what matters most first.
    pub const ALL: [Self; 11] = [
        Self::Again,
        Self::Held,
        Self::Missed,
        Self::Unreadable,
        Self::Added,
        Self::Moved,
        Self::Edited,
        Self::Renamed,
        Self::Dropped,
        Self::Nothing,
        Self::Draft,
    ];

    /// The word in JSON and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Again => "again",
            Self::Held => "held",
            Self::Missed => "missed",
            Self::Unreadable => "unreadable",
            Self::Added => "new",
            Self::Moved => "moved",
            Self::Edited => "edited",
            Self::Renamed => "renamed",
            Self::Dropped => "dropped",
            Self::Nothing => "nothing",
            Self::Draft => "draft",
        }
    }
}

/// Compares two states of a calendar. `before`: `None`, it did not exist. `known`: `None`, there is no ledger to be had.
/// `edited` says whether an account receives something else of the second post than of the first.
/// What matters most comes first, then what is due first.
pub fn since(
    before: Option<Side<'_>>,
    after: Side<'_>,
    known: Option<Ledgered<'_>>,
    edited: &dyn Fn(&Post, &Post, &Account) -> bool,
    now: DateTime<Utc>,
) -> Vec<Difference> {
    let is_renamed = before.is_some_and(|before| before.calendar.name != after.calendar.name);
    let (rows, record) = followed(before, known, now);
    // A calendar under another name has deliveries of its own.
    let (own, record) = if is_renamed { (Vec::new(), CalendarRecord::default()) } else { (rows.clone(), record) };
    let wanted = schedule(after.calendar, after.ids, &Standings::of(&own), &record, now);
    let kinds: HashMap<DeliveryId, ChangeKind> =
        wanted.changes.iter().map(|change| (change.after.id, change.kind)).collect();
    let then = wanted.apply(&own);
    let readable: HashSet<&str> =
        after.calendar.posts.iter().flat_map(|post| [post.id.as_str(), post.name.as_str()]).collect();
    let there: HashSet<&str> = readable.iter().copied().chain(after.ids.iter().map(PostId::as_str)).collect();
    let gone = before.into_iter().flat_map(|before| &before.calendar.posts);
    let gone =
        gone.filter(|old| is_live(old) && !there.contains(old.id.as_str()) && !there.contains(old.name.as_str()));
    let comparison = Comparison {
        gone: gone.take(CANDIDATES).collect(),
        there,
        readable,
        before: before.map(|before| before.calendar),
        after,
        old: by_name(before.map(|before| before.calendar)),
        rows: by_place(&rows),
        then: by_place(&then),
        kinds,
        is_renamed,
        edited,
        now,
    };
    let mut found = comparison.run();
    found.sort_by(|a, b| {
        let due = |one: &Difference| one.due.map_or(DateTime::<Utc>::MAX_UTC, |(due, _)| due);
        (a.effect, due(a), &a.post, &a.account).cmp(&(b.effect, due(b), &b.post, &b.account))
    });
    found
}

/// The deliveries as they are when the calendar was followed as it was before.
fn followed(
    before: Option<Side<'_>>,
    known: Option<Ledgered<'_>>,
    now: DateTime<Utc>,
) -> (Vec<Delivery>, CalendarRecord) {
    let (rows, record) = match known {
        Some(known) => (known.rows.to_vec(), known.record.clone()),
        None => (Vec::new(), CalendarRecord { first_seen: Some(DateTime::UNIX_EPOCH), ..CalendarRecord::default() }),
    };
    let Some(before) = before else { return (rows, record) };
    let wanted = schedule(before.calendar, before.ids, &Standings::of(&rows), &record, now);
    let mut rows = wanted.apply(&rows);
    if known.is_none() {
        for row in rows.iter_mut().filter(|row| row.due <= now) {
            row.state = State::Published;
            row.reason = None;
        }
    }
    (rows, wanted.record)
}

/// Rows by occurrence and account.
type Rows<'a> = HashMap<(&'a str, &'a str), &'a Delivery>;

fn by_place(rows: &[Delivery]) -> Rows<'_> {
    rows.iter().map(|row| ((row.occurrence.as_str(), row.account.as_str()), row)).collect()
}

fn by_name(calendar: Option<&Calendar>) -> HashMap<&str, &Post> {
    calendar.into_iter().flat_map(|calendar| &calendar.posts).map(|post| (post.name.as_str(), post)).collect()
}

/// Whether it is ever published.
fn is_live(post: &Post) -> bool {
    !post.draft && post.trigger.is_some()
}

/// Whether something of it may have reached the network.
fn may_be_out(row: &Delivery) -> bool {
    row.is_frozen() || matches!(row.state, State::Published | State::Sending | State::Unknown)
}

/// When a post was due that is due at another time now, as far as that was one time.
#[derive(Debug, Clone, Copy)]
struct Was(Option<NaiveDateTime>);

struct Comparison<'a> {
    before: Option<&'a Calendar>,
    after: Side<'a>,
    /// Posts before, by the name of their occurrences.
    old: HashMap<&'a str, &'a Post>,
    /// Ids and names of the posts after, also of those that cannot be read.
    there: HashSet<&'a str>,
    /// Ids and names of those that can.
    readable: HashSet<&'a str>,
    /// Posts that are gone, as far as they are looked at.
    gone: Vec<&'a Post>,
    rows: Rows<'a>,
    then: Rows<'a>,
    kinds: HashMap<DeliveryId, ChangeKind>,
    is_renamed: bool,
    edited: &'a dyn Fn(&Post, &Post, &Account) -> bool,
    now: DateTime<Utc>,
}

impl<'a> Comparison<'a> {
    fn run(&self) -> Vec<Difference> {
        let mut found = Vec::new();
        let mut kept: HashSet<(&str, &str)> = HashSet::new();
        for post in &self.after.calendar.posts {
            for name in &post.to {
                let Some(account) = self.after.calendar.accounts.get(name) else { continue };
                let old = self.old.get(post.name.as_str()).copied();
                if !is_live(post) {
                    found.extend(self.draft(post, account, old));
                    continue;
                }
                kept.insert((post.name.as_str(), name.as_str()));
                let old = old.filter(|old| is_live(old) && old.to.contains(name));
                found.extend(match old {
                    Some(old) if !self.is_renamed => self.kept(old, post, account),
                    _ => Some(self.fresh(post, account)),
                });
            }
        }
        for post in self.before.into_iter().filter(|_| !self.is_renamed).flat_map(|before| &before.posts) {
            for name in post.to.iter().filter(|_| is_live(post)) {
                if !kept.contains(&(post.name.as_str(), name.as_str())) {
                    found.extend(self.gone(post, name));
                }
            }
        }
        found
    }

    /// What there is to say of a post and an account after the change.
    fn difference(&self, post: &Post, account: &Account, effect: Effect, note: impl Into<String>) -> Difference {
        let time = next_time(self.after.calendar, post, account, self.now);
        Difference {
            post: post.id.clone(),
            account: account.name.clone(),
            network: account.network.clone(),
            effect,
            due: time.map(|(due, civil, _)| (due, civil)),
            was: None,
            edited: false,
            note: note.into(),
            row: self.row(post, &account.name).cloned(),
        }
    }

    /// The row of a post with one time, or the one ahead of a series, after the change.
    fn row(&self, post: &Post, account: &AccountName) -> Option<&'a Delivery> {
        let occurrence = match post.trigger {
            Some(Trigger::At { .. }) => OccurrenceName::once(&post.name),
            Some(Trigger::Cron { .. }) => {
                let account = self.after.calendar.accounts.get(account)?;
                let (_, civil, _) = next_time(self.after.calendar, post, account, self.now)?;
                OccurrenceName::civil(&post.name, civil)
            }
            _ => return None,
        };
        self.then.get(&(occurrence.as_str(), account.as_str())).copied()
    }

    /// Of a post with one time, as it is before the change.
    fn old_row(&self, post: &Post, account: &AccountName) -> Option<&'a Delivery> {
        self.rows.get(&(post.name.as_str(), account.as_str())).copied()
    }

    fn draft(&self, post: &Post, account: &Account, old: Option<&Post>) -> Option<Difference> {
        if old.is_some_and(|old| is_live(old) && old.to.contains(&account.name)) {
            // What goes out no more is told of where what is gone is.
            return None;
        }
        let same = old.is_some_and(|old| {
            old.to.contains(&account.name) && old.trigger == post.trigger && !(self.edited)(old, post, account)
        });
        (!same).then(|| self.difference(post, account, Effect::Draft, ""))
    }

    /// A post that was there before.
    fn kept(&self, old: &Post, post: &Post, account: &Account) -> Option<Difference> {
        // Which releases a post is for is a part of what it says.
        let rule = matches!(post.trigger, Some(Trigger::Release(_))) && old.trigger != post.trigger;
        let edited = (self.edited)(old, post, account) || rule;
        let was = self.moved(old, post, account);
        let renamed = old.id != post.id;
        let row = self.row(post, &account.name);
        let mut found = self.difference(post, account, Effect::Edited, "");
        found.edited = edited;
        if let Some(old_row) = self.old_row(old, &account.name).filter(|row| may_be_out(row)) {
            if was.is_none() && !edited && !renamed {
                return None;
            }
            found.effect = Effect::Nothing;
            found.was = was.and_then(|was| was.0);
            let note = if old_row.receipts.is_empty() && old_row.intent.is_none() && old_row.published_at.is_none() {
                "its time is past: nothing is sent for it a second time, and what was published stays as it is"
            } else {
                "it is out: nothing is sent for it a second time, and what was published stays as it is"
            };
            note.clone_into(&mut found.note);
            return Some(found);
        }
        let kind = row.and_then(|row| self.kinds.get(&row.id)).copied();
        found.effect = match (kind, was) {
            (Some(ChangeKind::Held), _) => Effect::Held,
            (Some(ChangeKind::Missed), _) => Effect::Missed,
            (_, Some(_)) => Effect::Moved,
            _ if edited => Effect::Edited,
            _ if renamed => Effect::Renamed,
            _ => return None,
        };
        found.was = was.and_then(|was| was.0);
        if let Some(reason) = row.and_then(|row| row.reason.as_ref()) {
            found.note.clone_from(&reason.message);
        } else if row.is_some_and(|row| row.due <= self.now && row.state == State::Planned) {
            AT_ONCE.clone_into(&mut found.note);
        }
        if renamed && found.note.is_empty() {
            found.note = format!("it was called `{}`", old.id);
        }
        Some(found)
    }

    /// Whether a post's time changed.
    fn moved(&self, old: &Post, post: &Post, account: &Account) -> Option<Was> {
        let before = self.before?;
        let same_zone = before.zone.name() == self.after.calendar.zone.name();
        match (&old.trigger, &post.trigger) {
            (Some(Trigger::At { civil, instant }), Some(Trigger::At { instant: now, .. })) => {
                (instant != now).then_some(Was(Some(*civil)))
            }
            (Some(Trigger::Release(_)), Some(Trigger::Release(_))) => None,
            (old, new) if old == new && same_zone => None,
            (_, _) => {
                let was = before.accounts.get(&account.name);
                Some(Was(was.and_then(|was| next_time(before, old, was, self.now)).map(|(_, civil, _)| civil)))
            }
        }
    }

    /// A post that was not there, or not for this account.
    fn fresh(&self, post: &Post, account: &Account) -> Difference {
        let row = self.row(post, &account.name);
        let kind = row.and_then(|row| self.kinds.get(&row.id)).copied();
        let reason = row.and_then(|row| row.reason.as_ref()).map(|reason| reason.message.clone()).unwrap_or_default();
        let mut found = match (kind, row) {
            (Some(ChangeKind::Held), _) => self.difference(post, account, Effect::Held, reason),
            (Some(ChangeKind::Missed), _) => self.difference(post, account, Effect::Missed, reason),
            (None, Some(row)) if may_be_out(row) => {
                let note = "the ledger has it as published: nothing is sent for it";
                self.difference(post, account, Effect::Nothing, note)
            }
            (_, Some(row)) if row.due <= self.now => self.difference(post, account, Effect::Added, AT_ONCE),
            _ => self.difference(post, account, Effect::Added, reason),
        };
        let Some((twin, out)) = self.twin(post, account) else { return found };
        let id = &twin.id;
        if self.is_renamed {
            if out && matches!(found.effect, Effect::Added | Effect::Held) {
                found.note = format!("the calendar's name was changed, and what it published as `{id}` may be out");
                found.effect = Effect::Again;
            }
            return found;
        }
        let (effect, note) = match post.trigger {
            Some(Trigger::Release(_)) => (
                Effect::Again,
                format!(
                    "it looks like `{id}` under another id: a tag that was announced would be announced again; add \
                     `renamed_from = \"{id}\"`"
                ),
            ),
            _ if out && matches!(found.effect, Effect::Added | Effect::Held) => (
                Effect::Again,
                format!("it looks like `{id}` under another id, which may be out: add `renamed_from = \"{id}\"`"),
            ),
            _ if found.effect == Effect::Added => (
                Effect::Renamed,
                format!(
                    "it looks like `{id}` under another id, which is not out yet; `renamed_from = \"{id}\"` keeps its history"
                ),
            ),
            _ => return found,
        };
        (found.effect, found.note) = (effect, note);
        found
    }

    /// A post that this one looks like under another id, and whether that one may be out. With the calendar's name changed
    /// it is the post of the same id.
    fn twin(&self, post: &Post, account: &Account) -> Option<(&'a Post, bool)> {
        let out = |old: &Post| match old.trigger {
            Some(Trigger::At { .. }) => self.old_row(old, &account.name).is_some_and(may_be_out),
            Some(Trigger::Cron { .. }) => false,
            _ => true,
        };
        if self.is_renamed {
            let old = *self.old.get(post.name.as_str())?;
            return Some((old, out(old)));
        }
        let gone = self.gone.iter().copied().filter(|old| old.to.contains(&account.name));
        let alike = gone.filter(|old| {
            let same_time = !matches!(post.trigger, Some(Trigger::Release(_))) && old.trigger == post.trigger;
            let kind = |post: &Post| post.trigger.as_ref().map(std::mem::discriminant);
            let same_kind = kind(old) == kind(post);
            same_time || (same_kind && !(self.edited)(old, post, account))
        });
        // One that may be out matters more than one that is not.
        alike.map(|old| (old, out(old))).max_by_key(|(_, out)| *out)
    }

    /// A post that is not there any more, or not for this account.
    fn gone(&self, post: &'a Post, name: &AccountName) -> Option<Difference> {
        let before = self.before?;
        let account = before.accounts.get(name)?;
        let (id, known) = (post.id.as_str(), post.name.as_str());
        let is_read = self.readable.contains(id) || self.readable.contains(known);
        let row = self.old_row(post, name);
        let (effect, note) = if !is_read && self.there.contains(id) {
            (Effect::Unreadable, "it has mistakes in its form: its deliveries stay as they are until it can be read")
        } else if row.is_some_and(may_be_out) {
            (Effect::Nothing, "it is out, or its time is past: what was published stays as it is")
        } else if row.is_some_and(|row| row.state.is_final()) {
            return None;
        } else {
            (Effect::Dropped, "")
        };
        let time = next_time(before, post, account, self.now);
        Some(Difference {
            post: post.id.clone(),
            account: name.clone(),
            network: account.network.clone(),
            effect,
            due: time.map(|(due, civil, _)| (due, civil)),
            was: None,
            edited: false,
            note: note.to_owned(),
            row: row.cloned(),
        })
    }
}

/// Of one whose time is past, within its grace or whatever its grace.
const AT_ONCE: &str = "its time is past, and it goes out at once";

/// Posts that are gone and that a new one is compared with, at most.
const CANDIDATES: usize = 2_000;

#[cfg(test)]
mod tests {
    use super::super::tests::{World, cron, once, utc};
    use super::*;
    use crate::model::ReleaseRule;

    /// The day of these tests.
    const NOW: &str = "2026-11-23T12:00:00Z";

    /// Compares two lists of posts. Whether a post is edited is told from its text.
    fn compared(before: Vec<Post>, after: Vec<Post>) -> Vec<(String, &'static str, String)> {
        let (before, after) = (World::known(NOW, before), World::known(NOW, after));
        told(&since(Some(side(&before)), side(&after), None, &by_text, utc(NOW)))
    }

    fn side(world: &World) -> Side<'_> {
        Side { calendar: &world.calendar, ids: &[] }
    }

    fn by_text(old: &Post, new: &Post, _: &Account) -> bool {
        old.content != new.content
    }

    fn told(found: &[Difference]) -> Vec<(String, &'static str, String)> {
        found.iter().map(|one| (one.post.to_string(), one.effect.as_str(), one.note.clone())).collect()
    }

    fn words<'a>(found: &'a [(String, &'static str, String)]) -> Vec<(&'a str, &'static str)> {
        found.iter().map(|(post, effect, _)| (post.as_str(), *effect)).collect()
    }

    fn says(mut post: Post, text: &str) -> Post {
        post.content.text = Some(text.to_owned());
        post
    }

    fn release(id: &str, text: &str) -> Post {
        Post { trigger: Some(Trigger::Release(ReleaseRule::default())), ..says(once(id, "2026-01-01T09:00:00"), text) }
    }

    #[test]
    fn what_did_not_change_is_not_told() {
        let posts = || {
            vec![once("past", "2026-11-01T09:00:00"), once("next", "2026-12-01T09:00:00"), cron("tip", "0 9 * * MON")]
        };
        assert!(compared(posts(), posts()).is_empty());
    }

    #[test]
    fn new_moved_edited_and_dropped() {
        let before = vec![
            once("moved", "2026-12-01T09:00:00"),
            says(once("edited", "2026-12-02T09:00:00"), "old"),
            once("dropped", "2026-12-03T09:00:00"),
            cron("tip", "0 9 * * MON"),
        ];
        let after = vec![
            once("moved", "2026-12-01T10:00:00"),
            says(once("edited", "2026-12-02T09:00:00"), "new"),
            says(once("new", "2026-12-04T09:00:00"), "something else"),
            cron("tip", "0 10 * * MON"),
        ];
        let found = compared(before, after);
        assert_eq!(
            words(&found),
            [("new", "new"), ("tip", "moved"), ("moved", "moved"), ("edited", "edited"), ("dropped", "dropped")]
        );
    }

    #[test]
    fn an_edit_after_it_went_out_sends_nothing() {
        let found = compared(
            vec![says(once("out", "2026-11-20T09:00:00"), "old")],
            vec![says(once("out", "2026-12-20T09:00:00"), "new")],
        );
        assert_eq!(words(&found), [("out", "nothing")]);
        assert!(found[0].2.contains("nothing is sent"), "{found:?}");
    }

    #[test]
    fn an_id_changed_without_a_word_would_send_again() {
        let text = "We are live";
        // The same text at another time, and another text at the same time.
        let before = vec![says(once("a", "2026-11-20T09:00:00"), text), says(once("b", "2026-11-21T09:00:00"), "b")];
        let after = vec![says(once("a2", "2026-12-20T09:00:00"), text), says(once("b2", "2026-11-21T09:00:00"), "b!")];
        let found = compared(before, after);
        let again: Vec<_> = words(&found).into_iter().filter(|(_, effect)| *effect == "again").collect();
        assert_eq!(again, [("b2", "again"), ("a2", "again")]);
        assert!(found[1].2.contains("renamed_from = \"a\""), "{found:?}");
        // With `renamed_from` it keeps its name, and nothing is sent.
        let mut kept = says(once("a2", "2026-12-20T09:00:00"), text);
        kept.name = PostId::new("a");
        let found = compared(vec![says(once("a", "2026-11-20T09:00:00"), text)], vec![kept]);
        assert_eq!(words(&found), [("a2", "nothing")]);
        // One that is not out yet is no harm.
        let found = compared(
            vec![says(once("a", "2026-12-20T09:00:00"), text)],
            vec![says(once("a2", "2026-12-20T09:00:00"), text)],
        );
        assert_eq!(words(&found), [("a2", "renamed"), ("a", "dropped")]);
    }

    #[test]
    fn a_release_post_under_another_id_would_be_announced_again() {
        let found = compared(vec![release("release", "out")], vec![release("announce", "out")]);
        assert_eq!(words(&found), [("announce", "again"), ("release", "dropped")]);
        let found = compared(vec![release("release", "out")], vec![release("release", "it is out")]);
        assert_eq!(words(&found), [("release", "edited")]);
    }

    #[test]
    fn a_calendar_under_another_name_would_send_what_is_out() {
        let posts =
            || vec![says(once("late", "2026-11-23T11:59:00"), "x"), says(once("next", "2026-12-01T09:00:00"), "y")];
        let (before, mut after) = (World::known(NOW, posts()), World::known(NOW, posts()));
        after.calendar.name = crate::model::CalendarName::new("other");
        let found = told(&since(Some(side(&before)), side(&after), None, &by_text, utc(NOW)));
        assert_eq!(words(&found), [("late", "again"), ("next", "new")]);
    }

    #[test]
    fn a_new_post_with_a_past_time_is_held() {
        let found = compared(Vec::new(), vec![once("forgotten", "2026-11-01T09:00:00")]);
        assert_eq!(words(&found), [("forgotten", "held")]);
    }

    #[test]
    fn drafts_and_what_becomes_one() {
        let draft = |id: &str, text: &str| Post { draft: true, ..says(once(id, "2026-12-01T09:00:00"), text) };
        let live = |id: &str, text: &str| says(once(id, "2026-12-01T09:00:00"), text);
        let found = compared(
            vec![draft("same", "s"), live("back", "b"), draft("ready", "r")],
            vec![draft("same", "s"), draft("back", "b"), live("ready", "r"), draft("idea", "i")],
        );
        assert_eq!(words(&found), [("ready", "new"), ("back", "dropped"), ("idea", "draft")]);
    }

    #[test]
    fn a_post_that_cannot_be_read_was_not_removed() {
        let before = World::known(NOW, vec![once("a", "2026-12-01T09:00:00")]);
        let after = World::known(NOW, Vec::new());
        let ids = [PostId::new("a")];
        let after = Side { calendar: &after.calendar, ids: &ids };
        let found = told(&since(Some(side(&before)), after, None, &by_text, utc(NOW)));
        assert_eq!(words(&found), [("a", "unreadable")]);
    }

    #[test]
    fn a_ledger_knows_what_is_out() {
        // Without one the past time speaks; the ledger says that it never went out, and was held.
        let mut world = World::known("2026-11-19T00:00:00Z", vec![says(once("late", "2026-11-20T09:00:00"), "old")]);
        world.run();
        let rows = world.rows.clone();
        let after = World::known(NOW, vec![says(once("late", "2026-12-20T09:00:00"), "new")]);
        let record = world.record.clone();
        let known = Ledgered { rows: &rows, record: &record };
        let found = since(Some(side(&world)), side(&after), Some(known), &by_text, utc(NOW));
        assert_eq!(words(&told(&found)), [("late", "moved")]);
        assert_eq!(found[0].was, Some("2026-11-20T09:00:00".parse().expect("a time")));
    }
}
