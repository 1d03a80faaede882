//! `smm login` and `smm logout`: the real program against the networks' stand-ins.

#![allow(clippy::print_stderr, reason = "a case that is skipped says so loudly")]

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use chrono::Utc;
use serde_json::{Value, json};
use smm::adapter::suite::{Fake, Rule};
use smm::ledger::{OpenMode, Query};
use smm::model::{Binding, Delivery, ReasonCode, State};

use crate::process::{ends, pause, serve, wait};
use crate::support::{Run, TestEnv};

/// A key for the vault.
const KEY: &str = "0101010101010101010101010101010101010101010101010101010101010101";

/// A folder with an account on one network's stand-in, and a vault to keep secrets in.
struct Site {
    env: TestEnv,
    fake: Box<dyn Fake>,
    account: String,
    /// Further variables, over the usual ones.
    more: Vec<(String, String)>,
}

impl Site {
    fn new(network: &str) -> Self {
        let network = smm::networks::find(network).expect("built in");
        let fake = serve(network.fake()).expect("it has a fake");
        let account = fake.account().name.to_string();
        let more = vec![("SMM_VAULT_KEY".to_owned(), KEY.to_owned())];
        let site = Self { env: TestEnv::new(), fake, account, more };
        site.config(site.front().url());
        site
    }

    fn front(&self) -> &smm::adapter::suite::Front {
        self.fake.front().expect("it speaks HTTP")
    }

    /// Writes `smm.toml`, with the account at this server.
    fn config(&self, server: &str) {
        let account = self.fake.account();
        let mut text = format!(
            "[delivery]\ntimeout = \"2s\"\nsettle = \"1s\"\n[accounts.{}]\nnetwork = \"{}\"\nserver = \"{server}\"\n",
            self.account, account.network
        );
        for (key, value) in &account.settings {
            let _ = writeln!(text, "{key} = {value}");
        }
        self.env.write("smm.toml", text);
    }

    /// Writes a calendar with one post that is due now.
    fn post(&self, id: &str) {
        let at = Utc::now().format("%Y-%m-%dT%H:%M:%S%.3f");
        let head = format!("name = \"ops\"\ntimezone = \"UTC\"\n[defaults]\nto = [\"{}\"]\n", self.account);
        self.env
            .write("calendar.toml", format!("{head}[[posts]]\nid = \"{id}\"\nat = {at}\ntext = \"Text of {id}\"\n"));
    }

    /// The account's secret: there is one.
    fn secret(&self) -> (String, String) {
        let (field, secret) = self.fake.secrets().into_iter().next().expect("a secret");
        (field.to_owned(), secret)
    }

    fn command(&self) -> Command {
        let mut command = self.env.command();
        command.env("SMM_KEYRING", "off").envs(self.more.iter().cloned());
        command
    }

    /// Runs the program with this on its stdin, which nothing that it says may show.
    fn smm_with(&self, args: &[&str], stdin: &str) -> Run {
        let mut child = self
            .command()
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("smm starts");
        // One that ends without reading closes the pipe.
        let _ = child.stdin.take().expect("a pipe").write_all(stdin.as_bytes());
        let run = Run::from(child.wait_with_output().expect("it ends"));
        let secret = stdin.trim();
        assert!(secret.is_empty() || !format!("{run:?}").contains(secret), "it shows what it was given: {run:?}");
        run
    }

    fn smm(&self, args: &[&str]) -> Run {
        self.smm_with(args, "")
    }

    /// Signs in with the account's own secret.
    fn signs_in(&self) -> Run {
        let (_, secret) = self.secret();
        self.smm_with(&["login", &self.account, "--with", "paste"], &secret).expect(0)
    }

    /// Whether anything is kept.
    fn keeps(&self) -> bool {
        self.env.path().join("state/smm/vault").exists()
    }

