//! `smm announce`.
//!
//! A release is announced by whoever runs this first for its tag: the posts are filled in and kept in the ledger, and each
//! account gets them once, whoever runs it again, beside it, or after it has died. What is wanted is wanted now: blackout
//! hours do not hold it back, an account's spacing does.

mod delivery;
mod event;
mod facts;
mod forge;
mod posts;
mod safety;

use std::path::PathBuf;
use std::time::Duration;

use super::output::{self, Format};
use super::workspace::{self, CalendarArg, Workspace};
use super::{Exit, Failure, Global, older};
use crate::ledger::OpenMode;
use crate::report::DeliveryList;
use crate::time::{Clock as _, SystemClock};
use facts::Gathered;

/// Announce a release: publish the posts with `on = "release"`, once for each tag
#[derive(Debug, clap::Args)]
#[command(after_help = "\
On GitHub, GitLab, Forgejo, Gitea and Woodpecker, tag, notes, URL and project are those of the job; options win over them.

Examples:
  smm announce
  smm announce --tag v2.0.0 --from-changelog CHANGELOG.md --dry-run
  git tag -l --format='%(contents)' v2.0.0 | smm announce --tag v2.0.0 --notes -")]
pub(super) struct Args {
    #[command(flatten)]
    calendar: CalendarArg,
    /// The release's tag; it names what is announced for ever
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// What is new, Markdown; `-` reads it from stdin
    #[arg(long, value_name = "FILE|-", conflicts_with = "from_changelog")]
    notes: Option<PathBuf>,
    /// Take what is new from the tag's section of this changelog (Keep a Changelog)
    #[arg(long, value_name = "FILE")]
    from_changelog: Option<PathBuf>,
    /// Where the release is to be had
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The project's name
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    /// It is not for everybody yet
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    prerelease: Option<bool>,
    /// The tag before it
    #[arg(long, value_name = "TAG")]
    previous: Option<String>,
    /// Only these accounts
    #[arg(long, value_name = "ACCOUNTS", value_delimiter = ',')]
    to: Vec<String>,
    /// Show what each account would receive; send nothing
    #[arg(long)]
    dry_run: bool,
    /// Send also where nothing can tell whether an earlier run of this job has sent it
    #[arg(long)]
    may_repeat: bool,
    /// Wait at most so long for other runs, slow networks and outcomes that are unknown, as in 90s or 5m
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = super::publish::duration)]
    wait: Duration,
    /// How the deliveries are written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    let workspace = Workspace::read(&args.calendar, global)?;
    workspace.config()?;
    let calendar = workspace.sound_calendar()?;
    let now = SystemClock.now();
    let environment = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let mut release = match facts::gather(args, &environment, calendar, now)? {
        Gathered::Release(release) => release,
        Gathered::Nothing(why) => return nothing(args, global, &[why]),
    };
    if global.verbose > 0 {
        output::stderr(&output::printable(&release.told()));
    }
    let mut chosen = posts::choose(args, calendar, &release)?;
    if chosen.posts.is_empty() {
        chosen.left_out.push("nothing is announced".to_owned());
        return nothing(args, global, &chosen.left_out);
    }
    if let Some(unwritten) = release.unwritten.take() {
        return Err(unwritten);
    }
    say(global, &chosen.left_out);
    let posts = posts::fill(&workspace.loaded, &chosen.posts, &release, now)?;
    if args.dry_run {
        posts::show(calendar, &posts, now, args.format)?;
        return posts::refuse_problems(calendar, &posts).map(|()| Exit::Done);
    }
    let ledger = workspace.settings.ledger(OpenMode::ReadWrite)?;
    workspace::block_on(async {
        older::refuse(&*ledger).await?;
        delivery::announce(args, global, &workspace, &ledger, posts, forge::is_ci(&environment)).await
    })
}

/// There is nothing to do, which is no failure.
fn nothing(args: &Args, global: &Global, why: &[String]) -> Result<Exit, Failure> {
    if args.format == Format::Json {
        output::json(&DeliveryList { deliveries: Vec::new() })?;
    }
    say(global, why);
    output::summarize_nothing("smm announce", why);
    Ok(Exit::Done)
}

fn say(global: &Global, lines: &[String]) {
    for line in lines.iter().filter(|_| !global.quiet) {
        output::stderr(&format!("{}\n", output::printable(line)));
    }
}
