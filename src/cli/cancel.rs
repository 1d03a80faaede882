//! `smm cancel`.

use super::{Exit, Failure, Global};

/// Take back a delivery that is not out yet
#[derive(Debug, clap::Args)]
pub struct Args {}

pub(super) fn run(_args: &Args, _global: &Global) -> Result<Exit, Failure> {
    Err(Failure::new("`smm cancel` is not built yet"))
}