    fn rows(&self) -> Vec<Delivery> {
        let ledger =
            smm::ledger::open("sqlite", &self.env.path().join("state/smm"), OpenMode::ReadOnly).expect("a ledger");
        wait(ledger.deliveries(&Query::default())).expect("rows")
    }

    fn binding(&self) -> Option<Binding> {
        let ledger =
            smm::ledger::open("sqlite", &self.env.path().join("state/smm"), OpenMode::ReadOnly).expect("a ledger");
        wait(ledger.account(&smm::model::AccountName::new(self.account.as_str()))).expect("a record").binding
    }

    /// What the stand-in hands out and takes back, as an authorization server would.
    fn grants(&self, scope: &str) {
        let front = self.front();
        let (_, token) = self.secret();
        let app = json!({"id": "1", "client_id": "the-client", "client_secret": "the-client-secret"});
        front.rule(Rule::answer(200, app.to_string()).on("POST", "/api/v1/apps").times(9));
        let token = json!({"access_token": token, "token_type": "Bearer", "scope": scope, "created_at": 1});
        front.rule(Rule::answer(200, token.to_string()).on("POST", "/oauth/token").times(9));
        front.rule(Rule::answer(200, "{}").on("POST", "/oauth/revoke").times(9));
    }
}

#[test]
fn a_token_on_stdin_is_checked_kept_and_used() {
    let site = Site::new("mastodon");
    let (_, token) = site.secret();
    let run = site.smm_with(&["login", "fedi", "--with", "paste", "--format", "json"], &format!("{token}\n")).expect(0);
    let told = run.json();
    assert_eq!(told["identity"]["handle"], "@acme@127.0.0.1");
    assert_eq!(told["identity"]["host"], site.front().url());
    assert_eq!((&told["source"], &told["field"]), (&json!("vault"), &json!("token")));
    assert_eq!((&told["shadowed_by"], &told["released"]), (&json!([]), &json!(0)));
    let bound = site.binding().expect("it is bound to who it is");
    assert_eq!(told["identity"]["uid"], bound.uid);
    let sealed = std::fs::read(site.env.path().join("state/smm/vault")).expect("a vault");
    assert!(!sealed.windows(token.len()).any(|part| part == token.as_bytes()), "kept in clear");
    // Nothing else is needed to publish.
    site.post("hello");
    site.smm(&["publish"]).expect(0);
    assert_eq!(wait(site.fake.posts()).len(), 1);
}

#[test]
fn an_app_password_is_kept_for_the_account_that_it_opens() {
    let site = Site::new("bluesky");
    let run = site.signs_in();
    assert!(run.stdout.contains("is signed in to as @") && run.stdout.contains("the vault"), "{}", run.stdout);
    site.post("hello");
    site.smm(&["publish"]).expect(0);
    let run = site.smm_with(&["login", &site.account], "wrong-word-wron-gwor").expect(1);
    assert!(run.stderr.contains("nothing was stored"), "{}", run.stderr);
    // What was kept before is still there.
    site.post("again");
    site.smm(&["publish"]).expect(0);
    assert_eq!(wait(site.fake.posts()).len(), 2);
}

#[test]
fn secrets_that_belong_together_are_given_together() {
    let site = Site::new("webhook");
    let secrets = site.fake.secrets();
    let run = site.smm_with(&["login", "hook"], &secrets["url"]).expect(1);
    assert!(run.stderr.contains("1 of 2 lines") && run.stderr.contains("url, key"), "{}", run.stderr);
    assert!(!site.keeps());
    let run = site.smm_with(&["login", "hook"], &format!("{}\n{}\n", secrets["url"], secrets["key"])).expect(0);
    assert!(secrets.values().all(|secret| !format!("{run:?}").contains(secret)), "{run:?}");
    site.post("hello");
    site.smm(&["publish"]).expect(0);
    assert_eq!(wait(site.fake.posts()).len(), 1);
    // A key that nobody has made yet.
    let typed = format!("{}\r\r", secrets["url"]);
    let Some((status, out, _)) = on_a_terminal(&site, &["login", "hook"], &typed) else { return };
    assert_eq!(status, 0, "{out}");
    assert!(out.contains("The new key") && out.contains("whsec_") && !out.contains(&secrets["url"]), "{out}");
    site.post("again");
    site.smm(&["publish"]).expect(1);
    assert_eq!(wait(site.fake.posts()).len(), 1, "the receiver does not know it yet");
}

