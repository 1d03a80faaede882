//! The comparison as a comment on a pull request: a table, and folded below it what each account would receive.
//!
//! The first line is a mark that is not seen, by which a bot finds its own comment again. Everything that comes from the
//! calendar stands in `code` and `pre` elements, escaped (see [`crate::report::markdown`]).

use std::fmt::Write as _;

use super::SincePlan;
use crate::adapter::check::size;
use crate::model::{AccountName, Visibility};
use crate::report::markdown::{code, pre};
use crate::report::preview::{Preview, counter, poll_line, severity};
use crate::schedule::{Difference, Effect};

/// One post with the accounts that the same happens to.
struct Row<'a> {
    first: &'a Difference,
    all: Vec<&'a Difference>,
}

/// The comment, at most `limit` bytes long.
pub(super) fn comment(plan: &SincePlan<'_>, limit: usize) -> String {
    let mut text = format!(
        "<!-- smm plan of {} -->\n### What this change publishes\n\n**{}**; times in {}\n",
        plan.calendar.name,
        plan.summary(),
        code(plan.calendar.zone.name()),
    );
    for remark in plan.remarks() {
        let _ = write!(text, "\n> {}\n", code(&remark));
    }
    let rows = rows(&plan.differences);
    if rows.is_empty() {
        return text;
    }
    text.push_str("\n| | post | accounts | when | |\n|---|---|---|---|---|\n");
    // The table may take half of what there is; what needs a word is at its top.
    let half = text.len() + limit.saturating_sub(text.len()) / 2;
    let mut listed = 0;
    for row in &rows {
        let line = line(plan, row);
        if text.len() + line.len() + ROOM_FOR_REST > half {
            break;
        }
        text.push_str(&line);
        listed += 1;
    }
    if listed < rows.len() {
        let _ = write!(text, "\n… and {} more\n", rows.len() - listed);
    }
    let mut left_out = 0;
    for (index, row) in rows.iter().enumerate() {
        // What is surely too much is not even composed.
        if limit.saturating_sub(text.len()) < 2 * ROOM_FOR_REST {
            left_out += rows[index..].iter().filter(|row| is_shown(row)).count();
            break;
        }
        let Some(details) = details(plan, row) else { continue };
        if text.len() + details.len() + ROOM_FOR_REST > limit {
            left_out += 1;
        } else {
            text.push_str(&details);
        }
    }
    if left_out > 0 {
        let _ = write!(text, "\n… and {left_out} more whose texts do not fit here\n");
    }
    text
}

/// Bytes that are kept free for the line that says what was left out.
const ROOM_FOR_REST: usize = 80;

/// Puts the accounts of a post together to which the same happens.
fn rows(differences: &[Difference]) -> Vec<Row<'_>> {
    let mut rows: Vec<Row<'_>> = Vec::new();
    for one in differences {
        let same = |row: &&mut Row<'_>| {
            let first = row.first;
            (first.effect, &first.post, first.due, first.was, first.edited, &first.note)
                == (one.effect, &one.post, one.due, one.was, one.edited, &one.note)
        };
        // They stand beside each other, since they are sorted.
        match rows.last_mut().filter(same) {
            Some(row) => row.all.push(one),
            None => rows.push(Row { first: one, all: vec![one] }),
        }
    }
    rows
}

fn line(plan: &SincePlan<'_>, row: &Row<'_>) -> String {
    let one = row.first;
    let accounts: Vec<String> = row.all.iter().map(|one| code(one.account.as_str())).collect();
    format!(
        "| {} | {} | {} | {} | {} |\n",
        word(one.effect),
        code(one.post.as_str()),
        accounts.join(" "),
        code(&plan.when(one)),
        code(&SincePlan::why(one)),
    )
}

fn word(effect: Effect) -> String {
    let word = effect.as_str();
    match effect {
        Effect::Again => "🔁 **would be sent again**".to_owned(),
        Effect::Nothing => "nothing is sent".to_owned(),
        Effect::Held | Effect::Missed | Effect::Unreadable => format!("⚠️ **{word}**"),
        Effect::Added => "➕ new".to_owned(),
        Effect::Moved => "🕓 moved".to_owned(),
        Effect::Edited => "✏️ edited".to_owned(),
        Effect::Dropped => "➖ dropped".to_owned(),
        Effect::Renamed | Effect::Draft => word.to_owned(),
    }
}

