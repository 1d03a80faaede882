//! The media host over a real bucket, which refuses what is not signed well.

use std::net::TcpListener;
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
use smm::model::{Account, AccountName, CalendarName, DeliveryId, MediaFacts, MediaKind, OccurrenceName, PostId};
use smm::secrets::Chain;
use smm::time::SystemClock;

use crate::servers::{Ended, http, real};

/// Whether it is installed.
pub fn installed() -> bool {
    real().join("s3/node_modules/s3rver/package.json").is_file()
}

/// A bucket `acme` with the keys that s3rver knows.
struct Bucket {
    url: String,
    _process: Ended,
    _folder: tempfile::TempDir,
}

impl Bucket {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
        let child = Command::new("node")
            .arg(real().join("s3/node_modules/s3rver/bin/s3rver.js"))
            .args(["-a", "127.0.0.1", "-p", &free.port().to_string(), "--configure-bucket", "acme", "-d"])
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("node starts");
        let bucket = Self { url: format!("http://{free}"), _process: Ended(child), _folder: folder };
        let begin = Instant::now();
        while http().call(Request::get(format!("{}/acme", bucket.url))).await.is_err() {
            assert!(begin.elapsed() < Duration::from_secs(30), "the bucket does not answer");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bucket
    }

    fn networks(&self, key: &'static str, keep: Duration, state: &Path) -> Networks {
        let secrets = Chain::new(
            move |name| match name {
                "SMM_MEDIA_HOST_KEY" => Some(key.to_owned()),
                "SMM_MEDIA_HOST_SECRET" => Some("S3RVER".to_owned()),
                _ => None,
            },
            None,
        );
        let settings = MediaHostSettings {
            url: format!("{}/acme", self.url),
            place: MediaPlace::S3 {
                endpoint: self.url.clone(),
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

/// A post with this picture, for a network that fetches media.
fn plan(account: &Account, file: &str) -> Plan {
    let network = smm::networks::find(&account.network).expect("it is known");
    let limits = Limits::new(network.profile(), &account.limits);
    let facts = MediaFacts { kind: MediaKind::Image, mime: "image/png".to_owned(), bytes: 1, width: 1, height: 1 };
    let media = vec![DraftMedia { file: file.to_owned(), alt: "A dot".to_owned(), facts }];
    let id = DeliveryId::derive(
        &CalendarName::new("acme"),
        &OccurrenceName::once(&PostId::new("one")),
        &AccountName::new("a"),
    );
    let parts = vec![DraftPart { text: "A dot".to_owned(), media }];
    network.plan(&Draft::new(id, account, &limits, parts)).expect("a plan")
}

/// Puts a picture where the network may fetch it; gives the address.
async fn put(networks: &Networks, folder: &Path, file: &str) -> Result<String, Fault> {
    let account = Account::new(AccountName::new("a"), "threads");
    let folders = Folders { media: folder.to_owned(), files: folder.to_owned() };
    let api = networks.connect(&account, &folders).expect("an adapter");
    let plan = plan(&account, file);
    let step = plan.steps.iter().find(|step| step.payload["do"] == "host").expect("a file to be put");
    let value = api.prepare(step, &Progress::default()).await?;
    Ok(value.get("url").and_then(Value::as_str).expect("an address").to_owned())
}

pub async fn media_are_put_shown_and_removed() {
    let (bucket, folder) = (Bucket::start().await, tempfile::tempdir().expect("a folder"));
    std::fs::write(folder.path().join("a.png"), PICTURE).expect("a picture");
    std::fs::write(folder.path().join("b.png"), samples::png(&samples::gradient(3, 2))).expect("another");
    let week = Duration::from_hours(7 * 24);

    let networks = bucket.networks("S3RVER", week, folder.path());
    let first = put(&networks, folder.path(), "a.png").await.expect("put");
    assert!(first.starts_with(&format!("{}/acme/smm/", bucket.url)) && first.strip_suffix(".png").is_some(), "{first}");
    let answer = http().call(Request::get(first.as_str())).await.expect("it answers");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("image/png")));
    assert!(answer.body.starts_with(&PICTURE[..8]));
    assert_eq!(put(&networks, folder.path(), "a.png").await, Ok(first.clone()), "the same file, the same address");

    // It counts no signature of this version again, so a key that it does not know is all that it can refuse.
    let thief = bucket.networks("another-key", week, folder.path());
    let fault = put(&thief, folder.path(), "b.png").await.expect_err("nobody has this key");
    assert!(
        matches!(&fault, Fault::Refused { refusal: Refusal::Secret, message, .. }
            if message.contains("InvalidAccessKeyId") && !message.contains("another-key")),
        "{fault:?}"
    );

    tokio::time::sleep(Duration::from_millis(2100)).await;
    let tidy = bucket.networks("S3RVER", Duration::from_secs(1), folder.path());
    let second = put(&tidy, folder.path(), "b.png").await.expect("put");
    let status = async |url: &str| http().call(Request::get(url)).await.expect("it answers").status;
    assert_eq!((status(&first).await, status(&second).await), (404, 200), "nobody needed the first any more");
}
