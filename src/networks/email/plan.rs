//! From a draft to steps, and from steps to the one request of each mail. Pure.

use chrono::{DateTime, Utc};

use crate::adapter::mail::address_of;
use crate::adapter::{Draft, Enclosing, Fault, Plan, Progress, Refusal, Step, refused};
use crate::model::{Frozen, Place, Problem, codes};
use crate::text::markup::one_line;

use super::wire::{Enclosed, Message, Request};
use super::{Settings, page};

/// Longest subject that is made of a text, in characters.
const SUBJECT: usize = 100;

/// What data cannot say.
pub(super) fn check(draft: &Draft<'_>, problems: &mut Vec<Problem>) {
    if draft.headline(SUBJECT).is_empty() {
        problems.push(
            Problem::error(codes::TITLE_REQUIRED, Place::Post, "a mail without a subject")
                .help("add a `title`: it is the mail's subject"),
        );
    } else if draft.written_title().is_none() {
        problems.push(
            Problem::note(codes::TITLE_REQUIRED, Place::Post, "the first words of the text are the mail's subject")
                .help("add a `title` for a subject of its own"),
        );
    }
}

/// The steps of a draft: its pictures, then one mail for each list.
pub(super) fn plan(draft: &Draft<'_>) -> Result<Plan, Vec<Problem>> {
    let mut problems = Vec::new();
    check(draft, &mut problems);
    let part = draft.only_part()?;
    let most = usize::try_from(draft.limits.max_images).unwrap_or(usize::MAX);
    if part.media.len() > most {
        let message = format!("{} pictures, at most {most}", part.media.len());
        problems.push(Problem::error(codes::MEDIA_TOO_MANY, Place::Post, message));
    }
    refused(problems)?;
    let mut plan = Plan::default();
    let pictures = plan.enclose(0, &part.media, draft.limits);
    let mut recipients = Settings::recipients(draft.account);
    if recipients.is_empty() {
        // Its settings are refused elsewhere.
        recipients.push(String::new());
    }
    for (number, to) in (0..=u16::MAX).zip(recipients) {
        let message = Message {
            id: draft.key("email message id", number),
            to,
            subject: draft.headline(SUBJECT),
            text: part.text.clone(),
            body: draft.long_form().map(str::to_owned),
            link: draft.link.clone(),
            tags: draft.tags.iter().map(|tag| one_line(&tag.replace(',', " "))).filter(|tag| !tag.is_empty()).collect(),
            languages: draft.languages.clone(),
            pictures: pictures.clone(),
        };
        plan.publish(number, &Enclosing::Publish(message));
    }
    Ok(plan)
}

