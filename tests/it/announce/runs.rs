//! Runs that come again, at once, after one that has died, and where nobody knows of the ones before.

use std::time::{Duration, Instant};

use chrono::{Timelike as _, Utc};
use smm::model::State;

use super::{announce, stand};
use crate::announcing::{TEXT, announcing, calendar, each, each_has_once, killed_and_started_again, ten_at_once};
use crate::proxy::Cut;
use crate::stand::{Kind, Stand};
use crate::support::Run;

#[test]
fn a_release_goes_out_once_however_often_it_is_announced() {
    let stand = stand(&Kind::ALL, "");
    let run = announce(&stand, &[]).expect(0);
    each_has_once(&stand, TEXT);
    assert!(each(&run, "already").iter().all(|line| line.ends_with("false")), "{}", run.stdout);
    assert!(each(&run, "occurrence").iter().all(|line| line.ends_with("\"release@v2.0.0\"")), "{}", run.stdout);
    for net in &stand.nets {
        assert!(run.stderr.contains(&format!("{}: announced once by", net.account)), "{}", run.stderr);
    }
    let run = announce(&stand, &[]).expect(0);
    assert!(each(&run, "already").iter().all(|line| line.ends_with("true")), "{}", run.stdout);
    assert!(run.stderr.contains("all of it was out already"), "{}", run.stderr);
    each_has_once(&stand, TEXT);
    // Another tag is another release.
    stand.smm(&["announce", "--tag", "v2.0.1", "--url", "https://acme.example/2.0.1"]).expect(0);
    for net in &stand.nets {
        assert_eq!(stand.held(net).len(), 2);
    }
}

/// What a runner of a forge is: a machine of its own each time, with nothing on it.
fn wipe(stand: &Stand) {
    std::fs::remove_dir_all(stand.env.path().join("state")).expect("there was one");
}

#[test]
fn a_run_that_is_forgotten_is_not_repeated() {
    let stand = stand(&[Kind::LookUp], "");
    announce(&stand, &[]).expect(0);
    wipe(&stand);
    let run = announce(&stand, &[]).expect(0);
    each_has_once(&stand, TEXT);
    assert!(each(&run, "already")[0].ends_with("true"), "{}", run.stdout);
    assert!(run.json()["deliveries"][0]["receipts"][0]["url"].is_string(), "{}", run.stdout);
}

#[test]
fn a_forgotten_run_is_not_repeated_where_the_network_knows_a_key() {
    let stand = stand(&[Kind::ChosenId, Kind::Key, Kind::Files], "thread = ['More: {{ url }}']");
    announce(&stand, &[]).expect(0);
    let before: Vec<_> = stand.nets.iter().map(|net| stand.held(net)).collect();
    assert!(before.iter().all(|held| held.len() == 2 && held.values().all(|ids| ids.len() == 1)), "{before:?}");
    for _ in 0..2 {
        wipe(&stand);
        let run = announce(&stand, &[]).expect(0);
        // A feed is written anew, and is the same: the folder has no list of what was sent.
        let already = each(&run, "already");
        assert!(already.iter().all(|line| line.ends_with("true") || line.starts_with("site")), "{}", run.stdout);
        let after: Vec<_> = stand.nets.iter().map(|net| stand.held(net)).collect();
        assert_eq!(before, after);
    }
}

#[test]
fn what_cannot_be_told_apart_waits_for_a_person() {
    let stand = stand(&[Kind::LookUp], "");
    // Somebody has posted the like by hand, twice: by its letters either may be meant, and by its text neither is.
    for mark in ["!", "?"] {
        stand.smm(&["post", &TEXT.replace(". ", &format!("{mark} ")), "--to", "kin"]).expect(0);
    }
    let run = announce(&stand, &[]).expect(1);
    assert_eq!(each(&run, "state"), ["kin: \"held\""]);
    assert!(run.stdout.contains("another run may have sent it"), "{}", run.stdout);
    assert_eq!(stand.held(&stand.nets[0]).len(), 2);
    // Asked again it stays so, until a person has looked.
    announce(&stand, &[]).expect(1);
    let id = run.json()["deliveries"][0]["id"].as_str().expect("an id").to_owned();
    stand.smm(&["resolve", &id, "--not-published"]).expect(0);
    announce(&stand, &[]).expect(0);
    assert_eq!(stand.held(&stand.nets[0]).len(), 3);
}

#[test]
fn ten_at_once_announce_it_once() {
    let stand = stand(&Kind::ALL, "");
    ten_at_once(&stand, |_| stand.command());
}

#[test]
fn killed_at_any_moment_and_started_again_it_goes_out_once() {
    let stand = stand(&Kind::ALL, "");
    let kills = killed_and_started_again(&stand, (1, 250), |_| stand.command());
    assert!(kills >= 10, "only {kills} were killed");
}

#[test]
fn what_the_first_run_has_filled_in_goes_out() {
    let stand = stand(&[Kind::ChosenId, Kind::Key], "");
    calendar(&stand, "{{ project }} {{ version }}: {{ notes | first_line }}", "");
    stand.env.write("first.md", "First notes.\n");
    stand.env.write("other.md", "Other notes.\n");
    let account = stand.nets[0].account.as_str();
    announce(&stand, &["--notes", "first.md", "--to", account]).expect(0);
    // The calendar may change, too.
    calendar(&stand, "Changed: {{ notes | first_line }}", "");
    let run = announce(&stand, &["--notes", "other.md"]).expect(0);
    assert!(run.stderr.contains("was first announced at") && run.stderr.contains("other facts"), "{}", run.stderr);
    each_has_once(&stand, "rocket 2.0.0: First notes.");
    assert_eq!(each(&run, "already").iter().filter(|line| line.ends_with("true")).count(), 1, "{}", run.stdout);
}

