use std::collections::BTreeMap;
use std::sync::{Mutex as StdMutex, MutexGuard};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path as UrlPath, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};

use super::*;
use crate::adapter::http::HttpSettings;
use crate::adapter::suite::{Film, Front, MemoryFiles, PICTURE, Rule, outside, plans};
use crate::adapter::{Limits, Outside, Refusal};
use crate::model::{LimitOverrides, MediaFacts, MediaKind};
use crate::secrets::Chain;
use crate::time::ManualClock;

fn start() -> DateTime<Utc> {
    "2026-11-23T09:00:00Z".parse().expect("a time")
}

fn file(bytes: &[u8]) -> MediaFile {
    let facts = MediaFacts {
        kind: MediaKind::Image,
        mime: "image/png".to_owned(),
        bytes: bytes.len() as u64,
        width: 1,
        height: 1,
    };
    MediaFile { content: bytes.to_vec().into(), facts, name: "dot.png".to_owned() }
}

/// A video that nobody may read as a whole.
async fn film(film: &Arc<Film>) -> MediaFile {
    let outside = outside(BTreeMap::new(), Arc::new(MemoryFiles::default()));
    let outside = Outside { media: Arc::clone(film) as Arc<_>, ..outside };
    let mut networks = crate::networks::ALL.iter();
    let network = networks.find(|network| network.needs_media_host()).expect("one fetches its media");
    let limits = Limits::new(network.profile(), &LimitOverrides::default());
    let media = plans::file("film.mp4", MediaKind::Video, "video/mp4", film.length(), "");
    outside.file(&media, &limits).await.expect("it is there")
}

/// A bucket in memory that shows what it holds to everybody, and checks that calls are signed at all: whether they are
/// signed well is a real server's to say.
#[derive(Default)]
struct World {
    objects: BTreeMap<String, (String, Vec<u8>, DateTime<Utc>)>,
    clock: Option<Arc<ManualClock>>,
}

type Shared = State<Arc<StdMutex<World>>>;

fn held(world: &StdMutex<World>) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn store(
    State(world): Shared,
    UrlPath(key): UrlPath<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let signed = query.unwrap_or_default();
    if !signed.contains("X-Amz-Signature=") || !signed.contains("X-Amz-Credential=AKIA-TEST") {
        return (StatusCode::FORBIDDEN, "<Error><Code>AccessDenied</Code></Error>").into_response();
    }
    let mime = headers[header::CONTENT_TYPE].to_str().expect("text").to_owned();
    let mut world = held(&world);
    let now = world.clock.as_ref().expect("a clock").now();
    world.objects.insert(key, (mime, body.to_vec(), now));
    StatusCode::OK.into_response()
}

