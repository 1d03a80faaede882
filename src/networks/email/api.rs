//! Sends the mails of one account.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::adapter::mail::{Inline, MailServer, address_of};
use crate::adapter::{Api, Fault, Identity, Metrics, Outside, Progress, Refusal, Reply, Step, Verdict, thawed};
use crate::model::{Account, Frozen, LimitOverrides, Receipt};

use super::Settings;
use super::plan;
use super::profile::PROFILE;
use super::wire::{Enclosed, Request};

/// One account's way to its mail server.
pub(super) struct Post {
    account: String,
    server: Option<String>,
    settings: Result<Settings, String>,
    outside: Outside,
}

impl Post {
    pub(super) fn new(account: &Account, outside: Outside) -> Self {
        let settings = account.read_settings::<Settings>();
        let settings = settings.and_then(|settings| match settings.problems().into_iter().next() {
            Some((key, what, _)) => Err(format!("`{key}`: {what}")),
            None => Ok(settings),
        });
        Self { account: account.name.as_str().to_owned(), server: account.server.clone(), settings, outside }
    }

    fn settings(&self) -> Result<&Settings, Fault> {
        self.settings.as_ref().map_err(|error| {
            Fault::refused(Refusal::Forbidden, format!("the settings of account `{}`: {error}", self.account))
        })
    }

    fn address(&self) -> Result<MailServer, Fault> {
        let server = self.server.as_deref().ok_or_else(|| Fault::NotSent("the account has no `server`".to_owned()))?;
        MailServer::parse(server).map_err(Fault::NotSent)
    }

    /// The server, signed in to where the account has a user.
    async fn server(&self) -> Result<MailServer, Fault> {
        let server = self.address()?;
        match &self.settings()?.user {
            Some(user) => Ok(server.with_login(user, self.outside.secrets.secret("password").await?)),
            None => Ok(server),
        }
    }

    /// The pictures of a mail, which have to be those that it was frozen with.
    async fn pictures(&self, request: &Request) -> Result<Vec<Inline>, Fault> {
        let mut pictures = Vec::new();
        for Enclosed { cid, picture } in &request.pictures {
            let file = picture.open(&*self.outside.media, &PROFILE).await?;
            pictures.push(Inline {
                id: cid.clone(),
                name: file.plain_name(),
                mime: file.facts.mime,
                bytes: file.bytes,
            });
        }
        Ok(pictures)
    }
}

#[async_trait]
impl Api for Post {
    async fn host(&self) -> Result<Option<String>, Fault> {
        Ok(Some(self.address()?.origin()))
    }

    async fn whoami(&self) -> Result<Identity, Fault> {
        let settings = self.settings()?;
        let from = address_of(&settings.from).map_err(Fault::NotSent)?;
        let to = settings.to.all().iter().map(|to| address_of(to)).collect::<Result<Vec<_>, _>>();
        let mut to = to.map_err(Fault::NotSent)?;
        to.sort_unstable();
        let server = self.server().await?;
        self.outside.mail.greet(&server).await?;
        Ok(Identity {
            // Who writes to whom: two accounts of one sender with a list each are two, and both get a post.
            uid: format!("{from}>{}", to.join(",")).to_lowercase(),
            handle: from,
            host: server.origin(),
            limits: LimitOverrides::default(),
            repeat: None,
        })
    }

    async fn prepare(&self, step: &Step, _progress: &Progress) -> Result<Value, Fault> {
        step.seal(&*self.outside.media, &PROFILE).await
    }

    fn freeze(
        &self,
        step: &Step,
        progress: &Progress,
        _identity: &Identity,
        at: DateTime<Utc>,
    ) -> Result<Frozen, Fault> {
        plan::freeze(step, progress, self.settings()?, at)
    }

    async fn publish(&self, frozen: &Frozen) -> Result<Receipt, Fault> {
        let request: Request = thawed(frozen)?;
        let letter = request.letter(self.pictures(&request).await?);
        let id = letter.message_id().map_err(|why| Fault::refused(Refusal::Invalid, why))?;
        let server = self.server().await?;
        let answer = self.outside.mail.send(&server, &letter).await.map_err(|fault| match fault {
            Fault::Unknown(why) => {
                Fault::Unknown(format!("{why}; look for the mail <{id}> to {} before it is sent again", request.to))
            }
            other => other,
        })?;
        let data = serde_json::json!({ "to": request.to, "answer": answer });
        Ok(Receipt { part: frozen.part, id, url: None, at: (self.outside.now)(), data })
    }

    async fn reconcile(&self, frozen: &Frozen, _started: DateTime<Utc>) -> Result<Verdict, Fault> {
        let why = format!("mail cannot be looked up; look for <{}> in the list's archive or a mailbox", frozen.key);
        Ok(Verdict::CannotTell { why })
    }

    async fn metrics(&self, _receipt: &Receipt) -> Result<Metrics, Fault> {
        // Nobody is followed: no link and no picture tells who reads.
        Ok(Metrics::default())
    }

    async fn replies(&self, _receipt: &Receipt) -> Result<Vec<Reply>, Fault> {
        Ok(Vec::new())
    }

