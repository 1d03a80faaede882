//! `smm check` of a calendar of 100,000 posts, beside the TOML parser on the same file.
//!
//!     cargo bench --bench check
//!
//! Prints the time of each, their ratio (the figure to hold: 2.5), whether time grows linearly, and the peak memory as a
//! multiple of the file (the figure to hold: 16). Each measurement is a process of its own, run in turn, and the median of
//! five is told: figures of one run compare with each other, not with those of another machine.

#![allow(clippy::print_stdout, reason = "a bench prints its figures")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde::Deserialize;
use smm::calendar::{Diagnostic, Loaded};
use smm::model::{AccountName, PostId, codes};

/// What the parser alone is made to read: the same keys, with a span for each.
#[derive(Deserialize)]
#[expect(dead_code, reason = "they are parsed, not used")]
struct Floor {
    name: toml::Spanned<String>,
    timezone: toml::Spanned<String>,
    #[serde(default)]
    posts: Vec<toml::Spanned<FloorPost>>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "they are parsed, not used")]
struct FloorPost {
    id: toml::Spanned<String>,
    at: toml::Spanned<toml::value::Datetime>,
    text: toml::Spanned<String>,
    link: Option<toml::Spanned<String>>,
    tags: Option<Vec<toml::Spanned<String>>>,
    lang: Option<toml::Spanned<String>>,
    to: Option<Vec<toml::Spanned<String>>>,
    #[serde(rename = "for")]
    overrides: Option<std::collections::BTreeMap<String, toml::Spanned<FloorOverride>>>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "they are parsed, not used")]
struct FloorOverride {
    text: Option<toml::Spanned<String>>,
}

const SENTENCES: [&str; 8] = [
    "The new dashboard shows what changed since you last looked, and loads in a fifth of the time.",
    "Wir ziehen heute Nacht um; alles bleibt erreichbar, nur die Suche macht eine Pause von zwei Stunden.",
    "今週末のメンテナンスについてのお知らせです。検索は二時間ほどお休みします。",
    "Спасибо всем, кто прислал нам письма после выпуска второй версии: мы читаем каждое.",
    "شكرا لكل من كتب إلينا بعد الإصدار الثاني، نقرأ كل رسالة.",
    "Family photo of the team 👩‍👩‍👧‍👦 and a flag 🏳️‍⚧️ because we can, see https://acme.example/team?from=news for more.",
    "Thanks to @ana@fedi.example and @bob.example for the patches, they made this release possible. #thanks #release",
    "Exports with more than ten thousand rows lost their last line. We found it the same evening and mended it.",
];

/// About 450 bytes a post.
fn calendar(posts: usize) -> String {
    let mut text = String::from(
        "name = \"bench\"\ntimezone = \"Europe/Berlin\"\n\n[defaults]\nto = [\"bsky\", \"fedi\", \"site\"]\n\n\
         [accounts.site]\nnetwork = \"feed\"\nfolder = \"public\"\n",
    );
    for post in 0..posts {
        let (day, minute) = (post % 28 + 1, post / 28);
        let (month, hour) = (minute / 1440 % 12 + 1, minute / 60 % 24);
        let year = 2030 + minute / 17280;
        let _ = write!(
            text,
            "\n[[posts]]\nid = \"post-{post}\"\nat = {year:04}-{month:02}-{day:02}T{hour:02}:{:02}:00\nlang = \"en\"\n\
             text = \"{} {} ({post})\"\nlink = \"https://acme.example/posts/{post}?ref=calendar\"\ntags = [\"acme\", \"news\"]\n\
             \n[posts.for.bsky]\ntext = \"{} ({post})\"\n",
            minute % 60,
            SENTENCES[post % 8],
            SENTENCES[(post + 3) % 8],
            SENTENCES[(post + 5) % 8],
        );
    }
    text
}

