//! `smm.toml`, the operator's file: where it is found and what it says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use url::Url;

use super::account::{self, Home};
use super::media_host::{self, MediaHostSettings};
use super::raw::{RawAlert, RawAlertKind, RawConfig, RawDelivery};
use super::read::{At, Finding, Reader, read_table};
use super::scalar::Length;
use super::{Diagnostic, Known, SourceFile, Sources, Span, file};
use crate::model::{Account, AccountName, GitSetting, codes};

/// Largest `smm.toml`.
const MAX_CONFIG_BYTES: u64 = 4 * 1024 * 1024;

/// The system's own.
const SYSTEM: &str = "/etc/smm/smm.toml";

/// `smm.toml`, resolved.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it was found; `None`: there is none.
    pub path: Option<PathBuf>,
    /// Given by `--config` or `$SMM_CONFIG`, or in the user's or the system's folder: may run programs.
    pub trusted: bool,
    /// `sqlite`, `git…` ([`GitSetting`]), `postgres://…`, or the path of an `SQLite` file (absolute or from the working folder).
    pub ledger: String,
    /// Its accounts.
    pub accounts: BTreeMap<AccountName, Account>,
    /// Accounts whose tables have errors: they are there, though nothing can be sent to them.
    pub broken_accounts: BTreeSet<String>,
    /// `[delivery]`.
    pub delivery: DeliverySettings,
    /// `[[alerts]]`.
    pub alerts: Vec<Alert>,
    /// `[media_host]`: where media lie for networks that fetch them.
    pub media_host: Option<MediaHostSettings>,
}

impl Default for Config {
    /// What holds where there is no `smm.toml`.
    fn default() -> Self {
        Self {
            path: None,
            trusted: false,
            ledger: "sqlite".to_owned(),
            accounts: BTreeMap::new(),
            broken_accounts: BTreeSet::new(),
            delivery: DeliverySettings::default(),
            alerts: Vec::new(),
            media_host: None,
        }
    }
}

/// `[delivery]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliverySettings {
    /// Of the one irreversible call.
    pub timeout: Duration,
    /// Wait before an unknown is looked up, and between the two looks.
    pub settle: Duration,
    /// A claim not renewed for this long is dead.
    pub lease: Duration,
    /// Link cards may be made of pages at addresses that are not public.
    pub private_pages: bool,
    /// How many posts of an account begin within ten minutes while it catches up.
    pub catch_up: u32,
}

/// In a shared ledger a lease is longer than a call's time limit by this: time to write the intent, and for the call to
/// be over for certain.
const LEASE_MARGIN: Duration = Duration::from_secs(10);

impl Default for DeliverySettings {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            settle: Duration::from_mins(2),
            lease: Duration::from_mins(1),
            private_pages: false,
            catch_up: 5,
        }
    }
}

/// `[[alerts]]`: who is told when a delivery needs a person. Its address is a secret and not here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Its name, which names its secret too.
    pub name: String,
    /// How it is told.
    pub kind: AlertKind,
}

/// How somebody is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlertKind {
    /// An HTTP POST.
    Webhook,
    /// A mail.
    Email {
        /// To whom.
        to: Vec<String>,
        /// From whom.
        from: String,
    },
    /// A program with its arguments. Only from a trusted config.
    Command {
        /// Program, then arguments.
        command: Vec<String>,
    },
}

/// An `smm.toml` that was found, or was named and has to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its path.
    pub path: PathBuf,
    /// It may run programs.
    pub trusted: bool,
}

