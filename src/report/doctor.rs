//! What `smm doctor` has found: each thing that was looked at, how well it is, and what to do.

use std::fmt::Write as _;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::Serialize;

use super::{AccountView, printable};
use crate::adapter::{Ending, Limits, Profile};
use crate::ledger::{About, Age};
use crate::model::{Account, AccountName, Grade, Health, LimitOverrides};

/// A server's `Date` has no parts of a second, and the answer was on its way: so far off is not off.
const EXACT: TimeDelta = TimeDelta::seconds(3);

/// A clock that is further off than this is not believed by the daemon when it jumps; posts are as much early or late.
const FAR_OFF: TimeDelta = TimeDelta::minutes(2);

/// What a network allows is looked up anew after so long.
const STALE: TimeDelta = TimeDelta::days(180);

/// What `smm doctor --format json` writes. Fields are added, never renamed.
#[derive(Debug, Serialize)]
pub struct Doctor {
    /// Nothing is an error.
    pub ok: bool,
    /// What was looked at, in order.
    pub checks: Vec<CheckView>,
    /// The limits that servers state and that are not those that hold here.
    pub limits: Vec<LimitView>,
    /// The accounts, as `smm accounts --online` lists them.
    pub accounts: Vec<AccountView>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckView {
    /// What: `account`, `clock`, `zones`, `tls`, `ledger`, `disk`, `limits`, `facts`, `ending`, `alerts`, `systemd`, `config`.
    pub check: &'static str,
    /// Of which account or network; `null`: of none.
    pub subject: Option<String>,
    /// How well it is, in one line, and what to do.
    #[serde(flatten)]
    pub health: Health,
}

/// A limit that a server states, and that is not the one that holds here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LimitView {
    /// The account.
    pub account: AccountName,
    /// Its key in `[accounts.<account>.limits]`.
    pub limit: String,
    /// What holds here; `null`: there is no such limit.
    pub old: Option<u64>,
    /// The old one is written in `smm.toml`; else it is built in.
    pub written: bool,
    /// What the server states.
    pub new: u64,
    /// It has been written into `smm.toml` by this run (`--limits`).
    pub amended: bool,
}

impl Doctor {
    /// Nothing yet.
    pub fn new(accounts: Vec<AccountView>) -> Self {
        let mut doctor = Self { ok: true, checks: Vec::new(), limits: Vec::new(), accounts: Vec::new() };
        for account in &accounts {
            let name = Some(account.account.to_string());
            if account.health.is_empty() {
                let who = account.online.as_ref().or(account.identity.as_ref());
                let who = who.map_or_else(
                    || "it needs no credentials".to_owned(),
                    |who| format!("{} at {}", who.handle, who.host),
                );
                doctor.add("account", name.clone(), Health::ok(who));
            }
            for health in &account.health {
                doctor.add("account", name.clone(), health.clone());
            }
        }
        doctor.accounts = accounts;
        doctor
    }

    /// One more thing that was looked at.
    pub fn add(&mut self, check: &'static str, subject: Option<String>, health: Health) {
        self.ok &= health.grade != Grade::Error;
        self.checks.push(CheckView { check, subject, health });
    }

    /// The limits that differ. `amended`: where they were written to; `None`: they were not. The checks are added.
    pub fn limits(&mut self, limits: Vec<LimitView>) {
        for limit in &limits {
            let was = match (limit.old, limit.written) {
                (Some(old), true) => format!("smm.toml has {old}"),
                (Some(old), false) => format!("{old} is built in"),
                (None, _) => "none is built in".to_owned(),
            };
            let message = format!("{}: its server states {}, {was}", limit.limit, limit.new);
            let health = if limit.amended {
                Health::ok(format!("{message}; written into smm.toml"))
            } else {
                Health::warning(message, "`smm doctor --limits` writes it into smm.toml, which `smm check` goes by")
            };
            self.add("limits", Some(limit.account.to_string()), health);
        }
        self.limits = limits;
    }

