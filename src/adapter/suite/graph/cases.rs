//! What every network of the family is held to, below what `tests/contract.rs` holds all networks to.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::super::{Bench, Fake, Rule, plans};
use super::{Fields, Kind, Server};
use crate::adapter::{DraftMedia, DraftPart, Fault, Limits, Plan, Progress, Refusal, StepKind, Verdict};
use crate::model::{Frozen, MediaKind, Prepared};

/// A picture that says what it shows.
pub(crate) fn picture(alt: &str) -> DraftMedia {
    plans::file("a.png", MediaKind::Image, "image/png", 9, alt)
}

/// A part of a draft.
pub(crate) fn part(text: &str, media: Vec<DraftMedia>) -> DraftPart {
    DraftPart { text: text.to_owned(), media }
}

/// Just now.
pub(crate) fn soon() -> DateTime<Utc> {
    DateTime::<Utc>::from(std::time::SystemTime::now()) - TimeDelta::seconds(1)
}

/// A stand-in, and the adapter connected to it.
pub(crate) async fn bench(kind: &'static Kind) -> Bench<Server> {
    Bench::new(kind.network, Server::start(kind).await).await
}

impl Bench<Server> {
    fn kind(&self) -> &'static Kind {
        self.fake.world().kind
    }

    /// A path below the version.
    pub(crate) fn path(&self, path: &str) -> String {
        format!("/{}/{}", self.kind().version, path.replace("{user}", &self.fake.world().user.to_string()))
    }

    /// Where containers are made and posts are listed.
    fn list(&self) -> String {
        self.path(self.kind().posts)
    }

    /// What a container was made of.
    pub(crate) fn made(&self, id: &str) -> Fields {
        self.fake.world().held().containers[id].fields.clone()
    }

    /// Containers say this from now on.
    fn say(&self, stage: &'static str) {
        for container in self.fake.world().held().containers.values_mut() {
            container.stage = Some(stage);
        }
    }

    pub(crate) fn plan(&self, parts: Vec<DraftPart>) -> Plan {
        let (network, account) = (self.kind().network, self.fake.account());
        let limits = Limits::new(network.profile(), &account.limits);
        network.plan(&plans::draft(&account, &limits, parts)).expect("a plan")
    }

    /// Runs what is to be prepared for a part, and freezes its request.
    pub(crate) async fn frozen(&self, plan: &Plan, part: u16, progress: &mut Progress) -> Result<Frozen, Fault> {
        for step in plan.steps.iter().filter(|step| step.kind == StepKind::Prepare && step.part == part) {
            let value = self.api.prepare(step, progress).await?;
            progress.prepared.push(Prepared { step: step.index, value, at: soon() });
        }
        self.api.freeze(plan.publish_step(part).expect("a part"), progress, &self.identity, soon())
    }

    /// A post with this text and a picture, frozen.
    pub(crate) async fn post(&self, text: &str) -> Frozen {
        let plan = self.plan(vec![part(text, vec![picture("A dot")])]);
        self.frozen(&plan, 0, &mut Progress::default()).await.expect("prepared")
    }
}

/// All cases, each with a stand-in of its own. `quota` is how many posts the stand-in lets the account publish in a day.
pub(crate) async fn hold(kind: &'static Kind, quota: u64) {
    let bench = || bench(kind);
    a_lost_answer_is_settled_by_the_container(&bench().await).await;
    every_state_of_a_container_has_its_verdict(&bench().await).await;
    a_full_quota_sends_nothing(&bench().await, quota).await;
    media_that_are_of_no_use_say_why(&bench().await).await;
    errors_mean_what_their_numbers_say(&bench().await).await;
    a_post_that_may_not_be_deleted_is_not_gone(&bench().await).await;
}

