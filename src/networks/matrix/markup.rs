//! The formatted copy of a text: the HTML that `org.matrix.custom.html` allows (matrix-spec v1.19, m.room.message
//! msgtypes, read 2026-11-23).

use std::fmt::Write as _;

use pulldown_cmark::{CowStr, Event, LinkType, Options, Parser, Tag, TagEnd, TextMergeStream, html};

use crate::text::{FoundKind, find};

/// A text with links that can be followed. `None`: there is nothing in it that the plain text does not show as well.
pub(super) fn linked(text: &str) -> Option<String> {
    let is_link = |kind| matches!(kind, FoundKind::Link | FoundKind::BareLink);
    find(text).iter().any(|found| is_link(found.kind)).then(|| with_links(text).replace('\n', "<br>"))
}

/// Markdown as HTML. What is HTML in it is shown as it is written; line breaks are kept, since texts are written for
/// networks that keep them.
pub(super) fn markdown(text: &str) -> String {
    // Inside a link or a line of code nothing is a link of its own.
    let (mut inside, mut dropped) = (0_u32, false);
    let events = TextMergeStream::new(Parser::new_ext(text, Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TABLES));
    let events = events.filter_map(|event| match event {
        // Pictures elsewhere are not shown by clients.
        Event::Start(Tag::Link { dest_url, title, .. } | Tag::Image { dest_url, title, .. }) => {
            inside += 1;
            dropped = !is_followed(&dest_url);
            (!dropped).then(|| Event::Start(link(dest_url, title)))
        }
        Event::End(TagEnd::Link | TagEnd::Image) => {
            inside = inside.saturating_sub(1);
            (!std::mem::take(&mut dropped)).then_some(Event::End(TagEnd::Link))
        }
        Event::Start(Tag::CodeBlock(kind)) => {
            inside += 1;
            Some(Event::Start(Tag::CodeBlock(kind)))
        }
        Event::End(TagEnd::CodeBlock) => {
            inside = inside.saturating_sub(1);
            Some(Event::End(TagEnd::CodeBlock))
        }
        Event::Text(text) if inside == 0 => Some(Event::InlineHtml(with_links(&text).into())),
        Event::Html(text) | Event::InlineHtml(text) => Some(Event::Text(text)),
        Event::SoftBreak => Some(Event::HardBreak),
        other => Some(other),
    });
    let mut out = String::with_capacity(text.len() * 2);
    html::push_html(&mut out, events);
    out.truncate(out.trim_end().len());
    out
}

fn link<'a>(dest_url: CowStr<'a>, title: CowStr<'a>) -> Tag<'a> {
    Tag::Link { link_type: LinkType::Inline, dest_url, title, id: CowStr::Borrowed("") }
}

/// The schemes of links that clients follow.
fn is_followed(address: &str) -> bool {
    ["https:", "http:", "mailto:"]
        .iter()
        .any(|scheme| address.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))
}

fn with_links(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let mut at = 0;
    for found in find(text) {
        let scheme = match found.kind {
            FoundKind::Link => "",
            FoundKind::BareLink => "https://",
            FoundKind::Mention | FoundKind::Tag => continue,
        };
        out.push_str(&escaped(&text[at..found.start]));
        let shown = escaped(&text[found.start..found.end]);
        let _ = write!(out, "<a href=\"{scheme}{shown}\">{shown}</a>");
        at = found.end;
    }
    out.push_str(&escaped(&text[at..]));
    out
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_links_need_a_copy() {
        assert_eq!(linked("Plain <b>text</b> & @bob #tag\nand more"), None);
        assert_eq!(
            linked("<b>See</b>\nhttps://acme.example/a?b=1&c=\"x\" or acme.example/2.0").as_deref(),
            Some(
                "&lt;b&gt;See&lt;/b&gt;<br><a href=\"https://acme.example/a?b=1&amp;c=\">https://acme.example/a?b=1&amp;c=</a>\
                 &quot;x&quot; or <a href=\"https://acme.example/2.0\">acme.example/2.0</a>"
            )
        );
    }

    #[test]
    fn markdown_is_made_html_and_html_is_not() {
        assert_eq!(
            markdown("**Two** <script>alert(1)</script>\nhttps://acme.example/a_b_c"),
            "<p><strong>Two</strong> &lt;script&gt;alert(1)&lt;/script&gt;<br />\n\
             <a href=\"https://acme.example/a_b_c\">https://acme.example/a_b_c</a></p>"
        );
        assert_eq!(
            markdown("[no](javascript:alert(1)) [yes](https://a.example)"),
            "<p>no <a href=\"https://a.example\">yes</a></p>"
        );
        assert_eq!(markdown("![dot](https://a.example/a.png)"), "<p><a href=\"https://a.example/a.png\">dot</a></p>");
        assert_eq!(markdown("`https://a.example`"), "<p><code>https://a.example</code></p>");
    }
}
