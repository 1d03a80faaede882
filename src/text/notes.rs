//! Release notes: Markdown as forges write it, made plain text that a post may show.
//!
//! A post is no page: pictures, tables' rules, HTML, code blocks of several lines and link targets are left out. What
//! would act on a network is disarmed: `@alice` is `alice`, since notes name people by their name on the forge, and a
//! stranger of that name would be told of it. Links to issues and pull requests are `#12`. Forges add a line that leads to
//! the full list of changes; it is left out, since a post has a link of its own.

use std::fmt::Write as _;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// Around code, in which signs of Markdown are meant. Noncharacters: what is filled in has none.
const CODE: char = '\u{FDD2}';
const CODE_END: char = '\u{FDD3}';

/// A block of the notes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Block {
    /// The title of a section.
    Heading(String),
    /// A paragraph, a table's row, a line of code.
    Paragraph(String),
    /// An entry of a list, so many lists deep; 0: the outermost.
    Item(usize, String),
}

/// Notes as plain text: paragraphs apart by an empty line, entries of lists as lines with a bullet.
pub(super) fn plain(markdown: &str) -> String {
    let blocks = blocks(markdown);
    let mut out = String::new();
    for (index, block) in blocks.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|before| blocks.get(before));
        match (before, block) {
            (None, _) => {}
            (Some(Block::Item(..) | Block::Heading(_)), Block::Item(..)) => out.push('\n'),
            _ => out.push_str("\n\n"),
        }
        match block {
            // A title above nothing says nothing.
            Block::Heading(_) if matches!(blocks.get(index + 1), None | Some(Block::Heading(_))) => {
                out.truncate(out.trim_end().len());
            }
            Block::Heading(text) | Block::Paragraph(text) => out.push_str(text),
            Block::Item(depth, text) => {
                let _ = write!(out, "{}• {text}", "  ".repeat(*depth));
            }
        }
    }
    out.trim().to_owned()
}

/// The entries of the notes' outermost lists, at most `most`, as lines with a bullet.
pub(super) fn bullets(markdown: &str, most: usize) -> String {
    let blocks = blocks(markdown);
    let items = blocks.iter().filter_map(|block| match block {
        Block::Item(0, text) => Some(format!("• {text}")),
        _ => None,
    });
    items.take(most).collect::<Vec<_>>().join("\n")
}

/// The first paragraph or entry of the notes, up to its first line's end.
pub(super) fn first_line(markdown: &str) -> String {
    let blocks = blocks(markdown);
    let texts = || blocks.iter().filter(|block| !matches!(block, Block::Heading(_))).chain(&blocks);
    let first = texts().next().map(|block| match block {
        Block::Heading(text) | Block::Paragraph(text) | Block::Item(_, text) => text,
    });
    first.and_then(|text| text.lines().next()).unwrap_or_default().to_owned()
}

/// A word as a hashtag: letters and digits alone. Empty when nothing is left that is no number.
pub(super) fn hashtag(text: &str) -> String {
    let mut word = String::new();
    for piece in text.split(|c: char| !c.is_alphanumeric()).filter(|piece| !piece.is_empty()) {
        let mut chars = piece.chars();
        // `release notes` is read as ReleaseNotes; a single word stays as it is written.
        match chars.next() {
            Some(first) if !word.is_empty() => word.extend(first.to_uppercase()),
            Some(first) => word.push(first),
            None => {}
        }
        word.push_str(chars.as_str());
    }
    if word.is_empty() || word.chars().all(char::is_numeric) { String::new() } else { format!("#{word}") }
}

fn blocks(markdown: &str) -> Vec<Block> {
    let mut reader = Reader::default();
    let options =
        Options::ENABLE_FOOTNOTES | Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    for event in Parser::new_ext(markdown, options) {
        reader.take(event);
    }
    reader.end();
    reader.blocks
}

