//! No secret in any output: recognisable ones are put into every place that takes one, every command is run against servers
//! that send back what they were sent, and all that came of it is searched.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use chrono::{TimeDelta, Utc};
use smm::adapter::suite::{Front, PICTURE};
use smm::model::{Account, AccountName};
use smm::secrets::{Chain, Owner};

use crate::process::{Daemon, pause, serve, wait};
use crate::support::TestEnv;

/// The secrets, by where they are put. With signs that JSON, addresses and base64 each write in their own way.
const CANARIES: &[(&str, &str)] = &[
    ("environment", "canary-Env+0/x=Qy7Zk2Vw"),
    ("credential", "canary-Cred+1/x=Mb4Tn8Rs"),
    ("vault", "canary-Vault+2/x=Hd6Lp1Xf"),
    ("password", "canary-Pass+3/x=Jc9Gw5Nu"),
    ("second", "canary-Half+4/x=Sv3Kt7Bq"),
    ("ledger", "canary-Ledger5xZr8Ym2Dh"),
    ("hook path", "canary-Hook6xFt4Pj9Wl"),
    ("hook query", "canary-Query7xGn1Cs6Ev"),
    ("hook user", "canary-User8xRk5Xb3Qm"),
    ("mail", "canary-Mail9xTw7Hz4Yc"),
    ("url", "canary-Url10xLd2Vg8Jp"),
];

/// The vault's key: `canary-key-of-the-vault-32-bytes` in base64.
const KEY: &str = "Y2FuYXJ5LWtleS1vZi10aGUtdmF1bHQtMzItYnl0ZXM=";

fn canary(place: &str) -> &'static str {
    CANARIES.iter().find(|(name, _)| *name == place).expect("a place").1
}

/// What is searched for: every canary in every form, with its place.
fn needles() -> Vec<(String, Vec<u8>)> {
    let mut needles = vec![("vault's key".to_owned(), b"canary-key-of-the-vault-32-bytes".to_vec())];
    needles.push(("vault's key, as given".to_owned(), KEY.trim_end_matches('=').into()));
    for (place, secret) in CANARIES {
        let mut add = |form: &str, text: String| needles.push((format!("{place} {form}"), text.into_bytes()));
        add("as it is", (*secret).to_owned());
        let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        add("in an address, small", encoded.replace("%2B", "%2b").replace("%2F", "%2f").replace("%3D", "%3d"));
        add("in an address", encoded);
        let hex = secret.bytes().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        add("in big hex", hex.to_uppercase());
        add("in hex", hex);
        for before in 0..3 {
            // What of it does not depend on its neighbours.
            let bytes = [&vec![0; before][..], secret.as_bytes()].concat();
            let text = base64(&bytes);
            let core = &text[(before * 8).div_ceil(6)..bytes.len() * 8 / 6];
            add("in base64", core.to_owned());
            add("in base64url", core.replace('+', "-").replace('/', "_"));
        }
    }
    needles
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for digit in 0..=group.len() {
            text.push(char::from(DIGITS[(bits >> (18 - 6 * digit) & 63) as usize]));
        }
    }
    text
}