/// Whether texts belong to a row.
fn is_shown(row: &Row<'_>) -> bool {
    !matches!(row.first.effect, Effect::Dropped | Effect::Unreadable | Effect::Nothing)
}

/// What the accounts of a row would receive, folded. `None`: nothing is to be shown.
fn details(plan: &SincePlan<'_>, row: &Row<'_>) -> Option<String> {
    if !is_shown(row) {
        return None;
    }
    let mut text = format!("\n<details><summary>{}</summary>\n", code(row.first.post.as_str()));
    let mut shown: Vec<(String, String)> = Vec::new();
    for one in &row.all {
        for preview in &plan.previews(one) {
            let rendering = rendering(preview);
            let head = heading(&one.account, preview);
            // Where several receive the same, it is shown once.
            match shown.iter_mut().find(|(_, known)| *known == rendering) {
                Some((heads, _)) => *heads = format!("{heads}, {head}"),
                None => shown.push((head, rendering)),
            }
        }
    }
    if shown.is_empty() {
        return None;
    }
    for (head, rendering) in shown {
        let _ = write!(text, "\n{head}\n\n{rendering}\n");
    }
    text.push_str("\n</details>\n");
    Some(text)
}

fn heading(account: &AccountName, preview: &Preview<'_>) -> String {
    let number = preview.text.map_or_else(String::new, |(number, of)| format!(" (text {number} of {of})"));
    format!("{} on {}{number}", code(account.as_str()), code(preview.profile.name))
}

/// A rendering without its account's name.
fn rendering(preview: &Preview<'_>) -> String {
    let rendering = &preview.rendering;
    let mut lines = Vec::new();
    for (name, value) in [
        ("answers", rendering.reply_to.as_deref()),
        ("quotes", rendering.quote.as_deref()),
        ("title", rendering.title.as_deref()),
        ("content warning", rendering.content_warning.as_deref()),
        ("visibility", rendering.visibility.map(Visibility::as_str)),
    ] {
        lines.extend(value.map(|value| format!("{name}: {}", code(value))));
    }
    for (name, values) in
        [("languages", &rendering.languages), ("labels", &rendering.labels), ("tags", &rendering.tags)]
    {
        if !values.is_empty() {
            lines.push(format!("{name}: {}", code(&values.join(", "))));
        }
    }
    let mut text = list(&lines);
    let count = rendering.parts.len();
    for (index, part) in rendering.parts.iter().enumerate() {
        let label = if count > 1 { format!("{} of {count}, {}", index + 1, counter(part)) } else { counter(part) };
        let _ = writeln!(text, "{}\n", code(&label));
        if !part.text.is_empty() {
            let _ = writeln!(text, "{}\n", pre(&part.text));
        }
        let mut lines = Vec::new();
        lines.extend(part.link.as_deref().map(|link| format!("link card: {}", code(link))));
        for (file, alt, facts) in &part.media {
            let facts = facts.as_ref().map_or_else(|| "cannot be read".to_owned(), |facts| size(facts.bytes));
            let alt = if alt.is_empty() { "no alt text".to_owned() } else { code(alt) };
            lines.push(format!("{} ({facts}): {alt}", code(file)));
        }
        if let Some(poll) = rendering.poll.as_ref().filter(|_| index == 0) {
            let options: Vec<String> = poll.options.iter().map(|option| code(option)).collect();
            lines.push(format!("{}: {}", poll_line(poll), options.join(" ")));
        }
        text.push_str(&list(&lines));
    }
    if let Some(body) = &rendering.body {
        let _ = write!(text, "long form\n\n{}\n\n", pre(body));
    }
    let problems = rendering
        .problems
        .iter()
        .map(|problem| format!("**{}** {}", severity(problem.severity), code(&problem.message)));
    let notes = rendering.notes.iter().map(|note| code(note));
    text.push_str(&list(&problems.chain(notes).collect::<Vec<_>>()));
    text.trim_end().to_owned()
}

fn list(lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    lines.iter().fold(String::new(), |list, line| list + "- " + line + "\n") + "\n"
}