/// What is read so far.
#[derive(Default)]
struct Reader {
    blocks: Vec<Block>,
    /// The text of the block at hand.
    text: String,
    heading: bool,
    /// Lists that are open.
    lists: usize,
    /// The block at hand is the first of an entry.
    entry: bool,
    /// Pictures and footnotes that are open: their text is not the post's.
    pictures: usize,
    /// Where the text of a link begins, and where it leads.
    link: Option<(usize, String)>,
    code: bool,
    /// Cells of the row at hand.
    cells: Vec<String>,
    /// In a `<!-- … -->`, a `<script>` or a `<style>` that has not ended: what ends it.
    hidden: Option<&'static str>,
}

impl Reader {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(&tag),
            Event::End(tag) => self.close(tag),
            Event::Text(text) => self.push(&text),
            Event::Code(text) => self.push(&format!("{CODE}{text}{CODE_END}")),
            Event::Html(html) | Event::InlineHtml(html) => self.html(&html),
            Event::SoftBreak => self.push(" "),
            Event::HardBreak => self.push("\n"),
            Event::Rule => self.end(),
            _ => {}
        }
    }

    fn start(&mut self, tag: &Tag<'_>) {
        match tag {
            Tag::Paragraph | Tag::HtmlBlock if self.entry && self.text.is_empty() => {}
            Tag::Paragraph | Tag::HtmlBlock => self.end(),
            Tag::Heading { .. } => {
                self.end();
                self.heading = true;
            }
            Tag::List(_) => {
                self.end();
                self.lists += 1;
            }
            Tag::Item => {
                self.end();
                self.entry = true;
            }
            Tag::CodeBlock(_) => {
                self.end();
                self.code = true;
            }
            // What is said at the foot of a page is none of a post's.
            Tag::Image { .. } | Tag::FootnoteDefinition(_) => {
                if matches!(tag, Tag::FootnoteDefinition(_)) {
                    self.end();
                }
                self.pictures += 1;
            }
            Tag::Link { dest_url, .. } => self.link = Some((self.text.len(), dest_url.to_string())),
            Tag::TableHead | Tag::TableRow => self.cells.clear(),
            Tag::TableCell => self.text.clear(),
            _ => {}
        }
    }

    fn close(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph | TagEnd::Heading(_) | TagEnd::HtmlBlock | TagEnd::Item => self.end(),
            TagEnd::List(_) => {
                self.end();
                self.lists = self.lists.saturating_sub(1);
            }
            TagEnd::CodeBlock => {
                // One line may be the command to install it; more is no reading for a post.
                if self.text.trim().lines().count() > 1 {
                    self.text.clear();
                    // Neither is what only leads to it.
                    self.blocks.pop_if(|block| matches!(block, Block::Paragraph(text) if text.ends_with(':')));
                }
                self.end();
                self.code = false;
            }
            TagEnd::Image | TagEnd::FootnoteDefinition => self.pictures = self.pictures.saturating_sub(1),
            TagEnd::Link => {
                if let Some((from, to)) = self.link.take() {
                    self.link_ends(from, &to);
                }
            }
            TagEnd::TableCell => {
                let cell = std::mem::take(&mut self.text);
                self.cells.push(cell.trim().to_owned());
            }
            // Titles of columns say nothing without the columns.
            TagEnd::TableHead => self.cells.clear(),
            TagEnd::TableRow => {
                let cells = std::mem::take(&mut self.cells);
                let filled: Vec<String> = cells.into_iter().filter(|cell| !cell.is_empty()).collect();
                self.text = filled.join(", ");
                self.end();
            }
            _ => {}
        }
    }

    fn push(&mut self, text: &str) {
        if self.pictures == 0 && self.hidden.is_none() {
            self.text.push_str(text);
        }
    }

    /// A link's text stays; one that is an address of an issue becomes its number.
    fn link_ends(&mut self, from: usize, to: &str) {
        let shown = self.text.get(from..).unwrap_or_default().trim();
        if shown == to || shown.is_empty() {
            let short = if shown.is_empty() { String::new() } else { shortened(to) };
            self.text.truncate(from);
            self.text.push_str(&short);
        }
    }

    /// What of HTML is text: what stands between tags, and the breaks.
    fn html(&mut self, html: &str) {
        let mut rest = html;
        loop {
            if let Some(end) = self.hidden {
                let Some(at) = find_ignoring_case(rest, end) else { return };
                rest = &rest[at + end.len()..];
                self.hidden = None;
            }
            let Some(open) = rest.find('<') else { break };
            let text = entities(&rest[..open]);
            self.push(&text);
            rest = &rest[open..];
            if rest.starts_with("<!--") {
                self.hidden = Some("-->");
                continue;
            }
            let Some(close) = rest.find('>') else { return };
            let name: String =
                rest[1..close].chars().skip_while(|c| *c == '/').take_while(char::is_ascii_alphanumeric).collect();
            let opens = !rest[1..].starts_with('/');
            match name.to_ascii_lowercase().as_str() {
                "script" if opens => self.hidden = Some("</script>"),
                "style" if opens => self.hidden = Some("</style>"),
                "br" => self.push("\n"),
                "li" if opens => {
                    self.end();
                    self.entry = true;
                    self.lists = self.lists.max(1);
                }
                "p" | "div" | "li" | "ul" | "ol" | "summary" | "details" | "table" | "tr" | "h1" | "h2" | "h3"
                | "h4" | "h5" | "h6" => self.end(),
                _ => {}
            }
            rest = &rest[close + 1..];
        }
        let text = entities(rest);
        // Line feeds between tags are the source's.
        if !text.trim().is_empty() {
            self.push(&text.replace('\n', " "));
        }
    }

    /// The block at hand ends.
    fn end(&mut self) {
        let (text, heading) = (std::mem::take(&mut self.text), std::mem::take(&mut self.heading));
        self.link = None;
        let text = tidy(&without_signs(&text));
        if text.is_empty() || leads_to_changes(&text) {
            return;
        }
        let block = if heading {
            Block::Heading(text)
        } else if self.entry {
            self.entry = false;
            Block::Item(self.lists.saturating_sub(1), text)
        } else {
            Block::Paragraph(text)
        };
        self.blocks.push(block);
    }
}

