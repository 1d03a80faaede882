//! `smm pause`.

use super::{Exit, Failure, Global};

/// Stop publishing, for one account or all
#[derive(Debug, clap::Args)]
pub struct Args {}

pub(super) fn run(_args: &Args, _global: &Global) -> Result<Exit, Failure> {
    Err(Failure::new("`smm pause` is not built yet"))
}
