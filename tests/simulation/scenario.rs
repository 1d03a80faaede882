//! What a seed means: the accounts, the calendar, the machines, and all that people, machines and networks will do.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Timelike as _, Utc};
use smm::calendar::DeliverySettings;
use smm::model::{Account, AccountName, Late, LateThen, PostId};
use smm::time::Zone;

use super::dice::Dice;
use super::network::Kind;
use super::paper::{Entry, When};
use super::process::Trouble;
use super::stage::Weather;

/// So many days.
pub(crate) const DAYS: i64 = 60;

/// Ledgers that several daemons publish from, and clocks that somebody sets, in a thousand.
const SHARED: u64 = 400;
const CLOCKS: u64 = 300;

/// Zones whose clocks change in one of the two seasons below, by an hour, by half an hour, at midnight, backwards.
const ZONES: [&str; 7] = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "Africa/Casablanca",
    "Asia/Beirut",
    "UTC",
];

/// Rules of series. Many meet the hours in which clocks change.
const RULES: [&str; 7] = [
    "30 2 * * SUN",
    "0 9 * * MON,THU",
    "15 1 */5 * *",
    "0 0 * * SUN",
    "45 2 * * SAT,SUN",
    "30 0 * * 0",
    "0 3 1,15,29 * *",
];

/// What a search looks at most: seeds decide the rest.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bias {
    /// These networks alone.
    pub(crate) kinds: Option<&'static [Kind]>,
    /// A ledger that several daemons share, and processes that are stopped so often, in a thousand steps.
    pub(crate) stopped: Option<u64>,
    /// The ledger of one machine is set back to an older state while its daemon is down, and adopted later.
    pub(crate) restored: bool,
}

/// Everything that a seed decides before anything runs.
pub(crate) struct Scenario {
    pub(crate) start: DateTime<Utc>,
    pub(crate) weather: Weather,
    /// Several daemons may publish at once.
    pub(crate) shared: bool,
    pub(crate) machines: usize,
    pub(crate) zone: Zone,
    pub(crate) settings: DeliverySettings,
    pub(crate) accounts: BTreeMap<AccountName, Account>,
    pub(crate) entries: Vec<Entry>,
    /// By time.
    pub(crate) actions: Vec<(DateTime<Utc>, Action)>,
    /// Somebody sets a clock.
    pub(crate) clocks_step: bool,
}

/// What somebody does.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    /// The text of a post.
    Edit(usize),
    /// Its time, to so many minutes from now.
    Move(usize, i64),
    Remove(usize),
    Restore(usize),
    Rename(usize),
    Late(usize, Late),
    /// The post has a mistake, or none any more.
    Spoil(usize, bool),
    /// The whole file has a mistake, or none any more.
    Break(bool),
    Pause(Option<AccountName>),
    Resume(Option<AccountName>),
    Meddle,
    Sweep,
    /// `kill -9`, and start again.
    Kill(usize),
    /// SIGTERM, and start again.
    Stop(usize),
    /// It is down for so many minutes.
    Down(usize, i64),
    /// SIGSTOP for so many seconds.
    Freeze(usize, u64),
    /// Its clock is set to so many seconds ahead of true time, or behind it.
    Clock(usize, i64),
    RightClock(usize),
    /// Its ledger fails for so many minutes.
    Ledger(usize, Trouble, i64),
    /// The network does not answer for so many minutes.
    Outage(Kind, i64),
    Expire(AccountName),
    /// The token in the account's file is another account's.
    Swap(AccountName),
    /// The first machine's ledger is copied.
    Backup,
    /// Its daemon is killed, and the ledger is the copy when it starts again.
    RestoreLedger,
    Adopt,
}