/// Without signs that were to be Markdown and are none, since what they begin never ends. Those of code are meant.
fn without_signs(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (index, piece) in text.split(CODE).enumerate() {
        let (code, words) = if index == 0 { ("", piece) } else { piece.split_once(CODE_END).unwrap_or((piece, "")) };
        out.push_str(code);
        let words = without_half_links(words);
        out.push_str(&words.replace("**", "").replace("~~", "").replace('`', ""));
    }
    out
}

/// `[shown](https://…` without an end: what is shown stays. Of a picture nothing does.
fn without_half_links(text: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(middle) = rest.find("](") {
        let Some(open) = rest[..middle].rfind('[') else {
            out.push_str(&rest[..middle + 2]);
            rest = &rest[middle + 2..];
            continue;
        };
        if let Some(before) = rest[..open].strip_suffix('!') {
            out.push_str(before);
        } else {
            out.push_str(&rest[..open]);
            out.push_str(&rest[open + 1..middle]);
        }
        let target = &rest[middle + 2..];
        let end = target.find(|c: char| c == ')' || c.is_whitespace()).unwrap_or(target.len());
        rest = target[end..].strip_prefix(')').unwrap_or(&target[end..]);
    }
    out + rest
}

/// Single spaces, no names that somebody is told by, short links.
fn tidy(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let words: Vec<String> = line
            .split_whitespace()
            .filter(|word| !is_shortcode(word))
            .map(word)
            .filter(|word| !word.is_empty())
            .collect();
        if !words.is_empty() {
            lines.push(words.join(" "));
        }
    }
    lines.join("\n")
}

/// `:tada:`, which forges show as a picture.
fn is_shortcode(word: &str) -> bool {
    let name = word.strip_prefix(':').and_then(|rest| rest.strip_suffix(':'));
    name.is_some_and(|name| {
        name.bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-' | b'+'))
            && name.bytes().any(|byte| byte.is_ascii_lowercase())
    })
}

