//! `smm init`.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use chrono::{NaiveDateTime, NaiveTime, TimeDelta, Timelike as _};
use serde_json::Value;

use super::output::{self, Style};
use super::{Exit, Failure, Global, workspace};
use crate::adapter::Network;
use crate::model::{Account, AccountName, Place};
use crate::time::{Clock as _, Local, SystemClock, Zone};
use crate::{calendar, networks};

/// Write a starter calendar and config
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where to
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// Overwrite files that are there
    #[arg(long)]
    force: bool,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    let zone = workspace::local_zone();
    let now = zone.civil(SystemClock.now());
    let name = name_of(&args.folder);
    let schema = serde_json::to_string_pretty(&calendar::calendar_schema(&networks::known()))
        .map_err(|error| Failure::new(format!("cannot write JSON: {error}")))?;
    let files = [
        ("calendar.toml", calendar_text(&name, &zone, now)),
        ("calendar.schema.json", schema + "\n"),
        ("smm.toml", config_text(networks::ALL)),
    ];
    std::fs::create_dir_all(&args.folder)
        .map_err(|error| Failure::new(format!("cannot make the folder {}: {error}", args.folder.display())))?;
    let paths = files.each_ref().map(|(name, _)| args.folder.join(name));
    let there: Vec<_> = paths.iter().filter(|path| path.symlink_metadata().is_ok()).collect();
    if !args.force && !there.is_empty() {
        let names: Vec<_> = there.iter().map(|path| path.display().to_string()).collect();
        return Err(Failure::new(format!("{} is there already, and nothing was written", names.join(", ")))
            .hint("choose another folder, or overwrite with `--force`"));
    }
    for (path, (_, text)) in paths.iter().zip(&files) {
        write(path, text, args.force)
            .map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display())))?;
    }
    if !global.quiet {
        output::stdout(&next_steps(&args.folder, &paths));
    }
    Ok(Exit::Done)
}

/// Never overwrites without `force`, not even a file that came into being a moment ago.
fn write(path: &Path, text: &str, force: bool) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true);
    if force {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    options.open(path)?.write_all(text.as_bytes())
}

/// The folder's name as a calendar's name.
fn name_of(folder: &Path) -> String {
    let full = folder.canonicalize().or_else(|_| std::path::absolute(folder)).unwrap_or_else(|_| folder.to_owned());
    let name = full.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let fit = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' };
    let name: String = name.chars().map(fit).take(100).collect();
    let name = name.trim_start_matches(|c: char| !c.is_ascii_alphanumeric()).trim_end_matches('-');
    if name.is_empty() { "my-project".to_owned() } else { name.to_owned() }
}

/// A time that exists once in the zone, at or before a civil time.
fn existing(zone: &Zone, mut civil: NaiveDateTime) -> NaiveDateTime {
    for _ in 0..48 {
        if matches!(zone.local(civil), Local::One(_)) {
            break;
        }
        civil -= TimeDelta::minutes(30);
    }
    civil
}

fn calendar_text(name: &str, zone: &Zone, now: NaiveDateTime) -> String {
    let stamp = |civil: NaiveDateTime| existing(zone, civil).format("%Y-%m-%dT%H:%M:%S").to_string();
    let minute = now.with_second(0).and_then(|now| now.with_nanosecond(0)).unwrap_or(now);
    let nine = NaiveTime::from_hms_opt(9, 0, 0).unwrap_or_default();
    let tomorrow = (now.date() + TimeDelta::days(1)).and_time(nine);
    let network = networks::ALL.iter().map(|network| network.profile()).find(|profile| profile.credential_free);
    let network = network.map_or("", |profile| profile.id);
    format!(
        r#"#:schema ./calendar.schema.json
# A content calendar. `smm check` says what is wrong with it, `smm preview` shows what each account would receive,
# `smm publish` publishes what is due.

name = "{name}"                       # with a post's id it names what was published: never change it
timezone = "{zone}"

# The one kind of account that a calendar may declare: it needs no credential. It writes Atom, RSS and a readable page
# into a folder. All other accounts are in smm.toml.
[accounts.site]
network = "{network}"
folder = "public"

# What holds for every post that does not say otherwise.
[defaults]
to = ["site"]
lang = "en"
late = {{ grace = "15m", then = "hold" }}   # later than this a post waits for a person; or: publish, skip

# A post that is due now.
[[posts]]
id = "hello"                          # its stable id: it is published once, whatever is edited
at = {now}
text = "Hello from a calendar that lives in git."

# A post for tomorrow.
[[posts]]
id = "first-news"
at = {tomorrow}
text = "We have something to tell you."
link = "https://example.com/"
draft = true                          # checked, but not published until this line is removed

# A series: the texts are taken in turn.
[[posts]]
id = "weekly-tip"
cron = "0 9 * * MON"                  # minute, hour, day, month, weekday
from = {from}
texts = [
  "Tip: `smm plan` shows what will go out when.",
  "Tip: `smm status` says whether anything needs you.",
]
"#,
        zone = zone.name(),
        now = stamp(minute),
        tomorrow = stamp(tomorrow),
        from = tomorrow.date(),
    )
}

