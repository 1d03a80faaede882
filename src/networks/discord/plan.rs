//! From a draft to steps, and from steps to the one request of each part. Pure.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::adapter::check::{files_together, question, size, with_warning};
use crate::adapter::{Draft, DraftMedia, Enclosing, Fault, Identity, Plan, Progress, Refusal, Sealed, Step, refused};
use crate::model::{Frozen, MediaKind, Place, Poll, Problem, codes};
use crate::text::{Counting, MentionWeight, Unit, measure};

use super::profile::{FILES, QUESTION, REQUEST};
use super::wire::{Kept, Snowflake};
use super::{Mention, Settings};

/// Links get no card (discord-api-docs, resources/message, Message Flags: `SUPPRESS_EMBEDS`).
const NO_EMBEDS: u32 = 1 << 2;
/// Nobody's device makes a sound (the same: `SUPPRESS_NOTIFICATIONS`).
const SILENT: u32 = 1 << 12;

/// Longest name of a thread.
const THREAD_NAME: usize = 100;

/// A part, but for what only the account's way in knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Message {
    /// Up to 25 characters.
    nonce: String,
    content: String,
    /// Indexes of the steps that read its files.
    files: Vec<usize>,
    covered: bool,
    poll: Option<Question>,
    reply: Option<Target>,
    /// What a forum calls the thread that the post opens.
    title: Option<String>,
}

/// A poll.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Question {
    question: String,
    poll: Poll,
}

/// A message that is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Target {
    /// Its channel, where its address tells it.
    channel: Option<Snowflake>,
    message: Snowflake,
}

impl Target {
    /// Reads `123` and `https://discord.com/channels/1/2/123`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Some(message) = Snowflake::parse(text) {
            return Some(Self { channel: None, message });
        }
        let url = url::Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
        let host = url.host_str()?;
        let known = ["discord.com", "discordapp.com"]
            .iter()
            .any(|known| host.strip_suffix(known).is_some_and(|sub| matches!(sub, "" | "www." | "ptb." | "canary.")));
        match url.path_segments()?.collect::<Vec<_>>().as_slice() {
            ["channels", _, channel, message] if known => {
                Some(Self { channel: Some(Snowflake::parse(channel)?), message: Snowflake::parse(message)? })
            }
            _ => None,
        }
    }
}

/// The request of a part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Call {
    /// Who writes: a bot's number or a webhook's.
    pub(super) author: Snowflake,
    /// The server, in Discord's sense of the word.
    pub(super) guild: Option<Snowflake>,
    /// Written by a bot.
    pub(super) bot: bool,
    /// The thread that a webhook posts into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) thread: Option<Snowflake>,
    pub(super) body: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) files: Vec<Sealed>,
}

/// Who an account is, as its `uid` tells it: `bot:5@1/20` (the bot, the server, the channel), `webhook:7@1`, or
/// `webhook:7@1/30` with a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Who {
    pub(super) bot: bool,
    pub(super) author: Snowflake,
    pub(super) guild: Option<Snowflake>,
    /// The bot's channel, or the webhook's thread.
    pub(super) place: Option<Snowflake>,
}

impl Who {
    pub(super) fn uid(self) -> String {
        let kind = if self.bot { "bot" } else { "webhook" };
        let guild = self.guild.map_or_else(|| "-".to_owned(), |guild| guild.to_string());
        let place = self.place.map_or_else(String::new, |place| format!("/{place}"));
        format!("{kind}:{}@{guild}{place}", self.author)
    }

    pub(super) fn of(uid: &str) -> Option<Self> {
        let (kind, rest) = uid.split_once(':')?;
        let (author, rest) = rest.split_once('@')?;
        let (guild, place) = rest.split_once('/').map_or((rest, None), |(guild, place)| (guild, Some(place)));
        let place = place.map(|place| Snowflake::parse(place).ok_or(())).transpose().ok()?;
        Some(Self { bot: kind == "bot", author: Snowflake::parse(author)?, guild: Snowflake::parse(guild), place })
    }
}