impl Scenario {
    /// What the seed says.
    pub(crate) fn of(dice: &Dice, bias: Bias) -> Self {
        let season = *dice.pick(&["2026-03-01T00:00:00Z", "2026-09-15T00:00:00Z"]);
        let start: DateTime<Utc> = season.parse().expect("a time");
        let start = start + TimeDelta::hours(i64::try_from(dice.below(240)).expect("hours"));
        let zone = Zone::parse(ZONES[dice.index(ZONES.len())]).expect("a zone");
        let shared = (dice.chance(SHARED) || bias.stopped.is_some()) && !bias.restored;
        let machines = match bias.stopped {
            Some(_) => 2,
            None if shared => 1 + dice.index(3),
            None => 1,
        };
        let level = |low: u64, high: u64| if dice.chance(200) { 0 } else { dice.between(low, high) };
        let weather =
            Weather { network: level(50, 500), ledger: level(2, 40), crash: level(1, 12), freeze: level(1, 8) };
        let accounts = accounts(dice, bias.kinds.unwrap_or(&Kind::ALL));
        let entries = entries(dice, &accounts, &zone, start);
        // Leases are renewed every third of them, all the time: long ones make runs short.
        let hours = if bias.stopped.is_some() { 1 } else { dice.between(4, 12) };
        let lease = Duration::from_secs(hours * 3600);
        let settings = DeliverySettings { lease, ..DeliverySettings::default() };
        let mut scenario = Self {
            start,
            weather,
            shared,
            machines,
            zone,
            settings,
            accounts,
            entries,
            actions: Vec::new(),
            clocks_step: dice.chance(CLOCKS) && !bias.restored,
        };
        scenario.plan(dice);
        if bias.restored {
            scenario.restore(dice);
        }
        scenario
    }

    /// The end of the wild time.
    pub(crate) fn end(&self) -> DateTime<Utc> {
        self.start + TimeDelta::days(DAYS)
    }

    /// Some time: often just before or after something is due.
    fn some_time(&self, dice: &Dice) -> DateTime<Utc> {
        let once: Vec<DateTime<Utc>> = self
            .entries
            .iter()
            .filter_map(|entry| match entry.when {
                When::Once(civil) => Some(self.zone.local(civil).instant()),
                When::Series(_) => None,
            })
            .collect();
        if dice.chance(600) {
            let milliseconds = i64::try_from(dice.below(400_000)).expect("minutes") - 60_000;
            (*dice.pick(&once) + TimeDelta::milliseconds(milliseconds)).max(self.start)
        } else {
            let seconds = u64::try_from(DAYS * 86_400).expect("days");
            self.start + TimeDelta::seconds(i64::try_from(dice.below(seconds)).expect("seconds"))
        }
    }

    /// A backup, some days later its restoring, and a person who adopts it in the end. What no ledger can know of is left
    /// out: posts that are moved after the backup, and parts of a thread that came after it.
    fn restore(&mut self, dice: &Dice) {
        let minutes =
            |low: u64, high: u64| TimeDelta::minutes(i64::try_from(dice.between(low, high)).expect("some days"));
        let backup = self.start + minutes(2 * 1440, 40 * 1440);
        let restored = backup + minutes(60, 7 * 1440);
        let adopted = restored + minutes(20, 2 * 1440);
        self.actions.retain(|(at, action)| *at < backup || !matches!(action, Action::Move(..)));
        for entry in &mut self.entries {
            entry.more = 0;
        }
        self.actions.extend([(backup, Action::Backup), (restored, Action::RestoreLedger), (adopted, Action::Adopt)]);
        self.actions.sort_by_key(|(at, _)| *at);
    }

