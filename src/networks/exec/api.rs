//! Runs the program.

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::adapter::{
    Api, Fault, Identity, Metrics, Outside, ProgramCall, ProgramEnd, Progress, Refusal, Reply, Sealed, Step, Verdict,
    thawed,
};
use crate::model::{Account, Frozen, LimitOverrides, Receipt};

use super::Settings;
use super::plan::{self, Call};
use super::profile::PROFILE;
use super::wire::{CREDENTIALS, ErrorBody, LATER, Looked, Published, REFUSED, VERSION, Who};

/// Longest id, in bytes, and longest name or message, in characters.
const LONGEST: usize = 500;

/// One account's connection.
pub(super) struct Client {
    account: String,
    settings: Settings,
    outside: Outside,
}

impl Client {
    pub(super) fn new(account: &Account, outside: Outside) -> Self {
        Self { account: account.name.to_string(), settings: Settings::of(account), outside }
    }

    fn now(&self) -> DateTime<Utc> {
        (self.outside.now)()
    }

    /// Its answer to an action. `irreversible`: what it does not say clearly may have been done.
    async fn ask<T: DeserializeOwned>(&self, action: &str, more: Value, irreversible: bool) -> Result<T, Fault> {
        let Some(programs) = &self.outside.programs else {
            return Err(Fault::NotSent("no program is run here".to_owned()));
        };
        let secret = match self.outside.secrets.secret("token").await {
            Ok(secret) => Some(secret),
            // Not every program needs one.
            Err(Fault::Refused { refusal: Refusal::Secret, .. }) => None,
            Err(fault) => return Err(fault),
        };
        let mut input = json!({"smm": VERSION, "action": action, "account": self.account});
        if let (Value::Object(input), Value::Object(more)) = (&mut input, more) {
            input.extend(more);
        }
        let call = ProgramCall {
            command: self.settings.command.clone(),
            input: format!("{input}\n"),
            variables: secret.iter().map(|secret| ("SMM_TOKEN", secret.clone())).collect(),
        };
        let secrets: Vec<SecretString> = secret.into_iter().collect();
        let told = |text: String| ProgramEnd::without(text, &secrets);
        let lost = |why: String| {
            let why = told(why);
            if irreversible { Fault::Unknown(why) } else { Fault::refused(Refusal::Busy, why) }
        };
        let end = programs.run(call).await.map_err(|fault| match fault {
            Fault::Unknown(why) => lost(why),
            other => other,
        })?;
        if end.status == Some(0) {
            return serde_json::from_slice(&end.output).map_err(|error| {
                lost(format!("the program's answer to `{action}` is not what was expected: {error}"))
            });
        }
        let body: ErrorBody = serde_json::from_slice(&end.output).unwrap_or_default();
        let said = body.error.as_deref().map(shortened).unwrap_or(end.said);
        let how = end.status.map_or_else(|| "a signal".to_owned(), |status| format!("exit status {status}"));
        let message = if said.is_empty() { format!("the program ended with {how}") } else { said };
        let retry_at = body.retry_after.map(|seconds| self.now() + TimeDelta::seconds(i64::from(seconds)));
        let refused = |refusal| Fault::Refused { refusal, message: told(message.clone()), retry_at };
        Err(match end.status {
            Some(REFUSED) => refused(Refusal::Invalid),
            Some(LATER) if retry_at.is_some() => refused(Refusal::RateLimited),
            Some(LATER) => refused(Refusal::Busy),
            Some(CREDENTIALS) => refused(Refusal::Credentials),
            _ => lost(message),
        })
    }

    fn receipt(&self, part: u16, published: &Published) -> Option<Receipt> {
        Receipt::told(part, &published.id, published.url.as_deref(), self.now())
    }
}