    /// For people: one line a check. `mark`: how a grade is written, in colour or not, `width` wide.
    pub fn human(&self, mark: impl Fn(Grade) -> String) -> String {
        let mut text = String::new();
        for CheckView { check, subject, health } in &self.checks {
            let subject = subject.as_ref().map_or_else(String::new, |subject| format!("{subject}: "));
            let line = format!("{check:<8} {subject}{}", health.message);
            let _ = writeln!(text, "{} {}", mark(health.grade), printable(&line).replace('\n', " "));
            if let Some(help) = health.help.as_ref().filter(|_| health.grade != Grade::Ok) {
                let _ = writeln!(text, "{:17} {}", "", printable(help).replace('\n', " "));
            }
        }
        let count = |grade| self.checks.iter().filter(|check| check.health.grade == grade).count();
        let many = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
        let _ = match (count(Grade::Error), count(Grade::Warning)) {
            (0, 0) => writeln!(text, "\nall is well"),
            (errors, warnings) => {
                writeln!(text, "\n{}, {}", many(errors, "error"), many(warnings, "warning"))
            }
        };
        text
    }
}

/// The machine's clock against those of servers: how far each is ahead of it.
pub fn clock(offsets: &[(AccountName, TimeDelta)]) -> Health {
    let mut sorted: Vec<TimeDelta> = offsets.iter().map(|(_, offset)| *offset).collect();
    sorted.sort_unstable();
    // One server with a wrong clock does not make this one wrong.
    let Some(middle) = sorted.get(sorted.len().saturating_sub(1) / 2).copied() else {
        return Health::warning("no server has told the time", "see that one of the accounts' servers can be reached");
    };
    let off = super::duration(middle.num_seconds().unsigned_abs());
    let servers = if offsets.len() == 1 { "1 server".to_owned() } else { format!("{} servers", offsets.len()) };
    let way = if middle > TimeDelta::zero() { "behind" } else { "ahead of" };
    let help = "set it by the network (`timedatectl set-ntp true`)";
    match middle.abs() {
        exact if exact <= EXACT => Health::ok(format!("the machine's clock agrees with {servers}")),
        near if near < FAR_OFF => Health::warning(format!("the machine's clock is {off} {way} {servers}"), help),
        _ => Health::error(
            format!("the machine's clock is {off} {way} {servers}: posts go out as much too soon or late"),
            help,
        ),
    }
}

/// The zone data that is built in. `system`: the version of the machine's own, which is not used.
pub fn zones(built: &str, system: Option<&str>, now: DateTime<Utc>) -> Health {
    // The year and a letter: `2026f`.
    let year = |version: &str| version.get(..4).and_then(|year| year.parse::<i32>().ok());
    let message = match system {
        Some(system) => format!("zone data {built} is built in; the machine's is {system}, and is not used"),
        None => format!("zone data {built} is built in"),
    };
    let help = "update smm: rules of zones have changed since, and posts there may be an hour off";
    let present = chrono::Datelike::year(&now);
    match (year(built), system) {
        (Some(_), Some(system)) if year(system).is_some() && system > built => Health::warning(message, help),
        (Some(year), _) if year + 1 < present => Health::warning(message, help),
        _ => Health::ok(message),
    }
}

/// The root certificates.
pub fn roots(count: usize) -> Health {
    if count == 0 {
        return Health::error(
            "no root certificate is built in: no server can be trusted",
            "install another build of smm",
        );
    }
    let message = format!("{count} root certificates are built in (Mozilla's); the system's are not used");
    Health::ok(message)
}

/// What is known of a network, by when it was verified.
pub fn facts(profile: &Profile, now: DateTime<Utc>) -> Health {
    let Ok(verified) = profile.verified.parse::<NaiveDate>() else {
        return Health::warning(format!("nobody knows when they were verified (`{}`)", profile.verified), "update smm");
    };
    let age = now.date_naive() - verified;
    let days = age.num_days();
    let message = format!("its limits were verified {days} day{} ago, on {verified}", if days == 1 { "" } else { "s" });
    if age > STALE {
        return Health::warning(message, "update smm; `smm doctor --limits` takes what servers state meanwhile");
    }
    Health::ok(message)
}

