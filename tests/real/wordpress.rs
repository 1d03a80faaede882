//! A long form on a real `WordPress`, read back through its own API, as the site keeps it and as readers get it.

use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use smm::adapter::http::{Body, Request};

use crate::proxy::{Cut, Proxy};
use crate::publish::{Daemon, in_seconds, picture, published};
use crate::servers::{Ended, http, json_of, real, wait_for};
use crate::support::TestEnv;

/// `WordPress` on PHP's own server, with a database of its own behind a socket. Both end with the value.
struct WordPress {
    url: String,
    password: String,
    _php: Ended,
    _database: Ended,
    _folder: tempfile::TempDir,
}

fn site() -> PathBuf {
    real().join("wordpress/site")
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/wordpress").join(name)
}

/// Whether it is installed.
pub fn installed() -> bool {
    site().join("wp-config.php").is_file()
}

fn done(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().expect("it starts");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}: {told}{}", String::from_utf8_lossy(&output.stderr));
    told
}

impl WordPress {
    /// Starts one; `permalinks` as its settings have them, empty for plain ones.
    fn start(permalinks: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(at("wp-content/uploads")).expect("folders");
        let (data, socket) = (at("db"), at("db.sock"));
        // A database refuses root unless it is told that this is meant.
        let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
        let user = is_root.then_some("--user=root");
        done(
            Command::new("mariadb-install-db")
                .arg("--no-defaults")
                .args(user)
                .arg(format!("--datadir={}", data.display()))
                .args(["--auth-root-authentication-method=normal", "--skip-test-db"]),
        );
        let log = std::fs::File::create(at("db.log")).expect("a log");
        let database = Command::new("mariadbd")
            .arg("--no-defaults")
            .args(user)
            .arg(format!("--datadir={}", data.display()))
            .arg(format!("--socket={}", socket.display()))
            .arg(format!("--pid-file={}", at("db.pid").display()))
            .args(["--skip-networking", "--innodb-flush-log-at-trx-commit=0"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        let database = Ended(database.expect("mariadbd starts"));
        let begin = Instant::now();
        while std::os::unix::net::UnixStream::connect(&socket).is_err() {
            let log = std::fs::read_to_string(at("db.log")).unwrap_or_default();
            assert!(begin.elapsed() < Duration::from_mins(1), "MariaDB does not get ready:\n{log}");
            std::thread::sleep(Duration::from_millis(50));
        }
        done(
            Command::new("mariadb")
                .args(["--no-defaults", "-uroot", "-S"])
                .arg(&socket)
                .args(["-e", "create database wordpress character set utf8mb4"]),
        );
        let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").to_string();
        let url = format!("http://{free}");
        let php = || {
            let mut php = Command::new("php");
            php.env("WP_FOLDER", folder.path()).env("WP_ADDRESS", &url);
            php
        };
        let told = done(php().arg(script("setup.php")).arg(site()).arg(permalinks));
        let password = told.lines().find_map(|line| line.strip_prefix("password ")).expect("a password").to_owned();
        let server = php()
            .args(["-d", "upload_max_filesize=8M", "-d", "post_max_size=9M", "-S", &free, "-t"])
            .arg(site())
            .arg(script("router.php"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let php = Ended(server.expect("php starts"));
        wait_for(&free);
        Self { url, password, _php: php, _database: database, _folder: folder }
    }

    async fn call(&self, request: Request) -> Value {
        json_of(&http(), request.basic("alice", self.password.as_str().into())).await
    }

    async fn get(&self, route: &str) -> Value {
        self.call(Request::get(format!("{}/?rest_route=/wp/v2/{route}", self.url))).await
    }

    /// All posts but the one that every new site has.
    async fn posts(&self) -> Vec<Value> {
        let all = self.get("posts&context=edit&status=publish,draft,future,pending,private&per_page=100").await;
        let all = all.as_array().expect("posts").clone();
        all.into_iter().filter(|post| post["slug"] != "hello-world").collect()
    }
}

const LONG: &str = "+++\nid = \"launch\"\nat = AT\nto = [\"blog\"]\ntitle = \"Acme 2.0 <is> out & “new” 🎉\"\n\
    text = \"In short: مرحبا & <b>more</b>\"\nlink = \"https://acme.example/2.0?a=1&b=2\"\ntags = [\"release\", \"R&D\"]\n\
    media = [{ file = \"one.png\", alt = \"A red square & \\\"more\\\", 50%ab\" }, { file = \"two.png\", alt = \"A green <banner>\" }]\n+++\n\
    # What is new\n\nSee ![](two.png), and [gallery] is a word.\n\nOne line\nof two.\n\n- [x] ticked\n\n<script>alert(1)</script>\n\n* one\n* **two** 👩‍👩‍👧\n";

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("text, not {value}"))
}

async fn long_form(permalinks: &str) {
    let site = WordPress::start(permalinks);
    let env = TestEnv::new();
    env.write("one.png", picture(64, 64, [200, 30, 30]));
    env.write("two.png", picture(300, 100, [30, 160, 60]));
    env.write("smm.toml", account(&site.url));
    env.write("calendar.toml", "name = \"real\"\ntimezone = \"Etc/UTC\"\ninclude = [\"posts/*.md\"]\n");
    env.write("posts/launch.md", LONG.replace("AT", &in_seconds(4)));
    env.smm(&["check"]).expect(0);
    let _daemon = Daemon::start(&env, &[("SMM_BLOG_PASSWORD", &site.password)]);
    let deliveries = published(&env, 1).await;
    let receipt = &deliveries[0]["receipts"][0];

    let posts = site.posts().await;
    let [post] = posts.as_slice() else { panic!("one post: {posts:#?}") };
    assert_eq!(post["id"].to_string(), text(&receipt["id"]));
    assert_eq!((&post["link"], text(&post["status"])), (&receipt["url"], "publish"));
    assert!(text(&post["slug"]).starts_with("acme-2-0-is-out-new-"), "{}", post["slug"]);
    assert_eq!(post["title"]["raw"], "Acme 2.0 &lt;is&gt; out &amp; “new” 🎉");
    assert_eq!(post["excerpt"]["raw"], "In short: مرحبا &amp; &lt;b&gt;more&lt;/b&gt;");
    let raw = text(&post["content"]["raw"]);
    for piece in [
        "<h2>What is new</h2>",
        "alt=\"A green &lt;banner&gt;\"",
        // WordPress writes it with three digits.
        "&#091;gallery] is a word",
        "&lt;script&gt;",
        "☑ ticked",
        "<strong>two</strong> 👩‍👩‍👧",
        "<a href=\"https://acme.example/2.0?a=1&amp;b=2\">",
    ] {
        assert!(raw.contains(piece), "{piece} is not in\n{raw}");
    }
    let shown = text(&post["content"]["rendered"]);
    assert!(!shown.contains("<script") && shown.contains("gallery] is a word"), "{shown}");
    assert!(shown.contains("<p>One line of two.</p>"), "the end of a line is no break: {shown}");
    assert!(!raw.contains("A red square"), "the featured image stands above the post");

    // The picture in the post, and the featured one, with their alt texts, as readers get them.
    let featured = site.get(&format!("media/{}", post["featured_media"])).await;
    assert_eq!(featured["alt_text"], "A red square &amp; \"more\", 50&#37;ab");
    let inside = raw.split("src=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a picture");
    for (url, width) in [(text(&featured["source_url"]), 64), (inside, 300)] {
        let answer = http().call(Request::get(url)).await.expect("an answer");
        let picture = image::load_from_memory(&answer.body).unwrap_or_else(|error| panic!("{url}: {error}"));
        assert_eq!(picture.width(), width);
    }
    let of = async |kind: &str, key: &str| {
        let ids: Vec<String> = post[key].as_array().expect("numbers").iter().map(Value::to_string).collect();
        let terms = site.get(&format!("{kind}&include={}", ids.join(","))).await;
        let mut names: Vec<String> =
            terms.as_array().expect("terms").iter().map(|term| text(&term["name"]).to_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(of("tags", "tags").await, ["R&amp;D", "release"]);
    assert_eq!(of("categories", "categories").await, ["News"]);
}

pub(crate) async fn a_long_form_is_published_and_read_back() {
    long_form("/%postname%/").await;
}

pub(crate) async fn a_site_with_plain_permalinks() {
    long_form("").await;
}

/// The answer to the one call that publishes is lost: the draft's status tells, and there is one post.
pub(crate) async fn a_lost_answer_leads_to_one_post() {
    for cut in [Cut::AfterForwarding, Cut::BeforeForwarding] {
        let site = WordPress::start("/%postname%/");
        let proxy = Proxy::before(&site.url).await;
        // Posts are numbered one after the other.
        let before = site
            .call(
                Request::post(format!("{}/wp-json/wp/v2/posts", site.url))
                    .body(Body::Json(serde_json::json!({"title": "Before", "status": "draft"}))),
            )
            .await;
        let next = format!("/wp-json/wp/v2/posts/{}", before["id"].as_u64().expect("a number") + 1);
        proxy.cut(("POST", &next), cut, 1);
        let env = TestEnv::new();
        env.write("smm.toml", account(proxy.url()));
        env.write(
            "calendar.toml",
            format!(
                "name = \"real\"\ntimezone = \"Etc/UTC\"\n[[posts]]\nid = \"lost\"\nat = {}\nto = [\"blog\"]\n\
                 title = \"Lost on the way\"\ntext = \"And yet there is one.\"\n",
                in_seconds(2)
            ),
        );
        let _daemon = Daemon::start(&env, &[("SMM_BLOG_PASSWORD", &site.password)]);
        published(&env, 1).await;
        assert!(proxy.is_spent(), "nothing was cut");
        let posts = site.posts().await;
        let ours: Vec<&Value> =
            posts.iter().filter(|post| text(&post["slug"]).starts_with("lost-on-the-way")).collect();
        assert_eq!(ours.len(), 1, "{posts:#?}");
        assert_eq!(ours[0]["status"], "publish");
        let expected = if cut == Cut::AfterForwarding { 1 } else { 2 };
        assert_eq!(proxy.count(("POST", &next)), expected);
    }
}

/// Its account in `smm.toml`.
fn account(server: &str) -> String {
    format!(
        "[accounts.blog]\nnetwork = \"wordpress\"\nserver = \"{server}\"\nuser = \"alice\"\ncategories = [\"News\"]\n\n[delivery]\nsettle = \"1s\"\n"
    )
}
