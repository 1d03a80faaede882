//! `smm preview`.

use super::{Exit, Failure, Global};

/// Show what each account would receive
#[derive(Debug, clap::Args)]
pub struct Args {}

pub(super) fn run(_args: &Args, _global: &Global) -> Result<Exit, Failure> {
    Err(Failure::new("`smm preview` is not built yet"))
}
