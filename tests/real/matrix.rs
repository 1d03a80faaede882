//! Matrix, on a real homeserver (Synapse): what `smm daemon` publishes, read back through the homeserver's own API.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use smm::adapter::http::{Body, Request};

use crate::proxy::{Cut, Proxy};
use crate::publish::{Daemon, in_seconds, media, published, text, two_parts};
use crate::servers::{Ended, http, json_of, real, wait_for};
use crate::support::{Run, TestEnv};

/// The call that sends an event.
const SEND: (&str, &str) = ("PUT", "/_matrix/client/v3/rooms/*");

/// Whether it is installed.
pub(crate) fn installed() -> bool {
    real().join("synapse/.installed").is_file()
}

/// Synapse with a user, a token and a room. It ends with the value.
struct Synapse {
    url: String,
    user: String,
    token: String,
    room: String,
    _process: Ended,
    _folder: tempfile::TempDir,
}

impl Synapse {
    /// Starts it. `rules`: lines for its `homeserver.yaml`.
    async fn start(rules: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
        let settings = folder.path().join("homeserver.yaml");
        let port = free.port();
        let written = format!(
            "server_name: smm.test\npid_file: homeserver.pid\nlisteners:\n  - {{bind_addresses: [127.0.0.1], port: {port}, \
             tls: false, type: http, resources: [{{names: [client]}}]}}\ndatabase: {{name: sqlite3, args: {{database: \
             homeserver.db}}}}\nmedia_store_path: media\nregistration_shared_secret: of-a-test\nmacaroon_secret_key: m\n\
             form_secret: f\nsigning_key_path: signing.key\nreport_stats: false\nsuppress_key_server_warning: true\n\
             trusted_key_servers: []\nfederation_domain_whitelist: []\n{rules}\n"
        );
        std::fs::write(&settings, written).expect("its settings");
        let program = |name: &str| {
            let mut command = Command::new(real().join("synapse/bin").join(name));
            command.current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            command
        };
        let server = || {
            let mut command = program("python");
            command.args(["-m", "synapse.app.homeserver", "--config-path", "homeserver.yaml"]);
            command
        };
        assert!(server().arg("--generate-keys").status().expect("python starts").success(), "a signing key");
        let process = Ended(server().spawn().expect("Synapse starts"));
        let host = free.to_string();
        let end = Instant::now() + Duration::from_mins(1);
        while std::net::TcpStream::connect(&host).is_err() {
            assert!(Instant::now() < end, "Synapse does not listen");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        wait_for(&host);
        let url = format!("http://{host}");
        let added = program("register_new_matrix_user")
            .args(["-u", "alice", "-p", "the password of a test", "--no-admin", "-k", "of-a-test", &url])
            .status()
            .expect("it starts");
        assert!(added.success(), "a user");
        let login = Request::post(format!("{url}/_matrix/client/v3/login")).body(Body::Json(json!({
            "type": "m.login.password",
            "identifier": {"type": "m.id.user", "user": "alice"},
            "password": "the password of a test",
        })));
        let login = json_of(&http(), login).await;
        let token = text(&login["access_token"]).to_owned();
        let room = Request::post(format!("{url}/_matrix/client/v3/createRoom"))
            .bearer(token.clone().into())
            .body(Body::Json(json!({"preset": "public_chat", "room_alias_name": "news"})));
        let room = text(&json_of(&http(), room).await["room_id"]).to_owned();
        let user = text(&login["user_id"]).to_owned();
        Self { url, user, token, room, _process: process, _folder: folder }
    }

    fn get(&self, path: &str) -> Request {
        Request::get(format!("{}{path}", self.url)).bearer(self.token.clone().into())
    }

    /// All messages of the room, oldest first.
    async fn messages(&self) -> Vec<Value> {
        let request = self
            .get(&format!("/_matrix/client/v3/rooms/{}/messages", self.room))
            .query("dir", "f")
            .query("limit", "100")
            .query("filter", json!({"types": ["m.room.message"]}).to_string());
        json_of(&http(), request).await["chunk"].as_array().expect("events").clone()
    }

    fn account(&self, server: &str) -> String {
        let _ = self;
        format!(
            "[accounts.room]\nnetwork = \"matrix\"\nserver = \"{server}\"\nroom = \"#news:smm.test\"\n\n[delivery]\nsettle = \"1s\"\n"
        )
    }
}

pub(crate) async fn a_thread_is_published_and_read_back() {
    let synapse = Synapse::start("").await;
    let env = TestEnv::new();
    media(&env);
    env.write("smm.toml", synapse.account(&synapse.url));
    // As long as a text may be: what the server adds to the event has room beside it.
    let long = "x".repeat(60_000);
    env.write(
        "calendar.toml",
        format!(
            "name = \"real\"\ntimezone = \"Etc/UTC\"\n\n[[posts]]\nid = \"launch\"\nat = {at}\nto = [\"room\"]\n\
             text = \"👩‍👩‍👧 مرحبا: Acme 2.0, see https://acme.example/notes?a=1&b=2 <b> #launch\"\n\
             thread = [\"Two pictures of it.\", \"{long}\"]\n\
             media = [\n  {{ file = \"one.png\", alt = \"A red square\", part = 2 }},\n  {{ file = \"two.png\", alt = \"A green banner\", part = 2 }},\n]\n",
            at = in_seconds(4),
        ),
    );
    env.smm(&["check"]).expect(0);
    let _daemon = Daemon::start(&env, &[("SMM_ROOM_TOKEN", &synapse.token)]);
    let deliveries = published(&env, 1).await;
    let events = synapse.messages().await;
    let receipts = deliveries[0]["receipts"].as_array().expect("receipts");
    assert_eq!(events.len(), 5, "one file is one event: {events:#?}");
    for (event, receipt) in events.iter().zip(receipts) {
        assert_eq!(event["event_id"], receipt["id"]);
        assert_eq!(event["sender"], synapse.user.as_str());
        assert_eq!(event["content"]["m.mentions"], json!({}));
    }
    let [first, second, one, two, last] = events.as_slice() else { panic!("five events") };
    assert!(text(&first["content"]["body"]).starts_with("👩‍👩‍👧 مرحبا: Acme 2.0"), "{first:#}");
    let html = text(&first["content"]["formatted_body"]);
    let link =
        "<a href=\"https://acme.example/notes?a=1&amp;b=2\">https://acme.example/notes?a=1&amp;b=2</a> &lt;b&gt;";
    assert!(html.contains(link), "{html}");
    assert!(first["content"].get("m.relates_to").is_none(), "{first:#}");
    for (event, answered) in [(second, first), (one, second), (two, second), (last, second)] {
        let relation = &event["content"]["m.relates_to"];
        assert_eq!(relation["rel_type"], "m.thread");
        assert_eq!(relation["event_id"], first["event_id"]);
        assert_eq!(relation["m.in_reply_to"]["event_id"], answered["event_id"]);
    }
    // The homeserver itself sees one thread of four.
    let path = format!("/_matrix/client/v1/rooms/{}/relations/{}/m.thread", synapse.room, text(&first["event_id"]));
    let thread = json_of(&http(), synapse.get(&path).query("limit", "100")).await;
    assert_eq!(thread["chunk"].as_array().map(Vec::len), Some(4), "{thread:#}");
    for (event, alt, name, size) in
        [(one, "A red square", "one.png", (64, 64)), (two, "A green banner", "two.png", (300, 100))]
    {
        let content = &event["content"];
        assert_eq!((text(&content["msgtype"]), text(&content["body"])), ("m.image", alt));
        assert_eq!(content["filename"], name);
        assert_eq!((&content["info"]["w"], &content["info"]["h"]), (&json!(size.0), &json!(size.1)));
        let place = text(&content["url"]).strip_prefix("mxc://").expect("a file of the server's");
        let request = synapse.get(&format!("/_matrix/client/v1/media/download/{place}"));
        let file = http().call(request).await.expect("the file");
        let picture = image::load_from_memory(&file.body).expect("a picture");
        assert_eq!((picture.width(), picture.height()), size);
    }
    assert_eq!(last["content"]["body"], long);
}

/// The answer to the first event is lost: the room is looked at, and there is one.
pub(crate) async fn a_lost_answer_leads_to_one_event() {
    let synapse = Synapse::start("").await;
    let proxy = Proxy::before(&synapse.url).await;
    proxy.cut(SEND, Cut::AfterForwarding, 1);
    let env = TestEnv::new();
    env.write("smm.toml", synapse.account(proxy.url()));
    env.write("calendar.toml", two_parts(&in_seconds(2), "room"));
    let _daemon = Daemon::start(&env, &[("SMM_ROOM_TOKEN", &synapse.token)]);
    published(&env, 1).await;
    assert!(proxy.is_spent(), "an answer was lost");
    let events = synapse.messages().await;
    assert_eq!(events.len(), 2, "{events:#?}");
    assert_eq!(proxy.count(SEND), 2, "one request a part");
}

/// The homeserver takes one message in two seconds: the rest is sent when it says.
pub(crate) async fn too_many_calls_are_waited_for() {
    let synapse = Synapse::start("rc_message: {per_second: 0.5, burst_count: 1}").await;
    let proxy = Proxy::before(&synapse.url).await;
    let env = TestEnv::new();
    env.write("smm.toml", synapse.account(proxy.url()));
    env.write("calendar.toml", two_parts(&in_seconds(2), "room"));
    let _daemon = Daemon::start(&env, &[("SMM_ROOM_TOKEN", &synapse.token)]);
    published(&env, 1).await;
    let events = synapse.messages().await;
    assert_eq!(events.len(), 2, "{events:#?}");
    assert!(proxy.count(SEND) > 2, "one was refused");
    let at = |event: &Value| event["origin_server_ts"].as_i64().expect("a time");
    assert!(at(&events[1]) - at(&events[0]) >= 1_500, "{events:#?}");
}

/// A password opens a device of its own, whose token is renewed as it ends; a second sign-in goes on with that device, and
/// signing out ends it. The password is kept nowhere.
pub(crate) async fn a_password_opens_a_device() {
    // The address itself counts among those that sign in, and a token is good for a few seconds.
    let limits = "rc_login: {address: {per_second: 99, burst_count: 99}, account: {per_second: 99, burst_count: 99}}";
    let synapse = Synapse::start(&format!("{limits}\nrefreshable_access_token_lifetime: 4s")).await;
    let env = TestEnv::new();
    env.write("smm.toml", synapse.account(&synapse.url));
    let vault = ("SMM_VAULT_KEY", "0202020202020202020202020202020202020202020202020202020202020202");
    let smm = |args: &[&str], stdin: &str| {
        let mut command = env.command();
        command.args(args).envs([vault]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("smm starts");
        let _ = child.stdin.take().expect("a pipe").write_all(stdin.as_bytes());
        let run = Run::from(child.wait_with_output().expect("it ends"));
        assert!(!format!("{run:?}").contains("password of a test"), "it is shown: {run:?}");
        run
    };
    let own = async || {
        let listed = json_of(&http(), synapse.get("/_matrix/client/v3/devices")).await;
        let devices = listed["devices"].as_array().expect("devices").clone();
        let own = devices.iter().filter(|device| device["display_name"] == "smm");
        own.map(|device| text(&device["device_id"]).to_owned()).collect::<Vec<_>>()
    };
    let run = smm(&["login", "room"], "alice\nnot the password of a test").expect(1);
    assert!(run.stderr.contains("M_FORBIDDEN"), "{}", run.stderr);
    assert_eq!(own().await, Vec::<String>::new());
    let given = "alice\nthe password of a test\n";
    let told = smm(&["login", "room", "--format", "json"], given).expect(0).json();
    assert_eq!((&told["field"], &told["renewable"]), (&json!("grant"), &json!(true)), "{told:#}");
    let device = own().await;
    assert_eq!(device.len(), 1);
    smm(&["login", "room"], given).expect(0);
    assert_eq!(own().await, device, "it goes on");
    env.write("calendar.toml", two_parts(&in_seconds(8), "room"));
    let daemon = Daemon::start(&env, &[vault]);
    published(&env, 1).await;
    drop(daemon);
    let events = synapse.messages().await;
    assert_eq!(events.len(), 2, "{events:#?}");
    let run = smm(&["logout", "room"], "").expect(0);
    assert!(run.stdout.contains("given back"), "{run:?}");
    assert_eq!(own().await, Vec::<String>::new());
}

pub(crate) async fn a_wrong_token_is_held() {
    let synapse = Synapse::start("").await;
    let env = TestEnv::new();
    env.write("smm.toml", synapse.account(&synapse.url));
    env.write("calendar.toml", two_parts(&in_seconds(1), "room"));
    let _daemon = Daemon::start(&env, &[("SMM_ROOM_TOKEN", "syt_of_nobody")]);
    let end = Instant::now() + Duration::from_secs(30);
    let row = loop {
        let run = env.smm(&["status", "--all", "--format", "json"]);
        let row = run.json()["deliveries"][0].clone();
        if row["state"] == "held" {
            break row;
        }
        assert!(Instant::now() < end, "not held: {row:#}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert_eq!(row["reason"]["code"], "credentials", "{row:#}");
    assert!(row["reason"]["message"].as_str().is_some_and(|why| why.contains("M_UNKNOWN_TOKEN")), "{row:#}");
    assert!(!row.to_string().contains("syt_of_nobody"), "the token is shown");
    assert_eq!(synapse.messages().await, Vec::<Value>::new());
}
