//! `smm post` to a server on this machine, beside a bare POST with as many durable writes.
//!
//!     cargo bench --bench post
//!
//! Each is a process of its own from start to end, run in turn on the same disk (below the build folder). The median of
//! 40 is told with the ratio (the figure to hold: 2): figures of one run compare with each other, not with those of
//! another machine. The server is the stand-in of the behaviour suite, and lives in this process. `smm` asks it two things
//! more before it posts: who the token belongs to, and what the limits are.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use smm::adapter::http::{Body, Http, HttpSettings, Request};
use smm::adapter::suite::Fake;

/// Durable commits of one `smm post` once the ledger knows the account, as `strace -f -e fsync` counts them: two more are
/// the new write-ahead log's, and the bare run has them too.
const WRITES: usize = 6;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let [_, child, url, token, folder] = &args[..]
        && child == "child"
    {
        bare(url, token, Path::new(folder));
        return;
    }
    // `cargo test --benches` only wants to see it run.
    let rounds = if args.iter().any(|arg| arg == "--bench") { 40 } else { 1 };
    let runtime = runtime();
    let network = smm::networks::find("mastodon").expect("it is in the registry");
    let fake = runtime.block_on(network.fake()).expect("it has a stand-in");
    std::thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
    let smm = Smm::new(fake.as_ref());
    smm.post(0);
    let before = requests(fake.as_ref());
    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        ours.push(seconds(|| smm.post(round)));
        floor.push(seconds(|| smm.bare()));
    }
    let posts = self::runtime().block_on(fake.posts()).len();
    assert_eq!(posts, 2 * rounds + 1, "every run posted once");
    let (ours, floor) = (median(ours), median(floor));
    let asked = requests(fake.as_ref()) - before - rounds;
    print(&format!(
        "smm post: {:.1} ms with {} requests, a bare POST with {WRITES} durable writes: {:.1} ms, ratio {:.2}\n",
        ours * 1e3,
        asked / rounds,
        floor * 1e3,
        ours / floor
    ));
}

/// `smm` with an account on the stand-in.
struct Smm {
    folder: tempfile::TempDir,
    url: String,
    token: String,
}

impl Smm {
    fn new(fake: &dyn Fake) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let url = fake.account().server.expect("it is spoken to over HTTP");
        let config = format!("[accounts.fedi]\nnetwork = \"mastodon\"\nserver = \"{url}\"\n");
        std::fs::write(folder.path().join("smm.toml"), config).expect("smm.toml");
        Self { folder, url, token: fake.secrets()["token"].clone() }
    }

    fn post(&self, number: usize) {
        let text = format!("Acme 2.{number} is out, and it starts in half the time.");
        let mut command = Command::new(env!("CARGO_BIN_EXE_smm"));
        command.args(["post", &text, "--to", "fedi"]).env_clear().current_dir(self.folder.path());
        command
            .env("SMM_FEDI_TOKEN", &self.token)
            .env("STATE_DIRECTORY", self.folder.path())
            .env("HOME", self.folder.path());
        run(command);
    }

    fn bare(&self) {
        let me: PathBuf = std::env::current_exe().expect("this program");
        let mut command = Command::new(me);
        command.args(["child", &self.url, &self.token]).arg(self.folder.path());
        run(command);
    }
}

fn run(mut command: Command) {
    let output = command.output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The same without anything else: a POST between durable commits of rows of about the same size.
fn bare(url: &str, token: &str, folder: &Path) {
    let conn = rusqlite::Connection::open(folder.join("bare.db")).expect("a file");
    conn.pragma_update(None, "journal_mode", "wal").expect("write-ahead logging");
    conn.pragma_update(None, "synchronous", "full").expect("durable commits");
    conn.execute_batch("CREATE TABLE IF NOT EXISTS rows (row TEXT) STRICT").expect("a table");
    let write = || conn.execute("INSERT INTO rows (row) VALUES (?)", ["x".repeat(1000)]).expect("a row");
    for _ in 1..WRITES {
        write();
    }
    let http = Http::new(HttpSettings::default());
    let request = Request::post(format!("{url}/api/v1/statuses"))
        .bearer(token.to_owned().into())
        .body(Body::Json(serde_json::json!({"status": "Acme 2.0 is out, and it starts in half the time."})));
    let answer = runtime().block_on(http.publish(request)).expect("an answer");
    assert!(answer.is_success());
    write();
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn requests(fake: &dyn Fake) -> usize {
    fake.front().map_or(0, |front| front.seen().len())
}

fn seconds(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[expect(clippy::print_stdout, reason = "a bench tells its figures")]
fn print(text: &str) {
    print!("{text}");
}
