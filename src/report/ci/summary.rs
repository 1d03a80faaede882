//! What a job's page shows of a command: a table with links, in the Markdown of job summaries.

use std::fmt::Write as _;

use crate::calendar::Diagnostic;
use crate::model::{Severity, State};
use crate::report::diagnostics::Tally;
use crate::report::markdown::{code, link};
use crate::report::{DeliveryView, printable};

/// The largest summary of a job's step, in bytes: GitHub takes 1 MiB and drops what is larger (2026-11-23).
pub const ROOM: usize = 1024 * 1024;

/// Most rows of a table.
const ROWS: usize = 200;

/// What became of deliveries. `command`: `smm publish` and the like.
pub fn delivered(command: &str, deliveries: &[DeliveryView<'_>]) -> String {
    let mut counts: Vec<(State, bool, usize)> = Vec::new();
    for one in deliveries {
        match counts.iter_mut().find(|(state, already, _)| (*state, *already) == (one.state, one.already)) {
            Some((.., count)) => *count += 1,
            None => counts.push((one.state, one.already, 1)),
        }
    }
    if counts.is_empty() {
        return format!("### {command}\n\nnothing was due\n\n");
    }
    let word = |state: State, already: bool| if already { "published before".to_owned() } else { state.to_string() };
    let told: Vec<String> =
        counts.iter().map(|(state, already, count)| format!("{count} {}", word(*state, *already))).collect();
    let mut text = format!("### {command}\n\n{}\n\n", told.join(", "));
    // What needs somebody comes first, however long the rest is.
    let (first, rest): (Vec<&DeliveryView<'_>>, Vec<&DeliveryView<'_>>) =
        deliveries.iter().partition(|one| one.state.needs_person());
    text.push_str("| post | account | state | where or why |\n|---|---|---|---|\n");
    for one in first.iter().chain(&rest).take(ROWS) {
        let links: Vec<String> =
            one.receipts.iter().filter_map(|receipt| link(&format!("part {}", receipt.part), receipt.url?)).collect();
        let links = if links.len() == 1 { vec![links[0].replace(">part 1<", ">open<")] } else { links };
        let why = one.reason.map(|reason| code(&cut(&reason.message))).unwrap_or_default();
        let state = if one.already { "published before".to_owned() } else { mark(one.state) };
        let _ = writeln!(
            text,
            "| {} | {} | {state} | {} |",
            code(one.occurrence.as_str()),
            code(one.account.as_str()),
            [links.join(" "), why].join(" ").trim()
        );
    }
    more(&mut text, deliveries.len());
    text
}

/// Why nothing was done.
pub fn nothing(command: &str, why: &[String]) -> String {
    let why: Vec<String> = why.iter().map(|why| code(why)).collect();
    format!("### {command}\n\n{}\n\n", why.join("; "))
}

/// What is wrong with a calendar. `line` is the tally in words.
pub fn checked(diagnostics: &[Diagnostic], posts: usize) -> String {
    let mut text = format!("### smm check\n\n{}\n\n", Tally::of(diagnostics).line(posts));
    let shown: Vec<&Diagnostic> = diagnostics.iter().filter(|found| found.severity != Severity::Note).collect();
    if shown.is_empty() {
        return text;
    }
    let (first, rest): (Vec<&Diagnostic>, Vec<&Diagnostic>) =
        shown.iter().copied().partition(|found| found.severity == Severity::Error);
    text.push_str("| | where | what | help |\n|---|---|---|---|\n");
    for found in first.iter().chain(&rest).take(ROWS) {
        let word = if found.severity == Severity::Error { "❌ error" } else { "⚠️ warning" };
        let place = format!("{}:{}:{}", found.file, found.line, found.column);
        let what = format!("{} [{}]", cut(&found.message), found.code);
        let help = found.help.as_deref().map(|help| code(&cut(help))).unwrap_or_default();
        let _ = writeln!(text, "| {word} | {} | {} | {help} |", code(&place), code(&what));
    }
    more(&mut text, shown.len());
    text
}

fn mark(state: State) -> String {
    let sign = match state {
        State::Published => "✅",
        State::Failed | State::Missed => "❌",
        State::Unknown | State::Held => "⚠️",
        _ => "🕓",
    };
    format!("{sign} {state}")
}

fn more(text: &mut String, count: usize) {
    if count > ROWS {
        let _ = writeln!(text, "\n… and {} more", count - ROWS);
    }
}

/// The beginning of a message: a server may answer with a page.
fn cut(text: &str) -> String {
    let text = printable(text);
    match text.char_indices().nth(400) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

/// As many whole lines of a summary as `room` bytes take, with a word about the rest. Empty: not even the first goes.
pub fn fitted(summary: &str, room: usize) -> String {
    const REST: &str = "\n… the rest does not fit here\n";
    if summary.len() <= room {
        return summary.to_owned();
    }
    let Some(room) = room.checked_sub(REST.len()) else { return String::new() };
    let end = summary
        .split_inclusive('\n')
        .scan(0, |end, line| {
            *end += line.len();
            Some(*end)
        })
        .take_while(|end| *end <= room)
        .last();
    end.map(|end| summary[..end].to_owned() + REST).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        AccountName, CalendarName, Delivery, Late, OccurrenceName, Origin, PostId, Reason, ReasonCode, Receipt,
    };

    fn row(post: &str, state: State, url: &str, reason: &str) -> Delivery {
        let due = "2026-12-01T08:00:00Z".parse().expect("a time");
        let mut row = Delivery::planned(
            CalendarName::new("acme"),
            PostId::new(post),
            OccurrenceName::release(&PostId::new(post), "v1|$(touch x)\n::error::x"),
            AccountName::new("fedi"),
            "some-network",
            Origin::Calendar,
            due,
            "2026-12-01T09:00:00".parse().expect("a time"),
            Late::default(),
        );
        row.state = state;
        row.reason = (!reason.is_empty()).then(|| Reason::new(ReasonCode::Refused, reason));
        if !url.is_empty() {
            let (id, url) = ("1".to_owned(), Some(url.to_owned()));
            row.receipts = vec![Receipt { part: 0, id, url, at: due, data: serde_json::Value::Null }];
        }
        row
    }

    #[test]
    fn a_table_with_links() {
        let rows = [
            row("release", State::Published, "https://fedi.example/@acme/1", ""),
            row("release", State::Failed, "", "<b>no</b> | @you\n::error::x ``` \u{202e}"),
        ];
        let views: Vec<DeliveryView<'_>> = rows.iter().map(DeliveryView::from).collect();
        insta::assert_snapshot!(delivered("smm announce", &views), @r#"
        ### smm announce

        1 published, 1 failed

        | post | account | state | where or why |
        |---|---|---|---|
        | <code>release&#64;v1&#124;&#36;&#40;touch x&#41; &#58;&#58;error&#58;&#58;x</code> | <code>fedi</code> | ❌ failed | <code>&#60;b&#62;no&#60;&#47;b&#62; &#124; &#64;you &#58;&#58;error&#58;&#58;x &#96;&#96;&#96; &#92;u&#123;202e&#125;</code> |
        | <code>release&#64;v1&#124;&#36;&#40;touch x&#41; &#58;&#58;error&#58;&#58;x</code> | <code>fedi</code> | ✅ published | <a href="https://fedi.example/%40acme/1">open</a> |
        "#);
        assert_eq!(delivered("smm publish", &[]), "### smm publish\n\nnothing was due\n\n");
        let why = ["v1 @you | is a pre-release".to_owned(), "nothing is announced".to_owned()];
        assert_eq!(
            nothing("smm announce", &why),
            "### smm announce\n\n<code>v1 &#64;you &#124; is a pre-release</code>; <code>nothing is announced</code>\n\n"
        );
    }

    #[test]
    fn long_tables_end_with_a_number() {
        let rows: Vec<Delivery> = (0..300).map(|_| row("p", State::Published, "", "")).collect();
        let views: Vec<DeliveryView<'_>> = rows.iter().map(DeliveryView::from).collect();
        let text = delivered("smm publish", &views);
        assert!(text.ends_with("\n… and 100 more\n"), "{text}");
        let short = fitted(&text, 2_000);
        assert!(short.len() <= 2_000 && short.ends_with("… the rest does not fit here\n"), "{short}");
        assert!(short.lines().all(|line| !line.starts_with('|') || line.ends_with('|')), "whole lines: {short}");
        assert_eq!(fitted(&text, text.len()), text);
        assert_eq!(fitted(&text, 20), "");
    }
}