    async fn delete(&self, _receipt: &Receipt) -> Result<(), Fault> {
        Err(Fault::refused(Refusal::Forbidden, "a mail that was sent cannot be taken back"))
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use super::*;
    use crate::adapter::suite::{Fake, MailStage, MailTrouble};
    use crate::adapter::{Draft, DraftMedia, DraftPart, Limits, Network, StepKind};
    use crate::model::{AccountName, CalendarName, DeliveryId, MediaFacts, MediaKind, OccurrenceName, Prepared};
    use crate::networks::email::Email;
    use crate::networks::email::fake::FakeMail;

    fn now() -> DateTime<Utc> {
        "2026-12-01T09:00:00Z".parse().expect("a date")
    }

    /// Everything of a post with two pictures up to its intents.
    async fn frozen(account: &Account, api: &dyn Api) -> Vec<Frozen> {
        let facts = MediaFacts { kind: MediaKind::Image, mime: "image/png".to_owned(), bytes: 1, width: 1, height: 1 };
        let media = ["a.png", "b.png"].map(|file| DraftMedia {
            file: file.to_owned(),
            alt: format!("Alt of {file}"),
            facts: facts.clone(),
        });
        let limits = Limits::new(&PROFILE, &account.limits);
        let delivery =
            DeliveryId::derive(&CalendarName::new("acme"), &OccurrenceName::new("x"), &AccountName::new("news"));
        let part = DraftPart { text: "Hello".to_owned(), media: media.to_vec() };
        let mut draft = Draft::new(delivery, account, &limits, vec![part]);
        draft.body = Some("Here: ![](b.png)".to_owned());
        let plan = Email.plan(&draft).expect("a plan");
        let identity = api.whoami().await.expect("who");
        let mut progress = Progress::default();
        for step in plan.steps.iter().filter(|step| step.kind == StepKind::Prepare) {
            let value = api.prepare(step, &progress).await.expect("prepared");
            progress.prepared.push(Prepared { step: step.index, value, at: now() });
        }
        (0..plan.parts())
            .map(|part| {
                api.freeze(plan.publish_step(part).expect("a step"), &progress, &identity, now()).expect("frozen")
            })
            .collect()
    }

    #[tokio::test]
    async fn one_mail_for_each_list() {
        let fake = FakeMail::start().await;
        let mut account = fake.account();
        account.settings.insert("to".to_owned(), serde_json::json!(["B <b@lists.example>", "a@lists.example"]));
        let api = Email.connect(&account, fake.outside());
        let who = api.whoami().await.expect("who");
        assert!(who.uid.ends_with(">a@lists.example,b@lists.example"), "{}", who.uid);
        assert_eq!(Some(who.host), api.host().await.expect("a host"));
        let frozen = frozen(&account, &*api).await;
        assert_eq!(frozen.len(), 2);
        for frozen in &frozen {
            let receipt = api.publish(frozen).await.expect("sent");
            assert_eq!((receipt.id.as_str(), receipt.part), (frozen.key.as_str(), frozen.part));
        }
        let mails = fake.front().mails();
        assert_eq!(
            mails.iter().map(|mail| mail.to.join(",")).collect::<Vec<_>>(),
            ["b@lists.example", "a@lists.example"]
        );
        let posts = fake.posts().await;
        assert_eq!(posts[0].alts, ["Alt of b.png", "Alt of a.png"], "where they stand in the body comes first");
        assert!(posts[0].text.starts_with("Hello\n\nHere: [Alt of b.png]"), "{}", posts[0].text);
        let mail = &mails[0].text;
        for line in [
            "To: B <b@lists.example>\r\n",
            "List-Unsubscribe: <https://acme.example/leave>\r\n",
            "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n",
            "Date: Tue, 01 Dec 2026 09:00:00 +0000\r\n",
        ] {
            assert!(mail.contains(line), "{line} is not in\n{mail}");
        }
        assert_eq!(mail.matches("Content-ID: <p").count(), 2);
    }

    #[tokio::test]
    async fn a_picture_that_was_changed_is_not_sent() {
        let fake = FakeMail::start().await;
        let account = fake.account();
        let api = Email.connect(&account, fake.outside());
        let mut frozen = frozen(&account, &*api).await.remove(0);
        frozen.request["pictures"][0]["picture"]["hash"] = "0".into();
        let fault = api.publish(&frozen).await.expect_err("changed");
        assert!(
            matches!(&fault, Fault::Refused { refusal: Refusal::Invalid, message, .. } if message.contains("changed")),
            "{fault:?}"
        );
        assert!(fake.front().mails().is_empty());
    }

    #[tokio::test]
    async fn an_unknown_outcome_names_the_mail_to_look_for() {
        let fake = FakeMail::start().await;
        let account = fake.account();
        let api = Email.connect(&account, fake.outside());
        let frozen = frozen(&account, &*api).await.remove(0);
        fake.front().trouble(MailStage::End, MailTrouble::TakeAndDrop);
        let fault = api.publish(&frozen).await.expect_err("the answer was lost");
        assert!(matches!(&fault, Fault::Unknown(why) if why.contains(&frozen.key)), "{fault:?}");
        let verdict = api.reconcile(&frozen, now()).await.expect("a verdict");
        assert!(matches!(&verdict, Verdict::CannotTell { why } if why.contains(&frozen.key)), "{verdict:?}");
        assert!(fake.front().mails()[0].text.contains(&format!("Message-ID: <{}>\r\n", frozen.key)));
    }

    #[tokio::test]
    async fn who_signs_in_is_a_setting() {
        let fake = FakeMail::start().await;
        let account = fake.account();
        let api = Email.connect(&account, fake.outside());
        fake.change_secret();
        let fault = api.whoami().await.expect_err("changed");
        assert!(matches!(fault, Fault::Refused { refusal: Refusal::Credentials, .. }), "{fault:?}");
        let mut nobody = account.clone();
        nobody.settings.remove("user");
        let before = fake.front().said().len();
        Email.connect(&nobody, fake.outside()).whoami().await.expect("nobody signs in");
        assert!(!fake.front().said()[before..].iter().any(|line| line.starts_with("AUTH")));
        let mut wrong = account.clone();
        wrong.settings.insert("from".to_owned(), "nobody".into());
        let fault = Email.connect(&wrong, fake.outside()).whoami().await.expect_err("no address");
        assert!(fault.to_string().contains("`from`"), "{fault}");
    }
}
