//! `smm ledger export`.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::super::output;
use super::super::target::Beside;
use super::{Exit, Failure, Global, alone, block_on, deliveries, existing, older, progress};
use crate::ledger::{FORMAT, Ledger, OpenMode, Record};
use crate::time::{Clock as _, SystemClock};

/// Records that are in memory at once.
const GROUP: usize = 2_000;

/// Write the whole ledger as lines of JSON, to move it or to read it
///
/// Whoever publishes has to be stopped first. The posts' texts are in it, so the file is its owner's alone (mode 600);
/// secrets are not. Media that `smm post` has copied stay in the state folder.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A new file; `-` is stdout
    #[arg(value_name = "FILE|-", default_value = "-")]
    file: PathBuf,
    #[command(flatten)]
    beside: Beside,
}

pub(super) fn run(args: &Args, global: &Global) -> Result<Exit, Failure> {
    let ledger = existing(&args.beside, global, OpenMode::ReadWrite)?;
    let records = block_on(async {
        let _alone = alone(&*ledger, "smm ledger export").await?;
        // In another place nothing would be known of what it lacks.
        older::refuse(&*ledger).await?;
        if args.file == Path::new("-") {
            let mut print = |text: &str| {
                output::stdout(text);
                Ok(())
            };
            return write(&*ledger, &mut print, global).await;
        }
        let file = new(&args.file)?;
        let mut out = BufWriter::new(&file);
        let cannot = |error: std::io::Error| Failure::new(format!("cannot write {}: {error}", args.file.display()));
        let written = write(&*ledger, &mut |text| out.write_all(text.as_bytes()).map_err(cannot), global).await;
        let written = written.and_then(|records| {
            out.flush().map_err(cannot)?;
            drop(out);
            file.sync_all().map_err(cannot)?;
            Ok(records)
        });
        if written.is_err() {
            // It is ours, and worth nothing.
            let _ = std::fs::remove_file(&args.file);
        }
        written
    })?;
    if !global.quiet {
        output::stderr(&format!("{} in {} records\n", deliveries(records.1), records.0));
    }
    Ok(Exit::Done)
}

/// Gives how many records there are, and how many of them are deliveries.
async fn write(
    ledger: &dyn Ledger,
    out: &mut dyn FnMut(&str) -> Result<(), Failure>,
    global: &Global,
) -> Result<(u64, u64), Failure> {
    let newest = ledger.events(None, 1).await?;
    let smm = env!("CARGO_PKG_VERSION").to_owned();
    out(&line(&Record::Head { format: FORMAT, smm, at: SystemClock.now() })?)?;
    let (mut records, mut deliveries) = (0, 0);
    let progress = progress(global, "records", None);
    loop {
        let group = ledger.export(records, GROUP).await?;
        let mut text = String::new();
        for record in &group {
            deliveries += u64::from(matches!(record, Record::Delivery(_)));
            text.push_str(&line(record)?);
        }
        out(&text)?;
        records += group.len() as u64;
        progress.set_position(records);
        if group.len() < GROUP {
            break;
        }
    }
    progress.finish_and_clear();
    if ledger.events(None, 1).await? != newest {
        return Err(Failure::new("the ledger was changed meanwhile, so what was written is not whole")
            .hint("stop every smm that uses it, and export again"));
    }
    out(&line(&Record::End { records })?)?;
    Ok((records, deliveries))
}

fn line(record: &Record) -> Result<String, Failure> {
    let mut text =
        serde_json::to_string(record).map_err(|error| Failure::new(format!("cannot write a record: {error}")))?;
    text.push('\n');
    Ok(text)
}

/// A file that was not there before, for its owner alone.
fn new(path: &Path) -> Result<File, Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Failure::new(format!("{} is there already", path.display()))
            .hint("give another name; nothing is overwritten"),
        _ => Failure::new(format!("cannot make {}: {error}", path.display())),
    })
}
