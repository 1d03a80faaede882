//! `smm schema`.

use super::{Exit, Failure, Global};

/// Write the JSON Schema of the calendar
#[derive(Debug, clap::Args)]
pub struct Args {}

pub(super) fn run(_args: &Args, _global: &Global) -> Result<Exit, Failure> {
    Err(Failure::new("`smm schema` is not built yet"))
}
