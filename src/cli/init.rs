//! `smm init`.

use super::{Exit, Failure, Global};

/// Write a starter calendar and config
#[derive(Debug, clap::Args)]
pub struct Args {}

pub(super) fn run(_args: &Args, _global: &Global) -> Result<Exit, Failure> {
    Err(Failure::new("`smm init` is not built yet"))
}