/// Looks for `smm.toml`: `explicit` (`--config`, `$SMM_CONFIG`), beside the calendar, in the user's folder for settings
/// (`$XDG_CONFIG_HOME`, there `smm/smm.toml`), in `/etc/smm`. Never walks up.
pub fn find(explicit: Option<&Path>, calendar: &Path, user_folder: Option<&Path>) -> Option<Found> {
    if let Some(path) = explicit {
        return Some(Found { path: path.to_owned(), trusted: true });
    }
    let beside = calendar.with_file_name("smm.toml");
    let trusted = [user_folder.map(|folder| folder.join("smm/smm.toml")), Some(PathBuf::from(SYSTEM))];
    if beside.is_file() {
        // A calendar may live in the user's own folder for settings.
        let real = beside.canonicalize().ok();
        let same = |path: &PathBuf| real.is_some() && path.canonicalize().ok() == real;
        return Some(Found { trusted: trusted.iter().flatten().any(same), path: beside });
    }
    trusted.into_iter().flatten().find(|path| path.is_file()).map(|path| Found { path, trusted: true })
}

/// Reads `smm.toml`; nothing found is an empty one. What has errors is left out, so a config is only to be used when no
/// diagnostic is an error. `None`: the file cannot be read at all.
pub fn load_config(found: Option<&Found>, known: &Known) -> (Option<Config>, Vec<Diagnostic>, Sources) {
    let Some(found) = found else { return (Some(Config::default()), Vec::new(), Sources::default()) };
    let shown = found.path.display().to_string();
    let mut findings = Vec::new();
    let mut sources = Sources::default();
    let config = match file::open(&found.path, shown.clone(), 0, MAX_CONFIG_BYTES, &mut findings) {
        Ok(opened) => {
            let config = read(&opened.source.text, found, known, &mut findings);
            opened.settle(0, &mut findings);
            sources.files.push(opened.source);
            Some(config)
        }
        Err(why) => {
            sources.files.push(SourceFile::new(shown.clone(), ""));
            let nowhere = Span { file: 0, start: 0, end: 0 };
            findings.push(Finding::error(codes::FILE_NOT_READ, nowhere, format!("cannot read {shown}: {why}")));
            None
        }
    };
    findings.sort_by_key(|finding| (finding.span, finding.code));
    let diagnostics = findings.into_iter().map(|finding| finding.locate(&sources)).collect();
    (config, diagnostics, sources)
}

fn read(text: &str, found: &Found, known: &Known, findings: &mut Vec<Finding>) -> Config {
    let (mut reader, table) = Reader::parse(findings, 0, text, 0);
    let reader = &mut reader;
    let raw: RawConfig = read_table(table, reader);
    let mut config = Config { path: Some(found.path.clone()), trusted: found.trusted, ..Config::default() };
    if let Some(ledger) = raw.ledger {
        config.ledger = ledger_of(reader, &ledger, &found.path);
    }
    for (name, raw) in raw.accounts.into_iter().flat_map(|accounts| accounts.value.0) {
        match account::resolve(reader, &name, raw, known, Home::Config) {
            Some(account) if runs_program(&account, known) && !found.trusted => {
                untrusted(reader, name.span);
                config.broken_accounts.insert(name.value);
            }
            Some(account) => _ = config.accounts.insert(account.name.clone(), account),
            None => _ = config.broken_accounts.insert(name.value),
        }
    }
    if let Some(delivery) = raw.delivery {
        // Only there does anybody take over what somebody else has begun.
        let shared = config.ledger.contains("://") || GitSetting::parse(&config.ledger).is_some();
        config.delivery = delivery_of(reader, delivery.value, shared);
    }
    config.media_host = raw.media_host.and_then(|raw| media_host::resolve(reader, raw, &found.path));
    for alert in raw.alerts.into_iter().flat_map(|alerts| alerts.value) {
        let span = alert.span;
        match alert_of(reader, alert, found.trusted) {
            Some(alert) if config.alerts.iter().any(|other| other.name == alert.name) => {
                // What was told is remembered by the name, and its secret is named after it.
                reader.error(codes::BAD_VALUE, span, format!("there is an alert called `{}` before", alert.name));
            }
            Some(alert) => config.alerts.push(alert),
            None => {}
        }
    }
    config
}

/// An account of its network runs a program.
fn runs_program(account: &Account, known: &Known) -> bool {
    known.network(&account.network).is_some_and(|network| network.runs_programs)
}

