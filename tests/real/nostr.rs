//! Nostr, on real relays (nostr-relay): what `smm daemon` publishes, read back from each of them. The media server is a
//! stand-in that keeps what it is given.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::State;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::publish::{Daemon, in_seconds, media, published, text, two_parts};
use crate::servers::{Ended, http, real};
use crate::support::TestEnv;

/// A secret key, and the public one that belongs to it (NIP-19's example).
const NSEC: &str = "nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5";
const PUBLIC: &str = "7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e";

/// Whether it is installed.
pub(crate) fn installed() -> bool {
    real().join("nostr/.installed").is_file()
}

/// A relay. It ends with the value.
struct Relay {
    host: String,
    process: Option<Ended>,
    folder: tempfile::TempDir,
}

impl Relay {
    async fn start() -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
        let mut relay = Self { host: free.to_string(), process: None, folder: tempfile::tempdir().expect("a folder") };
        let database = relay.folder.path().join("nostr.sqlite3");
        let settings = format!(
            "relay_name: a relay\nstorage:\n  sqlalchemy.url: sqlite+aiosqlite:///{}\n  validators:\n    - \
             nostr_relay.validators.is_not_too_large\n    - nostr_relay.validators.is_signed\n    - \
             nostr_relay.validators.is_recent\ngunicorn:\n  bind: {}\n  loglevel: warning\nauthentication:\n  enabled: \
             false\nsubscription_limit: 32\n",
            database.display(),
            relay.host
        );
        std::fs::write(relay.folder.path().join("relay.yaml"), settings).expect("its settings");
        relay.begin().await;
        relay
    }

    /// Starts it (again).
    async fn begin(&mut self) {
        let child = Command::new(real().join("nostr/bin/nostr-relay"))
            .args(["-c", "relay.yaml", "serve", "--use-uvicorn"])
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the relay starts");
        self.process = Some(Ended(child));
        let end = Instant::now() + Duration::from_mins(1);
        while TcpStream::connect(&self.host).await.is_err() {
            assert!(Instant::now() < end, "{} does not listen", self.host);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn end(&mut self) {
        self.process = None;
    }

    /// The notes that it has, oldest first.
    async fn notes(&self) -> Vec<Value> {
        let mut socket = http().socket(&format!("ws://{}", self.host), None).await.expect("the relay answers");
        let filter = json!({"kinds": [1], "authors": [PUBLIC]});
        socket.send(&json!(["REQ", "test", filter]).to_string()).await.expect("sent");
        let mut notes = Vec::new();
        loop {
            let said: Value = serde_json::from_str(&socket.next().await.expect("an answer")).expect("JSON");
            match text(&said[0]) {
                "EVENT" => notes.push(said[2].clone()),
                "EOSE" => break,
                other => panic!("{other}: {said}"),
            }
        }
        notes
    }
}

type Files = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

/// A media server that keeps what it is given, by hash.
async fn blossom() -> (String, Files) {
    async fn upload(State((url, files)): State<(String, Files)>, bytes: Bytes) -> axum::Json<Value> {
        let hash = smm::model::hex(&Sha256::digest(&bytes));
        files.lock().expect("no panic").insert(hash.clone(), bytes.to_vec());
        axum::Json(json!({"url": format!("{url}/{hash}.png"), "sha256": hash, "size": bytes.len()}))
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let files = Files::default();
    let router =
        axum::Router::new().route("/upload", axum::routing::put(upload)).with_state((url.clone(), Arc::clone(&files)));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, files)
}

fn account(relays: &[String], media_server: Option<&str>) -> String {
    let relays: Vec<String> = relays.iter().map(|host| format!("\"ws://{host}\"")).collect();
    let media_server = media_server.map(|server| format!("media_server = \"{server}\"\n")).unwrap_or_default();
    format!(
        "[accounts.keys]\nnetwork = \"nostr\"\nrelays = [{}]\n{media_server}\n[delivery]\nsettle = \"1s\"\n",
        relays.join(", ")
    )
}

/// The values of an event's tags of this name.
fn tags<'a>(event: &'a Value, name: &'a str) -> Vec<&'a Vec<Value>> {
    let tags = event["tags"].as_array().expect("tags").iter().filter_map(Value::as_array);
    tags.filter(|tag| tag[0] == name).collect()
}

pub(crate) async fn a_thread_is_published_and_read_back() {
    let relays = [Relay::start().await, Relay::start().await, Relay::start().await];
    let hosts: Vec<String> = relays.iter().map(|relay| relay.host.clone()).collect();
    let (server, files) = blossom().await;
    let env = TestEnv::new();
    media(&env);
    env.write("smm.toml", account(&hosts, None));
    env.write(
        "calendar.toml",
        format!(
            "name = \"real\"\ntimezone = \"Etc/UTC\"\n\n[[posts]]\nid = \"launch\"\nat = {at}\nto = [\"keys\"]\nlang = \"en\"\n\
             text = \"👩‍👩‍👧 مرحبا: \\\"Acme\\\" 2.0\\nSee https://acme.example/notes #Launch\"\n\
             thread = [\"Two pictures of it.\", \"That is all. Thank you 🙏\"]\n\
             media = [\n  {{ file = \"one.png\", alt = \"A red square\", part = 2 }},\n  {{ file = \"two.png\", alt = \"A green banner\", part = 2 }},\n]\n",
            at = in_seconds(4),
        ),
    );
    // Without a place for the pictures: told where, and what to do.
    let run = env.smm(&["check"]).expect(1);
    assert!(run.stdout.contains("media-server-missing") && run.stdout.contains("`media_server = "), "{}", run.stdout);
    env.write("smm.toml", account(&hosts, Some(&server)));
    env.smm(&["check"]).expect(0);
    let _daemon = Daemon::start(&env, &[("SMM_KEYS_NSEC", NSEC)]);
    let deliveries = published(&env, 1).await;
    let receipts = deliveries[0]["receipts"].as_array().expect("receipts");
    for relay in &relays {
        let notes = relay.notes().await;
        assert_eq!(notes.len(), 3, "{notes:#?}");
        let by_part: Vec<&Value> = receipts
            .iter()
            .map(|receipt| notes.iter().find(|note| note["id"] == receipt["id"]).expect("the receipt's event"))
            .collect();
        let [first, second, third] = by_part.as_slice() else { panic!("three receipts") };
        assert_eq!(first["content"], "👩‍👩‍👧 مرحبا: \"Acme\" 2.0\nSee https://acme.example/notes #Launch");
        assert_eq!(tags(first, "t")[0][1], "launch");
        assert_eq!(tags(first, "r")[0][1], "https://acme.example/notes");
        assert_eq!(tags(first, "l")[0][1], "en");
        assert!(tags(first, "e").is_empty());
        assert_eq!(tags(second, "e").len(), 1);
        let e = |event: &Value, mark: &str| {
            let tag = tags(event, "e").into_iter().find(|tag| tag[3] == mark).expect("such a tag").clone();
            tag[1].clone()
        };
        assert_eq!(e(second, "root"), first["id"]);
        assert_eq!((e(third, "root"), e(third, "reply")), (first["id"].clone(), second["id"].clone()));
        let described = tags(second, "imeta");
        let field = |at: usize, name: &str| {
            let field = described[at].iter().filter_map(Value::as_str).find_map(|field| field.strip_prefix(name));
            field.unwrap_or_else(|| panic!("no {name}")).to_owned()
        };
        assert_eq!([field(0, "alt "), field(1, "alt ")], ["A red square", "A green banner"]);
        assert_eq!([field(0, "dim "), field(1, "dim ")], ["64x64", "300x100"]);
        for at in 0..2 {
            assert!(text(&second["content"]).contains(&field(at, "url ")), "{second:#}");
            let kept = files.lock().expect("no panic").get(&field(at, "x ")).cloned().expect("the file was uploaded");
            let picture = image::load_from_memory(&kept).expect("a picture");
            assert_eq!(field(at, "dim "), format!("{}x{}", picture.width(), picture.height()));
        }
    }
}

/// Every relay takes the first event, and none of its answers arrives: there is one event all the same.
pub(crate) async fn lost_answers_lead_to_one_event() {
    let relays = [Relay::start().await, Relay::start().await];
    let lost = Arc::new(Mutex::new(0));
    let mut hosts = Vec::new();
    for relay in &relays {
        hosts.push(before(&relay.host, Arc::clone(&lost)).await);
    }
    let env = TestEnv::new();
    env.write("smm.toml", account(&hosts, None));
    env.write("calendar.toml", two_parts(&in_seconds(2), "keys"));
    let _daemon = Daemon::start(&env, &[("SMM_KEYS_NSEC", NSEC)]);
    published(&env, 1).await;
    assert_eq!(*lost.lock().expect("no panic"), 2, "each relay's first answer was lost");
    for relay in &relays {
        let notes = relay.notes().await;
        assert_eq!(notes.len(), 2, "{notes:#?}");
    }
}

/// One of two is down and both are wanted: what the other has is not taken for published until the first is back.
pub(crate) async fn a_quorum_is_waited_for() {
    let mut relays = [Relay::start().await, Relay::start().await];
    let hosts: Vec<String> = relays.iter().map(|relay| relay.host.clone()).collect();
    relays[1].end();
    let env = TestEnv::new();
    env.write("smm.toml", account(&hosts, None));
    env.write("calendar.toml", two_parts(&in_seconds(2), "keys"));
    let _daemon = Daemon::start(&env, &[("SMM_KEYS_NSEC", NSEC)]);
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let row = env.smm(&["status", "--all", "--format", "json"]).json()["deliveries"][0].clone();
        if row["state"] == "unknown" {
            let why = text(&row["reason"]["message"]).to_owned();
            assert!(why.contains("1 of 2 relays"), "{why}");
            break;
        }
        assert!(Instant::now() < end && row["state"] != "published", "{row:#}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(relays[0].notes().await.len(), 1);
    relays[1].begin().await;
    published(&env, 1).await;
    for relay in &relays {
        let notes = relay.notes().await;
        assert_eq!(notes.len(), 2, "{notes:#?}");
    }
}

/// A proxy before a relay that passes the first event on and then hangs up; `lost` counts how often that was done.
async fn before(upstream: &str, lost: Arc<Mutex<u32>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let host = listener.local_addr().expect("an address").to_string();
    let upstream = upstream.to_owned();
    let done = Arc::new(Mutex::new(false));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(pass(client, upstream.clone(), Arc::clone(&done), Arc::clone(&lost)));
        }
    });
    host
}

