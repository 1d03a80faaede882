use super::super::Instagram;
use super::super::fake::Server;
use super::*;
use crate::adapter::suite::{Act, Fake, Front, HOST, Rule};
use crate::adapter::{Draft, DraftMedia, DraftPart, Network, Plan, StepKind};
use crate::model::{AccountName, CalendarName, DeliveryId, MediaFacts, MediaKind, OccurrenceName, PostId, Prepared};

struct Bench {
    fake: Server,
    account: Account,
    api: Box<dyn Api>,
}

async fn bench() -> Bench {
    let fake = Server::start().await;
    let account = fake.account();
    let api = Instagram.connect(&account, fake.outside());
    Bench { fake, account, api }
}

fn picture(alt: &str) -> DraftMedia {
    let facts = MediaFacts { kind: MediaKind::Image, mime: "image/png".to_owned(), bytes: 9, width: 1, height: 1 };
    DraftMedia { file: "a.png".to_owned(), alt: alt.to_owned(), facts }
}

fn part(text: &str, media: Vec<DraftMedia>) -> DraftPart {
    DraftPart { text: text.to_owned(), media }
}

impl Bench {
    /// The path of the one call.
    fn publish(&self) -> &'static str {
        self.fake.publish_call().expect("it has one").1
    }

    fn front(&self) -> &Front {
        self.fake.front().expect("it has one")
    }

    fn plan(&self, parts: Vec<DraftPart>) -> Plan {
        let limits = Limits::new(&PROFILE, &self.account.limits);
        let id = DeliveryId::derive(
            &CalendarName::new("acme"),
            &OccurrenceName::once(&PostId::new("one")),
            &AccountName::new("ig"),
        );
        Instagram.plan(&Draft::new(id, &self.account, &limits, parts)).expect("a plan")
    }

    /// Runs what is to be prepared for a part, and freezes its request.
    async fn frozen(&self, plan: &Plan, part: u16, progress: &mut Progress) -> Result<Frozen, Fault> {
        for step in plan.steps.iter().filter(|step| step.kind == StepKind::Prepare && step.part == part) {
            let value = self.api.prepare(step, progress).await?;
            progress.prepared.push(Prepared { step: step.index, value, at: soon() });
        }
        let identity = self.api.whoami().await?;
        self.api.freeze(plan.publish_step(part).expect("a part"), progress, &identity, soon())
    }

    async fn text(&self, text: &str) -> Frozen {
        let plan = self.plan(vec![part(text, vec![picture("A dot")])]);
        self.frozen(&plan, 0, &mut Progress::default()).await.expect("prepared")
    }
}

fn soon() -> DateTime<Utc> {
    DateTime::<Utc>::from(std::time::SystemTime::now()) - TimeDelta::seconds(1)
}

fn lost(path: &str) -> Rule {
    let act = Act::AnswerAfter { status: 502, headers: Vec::new(), body: "<html>Bad gateway".to_owned() };
    Rule::new(act).on("POST", path)
}

#[tokio::test]
async fn a_carousel_is_hosted_made_and_published() {
    let bench = bench().await;
    let plan = bench.plan(vec![part("Two", vec![picture("one"), picture("")])]);
    let frozen = bench.frozen(&plan, 0, &mut Progress::default()).await.expect("prepared");
    let made = bench.fake.made(frozen.request["creation_id"].as_str().expect("a container"));
    assert_eq!((made["media_type"].as_str(), made["caption"].as_str()), ("CAROUSEL", "Two"));
    let item = bench.fake.made(made["children"].split(',').next().expect("an item"));
    assert!(item["image_url"].starts_with(HOST), "{item:?}");
    assert_eq!((item["alt_text"].as_str(), item["is_carousel_item"].as_str()), ("one", "true"));
    assert_eq!(item.get("media_type"), None);
    let receipt = bench.api.publish(&frozen).await.expect("published");
    assert_eq!(receipt.url, Some(format!("https://www.instagram.com/p/{}/", receipt.id)));
    assert_eq!(bench.api.metrics(&receipt).await.expect("numbers").likes, Some(2));
}