/// Code points.
fn length(text: &str) -> u64 {
    measure(text, Counting { unit: Unit::CodePoints, link: None, mention: MentionWeight::Raw })
}

/// What data cannot say.
pub(super) fn check(draft: &Draft<'_>, problems: &mut Vec<Problem>) {
    if let Some(post) = &draft.reply_to
        && Target::parse(post).is_none()
    {
        let message = format!("`{post}` is neither a message's address nor its number");
        problems.push(
            Problem::error(codes::POST_REFERENCE, Place::Key { key: "reply_to" }, message)
                .help("write its address, `https://discord.com/channels/1/2/3` (Copy Message Link), or its number"),
        );
    }
    question(draft, QUESTION, problems);
    if let Some(poll) = draft.poll.as_ref().filter(|poll| !poll.seconds.is_multiple_of(3600)) {
        let message = format!("polls are open for whole hours: {} of them", hours(poll));
        problems.push(Problem::note(codes::POLL_DURATION, Place::Key { key: "poll" }, message));
    }
    let mut first = 0;
    for (index, part) in draft.parts.iter().enumerate() {
        let whole = length(&content(&part.text, draft.warning()));
        with_warning(draft, index, whole, "the marks that hide the text", problems);
        files(draft, &part.media, first, problems);
        first += part.media.len();
    }
}

fn hours(poll: &Poll) -> u64 {
    poll.seconds.div_ceil(3600)
}

fn files(draft: &Draft<'_>, media: &[DraftMedia], first: usize, problems: &mut Vec<Problem>) {
    files_together(media, FILES, first, problems);
    // A server that takes larger files takes them in larger messages, too.
    let most = draft.limits.video.map_or(0, |rule| rule.bytes).max(draft.limits.image.bytes).max(REQUEST);
    let bytes = |media: &DraftMedia| match media.facts.kind {
        MediaKind::Image => media.facts.bytes.min(draft.limits.image.bytes),
        MediaKind::Animation | MediaKind::Video | MediaKind::Document => media.facts.bytes,
    };
    let total: u64 = media.iter().map(bytes).sum();
    if total > most {
        let (total, most) = (size(total), size(most));
        problems.push(
            Problem::error(
                codes::MEDIA_TOO_MANY,
                Place::Media { index: first, key: "" },
                format!("files of {total} together, at most {most} in one message"),
            )
            .help("make them smaller, or spread them over a thread with `part = 2`"),
        );
    }
}

/// A text as it is sent. What is warned of is hidden until somebody taps on it.
fn content(text: &str, warning: Option<&str>) -> String {
    match warning {
        None => text.to_owned(),
        Some(warning) if text.trim().is_empty() => warning.to_owned(),
        Some(warning) => format!("{warning}\n||{}||", text.replace('|', "\\|")),
    }
}

/// The steps of a draft: for each part its files, then its message.
pub(super) fn plan(draft: &Draft<'_>) -> Result<Plan, Vec<Problem>> {
    let mut problems = Vec::new();
    check(draft, &mut problems);
    refused(problems)?;
    let mut plan = Plan::default();
    let warning = draft.warning();
    for (index, part) in draft.parts.iter().enumerate() {
        let number = u16::try_from(index).unwrap_or(u16::MAX);
        let first = index == 0;
        let poll = draft.poll.clone().filter(|_| first);
        let poll = poll.map(|poll| Question { question: part.text.clone(), poll });
        let message = Message {
            nonce: nonce(draft, number),
            content: if poll.is_some() { String::new() } else { content(&part.text, warning) },
            files: plan.enclose(number, &part.media, draft.limits),
            covered: !part.media.is_empty() && (warning.is_some() || !draft.labels.is_empty()),
            poll,
            reply: draft.reply_to.as_deref().filter(|_| first).and_then(Target::parse),
            title: first.then(|| title(draft, &part.text)),
        };
        plan.publish(number, &Enclosing::Publish(message));
    }
    Ok(plan)
}