fn word(word: &str) -> String {
    let Some(start) = word.find("http://").or_else(|| word.find("https://")) else { return unnamed(word) };
    let link = word[start..].trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']', '>', '"', '\'']);
    format!("{}{}{}", unnamed(&word[..start]), shortened(link), &word[start + link.len()..])
}

/// Without the sign that makes a name a mention: where it begins a word, also behind an opening bracket.
fn unnamed(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    let mut before: Option<char> = None;
    let mut chars = word.chars().peekable();
    while let Some(c) = chars.next() {
        let names = matches!(c, '@' | '＠')
            && before.is_none_or(|before| !before.is_alphanumeric() && before != '_')
            && chars.peek().is_some_and(|next| next.is_alphanumeric() || *next == '_');
        if !names {
            out.push(c);
        }
        before = Some(c);
    }
    out
}

/// `https://forge.example/o/r/pull/12` → `#12`; what is no issue stays.
fn shortened(link: &str) -> String {
    let path: Vec<&str> = link.split(['?', '#']).next().unwrap_or(link).split('/').collect();
    let number = path.last().filter(|last| !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()));
    let kind = path.len().checked_sub(2).and_then(|at| path.get(at)).copied();
    match (number, kind) {
        (Some(number), Some("pull" | "pulls" | "issues")) if path.len() >= 7 => format!("#{number}"),
        (Some(number), Some("merge_requests")) if path.len() >= 7 => format!("!{number}"),
        _ => link.to_owned(),
    }
}

/// The line that GitHub adds under what it writes by itself.
fn leads_to_changes(text: &str) -> bool {
    let head = text.trim_start_matches('*').to_lowercase();
    head.starts_with("full changelog") && (text.contains("/compare/") || text.contains("/commits/"))
}

fn find_ignoring_case(text: &str, what: &str) -> Option<usize> {
    let (text, what) = (text.as_bytes(), what.as_bytes());
    text.windows(what.len()).position(|window| window.eq_ignore_ascii_case(what))
}

/// Entities between tags: the reader of Markdown knows them all.
fn entities(text: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let name = rest[1..].find(|c: char| !c.is_ascii_alphanumeric() && c != '#').unwrap_or(rest.len() - 1);
        let end = 1 + name + 1;
        if let Some(meant) = rest.get(..end).filter(|entity| entity.ends_with(';')).and_then(entity) {
            out.push_str(&meant);
            rest = &rest[end..];
        } else {
            out.push('&');
            rest = &rest[1..];
        }
    }
    out + rest
}

