//! Runs the `git` program: plumbing commands, each with a time limit, never with a question to a person.
//!
//! Commands run in the calendar's folder, so that the credentials of that clone's own settings work. What could confuse or
//! surprise them is taken out: variables that a hook's environment brings, hooks, an embedded bare repository, replaced
//! objects. Nothing that a calendar says ever becomes an option: names of refs are whole, and begin with `refs/`.

use std::ffi::OsString;
use std::io::{ErrorKind, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::trouble::Trouble;

/// Variables that would lead git to another repository, or mix other words with what is read of it: what git itself takes
/// out before it enters another repository (`git rev-parse --local-env-vars`), but the settings that somebody gives on
/// purpose (`GIT_CONFIG_COUNT`); and traces.
pub const MISLEADING: &[&str] = &[
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_AUTHOR_DATE",
    "GIT_AUTHOR_EMAIL",
    "GIT_AUTHOR_NAME",
    "GIT_COMMITTER_DATE",
    "GIT_COMMITTER_EMAIL",
    "GIT_COMMITTER_NAME",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CURL_VERBOSE",
    "GIT_DEFAULT_REF_FORMAT",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_PUSH_OPTION_COUNT",
    "GIT_QUARANTINE_PATH",
    "GIT_REFLOG_ACTION",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_TRACE",
    "GIT_TRACE2",
    "GIT_TRACE2_EVENT",
    "GIT_TRACE2_PERF",
    "GIT_TRACE_CURL",
    "GIT_TRACE_PACKET",
    "GIT_TRACE_PACK_ACCESS",
    "GIT_TRACE_PERFORMANCE",
    "GIT_TRACE_REFS",
    "GIT_TRACE_SETUP",
    "GIT_TRACE_SHALLOW",
    "GIT_WORK_TREE",
];

/// Settings for every command: no hook, no program beside the transport, nothing done on the side.
const SETTINGS: &[&str] = &[
    "advice.pushUpdateRejected=false",
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.pager=cat",
    "fastimport.unpackLimit=100",
    "fetch.recurseSubmodules=false",
    "fetch.writeCommitGraph=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "push.followTags=false",
    "push.gpgSign=false",
    "push.negotiate=false",
    "push.pushOption=",
    "push.recurseSubmodules=no",
    "push.useForceIfIncludes=false",
    "safe.bareRepository=explicit",
    "transfer.bundleURI=false",
];

/// What a command writes to stderr is kept so far.
const KEPT: usize = 16 * 1024;

/// A command that stays on this machine may take so long.
pub(super) const LOCAL: Duration = Duration::from_secs(30);

/// The rest of what an ended command has said is waited for so long: what it left running may hold its stderr open.
const REST: Duration = Duration::from_millis(200);

/// The program, in a folder.
#[derive(Debug)]
pub(super) struct Git {
    folder: PathBuf,
    /// What it inherits of the environment; `None`: all that this process has.
    environment: Option<Vec<(OsString, OsString)>>,
}

/// What a command gave.
#[derive(Debug)]
pub(super) struct Output {
    /// Its exit status; `None`: it was ended by a signal.
    pub(super) status: Option<i32>,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: String,
}

impl Output {
    pub(super) fn worked(&self) -> bool {
        self.status == Some(0)
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

impl Git {
    pub(super) fn new(folder: &Path, environment: Option<Vec<(OsString, OsString)>>) -> Self {
        Self { folder: folder.to_owned(), environment }
    }

    /// The folder that commands run in.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Runs a command to its end, whatever that is.
    ///
    /// # Errors
    /// [`Trouble::NoProgram`], [`Trouble::NotRun`], and [`Trouble::Late`] when it was ended for taking longer than `limit`.
    pub(super) fn run(&self, args: &[&str], input: &[u8], limit: Duration) -> Result<Output, Trouble> {
        let mut child = self.command(args).spawn().map_err(|error| match error.kind() {
            ErrorKind::NotFound if self.folder.is_dir() => Trouble::NoProgram,
            _ => Trouble::NotRun(error.to_string()),
        })?;
        std::thread::scope(|scope| {
            let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
            scope.spawn(move || {
                if let Some(mut stdin) = stdin {
                    // It may end before it has read everything; its status says why.
                    let _ = stdin.write_all(input);
                }
            });
            let (out, said) = (read(stdout, usize::MAX), read(stderr, KEPT));
            let end = Instant::now() + limit;
            let ended = wait(&mut child, &out, end);
            if !matches!(ended, Some(Ok(_))) {
                kill(&mut child);
            }
            let status = match ended {
                Some(status) => status.map_err(|error| Trouble::NotRun(error.to_string()))?,
                None => {
                    return Err(Trouble::Late { what: args.first().copied().unwrap_or_default().to_owned(), limit });
                }
            };
            let stdout = status.1;
            let stderr = said.recv_timeout(REST).unwrap_or_default();
            let stderr = String::from_utf8_lossy(&stderr).into_owned();
            tracing::trace!(command = args.first(), status = status.0, "git");
            Ok(Output { status: status.0, stdout, stderr })
        })
    }

    /// Runs a command of which nothing but success is expected.
    pub(super) fn done(&self, args: &[&str], input: &[u8], limit: Duration) -> Result<Output, Trouble> {
        let output = self.run(args, input, limit)?;
        if output.worked() {
            return Ok(output);
        }
        Err(Trouble::said(args.first().copied().unwrap_or_default(), &output.stderr))
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("git");
        if let Some(environment) = &self.environment {
            command.env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
        }
        for name in MISLEADING {
            command.env_remove(name);
        }
        command
            .env("LC_ALL", "C")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GCM_INTERACTIVE", "never")
            .env("SSH_ASKPASS_REQUIRE", "never")
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            // In a partial clone, what is not here is not here: it would be fetched one by one.
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_OPTIONAL_LOCKS", "0");
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        command
            .args(args)
            .current_dir(&self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // A group of its own: what it starts is ended with it, and an interrupt at a terminal does not cut a push short.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        command
    }
}

/// Reads to the end on a thread of its own, and keeps the first of it.
fn read(from: Option<impl Read + Send + 'static>, most: usize) -> Receiver<Vec<u8>> {
    let (give, take) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        if let Some(mut from) = from {
            let mut buffer = [0; 8192];
            while let Ok(count @ 1..) = from.read(&mut buffer) {
                let room = most.saturating_sub(kept.len()).min(count);
                kept.extend_from_slice(&buffer[..room]);
            }
        }
        let _ = give.send(kept);
    });
    take
}

type Ended = std::io::Result<(Option<i32>, Vec<u8>)>;

/// Waits for what it says and for its end; `None`: it takes too long.
fn wait(child: &mut Child, out: &Receiver<Vec<u8>>, end: Instant) -> Option<Ended> {
    let mut said = None;
    let mut pause = Duration::from_micros(200);
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if said.is_none() {
            match out.recv_timeout(left.min(Duration::from_millis(50))) {
                Ok(all) => said = Some(all),
                Err(RecvTimeoutError::Disconnected) => said = Some(Vec::new()),
                Err(RecvTimeoutError::Timeout) => {}
            }
        } else {
            std::thread::sleep(pause.min(left));
            pause = (pause * 2).min(Duration::from_millis(5));
        }
        match child.try_wait() {
            Ok(Some(status)) => {
                let said = said.or_else(|| out.recv_timeout(REST).ok()).unwrap_or_default();
                return Some(Ok((status.code(), said)));
            }
            Ok(None) if left.is_zero() => return None,
            Ok(None) => {}
            Err(error) => return Some(Err(error)),
        }
    }
}

/// Ends it and what it has started.
fn kill(child: &mut Child) {
    #[cfg(unix)]
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_run_with_its_input_and_ended_in_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let git = Git::new(folder.path(), None);
        git.done(&["init", "-q"], b"", LOCAL).expect("a repository");
        let much = vec![b'x'; 1_000_000];
        let hashed = git.done(&["hash-object", "-w", "--stdin"], &much, LOCAL).expect("hashed").text();
        let read = git.done(&["cat-file", "blob", hashed.trim()], b"", LOCAL).expect("read");
        assert_eq!(read.stdout, much);
        let failed = git.run(&["cat-file", "blob", "HEAD"], b"", LOCAL).expect("run");
        assert_ne!(failed.status, Some(0));
        assert!(failed.stderr.contains("HEAD"), "{}", failed.stderr);
        // Ended with what it has started.
        let began = Instant::now();
        let alias = format!("alias.smm-waits=!sleep 60 & echo $! > {}/pid; wait", folder.path().display());
        let late = git.run(&["-c", &alias, "smm-waits"], b"", Duration::from_millis(500)).expect_err("it hangs");
        assert!(matches!(late, Trouble::Late { .. }), "{late:?}");
        assert!(began.elapsed() < Duration::from_secs(10));
        let pid = std::fs::read_to_string(folder.path().join("pid")).expect("a pid");
        let gone = (0..100).any(|_| {
            std::thread::sleep(Duration::from_millis(20));
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
            stat.is_empty() || stat.contains(") Z ")
        });
        assert!(gone || !cfg!(target_os = "linux"), "{pid} is still there");
    }

    #[test]
    fn a_hooks_environment_leads_nowhere_else() {
        let (folder, other) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let plain = Git::new(folder.path(), None);
        plain.done(&["init", "-q"], b"", LOCAL).expect("a repository");
        let mut environment: Vec<(OsString, OsString)> = std::env::vars_os().collect();
        for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"] {
            environment.push((name.into(), other.path().into()));
        }
        let git = Git::new(folder.path(), Some(environment));
        let found = git.done(&["rev-parse", "--absolute-git-dir"], b"", LOCAL).expect("the repository").text();
        assert!(Path::new(found.trim()).ends_with(".git"), "{found}");
        assert!(!found.contains(&*other.path().to_string_lossy()), "{found}");
    }

    #[test]
    fn a_program_that_is_not_there_is_said() {
        let folder = tempfile::tempdir().expect("a folder");
        let git = Git::new(folder.path(), Some(vec![("PATH".into(), folder.path().into())]));
        assert!(matches!(git.run(&["version"], b"", LOCAL), Err(Trouble::NoProgram)));
    }
}
