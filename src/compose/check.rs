//! Everything that is wrong with a calendar, in one run and in time linear in its size.
//!
//! Two accounts of one network with the same limits, both with a place for files or both without, receive the same unless an override names one of them, so each post
//! is composed once for all of them.

use std::collections::HashMap;
use std::fmt::Write as _;

use chrono::{DateTime, Duration, Utc};

use super::release::{longest_release, released};
use crate::adapter::{Limits, Network};
use crate::calendar::{Calendar, Diagnostic, Loaded};
use crate::model::{
    Account, AccountName, Code, Content, DeliveryId, OccurrenceName, Place, Post, PostId, Problem, Severity, Trigger,
    codes,
};
use crate::networks;
use crate::text::{RELEASE_VARIABLES, release_variables};

use super::ending::endings;
use super::inspect::fallback_texts;
use super::layers::Layers;
use super::spacing::late_by_spacing;
use super::{Composer, Instance, Request, campaign};

/// Everything that is wrong with a calendar: its form, and what each account would refuse. By file and place. `now` makes
/// past times notes, and what is wrong with posts past their grace warnings.
pub fn check(loaded: &Loaded, now: DateTime<Utc>) -> Vec<Diagnostic> {
    let mut diagnostics = loaded.diagnostics.clone();
    if let Some(calendar) = &loaded.calendar {
        Run::new(calendar).posts(loaded, now, &mut diagnostics);
    }
    // Files in the order in which they were read; what has no place goes first.
    diagnostics.sort_by_cached_key(|found| {
        (found.span.map(|span| (span.file, span.start, span.end)), found.severity, found.code, found.message.clone())
    });
    diagnostics
}

/// An account with what its posts are checked against.
struct Seat<'a> {
    account: &'a Account,
    network: &'static dyn Network,
    limits: Limits,
    /// Accounts of one class receive the same.
    class: usize,
}

struct Run<'a> {
    calendar: &'a Calendar,
    composer: Composer<'a>,
    seats: HashMap<&'a AccountName, Seat<'a>>,
    /// Keys are derived from a delivery; for checking any will do.
    delivery: DeliveryId,
    /// Texts that go to an account, and who says them first.
    said: HashMap<(usize, &'a str), &'a Post>,
    /// Minutes since 1970 in which an account posts.
    minutes: HashMap<(usize, i64), &'a Post>,
    numbers: HashMap<&'a AccountName, usize>,
}

/// A problem with the accounts that have it.
struct Found<'a> {
    problem: Problem,
    accounts: Vec<&'a Account>,
}

impl<'a> Run<'a> {
    fn new(calendar: &'a Calendar) -> Self {
        let mut seats: HashMap<&AccountName, Seat<'a>> = HashMap::new();
        let mut classes = Vec::new();
        for (name, account) in &calendar.accounts {
            let Some(network) = networks::find(&account.network) else { continue };
            let key = (account.network.as_str(), &account.limits, network.lacks_for_files(account));
            let class = classes.iter().position(|known| *known == key).unwrap_or_else(|| {
                classes.push(key);
                classes.len() - 1
            });
            let limits = Limits::new(network.profile(), &account.limits);
            seats.insert(name, Seat { account, network, limits, class });
        }
        let numbers = calendar.accounts.keys().enumerate().map(|(number, name)| (name, number)).collect();
        // A map that grows hashes again what it holds, and these hold every text of the calendar.
        let places = calendar.posts.iter().map(|post| post.to.len()).sum();
        let delivery = DeliveryId::derive(&calendar.name, &OccurrenceName::new("check"), &AccountName::new("check"));
        Self {
            calendar,
            composer: Composer::new(calendar),
            seats,
            delivery,
            said: HashMap::with_capacity(places),
            minutes: HashMap::with_capacity(places),
            numbers,
        }
    }

