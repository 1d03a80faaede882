//! `smm cancel`.

use super::target::TargetArgs;
use super::{Exit, Failure, Global, change};
use crate::engine::PersonCommand;

/// Take a delivery back before it is sent, or put a failed one away
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    target: TargetArgs,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    change::run(&args.target, global, &PersonCommand::Cancel, args.reason.as_deref())
}