#[tokio::test]
async fn a_first_comment_is_published_once() {
    let bench = bench().await;
    let plan = bench.plan(vec![part("Post", vec![picture("A dot")]), part("First!", vec![])]);
    assert!(plan.steps.iter().all(|step| !bench.api.follows(step)));
    let mut progress = Progress::default();
    let post = bench.frozen(&plan, 0, &mut progress).await.expect("prepared");
    progress.receipts.push(bench.api.publish(&post).await.expect("published"));
    let (started, comment) = (soon(), bench.frozen(&plan, 1, &mut progress).await.expect("frozen"));
    assert_eq!(bench.api.reconcile(&comment, started).await, Ok(Verdict::NotDone));
    bench.front().rule(lost(&format!("/v25.0/{}/comments", progress.receipts[0].id)));
    let fault = bench.api.publish(&comment).await.expect_err("the answer was lost");
    assert!(matches!(fault, Fault::Unknown(_)), "{fault:?}");
    let Ok(Verdict::Done(receipt)) = bench.api.reconcile(&comment, started).await else { panic!("it is out") };
    let posts = bench.fake.posts().await;
    assert_eq!((posts.len(), &posts[1].id, posts[1].text.as_str()), (2, &receipt.id, "First!"));
    assert_eq!(posts[1].parent.as_ref(), Some(&posts[0].id));
    let replies = bench.api.replies(&progress.receipts[0]).await.expect("comments");
    assert_eq!((replies.len(), replies[0].text.as_str()), (1, "First!"));
    assert_eq!(bench.api.replies(&receipt).await, Ok(vec![]));
    assert_eq!(bench.api.delete(&receipt).await, Ok(()));
}

