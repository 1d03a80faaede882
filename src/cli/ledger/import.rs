//! `smm ledger import`.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use chrono::TimeDelta;

use super::super::output;
use super::super::target::Beside;
use super::super::workspace::{Settings, actor};
use super::{Exit, Failure, Global, alone, block_on, deliveries, progress};
use crate::engine;
use crate::ledger::{Check, Ledger, OpenMode, Record, Whole};
use crate::time::{Clock as _, SystemClock};

/// Records that are in memory at once, and stored in one transaction.
const GROUP: usize = 2_000;

/// Whoever moves a ledger does so in less. What was written longer ago is an older ledger: the one that it was written
/// from may have gone on.
const MOVE: TimeDelta = TimeDelta::hours(1);

/// Take what `smm ledger export` wrote into an empty ledger
///
/// The whole file is looked at first: one that is cut short changes nothing. From then on use the new ledger alone.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The file; `-` is stdin
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
    #[command(flatten)]
    beside: Beside,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    let name = if args.file == Path::new("-") { "stdin".to_owned() } else { args.file.display().to_string() };
    let mut file = open(&args.file, &name)?;
    let whole = check(&mut file, &name, global)?;
    let ledger = Settings::read(global, &args.beside.calendar().file()).ledger(OpenMode::ReadWrite)?;
    block_on(async {
        let _alone = alone(&*ledger, "smm ledger import").await?;
        let about = ledger.about().await?;
        if about.deliveries() > 0 {
            return Err(Failure::new(format!(
                "the ledger at {} has {} already; nothing was imported",
                about.place,
                deliveries(about.deliveries())
            ))
            .hint("import into a new one: name another as `ledger` in smm.toml, or move this one away"));
        }
        take(&*ledger, &mut file, &name, whole, global).await.map_err(|failure| {
            failure.hint("nothing is sent from a ledger that has a part of a transfer: remove it, and import again")
        })?;
        if !global.quiet {
            let (count, place) = (deliveries(whole.deliveries), &about.place);
            output::stderr(&output::printable(&format!("{count} in {} records are at {place} now\n", whole.records)));
        }
        let now = SystemClock.now();
        if now - whole.at > MOVE {
            let held = engine::adopt(&*ledger, now, &actor()).await?;
            output::stderr(&format!(
                "the file is of {}: the ledger that it was written from may have gone on since, so what was due by now is \
                 held ({}); `smm status` shows it\n",
                whole.at.format("%Y-%m-%d %H:%M UTC"),
                deliveries(held.len() as u64)
            ));
        }
        ledger.ring().await?;
        Ok(Exit::Done)
    })
}

/// What can be read twice.
fn open(path: &Path, name: &str) -> Result<File, Failure> {
    let cannot = |error: std::io::Error| Failure::new(format!("cannot read {name}: {error}"));
    if path != Path::new("-") {
        return File::open(path).map_err(cannot);
    }
    let mut copy = tempfile::tempfile().map_err(|error| Failure::new(format!("cannot keep {name}: {error}")))?;
    std::io::copy(&mut std::io::stdin().lock(), &mut copy).map_err(cannot)?;
    Ok(copy)
}

/// Calls `each` with every record of the file, from its beginning, and the number of its line.
fn read(file: &mut File, name: &str, mut each: impl FnMut(Record, u64) -> Result<(), Failure>) -> Result<(), Failure> {
    let cannot = |error: std::io::Error| Failure::new(format!("cannot read {name}: {error}"));
    file.seek(SeekFrom::Start(0)).map_err(cannot)?;
    for (index, line) in BufReader::with_capacity(256 * 1024, file).lines().enumerate() {
        let (line, number) = (line.map_err(cannot)?, index as u64 + 1);
        let record = serde_json::from_str(&line)
            .map_err(|error| refused(name, number, &format!("not a record of a ledger: {error}")))?;
        each(record, number)?;
    }
    Ok(())
}

fn refused(name: &str, line: u64, why: &str) -> Failure {
    Failure::new(format!("{name}:{line}: {why}; nothing was imported"))
}

/// Looks at the whole of it.
fn check(file: &mut File, name: &str, global: &Global) -> Result<Whole, Failure> {
    let progress = progress(global, "records looked at", None);
    let mut check = Check::default();
    read(file, name, |record, line| {
        progress.inc(1);
        check.take(&record).map_err(|why| refused(name, line, &why))
    })?;
    progress.finish_and_clear();
    check.finish().map_err(|why| Failure::new(format!("{name}: {why}; nothing was imported")))
}

async fn take(ledger: &dyn Ledger, file: &mut File, name: &str, whole: Whole, global: &Global) -> Result<(), Failure> {
    let progress = progress(global, "records", Some(whole.records));
    // The reader cannot wait for the ledger, so it hands over group after group.
    let (give, mut taken) = tokio::sync::mpsc::channel::<Vec<Record>>(2);
    let (mut copy, named) = (file.try_clone().map_err(|error| Failure::new(error.to_string()))?, name.to_owned());
    let reading = tokio::task::spawn_blocking(move || {
        let mut group = Vec::with_capacity(GROUP);
        let gone = || Failure::new("the ledger takes no more");
        read(&mut copy, &named, |record, _| {
            group.push(record);
            if group.len() < GROUP {
                Ok(())
            } else {
                give.blocking_send(std::mem::take(&mut group)).map_err(|_| gone())
            }
        })?;
        give.blocking_send(group).map_err(|_| gone())
    });
    while let Some(group) = taken.recv().await {
        ledger.import(&group).await?;
        progress.inc(group.len() as u64);
    }
    progress.finish_and_clear();
    reading.await.map_err(|error| Failure::new(format!("the file could not be read: {error}")))?
}
