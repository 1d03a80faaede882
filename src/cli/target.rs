//! The deliveries that an `ID` on the command line names.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use super::workspace::{CalendarArg, Settings};
use super::{Failure, Format, Global};
use crate::ledger::{Ledger, OpenMode, Query};
use crate::model::{Delivery, PostId};

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

/// Where smm.toml may lie, for commands that take no calendar.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Beside {
    /// The calendar beside which smm.toml may be
    #[arg(long, value_name = "FILE", env = "SMM_CALENDAR", default_value = "calendar.toml", hide_env_values = true)]
    pub(super) calendar: PathBuf,
}

impl Beside {
    /// As the argument of other commands.
    pub(super) fn calendar(&self) -> CalendarArg {
        CalendarArg { calendar: self.calendar.clone() }
    }

    /// Opens the ledger.
    pub(super) fn ledger(&self, global: &Global, mode: OpenMode) -> Result<Arc<dyn Ledger>, Failure> {
        Settings::read(global, &self.calendar().file()).ledger(mode)
    }
}

/// The deliveries that `id` names: one by its id, or by an occurrence's name or a post's id all of them.
pub(super) async fn find(ledger: &dyn Ledger, id: &str) -> Result<Vec<Delivery>, Failure> {
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
            return Err(ambiguous(id, &rows, "several calendars have a post of this name"));
        }
        return Ok(rows);
    }
    if id.len() >= SHORTEST && id.chars().all(|c| c.is_ascii_hexdigit()) {
        let rows = ledger.deliveries(&Query { id_start: Some(id.to_owned()), ..Query::default() }).await?;
        match rows.len() {
            0 => {}
            1 => return Ok(rows),
            _ => return Err(ambiguous(id, &rows, "several ids begin so")),
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
    Failure::new(text).hint("give more of the id")
}
