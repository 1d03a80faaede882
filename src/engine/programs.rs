//! Programs of the operator's: those that are told of an alert, and those that publish.
//!
//! There is no shell. A program that is no longer waited for is ended, with all that it has started.

use std::ffi::OsString;
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::ExposeSecret as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

use crate::adapter::{Fault, ProgramCall, ProgramEnd, Programs};

/// Bytes of what it says that are kept, the last ones, for the message that it failed.
const KEPT: usize = 1000;

/// What it has left running may hold its output open; what comes after its end is not waited for longer.
const REST: Duration = Duration::from_millis(200);

/// Most that a program which publishes may write to its standard output, in bytes.
const OUTPUT: usize = 1024 * 1024;

/// The longest that one may take which publishes nothing; what publishes is bounded by `delivery.timeout` as well.
const LONGEST: Duration = Duration::from_mins(5);

/// The variables that a program which publishes inherits.
const INHERITED: [&str; 2] = ["HOME", "PATH"];

/// A program that has ended by itself.
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    /// What it wrote to its standard output, as far as that was to be kept.
    pub(super) output: Vec<u8>,
    /// It wrote more than that.
    pub(super) cut: bool,
    /// The last of what else it wrote.
    pub(super) said: Vec<u8>,
}

/// Runs a program with this input. `output`: most bytes of its standard output that are kept; 0: they are among what it says.
pub(super) async fn run(command: &mut Command, input: &str, output: usize) -> Result<Ended, String> {
    let program = command.as_std().get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .process_group(0)
        .spawn()
        .map_err(|error| format!("`{program}` cannot be started: {error}"))?;
    let mut group = Group::of(&child);
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (first, last) = (Mutex::new((Vec::new(), false)), Mutex::new(Vec::new()));
    let talk = async {
        let write = async {
            if let Some(mut stdin) = stdin {
                // It need not read it.
                let _ = stdin.write_all(input.as_bytes()).await;
            }
        };
        let read = async {
            if output == 0 { keep_last(stdout, &last).await } else { keep_first(stdout, &first, output).await }
        };
        tokio::join!(write, read, keep_last(stderr, &last));
    };
    tokio::pin!(talk);
    let status = tokio::select! {
        biased;
        () = &mut talk => child.wait().await,
        status = child.wait() => {
            let _ = tokio::time::timeout(REST, &mut talk).await;
            status
        }
    };
    group.leave();
    let status = status.map_err(|error| format!("it cannot be waited for: {error}"))?;
    let (output, cut) = std::mem::take(&mut *first.lock().unwrap_or_else(PoisonError::into_inner));
    let said = std::mem::take(&mut *last.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Ended { status, output, cut, said })
}

/// Reads to the end, and keeps the last of it.
async fn keep_last(from: Option<impl AsyncRead + Unpin>, kept: &Mutex<Vec<u8>>) {
    let Some(mut from) = from else { return };
    let mut buffer = [0; 8192];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(&buffer[..count]);
        let over = kept.len().saturating_sub(KEPT);
        kept.drain(..over);
    }
}

/// Reads to the end, keeps the first of it, and whether there was more.
async fn keep_first(from: Option<impl AsyncRead + Unpin>, kept: &Mutex<(Vec<u8>, bool)>, most: usize) {
    let Some(mut from) = from else { return };
    let mut buffer = [0; 8192];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let room = most - kept.0.len();
        kept.0.extend_from_slice(&buffer[..count.min(room)]);
        kept.1 |= count > room;
    }
}

