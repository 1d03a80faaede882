//! The deliveries that an `ID` on the command line names.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use super::workspace::{CalendarArg, Settings, Workspace};
use super::{Failure, Format, Global};
use crate::ledger::{Ledger, OpenMode, Query};
use crate::model::{CalendarName, Delivery, PostId};

/// Fewer digits of an id name too much by accident.
const SHORTEST: usize = 4;

/// The argument that names deliveries.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct TargetArgs {
    /// A delivery's id or an unambiguous start of it; or a post's id, for all its deliveries
    #[arg(value_name = "ID")]
    pub(super) id: String,
    #[command(flatten)]
    pub(super) beside: Beside,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,
}

/// The calendar, for commands whose argument is something else.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Beside {
    /// The calendar: its posts are meant, and smm.toml may be beside it
    #[arg(long, value_name = "FILE", env = "SMM_CALENDAR", default_value = "calendar.toml", hide_env_values = true)]
    pub(super) calendar: PathBuf,
}

impl Beside {
    /// As the argument of other commands.
    pub(super) fn calendar(&self) -> CalendarArg {
        CalendarArg { calendar: self.calendar.clone() }
    }

    /// The name of the calendar, where there is one that can be read.
    fn name(&self, global: &Global) -> Option<CalendarName> {
        if !self.calendar().file().exists() {
            return None;
        }
        Some(Workspace::read(&self.calendar(), global).ok()?.loaded.calendar?.name)
    }

    /// Opens the ledger.
    pub(super) fn ledger(&self, global: &Global, mode: OpenMode) -> Result<Arc<dyn Ledger>, Failure> {
        Settings::read(global, &self.calendar().file()).ledger(mode)
    }
}

/// The deliveries that are named: one by its id, or by an occurrence's name or a post's id all of them. A post that several
/// calendars have is that of the calendar here.
pub(super) async fn find(ledger: &dyn Ledger, target: &TargetArgs, global: &Global) -> Result<Vec<Delivery>, Failure> {
    let id = target.id.as_str();
    if let Ok(exact) = id.parse()
        && let Some(row) = ledger.delivery(exact).await?
    {
        return Ok(vec![row]);
    }
    // An occurrence's name begins with its post's id; after `renamed_from` with the old one.
    let post = id.split_once('@').map_or(id, |(post, _)| post);
    let mut rows = ledger.deliveries(&Query { post: Some(PostId::new(post)), ..Query::default() }).await?;
    if post != id {
        rows.retain(|row| row.occurrence.as_str() == id);
    }
    if let Some(first) = rows.first() {
        if rows.iter().any(|row| row.calendar != first.calendar) {
            let here = target.beside.name(global);
            if !rows.iter().any(|row| here.as_ref() == Some(&row.calendar)) {
                return Err(ambiguous(id, &rows, "several calendars have a post of this name")
                    .hint("name a delivery by its own id, or the calendar with --calendar"));
            }
            rows.retain(|row| here.as_ref() == Some(&row.calendar));
        }
        return Ok(rows);
    }
    if id.len() >= SHORTEST && id.chars().all(|c| c.is_ascii_hexdigit()) {
        let rows = ledger.deliveries(&Query { id_start: Some(id.to_owned()), ..Query::default() }).await?;
        match rows.len() {
            0 => {}
            1 => return Ok(rows),
            _ => return Err(ambiguous(id, &rows, "several ids begin so").hint("give more of the id")),
        }
    }
    Err(Failure::new(format!("`{id}` is neither a delivery's id nor the id of a post that the ledger knows"))
        .hint("`smm status --all` lists the deliveries with their ids; an id needs at least its first 4 digits"))
}

/// One line for messages: `launch → fedi`.
pub(super) fn name(row: &Delivery) -> String {
    if row.occurrence.as_str() == row.post.as_str() {
        format!("{} → {}", row.post, row.account)
    } else {
        format!("{} → {}", row.occurrence, row.account)
    }
}

fn ambiguous(id: &str, rows: &[Delivery], why: &str) -> Failure {
    const SHOWN: usize = 10;
    let mut text = format!("`{id}` is ambiguous: {why}");
    for row in rows.iter().take(SHOWN) {
        let _ = write!(text, "\n  {}  {}  {} ({})", row.id, name(row), row.state, row.calendar);
    }
    if rows.len() > SHOWN {
        let _ = write!(text, "\n  … and {} more", rows.len() - SHOWN);
    }
    Failure::new(text)
}
