//! What `smm daemon` publishes at its time is what the servers hold, read back through their own API, field by field.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::proxy::{Cut, Proxy};
use crate::servers::{Pds, Snac};
use crate::support::TestEnv;

/// Emoji of four code points and Arabic stand before everything that is linked, so that offsets counted in anything but
/// bytes are wrong.
const OPENING: &str = "👩‍👩‍👧 مرحبا بالعالم:";

/// `smm daemon`, ended with this value.
pub(crate) struct Daemon(Child);

impl Daemon {
    pub(crate) fn start(env: &TestEnv, secrets: &[(&str, &str)]) -> Self {
        let log = std::fs::File::create(env.path().join("daemon.log")).expect("a log");
        let mut command = env.command();
        command.arg("daemon").envs(secrets.iter().copied()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        Self(command.spawn().expect("smm daemon starts"))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until every delivery is published, and gives them.
pub(crate) async fn published(env: &TestEnv, count: usize) -> Vec<Value> {
    let start = Instant::now();
    loop {
        let run = env.smm(&["status", "--all", "--format", "json"]);
        let deliveries = run.json()["deliveries"].as_array().expect("deliveries").clone();
        let out = deliveries.iter().filter(|delivery| delivery["state"] == "published").count();
        if out == count {
            return deliveries;
        }
        assert!(
            start.elapsed() < Duration::from_mins(1),
            "{out} of {count} published after a minute: {}\n{}",
            run.stdout,
            env.read("daemon.log"),
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The civil time in UTC, so many seconds from now.
pub(crate) fn in_seconds(seconds: i64) -> String {
    let at = chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now()) + chrono::TimeDelta::seconds(seconds);
    at.format("%Y-%m-%dT%H:%M:%S").to_string()
}

/// A PNG of one colour.
pub(crate) fn picture(width: u32, height: u32, colour: [u8; 3]) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_pixel(width, height, image::Rgb(colour))
        .write_to(&mut bytes, image::ImageFormat::Png)
        .expect("a PNG");
    bytes.into_inner()
}

/// A page with a title, a description and a picture.
async fn page() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let shown = format!(
        "<html><head><title>Not this one</title><meta property=\"og:title\" content=\"Acme 2.0 &amp; more\">\
         <meta property=\"og:description\" content=\"What is new\"><meta property=\"og:image\" content=\"{url}/card.png\">\
         </head><body>…</body></html>"
    );
    let routes =
        axum::Router::new().route("/", axum::routing::get(move || async move { axum::response::Html(shown) })).route(
            "/card.png",
            axum::routing::get(|| async { ([("content-type", "image/png")], picture(800, 420, [40, 90, 200])) }),
        );
    tokio::spawn(async move { axum::serve(listener, routes).await });
    url
}

fn thread(page: &str, mention: &str, at: &str, to: &str) -> String {
    format!(
        "name = \"real\"\ntimezone = \"Etc/UTC\"\n\n[[posts]]\nid = \"launch\"\nat = {at}\nto = [\"{to}\"]\nlang = \"en\"\n\
         text = \"{OPENING} Acme 2.0, made with {mention}. See https://acme.example/notes #launch\"\nlink = \"{page}/\"\n\
         thread = [\"Two pictures of it.\", \"That is all. Thank you 🙏\"]\n\
         media = [\n  {{ file = \"one.png\", alt = \"A red square\", part = 2 }},\n  {{ file = \"two.png\", alt = \"A green banner\", part = 2 }},\n]\n"
    )
}

pub(crate) fn media(env: &TestEnv) {
    env.write("one.png", picture(64, 64, [200, 30, 30]));
    env.write("two.png", picture(300, 100, [30, 160, 60]));
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("text, not {value}"))
}

/// The bytes of a facet.
fn faceted<'a>(text: &'a str, facet: &Value) -> &'a str {
    let byte = |key: &str| usize::try_from(facet["index"][key].as_u64().expect("a byte")).expect("a small number");
    text.get(byte("byteStart")..byte("byteEnd")).expect("whole characters")
}

