//! Tables for people: columns without lines, narrower on a narrow terminal. The only file that names comfy-table.

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
        // A row is one line.
        Self { text: printable(&text.to_string()).replace('\n', " "), tone }
    }

    fn shown(&self, colour: bool) -> comfy_table::Cell {
        let shown = comfy_table::Cell::new(&self.text);
        match self.tone {
            _ if !colour => shown,
            Tone::Plain => shown,
            Tone::Dim => shown.add_attribute(Attribute::Dim),
            Tone::Good => shown.fg(Color::Green),
            Tone::Warning => shown.fg(Color::Yellow),
            Tone::Bad => shown.fg(Color::Red),
        }
    }

    fn painted(&self, colour: bool) -> String {
        let code = match self.tone {
            Tone::Dim if colour => 2,
            Tone::Good if colour => 32,
            Tone::Warning if colour => 33,
            Tone::Bad if colour => 31,
            _ => return self.text.clone(),
        };
        format!("\u{1b}[{code}m{}\u{1b}[0m", self.text)
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
    columns: Vec<String>,
    rows: Vec<Vec<Cell>>,
    colour: bool,
    width: Option<usize>,
}

impl Table {
    /// A table with its columns' names, as wide as the terminal where there is one. `colour`: whether tones become colours.
    pub fn new(columns: &[&str], colour: bool) -> Self {
        let width = comfy_table::Table::new().width().map(usize::from);
        Self { columns: columns.iter().map(|name| name.to_uppercase()).collect(), rows: Vec::new(), colour, width }
    }

    /// Adds a row; missing cells stay empty.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().take(self.columns.len()).collect());
    }

    /// There are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The lines of the first columns: the header, then one for each row.
    fn lines(&self, columns: usize) -> Vec<String> {
        let mut inner = comfy_table::Table::new();
        inner.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        if self.colour {
            inner.enforce_styling();
        } else {
            inner.force_no_tty();
        }
        inner.set_header(self.columns.iter().take(columns).map(|name| {
            let name = comfy_table::Cell::new(name);
            if self.colour { name.add_attribute(Attribute::Bold) } else { name }
        }));
        for row in &self.rows {
            inner.add_row(row.iter().take(columns).map(|cell| cell.shown(self.colour)).collect::<Vec<_>>());
        }
        // A colour goes over the padding of its cell, too: none stands before the first column.
        inner.column_iter_mut().for_each(|column| {
            column.set_padding((0, 2));
        });
        inner.lines().map(|line| line.trim_end().to_owned()).collect()
    }

    /// The first columns fit beside each other.
    fn fits(&self, columns: usize) -> bool {
        let Some(width) = self.width else { return true };
        let mut plain = comfy_table::Table::new();
        plain.set_header(self.columns.iter().take(columns));
        for row in &self.rows {
            plain.add_row(row.iter().take(columns).map(|cell| cell.text.as_str()).collect::<Vec<_>>());
        }
        let gaps = 2 * columns.saturating_sub(1);
        plain.column_max_content_widths().into_iter().map(usize::from).sum::<usize>() + gaps <= width
    }
}

/// The table with a line feed after each line and no trailing spaces. Where it is wider than the terminal, as many of its
/// first columns as fit are aligned. Below each row stands the rest of it, and on a line of its own the last column, which
/// has the long texts and the addresses: whole, so that it can be copied.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.columns.len();
        let aligned = (1..=all).rev().find(|columns| self.fits(*columns)).unwrap_or(1);
        let mut lines = self.lines(aligned).into_iter();
        lines.next().map_or(Ok(()), |header| writeln!(f, "{header}"))?;
        for (line, row) in lines.zip(&self.rows) {
            writeln!(f, "{line}")?;
            let (rest, last) =
                row.get(aligned..).unwrap_or_default().split_at(row.len().min(all - 1).saturating_sub(aligned));
            for below in [rest, last] {
                let cells = below.iter().filter(|cell| !cell.text.is_empty());
                let cells: Vec<String> = cells.map(|cell| cell.painted(self.colour)).collect();
                if !cells.is_empty() {
                    writeln!(f, "    {}", cells.join("  "))?;
                }
            }
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
            let mut table = Table::new(&["state", "post"], colour);
            table.row([Cell::toned("failed", Tone::Bad), "launch".into()]);
            table.to_string()
        };
        assert_eq!(shown(false), "STATE   POST\nfailed  launch\n");
        let coloured = shown(true);
        assert!(coloured.contains("\u{1b}[1mSTATE ") && coloured.contains("failed  \u{1b}["), "in line: {coloured:?}");
    }

    #[test]
    fn what_is_too_wide_stays_whole_and_can_be_copied() {
        let url = "https://acme.example/news/posts/6adf3bec71275d92/";
        let shown = |width| {
            let mut table = Table::new(&["due", "post", "state", "where"], false);
            table.width = Some(width);
            table.row(["2026-11-21".into(), "launch".into(), "published".into(), url.into()]);
            table.row(["2026-11-22".into(), "tip".into(), "planned".into(), "".into()]);
            table.to_string()
        };
        assert_eq!(shown(80).lines().count(), 3);
        let below = format!(
            "DUE         POST    STATE\n2026-11-21  launch  published\n    {url}\n2026-11-22  tip     planned\n"
        );
        assert_eq!(shown(60), below);
        let narrow =
            format!("DUE         POST\n2026-11-21  launch\n    published\n    {url}\n2026-11-22  tip\n    planned\n");
        assert_eq!(shown(20), narrow);
        assert!(shown(5).starts_with("DUE\n2026-11-21\n    launch  published\n"), "{}", shown(5));
    }
}
