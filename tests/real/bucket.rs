//! The media host over a real bucket, which counts every signature again and refuses what is not signed well, with a web
//! server before it that shows what is in it to everybody.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use smm::adapter::http::{HttpSettings, Request};
use smm::adapter::suite::PICTURE;
use smm::adapter::{Draft, DraftMedia, DraftPart, Fault, Limits, Plan, Progress, Refusal};
use smm::calendar::{MediaHostSettings, MediaPlace};
use smm::engine::{Connector, Folders, Networks};
use smm::media::samples;
use smm::model::{Account, AccountName, CalendarName, DeliveryId, OccurrenceName, PostId};
use smm::secrets::Chain;
use smm::time::SystemClock;

use crate::servers::{Ended, http, real};

/// The key that the bucket knows, and its secret.
const KEY: &str = "AKIA-OF-ACME";
const SECRET: &str = "the-secret-of-acme";

const WEEK: Duration = Duration::from_hours(7 * 24);

/// Whether it is installed.
pub fn installed() -> bool {
    real().join("rclone/bin/rclone").is_file()
}

/// A bucket `acme`, and what shows it.
struct Bucket {
    endpoint: String,
    url: String,
    _processes: [Ended; 2],
    _folder: tempfile::TempDir,
}

/// Serves a folder.
fn serve(how: &[&str], folder: &Path) -> (SocketAddr, Ended) {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let child = Command::new(real().join("rclone/bin/rclone"))
        .arg("serve")
        .args(how)
        .args(["--addr", &free.to_string(), "--dir-cache-time", "0s", "--config", "/dev/null"])
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("rclone starts");
    (free, Ended(child))
}

impl Bucket {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join("acme")).expect("a bucket");
        let (bucket, first) = serve(&["s3", "--auth-key", &format!("{KEY},{SECRET}")], folder.path());
        let (shown, second) = serve(&["http"], &folder.path().join("acme"));
        let (endpoint, url) = (format!("http://{bucket}"), format!("http://{shown}"));
        for address in [&endpoint, &url] {
            let begin = Instant::now();
            while http().call(Request::get(address)).await.is_err() {
                assert!(begin.elapsed() < Duration::from_secs(30), "{address} does not answer");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        Self { endpoint, url, _processes: [first, second], _folder: folder }
    }

    fn networks(&self, (key, secret): (&'static str, &'static str), keep: Duration, state: &Path) -> Networks {
        let secrets = Chain::new(
            move |name| match name {
                "SMM_MEDIA_HOST_KEY" => Some(key.to_owned()),
                "SMM_MEDIA_HOST_SECRET" => Some(secret.to_owned()),
                _ => None,
            },
            None,
        );
        let settings = MediaHostSettings {
            url: self.url.clone(),
            place: MediaPlace::S3 {
                endpoint: self.endpoint.clone(),
                bucket: "acme".to_owned(),
                region: "us-east-1".to_owned(),
                prefix: "smm".to_owned(),
            },
            keep,
        };
        let http = HttpSettings { timeout: Duration::from_secs(20), private_pages: true };
        Networks::new(secrets, http, state.to_owned(), Arc::new(SystemClock)).with_media_host(Some(&settings))
    }
}

/// A post with this file, for a network that fetches media.
fn plan(account: &Account, folder: &Path, file: &str) -> Plan {
    let network = smm::networks::find(&account.network).expect("it is known");
    let limits = Limits::new(network.profile(), &account.limits);
    let facts = smm::media::probe(&std::fs::read(folder.join(file)).expect("a file")).expect("one for a post");
    let media = vec![DraftMedia { file: file.to_owned(), alt: "A dot".to_owned(), facts }];
    let id = DeliveryId::derive(
        &CalendarName::new("acme"),
        &OccurrenceName::once(&PostId::new("one")),
        &AccountName::new("a"),
    );
    let parts = vec![DraftPart { text: "A dot".to_owned(), media }];
    network.plan(&Draft::new(id, account, &limits, parts)).expect("a plan")
}

