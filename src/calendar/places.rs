//! Where a piece of a post stands. Kept per post are a few numbers only; the post's own source is read again when a place
//! inside it is asked for, which happens only when something is wrong with it.

use std::collections::HashMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::raw::{RawDefaults, RawPost};
use super::read::At;
use super::{Loaded, Span, markdown, text_span};
use crate::model::{AccountName, Place, PostId};

/// Where each post stands.
#[derive(Debug, Default)]
pub struct Places {
    origins: HashMap<PostId, Origin>,
    /// Keys of `[defaults]`.
    defaults: Vec<(&'static str, Span)>,
}

/// How a post is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `[[posts]]` and what follows it.
    Header,
    /// `{ … }` in a list.
    Inline,
    /// The front matter of a Markdown file.
    Markdown,
}

/// Where one post stands. Files are smaller than 4 GiB.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin {
    file: u32,
    start: u32,
    end: u32,
    /// Its id, or its header.
    id: (u32, u32),
    /// `at`, `cron` or `on`, with its value's place.
    trigger: Option<(&'static str, u32, u32)>,
    form: Form,
}

impl Origin {
    pub(super) fn new(
        file: usize,
        range: Range<usize>,
        id: Span,
        trigger: Option<(&'static str, Span)>,
        form: Form,
    ) -> Self {
        Self {
            file: narrow(file),
            start: narrow(range.start),
            end: narrow(range.end),
            id: (narrow(id.start), narrow(id.end)),
            trigger: trigger.map(|(key, span)| (key, narrow(span.start), narrow(span.end))),
            form,
        }
    }

    fn span(&self, start: u32, end: u32) -> Span {
        Span { file: self.file as usize, start: start as usize, end: end as usize }
    }

    fn id(&self) -> Span {
        self.span(self.id.0, self.id.1)
    }
}

fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl Places {
    /// Keeps a post's place. `Some`: the id is taken, by the post at this place.
    pub(super) fn insert(&mut self, id: &PostId, origin: Origin) -> Option<Span> {
        if let Some(first) = self.origins.get(id) {
            return Some(first.id());
        }
        self.origins.insert(id.clone(), origin);
        None
    }

    pub(super) fn contains(&self, id: &PostId) -> bool {
        self.origins.contains_key(id)
    }

    pub(super) fn set_defaults(&mut self, raw: &RawDefaults) {
        fn place<T>(key: &'static str, value: Option<&At<T>>) -> Option<(&'static str, Span)> {
            value.map(|value| (key, value.span))
        }
        let places = [
            place("to", raw.to.as_ref()),
            place("late", raw.late.as_ref()),
            place("lang", raw.lang.as_ref()),
            place("visibility", raw.visibility.as_ref()),
            place("split", raw.split.as_ref()),
            place("numbering", raw.numbering.as_ref()),
            place("labels", raw.labels.as_ref()),
        ];
        self.defaults = places.into_iter().flatten().collect();
    }

    /// The key that makes a post due.
    pub(super) fn trigger(raw: &RawPost) -> Option<(&'static str, Span)> {
        let at = raw.at.as_ref().map(|at| ("at", at.span));
        let cron = || raw.cron.as_ref().map(|cron| ("cron", cron.span));
        at.or_else(cron).or_else(|| raw.on.as_ref().map(|on| ("on", on.span)))
    }
}

impl Loaded {
    /// The place in a file of a piece of a post. For an account, what `[posts.for.X]` says comes first: the account's own
    /// table, then its network's. What neither they nor the post say may stand under `[defaults]`; what stands nowhere is
    /// shown at the post's id. `None`: there is no such post.
    pub fn span(&self, post: &PostId, account: Option<&AccountName>, place: &Place) -> Option<Span> {
        let origin = self.places.origins.get(post)?;
        let key = match place {
            Place::Post => return Some(origin.id()),
            Place::Key { key } | Place::Text { key, .. } => *key,
            Place::Media { .. } => "media",
            Place::PollOption { .. } => "poll",
        };
        if let (Place::Key { .. }, Some((trigger, start, end))) = (place, origin.trigger)
            && trigger == key
        {
            return Some(origin.span(start, end));
        }
        let inside = self.inside(origin, account, key, place);
        let default = || self.places.defaults.iter().find(|(name, _)| *name == key).map(|&(_, span)| span);
        Some(inside.or_else(default).unwrap_or_else(|| origin.id()))
    }

