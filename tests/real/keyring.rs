//! Secrets in a real Secret Service: GNOME Keyring on a private D-Bus, and what becomes of it when it is locked, hangs, or is
//! not there.

use std::io::Write as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use smm::adapter::suite::Fake;
use smm::model::{Account, AccountName};
use smm::secrets::{Chain, Owner};

use crate::process::{pause, serve, wait};
use crate::support::{Run, TestEnv};

/// Set for a process that is [`helper`] and nothing else: `store`, `read` or `remove`.
const HELPER: &str = "SMM_TEST_KEYRING";
/// The account's server, for the helper.
const SERVER: &str = "SMM_TEST_SERVER";
/// The secret that the helper stores.
const SECRET: &str = "a-token-in-the-keyring";
/// The vault's key.
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// Whether it is installed.
pub fn installed() -> bool {
    ["dbus-daemon", "gnome-keyring-daemon", "secret-tool"].iter().all(|program| on_path(program))
}

fn on_path(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

/// Asks the chain of this process, whose environment its parent has chosen: this very binary started again. `None`: it was
/// started for tests.
pub fn helper() -> Option<ExitCode> {
    let ask = std::env::var(HELPER).ok()?;
    let mut account = Account::new(AccountName::new("fedi"), "mastodon");
    account.server = std::env::var(SERVER).ok();
    let owner = Owner::account(&account);
    let state = PathBuf::from(std::env::var_os("STATE_DIRECTORY").expect("a folder of state"));
    let chain = Chain::usual(|name| std::env::var(name).ok(), None, Some(&state));
    let said = wait(async {
        match ask.as_str() {
            "store" => chain.store(&owner, "token", &SECRET.into(), None).await.map(str::to_owned),
            "remove" => chain.remove(&owner, "token").await.map(|had| had.join(",")),
            _ => {
                let found = chain.read(&owner, "token").await;
                found.map(|found| found.map_or_else(|| "none".to_owned(), |found| found.source.to_owned()))
            }
        }
    });
    let (text, code) = match said {
        Ok(text) => (text, 0),
        Err(text) => (text, 1),
    };
    std::io::stdout().write_all(text.as_bytes()).expect("a pipe");
    Some(ExitCode::from(code))
}

/// A process that ends with its value.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A bus of its own, on which nothing is started by itself; a keyring on it, perhaps; and a calendar with an account.
struct Desk {
    env: TestEnv,
    fake: Box<dyn Fake>,
    bus: String,
    keyring: Option<Ended>,
    daemon: Option<Ended>,
}

impl Desk {
    /// With a bus, and nobody on it.
    fn new() -> Self {
        let mut desk = Self::without_bus();
        let folder = desk.env.path().to_owned();
        let socket = folder.join("bus");
        let config = desk.env.write(
            "bus.conf",
            format!(
                "<busconfig><type>session</type><listen>unix:path={}</listen><auth>EXTERNAL</auth><policy \
                 context=\"default\"><allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/><allow \
                 own=\"*\"/></policy></busconfig>",
                socket.display()
            ),
        );
        let bus = Command::new("dbus-daemon")
            .arg(format!("--config-file={}", config.display()))
            .arg("--nofork")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("dbus-daemon starts");
        desk.daemon = Some(Ended(bus));
        until("the bus is there", || socket.exists());
        desk
    }

    /// The address of a bus that is not there.
    fn without_bus() -> Self {
        let env = TestEnv::new();
        let network = smm::networks::find("mastodon").expect("built in");
        let fake = serve(network.fake()).expect("it has a fake");
        let server = fake.front().expect("HTTP").url().to_owned();
        env.write(
            "smm.toml",
            format!(
                "[delivery]\ntimeout = \"5s\"\nsettle = \"1s\"\n[accounts.fedi]\nnetwork = \"mastodon\"\nserver = \
                 \"{server}\"\n[accounts.other]\nnetwork = \"mastodon\"\nserver = \"https://other.invalid\"\n"
            ),
        );
        env.write(
            "calendar.toml",
            "name = \"keys\"\ntimezone = \"UTC\"\n[[posts]]\nid = \"later\"\nat = 2036-01-01T10:00:00\ntext = \"Later\"\nto = \
             [\"fedi\"]\n",
        );
        let bus = format!("unix:path={}", env.path().join("bus").display());
        Self { env, fake, bus, keyring: None, daemon: None }
    }

    /// Starts the keyring; `unlocked`: its password is given, and its first collection made.
    fn keyring(&mut self, unlocked: bool) {
        self.keyring = None;
        let runtime = self.env.path().join("run");
        std::fs::create_dir_all(&runtime).expect("a folder");
        std::fs::set_permissions(&runtime, std::os::unix::fs::PermissionsExt::from_mode(0o700)).expect("its mode");
        let mut command = Command::new("gnome-keyring-daemon");
        command.args(["--foreground", "--components=secrets"]);
        if unlocked {
            command.arg("--unlock");
        }
        self.at_home(&mut command).env("XDG_RUNTIME_DIR", &runtime);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        // One that stays locked does not read it.
        let _ = child.stdin.take().expect("a pipe").write_all(b"a password");
        self.keyring = Some(Ended(child));
        until("the keyring answers", || {
            let mut tool = Command::new("secret-tool");
            tool.args(["search", "service", "nobody"]);
            self.at_home(&mut tool).output().is_ok_and(|output| output.status.success())
        });
    }

    fn at_home<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.env.path().join("home"))
            .env("DBUS_SESSION_BUS_ADDRESS", &self.bus)
    }

    /// Runs the program, without any secret but these.
    fn smm(&self, variables: &[(&str, &str)], args: &[&str]) -> Run {
        let mut command = self.env.command();
        command.env_remove("SMM_KEYRING").env("DBUS_SESSION_BUS_ADDRESS", &self.bus);
        Run::from(command.envs(variables.iter().copied()).args(args).output().expect("smm runs"))
    }

    /// Asks the chain: the exit status and what it said.
    fn ask(&self, ask: &str, server: Option<&str>, variables: &[(&str, &str)]) -> (bool, String) {
        let mut command = Command::new(std::env::current_exe().expect("this binary"));
        self.at_home(&mut command)
            .env(HELPER, ask)
            .env(SERVER, server.unwrap_or(self.fake.front().expect("HTTP").url()))
            .env("STATE_DIRECTORY", self.env.path().join("state/smm"))
            .envs(variables.iter().copied());
        let output = command.output().expect("it starts");
        (output.status.success(), String::from_utf8(output.stdout).expect("text"))
    }

    fn out(&self) -> Vec<String> {
        wait(self.fake.posts()).into_iter().map(|post| post.text).collect()
    }

    fn user(&self) -> String {
        format!("fedi.token@mastodon {}", self.fake.front().expect("HTTP").url())
    }
}

