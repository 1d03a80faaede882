//! `smm ledger info`.

use std::fmt::Write as _;

use serde::Serialize;

use super::super::output;
use super::super::target::Beside;
use super::super::workspace::{Settings, block_on};
use super::{Exit, Failure, Format, Global, deliveries, older};
use crate::ledger::{About, Age, OpenMode};
use crate::model::State;
use crate::report::{OlderView, UntoldView};

/// Show what the ledger is, where, and how much is in it
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    beside: Beside,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// The ledger as programs see it. Fields are added, never renamed.
#[derive(Debug, Serialize)]
struct View {
    kind: &'static str,
    place: String,
    version: u32,
    bytes: Option<u64>,
    deliveries: u64,
    states: std::collections::BTreeMap<&'static str, u64>,
    /// Alerts that somebody should know of and could not be told.
    alerts: Vec<UntoldView>,
    older: Option<OlderView>,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    let settings = Settings::read(global, &args.beside.calendar().file());
    let targets: Vec<String> = settings.config()?.alerts.iter().map(|alert| alert.name.clone()).collect();
    let ledger = settings.ledger(OpenMode::ReadOnly)?;
    block_on(async {
        let (about, age) = (ledger.about().await?, ledger.age().await?);
        let alerts = ledger.untold(&targets).await?.iter().map(UntoldView::from).collect();
        let view = View {
            kind: about.kind,
            version: about.version,
            bytes: about.bytes,
            deliveries: about.deliveries(),
            states: about.states.iter().map(|(state, count)| (state.as_str(), *count)).collect(),
            place: about.place.clone(),
            alerts,
            older: OlderView::of(&age),
        };
        match args.format {
            Format::Json => output::json(&view)?,
            Format::Human => {
                output::stdout(&output::printable(&human(&about, &age, view.alerts.len())));
                if view.older.is_some() {
                    older::hint(global);
                }
            }
        }
        Ok(if view.older.is_some() { Exit::Failed } else { Exit::Done })
    })
}

fn human(about: &About, age: &Age, untold: usize) -> String {
    let mut text = format!("{} at {}\n", about.kind, about.place);
    if about.version == 0 {
        let _ = writeln!(text, "it is not there yet");
    } else {
        let size = about.bytes.map(|bytes| format!(", {}", size(bytes))).unwrap_or_default();
        let _ = writeln!(text, "version {}{size}", about.version);
        let states = State::ALL.into_iter().filter_map(|state| Some((state, about.states.get(&state)?)));
        let states: Vec<String> = states.map(|(state, count)| format!("{count} {state}")).collect();
        let of = if states.is_empty() { String::new() } else { format!(": {}", states.join(", ")) };
        let _ = writeln!(text, "{}{of}", deliveries(about.deliveries()));
    }
    if untold > 0 {
        let s = if untold == 1 { "" } else { "s" };
        let _ = writeln!(text, "{untold} alert{s} could not be told; `smm status` shows them");
    }
    match age.doubt() {
        Some(doubt) => {
            let _ = writeln!(text, "nothing is sent: {doubt}");
        }
        None if about.version > 0 => text.push_str("as new as this machine has seen it\n"),
        None => {}
    }
    text
}

fn size(bytes: u64) -> String {
    indicatif::HumanBytes(bytes).to_string()
}
