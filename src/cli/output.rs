//! The only file that prints. Machine output and results go to stdout, all else to stderr.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

pub(super) use crate::report::printable;

/// How a listing is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Human,
    /// For programs.
    Json,
}

/// What went wrong, with what to do about it. Ends the command with status 1 (2 for wrong usage, 3 for an unknown outcome).
#[derive(Debug)]
pub struct Failure {
    message: String,
    hints: Vec<String>,
    status: u8,
}

impl Failure {
    /// Status 1.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hints: Vec::new(), status: 1 }
    }

    /// Status 2: wrong usage.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { status: 2, ..Self::new(message) }
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Prints it and gives the exit status.
    pub fn report(&self) -> ExitCode {
        let mut text = format!("{} {}\n", paint(Stream::Stderr, Style::Error, "error:"), printable(&self.message));
        for hint in &self.hints {
            let _ = writeln!(text, "{} {}", paint(Stream::Stderr, Style::Hint, "hint:"), printable(hint));
        }
        stderr(&text);
        ExitCode::from(self.status)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<crate::ledger::LedgerError> for Failure {
    fn from(error: crate::ledger::LedgerError) -> Self {
        Self::new(error.to_string())
    }
}

/// Where something is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    /// Results.
    Stdout,
    /// All else.
    Stderr,
}

/// Colours by meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "they say it")]
pub(super) enum Style {
    Bold,
    Error,
    Hint,
    Warning,
}

/// Whether a person is looking.
pub(super) fn is_terminal(stream: Stream) -> bool {
    match stream {
        Stream::Stdout => io::stdout().is_terminal(),
        Stream::Stderr => io::stderr().is_terminal(),
    }
}

/// Colour only on a terminal, and never against `NO_COLOR`.
pub(super) fn colours(stream: Stream) -> bool {
    if std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) {
        return false;
    }
    is_terminal(stream)
}

/// Text in a colour, where colours are wanted.
pub(super) fn paint(stream: Stream, style: Style, text: &str) -> String {
    if !colours(stream) {
        return text.to_owned();
    }
    let code = match style {
        Style::Bold => "1",
        Style::Error => "1;31",
        Style::Hint => "36",
        Style::Warning => "33",
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

/// Prints results. A closed pipe (`smm history | head`) ends the program quietly.
pub(super) fn stdout(text: &str) {
    write(io::stdout().lock(), text);
}

/// Prints all else.
pub(super) fn stderr(text: &str) {
    write(io::stderr().lock(), text);
}

/// Prints a value as JSON, indented, with a line feed.
pub(super) fn json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let text =
        serde_json::to_string_pretty(value).map_err(|error| Failure::new(format!("cannot write JSON: {error}")))?;
    stdout(&(text + "\n"));
    Ok(())
}

fn write(mut stream: impl Write, text: &str) {
    let written = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
    // Whoever has closed the pipe has read enough; a full disk is another matter.
    if written.is_err_and(|error| error.kind() != io::ErrorKind::BrokenPipe) {
        LOST.store(true, Ordering::Relaxed);
    }
}

/// Something could not be written, on a full disk for one.
static LOST: AtomicBool = AtomicBool::new(false);

/// Whether all that was to be printed was written; says so where it was not.
pub(super) fn is_written() -> bool {
    if !LOST.load(Ordering::Relaxed) {
        return true;
    }
    stderr("error: the answer could not be written\n");
    false
}
