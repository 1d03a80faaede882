//! One post as written to a [`Post`]: its id, what makes it due, where it goes and what it says.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, NaiveDateTime, Utc};

use super::raw::{RawContent, RawDefaults, RawFallback, RawLate, RawMedia, RawPoll, RawPost};
use super::read::{At, Reader};
use super::scalar::{Moment, Named, OneOrMany};
use super::{Known, Span, suggest};
use crate::model::{
    Account, AccountName, Content, Fallback, Late, LateThen, MediaRef, Numbering, Poll, Post, PostId, ReleaseRule,
    Trigger, Visibility, codes,
};
use crate::time::{CronError, CronRule, Local, Zone};

/// How long a poll is open that does not say it: a day, in seconds.
const POLL_SECONDS: u64 = 86400;

/// What posts are resolved against.
#[derive(Debug)]
pub(super) struct Context<'a> {
    pub(super) known: &'a Known,
    /// `None`: the calendar's own is missing or wrong, which was reported.
    pub(super) zone: Option<Zone>,
    pub(super) accounts: BTreeMap<AccountName, Account>,
    /// Accounts whose tables have errors: they exist all the same.
    pub(super) broken_accounts: HashSet<String>,
    pub(super) defaults: Defaults,
    /// Rules that were read before, so that a thousand posts of one rule cost one reading.
    pub(super) rules: HashMap<String, Result<(), CronError>>,
}

/// `[defaults]`, resolved.
#[derive(Debug, Default)]
pub(super) struct Defaults {
    to: Vec<AccountName>,
    /// `to` is there, though perhaps with errors.
    has_to: bool,
    late: Late,
    lang: Option<Vec<String>>,
    visibility: Option<Visibility>,
    split: Option<bool>,
    numbering: Option<Numbering>,
    labels: Option<Vec<String>>,
}

/// What makes a post due, as far as its content depends on it.
#[derive(Debug, Clone, Copy)]
struct Kind {
    series: bool,
    release: bool,
}

/// A post and what is to be checked when every file has been read.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) post: Post,
    pub(super) campaign: Option<At<String>>,
    pub(super) renamed_from: Option<At<String>>,
}

