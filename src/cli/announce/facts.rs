//! The facts of a release: what options say, then what the job knows, then what follows from the rest; and where each of
//! them is from. All of it is somebody's text, so it is bounded and cleaned here, once.

use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};

use super::super::Failure;
use super::Args;
use super::forge::{Environment, Job};
use crate::calendar::Calendar;
use crate::model::{Release, is_early};
use crate::text::{LARGEST_CHANGELOG, Section, section};

/// The longest tag, in bytes: it is part of names.
const LONGEST_TAG: usize = 200;

/// The longest address, in bytes.
const LONGEST_URL: usize = 2_000;

/// The longest name of a project, in characters.
const LONGEST_NAME: usize = 200;

/// The longest notes, in bytes. Forges take less.
const LONGEST_NOTES: usize = 1024 * 1024;

/// A job may be run again for so long on the forges that say: what it announced is looked for no further back.
const OLDEST: TimeDelta = TimeDelta::days(30);

/// How far back somebody may have announced a release of which nothing says when it was made.
const UNDATED: TimeDelta = TimeDelta::days(7);

/// A fact, and where it is from.
#[derive(Debug, Clone)]
pub(super) struct Known<T> {
    pub(super) value: T,
    /// An option, a variable, a key of a payload.
    pub(super) from: String,
}

impl<T> Known<T> {
    fn new(value: T, from: impl Into<String>) -> Self {
        Self { value, from: from.into() }
    }
}

/// A release, with where its facts are from.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) release: Release,
    /// It was not announced before this.
    pub(super) since: DateTime<Utc>,
    /// Nothing says what is new.
    pub(super) has_notes: bool,
    /// The changelog has no section of it: no matter where no post is chosen for it.
    pub(super) unwritten: Option<Failure>,
    sources: Vec<(&'static str, String)>,
}

/// What was found out.
#[derive(Debug)]
pub(super) enum Gathered {
    /// A release.
    Release(Box<Told>),
    /// What has happened is nothing to be announced; why.
    Nothing(String),
}

impl Told {
    /// Each fact with its source, a line each.
    pub(super) fn told(&self) -> String {
        let mut text = String::new();
        for (fact, from) in &self.sources {
            let _ = writeln!(text, "{fact}: {from}");
        }
        text
    }
}

/// Gathers the facts of the release that is to be announced.
pub(super) fn gather(
    args: &Args,
    environment: &Environment<'_>,
    calendar: &Calendar,
    now: DateTime<Utc>,
) -> Result<Gathered, Failure> {
    let job = Job::read(environment, args.tag.as_deref())?;
    if let Some(why) = job.refused {
        return Err(Failure::new(format!("{why}; nothing was announced")).hint("announce it when it is published"));
    }
    if let Some(why) = job.skipped.filter(|_| args.tag.is_none()) {
        return Ok(Gathered::Nothing(why));
    }
    let given = |value: Option<&String>, option: &str| value.cloned().map(|value| Known::new(value, option));
    let tag = given(args.tag.as_ref(), "--tag").or(job.tag).ok_or_else(|| {
        Failure::usage("which release? no --tag is given, and the environment is of no job for a tag or a release")
            .hint("give --tag, as in `smm announce --tag v2.0.0`")
    })?;
    check_tag(&tag)?;
    let named = Release { tag: tag.value.clone(), ..Release::default() };
    let (changelog, unwritten) = match args.from_changelog.as_deref().map(|path| changelog(path, &named)).transpose()? {
        Some(Ok(found)) => (Some(found), None),
        Some(Err(unwritten)) => (None, Some(unwritten)),
        None => (None, None),
    };
    let (notes, section) = match (&args.notes, changelog) {
        (Some(path), _) => (Some(Known::new(notes(path)?, format!("--notes {}", path.display()))), None),
        (None, Some((section, from))) => (Some(Known::new(section.notes.clone(), &from)), Some((section, from))),
        (None, None) => (job.notes, None),
    };
    let notes = notes.map(clean_notes).transpose()?;
    let url = given(args.url.as_ref(), "--url").or(job.url).or_else(|| job.pages.map(|pages| pages.of(&tag.value)));
    let url = url.map(check_url).transpose()?;
    let project = given(args.project.as_ref(), "--project").or(job.project);
    let project = project.unwrap_or_else(|| Known::new(calendar.name.to_string(), "the calendar's name"));
    let version = named.version().to_owned();
    let prerelease = args.prerelease.map(|value| Known::new(value, "--prerelease")).or(job.prerelease);
    let prerelease = prerelease.unwrap_or_else(|| Known::new(is_early(&version), "the version's form"));
    let dated = section.as_ref().and_then(|(section, from)| Some(Known::new(section.date?, from)));
    let date = match (&job.published, dated) {
        (Some(at), _) => Known::new(calendar.zone.civil(at.value).date(), &at.from),
        (None, Some(date)) => date,
        (None, None) => Known::new(calendar.zone.civil(now).date(), "today"),
    };
    let before = section.as_ref().and_then(|(section, from)| Some(Known::new(like(&tag.value, section)?, from)));
    let previous = given(args.previous.as_ref(), "--previous").or(before);
    if let Some(previous) = &previous {
        check_tag(previous)?;
    }
    let mut sources = vec![("tag", format!("{} ({})", tag.value, tag.from))];
    sources.push(("project", format!("{} ({})", project.value, project.from)));
    sources.push(("url", url.as_ref().map_or("none".to_owned(), |url| format!("{} ({})", url.value, url.from))));
    let size = |notes: &Known<String>| format!("{} characters ({})", notes.value.chars().count(), notes.from);
    sources.push(("notes", notes.as_ref().map_or("none".to_owned(), size)));
    sources.push(("prerelease", format!("{} ({})", prerelease.value, prerelease.from)));
    sources.push(("date", format!("{} ({})", date.value, date.from)));
    if let Some(previous) = &previous {
        sources.push(("previous", format!("{} ({})", previous.value, previous.from)));
    }
    let since = job.published.map_or(now - UNDATED, |at| at.value.clamp(now - OLDEST, now));
    let has_notes = notes.is_some();
    let release = Release {
        project: clean(&project.value).chars().take(LONGEST_NAME).collect(),
        tag: tag.value,
        url: url.map(|url| url.value).unwrap_or_default(),
        notes: notes.map(|notes| notes.value).unwrap_or_default(),
        date: date.value.to_string(),
        prerelease: prerelease.value,
        previous: previous.map(|previous| previous.value).unwrap_or_default(),
    };
    Ok(Gathered::Release(Box::new(Told { release, since, has_notes, unwritten, sources })))
}