#[test]
fn what_is_refused_leaves_nothing_behind() {
    let site = Site::new("mastodon");
    let run = site.smm_with(&["login", "fedi", "--with", "paste"], "not-the-token").expect(1);
    assert!(
        run.stderr.contains("does not accept the token") && run.stderr.contains("nothing was stored"),
        "{}",
        run.stderr
    );
    let run = site.smm_with(&["login", "fedi", "--with", "paste"], " \n").expect(1);
    assert!(run.stderr.contains("nothing was given"), "{}", run.stderr);
    let run = site.smm_with(&["login", "fedi", "--with", "paste"], "one\ntwo").expect(1);
    assert!(run.stderr.contains("more than one line"), "{}", run.stderr);
    site.config("http://127.0.0.1:9");
    let run = site.smm_with(&["login", "fedi", "--with", "paste"], "not-asked-anybody").expect(1);
    assert!(run.stderr.contains("once the server can be asked"), "{}", run.stderr);
    assert!(!site.keeps() && !site.env.path().join("state/smm/ledger.db").exists(), "nothing was made");
}

#[test]
fn a_token_that_may_do_too_little_is_refused() {
    let site = Site::new("mastodon");
    let granted = |scopes: &str| format!("{{\"name\":\"smm\",\"scopes\":{scopes}}}");
    let told = Rule::answer(200, granted("[\"read\",\"write:media\"]")).on("GET", "/api/v1/apps/verify_credentials");
    site.front().rule(told);
    let (_, token) = site.secret();
    let run = site.smm_with(&["login", "fedi", "--with", "paste"], &token).expect(1);
    assert!(run.stderr.contains("`write:statuses`") && run.stderr.contains("publish"), "{}", run.stderr);
    assert!(!site.keeps(), "it was kept");
    // One that has all of them is taken; a wider scope covers a narrower one.
    let told = Rule::answer(200, granted("[\"read\",\"write\"]")).on("GET", "/api/v1/apps/verify_credentials");
    site.front().rule(told);
    site.signs_in();
    assert!(site.keeps());
}

#[test]
fn somebody_elses_credentials_are_refused() {
    let site = Site::new("mastodon");
    site.signs_in();
    let bound = site.binding();
    let somebody = json!({"id": "2", "acct": "somebody", "username": "somebody"}).to_string();
    site.front().rule(Rule::answer(200, somebody).on("GET", "/api/v1/accounts/verify_credentials"));
    let run = site.smm_with(&["login", "fedi", "--with", "paste"], "the-token-of-somebody").expect(1);
    assert!(run.stderr.contains("@acme@127.0.0.1") && run.stderr.contains("@somebody@127.0.0.1"), "{}", run.stderr);
    assert!(run.stderr.contains("smm resume fedi --accept-change"), "{}", run.stderr);
    assert_eq!(site.binding(), bound);
    site.post("hello");
    site.smm(&["publish"]).expect(0);
    // Meant, it is allowed.
    site.smm(&["resume", "fedi", "--accept-change"]).expect(0);
    let somebody = json!({"id": "2", "acct": "somebody", "username": "somebody"}).to_string();
    site.front().rule(Rule::answer(200, somebody).on("GET", "/api/v1/accounts/verify_credentials"));
    site.smm_with(&["login", "fedi", "--with", "paste"], "the-token-of-somebody").expect(0);
    assert_eq!(site.binding().map(|bound| bound.handle).as_deref(), Some("@somebody@127.0.0.1"));
}

