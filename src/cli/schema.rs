//! `smm schema`.

use super::{Exit, Failure, Global, output};
use crate::{calendar, networks};

/// Write the JSON Schema of the calendar, for editors
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Which file
    #[arg(value_enum, default_value_t)]
    file: Which,
}

#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum Which {
    /// `calendar.toml`
    #[default]
    Calendar,
    /// `smm.toml`
    Config,
}

pub(super) fn run(args: &Args, _global: &Global) -> Result<Exit, Failure> {
    let known = networks::known();
    output::json(&match args.file {
        Which::Calendar => calendar::calendar_schema(&known),
        Which::Config => calendar::config_schema(&known),
    })?;
    Ok(Exit::Done)
}