fn main() {
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() == Some("child") {
        let (what, file) = (args.next().expect("what"), PathBuf::from(args.next().expect("a file")));
        child(&what, &file);
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(
        folder.path().join("smm.toml"),
        "[accounts.bsky]\nnetwork = \"bluesky\"\nhandle = \"acme.example\"\n\n[accounts.fedi]\nnetwork = \"mastodon\"\n\
         server = \"https://fedi.example\"\n",
    )
    .expect("smm.toml");
    every_account_is_checked(folder.path());
    let mut per_post = Vec::new();
    for posts in [1_000, 10_000, 100_000] {
        let file = folder.path().join(format!("calendar-{posts}.toml"));
        let text = calendar(posts);
        std::fs::write(&file, &text).expect("a calendar");
        let (mut floor, mut check) = (Vec::new(), Vec::new());
        let mut peak = 0;
        for _ in 0..5 {
            floor.push(measure("parse", &file).0);
            let (seconds, memory) = measure("check", &file);
            check.push(seconds);
            peak = peak.max(memory);
        }
        let (floor, check) = (median(floor), median(check));
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let memory = peak as f64 / text.len() as f64;
        println!(
            "{posts:>7} posts, {:>5.1} MB: toml {:>7.1} ms, check {:>7.1} ms, ratio {:.2}, peak memory {memory:.1} x the file",
            megabytes(text.len()),
            floor * 1e3,
            check * 1e3,
            check / floor,
        );
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        per_post.push(check / posts as f64);
    }
    println!("time per post at 100,000 over 10,000 posts: {:.2} (1.00 is linear)", per_post[2] / per_post[1]);
}

/// What is measured is the whole check: each post goes to all three networks, and a text that does not fit is found.
fn every_account_is_checked(folder: &Path) {
    let file = folder.join("planted.toml");
    let text = calendar(100);
    std::fs::write(&file, &text).expect("a calendar");
    let (loaded, found) = check(&file);
    assert!(found.is_empty(), "{found:?}");
    let calendar = loaded.calendar.expect("a calendar");
    let networks: Vec<&str> = calendar.accounts.values().map(|account| account.network.as_str()).collect();
    assert_eq!(networks, ["bluesky", "mastodon", "feed"], "of the accounts bsky, fedi and site");
    assert!(calendar.posts.len() == 100 && calendar.posts.iter().all(|post| post.to.len() == 3));
    // 350 are too many for Bluesky alone, 501 for Mastodon too. What Bluesky receives stands in `[posts.for.bsky]`.
    let long = |length: usize| "a".repeat(length);
    let planted = text
        .replace(" (41)\"\n\n[[posts]]", &format!(" (41) {}\"\n\n[[posts]]", long(350)))
        .replace(" (73)\"\nlink", &format!(" (73) {}\"\nlink", long(501)));
    std::fs::write(&file, planted).expect("a calendar");
    let (_, found) = check(&file);
    let found: Vec<_> = found.iter().map(|found| (found.code, found.post.as_ref(), found.account.as_ref())).collect();
    let planted = [("post-41", "bsky"), ("post-73", "fedi")]
        .map(|(post, account)| (PostId::new(post), AccountName::new(account)));
    let planted = planted.each_ref().map(|(post, account)| (codes::TEXT_TOO_LONG, Some(post), Some(account)));
    assert_eq!(found, planted);
}

/// What `smm check` does before it prints.
fn check(file: &Path) -> (Loaded, Vec<Diagnostic>) {
    let known = smm::networks::known();
    let found = smm::calendar::find(None, file, None);
    let (config, _, _) = smm::calendar::load_config(found.as_ref(), &known);
    let loaded = smm::calendar::load(file, &config.expect("a config"), &known);
    let now = "2026-11-22T12:00:00Z".parse().expect("a time");
    let found = smm::compose::check(&loaded, now);
    (loaded, found)
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Runs one measurement in a process of its own: seconds, and its peak memory in bytes.
fn measure(what: &str, file: &Path) -> (f64, u64) {
    let me = std::env::current_exe().expect("this program");
    let output = Command::new(me).args(["child", what]).arg(file).output().expect("a child");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    let (seconds, memory) = said.trim().split_once(' ').expect("two figures");
    (seconds.parse().expect("seconds"), memory.parse().expect("bytes"))
}

fn child(what: &str, file: &Path) {
    let start = Instant::now();
    if what == "parse" {
        let text = std::fs::read_to_string(file).expect("a calendar");
        let floor: Floor = toml::from_str(&text).expect("TOML");
        assert!(!floor.posts.is_empty());
    } else {
        let (loaded, found) = check(file);
        assert!(found.is_empty(), "{:?}", found.first());
        assert!(loaded.calendar.is_some_and(|calendar| calendar.posts.len() == loaded.ids.len()));
    }
    let seconds = start.elapsed().as_secs_f64();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak: u64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(0);
    println!("{seconds} {}", peak * 1024);
}
