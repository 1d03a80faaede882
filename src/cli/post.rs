//! `smm post`: one post, now or later, without a calendar's entry.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use super::output::{self, Format, Stream, Style};
use super::workspace::{self, CalendarArg, Settings, Workspace};
use super::{Exit, Failure, Global, delivering};
use crate::calendar::Calendar;
use crate::compose::{Composer, Instance};
use crate::engine::{COMMAND_CALENDAR, Pass, PersonCommand, Signals, World, person, wait_for};
use crate::ledger::{Ledger, LedgerError, OpenMode, Query, StoredPost, Write, Written};
use crate::model::{
    Account, AccountName, CalendarName, Content, Delivery, DeliveryId, Event, Late, LateThen, MediaRef, OccurrenceName,
    Origin, Place, Post, PostId, Problem, Severity, State, Trigger, Visibility, codes,
};
use crate::report::{DeliveryList, DeliveryView, Status, preview};
use crate::time::{Clock, SystemClock, Zone};

/// An outcome that is unknown is waited for so long.
const WAIT: Duration = Duration::from_mins(5);

/// Another process that publishes is given so long.
const OTHERS: TimeDelta = TimeDelta::seconds(60);

/// One that does not begin with what it could begin with for so long does not serve the account.
const UNTOUCHED: TimeDelta = TimeDelta::seconds(5);

/// The same text to the same account is refused for so long.
const REPEAT: TimeDelta = TimeDelta::hours(24);

/// Largest text that is read from stdin or an editor, in bytes.
const LONGEST: u64 = 1024 * 1024;

/// Publish one post now, or at a given time
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  smm post \"Acme 2.0 is out\" --to bsky,fedi --media shot.png --alt \"The new dashboard\"
  smm post \"First.\" --thread \"Second.\" --thread \"Third.\" --to fedi
  smm post \"Good morning\" --to fedi --at \"tomorrow 9:00\"
  git log -1 --format=%B | smm post - --to fedi --dry-run")]
pub(super) struct Args {
    /// The text; `-` reads it from stdin, nothing opens an editor
    #[arg(value_name = "TEXT|-", allow_hyphen_values = false)]
    text: Option<String>,
    /// The accounts that it goes to
    #[arg(long, value_name = "ACCOUNT", value_delimiter = ',')]
    to: Vec<String>,
    /// A picture or video; may be repeated
    #[arg(long, value_name = "FILE")]
    media: Vec<PathBuf>,
    /// What the picture shows; one for each --media, in their order
    #[arg(long, value_name = "TEXT")]
    alt: Vec<String>,
    /// A further message after the text; may be repeated
    #[arg(long, value_name = "TEXT")]
    thread: Vec<String>,
    /// Make a thread of a text that is too long
    #[arg(long)]
    split: bool,
    /// When, such as `tomorrow 9:00`, `fri 14:30`, `in 2 hours`, `2026-12-01 09:00`
    #[arg(long, value_name = "WHEN")]
    at: Option<String>,
    /// The link that it is about
    #[arg(long, value_name = "URL")]
    link: Option<String>,
    /// A title, for networks that have one
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// Tags, without `#`
    #[arg(long, value_name = "TAG", value_delimiter = ',')]
    tags: Vec<String>,
    /// Its language, such as `en`
    #[arg(long, value_name = "LANG", value_delimiter = ',')]
    lang: Vec<String>,
    /// Who may see it
    #[arg(long, value_enum)]
    visibility: Option<VisibilityArg>,
    /// A content warning
    #[arg(long, value_name = "TEXT")]
    content_warning: Option<String>,
    /// URL or id of the post that this answers
    #[arg(long, value_name = "URL")]
    reply_to: Option<String>,
    /// URL or id of the post that this quotes
    #[arg(long, value_name = "URL")]
    quote: Option<String>,
    /// A stable id, so that a job that is run again does not post again
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Post the same text again within 24 hours
    #[arg(long)]
    again: bool,
    /// Check it and show what each account would receive; send nothing
    #[arg(long)]
    dry_run: bool,
    /// A calendar whose feeds may be posted to, and whose zone times are in
    #[arg(long, value_name = "FILE", env = "SMM_CALENDAR", hide_env_values = true)]
    calendar: Option<PathBuf>,
    /// How the result is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// [`Visibility`] as an argument.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum VisibilityArg {
    Public,
    Unlisted,
    Private,
    Direct,
}