/// What an entity stands for.
fn entity(entity: &str) -> Option<String> {
    let meant: String = Parser::new(entity)
        .filter_map(|event| match event {
            Event::Text(text) => Some(text.into_string()),
            _ => None,
        })
        .collect();
    (meant != entity && !meant.is_empty()).then(|| meant.replace('\u{a0}', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_ends_leaves_no_signs() {
        assert_eq!(
            plain("**bold `code [shown](https://a.example/x y ![alt](https://a.example/y.png z"),
            "bold code shown y z"
        );
        assert_eq!(plain("`2 ** 3` and `[a](b)` are *code*"), "2 ** 3 and [a](b) are code");
        assert_eq!(plain("a](b) c"), "a](b) c");
    }

    #[test]
    fn what_a_forge_writes_by_itself() {
        let notes = "<!-- Release notes generated using configuration in .github/release.yml at v2.0.0 -->\n\n\
            ## What's Changed\n* Add a `--json` flag by @alice in https://github.com/acme/acme/pull/12\n\
            * fix(parser): handle `a | b` by @bob-b in https://github.com/acme/acme/pull/13\n\n\
            ## New Contributors\n* @bob-b made their first contribution in https://github.com/acme/acme/pull/13\n\n\
            **Full Changelog**: https://github.com/acme/acme/compare/v1.9.0...v2.0.0";
        assert_eq!(
            plain(notes),
            "What's Changed\n• Add a --json flag by alice in #12\n• fix(parser): handle a | b by bob-b in #13\n\n\
             New Contributors\n• bob-b made their first contribution in #13"
        );
        assert_eq!(
            bullets(notes, 2),
            "• Add a --json flag by alice in #12\n• fix(parser): handle a | b by bob-b in #13"
        );
        assert_eq!(first_line(notes), "Add a --json flag by alice in #12");
    }

    #[test]
    fn html_pictures_and_tables() {
        let notes = "# Acme 2.0 🎉\n\n![shot](https://acme.example/shot.png)\n\n<details><summary>More</summary>\n\n\
            It is **fast**.  \nReally.\n\n</details>\n\n| OS | file |\n|---|---|\n| Linux | `acme.tar.gz` |\n| macOS | |\n\n\
            <p align=\"center\"><img src=\"x.png\"> R&amp;D <b>did</b> it</p>\n<!-- secret\nplan -->\n";
        assert_eq!(
            plain(notes),
            "Acme 2.0 🎉\n\nMore\n\nIt is fast.\nReally.\n\nLinux, acme.tar.gz\n\nmacOS\n\nR&D did it"
        );
        assert_eq!(plain("a <!-- b --> c <script>evil()</script> d"), "a c d");
        assert_eq!(plain("<ul><li>one</li><li>two</li></ul>"), "• one\n• two");
        assert_eq!(plain("text <!-- without an end"), "text <!-- without an end");
    }

    #[test]
    fn lists_in_lists_and_paragraphs_in_entries() {
        let notes = "1. First\n   - deep\n2. Second\n\n   with more\n- [x] done\n- [ ] open\n";
        assert_eq!(plain(notes), "• First\n  • deep\n• Second\n\nwith more\n\n• done\n• open");
        assert_eq!(bullets(notes, 9), "• First\n• Second\n• done\n• open");
    }

    #[test]
    fn links_are_shown_by_their_text() {
        assert_eq!(plain("See [the guide](https://acme.example/guide)."), "See the guide.");
        assert_eq!(plain("See <https://acme.example/guide>."), "See https://acme.example/guide.");
        assert_eq!(plain("(https://gitlab.example/o/r/-/merge_requests/7)"), "(!7)");
        assert_eq!(plain("https://acme.example/issues/7"), "https://acme.example/issues/7");
        assert_eq!(plain("[![build](https://x/b.svg)](https://x/build) ok"), "ok");
    }

    #[test]
    fn nobody_is_told_by_accident() {
        assert_eq!(
            plain("Thanks @alice, (@bob) and ＠carol! Write to a@b.example."),
            "Thanks alice, (bob) and carol! Write to a@b.example."
        );
        assert_eq!(plain("`@scope/pack` and a @ b"), "scope/pack and a @ b");
    }

    #[test]
    fn code_of_several_lines_is_left_out() {
        assert_eq!(plain("Run:\n\n```sh\ncargo install acme\n```\n"), "Run:\n\ncargo install acme");
        assert_eq!(plain("Run:\n\n```sh\na\nb\n```\nDone."), "Done.");
    }

    #[test]
    fn a_title_above_nothing_is_left_out() {
        assert_eq!(plain("Hello.\n\n## Assets\n"), "Hello.");
        assert_eq!(plain("## Acme\n\n### Added\n\n- a thing"), "Added\n• a thing");
    }

    #[test]
    fn hashtags() {
        assert_eq!(hashtag("acme-cli"), "#acmeCli");
        assert_eq!(hashtag("Release Notes"), "#ReleaseNotes");
        assert_eq!(hashtag("2.0"), "");
        assert_eq!(hashtag("日本語 版"), "#日本語版");
    }

    #[test]
    fn odd_input_ends() {
        for odd in ["", "<", "<!--", "<a", "</", "&", "| a |\n|--|", "[](", "@", "# ", "- ", "<script>", "<li"] {
            let _ = (plain(odd), bullets(odd, 3), first_line(odd), hashtag(odd));
        }
    }
}
