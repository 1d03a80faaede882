//! `smm doctor`.

use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};

use super::accounts::{Found, Scene, mark};
use super::output;
use super::workspace::{self, CalendarArg};
use super::{Exit, Failure, Format, Global};
use crate::adapter::http;
use crate::calendar;
use crate::ledger::{self, Ledger, OpenMode};
use crate::model::{AccountName, Health, Severity};
use crate::networks;
use crate::report::doctor::{self, Doctor, LimitView};
use crate::time::{Clock as _, SystemClock, tzdb_version};

/// Where systems say which version their zone data is, with what the line begins with.
const SYSTEM_ZONES: [(&str, &str); 2] =
    [("/usr/share/zoneinfo/tzdata.zi", "# version "), ("/usr/share/zoneinfo/+VERSION", "")];

/// See whether everything is as it should be: accounts, clock, ledger, disk, limits, alerts
///
/// Asks each account's server who it is. Nothing is sent, and nothing is changed without --limits. The exit status is 1
/// when something is wrong.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    calendar: CalendarArg,
    /// Write the limits that servers state differently into smm.toml, which `smm check` goes by
    #[arg(long)]
    limits: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    let scene = Scene::read(&args.calendar, global)?;
    let targets: Vec<String> = scene.settings().config()?.alerts.iter().map(|alert| alert.name.clone()).collect();
    workspace::block_on(async {
        let opened = scene.settings().ledger(OpenMode::ReadOnly);
        let store = opened.as_ref().ok().map(|ledger| &**ledger);
        let mut found = Vec::new();
        let mut broken = opened.as_ref().err().map(ToString::to_string);
        match scene.look(store, true, global).await {
            Ok(looked) => found = looked,
            // A ledger that cannot be read keeps nobody from asking the servers.
            Err(why) => {
                broken.get_or_insert(why.to_string());
                found.extend(scene.look(None, true, global).await?);
            }
        }
        let (limits, ahead) = (differing(&scene, &found)?, ahead(&found));
        let mut doctor = Doctor::new(found.into_iter().map(|found| found.view).collect());
        let now = SystemClock.now();
        of_files(&mut doctor, &scene);
        of_machine(&mut doctor, &ahead, now);
        match (store, broken) {
            (Some(store), None) => of_ledger(&mut doctor, store, &targets).await?,
            (_, why) => {
                let help = "see what the message says; `smm ledger info` tries it again";
                doctor.add("ledger", None, Health::error(why.unwrap_or_default(), help));
            }
        }
        of_disk(&mut doctor, &scene)?;
        of_networks(&mut doctor, &scene, now)?;
        doctor.limits(if args.limits { write_limits(&scene, limits)? } else { limits });
        of_manager(&mut doctor);
        match args.format {
            Format::Json => output::json(&doctor)?,
            Format::Human => output::stdout(&doctor.human(|grade| mark(grade, 8))),
        }
        Ok(if doctor.ok { Exit::Done } else { Exit::Failed })
    })
}

/// How far each server's clock is ahead.
fn ahead(found: &[Found]) -> Vec<(AccountName, TimeDelta)> {
    found.iter().filter_map(|found| Some((found.view.account.clone(), found.ahead?))).collect()
}

/// The limits that servers state and that are not those that hold here.
fn differing(scene: &Scene, found: &[Found]) -> Result<Vec<LimitView>, Failure> {
    let accounts = scene.accounts()?;
    let of = |found: &Found| {
        let (account, stated) = (accounts.get(&found.view.account)?, found.limits.as_ref()?);
        Some(doctor::limits(account, networks::find(&account.network)?.profile(), stated))
    };
    Ok(found.iter().filter_map(of).flatten().collect())
}

/// Writes them into `smm.toml`: all or none.
fn write_limits(scene: &Scene, mut limits: Vec<LimitView>) -> Result<Vec<LimitView>, Failure> {
    if limits.is_empty() {
        return Ok(limits);
    }
    let path = scene.settings().config()?.path.clone();
    let path = path.ok_or_else(|| Failure::new("there is no smm.toml to write limits into"))?;
    let cannot = |why: String| Failure::new(format!("the limits cannot be written into {}: {why}", path.display()));
    let mut text = std::fs::read_to_string(&path).map_err(|error| cannot(error.to_string()))?;
    for limits in limits.chunk_by(|one, other| one.account == other.account) {
        let Some(first) = limits.first() else { continue };
        let values: Vec<(&str, u64)> = limits.iter().map(|limit| (limit.limit.as_str(), limit.new)).collect();
        text = calendar::put_limits(&text, &first.account, &values).map_err(|why| {
            let table: Vec<String> = values.iter().map(|(limit, value)| format!("{limit} = {value}")).collect();
            cannot(why).hint(format!("write below `[accounts.{}.limits]`: {}", first.account, table.join(", ")))
        })?;
    }
    calendar::replace(&path, &text).map_err(|error| cannot(error.to_string()))?;
    for limit in &mut limits {
        limit.amended = true;
    }
    Ok(limits)
}

