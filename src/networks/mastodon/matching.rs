//! Knowing our own posts again among an account's recent ones.
//!
//! A server gives a text back as HTML: links are shortened for the eye, mentions lose their host, some of the kin change
//! quotation marks or read Markdown. So texts are compared without white space first, and then by letters and digits.

use chrono::{DateTime, Duration, Utc};
use serde_json::Value;

use super::wire::StatusAnswer;

/// Clocks differ: a status may seem to be older than the call that made it.
const CLOCK_SKEW: Duration = Duration::minutes(2);

/// What was sent, as far as a status shows it.
#[derive(Debug)]
pub(super) struct Wanted {
    exact: String,
    letters: String,
    warning: String,
    answers: Option<String>,
    files: usize,
    since: DateTime<Utc>,
}

impl Wanted {
    /// From the body of the request, and when its first attempt began.
    pub(super) fn new(body: &Value, started: DateTime<Utc>) -> Self {
        let text = |key: &str| body.get(key).and_then(Value::as_str).unwrap_or_default();
        let exact = squeezed(&without_hosts(text("status")));
        Self {
            letters: letters(&exact),
            exact,
            warning: letters(&squeezed(text("spoiler_text"))),
            answers: body.get("in_reply_to_id").and_then(Value::as_str).map(str::to_owned),
            files: body.get("media_ids").and_then(Value::as_array).map_or(0, Vec::len),
            since: started - CLOCK_SKEW,
        }
    }

    /// The statuses that it may have become: those with the very text, else those with the same letters.
    pub(super) fn among<'a>(&self, statuses: &'a [StatusAnswer]) -> Vec<&'a StatusAnswer> {
        let likely: Vec<_> = statuses
            .iter()
            .filter(|status| self.surroundings_match(status))
            .map(|status| (status, squeezed(&without_hosts(&plain(status.content.as_deref().unwrap_or_default())))))
            .collect();
        let by = |same: &dyn Fn(&str) -> bool| -> Vec<&'a StatusAnswer> {
            likely.iter().filter(|(_, text)| same(text)).map(|(status, _)| *status).collect()
        };
        let exact = by(&|text| text == self.exact);
        if !exact.is_empty() || self.letters.is_empty() {
            return exact;
        }
        by(&|text| letters(text) == self.letters)
    }

    fn surroundings_match(&self, status: &StatusAnswer) -> bool {
        let answers = status.in_reply_to_id.as_ref().map(super::wire::Id::as_str);
        let same_parent = match (&self.answers, answers) {
            (Some(wanted), Some(found)) => wanted == found,
            (None, Some(_)) => false,
            // Some of the kin do not tell.
            (_, None) => true,
        };
        same_parent
            && status.created_at.is_none_or(|at| at >= self.since)
            && status.media_attachments.as_ref().map_or(0, Vec::len) == self.files
            && letters(&squeezed(status.spoiler_text.as_deref().unwrap_or_default())) == self.warning
    }
}

/// HTML as plain text.
pub(super) fn plain(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(open) = rest.find('<') {
        out.push_str(&rest[..open]);
        let Some(close) = rest[open..].find('>') else {
            rest = &rest[open..];
            break;
        };
        let tag = rest[open + 1..open + close].trim_end_matches('/').trim().to_ascii_lowercase();
        match tag.split_whitespace().next().unwrap_or_default() {
            "br" => out.push('\n'),
            "/p" | "/div" | "/blockquote" | "/li" | "/pre" => out.push_str("\n\n"),
            _ => {}
        }
        rest = &rest[open + close + 1..];
    }
    out.push_str(rest);
    unescaped(&out).trim().to_owned()
}

/// Character references, named and by number.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let reference = rest.find(';').filter(|end| *end <= 10).and_then(|end| {
            let name = &rest[1..end];
            let c = match name {
                "amp" => '&',
                "lt" => '<',
                "gt" => '>',
                "quot" => '"',
                "apos" => '\'',
                "nbsp" => '\u{a0}',
                _ => {
                    let number = name.strip_prefix('#')?;
                    let code = match number.strip_prefix(['x', 'X']) {
                        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                        None => number.parse().ok()?,
                    };
                    char::from_u32(code)?
                }
            };
            Some((c, end + 1))
        });
        let (c, length) = reference.unwrap_or(('&', 1));
        out.push(c);
        rest = &rest[length..];
    }
    out.push_str(rest);
    out
}

/// `@user@host` as `@user`: how servers show mentions.
fn without_hosts(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for found in crate::text::find(text) {
        if found.kind == crate::text::FoundKind::Mention
            && let Some(host) = text[found.start + 1..found.end].find('@')
        {
            out.push_str(&text[at..found.start + 1 + host]);
            at = found.end + port_length(&text[found.end..]);
        }
    }
    out.push_str(&text[at..]);
    out
}

/// Length of `:8080`, as hosts on one's own machine have it.
fn port_length(text: &str) -> usize {
    let Some(rest) = text.strip_prefix(':') else { return 0 };
    match rest.bytes().take_while(u8::is_ascii_digit).count() {
        0 => 0,
        digits => 1 + digits,
    }
}

