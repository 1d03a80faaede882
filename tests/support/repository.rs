//! Bare repositories and clones of them, for ledgers in git.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// Whether there is a `git` program. Where there is none a test says so and is skipped.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so loudly")]
pub(crate) fn has_git() -> bool {
    let found = Command::new("git").arg("version").output().is_ok();
    if !found {
        assert!(std::env::var_os("SMM_REAL_REQUIRED").is_none(), "there is no `git` program");
        eprintln!("SKIPPED: there is no `git` program");
    }
    found
}

/// Runs git in a folder, without anybody's settings.
#[track_caller]
pub(crate) fn git(folder: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=A Person", "-c", "user.email=a@example.invalid", "-c", "init.defaultBranch=main"])
        .args(["-c", "protocol.file.allow=always"])
        .args(args)
        .current_dir(folder)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .expect("git runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {args:?} in {}: {said}", folder.display());
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A bare repository with one commit, as a server would have it.
pub(crate) struct Origin {
    folder: tempfile::TempDir,
}

impl Origin {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let seed = folder.path().join("seed");
        std::fs::create_dir(&seed).expect("a folder");
        git(&seed, &["init", "-q"]);
        std::fs::write(seed.join("README"), "A project\n").expect("written");
        git(&seed, &["add", "README"]);
        git(&seed, &["commit", "-q", "-m", "Begin"]);
        std::fs::write(seed.join("README"), "A project, and more\n").expect("written");
        git(&seed, &["commit", "-q", "-a", "-m", "Go on"]);
        git(folder.path(), &["clone", "-q", "--bare", "seed", "origin.git"]);
        std::fs::remove_dir_all(seed).expect("removed");
        Self { folder }
    }

    /// The bare repository.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("origin.git")
    }

    /// The folder that it is in: clones may be made beside it.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A clone beside it.
    pub(crate) fn clone_to(&self, name: &str, options: &[&str]) -> PathBuf {
        let url = format!("file://{}", self.path().display());
        let mut args = vec!["clone", "-q"];
        args.extend(options);
        args.extend(["--", &url, name]);
        git(self.folder.path(), &args);
        self.folder.path().join(name)
    }

    /// Runs git in the bare repository.
    #[track_caller]
    pub(crate) fn git(&self, args: &[&str]) -> String {
        git(&self.path(), args)
    }

    /// The names of the refs below `refs/smm/`.
    pub(crate) fn refs(&self) -> Vec<String> {
        self.git(&["for-each-ref", "--format=%(refname)", "refs/smm"]).lines().map(str::to_owned).collect()
    }
}