/// The two files.
fn of_files(doctor: &mut Doctor, scene: &Scene) {
    let settings = scene.settings();
    match &settings.found {
        Some(found) => doctor.add("config", None, Health::ok(format!("{} is read", found.path.display()))),
        None => doctor.add("config", None, Health::warning("there is no smm.toml", "`smm init` writes a starter")),
    }
    let errors = scene
        .loaded()
        .map_or(0, |loaded| loaded.diagnostics.iter().filter(|found| found.severity == Severity::Error).count());
    if errors > 0 {
        let s = if errors == 1 { "" } else { "s" };
        let help = "`smm check` shows everything that is wrong";
        doctor.add("config", None, Health::error(format!("the calendar has {errors} mistake{s} in its form"), help));
    }
}

fn of_machine(doctor: &mut Doctor, ahead: &[(AccountName, TimeDelta)], now: DateTime<Utc>) {
    // Accounts without a server ask nobody.
    if !ahead.is_empty() || doctor.accounts.iter().any(|account| account.online.is_none()) {
        doctor.add("clock", None, doctor::clock(ahead));
    }
    let system = SYSTEM_ZONES.iter().find_map(|(path, begins)| {
        let text = std::fs::read_to_string(path).ok()?;
        Some(text.lines().next()?.strip_prefix(begins)?.trim().to_owned())
    });
    doctor.add("zones", None, doctor::zones(&tzdb_version(), system.as_deref(), now));
    doctor.add("tls", None, doctor::roots(http::roots()));
}

async fn of_ledger(doctor: &mut Doctor, store: &dyn Ledger, targets: &[String]) -> Result<(), Failure> {
    let (about, age) = (store.about().await?, store.age().await?);
    doctor.add("ledger", None, doctor::ledger(&about, &age));
    for health in store.health().await? {
        doctor.add("ledger", None, health);
    }
    doctor.add("alerts", None, doctor::alerts(targets.len(), store.untold(targets).await?.len()));
    Ok(())
}

fn of_disk(doctor: &mut Doctor, scene: &Scene) -> Result<(), Failure> {
    let beside = scene.settings().beside_ledger()?;
    #[cfg(unix)]
    for health in ledger::disk_health(beside.parent().unwrap_or(Path::new("."))) {
        doctor.add("disk", None, health);
    }
    #[cfg(not(unix))]
    let _ = (beside, doctor);
    Ok(())
}

/// The networks that have an account.
fn of_networks(doctor: &mut Doctor, scene: &Scene, now: DateTime<Utc>) -> Result<(), Failure> {
    let accounts = scene.accounts()?;
    for network in networks::ALL {
        let profile = network.profile();
        if accounts.values().any(|account| account.network == profile.id) {
            doctor.add("facts", Some(profile.id.to_owned()), doctor::facts(profile, now));
        }
        for account in accounts.values().filter(|account| account.network == profile.id) {
            if let Some(ending) = network.ends(account) {
                doctor.add("ending", Some(account.name.to_string()), doctor::ending(&ending, now));
            }
        }
    }
    Ok(())
}

/// The service manager, as far as this very process can tell.
fn of_manager(doctor: &mut Doctor) {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if !set("INVOCATION_ID") && !set("NOTIFY_SOCKET") {
        return doctor.add("systemd", None, Health::ok("not started by systemd"));
    }
    let health = match (set("NOTIFY_SOCKET"), set("WATCHDOG_USEC")) {
        (true, false) => {
            let help = "write `WatchdogSec=60` into the unit, so that a daemon that hangs is started anew";
            Health::warning("started by systemd, without a watchdog", help)
        }
        (true, true) => Health::ok("started by systemd, with its watchdog"),
        (false, _) => Health::ok("started by systemd, as a unit that it does not hear from"),
    };
    doctor.add("systemd", None, health);
}