    fn posts(mut self, loaded: &Loaded, now: DateTime<Utc>, diagnostics: &mut Vec<Diagnostic>) {
        let mut crowded = late_by_spacing(self.calendar, now);
        let mut ending: HashMap<&PostId, Vec<Found<'a>>> = HashMap::new();
        for (post, account, problem) in endings(self.calendar, now) {
            let found = ending.entry(&post.id).or_default();
            match found.iter_mut().find(|known| known.problem == problem) {
                Some(known) => known.accounts.push(account),
                None => found.push(Found { problem, accounts: vec![account] }),
            }
        }
        for post in &self.calendar.posts {
            let instant = match post.trigger {
                Some(Trigger::At { instant, .. }) => Some(instant),
                _ => None,
            };
            let grace = Duration::try_seconds(i64::try_from(post.late.grace_seconds).unwrap_or(i64::MAX));
            let gone = instant.is_some_and(|instant| {
                grace.and_then(|grace| instant.checked_add_signed(grace)).is_some_and(|end| end < now)
            });
            let mut found = self.post(post);
            if gone {
                // What was sent, was sent: nobody has to mend it.
                for found in &mut found {
                    found.problem.severity = found.problem.severity.max(Severity::Warning);
                }
            }
            let past = instant.is_some_and(|instant| instant < now);
            if past {
                let message = format!("the time of `{}` is past", post.id);
                let problem = Problem::note(codes::TIME_PAST, Place::Key { key: "at" }, message);
                found.push(Found { problem, accounts: Vec::new() });
            }
            self.neighbours(post, past, &mut found);
            for (name, problem) in crowded.remove(&post.id).unwrap_or_default() {
                found
                    .extend(self.calendar.accounts.get(name).map(|account| Found { problem, accounts: vec![account] }));
            }
            found.extend(ending.remove(&post.id).unwrap_or_default());
            // What is wrong with a file is found on each network that it goes to, and told once.
            let first = diagnostics.len();
            for found in found {
                let diagnostic = diagnose(loaded, &post.id, found);
                if !diagnostics[first..].contains(&diagnostic) {
                    diagnostics.push(diagnostic);
                }
            }
        }
    }

    /// What is wrong with one post, merged over its accounts.
    fn post(&self, post: &'a Post) -> Vec<Found<'a>> {
        let mut all: Vec<Found<'a>> = Vec::new();
        self.content(post, &mut all);
        let seats: Vec<&Seat<'_>> = post.to.iter().filter_map(|name| self.seats.get(name)).collect();
        let own = |seat: &Seat<'_>| {
            post.overrides.contains_key(seat.account.name.as_str())
                || campaign::depends_on_account(&self.calendar.campaigns, post)
        };
        let first = all.len();
        for (at, seat) in seats.iter().enumerate() {
            let alike = |other: &&&Seat<'_>| other.class == seat.class && !own(seat) && !own(other);
            if seats[..at].iter().any(|other| alike(&other)) {
                continue;
            }
            let rest = seats[at + 1..].iter().filter(alike).map(|other| other.account);
            let accounts: Vec<&Account> = std::iter::once(seat.account).chain(rest).collect();
            for problem in self.problems(post, seat) {
                let known = all[first..].iter_mut().find(|known| {
                    known.problem == problem
                        && known.accounts.first().is_some_and(|one| one.network == seat.account.network)
                });
                match known {
                    Some(known) => known.accounts.extend(&accounts),
                    None => all.push(Found { problem, accounts: accounts.clone() }),
                }
            }
        }
        let count = seats.len();
        for code in [codes::TITLE_UNSUPPORTED, codes::BODY_UNSUPPORTED, codes::LANG_UNSUPPORTED] {
            if all.len() > first {
                only_if_none_takes_it(code, count, first, &mut all);
            }
        }
        all
    }

