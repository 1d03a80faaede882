//! A PostgreSQL server for one test: started as a user without rights, in a folder of its own, on loopback alone, with a
//! disk that is really synced; ended with the value, by its own process id.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Who the server runs as when the test is run as root, which PostgreSQL refuses to be.
const NOBODY: &str = "nobody";

/// How the server is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Connections are cut, what was committed is written: `pg_ctl stop -m fast`.
    Fast,
    /// As if the machine had crashed: `pg_ctl stop -m immediate`.
    Immediate,
}

/// A running server.
pub(crate) struct Postgres {
    port: u16,
    folder: tempfile::TempDir,
    settings: Vec<String>,
    process: Option<Child>,
}

impl Postgres {
    /// Where the server's programs are; `None`: it is not installed.
    pub(crate) fn programs() -> Option<PathBuf> {
        let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten()
            .filter_map(|entry| {
                let path = entry.ok()?.path();
                Some((path.file_name()?.to_str()?.parse().ok()?, path.join("bin")))
            })
            .filter(|(_, bin)| bin.join("postgres").is_file())
            .collect();
        versions.sort();
        versions.pop().map(|(_, bin)| bin)
    }

    /// Starts a server with these settings (`name=value`) beside the usual ones.
    pub(crate) fn start(settings: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("smm-pg").tempdir().expect("a folder");
        hand_over(folder.path());
        let data = folder.path().join("data");
        // The test signs in as `smm`; `guarded` has to show a password.
        let made = as_nobody("initdb", folder.path())
            .arg("-D")
            .arg(&data)
            .args(["-U", "smm", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"])
            .output()
            .expect("initdb runs");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let rules = data.join("pg_hba.conf");
        let before = std::fs::read_to_string(&rules).expect("pg_hba.conf");
        std::fs::write(&rules, format!("host all guarded 127.0.0.1/32 scram-sha-256\n{before}")).expect("written");
        let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        Self::serve(folder, settings)
    }

    /// A copy of a stopped server's data: a backup that was brought back, or a replica.
    pub(crate) fn copy(&self, settings: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("smm-pg").tempdir().expect("a folder");
        let copied = Command::new("cp").arg("-a").arg(self.data()).arg(folder.path().join("data")).status();
        assert!(copied.expect("cp runs").success());
        hand_over(folder.path());
        let _ = std::fs::remove_file(folder.path().join("data/postmaster.pid"));
        Self::serve(folder, settings.iter().map(|setting| (*setting).to_owned()).collect())
    }

    fn serve(folder: tempfile::TempDir, settings: Vec<String>) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|probe| probe.local_addr()).expect("a free port").port();
        let mut server = Self { port, folder, settings, process: None };
        server.up();
        server
    }

    /// Starts it again, on the same port.
    pub(crate) fn up(&mut self) {
        assert!(self.process.is_none(), "it runs");
        let mut command = as_nobody("postgres", self.folder.path());
        command.arg("-D").arg(self.data()).args(["-p", &self.port.to_string()]);
        command.arg("-c").arg(format!("unix_socket_directories={}", self.folder.path().display()));
        command.args(["-c", "listen_addresses=127.0.0.1", "-c", "max_connections=60", "-c", "shared_buffers=16MB"]);
        for setting in &self.settings {
            command.args(["-c", setting]);
        }
        let log =
            std::fs::File::options().create(true).append(true).open(self.folder.path().join("log")).expect("a log");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect("postgres starts");
        self.process = Some(child);
        let start = Instant::now();
        while !self.answers() {
            assert!(start.elapsed() < Duration::from_secs(30), "the server does not start:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn answers(&self) -> bool {
        let ready = Command::new(Self::programs().expect("it is installed").join("pg_isready"))
            .args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()])
            .status();
        ready.expect("pg_isready runs").success()
    }

    /// Stops it. Nothing happens when it is stopped.
    pub(crate) fn down(&mut self, how: Stop) {
        let Some(mut process) = self.process.take() else { return };
        let signal = match how {
            Stop::Fast => "-INT",
            Stop::Immediate => "-QUIT",
        };
        let _ = Command::new("kill").args([signal, &process.id().to_string()]).status();
        let start = Instant::now();
        while matches!(process.try_wait(), Ok(None)) {
            if start.elapsed() > Duration::from_secs(30) {
                let _ = process.kill();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// A stopped server comes back as a replica that was promoted: on another timeline.
    pub(crate) fn become_promoted(&mut self) {
        let signal = self.data().join("standby.signal");
        std::fs::write(&signal, "").expect("written");
        hand_over(&signal);
        self.up();
        self.sql("postgres", "SELECT pg_promote(true, 60)");
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The folder of its socket.
    pub(crate) fn socket(&self) -> &Path {
        self.folder.path()
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What it has said.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// The address of a database, for `ledger` in `smm.toml`.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://smm@127.0.0.1:{}/{database}", self.port)
    }

    /// Makes a database.
    pub(crate) fn database(&self, name: &str) {
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
    }

    /// Runs SQL as the administrator, and gives what it prints.
    #[track_caller]
    pub(crate) fn sql(&self, database: &str, sql: &str) -> String {
        let ran = Command::new(Self::programs().expect("it is installed").join("psql"))
            .args(["-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", "-U", "smm", "-d", database, "-h"])
            .arg(self.folder.path())
            .args(["-p", &self.port.to_string(), "-c", sql])
            .output()
            .expect("psql runs");
        assert!(ran.status.success(), "{sql}: {}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8_lossy(&ran.stdout).trim().to_owned()
    }

    /// A dump of a database, as `pg_dump` writes it.
    pub(crate) fn dump(&self, database: &str) -> Vec<u8> {
        let ran = Command::new(Self::programs().expect("it is installed").join("pg_dump"))
            .args(["-U", "smm", "-d", database, "-h"])
            .arg(self.folder.path())
            .args(["-p", &self.port.to_string(), "--clean", "--if-exists"])
            .output()
            .expect("pg_dump runs");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        ran.stdout
    }

    /// Brings a dump back.
    pub(crate) fn restore(&self, database: &str, dump: &[u8]) {
        let file = self.folder.path().join("dump.sql");
        std::fs::write(&file, dump).expect("written");
        let ran = Command::new(Self::programs().expect("it is installed").join("psql"))
            .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-U", "smm", "-d", database, "-h"])
            .arg(self.folder.path())
            .args(["-p", &self.port.to_string(), "-f"])
            .arg(&file)
            .output()
            .expect("psql runs");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.down(Stop::Immediate);
    }
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|facts| facts.uid() == 0)
}

/// Gives a folder to whoever the server runs as.
pub(crate) fn hand_over(folder: &Path) {
    if is_root() {
        let given = Command::new("chown").args(["-R", NOBODY]).arg(folder).status();
        assert!(given.expect("chown runs").success());
    }
}

/// A program of the server's, run as a user without rights.
fn as_nobody(program: &str, folder: &Path) -> Command {
    let program = Postgres::programs().expect("it is installed").join(program);
    let mut command = if is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", NOBODY, "--clear-groups"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command
        .current_dir(folder)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("LC_ALL", "C");
    command
}