impl From<VisibilityArg> for Visibility {
    fn from(arg: VisibilityArg) -> Self {
        match arg {
            VisibilityArg::Public => Self::Public,
            VisibilityArg::Unlisted => Self::Unlisted,
            VisibilityArg::Private => Self::Private,
            VisibilityArg::Direct => Self::Direct,
        }
    }
}

pub(super) fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    if args.alt.len() > args.media.len() {
        return Err(Failure::usage(format!("{} --alt for {} --media", args.alt.len(), args.media.len()))
            .hint("give one --alt for each --media, in the same order"));
    }
    let home = Home::read(args, global)?;
    let now = SystemClock.now();
    let accounts = home.accounts(args)?;
    let text = text(args)?;
    let (civil, due) = home.when(args, now)?;
    let id = match &args.id {
        Some(id) => PostId::parse(id).map_err(|error| Failure::usage(error.to_string()))?,
        None => PostId::new(random_id()?),
    };
    let media = args
        .media
        .iter()
        .enumerate()
        .map(|(at, path)| Ok((media_name(at, path)?, path.as_path(), args.alt.get(at).cloned())))
        .collect::<Result<Vec<_>, Failure>>()?;
    let post = post(args, id, text, civil, due, &accounts, &media);

    // What is sent is what is checked: media are copied first, and composed from the copies.
    let staging = Staging::fill(&media)?;
    let calendar = home.calendar(staging.folder.path(), post.clone());
    let deliveries = deliveries(&calendar, &post, &accounts, civil, due);
    let refused = check(&calendar, &post, &deliveries);
    if args.dry_run {
        show(&calendar, &post, now, args.format)?;
    }
    if refused {
        return Err(Failure::new("the post is refused; nothing was sent"));
    }
    if args.dry_run {
        return Ok(Exit::Done);
    }
    let ledger = home.settings.ledger(OpenMode::ReadWrite)?;
    workspace::block_on(async {
        if args.id.is_some() {
            let known = known(&*ledger, &deliveries).await?;
            if !known.is_empty() {
                let rows = take_up(&home, &ledger, &deliveries, known, now, global).await?;
                return report(&rows, args, global);
            }
        }
        if !args.again {
            refuse_repeat(&*ledger, &post, &deliveries, now).await?;
        }
        if args.at.is_none() {
            refuse_paused(&*ledger, &accounts).await?;
        }
        let folder = staging.keep(&post.id)?;
        let stored = StoredPost {
            post: post.clone(),
            folder: folder.map(|folder| folder.to_string_lossy().into_owned()),
            timezone: home.zone.name().to_owned(),
            at: now,
        };
        ledger.put_post(&calendar.name, &stored).await?;
        let ids: Vec<DeliveryId> = deliveries.iter().map(|delivery| delivery.id).collect();
        store(&*ledger, deliveries, now).await?;
        if args.at.is_none() {
            publish(&home, &ledger, &ids, global).await?;
        } else {
            ledger.ring().await?;
        }
        let mut rows = Vec::with_capacity(ids.len());
        for id in &ids {
            rows.extend(ledger.delivery(*id).await?);
        }
        report(&rows, args, global)
    })
}

