//! From a draft to steps, and from steps to the one request of each part. Pure.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::adapter::{Draft, DraftMedia, Fault, Identity, Plan, Progress, Step, is_language, refused};
use crate::model::{DeliveryId, Frozen, LimitOverrides, MediaKind, Place, Poll, Problem, Visibility, codes, hex};

use super::wire::Id;

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub(super) enum Task {
    /// Uploads a file and waits until the server has it ready; gives a [`Found`].
    Upload {
        /// The file.
        media: DraftMedia,
        /// What it is fitted to.
        limits: LimitOverrides,
    },
    /// Uploads a video; gives a [`Found`].
    Send {
        /// The file.
        media: DraftMedia,
        /// What it has to be within.
        limits: LimitOverrides,
    },
    /// Waits until the server has a video ready; gives a [`Found`]. Whatever is cut here costs no second upload.
    Ready {
        /// The step that uploaded it.
        upload: usize,
    },
    /// Looks up the post that is answered or quoted; gives a [`Found`].
    Find {
        /// Its address or id.
        post: String,
        /// It is quoted: the server must be able to.
        quote: bool,
    },
    /// Posts a status.
    Publish(Message),
}

/// What a preparing step gave: an id on this server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Found {
    pub(super) id: String,
}

/// A part, but for what only the server knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Message {
    key: String,
    text: String,
    warning: Option<String>,
    sensitive: bool,
    visibility: Option<Visibility>,
    language: Option<String>,
    poll: Option<Poll>,
    /// Indexes of the steps that upload its files, and so on.
    files: Vec<usize>,
    reply: Option<usize>,
    quote: Option<usize>,
}

/// What data cannot say.
pub(super) fn check(draft: &Draft<'_>, problems: &mut Vec<Problem>) {
    for (key, value) in [("reply_to", &draft.reply_to), ("quote", &draft.quote)] {
        if let Some(value) = value
            && !is_reference(value)
        {
            problems.push(
                Problem::error(
                    codes::POST_REFERENCE,
                    Place::Key { key },
                    format!("`{value}` is neither a post's address nor its id"),
                )
                .help("write its address, `https://mastodon.example/@name/123`, or its id on the account's own server"),
            );
        }
    }
    for language in &draft.languages {
        if !is_language(language) {
            problems.push(
                Problem::error(codes::LANGUAGE, Place::Key { key: "lang" }, format!("`{language}` is not a language"))
                    .help("write a code of ISO 639 such as `en`, `de` or `pt-BR`"),
            );
        }
    }
    if draft.quote.is_some() {
        problems.push(
            Problem::note(codes::POST_REFERENCE, Place::Key { key: "quote" }, "quotes need Mastodon 4.5 or later")
                .help("the server is asked before anything is sent; an older one, or one of its kin, refuses the post"),
        );
    }
}