pub(crate) async fn to_the_pds() {
    let pds = Pds::start("alice").await;
    let (bob, bob_did) = pds.another("bob").await;
    let page = page().await;
    let env = TestEnv::new();
    media(&env);
    env.write(
        "smm.toml",
        format!(
            "[accounts.bsky]\nnetwork = \"bluesky\"\nhandle = \"{}\"\nserver = \"{}\"\n\n[delivery]\nprivate_pages = true\n",
            pds.handle, pds.url,
        ),
    );
    let due = in_seconds(4);
    env.write("calendar.toml", thread(&page, &format!("@{bob}"), &due, "bsky"));
    env.smm(&["check"]).expect(0);
    let _daemon = Daemon::start(&env, &[("SMM_BSKY_PASSWORD", &pds.app_password)]);
    let deliveries = published(&env, 1).await;
    let posts = pds.posts().await;
    assert_eq!(posts.len(), 3, "{posts:#?}");

    // One after the other, each answering the one before, under one root.
    let by_part: Vec<&Value> = deliveries[0]["receipts"]
        .as_array()
        .expect("receipts")
        .iter()
        .map(|receipt| posts.iter().find(|post| post["uri"] == receipt["id"]).expect("the receipt's post"))
        .collect();
    let [first, second, third] = by_part.as_slice() else { panic!("three receipts") };
    assert!(first["value"].get("reply").is_none());
    for (part, parent) in [(second, first), (third, second)] {
        assert_eq!(part["value"]["reply"]["root"]["uri"], first["uri"]);
        assert_eq!(part["value"]["reply"]["root"]["cid"], first["cid"]);
        assert_eq!(part["value"]["reply"]["parent"]["uri"], parent["uri"]);
        assert_eq!(part["value"]["reply"]["parent"]["cid"], parent["cid"]);
    }
    for part in [first, second, third] {
        assert_eq!(part["value"]["langs"], serde_json::json!(["en"]));
        let created: chrono::DateTime<chrono::Utc> = text(&part["value"]["createdAt"]).parse().expect("a date");
        let late = created - format!("{due}Z").parse::<chrono::DateTime<chrono::Utc>>().expect("a date");
        assert!((0..30).contains(&late.num_seconds()), "never early, and on time: {part}");
    }

    // Text and facets.
    let said = text(&first["value"]["text"]);
    assert_eq!(said, format!("{OPENING} Acme 2.0, made with @{bob}. See https://acme.example/notes #launch"));
    let facets = first["value"]["facets"].as_array().expect("facets");
    assert_eq!(facets.len(), 3, "{facets:#?}");
    let of = |kind: &str| {
        facets
            .iter()
            .find(|facet| text(&facet["features"][0]["$type"]).ends_with(kind))
            .unwrap_or_else(|| panic!("a {kind} facet"))
    };
    assert_eq!(faceted(said, of("#mention")), format!("@{bob}"));
    assert_eq!(of("#mention")["features"][0]["did"], bob_did.as_str());
    assert_eq!(faceted(said, of("#link")), "https://acme.example/notes");
    assert_eq!(of("#link")["features"][0]["uri"], "https://acme.example/notes");
    assert_eq!(faceted(said, of("#tag")), "#launch");
    assert_eq!(of("#tag")["features"][0]["tag"], "launch");

    // The card, with the page's own words and picture.
    let card = &first["value"]["embed"];
    assert_eq!(card["$type"], "app.bsky.embed.external");
    assert_eq!(card["external"]["uri"], format!("{page}/"));
    assert_eq!(card["external"]["title"], "Acme 2.0 & more");
    assert_eq!(card["external"]["description"], "What is new");
    let thumb = pds.blob(text(&card["external"]["thumb"]["ref"]["$link"])).await;
    assert!(image::load_from_memory(&thumb).is_ok());

    // The pictures.
    let images = second["value"]["embed"]["images"].as_array().expect("images");
    let alts: Vec<&str> = images.iter().map(|image| text(&image["alt"])).collect();
    assert_eq!(alts, ["A red square", "A green banner"]);
    assert_eq!(images[1]["aspectRatio"], serde_json::json!({ "width": 300, "height": 100 }));
    let blob = image::load_from_memory(&pds.blob(text(&images[0]["image"]["ref"]["$link"])).await).expect("a picture");
    assert_eq!((blob.width(), blob.height()), (64, 64));
    assert_eq!(blob.to_rgb8().get_pixel(9, 9).0, [200, 30, 30]);
    assert_eq!(third["value"]["text"], "That is all. Thank you 🙏");
}

