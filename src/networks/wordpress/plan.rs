//! From a draft to steps, and from steps to the one request that publishes. Pure.

use serde::de::DeserializeOwned;

use crate::adapter::{Draft, DraftMedia, Fault, Plan, Progress, Refusal, Step, StepKind};
use crate::model::{Frozen, LimitOverrides, MediaKind, Place, Problem, Severity, codes, hex};
use crate::text::markup::{beginning, words};

use super::Settings;
use super::wire::{Placed, Post, Prepared, Request, Task};

/// Longest title that is made of a text, in characters.
const TITLE: usize = 80;

/// Longest piece of a slug that is made of the title.
const SLUG: usize = 60;

/// What data cannot say.
pub(super) fn check(draft: &Draft<'_>, problems: &mut Vec<Problem>) {
    if title(draft).is_empty() {
        problems.push(
            Problem::error(codes::TITLE_REQUIRED, Place::Post, "a post without a title")
                .help("add a `title`: it is the headline, and part of the address"),
        );
    } else if !has_title(draft) {
        problems.push(
            Problem::note(codes::TITLE_REQUIRED, Place::Post, "the first words of the text are the post's title")
                .help("add a `title` for a headline of its own"),
        );
    }
}

fn has_title(draft: &Draft<'_>) -> bool {
    draft.title.as_deref().is_some_and(|title| !one_line(title).is_empty())
}

fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// The title, else the first line that says something.
fn title(draft: &Draft<'_>) -> String {
    if let Some(title) = draft.title.as_deref().filter(|_| has_title(draft)) {
        return one_line(title);
    }
    let text = draft.parts.first().map(|part| part.text.as_str()).unwrap_or_default();
    let line = text.lines().map(one_line).find(|line| !line.is_empty());
    let line = line.or_else(|| draft.body.as_deref().map(words)).unwrap_or_default();
    beginning(&one_line(&line), TITLE)
}

/// The post's own name: the title's words, and what makes it the name of this delivery alone, so that `WordPress` has no
/// other post of that name and need not rename it.
fn slug(draft: &Draft<'_>) -> String {
    let bytes = draft.delivery.derive_bytes("wordpress slug", 0, draft.generation);
    let mut slug = String::new();
    for word in title(draft).to_lowercase().split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty())
    {
        if slug.len() + word.len() + 1 > SLUG {
            break;
        }
        slug.push_str(word);
        slug.push('-');
    }
    slug + &hex(&bytes[..6])
}

/// The steps of a draft: its files, its tags and categories, the draft on the site; then it is published.
pub(super) fn plan(draft: &Draft<'_>) -> Result<Plan, Vec<Problem>> {
    let mut problems = Vec::new();
    check(draft, &mut problems);
    let [part] = draft.parts.as_slice() else {
        let message = format!("{} parts, and a site has no threads", draft.parts.len());
        return Err(vec![Problem::error(codes::THREAD_UNSUPPORTED, Place::Post, message)]);
    };
    let images = part.media.iter().filter(|media| media.facts.kind != MediaKind::Video).count();
    if u32::try_from(images).map_or(true, |images| images > draft.limits.max_images) {
        let message = format!("{images} pictures, at most {}", draft.limits.max_images);
        problems.push(Problem::error(codes::MEDIA_TOO_MANY, Place::Post, message));
    }
    problems.retain(|problem| problem.severity == Severity::Error);
    if !problems.is_empty() {
        return Err(problems);
    }
    let settings = Settings::read(draft.account).ok();
    let limits = LimitOverrides {
        image_bytes: Some(draft.limits.image.bytes),
        image_pixels: Some(draft.limits.image.pixels),
        video_bytes: draft.limits.video.map(|rule| rule.bytes),
        ..LimitOverrides::default()
    };
    let mut steps = Vec::new();
    let mut push = |kind: StepKind, task: &Task| {
        let index = steps.len();
        let payload = serde_json::to_value(task).expect("a task is plain data");
        steps.push(Step { index, part: 0, kind, payload });
        index
    };
    let mut placed = |media: &DraftMedia| Placed {
        step: push(StepKind::Prepare, &Task::Upload { media: media.clone(), limits: limits.clone() }),
        file: media.file.clone(),
        alt: media.alt.clone(),
        video: media.facts.kind == MediaKind::Video,
    };
    let media: Vec<Placed> = part.media.iter().map(&mut placed).collect();
    let tags: Vec<String> = draft.tags.iter().map(|tag| one_line(tag)).filter(|tag| !tag.is_empty()).collect();
    let categories = settings.as_ref().map(|settings| settings.categories.clone()).unwrap_or_default();
    let terms = (!tags.is_empty() || !categories.is_empty())
        .then(|| push(StepKind::Prepare, &Task::Terms { tags, categories }));
    let featured = settings.is_none_or(|settings| settings.featured);
    let filled = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
    let slug = slug(draft);
    let post = Post {
        slug: slug.clone(),
        title: title(draft),
        text: part.text.clone(),
        body: filled(&draft.body),
        link: draft.link.clone(),
        terms,
        featured: media.iter().position(|placed| !placed.video).filter(|_| featured),
        media,
    };
    let made = push(StepKind::Prepare, &Task::Draft(post));
    push(StepKind::Publish, &Task::Publish { draft: made, slug });
    Ok(Plan { steps })
}

