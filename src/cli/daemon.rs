//! `smm daemon`.

use super::{Exit, Failure, Global};

/// Publish on time until stopped
#[derive(Debug, clap::Args)]
pub struct Args {}

pub(super) fn run(_args: &Args, _global: &Global) -> Result<Exit, Failure> {
    Err(Failure::new("`smm daemon` is not built yet"))
}
