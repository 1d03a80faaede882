//! The calendar with everything that it includes, in one pass over each file.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::account::{self, Home};
use super::file::{self, MAX_BYTES, Opened};
use super::places::{Form, Origin, Places};
use super::post::{Context, Defaults};
use super::raw::{MissingAlt, RawAccount, RawCalendar, RawCampaign, RawPart, RawPost, RawUtm};
use super::read::{At, Finding, Reader, read_table};
use super::scalar::Named;
use super::tree::{Disk, Tree};
use super::{Calendar, Config, Known, Loaded, SourceFile, Sources, Span, include, markdown, recover, suggest};
use crate::model::{AccountName, CalendarName, Campaign, Post, PostId, Severity, Utm, codes};
use crate::time::Zone;

/// Most posts of one calendar.
const MAX_POSTS: usize = 2_000_000;

/// Reads a calendar and what it includes. `config` gives the credentialed accounts.
pub fn load(path: &Path, config: &Config, known: &Known) -> Loaded {
    let bytes = file::read(path, MAX_BYTES);
    load_bytes(&Disk::new(&folder_of(path)), path, bytes, config, known)
}

/// Reads a calendar as [`load`] does, from another state of the folder that it is in. `path` is where it is in the
/// present one: its media are looked for there.
pub fn load_from(tree: &dyn Tree, path: &Path, config: &Config, known: &Known) -> Loaded {
    let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(|| "its name is not Unicode".to_owned());
    load_bytes(tree, path, name.and_then(|name| tree.read(name, MAX_BYTES)), config, known)
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn load_bytes(tree: &dyn Tree, path: &Path, bytes: Result<Vec<u8>, String>, config: &Config, known: &Known) -> Loaded {
    let mut load = Load::new(tree, path, config, known);
    let shown = path.display().to_string();
    let mut findings = Vec::new();
    let mut head = None;
    match bytes.map(|bytes| file::opened(bytes, shown.clone(), 0, &mut findings)) {
        Ok(opened) => {
            load.room -= opened.source.text.len() as u64;
            head = Some(load.main(&opened, &mut findings, config));
            load.push(opened, &mut findings);
        }
        Err(why) => {
            load.sources.files.push(SourceFile::new(shown.clone(), ""));
            let finding = Finding::error(
                codes::FILE_NOT_READ,
                Span { file: 0, start: 0, end: 0 },
                format!("cannot read {shown}: {why}"),
            );
            findings.push(finding);
        }
    }
    load.findings.append(&mut findings);
    let head = head.unwrap_or_default();
    for pattern in head.include {
        load.include(&pattern);
    }
    load.finish(head.name, head.missing_alt_warns)
}

/// What the calendar itself says beside its posts.
#[derive(Debug, Default)]
struct Head {
    name: Option<CalendarName>,
    include: Vec<At<String>>,
    missing_alt_warns: bool,
}

/// A calendar while it is read.
#[derive(Debug)]
struct Load<'a> {
    tree: &'a dyn Tree,
    context: Context<'a>,
    folder: PathBuf,
    /// The calendar's own file name, so that `*.toml` does not include it.
    own: Option<String>,
    /// `smm.toml` names a place that networks may fetch media from.
    media_host: bool,
    /// Bytes that may still be read.
    room: u64,
    findings: Vec<Finding>,
    sources: Sources,
    included: HashMap<String, Span>,
    campaigns: BTreeMap<String, Campaign>,
    posts: Vec<Post>,
    ids: Vec<PostId>,
    places: Places,
    /// A second place of an id: second, first.
    duplicates: Vec<(PostId, Span, Span)>,
    /// Names to be looked up when every file has been read.
    campaigns_used: Vec<(At<String>, PostId)>,
    renamed: Vec<(At<String>, PostId)>,
}

