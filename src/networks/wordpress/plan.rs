//! From a draft to steps, and from steps to the one request that publishes. Pure.

use crate::adapter::{Draft, DraftMedia, Fault, Plan, Progress, Step, refused};
use crate::model::{Frozen, MediaKind, Place, Problem, codes};
use crate::text::markup::one_line;

use super::Settings;
use super::wire::{Placed, Post, Prepared, Request, Task};

/// Longest title that is made of a text, in characters.
const TITLE: usize = 80;

/// Longest piece of a slug that is made of the title.
const SLUG: usize = 60;

/// What data cannot say.
pub(super) fn check(draft: &Draft<'_>, problems: &mut Vec<Problem>) {
    if draft.headline(TITLE).is_empty() {
        problems.push(
            Problem::error(codes::TITLE_REQUIRED, Place::Post, "a post without a title")
                .help("add a `title`: it is the headline, and part of the address"),
        );
    } else if draft.written_title().is_none() {
        problems.push(
            Problem::note(codes::TITLE_REQUIRED, Place::Post, "the first words of the text are the post's title")
                .help("add a `title` for a headline of its own"),
        );
    }
}

/// The post's own name: the title's words, and what makes it the name of this delivery alone, so that `WordPress` has no
/// other post of that name and need not rename it.
fn slug(draft: &Draft<'_>) -> String {
    let own = draft.key("wordpress slug", 0);
    let mut slug = String::new();
    for word in
        draft.headline(TITLE).to_lowercase().split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty())
    {
        if slug.len() + word.len() + 1 > SLUG {
            break;
        }
        slug.push_str(word);
        slug.push('-');
    }
    slug + &own[..12]
}

/// The steps of a draft: its files, its tags and categories, the draft on the site; then it is published.
pub(super) fn plan(draft: &Draft<'_>) -> Result<Plan, Vec<Problem>> {
    let mut problems = Vec::new();
    check(draft, &mut problems);
    let part = draft.only_part()?;
    let images = part.media.iter().filter(|media| media.facts.kind != MediaKind::Video).count();
    if u32::try_from(images).map_or(true, |images| images > draft.limits.max_images) {
        let message = format!("{images} pictures, at most {}", draft.limits.max_images);
        problems.push(Problem::error(codes::MEDIA_TOO_MANY, Place::Post, message));
    }
    refused(problems)?;
    let settings: Option<Settings> = draft.account.read_settings().ok();
    let limits = draft.limits.of_files();
    let mut plan = Plan::default();
    let mut placed = |media: &DraftMedia| Placed {
        step: plan.prepare(0, &Task::Upload { media: media.clone(), limits: limits.clone() }),
        file: media.file.clone(),
        alt: media.alt.clone(),
        video: media.facts.kind == MediaKind::Video,
    };
    let media: Vec<Placed> = part.media.iter().map(&mut placed).collect();
    let tags: Vec<String> = draft.tags.iter().map(|tag| one_line(tag)).filter(|tag| !tag.is_empty()).collect();
    let categories = settings.as_ref().map(|settings| settings.categories.clone()).unwrap_or_default();
    let terms =
        (!tags.is_empty() || !categories.is_empty()).then(|| plan.prepare(0, &Task::Terms { tags, categories }));
    let featured = settings.is_none_or(|settings| settings.featured);
    let slug = slug(draft);
    let post = Post {
        slug: slug.clone(),
        title: draft.headline(TITLE),
        text: part.text.clone(),
        body: draft.long_form().map(str::to_owned),
        link: draft.link.clone(),
        terms,
        featured: media.iter().position(|placed| !placed.video).filter(|_| featured),
        media,
    };
    let made = plan.prepare(0, &Task::Draft(post));
    plan.publish(0, &Task::Publish { draft: made, slug });
    Ok(plan)
}

/// Puts the request together. It names no date: `WordPress` takes that of its own clock, and one in its future would make the
/// post wait there.
pub(super) fn freeze(step: &Step, progress: &Progress) -> Result<Frozen, Fault> {
    let Task::Publish { draft, slug } = step.task()? else {
        return Err(Fault::NotSent(format!("step {} publishes nothing", step.index)));
    };
    let Prepared { id, root } = progress.given(draft)?;
    let request = Request { id, root, status: "publish".to_owned() };
    let request = serde_json::to_value(request).map_err(|error| Fault::NotSent(error.to_string()))?;
    Ok(Frozen { part: step.part, key: slug, request })
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use serde_json::json;

    use super::super::page;
    use super::super::profile::PROFILE;
    use super::super::wire::Uploaded;
    use super::*;
    use crate::adapter::suite::plans::{self, Gave, rehearse};
    use crate::adapter::{DraftPart, Limits, StepKind};
    use crate::model::{Account, LimitOverrides};

    fn account() -> Account {
        let mut account = plans::account("blog", "wordpress");
        account.server = Some("https://blog.example".to_owned());
        account.settings.insert("user".to_owned(), "acme".into());
        account.settings.insert("categories".to_owned(), json!(["News & more"]));
        account
    }

    fn draft<'a>(account: &'a Account, limits: &'a Limits, text: &str, media: &[(&str, &str)]) -> Draft<'a> {
        let media = media.iter().map(|(file, alt)| {
            let (kind, mime) =
                if file.ends_with("mp4") { (MediaKind::Video, "video/mp4") } else { (MediaKind::Image, "image/png") };
            let mut media = plans::file(file, kind, mime, 9, alt);
            media.facts.height = 2;
            media
        });
        plans::draft(account, limits, vec![DraftPart { media: media.collect(), ..plans::text(text) }])
    }

    fn limits() -> Limits {
        Limits::new(&PROFILE, &LimitOverrides::default())
    }

    /// The post that the plan's draft step makes, with files on the site.
    fn post(plan: &Plan) -> (Post, Vec<Uploaded>) {
        let post = plan.steps.iter().find_map(|step| match step.task() {
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
        let step = plan.publish_step(0).expect("a step");
        assert!(matches!(freeze(step, &Progress::default()), Err(Fault::NotSent(_))));
        let progress = rehearse(&plan, |step, _| match step.kind {
            StepKind::Prepare => Gave::Value(json!({"id": 17, "root": "/wp-json"})),
            StepKind::Publish => Gave::Receipt("17".to_owned(), json!(null)),
        });
        let frozen = freeze(step, &progress).expect("frozen");
        assert_eq!(frozen.request, json!({"id": 17, "root": "/wp-json", "status": "publish"}));
    }
}