/// Reads what this adapter wrote.
pub(super) fn read<T: DeserializeOwned>(value: &serde_json::Value) -> Result<T, Fault> {
    T::deserialize(value).map_err(|error| {
        Fault::refused(Refusal::Invalid, format!("this was not planned by this version of smm: {error}"))
    })
}

/// What an earlier step gave.
pub(super) fn given<T: DeserializeOwned>(progress: &Progress, step: usize) -> Result<T, Fault> {
    let value = progress.value(step);
    read(value.ok_or_else(|| Fault::NotSent(format!("step {step} has not been prepared")))?)
}

/// Puts the request together. It names no date: `WordPress` takes that of its own clock, and one in its future would make the
/// post wait there.
pub(super) fn freeze(step: &Step, progress: &Progress) -> Result<Frozen, Fault> {
    let Task::Publish { draft, slug } = read(&step.payload)? else {
        return Err(Fault::NotSent(format!("step {} publishes nothing", step.index)));
    };
    let Prepared { id, root } = given(progress, draft)?;
    let request = Request { id, root, status: "publish".to_owned() };
    let request = serde_json::to_value(request).map_err(|error| Fault::NotSent(error.to_string()))?;
    Ok(Frozen { part: step.part, key: slug, request })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::page;
    use super::super::profile::PROFILE;
    use super::super::wire::Uploaded;
    use super::*;
    use crate::adapter::{DraftPart, Limits};
    use crate::model::{Account, AccountName, CalendarName, DeliveryId, MediaFacts, OccurrenceName, PostId};

    fn account() -> Account {
        let mut account = Account::new(AccountName::new("blog"), "wordpress");
        account.server = Some("https://blog.example".to_owned());
        account.settings.insert("user".to_owned(), "acme".into());
        account.settings.insert("categories".to_owned(), json!(["News & more"]));
        account
    }

    fn draft<'a>(account: &'a Account, limits: &'a Limits, text: &str, media: &[(&str, &str)]) -> Draft<'a> {
        let delivery = DeliveryId::derive(
            &CalendarName::new("acme"),
            &OccurrenceName::once(&PostId::new("launch")),
            &AccountName::new("blog"),
        );
        let media = media.iter().map(|(file, alt)| {
            let (kind, mime) =
                if file.ends_with("mp4") { (MediaKind::Video, "video/mp4") } else { (MediaKind::Image, "image/png") };
            let facts = MediaFacts { kind, mime: mime.to_owned(), bytes: 9, width: 3, height: 2 };
            DraftMedia { file: (*file).to_owned(), alt: (*alt).to_owned(), facts }
        });
        let part = DraftPart { text: text.to_owned(), media: media.collect() };
        Draft::new(delivery, account, limits, vec![part])
    }

    fn limits() -> Limits {
        Limits::new(&PROFILE, &LimitOverrides::default())
    }

    /// The post that the plan's draft step makes, with files on the site.
    fn post(plan: &Plan) -> (Post, Vec<Uploaded>) {
        let post = plan.steps.iter().find_map(|step| match read(&step.payload) {
            Ok(Task::Draft(post)) => Some(post),
            _ => None,
        });
        let post = post.expect("a draft");
        let file = |index: usize| Uploaded {
            id: 100 + index as u64,
            url: format!("https://blog.example/files/{index}.png?a=1&b=2"),
            width: 3,
            height: 2,
        };
        let uploaded = (0..post.media.len()).map(file).collect();
        (post, uploaded)
    }

    #[test]
    fn a_nasty_long_form() {
        let (account, limits) = (account(), limits());
        let media =
            [("img/a.png", "A [gallery] & \"<b>\""), ("img/b.png", "The old one"), ("c.mp4", "Moving"), ("d.png", "")];
        let mut draft = draft(&account, &limits, "👩‍👩‍👧 مرحبا <script> [gallery ids=\"1\"]\n\nTwo & two", &media);
        draft.title = Some(
            "Acme 2.0 <em>ist</em> da:\u{0}\n Grüße & 🎉 – the very long title of a post that goes on and on"
                .to_owned(),
        );
        draft.body = Some(
            "# Neu [video]\n\nSee ![alt *of* it](./img/b.png) and ![far](https://other.example/x.png)\n\n\
             <script>alert(1)</script>\n\n<!-- wp:html -->\n\n* one\n* [two](javascript:alert(1))\n\n```rust\nlet a = [1];\n```\n"
                .to_owned(),
        );
        draft.link = Some("https://acme.example/2.0?utm_source=blog&x=[1]".to_owned());
        draft.tags = vec!["release".to_owned(), " R&D\n".to_owned(), " ".to_owned()];
        let plan = plan(&draft).expect("a plan");
        assert_eq!(plan, super::plan(&draft).expect("the same plan"));
        let (post, uploaded) = post(&plan);
        let content = page::content(&post, &uploaded);
        assert!(!content.contains('[') && !content.contains("<script") && !content.contains("<!--"), "{content}");
        insta::assert_json_snapshot!(plan);
        insta::assert_snapshot!(format!(
            "{}\n=====\n{}\n=====\n{content}",
            page::words(&post.title),
            page::excerpt(&post)
        ));
    }

    #[test]
    fn without_a_long_form_the_text_is_the_post() {
        let (account, limits) = (account(), limits());
        let plan = plan(&draft(&account, &limits, "One <b>\n\nTwo", &[("a.png", "A")])).expect("a plan");
        let (post, uploaded) = post(&plan);
        assert_eq!(
            page::content(&post, &uploaded),
            "<p>One &lt;b&gt;</p>\n<p>Two</p>\n",
            "the featured image is not shown twice"
        );
        assert_eq!((post.title.as_str(), page::excerpt(&post).as_str()), ("One <b>", ""));
        let mut plain = account.clone();
        plain.settings.insert("featured".to_owned(), false.into());
        let plan = super::plan(&draft(&plain, &limits, "One", &[("a.png", "A")])).expect("a plan");
        let (post, uploaded) = self::post(&plan);
        assert!(page::content(&post, &uploaded).contains("wp-image-100"));
    }

    #[test]
    fn a_slug_is_readable_and_nobody_elses() {
        let (account, limits) = (account(), limits());
        let mut draft = draft(&account, &limits, "Hello", &[]);
        let of = |draft: &Draft<'_>| {
            let slug = slug(draft);
            let (words, own) = slug.rsplit_once('-').map_or(("", slug.as_str()), |(words, own)| (words, own));
            assert!(own.len() == 12 && slug.len() <= SLUG + 12, "{slug}");
            (words.to_owned(), own.to_owned())
        };
        draft.title = Some("Acme 2.0 is out!".to_owned());
        let (words, own) = of(&draft);
        assert_eq!(words, "acme-2-0-is-out");
        draft.title = Some("مرحبا".to_owned());
        assert_eq!(of(&draft), (String::new(), own.clone()));
        draft.generation = 1;
        assert_ne!(of(&draft).1, own, "posted again is another post");
    }

    #[test]
    fn what_is_frozen_names_the_draft_and_no_date() {
        let (account, limits) = (account(), limits());
        let plan = plan(&draft(&account, &limits, "Hello", &[])).expect("a plan");
        let mut progress = Progress::default();
        let step = plan.publish_step(0).expect("a step");
        assert!(matches!(freeze(step, &progress), Err(Fault::NotSent(_))));
        let value = json!({"id": 17, "root": "/wp-json"});
        progress.prepared.push(crate::model::Prepared {
            // After that of the categories.
            step: 1,
            value,
            at: "2026-12-01T09:00:00Z".parse().expect("a date"),
        });
        let frozen = freeze(step, &progress).expect("frozen");
        assert_eq!(frozen.request, json!({"id": 17, "root": "/wp-json", "status": "publish"}));
    }
}
