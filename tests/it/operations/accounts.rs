//! Accounts that turn out to be another one, and secrets that are missing or wrong.

use chrono::{TimeDelta, Utc};
use smm::adapter::suite::{Act, Rule};
use smm::model::{ReasonCode, State};

use super::{Site, post, serve};

fn code(row: &smm::model::Delivery) -> ReasonCode {
    row.reason.as_ref().expect("a reason").code
}

#[test]
fn no_token_reaches_another_host_until_a_person_says_that_it_is_meant() {
    let site = Site::new("mastodon");
    site.calendar(&post("first", Utc::now(), ""));
    site.smm(&["publish"]).expect(0);
    let network = smm::networks::find("mastodon").expect("built in");
    let other = serve(network.fake()).expect("a stand-in");
    let front = other.front().expect("HTTP");
    site.config(front.url(), "");
    let second = post("second", Utc::now(), "");
    site.calendar(&format!("{}{second}", post("first", Utc::now(), "")));
    site.smm(&["publish"]).expect(1);
    let row = site.until("second", &[State::Held]);
    assert_eq!(code(&row), ReasonCode::AccountChanged);
    let why = row.reason.expect("a reason").message;
    assert!(why.contains(site.url()) && why.contains(front.url()), "{why}");
    assert!(why.contains("smm resume fedi --accept-change"), "{why}");
    let told = front.seen().into_iter().filter(|seen| seen.header("authorization").is_some()).count();
    assert_eq!(told, 0, "the token was sent to the new host");

    // Retried without having said so it is held again.
    site.smm(&["retry", "second"]).expect(0);
    site.smm(&["publish"]).expect(1);
    assert_eq!(code(&site.until("second", &[State::Held])), ReasonCode::AccountChanged);

    let run = site.smm(&["resume", "fedi", "--accept-change"]).expect(0);
    assert!(run.stderr.contains("no longer bound to") && run.stderr.contains(site.url()), "{}", run.stderr);
    site.smm(&["publish"]).expect(0);
    site.until("second", &[State::Published]);
    let out = super::wait(other.posts());
    assert_eq!(out.len(), 1, "the new account gets what is new, and nothing again: {out:?}");
    assert_eq!(site.out(), ["Text of first"]);
}

#[test]
fn a_thread_that_was_begun_does_not_go_on_as_somebody_else() {
    let site = Site::new("mastodon");
    site.calendar(&post("story", Utc::now(), "thread = [\"Two.\"]"));
    let (method, path) = site.fake.publish_call().expect("HTTP");
    let front = site.fake.front().expect("HTTP");
    // The second part is told to come later.
    front.rule(Rule::new(Act::Wait(std::time::Duration::ZERO)).on(method, path));
    front.rule(Rule::answer(429, "{\"error\":\"later\"}").on(method, path));
    site.smm(&["publish", "--wait", "0"]);
    let row = site.until("story", &[State::Planned]);
    assert_eq!(row.receipts.len(), 1, "{row:?}");
    let other = serve(smm::networks::find("mastodon").expect("built in").fake()).expect("a stand-in");
    site.config(other.front().expect("HTTP").url(), "");
    site.smm(&["resume", "fedi", "--accept-change"]).expect(0);
    site.smm(&["retry", "story"]).expect(0);
    site.smm(&["publish"]).expect(1);
    let row = site.until("story", &[State::Held]);
    assert_eq!(code(&row), ReasonCode::AccountChanged);
    assert_eq!(super::wait(other.posts()).len(), 0);
    site.smm(&["cancel", "story"]).expect(0);
}

#[test]
fn a_missing_secret_holds_and_says_where_it_was_looked_for() {
    let mut site = Site::new("mastodon");
    let secrets = std::mem::take(&mut site.secrets);
    site.calendar(&post("quiet", Utc::now(), ""));
    site.smm(&["publish"]).expect(1);
    let row = site.until("quiet", &[State::Held]);
    assert_eq!(code(&row), ReasonCode::Secret);
    assert!(row.reason.expect("a reason").message.contains("SMM_FEDI_TOKEN"));
    // Held is left alone.
    site.smm(&["publish"]).expect(0);
    site.secrets = secrets;
    site.smm(&["retry", "quiet"]).expect(0);
    site.smm(&["publish"]).expect(0);
    assert_eq!(site.out(), ["Text of quiet"]);
}

#[test]
fn a_wrong_password_holds_its_account_alone() {
    let mut site = Site::new("mastodon");
    site.secrets.insert("SMM_FEDI_TOKEN".to_owned(), "not-the-token".to_owned());
    site.calendar(&format!(
        "[accounts.site]\nnetwork = \"feed\"\nfolder = \"public\"\ntitle = \"Acme\"\nlink = \"https://acme.example\"\n{}",
        post("both", Utc::now(), "to = [\"fedi\", \"site\"]")
    ));
    let run = site.smm(&["publish", "--format", "json"]).expect(1);
    let rows = site.rows();
    let state = |account: &str| rows.iter().find(|row| row.account.as_str() == account).expect("a row");
    assert_eq!((state("site").state, state("fedi").state), (State::Published, State::Held));
    assert_eq!(code(state("fedi")), ReasonCode::Credentials);
    assert!(!run.stdout.contains("not-the-token") && !run.stderr.contains("not-the-token"));
    site.smm(&["status"]).expect(1);
}

#[test]
fn a_daemon_takes_an_accepted_change_at_once() {
    let site = Site::new("mastodon");
    site.calendar(&post("first", Utc::now(), ""));
    let daemon = site.daemon();
    daemon.says("published");
    let other = serve(smm::networks::find("mastodon").expect("built in").fake()).expect("a stand-in");
    site.config(other.front().expect("HTTP").url(), "");
    daemon.says("read again");
    site.calendar(&format!(
        "{}{}",
        post("first", Utc::now(), ""),
        post("second", Utc::now() + TimeDelta::seconds(1), "")
    ));
    site.until("second", &[State::Held]);
    site.smm(&["resume", "fedi", "--accept-change"]).expect(0);
    site.until("second", &[State::Published]);
    daemon.stops();
}