/// Puts a mail together.
pub(super) fn freeze(
    step: &Step,
    progress: &Progress,
    settings: &Settings,
    at: DateTime<Utc>,
) -> Result<Frozen, Fault> {
    let message: Message = step.enclosing()?;
    let from = address_of(&settings.from).map_err(|why| Fault::refused(Refusal::Forbidden, why))?;
    let domain = from.rsplit_once('@').map_or("", |(_, domain)| domain);
    let cid = |number: u16| format!("p{number}.{}@{domain}", message.id);
    let sealed = progress.sealed(&message.pictures)?.into_iter().zip(1..);
    let pictures: Vec<Enclosed> = sealed.map(|(picture, number)| Enclosed { cid: cid(number), picture }).collect();
    let said = page::said(&message, &pictures, settings);
    let key = format!("{}@{domain}", message.id);
    let request = Request {
        id: message.id,
        from: settings.from.clone(),
        to: message.to,
        reply_to: settings.reply_to.clone(),
        subject: message.subject,
        at,
        unsubscribe: settings.unsubscribe.all().to_vec(),
        one_click: settings.one_click,
        list_id: settings.list_id.clone(),
        tags: message.tags,
        languages: message.languages,
        text: said.text,
        html: said.html,
        pictures,
    };
    let request = serde_json::to_value(request).map_err(|error| Fault::NotSent(error.to_string()))?;
    Ok(Frozen { part: step.part, key, request })
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use serde_json::json;

    use super::super::profile::PROFILE;
    use super::*;
    use crate::adapter::mail::Inline;
    use crate::adapter::suite::plans::{self, Gave, at, rehearse};
    use crate::adapter::{DraftPart, Limits, StepKind, thawed};
    use crate::model::{Account, LimitOverrides, MediaKind};

    fn account() -> Account {
        let mut account = plans::account("news", "email");
        account.server = Some("smtps://mail.acme.example".to_owned());
        let settings = json!({
            "from": "Acmé \"News\" <news@acme.example>",
            "to": ["a@lists.example", "Bé <b@lists.example>"],
            "reply_to": "team@acme.example",
            "user": "news",
            "unsubscribe": ["https://acme.example/leave?l=a&m=b", "mailto:leave@acme.example"],
            "list_id": "news.acme.example",
            "footer": "Acme <Ltd> & Co.\n1 Main Street",
        });
        account.settings.clone_from(settings.as_object().expect("a table"));
        account
    }

    fn draft<'a>(account: &'a Account, limits: &'a Limits, text: &str, media: &[(&str, &str)]) -> Draft<'a> {
        let media = media.iter().map(|(file, alt)| {
            let mut media = plans::file(file, MediaKind::Image, "image/png", 9, alt);
            media.facts.height = 2;
            media
        });
        plans::draft(account, limits, vec![DraftPart { media: media.collect(), ..plans::text(text) }])
    }

    fn limits() -> Limits {
        Limits::new(&PROFILE, &LimitOverrides::default())
    }

    /// Every mail of a plan, with pictures of three bytes.
    fn mails(account: &Account, plan: &Plan) -> Vec<(Frozen, String)> {
        let settings = account.read_settings().expect("settings");
        let mut mails = Vec::new();
        rehearse(plan, |step, progress| {
            if step.kind == StepKind::Prepare {
                return plans::sealed(step);
            }
            let frozen = freeze(step, progress, &settings, at()).expect("all is prepared");
            assert_eq!(frozen, freeze(step, progress, &settings, at()).expect("the same"));
            let request: Request = thawed(&frozen).expect("a request");
            let inline = |enclosed: &Enclosed| Inline {
                id: enclosed.cid.clone(),
                name: enclosed.picture.name.clone(),
                mime: "image/png".to_owned(),
                bytes: vec![1, 2, 3],
            };
            let letter = request.letter(request.pictures.iter().map(inline).collect());
            let key = frozen.key.clone();
            mails.push((frozen, letter.text()));
            Gave::Receipt(key, json!(null))
        });
        mails
    }

    #[test]
    fn a_nasty_newsletter() {
        let (account, limits) = (account(), limits());
        let media = [("img/a.png", "The \"new\" <dashboard>"), ("img/b.png", "The old one"), ("c.png", "")];
        let mut draft = draft(
            &account,
            &limits,
            "👩‍👩‍👧 مرحبا\r\nBcc: x@y.example\n\n.\n<b>https://acme.example/ä?x=1&y=2</b>",
            &media,
        );
        draft.title = Some("Acme 2.0 ist da\r\nBcc: victim@other.example\u{0} – Grüße 🎉".to_owned());
        draft.body = Some(
            "# Neu\n\nSee ![alt *of* it](./img/b.png) and ![far](https://other.example/x.png \"t\")\n\n<script>alert(1)</script>\n\n* one\n* [two](javascript:alert(1))\n"
                .to_owned(),
        );
        draft.link = Some("https://acme.example/2.0?utm_source=news&utm_medium=email".to_owned());
        draft.tags = vec!["release".to_owned(), "a, b\r\nX-Evil: 1".to_owned()];
        draft.languages = vec!["de".to_owned(), "en".to_owned()];
        let plan = plan(&draft).expect("a plan");
        assert_eq!(plan, super::plan(&draft).expect("the same plan"));
        let mails = mails(&account, &plan);
        assert_eq!(mails.len(), 2, "one for each list");
        assert_ne!(mails[0].0.key, mails[1].0.key);
        for (_, mail) in &mails {
            let (head, _) = mail.split_once("\n\n").expect("a head");
            let names: Vec<&str> = head
                .lines()
                .filter(|line| !line.starts_with(' '))
                .map(|line| line.split(':').next().unwrap_or_default())
                .collect();
            assert!(!names.contains(&"Bcc") && !names.contains(&"X-Evil"), "{head}");
        }
        insta::assert_json_snapshot!(plan);
        insta::assert_snapshot!(mails.iter().map(|(_, mail)| mail.as_str()).collect::<Vec<_>>().join("\n=====\n"));
    }

    #[test]
    fn nobody_unsubscribes_by_a_post_where_the_address_takes_none() {
        let (mut account, limits) = (account(), limits());
        let one_click = |account: &Account| {
            let plan = plan(&draft(account, &limits, "Hello", &[])).expect("a plan");
            mails(account, &plan)[0].1.contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click\n")
        };
        assert!(one_click(&account));
        account.settings.insert("one_click".to_owned(), false.into());
        assert!(!one_click(&account));
        account.settings.remove("one_click");
        account.settings.insert("unsubscribe".to_owned(), "mailto:leave@acme.example".into());
        assert!(!one_click(&account));
    }

    #[test]
    fn a_subject_is_the_title_or_the_first_line() {
        let (account, limits) = (account(), limits());
        let of = |text: &str, title: Option<&str>, body: Option<&str>| {
            let mut draft = draft(&account, &limits, text, &[("a.png", "A")]);
            draft.title = title.map(str::to_owned);
            draft.body = body.map(str::to_owned);
            draft.headline(SUBJECT)
        };
        assert_eq!(of("One\nTwo", Some(" The\n title "), None), "The title");
        assert_eq!(of("\n One \nTwo", Some("  "), None), "One");
        assert_eq!(of("", None, Some("# Three\n\nfour")), "Three four");
        assert!(of(&"word ".repeat(100), None, None).ends_with("word…"));
        assert_eq!(of("", None, None), "");
        let draft = draft(&account, &limits, "", &[("a.png", "A")]);
        assert_eq!(plan(&draft).expect_err("no subject")[0].code, codes::TITLE_REQUIRED);
    }

    #[test]
    fn more_pictures_than_a_mail_takes_are_not_planned() {
        let (account, limits) = (account(), limits());
        let names: Vec<String> = (0..11).map(|number| format!("{number}.png")).collect();
        let media: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "A")).collect();
        assert!(plan(&draft(&account, &limits, "Hello", &media[..10])).is_ok());
        assert_eq!(
            plan(&draft(&account, &limits, "Hello", &media)).expect_err("too many")[0].code,
            codes::MEDIA_TOO_MANY
        );
    }
}