fn config_text(all: &[&dyn Network]) -> String {
    let mut text = "# The operator's file: accounts that need a credential, the ledger, alerts. No secret stands in it: each comes from the\n\
        # environment or from systemd credentials. `smm networks NAME` says what a network needs. What has `# #` before it is\n\
        # optional.\n\n\
        # ledger = \"sqlite\"                   # or the path of a file\n"
        .to_owned();
    for network in all.iter().filter(|network| !network.profile().credential_free) {
        let profile = network.profile();
        let account = format!("my-{}", profile.id);
        let _ = write!(text, "\n# {}\n# [accounts.{account}]\n# network = \"{}\"\n", profile.about, profile.id);
        if needs_server(*network) {
            let _ = writeln!(text, "# server = \"{}://…\"   # where you sign in", scheme(*network));
        }
        for Sample { key, value, about, needed } in samples(*network) {
            let _ = writeln!(text, "# {}{key} = {value}   # {about}", if needed { "" } else { "# " });
        }
        for secret in profile.secrets {
            let variable = format!("SMM_{account}_{}", secret.name).to_uppercase().replace('-', "_");
            let _ = writeln!(text, "# secret: {variable} in the environment. {}", secret.help);
        }
        if let Some(url) = profile.setup_url {
            let _ = writeln!(text, "# made at {url}");
        }
    }
    text
}

/// A setting of an account, as somebody would write it.
pub(super) struct Sample {
    /// Its name.
    pub(super) key: String,
    /// Something of its type.
    pub(super) value: &'static str,
    /// What it is, on one line.
    pub(super) about: String,
    /// It cannot be left out.
    pub(super) needed: bool,
}

/// The settings of a network's own, those that cannot be left out first.
pub(super) fn samples(network: &dyn Network) -> Vec<Sample> {
    let schema = network.settings_schema();
    let required = schema.get("required").and_then(Value::as_array);
    let sample = |(key, setting): (&String, &Value)| {
        let is = |kind: &str| match setting.get("type") {
            Some(Value::Array(kinds)) => kinds.iter().any(|one| one == kind),
            one => one.is_some_and(|one| one == kind),
        };
        Sample {
            key: key.clone(),
            value: if is("boolean") {
                "true"
            } else if is("integer") {
                "1"
            } else if is("array") {
                "[\"…\"]"
            } else {
                "\"…\""
            },
            about: setting.get("description").and_then(Value::as_str).unwrap_or_default().replace('\n', " "),
            needed: required.is_some_and(|keys| keys.iter().any(|one| one == key)),
        }
    };
    let settings = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    let mut samples: Vec<Sample> = settings.map(sample).collect();
    samples.sort_by_key(|sample| !sample.needed);
    samples
}

/// How the address of a server begins.
pub(super) fn scheme(network: &dyn Network) -> &'static str {
    network.schemes().first().map_or("https", |(scheme, _)| scheme)
}

/// An account with nothing but its own settings is refused for want of a server.
pub(super) fn needs_server(network: &dyn Network) -> bool {
    let mut problems = Vec::new();
    network.check_account(&Account::new(AccountName::new("new"), network.profile().id), &mut problems);
    problems.iter().any(|problem| problem.place == Place::Key { key: "server" })
}

fn next_steps(folder: &Path, paths: &[PathBuf]) -> String {
    let mut text = String::new();
    for path in paths {
        let _ = writeln!(text, "wrote {}", output::printable(&path.display().to_string()));
    }
    let bold = |command: &str| output::paint(output::Stream::Stdout, Style::Bold, command);
    let file = output::printable(&folder.join("calendar.toml").display().to_string());
    let here = folder == Path::new(".");
    let command = |name: &str| bold(&if here { format!("smm {name}") } else { format!("smm {name} {file}") });
    let _ = write!(
        text,
        "\nnext:\n  {}     what is wrong with it\n  {}   what each account would receive\n  {}   publish what is due, into {}\n\n\
         Put calendar.toml and calendar.schema.json into git, and `public/` into .gitignore.\n\
         Accounts on other networks go into smm.toml; it shows how.\n",
        command("check"),
        command("preview"),
        command("publish"),
        output::printable(&folder.join("public").display().to_string()),
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_names_the_calendar() {
        let folder = tempfile::tempdir().expect("a folder");
        let named = |name: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(&path).expect("a folder");
            name_of(&path)
        };
        assert_eq!(named("Acme Social"), "acme-social");
        assert_eq!(named(".dot"), "dot");
        assert_eq!(named("ñ"), "my-project");
    }

    #[test]
    fn samples_are_of_the_right_type() {
        for network in networks::ALL {
            let mut account = Account::new(AccountName::new("new"), network.profile().id);
            for sample in samples(*network) {
                let value = serde_json::from_str(sample.value).expect("what TOML and JSON write alike");
                account.settings.insert(sample.key, value);
            }
            let mut problems = Vec::new();
            network.check_account(&account, &mut problems);
            let wrong = |text: &str| text.contains("invalid type") || text.contains("is `true` or `false`");
            let wrong: Vec<_> = problems.iter().filter(|problem| wrong(&problem.message)).collect();
            assert!(wrong.is_empty(), "{}: {wrong:?}", network.profile().id);
        }
    }

    #[test]
    fn no_time_of_the_starter_is_in_a_gap() {
        let zone = Zone::parse("Europe/Berlin").expect("a zone");
        let gap = "2026-03-29T02:30:00".parse().expect("a time");
        assert_eq!(existing(&zone, gap).to_string(), "2026-03-29 01:30:00");
        let text = calendar_text("acme", &zone, gap);
        assert!(text.contains("at = 2026-03-29T01:30:00\n") && text.contains("at = 2026-03-30T09:00:00\n"), "{text}");
    }
}
