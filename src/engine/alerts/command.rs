//! Tells a program: what has happened is JSON on its standard input, and for simple scripts in a few variables.
//!
//! Only a trusted `smm.toml` names one. There is no shell, and none of the secrets of `smm` in its environment. It may run
//! for half a minute; then it is ended, with all that it has started.

use std::ffi::OsString;
use std::process::ExitStatus;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::process::Command;

use super::super::programs;
use super::rule::one_line;
use super::{Message, Sender};

/// A program with its arguments.
pub(super) struct Program {
    command: Vec<String>,
    environment: Arc<[(OsString, OsString)]>,
}

impl Program {
    pub(super) fn new(command: Vec<String>, environment: Arc<[(OsString, OsString)]>) -> Self {
        Self { command, environment }
    }

    fn command(&self, message: &Message) -> Result<Command, String> {
        let (program, args) = self.command.split_first().ok_or("its command is empty")?;
        let kinds: Vec<String> = message.kinds().iter().map(|(kind, count)| format!("{kind}={count}")).collect();
        let mut command = Command::new(program);
        command
            .args(args)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env("SMM_ALERT_COUNT", message.count().to_string())
            .env("SMM_ALERT_DELIVERY", message.delivery().unwrap_or_default())
            .env("SMM_ALERT_KINDS", kinds.join(" "))
            .env("SMM_ALERT_SUBJECT", message.subject())
            .env("SMM_ALERT_TEXT", message.text());
        Ok(command)
    }
}

#[async_trait]
impl Sender for Program {
    async fn send(&self, message: &Message) -> Result<(), String> {
        let ended = Box::pin(programs::run(&mut self.command(message)?, &message.json().to_string(), 0)).await?;
        if ended.status.success() { Ok(()) } else { Err(failed(ended.status, &String::from_utf8_lossy(&ended.said))) }
    }
}

fn failed(status: ExitStatus, said: &str) -> String {
    let said = one_line(said);
    let end = status.code().map_or_else(|| status.to_string(), |code| format!("exit status {code}"));
    if said.is_empty() { end } else { format!("{end}: {said}") }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