    /// What is wrong with a post for one account: over all its texts.
    fn problems(&self, post: &Post, seat: &Seat<'_>) -> Vec<Problem> {
        let variations = Layers::new(post, seat.account).variations();
        let mut problems: Vec<Problem> = Vec::new();
        for variation in 0..variations {
            let instance = Instance { delivery: self.delivery, generation: 0, variation };
            let (account, network, limits) = (seat.account, seat.network, &seat.limits);
            let request = Request { post, account, network, limits, instance, planned: false };
            for problem in self.composer.composed(request).problems {
                if !problems.contains(&problem) {
                    problems.push(problem);
                }
            }
        }
        if matches!(post.trigger, Some(Trigger::Release(_))) {
            self.overflowing(post, seat, &mut problems);
        }
        problems
    }

    /// What of a release post would be too long for the longest release that is likely.
    fn overflowing(&self, post: &Post, seat: &Seat<'_>, problems: &mut Vec<Problem>) {
        // Templates with mistakes are told of elsewhere.
        let Ok(filled) = released(post, &longest_release(self.calendar.name.as_str())) else { return };
        let filled = Post { trigger: None, ..filled };
        let sources = Layers::new(post, seat.account);
        for variation in 0..sources.variations() {
            let instance = Instance { delivery: self.delivery, generation: 0, variation };
            let (account, network, limits) = (seat.account, seat.network, &seat.limits);
            let request = Request { post: &filled, account, network, limits, instance, planned: false };
            let composed = self.composer.composed(request);
            let too_long = [codes::TEXT_TOO_LONG, codes::TEXT_CANNOT_SPLIT, codes::TITLE_TOO_LONG];
            for mut problem in composed.problems.into_iter().filter(|problem| too_long.contains(&problem.code)) {
                let mut shown = composed.draft.title.as_deref();
                if let Place::Text { key, index, .. } = problem.place {
                    let (part, length) = match key {
                        "thread" => (index + 1, sources.thread().get(index).map_or(0, String::len)),
                        "first_comment" => {
                            (composed.draft.parts.len() - 1, sources.first_comment().map_or(0, str::len))
                        }
                        _ => (0, sources.text(variation).text.len()),
                    };
                    shown = composed.draft.parts.get(part).map(|part| part.text.as_str());
                    problem.place = Place::Text { key, index, start: 0, end: length };
                }
                problem.message = format!("for the longest release that is likely, {}", problem.message);
                let case: String = shown.unwrap_or_default().chars().take(600).collect();
                problem.help = Some(format!(
                    "write `{{{{ notes | fit }}}}` for what may be cut, or say less; the longest case would be:\n{case}"
                ));
                if !problems.contains(&problem) {
                    problems.push(problem);
                }
            }
        }
    }

    /// What is wrong with a post for everybody: its own content and each override.
    fn content(&self, post: &'a Post, all: &mut Vec<Found<'a>>) {
        let mut problems = Vec::new();
        self.composer.inspect_content(&post.content, &mut problems);
        if matches!(post.trigger, Some(Trigger::Release(_))) {
            templates(&post.content, &mut problems);
        }
        all.extend(problems.into_iter().map(|problem| Found { problem, accounts: Vec::new() }));
        for (key, content) in &post.overrides {
            // Any account that it holds for: the override is found in the file by it.
            let holds = |name: &&AccountName| {
                name.as_str() == key || self.calendar.accounts.get(*name).is_some_and(|account| &account.network == key)
            };
            let accounts: Vec<&Account> =
                post.to.iter().filter(holds).filter_map(|name| self.calendar.accounts.get(name)).collect();
            if accounts.is_empty() {
                continue;
            }
            let mut problems = Vec::new();
            self.composer.inspect_content(content, &mut problems);
            if matches!(post.trigger, Some(Trigger::Release(_))) {
                templates(content, &mut problems);
            }
            all.extend(problems.into_iter().map(|problem| Found { problem, accounts: accounts.clone() }));
        }
        unused_media(self.calendar, post, all);
    }

