//! What a keeper does with a server that answers, is busy, refuses, or is not heard.

use secrecy::ExposeSecret;
use tempfile::TempDir;

use super::*;
use crate::adapter::{Login, suite};
use crate::oauth::fake::{Act, LIFE, Server, SetClock, Store, http};

/// An account whose grant lies in a store.
struct Bench {
    server: Server,
    given: Store,
    store: Store,
    clock: Arc<SetClock>,
    state: TempDir,
}

impl Bench {
    async fn new() -> Self {
        let bench = Self {
            server: Server::start().await,
            given: Store::new("given", false),
            store: Store::new("store", true),
            clock: SetClock::new(),
            state: tempfile::tempdir().expect("a folder"),
        };
        bench.store.put(FIELD, bench.server.grant(bench.clock.now()).written().expose_secret());
        bench
    }

    /// A keeper, as another process would have it.
    fn keeper(&self) -> Keeper {
        let secrets = Chain::of_sources(vec![Box::new(self.given.clone()), Box::new(self.store.clone())]);
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let tools = Tools { secrets, http: http(), clock, state: self.state.path().to_owned() };
        Keeper::new(tools, &self.server.account())
    }

    fn renewals(&self) -> usize {
        self.server.asked().len()
    }

    fn kept(&self) -> Grant {
        self.store.grant().expect("a grant")
    }
}

async fn token(keeper: &Keeper) -> Result<String, Fault> {
    keeper.secret("token").await.map(|token| token.expose_secret().to_owned())
}

fn text(token: &SecretString) -> &str {
    token.expose_secret()
}

fn is_over(outcome: &Result<String, Fault>) -> bool {
    matches!(outcome, Err(Fault::Refused { refusal: Refusal::Credentials, message, .. })
        if message.contains("sign in again: smm login fedi"))
}