/// A job is run again with its `--id`: what the last run left undone is done now, and what is out stays as it is.
async fn take_up(
    home: &Home,
    ledger: &Arc<dyn Ledger>,
    deliveries: &[Delivery],
    known: Vec<Delivery>,
    now: DateTime<Utc>,
    global: &Global,
) -> Result<Vec<Delivery>, Failure> {
    let new = deliveries.iter().filter(|delivery| known.iter().all(|row| row.id != delivery.id));
    let new: Vec<&str> = new.map(|delivery| delivery.account.as_str()).collect();
    if let (false, Some(row)) = (new.is_empty(), known.first()) {
        return Err(Failure::new(format!("`{}` was posted before, but not to {}", row.post, new.join(", ")))
            .hint("post to further accounts with another --id"));
    }
    let undone = |row: &&Delivery| matches!(row.state, State::Planned | State::Claimed | State::Sending);
    let open: Vec<DeliveryId> =
        known.iter().filter(undone).filter(|row| row.ready_at() <= now).map(|row| row.id).collect();
    if open.is_empty() {
        return Ok(known);
    }
    publish(home, ledger, &open, global).await?;
    let mut rows = Vec::with_capacity(known.len());
    for row in known {
        let fresh = if row.already { None } else { ledger.delivery(row.id).await? };
        rows.push(fresh.unwrap_or(row));
    }
    Ok(rows)
}

/// What is meant to go out now is not kept for the end of a pause.
async fn refuse_paused(ledger: &dyn Ledger, accounts: &[Account]) -> Result<(), Failure> {
    if let Some((_, why)) = ledger.paused().await? {
        return Err(
            Failure::new(format!("everything is paused: {why}; nothing was sent")).hint("`smm resume` ends that")
        );
    }
    for account in accounts {
        if let Some((_, why)) = ledger.account(&account.name).await?.paused {
            return Err(Failure::new(format!("{} is paused: {why}; nothing was sent", account.name))
                .hint(format!("`smm resume {}` ends that", account.name)));
        }
    }
    Ok(())
}

/// Writes the planned deliveries.
async fn store(ledger: &dyn Ledger, deliveries: Vec<Delivery>, now: DateTime<Utc>) -> Result<(), Failure> {
    let writes: Vec<Write> = deliveries
        .into_iter()
        .map(|delivery| Write {
            event: Event {
                at: now,
                delivery: delivery.id,
                kind: "planned".to_owned(),
                state: delivery.state,
                detail: "by smm post".to_owned(),
                actor: workspace::actor(),
            },
            delivery,
            expect: 0,
        })
        .collect();
    let written = ledger.write(&writes).await?;
    if written.iter().all(|written| *written == Written::Done) {
        return Ok(());
    }
    Err(Failure::new("another smm wrote a post with this id at the same moment")
        .hint("`smm status` shows what became of it"))
}

/// Publishes them now: by this process, or by the one that holds the ledger.
async fn publish(home: &Home, ledger: &Arc<dyn Ledger>, ids: &[DeliveryId], global: &Global) -> Result<(), Failure> {
    match ledger.lock("smm post").await {
        Ok(_lock) => {
            let mut signals =
                Signals::listen().map_err(|error| Failure::new(format!("cannot listen to signals: {error}")))?;
            let engine = delivering::engine(ledger, home.settings.config()?, home.world()?, "smm post");
            let pass = Pass { only: Some(ids.to_vec()), wait: WAIT };
            let progress = progress(global, ids.len());
            let passed = engine.pass(&pass, signals.stop()).await?;
            progress.finish_and_clear();
            if passed.stopped {
                output::stderr("stopped before everything was published; `smm publish` goes on with it\n");
            }
            Ok(())
        }
        Err(LedgerError::Busy(holder)) => {
            let began = SystemClock.now();
            output::stderr(&format!("{}; asking it to publish\n", output::printable(&holder)));
            ledger.ring().await?;
            let progress = progress(global, ids.len());
            let mut rows = wait_for(&**ledger, &SystemClock, ids, began + UNTOUCHED).await?;
            if !is_untaken(&**ledger, home, &rows, SystemClock.now()).await? {
                rows = wait_for(&**ledger, &SystemClock, ids, began + OTHERS).await?;
            }
            progress.finish_and_clear();
            // Nobody took them: they are taken back, so that they do not go out when nobody thinks of them any more.
            let names = take_back(&**ledger, &rows).await?;
            if names.is_empty() {
                return Ok(());
            }
            Err(Failure::new(format!(
                "the other smm does not publish to {}; the post was taken back",
                names.join(", ")
            ))
            .hint("does its smm.toml have that account? is it paused? `smm status` and its log say more"))
        }
        Err(error) => Err(error.into()),
    }
}

