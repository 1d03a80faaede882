//! Nobody is left in the dark: who is told of what, once, and what becomes of it when nobody listens.

use std::sync::Arc;

use axum::Router;
use axum::routing::post as on_post;
use chrono::{TimeDelta, Utc};
use serde_json::Value;
use smm::adapter::suite::{Act, Front, Rule};
use smm::ledger::{Alert, OpenMode, TellRequest, Told};
use smm::model::State;

use super::{Site, pause, post, serve, wait};

/// What must be nowhere but in the environment and on its way to its own server.
const CANARY: &str = "canary-8c1f2a";

/// A webhook of its own, and `smm.toml` that names it.
struct Listener {
    front: Arc<Front>,
}

impl Listener {
    fn new(site: &mut Site, more: &str) -> Self {
        let hook = Router::new().route(&format!("/{CANARY}"), on_post(|| async { "ok" }));
        let listener = Self { front: Arc::new(serve(Front::serve(hook))) };
        listen(site, listener.front.url(), more);
        listener
    }

    /// The messages that arrived.
    fn heard(&self) -> Vec<Value> {
        self.front.seen().iter().map(|seen| serde_json::from_slice(&seen.body).expect("JSON")).collect()
    }

    /// Waits until so many messages have come in.
    #[track_caller]
    fn hears(&self, count: usize) -> Vec<Value> {
        for _ in 0..1000 {
            if self.front.seen().len() >= count {
                break;
            }
            pause(20);
        }
        let heard = self.heard();
        assert_eq!(heard.len(), count, "{heard:#?}");
        heard
    }
}

/// Lets a webhook at this server be told; `more` are further lines of `smm.toml`.
fn listen(site: &mut Site, server: &str, more: &str) {
    let text = site.env.read("smm.toml");
    if !text.contains("[[alerts]]") {
        site.env.write("smm.toml", format!("{text}\n[[alerts]]\nname = \"hook\"\nkind = \"webhook\"\n{more}"));
    }
    site.secrets.insert("SMM_ALERT_HOOK_URL".to_owned(), format!("{server}/{CANARY}"));
    // Named by a person, so that it may run programs.
    site.secrets.insert("SMM_CONFIG".to_owned(), site.env.path().join("smm.toml").display().to_string());
}

/// The network refuses all posts for good.
fn refuses(site: &Site) {
    let (method, path) = site.fake.publish_call().expect("HTTP");
    let no = Rule::answer(422, "{\"error\":\"Validation failed\"}").on(method, path).times(99);
    site.fake.front().expect("HTTP").rule(no);
}

fn kinds(message: &Value) -> Vec<&str> {
    message["alerts"].as_array().expect("a list").iter().map(|it| it["kind"].as_str().unwrap_or_default()).collect()
}

