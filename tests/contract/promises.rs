//! What a network does when nothing is in the way.

use smm::adapter::suite::Front;
use smm::adapter::{Draft, Fault, Network, Plan, Refusal, StepKind, Verdict};
use smm::model::{MediaKind, codes};
use smm::text::Unit;

use crate::stage::{Stage, created, picture, prepared};

/// Same draft, same bytes; parts numbered without a gap.
pub(crate) async fn plan_is_the_same_every_time(network: &'static dyn Network) {
    let stage = Stage::new(network).await;
    let texts: &[&str] = if network.profile().threads { &["One", "Two", "Three"] } else { &["One"] };
    let mut draft = stage.draft("plan", texts);
    if network.profile().media.max_images > 0 {
        draft.parts[0].media = vec![picture("a.png", "A dot"), picture("b.png", "Another dot")];
    }
    let plan = stage.plan(&draft);
    let bytes = |plan: &Plan| serde_json::to_string(plan).expect("JSON");
    assert_eq!(bytes(&plan), bytes(&stage.plan(&draft)));
    // Where each file is a message of its own, a picture is a part.
    let own = usize::from(stage.plan(&stage.draft("plan", texts)).parts());
    assert_eq!(own, texts.len());
    assert!([own, own + draft.parts[0].media.len()].contains(&usize::from(plan.parts())), "{}", plan.parts());
    for (index, step) in plan.steps.iter().enumerate() {
        assert_eq!(step.index, index, "a step knows its index");
    }
    for part in 0..plan.parts() {
        let count = plan.steps.iter().filter(|step| step.kind == StepKind::Publish && step.part == part).count();
        assert_eq!(count, 1, "one irreversible step for part {part}");
    }
    let read: Plan = serde_json::from_str(&bytes(&plan)).expect("a plan can be stored");
    assert_eq!(read, plan);
    let other = stage.plan(&stage.draft("another", texts));
    assert_ne!(bytes(&plan), bytes(&other), "another delivery has another plan");
}

/// What is stored holds no secret, whether it was given or earned by signing in.
pub(crate) async fn nothing_stored_holds_a_secret(network: &'static dyn Network) {
    let stage = Stage::new(network).await;
    let api = stage.api();
    let mut draft = stage.draft("secret", &["Nothing to hide"]);
    if network.profile().media.max_images > 0 {
        draft.parts[0].media = vec![picture("a.png", "A dot")];
    }
    let plan = stage.plan(&draft);
    let progress = prepared(&*api, &plan).await.expect("prepared");
    let identity = api.whoami().await.expect("an identity");
    let step = plan.publish_step(0).expect("a part");
    let frozen = api.freeze(step, &progress, &identity, created()).expect("a request");
    assert_eq!(frozen, api.freeze(step, &progress, &identity, created()).expect("a request"), "freezing is pure");
    let receipt = api.publish(&frozen).await.expect("published");
    let stored = format!(
        "{} {:?} {} {} {}",
        serde_json::to_string(&plan).expect("JSON"),
        progress,
        serde_json::to_string(&frozen).expect("JSON"),
        serde_json::to_string(&receipt).expect("JSON"),
        serde_json::to_string(&identity).expect("JSON"),
    );
    for secret in secrets(&stage) {
        assert!(!stored.contains(&secret), "a secret is in what is stored");
    }
}

/// Every secret that went over the wire or was given.
pub(crate) fn secrets(stage: &Stage) -> Vec<String> {
    let mut secrets: Vec<String> = stage.fake.secrets().into_values().collect();
    for seen in stage.fake.front().map(Front::seen).unwrap_or_default() {
        if let Some(token) = seen.header("authorization").and_then(|value| value.split(' ').nth(1)) {
            secrets.push(token.to_owned());
        }
    }
    secrets.retain(|secret| !secret.is_empty());
    secrets
}

/// A document goes out with its title, where the network takes any; elsewhere checking refuses it.
pub(crate) async fn a_document_goes_out_or_is_refused(network: &'static dyn Network) {
    let stage = Stage::new(network).await;
    let mut draft = stage.draft("deck", &["Our deck"]);
    let mut deck = picture("deck.pdf", "");
    deck.facts.kind = MediaKind::Document;
    "application/pdf".clone_into(&mut deck.facts.mime);
    draft.parts[0].media = vec![deck];
    draft.titles.insert("deck.pdf".to_owned(), "Acme in 12 slides".to_owned());
    if network.profile().media.document.is_none() {
        let errors = stage.errors(&draft);
        assert!(errors.iter().any(|problem| problem.code == codes::MEDIA_UNSUPPORTED), "{errors:?}");
        return;
    }
    assert_eq!(stage.errors(&draft), []);
    stage.publish(&*stage.api(), &draft).await.expect("published");
    let posts = stage.fake.posts().await;
    assert_eq!((posts.len(), posts[0].text.as_str()), (1, "Our deck"));
    assert_eq!(posts[0].alts, ["Acme in 12 slides"]);
}

