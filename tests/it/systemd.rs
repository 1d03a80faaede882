//! `smm systemd`: units that systemd takes, that its own judge finds well shut off, and that say what is true of this
//! machine. And the daemon under a service manager of the test's own.

use std::io::{BufRead as _, BufReader};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};

use crate::process::{Daemon, pause, signal};
use crate::stand::{Kind, Planned, Stand};
use crate::support::{Run, TestEnv};

const CALENDAR: &str = "name = \"acme\"\ntimezone = \"UTC\"\n[defaults]\nto = [\"bsky\"]\n";
const ACCOUNTS: &str = "[accounts.bsky]\nnetwork = \"bluesky\"\nhandle = \"acme.example\"\n\
                        [accounts.fedi]\nnetwork = \"mastodon\"\nserver = \"https://fedi.example\"\n\
                        [[alerts]]\nname = \"oncall\"\nkind = \"webhook\"\n";

/// A calendar with two accounts that need secrets, that everybody may read.
fn site() -> TestEnv {
    let env = TestEnv::new();
    env.write("calendar.toml", CALENDAR);
    env.write("smm.toml", ACCOUNTS);
    opened(env.path());
    env
}

/// Lets everybody read a folder.
fn opened(folder: &Path) {
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).expect("set");
}

fn has(text: &str, line: &str) -> bool {
    text.lines().any(|found| found == line)
}

/// Whether systemd's own tools are there; says loudly when they are not.
fn analyzes() -> bool {
    let there = Command::new("systemd-analyze").arg("--version").output().is_ok_and(|run| run.status.success());
    let required = std::env::var_os("SMM_REAL_REQUIRED").is_some_and(|value| value == "1");
    assert!(there || !required, "systemd-analyze is not installed");
    if !there {
        eprintln!("SKIPPED systemd's own check of the units: systemd-analyze is not installed");
    }
    there
}

fn analyze(folder: &Path, args: &[&str]) -> Run {
    let run = Command::new("systemd-analyze")
        .args(args)
        .current_dir(folder)
        .env("SYSTEMD_COLORS", "0")
        .env("XDG_RUNTIME_DIR", folder)
        .output();
    Run::from(run.expect("it runs"))
}

#[test]
fn systemd_takes_every_unit_and_finds_them_well_shut_off() {
    let env = site();
    std::fs::create_dir(env.path().join("units")).expect("a folder");
    for kind in [&["--on-failure"][..], &["--timer"]] {
        let run = env.smm(&[&["systemd", "--output", "units"][..], kind].concat()).expect(0);
        assert!(run.stdout.is_empty() && run.stderr.contains("wrote units/"), "{run:?}");
    }
    std::fs::create_dir(env.path().join("user")).expect("a folder");
    for kind in [&["--on-failure"][..], &["--timer"]] {
        env.smm(&[&["systemd", "--user", "--output", "user"][..], kind].concat()).expect(0);
    }
    if !analyzes() {
        return;
    }
    let units = ["./smm.service", "./smm-publish.service", "./smm-publish.timer", "./smm-failed@.service"];
    for unit in units {
        let run = analyze(&env.path().join("units"), &["verify", "--man=no", unit]);
        assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{unit}");
        let run = analyze(&env.path().join("user"), &["verify", "--user", "--man=no", unit]);
        assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{unit} of a user");
    }
    for unit in ["./smm.service", "./smm-publish.service"] {
        let args = ["security", "--offline=true", "--no-pager", "--threshold=15", unit];
        let run = analyze(&env.path().join("units"), &args);
        let score = run.stdout.lines().find(|line| line.contains("exposure level")).unwrap_or_default().to_owned();
        eprintln!("{score}");
        assert_eq!(run.status, 0, "{score}\n{}{}", run.stdout, run.stderr);
        let number: f64 = score
            .rsplit(": ")
            .next()
            .and_then(|rest| rest.split(' ').next())
            .expect("a score")
            .parse()
            .expect("a number");
        assert!(number <= 1.5, "{score}");
    }
}

