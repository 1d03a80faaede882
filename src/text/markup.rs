//! Text and Markdown as HTML, and Markdown as plain text. Nothing of a post is ever taken for mark-up of the page.

use std::fmt::Write;

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

use super::{FoundKind, find};

/// A text as HTML text or as an attribute's value in double quotes.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A text as paragraphs: a blank line ends one, a line's end breaks it, links can be followed.
pub fn text(text: &str) -> String {
    let mut out = String::new();
    for paragraph in text.replace("\r\n", "\n").split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty()) {
        let _ = writeln!(out, "<p>{}</p>", linked(paragraph).replace('\n', "<br>\n"));
    }
    out
}

fn linked(text: &str) -> String {
    let mut out = String::new();
    let mut last = 0;
    for found in find(text).into_iter().filter(|found| found.kind == FoundKind::Link) {
        let link = escape(&text[found.start..found.end]);
        let _ = write!(out, "{}<a href=\"{link}\">{link}</a>", escape(&text[last..found.start]));
        last = found.end;
    }
    out + &escape(&text[last..])
}

/// Where a link of a post may lead. Anything else (`javascript:`, `data:`, paths that mean another place on each page) is
/// shown as text.
fn is_safe(target: &str) -> bool {
    let target = target.trim();
    let scheme = target.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    matches!(scheme.as_deref(), Some("http" | "https" | "mailto")) && !target.chars().any(char::is_control)
}

fn options() -> Options {
    Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TABLES | Options::ENABLE_TASKLISTS
}

/// Markdown as HTML, headings `deeper` levels below what they say. HTML in it is shown as it is written. `picture` gives
/// the HTML of a picture with this address, which has to be one of the post's media; all others are linked to, not loaded.
pub fn markdown(source: &str, deeper: usize, mut picture: impl FnMut(&str) -> Option<String>) -> String {
    // Whether each open link or picture has a tag of its own.
    let mut open = Vec::new();
    // Pictures that are open inside of one that is shown: their words are its alt text, which the post's media have.
    let mut shown = 0_usize;
    let events = Parser::new_ext(source, options()).filter_map(|event| match event {
        Event::Start(Tag::Image { .. }) if shown > 0 => {
            shown += 1;
            None
        }
        Event::End(TagEnd::Image) if shown > 0 => {
            shown -= 1;
            None
        }
        _ if shown > 0 => None,
        Event::Start(Tag::Image { dest_url, title, id, .. }) => {
            if let Some(html) = picture(&dest_url) {
                shown = 1;
                Some(Event::InlineHtml(html.into()))
            } else {
                open.push(is_safe(&dest_url));
                let link_type = pulldown_cmark::LinkType::Inline;
                open.last()?.then_some(Event::Start(Tag::Link { link_type, dest_url, title, id }))
            }
        }
        Event::Html(raw) | Event::InlineHtml(raw) => Some(Event::Text(raw)),
        Event::Start(Tag::HtmlBlock) => Some(Event::Start(Tag::Paragraph)),
        Event::End(TagEnd::HtmlBlock) => Some(Event::End(TagEnd::Paragraph)),
        Event::Start(Tag::Link { dest_url, link_type, title, id }) => {
            open.push(is_safe(&dest_url) || link_type == pulldown_cmark::LinkType::Email);
            open.last()?.then_some(Event::Start(Tag::Link { link_type, dest_url, title, id }))
        }
        Event::End(TagEnd::Link | TagEnd::Image) => open.pop()?.then_some(Event::End(TagEnd::Link)),
        Event::Start(Tag::Heading { level, classes, .. }) => {
            let level = lower(level, deeper);
            Some(Event::Start(Tag::Heading { level, id: None, classes, attrs: Vec::new() }))
        }
        // WordPress makes a break of the end of a line, and Markdown means none.
        Event::SoftBreak => Some(Event::Text(" ".into())),
        // A box to tick is taken out where posts are cleaned, in mail for one.
        Event::TaskListMarker(done) => Some(Event::Text(if done { "☑ " } else { "☐ " }.into())),
        // The word after a fence would become a class; nothing styles it.
        Event::Start(Tag::CodeBlock(_)) => Some(Event::Start(Tag::CodeBlock(CodeBlockKind::Indented))),
        Event::End(TagEnd::Heading(level)) => Some(Event::End(TagEnd::Heading(lower(level, deeper)))),
        event => Some(event),
    });
    let mut out = String::new();
    html::push_html(&mut out, events);
    out
}

fn lower(level: HeadingLevel, by: usize) -> HeadingLevel {
    HeadingLevel::try_from(level as usize + by).unwrap_or(HeadingLevel::H6)
}

/// Markdown as it is written, to be read as plain text: each picture is its alt text in brackets, which `picture` gives for
/// one of the post's media.
pub fn readable(source: &str, mut picture: impl FnMut(&str) -> Option<String>) -> String {
    let mut out = String::new();
    let (mut last, mut alt, mut own) = (0, None::<(String, usize)>, None::<String>);
    for (event, range) in Parser::new_ext(source, options()).into_offset_iter() {
        match (event, &mut alt) {
            (Event::Start(Tag::Image { dest_url, .. }), None) => {
                out.push_str(&source[last..range.start]);
                own = picture(&dest_url);
                alt = Some((own.clone().unwrap_or_default(), range.end));
            }
            (Event::Text(text) | Event::Code(text), Some((alt, _))) if own.is_none() => alt.push_str(&text),
            (Event::SoftBreak | Event::HardBreak, Some((alt, _))) if own.is_none() => alt.push(' '),
            // The end of the outermost one: a picture may stand in another's alt text.
            (Event::End(TagEnd::Image), Some((said, end))) if range.end == *end => {
                if !said.trim().is_empty() {
                    let _ = write!(out, "[{}]", said.trim());
                }
                last = *end;
                alt = None;
            }
            _ => {}
        }
    }
    out.push_str(&source[last..]);
    out
}