#[test]
fn a_daemon_that_has_the_ledger_announces_it() {
    let stand = stand(&[Kind::Key, Kind::Files], "");
    let daemon = stand.daemon();
    daemon.says("ready");
    let run = announce(&stand, &[]).expect(0);
    assert!(run.stderr.contains("waiting for what it does"), "{}", run.stderr);
    assert!(each(&run, "state").iter().all(|line| line.ends_with("\"published\"")), "{}", run.stdout);
    each_has_once(&stand, TEXT);
    daemon.stops();
}

#[test]
fn an_older_calendar_takes_no_announcement_back() {
    let stand = stand(&[Kind::Key], "");
    let net = &stand.nets[0];
    let (method, path) = net.fake().publish_call().expect("HTTP");
    // The network is away for as long as the first run lasts.
    let proxy = net.proxy().expect("HTTP");
    proxy.cut((method, path), Cut::Answer(429, r#"{"error": "later"}"#), 50);
    let run = announce(&stand, &["--wait", "0s"]).expect(1);
    assert!(each(&run, "state")[0].ends_with("\"planned\""), "{}{}", run.stdout, run.stderr);
    // A checkout from before the post was there.
    stand.env.write("old/calendar.toml", "name = \"rig\"\ntimezone = \"UTC\"\n");
    stand.smm(&["publish", "old", "--config", "smm.toml"]);
    assert_ne!(stand.rows()[0].state, State::Cancelled);
    proxy.clear();
    announce(&stand, &[]).expect(0);
    each_has_once(&stand, TEXT);
}

#[test]
fn a_network_that_is_away_is_waited_for() {
    let stand = stand(&[Kind::ChosenId, Kind::Key], "");
    for net in &stand.nets {
        let call = net.fake().publish_call().expect("HTTP");
        net.proxy().expect("HTTP").cut(call, Cut::Answer(503, r#"{"error": "UpstreamFailure"}"#), 1);
        net.proxy().expect("HTTP").cut(call, Cut::AfterForwarding, 1);
    }
    announce(&stand, &["--wait", "60s"]).expect(0);
    each_has_once(&stand, TEXT);
}

#[test]
fn what_a_person_has_mended_is_tried_again() {
    let stand = stand(&[Kind::ChosenId], "");
    let mut wrong = announcing(stand.command(), &[]);
    for (name, _) in stand.command().get_envs().filter(|(name, _)| name.to_string_lossy().ends_with("PASSWORD")) {
        wrong.env(name, "not-the-password");
    }
    let run = Run::from(wrong.output().expect("smm runs")).expect(1);
    assert!(each(&run, "state")[0].ends_with("\"held\""), "{}", run.stdout);
    assert!(run.stderr.contains("run `smm announce` again"), "{}", run.stderr);
    announce(&stand, &[]).expect(0);
    each_has_once(&stand, TEXT);
}

#[test]
fn a_pause_refuses_it_and_blackout_hours_do_not() {
    let stand = stand(&[Kind::Key], "");
    let config = stand.env.read("smm.toml");
    let hours = if Utc::now().hour() < 12 { "00:00-18:00" } else { "06:00-24:00" };
    stand.env.write("smm.toml", format!("{config}\nblackout = [\"{hours}\"]\n"));
    stand.smm(&["pause"]).expect(0);
    let run = announce(&stand, &[]).expect(1);
    assert!(
        run.stderr.contains("everything is paused") && run.stderr.contains("nothing was announced"),
        "{}",
        run.stderr
    );
    assert_eq!(stand.rows(), []);
    stand.smm(&["resume"]).expect(0);
    announce(&stand, &[]).expect(0);
    each_has_once(&stand, TEXT);
    // What is out needs nothing more.
    stand.smm(&["pause"]).expect(0);
    announce(&stand, &[]).expect(0);
}

#[test]
fn spacing_is_held_within_the_time_that_is_waited() {
    let stand = stand(&[Kind::Key], "");
    let config = stand.env.read("smm.toml");
    stand.env.write("smm.toml", format!("{config}\nspacing = \"3s\"\n"));
    announce(&stand, &[]).expect(0);
    let began = Instant::now();
    let next = ["announce", "--tag", "v3.0.0", "--url", "https://acme.example/3"];
    let run = stand.smm(&[&next[..], &["--format", "json"]].concat()).expect(0);
    assert!(run.stderr.contains("(spacing)"), "{}", run.stderr);
    assert!(began.elapsed() > Duration::from_secs(1), "{:?}", began.elapsed());
    // Not waited for when it is too far off; the next run brings it.
    let config = config.replace("spacing = \"3s\"", "");
    stand.env.write("smm.toml", format!("{config}\nspacing = \"1h\"\n"));
    let began = Instant::now();
    let run = stand.smm(&["announce", "--tag", "v4", "--url", "https://acme.example/4", "--wait", "5s"]).expect(1);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}: {run:?}", began.elapsed());
    assert!(run.stdout.contains("planned"), "{}", run.stdout);
}
