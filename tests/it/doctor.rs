//! `smm doctor`: what it looks at, and what alone it changes.

use serde_json::{Value, json};
use smm::adapter::suite::Rule;

use crate::accounts::Place;

/// What one check said: grades with messages.
fn of<'a>(doctor: &'a Value, check: &str) -> Vec<(&'a str, &'a str)> {
    let text = |value: &'a Value| value.as_str().expect("a text");
    let checks = doctor["checks"].as_array().expect("a list");
    checks.iter().filter(|it| it["check"] == check).map(|it| (text(&it["grade"]), text(&it["message"]))).collect()
}

/// The server states these limits to the next who asks.
fn states(place: &Place, characters: u64) {
    let said = json!({
        "version": "4.6.6", "source_url": "https://github.com/mastodon/mastodon", "api_versions": {"mastodon": 9},
        "configuration": {"statuses": {"max_characters": characters, "max_media_attachments": 6}},
    });
    place.front().rule(
        Rule::answer(200, said.to_string()).header("content-type", "application/json").on("GET", "/api/v2/instance"),
    );
}

#[test]
fn everything_is_looked_at_and_nothing_is_changed() {
    let place = Place::new();
    let before = place.env.read("smm.toml");
    let doctor = place.smm(&["doctor", "--format", "json"]).expect(0).json();
    assert_eq!(doctor["ok"], true, "{doctor:#}");
    for check in ["account", "config", "clock", "zones", "tls", "ledger", "disk", "facts", "alerts", "systemd"] {
        assert!(!of(&doctor, check).is_empty(), "{check} is missing: {doctor:#}");
    }
    assert_eq!(of(&doctor, "clock")[0], ("ok", "the machine's clock agrees with 1 server"));
    assert!(of(&doctor, "tls")[0].1.contains("root certificates are built in"));
    assert!(of(&doctor, "zones")[0].1.contains(&smm::time::tzdb_version()));
    assert_eq!(of(&doctor, "alerts")[0].0, "warning", "nobody would be told");
    assert_eq!(doctor["accounts"][0]["online"]["host"], place.front().url());
    assert_eq!(place.env.read("smm.toml"), before);
    assert!(!place.env.path().join("state").exists(), "nothing was made");
    assert_eq!(place.out(), [""; 0]);
    let text = place.smm(&["doctor"]).expect(0).stdout;
    assert!(text.contains("ok       clock    the machine's clock agrees"), "{text}");
    assert!(!text.contains('\u{1b}'), "no colour where nobody looks");
}

#[test]
fn what_is_wrong_is_an_error_with_what_to_do() {
    let mut place = Place::new();
    place.secrets.clear();
    place.smm(&["publish"]).expect(0);
    #[cfg(unix)]
    {
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(place.env.path().join("state/smm"), open).expect("its mode");
    }
    let run = place.smm(&["doctor"]).expect(1);
    assert!(run.stdout.contains("error    account  fedi: its token is not there"), "{}", run.stdout);
    assert!(run.stdout.contains("`smm login fedi`"), "{}", run.stdout);
    #[cfg(unix)]
    assert!(run.stdout.contains("error    disk") && run.stdout.contains("chmod 700"), "{}", run.stdout);
    let doctor = place.smm(&["doctor", "--format", "json"]).expect(1).json();
    let ledger = of(&doctor, "ledger");
    assert!(ledger.iter().any(|(_, message)| message.contains("synchronous=FULL")), "{ledger:?}");
    assert!(ledger.iter().any(|(_, message)| message.contains("nobody publishes")), "{ledger:?}");
}

#[test]
fn a_calendar_that_cannot_be_read_is_told_too() {
    let place = Place::new();
    place.calendar("[[posts]]\nid = \"a\"\nat = \"soon\"\n");
    let doctor = place.smm(&["doctor", "--format", "json"]).expect(1).json();
    assert!(of(&doctor, "config").iter().any(|(grade, _)| *grade == "error"), "{doctor:#}");
}

#[test]
fn limits_that_a_server_states_are_shown_and_written_when_asked() {
    let place = Place::new();
    let long = "x".repeat(600);
    place.calendar(&format!("[[posts]]\nid = \"long\"\nat = 2030-01-01T00:00:00\ntext = \"{long}\"\n"));
    place.smm(&["check"]).expect(1);
    states(&place, 5000);
    let doctor = place.smm(&["doctor", "--format", "json"]).expect(0).json();
    let limits = doctor["limits"].as_array().expect("a list");
    let text = limits.iter().find(|limit| limit["limit"] == "text").expect("the text's");
    assert_eq!((&text["old"], &text["new"], &text["amended"]), (&500.into(), &5000.into(), &false.into()));
    assert!(!place.env.read("smm.toml").contains("limits"), "only with --limits");

    states(&place, 5000);
    place.smm(&["doctor", "--limits"]).expect(0);
    let written = place.env.read("smm.toml");
    assert!(written.contains("[accounts.fedi] # the team's\n"), "{written}");
    assert!(written.contains("[accounts.fedi.limits]\n") && written.contains("text = 5000\n"), "{written}");
    place.smm(&["check"]).expect(0);

    // Changed once more: in its place, with what stands beside it.
    place.env.write("smm.toml", written.replace("text = 5000", "text = 5000 # asked them"));
    states(&place, 700);
    let doctor = place.smm(&["doctor", "--limits", "--format", "json"]).expect(0).json();
    assert_eq!(doctor["limits"].as_array().map(Vec::len), Some(1), "only what differs: {doctor:#}");
    assert!(place.env.read("smm.toml").contains("text = 700 # asked them\n"));
}
