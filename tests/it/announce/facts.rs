//! What is known of a release: from options, from a job's environment and its event, from a changelog.

use serde_json::{Value, json};

use super::{announce, stand};
use crate::announcing::calendar;
use crate::stand::Stand;
use crate::support::{Run, TestEnv};

/// A calendar that says all that is known.
const ALL: &str = "project={{ project }} version={{ version }} tag={{ tag }} url={{ url }} date={{ date }} \
                   pre={{ prerelease }} before={{ previous }} {{ notes | plain }}";

fn env(text: &str, more: &str) -> TestEnv {
    let env = TestEnv::new();
    env.write(
        "calendar.toml",
        format!(
            "name = 'acme'\ntimezone = 'Asia/Tokyo'\n[accounts.site]\nnetwork = 'feed'\nfolder = 'public'\n\
             [[posts]]\nid = 'release'\non = 'release'\nto = ['site']\ntext = '''{text}'''\n{more}"
        ),
    );
    env
}

/// A `release` event in GitHub's form.
fn event(action: &str) -> Value {
    json!({
        "action": action,
        "release": {
            "id": 17, "node_id": "R_17", "tag_name": "v2.0.0", "target_commitish": "main", "name": "Two",
            "url": "https://api.forge.example/repos/acme/rocket/releases/17",
            "html_url": "https://forge.example/acme/rocket/releases/tag/v2.0.0",
            "author": { "login": "ann", "id": 1 }, "assets": [],
            "draft": false, "prerelease": true,
            "created_at": "2026-10-31T10:00:00Z", "published_at": "2026-10-31T20:00:00Z",
            "body": "## New\r\n\r\n- Fast\r\n",
        },
        "repository": { "id": 3, "name": "rocket", "full_name": "acme/rocket", "private": false },
        "sender": { "login": "ann" },
    })
}

/// What the account would receive in a job of GitHub with this event.
fn on_github(env: &TestEnv, event: &Value, more: &[&str]) -> Run {
    let path = env.write("event.json", event.to_string());
    let mut command = env.command();
    command
        .env("CI", "true")
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_EVENT_NAME", "release")
        .env("GITHUB_EVENT_PATH", path)
        .env("GITHUB_REF_TYPE", "tag")
        .env("GITHUB_REF_NAME", "v2.0.0")
        .env("GITHUB_REPOSITORY", "acme/rocket")
        .env("GITHUB_SERVER_URL", "https://forge.example");
    command.args(["announce", "--dry-run", "--format", "json"]).args(more);
    Run::from(command.output().expect("smm runs"))
}

#[track_caller]
fn text(run: Run) -> String {
    let json = run.expect(0).json();
    json["renderings"][0]["parts"][0]["text"].as_str().expect("a text").to_owned()
}

#[test]
fn an_event_tells_all_of_it() {
    let env = env(ALL, "");
    let said = text(on_github(&env, &event("published"), &[]));
    let url = "https://forge.example/acme/rocket/releases/tag/v2.0.0";
    let expected =
        format!("project=rocket version=2.0.0 tag=v2.0.0 url={url} date=2026-11-01 pre=True before= New\n• Fast");
    assert_eq!(said, expected, "the day is the calendar's");
    for action in ["released", "prereleased"] {
        assert_eq!(text(on_github(&env, &event(action), &[])), expected);
    }
    let run = on_github(&env, &event("published"), &["-v"]);
    for line in [
        "tag: v2.0.0 (GITHUB_EVENT_PATH: release.tag_name)",
        "url: https://forge.example/acme/rocket/releases/tag/v2.0.0 (GITHUB_EVENT_PATH: release.html_url)",
        "prerelease: true (GITHUB_EVENT_PATH: release.prerelease)",
        "date: 2026-11-01 (GITHUB_EVENT_PATH: release.published_at)",
        "project: rocket (GITHUB_EVENT_PATH: repository.name)",
    ] {
        assert!(run.stderr.contains(line), "{line} in\n{}", run.stderr);
    }
    // Options win.
    env.write("notes.md", "Said otherwise.");
    let options = ["--project", "r2", "--url", "https://a.example/", "--notes", "notes.md", "--prerelease=false"];
    let said = text(on_github(&env, &event("published"), &[&options[..], &["--previous", "v1.9.0"]].concat()));
    assert_eq!(
        said,
        "project=r2 version=2.0.0 tag=v2.0.0 url=https://a.example/ date=2026-11-01 pre=False before=v1.9.0 Said otherwise."
    );
    // A job of one release may be asked for another, of which its event says nothing.
    let said = text(on_github(&env, &event("published"), &["--tag", "v1.0.0-rc.1", "--notes", "notes.md"]));
    assert!(said.contains("url=https://forge.example/acme/rocket/releases/tag/v1.0.0-rc.1 "), "{said}");
    assert!(said.contains("pre=True before= Said otherwise."), "by its form: {said}");
}

