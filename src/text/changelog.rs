//! A release's section of a changelog, as <https://keepachangelog.com/en/1.1.0/> has it: `## [2.0.0] - 2026-11-01` and what
//! stands below it. Verified 2026-11-23.
//!
//! The file is somebody's: nothing in it is believed beyond its form. Headings of the levels 1 to 3 may name a version,
//! since tools that write changelogs take any of them.

use chrono::NaiveDate;
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag};

use crate::model::nearest;

/// The largest changelog that is read, in bytes.
pub const LARGEST_CHANGELOG: usize = 16 * 1024 * 1024;

/// A release's section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// What it says, Markdown. The links that it refers to are written below it.
    pub notes: String,
    /// Its date.
    pub date: Option<NaiveDate>,
    /// The version that the next section is of, as it is written there.
    pub previous: Option<String>,
}

/// Why there is no section to be had. `Display` says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSection {
    /// It is not there.
    #[error("it has no section `## [{wanted}]`; {}", known(.nearest))]
    Missing {
        /// What was looked for.
        wanted: String,
        /// The nearest that there are.
        nearest: Vec<String>,
    },
    /// It was taken back.
    #[error("its section says that {0} was yanked")]
    Yanked(String),
    /// It says nothing.
    #[error("its section for {0} is empty")]
    Empty(String),
    /// There are several.
    #[error("it has more than one section for {0}")]
    Several(String),
}

fn known(nearest: &[String]) -> String {
    match nearest {
        [] => "no heading in it names a version".to_owned(),
        names => format!("there are sections for {}", names.join(", ")),
    }
}

/// A heading that names a version.
struct Heading {
    level: HeadingLevel,
    /// The version as written, or `Unreleased`.
    name: String,
    rest: String,
    /// Where the heading begins, and where what it is about begins.
    start: usize,
    body: usize,
}

/// The section of a version. `tag` is looked for as it is, and `version`, with or without a `v` before it.
pub fn section(changelog: &str, tag: &str, version: &str) -> Result<Section, NoSection> {
    let text = changelog.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    let parser = Parser::new_ext(&text, Options::empty());
    let mut links: Vec<(String, String, std::ops::Range<usize>)> = parser
        .reference_definitions()
        .iter()
        .map(|(label, link)| (label.to_owned(), text[link.span.clone()].trim_end().to_owned(), link.span.clone()))
        .collect();
    links.sort_by_key(|(_, _, span)| span.start);
    let (headings, all) = headings(&text, parser);
    let wanted = |heading: &&Heading| {
        let name = bare(&heading.name);
        name.eq_ignore_ascii_case(bare(tag)) || name.eq_ignore_ascii_case(bare(version))
    };
    let mut found = headings.iter().enumerate().filter(|(_, heading)| wanted(heading));
    let Some((at, heading)) = found.next() else {
        return Err(NoSection::Missing { wanted: version.to_owned(), nearest: nearest_to(version, &headings) });
    };
    if found.next().is_some() {
        return Err(NoSection::Several(heading.name.clone()));
    }
    if heading.rest.to_ascii_uppercase().contains("[YANKED]") {
        return Err(NoSection::Yanked(heading.name.clone()));
    }
    let next = headings.get(at + 1);
    let end = next.map_or(text.len(), |next| next.start);
    // A title above the next version, of another part of the file, ends it too.
    let end = all
        .iter()
        .find(|(start, level)| *start >= heading.body && *level < heading.level)
        .map_or(end, |it| it.0.min(end));
    let mut notes = String::new();
    let mut from = heading.body;
    for (_, _, span) in links.iter().filter(|(_, _, span)| span.start >= heading.body && span.end <= end) {
        notes.push_str(&text[from..span.start]);
        from = span.end;
    }
    notes.push_str(&text[from..end]);
    let notes = notes.trim();
    if notes.is_empty() {
        return Err(NoSection::Empty(heading.name.clone()));
    }
    let mut notes = notes.to_owned();
    let lower = notes.to_lowercase();
    let used: Vec<&str> = links
        .iter()
        .filter(|(label, ..)| lower.contains(&format!("[{}]", label.to_lowercase())))
        .map(|(_, line, _)| line.as_str())
        .collect();
    if !used.is_empty() {
        notes.push_str("\n\n");
        notes.push_str(&used.join("\n"));
    }
    let previous = headings[at + 1..].iter().find(|heading| is_version(&heading.name)).map(|next| next.name.clone());
    Ok(Section { notes, date: date(&heading.rest), previous })
}