/// The post's title, else its warning, else its first line.
fn title(draft: &Draft<'_>, text: &str) -> String {
    let first = || text.lines().map(str::trim).find(|line| !line.is_empty());
    let title = draft.title.as_deref().map(str::trim).filter(|title| !title.is_empty());
    let title = title.or(draft.warning()).or_else(first).unwrap_or("Post");
    title.chars().take(THREAD_NAME).collect()
}

/// A nonce has at most 25 characters.
fn nonce(draft: &Draft<'_>, part: u16) -> String {
    let mut key = draft.key("discord nonce", part);
    key.truncate(24);
    key
}

/// Puts the request of a part together.
pub(super) fn freeze(
    step: &Step,
    progress: &Progress,
    identity: &Identity,
    settings: &Settings,
) -> Result<Frozen, Fault> {
    let message: Message = step.enclosing()?;
    let who = Who::of(&identity.uid).ok_or_else(|| Fault::NotSent(format!("`{}` is nobody", identity.uid)))?;
    let files = progress.sealed(&message.files)?;
    let mut body = message.body(&files, settings);
    let before = progress.before(step.part)?;
    let mut thread = None;
    if who.bot {
        body.insert("nonce".to_owned(), json!(message.nonce));
        body.insert("enforce_nonce".to_owned(), json!(true));
        let answered = match before {
            Some(receipt) => Snowflake::parse(&receipt.id),
            None => message.reply.as_ref().map(|reply| reply.in_channel(who.place)).transpose()?,
        };
        if let Some(id) = answered {
            body.insert("message_reference".to_owned(), json!({"message_id": id}));
        }
    } else {
        if message.reply.is_some() {
            let why = "a webhook cannot answer a message: use a bot for this post, or set `reply_to = \"\"`";
            return Err(Fault::refused(Refusal::Invalid, why));
        }
        thread = who.place;
        if settings.forum {
            match before {
                Some(receipt) => {
                    let kept: Option<Kept> = serde_json::from_value(receipt.data.clone()).ok();
                    let kept = kept.ok_or_else(|| Fault::NotSent("the receipt names no thread".to_owned()))?;
                    thread = Some(kept.channel);
                }
                None => {
                    body.insert("thread_name".to_owned(), json!(message.title.as_deref().unwrap_or("Post")));
                }
            }
        }
    }
    let call = Call { author: who.author, guild: who.guild, bot: who.bot, thread, body, files };
    let request = serde_json::to_value(call).map_err(|error| Fault::NotSent(error.to_string()))?;
    Ok(Frozen { part: step.part, key: message.nonce, request })
}

impl Target {
    /// Its number, as long as it is in this channel: answers do not leave it.
    fn in_channel(&self, channel: Option<Snowflake>) -> Result<Snowflake, Fault> {
        if self.channel.is_some() && self.channel != channel {
            let why = "the message to answer is in another channel than the account's";
            return Err(Fault::refused(Refusal::Invalid, why));
        }
        Ok(self.message)
    }
}

impl Message {
    /// What bot and webhook share.
    fn body(&self, files: &[Sealed], settings: &Settings) -> Map<String, Value> {
        let mut body = Map::new();
        let mut put = |key: &str, value: Value| body.insert(key.to_owned(), value);
        if !self.content.is_empty() {
            put("content", json!(self.content));
        }
        let mentions: Vec<_> = settings.mentions.iter().map(|mention: &Mention| mention.as_str()).collect();
        put("allowed_mentions", json!({"parse": mentions, "replied_user": false}));
        let flags = if settings.silent { SILENT } else { 0 } | if settings.no_embeds { NO_EMBEDS } else { 0 };
        if flags != 0 {
            put("flags", json!(flags));
        }
        if !files.is_empty() {
            let attachments = files.iter().enumerate().map(|(index, file)| {
                let mut attachment = json!({"id": index.to_string(), "filename": self.name(&file.name)});
                if !file.enclosure.media.alt.is_empty() {
                    attachment["description"] = json!(file.enclosure.media.alt);
                }
                attachment
            });
            put("attachments", attachments.collect());
        }
        if let Some(Question { question, poll }) = &self.poll {
            let answers: Vec<_> = poll.options.iter().map(|option| json!({"poll_media": {"text": option}})).collect();
            put(
                "poll",
                json!({"question": {"text": question}, "answers": answers, "duration": hours(poll), "allow_multiselect": poll.multiple}),
            );
        }
        body
    }

