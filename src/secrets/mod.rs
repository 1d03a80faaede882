//! The chain of sources that secrets come from. The first source that has a secret wins.
//!
//! | source | where account `bsky`'s field `password` is |
//! |---|---|
//! | environment | `SMM_BSKY_PASSWORD` |
//! | systemd credential | `$CREDENTIALS_DIRECTORY/bsky.password` |
//!
//! A further source is one type that implements [`Source`] and one line in [`Chain::new`]. Nothing here reads the
//! environment: what it holds is handed in.

mod credentials;
mod environment;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use secrecy::SecretString;

use crate::adapter::{Fault, Refusal, Secrets};
use crate::model::AccountName;

use credentials::Credentials;
use environment::Environment;

/// One place that secrets may be kept in.
#[async_trait]
pub trait Source: Send + Sync {
    /// What it is called in listings: `environment`, `systemd credential`.
    fn name(&self) -> &'static str;

    /// Where exactly it looks for a secret, for people. Never the value.
    fn place(&self, account: &AccountName, field: &str) -> String;

    /// Reads a secret; `None` when it has none. `Err` says why one that is there cannot be read.
    async fn read(&self, account: &AccountName, field: &str) -> Result<Option<SecretString>, String>;
}

/// The sources, in the order in which they are asked. Cheap to clone; shows no value when debugged.
#[derive(Clone)]
pub struct Chain {
    sources: Arc<[Box<dyn Source>]>,
}

impl Chain {
    /// The usual sources: the environment, as `env` looks it up, then the folder of systemd's credentials, if there is one.
    pub fn new(env: impl Fn(&str) -> Option<String> + Send + Sync + 'static, credentials_dir: Option<PathBuf>) -> Self {
        let mut sources: Vec<Box<dyn Source>> = vec![Box::new(Environment::new(env))];
        sources.extend(credentials_dir.map(|folder| Box::new(Credentials::new(folder)) as Box<dyn Source>));
        Self { sources: sources.into() }
    }

    /// The secrets of one account, as its adapter may read them.
    pub fn account(&self, account: &AccountName) -> Arc<dyn Secrets> {
        let owner = format!("account `{account}`");
        Arc::new(NamedSecrets { chain: self.clone(), name: account.clone(), owner })
    }

    /// The secrets of a target of alerts: `SMM_ALERT_<NAME>_<FIELD>`. No account's name begins with `alert-`.
    pub fn alert(&self, target: &str) -> Arc<dyn Secrets> {
        let (name, owner) = (AccountName::new(format!("alert-{target}")), format!("alert `{target}`"));
        Arc::new(NamedSecrets { chain: self.clone(), name, owner })
    }

    /// A secret of the ledger's server, such as `SMM_LEDGER_PASSWORD`; `None`: no source has it. No account is called so.
    pub async fn ledger(&self, field: &str) -> Result<Option<SecretString>, String> {
        Ok(self.find(&AccountName::new("ledger"), field).await?.map(|(_, secret)| secret))
    }

    /// The name of the source that a secret comes from; `None`: no source has it.
    pub async fn origin(&self, account: &AccountName, field: &str) -> Result<Option<&'static str>, String> {
        Ok(self.find(account, field).await?.map(|(source, _)| source))
    }

    async fn find(&self, account: &AccountName, field: &str) -> Result<Option<(&'static str, SecretString)>, String> {
        for source in self.sources.iter() {
            if let Some(secret) = source.read(account, field).await? {
                return Ok(Some((source.name(), secret)));
            }
        }
        Ok(None)
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.sources.iter().map(|source| source.name())).finish()
    }
}

/// The chain, for one account or target of alerts.
struct NamedSecrets {
    chain: Chain,
    /// What places are named after.
    name: AccountName,
    /// What it is called in messages.
    owner: String,
}

#[async_trait]
impl Secrets for NamedSecrets {
    async fn secret(&self, field: &str) -> Result<SecretString, Fault> {
        match self.chain.find(&self.name, field).await {
            Ok(Some((_, secret))) => Ok(secret),
            Ok(None) => {
                let places: Vec<String> =
                    self.chain.sources.iter().map(|source| source.place(&self.name, field)).collect();
                let message =
                    format!("the {field} of {} is not there; looked for {}", self.owner, places.join(", then "));
                Err(Fault::refused(Refusal::Secret, message))
            }
            Err(message) => Err(Fault::refused(Refusal::Secret, message)),
        }
    }
}

/// A file's or variable's text as a secret: a line feed at the end is an editor's, not the secret's.
fn trimmed(text: &str) -> Option<SecretString> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    (!text.is_empty()).then(|| SecretString::from(text))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn chain(folder: Option<PathBuf>) -> Chain {
        let env = |name: &str| (name == "SMM_BSKY_TEAM_PASSWORD").then(|| "from-env\n".to_owned());
        Chain::new(env, folder)
    }

    async fn ask(chain: &Chain, account: &str, field: &str) -> Result<String, Fault> {
        let secrets = chain.account(&AccountName::new(account));
        secrets.secret(field).await.map(|secret| secret.expose_secret().to_owned())
    }

    #[tokio::test]
    async fn the_first_source_wins() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("bsky-team.password"), "from-file").expect("a file");
        std::fs::write(folder.path().join("fedi.token"), "tok en\r\n").expect("a file");
        let chain = chain(Some(folder.path().to_owned()));
        assert_eq!(ask(&chain, "bsky-team", "password").await.as_deref(), Ok("from-env"));
        assert_eq!(ask(&chain, "fedi", "token").await.as_deref(), Ok("tok en"));
        let origin = chain.origin(&AccountName::new("fedi"), "token").await;
        assert_eq!(origin, Ok(Some("systemd credential")));
    }

    #[tokio::test]
    async fn a_missing_secret_says_where_it_was_looked_for() {
        let missing = ask(&chain(Some("/run/credentials/smm".into())), "fedi", "token").await.expect_err("missing");
        assert!(matches!(missing, Fault::Refused { refusal: Refusal::Secret, .. }));
        let message = missing.to_string();
        assert!(message.contains("SMM_FEDI_TOKEN") && message.contains("/run/credentials/smm/fedi.token"), "{message}");
        let message = ask(&chain(None), "fedi", "token").await.expect_err("missing").to_string();
        assert!(message.ends_with("looked for SMM_FEDI_TOKEN"), "{message}");
    }

    #[tokio::test]
    async fn a_target_of_alerts_has_secrets_too() {
        let chain = Chain::new(|name| (name == "SMM_ALERT_ON_CALL_URL").then(|| "https://x".to_owned()), None);
        let url = chain.alert("on-call").secret("url").await;
        assert_eq!(url.map(|url| url.expose_secret().to_owned()), Ok("https://x".to_owned()));
        let message = chain.alert("mail").secret("url").await.expect_err("missing").to_string();
        assert_eq!(message, "the url of alert `mail` is not there; looked for SMM_ALERT_MAIL_URL");
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_said_and_no_value_is_shown() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("fedi.token")).expect("a folder in its place");
        let message = ask(&chain(Some(folder.path().to_owned())), "fedi", "token").await.expect_err("unreadable");
        assert!(message.to_string().contains("fedi.token"), "{message}");
        let chain = chain(None);
        assert_eq!(format!("{chain:?}"), r#"["environment"]"#);
    }
}