/// The tag of the section before, written as the tags are: with the `v` that they have and a changelog does without.
fn like(tag: &str, section: &Section) -> Option<String> {
    let previous = section.previous.as_deref()?;
    let release = Release { tag: tag.to_owned(), ..Release::default() };
    let before = tag.strip_suffix(release.version()).unwrap_or_default();
    if before.is_empty() || previous.starts_with(before) || previous.contains(['/', '@']) {
        return Some(previous.to_owned());
    }
    Some(format!("{before}{}", previous.strip_prefix(['v', 'V']).unwrap_or(previous)))
}

/// A tag by git's rules, which keep it apart from all else that names what is published.
fn check_tag(tag: &Known<String>) -> Result<(), Failure> {
    let text = tag.value.as_str();
    let why = if text.is_empty() {
        "is empty"
    } else if text.len() > LONGEST_TAG {
        "is too long"
    } else if text.chars().any(|c| c.is_control() || c.is_whitespace() || crate::text::is_hidden(c)) {
        "has white space or hidden characters in it"
    } else if text.contains(['~', '^', ':', '?', '*', '[', '\\'])
        || text.contains("..")
        || text.contains("@{")
        || text.starts_with(['-', '/'])
        || text.ends_with(['/', '.'])
        || text.strip_suffix(".lock").is_some()
    {
        "is not one that git allows"
    } else {
        return Ok(());
    };
    let shown: String = text.chars().take(60).collect();
    Err(Failure::usage(format!("the tag `{shown}` ({}) {why}", tag.from))
        .hint("give the release's tag, as in `v2.0.0`"))
}

fn check_url(url: Known<String>) -> Result<Known<String>, Failure> {
    let text = url.value.trim();
    let good = text.len() <= LONGEST_URL
        && (text.starts_with("https://") || text.starts_with("http://"))
        && !text.chars().any(|c| c.is_control() || c.is_whitespace() || crate::text::is_hidden(c))
        && url::Url::parse(text).is_ok_and(|parsed| parsed.host().is_some() && parsed.username().is_empty());
    if good {
        return Ok(Known::new(text.to_owned(), url.from));
    }
    let shown: String = text.chars().take(100).collect();
    Err(Failure::usage(format!("`{shown}` ({}) is not the address of a page", url.from))
        .hint("give it with its scheme, as in `https://acme.example/2.0`"))
}