pub(crate) async fn to_snac() {
    let snac = Snac::start("alice").await;
    let env = TestEnv::new();
    media(&env);
    env.write("smm.toml", format!("[accounts.fedi]\nnetwork = \"mastodon\"\nserver = \"{}\"\n", snac.url));
    let page = page().await;
    env.write("calendar.toml", thread(&page, "@alice", &in_seconds(4), "fedi"));
    env.smm(&["check"]).expect(0);
    let _daemon = Daemon::start(&env, &[("SMM_FEDI_TOKEN", &snac.token)]);
    let deliveries = published(&env, 1).await;
    let posts = snac.posts().await;
    assert_eq!(posts.len(), 3, "{posts:#?}");
    let by_part: Vec<&Value> = deliveries[0]["receipts"]
        .as_array()
        .expect("receipts")
        .iter()
        .map(|receipt| posts.iter().find(|post| post["id"] == receipt["id"]).expect("the receipt's post"))
        .collect();
    let [first, second, third] = by_part.as_slice() else { panic!("three receipts") };
    assert!(first["in_reply_to_id"].is_null(), "{first:#}");
    assert_eq!(second["in_reply_to_id"], first["id"]);
    assert_eq!(third["in_reply_to_id"], second["id"]);
    let content = text(&first["content"]);
    for piece in ["مرحبا بالعالم", "👩‍👩‍👧", "https://acme.example/notes", &format!("{page}/"), "launch"]
    {
        assert!(content.contains(piece), "{piece} in {content}");
    }
    let tags: Vec<&str> = first["tags"].as_array().expect("tags").iter().map(|tag| text(&tag["name"])).collect();
    assert!(tags.iter().any(|tag| tag.trim_start_matches('#') == "launch"), "{tags:?}");
    let media = second["media_attachments"].as_array().expect("media");
    let alts: Vec<&str> = media.iter().map(|file| text(&file["description"])).collect();
    assert_eq!(alts, ["A red square", "A green banner"]);
    assert!(text(&third["content"]).contains("That is all. Thank you 🙏"));
    assert_eq!(first["visibility"], "public");
}

/// A film of so many bytes as a player knows one by its head: ISO/IEC 14496-12, one track of 320×240, no pictures in it.
fn film(bytes: usize) -> Vec<u8> {
    let atom = |name: &[u8; 4], content: &[u8]| {
        let length = u32::try_from(content.len() + 8).expect("a small box");
        [&length.to_be_bytes()[..], name, content].concat()
    };
    let mut track = vec![0; 40];
    let matrix: [u32; 11] = [0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000, 320 << 16, 240 << 16];
    track.extend(matrix.iter().flat_map(|number| number.to_be_bytes()));
    let movie = [atom(b"mvhd", &[0; 100]), atom(b"trak", &atom(b"tkhd", &track))].concat();
    let mut film = [atom(b"ftyp", b"isom\0\0\x02\0isomiso2mp41"), atom(b"moov", &movie)].concat();
    let left = bytes - film.len() - 8;
    let data: Vec<u8> = (0..left).map(|at| u8::try_from(at % 251).expect("less than 251")).collect();
    film.extend(atom(b"mdat", &data));
    film
}

/// A calendar with a film for one account.
fn with_film(env: &TestEnv, to: &str) {
    env.write("film.mp4", film(700_000));
    env.write(
        "calendar.toml",
        format!(
            "name = \"acme\"\ntimezone = \"UTC\"\n\n[[posts]]\nid = \"film\"\nat = {}\nto = [\"{to}\"]\n\
             text = \"Look at this.\"\nmedia = [{{ file = \"film.mp4\", alt = \"A short film\" }}]\n",
            in_seconds(4)
        ),
    );
    env.smm(&["check"]).expect(0);
}