impl Context<'_> {
    /// Resolves `[defaults]`.
    pub(super) fn set_defaults(&mut self, reader: &mut Reader<'_>, raw: RawDefaults) {
        let has_to = raw.to.is_some() || raw.unreadable.contains(&"to");
        self.defaults = Defaults {
            to: raw.to.map(|to| self.accounts(reader, to)).unwrap_or_default(),
            has_to,
            late: late(Late::default(), raw.late),
            lang: raw.lang.map(|lang| languages(reader, lang.value)),
            visibility: raw.visibility.map(|word| word.value.0),
            split: raw.split.map(|split| split.value),
            numbering: raw.numbering.map(|word| word.value.0),
            labels: raw.labels.map(|labels| strings(labels.value.0)),
        };
    }

    /// Resolves a post whose id was read. `is_markdown`: its title may stand for its text.
    pub(super) fn post(
        &mut self,
        reader: &mut Reader<'_>,
        id: PostId,
        at: Span,
        mut raw: RawPost,
        is_markdown: bool,
    ) -> Resolved {
        let draft = raw.draft.as_ref().is_some_and(|draft| draft.value);
        let trigger = self.trigger(reader, at, &mut raw, draft);
        let written = |key, value: bool| value || raw.unreadable.contains(&key);
        let kind = Kind { series: written("cron", raw.cron.is_some()), release: written("on", raw.on.is_some()) };
        if !kind.series && !reader.patchy {
            for key in [key(raw.from.as_ref()), key(raw.until.as_ref()), key(raw.except.as_ref())].into_iter().flatten()
            {
                reader
                    .error(
                        codes::ONLY_WITH_CRON,
                        key,
                        "`from`, `until` and `except` are for a series, and this post is none",
                    )
                    .help("give it a `cron` rule, or remove this key");
            }
        }
        let is_release = raw.on.is_some() || raw.unreadable.contains(&"on");
        if !is_release && !reader.patchy {
            for key in [key(raw.skip.as_ref()), key(raw.only.as_ref())].into_iter().flatten() {
                reader
                    .error(
                        codes::ONLY_WITH_RELEASE,
                        key,
                        "`skip` and `only` choose releases, and this post is for none",
                    )
                    .help("give it `on = \"release\"`, or remove this key");
            }
        }
        let to = if let Some(to) = raw.to.take() {
            self.accounts(reader, to)
        } else {
            if !self.defaults.has_to && !raw.unreadable.contains(&"to") && !draft && !reader.patchy {
                reader
                    .error(codes::NO_ACCOUNTS, at, "the post does not say where it goes")
                    .help("add `to = [\"…\"]` here or under `[defaults]`, with names of accounts");
            }
            self.defaults.to.clone()
        };
        let overrides = raw.overrides.take().map(|overrides| self.overrides(reader, overrides.value, &to, kind));
        let mut content = content(reader, std::mem::take(&mut raw.content), kind);
        if is_markdown && content.text.is_none() && content.texts.is_empty() && content.thread.is_empty() {
            content.text.clone_from(&content.title);
        }
        let overrides = overrides.unwrap_or_default();
        let defaults = &self.defaults;
        content.lang = content.lang.or_else(|| defaults.lang.clone());
        content.visibility = content.visibility.or(defaults.visibility);
        content.split = content.split.or(defaults.split);
        content.numbering = content.numbering.or(defaults.numbering);
        content.labels = content.labels.or_else(|| defaults.labels.clone());
        let renamed_from = raw.renamed_from;
        let name = match &renamed_from {
            Some(old) => match PostId::parse(&old.value) {
                Ok(name) => name,
                Err(error) => {
                    reader.error(codes::BAD_ID, old.span, error.to_string());
                    id.clone()
                }
            },
            None => id.clone(),
        };
        let post = Post {
            id,
            name,
            trigger,
            to,
            content,
            overrides,
            campaign: raw.campaign.as_ref().map(|campaign| campaign.value.clone()),
            late: late(defaults.late, raw.late),
            draft,
        };
        Resolved { post, campaign: raw.campaign, renamed_from }
    }

    /// Exactly one of `at`, `cron` and `on`; a draft may do without.
    fn trigger(&mut self, reader: &mut Reader<'_>, at: Span, raw: &mut RawPost, draft: bool) -> Option<Trigger> {
        let mut keys: Vec<Span> =
            [key(raw.at.as_ref()), key(raw.cron.as_ref()), key(raw.on.as_ref())].into_iter().flatten().collect();
        keys.sort_unstable();
        if let [_, second, ..] = keys[..] {
            reader
                .error(
                    codes::SEVERAL_TRIGGERS,
                    second,
                    "a post has one of `at`, `cron` and `on`, and this is the second",
                )
                .help("remove one, or make two posts of it");
        }
        let unreadable = ["at", "cron", "on"].iter().any(|key| raw.unreadable.contains(key));
        if let Some(moment) = raw.at.take() {
            return self.moment(reader, &moment);
        }
        if let Some(rule) = raw.cron.take() {
            let trigger = self.series(reader, &rule, raw);
            raw.cron = Some(rule);
            return trigger;
        }
        if raw.on.is_some() {
            let skip = raw.skip.as_ref().map(|word| word.value.0);
            let only = raw.only.as_ref().map(|only| only.value.0.iter().map(|tag| tag.value.clone()).collect());
            return Some(Trigger::Release(ReleaseRule { skip, only: only.unwrap_or_default() }));
        }
        if !unreadable && !draft && !reader.patchy {
            reader
                .error(codes::NO_TRIGGER, at, "the post does not say when it is published")
                .help("add `at = 2026-12-01T09:00:00`, a `cron` rule or `on = \"release\"`; or `draft = true`");
        }
        None
    }

    fn moment(&self, reader: &mut Reader<'_>, moment: &At<Moment>) -> Option<Trigger> {
        let civil = match (moment.value, &self.zone) {
            // Already reported; what the times come to does not matter any more.
            (Moment::Civil(civil) | Moment::Utc(civil), None) => {
                return Some(Trigger::At { civil, instant: civil.and_utc() });
            }
            (Moment::Utc(utc), Some(zone)) => {
                let instant = utc.and_utc();
                return Some(Trigger::At { civil: zone.civil(instant), instant });
            }
            (Moment::Civil(civil), Some(_)) => civil,
        };
        let zone = self.zone.as_ref()?;
        let local = zone.local(civil);
        match local {
            Local::One(_) => {}
            Local::Gap { before, after, .. } => {
                reader
                    .error(
                        codes::TIME_IN_GAP,
                        moment.span,
                        format!(
                            "{} does not exist in {}: the clocks are put forward over it",
                            stamp(civil),
                            zone.name()
                        ),
                    )
                    .help(format!("write `{}` or `{}`", stamp(before), stamp(after)));
                return None;
            }
            Local::Overlap { first, second } => {
                let offset = |at: DateTime<Utc>| offset(civil, at);
                reader
                    .warning(
                        codes::TIME_IN_OVERLAP,
                        moment.span,
                        format!(
                            "{} comes twice in {}, at offset {} and again at {}; the first is taken",
                            stamp(civil),
                            zone.name(),
                            offset(first),
                            offset(second)
                        ),
                    )
                    .help(format!(
                        "write the offset: `{0}{1}` for the first, `{0}{2}` for the second",
                        stamp(civil),
                        offset(first),
                        offset(second)
                    ));
            }
        }
        Some(Trigger::At { civil, instant: local.instant() })
    }

    fn series(&mut self, reader: &mut Reader<'_>, rule: &At<String>, raw: &RawPost) -> Option<Trigger> {
        if !self.rules.contains_key(&rule.value) {
            let read = CronRule::parse(&rule.value).map(|_| ());
            self.rules.insert(rule.value.clone(), read);
        }
        if let Some(Err(error)) = self.rules.get(&rule.value) {
            let span = reader.inside(rule.span, error.start..error.end);
            reader.error(codes::BAD_CRON, span, error.message.clone()).help.clone_from(&error.help);
            return None;
        }
        if let (Some(from), Some(until)) = (&raw.from, &raw.until)
            && from.value.0 > until.value.0
        {
            reader
                .error(
                    codes::NEVER_DUE,
                    until.span,
                    format!("the series ends on {}, before it begins on {}", until.value.0, from.value.0),
                )
                .help("swap `from` and `until`");
            return None;
        }
        Some(Trigger::Cron {
            rule: rule.value.clone(),
            from: raw.from.as_ref().map(|day| day.value.0),
            until: raw.until.as_ref().map(|day| day.value.0),
            except: raw.except.iter().flat_map(|days| &days.value).map(|day| day.value.0).collect(),
        })
    }

    /// Names of accounts, each once.
    fn accounts(&self, reader: &mut Reader<'_>, to: At<OneOrMany>) -> Vec<AccountName> {
        if to.value.0.is_empty() && !reader.patchy {
            reader
                .error(codes::NO_ACCOUNTS, to.span, "`to` names no account")
                .help("name accounts, or write `draft = true` for a post that is not to be published");
        }
        let mut names = Vec::with_capacity(to.value.0.len());
        for name in to.value.0 {
            let account = AccountName::new(name.value);
            if self.accounts.contains_key(&account) {
                if !names.contains(&account) {
                    names.push(account);
                }
            } else if !self.broken_accounts.contains(account.as_str()) {
                let known = self.accounts.keys().map(AccountName::as_str);
                let help = if self.accounts.is_empty() {
                    let none = if self.broken_accounts.is_empty() { "there is no account yet: " } else { "" };
                    Some(format!("{none}declare it in `smm.toml`"))
                } else if self.known.network(account.as_str()).is_some() {
                    let on = self.accounts.values().filter(|other| other.network == account.as_str());
                    suggest::help("", on.map(|account| account.name.as_str()))
                        .map(|help| format!("this is a network; its account that is {help}"))
                } else {
                    suggest::help(account.as_str(), known)
                };
                reader.error(codes::UNKNOWN_ACCOUNT, name.span, format!("there is no account `{account}`")).help = help;
            }
        }
        names
    }

    fn overrides(
        &self,
        reader: &mut Reader<'_>,
        overrides: Named<RawContent>,
        to: &[AccountName],
        kind: Kind,
    ) -> BTreeMap<String, Content> {
        let mut resolved = BTreeMap::new();
        for (name, raw) in overrides.0 {
            let content = content(reader, raw.value, kind);
            let is_network = self.known.network(&name.value).is_some();
            let is_account = self.accounts.contains_key(&AccountName::new(name.value.as_str()));
            if !is_network && !is_account {
                if !self.broken_accounts.contains(&name.value) {
                    let names = self.accounts.keys().map(AccountName::as_str);
                    let known = names.chain(self.known.networks.iter().map(|network| network.id));
                    reader
                        .error(
                            codes::UNKNOWN_OVERRIDE,
                            name.span,
                            format!("`{}` is neither an account nor a network", name.value),
                        )
                        .help = suggest::help(&name.value, known);
                }
                continue;
            }
            let reached = |account: &AccountName| {
                account.as_str() == name.value
                    || self.accounts.get(account).is_some_and(|account| account.network == name.value)
            };
            if !to.iter().any(reached) && !to.is_empty() {
                reader
                    .warning(codes::UNUSED_OVERRIDE, name.span, format!("the post does not go to `{}`", name.value))
                    .help("add it to `to`, or remove this table");
            }
            match resolved.entry(name.value) {
                Entry::Vacant(entry) => _ = entry.insert(content),
                Entry::Occupied(_) => {}
            }
        }
        resolved
    }
}

