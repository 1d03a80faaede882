//! What the service manager is told, and how quiet an idle daemon is.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use smm::adapter::suite::{Act, Rule};
use smm::model::State;

use super::{Daemon, Site, pause, post};

/// A service manager's end of `sd_notify`.
struct Manager {
    socket: UnixDatagram,
    path: std::path::PathBuf,
}

impl Manager {
    fn new(site: &Site) -> Self {
        let path = site.env.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        socket.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
        Self { socket, path }
    }

    fn start(&self, site: &Site, watchdog: Option<u64>) -> Daemon {
        let mut command = site.command();
        command.env("NOTIFY_SOCKET", &self.path);
        if let Some(usec) = watchdog {
            command.env("WATCHDOG_USEC", usec.to_string());
        }
        Daemon::start(command)
    }

    fn next(&self) -> String {
        let mut buffer = [0; 4096];
        let count = self.socket.recv(&mut buffer).expect("a message");
        String::from_utf8_lossy(&buffer[..count]).into_owned()
    }

    /// The next message with this line; those before it.
    #[track_caller]
    fn until(&self, line: &str) -> (String, Vec<String>) {
        let mut before = Vec::new();
        loop {
            let message = self.next();
            if message.lines().any(|one| one.starts_with(line)) {
                return (message, before);
            }
            before.push(message);
            assert!(before.len() < 200, "no {line}: {before:?}");
        }
    }

    fn is_silent(&self) -> bool {
        self.socket.set_nonblocking(true).expect("set");
        let silent = self.socket.recv(&mut [0; 4096]).is_err();
        self.socket.set_nonblocking(false).expect("set");
        silent
    }
}

#[test]
fn ready_reloading_and_stopping_are_told() {
    let site = Site::new("mastodon");
    site.calendar("");
    let manager = Manager::new(&site);
    let daemon = manager.start(&site, None);
    let (message, before) = manager.until("READY=1");
    assert!(before.is_empty() && message.contains("STATUS=following ops"), "{before:?} {message}");
    // Ready means that the lock is held.
    site.smm(&["daemon"]).expect(1);
    daemon.signal("HUP");
    let (message, _) = manager.until("RELOADING=1");
    let usec = message.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC=")).expect("a time");
    assert!(usec.parse::<u64>().is_ok_and(|usec| usec > 0), "{message}");
    manager.until("READY=1");
    daemon.stops();
    manager.until("STOPPING=1");
}

#[test]
fn who_cannot_start_is_never_ready() {
    let site = Site::new("mastodon");
    site.calendar("");
    let holder = site.daemon();
    holder.says("ready");
    let manager = Manager::new(&site);
    let mut second = manager.start(&site, None);
    let status = second.child.wait().expect("ended");
    assert_eq!(status.code(), Some(1));
    let said = second.lines.iter().map(|line| line.to_string()).collect::<String>();
    assert!(
        said.contains("another smm publishes") && said.contains(&format!("process {}", holder.child.id())),
        "{said}"
    );
    assert!(manager.is_silent());
    holder.stops();
    site.env.write("calendar.toml", "name = 7");
    let mut broken = manager.start(&site, None);
    assert_eq!(broken.child.wait().expect("ended").code(), Some(1));
    assert!(manager.is_silent());
}

#[test]
fn the_watchdog_is_fed_twice_as_often_as_it_asks() {
    let site = Site::new("mastodon");
    site.calendar("");
    let manager = Manager::new(&site);
    let daemon = manager.start(&site, Some(400_000));
    manager.until("READY=1");
    pause(1500);
    daemon.stops();
    let (_, before) = manager.until("STOPPING=1");
    let beats = before.iter().filter(|message| message.contains("WATCHDOG=1")).count();
    assert!((5..=9).contains(&beats), "{beats} in 1.5 s");
}

#[test]
fn an_idle_daemon_sleeps() {
    let site = Site::new("mastodon");
    site.calendar(&post("later", Utc::now() + TimeDelta::days(30), ""));
    let daemon = site.daemon();
    daemon.says("ready");
    pause(500);
    let switches = || -> u64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", daemon.child.id())).expect("Linux").flatten();
        let lines = tasks.map(|task| std::fs::read_to_string(task.path().join("status")).unwrap_or_default());
        let count = |text: String| -> u64 {
            let line = text.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:").map(str::to_owned));
            line.and_then(|line| line.trim().parse().ok()).unwrap_or(0)
        };
        lines.map(count).sum()
    };
    let before = switches();
    pause(3000);
    assert!(switches() - before <= 1, "{} wake-ups in 3 s", switches() - before);
    daemon.stops();
}

#[test]
fn calls_in_flight_are_waited_for_and_nothing_more_is_begun() {
    let site = Site::new("mastodon");
    site.config(site.url(), "spacing = \"1s\"\n");
    let (method, path) = site.fake.publish_call().expect("HTTP");
    site.fake.front().expect("HTTP").rule(Rule::new(Act::Wait(Duration::from_millis(1200))).on(method, path));
    let now = Utc::now();
    site.calendar(&format!("{}{}", post("one", now, ""), post("two", now + TimeDelta::milliseconds(1), "")));
    let daemon = site.daemon();
    site.asked(method, path, 1);
    daemon.stops();
    let state = |id: &str| site.rows().into_iter().find(|row| row.post.as_str() == id).expect("a row").state;
    assert_eq!((state("one"), state("two")), (State::Published, State::Planned));

    // One that does not end in time is left as it is, and settled by the next start.
    site.fake.front().expect("HTTP").rule(Rule::new(Act::Wait(Duration::from_secs(30))).on(method, path));
    let daemon = site.daemon();
    site.asked(method, path, 2);
    daemon.stops();
    assert!(matches!(state("two"), State::Sending | State::Unknown));
    let daemon = site.daemon();
    site.until("two", &[State::Published]);
    daemon.stops();
    assert_eq!(site.out(), ["Text of one", "Text of two"]);
}
