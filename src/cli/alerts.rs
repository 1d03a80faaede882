//! `smm alerts`.

use std::fmt::Write as _;

use serde::Serialize;
use tokio::task::JoinSet;

use super::output;
use super::target::Beside;
use super::workspace::Settings;
use super::{Exit, Failure, Format, Global, delivering, workspace};
use crate::engine::alerts::{Message, tell};
use crate::time::{Clock, SystemClock};

/// See whether alerts arrive
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Test(TestArgs),
}

/// Send a test alert to the targets in smm.toml, and say what came of it
#[derive(Debug, clap::Args)]
struct TestArgs {
    /// Only to these targets
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    beside: Beside,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Serialize)]
struct Tests {
    targets: Vec<Test>,
}

/// What came of one. Fields are added, never renamed.
#[derive(Debug, Serialize)]
struct Test {
    name: String,
    told: bool,
    error: Option<String>,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    let Command::Test(args) = &args.command;
    let settings = Settings::read(global, &args.beside.calendar().file());
    let config = settings.config()?;
    let mut targets = delivering::senders().targets(&config.alerts);
    if targets.is_empty() {
        return Err(Failure::new("smm.toml names nobody who is told of alerts")
            .hint("write an `[[alerts]]` table into it; `smm schema config` and the README say how"));
    }
    for name in &args.names {
        if targets.iter().all(|target| target.name != *name) {
            let known: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
            return Err(Failure::new(format!("no alert in smm.toml is called `{name}`"))
                .hint(format!("there is {}", known.join(", "))));
        }
    }
    targets.retain(|target| args.names.is_empty() || args.names.contains(&target.name));
    workspace::block_on(async {
        let message = Message::test(SystemClock.now());
        let mut tests = JoinSet::new();
        for target in targets {
            let message = message.clone();
            tests.spawn(async move {
                let error = tell(&target, &message).await.err();
                Test { name: target.name, told: error.is_none(), error }
            });
        }
        let mut targets = tests.join_all().await;
        targets.sort_by(|one, other| one.name.cmp(&other.name));
        let failed = targets.iter().any(|test| !test.told);
        match args.format {
            Format::Json => output::json(&Tests { targets })?,
            Format::Human => {
                let mut text = String::new();
                for Test { name, error, .. } in &targets {
                    let _ = match error {
                        None => writeln!(text, "{name}: told"),
                        Some(error) => writeln!(text, "{name}: not told: {error}"),
                    };
                }
                output::stdout(&output::printable(&text));
            }
        }
        Ok(if failed { Exit::Failed } else { Exit::Done })
    })
}
