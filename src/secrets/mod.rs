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
use crate::model::{Account, AccountName};

use credentials::Credentials;
use environment::Environment;

/// Whose secret it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Owner {
    /// What places are named after: an account's name, `alert-<target>`, `ledger`.
    pub name: AccountName,
    /// The network and the server that it is meant for, as set: what is kept for one is not handed out for another. Both
    /// empty: no account.
    pub network: String,
    /// The account's `server`; empty: none is set.
    pub server: String,
}

impl Owner {
    /// An account.
    pub fn account(account: &Account) -> Self {
        Self {
            name: account.name.clone(),
            network: account.network.clone(),
            server: account.server.clone().unwrap_or_default(),
        }
    }

    /// A target of alerts. No account's name begins with `alert-`.
    pub fn alert(target: &str) -> Self {
        Self::none(&format!("alert-{target}"))
    }

    /// The ledger's server. No account is called so.
    pub fn ledger() -> Self {
        Self::none("ledger")
    }

    fn none(name: &str) -> Self {
        Self { name: AccountName::new(name), network: String::new(), server: String::new() }
    }

    /// What it is called in messages.
    fn called(&self) -> String {
        match self.name.as_str().strip_prefix("alert-") {
            Some(target) if self.network.is_empty() => format!("alert `{target}`"),
            _ => format!("account `{}`", self.name),
        }
    }
}

/// One place that secrets may be kept in.
#[async_trait]
pub trait Source: Send + Sync {
    /// What it is called in listings: `environment`, `systemd credential`, `keyring`, `vault`.
    fn name(&self) -> &'static str;

    /// Where exactly it looks for a secret, for people. Never the value.
    fn place(&self, owner: &Owner, field: &str) -> String;

    /// Reads a secret; `None` when it has none. `Err` says why one that is there cannot be read.
    async fn read(&self, owner: &Owner, field: &str) -> Result<Option<SecretString>, String>;

    /// Keeps a secret, durably, in the place of what was there. By default it is not a place to keep anything in.
    async fn store(&self, owner: &Owner, field: &str, secret: &SecretString) -> Result<(), String> {
        let _ = (owner, field, secret);
        Err(format!("nothing can be stored in the {}", self.name()))
    }

    /// Forgets a secret. `false`: there was none.
    async fn remove(&self, owner: &Owner, field: &str) -> Result<bool, String> {
        let _ = (owner, field);
        Ok(false)
    }

    /// Whether [`Source::store`] can work here.
    fn is_store(&self) -> bool {
        false
    }
}

/// A secret, and where it was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// The secret.
    pub secret: SecretString,
    /// The name of the source that it is from.
    pub source: &'static str,
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

    /// Other sources than the usual ones, in this order.
    pub fn of_sources(sources: Vec<Box<dyn Source>>) -> Self {
        Self { sources: sources.into() }
    }

    /// The secrets of one owner, as an adapter may read them.
    pub fn of(&self, owner: Owner) -> Arc<dyn Secrets> {
        Arc::new(OwnedSecrets { chain: self.clone(), owner })
    }

    /// Reads a secret from the first source that has it. `None`: none has.
    pub async fn read(&self, owner: &Owner, field: &str) -> Result<Option<Found>, String> {
        for source in self.sources.iter() {
            if let Some(secret) = source.read(owner, field).await? {
                return Ok(Some(Found { secret, source: source.name() }));
            }
        }
        Ok(None)
    }

    /// Reads a secret from the first store that has it, whatever the sources before it have.
    pub async fn stored(&self, owner: &Owner, field: &str) -> Result<Option<Found>, String> {
        for source in self.sources.iter().filter(|source| source.is_store()) {
            if let Some(secret) = source.read(owner, field).await? {
                return Ok(Some(Found { secret, source: source.name() }));
            }
        }
        Ok(None)
    }

    /// Whether secrets can be kept in the source of this name.
    pub fn is_store(&self, source: &str) -> bool {
        self.sources.iter().any(|known| known.name() == source && known.is_store())
    }

    /// Keeps a secret: in the source of this name, or in the first that can. Gives the source's name. It is durable then.
    pub async fn store(
        &self,
        owner: &Owner,
        field: &str,
        secret: &SecretString,
        into: Option<&str>,
    ) -> Result<&'static str, String> {
        let mut refusals = Vec::new();
        let stores = self.sources.iter().filter(|source| source.is_store());
        for source in stores.filter(|source| into.is_none_or(|name| name == source.name())) {
            match source.store(owner, field, secret).await {
                Ok(()) => return Ok(source.name()),
                Err(why) => refusals.push(why),
            }
        }
        if refusals.is_empty() {
            refusals.push("there is no place to keep a secret in".to_owned());
        }
        Err(refusals.join("; "))
    }

    /// Forgets a secret wherever it is stored. Gives the names of the sources that had it.
    pub async fn remove(&self, owner: &Owner, field: &str) -> Result<Vec<&'static str>, String> {
        let mut had = Vec::new();
        for source in self.sources.iter().filter(|source| source.is_store()) {
            if source.remove(owner, field).await? {
                had.push(source.name());
            }
        }
        Ok(had)
    }

    /// Where a secret is looked for, in order, for people.
    pub fn places(&self, owner: &Owner, field: &str) -> Vec<String> {
        self.sources.iter().map(|source| source.place(owner, field)).collect()
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.sources.iter().map(|source| source.name())).finish()
    }
}

/// The chain, for one owner.
struct OwnedSecrets {
    chain: Chain,
    owner: Owner,
}

#[async_trait]
impl Secrets for OwnedSecrets {
    async fn secret(&self, field: &str) -> Result<SecretString, Fault> {
        match self.chain.read(&self.owner, field).await {
            Ok(Some(found)) => Ok(found.secret),
            Ok(None) => {
                let places = self.chain.places(&self.owner, field).join(", then ");
                let message = format!("the {field} of {} is not there; looked for {places}", self.owner.called());
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
        let secrets = chain.of(Owner::account(&Account::new(AccountName::new(account), "some")));
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
        let fedi = Owner::account(&Account::new(AccountName::new("fedi"), "some"));
        let found = chain.read(&fedi, "token").await.expect("readable").expect("there");
        assert_eq!(found.source, "systemd credential");
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
        let url = chain.of(Owner::alert("on-call")).secret("url").await;
        assert_eq!(url.map(|url| url.expose_secret().to_owned()), Ok("https://x".to_owned()));
        let message = chain.of(Owner::alert("mail")).secret("url").await.expect_err("missing").to_string();
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
