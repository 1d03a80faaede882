//! `smm systemd`.

mod unit;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use self::unit::{Credential, RUNTIME, Service, Unit, Who, is_hidden};
use super::output;
use super::workspace::{CalendarArg, Workspace};
use super::{Exit, Failure, Global};
use crate::calendar::{AlertKind, Config, MediaPlace};
use crate::model::Account;
use crate::networks;
use crate::serve::Address;

/// Write the systemd unit that runs the daemon
///
/// The unit fits this program, calendar and smm.toml, and says in comments where to put it and what to run. It runs under a
/// user made for it, in a sandbox, with its state in /var/lib/smm; where it has to write files of somebody's (a feed's
/// folder), under that user. Several units are written one after the other, each under its path; `--output` writes files.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    calendar: CalendarArg,
    /// For your own service manager (`systemctl --user`), not the machine's
    #[arg(long)]
    user: bool,
    /// A timer that runs `smm publish` every minute, in place of the daemon
    #[arg(long)]
    timer: bool,
    /// Also a unit that tells when the other one has given up: an example to change
    #[arg(long)]
    on_failure: bool,
    /// The daemon shows health and metrics there: see `smm daemon --help`
    #[arg(long, value_name = "ADDRESS", conflicts_with = "timer")]
    listen: Option<Address>,
    /// Run under this user
    #[arg(long, value_name = "USER", conflicts_with = "user")]
    run_as: Option<String>,
    /// Write the units as files into this folder
    #[arg(short, long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// Replace files that say something else
    #[arg(long, requires = "output")]
    force: bool,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    let workspace = Workspace::read(&args.calendar, global)?;
    let service = service(args, &workspace)?;
    let mut units = if args.timer { vec![service.publish(), unit::timer()] } else { vec![service.daemon()] };
    if args.on_failure {
        units.push(unit::failed(args.user));
    }
    match &args.output {
        Some(folder) => write(folder, &units, args, global)?,
        None => print(&units, args.user, global),
    }
    Ok(Exit::Done)
}

/// What the units say.
fn service(args: &Args, workspace: &Workspace) -> Result<Service, Failure> {
    workspace.sound_calendar()?;
    let config = workspace.config()?;
    let program = std::env::current_exe()
        .map_err(|error| Failure::new(format!("cannot tell where this program is: {error}")))
        .and_then(|path| text(&path))?;
    let calendar = absolute(&workspace.file)?;
    let mut arguments = vec![if args.timer { "publish" } else { "daemon" }.to_owned()];
    // One that was found beside the calendar is found there again, and trusted as little as before.
    let settings = workspace.settings.found.as_ref().filter(|found| found.trusted);
    let settings = settings.map(|found| absolute(&found.path)).transpose()?;
    if let Some(settings) = &settings {
        arguments.extend(["--config".to_owned(), settings.clone()]);
    }
    let socket = listen(args, &mut arguments)?;
    arguments.push(calendar.clone());
    let mut read = BTreeSet::from([program.clone(), folder_of(&calendar)]);
    read.extend(settings);
    for source in &workspace.loaded.sources.files {
        let path = Path::new(&source.path);
        if path.exists() {
            read.insert(absolute(path)?);
        }
    }
    let writable = writable(workspace, config)?;
    let who = if args.user { Who::Manager } else { who(args, &calendar, &read, &writable)? };
    let shown: Vec<String> = read.iter().filter(|path| is_hidden(path)).cloned().collect();
    // What lies in a folder that is shown is shown.
    let within = |path: &String, folder: &String| path != folder && Path::new(path).starts_with(folder);
    let shown = shown.iter().filter(|path| !shown.iter().any(|folder| within(path, folder))).cloned().collect();
    Ok(Service {
        program,
        arguments,
        who,
        credentials: credentials(workspace, config),
        writable,
        shown,
        timeout: config.delivery.timeout,
        socket,
        commands: config.alerts.iter().any(|alert| matches!(alert.kind, AlertKind::Command { .. })),
        tells: args.on_failure,
        command: command(args),
    })
}

/// The command that gives this unit, in a few words.
fn command(args: &Args) -> String {
    let flags = [(args.user, " --user"), (args.timer, " --timer"), (args.on_failure, " --on-failure")];
    flags.iter().filter(|(set, _)| *set).fold("smm systemd".to_owned(), |all, (_, flag)| all + flag)
}