fn is_busy(outcome: &Result<String, Fault>) -> bool {
    matches!(outcome, Err(Fault::Refused { refusal: Refusal::Busy, retry_at: None, .. }))
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends() {
    let bench = Bench::new().await;
    let keeper = bench.keeper();
    assert_eq!(token(&keeper).await.as_deref(), Ok("access-0"));
    bench.clock.pass(LIFE - 61);
    assert_eq!(token(&keeper).await.as_deref(), Ok("access-0"));
    assert_eq!(bench.renewals(), 0);
    bench.clock.pass(2);
    for _ in 0..3 {
        assert_eq!(token(&keeper).await.as_deref(), Ok("access-1"));
    }
    assert_eq!(bench.renewals(), 1);
    let sent = &bench.server.asked()[0];
    assert_eq!((sent["grant_type"].as_str(), sent["refresh_token"].as_str()), ("refresh_token", "refresh-0"));
    assert_eq!((sent["client_id"].as_str(), sent["client_secret"].as_str()), ("client", "s3cret+of client"));
    let kept = bench.kept();
    assert_eq!(kept.refresh.as_ref().map(text), Some("refresh-1"));
    assert_eq!(kept.begun, None);
    // It was written down before the request went.
    let begun: Vec<bool> = bench.store.history().iter().map(|grant| grant.begun.is_some()).collect();
    assert_eq!(begun, [true, false]);
    let info = keeper.info().await.expect("readable").expect("there");
    assert_eq!((info.renewable, info.doubtful, info.source), (true, false, "store"));
    assert_eq!(info.ends(), Some(kept.obtained + TimeDelta::days(1)));
}

#[tokio::test]
async fn a_short_life_is_used_for_most_of_it() {
    let bench = Bench::new().await;
    let mut grant = bench.server.grant(bench.clock.now());
    grant.access_ends = Some(grant.obtained + TimeDelta::seconds(40));
    bench.store.put(FIELD, grant.written().expose_secret());
    bench.clock.pass(29);
    assert_eq!(token(&bench.keeper()).await.as_deref(), Ok("access-0"));
    bench.clock.pass(2);
    assert_eq!(token(&bench.keeper()).await.as_deref(), Ok("access-1"));
}

#[tokio::test]
async fn many_at_once_renew_once() {
    let bench = Bench::new().await;
    bench.clock.pass(LIFE);
    // Two processes, as far as the lock can tell, with four tasks each.
    let keepers = [bench.keeper(), bench.keeper()];
    let mut tasks = tokio::task::JoinSet::new();
    for at in 0..8 {
        let keeper = keepers[at % 2].clone();
        tasks.spawn(async move { token(&keeper).await });
    }
    while let Some(outcome) = tasks.join_next().await {
        assert_eq!(outcome.expect("no panic").as_deref(), Ok("access-1"));
    }
    assert_eq!(bench.renewals(), 1);
}

#[tokio::test]
async fn one_that_gives_up_waiting_loses_no_answer() {
    let bench = Bench::new().await;
    bench.clock.pass(LIFE);
    let keeper = bench.keeper();
    let early = tokio::time::timeout(Duration::from_millis(10), token(&keeper)).await;
    assert!(early.is_err(), "the server takes longer: {early:?}");
    assert_eq!(token(&keeper).await.as_deref(), Ok("access-1"));
    assert_eq!(bench.renewals(), 1);
}

#[tokio::test]
async fn what_was_pasted_wins_and_cannot_be_renewed() {
    let bench = Bench::new().await;
    bench.given.put("token", "pasted");
    let keeper = bench.keeper();
    assert_eq!(token(&keeper).await.as_deref(), Ok("pasted"));
    let fault = keeper.renewed("token", &SecretString::from("pasted")).await.expect_err("it was pasted");
    assert!(matches!(fault, Fault::Refused { refusal: Refusal::Credentials, .. }), "{fault:?}");
    bench.given.put("token", "pasted later");
    let other = keeper.renewed("token", &SecretString::from("pasted")).await.expect("another is there");
    assert_eq!(text(&other), "pasted later");
    assert_eq!(bench.renewals(), 0);
}

#[tokio::test]
async fn nothing_there_says_where_it_was_looked_for() {
    let bench = Bench::new().await;
    let keeper = bench.keeper();
    assert_eq!(keeper.forget().await, Ok(vec!["store"]));
    let missing = token(&keeper).await.expect_err("nothing is there");
    assert!(
        matches!(&missing, Fault::Refused { refusal: Refusal::Secret, message, .. } if message.contains("store fedi token"))
    );
    assert_eq!(keeper.info().await, Ok(None));
}

#[tokio::test]
async fn a_refused_token_is_renewed_once_for_all_who_had_it() {
    let bench = Bench::new().await;
    let (one, other) = (bench.keeper(), bench.keeper());
    let old = SecretString::from("access-0");
    assert_eq!(one.renewed("token", &old).await.as_ref().map(text), Ok("access-1"));
    assert_eq!(other.renewed("token", &old).await.as_ref().map(text), Ok("access-1"));
    assert_eq!(bench.renewals(), 1);
}

#[tokio::test]
async fn a_lost_answer_is_not_repeated_blindly() {
    let bench = Bench::new().await;
    let keeper = bench.keeper();
    bench.clock.pass(LIFE - 30);
    bench.server.next([Act::Lose]);
    // The old token is used while it lasts, and the server is left in peace.
    for _ in 0..3 {
        assert_eq!(token(&keeper).await.as_deref(), Ok("access-0"));
    }
    assert_eq!(bench.renewals(), 1);
    let info = bench.keeper().info().await.expect("readable").expect("there");
    assert!(info.doubtful && info.renewable);
    assert_eq!(info.ends(), info.access_ends, "nobody counts on a renewal that is in doubt");
    // Once it is of no use, once more; this server wants no token twice, and that is the end of it.
    bench.clock.pass(30);
    for _ in 0..3 {
        let outcome = token(&bench.keeper()).await;
        assert!(is_over(&outcome), "{outcome:?}");
    }
    assert_eq!(bench.renewals(), 2);
    let info = keeper.info().await.expect("readable").expect("there");
    assert!(info.doubtful && !info.renewable);
}

#[tokio::test]
async fn a_lost_answer_that_came_to_nothing_is_mended() {
    let bench = Bench::new().await;
    bench.clock.pass(LIFE);
    bench.server.next([Act::Answer(200, String::new())]);
    let outcome = token(&bench.keeper()).await;
    assert!(is_busy(&outcome), "{outcome:?}");
    // The server had done nothing: the same refresh token is good.
    assert_eq!(token(&bench.keeper()).await.as_deref(), Ok("access-1"));
    assert_eq!((bench.renewals(), bench.kept().begun), (2, None));
}

#[tokio::test]
async fn two_lost_answers_are_the_end() {
    let bench = Bench::new().await;
    bench.clock.pass(LIFE);
    bench.server.next([Act::Answer(200, String::new()), Act::Answer(200, "[]".to_owned())]);
    let outcomes = [token(&bench.keeper()).await, token(&bench.keeper()).await];
    assert!(outcomes.iter().all(is_busy), "{outcomes:?}");
    for _ in 0..3 {
        let outcome = token(&bench.keeper()).await;
        assert!(is_over(&outcome), "{outcome:?}");
    }
    assert_eq!(bench.renewals(), 2);
}

#[tokio::test]
async fn a_killed_process_leaves_its_mark() {
    let bench = Bench::new().await;
    let mut grant = bench.server.grant(bench.clock.now());
    grant.begun = Some(Begun { at: grant.obtained, tries: 1 });
    bench.store.put(FIELD, grant.written().expose_secret());
    bench.clock.pass(LIFE - 1);
    assert_eq!(token(&bench.keeper()).await.as_deref(), Ok("access-0"));
    assert_eq!(bench.renewals(), 0);
}

#[tokio::test]
async fn what_was_not_sent_leaves_no_mark() {
    let bench = Bench::new().await;
    let mut grant = bench.server.grant(bench.clock.now());
    // Nobody listens there.
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("it").port();
    grant.token_url = format!("http://127.0.0.1:{port}/token");
    bench.store.put(FIELD, grant.written().expose_secret());
    bench.clock.pass(LIFE - 30);
    assert_eq!(token(&bench.keeper()).await.as_deref(), Ok("access-0"), "while it lasts");
    bench.clock.pass(30);
    let outcome = token(&bench.keeper()).await;
    assert!(matches!(outcome, Err(Fault::NotSent(_))), "{outcome:?}");
    assert_eq!(bench.kept().begun, None);
}

#[tokio::test]
async fn a_busy_server_is_asked_again_when_it_wants() {
    let bench = Bench::new().await;
    bench.clock.pass(LIFE);
    bench.server.next([Act::Later(503, 120), Act::Later(429, 60)]);
    for seconds in [120, 60] {
        let outcome = token(&bench.keeper()).await;
        let at = Some(bench.clock.now() + TimeDelta::seconds(seconds));
        assert!(matches!(&outcome, Err(Fault::Refused { refusal: Refusal::Busy, retry_at, .. }) if *retry_at == at));
        assert_eq!(bench.kept().begun, None, "it has done nothing");
    }
    // A gateway's word says nothing of what happened behind it.
    bench.server.next([Act::Answer(502, "<h1>Bad gateway".to_owned()), Act::Answer(403, "<h1>No".to_owned())]);
    for _ in 0..2 {
        let outcome = token(&bench.keeper()).await;
        assert!(is_busy(&outcome), "{outcome:?}");
        assert_eq!(bench.kept().begun.map(|begun| begun.tries), Some(0));
    }
    assert_eq!(token(&bench.keeper()).await.as_deref(), Ok("access-1"));
}

#[tokio::test]
async fn a_refusal_is_told_in_the_servers_words_without_secrets() {
    let bench = Bench::new().await;
    bench.clock.pass(LIFE);
    let words =
        r#"{"error": "invalid_grant", "error_description": "refresh-0 of s3cret+of client\u001b[2J was revoked"}"#;
    bench.server.next([Act::Answer(400, words.to_owned())]);
    let outcome = token(&bench.keeper()).await;
    assert!(is_over(&outcome), "{outcome:?}");
    let message = outcome.expect_err("over").to_string();
    assert!(message.contains("invalid_grant: [secret] of [secret][2J was revoked"), "{message}");
    assert!(!format!("{:?}{:?}", bench.kept(), bench.server.grant(bench.clock.now())).contains("refresh-0"));
    // A client that was deleted may be put right on the server: the refresh token stays, and nothing loops by itself.
    let bench = Bench::new().await;
    bench.clock.pass(LIFE);
    bench.server.deny("invalid_client");
    assert!(is_over(&token(&bench.keeper()).await));
    assert!(bench.kept().refresh.is_some() && bench.kept().begun.is_none());
}

#[tokio::test]
async fn a_refresh_token_that_is_not_changed_stays() {
    let bench = Bench::new().await;
    bench.server.keep_refresh();
    for number in 1..=3 {
        bench.clock.pass(LIFE);
        assert_eq!(token(&bench.keeper()).await, Ok(format!("access-{number}")));
    }
    assert_eq!(bench.kept().refresh.as_ref().map(text), Some("refresh-0"));
    assert_eq!(bench.kept().scopes, ["read"]);
}

#[tokio::test]
async fn nothing_is_asked_for_that_could_not_be_kept() {
    let bench = Bench::new().await;
    bench.store.fail(true);
    bench.clock.pass(LIFE - 30);
    assert_eq!(token(&bench.keeper()).await.as_deref(), Ok("access-0"), "while it lasts");
    bench.clock.pass(30);
    let outcome = token(&bench.keeper()).await;
    assert!(matches!(&outcome, Err(Fault::NotSent(why)) if why.contains("no room")), "{outcome:?}");
    assert_eq!(bench.renewals(), 0);
}

#[tokio::test]
async fn what_cannot_be_kept_is_held_with_the_turn() {
    let bench = Bench::new().await;
    bench.clock.pass(LIFE);
    let keeper = bench.keeper();
    let (store, watched) = (bench.store.clone(), bench.store.clone());
    let full = tokio::spawn(async move {
        // Full from the moment on that the mark is there.
        while watched.grant().is_none_or(|grant| grant.begun.is_none()) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        store.fail(true);
    });
    assert_eq!(token(&keeper).await.as_deref(), Ok("access-1"));
    full.await.expect("no panic");
    assert_eq!(token(&keeper).await.as_deref(), Ok("access-1"));
    assert!(bench.kept().begun.is_some(), "the store has the old one");
    assert_eq!(text(&bench.kept().access), "access-0");
    // Another process cannot use the old refresh token meanwhile.
    let busy = turn::take(bench.state.path(), &keeper.inner.owner.name, Duration::from_millis(60)).await;
    assert!(matches!(busy, Err(NoTurn::Busy)), "{busy:?}");
    bench.store.fail(false);
    for _ in 0..200 {
        if keeper.inner.unsaved().is_none() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(text(&bench.kept().access), "access-1");
    assert_eq!(token(&bench.keeper()).await.as_deref(), Ok("access-1"));
    assert_eq!(bench.renewals(), 1);
}

#[tokio::test]
async fn what_grew_from_a_seed_holds_until_there_is_a_newer_one() {
    let bench = Bench::new().await;
    bench.keeper().forget().await.expect("forgotten");
    bench.given.put(FIELD, bench.server.grant(bench.clock.now()).written().expose_secret());
    assert_eq!(token(&bench.keeper()).await.as_deref(), Ok("access-0"));
    bench.clock.pass(LIFE);
    for _ in 0..2 {
        assert_eq!(token(&bench.keeper()).await.as_deref(), Ok("access-1"));
    }
    assert_eq!(bench.renewals(), 1);
    let info = bench.keeper().info().await.expect("readable").expect("there");
    assert_eq!(info.source, "store");
    // It grows on from what is stored.
    bench.clock.pass(LIFE);
    assert_eq!(token(&bench.keeper()).await.as_deref(), Ok("access-2"));
    // The operator has signed in anew elsewhere.
    let mut newer = bench.server.grant(bench.clock.now());
    newer.access = SecretString::from("access-of-a-newer-seed");
    bench.given.put(FIELD, newer.written().expose_secret());
    assert_eq!(token(&bench.keeper()).await.as_deref(), Ok("access-of-a-newer-seed"));
    let info = bench.keeper().info().await.expect("readable").expect("there");
    assert_eq!(info.source, "given");
}

#[tokio::test]
async fn a_token_is_for_its_server_alone() {
    let bench = Bench::new().await;
    let mut grant = bench.server.grant(bench.clock.now());
    grant.server = "https://other.example".to_owned();
    bench.store.put(FIELD, grant.written().expose_secret());
    let outcome = token(&bench.keeper()).await;
    assert!(is_over(&outcome), "{outcome:?}");
    assert_eq!(bench.renewals(), 0);
}

#[tokio::test]
async fn a_new_sign_in_takes_the_place_of_the_old() {
    let bench = Bench::new().await;
    let keeper = bench.keeper();
    let mut grant = bench.server.grant(bench.clock.now());
    grant.access = SecretString::from("access-of-a-new-sign-in");
    assert_eq!(bench.keeper().keep(&grant, Some("store")).await, Ok("store"));
    assert_eq!(token(&keeper).await.as_deref(), Ok("access-of-a-new-sign-in"));
}

/// A grant whose access token is exchanged for its own successor, as Meta's are.
fn long_lived(bench: &Bench) -> Grant {
    let now = bench.clock.now();
    Grant {
        access_ends: Some(now + TimeDelta::days(60)),
        refresh: Some(SecretString::from("access-0")),
        token_url: format!("{}/refresh_access_token", bench.server.url),
        exchanged_by: Some("th_refresh_token".to_owned()),
        ..bench.server.grant(now)
    }
}

#[tokio::test]
async fn a_long_lived_token_is_exchanged_for_the_next_in_good_time() {
    let bench = Bench::new().await;
    bench.store.put(FIELD, long_lived(&bench).written().expose_secret());
    let keeper = bench.keeper();
    bench.clock.pass(44 * 86_400);
    assert_eq!(token(&keeper).await.as_deref(), Ok("access-0"));
    bench.clock.pass(2 * 86_400);
    assert_eq!(token(&keeper).await.as_deref(), Ok("longer-1"));
    let sent = bench.server.posted("/refresh_access_token");
    assert_eq!((sent.len(), sent[0]["grant_type"].as_str()), (1, "th_refresh_token"));
    assert_eq!((sent[0]["access_token"].as_str(), sent[0].get("client_secret")), ("access-0", None));
    let kept = bench.kept();
    assert_eq!((text(&kept.access), kept.refresh.as_ref().map(text)), ("longer-1", Some("longer-1")));
    assert_eq!((kept.begun, kept.access_ends), (None, Some(bench.clock.now() + TimeDelta::days(60))));
    assert_eq!(token(&keeper).await.as_deref(), Ok("longer-1"));
    assert_eq!(bench.server.posted("/refresh_access_token").len(), 1);
}

#[tokio::test]
async fn an_exchange_that_fails_is_tried_again_while_the_token_lasts() {
    let bench = Bench::new().await;
    bench.store.put(FIELD, long_lived(&bench).written().expose_secret());
    let keeper = bench.keeper();
    bench.clock.pass(50 * 86_400);
    let no = |body: &str| Act::Answer(400, body.to_owned());
    for act in [Act::Lose, no("<h1>No"), no(r#"{"error": {"code": 190}}"#), no(r#"{"error": "invalid_grant"}"#)] {
        bench.server.next([act]);
        assert_eq!(token(&keeper).await.as_deref(), Ok("access-0"));
        let tried = bench.server.posted("/refresh_access_token").len();
        // Not with every post that is published meanwhile.
        assert_eq!(token(&keeper).await.as_deref(), Ok("access-0"));
        assert_eq!(bench.server.posted("/refresh_access_token").len(), tried);
        assert!(bench.kept().info("store").doubtful, "a person is told in time");
        bench.clock.pass(3601);
    }
    assert!(token(&keeper).await.is_ok_and(|token| token.starts_with("longer-")));
}

#[tokio::test]
async fn a_long_lived_token_that_ended_needs_a_person() {
    let bench = Bench::new().await;
    bench.store.put(FIELD, long_lived(&bench).written().expose_secret());
    let keeper = bench.keeper();
    let refused = keeper.renewed("token", &SecretString::from("access-0")).await;
    assert!(is_over(&refused.map(|token| text(&token).to_owned())), "what is refused is exchanged for nothing");
    bench.clock.pass(61 * 86_400);
    assert!(is_over(&token(&keeper).await));
    assert_eq!(bench.server.posted("/refresh_access_token").len(), 0);
}

#[tokio::test]
async fn a_session_is_renewed_and_closed() {
    let network = networks::find("matrix").expect("it is known");
    let fake = network.fake().await.expect("it has a stand-in");
    let (account, front) = (fake.account(), fake.front().expect("it speaks HTTP"));
    let (clock, state) = (SetClock::new(), tempfile::tempdir().expect("a folder"));
    let login = Login { user: "acme".to_owned(), password: "correct horse of a stand-in".into() };
    let opened = network.sessions().expect("it opens some").open(&http(), &account, &login, None, clock.now()).await;
    let grant = Grant::of_session(opened.expect("opened"), account.server.as_deref(), clock.now());
    let secrets = Chain::of_sources(vec![Box::new(Store::new("store", true))]);
    let tools =
        Tools { secrets, http: http(), clock: Arc::clone(&clock) as Arc<dyn Clock>, state: state.path().to_owned() };
    let keeper = Keeper::new(tools, &account);
    assert_eq!(keeper.keep(&grant, None).await, Ok("store"));
    let first = token(&keeper).await.expect("its token");
    clock.pass(239);
    assert_eq!(token(&keeper).await.as_ref(), Ok(&first));
    clock.pass(2);
    let second = token(&keeper).await.expect("renewed");
    assert_ne!(first, second);
    // Lost answers cost nothing, however many.
    for _ in 0..3 {
        clock.pass(300);
        let lost = suite::Act::AnswerAfter { status: 502, headers: Vec::new(), body: "<h1>Bad gateway".to_owned() };
        front.rule(suite::Rule::new(lost).on("POST", "/_matrix/client/v3/refresh"));
        assert!(token(&keeper).await.is_err(), "nothing was answered, and the old one has ended");
        token(&keeper).await.expect("renewed");
    }
    // Nor does a process that dies while it waits for them.
    let mut begun = keeper.grant().await.expect("readable").expect("there");
    begun.begun = Some(Begun { at: clock.now(), tries: TRIES });
    keeper.keep(&begun, None).await.expect("kept");
    clock.pass(300);
    token(&keeper).await.expect("renewed");
    // One that is refused before its time is renewed as well.
    let refused = SecretString::from(token(&keeper).await.expect("its token"));
    let renewed = keeper.renewed("token", &refused).await.expect("another");
    assert_ne!(text(&renewed), text(&refused));
    let kept = keeper.grant().await.expect("readable").expect("there");
    assert_eq!(kept.session.as_deref(), Some("DEVICE1"));
    assert_eq!(keeper.give_back(&kept).await, Ok(true));
    assert_eq!(front.count("POST", "/_matrix/client/v3/logout"), 1);
    let over = keeper.renewed("token", &renewed).await.map(drop);
    assert!(
        matches!(&over, Err(Fault::Refused { refusal: Refusal::Credentials, message, .. })
        if message.contains("sign in again: smm login room")),
        "{over:?}"
    );
}