/// Something that a network takes only so long, by its last day.
pub fn ending(ending: &Ending, now: DateTime<Utc>) -> Health {
    let Ending { what, on, help } = ending;
    match ending.days_left(now) {
        ..0 => Health::error(format!("{what} ended on {on}"), *help),
        days if ending.is_near(now) => {
            let s = if days == 1 { "" } else { "s" };
            Health::warning(format!("{what} ends on {on}, in {days} day{s}"), *help)
        }
        _ => Health::ok(format!("{what} is taken until {on}")),
    }
}

/// The ledger itself.
pub fn ledger(about: &About, age: &Age) -> Health {
    if let Some(doubt) = age.doubt() {
        let help = "put the right ledger back; or look at the accounts, then `smm ledger adopt`";
        return Health::error(format!("nothing is sent: {doubt}"), help);
    }
    if about.version == 0 {
        return Health::ok(format!("{} at {}: it is not there yet", about.kind, about.place));
    }
    let deliveries = about.deliveries();
    let s = if deliveries == 1 { "y" } else { "ies" };
    Health::ok(format!("{} at {}, version {}, {deliveries} deliver{s}", about.kind, about.place, about.version))
}

/// Who is told of what goes wrong. `untold`: alerts that could not be told.
pub fn alerts(targets: usize, untold: usize) -> Health {
    let help = "write an `[[alerts]]` table into smm.toml, then `smm alerts test`";
    match (targets, untold) {
        (0, _) => Health::warning("nobody is told when something goes wrong", help),
        (_, 0) => {
            Health::ok(if targets == 1 { "1 target is told".to_owned() } else { format!("{targets} targets are told") })
        }
        (_, 1) => {
            Health::error("1 alert could not be told", "`smm status` shows it; `smm alerts test` tries the targets")
        }
        (_, untold) => {
            let help = "`smm status` shows them; `smm alerts test` tries the targets";
            Health::error(format!("{untold} alerts could not be told"), help)
        }
    }
}