/// Servers that send back every canary that they are sent: in the body, in headers, in a redirect; as it is and encoded.
/// `signs_in`: it is known who the account is, and only what comes after fails.
fn echo(signs_in: bool) -> Arc<Front> {
    let count = Arc::new(AtomicUsize::new(0));
    let answer = move |request: Request| {
        let turn = count.fetch_add(1, Ordering::Relaxed);
        async move {
            let (parts, body) = request.into_parts();
            let body = axum::body::to_bytes(body, 1 << 20).await.unwrap_or_default();
            let sent = format!("{} {:?} {}", parts.uri, parts.headers, String::from_utf8_lossy(&body));
            let heard: Vec<&str> = CANARIES.iter().map(|(_, it)| *it).filter(|it| sent.contains(it)).collect();
            if signs_in && parts.uri.path().ends_with("verify_credentials") {
                let body = r#"{"id":"7","acct":"half","username":"half","url":"https://fedi.example/@half"}"#;
                return Response::builder().header("content-type", "application/json").body(Body::from(body));
            }
            let said = heard.iter().fold(sent.clone(), |text, it| {
                let hex = it.bytes().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
                let encoded: String = url::form_urlencoded::byte_serialize(it.as_bytes()).collect();
                let basic = base64(format!("Bearer {it}").as_bytes());
                format!("{it} {encoded} {} {basic} {hex} {text}", base64(it.as_bytes()))
            });
            let raw = heard.first().copied().unwrap_or_default();
            let builder = Response::builder()
                .header("x-echo", raw)
                .header("www-authenticate", format!("Bearer error=\"{raw}\""))
                .header("retry-after", raw)
                .header("location", format!("http://127.0.0.1:9/?token={raw}"));
            let json = serde_json::json!({ "error": said, "message": said, "error_description": said }).to_string();
            let (status, kind, body) = match turn % 9 {
                0 => (422, "application/json", json),
                1 => (401, "application/json", json),
                2 => (500, "text/html", format!("<pre>{said}</pre>")),
                3 => (302, "text/plain", said),
                4 => (400, "text/plain", said),
                // Answers that say yes, and are not what was expected.
                5 => (200, "application/json", serde_json::json!(raw).to_string()),
                6 => (200, "application/json", serde_json::json!({ "id": [raw], "uri": 1, "did": raw }).to_string()),
                7 => (403, "application/json", json),
                _ => (404, "application/json", json),
            };
            builder.status(status).header("content-type", kind).body(Body::from(body))
        }
    };
    let answer = move |request| {
        let answered = answer(request);
        async move { answered.await.expect("an answer") }
    };
    Arc::new(serve(Front::serve(Router::new().fallback(answer))))
}

struct Nest {
    env: TestEnv,
    variables: BTreeMap<&'static str, String>,
    fronts: Vec<Arc<Front>>,
    /// What was said, and by which command.
    said: Vec<(String, Vec<u8>)>,
}

impl Nest {
    fn new() -> Self {
        let env = TestEnv::new();
        let fronts: Vec<_> = [false, true, false].into_iter().map(echo).collect();
        let [broken, half, hook] = [0, 1, 2].map(|at: usize| fronts[at].url().to_owned());
        let mut config = "[delivery]\ntimeout = \"2s\"\nsettle = \"1s\"\n".to_owned();
        for (account, network, server) in [
            ("env", "mastodon", &broken),
            ("cred", "mastodon", &broken),
            ("sealed", "mastodon", &broken),
            ("bsky", "bluesky", &broken),
            ("half", "mastodon", &half),
        ] {
            let handle = if network == "bluesky" { "handle = \"acme.example\"\n" } else { "" };
            let _ = write!(config, "[accounts.{account}]\nnetwork = \"{network}\"\nserver = \"{server}\"\n{handle}");
        }
        env.write("operator.toml", &config);
        config += "[[alerts]]\nname = \"hook\"\nkind = \"webhook\"\n\
                   [[alerts]]\nname = \"mail\"\nkind = \"email\"\nfrom = \"smm@acme.example\"\nto = [\"a@acme.example\"]\n\
                   [[alerts]]\nname = \"program\"\nkind = \"command\"\ncommand = [\"sh\", \"-c\", \
                   \"cat > told; env > told.env; cat /proc/$PPID/cmdline /proc/$$/cmdline /proc/$$/environ > told.proc; echo no >&2; exit 3\"]\n";
        env.write("alerted.toml", config);
        env.write("dot.png", PICTURE);
        env.write("credentials/cred.token", canary("credential"));
        let hook = hook.replace("http://", &format!("http://bot:{}@", canary("hook user")));
        let hook = format!("{hook}/{}?key={}", canary("hook path"), canary("hook query"));
        // Nobody listens there.
        let mail = format!("smtp://smm:{}@127.0.0.1:9", canary("mail"));
        let variables = BTreeMap::from([
            ("SMM_CONFIG", env.path().join("operator.toml").display().to_string()),
            ("CREDENTIALS_DIRECTORY", env.path().join("credentials").display().to_string()),
            ("SMM_VAULT_KEY", KEY.to_owned()),
            ("SMM_ENV_TOKEN", canary("environment").to_owned()),
            ("SMM_HALF_TOKEN", canary("second").to_owned()),
            ("SMM_BSKY_PASSWORD", canary("password").to_owned()),
            ("SMM_LEDGER_PASSWORD", canary("ledger").to_owned()),
            ("SMM_ALERT_HOOK_URL", hook),
            ("SMM_ALERT_MAIL_URL", mail),
        ]);
        let nest = Self { env, variables, fronts, said: Vec::new() };
        nest.fill_vault();
        nest
    }