#[test]
fn what_fails_is_told_once_with_what_to_do_and_without_any_secret() {
    let mut site = Site::new("mastodon");
    let command =
        "[[alerts]]\nname = \"file\"\nkind = \"command\"\ncommand = [\"sh\", \"-c\", \"cat >> heard; env > env\"]\n";
    let listener = Listener::new(&mut site, command);
    site.secrets.insert("SMM_OTHER_TOKEN".to_owned(), CANARY.to_owned());
    refuses(&site);
    site.calendar(&post("wrong", Utc::now(), ""));
    let run = site.smm(&["publish"]).expect(1);
    let message = listener.hears(1).remove(0);
    let id = site.until("wrong", &[State::Failed]).id.short();
    assert_eq!(kinds(&message), ["failed"]);
    let alert = &message["alerts"][0];
    let said = alert["message"].as_str().expect("a message");
    assert!(said.starts_with("wrong → fedi (mastodon), due ") && said.ends_with("Validation failed"), "{said}");
    assert!(alert["help"].as_str().is_some_and(|help| help.contains(&format!("`smm retry {id}`"))), "{alert}");
    for field in ["text", "content"] {
        assert!(message[field].as_str().is_some_and(|text| text.contains("wrong → fedi")), "{message}");
    }
    // The program was told the same.
    let heard: Value = serde_json::from_str(&site.env.read("heard")).expect("JSON");
    assert_eq!(heard["alerts"], message["alerts"]);
    // Told once, whoever comes next.
    site.smm(&["publish"]);
    let daemon = site.daemon();
    daemon.says("ready");
    daemon.stops();
    assert_eq!(listener.heard().len(), 1);
    let shown = site.smm(&["show", "wrong"]).expect(0).stdout;
    assert!(
        shown.contains("failed at 20") && shown.contains("told to file at 20") && shown.contains("hook at 20"),
        "{shown}"
    );
    let json = site.smm(&["show", "wrong", "--format", "json"]).expect(0).json();
    assert_eq!(json["deliveries"][0]["alerts"][0]["kind"], "failed");
    let status = site.smm(&["status", "--format", "json"]).expect(1).json();
    assert_eq!(status["alerts"], serde_json::json!([]));
    // No secret, and no post's text.
    let token = site.secrets["SMM_FEDI_TOKEN"].clone();
    let env = site.env.read("env");
    for (place, text) in [
        ("the alert", message.to_string()),
        ("what the program is told", heard.to_string()),
        ("its environment", env),
        ("the log", run.stderr),
        ("what is shown", shown),
    ] {
        assert!(!text.contains(&token) && !text.contains(CANARY) && !text.contains("Text of wrong"), "{place}: {text}");
    }
    for entry in std::fs::read_dir(site.env.path().join("state/smm")).expect("a folder") {
        let path = entry.expect("an entry").path();
        let bytes = std::fs::read(&path).unwrap_or_default();
        let holds = |secret: &str| bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
        assert!(!holds(CANARY) && !holds(&token), "a secret is in {}", path.display());
    }
}

#[test]
fn five_hundred_at_once_are_one_message() {
    let mut site = Site::new("mastodon");
    let listener = Listener::new(&mut site, "");
    let long_ago = Utc::now() - TimeDelta::days(30);
    let posts: String = (0..500).map(|number| post(&format!("p{number}"), long_ago, "")).collect();
    site.calendar(&posts);
    let daemon = site.daemon();
    let message = listener.hears(1).remove(0);
    assert_eq!(
        (&message["count"], &message["more"], &message["kinds"]["held"]),
        (&500.into(), &480.into(), &500.into())
    );
    assert_eq!(message["subject"], "smm: 500 held");
    let text = message["text"].as_str().expect("a text");
    assert!(text.contains("and 480 more") && text.contains("`smm status`"), "{text}");
    assert!(text.contains("`smm publish --backlog`"), "{text}");
    daemon.stops();
    assert_eq!(listener.heard().len(), 1);
}