#[test]
fn no_secret_goes_to_a_server_that_was_not_meant() {
    let site = Site::new("mastodon");
    site.signs_in();
    let other = serve(smm::networks::find("mastodon").expect("built in").fake()).expect("a stand-in");
    let front = other.front().expect("HTTP");
    site.config(front.url());
    let (_, token) = site.secret();
    let run = site.smm_with(&["login", "fedi", "--with", "paste"], &token).expect(1);
    assert!(run.stderr.contains(site.front().url()) && run.stderr.contains(front.url()), "{}", run.stderr);
    assert_eq!(front.seen().len(), 0, "nobody there was spoken to");
}

#[test]
fn without_a_place_to_keep_it_another_is_named() {
    let mut site = Site::new("mastodon");
    site.more.clear();
    let (_, token) = site.secret();
    let run = site.smm_with(&["login", "fedi", "--with", "paste"], &token).expect(1);
    assert!(run.stderr.contains("this is @acme@127.0.0.1, but"), "{}", run.stderr);
    for way in ["SMM_FEDI_TOKEN", "`fedi.token`", "SMM_VAULT_KEY"] {
        assert!(run.stderr.contains(way), "{way}: {}", run.stderr);
    }
    assert!(!site.keeps());
    let run = site.smm_with(&["login", "fedi", "--with", "paste", "--store", "keyring"], &token).expect(1);
    assert!(run.stderr.contains("keyring"), "{}", run.stderr);
    // Nobody is led through a browser for nothing.
    let run = site.smm(&["login", "fedi", "--paste"]).expect(1);
    assert!(run.stderr.contains("no place to keep") && run.stderr.contains("SMM_VAULT_KEY"), "{}", run.stderr);
}

#[test]
fn a_secret_is_no_argument_and_is_not_repeated() {
    let site = Site::new("mastodon");
    for args in [
        &["login", "fedi", "s3cret-of-mine"][..],
        &["login", "fedi", "--token=s3cret-of-mine"],
        &["login", "fedi", "--with", "paste", "s3cret-of-mine"],
        &["login", "--password=s3cret-of-mine", "fedi"],
        &["logout", "fedi", "s3cret-of-mine"],
    ] {
        let run = site.smm(args).expect(2);
        assert!(!format!("{run:?}").contains("s3cret"), "{args:?}: {run:?}");
    }
    // In the place of the name, too.
    let run = site.smm(&["login", "abcd-efgh-ijkl-mnop"]).expect(1);
    assert!(!format!("{run:?}").contains("abcd-efgh"), "{run:?}");
    assert!(run.stderr.contains("known accounts: fedi"), "{}", run.stderr);
}

#[test]
fn an_account_that_is_not_there_is_shown_how_to_be() {
    let env = TestEnv::new();
    let run = env.smm(&["login", "team"]).expect(1);
    for text in ["there is no account `team`", "[accounts.team]", "network = \"bluesky\"", "mastodon", "server = "] {
        assert!(run.stderr.contains(text), "{text}: {}", run.stderr);
    }
    // One that the calendar declares needs nothing.
    env.write(
        "calendar.toml",
        "name = 'one'\ntimezone = 'UTC'\n[accounts.site]\nnetwork = 'feed'\nfolder = 'public'\n",
    );
    let run = env.smm(&["login", "site"]).expect(0);
    assert!(run.stdout.contains("nothing to sign in to"), "{}", run.stdout);
    assert_eq!(env.smm(&["login", "site", "--format", "json"]).expect(0).json()["identity"], Value::Null);
    let site = Site::new("bluesky");
    let run = site.smm(&["login", &site.account, "--with", "oauth"]).expect(2);
    assert!(run.stderr.contains("--with paste"), "{}", run.stderr);
}

