//! `smm show`.

use super::{Exit, Failure, Global};

/// Show one delivery with its history
#[derive(Debug, clap::Args)]
pub struct Args {}

pub(super) fn run(_args: &Args, _global: &Global) -> Result<Exit, Failure> {
    Err(Failure::new("`smm show` is not built yet"))
}