    /// Reads the post's source again and looks for the place.
    fn inside(&self, origin: &Origin, account: Option<&AccountName>, key: &str, place: &Place) -> Option<Span> {
        let file = &self.sources.files.get(origin.file as usize)?.text;
        let (start, end) = (origin.start as usize, origin.end as usize);
        let source = file.get(start..end)?;
        let here = |range: Range<usize>| Span {
            file: origin.file as usize,
            start: start + range.start,
            end: start + range.end,
        };
        let value;
        let document;
        let table: &DeTable<'_> = match origin.form {
            Form::Inline => {
                value = DeValue::parse_recoverable(source).0.into_inner();
                value.as_table()?
            }
            Form::Header => {
                document = DeTable::parse_recoverable(source).0.into_inner();
                document.get("posts")?.get_ref().as_array()?.first()?.get_ref().as_table()?
            }
            Form::Markdown => {
                document = DeTable::parse_recoverable(source).0.into_inner();
                &document
            }
        };
        let found = self.overrides(table, account).find_map(|table| table.get(key)).or_else(|| table.get(key));
        if let Some(found) = found {
            return Some(here(piece(source, found, place)));
        }
        if origin.form != Form::Markdown {
            return None;
        }
        match (key, place) {
            ("body", place) => {
                let body = markdown::split(file).ok()?.body;
                let range = match place {
                    Place::Text { start, end, .. } => text_span::map_plain(&file[body.clone()], *start..*end),
                    _ => 0..body.len(),
                };
                Some(Span { file: origin.file as usize, start: body.start + range.start, end: body.start + range.end })
            }
            // A title stands for a text that is not there.
            ("text", place) => Some(here(piece(source, table.get("title")?, place))),
            _ => None,
        }
    }

    /// The tables of `[posts.for.X]` that hold for an account, the one that wins first.
    fn overrides<'t, 'i>(
        &self,
        table: &'t DeTable<'i>,
        account: Option<&AccountName>,
    ) -> impl Iterator<Item = &'t DeTable<'i>> {
        let names = account.map(|name| {
            let network = self.calendar.as_ref().and_then(|calendar| calendar.accounts.get(name));
            [Some(name.as_str().to_owned()), network.map(|account| account.network.clone())]
        });
        let tables = table.get("for").and_then(|tables| tables.get_ref().as_table());
        names.into_iter().flatten().flatten().filter_map(move |name| tables?.get(name.as_str())?.get_ref().as_table())
    }
}

/// The place inside a key's value.
fn piece(source: &str, value: &Spanned<DeValue<'_>>, place: &Place) -> Range<usize> {
    let member = |value: &Spanned<DeValue<'_>>, index: usize| {
        value.get_ref().as_array().and_then(|array| array.get(index)).map(Spanned::span)
    };
    let whole = value.span();
    match place {
        Place::Post | Place::Key { .. } => whole,
        Place::Text { index, start, end, .. } => {
            let entry = value.get_ref().as_array().and_then(|array| array.get(*index));
            let string = match entry.and_then(|entry| entry.get_ref().as_table()) {
                // An entry of `fallback`; where it has no text, all of it is meant.
                Some(table) => match table.get("text") {
                    Some(text) => text.span(),
                    None => return member(value, *index).unwrap_or(whole),
                },
                None => member(value, *index).unwrap_or(whole),
            };
            let Some(raw) = source.get(string.clone()) else { return string };
            let range = text_span::map(raw, *start..*end);
            string.start + range.start..string.start + range.end
        }
        Place::Media { index, key } => {
            let entry = value.get_ref().as_array().and_then(|array| array.get(*index));
            let inner = entry.and_then(|entry| entry.get_ref().as_table()?.get(*key)).map(Spanned::span);
            inner.or_else(|| entry.map(Spanned::span)).unwrap_or(whole)
        }
        Place::PollOption { index } => {
            let options = value.get_ref().as_table().and_then(|poll| poll.get("options"));
            options.map_or(whole, |options| member(options, *index).unwrap_or_else(|| options.span()))
        }
    }
}
