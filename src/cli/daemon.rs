//! `smm daemon`.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::task::JoinSet;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use super::workspace::{self, CalendarArg, Settings, Workspace};
use super::{Exit, Failure, Global, delivering};
use crate::calendar::Config;
use crate::engine::alerts::Teller;
use crate::engine::{self, Engine, Observer, Reading, Signals, Watch, World};
use crate::ledger::OpenMode;
use crate::model::{CalendarName, Severity};
use crate::serve::{Address, Server};
use crate::time::{Clock as _, SystemClock};

/// Publish on time until stopped
///
/// Follows edits of the calendar; a broken edit keeps the last good one. SIGHUP reads calendar and settings again,
/// SIGTERM stops.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    calendar: CalendarArg,
    /// How the log is written, on stderr
    #[arg(long, value_enum, default_value_t)]
    log_format: LogFormat,
    /// Show health (/healthz) and metrics (/metrics) there: a port of this machine, an address, or unix:PATH
    ///
    /// `9464` and `localhost:9464` are for this machine alone; to be asked from elsewhere the address is written out, such
    /// as `192.0.2.7:9464`. A socket is made with mode 0600.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<Address>,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(super) enum LogFormat {
    /// A line for people.
    #[default]
    Human,
    /// A JSON object on each line.
    Json,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    log_to_stderr(args.log_format, global);
    engine::service_manager(std::env::var("NOTIFY_SOCKET").ok().as_deref());
    let since = SystemClock.now();
    let Begin { settings, name, world, files } = Begin::read(args, global)?;
    let config = settings.config()?;
    let ledger = settings.ledger(OpenMode::ReadWrite)?;
    workspace::block_on(async {
        // Before the lock: a signal that comes early still ends in order.
        let signals = Signals::listen().map_err(|error| Failure::new(format!("cannot listen to signals: {error}")))?;
        let _lock = ledger.lock("smm daemon").await?;
        let engine = delivering::engine(&ledger, &settings, world, delivering::owner("smm daemon")?, None)?;
        let teller = delivering::teller(&engine, config).await?;
        let server = listen(args, &settings, &engine, &teller, since).await?;
        let telling = tokio::spawn({
            let teller = Arc::clone(&teller);
            async move { teller.run().await }
        });
        let read = || read(args, global, config, &name, &teller);
        let watch = Watch::new(Arc::clone(&ledger), signals, files, since, read);
        let done = engine::run_daemon(engine, watch).await;
        drop(server);
        teller.stop();
        // It ends by itself, after what is on its way.
        let _ = telling.await;
        done.map_err(Failure::from)
    })?;
    Ok(Exit::Done)
}

/// What it begins with.
struct Begin {
    settings: Settings,
    name: CalendarName,
    world: World,
    files: Vec<PathBuf>,
}

impl Begin {
    /// Calendar and settings. The files' text, and where each post stands in it, is not kept: a daemon lives for months.
    fn read(args: &Args, global: &Global) -> Result<Self, Failure> {
        let workspace = Workspace::read(&args.calendar, global)?;
        let name = workspace.sound_calendar()?.name.clone();
        let world = World::of(&workspace.loaded).unwrap_or_default();
        let files = followed(&workspace);
        Ok(Self { settings: workspace.settings, name, world, files })
    }
}

/// Shows how the daemon is, where that is wanted, for as long as what it gives lives.
async fn listen(
    args: &Args,
    settings: &Settings,
    engine: &Arc<Engine>,
    teller: &Arc<Teller>,
    since: DateTime<Utc>,
) -> Result<Option<JoinSet<io::Result<()>>>, Failure> {
    let Some(address) = &args.listen else { return Ok(None) };
    let server = Server::bind(address).await.map_err(|error| {
        Failure::new(format!("cannot listen at {address}: {error}"))
            .hint("`--listen` takes a port, an address or unix:PATH")
    })?;
    if !server.address().is_local() {
        tracing::warn!(address = %server.address(), "health and metrics are shown to whoever can reach this address");
    }
    tracing::info!(address = %server.address(), "health and metrics are shown");
    let reader = settings.ledger(OpenMode::ReadOnly)?;
    let observer = Observer::new(Arc::clone(engine), Arc::clone(teller), reader, workspace::secrets(), since);
    let mut serving = JoinSet::new();
    serving.spawn(server.run(Arc::new(observer)));
    Ok(Some(serving))
}

