//! What a network over HTTP does when something is in the way.

use std::time::Duration;

use chrono::{TimeZone, Utc};
use smm::adapter::suite::{Act, Front, Rule};
use smm::adapter::{Api, Fault, Network, Refusal, RepeatSafety};

use crate::promises::secrets;
use crate::proxy::{Cut, Proxy};
use crate::stage::{Stage, deliver};

/// Publishes through a proxy that cuts the irreversible call once: there must be one post, whatever was lost.
async fn one_post_in_spite_of(network: &'static dyn Network, cut: Cut) {
    let stage = Stage::new(network).await;
    let proxy = Proxy::before(stage.front().url()).await;
    let api = stage.api_by(proxy.url());
    let frozen = stage.frozen(&*api, &stage.draft("cut", &["Only once"])).await;
    let safety = api.whoami().await.expect("an identity").repeat.unwrap_or(network.profile().repeat);
    proxy.cut(stage.publish_call(), cut, 1);

    let first = api.publish(&frozen).await;
    assert!(matches!(first, Err(Fault::Unknown(_))), "the answer was lost: {first:?}");
    assert_eq!(proxy.count(stage.publish_call()), 1, "one call is one request");
    let arrived = stage.fake.posts().await.len();
    assert_eq!(arrived, usize::from(cut != Cut::BeforeForwarding));

    // What follows is the engine's work; with a class of `none` it is a person's.
    if safety != RepeatSafety::None {
        let receipt = settle(&*api, &frozen, safety).await.expect("settled");
        let posts = stage.fake.posts().await;
        assert_eq!(posts.len(), 1, "one post: {posts:?}");
        assert_eq!(posts[0].id, receipt.id);
    }
}

/// What the class says of an unknown, without the first attempt.
async fn settle(
    api: &dyn Api,
    frozen: &smm::model::Frozen,
    safety: RepeatSafety,
) -> Result<smm::model::Receipt, Fault> {
    use smm::adapter::Verdict;
    match safety {
        RepeatSafety::ContentAddressed | RepeatSafety::ChosenId => api.publish(frozen).await,
        _ => match api.reconcile(frozen, Utc::now() - chrono::Duration::seconds(5)).await? {
            Verdict::Done(receipt) => Ok(receipt),
            Verdict::NotDone => deliver(api, frozen, safety).await,
            Verdict::CannotTell { why } => Err(Fault::Unknown(why)),
        },
    }
}

pub(crate) async fn lost_before_it_was_done(network: &'static dyn Network) {
    one_post_in_spite_of(network, Cut::BeforeForwarding).await;
}

pub(crate) async fn lost_after_it_was_done(network: &'static dyn Network) {
    one_post_in_spite_of(network, Cut::AfterForwarding).await;
}

pub(crate) async fn cut_in_the_answer(network: &'static dyn Network) {
    one_post_in_spite_of(network, Cut::InBody(7)).await;
}

/// Nothing listens: provably nothing was sent.
pub(crate) async fn a_refused_connection_is_not_sent(network: &'static dyn Network) {
    let stage = Stage::new(network).await;
    let frozen = stage.frozen(&*stage.api(), &stage.draft("refused", &["Nobody hears"])).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let nowhere = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let outcome = stage.api_by(&nowhere).publish(&frozen).await;
    assert!(matches!(outcome, Err(Fault::NotSent(_))), "{outcome:?}");
}

/// Whatever else the server does, one call is one request, and an error of the server's proves nothing.
pub(crate) async fn server_errors_prove_nothing(network: &'static dyn Network) {
    for status in [500, 502, 503, 504] {
        let stage = Stage::new(network).await;
        let api = stage.api();
        let frozen = stage.frozen(&*api, &stage.draft("storm", &["In a storm"])).await;
        let (method, path) = stage.publish_call();
        stage.front().rule(Rule::answer(status, "<h1>Bad Gateway</h1>").on(method, path).times(3));
        for attempt in 1..=3 {
            let outcome = api.publish(&frozen).await;
            assert!(matches!(outcome, Err(Fault::Unknown(_))), "{status}: {outcome:?}");
            assert_eq!(stage.front().count(method, path), attempt, "no retry below the engine");
        }
        assert_eq!(stage.fake.posts().await, []);
        api.publish(&frozen).await.expect("the storm is over");
    }
}