    /// Puts a secret into the vault that the program then reads.
    fn fill_vault(&self) {
        let mut account = Account::new(AccountName::new("sealed"), "mastodon");
        account.server = Some(self.fronts[0].url().to_owned());
        let env = |name: &str| match name {
            "SMM_VAULT_KEY" => Some(KEY.to_owned()),
            "SMM_KEYRING" => Some("off".to_owned()),
            _ => None,
        };
        let state = self.env.path().join("state/smm");
        let chain = Chain::usual(env, None, Some(&state));
        let kept = wait(chain.store(&Owner::account(&account), "token", &canary("vault").into(), None));
        assert_eq!(kept, Ok("vault"));
        let facts = std::fs::metadata(state.join("vault")).expect("a vault");
        assert_eq!(facts.permissions().mode() & 0o777, 0o600);
    }

    fn calendar(&self, series: &str) {
        let (now, later) = (Utc::now(), Utc::now() + TimeDelta::days(3));
        let form = "%Y-%m-%dT%H:%M:%S%.3f";
        self.env.write(
            "calendar.toml",
            format!(
                "name = \"canary\"\ntimezone = \"UTC\"\n\
                 [accounts.site]\nnetwork = \"feed\"\nfolder = \"public\"\ntitle = \"Acme\"\nlink = \"https://acme.example\"\n\
                 [defaults]\nto = [\"env\", \"cred\", \"sealed\", \"bsky\", \"half\", \"site\"]\n\
                 [[posts]]\nid = \"{series}-now\"\nat = {}\ntext = \"Now\"\nthread = [\"and then\"]\n\
                 media = [{{ file = \"dot.png\", alt = \"A dot\" }}]\n\
                 [[posts]]\nid = \"{series}-later\"\nat = {}\ntext = \"Later\"\n",
                now.format(form),
                later.format(form)
            ),
        );
    }

    fn command(&self) -> Command {
        let mut command = self.env.command();
        command.envs(&self.variables);
        command
    }

    /// Runs a command and remembers what it said.
    fn run(&mut self, args: &[&str]) -> Output {
        let output = self.command().args(args).output().expect("smm runs");
        for (stream, said) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
            self.said.push((format!("{stream} of smm {}", args.join(" ")), said.clone()));
        }
        output
    }

    /// Lets alerts be told from now on: a run that publishes then takes its time over them.
    fn alert(&mut self) {
        self.variables.insert("SMM_CONFIG", self.env.path().join("alerted.toml").display().to_string());
    }

    /// Runs it at its most talkative, for people and, where it can, for machines.
    fn run_all(&mut self, args: &[&str]) {
        self.run(&[args, &["-vvv"]].concat());
        self.run(&[args, &["-vvv", "--format", "json"]].concat());
    }

    /// What was found, and where.
    fn leaks(&self) -> Vec<String> {
        let needles = needles();
        let mut leaks = Vec::new();
        let mut search = |place: &str, bytes: &[u8]| {
            for (what, needle) in &needles {
                if let Some(at) = bytes.windows(needle.len()).position(|part| part == needle) {
                    let around = &bytes[at.saturating_sub(60)..(at + needle.len() + 20).min(bytes.len())];
                    leaks.push(format!("{what} in {place}: …{}…", String::from_utf8_lossy(around)));
                }
            }
        };
        for (place, said) in &self.said {
            search(place, said);
        }
        for file in files_below(self.env.path()) {
            let name = file.strip_prefix(self.env.path()).expect("below it").display().to_string();
            // What was put there to begin with.
            if name.starts_with("credentials/") || name.starts_with("refused") {
                continue;
            }
            search(&name, name.as_bytes());
            search(&name, &std::fs::read(&file).unwrap_or_default());
        }
        leaks
    }
}