/// The headings that name a version, and where each heading of any kind begins.
fn headings(text: &str, parser: Parser<'_>) -> (Vec<Heading>, Vec<(usize, HeadingLevel)>) {
    let (mut headings, mut all) = (Vec::new(), Vec::new());
    for (event, span) in parser.into_offset_iter() {
        let Event::Start(Tag::Heading { level, .. }) = event else { continue };
        all.push((span.start, level));
        if level > HeadingLevel::H3 {
            continue;
        }
        let title = text[span.clone()].lines().next().unwrap_or_default();
        let title = title.trim().trim_start_matches('#').trim_end_matches('#').trim();
        let (name, rest) = named(title);
        if is_version(name) || name.eq_ignore_ascii_case("unreleased") {
            headings.push(Heading {
                level,
                name: name.to_owned(),
                rest: rest.to_owned(),
                start: span.start,
                body: span.end,
            });
        }
    }
    (headings, all)
}

/// What a heading names, and the rest of it: `[2.0.0](https://…) - 2026-11-01`, `v2.0.0 (2026-11-01)`.
fn named(title: &str) -> (&str, &str) {
    if let Some((name, rest)) = title.strip_prefix('[').and_then(|title| title.split_once(']')) {
        return (name.trim(), rest);
    }
    let end = title.find(|c: char| c.is_whitespace() || c == '(' || c == ',').unwrap_or(title.len());
    title.split_at(end)
}

/// `2.0`, `v2.0.0-rc.1`, `cli/v2.0.0`, `@acme/cli@2.0.0`.
fn is_version(name: &str) -> bool {
    let last = bare(name.rsplit(['/', '@']).next().unwrap_or(name));
    last.starts_with(|c: char| c.is_ascii_digit()) && last.contains('.')
}

fn bare(name: &str) -> &str {
    name.strip_prefix(['v', 'V']).unwrap_or(name)
}

/// The first date in a text.
fn date(text: &str) -> Option<NaiveDate> {
    text.split(|c: char| !(c.is_ascii_digit() || c == '-'))
        .find_map(|word| NaiveDate::parse_from_str(word, "%Y-%m-%d").ok().filter(|_| word.len() == 10))
}

