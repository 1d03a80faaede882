//! `smm retry`.

use super::target::TargetArgs;
use super::{Exit, Failure, Global, change};
use crate::engine::PersonCommand;

/// Try a failed, missed, held or cancelled delivery again
///
/// It is published although it is late. What is already out stays out, and a thread goes on where it stopped. A delivery
/// whose outcome is unknown is refused: look at the account, then use `smm resolve`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    target: TargetArgs,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    change::run(&args.target, global, &PersonCommand::Retry, None)
}
