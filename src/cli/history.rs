//! `smm history`.

use super::{Exit, Failure, Global};

/// Show what happened, newest first
#[derive(Debug, clap::Args)]
pub struct Args {}

pub(super) fn run(_args: &Args, _global: &Global) -> Result<Exit, Failure> {
    Err(Failure::new("`smm history` is not built yet"))
}
