//! `smm ledger`: what it is, and how it is copied, moved and taken as it is.

mod adopt;
mod backup;
mod export;
mod gc;
mod import;
mod info;

use std::io::IsTerminal as _;
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};

use super::output::{self, Stream};
use super::target::Beside;
use super::workspace::{Settings, block_on};
use super::{Exit, Failure, Format, Global, older};
use crate::ledger::{Ledger, LedgerError, OpenMode};

/// Show the ledger, copy it, move it to another kind, or take a restored one as it is
///
/// Without a command: what it is, where, and how much is in it.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
#[group(skip)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    info: info::Args,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Info(info::Args),
    Export(export::Args),
    Import(import::Args),
    Backup(backup::Args),
    Adopt(adopt::Args),
    Gc(gc::Args),
}

pub(super) fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    match &args.command {
        None => info::run(&args.info, global),
        Some(Command::Info(args)) => info::run(args, global),
        Some(Command::Export(args)) => export::run(args, global),
        Some(Command::Import(args)) => import::run(args, global),
        Some(Command::Backup(args)) => backup::run(args, global),
        Some(Command::Adopt(args)) => adopt::run(args, global),
        Some(Command::Gc(args)) => gc::run(args, global),
    }
}

/// The ledger that the settings name; refused where there is none yet.
fn existing(beside: &Beside, global: &Global, mode: OpenMode) -> Result<Arc<dyn Ledger>, Failure> {
    let settings = Settings::read(global, &beside.calendar().file());
    let ledger = settings.ledger(OpenMode::ReadOnly)?;
    let about = block_on(async { Ok(ledger.about().await?) })?;
    if about.version == 0 {
        return Err(Failure::new(format!("there is no ledger at {} yet", about.place))
            .hint("`smm publish`, `smm daemon` and `smm post` make it"));
    }
    if mode == OpenMode::ReadOnly { Ok(ledger) } else { settings.ledger(mode) }
}

/// Holds the ledger against whoever else would publish from it meanwhile.
async fn alone(ledger: &dyn Ledger, command: &str) -> Result<Box<dyn Send + Sync>, Failure> {
    ledger.lock(command).await.map_err(|error| match error {
        LedgerError::Busy(holder) => Failure::new(holder)
            .hint("stop it first, so that nothing changes meanwhile; `smm ledger backup` needs no stop"),
        other => other.into(),
    })
}

/// How far long work is, on a terminal. `of`: how much there is, where that is known.
fn progress(global: &Global, what: &'static str, of: Option<u64>) -> ProgressBar {
    if global.quiet || !output::is_terminal(Stream::Stderr) {
        return ProgressBar::hidden();
    }
    let (bar, shape) = match of {
        Some(of) => (ProgressBar::new(of), "{msg} {wide_bar} {human_pos}/{human_len}"),
        None => (ProgressBar::new_spinner(), "{spinner} {msg} {human_pos}"),
    };
    bar.set_style(ProgressStyle::with_template(shape).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_message(what);
    bar
}

/// `1 delivery`, `2 deliveries`.
fn deliveries(count: u64) -> String {
    if count == 1 { "1 delivery".to_owned() } else { format!("{count} deliveries") }
}

/// Asks a person; `None`: there is nobody to ask.
fn asked(question: &str) -> Option<bool> {
    if !std::io::stdin().is_terminal() || !output::is_terminal(Stream::Stderr) {
        return None;
    }
    output::stderr(&format!("{question} [y/N] "));
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).ok()?;
    Some(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