/// The program and what it has started, ended when this is dropped before the program has ended by itself.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)))
    }

    /// It has ended: its number may belong to somebody else from now on.
    fn leave(&mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            // Gone already is well.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

/// Programs that publish.
pub(super) struct Publishers {
    environment: Vec<(OsString, OsString)>,
}

impl Publishers {
    /// With what they inherit of this environment: `HOME` and `PATH` alone.
    pub(super) fn new(environment: Vec<(OsString, OsString)>) -> Self {
        let is_theirs = |name: &OsString| INHERITED.iter().any(|inherited| name == inherited);
        Self { environment: environment.into_iter().filter(|(name, _)| is_theirs(name)).collect() }
    }
}

#[async_trait]
impl Programs for Publishers {
    async fn run(&self, call: ProgramCall) -> Result<ProgramEnd, Fault> {
        let Some((program, args)) = call.command.split_first() else {
            return Err(Fault::NotSent("its command is empty".to_owned()));
        };
        let mut command = Command::new(program);
        command.args(args).env_clear().envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.envs(call.variables.iter().map(|(name, value)| (*name, value.expose_secret())));
        let ended = Box::pin(tokio::time::timeout(LONGEST, run(&mut command, &call.input, OUTPUT))).await;
        let ended = ended.map_err(|_| Fault::Unknown(format!("it took longer than {} s", LONGEST.as_secs())))?;
        let ended = ended.map_err(Fault::NotSent)?;
        if ended.cut {
            return Err(Fault::Unknown(format!("it wrote more than {OUTPUT} bytes")));
        }
        let said: Vec<_> = String::from_utf8_lossy(&ended.said).split_whitespace().map(str::to_owned).collect();
        let said = said.join(" ").chars().filter(|c| !c.is_control()).collect();
        Ok(ProgramEnd { status: ended.status.code(), output: ended.output, said })
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    async fn sh(script: &str) -> Result<ProgramEnd, Fault> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let environment = [("PATH", path), ("HOME", "/home/acme".into()), ("SMM_VAULT_KEY", "hidden".into())];
        let publishers = Publishers::new(environment.into_iter().map(|(name, value)| (name.into(), value)).collect());
        let command = ["sh", "-c", script].map(str::to_owned).to_vec();
        let variables = vec![("SMM_TOKEN", SecretString::from("secret"))];
        publishers.run(ProgramCall { command, input: "in".to_owned(), variables }).await
    }

    #[tokio::test]
    async fn a_program_that_publishes_gets_its_input_and_little_else() {
        let end =
            sh("cat; echo; env | cut -d= -f1 | sort | tr '\\n' ' '; echo $SMM_TOKEN >&2; exit 65").await.expect("run");
        let output = String::from_utf8(end.output).expect("text");
        assert!(output.starts_with("in\n") && output.contains("HOME PATH") && output.contains("SMM_TOKEN"), "{output}");
        assert!(!output.contains("VAULT") && !output.contains("CARGO"), "{output}");
        assert_eq!((end.status, end.said.as_str()), (Some(65), "secret"));
        assert_eq!(sh("kill -9 $$").await.expect("run").status, None);
    }

    /// Time passes here as soon as nothing else is to be done.
    #[tokio::test(start_paused = true)]
    async fn its_time_is_bounded() {
        let fault = sh("sleep 60").await.expect_err("it does not end in time");
        assert_eq!(fault, Fault::Unknown("it took longer than 300 s".to_owned()));
    }

    #[tokio::test]
    async fn what_is_no_longer_waited_for_is_ended_with_all_that_it_has_started() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("pid");
        let script = format!("sleep 60 & echo $! > {0}.new; mv {0}.new {0}; wait", file.display());
        let started = async {
            loop {
                if let Ok(text) = std::fs::read_to_string(&file) {
                    return text.trim().parse().ok().and_then(Pid::from_raw).expect("a number");
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let child = tokio::select! {
            end = sh(&script) => panic!("it ended: {end:?}"),
            child = started => child,
        };
        for _ in 0..1000 {
            // One that has ended, and that nobody has waited for, is a zombie.
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.as_raw_nonzero())).unwrap_or_default();
            if stat.is_empty() || stat.contains(") Z ") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("what it has started still runs");
    }

    #[tokio::test]
    async fn what_it_leaves_running_holds_nothing_up() {
        let end = sh("sleep 1 & echo done").await.expect("run");
        assert_eq!((end.status, end.output.as_slice()), (Some(0), b"done\n".as_slice()));
    }

    #[tokio::test]
    async fn it_need_not_read() {
        let command = ["sh", "-c", "echo done"].map(str::to_owned).to_vec();
        let publishers = Publishers::new(vec![("PATH".into(), std::env::var_os("PATH").unwrap_or_default())]);
        let call = ProgramCall { command, input: "x".repeat(5_000_000), variables: vec![] };
        let end = publishers.run(call).await.expect("run");
        assert_eq!((end.status, end.output.as_slice()), (Some(0), b"done\n".as_slice()));
    }

    #[tokio::test]
    async fn what_it_writes_is_bounded() {
        let fault = sh("head -c 2000000 /dev/zero").await.expect_err("too much");
        assert!(matches!(fault, Fault::Unknown(_)), "{fault:?}");
        let publishers = Publishers::new(Vec::new());
        let call =
            ProgramCall { command: vec!["/nowhere/publish".to_owned()], input: String::new(), variables: vec![] };
        let fault = publishers.run(call).await.expect_err("not there");
        assert!(matches!(fault, Fault::NotSent(_)), "{fault:?}");
    }
}