fn until(what: &str, is: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !is() {
        assert!(Instant::now() < end, "{what}: not within 20 s");
        pause(20);
    }
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let began = Instant::now();
    (work(), began.elapsed())
}

/// Stored by us, it lies under the name that is told; stored by a person with `secret-tool`, the program posts with it.
pub fn stores_and_reads() {
    let mut desk = Desk::new();
    desk.keyring(true);
    assert_eq!(desk.ask("read", None, &[]), (true, "none".to_owned()));
    assert_eq!(desk.ask("store", None, &[]), (true, "keyring".to_owned()));
    assert_eq!(desk.ask("read", None, &[]), (true, "keyring".to_owned()));
    assert_eq!(desk.ask("read", Some("https://other.example"), &[]), (true, "none".to_owned()), "it is for one server");
    let mut tool = Command::new("secret-tool");
    tool.args(["lookup", "service", "smm", "username", &desk.user()]);
    let seen = desk.at_home(&mut tool).output().expect("it runs");
    assert_eq!(String::from_utf8_lossy(&seen.stdout), SECRET);
    assert!(!desk.env.path().join("state/smm/vault").exists());
    assert_eq!(desk.ask("remove", None, &[]), (true, "keyring".to_owned()));
    assert_eq!(desk.ask("read", None, &[]), (true, "none".to_owned()));

    let token = desk.fake.secrets()["token"].clone();
    let mut tool = Command::new("secret-tool");
    tool.args(["store", "--label=smm", "service", "smm", "username", &desk.user()]);
    let mut tool = desk.at_home(&mut tool).stdin(Stdio::piped()).spawn().expect("it runs");
    tool.stdin.take().expect("a pipe").write_all(token.as_bytes()).expect("it reads");
    assert!(tool.wait().expect("it ends").success());
    let run = desk.smm(&[], &["post", "From the keyring", "--to", "fedi", "-vvv"]).expect(0);
    assert_eq!(desk.out(), ["From the keyring"]);
    assert!(!run.stderr.contains(&token) && !run.stdout.contains(&token), "{}", run.stderr);
    // For another server there is none, and it is said where one was looked for.
    let run = desk.smm(&[], &["post", "Elsewhere", "--to", "other"]).expect(1);
    let said = run.stdout + &run.stderr;
    assert!(said.contains("other.token@mastodon https://other.invalid"), "{said}");
}