fn is_reference(text: &str) -> bool {
    Id::parse(text).is_some()
        || url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// The steps of a draft: for each part its uploads and look-ups, then its status.
pub(super) fn plan(draft: &Draft<'_>) -> Result<Plan, Vec<Problem>> {
    let mut problems = Vec::new();
    check(draft, &mut problems);
    refused(problems)?;
    let mut plan = Plan::default();
    let find = |plan: &mut Plan, post: &Option<String>, quote: bool| {
        post.clone().map(|post| plan.prepare(0, &Task::Find { post, quote }))
    };
    let reply = find(&mut plan, &draft.reply_to, false);
    let quote = find(&mut plan, &draft.quote, true);
    let limits = draft.limits.of_files();
    for (index, part) in draft.parts.iter().enumerate() {
        let number = u16::try_from(index).unwrap_or(u16::MAX);
        let first = index == 0;
        let mut upload = |media: &DraftMedia| {
            let (media, limits) = (media.clone(), limits.clone());
            if media.facts.kind != MediaKind::Video {
                return plan.prepare(number, &Task::Upload { media, limits });
            }
            let upload = plan.prepare(number, &Task::Send { media, limits });
            plan.prepare(number, &Task::Ready { upload })
        };
        let files: Vec<_> = part.media.iter().map(&mut upload).collect();
        let message = Message {
            key: key(draft.delivery, number, draft.generation),
            text: part.text.clone(),
            warning: draft.content_warning.clone().filter(|warning| !warning.is_empty()),
            sensitive: !draft.labels.is_empty() && !files.is_empty(),
            visibility: draft.visibility,
            language: draft.languages.first().cloned(),
            poll: draft.poll.clone().filter(|_| first),
            files,
            reply: reply.filter(|_| first),
            quote: quote.filter(|_| first),
        };
        plan.publish(number, &Task::Publish(message));
    }
    Ok(plan)
}

/// The idempotency key of a part: the same for ever, until a person says "post again".
fn key(delivery: DeliveryId, part: u16, generation: u32) -> String {
    let bytes = delivery.derive_bytes("mastodon idempotency key", part, generation);
    let (half, _) = bytes.split_at(16);
    hex(half)
}

/// Puts the request of a part together: `account` for looking it up, `body` for sending it.
pub(super) fn freeze(step: &Step, progress: &Progress, identity: &Identity) -> Result<Frozen, Fault> {
    let Task::Publish(message) = step.task()? else {
        return Err(Fault::NotSent(format!("step {} publishes nothing", step.index)));
    };
    let body = message.body(step.part, progress)?;
    // The server knows its own accounts by number alone.
    let account = identity.uid.split_once('@').map_or(identity.uid.as_str(), |(number, _)| number);
    Ok(Frozen { part: step.part, key: message.key, request: json!({"account": account, "body": body}) })
}

impl Message {
    fn body(&self, part: u16, progress: &Progress) -> Result<Value, Fault> {
        let mut body = Map::new();
        let mut put = |key: &str, value: Value| body.insert(key.to_owned(), value);
        put("status", json!(self.text));
        let answered = match (progress.before(part)?, self.reply) {
            (Some(receipt), _) => Some(receipt.id.clone()),
            (None, Some(step)) => Some(found(progress, step)?),
            (None, None) => None,
        };
        if let Some(id) = answered {
            put("in_reply_to_id", json!(id));
        }
        if !self.files.is_empty() {
            let ids = self.files.iter().map(|step| found(progress, *step)).collect::<Result<Vec<_>, _>>()?;
            put("media_ids", json!(ids));
        }
        if let Some(step) = self.quote {
            put("quoted_status_id", json!(found(progress, step)?));
        }
        if let Some(warning) = &self.warning {
            put("spoiler_text", json!(warning));
        }
        if self.sensitive || self.warning.is_some() {
            put("sensitive", json!(true));
        }
        if let Some(visibility) = self.visibility {
            put("visibility", json!(visibility.as_str()));
        }
        if let Some(language) = &self.language {
            put("language", json!(language));
        }
        if let Some(poll) = &self.poll {
            let poll = json!({"options": poll.options, "expires_in": poll.seconds, "multiple": poll.multiple, "hide_totals": poll.hide_totals});
            put("poll", poll);
        }
        Ok(Value::Object(body))
    }
}

fn found(progress: &Progress, step: usize) -> Result<String, Fault> {
    progress.given(step).map(|found: Found| found.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::suite::plans::{Gave, account, draft, file, identity, rehearse, text};
    use crate::adapter::{Limits, StepKind};
    use crate::networks::mastodon::profile::PROFILE;

    fn picture(name: &str, alt: &str) -> DraftMedia {
        file(name, MediaKind::Image, "image/png", 9, alt)
    }

    /// What every step of a plan comes to on a server that gives ids one after the other.
    fn requests(plan: &Plan) -> Vec<Frozen> {
        let who = identity("109348@fedi.example", "https://fedi.example");
        let mut frozen = Vec::new();
        rehearse(plan, |step, progress| {
            let id = (100 + step.index).to_string();
            if step.kind == StepKind::Prepare {
                return Gave::Value(json!({"id": id}));
            }
            frozen.push(freeze(step, progress, &who).expect("all is prepared"));
            Gave::Receipt(id, Value::Null)
        });
        frozen
    }

    #[test]
    fn a_nasty_thread() {
        let account = account("fedi", "mastodon");
        let limits = Limits::new(&PROFILE, &LimitOverrides { image_bytes: Some(1000), ..LimitOverrides::default() });
        let mut first = text("👩‍👩‍👧 \"مرحبا\" @bob@fedi.example\n\n<b>https://acme.example/ä?x=1&y=2#z</b> #tag");
        first.media = vec![picture("img/a.png", "a \"quoted\" alt"), picture("img/b.png", "")];
        let mut third = text("");
        third.media = vec![picture("img/c.png", "c")];
        let mut draft = draft(&account, &limits, vec![first, text("2/3 \u{0} end"), third]);
        draft.content_warning = Some("Spöiler".to_owned());
        draft.labels = vec!["nudity".to_owned()];
        draft.visibility = Some(Visibility::Unlisted);
        draft.languages = vec!["pt-BR".to_owned()];
        draft.reply_to = Some("https://other.example/@eve/42".to_owned());
        draft.quote = Some("77".to_owned());
        draft.poll = Some(Poll {
            options: vec!["Yes & no".to_owned(), String::new()],
            seconds: 3600,
            multiple: true,
            hide_totals: true,
        });
        let plan = plan(&draft).expect("a plan");
        assert_eq!(plan, super::plan(&draft).expect("the same plan"));
        insta::assert_json_snapshot!(json!({"plan": plan, "requests": requests(&plan)}));
    }

    #[test]
    fn a_plain_post_says_no_more_than_it_must() {
        let account = account("fedi", "mastodon");
        let limits = Limits::new(&PROFILE, &LimitOverrides::default());
        let plan = plan(&draft(&account, &limits, vec![text("Hello")])).expect("a plan");
        let requests = requests(&plan);
        assert_eq!(requests[0].request, json!({"account": "109348", "body": {"status": "Hello"}}));
        assert_eq!(requests[0].key.len(), 32);
    }

    #[test]
    fn references_and_languages_are_checked() {
        let account = account("fedi", "mastodon");
        let limits = Limits::new(&PROFILE, &LimitOverrides::default());
        let mut draft = draft(&account, &limits, vec![text("Hello")]);
        for good in ["113501", "01J9ZQ", "https://fedi.example/@bob/1", "http://127.0.0.1:8001/alice/p/1.2"] {
            draft.reply_to = Some(good.to_owned());
            assert!(plan(&draft).is_ok(), "{good}");
        }
        for bad in ["", "@bob@fedi.example", "ftp://a.example/1", "../1", "a b"] {
            draft.reply_to = Some(bad.to_owned());
            assert_eq!(plan(&draft).expect_err(bad)[0].code, codes::POST_REFERENCE);
        }
        draft.reply_to = None;
        draft.languages = vec!["English".to_owned()];
        assert_eq!(plan(&draft).expect_err("no language")[0].code, codes::LANGUAGE);
    }
}