#[test]
fn what_is_not_published_is_not_announced() {
    let env = env(ALL, "");
    for action in ["created", "edited", "deleted", "unpublished", ""] {
        let run = on_github(&env, &event(action), &[]).expect(0);
        assert_eq!(run.json(), json!({ "deliveries": [] }));
        assert!(
            run.stderr.contains("the release v2.0.0 was") && run.stderr.contains("nothing is announced"),
            "{run:?}"
        );
    }
    let mut draft = event("published");
    draft["release"]["draft"] = json!(true);
    for tag in [&[][..], &["--tag", "v2.0.0"]] {
        let run = on_github(&env, &draft, tag).expect(1);
        assert!(run.stderr.contains("draft") && run.stderr.contains("nothing was announced"), "{}", run.stderr);
    }
}

#[test]
fn an_event_that_is_hostile_is_refused() {
    let env = env(ALL, "");
    let refused = |what: fn(&mut Value), says: &str| {
        let mut event = event("published");
        what(&mut event);
        let run = on_github(&env, &event, &[]);
        assert!(matches!(run.status, 1 | 2), "{run:?}");
        assert!(run.stderr.contains(says), "{says}: {}", run.stderr);
        assert!(!run.stderr.contains('\u{1b}') && run.stdout.is_empty(), "{run:?}");
    };
    refused(|event| event["release"]["tag_name"] = json!("v1\u{1b}[2J"), "white space or hidden characters");
    refused(|event| event["release"]["tag_name"] = json!("a:b"), "not one that git allows");
    refused(|event| event["release"]["tag_name"] = json!("v".repeat(5_000)), "too long");
    refused(|event| event["release"]["tag_name"] = json!(["v1"]), "not in the form of a release event");
    refused(|event| event["release"]["html_url"] = json!("javascript:alert(1)"), "not the address of a page");
    refused(|event| event["release"]["body"] = json!("x".repeat(2_000_000)), "more than 1024 KiB");
    refused(|event| *event = json!([1, 2]), "not in the form of a release event");
    refused(|event| _ = event.as_object_mut().expect("an object").remove("release"), "has no release");
    // What may be in notes is harmless in what is sent.
    let mut loud = event("published");
    loud["release"]["body"] =
        json!("\u{1b}[31mRed\u{0}\n\n::set-output name=x::y\n\n<script>alert(1)</script> @all {{ url }}");
    let said = text(on_github(&env, &loud, &[]));
    assert!(!said.contains(['\u{1b}', '\u{0}', '@']) && said.contains("{{ url }}"), "{said:?}");
    // Nor is there a file where the job says.
    let mut command = env.command();
    command.env("GITHUB_ACTIONS", "true").env("GITHUB_EVENT_NAME", "release").env("GITHUB_EVENT_PATH", "/nowhere");
    let run = Run::from(command.args(["announce", "--dry-run"]).output().expect("smm runs")).expect(1);
    assert!(run.stderr.contains("GITHUB_EVENT_PATH") && run.stderr.contains("give --tag"), "{}", run.stderr);
}

#[test]
fn what_is_missing_is_said() {
    let env = env(ALL, "");
    let run = env.smm(&["announce"]).expect(2);
    assert!(run.stderr.contains("which release?") && run.stderr.contains("--tag v2.0.0"), "{}", run.stderr);
    let run = env.smm(&["announce", "--tag", "v1"]).expect(2);
    assert!(run.stderr.contains("{{ notes }}") && run.stderr.contains("--from-changelog"), "{}", run.stderr);
    env.write("notes.md", "");
    let run = env.smm(&["announce", "--tag", "v1", "--notes", "notes.md"]).expect(2);
    assert!(run.stderr.contains("{{ url }}") && run.stderr.contains("--url"), "{}", run.stderr);
    let run = env.smm(&["announce", "--tag", "v1", "--notes", "gone.md"]).expect(1);
    assert!(run.stderr.contains("gone.md cannot be read"), "{}", run.stderr);
    let text = "{{ version }}{% if notes %}: {{ notes }}{% endif %}{% if url %} {{ url }}{% endif %}";
    let run = self::env(text, "").smm(&["announce", "--tag", "v1", "--dry-run"]).expect(0);
    assert!(run.stdout.contains('1'), "{}", run.stdout);
    let run = TestEnv::new();
    run.write("calendar.toml", "name = 'acme'\ntimezone = 'UTC'\n");
    let run = run.smm(&["announce", "--tag", "v1"]).expect(1);
    assert!(run.stderr.contains("has no post for releases"), "{}", run.stderr);
}

