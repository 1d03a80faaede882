//! The posts of a release: those of the calendar that are for it, filled in.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};

use super::super::Failure;
use super::super::output::{self, Format, Stream, Style};
use super::Args;
use super::facts::Told;
use crate::calendar::{Calendar, Loaded};
use crate::compose::{Composer, Instance, released};
use crate::ledger::{Announced, StoredPost};
use crate::model::{AccountName, Content, Delivery, DeliveryId, Late, OccurrenceName, Origin, Post, Severity, Trigger};
use crate::report::preview;
use crate::text::release_variables;

/// "Now" is meant: a slow network, and an account's spacing, do not make it late.
const GRACE: u64 = 24 * 3600;

/// The posts that are for a release, and why the others are not.
pub(super) struct Chosen {
    pub(super) posts: Vec<Post>,
    pub(super) left_out: Vec<String>,
}

/// A post that is filled in.
#[derive(Debug, Clone)]
pub(super) struct Filled {
    pub(super) occurrence: OccurrenceName,
    /// As it is to be kept in the ledger.
    pub(super) stored: StoredPost,
    /// Its id in the calendar.
    pub(super) post: Post,
}

impl Filled {
    /// The post as it is sent.
    pub(super) fn composed(&self) -> Post {
        Post { id: self.post.id.clone(), to: self.post.to.clone(), ..self.stored.post.clone() }
    }

    /// Its deliveries, as they are planned.
    pub(super) fn planned(&self, calendar: &Calendar, now: DateTime<Utc>) -> Vec<Delivery> {
        let planned = |name: &AccountName| {
            let row = Delivery::planned(
                calendar.name.clone(),
                self.post.id.clone(),
                self.occurrence.clone(),
                name.clone(),
                calendar.accounts.get(name)?.network.clone(),
                Origin::Calendar,
                now,
                calendar.zone.civil(now),
                self.stored.post.late,
            );
            Some(Delivery { any_hour: true, ..row })
        };
        self.post.to.iter().filter_map(planned).collect()
    }
}

/// Chooses the calendar's posts for a release, each with the accounts that are asked for.
pub(super) fn choose(args: &Args, calendar: &Calendar, told: &Told) -> Result<Chosen, Failure> {
    let mut chosen = Chosen { posts: Vec::new(), left_out: Vec::new() };
    let asked: Vec<AccountName> = args.to.iter().map(|name| AccountName::new(name.as_str())).collect();
    if let Some(name) = asked.iter().find(|name| !calendar.accounts.contains_key(*name)) {
        let known: Vec<&str> = calendar.accounts.keys().map(AccountName::as_str).collect();
        return Err(Failure::usage(format!("there is no account `{name}`"))
            .hint(format!("the accounts are {}", known.join(", "))));
    }
    let (mut any, mut reached) = (false, Vec::new());
    for post in &calendar.posts {
        let Some(Trigger::Release(rule)) = &post.trigger else { continue };
        if post.draft {
            chosen.left_out.push(format!("{} is left out: it is a draft", post.id));
            continue;
        }
        any = true;
        reached.extend(post.to.iter().cloned());
        if let Some(why) = rule.leaves_out(&told.release) {
            chosen.left_out.push(format!("{} is left out: {why}", post.id));
            continue;
        }
        let to: Vec<AccountName> =
            post.to.iter().filter(|name| asked.is_empty() || asked.contains(name)).cloned().collect();
        if !to.is_empty() {
            chosen.posts.push(Post { to, ..post.clone() });
        }
    }
    if !any {
        return Err(Failure::new("the calendar has no post for releases").hint(
            "add one: `[[posts]]`, `id = \"release\"`, `on = \"release\"`, `text = \"{{ project }} {{ version }} is out. {{ url }}\"`",
        ));
    }
    if let Some(name) = asked.iter().find(|name| !reached.contains(name)) {
        return Err(Failure::usage(format!("no post for releases goes to `{name}`")).hint("add it to the post's `to`"));
    }
    Ok(chosen)
}

