//! What `smm doctor` looks at around an embedded ledger. Changes nothing, and takes no lock.

use std::path::Path;

use super::{ballast, filesystem, lock, open};
use crate::model::Health;

/// Of the ledger at this path.
pub(super) fn look(path: &Path) -> Vec<Health> {
    let mut found = Vec::new();
    if let Some(kind) = filesystem::remote(open::folder_of(path)) {
        let help = "keep it on a local disk: set STATE_DIRECTORY or XDG_STATE_HOME, or a path as `ledger` in smm.toml";
        found.push(Health::error(
            format!("it lies on a network file system ({kind}), where its locks do not hold"),
            help,
        ));
    }
    if !path.exists() {
        return found;
    }
    // Not a setting: whoever writes sets both at each opening, and refuses a disk that does not take the first.
    found.push(Health::ok("each commit is on the disk before it counts (write-ahead log, synchronous=FULL)"));
    found.push(Health::ok(match lock::holder(path) {
        Some(holder) => format!("{holder} publishes from it"),
        None => "nobody publishes from it just now".to_owned(),
    }));
    let ballast = lock::beside(path, ".ballast");
    match std::fs::metadata(&ballast) {
        Ok(facts) if facts.len() >= ballast::SIZE as u64 => {
            found.push(Health::ok("its ballast is there, so that what came of a call can be written on a full disk"));
        }
        // The first lock lays it.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && lock::holder(path).is_none() => {}
        _ => found.push(Health::warning(
            format!("its ballast `{}` is not there: the disk was full", ballast.display()),
            "make room; it is laid again by itself, and nothing is sent before",
        )),
    }
    found
}