/// A text of the program's for people: on one line, without control characters, not longer than they read.
fn shortened(text: &str) -> String {
    let words: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

#[async_trait]
impl Api for Client {
    /// Where it sends to is the program's own business.
    async fn host(&self) -> Result<Option<String>, Fault> {
        Ok(None)
    }

    async fn whoami(&self) -> Result<Identity, Fault> {
        let who: Who = self.ask("whoami", json!({}), false).await?;
        if who.uid.is_empty() || who.uid.len() > LONGEST || who.uid.contains(char::is_control) {
            return Err(Fault::refused(Refusal::Busy, "the program does not say who the account is"));
        }
        let name = shortened(&who.name);
        let command = self.settings.command.first().map_or("", String::as_str);
        let program = Path::new(command).file_name().map_or(command.into(), |name| name.to_string_lossy());
        Ok(Identity {
            // What one program says is unique for that program alone.
            uid: format!("{program}:{}", who.uid),
            handle: if name.is_empty() { self.account.clone() } else { name },
            host: "program".to_owned(),
            limits: LimitOverrides::default(),
            repeat: Some(self.settings.repeat.safety()),
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
        _at: DateTime<Utc>,
    ) -> Result<Frozen, Fault> {
        plan::freeze(step, progress)
    }

    fn more_time(&self, frozen: &Frozen) -> Duration {
        thawed::<Call>(frozen).map_or(Duration::ZERO, |call| Sealed::time(&call.files))
    }

    async fn publish(&self, frozen: &Frozen) -> Result<Receipt, Fault> {
        let call: Call = thawed(frozen)?;
        let mut rendering = call.rendering;
        let mut media = Vec::new();
        for sealed in &call.files {
            let file = sealed.open(&*self.outside.media, &PROFILE).await?;
            media.push(json!({
                "name": file.name, "mime": file.facts.mime, "alt": sealed.enclosure.media.alt,
                "width": file.facts.width, "height": file.facts.height, "base64": STANDARD.encode(&file.bytes),
            }));
        }
        rendering["media"] = Value::Array(media);
        let published: Published = self.ask("publish", json!({"id": call.id, "rendering": rendering}), true).await?;
        self.receipt(frozen.part, &published)
            .ok_or_else(|| Fault::Unknown("the program published, but its answer has no id".to_owned()))
    }

    async fn reconcile(&self, frozen: &Frozen, started: DateTime<Utc>) -> Result<Verdict, Fault> {
        let call: Call = thawed(frozen)?;
        let more = json!({"id": call.id, "rendering": call.rendering, "started": started.to_rfc3339()});
        let looked: Looked = match self.ask("look-up", more, false).await {
            Err(Fault::Refused { refusal: Refusal::Invalid, message, .. }) => {
                return Ok(Verdict::CannotTell { why: message });
            }
            other => other?,
        };
        Ok(match looked.found {
            Some(None) => Verdict::NotDone,
            Some(Some(published)) => match self.receipt(frozen.part, &published) {
                Some(receipt) => Verdict::Done(receipt),
                None => Verdict::CannotTell { why: "what the program found has no id".to_owned() },
            },
            None => Verdict::CannotTell { why: "the program does not say what it found".to_owned() },
        })
    }

    async fn metrics(&self, _receipt: &Receipt) -> Result<Metrics, Fault> {
        Ok(Metrics::default())
    }

    async fn replies(&self, _receipt: &Receipt) -> Result<Vec<Reply>, Fault> {
        Err(Fault::refused(Refusal::Forbidden, "a program is not asked for answers"))
    }

    async fn delete(&self, receipt: &Receipt) -> Result<(), Fault> {
        let _: Value = self.ask("delete", json!({"id": receipt.id, "url": receipt.url}), false).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::adapter::suite::{MemoryFiles, outside};
    use crate::adapter::{Network as _, Programs};
    use crate::model::AccountName;
    use crate::networks::exec::Exec;

    /// Ends always the same way.
    struct Ends(Result<ProgramEnd, Fault>);

    #[async_trait]
    impl Programs for Ends {
        async fn run(&self, _call: ProgramCall) -> Result<ProgramEnd, Fault> {
            self.0.clone()
        }
    }

    fn api(end: Result<ProgramEnd, Fault>) -> Box<dyn Api> {
        let secrets = BTreeMap::from([("token", "a-long-secret".to_owned())]);
        let mut outside = outside(secrets, Arc::new(MemoryFiles::default()));
        outside.programs = Some(Arc::new(Ends(end)));
        let mut account = Account::new(AccountName::new("own"), "exec");
        account.settings.insert("command".to_owned(), json!(["publish"]));
        Exec.connect(&account, outside)
    }

    #[expect(clippy::unnecessary_wraps, reason = "it is what running a program gives")]
    fn ends(status: Option<i32>, output: &str) -> Result<ProgramEnd, Fault> {
        let said = "it said a-long-secret".to_owned();
        Ok(ProgramEnd { status, output: output.as_bytes().to_vec(), said })
    }

    fn frozen() -> Frozen {
        Frozen { part: 0, key: "k".to_owned(), request: json!({"id": "k", "rendering": {"text": "One"}}) }
    }

    #[tokio::test]
    async fn how_it_ends_is_what_it_means() {
        let publish = async |end| api(end).publish(&frozen()).await.expect_err("nothing was published");
        for (status, wanted) in [(65, Refusal::Invalid), (75, Refusal::Busy), (77, Refusal::Credentials)] {
            let fault = publish(ends(Some(status), "")).await;
            assert!(
                matches!(&fault, Fault::Refused { refusal, message, .. } if *refusal == wanted && message == "it said [secret]"),
                "{status}: {fault:?}"
            );
        }
        let fault = publish(ends(Some(75), r#"{"error": "later", "retry_after": 60}"#)).await;
        assert!(matches!(&fault, Fault::Refused { refusal: Refusal::RateLimited, retry_at: Some(_), .. }), "{fault:?}");
        let fault = publish(ends(Some(65), &json!({"error": "no\n".repeat(9000)}).to_string())).await;
        assert!(matches!(&fault, Fault::Refused { message, .. } if message.len() <= LONGEST), "{fault:?}");
        for unclear in [
            ends(Some(1), ""),
            ends(None, ""),
            ends(Some(0), ""),
            ends(Some(0), "{}"),
            ends(Some(0), r#"{"id": ""}"#),
            ends(Some(0), r#"{"id": "a\nb"}"#),
            Err(Fault::Unknown("it took too long".to_owned())),
        ] {
            let fault = publish(unclear).await;
            assert!(matches!(fault, Fault::Unknown(_)), "{fault:?}");
        }
        let fault = publish(Err(Fault::NotSent("not there".to_owned()))).await;
        assert!(matches!(fault, Fault::NotSent(_)), "{fault:?}");
    }

    #[tokio::test]
    async fn a_look_up_that_says_nothing_proves_nothing() {
        let look = async |output: &str| {
            api(ends(Some(0), output)).reconcile(&frozen(), "2026-12-01T09:00:00Z".parse().expect("a date")).await
        };
        assert_eq!(look(r#"{"found": null}"#).await, Ok(Verdict::NotDone));
        assert!(matches!(look(r#"{"found": {"id": "7"}}"#).await, Ok(Verdict::Done(receipt)) if receipt.id == "7"));
        assert!(matches!(look("{}").await, Ok(Verdict::CannotTell { .. })));
        let old = api(ends(Some(65), "")).reconcile(&frozen(), "2026-12-01T09:00:00Z".parse().expect("a date")).await;
        assert!(matches!(old, Ok(Verdict::CannotTell { .. })), "{old:?}");
    }

    #[tokio::test]
    async fn who_it_is_is_unique_for_its_program() {
        let who = api(ends(Some(0), r#"{"uid": "1"}"#)).whoami().await.expect("somebody");
        assert_eq!((who.uid.as_str(), who.handle.as_str()), ("publish:1", "own"));
        assert!(api(ends(Some(0), r#"{"uid": ""}"#)).whoami().await.is_err());
        let long = json!({"uid": "1", "name": format!("\u{1b}[2J{}", "x".repeat(9000))}).to_string();
        let who = api(ends(Some(0), &long)).whoami().await.expect("somebody");
        assert!(who.handle.chars().count() == LONGEST && !who.handle.contains('\u{1b}'), "{}", who.handle);
    }
}