/// Fills the posts in.
pub(super) fn fill(loaded: &Loaded, posts: &[Post], told: &Told, now: DateTime<Utc>) -> Result<Vec<Filled>, Failure> {
    let Some(calendar) = &loaded.calendar else { return Ok(Vec::new()) };
    let mut filled = Vec::new();
    for post in posts {
        refuse_missing(post, told)?;
        let made = released(post, &told.release).map_err(|problems| {
            let mut text = String::new();
            for problem in &problems {
                let _ = writeln!(text, "{}: {}", post.id, problem.message);
            }
            output::stderr(&output::printable(&text));
            Failure::new(format!("the text of `{}` cannot be filled in; nothing was announced", post.id))
                .hint("`smm check` shows what is wrong with it")
        })?;
        let occurrence = OccurrenceName::release(&post.name, &told.release.tag);
        let late = Late { grace_seconds: post.late.grace_seconds.max(GRACE), then: post.late.then };
        let trigger = Some(Trigger::At { civil: calendar.zone.civil(now), instant: now });
        let id = StoredPost::of_release(&occurrence);
        let stored = StoredPost {
            post: Post { id, trigger, late, ..made },
            folder: None,
            timezone: calendar.zone.name().to_owned(),
            at: now,
            announced: Some(Box::new(Announced { release: told.release.clone(), since: told.since })),
        };
        filled.push(Filled { occurrence, stored, post: post.clone() });
    }
    Ok(filled)
}

/// A text that speaks of what nobody has told would say nothing.
fn refuse_missing(post: &Post, told: &Told) -> Result<(), Failure> {
    let contents = || std::iter::once(&post.content).chain(post.overrides.values());
    let uses = |name: &str| {
        contents().flat_map(texts).any(|text| {
            let used = release_variables(text).is_ok_and(|names| names.iter().any(|known| known == name));
            // A text that asks whether it is there knows what to do without.
            used && !text.contains(&format!("if {name}"))
        })
    };
    let missing = |what: &str, help: &str| {
        Failure::usage(format!("the text of `{}` has {{{{ {what} }}}}, and nothing says what that is", post.id))
            .hint(help)
    };
    if !told.has_notes && uses("notes") {
        return Err(missing(
            "notes",
            "give --from-changelog CHANGELOG.md or --notes FILE; or write `{% if notes %}…{% endif %}` around it",
        ));
    }
    if told.release.url.is_empty() && uses("url") {
        return Err(missing("url", "give --url; or write `{% if url %}…{% endif %}` around it"));
    }
    Ok(())
}

fn texts(content: &Content) -> impl Iterator<Item = &str> {
    let one = [&content.text, &content.first_comment, &content.title, &content.link, &content.body];
    let instead = content.fallback.iter().flat_map(|fallback| fallback.text.iter().chain(&fallback.thread));
    one.into_iter().flatten().chain(&content.texts).chain(&content.thread).chain(instead).map(String::as_str)
}

/// What each account would receive.
pub(super) fn show(calendar: &Calendar, posts: &[Filled], now: DateTime<Utc>, format: Format) -> Result<(), Failure> {
    let calendar = Calendar { posts: posts.iter().map(Filled::composed).collect(), ..calendar.clone() };
    let previews = preview::previews(&calendar, None, None, now);
    match format {
        Format::Json => output::json(&preview::PreviewReport::new(&previews)),
        Format::Human => {
            output::stdout(&preview::human(&calendar, &previews));
            Ok(())
        }
    }
}

/// Says what is wrong with the posts for their accounts, and refuses them where anything is.
pub(super) fn refuse_problems(calendar: &Calendar, posts: &[Filled]) -> Result<(), Failure> {
    let composer = Composer::new(calendar);
    let mut text = String::new();
    let mut refused = false;
    for filled in posts {
        let post = filled.composed();
        let mut told: Vec<(crate::model::Problem, Vec<&str>)> = Vec::new();
        for account in post.to.iter().filter_map(|name| calendar.accounts.get(name)) {
            let delivery = DeliveryId::derive(&calendar.name, &filled.occurrence, &account.name);
            let instance = Instance { delivery, generation: 0, variation: 0 };
            for problem in composer.compose(&post, account, instance).problems {
                match told.iter_mut().find(|(known, _)| *known == problem) {
                    Some((_, accounts)) => accounts.push(account.name.as_str()),
                    None => told.push((problem, vec![account.name.as_str()])),
                }
            }
        }
        for (problem, accounts) in told {
            let (style, word) = match problem.severity {
                Severity::Error => (Style::Error, "error"),
                Severity::Warning => (Style::Warning, "warning"),
                Severity::Note => continue,
            };
            refused |= problem.severity == Severity::Error;
            let label = output::paint(Stream::Stderr, style, &format!("{word}[{}]:", problem.code));
            let message = output::printable(&problem.message);
            let _ = writeln!(text, "{label} {}: {message} ({})", post.id, accounts.join(", "));
        }
    }
    output::stderr(&text);
    if refused {
        return Err(Failure::new("the release's posts are refused; nothing was announced")
            .hint("`smm check` refuses a text that could become too long before there is a release"));
    }
    Ok(())
}