/// Without white space and characters that are not seen.
fn squeezed(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{fe0f}' | '\u{feff}'))
        .collect()
}

/// Letters and digits alone, small.
fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const STARTED: &str = "2026-12-01T09:00:00Z";

    fn status(id: &str, content: &str, more: &Value) -> StatusAnswer {
        let mut status = json!({"id": id, "content": content, "created_at": "2026-12-01T09:00:01.000Z", "spoiler_text": "", "media_attachments": []});
        for (key, value) in more.as_object().into_iter().flatten() {
            status[key] = value.clone();
        }
        serde_json::from_value(status).expect("a status")
    }

    fn ids(body: &Value, statuses: &[StatusAnswer]) -> Vec<String> {
        let wanted = Wanted::new(body, STARTED.parse().expect("a date"));
        wanted.among(statuses).iter().map(|status| status.id.as_str().to_owned()).collect()
    }

    #[test]
    fn html_becomes_plain() {
        assert_eq!(plain("<p>a &amp; b<br />c &lt;d&gt; &#39;x&#x27;</p><p>e</p>"), "a & b\nc <d> 'x'\n\ne");
        assert_eq!(plain("1 < 2 &; &bogus; &#99999999;"), "1 < 2 &; &bogus; &#99999999;");
        for broken in ["<", "<p", "&", "&#;", "a<b>", "é<é>&é;"] {
            let _ = plain(broken);
        }
    }

    #[test]
    fn a_text_is_known_again_in_mastodons_html() {
        let body = json!({"status": "Hi @bob@fedi.example, see https://acme.example/a/very/long/path?x=1&y=2 #tag\n\nBye — “now”"});
        let html = concat!(
            r#"<p>Hi <span class="h-card" translate="no"><a href="https://fedi.example/@bob" class="u-url mention">@<span>bob</span></a></span>, "#,
            r#"see <a href="https://acme.example/a/very/long/path?x=1&amp;y=2" target="_blank"><span class="invisible">https://</span>"#,
            r#"<span class="ellipsis">acme.example/a/very/long/path?</span><span class="invisible">x=1&amp;y=2</span></a> "#,
            r#"<a href="https://fedi.example/tags/tag" class="mention hashtag" rel="tag">#<span>tag</span></a></p><p>Bye — “now”</p>"#,
        );
        assert_eq!(ids(&body, &[status("1", html, &json!({})), status("2", "<p>Other</p>", &json!({}))]), ["1"]);
    }

    #[test]
    fn a_text_is_known_again_in_snacs_html() {
        let body = json!({"status": "Hi @alice: **bold** https://acme.example/a?b=c&d #tag\n\nBye"});
        let html = concat!(
            r#"Hi <span class="h-card"><a href="http://127.0.0.1:8001/alice" class="u-url mention">@alice@127.0.0.1:8001</a></span>: <b>bold</b> "#,
            r#"<a href="https://acme.example/a?b=c&d" target="_blank">https://acme.example/a?b=c&d</a> "#,
            r#"<a href="http://127.0.0.1:8001?t=tag" class="mention hashtag" rel="tag">#tag</a><br><br>Bye<br>"#,
        );
        assert_eq!(ids(&body, &[status("1", html, &json!({}))]), ["1"]);
    }

    #[test]
    fn what_stands_around_must_match() {
        let body = json!({"status": "part 2", "in_reply_to_id": "7", "media_ids": ["m"], "spoiler_text": "cw"});
        let good = json!({"in_reply_to_id": "7", "media_attachments": [{}], "spoiler_text": "cw"});
        let with = |key: &str, value: Value| {
            let mut more = good.clone();
            more[key] = value;
            status(key, "part 2", &more)
        };
        let statuses = [
            status("good", "<p>part 2</p>", &good),
            with("in_reply_to_id", json!("8")),
            with("media_attachments", json!([])),
            with("spoiler_text", json!("")),
            with("created_at", json!("2026-12-01T08:57:00Z")),
        ];
        assert_eq!(ids(&body, &statuses), ["good"]);
        assert_eq!(
            ids(&json!({"status": "part 2"}), &[status("1", "part 2", &json!({"in_reply_to_id": "7"}))]),
            Vec::<String>::new()
        );
    }

    #[test]
    fn the_very_text_goes_before_the_same_letters() {
        let body = json!({"status": "Go 🎉"});
        let both = [status("1", "<p>Go 🚀</p>", &json!({})), status("2", "<p>Go 🎉</p>", &json!({}))];
        assert_eq!(ids(&body, &both), ["2"]);
        assert_eq!(
            ids(&json!({"status": "“Quoted” **bold**"}), &[status("1", "<p>\"Quoted\" <b>bold</b></p>", &json!({}))]),
            ["1"]
        );
        assert_eq!(ids(&json!({"status": "🎉"}), &both), Vec::<String>::new());
        assert_eq!(
            ids(&json!({"status": "same"}), &[status("1", "same", &json!({})), status("2", "same", &json!({}))]),
            ["1", "2"]
        );
    }
}
