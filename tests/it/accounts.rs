//! `smm accounts`, and what a daemon does about credentials that are refused.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use smm::adapter::suite::{Fake, Front};

use crate::process::{Daemon, pause, serve, wait};
use crate::support::{Run, TestEnv};

/// What is planted in a secret must not be shown anywhere.
const CANARY: &str = "canary-c0ffee-4711";

/// A folder with an account `fedi` on a stand-in.
pub(crate) struct Place {
    pub(crate) env: TestEnv,
    fake: Box<dyn Fake>,
    pub(crate) secrets: BTreeMap<String, String>,
}

impl Place {
    pub(crate) fn new() -> Self {
        let network = smm::networks::find("mastodon").expect("built in");
        let fake = serve(network.fake()).expect("it has a stand-in");
        let token = fake.secrets().into_iter().find(|(field, _)| *field == "token").expect("a token").1;
        let secrets = BTreeMap::from([("SMM_FEDI_TOKEN".to_owned(), token)]);
        let place = Self { env: TestEnv::new(), fake, secrets };
        place.config("");
        place.calendar("");
        place
    }

    pub(crate) fn front(&self) -> &Front {
        self.fake.front().expect("it speaks HTTP")
    }

    /// Writes `smm.toml`; `more` are further lines of the account.
    pub(crate) fn config(&self, more: &str) {
        let server = self.front().url();
        self.env.write(
            "smm.toml",
            format!(
                "[delivery]\ntimeout = \"2s\"\nsettle = \"1s\"\n\n[accounts.fedi] # the team's\nnetwork = \
                 \"mastodon\"\nserver = \"{server}\"\n{more}"
            ),
        );
    }

    pub(crate) fn calendar(&self, posts: &str) {
        self.env.write(
            "calendar.toml",
            format!("name = \"ops\"\ntimezone = \"UTC\"\n[defaults]\nto = [\"fedi\"]\n{posts}"),
        );
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = self.env.command();
        command.envs(&self.secrets);
        command
    }

    pub(crate) fn smm(&self, args: &[&str]) -> Run {
        let run = Run::from(self.command().args(args).output().expect("smm runs"));
        for text in [&run.stdout, &run.stderr] {
            assert!(!text.contains(CANARY), "a secret is shown: {text}");
        }
        run
    }

    pub(crate) fn out(&self) -> Vec<String> {
        wait(self.fake.posts()).into_iter().map(|post| post.text).collect()
    }

    /// Requests that carried a credential.
    pub(crate) fn signed(&self) -> usize {
        self.front().seen().iter().filter(|seen| seen.header("authorization").is_some()).count()
    }
}

fn post(id: &str, at: DateTime<Utc>) -> String {
    format!("[[posts]]\nid = \"{id}\"\nat = {}\ntext = \"Text of {id}\"\n", at.format("%Y-%m-%dT%H:%M:%S%.3f"))
}

fn messages(account: &Value) -> String {
    let mut text = String::new();
    for health in account["health"].as_array().expect("a list") {
        let _ = writeln!(text, "{}: {} ({})", health["grade"], health["message"], health["help"]);
    }
    text
}

/// A grant, as signing in by OAuth keeps it.
fn grant(server: &str, ends: DateTime<Utc>) -> String {
    serde_json::json!({
        "version": 1, "access": CANARY, "access_ends": Utc::now() + TimeDelta::hours(1), "refresh": CANARY,
        "refresh_ends": ends, "scopes": ["read", "write"], "client_id": "smm", "server": server,
        "token_url": format!("{server}/oauth/token"), "obtained": Utc::now(),
    })
    .to_string()
}

#[test]
fn a_missing_secret_is_found_without_asking_anybody() {
    let mut place = Place::new();
    let secrets = std::mem::take(&mut place.secrets);
    let run = place.smm(&["accounts", "--format", "json"]).expect(1);
    let list = run.json();
    let fedi = &list["accounts"][0];
    assert_eq!((&list["ok"], &fedi["account"], &fedi["network"]), (&false.into(), &"fedi".into(), &"mastodon".into()));
    assert_eq!((&fedi["identity"], &fedi["online"], &fedi["grade"]), (&Value::Null, &Value::Null, &"error".into()));
    let told = messages(fedi);
    assert!(told.contains("SMM_FEDI_TOKEN") && told.contains("`smm login fedi`"), "{told}");
    let text = place.smm(&["accounts"]).expect(1).stdout;
    assert!(text.contains("not found; looked for"), "{text}");
    place.secrets = secrets;
    let fedi = place.smm(&["accounts", "--format", "json"]).expect(0).json()["accounts"][0].clone();
    let token = fedi["secrets"].as_array().expect("secrets").iter().find(|secret| secret["field"] == "token").cloned();
    assert_eq!(token.expect("the field")["source"], "environment");
    assert_eq!(place.front().seen().len(), 0, "nobody was asked");
    assert!(!place.env.path().join("state").exists(), "nothing was made");
}