impl<'a> Load<'a> {
    fn new(tree: &'a dyn Tree, path: &Path, config: &Config, known: &'a Known) -> Self {
        Self {
            tree,
            context: Context {
                known,
                zone: None,
                accounts: config.accounts.clone(),
                broken_accounts: config.broken_accounts.iter().cloned().collect(),
                defaults: Defaults::default(),
                rules: HashMap::new(),
            },
            folder: folder_of(path),
            own: path.file_name().and_then(|name| name.to_str()).map(str::to_owned),
            media_host: config.media_host.is_some(),
            room: MAX_BYTES,
            findings: Vec::new(),
            sources: Sources::default(),
            included: HashMap::new(),
            campaigns: BTreeMap::new(),
            posts: Vec::new(),
            ids: Vec::new(),
            places: Places::default(),
            duplicates: Vec::new(),
            campaigns_used: Vec::new(),
            renamed: Vec::new(),
        }
    }

    /// Keeps a file that was read, with what was found in it.
    fn push(&mut self, opened: Opened, findings: &mut Vec<Finding>) {
        opened.settle(self.sources.files.len(), findings);
        self.findings.append(findings);
        self.sources.files.push(opened.source);
    }

    fn main(&mut self, opened: &Opened, findings: &mut Vec<Finding>, config: &Config) -> Head {
        let text = &opened.source.text;
        let before = findings.len();
        let (mut reader, table) = Reader::parse(findings, 0, text, 0);
        if !reader.is_broken() {
            return self.head(&mut reader, text, table, config);
        }
        findings.truncate(before);
        let pieces = recover::split(text);
        let (mut reader, table) = Reader::parse(findings, 0, &pieces.head, 0);
        let head = self.head(&mut reader, &pieces.head, table, config);
        self.pieces(findings, 0, text, pieces.posts);
        head
    }

    /// The posts of a file that is broken, each alone.
    fn pieces(&mut self, findings: &mut Vec<Finding>, file: usize, text: &str, posts: Vec<Range<usize>>) {
        for range in posts {
            let text = &text[range.clone()];
            let (mut reader, mut table) = Reader::parse(findings, file, text, range.start);
            if let Some(posts) = table.remove("posts") {
                self.posts(&mut reader, text, posts);
            }
        }
    }

