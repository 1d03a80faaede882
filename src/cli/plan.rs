//! `smm plan`.

use super::{Exit, Failure, Global};

/// Show what will go out when, against the ledger
#[derive(Debug, clap::Args)]
pub struct Args {}

pub(super) fn run(_args: &Args, _global: &Global) -> Result<Exit, Failure> {
    Err(Failure::new("`smm plan` is not built yet"))
}
