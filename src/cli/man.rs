//! `smm man`.

use super::{Exit, Failure, Global};

/// Write the man page
#[derive(Debug, clap::Args)]
pub struct Args {}

pub(super) fn run(_args: &Args, _global: &Global) -> Result<Exit, Failure> {
    Err(Failure::new("`smm man` is not built yet"))
}