/// Resolves what a post says, or what an override puts over it.
fn content(reader: &mut Reader<'_>, raw: RawContent, kind: Kind) -> Content {
    if let (Some(_), Some(texts)) = (&raw.text, &raw.texts) {
        reader
            .error(codes::TEXT_AND_TEXTS, texts.key, "a post has `text` or `texts`, not both")
            .help("put all of them into `texts`");
    }
    if let Some(texts) = &raw.texts {
        if !kind.series && !reader.patchy {
            reader
                .error(codes::ONLY_WITH_CRON, texts.key, "`texts` are taken in turn by a series, and this post is none")
                .help("give it a `cron` rule, or write one `text`; for a thread use `thread`");
        } else if texts.value.is_empty() && !reader.patchy {
            reader.error(codes::TEXT_EMPTY, texts.span, "`texts` has no text").help("add one, or write `text`");
        }
    }
    if let Some(fallback) = &raw.fallback
        && !kind.release
        && !reader.patchy
    {
        reader
            .error(
                codes::ONLY_WITH_RELEASE,
                fallback.key,
                "`fallback` is for a release, whose length is not known before",
            )
            .help("write a text that fits, or one of its own under `[posts.for.…]`");
    }
    let text = |value: Option<At<String>>| value.map(|value| value.value);
    let lang = raw.lang.map(|lang| languages(reader, lang.value));
    let media = raw.media.map(|media| media.value.into_iter().filter_map(|file| check_media(reader, file)).collect());
    let poll = raw.poll.and_then(|poll| check_poll(reader, poll));
    Content {
        text: text(raw.text),
        texts: raw.texts.map(|texts| strings(texts.value)).unwrap_or_default(),
        thread: raw.thread.map(|thread| strings(thread.value)).unwrap_or_default(),
        split: raw.split.map(|split| split.value),
        fallback: raw.fallback.into_iter().flat_map(|fallback| fallback.value).map(instead).collect(),
        numbering: raw.numbering.map(|word| word.value.0),
        first_comment: text(raw.first_comment),
        title: text(raw.title),
        body: text(raw.body),
        link: text(raw.link),
        media,
        tags: raw.tags.map(|tags| strings(tags.value.0)),
        lang,
        visibility: raw.visibility.map(|word| word.value.0),
        content_warning: text(raw.content_warning),
        labels: raw.labels.map(|labels| strings(labels.value.0)),
        reply_to: text(raw.reply_to),
        quote: text(raw.quote),
        poll,
    }
}

