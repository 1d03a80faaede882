//! Tells a program: what has happened is JSON on its standard input, and for simple scripts in a few variables.
//!
//! Only a trusted `smm.toml` names one. There is no shell, and none of the secrets of `smm` in its environment. It may run
//! for half a minute; then it is ended, with all that it has started.

use std::ffi::OsString;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

use super::rule::one_line;
use super::{Message, Sender};

/// Bytes of its output that are kept, the last ones, for the message that it failed.
const KEPT: usize = 1000;

/// What it has left running may hold its output open; what comes after its end is not waited for longer.
const REST: Duration = Duration::from_millis(200);

/// A program with its arguments.
pub(super) struct Program {
    command: Vec<String>,
    environment: Arc<[(OsString, OsString)]>,
}

impl Program {
    pub(super) fn new(command: Vec<String>, environment: Arc<[(OsString, OsString)]>) -> Self {
        Self { command, environment }
    }

    fn start(&self, message: &Message) -> Result<Child, String> {
        let (program, args) = self.command.split_first().ok_or("its command is empty")?;
        let kinds: Vec<String> = message.kinds().iter().map(|(kind, count)| format!("{kind}={count}")).collect();
        Command::new(program)
            .args(args)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env("SMM_ALERT_COUNT", message.count().to_string())
            .env("SMM_ALERT_DELIVERY", message.delivery().unwrap_or_default())
            .env("SMM_ALERT_KINDS", kinds.join(" "))
            .env("SMM_ALERT_SUBJECT", message.subject())
            .env("SMM_ALERT_TEXT", message.text())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .process_group(0)
            .spawn()
            .map_err(|error| format!("`{program}` cannot be started: {error}"))
    }
}

#[async_trait]
impl Sender for Program {
    async fn send(&self, message: &Message) -> Result<(), String> {
        let mut child = self.start(message)?;
        let mut group = Group::of(&child);
        let input = message.json().to_string();
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let kept = Mutex::new(Vec::new());
        let talk = async {
            let write = async {
                if let Some(mut stdin) = stdin {
                    // It need not read it.
                    let _ = stdin.write_all(input.as_bytes()).await;
                }
            };
            tokio::join!(write, keep(stdout, &kept), keep(stderr, &kept));
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
        if status.success() {
            return Ok(());
        }
        let kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        Err(failed(status, &String::from_utf8_lossy(&kept)))
    }
}

/// Reads to the end, and keeps the last of it.
async fn keep(from: Option<impl AsyncRead + Unpin>, kept: &Mutex<Vec<u8>>) {
    let Some(mut from) = from else { return };
    let mut buffer = [0; 8192];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(&buffer[..count]);
        let over = kept.len().saturating_sub(KEPT);
        kept.drain(..over);
    }
}

fn failed(status: ExitStatus, said: &str) -> String {
    let said = one_line(said);
    let end = status.code().map_or_else(|| status.to_string(), |code| format!("exit status {code}"));
    if said.is_empty() { end } else { format!("{end}: {said}") }
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

#[cfg(test)]
mod tests {
    use super::super::super::samples::start;
    use super::*;

    fn shell(script: &str) -> Program {
        let environment = vec![("PATH".into(), std::env::var_os("PATH").unwrap_or_default())];
        Program::new(["sh", "-c", script].map(str::to_owned).to_vec(), environment.into())
    }

    async fn run(script: &str) -> Result<(), String> {
        shell(script).send(&Message::test(start())).await
    }

    #[tokio::test]
    async fn it_is_told_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let (input, env) = (folder.path().join("in"), folder.path().join("env"));
        run(&format!("cat > {}; env > {}", input.display(), env.display())).await.expect("told");
        let input: serde_json::Value = serde_json::from_slice(&std::fs::read(input).expect("read")).expect("JSON");
        assert_eq!((&input["count"], &input["alerts"][0]["kind"]), (&1.into(), &"test".into()));
        let env = std::fs::read_to_string(env).expect("read");
        assert!(env.contains("SMM_ALERT_COUNT=1\n") && env.contains("SMM_ALERT_KINDS=test=1\n"), "{env}");
        assert!(!env.contains("HOME=") && !env.contains("CARGO"), "{env}");
    }

    #[tokio::test]
    async fn it_fails() {
        assert_eq!(run("printf 'no \\033[2Jbad\\n' >&2; exit 3").await.expect_err("fails"), "exit status 3: no [2Jbad");
        assert_eq!(run("exit 1").await.expect_err("fails"), "exit status 1");
        assert_eq!(run("kill -9 $$").await.expect_err("fails"), "signal: 9 (SIGKILL)");
        let none = Program::new(vec!["/nowhere/notify".to_owned()], Vec::new().into());
        let why = none.send(&Message::test(start())).await.expect_err("fails");
        assert!(why.starts_with("`/nowhere/notify` cannot be started"), "{why}");
    }

    #[tokio::test]
    async fn it_may_say_much_and_read_nothing() {
        let much = "exec < /dev/null; head -c 10000000 /dev/zero | tr '\\0' 'x'; echo; echo the end; exit 1";
        let why = run(much).await.expect_err("fails");
        assert!(why.starts_with("exit status 1: xxx") && why.len() < 1100, "{}", why.len());
        run("head -c 10000000 /dev/zero").await.expect("told");
        // What it leaves running is not waited for.
        let began = tokio::time::Instant::now();
        run("sleep 3 & exit 0").await.expect("told");
        assert!(began.elapsed() < Duration::from_secs(2));
    }

    #[tokio::test]
    async fn it_hangs_and_is_ended_with_all_that_it_started() {
        let folder = tempfile::tempdir().expect("a folder");
        let pids = folder.path().join("pids");
        let script = format!("sleep 60 & echo $$ $! > {}; wait", pids.display());
        let program = shell(&script);
        let message = Message::test(start());
        let _ = tokio::time::timeout(Duration::from_secs(1), program.send(&message)).await.expect_err("it hangs");
        let pids = std::fs::read_to_string(pids).expect("read");
        assert_eq!(pids.split_whitespace().count(), 2, "{pids}");
        for pid in pids.split_whitespace() {
            let gone = || {
                // A killed process that nobody has waited for yet is a zombie.
                let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
                stat.is_empty() || stat.contains(") Z ")
            };
            for _ in 0..50 {
                if gone() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            assert!(gone(), "{pid} is still there");
        }
    }
}
