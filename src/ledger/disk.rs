//! The disk that state lies on, as `smm doctor` sees it.

use std::path::Path;

use crate::model::Health;

/// With less room than this somebody should look after the disk: weeks of a busy ledger.
const LOW: u64 = 256 * 1024 * 1024;

/// With less room than this nothing may be sent soon: the ballast and the log of the ledger.
const VERY_LOW: u64 = 32 * 1024 * 1024;

/// The room on the disk of a folder, and who may get at what is in it. Of the nearest folder that is there.
pub fn health(folder: &Path) -> Vec<Health> {
    let Some(present) = folder.ancestors().find(|folder| folder.is_dir()) else { return Vec::new() };
    let mut found: Vec<Health> = room(present).map(|free| of_room(folder, free)).into_iter().collect();
    if present == folder {
        found.extend(of_mode(folder));
    }
    found
}

/// The bytes that this user may still write to the disk of a folder.
fn room(folder: &Path) -> Option<u64> {
    let facts = rustix::fs::statvfs(folder).ok()?;
    facts.f_bavail.checked_mul(facts.f_frsize)
}

fn of_room(folder: &Path, free: u64) -> Health {
    let message = format!("{} MiB are free under {}", free / (1024 * 1024), folder.display());
    match free {
        0..VERY_LOW => Health::error(message, "make room: nothing is sent while what comes of it cannot be written"),
        VERY_LOW..LOW => Health::warning(message, "make room soon"),
        LOW.. => Health::ok(message),
    }
}

/// The state tells what will be published, and when: nobody else's business.
fn of_mode(folder: &Path) -> Option<Health> {
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(folder).ok()?.permissions()) & 0o777;
    let help = format!("run `chmod 700 {}`", folder.display());
    Some(match mode {
        open if open & 0o022 != 0 => {
            Health::error(format!("others may change what is in {} (its mode is {mode:o})", folder.display()), help)
        }
        shown if shown & 0o044 != 0 => {
            Health::warning(format!("others may list what is in {} (its mode is {mode:o})", folder.display()), help)
        }
        _ => Health::ok(format!("{} is its owner's alone", folder.display())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Grade;

    #[test]
    fn a_disk_with_little_room_is_told() {
        let grade = |mib: u64| of_room(Path::new("/state"), mib * 1024 * 1024).grade;
        assert_eq!([31, 32, 255, 256].map(grade), [Grade::Error, Grade::Warning, Grade::Warning, Grade::Ok]);
        let here = tempfile::tempdir().expect("a folder");
        assert!(room(here.path()).is_some_and(|free| free > 0));
    }

    #[test]
    fn a_folder_that_others_may_write_to_is_told() {
        let here = tempfile::tempdir().expect("a folder");
        for (mode, grade) in [(0o700, Grade::Ok), (0o750, Grade::Warning), (0o711, Grade::Ok), (0o770, Grade::Error)] {
            let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
            std::fs::set_permissions(here.path(), permissions).expect("its mode");
            assert_eq!(of_mode(here.path()).map(|health| health.grade), Some(grade), "{mode:o}");
        }
        // What is not made yet has no mode; the disk that it will lie on has room or not.
        assert_eq!(health(&here.path().join("not/yet")).len(), 1);
    }
}
