//! Tables for people: columns without lines, wrapped to the terminal. The only file that names comfy-table.

use std::fmt;

use comfy_table::{Attribute, Color, ContentArrangement, presets};

use super::printable;
use crate::model::State;

/// How a cell is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    /// As it is.
    #[default]
    Plain,
    /// Of less weight.
    Dim,
    /// As it should be.
    Good,
    /// Worth a look.
    Warning,
    /// Needs somebody.
    Bad,
}

impl From<State> for Tone {
    fn from(state: State) -> Self {
        match state {
            State::Published => Self::Good,
            State::Planned | State::Claimed | State::Sending => Self::Plain,
            State::Held | State::Missed | State::Unknown => Self::Warning,
            State::Failed => Self::Bad,
            State::Cancelled => Self::Dim,
        }
    }
}

/// A cell: foreign text is made safe here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// A cell in a tone.
    pub fn toned(text: impl fmt::Display, tone: Tone) -> Self {
        Self { text: printable(&text.to_string()), tone }
    }
}

impl<T: fmt::Display> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::toned(text, Tone::Plain)
    }
}

/// A table.
#[derive(Debug)]
pub struct Table {
    inner: comfy_table::Table,
    columns: usize,
    colour: bool,
}

impl Table {
    /// A table with its columns' names. `colour`: whether tones become colours.
    pub fn new(columns: &[&str], colour: bool) -> Self {
        let mut inner = comfy_table::Table::new();
        inner.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        if colour {
            inner.enforce_styling();
        } else {
            // Also keeps the width of a terminal out of what is written to a file.
            inner.force_no_tty();
        }
        inner.set_header(columns.iter().map(|name| {
            let name = comfy_table::Cell::new(name.to_uppercase());
            if colour { name.add_attribute(Attribute::Bold) } else { name }
        }));
        Self { inner, columns: columns.len(), colour }
    }

    /// Adds a row; missing cells stay empty.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        let cells = cells.into_iter().take(self.columns).map(|cell| {
            let shown = comfy_table::Cell::new(&cell.text);
            match cell.tone {
                _ if !self.colour => shown,
                Tone::Plain => shown,
                Tone::Dim => shown.add_attribute(Attribute::Dim),
                Tone::Good => shown.fg(Color::Green),
                Tone::Warning => shown.fg(Color::Yellow),
                Tone::Bad => shown.fg(Color::Red),
            }
        });
        self.inner.add_row(cells.collect::<Vec<_>>());
    }

    /// There are no rows.
    pub fn is_empty(&self) -> bool {
        self.inner.row_count() == 0
    }
}

/// The table with a line feed after each line and none trailing spaces.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in self.inner.lines() {
            // The first column begins at the edge: every cell has a space before it.
            let line = line.strip_prefix(' ').unwrap_or(&line);
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_nothing_trails() {
        let mut table = Table::new(&["post", "state", "why"], false);
        table.row(["launch".into(), Cell::toned(State::Published, Tone::Good), "".into()]);
        table.row(["tip".into(), "held".into(), "late\u{1b}[2J".into()]);
        assert_eq!(table.to_string(), "POST    STATE      WHY\nlaunch  published\ntip     held       late\\u{1b}[2J\n");
    }

    #[test]
    fn colours_only_where_they_are_wanted() {
        let shown = |colour| {
            let mut table = Table::new(&["state"], colour);
            table.row([Cell::toned("failed", Tone::Bad)]);
            table.to_string()
        };
        assert!(shown(true).contains('\u{1b}'));
        assert_eq!(shown(false), "STATE\nfailed\n");
    }
}
