//! The daemon under a real systemd: Debian's, as process 1 of a container, with the units as `smm systemd` prints them.
//!
//! The container shares the machine's network, so that what it sends reaches the stand-ins of the test; its disk is a
//! layer that goes with it.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};

use crate::process::pause;
use crate::servers::real;
use crate::stand::{Kind, Planned, Stand};
use crate::support::TestEnv;

/// A booted system.
struct Machine {
    nspawn: Child,
    /// Its process 1, as this machine calls it.
    first: String,
}

fn rootfs() -> PathBuf {
    real().join("systemd/rootfs")
}

/// Whether it is installed, and this process may boot it.
pub fn installed() -> bool {
    let root = std::fs::metadata("/proc/self").is_ok_and(|facts| facts.uid() == 0);
    root && real().join("systemd/.installed").is_file()
        && Command::new("systemd-nspawn").arg("--version").output().is_ok_and(|run| run.status.success())
}

impl Machine {
    /// Boots one with a folder of this machine at `/srv/acme`.
    fn boot(folder: &Path) -> Self {
        let nspawn = Command::new("systemd-nspawn")
            .args(["--quiet", "--register=no", "--keep-unit", "--volatile=overlay", "--directory"])
            .arg(rootfs())
            .arg(format!("--bind-ro={}:/usr/local/bin/smm", env!("CARGO_BIN_EXE_smm")))
            .arg(format!("--bind={}:/srv/acme", folder.display()))
            .arg("--boot")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("systemd-nspawn starts");
        let end = Instant::now() + Duration::from_secs(30);
        let children = format!("/proc/{0}/task/{0}/children", nspawn.id());
        let mut machine = Self { nspawn, first: String::new() };
        loop {
            let ended = machine.nspawn.try_wait().expect("a child of ours");
            assert!(ended.is_none() && Instant::now() < end, "the container does not start: {ended:?}");
            // The first child only makes the second, which is the system's process 1.
            let found = std::fs::read_to_string(&children).unwrap_or_default();
            let Some(first) = found.split_whitespace().next() else {
                pause(20);
                continue;
            };
            first.clone_into(&mut machine.first);
            let state = machine.command("systemctl is-system-running").output().expect("nsenter runs");
            if matches!(&*state.stdout, b"running\n" | b"degraded\n") {
                return machine;
            }
            assert!(Instant::now() < end, "the system does not come up: {state:?}");
            pause(50);
        }
    }

    fn command(&self, script: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.first, "--mount", "--pid", "--uts", "--ipc", "--cgroup", "--"]);
        command.args(["bash", "-euc", script]).env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin");
        command
    }

    /// Runs a script in it, and gives what it printed.
    #[track_caller]
    fn run(&self, script: &str) -> String {
        let run = self.command(script).stdin(Stdio::null()).output().expect("nsenter runs");
        let (out, err) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
        assert!(run.status.success(), "{script}\n{}\n{out}\n{err}\n{}", run.status, self.log());
        out.into_owned()
    }

    fn log(&self) -> String {
        let run = self.command("journalctl --no-pager --lines=60").stdin(Stdio::null()).output().expect("nsenter runs");
        String::from_utf8_lossy(&run.stdout).into_owned()
    }

    /// Lays a secret where the unit looks for it.
    fn secret(&self, id: &str, value: &str) {
        let script = format!("install -d -m 0700 /etc/credstore; install -m 0600 /dev/stdin /etc/credstore/smm.{id}");
        let mut child = self.command(&script).stdin(Stdio::piped()).spawn().expect("nsenter runs");
        child.stdin.take().expect("a pipe").write_all(value.as_bytes()).expect("written");
        assert!(child.wait().expect("ended").success());
    }

    /// Runs a script until what it prints holds this.
    #[track_caller]
    fn until(&self, script: &str, holds: impl Fn(&str) -> bool) -> String {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let said = self.run(script);
            if holds(&said) {
                return said;
            }
            assert!(Instant::now() < end, "{script}: {said}\n{}", self.log());
            pause(100);
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.command("systemctl --no-block poweroff").stdin(Stdio::null()).output();
        let end = Instant::now() + Duration::from_secs(10);
        while Instant::now() < end && matches!(self.nspawn.try_wait(), Ok(None)) {
            pause(50);
        }
        let _ = self.nspawn.kill();
        let _ = self.nspawn.wait();
    }
}

