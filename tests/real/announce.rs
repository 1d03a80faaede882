//! Releases announced by several machines that share a PostgreSQL, and by jobs with the payloads that GitHub publishes.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::announcing::{Clones, killed_and_started_again, plain_calendar, ten_at_once as all_at_once};
use crate::git_http::GitServer;
use crate::postgres::Postgres;
use crate::process::serve;
use crate::repository::{Origin, git};
use crate::stand::{Kind, Stand};
use crate::support::{Run, TestEnv};

/// Each runner is a machine of its own: it shares the ledger and nothing else.
fn runner(stand: &Stand, number: u64) -> Command {
    let mut command = stand.command();
    command.env("XDG_STATE_HOME", stand.env.path().join(format!("machine-{number}")));
    command
}

/// A stand whose ledger is a server's.
fn shared(kinds: &[Kind]) -> (Postgres, Stand) {
    let server = Postgres::start(&[]);
    server.database("announce");
    let stand = Stand::over(&server.url("announce"), "lease = \"15s\"", kinds);
    plain_calendar(&stand);
    (server, stand)
}

pub fn ten_at_once() {
    let (_server, stand) = shared(&Kind::ALL);
    all_at_once(&stand, |number| runner(&stand, number));
}

pub fn killed() {
    let (_server, stand) = shared(&Kind::ALL);
    let kills = killed_and_started_again(&stand, (1, 3_000), |number| runner(&stand, number));
    assert!(kills >= 5, "only {kills} were killed");
}

/// Whether git is there, with what serves repositories over HTTP.
pub fn has_git() -> bool {
    let found = Command::new("git").arg("--exec-path").output().ok();
    let folder = found.and_then(|found| String::from_utf8(found.stdout).ok()).unwrap_or_default();
    PathBuf::from(folder.trim()).join("git-http-backend").exists()
}

/// Two clones of a repository that a server has, over HTTP.
fn over_http(test: impl FnOnce(&Stand, &Clones<'_>)) {
    let stand = Stand::over("git", "lease = \"15s\"", &[Kind::ChosenId, Kind::Key, Kind::LookUp]);
    plain_calendar(&stand);
    let origin = Origin::new();
    let root = origin.folder().to_owned();
    let server = serve(async move { GitServer::start(&root).await });
    let url = format!("{}/origin.git", server.url());
    let clones = ["one", "two"].map(|name| {
        git(origin.folder(), &["clone", "-q", "--depth", "1", &url, name]);
        origin.folder().join(name)
    });
    let clones = Clones { stand: &stand, clones };
    clones.fill();
    test(&stand, &clones);
}

pub fn ten_at_once_over_http() {
    over_http(|stand, clones| all_at_once(stand, |number| clones.runner(number)));
}

pub fn killed_over_http() {
    over_http(|stand, clones| {
        let kills = killed_and_started_again(stand, (1, 6_000), |number| clones.runner(number));
        assert!(kills >= 5, "only {kills} were killed");
    });
}

fn github() -> PathBuf {
    crate::servers::real().join("github")
}

/// Whether octokit's schemas and examples are installed.
pub fn installed() -> bool {
    github().join(".installed").is_file()
}

fn read(path: &str) -> Value {
    let path = github().join("node_modules/@octokit").join(path);
    serde_json::from_slice(&std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        .expect("JSON")
}

/// What a job makes of a payload.
fn job(env: &TestEnv, payload: &Value) -> Run {
    let path = env.write("event.json", payload.to_string());
    let mut command = env.command();
    command.env("CI", "true").env("GITHUB_ACTIONS", "true").env("GITHUB_EVENT_NAME", "release");
    command.env("GITHUB_EVENT_PATH", path).args(["announce", "--dry-run", "--format", "json", "-v"]);
    Run::from(command.output().expect("smm runs"))
}

/// Every example of a release event is read as the schema says, and so is one of our own making.
pub fn payloads() {
    let schema = read("webhooks-schemas/schema.json");
    // Of a whole payload the schema says more than older examples have; of what is read, it says of each what it is.
    let part = |name: &str| {
        let whole = json!({ "definitions": schema["definitions"], "$ref": format!("#/definitions/{name}") });
        jsonschema::validator_for(&whole).expect("a schema")
    };
    let whole = part("release_event");
    let read_of_it = ["tag_name", "html_url", "body", "draft", "prerelease", "published_at"];
    let fields = read_of_it.map(|name| (name, part(&format!("release/properties/{name}"))));
    let mut conform = 0;
    let env = TestEnv::new();
    env.write(
        "calendar.toml",
        "name = 'acme'\ntimezone = 'UTC'\n[accounts.site]\nnetwork = 'feed'\nfolder = 'public'\n[[posts]]\nid = 'release'\n\
         on = 'release'\nto = ['site']\ntext = '{{ project }}|{{ tag }}|{{ url }}|{{ prerelease }}|{{ date }}|{{ notes | first_line }}'\n",
    );
    let (mut seen, mut announced) = (0, 0);
    let mut last = Value::Null;
    for folder in ["api.github.com", "ghes-31", "ghes-32", "ghes-33", "ghes-34", "ghes-35"] {
        let all = read(&format!("webhooks-examples/{folder}/index.json"));
        let events = all.as_array().expect("a list");
        let releases = events.iter().find(|event| event["name"] == "release").expect("there are releases");
        for payload in releases["examples"].as_array().expect("examples") {
            seen += 1;
            conform += usize::from(whole.is_valid(payload));
            for (name, field) in &fields {
                let value = &payload["release"][name];
                // Of a release without notes GitHub has sent `null`, whatever the schema says.
                assert!(value.is_null() || field.is_valid(value), "{name}: {value}");
            }
            announced += usize::from(is_told(&env, payload));
            last = payload.clone();
        }
    }
    assert!(seen >= 19 && announced >= 10 && conform > 0, "{announced} of {seen}, {conform} conform");
    // One of our own, which the schema takes.
    last["action"] = json!("published");
    let release = last["release"].as_object_mut().expect("a release");
    release.insert("tag_name".to_owned(), json!("@acme/cli@2.0.0-rc.1"));
    release.insert("body".to_owned(), json!("## New\r\n\r\n- Größer 👋 @all <b>x</b>\r\n"));
    release.insert("prerelease".to_owned(), json!(true));
    for key in ["reactions", "mentions_count", "discussion_url"] {
        release.remove(key);
    }
    assert!(is_told(&env, &last));
}

/// Whether a payload is announced, which has to be as it says.
fn is_told(env: &TestEnv, payload: &Value) -> bool {
    let (action, release) = (payload["action"].as_str().expect("an action"), &payload["release"]);
    let run = job(env, payload);
    if release["draft"] == true {
        run.expect(1);
        return false;
    }
    let json = run.expect(0).json();
    if !matches!(action, "published" | "released" | "prereleased") {
        assert_eq!(json, json!({ "deliveries": [] }));
        return false;
    }
    let said = json["renderings"][0]["parts"][0]["text"].as_str().expect("a text").to_owned();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let published = text(&release["published_at"]);
    let expected = format!(
        "{}|{}|{}|{}|{}|",
        text(&payload["repository"]["name"]),
        text(&release["tag_name"]),
        text(&release["html_url"]),
        if release["prerelease"] == true { "True" } else { "False" },
        published.get(..10).unwrap_or_default(),
    );
    assert!(said.starts_with(&expected), "{said}\n{expected}");
    true
}