/// Notes without what no text has, in the size that is taken.
fn clean_notes(notes: Known<String>) -> Result<Known<String>, Failure> {
    if notes.value.len() > LONGEST_NOTES {
        return Err(Failure::new(format!("the notes have more than {} KiB ({})", LONGEST_NOTES / 1024, notes.from))
            .hint("give shorter ones with --notes"));
    }
    Ok(Known::new(clean(&notes.value).trim().to_owned(), notes.from))
}

/// Line ends as everywhere, and no control characters but these.
fn clean(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

/// Reads notes from a file or from stdin.
fn notes(path: &Path) -> Result<String, Failure> {
    if path == Path::new("-") {
        return read(std::io::stdin().lock(), LONGEST_NOTES, "stdin");
    }
    read_file(path, LONGEST_NOTES)
}

/// Reads the release's section, and where it is from; or says that there is none.
fn changelog(path: &Path, release: &Release) -> Result<Result<(Section, String), Failure>, Failure> {
    let text = read_file(path, LARGEST_CHANGELOG)?;
    let from = format!("--from-changelog {}", path.display());
    let found = section(&text, &release.tag, release.version());
    Ok(found
        .map(|found| (found, from))
        .map_err(|error| Failure::new(format!("{}: {error}; nothing was announced", path.display()))))
}

fn read_file(path: &Path, most: usize) -> Result<String, Failure> {
    let name = path.display().to_string();
    let file = std::fs::File::open(path).map_err(|error| {
        Failure::new(format!("{name} cannot be read: {error}")).hint("name a file of Markdown, or `-` for stdin")
    })?;
    read(file, most, &name)
}

fn read(source: impl Read, most: usize, name: &str) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let cannot = |why: String| Failure::new(format!("{name} cannot be read: {why}"));
    source.take(most as u64 + 1).read_to_end(&mut bytes).map_err(|error| cannot(error.to_string()))?;
    if bytes.len() > most {
        return Err(cannot(format!("it has more than {} KiB", most / 1024)));
    }
    String::from_utf8(bytes).map_err(|_| cannot("it is not UTF-8".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_those_of_git() {
        let check = |tag: &str| check_tag(&Known::new(tag.to_owned(), "--tag")).is_ok();
        for good in ["v2.0.0", "2.0", "cli/v1", "@acme/cli@2.0.0", "release-2026-11-01", "v1.0.0+build.5", "ä"] {
            assert!(check(good), "{good}");
        }
        let long = "v".repeat(201);
        for bad in ["", " v1", "v1\n", "v\u{202e}1", "a:b", "v1^{}", "a..b", "-v1", "v1/", "v1.lock", "a@{1}", &long] {
            assert!(!check(bad), "{bad}");
        }
    }

    #[test]
    fn addresses_are_of_pages() {
        let check = |url: &str| check_url(Known::new(url.to_owned(), "--url")).is_ok();
        for good in ["https://acme.example/2.0", "http://localhost:3000/x?y#z"] {
            assert!(check(good), "{good}");
        }
        for bad in ["", "acme.example", "javascript:alert(1)", "https://", "https://a b", "https://me:pw@a.example/"] {
            assert!(!check(bad), "{bad}");
        }
    }

    #[test]
    fn the_tag_before_is_written_as_tags_are() {
        let section =
            |previous: &str| Section { notes: String::new(), date: None, previous: Some(previous.to_owned()) };
        assert_eq!(like("v2.0.0", &section("1.5.0")).as_deref(), Some("v1.5.0"));
        assert_eq!(like("v2.0.0", &section("v1.5.0")).as_deref(), Some("v1.5.0"));
        assert_eq!(like("2.0.0", &section("1.5.0")).as_deref(), Some("1.5.0"));
        assert_eq!(like("cli/v2.0.0", &section("1.5.0")).as_deref(), Some("cli/v1.5.0"));
        assert_eq!(like("@acme/cli@2.0.0", &section("@acme/cli@1.5.0")).as_deref(), Some("@acme/cli@1.5.0"));
    }

    #[test]
    fn notes_lose_what_no_text_has() {
        let notes = clean_notes(Known::new("\u{1b}[31mRed\r\n\r\n- a\tb\u{0}\r\n".to_owned(), "x")).expect("taken");
        assert_eq!(notes.value, "[31mRed\n\n- a\tb");
        assert!(clean_notes(Known::new("x".repeat(LONGEST_NOTES + 1), "x")).is_err());
    }
}
