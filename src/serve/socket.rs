//! A unix socket that nobody else may connect to, in the place of one that a dead process has left.

use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

/// The socket's name. Dropping it removes the file, when it is still the same.
#[derive(Debug)]
pub(super) struct Name {
    path: PathBuf,
    identity: (u64, u64),
}

impl Drop for Name {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|found| found == self.identity) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let facts = std::fs::symlink_metadata(path)?;
    Ok((facts.dev(), facts.ino()))
}

/// Listens there. The socket has mode 0600 from its first moment: it is made in a folder that is ours alone, and moved.
pub(super) async fn bind(path: &Path) -> io::Result<(UnixListener, Name)> {
    refuse_taken(path).await?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let ours = tempfile::Builder::new().prefix(".smm").rand_bytes(6).tempdir_in(folder)?;
    let made = ours.path().join("s");
    let listener = UnixListener::bind(&made)?;
    std::fs::set_permissions(&made, std::fs::Permissions::from_mode(0o600))?;
    let identity = identity(&made)?;
    std::fs::rename(&made, path)?;
    Ok((listener, Name { path: path.to_owned(), identity }))
}

/// Only a socket that nobody listens to is replaced.
async fn refuse_taken(path: &Path) -> io::Result<()> {
    let facts = match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        facts => facts?,
    };
    if !facts.file_type().is_socket() {
        return Err(io::Error::new(ErrorKind::AlreadyExists, "something that is no socket is there"));
    }
    match UnixStream::connect(path).await {
        Err(error) if matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound) => Ok(()),
        Ok(_) => Err(io::Error::new(ErrorKind::AddrInUse, "another process listens there")),
        // It may listen: it has no room for us, or we may not speak to it.
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stale_one_is_replaced_and_a_live_one_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("http.sock");
        let (listener, name) = bind(&path).await.expect("bound");
        assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        let refused = bind(&path).await.expect_err("it is listened to");
        assert_eq!(refused.to_string(), "another process listens there");
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing else is left");
        // As a killed process leaves it.
        drop(listener);
        std::mem::forget(name);
        let (_listener, name) = bind(&path).await.expect("the stale one is replaced");
        drop(name);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn what_is_not_ours_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notes");
        std::fs::write(&path, "text").expect("a file");
        assert!(bind(&path).await.expect_err("no socket").to_string().contains("no socket"));
        let path = folder.path().join("http.sock");
        let (_listener, name) = bind(&path).await.expect("bound");
        std::fs::remove_file(&path).expect("removed");
        std::fs::write(&path, "another's").expect("a file");
        drop(name);
        assert_eq!(std::fs::read_to_string(&path).expect("it stays"), "another's");
        let missing = bind(&folder.path().join("none/http.sock")).await.expect_err("no folder");
        assert_eq!(missing.kind(), ErrorKind::NotFound);
    }
}