/// Nobody has begun with it.
fn is_untouched(row: &Delivery) -> bool {
    row.state == State::Planned && row.version == 1
}

/// Nobody takes some of them, although their accounts are free: the other process does not serve those.
async fn is_untaken(ledger: &dyn Ledger, home: &Home, rows: &[Delivery], now: DateTime<Utc>) -> Result<bool, Failure> {
    let accounts = home.known_accounts()?;
    for row in rows.iter().filter(|row| is_untouched(row)) {
        let states = vec![State::Claimed, State::Sending];
        let query = Query { account: Some(row.account.clone()), states, ..Query::default() };
        let busy = !ledger.deliveries(&query).await?.is_empty();
        let spacing = accounts.iter().find(|account| account.name == row.account).and_then(|account| account.spacing);
        let wait = spacing.and_then(|spacing| TimeDelta::from_std(spacing).ok()).unwrap_or_default();
        let last = ledger.account(&row.account).await?.last_sent;
        if !busy && last.is_none_or(|last| last + wait + UNTOUCHED < now) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Cancels what nobody has begun with; gives the accounts that it was for. What was taken at the last moment stays.
async fn take_back(ledger: &dyn Ledger, rows: &[Delivery]) -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    for row in rows.iter().filter(|row| is_untouched(row)) {
        let (delivery, event) = person(row, &PersonCommand::Cancel, SystemClock.now(), &workspace::actor())
            .map_err(|why| Failure::new(format!("{} cannot be taken back: {why}", row.account)))?;
        let write = Write { delivery, expect: row.version, event };
        if ledger.write(&[write]).await?.first() == Some(&Written::Done) {
            names.push(row.account.to_string());
        }
    }
    Ok(names)
}

/// A sign of life on a terminal while the network is slow.
fn progress(global: &Global, count: usize) -> indicatif::ProgressBar {
    if global.quiet || !output::is_terminal(Stream::Stderr) {
        return indicatif::ProgressBar::hidden();
    }
    let progress = indicatif::ProgressBar::new_spinner();
    progress.set_message(format!("publishing to {count} account{}", if count == 1 { "" } else { "s" }));
    progress.enable_steady_tick(std::time::Duration::from_millis(100));
    progress
}

/// What became of them.
fn report(rows: &[Delivery], args: &Args, global: &Global) -> Result<Exit, Failure> {
    let now = SystemClock.now();
    match args.format {
        Format::Json => {
            output::json(&DeliveryList { deliveries: rows.iter().map(|row| DeliveryView::at(row, now)).collect() })?;
        }
        Format::Human => {
            output::stdout(&Status::new(rows, Vec::new(), now).human(true, output::colours(Stream::Stdout)));
            if args.at.is_some() && !global.quiet {
                output::stderr("it is kept in the ledger until `smm daemon` or `smm publish` sends it\n");
            }
        }
    }
    Ok(rows.iter().fold(Exit::Done, |exit, row| match (exit, row.state) {
        (Exit::Unknown, _) | (_, State::Unknown) => Exit::Unknown,
        (_, State::Published) => exit,
        (_, State::Planned) if args.at.is_some() => exit,
        _ => Exit::Failed,
    }))
}

/// Settings, and the calendar whose feeds and zone are used, where there is one.
struct Home {
    settings: Settings,
    workspace: Option<Workspace>,
    zone: Zone,
}

impl Home {
    fn read(args: &Args, global: &Global) -> Result<Self, Failure> {
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

    fn known_accounts(&self) -> Result<Vec<Account>, Failure> {
        let declared = self.workspace.as_ref().and_then(|workspace| workspace.loaded.calendar.as_ref());
        Ok(match declared {
            Some(calendar) => calendar.accounts.values().cloned().collect(),
            None => self.settings.config()?.accounts.values().cloned().collect(),
        })
    }

    fn accounts(&self, args: &Args) -> Result<Vec<Account>, Failure> {
        let known = self.known_accounts()?;
        let names = || {
            let names: Vec<&str> = known.iter().map(|account| account.name.as_str()).collect();
            if names.is_empty() {
                "no accounts are set up: add one to smm.toml (`smm networks` says how)".to_owned()
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
    fn world(&self) -> Result<World, Failure> {
        if let Some(world) = self.workspace.as_ref().and_then(|workspace| World::of(&workspace.loaded)) {
            return Ok(world);
        }
        let config = self.settings.config()?;
        let folder =
            std::env::current_dir().map_err(|error| Failure::new(format!("there is no folder to work in: {error}")))?;
        Ok(World { accounts: config.accounts.clone(), complete: true, folder, ..World::default() })
    }

    /// The civil time and the instant at which it is due; echoes what was understood.
    fn when(&self, args: &Args, now: DateTime<Utc>) -> Result<(NaiveDateTime, DateTime<Utc>), Failure> {
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
    fn calendar(&self, folder: &Path, post: Post) -> Calendar {
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
            campaigns: std::collections::BTreeMap::new(),
            missing_alt_warns: declared.is_some_and(|calendar| calendar.missing_alt_warns),
        }
    }
}

/// Copies of the media, in a folder that lives as long as this unless it is kept.
struct Staging {
    folder: tempfile::TempDir,
    filled: bool,
}

impl Staging {
    fn fill(media: &[(String, &Path, Option<String>)]) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::new(format!("media cannot be copied: {error}"));
        let state = workspace::state_folder()?.join("media");
        std::fs::create_dir_all(&state).map_err(failed)?;
        let folder = tempfile::Builder::new().prefix("staged-").tempdir_in(&state).map_err(failed)?;
        for (name, path, _) in media {
            std::fs::copy(path, folder.path().join(name)).map_err(|error| {
                Failure::new(format!("{}: {error}", path.display())).hint("name a file that can be read")
            })?;
        }
        Ok(Self { folder, filled: !media.is_empty() })
    }

    /// Keeps the copies under the post's id, since a delivery now needs them.
    fn keep(self, id: &PostId) -> Result<Option<PathBuf>, Failure> {
        if !self.filled {
            return Ok(None);
        }
        let place = workspace::state_folder()?.join("media").join(id.as_str());
        let staged = self.folder.keep();
        // Left by a run that died before it wrote anything to the ledger: no delivery needs it.
        let _ = std::fs::remove_dir_all(&place);
        std::fs::rename(&staged, &place).map_err(|error| Failure::new(format!("media cannot be kept: {error}")))?;
        Ok(Some(place))
    }
}

/// The text from the argument, stdin or an editor.
fn text(args: &Args) -> Result<Option<String>, Failure> {
    let text = match args.text.as_deref() {
        Some("-") => {
            let mut text = String::new();
            std::io::stdin()
                .take(LONGEST)
                .read_to_string(&mut text)
                .map_err(|error| Failure::new(format!("stdin cannot be read: {error}")))?;
            Some(text)
        }
        Some(text) => Some(text.to_owned()),
        None if !args.media.is_empty() => None,
        None => Some(edited()?),
    };
    let text = text.map(|text| text.trim_end().to_owned());
    match text {
        Some(text) if text.is_empty() && args.media.is_empty() => {
            Err(Failure::usage("there is no text").hint("write it as an argument, or `-` to read it from stdin"))
        }
        text => Ok(text.filter(|text| !text.is_empty())),
    }
}

/// Opens the person's editor.
fn edited() -> Result<String, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage("there is no text").hint("write it as an argument, or `-` to read it from stdin"));
    }
    let editor = ["VISUAL", "EDITOR"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .unwrap_or_else(|| "vi".to_owned());
    let failed = |error: std::io::Error| Failure::new(format!("the editor cannot be opened: {error}"));
    let file = tempfile::Builder::new().prefix("smm-post-").suffix(".txt").tempfile().map_err(failed)?;
    // A shell takes the editor apart, since people write `code --wait` there.
    let status = std::process::Command::new("sh")
        .args(["-c", &format!("{editor} \"$1\""), "sh"])
        .arg(file.path())
        .status()
        .map_err(failed)?;
    if !status.success() {
        return Err(Failure::new(format!("`{editor}` ended with an error; nothing was sent")));
    }
    std::fs::read_to_string(file.path()).map_err(failed)
}

/// A file's name in the copies: numbered, so that two of one name do not meet.
fn media_name(at: usize, path: &Path) -> Result<String, Failure> {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(|| Failure::usage(format!("{} is not a file's name", path.display())))?;
    Ok(format!("{}-{name}", at + 1))
}

fn post(
    args: &Args,
    id: PostId,
    text: Option<String>,
    civil: NaiveDateTime,
    due: DateTime<Utc>,
    accounts: &[Account],
    media: &[(String, &Path, Option<String>)],
) -> Post {
    let some = |list: &[String]| (!list.is_empty()).then(|| list.to_vec());
    let media: Vec<MediaRef> =
        media.iter().map(|(name, _, alt)| MediaRef { file: name.clone(), alt: alt.clone(), part: None }).collect();
    Post {
        name: id.clone(),
        id,
        trigger: Some(Trigger::At { civil, instant: due }),
        to: accounts.iter().map(|account| account.name.clone()).collect(),
        content: Content {
            text,
            thread: args.thread.clone(),
            split: args.split.then_some(true),
            title: args.title.clone(),
            link: args.link.clone(),
            media: (!media.is_empty()).then_some(media),
            tags: some(&args.tags),
            lang: some(&args.lang),
            visibility: args.visibility.map(Visibility::from),
            content_warning: args.content_warning.clone(),
            reply_to: args.reply_to.clone(),
            quote: args.quote.clone(),
            ..Content::default()
        },
        overrides: std::collections::BTreeMap::new(),
        campaign: None,
        late: if args.at.is_some() {
            Late::default()
        } else {
            // "Now" is meant: a slow network does not make it late.
            Late { grace_seconds: 24 * 3600, then: LateThen::Hold }
        },
        draft: false,
    }
}

fn deliveries(
    calendar: &Calendar,
    post: &Post,
    accounts: &[Account],
    civil: NaiveDateTime,
    due: DateTime<Utc>,
) -> Vec<Delivery> {
    let planned = |account: &Account| {
        Delivery::planned(
            calendar.name.clone(),
            post.id.clone(),
            OccurrenceName::once(&post.name),
            account.name.clone(),
            account.network.clone(),
            Origin::Command,
            due,
            civil,
            post.late,
        )
    };
    accounts.iter().map(planned).collect()
}

fn instance(id: DeliveryId) -> Instance {
    Instance { delivery: id, generation: 0, variation: 0 }
}

/// Shows what is wrong; `true` when anything is refused.
fn check(calendar: &Calendar, post: &Post, deliveries: &[Delivery]) -> bool {
    let composer = Composer::new(calendar);
    let mut told: Vec<(Problem, Vec<AccountName>)> = Vec::new();
    for delivery in deliveries {
        let Some(account) = calendar.accounts.get(&delivery.account) else { continue };
        for problem in composer.compose(post, account, instance(delivery.id)).problems {
            match told.iter_mut().find(|(known, _)| *known == problem) {
                Some((_, accounts)) => accounts.push(account.name.clone()),
                None => told.push((problem, vec![account.name.clone()])),
            }
        }
    }
    let mut refused = false;
    for (problem, accounts) in &told {
        let (style, word) = match problem.severity {
            Severity::Error => (Style::Error, "error"),
            Severity::Warning => (Style::Warning, "warning"),
            Severity::Note => (Style::Hint, "note"),
        };
        refused |= problem.severity == Severity::Error;
        let names: Vec<&str> = accounts.iter().map(AccountName::as_str).collect();
        let message = format!(
            "{} {} ({}{})\n",
            output::paint(Stream::Stderr, style, &format!("{word}[{}]:", problem.code)),
            output::printable(&problem.message),
            names.join(", "),
            place(&problem.place),
        );
        output::stderr(&message);
        if let Some(help) = help(problem) {
            let label = output::paint(Stream::Stderr, Style::Hint, "help:");
            output::stderr(&format!("  {label} {}\n", output::printable(help)));
        }
    }
    refused
}

/// What to do, in the words of the options where the calendar's would not do.
fn help(problem: &Problem) -> Option<&str> {
    match problem.code {
        codes::TEXT_TOO_LONG => Some("shorten it, or add --split to make it a thread"),
        codes::ALT_MISSING => Some("say what it shows: one --alt for each --media, in their order"),
        _ => problem.help.as_deref(),
    }
}

/// Where a problem is, in the words of the options.
fn place(place: &Place) -> String {
    match place {
        Place::Post => String::new(),
        Place::Text { key: "thread", index, .. } => format!(": --thread number {}", index + 1),
        Place::Key { key } | Place::Text { key, .. } => format!(": {key}"),
        Place::Media { index, .. } => format!(": --media number {}", index + 1),
        Place::PollOption { .. } => ": poll".to_owned(),
    }
}

/// What each account would receive.
fn show(calendar: &Calendar, post: &Post, now: DateTime<Utc>, format: Format) -> Result<(), Failure> {
    let previews = preview::previews(calendar, Some(&post.id), None, now);
    match format {
        Format::Json => output::json(&preview::PreviewReport::new(&previews)),
        Format::Human => {
            output::stdout(&preview::human(calendar, &previews));
            Ok(())
        }
    }
}

/// The deliveries that the ledger has already, all of which an id that is used again stands for.
async fn known(ledger: &dyn Ledger, deliveries: &[Delivery]) -> Result<Vec<Delivery>, Failure> {
    let mut found = Vec::new();
    for delivery in deliveries {
        if let Some(mut delivery) = ledger.delivery(delivery.id).await? {
            delivery.already = delivery.state == State::Published;
            found.push(delivery);
        }
    }
    Ok(found)
}

/// Refuses the same text to the same account within a day.
async fn refuse_repeat(
    ledger: &dyn Ledger,
    post: &Post,
    deliveries: &[Delivery],
    now: DateTime<Utc>,
) -> Result<(), Failure> {
    let calendar = CalendarName::new(COMMAND_CALENDAR);
    for delivery in deliveries {
        let query = Query {
            calendar: Some(calendar.clone()),
            account: Some(delivery.account.clone()),
            latest: Some(500),
            ..Query::default()
        };
        for earlier in ledger.deliveries(&query).await? {
            let over = matches!(earlier.state, State::Failed | State::Cancelled | State::Missed);
            if over || (earlier.due - now).abs() > REPEAT || earlier.id == delivery.id {
                continue;
            }
            let same = ledger.post(&calendar, &earlier.post).await?.is_some_and(|stored| {
                stored.post.content.text == post.content.text && stored.post.content.thread == post.content.thread
            });
            if same {
                return Err(Failure::new(format!(
                    "the same text went to {} less than 24 hours ago ({}, {})",
                    delivery.account,
                    earlier.id.short(),
                    earlier.state,
                ))
                .hint("add --again if it is meant"));
            }
        }
    }
    Ok(())
}

/// Sixty random bits, as letters and digits.
fn random_id() -> Result<String, Failure> {
    const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let mut bytes = [0; 12];
    getrandom::fill(&mut bytes).map_err(|error| Failure::new(format!("no random numbers: {error}")))?;
    Ok(bytes.iter().map(|byte| char::from(LETTERS[usize::from(byte & 31)])).collect())
}

/// `in 3 hours`, for people.
fn from_now(wait: TimeDelta) -> String {
    let minutes = wait.num_minutes();
    match minutes {
        0 => "in less than a minute".to_owned(),
        1 => "in a minute".to_owned(),
        2..120 => format!("in {minutes} minutes"),
        120..2880 => format!("in {} hours", minutes / 60),
        _ => format!("in {} days", minutes / 1440),
    }
}
