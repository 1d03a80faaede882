//! What `check` says of a post, in the words of the options.

use chrono::{DateTime, Utc};

use super::super::Failure;
use super::super::output::{self, Format, Stream, Style};
use crate::calendar::Calendar;
use crate::compose::{Composer, Instance};
use crate::model::{AccountName, Delivery, DeliveryId, Place, Post, Problem, Severity, codes};
use crate::report::preview;

pub(super) fn instance(id: DeliveryId) -> Instance {
    Instance { delivery: id, generation: 0, variation: 0 }
}

/// Shows what is wrong; `true` when anything is refused.
pub(super) fn check(calendar: &Calendar, post: &Post, deliveries: &[Delivery]) -> bool {
    let composer = Composer::new(calendar);
    let mut told: Vec<(Problem, Vec<AccountName>)> = Vec::new();
    for delivery in deliveries {
        let Some(account) = calendar.accounts.get(&delivery.account) else { continue };
        for problem in composer.compose(post, account, instance(delivery.id)).problems {
            match told.iter_mut().find(|(known, _)| *known == problem) {
                Some((_, accounts)) => accounts.push(account.name.clone()),
                None => told.push((problem, vec![account.name.clone()])),
            }
        }
    }
    let mut refused = false;
    for (problem, accounts) in &told {
        let (style, word) = match problem.severity {
            Severity::Error => (Style::Error, "error"),
            Severity::Warning => (Style::Warning, "warning"),
            Severity::Note => (Style::Hint, "note"),
        };
        refused |= problem.severity == Severity::Error;
        let names: Vec<&str> = accounts.iter().map(AccountName::as_str).collect();
        let message = format!(
            "{} {} ({}{})\n",
            output::paint(Stream::Stderr, style, &format!("{word}[{}]:", problem.code)),
            output::printable(&problem.message),
            names.join(", "),
            place(&problem.place),
        );
        output::stderr(&message);
        if let Some(help) = help(problem) {
            let label = output::paint(Stream::Stderr, Style::Hint, "help:");
            output::stderr(&format!("  {label} {}\n", output::printable(help)));
        }
    }
    refused
}

/// What to do, in the words of the options where the calendar's would not do.
pub(super) fn help(problem: &Problem) -> Option<&str> {
    match problem.code {
        codes::TEXT_TOO_LONG => Some("shorten it, or add --split to make it a thread"),
        codes::ALT_MISSING => Some("say what it shows: one --alt for each --media, in their order"),
        _ => problem.help.as_deref(),
    }
}

/// Where a problem is, in the words of the options.
pub(super) fn place(place: &Place) -> String {
    match place {
        Place::Post => String::new(),
        Place::Text { key: "thread", index, .. } => format!(": --thread number {}", index + 1),
        Place::Key { key } | Place::Text { key, .. } => format!(": {key}"),
        Place::Media { index, .. } => format!(": --media number {}", index + 1),
        Place::PollOption { .. } => ": poll".to_owned(),
    }
}

/// What each account would receive.
pub(super) fn show(calendar: &Calendar, post: &Post, now: DateTime<Utc>, format: Format) -> Result<(), Failure> {
    let previews = preview::previews(calendar, Some(&post.id), None, now);
    match format {
        Format::Json => output::json(&preview::PreviewReport::new(&previews)),
        Format::Human => {
            output::stdout(&preview::human(calendar, &previews));
            Ok(())
        }
    }
}
