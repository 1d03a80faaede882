//! `smm status`.

use super::{Exit, Failure, Global};

/// Show the state of every delivery
#[derive(Debug, clap::Args)]
pub struct Args {}

pub(super) fn run(_args: &Args, _global: &Global) -> Result<Exit, Failure> {
    Err(Failure::new("`smm status` is not built yet"))
}