/// The file may have come with a stranger's checkout.
fn untrusted(reader: &mut Reader<'_>, span: Span) {
    reader
        .error(codes::UNTRUSTED_COMMAND, span, "a config that was found beside a calendar may not run programs")
        .help("name this file with `--config` or SMM_CONFIG, or move it to your own folder for settings");
}

fn ledger_of(reader: &mut Reader<'_>, ledger: &At<String>, config: &Path) -> String {
    let written = ledger.value.as_str();
    if written == "sqlite" {
        return written.to_owned();
    }
    if let Some(git) = GitSetting::parse(written) {
        if let Err(why) = git {
            reader
                .error(codes::BAD_VALUE, ledger.span, why)
                .help("write `git`, `git:REMOTE` or `git:REMOTE#NAME`, REMOTE being one that `git remote` shows");
        }
        return written.to_owned();
    }
    if let Some((scheme, _)) = written.split_once("://") {
        if !matches!(scheme, "postgres" | "postgresql") {
            reader
                .error(codes::BAD_VALUE, ledger.span, format!("`{scheme}:` is not a kind of ledger"))
                .help("write `sqlite`, the path of a SQLite file, `git` or `postgres://…`");
        }
        let is_open = match Url::parse(written) {
            Ok(url) => url.password().is_some() || url.query_pairs().any(|(key, _)| key == "password"),
            Err(_) => false,
        };
        if is_open {
            reader
                .error(codes::SECRET_IN_FILE, ledger.span, "an address here holds no password")
                .help("remove it here and set `SMM_LEDGER_PASSWORD` in the environment");
        }
        return written.to_owned();
    }
    if written.is_empty() || !written.contains(['/', '.', '\\']) {
        reader.error(codes::BAD_VALUE, ledger.span, format!("`{written}` is not a kind of ledger")).help(
            match crate::model::nearest(written, ["sqlite", "git"]) {
                Some(word) => format!("did you mean `{word}`? A path has a `/` or a `.` in it"),
                None => "write `sqlite`, the path of a SQLite file, `git` or `postgres://…`".to_owned(),
            },
        );
    }
    // A path counts from the file that it stands in.
    config.with_file_name(written).display().to_string()
}

fn delivery_of(reader: &mut Reader<'_>, raw: RawDelivery, shared: bool) -> DeliverySettings {
    let default = DeliverySettings::default();
    let catch_up = raw.catch_up.map_or(default.catch_up, |posts| {
        let count = u32::try_from(posts.value).ok().filter(|count| (1..=10_000).contains(count));
        count.unwrap_or_else(|| {
            reader
                .error(codes::BAD_VALUE, posts.span, format!("{} posts are not between 1 and 10000", posts.value))
                .help("5 hold when nothing is said");
            default.catch_up
        })
    });
    let mut value = |length: Option<At<Length>>, default: Duration, least: u64, most: u64| {
        let Some(length) = length else { return default };
        let seconds = length.value.0;
        if !(least..=most).contains(&seconds) {
            reader
                .error(codes::BAD_VALUE, length.span, format!("{seconds} seconds are not between {least} and {most}"))
                .help(format!("{} seconds hold when nothing is said", default.as_secs()));
        }
        Duration::from_secs(seconds)
    };
    let at = raw.lease.as_ref().map(|lease| lease.span).or(raw.timeout.as_ref().map(|timeout| timeout.span));
    let settings = DeliverySettings {
        timeout: value(raw.timeout, default.timeout, 1, 600),
        settle: value(raw.settle, default.settle, 1, 86400),
        lease: value(raw.lease, default.lease, 5, 3600),
        private_pages: raw.private_pages.is_some_and(|allowed| allowed.value),
        catch_up,
    };
    let least = settings.timeout + LEASE_MARGIN;
    if shared
        && settings.lease < least
        && let Some(at) = at
    {
        let (lease, timeout) = (settings.lease.as_secs(), settings.timeout.as_secs());
        reader
            .error(codes::BAD_VALUE, at, format!("a lease of {lease} s is over before a call of {timeout} s surely is"))
            .help(format!(
                "another daemon would take over what is still being sent: write a `lease` of {} s or more, or a shorter \
                 `timeout`",
                least.as_secs()
            ));
    }
    settings
}