/// Nobody is asked for a password for ever; the vault takes what has to be kept, and is then asked first.
pub fn one_that_is_locked_is_given_up_on() {
    let mut desk = Desk::new();
    desk.keyring(true);
    assert_eq!(desk.ask("store", None, &[]), (true, "keyring".to_owned()));
    desk.keyring(false);
    let ((done, said), took) = timed(|| desk.ask("read", None, &[]));
    assert!(!done && said.contains("unlock it") && said.contains("SMM_VAULT_KEY"), "{said}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    let (run, took) = timed(|| desk.smm(&[], &["post", "Locked", "--to", "fedi"]));
    let run = run.expect(1);
    let said = run.stdout + &run.stderr;
    assert!(said.contains("locked") && said.contains("unlock it"), "{said}");
    assert!(took < Duration::from_secs(20), "{took:?}");
    let vault = [("SMM_VAULT_KEY", KEY)];
    assert_eq!(desk.ask("store", None, &vault), (true, "vault".to_owned()));
    let (found, took) = timed(|| desk.ask("read", None, &vault));
    assert_eq!(found, (true, "vault".to_owned()));
    assert!(took < Duration::from_secs(2), "the keyring is not waited for: {took:?}");
    // Unlocked again, the older one in it is not taken for the newer.
    desk.keyring(true);
    assert_eq!(desk.ask("read", None, &vault), (true, "vault".to_owned()));
    assert_eq!(desk.ask("store", None, &vault), (true, "keyring".to_owned()));
    assert_eq!(desk.ask("read", None, &vault), (true, "keyring".to_owned()));
}

/// A bus that takes the call and never answers costs 3 s, once, and only those who need it.
pub fn one_that_hangs_is_waited_for_once() {
    let desk = Desk::without_bus();
    let listener = UnixListener::bind(desk.env.path().join("bus")).expect("a socket");
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    // It ends with the process of the tests.
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for call in listener.incoming() {
            counted.fetch_add(1, Ordering::SeqCst);
            held.push(call);
        }
    });
    for args in [&["check"][..], &["plan"], &["status"], &["networks"]] {
        desk.smm(&[], args);
    }
    let token = desk.fake.secrets()["token"].clone();
    desk.smm(&[("SMM_FEDI_TOKEN", &token)], &["post", "From the environment", "--to", "fedi"]).expect(0);
    assert_eq!(desk.out(), ["From the environment"]);
    let before = calls.load(Ordering::SeqCst);
    let (run, took) = timed(|| desk.smm(&[], &["post", "Nowhere", "--to", "fedi,other"]));
    let run = run.expect(1);
    let said = run.stdout + &run.stderr;
    assert!(said.contains("within 3 s") && said.contains("SMM_VAULT_KEY") && said.contains("unlock it"), "{said}");
    assert!(took >= Duration::from_secs(3) && took < Duration::from_millis(5900), "waited for once: {took:?}");
    assert_eq!(calls.load(Ordering::SeqCst), before + 1);
    assert_eq!(desk.ask("store", None, &[("SMM_VAULT_KEY", KEY)]), (true, "vault".to_owned()));
    let (found, took) = timed(|| desk.ask("read", None, &[("SMM_VAULT_KEY", KEY)]));
    assert_eq!(found, (true, "vault".to_owned()));
    assert!(took < Duration::from_secs(2), "what the vault took is found there first: {took:?}");
    let (found, _) = timed(|| desk.ask("read", Some("https://x.example"), &[("SMM_KEYRING", "off")]));
    assert!(!found.1.contains("within 3 s"), "{found:?}");
    assert_eq!(before, 0, "nobody asked who needed nothing of it");
}

/// Where there is none, there is nothing in it, and nobody waits.
pub fn one_that_is_not_there_has_nothing() {
    // No bus at all, and a bus with nobody on it.
    for desk in [Desk::without_bus(), Desk::new()] {
        let (found, took) = timed(|| desk.ask("read", None, &[]));
        assert_eq!(found, (true, "none".to_owned()));
        assert!(took < Duration::from_secs(2), "{took:?}");
        let run = desk.smm(&[], &["post", "Nowhere", "--to", "fedi"]).expect(1);
        let said = run.stdout + &run.stderr;
        assert!(said.contains("SMM_FEDI_TOKEN") && said.contains("there is no keyring"), "{said}");
        let (done, said) = desk.ask("store", None, &[]);
        assert!(!done && said.contains("there is no keyring") && said.contains("head -c 32 /dev/urandom"), "{said}");
        assert_eq!(desk.ask("store", None, &[("SMM_VAULT_KEY", KEY)]), (true, "vault".to_owned()));
        assert!(!Path::new(&desk.env.path().join("state/smm/ledger.db-lock")).exists());
    }
}
