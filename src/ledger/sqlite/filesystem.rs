//! Whether a folder lies on a file system of another machine, where `SQLite`'s locks and its shared memory do not hold.

use std::path::Path;

/// Types whose locks or shared memory cannot be relied on between machines.
const REMOTE: [&str; 14] = [
    "afs",
    "beegfs",
    "ceph",
    "cifs",
    "fuse.glusterfs",
    "fuse.rclone",
    "fuse.s3fs",
    "fuse.sshfs",
    "glusterfs",
    "lustre",
    "ncpfs",
    "nfs",
    "nfs4",
    "smb3",
];

/// The type of the file system, when it is one of another machine. `None` also where that cannot be known
/// (only Linux tells it in a file).
pub(super) fn remote(folder: &Path) -> Option<String> {
    let folder = folder.canonicalize().ok()?;
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    remote_in(&mounts, &folder)
}

fn remote_in(mounts: &str, folder: &Path) -> Option<String> {
    let kind = mounts
        .lines()
        .filter_map(|line| {
            let (mount, kind) = line.split_once(" - ")?;
            let point = unescape(mount.split(' ').nth(4)?);
            folder.starts_with(&point).then(|| (point.len(), kind.split(' ').next().unwrap_or_default()))
        })
        // Of mounts at the same point the last one counts: it covers the others.
        .max_by_key(|&(length, _)| length)?
        .1;
    REMOTE.contains(&kind).then(|| kind.to_owned())
}

/// The kernel writes a space as `\040`, a tab as `\011`, a line feed as `\012` and a backslash as `\134`.
fn unescape(text: &str) -> String {
    text.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_mount_counts() {
        let mounts = "\
22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
90 22 0:44 / /home rw - nfs4 server:/home rw
91 90 8:2 / /home/me/local\\040disk rw shared:1 - ext4 /dev/sdb rw
";
        let kind = |path: &str| remote_in(mounts, Path::new(path));
        assert_eq!(kind("/var/lib/smm"), None);
        assert_eq!(kind("/home/me"), Some("nfs4".to_owned()));
        assert_eq!(kind("/homes"), None);
        assert_eq!(kind("/home/me/local disk/x"), None);
    }
}