/// Puts a file where the network may fetch it; gives the address.
async fn put(networks: &Networks, folder: &Path, file: &str) -> Result<String, Fault> {
    let account = Account::new(AccountName::new("a"), "threads");
    let folders = Folders { media: folder.to_owned(), files: folder.to_owned() };
    let api = networks.connect(&account, &folders).expect("an adapter");
    let plan = plan(&account, folder, file);
    let step = plan.steps.iter().find(|step| step.payload["do"] == "host").expect("a file to be put");
    let value = api.prepare(step, &Progress::default()).await?;
    Ok(value.get("url").and_then(Value::as_str).expect("an address").to_owned())
}

pub async fn media_are_put_shown_and_removed() {
    let (bucket, folder) = (Bucket::start().await, tempfile::tempdir().expect("a folder"));
    std::fs::write(folder.path().join("a.png"), PICTURE).expect("a picture");
    std::fs::write(folder.path().join("b.png"), samples::png(&samples::gradient(3, 2))).expect("another");
    // Sent while it is read, in more than one piece.
    let mut video = samples::mp4(320, 240);
    video.resize(3 * 1024 * 1024, 0);
    std::fs::write(folder.path().join("c.mp4"), &video).expect("a video");

    let networks = bucket.networks((KEY, SECRET), WEEK, folder.path());
    let first = put(&networks, folder.path(), "a.png").await.expect("put");
    assert!(first.starts_with(&format!("{}/smm/", bucket.url)) && first.strip_suffix(".png").is_some(), "{first}");
    let answer = http().call(Request::get(first.as_str())).await.expect("it answers");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("image/png")));
    assert!(answer.body.starts_with(&PICTURE[..8]));
    assert_eq!(put(&networks, folder.path(), "a.png").await, Ok(first.clone()), "the same file, the same address");
    let film = put(&networks, folder.path(), "c.mp4").await.expect("put");
    let answer = http().call(Request::get(film.as_str())).await.expect("it answers");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("video/mp4")));
    assert!(answer.body == video, "{} bytes", answer.body.len());

    tokio::time::sleep(Duration::from_millis(2100)).await;
    let tidy = bucket.networks((KEY, SECRET), Duration::from_secs(1), folder.path());
    let second = put(&tidy, folder.path(), "b.png").await.expect("put");
    let status = async |url: &str| http().call(Request::get(url)).await.expect("it answers").status;
    assert_eq!((status(&first).await, status(&second).await), (404, 200), "nobody needed the first any more");
}

pub async fn a_wrong_key_is_refused() {
    let (bucket, folder) = (Bucket::start().await, tempfile::tempdir().expect("a folder"));
    std::fs::write(folder.path().join("a.png"), PICTURE).expect("a picture");
    for (keys, code, advice) in [
        ((KEY, "guessed-secret"), "SignatureDoesNotMatch", "SMM_MEDIA_HOST_SECRET is not the one that belongs to"),
        (("AKIA-OF-NOBODY", SECRET), "InvalidAccessKeyId", "SMM_MEDIA_HOST_KEY is none of its keys"),
    ] {
        let networks = bucket.networks(keys, WEEK, folder.path());
        let fault = put(&networks, folder.path(), "a.png").await.expect_err("it is refused");
        assert!(
            matches!(&fault, Fault::Refused { refusal: Refusal::Secret, message, .. }
                if message.contains(code) && message.contains(advice)),
            "{fault:?}"
        );
        let told = fault.to_string();
        assert!(!told.contains(keys.0) && !told.contains(keys.1) && !told.contains("X-Amz"), "{told}");
    }
    let networks = bucket.networks((KEY, SECRET), WEEK, folder.path());
    assert!(put(&networks, folder.path(), "a.png").await.is_ok(), "with the right ones it is taken");
}
