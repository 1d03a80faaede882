//! The commands that look into a ledger and change it by hand, on a ledger that was prepared.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use smm::ledger::{self, Ledger, OpenMode, Write, Written};
use smm::model::{
    AccountName, Binding, CalendarName, Delivery, Event, Frozen, Intent, Late, OccurrenceName, Origin, PostId, Reason,
    ReasonCode, Receipt, State, Unknown,
};

use crate::support::{Run, TestEnv};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

fn row(calendar: &str, post: &str, account: &str, state: State) -> Delivery {
    let due = at("2026-03-01T08:00:00Z");
    let mut row = Delivery::planned(
        CalendarName::new(calendar),
        PostId::new(post.split('@').next().unwrap_or(post)),
        OccurrenceName::new(post),
        AccountName::new(account),
        "mastodon",
        Origin::Calendar,
        due,
        "2026-03-01T09:00:00".parse().expect("a civil time"),
        Late::default(),
    );
    row.state = state;
    row
}

fn failed(calendar: &str, post: &str, account: &str) -> Delivery {
    let mut row = row(calendar, post, account, State::Failed);
    row.attempts = 1;
    row.reason = Some(Reason::new(ReasonCode::Refused, "the text is too long"));
    row
}

fn published(post: &str, account: &str) -> Delivery {
    let mut row = row("acme", post, account, State::Published);
    row.attempts = 1;
    row.published_at = Some(at("2026-03-01T08:05:00Z"));
    row.receipts = vec![Receipt {
        part: 0,
        id: "117".to_owned(),
        url: Some(format!("https://fedi.example/@acme/{post}")),
        at: at("2026-03-01T08:05:00Z"),
        data: Value::Null,
    }];
    row
}

fn unknown(post: &str, account: &str) -> Delivery {
    let mut row = row("acme", post, account, State::Unknown);
    let when = at("2026-03-01T08:00:01Z");
    row.attempts = 1;
    row.reason = Some(Reason::new(ReasonCode::LostAnswer, "the connection was cut"));
    row.unknown = Some(Unknown { since: when, looks: 0, next_look: None, repeated: false, witnessed: true });
    row.intent = Some(Box::new(Intent {
        frozen: Frozen { part: 0, key: "k-1".to_owned(), request: json!({"status": "hello"}) },
        binding: Binding {
            network: "mastodon".to_owned(),
            host: "https://fedi.example".to_owned(),
            uid: format!("9-{account}"),
            handle: "@acme@fedi.example".to_owned(),
        },
        attempt: 1,
        first_at: when,
        at: when,
    }));
    row
}

struct Desk {
    env: TestEnv,
}

impl Desk {
    fn new(rows: &[Delivery]) -> Self {
        let env = TestEnv::new();
        let desk = Self { env };
        let writes: Vec<Write> = rows
            .iter()
            .map(|row| Write {
                delivery: row.clone(),
                expect: 0,
                event: Event {
                    at: row.due,
                    delivery: row.id,
                    kind: "planned".to_owned(),
                    state: row.state,
                    detail: "for 9:00".to_owned(),
                    actor: "smm".to_owned(),
                },
                alert: None,
            })
            .collect();
        let ledger = desk.ledger();
        let answers = run(ledger.write(&writes)).expect("a write");
        assert!(answers.iter().all(|answer| *answer == Written::Done), "{answers:?}");
        desk
    }

    fn ledger(&self) -> Arc<dyn Ledger> {
        ledger::open("sqlite", &self.env.path().join("state/smm"), OpenMode::ReadWrite).expect("a ledger")
    }

    fn state(&self, row: &Delivery) -> State {
        run(self.ledger().delivery(row.id)).expect("a read").expect("the row").state
    }