#[tokio::test]
async fn a_lost_answer_is_settled_by_the_container() {
    let bench = bench().await;
    let (started, frozen) = (soon(), bench.text("Only once").await);
    assert_eq!(bench.api.reconcile(&frozen, started).await, Ok(Verdict::NotDone));
    bench.front().rule(lost(bench.publish()));
    let fault = bench.api.publish(&frozen).await.expect_err("the answer was lost");
    assert!(matches!(fault, Fault::Unknown(_)), "{fault:?}");
    let verdict = bench.api.reconcile(&frozen, started).await.expect("a verdict");
    let id = bench.fake.posts().await[0].id.clone();
    assert!(matches!(&verdict, Verdict::Done(receipt) if receipt.id == id && receipt.url.is_some()), "{verdict:?}");
    // The list lags behind: it is out all the same, and is looked for again.
    let list = bench.publish().replace("media_publish", "media");
    bench.front().rule(Rule::answer(200, r#"{"data": []}"#).on("GET", &list));
    let fault = bench.api.reconcile(&frozen, started).await.expect_err("not yet");
    assert!(matches!(fault, Fault::Refused { refusal: Refusal::Busy, .. }), "{fault:?}");
    // The same text twice in the same minutes: a person tells which.
    let again = bench.text("Only  once").await;
    bench.api.publish(&again).await.expect("published");
    let verdict = bench.api.reconcile(&frozen, started).await.expect("a verdict");
    assert!(matches!(&verdict, Verdict::CannotTell { why } if why.contains("two posts match")), "{verdict:?}");
    // A container is published once.
    let fault = bench.api.publish(&frozen).await.expect_err("it is out");
    assert!(matches!(fault, Fault::Refused { .. }), "{fault:?}");
    assert_eq!(bench.fake.posts().await.len(), 2);
}

#[tokio::test]
async fn every_state_of_a_container_has_its_verdict() {
    let bench = bench().await;
    let frozen = bench.text("Whatever").await;
    for (stage, verdict) in
        [("EXPIRED", Some(Verdict::NotDone)), ("ERROR", Some(Verdict::NotDone)), ("IN_PROGRESS", None), ("ODD", None)]
    {
        bench.fake.say(stage);
        let found = bench.api.reconcile(&frozen, soon()).await;
        match verdict {
            Some(verdict) => assert_eq!(found, Ok(verdict), "{stage}"),
            None => assert!(matches!(found, Err(Fault::Refused { refusal: Refusal::Busy, .. })), "{stage}: {found:?}"),
        }
    }
}

#[tokio::test]
async fn a_full_quota_sends_nothing() {
    let bench = bench().await;
    bench.fake.used(100);
    let plan = bench.plan(vec![part("One too many", vec![picture("a")])]);
    let fault = bench.frozen(&plan, 0, &mut Progress::default()).await.expect_err("it is full");
    let later = soon() + TimeDelta::minutes(50);
    assert!(
        matches!(&fault, Fault::Refused { refusal: Refusal::RateLimited, message, retry_at: Some(at) }
            if *at > later && message.contains("100 of 100 posts")),
        "{fault:?}"
    );
    assert!(bench.front().seen().iter().all(|seen| seen.method == "GET"), "nothing was made");
    bench.fake.used(99);
    assert!(bench.frozen(&plan, 0, &mut Progress::default()).await.is_ok());
}

#[tokio::test]
async fn media_that_are_of_no_use_say_why() {
    let bench = bench().await;
    let plan = bench.plan(vec![part("A picture", vec![picture("a")])]);
    let body = r#"{"id": "9", "status_code": "ERROR", "status": "Error: FAILED_DOWNLOADING_VIDEO"}"#;
    let media = bench.publish().replace("media_publish", "media");
    bench.front().rule(Rule::answer(200, r#"{"id": "9"}"#).on("POST", &media));
    bench.front().rule(Rule::answer(200, body).on("GET", "/v25.0/9"));
    let fault = bench.frozen(&plan, 0, &mut Progress::default()).await.expect_err("of no use");
    assert!(
        matches!(&fault, Fault::Refused { refusal: Refusal::Invalid, message, .. } if message.contains("FAILED_DOWNLOADING")),
        "{fault:?}"
    );
    let mut outside = bench.fake.outside();
    outside.host = None;
    let homeless = Instagram.connect(&bench.account, outside);
    let host = plan.steps.iter().find(|step| matches!(plan::task(step), Ok(Task::Host { .. }))).expect("a file");
    let fault = homeless.prepare(host, &Progress::default()).await.expect_err("nowhere");
    assert!(fault.to_string().contains("[media_host]"), "{fault}");
}

#[tokio::test]
async fn errors_mean_what_their_numbers_say() {
    let bench = bench().await;
    let frozen = bench.text("No").await;
    let body = |code: i64, subcode: i64| {
        json!({"error": {"message": "No", "type": "OAuthException", "code": code, "error_subcode": subcode}})
            .to_string()
    };
    for (status, code, subcode, refusal) in [
        (400, 4, 0, Some(Refusal::RateLimited)),
        (403, 10, 0, Some(Refusal::Forbidden)),
        (400, 100, 33, Some(Refusal::Gone)),
        (400, 9007, 2_207_009, Some(Refusal::Invalid)),
        (400, 9007, 2_207_027, Some(Refusal::Busy)),
        (400, 2, 0, None),
        (500, 4, 0, None),
    ] {
        bench.front().rule(Rule::answer(status, body(code, subcode)).on("POST", bench.publish()));
        let fault = bench.api.publish(&frozen).await.expect_err("refused");
        match refusal {
            Some(wanted) => assert!(matches!(fault, Fault::Refused { refusal, .. } if refusal == wanted), "{fault:?}"),
            None => assert!(matches!(fault, Fault::Unknown(_)), "{code}: {fault:?}"),
        }
    }
    assert_eq!(bench.fake.posts().await, []);
}

#[tokio::test]
async fn a_post_that_may_not_be_deleted_is_not_gone() {
    let bench = bench().await;
    let receipt = bench.api.publish(&bench.text("Stays").await).await.expect("published");
    let path = format!("/v25.0/{}", receipt.id);
    let body = r#"{"error": {"message": "No", "code": 100, "error_subcode": 33}}"#;
    bench.front().rule(Rule::answer(400, body).on("DELETE", &path));
    let fault = bench.api.delete(&receipt).await.expect_err("it is there");
    assert!(matches!(fault, Fault::Refused { refusal: Refusal::Forbidden, .. }), "{fault:?}");
    assert_eq!(bench.api.delete(&receipt).await, Ok(()));
    assert_eq!(bench.api.delete(&receipt).await, Ok(()));
}
