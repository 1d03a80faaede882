//! `smm post`.

use super::{Exit, Failure, Global};

/// Publish one post now, or at a given time
#[derive(Debug, clap::Args)]
pub struct Args {}

pub(super) fn run(_args: &Args, _global: &Global) -> Result<Exit, Failure> {
    Err(Failure::new("`smm post` is not built yet"))
}