#[test]
fn the_unit_says_what_is_so_here() {
    let env = site();
    let text = env.smm(&["systemd"]).expect(0).stdout;
    let folder = std::fs::canonicalize(env.path()).expect("a folder");
    let smm = std::fs::canonicalize(env!("CARGO_BIN_EXE_smm")).expect("the program");
    let start = format!("ExecStart={} daemon {}/calendar.toml", smm.display(), folder.display());
    for line in [
        start.as_str(),
        "Type=notify",
        "WatchdogSec=60s",
        "TimeoutStopSec=60s",
        "DynamicUser=yes",
        "StateDirectory=smm",
        "Restart=on-failure",
        "LoadCredential=bsky.password:smm.bsky.password",
        "LoadCredential=fedi.token:smm.fedi.token",
        "LoadCredential=alert-oncall.url:smm.alert-oncall.url",
        "LoadCredential=smm-vault-key:smm-vault-key",
        "WantedBy=multi-user.target",
    ] {
        assert!(has(&text, line), "{line} is not in\n{text}");
    }
    assert!(text.contains("sudo systemctl daemon-reload") && text.contains("/etc/systemd/system"), "{text}");
    // The test's folder lies where the sandbox has another one.
    assert_eq!(has(&text, &format!("BindReadOnlyPaths={}", folder.display())), folder.starts_with("/tmp"));

    // Found beside the calendar it is found again; named it is trusted, and stays so.
    let text = env.smm(&["systemd", "--config", "smm.toml", "--listen", "9464"]).expect(0).stdout;
    let named = format!("daemon --config {0}/smm.toml --listen 127.0.0.1:9464 {0}/calendar.toml", folder.display());
    assert!(text.contains(&named), "{text}");
    let text = env.smm(&["systemd", "--listen", "unix:/run/smm/http.sock"]).expect(0).stdout;
    assert!(has(&text, "RuntimeDirectory=smm") && text.contains("--listen unix:/run/smm/http.sock "), "{text}");
    let run = env.smm(&["systemd", "--listen", "unix:/run/http.sock"]).expect(1);
    assert!(run.stderr.contains("name one in /run/smm"), "{}", run.stderr);

    let text = env.smm(&["systemd", "--user"]).expect(0).stdout;
    for foreign in ["DynamicUser", "StateDirectory=smm", "CapabilityBoundingSet", "PrivateDevices", "LoadCredential"] {
        assert!(!text.contains(foreign), "{foreign}: {text}");
    }
    assert!(has(&text, "WantedBy=default.target") && text.contains("systemctl --user daemon-reload"), "{text}");
}