fn files_below(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files
}

#[test]
fn no_secret_is_in_any_output() {
    let mut nest = Nest::new();
    nest.calendar("first");
    for args in [
        &["check"][..],
        &["preview"],
        &["plan"],
        &["networks"],
        &["publish", "--wait", "0"],
        &["post", "Hello", "--to", "env,cred,sealed,bsky,half", "--again"],
        &["status"],
        &["history"],
        &["show", "first-now"],
        &["retry", "first-now"],
        &["pause", "env"],
        &["resume", "env"],
        &["resume", "half", "--accept-change"],
        &["ledger"],
        &["cancel", "first-later"],
        &["accounts"],
        &["doctor"],
    ] {
        nest.run_all(args);
    }
    nest.alert();
    nest.run_all(&["alerts", "test"]);
    nest.run(&["-vvv", "publish", "--wait", "0"]);
    nest.run_all(&["status"]);
    let asked = |nest: &Nest| nest.fronts.iter().map(|front| front.seen().len()).collect::<Vec<_>>();
    assert!(asked(&nest).iter().all(|count| *count >= 3), "the servers were asked: {:?}", asked(&nest));
    for (_, secret) in CANARIES.iter().filter(|(place, _)| !["ledger", "mail", "url"].contains(place)) {
        let encoded = secret.replace('+', "%2B");
        let sent = nest.fronts.iter().flat_map(|front| front.seen()).any(|seen| {
            let text =
                format!("{} {} {:?} {}", seen.path, seen.query, seen.headers, String::from_utf8_lossy(&seen.body));
            text.contains(secret)
                || text.contains(&encoded)
                || text.contains(&base64(format!("bot:{secret}").as_bytes()))
        });
        assert!(sent, "{secret} was put to use");
    }

    // A daemon for a moment, at its most talkative.
    nest.calendar("second");
    let mut command = nest.command();
    command.arg("-vvv");
    let daemon = Daemon::start(command);
    daemon.says("ready");
    pause(2500);
    let process = format!("/proc/{}", daemon.child.id());
    for file in ["cmdline", "status", "stat", "comm", "maps"] {
        nest.said.push((format!("{process}/{file}"), std::fs::read(format!("{process}/{file}")).unwrap_or_default()));
    }
    let said = daemon.stops();
    assert!(said.len() > 3, "{said:?}");
    nest.said.push(("the daemon's log".to_owned(), format!("{said:?}").into_bytes()));

    let told = nest.env.path().join("told");
    assert!(told.is_file(), "the program was told");
    assert!(nest.env.read("told.env").contains("SMM_ALERT_SUBJECT"), "it has its own variables");
    nest.run(&["ledger", "backup", "backup.db"]);
    nest.run(&["ledger", "export", "export.jsonl"]);
    nest.run(&["ledger", "export", "-"]);
    nest.run(&["-vvv", "ledger", "import", "export.jsonl"]);
    assert!(nest.env.path().join("export.jsonl").is_file() && nest.env.path().join("backup.db").is_file());

    let leaks = nest.leaks();
    assert!(leaks.is_empty(), "{} leaks:\n{}", leaks.len(), leaks.join("\n"));
}