async fn show(State(world): Shared, UrlPath(key): UrlPath<String>) -> Response {
    match held(&world).objects.get(&key) {
        Some((mime, bytes, _)) => ([(header::CONTENT_TYPE, mime.clone())], bytes.clone()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn forget(State(world): Shared, UrlPath(key): UrlPath<String>) -> Response {
    held(&world).objects.remove(&key);
    StatusCode::NO_CONTENT.into_response()
}

async fn list(State(world): Shared) -> String {
    let entry = |(key, (_, _, at)): (&String, &(String, Vec<u8>, DateTime<Utc>))| {
        format!("<Contents><Key>{key}</Key><LastModified>{}</LastModified></Contents>", at.to_rfc3339())
    };
    held(&world).objects.iter().map(entry).collect()
}

struct Bench {
    front: Front,
    world: Arc<StdMutex<World>>,
    clock: Arc<ManualClock>,
    host: Host,
}

fn tools(clock: &Arc<ManualClock>) -> Tools {
    let secrets = Chain::new(
        |name| match name {
            "SMM_MEDIA_HOST_KEY" => Some("AKIA-TEST".to_owned()),
            "SMM_MEDIA_HOST_SECRET" => Some("s3cret-of-the-bucket".to_owned()),
            _ => None,
        },
        None,
    );
    let http = Http::new(HttpSettings { private_pages: true, ..HttpSettings::default() });
    Tools { secrets, http, clock: Arc::clone(clock) as Arc<dyn Clock>, state: std::env::temp_dir() }
}

async fn bench() -> Bench {
    let clock = Arc::new(ManualClock::new(start()));
    let world = Arc::new(StdMutex::new(World { clock: Some(Arc::clone(&clock)), ..World::default() }));
    let router = Router::new()
        .route("/acme", get(list))
        .route("/acme/", get(list))
        .route("/acme/{*key}", put(store).delete(forget))
        .route("/public/{*key}", get(show))
        .with_state(Arc::clone(&world));
    let front = Front::serve(router).await;
    let settings = MediaHostSettings {
        url: format!("{}/public", front.url()),
        place: MediaPlace::S3 {
            endpoint: front.url().to_owned(),
            bucket: "acme".to_owned(),
            region: "us-east-1".to_owned(),
            prefix: "smm".to_owned(),
        },
        keep: std::time::Duration::from_hours(7 * 24),
    };
    let host = Host::new(&settings, &tools(&clock));
    Bench { front, world, clock, host }
}

#[tokio::test]
async fn the_same_file_has_the_same_address_and_is_served() {
    let bench = bench().await;
    let address = bench.host.put(&file(PICTURE)).await.expect("put");
    let name = format!("{}.png", hex(&Sha256::digest(PICTURE)));
    assert_eq!(address, format!("{}/public/smm/{name}", bench.front.url()));
    assert_eq!(bench.host.put(&file(PICTURE)).await, Ok(address));
    assert_eq!(held(&bench.world).objects.len(), 1);
    assert_eq!(held(&bench.world).objects[&format!("smm/{name}")].0, "image/png");
    assert_ne!(
        bench.host.put(&file(b"another")).await.expect("put"),
        format!("{}/public/smm/{name}", bench.front.url())
    );
    assert_eq!(bench.front.count("GET", "/acme*"), 1, "old files are looked for once in a while");
}

#[tokio::test]
async fn what_is_not_shown_is_not_given_to_a_network() {
    let bench = bench().await;
    let path = format!("/public/smm/{}.png", hex(&Sha256::digest(PICTURE)));
    let same_length = "x".repeat(PICTURE.len());
    let cases = [
        (Rule::answer(403, "no"), "HTTP 403"),
        (Rule::answer(200, "{}"), "it says that it is `application/json`, and it is `image/png`"),
        (Rule::answer(200, same_length).header("content-type", "image/png"), "it is another file"),
        (Rule::answer(200, "").header("content-type", "image/png"), "it is another file"),
    ];
    for (rule, why) in cases {
        bench.front.rule(rule.on("GET", &path));
        let fault = bench.host.put(&file(PICTURE)).await.expect_err(why);
        assert!(matches!(&fault, Fault::NotSent(said) if said.contains(why) && said.contains(&path)), "{fault}");
    }
    assert!(bench.host.put(&file(PICTURE)).await.is_ok());
}

#[tokio::test]
async fn a_refusal_says_what_to_see_and_shows_no_key() {
    let bench = bench().await;
    let path = format!("/acme/smm/{}.png", hex(&Sha256::digest(PICTURE)));
    for (status, body) in [
        (403, "<Code>SignatureDoesNotMatch</Code><K>AKIA-TEST</K>"),
        (403, "<Code>InvalidAccessKeyId</Code>"),
        (403, ""),
        (401, "AKIA-TEST"),
    ] {
        bench.front.rule(Rule::answer(status, body).on("PUT", &path));
        let fault = bench.host.put(&file(PICTURE)).await.expect_err("refused");
        assert!(matches!(&fault, Fault::Refused { refusal: Refusal::Secret, .. }), "{fault:?}");
        let told = fault.to_string();
        assert!(told.contains("SMM_MEDIA_HOST_KEY") && !told.contains("AKIA-TEST"), "{told}");
    }
    bench.front.rule(Rule::answer(503, "").header("retry-after", "60").on("PUT", &path));
    let fault = bench.host.put(&file(PICTURE)).await.expect_err("busy");
    let at = start() + TimeDelta::seconds(60);
    assert!(matches!(fault, Fault::Refused { refusal: Refusal::Busy, retry_at: Some(retry), .. } if retry == at));
    bench.front.rule(Rule::answer(404, "<Code>NoSuchBucket</Code>").on("PUT", &path));
    let told = bench.host.put(&file(PICTURE)).await.expect_err("no bucket").to_string();
    assert!(told.contains("NoSuchBucket") && told.contains("`bucket`"), "{told}");
}

#[tokio::test]
async fn old_files_go_and_nothing_else_does() {
    let bench = bench().await;
    bench.host.put(&file(b"old")).await.expect("put");
    let stranger = ("text/plain".to_owned(), b"not ours".to_vec(), start() - TimeDelta::days(400));
    held(&bench.world).objects.insert("smm/notes.txt".to_owned(), stranger);
    bench.clock.pass(std::time::Duration::from_hours(6 * 24));
    bench.host.put(&file(b"needed again")).await.expect("put");
    assert_eq!(held(&bench.world).objects.len(), 3);
    bench.clock.pass(std::time::Duration::from_hours(2 * 24));
    bench.host.put(&file(b"new")).await.expect("put");
    let left: Vec<Vec<u8>> = held(&bench.world).objects.values().map(|(_, bytes, _)| bytes.clone()).collect();
    assert!(left.contains(&b"needed again".to_vec()) && left.contains(&b"not ours".to_vec()), "{left:?}");
    assert!(!left.contains(&b"old".to_vec()));
}

#[tokio::test]
async fn a_folder_is_written_and_swept() {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = Arc::new(ManualClock::new(start()));
    let root = folder.path().join("media");
    let shown = root.clone();
    let serve = move |UrlPath(name): UrlPath<String>| {
        let path = shown.join(name);
        async move {
            match std::fs::read(path) {
                Ok(bytes) => ([(header::CONTENT_TYPE, "image/png")], bytes).into_response(),
                Err(_) => StatusCode::NOT_FOUND.into_response(),
            }
        }
    };
    let front = Front::serve(Router::new().route("/m/{name}", get(serve))).await;
    let settings = MediaHostSettings {
        url: format!("{}/m", front.url()),
        place: MediaPlace::Folder(root.clone()),
        keep: std::time::Duration::from_hours(48),
    };
    let host = Host::new(&settings, &tools(&clock));
    let told = host.put(&file(PICTURE)).await.expect_err("there is no folder").to_string();
    assert!(told.contains("make it"), "{told}");
    std::fs::create_dir(&root).expect("a folder");
    let address = host.put(&file(PICTURE)).await.expect("put");
    let name = address.rsplit('/').next().expect("a name").to_owned();
    assert_eq!(std::fs::read(root.join(&name)).expect("a file"), PICTURE);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(root.join(&name)).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o644);
    }
    std::fs::write(root.join("index.html"), "not ours").expect("a file");
    // The file's own time is that of the machine, which the clock is far ahead of.
    let later = DateTime::<Utc>::from(std::time::SystemTime::now()) + TimeDelta::days(400);
    clock.pass((later - start()).to_std().expect("later"));
    let again = host.put(&file(b"another")).await;
    assert!(again.is_ok(), "{again:?}");
    assert!(!root.join(&name).exists(), "it was old");
    assert!(root.join("index.html").exists());
}

#[tokio::test]
async fn a_large_video_is_never_in_memory_as_a_whole() {
    let bench = bench().await;
    let video = Film::new(5 * PIECE / 2);
    let address = bench.host.put(&film(&video).await).await.expect("put");
    let name = format!("{}.mp4", hex(&Sha256::digest(video.bytes())));
    assert!(address.ends_with(&name), "{address}");
    let (mime, bytes, _) = held(&bench.world).objects[&format!("smm/{name}")].clone();
    assert_eq!((mime.as_str(), bytes == video.bytes()), ("video/mp4", true));
    assert!(video.most() <= PIECE, "{} bytes at once", video.most());

    let folder = tempfile::tempdir().expect("a folder");
    let place = Folder::new(folder.path());
    place.put(&name, &film(&video).await).await.expect("written");
    assert!(std::fs::read(folder.path().join(&name)).expect("a file") == video.bytes());
    // Another one of the same length is not what it is called after: nothing of it stays.
    let begun = film(&video).await;
    video.change();
    let fault = place.put(&name, &begun).await.expect_err("it was changed");
    assert!(matches!(fault, Fault::Refused { refusal: Refusal::Invalid, .. }), "{fault:?}");
    let left: Vec<_> = std::fs::read_dir(folder.path()).expect("a folder").collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[tokio::test]
async fn only_names_of_ours_are_ours() {
    assert!(is_ours(&name(&file(PICTURE)).await.expect("a name")));
    assert!(is_ours(&format!("{}.p3fffff", "a".repeat(64))), "not written to its end");
    for other in ["notes.txt", "index.html", "", ".", &"a".repeat(64), &format!("{}.p/g", "a".repeat(64))] {
        assert!(!is_ours(other), "{other}");
    }
}
