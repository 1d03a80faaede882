//! From a draft to steps, and from steps to the one request of each part. Pure.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::adapter::{Draft, DraftMedia, Fault, Identity, Plan, Progress, Step, refused};
use crate::model::{Frozen, LimitOverrides, MediaKind, Problem, hex};

use super::profile::{GROUP, SEGMENT};
use super::rules;
use super::wire::post_id;

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub(super) enum Task {
    /// Uploads a picture as a whole and waits until it is ready; gives a [`Found`].
    Upload {
        /// The file.
        media: DraftMedia,
        /// What it is fitted to.
        limits: LimitOverrides,
    },
    /// Begins the upload of a video; gives a [`Found`].
    Begin {
        /// The file.
        media: DraftMedia,
    },
    /// Uploads some segments of a video; gives a [`Found`].
    Append {
        /// The file.
        media: DraftMedia,
        /// The step that began the upload.
        begin: usize,
        /// The first segment's number.
        first: u64,
        /// How many there are.
        count: u64,
    },
    /// Ends the upload of a video; gives a [`Found`].
    Finish {
        /// The step that began the upload.
        begin: usize,
    },
    /// Waits until X is done with a video; gives a [`Found`].
    Await {
        /// The step that began the upload.
        begin: usize,
    },
    /// Tells the alt text of a file; gives a [`Found`].
    Describe {
        /// The step that uploaded it.
        upload: usize,
        /// The alt text.
        alt: String,
    },
    /// Posts.
    Publish(Message),
}

/// What a preparing step gave: the id of an upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Found {
    pub(super) id: String,
}

/// A part, but for what only X knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Message {
    /// Names the request in the ledger. X is not told: it has no keys.
    key: String,
    text: String,
    /// Indexes of the steps that upload its files.
    files: Vec<usize>,
    /// The id of the post that the first part answers.
    reply: Option<String>,
    poll: Option<Choices>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Choices {
    options: Vec<String>,
    minutes: u64,
}

/// The steps of a draft: for each part its uploads and alt texts, then its post.
pub(super) fn plan(draft: &Draft<'_>) -> Result<Plan, Vec<Problem>> {
    let mut problems = Vec::new();
    rules::check(draft, &mut problems);
    refused(problems)?;
    let mut plan = Plan::default();
    for (index, part) in draft.parts.iter().enumerate() {
        let number = u16::try_from(index).unwrap_or(u16::MAX);
        let first = index == 0;
        let mut files = Vec::new();
        for media in &part.media {
            let upload = match media.facts.kind {
                MediaKind::Video => video(&mut plan, number, media),
                MediaKind::Image | MediaKind::Animation | MediaKind::Document => {
                    plan.prepare(number, &Task::Upload { media: media.unsaid(), limits: draft.limits.of_pictures() })
                }
            };
            if rules::is_described(media) {
                plan.prepare(number, &Task::Describe { upload, alt: media.alt.clone() });
            }
            files.push(upload);
        }
        let poll = draft.poll.as_ref().filter(|_| first);
        let message = Message {
            key: hex(&draft.delivery.derive_bytes("x part", number, draft.generation)[..16]),
            text: part.text.clone(),
            files,
            reply: draft.reply_to.as_deref().filter(|_| first).and_then(post_id).map(|id| id.as_str().to_owned()),
            poll: poll.map(|poll| Choices { options: poll.options.clone(), minutes: poll.seconds.div_ceil(60) }),
        };
        plan.publish(number, &Task::Publish(message));
    }
    Ok(plan)
}

/// A video goes in groups of segments, each a step that is kept: what was cut goes on with the next group.
fn video(plan: &mut Plan, part: u16, media: &DraftMedia) -> usize {
    let begin = plan.prepare(part, &Task::Begin { media: media.unsaid() });
    let segments = media.facts.bytes.div_ceil(SEGMENT).max(1);
    let mut first = 0;
    while first < segments {
        let count = GROUP.min(segments - first);
        plan.prepare(part, &Task::Append { media: media.unsaid(), begin, first, count });
        first += count;
    }
    plan.prepare(part, &Task::Finish { begin });
    plan.prepare(part, &Task::Await { begin });
    begin
}

/// Puts the request of a part together: `user` for looking it up, `body` for sending it.
pub(super) fn freeze(step: &Step, progress: &Progress, identity: &Identity) -> Result<Frozen, Fault> {
    let Task::Publish(message) = step.task()? else {
        return Err(Fault::NotSent(format!("step {} publishes nothing", step.index)));
    };
    let body = message.body(step.part, progress)?;
    Ok(Frozen { part: step.part, key: message.key, request: json!({"user": identity.uid, "body": body}) })
}

