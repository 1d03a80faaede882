//! `smm publish`.

use super::{Exit, Failure, Global};

/// Publish what is due, then exit
#[derive(Debug, clap::Args)]
pub struct Args {}

pub(super) fn run(_args: &Args, _global: &Global) -> Result<Exit, Failure> {
    Err(Failure::new("`smm publish` is not built yet"))
}
