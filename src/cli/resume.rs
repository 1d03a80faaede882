//! `smm resume`.

use super::{Exit, Failure, Global};

/// Publish again after a pause
#[derive(Debug, clap::Args)]
pub struct Args {}

pub(super) fn run(_args: &Args, _global: &Global) -> Result<Exit, Failure> {
    Err(Failure::new("`smm resume` is not built yet"))
}