fn alert_of(reader: &mut Reader<'_>, raw: At<RawAlert>, trusted: bool) -> Option<Alert> {
    let before = reader.errors;
    let RawAlert { name, kind, to, from, command, unreadable } = raw.value;
    for (key, is_there) in [("name", name.is_some()), ("kind", kind.is_some())] {
        if !is_there && !unreadable.contains(&key) {
            reader.error(codes::MISSING_KEY, raw.span, format!("an alert needs `{key}`"));
        }
    }
    let (name, kind) = (name?, kind?);
    if let Err(error) = AccountName::parse(&name.value) {
        let message = error.to_string().replace("an account's name", "an alert's name");
        reader.error(codes::BAD_ACCOUNT_NAME, name.span, message);
    }
    let command = command.map(|command| (command.key, strings(command.value)));
    let to = to.map(|to| (to.key, to.value.0));
    let from = from.map(|from| (from.key, vec![from]));
    for address in to.iter().chain(&from).flat_map(|(_, addresses)| addresses) {
        if !is_address(&address.value) {
            reader
                .error(codes::BAD_VALUE, address.span, format!("`{}` is not a mail address", address.value))
                .help("write `name@example.org` or `Name <name@example.org>`");
        }
    }
    let to = to.map(|(key, to)| (key, strings(to)));
    let from = from.map(|(key, from)| (key, strings(from)));
    let mut stray = |key: &Option<(Span, Vec<String>)>, word: &str| {
        if let Some((span, _)) = key {
            reader.error(codes::UNKNOWN_KEY, *span, format!("only an alert of kind `{word}` has this key"));
        }
    };
    let kind = match kind.value.0 {
        RawAlertKind::Webhook => {
            stray(&command, "command");
            stray(&to, "email");
            stray(&from, "email");
            AlertKind::Webhook
        }
        RawAlertKind::Email => {
            stray(&command, "command");
            let to = to.map(|(_, to)| to).unwrap_or_default();
            if to.is_empty() {
                reader.error(codes::MISSING_KEY, raw.span, "an alert by email needs `to`");
            }
            let from = from.and_then(|(_, from)| from.into_iter().next()).unwrap_or_default();
            if from.is_empty() {
                reader.error(codes::MISSING_KEY, raw.span, "an alert by email needs `from`");
            }
            AlertKind::Email { to, from }
        }
        RawAlertKind::Command => {
            stray(&to, "email");
            stray(&from, "email");
            let (span, command) = command.unwrap_or((raw.span, Vec::new()));
            if command.is_empty() {
                reader.error(codes::MISSING_KEY, raw.span, "an alert of kind `command` needs `command`");
            } else if !trusted {
                untrusted(reader, span);
            }
            AlertKind::Command { command }
        }
    };
    (reader.errors == before).then_some(Alert { name: name.value, kind })
}

/// `name@host`, also in `<…>` after a name. What is beyond that, the mail server says.
fn is_address(text: &str) -> bool {
    let address = text.trim().strip_suffix('>').and_then(|text| text.split_once('<')).map_or(text, |(_, inner)| inner);
    let good = |part: &str| {
        !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c.is_control() || "<>@".contains(c))
    };
    !text.contains(char::is_control) && address.split_once('@').is_some_and(|(name, host)| good(name) && good(host))
}