    /// The calendar's own file: everything that is not a post, then its posts.
    fn head(&mut self, reader: &mut Reader<'_>, text: &str, mut table: DeTable<'_>, config: &Config) -> Head {
        let posts = table.remove("posts");
        let raw: RawCalendar = read_table(table, reader);
        let missing = |reader: &mut Reader<'_>, key: &str, help: &str| {
            if !reader.is_broken() {
                let start = reader.span(0..0);
                reader.error(codes::MISSING_KEY, start, format!("the calendar has no `{key}`")).help(help);
            }
        };
        let name = if let Some(name) = raw.name {
            if PostId::parse(&name.value).is_ok() {
                Some(CalendarName::new(name.value))
            } else {
                let rule = "a calendar's name starts with a letter or digit and has only letters, digits, `-`, `_` and `.`, at most 100";
                reader.error(codes::BAD_ID, name.span, rule);
                None
            }
        } else {
            if !raw.unreadable.contains(&"name") {
                missing(
                    reader,
                    "name",
                    "add `name = \"acme\"`: with a post's id it names what was published, for ever",
                );
            }
            None
        };
        match raw.timezone {
            Some(zone) => match Zone::parse(&zone.value) {
                Ok(zone) => self.context.zone = Some(zone),
                Err(error) => account::unknown_zone(reader, zone.span, &error),
            },
            None => {
                if !raw.unreadable.contains(&"timezone") {
                    missing(
                        reader,
                        "timezone",
                        "add `timezone = \"Europe/Berlin\"`, or `\"UTC\"`: times are meant in it",
                    );
                }
            }
        }
        if let Some(accounts) = raw.accounts {
            self.accounts(reader, accounts.value, config);
        }
        if let Some(zone) = &self.context.zone {
            // Hours are those of the calendar's readers where the operator names no others.
            for account in self.context.accounts.values_mut().filter(|account| !account.blackout.is_empty()) {
                account.timezone.get_or_insert_with(|| zone.name().to_owned());
            }
        }
        if let Some(defaults) = raw.defaults {
            self.places.set_defaults(&defaults.value);
            self.context.set_defaults(reader, defaults.value);
        }
        if let Some(campaigns) = raw.campaigns {
            self.campaigns(reader, campaigns.value);
        }
        if let Some(posts) = posts {
            self.posts(reader, text, posts);
        }
        let missing_alt = raw.check.and_then(|check| check.value.missing_alt);
        Head {
            name,
            include: raw.include.map(|include| include.value).unwrap_or_default(),
            missing_alt_warns: missing_alt.is_some_and(|word| word.value.0 == MissingAlt::Warn),
        }
    }

    fn accounts(&mut self, reader: &mut Reader<'_>, accounts: Named<RawAccount>, config: &Config) {
        for (name, raw) in accounts.0 {
            if config.accounts.contains_key(&AccountName::new(name.value.as_str())) {
                let place = config.path.as_deref().unwrap_or(Path::new("smm.toml")).display().to_string();
                reader
                    .error(
                        codes::SHADOWED_ACCOUNT,
                        name.span,
                        format!("account `{}` is declared in {place} already", name.value),
                    )
                    .help("give this one another name: a calendar may not take the place of the operator's account");
                continue;
            }
            match account::resolve(reader, &name, raw, self.context.known, Home::Calendar) {
                Some(account) => _ = self.context.accounts.insert(account.name.clone(), account),
                None => _ = self.context.broken_accounts.insert(name.value),
            }
        }
    }

    fn campaigns(&mut self, reader: &mut Reader<'_>, campaigns: Named<RawCampaign>) {
        for (name, raw) in campaigns.0 {
            if self.campaigns.contains_key(&name.value) {
                reader.error(
                    codes::DUPLICATE_KEY,
                    name.span,
                    format!("campaign `{}` is declared in another file already", name.value),
                );
                continue;
            }
            let text = |value: Option<At<String>>| value.map(|value| value.value);
            let RawUtm { source, medium, campaign, term, content, .. } =
                raw.value.utm.map(|utm| utm.value).unwrap_or_default();
            let utm = Utm {
                source: text(source),
                medium: text(medium),
                campaign: text(campaign),
                term: text(term),
                content: text(content),
            };
            self.campaigns.insert(name.value, Campaign { goal: text(raw.value.goal), utm });
        }
    }

    /// The `posts` of a file.
    fn posts(&mut self, reader: &mut Reader<'_>, text: &str, posts: Spanned<DeValue<'_>>) {
        let range = posts.span();
        let array = match posts.into_inner() {
            DeValue::Array(array) => array,
            other => {
                if let Some(finding) = reader.wrong_type("a list of tables", &other, range) {
                    finding.help("write `[[posts]]`, with two brackets, before each post");
                }
                return;
            }
        };
        let mut members = array.into_iter().peekable();
        while let Some(member) = members.next() {
            let header = member.span();
            let inline = text[header.start..].starts_with('{');
            let end = match members.peek() {
                _ if inline => header.end,
                Some(next) => next.span().start,
                None => text.len(),
            };
            match member.into_inner() {
                DeValue::Table(table) => {
                    let form = if inline { Form::Inline } else { Form::Header };
                    self.post(reader, table, header.clone(), header.start..end, form);
                }
                other => _ = reader.wrong_type("a table", &other, header),
            }
        }
    }

    /// One post. `at`: where it is shown as a whole when it has no id; `range`: all of its bytes.
    fn post(&mut self, reader: &mut Reader<'_>, table: DeTable<'_>, at: Range<usize>, range: Range<usize>, form: Form) {
        if self.ids.len() >= MAX_POSTS {
            return;
        }
        let id = table.get("id").and_then(|id| id.get_ref().as_str()).map(PostId::parse);
        reader.post = id.as_ref().and_then(|id| id.as_ref().ok()).cloned();
        reader.patchy = reader.is_broken_in(range.clone());
        let before = reader.errors;
        let raw: RawPost = read_table(table, reader);
        let at = raw.id.as_ref().map_or_else(|| reader.span(at), |id| id.span);
        let trigger = Places::trigger(&raw);
        let offset = reader.span(0..0).start;
        let origin = Origin::new(reader.file, range.start + offset..range.end + offset, at, trigger, form);
        match (&raw.id, id) {
            (Some(_), Some(Ok(id))) => {
                if let Some(first) = self.places.insert(&id, origin) {
                    self.duplicates.push((id.clone(), at, first));
                } else {
                    self.ids.push(id.clone());
                }
                let resolved = self.context.post(reader, id.clone(), at, raw, form == Form::Markdown);
                if let Some(campaign) = resolved.campaign {
                    self.campaigns_used.push((campaign, id.clone()));
                }
                if let Some(old) = resolved.renamed_from {
                    self.renamed.push((old, id));
                }
                if reader.errors == before && !reader.patchy {
                    self.posts.push(resolved.post);
                }
            }
            (Some(_), Some(Err(error))) => {
                reader.error(codes::BAD_ID, at, error.to_string()).help("write for example `autumn-launch`");
                self.context.post(reader, PostId::new("?"), at, raw, form == Form::Markdown);
            }
            _ => {
                if !raw.unreadable.contains(&"id") && !reader.patchy {
                    reader
                        .error(codes::MISSING_ID, at, "the post has no `id`")
                        .help("add `id = \"…\"`: it names what was published, so that it is never published twice");
                }
                self.context.post(reader, PostId::new("?"), at, raw, form == Form::Markdown);
            }
        }
        reader.post = None;
        reader.patchy = false;
    }

    fn include(&mut self, pattern: &At<String>) {
        if let Some(why) = include::refuse(&pattern.value) {
            let mut bad =
                Finding::error(codes::BAD_INCLUDE, pattern.span, format!("`{}` cannot be included", pattern.value));
            bad.help(why);
            self.findings.push(bad);
            return;
        }
        let is_plain = !pattern.value.contains(['*', '?']);
        let matches = include::expand(self.tree, &pattern.value);
        for link in &matches.symlinks {
            let mut bad = Finding::error(
                codes::INCLUDE_SYMLINK,
                pattern.span,
                format!("`{link}` is a symlink, which is not followed"),
            );
            bad.help("include the file itself: a link may lead out of the calendar's folder");
            self.findings.push(bad);
        }
        for (folder, why) in &matches.unreadable {
            let message = format!("cannot read the folder `{folder}`: {why}");
            self.findings.push(Finding::error(codes::FILE_NOT_READ, pattern.span, message));
        }
        if matches.too_many {
            let mut bad = Finding::error(
                codes::BAD_INCLUDE,
                pattern.span,
                format!("`{}` walks over too many files", pattern.value),
            );
            bad.help("name the folder that the posts are in");
            self.findings.push(bad);
        }
        if matches.files.is_empty() && matches.symlinks.is_empty() {
            let mut empty =
                Finding::error(codes::NOTHING_INCLUDED, pattern.span, format!("`{}` matches no file", pattern.value));
            empty.severity = Severity::Warning;
            self.findings.push(empty);
        }
        for file in matches.files {
            // A wildcard does not mean the calendar itself, nor the operator's file beside it.
            let is_own = self.own.as_ref() == Some(&file);
            if !is_plain && (is_own || file == "smm.toml") {
                continue;
            }
            if is_own {
                let mut bad =
                    Finding::error(codes::INCLUDE_TWICE, pattern.span, "a calendar does not include itself".to_owned());
                bad.help("remove this entry");
                self.findings.push(bad);
            } else if self.included.insert(file.clone(), pattern.span).is_some() {
                let mut bad = Finding::error(
                    codes::INCLUDE_TWICE,
                    pattern.span,
                    format!("`{file}` is included already, by another entry"),
                );
                bad.help("let each file be matched by one entry alone");
                self.findings.push(bad);
            } else {
                self.file(&file, pattern.span);
            }
        }
    }

    /// Reads an included file.
    fn file(&mut self, name: &str, asked: Span) {
        let index = self.sources.files.len();
        let mut findings = Vec::new();
        let opened = match self.tree.read(name, self.room) {
            Ok(bytes) => file::opened(bytes, self.shown(name), index, &mut findings),
            Err(why) => {
                self.findings.push(Finding::error(
                    codes::FILE_NOT_READ,
                    asked,
                    format!("cannot include `{name}`: {why}"),
                ));
                return;
            }
        };
        self.room -= (opened.source.text.len() as u64).min(self.room);
        let ending = Path::new(name).extension().and_then(|ending| ending.to_str()).unwrap_or("");
        match ending {
            "toml" => self.part(&opened, index, &mut findings),
            "md" | "markdown" => self.markdown(&opened, index, &mut findings),
            _ => {
                let mut bad =
                    Finding::error(codes::BAD_INCLUDE, asked, format!("`{name}` is neither TOML nor Markdown"));
                bad.help("only files that end in `.toml` or `.md` can be included");
                findings.push(bad);
            }
        }
        self.push(opened, &mut findings);
    }

    /// A path as shown: relative to where the calendar was given.
    fn shown(&self, name: &str) -> String {
        let path = if self.folder == Path::new(".") { PathBuf::from(name) } else { self.folder.join(name) };
        path.display().to_string()
    }

    /// More posts, in TOML.
    fn part(&mut self, opened: &Opened, index: usize, findings: &mut Vec<Finding>) {
        let text = &opened.source.text;
        let before = findings.len();
        let (mut reader, table) = Reader::parse(findings, index, text, 0);
        if !reader.is_broken() {
            return self.part_head(&mut reader, text, table);
        }
        findings.truncate(before);
        let pieces = recover::split(text);
        let (mut reader, table) = Reader::parse(findings, index, &pieces.head, 0);
        self.part_head(&mut reader, &pieces.head, table);
        self.pieces(findings, index, text, pieces.posts);
    }

    /// An included file: its campaigns, then its posts.
    fn part_head(&mut self, reader: &mut Reader<'_>, text: &str, mut table: DeTable<'_>) {
        for key in ["include", "name", "timezone", "accounts", "defaults", "check"] {
            if let Some((key, _)) = table.remove_entry(key) {
                let span = reader.span(key.span());
                let key = key.get_ref();
                if key == "include" {
                    reader
                        .error(codes::NESTED_INCLUDE, span, "an included file includes no others")
                        .help("move this to the calendar");
                } else {
                    reader
                        .error(
                            codes::UNKNOWN_KEY,
                            span,
                            format!("`{key}` is said in the calendar, not in a file that it includes"),
                        )
                        .help("move this to the calendar");
                }
            }
        }
        let posts = table.remove("posts");
        let raw: RawPart = read_table(table, reader);
        if let Some(campaigns) = raw.campaigns {
            self.campaigns(reader, campaigns.value);
        }
        if let Some(posts) = posts {
            self.posts(reader, text, posts);
        }
    }

    /// One post, in Markdown.
    fn markdown(&mut self, opened: &Opened, index: usize, findings: &mut Vec<Finding>) {
        let text = &opened.source.text;
        let pieces = match markdown::split(text) {
            Ok(pieces) => pieces,
            Err(error) => {
                let span = Span { file: index, start: error.at.start, end: error.at.end };
                let mut bad = Finding::error(codes::BAD_FRONT_MATTER, span, error.message.to_owned());
                bad.help(error.help);
                findings.push(bad);
                return;
            }
        };
        let front = &text[pieces.front.clone()];
        let (mut reader, mut table) = Reader::parse(findings, index, front, pieces.front.start);
        if !pieces.body.is_empty() {
            if let Some((key, _)) = table.get_key_value("body") {
                let span = reader.span(key.span());
                reader
                    .error(codes::DUPLICATE_KEY, span, "the text below the front matter is the `body` already")
                    .help("remove one of the two");
            } else {
                // Borrowed from the file, and read as if it stood in the front matter. Its own place comes from `Places`.
                let body = DeValue::String(text[pieces.body].into());
                table.insert(Spanned::new(0..0, "body".into()), Spanned::new(0..0, body));
            }
        }
        self.post(&mut reader, table, 0..0, 0..front.len(), Form::Markdown);
    }

    /// What can only be said when every file has been read.
    fn finish(mut self, name: Option<CalendarName>, missing_alt_warns: bool) -> Loaded {
        for (id, second, first) in std::mem::take(&mut self.duplicates) {
            let (place, _) = self.sources.locate(first);
            let path = self.sources.path(first);
            let mut double = Finding::error(
                codes::DUPLICATE_ID,
                second,
                format!("id `{id}` is taken by the post at {path}:{}", place.line),
            );
            double.help("give this post an id of its own");
            double.post = Some(id);
            self.findings.push(double);
        }
        for (campaign, post) in std::mem::take(&mut self.campaigns_used) {
            if !self.campaigns.contains_key(&campaign.value) {
                let mut unknown = Finding::error(
                    codes::UNKNOWN_CAMPAIGN,
                    campaign.span,
                    format!("there is no campaign `{}`", campaign.value),
                );
                unknown.help = if self.campaigns.is_empty() {
                    Some(format!("declare it: `[campaigns.{}]`", campaign.value))
                } else {
                    suggest::help(&campaign.value, self.campaigns.keys().map(String::as_str))
                };
                unknown.post = Some(post);
                self.findings.push(unknown);
            }
        }
        let mut names = HashMap::new();
        for (old, post) in std::mem::take(&mut self.renamed) {
            let taken = self.places.contains(&PostId::new(old.value.as_str()));
            let message = if taken {
                format!("a post with the id `{}` is still there", old.value)
            } else if let Some(other) = names.insert(old.value.clone(), post.clone()) {
                format!("post `{other}` was renamed from `{}` too", old.value)
            } else {
                continue;
            };
            let mut clash = Finding::error(codes::RENAMED_FROM_TAKEN, old.span, message);
            clash.help("`renamed_from` names the one id that this post had before, and that no other post has");
            clash.post = Some(post);
            self.findings.push(clash);
        }
        self.drop_posts_with_errors();
        self.findings.sort_by_key(|finding| (finding.span, finding.code));
        let complete =
            !self.findings.iter().any(|finding| finding.severity == Severity::Error && finding.post.is_none());
        let diagnostics = self.findings.into_iter().map(|finding| finding.locate(&self.sources)).collect();
        let calendar = match (name, self.context.zone) {
            (Some(name), Some(zone)) => Some(Calendar {
                name,
                zone,
                folder: self.folder,
                posts: self.posts,
                accounts: self.context.accounts,
                campaigns: self.campaigns,
                missing_alt_warns,
                media_host: self.media_host,
            }),
            _ => None,
        };
        Loaded { calendar, diagnostics, sources: self.sources, ids: self.ids, complete, places: self.places }
    }

    /// Takes out the posts of which something was found only at the end.
    fn drop_posts_with_errors(&mut self) {
        let errors = self.findings.iter().filter(|finding| finding.severity == Severity::Error);
        let bad: HashSet<PostId> = errors.filter_map(|finding| finding.post.clone()).collect();
        if !bad.is_empty() {
            self.posts.retain(|post| !bad.contains(&post.id));
        }
    }
}