    fn smm(&self, args: &[&str]) -> Run {
        let mut command = self.env.command();
        Run::from(command.env("USER", "ann").args(args).output().expect("smm runs"))
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(work)
}

#[test]
fn without_a_ledger_nothing_is_known_and_nothing_is_made() {
    let env = TestEnv::new();
    let status = env.smm(&["status"]).expect(0);
    assert_eq!(status.stdout, "nothing is planned and nothing was published\n");
    assert_eq!(
        env.smm(&["status", "--format", "json"]).expect(0).json(),
        json!({"deliveries": [], "paused": [], "held_off": [], "alerts": []})
    );
    assert_eq!(env.smm(&["history"]).expect(0).stderr, "nothing has happened yet\n");
    env.smm(&["show", "launch"]).expect(1);
    assert!(!env.path().join("state").exists());
    let missing = env.smm(&["status", "no/calendar.toml"]).expect(1);
    assert!(missing.stderr.contains("no calendar at"), "{}", missing.stderr);
}

#[test]
fn status_tells_what_needs_a_person() {
    let failed = failed("acme", "news", "fedi");
    let desk = Desk::new(&[published("launch", "fedi"), failed.clone(), row("acme", "next", "fedi", State::Planned)]);
    let status = desk.smm(&["status"]).expect(1);
    let lines: Vec<&str> = status.stdout.lines().collect();
    assert!(lines[0].starts_with("DUE"), "{}", status.stdout);
    assert!(lines[1].contains("news") && lines[1].contains("the text is too long"), "{}", status.stdout);
    assert!(lines[1].contains(&failed.id.short()), "{}", status.stdout);
    assert!(lines[2].contains("next") && lines[2].contains("2026-03-01 09:00"), "{}", status.stdout);
    assert!(lines[3].contains("https://fedi.example/@acme/launch (5 min late)"), "{}", status.stdout);
    assert_eq!(lines[5], "1 planned, 1 published, 1 failed");
    assert!(status.stderr.contains("smm retry"), "{}", status.stderr);
    let rows = desk.smm(&["status", "--format", "json"]).expect(1).json();
    let states: Vec<&str> =
        rows["deliveries"].as_array().expect("a list").iter().filter_map(|row| row["state"].as_str()).collect();
    assert_eq!(states.len(), 3);
    assert!(states.contains(&"published") && states.contains(&"failed") && states.contains(&"planned"));
}

#[test]
fn an_unknown_outcome_is_status_3() {
    Desk::new(&[unknown("launch", "fedi"), failed("acme", "news", "fedi")]).smm(&["status"]).expect(3);
    Desk::new(&[published("launch", "fedi")]).smm(&["status"]).expect(0);
}

#[test]
fn status_is_of_one_calendar_and_of_single_posts() {
    let mut single = row("post", "k3v9", "fedi", State::Planned);
    single.origin = Origin::Command;
    let desk = Desk::new(&[single, row("acme", "a", "fedi", State::Planned), failed("other", "b", "fedi")]);
    desk.env.write("calendar.toml", "name = \"acme\"\ntimezone = \"Europe/Berlin\"\n");
    let rows = desk.smm(&["status", "--format", "json"]).expect(0).json();
    let mut posts: Vec<&str> =
        rows["deliveries"].as_array().expect("a list").iter().filter_map(|row| row["post"].as_str()).collect();
    posts.sort_unstable();
    assert_eq!(posts, ["a", "k3v9"]);
    // A calendar that cannot be read does not hide what is wrong.
    desk.env.write("calendar.toml", "name = ");
    let broken = desk.smm(&["status"]).expect(1);
    assert!(broken.stderr.contains("cannot be read"), "{}", broken.stderr);
}

#[test]
fn foreign_text_does_not_steer_the_terminal() {
    let mut row = failed("acme", "news", "fedi");
    row.reason = Some(Reason::new(ReasonCode::Refused, "\u{1b}]0;owned\u{7}no"));
    let desk = Desk::new(&[row]);
    for (args, status) in [(["status", "--all"], 1), (["show", "news"], 0), (["history", "--quiet"], 0)] {
        let run = desk.smm(&args).expect(status);
        assert!(!run.stdout.contains('\u{1b}'), "{args:?}: {}", run.stdout);
    }
}

#[test]
fn ids_are_found_by_their_start_and_by_the_post() {
    let rows =
        [failed("acme", "news", "fedi"), published("news", "bsky"), failed("acme", "tip@2026-03-01T09:00:00", "fedi")];
    let desk = Desk::new(&rows);
    let count =
        |id: &str| desk.smm(&["show", id, "--format", "json"]).expect(0).json()["deliveries"].as_array().map(Vec::len);
    assert_eq!(count(&rows[0].id.to_string()), Some(1));
    assert_eq!(count(&rows[0].id.short().to_uppercase()), Some(1));
    assert_eq!(count("news"), Some(2));
    assert_eq!(count("tip"), Some(1));
    assert_eq!(count("tip@2026-03-01T09:00:00"), Some(1));
    for wrong in ["tip@2027-01-01T09:00:00", "abc", "nothing", "%", "0123456789abcdef"] {
        let refused = desk.smm(&["show", wrong]).expect(1);
        assert!(refused.stderr.contains("neither a delivery's id nor"), "{}", refused.stderr);
    }
}

#[test]
fn what_is_ambiguous_is_listed() {
    let rows = [failed("acme", "news", "fedi"), failed("other", "news", "fedi")];
    let desk = Desk::new(&rows);
    let refused = desk.smm(&["retry", "news"]).expect(1);
    assert!(refused.stderr.contains("ambiguous: several calendars"), "{}", refused.stderr);
    assert!(rows.iter().all(|row| refused.stderr.contains(&row.id.to_string())), "{}", refused.stderr);
    assert_eq!(desk.state(&rows[0]), State::Failed);
    desk.smm(&["retry", &rows[0].id.short()]).expect(0);
    assert_eq!((desk.state(&rows[0]), desk.state(&rows[1])), (State::Planned, State::Failed));
}

#[test]
fn show_tells_everything() {
    let desk = Desk::new(&[unknown("launch", "fedi")]);
    let shown = desk.smm(&["show", "launch"]).expect(0).stdout;
    for part in [
        "launch → fedi (mastodon)",
        "2026-03-01 09:00 (2026-03-01T08:00:00Z)",
        "unknown",
        "the connection was cut",
        "part 1 to @acme@fedi.example (mastodon at https://fedi.example, id 9-fedi), attempt 1",
        "key k-1",
        "a person has to look",
        "for 9:00",
    ] {
        assert!(shown.contains(part), "`{part}` is missing:\n{shown}");
    }
    let row = &desk.smm(&["show", "launch", "--format", "json"]).expect(0).json()["deliveries"][0];
    assert_eq!((&row["state"], &row["calendar"], &row["version"]), (&json!("unknown"), &json!("acme"), &json!(1)));
    assert_eq!(row["intent"]["frozen"]["request"], json!({"status": "hello"}));
    assert_eq!(row["events"][0]["kind"], json!("planned"));
}

#[test]
fn retry_plans_again_and_rings() {
    let rows = [failed("acme", "news", "fedi"), published("news", "bsky")];
    let desk = Desk::new(&rows);
    let bell = desk.ledger().bell().expect("a bell");
    let before = std::fs::read(&bell).expect("a bell");
    let retried = desk.smm(&["retry", "news", "--format", "json"]).expect(0);
    assert!(retried.stderr.contains("news → fedi: to be tried again; it is planned now"), "{}", retried.stderr);
    assert!(retried.stderr.contains("news → bsky: left as it is: it is published already"), "{}", retried.stderr);
    let changed = retried.json();
    assert_eq!(changed["deliveries"].as_array().map(Vec::len), Some(1));
    assert_eq!(changed["deliveries"][0]["state"], json!("planned"));
    assert_ne!(std::fs::read(&bell).expect("a bell"), before, "whoever publishes is told");
    let again = desk.smm(&["retry", &rows[1].id.short()]).expect(1);
    assert!(again.stderr.contains("published already, at https://fedi.example/@acme/news"), "{}", again.stderr);
    let events = desk.smm(&["history", "--post", "news", "--account", "fedi", "--format", "json"]).expect(0).json();
    assert_eq!(events["events"][0]["actor"], json!("ann"));
    assert_eq!(events["events"][1]["kind"], json!("planned"));
}

#[test]
fn cancel_puts_away() {
    let rows = [failed("acme", "news", "fedi"), unknown("launch", "fedi")];
    let desk = Desk::new(&rows);
    desk.smm(&["cancel", "news", "--reason", "old news", "-q"]).expect(0);
    assert_eq!(desk.state(&rows[0]), State::Cancelled);
    let history = desk.smm(&["history", "--limit", "1"]).expect(0).stdout;
    assert!(history.contains("(old news)") && history.contains("ann"), "{history}");
    let refused = desk.smm(&["cancel", "launch"]).expect(1);
    assert!(refused.stderr.contains("smm resolve"), "{}", refused.stderr);
}

#[test]
fn resolve_settles_what_is_unknown() {
    let rows = [unknown("launch", "fedi"), unknown("news", "fedi"), unknown("news", "bsky")];
    let desk = Desk::new(&rows);
    desk.smm(&["resolve", "launch"]).expect(2);
    desk.smm(&["resolve", "launch", "--published", "https://x.example", "--not-published"]).expect(2);
    desk.smm(&["resolve", "launch", "--published", "javascript:alert(1)"]).expect(2);
    desk.smm(&["resolve", "launch", "--published", "https://fedi.example/@acme/5", "--reason", "seen it"]).expect(0);
    assert_eq!(desk.state(&rows[0]), State::Published);
    let again = desk.smm(&["resolve", "launch", "--not-published"]).expect(1);
    assert!(again.stderr.contains("published already, at https://fedi.example/@acme/5"), "{}", again.stderr);
    let several = desk.smm(&["resolve", "news", "--published", "https://fedi.example/@acme/6"]).expect(1);
    assert!(several.stderr.contains("several deliveries"), "{}", several.stderr);
    // Months late by now, so it waits for a second word instead of going out.
    desk.smm(&["resolve", &rows[1].id.to_string(), "--not-published"]).expect(0);
    assert_eq!(desk.state(&rows[1]), State::Held);
}

#[test]
fn pause_and_resume() {
    let desk = Desk::new(&[row("acme", "next", "fedi", State::Planned)]);
    let unheard = desk.smm(&["pause", "fedii"]).expect(1);
    assert!(unheard.stderr.contains("no account `fedii`"), "{}", unheard.stderr);
    desk.smm(&["pause", "Bad Name"]).expect(2);
    desk.smm(&["pause", "fedi", "--reason", "holiday"]).expect(0);
    let paused = desk.smm(&["pause", "--format", "json"]).expect(0).json();
    assert_eq!(paused["paused"][0]["account"], Value::Null);
    assert_eq!(paused["paused"][0]["reason"], json!("by ann"));
    let status = desk.smm(&["status"]).expect(0).stdout;
    assert!(status.starts_with("everything is paused since "), "{status}");
    assert!(status.contains("fedi is paused since") && status.contains("holiday (ann)"), "{status}");
    let resumed = desk.smm(&["resume", "fedi"]).expect(0);
    assert!(resumed.stderr.contains("everything is paused"), "{}", resumed.stderr);
    assert_eq!(desk.smm(&["resume"]).expect(0).stderr, "everything goes on\n");
    assert_eq!(desk.smm(&["resume"]).expect(0).stderr, "everything was not paused\n");
    assert!(desk.smm(&["status"]).expect(0).stdout.starts_with("DUE"));
}

#[test]
fn a_refused_ledger_says_what_to_do() {
    use std::os::unix::fs::PermissionsExt as _;
    let desk = Desk::new(&[published("launch", "fedi")]);
    let file = desk.env.path().join("state/smm/ledger.db");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).expect("a mode");
    let refused = desk.smm(&["status"]).expect(1);
    assert!(refused.stderr.contains("chmod 600"), "{}", refused.stderr);
}