/// The words of a Markdown text, without its marks.
pub fn words(source: &str) -> String {
    let mut out = String::new();
    for event in Parser::new(source) {
        match event {
            Event::Text(text) | Event::Code(text) => out.push_str(&text),
            Event::SoftBreak | Event::HardBreak | Event::End(_) => out.push(' '),
            _ => {}
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A text on one line, without control characters: its words with a space between them.
pub fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// The beginning of a text on one line: whole words, at most so many characters, with `…` where something is missing.
pub fn beginning(text: &str, most: usize) -> String {
    let text = one_line(text);
    let Some((cut, _)) = text.char_indices().nth(most) else { return text };
    let head = &text[..cut];
    let head = head.rsplit_once(' ').map_or(head, |(words, _)| words);
    format!("{}…", head.trim_end_matches(['.', ',', ';', ':', ' ']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_paragraphs_with_links() {
        assert_eq!(
            text("One <b>.\nTwo https://acme.example/?a=1&b=2\n\n\n\nThree"),
            "<p>One &lt;b&gt;.<br>\nTwo <a href=\"https://acme.example/?a=1&amp;b=2\">https://acme.example/?a=1&amp;b=2</a></p>\n<p>Three</p>\n"
        );
    }

    #[test]
    fn html_in_markdown_is_shown_not_run() {
        let html =
            markdown("# Title\n\nA <script>alert(1)</script> and\n\n<div onclick=\"x\">block</div>\n", 1, |_| None);
        assert!(html.contains("<h2>Title</h2>"), "{html}");
        assert!(!html.contains("<script") && !html.contains("<div"), "{html}");
        assert!(html.contains("&lt;script&gt;"), "{html}");
    }

    #[test]
    fn the_end_of_a_line_is_no_break() {
        assert_eq!(markdown("One\ntwo  \nthree", 0, |_| None), "<p>One two<br />\nthree</p>\n");
        assert_eq!(
            markdown("- [x] done\n- [ ] open\n", 0, |_| None),
            "<ul>\n<li>☑ done</li>\n<li>☐ open</li>\n</ul>\n"
        );
    }

    #[test]
    fn only_links_that_lead_to_the_web_or_a_mailbox_are_links() {
        let html = markdown(
            "[a](javascript:alert(1)) [b](JaVaScRiPt:x) [c](data:text/html,x) [d](https://acme.example \"t\") [e](mailto:a@b.example) \
             <a@b.example> ![pic](https://acme.example/p.png) ![near](img/x.png) [rel](../x) [v](vbscript:x)",
            0,
            |_| None,
        );
        assert_eq!(html.matches("<a ").count(), 4, "{html}");
        assert!(!html.to_lowercase().contains("javascript:") && !html.contains("data:"), "{html}");
        assert!(!html.contains("<img"), "{html}");
        assert!(html.contains("near") && html.contains("rel"), "the words stay: {html}");
    }

    #[test]
    fn pictures_of_the_post_are_shown_where_they_stand() {
        let source =
            "Before ![an ![inner](b.png) *alt*](a.png \"t\") after ![other](c.png) [![x](a.png)](https://acme.example)";
        let html = markdown(source, 0, |address| (address == "a.png").then(|| "<img src=\"A\">".to_owned()));
        assert_eq!(
            html,
            "<p>Before <img src=\"A\"> after other <a href=\"https://acme.example\"><img src=\"A\"></a></p>\n"
        );
        assert_eq!(readable(source, |_| None), "Before [an inner alt] after [other] [[x]](https://acme.example)");
        assert_eq!(readable("# T\n\n* a ![](x.png) `b`\n", |_| None), "# T\n\n* a  `b`\n");
        assert_eq!(readable("![no *x*](a.png)", |_| Some("A dot".to_owned())), "[A dot]");
    }

    #[test]
    fn beginnings_end_with_whole_words() {
        assert_eq!(one_line(" a\r\nBcc:\u{0} b\u{2028}c\t"), "a Bcc: b c");
        assert_eq!(beginning("Acme 2.0 is out.\nMore", 100), "Acme 2.0 is out. More");
        assert_eq!(beginning("Acme 2.0 is out. More", 17), "Acme 2.0 is out…");
        assert_eq!(words("A **bold** [link](x)\n\n- item"), "A bold link item");
    }

    proptest::proptest! {
        #[test]
        fn no_text_becomes_a_tag_of_its_own(source in "[<>a&\"' \n\\[\\]\\(\\)!:#*`-]{0,60}") {
            const TAGS: [&str; 24] = [
                "p", "br", "br /", "a", "em", "strong", "code", "pre", "ul", "li", "ol", "h1", "h2", "h3", "h4", "h5", "h6", "hr",
                "hr /", "blockquote", "del", "table", "thead", "tbody",
            ];
            for html in [text(&source), markdown(&source, 1, |_| None)] {
                for tag in html.split('<').skip(1) {
                    let name = tag.split('>').next().unwrap_or_default().trim_start_matches('/');
                    let name = name.split(" href=").next().unwrap_or_default();
                    proptest::prop_assert!(TAGS.contains(&name) || name.starts_with("ol start"), "{name} in {html}");
                }
            }
        }
    }
}
