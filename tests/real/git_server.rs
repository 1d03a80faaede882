//! The ledger in git on a real server: `git http-backend` behind lighttpd, with a token that may push and one that may only
//! read.

use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use smm::ledger::git::GitLedger;
use smm::ledger::suite::{self, Store};
use smm::ledger::{Alert, Ledger, OpenMode, Opening, Query};
use smm::time::{Clock, ManualClock};

use crate::repository::git;
use crate::servers::{Ended, real};

/// What may push, as a job's own header carries it: `pusher:p-token`.
const MAY_PUSH: &str = "AUTHORIZATION: basic cHVzaGVyOnAtdG9rZW4=";
/// What may only read: `reader:r-token`.
const MAY_READ: &str = "AUTHORIZATION: basic cmVhZGVyOnItdG9rZW4=";

fn program() -> PathBuf {
    real().join("lighttpd/usr/sbin/lighttpd")
}

/// Whether it is installed.
pub fn installed() -> bool {
    program().is_file() && Command::new("git").arg("version").output().is_ok()
}

/// A server, ended with this value.
pub struct GitServer {
    folder: tempfile::TempDir,
    port: u16,
    made: AtomicUsize,
    _process: Ended,
}

impl GitServer {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
        let at = folder.path();
        for name in ["repos", "www"] {
            std::fs::create_dir(at.join(name)).expect("a folder");
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let git = std::env::split_paths(&path).map(|folder| folder.join("git")).find(|git| git.is_file());
        // A token that may only read is answered as forges do.
        let backend = format!(
            "#!/bin/sh\ncase \"$REMOTE_USER:$PATH_INFO?$QUERY_STRING\" in\nreader:*receive-pack*) printf 'Status: 403 \
             Forbidden\\r\\nContent-Type: text/plain\\r\\n\\r\\nWrite access to repository not granted.\\n'; exit 0;;\nesac\n\
             exec {} http-backend\n",
            git.expect("git is there").display()
        );
        std::fs::write(at.join("backend"), backend).expect("written");
        std::fs::set_permissions(at.join("backend"), std::fs::Permissions::from_mode(0o755)).expect("set");
        std::fs::write(at.join("users"), "pusher:p-token\nreader:r-token\n").expect("written");
        let config = format!(
            r#"server.document-root = "{at}/www"
server.bind = "127.0.0.1"
server.port = {port}
server.errorlog = "{at}/error.log"
server.modules = ("mod_alias", "mod_setenv", "mod_auth", "mod_authn_file", "mod_cgi")
alias.url = ("/git" => "{at}/backend")
$HTTP["url"] =~ "^/git" {{
  cgi.assign = ("" => "")
  setenv.set-environment = ("GIT_PROJECT_ROOT" => "{at}/repos", "GIT_HTTP_EXPORT_ALL" => "1", "HOME" => "{at}")
  auth.backend = "plain"
  auth.backend.plain.userfile = "{at}/users"
  auth.require = ("" => ("method" => "basic", "realm" => "git", "require" => "valid-user"))
}}
"#,
            at = at.display()
        );
        std::fs::write(at.join("conf"), config).expect("written");
        let child = Command::new(program())
            .args(["-D", "-m"])
            .arg(real().join("lighttpd/usr/lib/lighttpd"))
            .arg("-f")
            .arg(at.join("conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("lighttpd starts");
        let process = Ended(child);
        for _ in 0..200 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        Self { folder, port, made: AtomicUsize::new(0), _process: process }
    }

    /// A new bare repository; gives its name.
    fn repository(&self) -> String {
        let name = format!("r{}.git", self.made.fetch_add(1, Ordering::SeqCst));
        git(&self.folder.path().join("repos"), &["init", "-q", "--bare", &name]);
        name
    }

    /// A repository of somebody who works with it, with a header in its settings as a job's checkout leaves it.
    fn clone_of(&self, repository: &str, header: Option<&str>) -> PathBuf {
        let folder = self.folder.path().join(format!("clone-{}", self.made.fetch_add(1, Ordering::SeqCst)));
        std::fs::create_dir(&folder).expect("a folder");
        git(&folder, &["init", "-q"]);
        let host = format!("http://127.0.0.1:{}/", self.port);
        git(&folder, &["remote", "add", "origin", &format!("{host}git/{repository}")]);
        if let Some(header) = header {
            git(&folder, &["config", &format!("http.{host}.extraheader"), header]);
        }
        folder
    }
}

fn open(clone: &Path, clock: Option<Arc<dyn Clock>>) -> GitLedger {
    let state = clone.join(".git/smm-state");
    let mut opening = Opening::new("git", &state, OpenMode::ReadWrite);
    opening.folder = Some(clone);
    match clock {
        Some(clock) => GitLedger::open_with(&opening, clock, Duration::ZERO).expect("a ledger"),
        None => GitLedger::open(&opening).expect("a ledger"),
    }
}

struct Served {
    server: Arc<GitServer>,
    repository: String,
    clock: Arc<ManualClock>,
}

impl Served {
    fn new(server: Arc<GitServer>) -> Self {
        let start = chrono::DateTime::from_timestamp(1_800_000_000, 0).expect("a time");
        Self { repository: server.repository(), server, clock: Arc::new(ManualClock::new(start)) }
    }
}

#[async_trait::async_trait]
impl Store for Served {
    fn open(&self) -> Arc<dyn Ledger> {
        let clone = self.server.clone_of(&self.repository, Some(MAY_PUSH));
        Arc::new(open(&clone, Some(Arc::clone(&self.clock) as Arc<dyn Clock>)))
    }

    fn another(&self) -> Box<dyn Store> {
        Box::new(Self::new(Arc::clone(&self.server)))
    }

    async fn pass(&self, time: Duration) {
        self.clock.pass(time);
    }
}

/// Every case of the behaviour suite, each in a repository of its own.
pub fn passes_the_suite() {
    let server = Arc::new(GitServer::start());
    for (name, case) in suite::all().iter().chain(suite::shared()) {
        eprintln!("{name}");
        crate::run(case(Box::new(Served::new(Arc::clone(&server)))));
    }
}

fn alert() -> Alert {
    let at = chrono::DateTime::UNIX_EPOCH;
    Alert {
        key: "key".to_owned(),
        at,
        tell_at: at,
        delivery: None,
        kind: "clock".to_owned(),
        message: "something".to_owned(),
        help: String::new(),
    }
}

/// A token that may only read reads, and a push says what is missing; without one it is said, too. No token is shown.
pub fn a_token_that_may_only_read_is_said() {
    let server = GitServer::start();
    let repository = server.repository();
    let may_push = open(&server.clone_of(&repository, Some(MAY_PUSH)), None);
    crate::run(async { may_push.raise(&alert()).await.expect("raised") });
    let may_read = open(&server.clone_of(&repository, Some(MAY_READ)), None);
    crate::run(async {
        assert_eq!(may_read.about().await.expect("it reads").version, 1);
        let why = may_read.pause(None, Some((chrono::DateTime::UNIX_EPOCH, "x".to_owned()))).await;
        let why = why.expect_err("it may not push").to_string();
        assert!(why.contains("there is no permission to push") && why.contains("contents: write"), "{why}");
        assert!(why.contains("Write access to repository not granted"), "{why}");
    });
    let clone = server.clone_of(&repository, None);
    git(
        &clone,
        &["remote", "set-url", "origin", &format!("http://pusher:wr0ng@127.0.0.1:{}/git/{repository}", server.port)],
    );
    for (clone, shown) in [(server.clone_of(&repository, None), "could not read Username"), (clone, "")] {
        let ledger = open(&clone, None);
        crate::run(async {
            let why = ledger.deliveries(&Query::default()).await.expect_err("nobody").to_string();
            assert!(why.contains("the server does not know who asks") && why.contains(shown), "{why}");
            assert!(!why.contains("wr0ng"), "{why}");
        });
    }
}
