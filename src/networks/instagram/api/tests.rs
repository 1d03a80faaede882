use super::super::fake::KIND;
use super::*;
use crate::adapter::suite::graph::Server;
use crate::adapter::suite::graph::cases::{self, part, picture, soon};
use crate::adapter::suite::{Act, Bench, Fake, HOST, Rule, plans, sent};
use crate::model::MediaKind;

async fn bench() -> Bench<Server> {
    cases::bench(&KIND).await
}

#[tokio::test]
async fn what_all_of_the_family_are_held_to() {
    cases::hold(&KIND, 100).await;
}

#[tokio::test]
async fn a_carousel_is_hosted_made_and_published() {
    let bench = bench().await;
    let plan = bench.plan(vec![part("Two", vec![picture("one"), picture("")])]);
    let frozen = bench.frozen(&plan, 0, &mut Progress::default()).await.expect("prepared");
    let made = bench.made(frozen.request["creation_id"].as_str().expect("a container"));
    assert_eq!((made["media_type"].as_str(), made["caption"].as_str()), ("CAROUSEL", "Two"));
    let item = bench.made(made["children"].split(',').next().expect("an item"));
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
    // Somebody else was quicker, and says the same.
    let mut stranger = bench.fake.world().held().posts[0].clone();
    (stranger.id, stranger.username, stranger.text) = ("7".to_owned(), "bob".to_owned(), Some("First!".to_owned()));
    stranger.parent = Some(progress.receipts[0].id.clone());
    // And the account itself said it long before.
    let mut old = stranger.clone();
    (old.id, old.username, old.at) = ("8".to_owned(), "acme".to_owned(), stranger.at - chrono::TimeDelta::hours(1));
    bench.fake.world().held().posts.extend([stranger, old]);
    assert_eq!(bench.api.reconcile(&comment, started).await, Ok(Verdict::NotDone), "neither is this attempt's");
    let lost = Act::AnswerAfter { status: 502, headers: Vec::new(), body: "<html>Bad gateway".to_owned() };
    let path = bench.path(&format!("{}/comments", progress.receipts[0].id));
    bench.rule(Rule::new(lost).on("POST", &path));
    let fault = bench.api.publish(&comment).await.expect_err("the answer was lost");
    assert!(matches!(fault, Fault::Unknown(_)), "{fault:?}");
    let Ok(Verdict::Done(receipt)) = bench.api.reconcile(&comment, started).await else { panic!("it is out") };
    let posts = bench.fake.posts().await;
    assert_eq!((posts.len(), &posts[3].id, posts[3].text.as_str()), (4, &receipt.id, "First!"));
    assert_eq!(posts[3].parent.as_ref(), Some(&posts[0].id));
    let replies = bench.api.replies(&progress.receipts[0]).await.expect("comments");
    assert_eq!((replies.len(), replies[0].id.as_str()), (3, "8"), "the oldest first");
    assert_eq!(bench.api.replies(&receipt).await, Ok(vec![]));
    assert_eq!(bench.api.delete(&receipt).await, Ok(()));
}

#[tokio::test]
async fn what_is_sent_stands_in_the_readme() {
    let bench = bench().await;
    let video = || plans::file("b.mp4", MediaKind::Video, "video/mp4", 9, "");
    let mut all = Vec::new();
    for media in [vec![picture("A dot")], vec![video()], vec![picture("A dot"), video()]] {
        let plan = bench.plan(vec![part("Look", media), part("First!", vec![])]);
        let mut progress = Progress::default();
        for number in 0..2 {
            let frozen = bench.frozen(&plan, number, &mut progress).await.expect("prepared");
            progress.receipts.push(bench.api.publish(&frozen).await.expect("published"));
            bench.api.reconcile(&frozen, soon()).await.expect("a verdict");
        }
        all.append(&mut progress.receipts);
    }
    for receipt in &all[..2] {
        bench.api.metrics(receipt).await.expect("numbers");
        bench.api.replies(receipt).await.expect("comments");
    }
    for receipt in all[..2].iter().rev() {
        bench.api.delete(receipt).await.expect("deleted");
        bench.api.delete(receipt).await.expect("gone already");
    }
    sent::is_as_told(include_str!("../README.md"), &bench.front().seen(), ("/v25.0/", "access_token"));
}
