//! Signing in at a real authorization server, and what becomes of the tokens: oidc-provider, with just enough of
//! Mastodon's API before it to publish with the tokens that it hands out. Its refresh tokens are good for one use, and one
//! that comes again ends all that came of the sign-in.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use smm::adapter::http::{HttpSettings, Request};
use smm::adapter::{Api, Fault, OAuth, Refusal, Secrets as _, SignIn};
use smm::engine::{Connector as _, Folders, Networks};
use smm::model::{Account, AccountName};
use smm::oauth::{Grant, Keeper, SigningIn, Tools, Way};
use smm::secrets::Chain;
use smm::time::{Clock, SystemClock};

use crate::proxy::{Cut, Proxy};
use crate::servers::{Ended, find, http, json_of, real};
use crate::support::TestEnv;

/// Where tokens are handed out.
const TOKEN: (&str, &str) = ("POST", "/token");
/// A key of a vault: 32 bytes.
const VAULT_KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const PATIENCE: Duration = Duration::from_secs(20);

/// Whether the server is installed.
pub(crate) fn installed() -> bool {
    real().join("oidc/.installed").is_file()
}

/// The server, with a proxy before it that everybody goes through.
struct Oidc {
    proxy: Proxy,
    url: String,
    _process: Ended,
}

impl Oidc {
    /// Starts it; its access tokens live so many seconds.
    async fn start(life: u32) -> Self {
        let mut command = node("serve.mjs");
        command.arg(real().join("oidc/node_modules")).arg(life.to_string());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("node starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its stdout")).lines();
        let process = Ended(child);
        let ready = lines.by_ref().map_while(Result::ok).find(|line| line.starts_with('{')).expect("it gets ready");
        std::thread::spawn(move || lines.count());
        let ready: Value = serde_json::from_str(&ready).expect("JSON");
        let url = ready["url"].as_str().expect("its address").to_owned();
        Self { proxy: Proxy::before(&url).await, url, _process: process }
    }

    /// How often tokens were asked for.
    fn asked(&self) -> usize {
        self.proxy.count(TOKEN)
    }

    fn account(&self) -> Account {
        let mut account = Account::new(AccountName::new("fedi"), "mastodon");
        account.server = Some(self.proxy.url().to_owned());
        account
    }

    async fn signing_in(&self, clock: Arc<dyn Clock>) -> SigningIn {
        SigningIn::begin(http(), &self.account(), oauth(), &Chain::of_sources(Vec::new()), clock).await.expect("begun")
    }

    /// Signs in with a browser that comes back by itself.
    async fn sign_in(&self) -> Grant {
        let browser = self.signing_in(Arc::new(SystemClock)).await.browser(true).await.expect("it listens");
        let user = open(browser.url(), true);
        let code = browser.wait(PATIENCE).await.expect("it came back");
        user.await.expect("no panic");
        browser.redeem(code).await.expect("a grant")
    }

    /// What this server holds, as its API lists it.
    async fn posts(&self, token: &SecretString) -> Vec<String> {
        let request = Request::get(format!("{}/api/v1/accounts/7/statuses", self.url)).bearer(token.clone());
        let listed = json_of(&http(), request).await;
        let text = |post: &Value| post["content"].as_str().unwrap_or_default().to_owned();
        listed.as_array().expect("statuses").iter().map(text).collect()
    }
}

/// How Mastodon signs in, as its profile has it.
fn oauth() -> &'static OAuth {
    let ways = smm::networks::find("mastodon").expect("it is known").profile().sign_in;
    let found = ways.iter().find_map(|way| if let SignIn::OAuth(oauth) = way { Some(*oauth) } else { None });
    found.expect("it signs in by OAuth")
}

/// A script of ours, run by the Node that was installed with the server.
fn node(script: &str) -> Command {
    let mut command = Command::new(find(&real().join("oidc/node_modules"), "node").expect("its Node"));
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/oidc").join(script));
    command.env("NODE_NO_WARNINGS", "1").stderr(Stdio::null());
    command
}

