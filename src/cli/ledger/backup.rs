//! `smm ledger backup`.

use std::path::PathBuf;

use super::super::output;
use super::super::target::Beside;
use super::{Exit, Failure, Global, block_on, existing};
use crate::ledger::OpenMode;

/// Copy the ledger into a new file, while it is in use (SQLite)
///
/// The copy is a ledger itself. Put back in the place of a ledger that has gone on since, it is noticed, and nothing is
/// sent until `smm ledger adopt`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The new file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    beside: Beside,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    let ledger = existing(&args.beside, global, OpenMode::ReadOnly)?;
    block_on(async { Ok(ledger.backup(&args.file).await?) })?;
    if !global.quiet {
        output::stderr(&output::printable(&format!("copied to {}\n", args.file.display())));
    }
    Ok(Exit::Done)
}
