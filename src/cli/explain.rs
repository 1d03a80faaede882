//! `smm explain`.

use super::{Exit, Failure, Global};

/// Explain a code that a diagnostic has
#[derive(Debug, clap::Args)]
pub struct Args {}

pub(super) fn run(_args: &Args, _global: &Global) -> Result<Exit, Failure> {
    Err(Failure::new("`smm explain` is not built yet"))
}