#[test]
fn what_is_set_by_the_operator_wins_and_that_is_said() {
    let mut site = Site::new("mastodon");
    site.more.push(("SMM_FEDI_TOKEN".to_owned(), "an-older-one".to_owned()));
    let run = site.signs_in();
    assert!(
        run.stderr.contains("SMM_FEDI_TOKEN has another secret") && !run.stderr.contains("an-older-one"),
        "{}",
        run.stderr
    );
    let (_, token) = site.secret();
    let run = site.smm_with(&["login", "fedi", "--with", "paste", "--format", "json"], &token).expect(0);
    assert_eq!(run.json()["shadowed_by"], json!(["SMM_FEDI_TOKEN"]));
}

#[test]
fn what_waited_for_credentials_goes_on() {
    let site = Site::new("mastodon");
    site.post("quiet");
    site.smm(&["publish"]).expect(1);
    let held = site.rows().remove(0);
    assert_eq!((held.state, held.reason.map(|reason| reason.code)), (State::Held, Some(ReasonCode::Secret)));
    let run = site.signs_in();
    assert!(run.stdout.contains("1 delivery that waited"), "{}", run.stdout);
    assert_eq!(site.rows()[0].state, State::Planned);
    site.smm(&["publish"]).expect(0);
    assert_eq!(wait(site.fake.posts()).len(), 1);
    // What it is held for otherwise is another matter.
    site.fake.change_secret();
    site.post("second");
    site.smm(&["publish"]).expect(1);
    let run = site.smm(&["status"]).expect(1);
    assert!(run.stdout.contains("held"), "{}", run.stdout);
    site.signs_in();
    site.smm(&["publish"]).expect(0);
    assert_eq!(wait(site.fake.posts()).len(), 2);
}

#[test]
fn signing_out_forgets_and_says_what_is_left() {
    let mut site = Site::new("mastodon");
    let run = site.smm(&["logout", "fedi"]).expect(0);
    assert_eq!(run.stdout, "nothing was kept for `fedi`\n");
    site.signs_in();
    let at = (Utc::now() + chrono::TimeDelta::days(1)).format("%Y-%m-%dT%H:%M:%S");
    site.env.write(
        "calendar.toml",
        format!("name = 'ops'\ntimezone = 'UTC'\n[[posts]]\nid = 'later'\nat = {at}\ntext = 'Later'\nto = ['fedi']\n"),
    );
    site.smm(&["publish"]).expect(0);
    let run = site.smm(&["logout", "fedi"]).expect(0);
    assert!(run.stdout.contains("signed out of `fedi`: it is forgotten in the vault"), "{}", run.stdout);
    assert!(run.stdout.contains("delete the application in Preferences, Development"), "{}", run.stdout);
    assert!(run.stderr.contains("1 post is still planned"), "{}", run.stderr);
    site.post("now");
    site.smm(&["publish"]).expect(1);
    site.more.push(("SMM_FEDI_TOKEN".to_owned(), "of-the-operator".to_owned()));
    let run = site.smm(&["logout", "fedi", "--format", "json"]).expect(0);
    let told = run.json();
    assert_eq!((&told["removed"], &told["revoked"]), (&json!([]), &Value::Null));
    assert_eq!(told["left"], json!(["SMM_FEDI_TOKEN"]));
    assert!(
        run.stderr.contains("SMM_FEDI_TOKEN still has a secret") && !run.stderr.contains("of-the-operator"),
        "{run:?}"
    );
}

/// What a browser is started with.
fn opened(site: &Site) -> String {
    let file = site.env.path().join("opened");
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        match std::fs::read_to_string(&file) {
            Ok(url) if url.ends_with('\n') => return url.trim().to_owned(),
            _ if Instant::now() > end => panic!("no browser was opened"),
            _ => pause(10),
        }
    }
}