/// The limits that an account's server states, and that are not those that hold here.
pub fn limits(account: &Account, profile: &Profile, stated: &LimitOverrides) -> Vec<LimitView> {
    let table = |limits: &LimitOverrides| match serde_json::to_value(limits) {
        Ok(serde_json::Value::Object(table)) => table,
        _ => serde_json::Map::new(),
    };
    let (built, written) = (table(&Limits::new(profile, &LimitOverrides::default()).stated()), table(&account.limits));
    let differs = |(limit, new): (String, serde_json::Value)| {
        let own = written.get(&limit).and_then(serde_json::Value::as_u64);
        let old = own.or_else(|| built.get(&limit).and_then(serde_json::Value::as_u64));
        let new = new.as_u64().filter(|new| Some(*new) != old)?;
        Some(LimitView { account: account.name.clone(), limit, old, written: own.is_some(), new, amended: false })
    };
    table(stated).into_iter().filter_map(differs).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks;

    fn now() -> DateTime<Utc> {
        "2026-11-22T00:00:00Z".parse().expect("a time")
    }

    fn profile(id: &str) -> &'static Profile {
        networks::find(id).expect("built in").profile()
    }

    #[test]
    fn a_clock_is_off_when_most_servers_say_so() {
        let of = |offsets: &[i64]| {
            let offsets: Vec<_> =
                offsets.iter().map(|seconds| (AccountName::new("a"), TimeDelta::seconds(*seconds))).collect();
            clock(&offsets)
        };
        assert_eq!(of(&[0, -3, 3]).grade, Grade::Ok);
        assert_eq!(of(&[0, 1, 7200]).grade, Grade::Ok, "that server's is wrong");
        assert_eq!(of(&[]).grade, Grade::Warning);
        let behind = of(&[61, 60, 62]);
        assert_eq!(behind.grade, Grade::Warning);
        assert_eq!(behind.message, "the machine's clock is 1 min 1 s behind 3 servers");
        let ahead = of(&[-3600]);
        assert_eq!(ahead.grade, Grade::Error);
        assert!(ahead.message.starts_with("the machine's clock is 1 h ahead of 1 server"), "{}", ahead.message);
    }

    #[test]
    fn old_zone_data_is_told() {
        assert_eq!(zones("2026f", None, now()).grade, Grade::Ok);
        assert_eq!(zones("2026f", Some("2025b"), now()).grade, Grade::Ok);
        assert_eq!(zones("2026f", Some("2026g"), now()).grade, Grade::Warning);
        assert_eq!(zones("2024a", None, now()).grade, Grade::Warning);
        assert_eq!(zones(&crate::time::tzdb_version(), None, now()).grade, Grade::Ok);
    }

    #[test]
    fn facts_grow_old() {
        let of = |date: &str| facts(profile("feed"), date.parse().expect("a time")).grade;
        let verified: NaiveDate = profile("feed").verified.parse().expect("a day");
        let after = |days| format!("{}T00:00:00Z", verified + TimeDelta::days(days));
        assert_eq!((of(&after(180)), of(&after(181))), (Grade::Ok, Grade::Warning));
        for network in networks::ALL {
            assert_ne!(facts(network.profile(), now()).grade, Grade::Error, "{}", network.profile().id);
        }
    }

    #[test]
    fn an_end_is_told_two_months_ahead() {
        let on = |days| Ending {
            what: "version 1".to_owned(),
            on: now().date_naive() + TimeDelta::days(days),
            help: "take another",
        };
        let grade = |days| ending(&on(days), now()).grade;
        assert_eq!([-1, 0, 60, 61].map(grade), [Grade::Error, Grade::Warning, Grade::Warning, Grade::Ok]);
        assert!(ending(&on(1), now()).message.ends_with("in 1 day"), "{:?}", ending(&on(1), now()));
    }

    #[test]
    fn limits_are_those_that_differ_from_what_holds_here() {
        let mut account = Account::new(AccountName::new("fedi"), "mastodon");
        account.limits.alt = Some(1500);
        let stated = LimitOverrides { text: Some(5000), alt: Some(1500), media: Some(6), ..LimitOverrides::default() };
        let found = limits(&account, profile("mastodon"), &stated);
        let told: Vec<_> = found.iter().map(|it| (it.limit.as_str(), it.old, it.written, it.new)).collect();
        assert_eq!(told, [("media", Some(4), false, 6), ("text", Some(500), false, 5000)]);
        account.limits.text = Some(1000);
        let found = limits(&account, profile("mastodon"), &stated);
        assert!(found.iter().any(|it| (it.old, it.written) == (Some(1000), true)), "{found:?}");
        let mut doctor = Doctor::new(Vec::new());
        doctor.limits(found);
        assert!(doctor.ok, "a warning is no error");
        let text = doctor.human(|grade| format!("{:<8}", grade.as_str()));
        assert!(text.contains("warning  limits   fedi: text: its server states 5000, smm.toml has 1000\n"), "{text}");
        assert!(text.ends_with("0 errors, 2 warnings\n"), "{text}");
    }

    #[test]
    fn an_error_is_remembered() {
        let mut doctor = Doctor::new(Vec::new());
        assert_eq!(doctor.human(|_| String::new()), "\nall is well\n");
        doctor.add("alerts", None, alerts(1, 2));
        assert!(!doctor.ok);
        assert_eq!(alerts(0, 0).grade, Grade::Warning);
        assert_eq!(alerts(1, 0).grade, Grade::Ok);
        assert_eq!(roots(0).grade, Grade::Error);
    }
}