pub(crate) async fn a_film_to_the_pds() {
    let pds = Pds::start("frank").await;
    let env = TestEnv::new();
    env.write(
        "smm.toml",
        format!("[accounts.bsky]\nnetwork = \"bluesky\"\nhandle = \"{}\"\nserver = \"{}\"\n", pds.handle, pds.url),
    );
    with_film(&env, "bsky");
    let _daemon = Daemon::start(&env, &[("SMM_BSKY_PASSWORD", &pds.app_password)]);
    published(&env, 1).await;
    let posts = pds.posts().await;
    assert_eq!(posts.len(), 1, "{posts:#?}");
    let embed = &posts[0]["value"]["embed"];
    assert_eq!(embed["$type"], "app.bsky.embed.video", "{posts:#?}");
    assert_eq!((&embed["video"]["mimeType"], &embed["video"]["size"]), (&"video/mp4".into(), &700_000.into()));
    assert_eq!(embed["alt"], "A short film");
    assert_eq!((&embed["aspectRatio"]["width"], &embed["aspectRatio"]["height"]), (&320.into(), &240.into()));
}

pub(crate) async fn a_film_to_snac() {
    let snac = Snac::start("frank").await;
    let env = TestEnv::new();
    env.write("smm.toml", format!("[accounts.fedi]\nnetwork = \"mastodon\"\nserver = \"{}\"\n", snac.url));
    with_film(&env, "fedi");
    let _daemon = Daemon::start(&env, &[("SMM_FEDI_TOKEN", &snac.token)]);
    published(&env, 1).await;
    let posts = snac.posts().await;
    assert_eq!(posts.len(), 1, "{posts:#?}");
    let media = posts[0]["media_attachments"].as_array().expect("media");
    assert_eq!(media.len(), 1, "{posts:#?}");
    assert_eq!((&media[0]["type"], &media[0]["description"]), (&"video".into(), &"A short film".into()));
}

/// The answer to the first part is lost: there is one post all the same, found by its record key.
pub(crate) async fn a_lost_answer_on_the_pds() {
    let pds = Pds::start("carol").await;
    let proxy = Proxy::before(&pds.url).await;
    proxy.cut(("POST", "/xrpc/com.atproto.repo.putRecord"), Cut::AfterForwarding, 1);
    let env = TestEnv::new();
    env.write(
        "smm.toml",
        format!(
            "[accounts.bsky]\nnetwork = \"bluesky\"\nhandle = \"{}\"\nserver = \"{}\"\n\n[delivery]\nsettle = \"1s\"\n",
            pds.handle,
            proxy.url(),
        ),
    );
    env.write("calendar.toml", two_parts(&in_seconds(2), "bsky"));
    let _daemon = Daemon::start(&env, &[("SMM_BSKY_PASSWORD", &pds.app_password)]);
    published(&env, 1).await;
    let posts = pds.posts().await;
    assert_eq!(posts.len(), 2, "{posts:#?}");
}

/// snac keeps no idempotency keys: the account's own posts are looked at.
pub(crate) async fn a_lost_answer_on_snac() {
    let snac = Snac::start("carol").await;
    let proxy = Proxy::before(&snac.url).await;
    proxy.cut(("POST", "/api/v1/statuses"), Cut::AfterForwarding, 1);
    let env = TestEnv::new();
    env.write(
        "smm.toml",
        format!(
            "[accounts.fedi]\nnetwork = \"mastodon\"\nserver = \"{}\"\n\n[delivery]\nsettle = \"1s\"\n",
            proxy.url(),
        ),
    );
    env.write("calendar.toml", two_parts(&in_seconds(2), "fedi"));
    let _daemon = Daemon::start(&env, &[("SMM_FEDI_TOKEN", &snac.token)]);
    published(&env, 1).await;
    let posts = snac.posts().await;
    assert_eq!(posts.len(), 2, "{posts:#?}");
    assert_eq!(proxy.count(("POST", "/api/v1/statuses")), 2, "one request a part");
}

pub(crate) fn two_parts(at: &str, to: &str) -> String {
    format!(
        "name = \"real\"\ntimezone = \"Etc/UTC\"\n\n[[posts]]\nid = \"lost\"\nat = {at}\nto = [\"{to}\"]\n\
         text = \"The answer to this one is lost on the way.\"\nthread = [\"And yet there is only one of it.\"]\n"
    )
}