/// `--listen` for the daemon; whether it makes a socket in a folder of the unit's.
fn listen(args: &Args, arguments: &mut Vec<String>) -> Result<bool, Failure> {
    let Some(address) = &args.listen else { return Ok(false) };
    arguments.push("--listen".to_owned());
    match address {
        Address::Tcp(address) => arguments.push(address.to_string()),
        Address::Unix(path) => {
            let path = absolute(path)?;
            if !args.user && Path::new(&path).parent() != Some(Path::new(RUNTIME)) {
                return Err(Failure::new(format!("the unit can make no socket at {path}"))
                    .hint(format!("name one in {RUNTIME}, which the unit makes: --listen unix:{RUNTIME}/http.sock")));
            }
            arguments.push(format!("unix:{path}"));
            return Ok(!args.user);
        }
    }
    Ok(false)
}

/// The secrets that accounts, alerts and ledger may ask for.
fn credentials(workspace: &Workspace, config: &Config) -> Vec<Credential> {
    let accounts = workspace.loaded.calendar.as_ref().map_or(&config.accounts, |calendar| &calendar.accounts);
    let mut found = Vec::new();
    for account in accounts.values() {
        for field in networks::find(&account.network).map_or(&[][..], |network| network.profile().secrets) {
            let what = format!("{} on {}: {}", account.name, account.network, field.name);
            found.push(Credential { id: format!("{}.{}", account.name, field.name), what });
        }
    }
    for alert in config.alerts.iter().filter(|alert| !matches!(alert.kind, AlertKind::Command { .. })) {
        found.push(Credential {
            id: format!("alert-{}.url", alert.name),
            what: format!("where alert {} goes", alert.name),
        });
    }
    if config.media_host.as_ref().is_some_and(|host| matches!(host.place, MediaPlace::S3 { .. })) {
        for (field, what) in [("key", "the id of the media host's key"), ("secret", "the media host's key")] {
            found.push(Credential { id: format!("media-host.{field}"), what: what.to_owned() });
        }
    }
    if config.ledger.contains("://") {
        found.push(Credential {
            id: "ledger.password".to_owned(),
            what: "the password of the ledger's server".to_owned(),
        });
    }
    found
}

/// The folders that are written to, but for the state folder. They have to be there: the service cannot make them.
fn writable(workspace: &Workspace, config: &Config) -> Result<Vec<String>, Failure> {
    let calendar = workspace.calendar()?;
    let mut folders = BTreeSet::new();
    let folder = |account: &Account| networks::find(&account.network)?.folder(account).map(str::to_owned);
    for (account, folder) in calendar.accounts.values().filter_map(|account| Some((account, folder(account)?))) {
        let path = absolute(&calendar.folder.join(&folder))?;
        if !Path::new(&path).is_dir() {
            return Err(Failure::new(format!("the folder of account `{}` is not there: {path}", account.name))
                .hint(format!("make it, as the user who shall write there: mkdir -p '{path}'")));
        }
        folders.insert(path);
    }
    if let Some(MediaPlace::Folder(folder)) = config.media_host.as_ref().map(|host| &host.place) {
        let path = absolute(folder)?;
        if !Path::new(&path).is_dir() {
            return Err(Failure::new(format!("the media host's folder is not there: {path}"))
                .hint(format!("make it, as the user who shall write there: mkdir -p '{path}'")));
        }
        folders.insert(path);
    }
    if config.ledger.contains(['/', '.']) && !config.ledger.contains("://") {
        let folder = folder_of(&absolute(Path::new(&config.ledger))?);
        if !Path::new(&folder).starts_with("/var/lib/smm") {
            if !Path::new(&folder).is_dir() {
                return Err(Failure::new(format!("the ledger's folder is not there: {folder}"))
                    .hint(format!("make it, as the user who shall write there: mkdir -p -m 0700 '{folder}'")));
            }
            folders.insert(folder);
        }
    }
    Ok(folders.into_iter().collect())
}