fn instead(raw: At<RawFallback>) -> Fallback {
    let RawFallback { text, thread, split, unreadable: _ } = raw.value;
    Fallback {
        text: text.map(|text| text.value),
        thread: thread.map(|thread| strings(thread.value)).unwrap_or_default(),
        split: split.map(|split| split.value),
    }
}

/// Language tags by their form: `en`, `pt-BR`, `zh-Hant-TW`.
fn languages(reader: &mut Reader<'_>, lang: OneOrMany) -> Vec<String> {
    let mut good = Vec::with_capacity(lang.0.len());
    for tag in lang.0 {
        let mut parts = tag.value.split('-');
        let first = parts.next().unwrap_or("");
        let is_tag = (2..=3).contains(&first.len())
            && first.bytes().all(|byte| byte.is_ascii_alphabetic())
            && parts.all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        if is_tag {
            good.push(tag.value);
        } else {
            reader
                .error(codes::LANGUAGE, tag.span, format!("`{}` is not a language tag", tag.value))
                .help("write it as in `en`, `de` or `pt-BR`");
        }
    }
    good
}

fn check_media(reader: &mut Reader<'_>, media: At<RawMedia>) -> Option<MediaRef> {
    let RawMedia { file, alt, title, part, unreadable } = media.value;
    let Some(file) = file else {
        if !unreadable.contains(&"file") && !reader.patchy {
            reader
                .error(codes::MISSING_KEY, media.span, "a media entry needs `file`")
                .help("write it as `{ file = \"img/launch.png\", alt = \"What it shows\" }`");
        }
        return None;
    };
    let part = match part {
        None => None,
        Some(part) => match u16::try_from(part.value) {
            Ok(number) if number > 0 => Some(number),
            _ => {
                reader
                    .error(codes::BAD_VALUE, part.span, format!("{} is not the number of a message", part.value))
                    .help("the first message of a thread is 1");
                None
            }
        },
    };
    let title = title.map(|title| title.value);
    Some(MediaRef { file: file.value, alt: alt.map(|alt| alt.value), title, part })
}