    /// Posts that say the same to the same account, or come at the same minute. Of a post whose time is past nothing is
    /// said, but later ones are compared with it.
    fn neighbours(&mut self, post: &'a Post, past: bool, all: &mut Vec<Found<'a>>) {
        if post.draft {
            return;
        }
        let mut same_text: Option<(&Post, Vec<&Account>, Place)> = None;
        let mut same_minute: Option<(&Post, Vec<&Account>)> = None;
        for seat in post.to.iter().filter_map(|name| self.seats.get(name)) {
            let Some(&number) = self.numbers.get(&seat.account.name) else { continue };
            let layers = Layers::new(post, seat.account);
            for variation in 0..layers.variations() {
                let source = layers.text(variation);
                let text = source.text.trim();
                let other = *self.said.entry((number, text)).or_insert(post);
                // Its own texts were said by this very post just now.
                if std::ptr::eq(other, post) || text.is_empty() {
                    continue;
                }
                let place = Place::Text { key: source.key, index: source.index, start: 0, end: source.text.len() };
                let known = same_text.get_or_insert_with(|| (other, Vec::new(), place));
                if known.1.last().is_none_or(|last| last.name != seat.account.name) {
                    known.1.push(seat.account);
                }
            }
            if let Some(minute) = minute(post) {
                let other = *self.minutes.entry((number, minute)).or_insert(post);
                if !std::ptr::eq(other, post) {
                    same_minute.get_or_insert_with(|| (other, Vec::new())).1.push(seat.account);
                }
            }
        }
        if past {
            return;
        }
        if let Some((other, accounts, place)) = same_text {
            let message = format!("the same text as in `{}`", other.id);
            let problem = Problem::warning(codes::TEXT_REPEATED, place, message)
                .help("networks take repeated posts for spam: say it in other words, or make a series with `texts`");
            all.push(Found { problem, accounts });
        }
        if let Some((other, accounts)) = same_minute {
            let message = format!("at the same minute as `{}`", other.id);
            let problem = Problem::warning(codes::SAME_MINUTE, Place::Key { key: "at" }, message)
                .help("readers see them at once: move one of them");
            all.push(Found { problem, accounts });
        }
    }
}

fn minute(post: &Post) -> Option<i64> {
    match &post.trigger {
        Some(Trigger::At { instant, .. }) => Some(instant.timestamp().div_euclid(60)),
        _ => None,
    }
}

/// A field that some networks have no place for is worth a word only if no account of the post has one.
fn only_if_none_takes_it(code: Code, accounts: usize, first: usize, all: &mut Vec<Found<'_>>) {
    let of_code = |found: &Found<'_>| found.problem.code == code;
    let told: usize = all[first..].iter().filter(|found| of_code(found)).map(|found| found.accounts.len()).sum();
    if told == 0 {
        return;
    }
    let mut kept = all.split_off(first);
    let one = kept.iter().position(of_code).map(|at| kept.swap_remove(at).problem);
    kept.retain(|found| !of_code(found));
    all.append(&mut kept);
    if let Some(mut problem) = one
        && told >= accounts
    {
        problem.message = match code {
            codes::TITLE_UNSUPPORTED => "no account of the post takes a title".to_owned(),
            codes::BODY_UNSUPPORTED => "no account of the post takes a long form".to_owned(),
            _ => problem.message,
        };
        all.push(Found { problem, accounts: Vec::new() });
    }
}

/// A file of the post that every account's override leaves out.
fn unused_media(calendar: &Calendar, post: &Post, all: &mut Vec<Found<'_>>) {
    let Some(media) = post.content.media.as_ref().filter(|media| !media.is_empty()) else { return };
    let replaced = !post.overrides.is_empty()
        && post.to.iter().filter_map(|name| calendar.accounts.get(name)).all(|account| {
            let own = [account.name.as_str(), account.network.as_str()];
            own.iter().any(|key| post.overrides.get(*key).is_some_and(|content| content.media.is_some()))
        });
    if replaced {
        for index in 0..media.len() {
            let problem = Problem::warning(
                codes::MEDIA_UNUSED,
                Place::Media { index, key: "" },
                "every account of the post has media of its own, so this file goes nowhere",
            );
            all.push(Found { problem, accounts: Vec::new() });
        }
    }
}