/// Published, found again, counted, taken back, taken back again.
pub(crate) async fn a_post_goes_out_and_is_taken_back(network: &'static dyn Network) {
    let stage = Stage::new(network).await;
    let api = stage.api();
    let mut draft = stage.draft("whole", &["Acme 2.0 is out 🎉 — مرحبا"]);
    let pictures = stage.limits.max_images.min(2) as usize;
    draft.parts[0].media =
        [picture("a.png", "The new dashboard"), picture("b.png", "The old one")][..pictures].to_vec();
    assert_eq!(stage.errors(&draft), [], "an ordinary draft is accepted");
    let receipts = stage.publish(&*api, &draft).await.expect("published");

    // Where each file is a message of its own, there are more than one.
    let posts = stage.fake.posts().await;
    assert_eq!(posts.len(), usize::from(stage.plan(&draft).parts()));
    let ids = |ids: Vec<&String>| ids.into_iter().cloned().collect::<Vec<_>>();
    assert_eq!(ids(posts.iter().map(|post| &post.id).collect()), ids(receipts.iter().map(|sent| &sent.id).collect()));
    assert_eq!(posts[0].text, "Acme 2.0 is out 🎉 — مرحبا");
    assert_eq!(posts[0].parent, None);
    if network.profile().media.alt.supported {
        let alts: Vec<&String> = posts.iter().flat_map(|post| &post.alts).collect();
        assert_eq!(alts, ["The new dashboard", "The old one"][..pictures].iter().collect::<Vec<_>>());
    }
    assert_eq!(receipts[0].part, 0);

    match api.metrics(&receipts[0]).await {
        Ok(_) | Err(Fault::Refused { refusal: Refusal::Busy | Refusal::Invalid, .. }) => {}
        Err(fault) => panic!("numbers: {fault:?}"),
    }
    if !stage.fake.takes_back() {
        let refused = api.delete(&receipts[0]).await;
        assert!(matches!(refused, Err(Fault::Refused { refusal: Refusal::Forbidden, .. })), "{refused:?}");
        assert_eq!(stage.fake.posts().await.len(), 1, "and nothing was done");
        return;
    }
    for receipt in &receipts {
        api.delete(receipt).await.expect("taken back");
    }
    assert_eq!(stage.fake.posts().await, []);
    api.delete(&receipts[0]).await.expect("gone already is success");
}