    /// The word before a name covers the file.
    fn name(&self, name: &str) -> String {
        if self.covered { format!("SPOILER_{name}") } else { name.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::suite::plans::{self, Gave, draft, rehearse, sealed, text};
    use crate::adapter::{DraftPart, Limits, StepKind};
    use crate::model::{Account, LimitOverrides};
    use crate::networks::discord::profile::PROFILE;

    const BOT: &str = "bot:5@1/20";
    const HOOK: &str = "webhook:7@1";

    fn account() -> Account {
        plans::account("news", "discord")
    }

    fn limits() -> Limits {
        Limits::new(&PROFILE, &LimitOverrides::default())
    }

    fn file(kind: MediaKind, bytes: u64, alt: &str) -> DraftMedia {
        let (file, mime) = if kind == MediaKind::Video { ("a.mp4", "video/mp4") } else { ("dir/a b.png", "image/png") };
        plans::file(file, kind, mime, bytes, alt)
    }

    /// The requests of all parts, as if every step had gone well.
    fn requests(plan: &Plan, uid: &str, settings: &Settings) -> Result<Vec<Frozen>, Fault> {
        let identity = plans::identity(uid, "https://discord.com");
        let mut requests = Vec::new();
        rehearse(plan, |step, progress| {
            if step.kind == StepKind::Prepare {
                return sealed(step);
            }
            requests.push(freeze(step, progress, &identity, settings));
            let kept = Kept { channel: Snowflake::parse("31").expect("a number"), thread: true };
            Gave::Receipt((100 + step.part).to_string(), json!(kept))
        });
        requests.into_iter().collect()
    }

    fn problems(draft: &Draft<'_>) -> Vec<&'static str> {
        let mut problems = Vec::new();
        check(draft, &mut problems);
        problems.iter().map(|problem| problem.code.0).collect()
    }

    #[test]
    fn a_nasty_thread() {
        let (account, limits) = (account(), limits());
        let mut first = text("@everyone <@5> a || b \\| `code` https://acme.example/?a=1&b=2 👨‍👩‍👧‍👦 مرحبا");
        first.media = vec![file(MediaKind::Image, 9, "Ein \"Bild\""), file(MediaKind::Video, 9, "")];
        let mut draft = draft(
            &account,
            &limits,
            vec![first, text("Two"), DraftPart { media: vec![file(MediaKind::Image, 9, "x")], ..text("") }],
        );
        draft.content_warning = Some("Spoilers".to_owned());
        draft.title = Some("A title".to_owned());
        let silent = Settings { silent: true, no_embeds: true, ..Settings::default() };
        let forum = Settings { forum: true, mentions: vec![Mention::Roles], ..Settings::default() };
        let plan = plan(&draft).expect("a plan");
        assert_eq!(plan, super::plan(&draft).expect("the same plan"));
        insta::assert_json_snapshot!(json!({
            "plan": plan,
            "bot": requests(&plan, BOT, &silent).expect("requests"),
            "forum": requests(&plan, HOOK, &forum).expect("requests"),
        }));
    }

    #[test]
    fn a_plain_post_says_no_more_than_it_must() {
        let (account, limits) = (account(), limits());
        let plan = plan(&draft(&account, &limits, vec![text("Hello")])).expect("a plan");
        let quiet = json!({"parse": [], "replied_user": false});
        let hook = &requests(&plan, HOOK, &Settings::default()).expect("requests")[0];
        assert_eq!(
            hook.request,
            json!({"author": "7", "guild": "1", "bot": false, "body": {"content": "Hello", "allowed_mentions": quiet}})
        );
        let bot = &requests(&plan, BOT, &Settings::default()).expect("requests")[0];
        assert_eq!(
            bot.request["body"],
            json!({"content": "Hello", "allowed_mentions": quiet, "nonce": bot.key, "enforce_nonce": true})
        );
        assert!(bot.key.len() <= 25, "{}", bot.key);
    }

    #[test]
    fn a_webhook_answers_nobody() {
        let (account, limits) = (account(), limits());
        let answered = |uid: &str, post: &str| {
            let mut draft = draft(&account, &limits, vec![text("x")]);
            draft.reply_to = Some(post.to_owned());
            let requests = requests(&plan(&draft).expect("a plan"), uid, &Settings::default());
            requests.map(|requests| requests[0].request["body"]["message_reference"].clone())
        };
        assert_eq!(answered(BOT, "17"), Ok(json!({"message_id": "17"})));
        assert_eq!(answered(BOT, "https://ptb.discord.com/channels/1/20/17"), Ok(json!({"message_id": "17"})));
        assert!(matches!(answered(BOT, "https://discord.com/channels/1/21/17"), Err(Fault::Refused { .. })));
        assert!(matches!(answered(HOOK, "17"), Err(Fault::Refused { .. })));
        let mut draft = draft(&account, &limits, vec![text("x")]);
        for odd in ["", "x", "https://discord.com/channels/1/20", "https://evil.example/channels/1/20/17"] {
            draft.reply_to = Some(odd.to_owned());
            assert_eq!(problems(&draft), ["post-reference"], "{odd}");
        }
    }

    #[test]
    fn polls_ask_their_text() {
        let (account, limits) = (account(), limits());
        let mut draft = draft(&account, &limits, vec![text("Tabs?")]);
        let options = vec!["Yes".to_owned(), "No".to_owned()];
        draft.poll = Some(Poll { options, seconds: 3601, multiple: false, hide_totals: false });
        assert_eq!(problems(&draft), ["poll-duration"]);
        let request =
            &requests(&plan(&draft).expect("a plan"), HOOK, &Settings::default()).expect("requests")[0].request;
        assert_eq!(request["body"].get("content"), None);
        assert_eq!(
            request["body"]["poll"],
            json!({
                "question": {"text": "Tabs?"}, "duration": 2, "allow_multiselect": false,
                "answers": [{"poll_media": {"text": "Yes"}}, {"poll_media": {"text": "No"}}],
            })
        );
        draft.parts[0].text = "?".repeat(301);
        draft.content_warning = Some("x".to_owned());
        assert_eq!(problems(&draft)[..2], ["text-too-long", "content-warning-unsupported"]);
    }

    #[test]
    fn the_marks_that_hide_count() {
        let (account, limits) = (account(), limits());
        let mut draft = draft(&account, &limits, vec![text(&"x".repeat(1992))]);
        draft.content_warning = Some("abc".to_owned());
        assert_eq!(problems(&draft), Vec::<&str>::new());
        draft.parts[0].text.push('x');
        assert_eq!(problems(&draft), ["text-too-long"]);
        draft.parts[0].text = format!("||{}", "x".repeat(1989));
        assert_eq!(problems(&draft), ["text-too-long"], "escaped it is two longer");
    }

    #[test]
    fn files_are_weighed_together() {
        let (account, limits) = (account(), limits());
        let of = |media: Vec<DraftMedia>| problems(&draft(&account, &limits, vec![DraftPart { media, ..text("x") }]));
        let film = || file(MediaKind::Video, 9_000_000, "");
        // A picture is made smaller.
        let picture = || file(MediaKind::Image, 90_000_000, "");
        assert_eq!(of(vec![film(), film()]), Vec::<&str>::new());
        assert_eq!(of(vec![film(), film(), film()]), ["media-too-many"]);
        assert_eq!(of(vec![picture(), picture()]), Vec::<&str>::new());
        let small = |kind| file(kind, 9, "");
        assert_eq!(
            of([vec![small(MediaKind::Image); 6], vec![small(MediaKind::Video); 5]].concat()),
            ["media-too-many"]
        );
    }

    #[test]
    fn who_it_is_can_be_read_again() {
        for uid in [BOT, HOOK, "webhook:7@1/30", "bot:5@-/20"] {
            assert_eq!(Who::of(uid).expect("somebody").uid(), uid);
        }
        assert_eq!(Who::of("bot:x@1/20"), None);
    }
}
