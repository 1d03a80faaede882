//! The program as a process, and what a test needs around it: servers on a thread of their own, daemons that end with their
//! values.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle};

/// Runs what serves the stand-ins, on a thread of its own, so that a test may wait for a process.
pub(crate) fn servers() -> &'static Handle {
    static SERVERS: OnceLock<Handle> = OnceLock::new();
    SERVERS.get_or_init(|| {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let handle = runtime.handle().clone();
        std::thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
        handle
    })
}

/// Runs something there and waits for it.
pub(crate) fn serve<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let (tell, told) = channel();
    servers().spawn(async move { tell.send(work.await) });
    told.recv().expect("it ends")
}

/// Waits for something that needs no server of its own.
pub(crate) fn wait<T>(work: impl Future<Output = T>) -> T {
    Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work)
}

pub(crate) fn pause(milliseconds: u64) {
    std::thread::sleep(Duration::from_millis(milliseconds));
}

/// A daemon with its log. It ends with the value.
pub(crate) struct Daemon {
    pub child: Child,
    pub lines: Receiver<serde_json::Value>,
}

impl Daemon {
    pub(crate) fn start(command: Command) -> Self {
        Self::start_with(command, &[])
    }

    /// With these options, too.
    pub(crate) fn start_with(mut command: Command, options: &[&str]) -> Self {
        command.args(["daemon", "--log-format", "json"]).args(options).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("smm starts");
        let (tell, lines) = channel();
        let log = child.stderr.take().expect("a pipe");
        std::thread::spawn(move || {
            for line in BufReader::new(log).lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).unwrap_or_else(|_| serde_json::json!({ "message": line }));
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    /// Waits for a line whose message holds this.
    #[track_caller]
    pub(crate) fn says(&self, what: &str) -> serde_json::Value {
        let mut before = String::new();
        loop {
            match self.lines.recv_timeout(Duration::from_secs(20)) {
                Ok(line) if line["message"].as_str().is_some_and(|message| message.contains(what)) => return line,
                Ok(line) => {
                    let _ = writeln!(before, "{line}");
                }
                Err(error) => panic!("the daemon did not say `{what}`: {error}; it said\n{before}"),
            }
        }
    }

    /// All that it has said and nobody has heard yet.
    pub(crate) fn said(&self) -> Vec<serde_json::Value> {
        self.lines.try_iter().collect()
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(&self.child, name);
    }

    /// Ends it in order; gives what it had to say until then.
    #[track_caller]
    pub(crate) fn stops(mut self) -> Vec<serde_json::Value> {
        self.signal("TERM");
        let status = ends(&mut self.child, Duration::from_mins(1));
        let said: Vec<serde_json::Value> = self.lines.iter().collect();
        assert!(status.success(), "{status}: {said:?}");
        said
    }

    /// Waits until it has stopped itself at a fail point.
    #[cfg(target_os = "linux")]
    #[track_caller]
    pub(crate) fn stopped(&self) {
        stopped(&self.child);
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("ended");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until a process has stopped itself at a fail point.
#[cfg(target_os = "linux")]
#[track_caller]
pub(crate) fn stopped(child: &Child) {
    let stat = format!("/proc/{}/stat", child.id());
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let text = std::fs::read_to_string(&stat).expect("it lives");
        if text.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T')) {
            return;
        }
        assert!(Instant::now() < end, "process {} did not stop: {text}", child.id());
        pause(5);
    }
}

/// Sends a signal to a process of ours.
pub(crate) fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status();
    assert!(sent.expect("kill runs").success());
}

/// Waits until a process ends by itself.
#[track_caller]
pub(crate) fn ends(child: &mut Child, within: Duration) -> ExitStatus {
    let end = Instant::now() + within;
    loop {
        match child.try_wait().expect("a child of ours") {
            Some(status) => return status,
            None if Instant::now() > end => {
                let _ = child.kill();
                let _ = child.wait();
                panic!("process {} did not end within {within:?}", child.id());
            }
            None => pause(5),
        }
    }
}

/// Ends a process with a value.
pub(crate) struct Ends(pub Child);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
