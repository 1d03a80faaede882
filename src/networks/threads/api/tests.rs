use super::super::fake::KIND;
use super::*;
use crate::adapter::suite::graph::Server;
use crate::adapter::suite::graph::cases::{self, part, picture, soon};
use crate::adapter::suite::{Bench, Fake, HOST, plans, sent};
use crate::adapter::{DraftPart, Limits};
use crate::model::{MediaKind, Poll};

async fn bench() -> Bench<Server> {
    cases::bench(&KIND).await
}

#[tokio::test]
async fn what_all_of_the_family_are_held_to() {
    cases::hold(&KIND, 250).await;
}

#[tokio::test]
async fn a_carousel_is_hosted_made_and_published() {
    let bench = bench().await;
    let plan = bench.plan(vec![part("Two", vec![picture("one"), picture("")])]);
    let mut progress = Progress::default();
    let frozen = bench.frozen(&plan, 0, &mut progress).await.expect("prepared");
    let made = bench.made(frozen.request["creation_id"].as_str().expect("a container"));
    assert_eq!((made["media_type"].as_str(), made["text"].as_str()), ("CAROUSEL", "Two"));
    let item = bench.made(made["children"].split(',').next().expect("an item"));
    assert!(item["image_url"].starts_with(HOST), "{item:?}");
    assert_eq!((item["alt_text"].as_str(), item["is_carousel_item"].as_str()), ("one", "true"));
    let receipt = bench.api.publish(&frozen).await.expect("published");
    assert_eq!(receipt.url, Some(format!("https://www.threads.com/@acme/post/{}", receipt.id)));
    assert_eq!(bench.api.metrics(&receipt).await.expect("numbers").views, Some(3));
}

#[tokio::test]
async fn a_reply_is_made_when_its_parent_is_out() {
    let bench = bench().await;
    let plan = bench.plan(vec![part("One", vec![]), part("Two", vec![picture("two")])]);
    let waits: Vec<bool> = plan.steps.iter().map(|step| bench.api.follows(step)).collect();
    // Quota, container, call; file, container, call: the file does not wait for anybody.
    assert_eq!(waits, [false, false, false, false, true, false]);
    let mut progress = Progress::default();
    let fault = bench.frozen(&plan, 1, &mut progress).await.expect_err("nothing to answer");
    assert!(matches!(&fault, Fault::NotSent(why) if why.contains("no receipt")), "{fault:?}");
    let first = bench.frozen(&plan, 0, &mut progress).await.expect("prepared");
    progress.receipts.push(bench.api.publish(&first).await.expect("published"));
    let (started, second) = (soon(), bench.frozen(&plan, 1, &mut progress).await.expect("prepared"));
    bench.lose_answer();
    let fault = bench.api.publish(&second).await.expect_err("the answer was lost");
    assert!(matches!(fault, Fault::Unknown(_)), "{fault:?}");
    let posts = bench.fake.posts().await;
    assert_eq!(posts[1].parent.as_ref(), Some(&posts[0].id));
    // An answer is not among the account's posts: it is looked for among its answers.
    let verdict = bench.api.reconcile(&second, started).await.expect("a verdict");
    assert!(matches!(&verdict, Verdict::Done(receipt) if receipt.id == posts[1].id), "{verdict:?}");
}

#[tokio::test]
async fn what_is_sent_stands_in_the_readme() {
    let bench = bench().await;
    let mut all = Vec::new();
    let mut publish = async |parts: Vec<DraftPart>, poll: Option<Poll>, answers: Option<String>| {
        let account = bench.fake.account();
        let limits = Limits::new(&PROFILE, &account.limits);
        let mut draft = plans::draft(&account, &limits, parts);
        (draft.poll, draft.quote, draft.reply_to) = (poll, answers.clone(), answers);
        draft.tags = vec!["News".to_owned()];
        let plan = KIND.network.plan(&draft).expect("a plan");
        let mut progress = Progress::default();
        for number in 0..plan.parts() {
            let frozen = bench.frozen(&plan, number, &mut progress).await.expect("prepared");
            progress.receipts.push(bench.api.publish(&frozen).await.expect("published"));
            bench.api.reconcile(&frozen, soon()).await.expect("a verdict");
        }
        all.append(&mut progress.receipts);
        all[0].id.clone()
    };
    let video = || plans::file("b.mp4", MediaKind::Video, "video/mp4", 9, "a film");
    let options = vec!["Yes".to_owned(), "No".to_owned()];
    let poll = Poll { options, seconds: 86_400, multiple: false, hide_totals: false };
    let first = publish(vec![plans::text("Which?")], Some(poll), None).await;
    publish(vec![part("Alone", vec![video()])], None, Some(first.clone())).await;
    publish(vec![part("Alone as well", vec![picture("A dot")]), plans::text("And on")], None, None).await;
    publish(vec![part("Both", vec![picture("A dot"), video()]), plans::text("So there")], None, Some(first)).await;
    bench.api.metrics(&all[0]).await.expect("numbers");
    bench.api.replies(&all[0]).await.expect("answers");
    bench.api.delete(&all[0]).await.expect("deleted");
    bench.api.delete(&all[0]).await.expect("gone already");
    sent::is_as_told(include_str!("../README.md"), &bench.front().seen(), ("/v1.0/", "access_token"));
}
