//! Networks that are slow, full, down, or cut in the middle of a thread.

use chrono::{TimeDelta, Utc};
use smm::adapter::suite::{Act, Rule};
use smm::model::{ReasonCode, State};

use super::{Site, pause, post, serve};

#[test]
fn a_network_that_asks_to_wait_is_waited_for() {
    let site = Site::new("mastodon");
    let (method, path) = site.fake.publish_call().expect("HTTP");
    let later = Rule::answer(429, "{\"error\":\"too many requests\"}").header("retry-after", "3").on(method, path);
    site.fake.front().expect("HTTP").rule(later);
    site.calendar(&post("patient", Utc::now(), ""));
    let before = Utc::now();
    let run = site.smm(&["publish"]).expect(1);
    assert!(run.stdout.contains("planned"), "{}", run.stdout);
    let row = site.until("patient", &[State::Planned]);
    assert_eq!((row.reason.as_ref().map(|it| it.code), row.attempts), (Some(ReasonCode::Throttled), 1), "{row:?}");
    assert!(row.not_before.is_some_and(|at| at >= before + TimeDelta::seconds(2)), "{row:?}");
    // A run before that time leaves it alone.
    site.smm(&["publish"]);
    assert_eq!(site.fake.front().expect("HTTP").count(method, path), 1);
    let daemon = site.daemon();
    let row = site.until("patient", &[State::Published]);
    daemon.stops();
    assert!(row.published_at.is_some_and(|at| at >= before + TimeDelta::seconds(2)), "{row:?}");
    assert_eq!((row.attempts, site.out().len()), (2, 1));
}

#[test]
fn a_storm_of_errors_leads_to_one_post() {
    let site = Site::new("mastodon");
    let (method, path) = site.fake.publish_call().expect("HTTP");
    site.fake.front().expect("HTTP").rule(Rule::answer(500, "oops").on(method, path));
    // Who-am-I and looks fail as well, for a while.
    site.calendar(&post("storm", Utc::now(), ""));
    let daemon = site.daemon();
    let row = site.until("storm", &[State::Unknown]);
    assert_eq!(row.reason.map(|it| it.code), Some(ReasonCode::LostAnswer));
    let row = site.until("storm", &[State::Published]);
    assert_eq!((row.attempts, row.receipts.len()), (2, 1));
    daemon.stops();
    assert_eq!(site.out(), ["Text of storm"]);
}

#[test]
fn a_server_that_is_down_for_a_while_is_tried_again_in_order() {
    let site = Site::new("mastodon");
    // A port that nobody listens on, until somebody does.
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    site.config(&format!("http://{free}"), "spacing = \"1s\"\n");
    let now = Utc::now();
    let posts: String =
        (0..3).map(|number| post(&format!("p{number}"), now + TimeDelta::milliseconds(number), "")).collect();
    site.calendar(&posts);
    let daemon = site.daemon();
    daemon.says("ready");
    pause(1500);
    let row = site.until("p0", &[State::Planned, State::Claimed]);
    assert_eq!((row.reason.as_ref().map(|it| it.code), row.attempts), (Some(ReasonCode::Retry), 0), "{row:?}");
    assert!(row.failures >= 1, "{row:?}");
    let upstream = site.url().trim_start_matches("http://").to_owned();
    serve(async move {
        let listener = tokio::net::TcpListener::bind(free).await.expect("still free");
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let upstream = upstream.clone();
                tokio::spawn(async move {
                    let mut server = tokio::net::TcpStream::connect(upstream).await.expect("a server");
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
    });
    let rows: Vec<_> = (0..3).map(|number| site.until(&format!("p{number}"), &[State::Published])).collect();
    daemon.stops();
    let mut out: Vec<_> = rows.iter().map(|row| row.published_at.expect("a time")).collect();
    out.sort();
    assert!(out.windows(2).all(|two| two[1] - two[0] >= TimeDelta::milliseconds(900)), "spacing: {out:?}");
    assert_eq!(site.out().len(), 3);
}

#[test]
fn a_thread_that_was_cut_by_a_kill_goes_on_where_it_stopped() {
    let site = Site::new("mastodon");
    let (method, path) = site.fake.publish_call().expect("HTTP");
    let front = site.fake.front().expect("HTTP");
    for wait in [0, 0, 20] {
        front.rule(Rule::new(Act::Wait(std::time::Duration::from_secs(wait))).on(method, path));
    }
    site.calendar(&post("story", Utc::now(), "thread = [\"Two.\", \"Three.\", \"Four.\"]"));
    let daemon = site.daemon();
    site.asked(method, path, 3);
    daemon.kill();
    assert_eq!(site.until("story", &[State::Sending]).receipts.len(), 2);
    let daemon = site.daemon();
    let row = site.until("story", &[State::Published]);
    daemon.stops();
    assert_eq!(row.receipts.len(), 4);
    assert_eq!(site.out(), ["Text of story", "Two.", "Three.", "Four."]);
}

#[test]
fn a_lost_ledger_leads_to_the_same_record() {
    let site = Site::new("bluesky");
    site.calendar(&post("once", Utc::now(), ""));
    site.smm(&["publish"]).expect(0);
    let id = site.until("once", &[State::Published]).receipts[0].id.clone();
    std::fs::remove_dir_all(site.env.path().join("state")).expect("lost");
    site.smm(&["publish"]).expect(0);
    assert_eq!(site.until("once", &[State::Published]).receipts[0].id, id);
    assert_eq!(site.out(), ["Text of once"]);
}

#[test]
fn the_log_is_json_without_secrets_and_texts() {
    let site = Site::new("mastodon");
    let (method, path) = site.fake.publish_call().expect("HTTP");
    let front = site.fake.front().expect("HTTP");
    front.rule(Rule::new(Act::Echo { status: 422, json: true }).on(method, path));
    let now = Utc::now();
    site.calendar(&format!("{}{}", post("echoed", now, ""), post("fine", now + TimeDelta::milliseconds(1), "")));
    let daemon = site.daemon();
    site.until("fine", &[State::Published]);
    site.until("echoed", &[State::Failed]);
    let mut said = daemon.said();
    said.extend(daemon.stops());
    let token = &site.secrets["SMM_FEDI_TOKEN"];
    for line in &said {
        assert!(line["timestamp"].is_string() && line["level"].is_string(), "{line}");
        assert!(!line.to_string().contains(token.as_str()), "{line}");
        assert!(!line.to_string().contains("Text of fine"), "{line}");
    }
    let published: Vec<_> = said.iter().filter(|line| line["message"] == "published").collect();
    assert_eq!(published.len(), 1, "{said:?}");
    let line = published[0];
    assert!(line["delivery"].is_string() && line["account"] == "fedi" && line["url"].is_string(), "{line}");
}
