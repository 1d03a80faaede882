//! `smm retry`.

use super::{Exit, Failure, Global};

/// Try a failed, held or missed delivery again
#[derive(Debug, clap::Args)]
pub struct Args {}

pub(super) fn run(_args: &Args, _global: &Global) -> Result<Exit, Failure> {
    Err(Failure::new("`smm retry` is not built yet"))
}