async fn a_lost_answer_is_settled_by_the_container(bench: &Bench<Server>) {
    let (started, frozen) = (soon(), bench.post("Only once").await);
    assert_eq!(bench.api.reconcile(&frozen, started).await, Ok(Verdict::NotDone));
    bench.lose_answer();
    let fault = bench.api.publish(&frozen).await.expect_err("the answer was lost");
    assert!(matches!(fault, Fault::Unknown(_)), "{fault:?}");
    let verdict = bench.api.reconcile(&frozen, started).await.expect("a verdict");
    let id = bench.fake.posts().await[0].id.clone();
    assert!(matches!(&verdict, Verdict::Done(receipt) if receipt.id == id && receipt.url.is_some()), "{verdict:?}");
    // The list lags behind: it is out all the same, and is looked for again.
    bench.front().rule(Rule::answer(200, r#"{"data": []}"#).on("GET", &bench.list()));
    let fault = bench.api.reconcile(&frozen, started).await.expect_err("not yet");
    assert!(matches!(fault, Fault::Refused { refusal: Refusal::Busy, .. }), "{fault:?}");
    // A post of an hour ago is none of this attempt's, and one that says something else never is.
    let mut old = bench.fake.world().held().posts[0].clone();
    let other = super::Post { id: "7".to_owned(), text: Some("Else".to_owned()), ..old.clone() };
    (old.id, old.at) = ("8".to_owned(), old.at - TimeDelta::hours(1));
    bench.fake.world().held().posts.extend([old, other]);
    let verdict = bench.api.reconcile(&frozen, started).await.expect("a verdict");
    assert!(matches!(&verdict, Verdict::Done(receipt) if receipt.id == id), "{verdict:?}");
    // The same text twice in the same minutes: a person tells which.
    let again = bench.post("Only  once").await;
    bench.api.publish(&again).await.expect("published");
    let verdict = bench.api.reconcile(&frozen, started).await.expect("a verdict");
    assert!(matches!(&verdict, Verdict::CannotTell { why } if why.contains("two match")), "{verdict:?}");
    // A container is published once.
    let posts = bench.fake.posts().await.len();
    let fault = bench.api.publish(&frozen).await.expect_err("it is out");
    assert!(matches!(fault, Fault::Refused { .. }), "{fault:?}");
    assert_eq!(bench.fake.posts().await.len(), posts);
}

async fn every_state_of_a_container_has_its_verdict(bench: &Bench<Server>) {
    let frozen = bench.post("Whatever").await;
    for (stage, verdict) in
        [("EXPIRED", Some(Verdict::NotDone)), ("ERROR", Some(Verdict::NotDone)), ("IN_PROGRESS", None), ("ODD", None)]
    {
        bench.say(stage);
        let found = bench.api.reconcile(&frozen, soon()).await;
        match verdict {
            Some(verdict) => assert_eq!(found, Ok(verdict), "{stage}"),
            None => assert!(matches!(found, Err(Fault::Refused { refusal: Refusal::Busy, .. })), "{stage}: {found:?}"),
        }
    }
}

async fn a_full_quota_sends_nothing(bench: &Bench<Server>, total: u64) {
    bench.fake.world().held().used = total;
    let plan = bench.plan(vec![part("One too many", vec![picture("a")])]);
    let fault = bench.frozen(&plan, 0, &mut Progress::default()).await.expect_err("it is full");
    let later = soon() + TimeDelta::minutes(50);
    assert!(
        matches!(&fault, Fault::Refused { refusal: Refusal::RateLimited, message, retry_at: Some(at) }
            if *at > later && message.contains(&format!("{total} of {total} posts"))),
        "{fault:?}"
    );
    assert!(bench.front().seen().iter().all(|seen| seen.method == "GET"), "nothing was made");
    bench.fake.world().held().used = total - 1;
    assert!(bench.frozen(&plan, 0, &mut Progress::default()).await.is_ok());
}

async fn media_that_are_of_no_use_say_why(bench: &Bench<Server>) {
    let plan = bench.plan(vec![part("A picture", vec![picture("a")])]);
    let stage = bench.kind().stage;
    let why = if stage == "status" { "error_message" } else { "status" };
    let body = json!({"id": "9", stage: "ERROR", why: "FAILED_DOWNLOADING_VIDEO"}).to_string();
    bench.front().rule(Rule::answer(200, r#"{"id": "9"}"#).on("POST", &bench.list()));
    bench.front().rule(Rule::answer(200, body).on("GET", &bench.path("9")));
    let fault = bench.frozen(&plan, 0, &mut Progress::default()).await.expect_err("of no use");
    assert!(
        matches!(&fault, Fault::Refused { refusal: Refusal::Invalid, message, .. } if message.contains("FAILED_DOWNLOADING")),
        "{fault:?}"
    );
    let mut outside = bench.fake.outside();
    outside.host = None;
    let homeless = bench.kind().network.connect(&bench.fake.account(), outside);
    let host = plan.steps.iter().find(|step| step.payload["do"] == "host").expect("a file");
    let fault = homeless.prepare(host, &Progress::default()).await.expect_err("nowhere");
    assert!(fault.to_string().contains("[media_host]"), "{fault}");
}

async fn errors_mean_what_their_numbers_say(bench: &Bench<Server>) {
    let frozen = bench.post("No").await;
    let (_, publish) = bench.fake.publish_call().expect("it has one");
    let body = |code: i64, subcode: i64| {
        json!({"error": {"message": "No", "type": "OAuthException", "code": code, "error_subcode": subcode}})
            .to_string()
    };
    for (status, code, subcode, refusal) in [
        (400, 4, 0, Some(Refusal::RateLimited)),
        (403, 10, 0, Some(Refusal::Forbidden)),
        (400, 4, 2_207_051, Some(Refusal::Forbidden)),
        (400, 100, 33, Some(Refusal::Gone)),
        (400, 36003, 2_207_009, Some(Refusal::Invalid)),
        (400, 9007, 2_207_027, Some(Refusal::Busy)),
        (400, 24, 4_279_009, Some(Refusal::Busy)),
        // The network's own fault, and not its "no", whatever the status: the container is asked.
        (400, -1, 2_207_001, None),
        (400, -2, 2_207_003, None),
        (400, 2, 0, None),
        (500, 4, 0, None),
    ] {
        bench.front().rule(Rule::answer(status, body(code, subcode)).on("POST", publish));
        let fault = bench.api.publish(&frozen).await.expect_err("refused");
        match refusal {
            Some(wanted) => assert!(matches!(fault, Fault::Refused { refusal, .. } if refusal == wanted), "{fault:?}"),
            None => assert!(matches!(fault, Fault::Unknown(_)), "{code}: {fault:?}"),
        }
    }
    assert_eq!(bench.fake.posts().await, []);
}

async fn a_post_that_may_not_be_deleted_is_not_gone(bench: &Bench<Server>) {
    let receipt = bench.api.publish(&bench.post("Stays").await).await.expect("published");
    let body = r#"{"error": {"message": "No", "code": 100, "error_subcode": 33}}"#;
    bench.front().rule(Rule::answer(400, body).on("DELETE", &bench.path(&receipt.id)));
    let fault = bench.api.delete(&receipt).await.expect_err("it is there");
    assert!(matches!(fault, Fault::Refused { refusal: Refusal::Forbidden, .. }), "{fault:?}");
    assert_eq!(bench.api.delete(&receipt).await, Ok(()));
    assert_eq!(bench.api.delete(&receipt).await, Ok(()));
}
