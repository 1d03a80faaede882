//! `smm networks`.

use super::output::{self, Stream};
use super::{Exit, Failure, Global};
use crate::adapter::Network;
use crate::networks;
use crate::report::networks as report;

/// Show what each network allows
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Everything of this one
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// How it is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// How networks are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum Format {
    /// For people
    #[default]
    Human,
    /// For programs
    Json,
    /// A table for a README
    Markdown,
}

pub(super) fn run(args: &Args, _global: &Global) -> Result<Exit, Failure> {
    if let Some(gone) = args.name.as_deref().and_then(networks::gone) {
        match args.format {
            Format::Human | Format::Markdown => output::stdout(&report::gone(gone)),
            Format::Json => output::json(&report::NetworkList::gone(gone))?,
        }
        return Ok(Exit::Done);
    }
    let one = match &args.name {
        Some(name) => Some(networks::find(name).ok_or_else(|| unknown(name))?),
        None => None,
    };
    let chosen: Vec<&'static dyn Network> = one.map_or_else(|| networks::ALL.to_vec(), |network| vec![network]);
    match (args.format, one) {
        (Format::Human, Some(network)) => output::stdout(&report::detail(network)),
        (Format::Human, None) => output::stdout(&report::human(&chosen, output::colours(Stream::Stdout))),
        (Format::Markdown, _) => output::stdout(&report::markdown(&chosen)),
        (Format::Json, None) => output::json(&report::NetworkList::new(&chosen).with_gone())?,
        (Format::Json, Some(_)) => output::json(&report::NetworkList::new(&chosen))?,
    }
    Ok(Exit::Done)
}

fn unknown(name: &str) -> Failure {
    let unknown = Failure::usage(format!("`{name}` is not a network that smm knows"));
    if let Some(id) = networks::known_as(name) {
        return unknown.hint(format!("it is called `{id}`: `smm networks {id}`"));
    }
    let known: Vec<&str> = networks::ALL.iter().map(|network| network.profile().id).collect();
    unknown.hint(format!("known are {}", known.join(", ")))
}