fn opened(folder: &Path) {
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).expect("set");
}

/// Asks the daemon over the network that both share.
fn get(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("set");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

/// The daemon's unit: secrets as credentials, a user of its own, reload, a watchdog that ends what hangs, and an end in time.
pub fn publishes_once_whatever_happens() {
    let mut stand = Stand::new(&[Kind::Key]);
    let (account, folder) = (stand.nets[0].account.clone(), stand.env.path().to_owned());
    opened(&folder);
    let one = Planned::new("one", Utc::now());
    stand.calendar(vec![one.clone()]);
    let port = TcpListener::bind("127.0.0.1:0").and_then(|probe| probe.local_addr()).expect("a free port").port();
    let machine = Machine::boot(&folder);
    let secret = stand.secrets().next().expect("a token").clone();
    machine.secret(&format!("{account}.token"), &secret);
    let wrote = format!("smm systemd --on-failure --listen {port} --output /etc/systemd/system /srv/acme 2>&1");
    assert!(machine.run(&wrote).contains("wrote /etc/systemd/system/smm.service"));
    let unit = machine.run("cat /etc/systemd/system/smm.service");
    assert!(unit.contains("\nDynamicUser=yes\n") && unit.contains("\nWatchdogSec=60s\n"), "{unit}");
    // The second post stops the process right after the server has taken it: that is when a double would be made.
    let mut quick = "[Service]\nWatchdogSec=2s\nRestartSec=200ms\n".to_owned();
    let _ = write!(quick, "Environment=SMM_TRIAL_POINT=answered:2:stop");
    machine.run(&format!(
        "mkdir /etc/systemd/system/smm.service.d; echo '{quick}' > /etc/systemd/system/smm.service.d/test.conf
         systemctl daemon-reload; systemctl start smm"
    ));
    // It is ready when `start` ends.
    let health = get(port, "/healthz");
    assert!(health.starts_with("HTTP/1.1 200 "), "{health}");
    let show = |what: &str| machine.run(&format!("systemctl show --value -p {what} smm")).trim().to_owned();
    assert!(show("StatusText").starts_with("following rig"), "{}", show("StatusText"));
    let main = show("MainPID");
    let facts = machine.run(&format!("cat /proc/{main}/status; tr '\\0' ' ' < /proc/{main}/cmdline"));
    assert!(facts.contains("NoNewPrivs:\t1") && facts.contains("CapBnd:\t0000000000000000"), "{facts}");
    assert!(!facts.contains("Uid:\t0\t") && !facts.contains(&secret), "{facts}");
    let status = "STATE_DIRECTORY=/var/lib/smm smm status --format json /srv/acme || true";
    machine.until(status, |said| said.contains("\"state\": \"published\""));

    stand.calendar(vec![one.clone(), Planned::new("two", Utc::now() + TimeDelta::milliseconds(500))]);
    machine.run("systemctl reload smm");
    assert_eq!(show("ActiveState"), "active");
    assert_eq!(show("MainPID"), main, "a reload is no restart");
    // The watchdog ends it, and its successor finds out what has become of the post.
    let said = machine.until("systemctl show -p NRestarts -p ActiveState smm", |said| said.contains("NRestarts=1"));
    assert!(said.contains("NRestarts=1"), "{said}");
    machine.until(status, |said| said.matches("\"state\": \"published\"").count() == 2);
    let held = stand.held(&stand.nets[0]);
    assert_eq!(held.values().map(Vec::len).collect::<Vec<_>>(), [1, 1], "{held:?}");
    let text = get(port, "/metrics");
    assert!(text.contains(&format!("account=\"{account}\",network=\"mastodon\",state=\"published\"}} 2.0")), "{text}");

    let begun = Instant::now();
    machine.run("systemctl stop smm");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!((show("ActiveState"), show("Result")), ("inactive".to_owned(), "success".to_owned()));
    let log = machine.run("journalctl --no-pager --unit smm");
    assert!(log.contains("published") && log.contains("Watchdog timeout") && !log.contains(&secret), "{log}");
}

const FEED: &str = "name = \"acme\"\ntimezone = \"UTC\"\n[accounts.site]\nnetwork = \"feed\"\nfolder = \"public\"\n\
                    title = \"Acme\"\nlink = \"https://acme.example\"\n[defaults]\nto = [\"site\"]\n";

fn post(id: &str) -> String {
    let now = Utc::now().format("%Y-%m-%dT%H:%M:%S");
    format!("[[posts]]\nid = \"{id}\"\nat = {now}\ntext = \"Text of {id}\"\n")
}

/// A calendar at home, and a feed that is written there: the daemon as that home's owner; the timer; and the owner's own
/// service manager.
pub fn a_calendar_at_home() {
    let env = TestEnv::new();
    opened(env.path());
    let machine = Machine::boot(env.path());
    machine
        .run("useradd --create-home ann; chmod 0700 /home/ann; install -d -o ann /home/ann/acme /home/ann/acme/public");
    let calendar = |posts: &[&str]| {
        let text = posts.iter().fold(FEED.to_owned(), |text, id| text + &post(id));
        env.write("new.toml", text);
        machine.run("install -o ann -m 0600 /srv/acme/new.toml /home/ann/acme/.new; mv /home/ann/acme/.new /home/ann/acme/calendar.toml");
    };
    let out = |text: &str| {
        let found = format!("grep -rlF 'Text of {text}' /home/ann/acme/public --include entry.json || true");
        machine.until(&found, |found| !found.is_empty());
        assert_eq!(machine.run(&found).lines().count(), 1);
    };
    calendar(&["one"]);
    machine
        .run("smm systemd --output /etc/systemd/system /home/ann/acme; systemctl daemon-reload; systemctl start smm");
    let unit = machine.run("cat /etc/systemd/system/smm.service");
    for line in ["User=ann", "ProtectHome=tmpfs", "BindReadOnlyPaths=/home/ann/acme", "BindPaths=/home/ann/acme/public"]
    {
        assert!(unit.lines().any(|found| found == line), "{line} is not in\n{unit}");
    }
    out("one");
    // An edit is seen through the sandbox.
    calendar(&["one", "two"]);
    out("two");
    assert_eq!(machine.run("stat -c %U /home/ann/acme/public/*").lines().find(|owner| *owner != "ann"), None);
    machine.run("systemctl stop smm");

    calendar(&["one", "two", "three"]);
    machine.run(
        "smm systemd --timer --output /etc/systemd/system /home/ann/acme; systemctl daemon-reload
         systemctl start smm-publish.service; systemctl start smm-publish.timer",
    );
    out("three");
    assert_eq!(machine.run("systemctl show --value -p Result smm-publish.service").trim(), "success");
    assert!(machine.run("systemctl list-timers --no-pager").contains("smm-publish.service"));
    machine.run("systemctl stop smm-publish.timer");

    // The ledger of her own service manager is her own: it knows nothing of what went out.
    calendar(&["four"]);
    machine.run("systemctl start user@$(id -u ann)");
    let hers = |script: &str| {
        machine.run(&format!(
            "cd /home/ann; runuser -u ann -- env HOME=/home/ann XDG_RUNTIME_DIR=/run/user/$(id -u ann) bash -euc '{script}'"
        ))
    };
    hers(
        "mkdir -p ~/.config/systemd/user; smm systemd --user --output ~/.config/systemd/user acme
         systemctl --user daemon-reload; systemctl --user start smm",
    );
    out("four");
    assert!(hers("ls ~/.local/state/smm").contains("ledger.db"));
    let status = hers("systemctl --user show -p StatusText -p NRestarts smm");
    assert!(status.contains("following acme") && status.contains("NRestarts=0"), "{status}");
    hers("systemctl --user stop smm");
}
