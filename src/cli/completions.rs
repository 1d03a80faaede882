//! `smm completions`.

use super::{Exit, Failure, Global};

/// Write completions for a shell
#[derive(Debug, clap::Args)]
pub struct Args {}

pub(super) fn run(_args: &Args, _global: &Global) -> Result<Exit, Failure> {
    Err(Failure::new("`smm completions` is not built yet"))
}