    fn plan(&mut self, dice: &Dice) {
        let mut actions = Vec::new();
        for _ in 0..dice.between(10, 40) {
            let at = self.some_time(dice);
            let post = dice.index(self.entries.len());
            let machine = dice.index(self.machines);
            let names: Vec<AccountName> = self.accounts.keys().cloned().collect();
            let account = dice.pick(&names).clone();
            let later =
                |minutes: u64| at + TimeDelta::minutes(i64::try_from(dice.between(1, minutes)).expect("minutes"));
            match dice.below(22) {
                0 | 1 => actions.push((at, Action::Edit(post))),
                2 | 3 => {
                    let minutes = i64::try_from(dice.below(4 * 1440)).expect("minutes") - 1440;
                    actions.push((at, Action::Move(post, minutes)));
                }
                4 => actions.push((at, Action::Remove(post))),
                5 => {
                    actions.push((at, Action::Remove(post)));
                    actions.push((later(3 * 1440), Action::Restore(post)));
                }
                6 => actions.push((at, Action::Rename(post))),
                7 => actions.push((at, Action::Late(post, late(dice)))),
                8 => {
                    actions.push((at, Action::Spoil(post, true)));
                    actions.push((later(1440), Action::Spoil(post, false)));
                }
                9 => {
                    actions.push((at, Action::Break(true)));
                    actions.push((later(600), Action::Break(false)));
                }
                10 => {
                    let whom = dice.chance(700).then(|| account.clone());
                    actions.push((at, Action::Pause(whom.clone())));
                    actions.push((later(2 * 1440), Action::Resume(whom)));
                }
                11 | 12 => actions.push((at, Action::Meddle)),
                13 => actions.push((at, Action::Kill(machine))),
                14 => actions.push((at, Action::Stop(machine))),
                15 => {
                    let minutes = *dice.pick(&[5, 40, 600, 3 * 1440, 9 * 1440]);
                    actions.push((at, Action::Down(machine, minutes)));
                }
                16 => actions.push((at, Action::Freeze(machine, *dice.pick(&[10, 600, 9_000, 60_000])))),
                17 if self.clocks_step => {
                    let seconds = i64::try_from(dice.below(7200)).expect("seconds") - 3600;
                    actions.push((at, Action::Clock(machine, seconds)));
                    actions.push((later(1440), Action::RightClock(machine)));
                }
                17 | 18 => {
                    let trouble = *dice.pick(&[Trouble::Full, Trouble::Away]);
                    let minutes = i64::try_from(dice.between(1, 60)).expect("minutes");
                    actions.push((at, Action::Ledger(machine, trouble, minutes)));
                }
                19 => {
                    let kind = Kind::of(&self.accounts[&account].network).expect("a network of the simulator");
                    actions.push((at, Action::Outage(kind, *dice.pick(&[1, 20, 300, 2000]))));
                }
                20 => actions.push((at, Action::Expire(account))),
                _ => actions.push((at, Action::Swap(account))),
            }
        }
        let mut at = self.start;
        while at < self.end() {
            at += TimeDelta::minutes(i64::try_from(dice.between(60, 4 * 1440)).expect("minutes"));
            actions.push((at, Action::Sweep));
        }
        actions.sort_by_key(|(at, _)| *at);
        actions.retain(|(at, _)| *at < self.end());
        self.actions = actions;
    }
}

fn accounts(dice: &Dice, kinds: &[Kind]) -> BTreeMap<AccountName, Account> {
    let count = dice.between(2, 6);
    let mut accounts = BTreeMap::new();
    for number in 0..count {
        let kind = *dice.pick(kinds);
        let name = AccountName::new(format!("{}-{number}", kind.id()));
        let mut account = Account::new(name.clone(), kind.id());
        if dice.chance(400) {
            account.spacing = Some(Duration::from_secs(dice.between(1, 90) * 60));
        }
        accounts.insert(name, account);
    }
    accounts
}

fn late(dice: &Dice) -> Late {
    Late {
        grace_seconds: *dice.pick(&[60, 900, 900, 6 * 3600]),
        then: *dice.pick(&[LateThen::Hold, LateThen::Hold, LateThen::Publish, LateThen::Skip]),
    }
}

fn entries(dice: &Dice, accounts: &BTreeMap<AccountName, Account>, zone: &Zone, start: DateTime<Utc>) -> Vec<Entry> {
    let names: Vec<AccountName> = accounts.keys().cloned().collect();
    let some = |most: u64| {
        let mut to: Vec<AccountName> = Vec::new();
        for _ in 0..dice.between(1, most) {
            let name = dice.pick(&names);
            if !to.contains(name) {
                to.push(name.clone());
            }
        }
        to
    };
    // Posts that fall together are what spacing is for.
    let mut times: Vec<NaiveDateTime> = Vec::new();
    let mut time = || {
        let minutes =
            i64::try_from(dice.below(u64::try_from((DAYS + 1) * 1440).expect("days"))).expect("minutes") - 1440;
        let time = zone.civil(start + TimeDelta::minutes(minutes));
        let time = if !times.is_empty() && dice.chance(300) { *dice.pick(&times) } else { time };
        let time = time.with_nanosecond(0).expect("a time");
        times.push(time);
        time
    };
    let entry = |id: String, when, to, more, turns| {
        let id = PostId::new(id);
        let late = late(dice);
        Entry { name: id.clone(), id, when, to, more, turns, late, revision: 0, present: true, readable: true }
    };
    let mut entries = Vec::new();
    for number in 0..dice.between(5, 10) {
        let more = if dice.chance(300) { u16::try_from(dice.between(1, 3)).expect("parts") } else { 0 };
        entries.push(entry(format!("post-{number}"), When::Once(time()), some(3), more, 0));
    }
    for number in 0..dice.between(0, 2) {
        let rule = (*dice.pick(&RULES)).to_owned();
        let turns = u16::try_from(dice.below(3)).expect("turns");
        entries.push(entry(format!("series-{number}"), When::Series(rule), some(2), 0, turns));
    }
    entries
}
