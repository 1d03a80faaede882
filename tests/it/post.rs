//! `smm post`, to a feed that the calendar beside it declares.

use std::fs;

use serde_json::Value;

use crate::support::{Run, TestEnv};

const CALENDAR: &str = "name = 'acme'\ntimezone = 'Europe/Berlin'\n\
    [accounts.site]\nnetwork = 'feed'\nfolder = 'public'\n[accounts.blog]\nnetwork = 'feed'\nfolder = 'blog'\n";

fn env() -> TestEnv {
    let env = TestEnv::new();
    env.write("calendar.toml", CALENDAR);
    env
}

/// The one delivery of an answer in JSON.
#[track_caller]
fn delivery(run: &Run) -> Value {
    let all = run.json()["deliveries"].clone();
    assert_eq!(all.as_array().map(Vec::len), Some(1), "{}", run.stdout);
    all[0].clone()
}

/// What the feed says.
fn feed(env: &TestEnv) -> String {
    fs::read_to_string(env.path().join("public/atom.xml")).unwrap_or_default()
}

#[test]
fn a_dry_run_shows_and_sends_nothing() {
    let env = env();
    let run =
        env.smm(&["post", "Hello", "--thread", "World", "--to", "site", "--dry-run", "--format", "json"]).expect(0);
    let rendering = &run.json()["renderings"][0];
    assert_eq!(rendering["account"], "site");
    assert_eq!(rendering["parts"][0]["text"], "Hello");
    assert_eq!(rendering["parts"][1]["text"], "World");
    assert!(env.smm(&["post", "Hello", "--to", "site", "--dry-run"]).expect(0).stdout.contains("Hello"));
    assert!(!env.path().join("public").exists() && !env.path().join("state/smm/ledger.db").exists());
}

#[test]
fn a_post_is_published_and_told_in_the_shape_that_was_promised() {
    let env = env();
    let run = env.smm(&["post", "Hello <you>", "--to", "site", "--title", "News", "--format", "json"]).expect(0);
    let told = delivery(&run);
    for (key, value) in [("account", "site"), ("network", "feed"), ("state", "published")] {
        assert_eq!(told[key], value, "{told}");
    }
    for key in ["id", "post", "occurrence", "due", "late_by", "reason", "attempts", "already"] {
        assert!(told.get(key).is_some(), "{key} is missing in {told}");
    }
    assert_eq!((&told["already"], &told["receipts"][0]["part"]), (&Value::Bool(false), &Value::from(1)));
    for key in ["part", "id", "url", "at"] {
        assert!(told["receipts"][0].get(key).is_some(), "{key} is missing in {told}");
    }
    assert!(feed(&env).contains("Hello &amp;lt;you&amp;gt;"), "{}", feed(&env));
    assert_eq!(run.stderr, "");
    let id = told["post"].as_str().expect("an id");
    assert!(env.smm(&["show", id]).expect(0).stdout.contains("published"));
}

#[test]
fn text_comes_from_stdin_too() {
    let env = env();
    let mut command = env.command();
    command.args(["post", "-", "--to", "site"]).stdin(fs::File::open(env.write("text", "From a file.\n")).expect("it"));
    Run::from(command.output().expect("smm runs")).expect(0);
    assert!(feed(&env).contains("From a file."));
    let run = env.smm(&["post", "", "--to", "site"]);
    assert_ne!(run.status, 0, "an empty text is none: {}", run.stderr);
}

#[test]
fn the_same_id_is_posted_once() {
    let env = env();
    let post = |to: &str| env.smm(&["post", "Released", "--id", "v1", "--to", to, "--format", "json"]);
    assert_eq!(delivery(&post("site").expect(0))["already"], false);
    let again = delivery(&post("site").expect(0));
    assert_eq!((&again["already"], &again["state"]), (&Value::Bool(true), &Value::from("published")));
    assert_eq!(feed(&env).matches("<entry>").count(), 1);
    let run = post("site,blog").expect(1);
    assert!(run.stderr.contains("`v1` was posted before, but not to blog"), "{}", run.stderr);
}

#[test]
fn a_run_that_was_cut_off_is_taken_up_by_the_same_id() {
    let env = env();
    // The folder cannot be written, so the first run leaves the post planned.
    env.write("public", "a file");
    let args = ["post", "Released", "--id", "v1", "--to", "site"];
    let run = env.smm(&args).expect(1);
    assert!(run.stdout.contains("`public` leads through a file that is no folder"), "{}", run.stdout);
    fs::remove_file(env.path().join("public")).expect("it is there");
    env.smm(&["retry", "v1"]).expect(0);
    assert!(env.smm(&args).expect(0).stdout.contains("1 published"));
    assert_eq!(feed(&env).matches("<entry>").count(), 1);
}

#[test]
fn the_same_text_is_refused_for_a_day() {
    let env = env();
    env.smm(&["post", "Hello", "--to", "site"]).expect(0);
    let run = env.smm(&["post", "Hello", "--to", "site"]).expect(1);
    assert!(run.stderr.contains("the same text") && run.stderr.contains("--again"), "{}", run.stderr);
    env.smm(&["post", "Hello", "--to", "blog"]).expect(0);
    env.smm(&["post", "Hello", "--to", "site", "--again"]).expect(0);
    assert_eq!(feed(&env).matches("<entry>").count(), 2);
}

#[test]
fn a_post_for_later_waits_with_its_media() {
    let env = env();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let picture = fs::read(root.join("examples/product-launch/dashboard.png")).expect("a picture");
    env.write("shot.png", picture);
    let mut command = env.command();
    command.env("TZ", "UTC").args(["post", "Soon", "--to", "site", "--media", "shot.png", "--alt", "A curve"]);
    let run = Run::from(command.args(["--at", "in 2 seconds"]).output().expect("smm runs")).expect(0);
    assert!(run.stdout.contains("1 planned") && run.stderr.contains("Europe/Berlin"), "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("until `smm daemon` or `smm publish` sends it"), "{}", run.stderr);
    assert!(!env.path().join("public").exists());
    fs::remove_file(env.path().join("shot.png")).expect("it is there");
    std::thread::sleep(std::time::Duration::from_millis(2100));
    assert!(env.smm(&["publish"]).expect(0).stdout.contains("1 published"));
    assert!(feed(&env).contains("Soon") && feed(&env).contains("A curve"), "{}", feed(&env));
}

#[test]
fn what_is_wrong_is_said_and_nothing_is_sent() {
    let env = env();
    env.write("shot.png", "no picture");
    let cases: [(&[&str], i32, &str); 8] = [
        (&["--to", "site", "--media", "shot.png"], 1, "one --alt for each --media"),
        (&["--to", "site", "--media", "none.png", "--alt", "x"], 1, "none.png"),
        (&["--to", "site", "--link", "acme.example"], 1, "link-unsuitable"),
        (&["--to", "nobody"], 2, "there is no account `nobody`"),
        (&[], 2, "--to"),
        (&["--to", "site", "--at", "2020-01-01 09:00"], 2, "leave --at out"),
        (&["--to", "site", "--at", "soon"], 2, "tomorrow 9:00"),
        (&["--to", "site", "--alt", "x"], 2, "--media"),
    ];
    for (args, status, said) in cases {
        let run = env.smm(&[&["post", "Hello"], args].concat()).expect(status);
        assert!(run.stderr.contains(said) && run.stdout.is_empty(), "{args:?}: {}{}", run.stdout, run.stderr);
    }
    assert!(!env.path().join("public").exists(), "nothing was sent");
    assert_eq!(env.smm(&["status", "--format", "json"]).expect(0).json()["deliveries"], serde_json::json!([]));
}