/// A machine with a display and a browser that writes down what it was asked to show.
fn desktop(site: &mut Site) {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = site.env.path().join("bin");
    let script =
        format!("#!/bin/sh\nprintf '%s\\n' \"$1\" > {0}/part && mv {0}/part {0}/opened\n", site.env.path().display());
    let browser = site.env.write("bin/xdg-open", script);
    std::fs::set_permissions(browser, std::fs::Permissions::from_mode(0o755)).expect("it may be run");
    site.more.push(("DISPLAY".to_owned(), ":0".to_owned()));
    site.more.push(("PATH".to_owned(), format!("{}:/usr/bin:/bin", folder.display())));
}

/// A value of an address's query.
fn query(url: &str, name: &str) -> Option<String> {
    let pair = url.split_once('?')?.1.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")))?;
    let mut text = Vec::new();
    let mut bytes = pair.bytes();
    while let Some(byte) = bytes.next() {
        text.push(match byte {
            b'%' => {
                let digits: String = bytes.by_ref().take(2).map(char::from).collect();
                u8::from_str_radix(&digits, 16).expect("two digits")
            }
            byte => byte,
        });
    }
    String::from_utf8(text).ok()
}

#[test]
fn agreeing_in_a_browser_is_waited_for() {
    let mut site = Site::new("mastodon");
    desktop(&mut site);
    site.grants("read write:statuses write:media");
    let child = site
        .command()
        .args(["login", "fedi"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("smm starts");
    let url = opened(&site);
    assert!(url.starts_with(&format!("{}/oauth/authorize?", site.front().url())), "{url}");
    assert_eq!(query(&url, "code_challenge_method").as_deref(), Some("S256"), "{url}");
    let back = query(&url, "redirect_uri").expect("where to");
    let state = query(&url, "state").expect("a state");
    let (host, path) = back.strip_prefix("http://").expect("loopback").split_once('/').expect("a path");
    let mut stream = TcpStream::connect(host).expect("somebody listens");
    write!(stream, "GET /{path}?code=the-code&state={state} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")
        .expect("sent");
    let mut page = String::new();
    stream.read_to_string(&mut page).expect("a page");
    let run = Run::from(child.wait_with_output().expect("it ends")).expect(0);
    assert!(run.stdout.contains("is signed in to as @acme@127.0.0.1"), "{}", run.stdout);
    assert!(run.stdout.contains("read, write:statuses, write:media"), "{}", run.stdout);
    assert!(run.stderr.contains(&url), "the address is printed in any case: {}", run.stderr);
    let (_, token) = site.secret();
    assert!(!format!("{run:?}").contains(&token) && !page.contains("the-code"), "{run:?}");
    site.post("hello");
    site.smm(&["publish"]).expect(0);
    // It is given back.
    let run = site.smm(&["logout", "fedi"]).expect(0);
    assert!(run.stdout.contains("given back"), "{}", run.stdout);
    assert_eq!(site.front().count("POST", "/oauth/revoke"), 1);
}

#[test]
fn without_a_display_the_answer_is_pasted() {
    let site = Site::new("mastodon");
    site.grants("read write");
    let run = site.smm(&["login", "fedi"]).expect(1);
    assert!(run.stderr.contains("nobody can be asked here") && run.stderr.contains("--with paste"), "{}", run.stderr);
    let run = site.smm_with(&["login", "fedi", "--paste", "--format", "json"], "the-code-that-was-shown").expect(0);
    assert!(run.stderr.contains("/oauth/authorize?"), "{}", run.stderr);
    let told = run.json();
    assert_eq!((&told["field"], &told["scopes"]), (&json!("grant"), &json!(["read", "write"])));
    // Another way takes its place: nothing of the first one is left, here or there.
    let run = site.signs_in();
    assert!(run.stderr.contains("the grant of an earlier sign-in was forgotten in the vault"), "{}", run.stderr);
    assert_eq!(site.front().count("POST", "/oauth/revoke"), 1);
    let run = site.smm(&["login", "fedi", "--with", "device"]).expect(1);
    assert!(run.stderr.contains("no codes for other devices"), "{}", run.stderr);
}

#[test]
fn a_grant_that_may_do_too_little_is_given_back() {
    let site = Site::new("mastodon");
    site.grants("read write:media");
    let run = site.smm_with(&["login", "fedi", "--paste"], "the-code-that-was-shown").expect(1);
    assert!(run.stderr.contains("`write:statuses` (publish) is missing"), "{}", run.stderr);
    assert!(!site.keeps());
    assert_eq!(site.front().count("POST", "/oauth/revoke"), 1, "nobody knows of it, so it is given back");
}

/// Runs the program on a terminal of its own: waits until it has asked and shows nothing of what is typed, types, and tells
/// how it ended, what was on the terminal, and whether typing is shown again. A first line in `typed` is typed when a user's
/// name is asked for. `None`: there is no Python.
fn on_a_terminal(site: &Site, args: &[&str], typed: &str) -> Option<(i64, String, bool)> {
    const SCRIPT: &str = r"
import fcntl, json, os, pty, select, sys, termios, time
given = json.loads(sys.argv[1])
master, slave = pty.openpty()
pid = os.fork()
if pid == 0:
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for number in (0, 1, 2):
        os.dup2(slave, number)
    os.closerange(3, 64)
    os.chdir(given['folder'])
    os.execve(given['argv'][0], given['argv'], given['env'])
echo = lambda: bool(termios.tcgetattr(slave)[3] & termios.ECHO)
user, _, typed = given['typed'].rpartition('\n')
out, sent, ended, until = b'', False, None, time.time() + 30
while time.time() < until:
    if select.select([master], [], [], 0.05)[0]:
        out += os.read(master, 65536)
        continue
    if ended is not None:
        break
    if user and b'User: ' in out:
        os.write(master, user.encode() + b'\r')
        user = ''
    if not sent and b'it is not shown' in out and not echo():
        os.write(master, typed.encode())
        sent = True
    done, status = os.waitpid(pid, os.WNOHANG)
    if done:
        ended = os.waitstatus_to_exitcode(status)
if ended is None:
    os.kill(pid, 9)
print(json.dumps([ended, out.decode('utf-8', 'replace'), echo()]))
";
    let command = site.command();
    let env: serde_json::Map<String, Value> = command
        .get_envs()
        .filter_map(|(name, value)| Some((name.to_str()?.to_owned(), json!(value?.to_str()?))))
        .collect();
    let argv: Vec<&str> = std::iter::once(command.get_program().to_str()?).chain(args.iter().copied()).collect();
    let given = json!({"argv": argv, "env": env, "folder": site.env.path(), "typed": typed});
    let Ok(output) = Command::new("python3").args(["-c", SCRIPT, &given.to_string()]).output() else {
        eprintln!("SKIPPED: there is no python3 to make a terminal with");
        return None;
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let told: Value = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    Some((
        told[0].as_i64().expect("it ended"),
        told[1].as_str().expect("text").to_owned(),
        told[2].as_bool().expect("echo"),
    ))
}

#[test]
fn what_is_typed_is_not_shown() {
    let site = Site::new("mastodon");
    let (_, token) = site.secret();
    let Some((status, out, echo)) = on_a_terminal(&site, &["login", "fedi", "--with", "paste"], &format!("{token}\r"))
    else {
        return;
    };
    assert_eq!((status, echo), (0, true), "{out}");
    assert!(!out.contains(&token), "{out}");
    let page = format!("{}/settings/applications", site.front().url());
    assert!(out.contains(&page) && out.contains("1. Sign in to"), "step by step: {out}");
    assert!(out.contains("is signed in to as @acme@127.0.0.1"), "{out}");
}

/// What the stand-in's user signs in with.
const PASSWORD: &str = "correct horse of a stand-in";

#[test]
fn a_password_is_used_once_and_not_kept() {
    let site = Site::new("matrix");
    let signs_in = || {
        let run = site.smm_with(&["login", "room", "--format", "json"], &format!("acme\n{PASSWORD}\n")).expect(0);
        assert!(!format!("{run:?}").contains(PASSWORD), "{run:?}");
        run.json()
    };
    let asked = |path: &str| -> Vec<Value> {
        let seen = site.front().seen();
        let asked = seen.iter().filter(|seen| seen.method == "POST" && seen.path == path);
        asked.map(|seen| serde_json::from_slice(&seen.body).expect("JSON")).collect()
    };
    for wrong in ["acme\nnot the password\n", "acme\n", "\nnobody's\n", "acme\ntwo\nlines\n", ""] {
        let run = site.smm_with(&["login", "room"], wrong).expect(1);
        assert!(run.stderr.contains("nothing was stored") && run.stderr.contains("--with paste"), "{}", run.stderr);
    }
    assert!(!site.keeps());
    assert_eq!(asked("/_matrix/client/v3/login").len(), 1, "what is no name and password is sent to nobody");
    let told = signs_in();
    assert_eq!((&told["field"], &told["renewable"], &told["scopes"]), (&json!("grant"), &json!(true), &Value::Null));
    // The next time the device is the same.
    signs_in();
    let asked_for: Vec<Value> =
        asked("/_matrix/client/v3/login").iter().skip(1).map(|body| body["device_id"].clone()).collect();
    assert_eq!(asked_for, [Value::Null, json!("DEVICE1")]);
    site.post("one");
    site.smm(&["publish"]).expect(0);
    assert_eq!(wait(site.fake.posts()).len(), 1);
    let run = site.smm(&["accounts"]).expect(0);
    assert!(run.stdout.contains("room"), "{}", run.stdout);
    let run = site.smm(&["logout", "room"]).expect(0);
    assert!(run.stdout.contains("the sign-in was given back, and is no longer valid"), "{}", run.stdout);
    assert_eq!(site.front().count("POST", "/_matrix/client/v3/logout"), 1);
    site.post("two");
    site.smm(&["publish"]).expect(1);
    // A token is pasted all the same, and takes the place of a session, which ends.
    signs_in();
    let (_, token) = site.secret();
    site.smm_with(&["login", "room", "--with", "paste"], &token).expect(0);
    assert_eq!(site.front().count("POST", "/_matrix/client/v3/logout"), 2);
}

#[test]
fn a_password_is_typed_unseen() {
    let site = Site::new("matrix");
    let Some((status, out, echo)) = on_a_terminal(&site, &["login", "room"], &format!("acme\n{PASSWORD}\r")) else {
        return;
    };
    assert_eq!((status, echo), (0, true), "{out}");
    assert!(out.contains("User: acme") && !out.contains(PASSWORD), "{out}");
}

#[test]
fn ctrl_c_leaves_nothing_behind() {
    let site = Site::new("mastodon");
    let Some((status, out, echo)) = on_a_terminal(&site, &["login", "fedi", "--with", "paste"], "half-of-it\u{3}")
    else {
        return;
    };
    assert_eq!((status, echo), (1, true), "typing is shown again: {out}");
    assert!(out.contains("cancelled; nothing was stored") && !out.contains("half-of-it"), "{out}");
    assert!(!site.keeps() && !site.env.path().join("state/smm/ledger.db").exists());
}

#[test]
fn waiting_for_a_browser_can_be_given_up() {
    let mut site = Site::new("mastodon");
    desktop(&mut site);
    site.grants("read write");
    let mut child = site
        .command()
        .args(["login", "fedi"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("smm starts");
    opened(&site);
    // It listens for the signal once it waits.
    pause(300);
    crate::process::signal(&child, "INT");
    let status = ends(&mut child, Duration::from_secs(10));
    assert_eq!(status.code(), Some(1), "it was not killed, but gave up");
    let mut said = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut said).expect("text");
    assert!(said.contains("cancelled; nothing was stored"), "{said}");
    assert!(!site.keeps());
}
