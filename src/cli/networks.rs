//! `smm networks`.

use super::{Exit, Failure, Global};

/// Show what each network allows
#[derive(Debug, clap::Args)]
pub struct Args {}

pub(super) fn run(_args: &Args, _global: &Global) -> Result<Exit, Failure> {
    Err(Failure::new("`smm networks` is not built yet"))
}