/// The version that is most like it, and the latest ones; five at most.
fn nearest_to(version: &str, headings: &[Heading]) -> Vec<String> {
    let names = || headings.iter().map(|heading| heading.name.as_str());
    let mut found: Vec<&str> = nearest(version, names()).into_iter().collect();
    for name in names() {
        if found.len() < 5 && !found.contains(&name) {
            found.push(name);
        }
    }
    found.into_iter().map(|name| name.chars().take(60).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANGELOG: &str = "\u{feff}# Changelog\r\n\r\nAll of it.\r\n\r\n## [Unreleased]\r\n\r\n- Not yet.\r\n\r\n\
        ## [2.0.0] - 2026-11-01\r\n\r\n### Added\r\n\r\n- A new [importer][docs], see [#12].\r\n\r\n```\r\n## [9.9.9]\r\n```\r\n\r\n\
        ### Fixed\r\n\r\n- A crash.\r\n\r\n## [1.5.0] - 2026-05-01 [YANKED]\r\n\r\n- Broken.\r\n\r\n## v1.0.0 (2026-01-01)\r\n\r\n\
        - The first.\r\n\r\n## 0.9.0\r\n\r\n[docs]: https://acme.example/docs \"Docs\"\r\n[#12]: https://acme.example/12\r\n\
        [2.0.0]: https://acme.example/2.0.0\r\n[1.0.0]: https://acme.example/1.0.0\r\n";

    fn of(tag: &str) -> Result<Section, NoSection> {
        section(CHANGELOG, tag, tag.trim_start_matches('v'))
    }

    #[test]
    fn a_section_is_found_whatever_its_heading_looks_like() {
        let found = of("v2.0.0").expect("it is there");
        assert_eq!(
            found.notes,
            "### Added\n\n- A new [importer][docs], see [#12].\n\n```\n## [9.9.9]\n```\n\n### Fixed\n\n- A crash.\n\n\
             [docs]: https://acme.example/docs \"Docs\"\n[#12]: https://acme.example/12"
        );
        assert_eq!(found.date, NaiveDate::from_ymd_opt(2026, 11, 1));
        assert_eq!(found.previous.as_deref(), Some("1.5.0"));
        let first = of("1.0.0").expect("it is there");
        assert_eq!((first.notes.as_str(), first.date), ("- The first.", NaiveDate::from_ymd_opt(2026, 1, 1)));
        assert_eq!(first.previous.as_deref(), Some("0.9.0"));
    }

    #[test]
    fn what_is_not_there_is_said() {
        let told = |tag| of(tag).expect_err("refused").to_string();
        let missing = told("v2.0.1");
        assert_eq!(
            missing,
            "it has no section `## [2.0.1]`; there are sections for 2.0.0, Unreleased, 1.5.0, v1.0.0, 0.9.0"
        );
        assert_eq!(told("1.5.0"), "its section says that 1.5.0 was yanked");
        assert_eq!(told("0.9.0"), "its section for 0.9.0 is empty");
        let fenced = told("9.9.9");
        assert!(fenced.contains("; there are sections for 0.9.0, Unreleased, 2.0.0, "), "in a code block: {fenced}");
        let twice = section("## 1.0\n\na\n\n## [1.0]\n\nb\n", "1.0", "1.0");
        assert_eq!(twice, Err(NoSection::Several("1.0".to_owned())));
        let none = section("# Hello\n", "1.0", "1.0").expect_err("refused").to_string();
        assert_eq!(none, "it has no section `## [1.0]`; no heading in it names a version");
    }

    #[test]
    fn what_tools_write_is_read() {
        let written = "# Changelog\n\n### [1.0.1](https://forge.example/compare/v1.0.0...v1.0.1) (2026-02-01)\n\n\
            ### Bug Fixes\n\n* it ([abc](https://forge.example/abc))\n\n## 1.0.0 (2026-01-01)\n\n### Features\n\n* all\n\n# Older\n\nx\n";
        let found = section(written, "v1.0.1", "1.0.1").expect("it is there");
        assert_eq!(found.notes, "### Bug Fixes\n\n* it ([abc](https://forge.example/abc))");
        assert_eq!(section(written, "v1.0.0", "1.0.0").expect("it is there").notes, "### Features\n\n* all");
        let parts = "## @acme/cli@2.0.0\n\n- a\n\n## cli/v1.0.0\n\n- b\n";
        assert_eq!(section(parts, "@acme/cli@2.0.0", "2.0.0").expect("it is there").notes, "- a");
        assert_eq!(section(parts, "cli/v1.0.0", "1.0.0").expect("it is there").notes, "- b");
    }

    #[test]
    fn a_hostile_file_ends_soon() {
        let deep = format!("{}## [1.0.0]\n\n{}\n", "> ".repeat(2_000), "[".repeat(50_000));
        let _ = section(&deep, "1.0.0", "1.0.0");
        let many = (0..20_000).map(|n| format!("## [1.{n}.0]\n\n- x\n\n")).collect::<Vec<_>>().concat();
        assert_eq!(section(&many, "1.19999.0", "1.19999.0").map(|found| found.notes), Ok("- x".to_owned()));
    }
}
