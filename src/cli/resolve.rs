//! `smm resolve`.

use super::{Exit, Failure, Global};

/// Settle a delivery whose outcome is unknown
#[derive(Debug, clap::Args)]
pub struct Args {}

pub(super) fn run(_args: &Args, _global: &Global) -> Result<Exit, Failure> {
    Err(Failure::new("`smm resolve` is not built yet"))
}