/// The server did it, and said that it did not.
pub(crate) async fn an_error_after_it_was_done(network: &'static dyn Network) {
    let stage = Stage::new(network).await;
    let api = stage.api();
    let frozen = stage.frozen(&*api, &stage.draft("lie", &["It is out"])).await;
    let (method, path) = stage.publish_call();
    let lie = Act::AnswerAfter { status: 500, headers: Vec::new(), body: r#"{"error":"oops"}"#.to_owned() };
    stage.front().rule(Rule::new(lie).on(method, path));
    let safety = api.whoami().await.expect("an identity").repeat.unwrap_or(network.profile().repeat);
    let first = api.publish(&frozen).await;
    assert!(matches!(first, Err(Fault::Unknown(_))), "{first:?}");
    if safety != RepeatSafety::None {
        settle(&*api, &frozen, safety).await.expect("settled");
        assert_eq!(stage.fake.posts().await.len(), 1);
    }
}

/// Too many calls: nothing was done, and when to come again is told.
pub(crate) async fn throttling_tells_when_to_come_again(network: &'static dyn Network) {
    let stage = Stage::new(network).await;
    let api = stage.api();
    let frozen = stage.frozen(&*api, &stage.draft("throttle", &["Not now"])).await;
    let (method, path) = stage.publish_call();
    let body = r#"{"error":"RateLimitExceeded","message":"Rate Limit Exceeded"}"#;
    stage.front().rule(Rule::answer(429, body).header("retry-after", "120").on(method, path));
    let at = Utc.with_ymd_and_hms(2031, 1, 2, 3, 4, 5).single().expect("a time");
    stage.front().rule(Rule::answer(429, body).header("retry-after", "Thu, 02 Jan 2031 03:04:05 GMT").on(method, path));
    let now = Utc::now();
    let mut told = Vec::new();
    for _ in 0..2 {
        match api.publish(&frozen).await {
            Err(Fault::Refused { refusal: Refusal::RateLimited, retry_at: Some(at), .. }) => told.push(at),
            other => panic!("{other:?}"),
        }
    }
    let seconds = (told[0] - now).num_seconds();
    assert!((119..=130).contains(&seconds), "in {seconds} seconds");
    assert_eq!(told[1], at);
    assert_eq!(stage.fake.posts().await, []);
    api.publish(&frozen).await.expect("now");
}

/// A wrong secret is a matter of credentials, and the right one mends it.
pub(crate) async fn a_changed_secret_is_told_and_mended(network: &'static dyn Network) {
    let stage = Stage::new(network).await;
    let old = stage.api();
    let frozen = stage.frozen(&*old, &stage.draft("changed", &["With the new one"])).await;
    stage.fake.change_secret();
    let outcome = old.whoami().await;
    assert!(
        matches!(outcome, Err(Fault::Refused { refusal: Refusal::Credentials, .. })) || stage.fake.is_mute(),
        "the old secret: {outcome:?}"
    );
    let outcome = old.publish(&frozen).await;
    assert!(
        matches!(outcome, Err(Fault::Refused { refusal: Refusal::Credentials, .. })),
        "the old secret: {outcome:?}"
    );
    assert_eq!(stage.fake.posts().await, []);
    stage.api().publish(&frozen).await.expect("the new secret");
    assert_eq!(stage.fake.posts().await.len(), 1);
}

/// A session that ended is renewed without anybody noticing, or by the next attempt.
pub(crate) async fn an_ended_session_is_renewed(network: &'static dyn Network) {
    let stage = Stage::new(network).await;
    let api = stage.api();
    let frozen = stage.frozen(&*api, &stage.draft("session", &["Still me"])).await;
    if !stage.fake.end_session() {
        return;
    }
    let receipt = match api.publish(&frozen).await {
        Err(Fault::Refused { refusal: Refusal::Busy, .. }) => api.publish(&frozen).await.expect("the next attempt"),
        other => other.expect("renewed"),
    };
    stage.fake.end_session();
    api.whoami().await.expect("renewed");
    api.delete(&receipt).await.expect("renewed");
}

/// A success that cannot be read may be a success.
pub(crate) async fn an_unreadable_success_is_unknown(network: &'static dyn Network) {
    let deep = "[".repeat(100_000);
    for body in ["", "null", "[]", "{}", "true", "\"id\"", "{\"id\":null}", "<html>", "{\"id\":", deep.as_str()] {
        for status in [200, 201, 202] {
            let stage = Stage::new(network).await;
            if stage.fake.is_mute() {
                return;
            }
            let api = stage.api();
            let frozen = stage.frozen(&*api, &stage.draft("odd", &["Odd"])).await;
            let (method, path) = stage.publish_call();
            stage.front().rule(Rule::answer(status, body).on(method, path));
            let outcome = api.publish(&frozen).await;
            let shown: String = body.chars().take(20).collect();
            assert!(matches!(outcome, Err(Fault::Unknown(_))), "{status} `{shown}`: {outcome:?}");
        }
    }
}

/// A "no" that is not in the network's own words may come from somebody in between.
pub(crate) async fn a_strangers_no_is_unknown(network: &'static dyn Network) {
    for status in [400, 404, 408, 409, 413, 425, 499] {
        let stage = Stage::new(network).await;
        let api = stage.api();
        let frozen = stage.frozen(&*api, &stage.draft("stranger", &["Who says so?"])).await;
        let (method, path) = stage.publish_call();
        let rule = Rule::answer(status, "<h1>No</h1>").header("content-type", "text/html").on(method, path);
        stage.front().rule(rule);
        let outcome = api.publish(&frozen).await;
        assert!(matches!(outcome, Err(Fault::Unknown(_))), "{status}: {outcome:?}");
    }
}

/// Answers to everything else may be as odd as they like: a fault, never a panic.
pub(crate) async fn odd_answers_are_faults(network: &'static dyn Network) {
    let deep = "{\"a\":".repeat(50_000);
    for body in ["", "null", "[]", "{}", "\u{0}", "{\"error\":5}", deep.as_str()] {
        for status in [200, 204, 302, 400, 404, 418, 500] {
            let stage = Stage::new(network).await;
            let api = stage.api();
            let frozen = stage.frozen(&*api, &stage.draft("odd", &["Odd"])).await;
            let receipt = api.publish(&frozen).await.expect("published");
            stage.front().rule(Rule::answer(status, body).times(1000));
            // Only that they come back is asked: an empty 200 may well be a fine answer to `delete`.
            let _ = api.reconcile(&frozen, Utc::now()).await;
            let _ = api.metrics(&receipt).await;
            let _ = api.replies(&receipt).await;
            let _ = api.delete(&receipt).await;
            let told = stage.api().whoami().await;
            assert!(told.is_err() || stage.fake.is_mute(), "nobody is somebody: {status} `{body:.20}`");
        }
    }
}

/// A token goes to its own host alone.
pub(crate) async fn redirects_are_not_followed(network: &'static dyn Network) {
    for status in [301, 302, 303, 307, 308] {
        let stage = Stage::new(network).await;
        let elsewhere = Front::serve(axum::Router::new()).await;
        let api = stage.api();
        let draft = stage.draft("redirect", &["Stay here"]);
        let frozen = stage.frozen(&*api, &draft).await;
        let rule = Rule::answer(status, "").header("location", format!("{}/steal", elsewhere.url())).times(1000);
        stage.front().rule(rule);
        let outcome = api.publish(&frozen).await;
        assert!(matches!(outcome, Err(Fault::Unknown(_) | Fault::Refused { .. })), "{status}: {outcome:?}");
        assert!(stage.api().whoami().await.is_err() || stage.fake.is_mute(), "{status}");
        assert_eq!(elsewhere.seen().len(), 0, "{status}: something went to another host");
        assert_eq!(stage.fake.posts().await, []);
    }
}

/// A server that sends back what it was sent does not get it into a message.
pub(crate) async fn no_message_holds_a_secret(network: &'static dyn Network) {
    let stage = Stage::new(network).await;
    let api = stage.api();
    let frozen = stage.frozen(&*api, &stage.draft("echo", &["Echo"])).await;
    let receipt = api.publish(&frozen).await.expect("published");
    for status in [400, 401, 403, 429, 500] {
        for json in [false, true] {
            stage.front().no_rules();
            stage.front().rule(Rule::new(Act::Echo { status, json }).times(1000));
            let fresh = stage.api();
            let faults = [
                api.publish(&frozen).await.err(),
                api.reconcile(&frozen, Utc::now()).await.err(),
                api.metrics(&receipt).await.err(),
                api.replies(&receipt).await.err(),
                api.delete(&receipt).await.err(),
                api.whoami().await.err(),
                fresh.whoami().await.err(),
            ];
            for fault in faults.into_iter().flatten() {
                for secret in secrets(&stage) {
                    let told = format!("{fault} {fault:?}");
                    assert!(!told.contains(&secret), "{status}: a secret is in a message");
                }
            }
        }
    }
}

/// A server that takes too long: the time limit holds, and nothing is known.
pub(crate) async fn a_slow_server_is_unknown(network: &'static dyn Network) {
    let stage = Stage::new(network).await;
    let frozen = stage.frozen(&*stage.api(), &stage.draft("slow", &["Slowly"])).await;
    let api = stage.hasty_api(Duration::from_millis(300));
    api.whoami().await.expect("signed in");
    let (method, path) = stage.publish_call();
    stage.front().rule(Rule::new(Act::Wait(Duration::from_secs(20))).on(method, path));
    let begin = std::time::Instant::now();
    let outcome = api.publish(&frozen).await;
    assert!(matches!(outcome, Err(Fault::Unknown(_))), "{outcome:?}");
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
}