#[test]
fn a_changelog_has_a_section() {
    let env = env(ALL, "");
    env.write(
        "CHANGELOG.md",
        "# Changelog\n\n## [2.0.0] - 2026-11-02\n\n- Fast, see [#12].\n\n## [1.5.0] - 2026-01-01 [YANKED]\n\n- No.\n\n\
         [#12]: https://acme.example/12\n",
    );
    let announce = |tag: &str| {
        let options =
            ["--url", "https://a.example/", "--from-changelog", "CHANGELOG.md", "--dry-run", "--format", "json"];
        env.smm(&[&["announce", "--tag", tag][..], &options].concat())
    };
    let said = text(announce("v2.0.0"));
    let expected = "project=acme version=2.0.0 tag=v2.0.0 url=https://a.example/ date=2026-11-02 pre=False before=v1.5.0 \
                    • Fast, see #12.";
    assert_eq!(said.split_whitespace().collect::<Vec<_>>().join(" "), expected);
    let run = announce("v1.5.0").expect(1);
    assert!(run.stderr.contains("1.5.0 was yanked"), "{}", run.stderr);
    let run = announce("v2.0.1").expect(1);
    assert!(run.stderr.contains("no section `## [2.0.1]`") && run.stderr.contains("2.0.0, 1.5.0"), "{}", run.stderr);
}

#[test]
fn a_post_is_for_some_releases() {
    let env = env("{{ version }}", "skip = 'prerelease'\nonly = ['v*.0.0', 'v*-*']\n");
    let announce = |tag: &str| env.smm(&["announce", "--tag", tag, "--format", "json"]);
    let run = announce("v2.0.0-rc.1").expect(0);
    assert_eq!(run.json(), json!({ "deliveries": [] }));
    assert!(run.stderr.contains("release is left out: v2.0.0-rc.1 is a pre-release"), "{}", run.stderr);
    // A changelog need not have a section of what nobody is told.
    env.write("CHANGELOG.md", "# Changelog\n\n## [1.0.0] - 2026-01-01\n\n- One.\n");
    let from = |tag: &str| env.smm(&["announce", "--tag", tag, "--from-changelog", "CHANGELOG.md"]);
    let run = from("v2.0.0-rc.1").expect(0);
    assert!(run.stderr.contains("is a pre-release"), "{}", run.stderr);
    from("v2.0.0").expect(1);
    let run = announce("v2.1.0").expect(0);
    assert!(run.stderr.contains("v2.1.0 is not like v*.0.0 or v*-*"), "{}", run.stderr);
    let run = announce("v2.0.0").expect(0);
    assert_eq!(run.json()["deliveries"][0]["state"], "published", "{}", run.stdout);
    let run = env.smm(&["announce", "--tag", "v3.0.0", "--to", "sit"]).expect(2);
    assert!(run.stderr.contains("no account `sit`"), "{}", run.stderr);
}

#[test]
fn a_text_that_is_too_long_is_refused_before_anything_is_sent() {
    let stand: Stand = stand(&[crate::stand::Kind::ChosenId, crate::stand::Kind::Key], "");
    calendar(&stand, "{{ notes | plain }}", "");
    stand.env.write("notes.md", "long ".repeat(80));
    let run = announce(&stand, &["--notes", "notes.md"]).expect(1);
    assert!(run.stderr.contains("text-too-long") && run.stderr.contains("nothing was announced"), "{}", run.stderr);
    assert_eq!(stand.requests().1, 0);
    assert_eq!(stand.rows(), []);
    calendar(&stand, "{{ notes | fit }}", "");
    announce(&stand, &["--notes", "notes.md"]).expect(0);
}