#[test]
fn a_token_that_ends_before_planned_posts_is_told() {
    let mut place = Place::new();
    let (now, mut posts) = (Utc::now(), String::new());
    for day in 1..9 {
        posts.push_str(&post(&format!("p{day}"), now + TimeDelta::days(day * 10)));
    }
    place.calendar(&posts);
    let planted = grant(place.front().url(), now + TimeDelta::days(25));
    place.secrets = BTreeMap::from([("SMM_FEDI_GRANT".to_owned(), planted)]);
    let fedi = place.smm(&["accounts", "--format", "json"]).expect(0).json()["accounts"][0].clone();
    assert_eq!(fedi["ends"]["what"], "refresh token", "{fedi}");
    assert_eq!((&fedi["planned_after"]["post"], &fedi["planned_after"]["posts"]), (&"p3".into(), &6.into()));
    assert!(messages(&fedi).contains("6 posts are planned after that"), "{}", messages(&fedi));
    let text = place.smm(&["accounts"]).expect(0).stdout;
    assert!(text.contains("after that `p3` comes first"), "{text}");
    // Ended: nothing can be published.
    let planted = grant(place.front().url(), now - TimeDelta::days(1));
    place.secrets.insert("SMM_FEDI_GRANT".to_owned(), planted);
    assert!(place.smm(&["accounts"]).expect(1).stdout.contains("ended"));
}

#[test]
fn servers_are_asked_who_it_is_and_nobody_else_gets_the_token() {
    let mut place = Place::new();
    place.calendar(&post("first", Utc::now()));
    place.smm(&["publish"]).expect(0);
    let fedi = place.smm(&["accounts", "--online", "--format", "json"]).expect(0).json()["accounts"][0].clone();
    assert_eq!(fedi["online"], fedi["identity"], "{fedi}");
    assert_eq!(fedi["online"]["host"], place.front().url());
    let good = place.secrets.insert("SMM_FEDI_TOKEN".to_owned(), CANARY.to_owned());
    let told = messages(&place.smm(&["accounts", "--online", "--format", "json"]).expect(1).json()["accounts"][0]);
    assert!(told.contains("refused"), "{told}");
    // The same account's name at another server.
    place.secrets.extend(good.map(|good| ("SMM_FEDI_TOKEN".to_owned(), good)));
    let other = Place::new();
    place.env.write("smm.toml", other.env.read("smm.toml"));
    let told = messages(&place.smm(&["accounts", "--online", "--format", "json"]).expect(1).json()["accounts"][0]);
    assert!(told.contains("--accept-change"), "{told}");
    assert_eq!(other.signed(), 0, "the token was sent to the new host");
}

#[test]
fn a_refused_account_is_held_the_others_go_on_and_a_new_secret_is_noticed() {
    let mut place = Place::new();
    let good = place.secrets.remove("SMM_FEDI_TOKEN").expect("a token");
    place.env.write("credentials/fedi.token", CANARY);
    let now = Utc::now();
    place.calendar(&format!(
        "[accounts.site]\nnetwork = \"feed\"\nfolder = \"public\"\ntitle = \"Acme\"\nlink = \"https://acme.example\"\n{}to = \
         [\"fedi\", \"site\"]\n",
        post("both", now)
    ));
    let mut command = place.command();
    command.env("CREDENTIALS_DIRECTORY", place.env.path().join("credentials"));
    let daemon = Daemon::start(command);
    let state = |account: &str| {
        let list = place.smm(&["status", "--format", "json"]).json();
        let rows = list["deliveries"].as_array().cloned().unwrap_or_default();
        let row = rows.into_iter().find(|row| row["account"] == account);
        row.map_or_else(String::new, |row| row["state"].as_str().unwrap_or_default().to_owned())
    };
    let until = |account: &str, wanted: &str| {
        let end = Instant::now() + Duration::from_secs(20);
        while state(account) != wanted {
            assert!(Instant::now() < end, "{account} is not {wanted} but {}", state(account));
            pause(50);
        }
    };
    until("site", "published");
    until("fedi", "held");
    let id = place.smm(&["status", "--format", "json"]).json();
    let held = id["deliveries"].as_array().expect("rows").iter().find(|row| row["account"] == "fedi").cloned();
    let id = held.expect("a row")["id"].as_str().expect("an id").to_owned();
    let shown = place.smm(&["show", &id, "--format", "json"]).expect(0).json();
    assert!(shown.to_string().contains("`smm login fedi`"), "{shown}");
    // Mended where it lies; whoever does so rings.
    place.env.write("credentials/fedi.token", good);
    place.smm(&["pause", "site"]).expect(0);
    until("fedi", "published");
    assert_eq!(place.out(), ["Text of both"]);
    daemon.stops();
}