#[test]
fn a_doubt_is_told_when_only_a_person_can_settle_it_and_not_when_it_settles_itself() {
    let mut site = Site::new("mastodon");
    let listener = Listener::new(&mut site, "");
    let (method, path) = site.fake.publish_call().expect("HTTP");
    let front = || site.fake.front().expect("HTTP");
    // Once: the answer is lost, and found by looking.
    front()
        .rule(Rule::new(Act::AnswerAfter { status: 503, headers: Vec::new(), body: "busy".into() }).on(method, path));
    site.calendar(&post("found", Utc::now(), ""));
    let daemon = site.daemon();
    site.until("found", &[State::Unknown]);
    site.until("found", &[State::Published]);
    // Always: neither sending it again nor looking is of any use.
    front().rule(Rule::answer(500, "oops").on(method, path).times(99));
    let began = Utc::now();
    site.calendar(&format!("{}{}", post("found", began, ""), post("lost", began, "")));
    let message = listener.hears(1).remove(0);
    assert!(Utc::now() - began < TimeDelta::minutes(1));
    assert_eq!(kinds(&message), ["unknown"], "{message}");
    let (alert, id) = (&message["alerts"][0], site.until("lost", &[State::Unknown]).id.short());
    assert!(alert["message"].as_str().is_some_and(|text| text.starts_with("lost → fedi")), "{alert}");
    let help = alert["help"].as_str().unwrap_or_default();
    assert!(
        help.contains(&format!("`smm resolve {id} --published URL`")) && help.contains("--not-published"),
        "{help}"
    );
    daemon.stops();
    assert_eq!(listener.heard().len(), 1);
    site.smm(&["status"]).expect(3);
    // What a person says of it is in the history, with who and why, and nobody is told of it.
    let said = ["resolve", &id, "--published", "https://fedi.example/@acme/1", "--reason", "seen there"];
    let resolved = site.command().env("USER", "ann").args(said).output().expect("smm runs");
    assert!(resolved.status.success(), "{resolved:?}");
    let json = site.smm(&["show", &id, "--format", "json"]).expect(0).json();
    let events = json["deliveries"][0]["events"].as_array().expect("a history").clone();
    let last = events.last().expect("an event");
    assert_eq!((last["kind"].as_str(), last["actor"].as_str()), (Some("resolved"), Some("ann")), "{last}");
    let detail = last["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("https://fedi.example/@acme/1") && detail.contains("seen there"), "{last}");
    site.smm(&["status"]).expect(0);
}

#[test]
fn a_run_that_ends_tells_of_a_doubt_before_it_goes() {
    let mut site = Site::new("mastodon");
    let listener = Listener::new(&mut site, "");
    let (method, path) = site.fake.publish_call().expect("HTTP");
    site.fake.front().expect("HTTP").rule(Rule::answer(500, "oops").on(method, path));
    site.calendar(&post("doubt", Utc::now(), ""));
    site.smm(&["publish", "--wait", "0"]).expect(3);
    let message = listener.hears(1).remove(0);
    assert_eq!(kinds(&message), ["unknown"]);
    assert!(message["text"].as_str().is_some_and(|text| text.contains("smm looks it up by itself")), "{message}");
    site.smm(&["publish"]).expect(0);
    assert_eq!(listener.heard().len(), 1);
}

#[test]
fn killed_before_it_could_tell_it_tells_at_the_next_start_once() {
    let mut site = Site::new("mastodon");
    let listener = Listener::new(&mut site, "");
    refuses(&site);
    site.calendar(&post("wrong", Utc::now(), ""));
    let daemon = site.daemon();
    site.until("wrong", &[State::Failed]);
    // What happens at the same time is gathered for two seconds first.
    daemon.kill();
    assert_eq!(listener.heard().len(), 0);
    let daemon = site.daemon();
    assert_eq!(kinds(&listener.hears(1)[0]), ["failed"]);
    daemon.stops();
    let daemon = site.daemon();
    daemon.says("ready");
    daemon.stops();
    assert_eq!(listener.heard().len(), 1);
}

#[test]
fn an_alert_that_nobody_hears_is_kept_and_shown_until_somebody_does() {
    let mut site = Site::new("mastodon");
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    listen(&mut site, &format!("http://{nobody}"), "");
    refuses(&site);
    site.calendar(&post("wrong", Utc::now(), ""));
    site.smm(&["publish"]).expect(1);
    let status = site.smm(&["status", "--format", "json"]).expect(1).json();
    let untold = &status["alerts"][0];
    assert_eq!(
        (&untold["target"], &untold["kind"], &untold["attempts"]),
        (&"hook".into(), &"failed".into(), &1.into())
    );
    assert!(untold["error"].as_str().is_some_and(|why| why.starts_with("cannot connect")), "{untold}");
    let shown = site.smm(&["status"]).expect(1).stdout;
    assert!(shown.starts_with("1 alert could not be told to hook since 20"), "{shown}");
    assert!(!shown.contains(CANARY) && !status.to_string().contains(CANARY), "{shown}");
    assert!(site.smm(&["show", "wrong"]).expect(0).stdout.contains("told to nobody"));
    let run = site.smm(&["alerts", "test"]).expect(1);
    assert!(run.stdout.starts_with("hook: not told: cannot connect"), "{}", run.stdout);
    // A target that is named no more is nobody's trouble.
    let config = site.env.read("smm.toml");
    site.env.write("smm.toml", config.replace("[[alerts]]\nname = \"hook\"\nkind = \"webhook\"\n", ""));
    assert_eq!(site.smm(&["status", "--format", "json"]).expect(1).json()["alerts"], serde_json::json!([]));
    site.env.write("smm.toml", config);
    // Somebody listens now.
    let listener = Listener::new(&mut site, "");
    site.smm(&["publish"]);
    assert_eq!(kinds(&listener.hears(1)[0]), ["failed"]);
    assert_eq!(site.smm(&["status", "--format", "json"]).expect(1).json()["alerts"], serde_json::json!([]));
}

#[test]
fn status_fails_while_an_alert_is_untold_for_long() {
    let mut site = Site::new("mastodon");
    let _listener = Listener::new(&mut site, "");
    site.calendar("");
    site.smm(&["publish"]).expect(0);
    site.smm(&["status"]).expect(0);
    let ledger =
        smm::ledger::open("sqlite", &site.env.path().join("state/smm"), OpenMode::ReadWrite).expect("a ledger");
    let (now, hook) = (Utc::now(), "late-hook".to_owned());
    let before = now - TimeDelta::minutes(6);
    let alert = Alert {
        key: "clock/1".to_owned(),
        at: before,
        tell_at: before,
        delivery: None,
        kind: "clock".to_owned(),
        message: "the clock has jumped".to_owned(),
        help: "look at it".to_owned(),
    };
    wait(async {
        ledger.meet(std::slice::from_ref(&hook), before).await.expect("met");
        ledger.raise(&alert).await.expect("raised");
        let request = TellRequest { target: hook.clone(), now, until: now, limit: 10 };
        assert_eq!(ledger.tell(&request).await.expect("answers").len(), 1);
        let told = Told::NotYet { again: now + TimeDelta::minutes(1), error: "HTTP 500".to_owned() };
        ledger.told(&hook, std::slice::from_ref(&alert.key), &told, now).await.expect("answers");
    });
    drop(ledger);
    site.smm(&["status"]).expect(0);
    let config = site.env.read("smm.toml");
    site.env.write("smm.toml", format!("{config}[[alerts]]\nname = \"late-hook\"\nkind = \"webhook\"\n"));
    let run = site.smm(&["status"]).expect(1);
    assert!(run.stdout.contains("1 alert could not be told to late-hook since"), "{}", run.stdout);
    assert!(run.stdout.contains("HTTP 500"), "{}", run.stdout);
}

#[test]
fn a_test_says_whether_alerts_arrive() {
    let mut site = Site::new("mastodon");
    let run = site.smm(&["alerts", "test"]).expect(1);
    assert!(run.stderr.contains("names nobody who is told"), "{}", run.stderr);
    let command =
        "[[alerts]]\nname = \"fails\"\nkind = \"command\"\ncommand = [\"sh\", \"-c\", \"echo no >&2; exit 7\"]\n";
    let listener = Listener::new(&mut site, command);
    let run = site.smm(&["alerts", "test"]).expect(1);
    assert_eq!(run.stdout, "fails: not told: exit status 7: no\nhook: told\n");
    let json = site.smm(&["alerts", "test", "hook", "--format", "json"]).expect(0).json();
    assert_eq!(json, serde_json::json!({ "targets": [{ "name": "hook", "told": true, "error": null }] }));
    assert_eq!(kinds(&listener.hears(2)[1]), ["test"]);
    let run = site.smm(&["alerts", "test", "hok"]).expect(1);
    assert!(run.stderr.contains("no alert in smm.toml is called `hok`"), "{}", run.stderr);
    // A config that was found beside a calendar runs nothing.
    site.secrets.remove("SMM_CONFIG");
    let run = site.smm(&["alerts", "test"]).expect(1);
    assert!(run.stderr.contains("may not run programs"), "{}", run.stderr);
    assert_eq!(listener.heard().len(), 2);
}