async fn pass(mut client: TcpStream, upstream: String, done: Arc<Mutex<bool>>, lost: Arc<Mutex<u32>>) {
    let Ok(mut server) = TcpStream::connect(&upstream).await else { return };
    let (mut up, mut down) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        tokio::select! {
            count = client.read(&mut up) => {
                let Some(count) = count.ok().filter(|count| *count > 0) else { return };
                if server.write_all(&up[..count]).await.is_err() {
                    return;
                }
                if is_event(&up[..count]) && !std::mem::replace(&mut *done.lock().expect("no panic"), true) {
                    // Long enough for the relay to have stored it.
                    let _ = server.read(&mut down).await;
                    *lost.lock().expect("no panic") += 1;
                    return;
                }
            }
            count = server.read(&mut down) => {
                let Some(count) = count.ok().filter(|count| *count > 0) else { return };
                if client.write_all(&down[..count]).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Whether these bytes are a client's frame with an event (RFC 6455, 5.2).
fn is_event(frame: &[u8]) -> bool {
    let at = match frame.get(1).map(|length| length & 0x7f) {
        Some(126) => 4,
        Some(127) => 10,
        Some(_) => 2,
        None => return false,
    };
    let Some(mask) = frame.get(at..at + 4) else { return false };
    let said: Vec<u8> =
        frame[at + 4..].iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).take(8).collect();
    frame[0] == 0x81 && said == *b"[\"EVENT\""
}
