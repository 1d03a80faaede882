//! The only file that prints. Machine output and results go to stdout, all else to stderr.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::report::DeliveryView;
use crate::report::ci::{self, Ci};
pub(super) use crate::report::printable;
use crate::time::{Clock as _, SystemClock};

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
    if std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) || ci() != Ci::None {
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

/// The service that this job runs on.
pub(super) fn ci() -> Ci {
    static CI: OnceLock<Ci> = OnceLock::new();
    *CI.get_or_init(|| Ci::of(|name| std::env::var(name).ok()))
}

/// Prints results for people. A closed pipe (`smm history | head`) ends the program quietly. On CI nothing in them is an
/// order to the service, whoever wrote it.
pub(super) fn stdout(text: &str) {
    write(io::stdout().lock(), &ci().tamed(text));
}

/// Prints results for programs, byte by byte.
pub(super) fn machine(text: &str) {
    write(io::stdout().lock(), text);
}

/// Prints all else.
pub(super) fn stderr(text: &str) {
    write(io::stderr().lock(), &ci().tamed(text));
}

/// Prints results for people, on CI as a part of the log that can be folded. `name`: letters, digits and `-`.
pub(super) fn grouped(name: &str, title: &str, text: &str) {
    let at = SystemClock.now().timestamp();
    write(io::stdout().lock(), &ci().begin(name, title, at));
    stdout(text);
    write(io::stdout().lock(), &ci().end(name, at));
}

/// Shows on the job's page what became of deliveries. `command`: `smm publish` and the like.
pub(super) fn summarize<'a>(command: &str, deliveries: impl IntoIterator<Item = DeliveryView<'a>>) {
    if let Some(page) = Page::of_job() {
        page.add(&ci::delivered(command, &deliveries.into_iter().collect::<Vec<_>>()));
    }
}

/// Shows on the job's page why nothing was done.
pub(super) fn summarize_nothing(command: &str, why: &[String]) {
    if let Some(page) = Page::of_job() {
        page.add(&ci::nothing(command, why));
    }
}

/// Shows on the job's page what is wrong with a calendar.
pub(super) fn summarize_check(diagnostics: &[crate::calendar::Diagnostic], posts: usize) {
    if let Some(page) = Page::of_job() {
        page.add(&ci::checked(diagnostics, posts));
    }
}

/// The file that becomes a part of the job's page.
struct Page(std::path::PathBuf);

impl Page {
    fn of_job() -> Option<Self> {
        let path = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| ci().has_commands() && !path.is_empty())?;
        Some(Self(path.into()))
    }

    /// Appends as much as the page has room for. That it cannot be written is no reason to fail.
    fn add(&self, text: &str) {
        let used = std::fs::metadata(&self.0).map_or(0, |facts| facts.len());
        let room = ci::ROOM.saturating_sub(usize::try_from(used).unwrap_or(usize::MAX));
        let added = ci::fitted(&format!("{text}\n"), room);
        let file = std::fs::OpenOptions::new().append(true).create(true).open(&self.0);
        if let Err(error) = file.and_then(|mut file| file.write_all(added.as_bytes())) {
            stderr(&format!(
                "{} the job's summary cannot be written: {error}\n",
                paint(Stream::Stderr, Style::Warning, "warning:")
            ));
        }
    }
}

/// Lets the service cover a secret in its log from now on. Where it does not know how, or where no service reads what is
/// printed (a terminal, a file), nothing is printed.
pub(super) fn mask(secret: &str) {
    if let Some(command) = ci().mask(secret).filter(|_| is_piped()) {
        write(io::stderr().lock(), &command);
    }
}

/// Whether stderr is read by another program.
#[cfg(unix)]
fn is_piped() -> bool {
    use std::os::fd::AsFd as _;
    use std::os::unix::fs::FileTypeExt as _;

    let kind = io::stderr().as_fd().try_clone_to_owned().and_then(|fd| std::fs::File::from(fd).metadata());
    kind.is_ok_and(|facts| facts.file_type().is_fifo() || facts.file_type().is_socket())
}

/// Whether stderr is read by another program.
#[cfg(not(unix))]
fn is_piped() -> bool {
    !is_terminal(Stream::Stderr)
}

/// Where a log goes: to stderr, on CI without any order to the service.
#[derive(Debug, Clone, Copy)]
pub(super) struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        io::stderr().lock().write_all(ci().tamed(&text).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}

/// The path of a file from the root of the checkout, with `/`: as annotations of CI name it. On no service, from here.
pub(super) fn path_in_checkout(file: &str) -> String {
    let root = ci().root().and_then(std::env::var_os).map(std::path::PathBuf::from);
    let root = root.filter(|root| root.is_absolute()).or_else(|| std::env::current_dir().ok());
    let full = std::path::absolute(file).ok();
    let below =
        root.zip(full).and_then(|(root, full)| Some(full.strip_prefix(&root).ok()?.to_str()?.replace('\\', "/")));
    below.filter(|below| !file.is_empty() && !below.is_empty()).unwrap_or_else(|| file.to_owned())
}

/// Prints a value as JSON, indented, with a line feed.
pub(super) fn json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let text =
        serde_json::to_string_pretty(value).map_err(|error| Failure::new(format!("cannot write JSON: {error}")))?;
    let text = if ci().has_commands() { ci::quiet_json(&text) } else { text.as_str().into() };
    machine(&format!("{text}\n"));
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
