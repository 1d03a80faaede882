//! `smm check`.

use super::{Exit, Failure, Global};

/// Validate a calendar, offline and without secrets
#[derive(Debug, clap::Args)]
pub struct Args {}

pub(super) fn run(_args: &Args, _global: &Global) -> Result<Exit, Failure> {
    Err(Failure::new("`smm check` is not built yet"))
}