fn strings(list: Vec<At<String>>) -> Vec<String> {
    list.into_iter().map(|text| text.value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
            std::fs::write(path, "").expect("a file");
        }
        folder
    }

    #[test]
    fn found_in_the_order_of_trust_and_never_above() {
        let all = folder(&["smm.toml", "team/smm.toml", "team/sub/calendar.toml", "home/smm/smm.toml"]);
        let at = |path: &str| all.path().join(path);
        let user = at("home");
        let found = |explicit: Option<&Path>, calendar: &str| find(explicit, &at(calendar), Some(&user));
        let explicit = at("missing.toml");
        assert_eq!(found(Some(&explicit), "team/calendar.toml"), Some(Found { path: explicit, trusted: true }));
        assert_eq!(found(None, "team/calendar.toml"), Some(Found { path: at("team/smm.toml"), trusted: false }));
        assert_eq!(found(None, "team/sub/calendar.toml"), Some(Found { path: at("home/smm/smm.toml"), trusted: true }));
        assert!(found(None, "home/smm/calendar.toml").is_some_and(|found| found.trusted));
    }

    fn config(text: &str, trusted: bool) -> (Config, Vec<(&'static str, usize)>) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("smm.toml");
        std::fs::write(&path, text).expect("a file");
        let (config, diagnostics, _) = load_config(Some(&Found { path, trusted }), &Known::default());
        let found = diagnostics.iter().map(|found| (found.code.0, found.line)).collect();
        (config.expect("it can be read"), found)
    }

    #[test]
    fn the_whole_file() {
        let (config, found) = config(
            "ledger = 'state/smm.sqlite'\n[delivery]\ntimeout = '10s'\nlease = '2m'\n[[alerts]]\nname = 'oncall'\nkind = 'webhook'\n",
            false,
        );
        assert_eq!(found, []);
        assert!(config.ledger.ends_with("/state/smm.sqlite"));
        assert_eq!(config.delivery.timeout, Duration::from_secs(10));
        assert_eq!(config.delivery.settle, Duration::from_mins(2));
        assert_eq!(config.delivery.lease, Duration::from_mins(2));
        assert_eq!(config.alerts, [Alert { name: "oncall".to_owned(), kind: AlertKind::Webhook }]);
    }

    #[test]
    fn mistakes() {
        let codes = |text: &str| config(text, false).1;
        assert_eq!(codes("ledger = 'sqlit'"), [("bad-value", 1)]);
        assert_eq!(codes("ledger = 'postgres://smm:pw@db/smm'"), [("secret-in-file", 1)]);
        assert_eq!(codes("password = 'x'\n[delivry]"), [("secret-in-file", 1), ("unknown-key", 2)]);
        assert_eq!(codes("[delivery]\ntimeout = '2h'"), [("bad-value", 2)]);
        // A lease is that of a ledger that several processes share.
        assert_eq!(codes("[delivery]\nlease = '30s'"), []);
        let shared = "ledger = 'postgres://smm@db/smm'\n[delivery]\n";
        assert_eq!(codes(&format!("{shared}lease = '39s'")), [("bad-value", 3)]);
        assert_eq!(codes(&format!("{shared}timeout = '51s'")), [("bad-value", 3)]);
        assert_eq!(codes(&format!("{shared}timeout = '50s'")), []);
        let git = "ledger = 'git:upstream#team-b'\n[delivery]\n";
        assert_eq!(codes(&format!("{git}lease = '41s'")), []);
        assert_eq!(codes(&format!("{git}lease = '39s'")), [("bad-value", 3)]);
        assert_eq!(codes("ledger = 'git:https://u:p@git.example/a'"), [("bad-value", 1)]);
        let command = "[[alerts]]\nname = 'a'\nkind = 'command'\ncommand = ['notify']\n";
        assert_eq!(codes(command), [("untrusted-command", 4)]);
        assert_eq!(config(command, true).1, []);
        let mail = "[[alerts]]\nname = 'a'\nkind = 'email'\n";
        assert_eq!(codes(mail), [("missing-key", 1), ("missing-key", 1)]);
        assert_eq!(
            codes(&format!("{mail}from = 'x@y.example'\nto = ['Ann <ann@y.example>', 'bob']")),
            [("bad-value", 5)]
        );
        let hook = "[[alerts]]\nname = 'a'\nkind = 'webhook'\n";
        assert_eq!(codes(&format!("{hook}{hook}")), [("bad-value", 4)]);
        assert_eq!(codes(&format!("{hook}from = 'x@y.example'")), [("unknown-key", 4)]);
        assert_eq!(codes("[[alerts]]\nkind = 'webhok'"), [("missing-key", 1), ("unknown-value", 2)]);
    }
}