/// Calendar and settings, read anew.
fn read(args: &Args, global: &Global, first: &Config, name: &CalendarName, teller: &Teller) -> Reading {
    let workspace = match Workspace::read(&args.calendar, global) {
        Ok(workspace) => workspace,
        Err(failure) => return Reading { world: Err(failure.to_string()), files: vec![args.calendar.file()] },
    };
    let files = followed(&workspace);
    let diagnostics = workspace.settings.diagnostics.iter().chain(&workspace.loaded.diagnostics);
    let errors: Vec<String> = diagnostics
        .filter(|found| found.severity == Severity::Error)
        .map(|found| format!("{}:{}:{}: {}", found.file, found.line, found.column, found.message))
        .collect();
    let world = match (&workspace.settings.config, World::of(&workspace.loaded)) {
        (Some(config), Some(world)) if errors.is_empty() => {
            let called = world.calendar.as_ref().map(|calendar| &calendar.name);
            if config.ledger != first.ledger {
                Err("smm.toml names another ledger now; restart the daemon for that".to_owned())
            } else if config.delivery.lease != first.delivery.lease {
                Err("smm.toml has another `lease` now; restart the daemon for that".to_owned())
            } else if called.is_some_and(|called| called != name) {
                // Under another name every post would be a new one, and go out a second time.
                Err(format!("the calendar's name is no longer `{name}`; all its posts would be new ones: put it back"))
            } else {
                teller.set_targets(delivering::senders().targets(&config.alerts));
                Ok((world, config.delivery))
            }
        }
        _ => Err(match errors.as_slice() {
            [] => "the calendar cannot be read".to_owned(),
            [one] => format!("a mistake: {one}"),
            [first, ..] => format!("{} mistakes, the first: {first}", errors.len()),
        }),
    };
    Reading { world, files }
}

/// The files that the calendar and the settings come from, and the calendar's folder, in which new ones may appear.
fn followed(workspace: &Workspace) -> Vec<PathBuf> {
    let folder = workspace.file.parent().unwrap_or(Path::new("."));
    let mut files = BTreeSet::from([workspace.file.clone()]);
    files.extend(workspace.settings.found.iter().map(|found| found.path.clone()));
    for source in &workspace.loaded.sources.files {
        // Shown paths count from where the command was given, or from the calendar's folder.
        let path = PathBuf::from(&source.path);
        let path = if path.exists() { path } else { folder.join(path) };
        // New files appear in the folders of the old ones, which an include with a pattern then takes in.
        files.extend(path.parent().filter(|parent| !parent.as_os_str().is_empty()).map(Path::to_path_buf));
        files.insert(path);
    }
    // `smm.toml` may appear beside the calendar.
    files.insert(folder.join("smm.toml"));
    files.into_iter().collect()
}

fn log_to_stderr(format: LogFormat, global: &Global) {
    let level = match (global.quiet, global.verbose) {
        (true, _) => LevelFilter::ERROR,
        (false, 0) => LevelFilter::INFO,
        (false, 1) => LevelFilter::DEBUG,
        (false, _) => LevelFilter::TRACE,
    };
    // Of this program alone: what libraries tell of their calls is not for a log that may be shown around.
    let ours = Targets::new().with_target("smm", level);
    let log = tracing_subscriber::fmt::layer().with_writer(|| super::output::Log).with_target(false);
    let registry = tracing_subscriber::registry();
    // A log that is set up already stays as it is.
    let _ = match format {
        LogFormat::Human => {
            let colour = super::output::colours(super::output::Stream::Stderr);
            registry.with(log.with_ansi(colour).with_filter(ours)).try_init()
        }
        LogFormat::Json => registry.with(log.json().flatten_event(true).with_filter(ours)).try_init(),
    };
}
