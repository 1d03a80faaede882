//! `smm check`.

use super::output::{self, Stream};
use super::workspace::{CalendarArg, Workspace};
use super::{Exit, Failure, Global};
use crate::calendar::Diagnostic;
use crate::compose;
use crate::model::Severity;
use crate::report::diagnostics::{CheckReport, Tally, github, human};
use crate::report::sarif;
use crate::time::{Clock as _, SystemClock};

/// Validate a calendar, offline and without secrets
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    calendar: CalendarArg,
    /// How the findings are written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Let warnings fail too
    #[arg(long)]
    strict: bool,
}

/// How findings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum Format {
    /// For people, with the lines they are about
    #[default]
    Human,
    /// For programs
    Json,
    /// Annotations in a GitHub workflow
    Github,
    /// SARIF 2.1.0, for code scanning and editors
    Sarif,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    let workspace = Workspace::read(&args.calendar, global)?;
    let settings = &workspace.settings.diagnostics;
    let found = compose::check(&workspace.loaded, SystemClock.now());
    // Notes are for those who ask: a calendar keeps its published posts, and each of them is past.
    let shown = |found: &[Diagnostic]| -> Vec<Diagnostic> {
        found.iter().filter(|found| global.verbose > 0 || found.severity != Severity::Note).cloned().collect()
    };
    let all: Vec<Diagnostic> = settings.iter().chain(&found).cloned().collect();
    let tally = Tally::of(&all);
    let failed = tally.errors > 0 || (args.strict && tally.warnings > 0);
    match args.format {
        Format::Human => {
            let colour = output::colours(Stream::Stdout);
            let text = human(&workspace.settings.sources, &shown(settings), colour)
                + &human(&workspace.loaded.sources, &shown(&found), colour);
            if text.is_empty() {
                output::stdout("");
            } else {
                output::grouped("smm-check", &format!("smm check: {}", tally.line(workspace.loaded.ids.len())), &text);
            }
        }
        Format::Json => output::json(&CheckReport {
            ok: tally.errors == 0,
            calendar: workspace.loaded.calendar.as_ref().map(|calendar| &calendar.name),
            posts: workspace.loaded.ids.len(),
            diagnostics: &all,
        })?,
        Format::Github => output::machine(&github(&shown(&all), &output::path_in_checkout)),
        Format::Sarif => output::json(&sarif(&all, &output::path_in_checkout))?,
    }
    output::summarize_check(&all, workspace.loaded.ids.len());
    if !global.quiet {
        let line = tally.line(workspace.loaded.ids.len());
        let hint = if tally.notes > 0 && global.verbose == 0 && !matches!(args.format, Format::Json | Format::Sarif) {
            " (-v shows the notes)"
        } else {
            ""
        };
        output::stderr(&format!("{line}{hint}\n"));
    }
    Ok(if failed { Exit::Failed } else { Exit::Done })
}