/// The templates of a release post: their form, and the names in them.
fn templates(content: &Content, problems: &mut Vec<Problem>) {
    let texts = content
        .text
        .iter()
        .map(|text| ("text", 0, text))
        .chain(content.texts.iter().enumerate().map(|(index, text)| ("texts", index, text)))
        .chain(content.thread.iter().enumerate().map(|(index, text)| ("thread", index, text)))
        .chain(content.first_comment.iter().map(|text| ("first_comment", 0, text)))
        .chain(content.title.iter().map(|text| ("title", 0, text)))
        .chain(content.body.iter().map(|text| ("body", 0, text)))
        .chain(fallback_texts(content));
    for (key, index, text) in texts {
        let names = match release_variables(text) {
            Ok(names) => names,
            Err(error) => {
                let place = Place::Text { key, index, start: error.start, end: error.end };
                problems.push(Problem::error(codes::TEMPLATE_INVALID, place, error.message));
                continue;
            }
        };
        for name in names.iter().filter(|name| !RELEASE_VARIABLES.contains(&name.as_str())) {
            let start = text.find(name.as_str()).unwrap_or(0);
            let place = Place::Text { key, index, start, end: start + name.len() };
            let message = format!("`{name}` is not known in release posts");
            let help = format!("known are {}", RELEASE_VARIABLES.join(", "));
            problems.push(Problem::error(codes::TEMPLATE_INVALID, place, message).help(help));
        }
    }
}

/// Problems that every account would have: naming one would mislead.
fn is_of_the_post(code: Code) -> bool {
    [
        codes::ALT_IS_FILE_NAME,
        codes::ALT_MISSING,
        codes::LINK_UNSUITABLE,
        codes::LINK_WITHOUT_SCHEME,
        codes::MEDIA_MISSING,
        codes::MEDIA_NOT_A_FILE,
        codes::MEDIA_OUTSIDE,
        codes::MEDIA_PART_UNKNOWN,
        codes::MEDIA_SYMLINK,
        codes::MEDIA_TOO_LARGE,
        codes::MEDIA_UNKNOWN_TYPE,
        codes::MEDIA_UNREADABLE,
        codes::POLL_IN_THREAD,
        codes::TEMPLATE_INVALID,
        codes::TEXT_BIDI,
        codes::TEXT_CONTROL,
        codes::TEXT_INVISIBLE,
    ]
    .contains(&code)
}

/// A problem with its place in a file and the names of its accounts in its message.
fn diagnose(loaded: &Loaded, post: &PostId, found: Found<'_>) -> Diagnostic {
    let Found { mut problem, accounts } = found;
    let Some(first) = accounts.first().copied() else { return loaded.diagnose(post, None, problem) };
    let mut names = String::new();
    for account in &accounts {
        let _ = write!(names, "{}{}", if names.is_empty() { "" } else { ", " }, account.name);
    }
    if is_of_the_post(problem.code) {
        let diagnostic = loaded.diagnose(post, Some(first), problem);
        return Diagnostic { account: None, network: None, ..diagnostic };
    }
    let one_network = accounts.iter().all(|account| account.network == first.network);
    let network = networks::find(&first.network).filter(|_| one_network).map(|network| network.profile().name);
    problem.message = match network {
        Some(network) => format!("{network} ({names}): {}", problem.message),
        None => format!("{names}: {}", problem.message),
    };
    let mut diagnostic = loaded.diagnose(post, Some(first), problem);
    if accounts.len() > 1 {
        diagnostic.account = None;
    }
    if !one_network {
        diagnostic.network = None;
    }
    diagnostic
}
