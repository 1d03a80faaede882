//! `smm preview`.

use std::path::PathBuf;

use super::output;
use super::workspace::{CalendarArg, Workspace};
use super::{Exit, Failure, Global};
use crate::model::{AccountName, PostId};
use crate::report::{html, preview};
use crate::time::{Clock as _, SystemClock};

/// Show what each account would receive
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    calendar: CalendarArg,
    /// Only this post
    #[arg(long, value_name = "ID")]
    post: Option<String>,
    /// Only this account
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// How it is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Write to this file instead of to the screen
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// How previews are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum Format {
    /// For people, in a terminal
    #[default]
    Human,
    /// For programs
    Json,
    /// A page that shows each as a reader would see it
    Html,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    let workspace = Workspace::read(&args.calendar, global)?;
    workspace.config()?;
    let calendar = workspace.calendar()?;
    let post = args.post.as_deref().map(PostId::new);
    let account = args.account.as_deref().map(AccountName::new);
    if let Some(id) = &post
        && calendar.post(id).is_none()
    {
        let there = workspace.loaded.ids.contains(id);
        let problem = if there { "has mistakes in its form" } else { "is not in the calendar" };
        return Err(Failure::new(format!("the post `{id}` {problem}")).hint(if there {
            "`smm check` shows them"
        } else {
            "look for its `id` in the calendar"
        }));
    }
    if let Some(name) = &account
        && !calendar.accounts.contains_key(name)
    {
        return Err(Failure::new(format!("there is no account `{name}`"))
            .hint("accounts are in smm.toml, and those that need no credential in the calendar"));
    }
    let previews = preview::previews(calendar, post.as_ref(), account.as_ref(), SystemClock.now());
    let text = match args.format {
        Format::Human => preview::human(calendar, &previews),
        Format::Html => html::page(calendar, &previews),
        Format::Json => {
            serde_json::to_string_pretty(&preview::PreviewReport::new(&previews))
                .map_err(|error| Failure::new(format!("cannot write JSON: {error}")))?
                + "\n"
        }
    };
    match &args.output {
        None => output::stdout(&text),
        Some(file) => {
            std::fs::write(file, text)
                .map_err(|error| Failure::new(format!("cannot write {}: {error}", file.display())))?;
            if !global.quiet {
                output::stderr(&format!("{} written\n", file.display()));
            }
        }
    }
    if previews.is_empty() && !global.quiet {
        output::stderr("there is nothing to show: no post goes to an account that is known\n");
    }
    let refused = previews.iter().filter(|preview| !preview.rendering.is_ok()).count();
    if refused > 0 && !global.quiet {
        output::stderr(&format!("{refused} of {} have errors; `smm check` shows their places\n", previews.len()));
    }
    Ok(Exit::Done)
}