fn check_poll(reader: &mut Reader<'_>, poll: At<RawPoll>) -> Option<Poll> {
    let RawPoll { options, duration, multiple, hide_totals, unreadable } = poll.value;
    let Some(options) = options else {
        if !unreadable.contains(&"options") && !reader.patchy {
            reader
                .error(codes::MISSING_KEY, poll.key, "a poll needs `options`")
                .help("write it as `poll = { options = [\"Yes\", \"No\"], duration = \"1d\" }`");
        }
        return None;
    };
    Some(Poll {
        options: strings(options.value),
        seconds: duration.map_or(POLL_SECONDS, |duration| duration.value.0),
        multiple: multiple.is_some_and(|value| value.value),
        hide_totals: hide_totals.is_some_and(|value| value.value),
    })
}

fn late(base: Late, raw: Option<At<RawLate>>) -> Late {
    let Some(raw) = raw else { return base };
    Late {
        grace_seconds: raw.value.grace.map_or(base.grace_seconds, |grace| grace.value.0),
        then: raw.value.then.map_or(base.then, |then| -> LateThen { then.value.0 }),
    }
}

fn strings(list: Vec<At<String>>) -> Vec<String> {
    list.into_iter().map(|text| text.value).collect()
}

fn key<T>(value: Option<&At<T>>) -> Option<Span> {
    value.map(|value| value.key)
}

fn stamp(civil: NaiveDateTime) -> String {
    civil.format("%Y-%m-%dT%H:%M:%S").to_string()
}

/// The offset that makes an instant this civil time: `+02:00`.
fn offset(civil: NaiveDateTime, at: DateTime<Utc>) -> String {
    let minutes = (civil - at.naive_utc()).num_minutes();
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
}