/// Each part answers the one before it.
pub(crate) async fn a_thread_keeps_its_order(network: &'static dyn Network) {
    let stage = Stage::new(network).await;
    let api = stage.api();
    let draft = stage.draft("thread", &["One", "Two", "Three"]);
    assert_eq!(stage.errors(&draft), []);
    let receipts = stage.publish(&*api, &draft).await.expect("published");
    let posts = stage.fake.posts().await;
    let texts: Vec<&str> = posts.iter().map(|post| post.text.as_str()).collect();
    assert_eq!(texts, ["One", "Two", "Three"]);
    assert_eq!(receipts.iter().map(|receipt| receipt.part).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(posts[0].parent, None);
    for pair in posts.windows(2) {
        assert_eq!(pair[1].parent.as_ref(), Some(&pair[0].id));
    }
    if network.profile().replies && stage.fake.front().is_some() {
        match api.replies(&receipts[0]).await {
            Ok(replies) => assert!(replies.iter().any(|reply| reply.text.contains("Two")), "{replies:?}"),
            // The network shows answers to nobody who asks with these credentials.
            Err(Fault::Refused { refusal: Refusal::Forbidden, .. }) => {}
            Err(fault) => panic!("answers: {fault:?}"),
        }
    }
}

/// A look-up sees what is there, and writes nothing.
pub(crate) async fn looking_changes_nothing(network: &'static dyn Network) {
    let stage = Stage::new(network).await;
    let api = stage.api();
    let frozen = stage.frozen(&*api, &stage.draft("look", &["Look for me"])).await;
    let started = chrono::Utc::now();
    let before = api.reconcile(&frozen, started).await.expect("a look");
    assert!(!matches!(before, Verdict::Done(_)), "nothing is out yet: {before:?}");
    assert_eq!(stage.fake.posts().await, []);
    let receipt = api.publish(&frozen).await.expect("published");
    match api.reconcile(&frozen, started).await.expect("a look") {
        Verdict::Done(found) => assert_eq!((found.part, &found.id), (receipt.part, &receipt.id)),
        Verdict::CannotTell { .. } => {}
        Verdict::NotDone => panic!("a post that is out was not found"),
    }
    assert_eq!(stage.fake.posts().await.len(), 1);
    if let Some(front) = stage.fake.front() {
        let (method, path) = stage.publish_call();
        assert_eq!(front.count(method, path), 1, "one request for one post");
    }
}

/// The limit is accepted by the check and by the network; one more by neither.
pub(crate) async fn text_limits_are_those_of_the_network(network: &'static dyn Network) {
    let stage = Stage::new(network).await;
    let api = stage.api();
    for limit in stage.limits.text.clone() {
        // What nobody would write cannot be tried.
        let Some(max) = usize::try_from(limit.max).ok().filter(|max| *max <= 200_000) else { continue };
        for (length, fits) in [(max, true), (max + 1, false)] {
            let text = text_of(limit.unit, length);
            let draft = stage.draft(&format!("limit-{:?}-{length}", limit.unit), &[&text]);
            let errors = stage.errors(&draft);
            assert_eq!(errors.is_empty(), fits, "{length} {:?}: {errors:?}", limit.unit);
            match stage.publish(&*api, &draft).await {
                Ok(_) => assert!(fits, "the network takes {length} {:?}", limit.unit),
                Err(Fault::Refused { refusal: Refusal::Invalid, message, .. }) => {
                    assert!(!fits, "the network refuses {length} {:?}: {message}", limit.unit);
                }
                Err(fault) => panic!("{length} {:?}: {fault:?}", limit.unit),
            }
        }
    }
}

/// A text that is so long in one unit and as short as possible in the others.
fn text_of(unit: Unit, length: usize) -> String {
    // A family: one grapheme of 25 bytes.
    const FAMILY: &str = "👨‍👩‍👧‍👦";
    match unit {
        Unit::Bytes | Unit::EmojiBytes => {
            format!("{}{}", FAMILY.repeat(length / FAMILY.len()), "x".repeat(length % FAMILY.len()))
        }
        Unit::Graphemes | Unit::CodePoints | Unit::Utf16 | Unit::WeightedV3 | Unit::LittleText => "x".repeat(length),
    }
}

/// As many pictures as are allowed, and one more.
pub(crate) async fn picture_limits_are_those_of_the_network(network: &'static dyn Network) {
    let stage = Stage::new(network).await;
    let api = stage.api();
    let max = stage.limits.max_images as usize;
    for (count, fits) in [(max, true), (max + 1, false)] {
        let mut draft = stage.draft(&format!("pictures-{count}"), &["Pictures"]);
        draft.parts[0].media =
            (0..count).map(|index| picture(&format!("{index}.png"), &format!("Dot {index}"))).collect();
        assert_eq!(stage.errors(&draft).is_empty(), fits, "{count} pictures");
        // A network may also refuse to plan what check refuses.
        if !fits && network.plan(&draft).is_err() {
            continue;
        }
        match stage.publish(&*api, &draft).await {
            Ok(_) => assert!(fits, "the network takes {count} pictures"),
            Err(Fault::Refused { refusal: Refusal::Invalid, message, .. }) => assert!(!fits, "{count}: {message}"),
            Err(fault) => panic!("{count} pictures: {fault:?}"),
        }
    }
}

/// What checking lets through has a plan: `smm check` makes none.
pub(crate) async fn a_plan_is_refused_only_where_check_says_why(network: &'static dyn Network) {
    let stage = Stage::new(network).await;
    let odd = [
        "",
        " ",
        "1",
        "a b",
        "en",
        "EN",
        "english-",
        "pt-BR",
        "#tag",
        "ä\u{0}",
        "https://",
        "https://acme.example/1",
        "https://bsky.app/profile/acme.example/post/3jzfcijpj2z2a",
        "https://fedi.example/@acme/1",
        "at://did:plc:abc/app.bsky.feed.post/3jzfcijpj2z2a",
        "at://x",
    ];
    let change: [fn(&mut Draft<'_>, String); 10] = [
        |draft, word| draft.parts[0].text = word,
        |draft, word| draft.title = Some(word),
        |draft, word| draft.body = Some(word),
        |draft, word| draft.link = Some(word),
        |draft, word| draft.tags = vec![word],
        |draft, word| draft.languages = vec![word],
        |draft, word| draft.content_warning = Some(word),
        |draft, word| draft.labels = vec![word],
        |draft, word| draft.reply_to = Some(word),
        |draft, word| draft.quote = Some(word),
    ];
    for texts in [&["One"][..], &["One", "Two"]] {
        for (field, change) in change.iter().enumerate() {
            for word in odd.iter().map(|word| (*word).to_owned()).chain(["x".repeat(5000)]) {
                let mut draft = stage.draft("odd", texts);
                change(&mut draft, word.clone());
                if stage.errors(&draft).is_empty() {
                    let refused = network.plan(&draft).err();
                    assert_eq!(refused, None, "field {field}: {word:?}");
                }
            }
        }
    }
}

/// Who it is does not change, and is told with the host.
pub(crate) async fn the_identity_stands_fast(network: &'static dyn Network) {
    let stage = Stage::new(network).await;
    let first = stage.api().whoami().await.expect("an identity");
    assert_eq!(first, stage.api().whoami().await.expect("an identity"));
    assert!(!first.uid.is_empty() && !first.handle.is_empty());
    assert_ne!(first.uid, first.handle, "a handle may change");
    if let Some(front) = stage.fake.front() {
        assert_eq!(first.host, front.url());
    }
}

/// The ledger keeps one receipt for an occurrence and a `uid`: were it not unique in the whole network, a post for the
/// second account would be taken for one that is out, and be lost.
pub(crate) async fn two_servers_are_two_people(network: &'static dyn Network) {
    let (one, other) = (Stage::new(network).await, Stage::new(network).await);
    let uid = async |stage: &Stage| stage.api().whoami().await.expect("an identity").uid;
    assert_ne!(uid(&one).await, uid(&other).await, "two accounts on two servers");
}
