//! The command line: one file per command, with its arguments and the function. No decisions are made here: a command
//! parses, calls, and prints through [`output`].

mod accounts;
mod alerts;
mod announce;
mod browser;
mod cancel;
mod change;
mod check;
mod completions;
mod daemon;
mod delivering;
mod doctor;
mod explain;
mod history;
mod init;
mod ledger;
mod login;
mod logout;
mod man;
mod networks;
mod older;
mod output;
mod pause;
mod plan;
mod post;
mod preview;
mod prompt;
mod publish;
mod resolve;
mod resume;
mod retry;
mod schema;
mod show;
mod status;
mod systemd;
mod target;
mod upload;
mod workspace;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use output::{Failure, Format};

/// Publish social posts from a content calendar that lives in git
#[derive(Debug, Parser)]
#[command(name = "smm", version, max_term_width = 100, propagate_version = true)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// The heading of [`Global`] in the help.
const EVERYWHERE: &str = "Options of every command";

/// Options that every command has.
#[derive(Debug, clap::Args)]
pub struct Global {
    /// Use this smm.toml
    #[arg(long, global = true, env = "SMM_CONFIG", value_name = "FILE", hide_env_values = true, help_heading = EVERYWHERE)]
    pub config: Option<PathBuf>,
    /// Say more; twice and thrice for even more
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = EVERYWHERE)]
    pub verbose: u8,
    /// Say nothing but errors
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = EVERYWHERE)]
    pub quiet: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Args),
    Check(check::Args),
    Preview(preview::Args),
    Plan(plan::Args),
    Post(post::Args),
    Publish(publish::Args),
    Daemon(daemon::Args),
    Announce(announce::Args),
    Status(status::Args),
    History(history::Args),
    Show(show::Args),
    Retry(retry::Args),
    Cancel(cancel::Args),
    Resolve(resolve::Args),
    Pause(pause::Args),
    Resume(resume::Args),
    Login(login::Args),
    Logout(logout::Args),
    Ledger(ledger::Args),
    Accounts(accounts::Args),
    Doctor(doctor::Args),
    Alerts(alerts::Args),
    Networks(networks::Args),
    Systemd(systemd::Args),
    Schema(schema::Args),
    Explain(explain::Args),
    Completions(completions::Args),
    Man(man::Args),
}

/// How a command ended, for the exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: done.
    Done,
    /// 1: something was refused or failed.
    Failed,
    /// 3: an outcome is unknown.
    Unknown,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Unknown => 3,
        })
    }
}

/// The whole command line, for completions and the man page.
pub fn command() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}

/// Parses the arguments, runs the command, prints what went wrong.
pub fn main() -> ExitCode {
    crate::secrets::keep_in_memory();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // On CI nothing of an argument is to be taken for an order either.
        Err(error) if error.use_stderr() && output::ci() != crate::report::ci::Ci::None => {
            output::stderr(&error.render().to_string());
            return ExitCode::from(2);
        }
        Err(error) => error.exit(),
    };
    let done = match cli.command {
        Command::Init(args) => init::run(&args, &cli.global),
        Command::Check(args) => check::run(&args, &cli.global),
        Command::Preview(args) => preview::run(&args, &cli.global),
        Command::Plan(args) => plan::run(&args, &cli.global),
        Command::Post(args) => post::run(&args, &cli.global),
        Command::Publish(args) => publish::run(&args, &cli.global),
        Command::Daemon(args) => daemon::run(&args, &cli.global),
        Command::Announce(args) => announce::run(&args, &cli.global),
        Command::Status(args) => status::run(&args, &cli.global),
        Command::History(args) => history::run(&args, &cli.global),
        Command::Show(args) => show::run(&args, &cli.global),
        Command::Retry(args) => retry::run(&args, &cli.global),
        Command::Cancel(args) => cancel::run(&args, &cli.global),
        Command::Resolve(args) => resolve::run(&args, &cli.global),
        Command::Pause(args) => pause::run(&args, &cli.global),
        Command::Resume(args) => resume::run(&args, &cli.global),
        Command::Login(args) => login::run(&args, &cli.global),
        Command::Logout(args) => logout::run(&args, &cli.global),
        Command::Ledger(args) => ledger::run(&args, &cli.global),
        Command::Accounts(args) => accounts::run(&args, &cli.global),
        Command::Doctor(args) => doctor::run(&args, &cli.global),
        Command::Alerts(args) => alerts::run(&args, &cli.global),
        Command::Networks(args) => networks::run(&args, &cli.global),
        Command::Systemd(args) => systemd::run(&args, &cli.global),
        Command::Schema(args) => schema::run(&args, &cli.global),
        Command::Explain(args) => explain::run(&args, &cli.global),
        Command::Completions(args) => completions::run(&args, &cli.global),
        Command::Man(args) => man::run(&args, &cli.global),
    };
    match done {
        Ok(Exit::Done) if !output::is_written() => Exit::Failed.into(),
        Ok(exit) => exit.into(),
        Err(failure) => failure.report(),
    }
}