impl Message {
    fn body(&self, part: u16, progress: &Progress) -> Result<Value, Fault> {
        let mut body = Map::new();
        let mut put = |key: &str, value: Value| body.insert(key.to_owned(), value);
        if !self.text.is_empty() {
            put("text", json!(self.text));
        }
        if !self.files.is_empty() {
            let id = |step: &usize| progress.given::<Found>(*step).map(|found| found.id);
            let ids = self.files.iter().map(id).collect::<Result<Vec<_>, _>>()?;
            put("media", json!({"media_ids": ids}));
        }
        let answered = progress.before(part)?.map_or(self.reply.as_ref(), |before| Some(&before.id));
        if let Some(id) = answered {
            put("reply", json!({"in_reply_to_tweet_id": id}));
        }
        if let Some(poll) = &self.poll {
            put("poll", json!({"options": poll.options, "duration_minutes": poll.minutes}));
        }
        Ok(Value::Object(body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::suite::plans::{self, Gave, draft, file, rehearse, text};
    use crate::adapter::{DraftPart, Limits, Network as _, Price, StepKind};
    use crate::model::{Account, Poll, codes};
    use crate::networks::x::X;
    use crate::networks::x::profile::PROFILE;

    fn picture(name: &str, alt: &str) -> DraftMedia {
        file(name, MediaKind::Image, "image/png", 9, alt)
    }

    /// What every step of a plan comes to when ids are given one after the other.
    fn requests(plan: &Plan) -> Vec<Frozen> {
        let identity = plans::identity("2244994945", "https://api.x.com");
        let mut frozen = Vec::new();
        rehearse(plan, |step, progress| {
            let id = format!("{}", 100 + step.index);
            match step.kind {
                StepKind::Prepare => Gave::Value(json!({"id": id})),
                StepKind::Publish => {
                    frozen.push(freeze(step, progress, &identity).expect("all is prepared"));
                    Gave::Receipt(id, Value::Null)
                }
            }
        });
        frozen
    }

    fn account() -> (Account, Limits) {
        (plans::account("acme-x", "x"), Limits::new(&PROFILE, &LimitOverrides::default()))
    }

    #[test]
    fn a_nasty_thread() {
        let (account, limits) = account();
        let mut first = text("👩‍👩‍👧 \"مرحبا\" @bob $ACME\n\n<b>https://acme.example/ä?x=1&y=2#z</b> #tag acme.example");
        first.media = vec![picture("img/a.png", "a \"quoted\" alt"), picture("img/b.png", "")];
        let mut third = text("");
        third.media = vec![file("v/c.mp4", MediaKind::Video, "video/mp4", 9 * SEGMENT + 1, "A film")];
        let mut draft = draft(&account, &limits, vec![first, text("2/3 \u{0} e\u{301}nd"), third]);
        draft.reply_to = Some("https://x.com/eve/status/42?s=20".to_owned());
        draft.poll = Some(Poll {
            options: vec!["Yes & no".to_owned(), "مرحبا".to_owned()],
            seconds: 3601,
            multiple: false,
            hide_totals: true,
        });
        let plan = plan(&draft).expect("a plan");
        assert_eq!(plan, super::plan(&draft).expect("the same plan"));
        insta::assert_json_snapshot!(json!({"plan": plan, "requests": requests(&plan)}));
    }

    #[test]
    fn a_plain_post_says_no_more_than_it_must() {
        let (account, limits) = account();
        let plan = plan(&draft(&account, &limits, vec![text("Hello")])).expect("a plan");
        let requests = requests(&plan);
        assert_eq!(requests[0].request, json!({"user": "2244994945", "body": {"text": "Hello"}}));
        assert_eq!(requests[0].key.len(), 32);
    }

    #[test]
    fn what_apps_may_not_do_is_refused() {
        let (account, limits) = account();
        let refused = |draft: &Draft<'_>| plan(draft).expect_err("refused")[0].code;
        assert_eq!(refused(&draft(&account, &limits, vec![text("$ACME or $BRK.A")])), codes::POST_REFUSED);
        let mut mixed = text("a");
        mixed.media = vec![picture("a.png", "a"), file("a.gif", MediaKind::Animation, "image/gif", 9, "")];
        assert_eq!(refused(&draft(&account, &limits, vec![mixed])), codes::MEDIA_MIXED);
        let mut answer = draft(&account, &limits, vec![text("a")]);
        answer.reply_to = Some("https://acme.example/1".to_owned());
        assert_eq!(refused(&answer), codes::POST_REFERENCE);
    }

    #[test]
    fn posts_have_a_price() {
        let (account, limits) = account();
        let price = |parts: Vec<DraftPart>| X.price(&draft(&account, &limits, parts));
        assert_eq!(price(vec![text("Hello")]), Some(Price::mills(15)));
        assert_eq!(price(vec![text("See acme.example, and https://acme.example")]), Some(Price::mills(200)));
        let mut pictures = text("Two");
        pictures.media =
            vec![picture("a.png", "a"), picture("b.png", ""), file("c.mp4", MediaKind::Video, "video/mp4", 9, "c")];
        assert_eq!(price(vec![text("One"), pictures, text("https://acme.example")]), Some(Price::mills(15 + 20 + 200)));
    }
}