#[test]
fn odd_paths_are_written_so_that_systemd_reads_them() {
    let env = site();
    let odd = "50% off $HOME \"x\"; it's";
    for file in ["calendar.toml", "smm.toml"] {
        env.write(&format!("{odd}/{file}"), env.read(file));
    }
    opened(&env.path().join(odd));
    let run = env.smm(&["systemd", odd]).expect(0);
    let start = run.stdout.lines().find(|line| line.starts_with("ExecStart=")).expect("a line");
    assert!(start.ends_with(r#"/50%% off $$HOME \"x\"; it's/calendar.toml""#), "{start}");
    env.write("smm.service", &run.stdout);
    if analyzes() {
        let run = analyze(env.path(), &["verify", "--man=no", "./smm.service"]);
        assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    }
    env.write("line\nfeed/calendar.toml", CALENDAR);
    env.write("line\nfeed/smm.toml", ACCOUNTS);
    let run = env.smm(&["systemd", "line\nfeed"]).expect(1);
    assert!(run.stderr.contains("a unit cannot name"), "{}", run.stderr);
}

#[test]
fn who_writes_files_runs_as_their_owner() {
    let env = TestEnv::new();
    env.write(
        "calendar.toml",
        "name = \"acme\"\ntimezone = \"UTC\"\n[accounts.site]\nnetwork = \"feed\"\nfolder = \"public\"\n\
         title = \"Acme\"\nlink = \"https://acme.example\"\n[defaults]\nto = [\"site\"]\n",
    );
    opened(env.path());
    let run = env.smm(&["systemd"]).expect(1);
    assert!(run.stderr.contains("account `site` is not there") && run.stderr.contains("mkdir -p"), "{}", run.stderr);
    std::fs::create_dir(env.path().join("public")).expect("a folder");
    let text = env.smm(&["systemd", "--run-as", "www-data"]).expect(0).stdout;
    assert!(has(&text, "User=www-data") && !has(&text, "DynamicUser=yes"), "{text}");
    assert!(has(&text, "UMask=0022"), "a web server reads what it writes: {text}");
    let public = std::fs::canonicalize(env.path().join("public")).expect("a folder");
    let hidden = public.starts_with("/tmp");
    let line = format!("{}={}", if hidden { "BindPaths" } else { "ReadWritePaths" }, public.display());
    assert!(has(&text, &line), "{line} is not in\n{text}");
    if std::os::unix::fs::chown(&public, Some(65534), None).is_ok() {
        let text = env.smm(&["systemd"]).expect(0).stdout;
        assert!(has(&text, "User=nobody"), "{text}");
        std::os::unix::fs::chown(&public, Some(0), None).expect("changed");
        let run = env.smm(&["systemd"]).expect(1);
        assert!(run.stderr.contains("belongs to root"), "{}", run.stderr);
    }
    env.smm(&["systemd", "--run-as", "a b"]).expect(2);
}

#[test]
fn several_units_are_told_apart_and_nothing_is_overwritten() {
    let env = site();
    let run = env.smm(&["systemd", "--timer"]).expect(0);
    let heads: Vec<&str> = run.stdout.lines().filter(|line| line.starts_with("# /etc/systemd/system/")).collect();
    assert_eq!(heads, ["# /etc/systemd/system/smm-publish.service", "# /etc/systemd/system/smm-publish.timer"]);
    assert!(run.stderr.contains("these are 2 files"), "{}", run.stderr);
    assert!(
        run.stdout.contains("Type=oneshot") && run.stdout.contains(" publish ") && run.stdout.contains("OnCalendar=")
    );
    env.smm(&["systemd", "--output", "."]).expect(0);
    env.smm(&["systemd", "--output", "."]).expect(0);
    env.write("smm.service", "[Service]\n");
    let run = env.smm(&["systemd", "--output", "."]).expect(1);
    assert!(run.stderr.contains("--force"), "{}", run.stderr);
    assert_eq!(env.read("smm.service"), "[Service]\n");
    env.smm(&["systemd", "--output", ".", "--force"]).expect(0);
    assert!(env.read("smm.service").contains("Type=notify"));
}

/// A service manager's end, under an abstract name or a path.
struct Manager {
    socket: UnixDatagram,
    name: String,
}

impl Manager {
    fn hidden() -> Self {
        let name = format!("smm-test-{}-{:?}", std::process::id(), std::thread::current().id());
        let address = SocketAddr::from_abstract_name(&name).expect("a name");
        Self::over(UnixDatagram::bind_addr(&address).expect("a socket"), format!("@{name}"))
    }

    fn at(path: &Path) -> Self {
        Self::over(UnixDatagram::bind(path).expect("a socket"), path.display().to_string())
    }

    fn over(socket: UnixDatagram, name: String) -> Self {
        socket.set_read_timeout(Some(Duration::from_millis(100))).expect("set");
        Self { socket, name }
    }

    fn daemon(&self, stand: &Stand, watchdog: Duration, point: Option<&str>) -> Daemon {
        let mut command = stand.command();
        command.env("NOTIFY_SOCKET", &self.name).env("WATCHDOG_USEC", watchdog.as_micros().to_string());
        command.envs(point.map(|point| ("SMM_TRIAL_POINT", point)));
        Daemon::start(command)
    }

    /// What comes within this time, or until this line has come.
    fn hears(&self, time: Duration, until: &str) -> Vec<String> {
        let (end, mut heard, mut buffer) = (Instant::now() + time, Vec::new(), [0; 4096]);
        while Instant::now() < end {
            let Ok(count) = self.socket.recv(&mut buffer) else { continue };
            heard.extend(BufReader::new(&buffer[..count]).lines().map_while(Result::ok));
            if heard.iter().any(|line| !until.is_empty() && line.starts_with(until)) {
                break;
            }
        }
        heard
    }

    /// Hears what comes from now on, so that nobody waits to be heard.
    fn listens(&self) {
        let socket = self.socket.try_clone().expect("a socket");
        let end = Instant::now() + Duration::from_mins(1);
        std::thread::spawn(move || {
            while Instant::now() < end {
                let _ = socket.recv(&mut [0; 4096]);
            }
        });
    }

    #[track_caller]
    fn expects(&self, line: &str) -> Vec<String> {
        let heard = self.hears(Duration::from_secs(20), line);
        assert!(heard.iter().any(|heard| heard.starts_with(line)), "no {line}: {heard:?}");
        heard
    }
}

#[test]
fn an_abstract_socket_is_told_the_same() {
    let mut stand = Stand::new(&[Kind::Files]);
    stand.calendar(vec![Planned::new("out", Utc::now())]);
    let manager = Manager::hidden();
    let daemon = manager.daemon(&stand, Duration::from_millis(400), None);
    let heard = manager.expects("READY=1");
    assert_eq!(heard[0], "READY=1", "nothing before");
    manager.expects("WATCHDOG=1");
    daemon.signal("HUP");
    let heard = manager.expects("RELOADING=1");
    assert!(!heard.contains(&"READY=1".to_owned()), "{heard:?}");
    manager.expects("READY=1");
    stand.env.write("calendar.toml", "name = 7");
    manager.expects("STATUS=2 mistakes");
    daemon.stops();
    manager.expects("STOPPING=1");
}

#[test]
fn a_loop_that_waits_for_its_disk_does_not_say_that_it_lives() {
    let mut stand = Stand::new(&[Kind::Files]);
    stand.calendar(vec![Planned::new("one", Utc::now() + TimeDelta::milliseconds(1500))]);
    let manager = Manager::at(&stand.env.path().join("notify"));
    let daemon = manager.daemon(&stand, Duration::from_millis(200), None);
    manager.expects("READY=1");
    manager.expects("WATCHDOG=1");
    let other = rusqlite::Connection::open(stand.env.path().join("state/smm/ledger.db")).expect("the ledger");
    other.execute_batch("BEGIN IMMEDIATE").expect("locked");
    pause(1700);
    manager.hears(Duration::from_millis(200), "");
    // Its loop waits for the claim. The process itself is well, and would beat every 100 ms.
    assert_eq!(manager.hears(Duration::from_millis(800), ""), Vec::<String>::new());
    other.execute_batch("ROLLBACK").expect("free");
    manager.expects("WATCHDOG=1");
    manager.listens();
    let rows = stand.until_rest(Duration::from_secs(30));
    assert_eq!(stand.check(&rows).deliveries, 1);
    daemon.stops();
}

#[test]
fn a_daemon_that_hangs_is_silent_and_its_successor_sends_nothing_twice() {
    let mut stand = Stand::new(&[Kind::Key, Kind::LookUp]);
    stand.calendar(vec![Planned::new("one", Utc::now() + TimeDelta::milliseconds(500))]);
    let manager = Manager::at(&stand.env.path().join("notify"));
    // It stands still right after the answer, as a process does that hangs.
    let mut daemon = manager.daemon(&stand, Duration::from_millis(400), Some("answered:1:stop"));
    manager.expects("READY=1");
    daemon.stopped();
    manager.hears(Duration::from_millis(300), "");
    assert_eq!(manager.hears(Duration::from_secs(1), ""), Vec::<String>::new(), "it does not say that it lives");
    // What a watchdog does.
    signal(&daemon.child, "ABRT");
    signal(&daemon.child, "KILL");
    daemon.child.wait().expect("ended");
    let daemon = manager.daemon(&stand, Duration::from_millis(400), None);
    manager.expects("READY=1");
    manager.listens();
    let rows = stand.until_rest(Duration::from_secs(30));
    stand.check(&rows);
    pause(100);
    daemon.stops();
}