/// Plays the user's browser: alice signs in and agrees to everything. Gives the address where it ends; with `back` it goes
/// there as well.
fn open(url: &str, back: bool) -> tokio::task::JoinHandle<String> {
    let mut command = node("browser.mjs");
    command.arg(url).args(back.then_some("go")).stdin(Stdio::null()).stderr(Stdio::piped());
    tokio::task::spawn_blocking(move || {
        let output = command.output().expect("node starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    })
}

/// A folder with a vault, as `smm` and the test both open it.
struct Home {
    env: TestEnv,
}

impl Home {
    fn new() -> Self {
        Self { env: TestEnv::new() }
    }

    fn state(&self) -> PathBuf {
        self.env.path().join("state/smm")
    }

    fn secrets(&self) -> Chain {
        let env = |name: &str| match name {
            "SMM_VAULT_KEY" => Some(VAULT_KEY.to_owned()),
            "SMM_KEYRING" => Some("off".to_owned()),
            _ => None,
        };
        Chain::usual(env, None, Some(&self.state()))
    }

    fn keeper(&self, account: &Account) -> Keeper {
        let tools = Tools { secrets: self.secrets(), http: http(), clock: Arc::new(SystemClock), state: self.state() };
        Keeper::new(tools, account)
    }

    /// The account's adapter, as the engine has it.
    fn api(&self, account: &Account) -> Box<dyn Api> {
        let settings = HttpSettings { timeout: Duration::from_secs(10), private_pages: true };
        let networks = Networks::new(self.secrets(), settings, self.state(), Arc::new(SystemClock));
        let folders = Folders { media: self.env.path().to_owned(), files: self.env.path().to_owned() };
        networks.connect(account, &folders).expect("it is known")
    }

    /// A calendar with one post, and a ledger of its own.
    fn calendar(&self, name: &str, server: &str, due: DateTime<Utc>) {
        let ledger = self.env.path().join("ledger.db");
        let settings = format!(
            "ledger = {:?}\n\n[accounts.fedi]\nnetwork = \"mastodon\"\nserver = \"{server}\"\n",
            ledger.display().to_string()
        );
        self.env.write("smm.toml", settings);
        let at = due.format("%Y-%m-%dT%H:%M:%S");
        self.env.write(
            "calendar.toml",
            format!("name = \"{name}\"\ntimezone = \"Etc/UTC\"\n\n[[posts]]\nid = \"{name}\"\nat = {at}\nto = [\"fedi\"]\ntext = \"From {name}\"\n"),
        );
        self.env.smm(&["check"]).expect(0);
    }

    fn command(&self, state: &Path, args: &[&str]) -> Command {
        let mut command = self.env.command();
        command.args(args).env("XDG_STATE_HOME", state.parent().expect("a parent"));
        command.envs([("SMM_VAULT_KEY", VAULT_KEY), ("SMM_KEYRING", "off")]);
        command
    }

    fn daemon(&self, state: &Path) -> Daemon {
        let log = std::fs::File::create(self.env.path().join("daemon.log")).expect("a log");
        let mut command = self.command(state, &["daemon", "-vv"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        Daemon(command.spawn().expect("smm daemon starts"))
    }

    /// Waits until the only delivery is in this state.
    async fn until(&self, state: &Path, wanted: &str) -> Value {
        let begun = Instant::now();
        loop {
            let output = self.command(state, &["status", "--all", "--format", "json"]).output().expect("smm runs");
            let status: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
            let delivery = status["deliveries"][0].clone();
            if delivery["state"] == wanted {
                return delivery;
            }
            assert!(begun.elapsed() < Duration::from_mins(1), "{delivery}\n{}", self.env.read("daemon.log"));
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// `smm daemon`, ended with this value.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn now() -> DateTime<Utc> {
    DateTime::<Utc>::from(std::time::SystemTime::now())
}

fn is_over<T>(outcome: &Result<T, Fault>) -> bool {
    matches!(outcome, Err(Fault::Refused { refusal: Refusal::Credentials, message, .. })
        if message.contains("sign in again: smm login fedi"))
}

/// A browser that comes back, and a token that is renewed again and again as it ends.
pub(crate) async fn code_and_refresh() {
    let oidc = Oidc::start(4).await;
    let (home, account) = (Home::new(), oidc.account());
    let mut last = oidc.sign_in().await;
    assert_eq!(last.scopes, ["read", "write:statuses", "write:media"]);
    assert!(last.refresh.is_some() && last.access_ends.is_some());
    assert_eq!(last.issuer.as_deref(), Some(oidc.url.as_str()));
    let keeper = home.keeper(&account);
    assert_eq!(keeper.keep(&last, None).await, Ok("vault"));
    let api = home.api(&account);
    assert_eq!(api.whoami().await.expect("the token is good").handle, "@alice@127.0.0.1");
    assert_eq!(api.credential().await.expect("it says").scopes, Some(last.scopes.clone()));
    let refresh = |grant: &Grant| grant.refresh.as_ref().map(|token| token.expose_secret().to_owned());
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_secs(4)).await;
        api.whoami().await.expect("renewed");
        let kept = keeper.grant().await.expect("readable").expect("there");
        assert_ne!(kept.access.expose_secret(), last.access.expose_secret());
        assert_ne!(refresh(&kept), refresh(&last), "this server changes it with each use");
        assert!(kept.begun.is_none());
        last = kept;
    }
    assert!(oidc.asked() >= 3, "the code, and twice the refresh token");
}

/// A token that ended before its time is renewed once; a grant that was given back is over, and that is no loop.
pub(crate) async fn revocation() {
    let oidc = Oidc::start(60).await;
    let (home, account) = (Home::new(), oidc.account());
    let grant = oidc.sign_in().await;
    let keeper = home.keeper(&account);
    keeper.keep(&grant, None).await.expect("kept");
    let api = home.api(&account);
    api.whoami().await.expect("the token is good");
    assert_eq!(oidc.asked(), 1, "the code was redeemed, and nothing renewed");
    json_of(&http(), Request::post(format!("{}/api/of-a-test/end", oidc.url)).bearer(grant.access)).await;
    api.whoami().await.expect("renewed");
    assert_eq!(oidc.asked(), 2);
    let last = keeper.grant().await.expect("readable").expect("there");
    assert_eq!(keeper.give_back(&last).await, Ok(true));
    for _ in 0..3 {
        let outcome = api.whoami().await;
        assert!(is_over(&outcome), "{outcome:?}");
    }
    assert_eq!(oidc.asked(), 3);
    assert_eq!(keeper.forget().await, Ok(vec!["vault"]));
    assert_eq!(keeper.info().await, Ok(None));
}

/// The browser is on another machine: where it ends is pasted.
pub(crate) async fn a_pasted_address() {
    let oidc = Oidc::start(60).await;
    let signing = oidc.signing_in(Arc::new(SystemClock)).await;
    let browser = signing.browser(false).await.expect("begun");
    let address = open(browser.url(), false).await.expect("no panic");
    assert!(address.starts_with("urn:ietf:wg:oauth:2.0:oob?code="), "{address}");
    let code = browser.pasted(&address).expect("the answer");
    let grant = browser.redeem(code).await.expect("a grant");
    assert_eq!(oidc.posts(&grant.access).await, [] as [String; 0]);
    // A code that somebody else has begun is worth nothing here: the proof is missing.
    let (theirs, ours) = (signing.browser(false).await.expect("begun"), signing.browser(false).await.expect("begun"));
    let address = open(theirs.url(), false).await.expect("no panic");
    assert!(ours.pasted(&address).is_err(), "another state");
    let code = address.split(['?', '&']).find_map(|pair| pair.strip_prefix("code=")).expect("a code");
    let code = ours.pasted(code).expect("a code alone says not whose it is");
    let told = ours.redeem(code).await.expect_err("refused").to_string();
    assert!(told.contains("invalid_grant"), "{told}");
}

/// A clock whose waits are short: this server has no pace to be kept to.
struct Hurried;

#[async_trait]
impl Clock for Hurried {
    fn now(&self) -> DateTime<Utc> {
        SystemClock.now()
    }

    fn elapsed(&self) -> Duration {
        SystemClock.elapsed()
    }

    async fn sleep_until(&self, at: DateTime<Utc>) {
        SystemClock.sleep_until(at).await;
    }

    async fn wait(&self, time: Duration) {
        tokio::time::sleep(time / 10).await;
    }
}

/// Another device agrees, after it was asked for in vain.
pub(crate) async fn a_device() {
    let oidc = Oidc::start(60).await;
    let signing = oidc.signing_in(Arc::new(Hurried)).await;
    assert_eq!(signing.ways(), [Way::Loopback, Way::Paste, Way::Device]);
    let device = signing.device().await.expect("a code");
    let (code, url) = (device.user_code.clone(), device.url_with_code.clone().expect("it has one"));
    assert!(url.contains(&code), "{url}");
    let waiting = tokio::spawn(device.finish());
    let begun = Instant::now();
    while oidc.asked() == 0 {
        assert!(begun.elapsed() < PATIENCE, "it asks");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(!waiting.is_finished(), "nobody has agreed yet");
    open(&url, false).await.expect("no panic");
    let grant = waiting.await.expect("no panic").expect("a grant");
    assert!(oidc.asked() > 1 && grant.refresh.is_some());
    assert_eq!(oidc.posts(&grant.access).await, [] as [String; 0]);
}

/// The answer to a renewal is lost: the account is held and in doubt, and the server is asked once more and no more.
pub(crate) async fn a_lost_answer() {
    let oidc = Oidc::start(60).await;
    let (home, account) = (Home::new(), oidc.account());
    let mut grant = oidc.sign_in().await;
    let access = grant.access.clone();
    // By our books it ends soon, so that it is renewed; the server takes it for a minute yet.
    let ends = now() + TimeDelta::seconds(10);
    grant.access_ends = Some(ends);
    grant.obtained = now() - TimeDelta::minutes(10);
    let keeper = home.keeper(&account);
    keeper.keep(&grant, None).await.expect("kept");
    oidc.proxy.cut(TOKEN, Cut::AfterForwarding, 1);
    let asked = oidc.asked();
    for _ in 0..3 {
        let token = keeper.secret("token").await.expect("it lasts yet");
        assert_eq!(token.expose_secret(), access.expose_secret());
    }
    assert!(oidc.proxy.is_spent());
    assert_eq!(oidc.asked(), asked + 1, "not repeated while the token lasts");
    let info = keeper.info().await.expect("readable").expect("there");
    assert!(info.doubtful && info.renewable, "{info:?}");
    // The daemon finds it so when the token has ended: once more, refused, held.
    home.calendar("lost", oidc.proxy.url(), ends + TimeDelta::seconds(2));
    let daemon = home.daemon(&home.state());
    let held = home.until(&home.state(), "held").await;
    assert!(held.to_string().contains("smm login fedi"), "{held}");
    assert_eq!(oidc.asked(), asked + 2);
    let info = keeper.info().await.expect("readable").expect("there");
    assert!(info.doubtful && !info.renewable, "{info:?}");
    // A person who tries again without signing in gets the same answer, and the server is left in peace.
    let id = held["id"].as_str().expect("an id").to_owned();
    home.command(&home.state(), &["retry", &id]).output().expect("smm runs");
    tokio::time::sleep(Duration::from_secs(2)).await;
    home.until(&home.state(), "held").await;
    assert_eq!(oidc.asked(), asked + 2);
    // Signed in again, it goes out.
    keeper.keep(&oidc.sign_in().await, None).await.expect("kept");
    let again = home.command(&home.state(), &["retry", &id]).output().expect("smm runs");
    assert!(again.status.success(), "{again:?}");
    home.until(&home.state(), "published").await;
    let info = keeper.info().await.expect("readable").expect("there");
    assert!(!info.doubtful && info.renewable, "{info:?}");
    drop(daemon);
}

/// Two daemons, each with a ledger of its own, share an account and a state folder: one renewal, and both go on.
pub(crate) async fn two_daemons_renew_once() {
    let oidc = Oidc::start(60).await;
    let (one, other, account) = (Home::new(), Home::new(), oidc.account());
    let mut grant = oidc.sign_in().await;
    grant.access_ends = Some(now() - TimeDelta::seconds(1));
    one.keeper(&account).keep(&grant, None).await.expect("kept");
    let asked = oidc.asked();
    let state = one.state();
    for (home, name) in [(&one, "one"), (&other, "other")] {
        home.calendar(name, oidc.proxy.url(), now() + TimeDelta::seconds(5));
    }
    let daemons = [one.daemon(&state), other.daemon(&state)];
    for home in [&one, &other] {
        home.until(&state, "published").await;
    }
    drop(daemons);
    assert_eq!(oidc.asked(), asked + 1, "one renewal for both");
    let kept = one.keeper(&account).grant().await.expect("readable").expect("there");
    assert!(kept.begun.is_none());
    let mut posts = oidc.posts(&kept.access).await;
    posts.sort_unstable();
    assert_eq!(posts, ["<p>From one</p>", "<p>From other</p>"]);
}