#[test]
fn a_password_in_a_file_is_refused_and_not_shown() {
    let mut nest = Nest::new();
    nest.calendar("first");
    let secret = canary("url");
    for (name, text) in [
        (
            "server",
            format!("[accounts.fedi]\nnetwork = \"mastodon\"\nserver = \"https://smm:{secret}@fedi.example\"\n"),
        ),
        (
            "query",
            format!("[accounts.fedi]\nnetwork = \"mastodon\"\nserver = \"https://fedi.example/?token={secret}\"\n"),
        ),
        ("ledger", format!("ledger = \"postgres://smm:{secret}@127.0.0.1:9/smm\"\n")),
        (
            "field",
            format!(
                "[accounts.fedi]\nnetwork = \"mastodon\"\nserver = \"https://fedi.example\"\ntoken = \"{secret}\"\n"
            ),
        ),
        ("hook", format!("[[alerts]]\nname = \"hook\"\nkind = \"webhook\"\nurl = \"https://x.example/{secret}\"\n")),
        ("mail", format!("[[alerts]]\nname = \"m\"\nkind = \"email\"\nurl = \"smtp://smm:{secret}@x.example\"\n")),
    ] {
        let path = nest.env.write(&format!("refused-{name}.toml"), text).display().to_string();
        nest.variables.insert("SMM_CONFIG", path);
        for format in ["human", "json", "github"] {
            let output = nest.run(&["check", "-vvv", "--format", format]);
            assert_eq!(output.status.code(), Some(1), "{name}: {}", String::from_utf8_lossy(&output.stdout));
        }
        for args in [&["publish"][..], &["plan"], &["status"], &["alerts", "test"]] {
            nest.run(&[args, &["-vvv"]].concat());
        }
    }
    let leaks = nest.leaks();
    assert!(leaks.is_empty(), "{} leaks:\n{}", leaks.len(), leaks.join("\n"));
}

#[test]
fn the_password_of_a_server_that_is_not_there_is_not_shown() {
    let mut nest = Nest::new();
    nest.calendar("first");
    let text = nest.env.read("operator.toml");
    nest.env.write("operator.toml", format!("ledger = \"postgres://smm@127.0.0.1:9/smm\"\n{text}"));
    for args in [&["status"][..], &["plan"], &["publish"], &["history"], &["ledger"]] {
        nest.run_all(args);
    }
    let leaks = nest.leaks();
    assert!(leaks.is_empty(), "{} leaks:\n{}", leaks.len(), leaks.join("\n"));
}

/// Not even where the machine would write one, and other programs of the same user cannot read its memory.
#[cfg(target_os = "linux")]
#[test]
fn no_core_is_dumped() {
    let nest = Nest::new();
    nest.calendar("later");
    let mut shell = Command::new("sh");
    let smm = nest.command();
    shell.args(["-c", "ulimit -c unlimited; exec \"$0\" daemon"]).arg(smm.get_program()).current_dir(nest.env.path());
    shell.env_clear().envs(smm.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut child = shell.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().expect("sh");
    let limits = || std::fs::read_to_string(format!("/proc/{}/limits", child.id())).expect("it lives");
    let began = std::time::Instant::now();
    while !nest.env.path().join("state/smm/ledger.db").exists() {
        assert!(began.elapsed().as_secs() < 20, "the daemon did not start");
        pause(10);
    }
    let limit = limits().lines().find(|line| line.starts_with("Max core file size")).expect("a limit").to_owned();
    assert!(limit.contains("unlimited"), "the machine would write one: {limit}");
    crate::process::signal(&child, "ABRT");
    let status = child.wait().expect("it ends");
    assert_eq!(status.signal(), Some(6), "{status}");
    assert!(!status.core_dumped(), "{status}");
}