/// A user made for it, unless it has to write or read what only another one may.
fn who(args: &Args, calendar: &str, read: &BTreeSet<String>, writable: &[String]) -> Result<Who, Failure> {
    if let Some(name) = &args.run_as {
        let good = |c: char| c.is_ascii_alphanumeric() || "_-.@".contains(c);
        if name.is_empty() || !name.chars().all(good) {
            return Err(Failure::usage(format!("`{name}` is not a user's name")));
        }
        return Ok(Who::Static(name.clone()));
    }
    let closed = |path: &&String| !is_open(Path::new(path.as_str()));
    let file = calendar.to_owned();
    let Some(path) = writable.first().or_else(|| read.iter().chain([&file]).find(closed)) else {
        return Ok(Who::Dynamic);
    };
    let why = if writable.is_empty() { "can only be read by its owner" } else { "is written to" };
    match owner(Path::new(path)) {
        Some(name) if name != "root" => Ok(Who::Static(name)),
        _ => Err(Failure::new(format!("{path} {why}, and it belongs to root, which smm should not run as"))
            .hint("give it to another user (chown), or name the user to run as: --run-as USER")),
    }
}

/// Whether everybody may read it, and get there where the sandbox does not show it by itself.
#[cfg(unix)]
fn is_open(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &Path| fs::metadata(path).map_or(0, |facts| facts.permissions().mode());
    let (own, folder) = (mode(path), path.is_dir());
    let read = own & 0o004 != 0 && (!folder || own & 0o001 != 0);
    let hidden = path.to_str().is_some_and(is_hidden);
    read && (hidden || path.ancestors().skip(1).all(|above| mode(above) & 0o001 != 0))
}

#[cfg(not(unix))]
fn is_open(_path: &Path) -> bool {
    true
}

/// The name of a file's owner, else its number.
#[cfg(unix)]
fn owner(path: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;
    let number = fs::metadata(path).ok()?.uid();
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(number)).then(|| name.to_owned())
    });
    Some(named.unwrap_or_else(|| number.to_string()))
}

#[cfg(not(unix))]
fn owner(_path: &Path) -> Option<String> {
    None
}

/// An absolute path without `..`. Links in it stay: what they lead to may be another release tomorrow.
fn absolute(path: &Path) -> Result<String, Failure> {
    let climbs = path.components().any(|part| part == Component::ParentDir);
    let whole = if climbs { fs::canonicalize(path) } else { std::path::absolute(path) };
    let whole = whole.map_err(|error| Failure::new(format!("cannot tell where {} is: {error}", path.display())))?;
    text(&whole)
}

fn folder_of(path: &str) -> String {
    Path::new(path).parent().and_then(Path::to_str).unwrap_or("/").to_owned()
}

/// A path that a unit can name.
fn text(path: &Path) -> Result<String, Failure> {
    path.to_str().filter(|path| !path.contains(char::is_control)).map(str::to_owned).ok_or_else(|| {
        Failure::new(format!("a unit cannot name {}", path.display()))
            .hint("rename it: letters, digits and signs alone")
    })
}

/// Where units of this kind go.
fn home(user: bool) -> &'static str {
    if user { "~/.config/systemd/user" } else { "/etc/systemd/system" }
}

fn print(units: &[Unit], user: bool, global: &Global) {
    if let [unit] = units {
        output::machine(&unit.text);
        return;
    }
    for (number, unit) in units.iter().enumerate() {
        let gap = if number == 0 { "" } else { "\n" };
        output::machine(&format!("{gap}# {}/{}\n{}", home(user), unit.name, unit.text));
    }
    if !global.quiet {
        let names: Vec<&str> = units.iter().map(|unit| unit.name).collect();
        let label = output::paint(output::Stream::Stderr, output::Style::Hint, "hint:");
        output::stderr(&format!(
            "{label} these are {} files, {}; `--output FOLDER` writes them\n",
            units.len(),
            names.join(", ")
        ));
    }
}

fn write(folder: &Path, units: &[Unit], args: &Args, global: &Global) -> Result<(), Failure> {
    for unit in units {
        let path = folder.join(unit.name);
        let there = fs::read_to_string(&path).ok();
        if there.is_some_and(|there| there != unit.text) && !args.force {
            return Err(Failure::new(format!("{} says something else", path.display())).hint(
                "`--force` replaces it; what you change is best kept in a drop-in of your own (`systemctl edit`)",
            ));
        }
    }
    for unit in units {
        let path = folder.join(unit.name);
        fs::write(&path, &unit.text)
            .map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display())))?;
        if !global.quiet {
            output::stderr(&format!("wrote {}\n", path.display()));
        }
    }
    Ok(())
}
