//! Where a post belongs: accounts, zone, and the calendar whose feeds may be posted to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use super::super::output::{self, Stream, Style};
use super::super::workspace::{self, CalendarArg, Settings, Workspace};
use super::super::{Failure, Global};
use super::Args;
use crate::calendar::Calendar;
use crate::engine::{COMMAND_CALENDAR, World};
use crate::model::{Account, AccountName, CalendarName, Post};
use crate::time::Zone;

/// Settings, and the calendar whose feeds and zone are used, where there is one.
pub(super) struct Home {
    pub(super) settings: Settings,
    workspace: Option<Workspace>,
    pub(super) zone: Zone,
}

impl Home {
    pub(super) fn read(args: &Args, global: &Global) -> Result<Self, Failure> {
        let named = args.calendar.clone();
        let arg = CalendarArg { calendar: named.clone().unwrap_or_else(|| PathBuf::from("calendar.toml")) };
        let workspace =
            if named.is_some() || arg.file().exists() { Some(Workspace::read(&arg, global)?) } else { None };
        let settings = Settings::read(global, &arg.file());
        settings.config()?;
        let zone = match workspace.as_ref().and_then(|workspace| workspace.loaded.calendar.as_ref()) {
            Some(calendar) => calendar.zone.clone(),
            None => workspace::local_zone(),
        };
        Ok(Self { settings, workspace, zone })
    }

    pub(super) fn known_accounts(&self) -> Result<Vec<Account>, Failure> {
        let declared = self.workspace.as_ref().and_then(|workspace| workspace.loaded.calendar.as_ref());
        Ok(match declared {
            Some(calendar) => calendar.accounts.values().cloned().collect(),
            None => self.own_accounts()?.into_values().collect(),
        })
    }

    /// The accounts of smm.toml, for a post that belongs to no calendar: their blackout hours are in the zone that the
    /// post's times are in.
    fn own_accounts(&self) -> Result<BTreeMap<AccountName, Account>, Failure> {
        let mut accounts = self.settings.config()?.accounts.clone();
        for account in accounts.values_mut().filter(|account| !account.blackout.is_empty()) {
            account.timezone.get_or_insert_with(|| self.zone.name().to_owned());
        }
        Ok(accounts)
    }

    pub(super) fn accounts(&self, args: &Args) -> Result<Vec<Account>, Failure> {
        let known = self.known_accounts()?;
        let names = || {
            let names: Vec<&str> = known.iter().map(|account| account.name.as_str()).collect();
            if names.is_empty() {
                "no accounts are set up: add one to smm.toml (`smm networks NAME` says how)".to_owned()
            } else {
                format!("the accounts are {}", names.join(", "))
            }
        };
        if args.to.is_empty() {
            return match known.as_slice() {
                [only] => Ok(vec![only.clone()]),
                _ => {
                    Err(Failure::usage("no account is named").hint(format!("say with --to where it goes; {}", names())))
                }
            };
        }
        let mut accounts: Vec<Account> = Vec::new();
        for name in &args.to {
            let Some(account) = known.iter().find(|account| account.name.as_str() == name) else {
                return Err(Failure::usage(format!("there is no account `{name}`")).hint(names()));
            };
            if !accounts.iter().any(|have| have.name == account.name) {
                accounts.push(account.clone());
            }
        }
        Ok(accounts)
    }

    /// What the engine publishes from: the calendar's accounts, or those of smm.toml alone.
    pub(super) fn world(&self) -> Result<World, Failure> {
        if let Some(world) = self.workspace.as_ref().and_then(|workspace| World::of(&workspace.loaded)) {
            return Ok(world);
        }
        let accounts = self.own_accounts()?;
        let folder =
            std::env::current_dir().map_err(|error| Failure::new(format!("there is no folder to work in: {error}")))?;
        Ok(World { accounts, complete: true, folder, ..World::default() })
    }

    /// The civil time and the instant at which it is due; echoes what was understood.
    pub(super) fn when(&self, args: &Args, now: DateTime<Utc>) -> Result<(NaiveDateTime, DateTime<Utc>), Failure> {
        let Some(text) = &args.at else { return Ok((self.zone.civil(now), now)) };
        let due =
            crate::time::parse_human_in(text, &self.zone, now).map_err(|error| Failure::usage(error.to_string()))?;
        let shown = self.zone.civil(due);
        if due <= now {
            return Err(Failure::usage(format!("{} is in the past", shown.format("%a %Y-%m-%d %H:%M")))
                .hint("leave --at out to publish it now"));
        }
        output::stderr(&format!(
            "{} {} ({}), {}\n",
            output::paint(Stream::Stderr, Style::Bold, "at"),
            shown.format("%A %Y-%m-%d %H:%M"),
            self.zone.name(),
            from_now(due - now),
        ));
        Ok((shown, due))
    }

    /// A calendar with this one post, to compose it as `check` does.
    pub(super) fn calendar(&self, folder: &Path, post: Post) -> Calendar {
        let declared = self.workspace.as_ref().and_then(|workspace| workspace.loaded.calendar.as_ref());
        Calendar {
            name: CalendarName::new(COMMAND_CALENDAR),
            zone: self.zone.clone(),
            folder: folder.to_owned(),
            posts: vec![post],
            accounts: declared.map_or_else(
                || self.settings.config.as_ref().map(|config| config.accounts.clone()).unwrap_or_default(),
                |calendar| calendar.accounts.clone(),
            ),
            campaigns: BTreeMap::new(),
            missing_alt_warns: declared.is_some_and(|calendar| calendar.missing_alt_warns),
            media_host: self.settings.config.as_ref().is_some_and(|config| config.media_host.is_some()),
        }
    }
}

/// `in 3 hours`, for people.
pub(super) fn from_now(wait: TimeDelta) -> String {
    let minutes = wait.num_minutes();
    match minutes {
        0 => "in less than a minute".to_owned(),
        1 => "in a minute".to_owned(),
        2..120 => format!("in {minutes} minutes"),
        120..2880 => format!("in {} hours", minutes / 60),
        _ => format!("in {} days", minutes / 1440),
    }
}
