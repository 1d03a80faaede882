//! The chain of sources that secrets come from. The first source that has a secret wins.
//!
//! | source | where account `bsky`'s field `password` is |
//! |---|---|
//! | environment | `SMM_BSKY_PASSWORD` |
//! | systemd credential | `$CREDENTIALS_DIRECTORY/bsky.password` |
//! | keyring | service `smm`, user `bsky.password@bluesky` and the server where one is set |
//! | vault | the sealed file `vault` in the state folder |
//!
//! Secrets may be kept in the last two. One is in one of them alone: keeping it in one takes it out of the other. Where
//! the keyring could not be asked, what went to the vault is from then on asked there first, so that an older one that
//! the keyring may have is not taken for it.
//!
//! A further source is one type that implements [`Source`] and one line in [`Chain::usual`]. Nothing here reads the
//! environment: what it holds is handed in.

mod credentials;
mod environment;
#[cfg(feature = "keyring")]
mod keyring;
mod memory;
mod vault;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use secrecy::SecretString;

use crate::adapter::{Fault, Refusal, Secrets};
use crate::model::{Account, AccountName};

pub use memory::keep_in_memory;

use credentials::Credentials;
use environment::Environment;
use vault::Vault;

/// How a variable of the environment is looked up.
type Lookup = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Whose secret it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Owner {
    /// What places are named after: an account's name, `alert-<target>`, `ledger`, `media-host`.
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

    /// Where media lie for networks that fetch them. No account is called so.
    pub fn media_host() -> Self {
        Self::none("media-host")
    }

    fn none(name: &str) -> Self {
        Self { name: AccountName::new(name), network: String::new(), server: String::new() }
    }

    /// What it is called in messages.
    fn called(&self) -> String {
        match self.name.as_str().strip_prefix("alert-") {
            Some(target) if self.network.is_empty() => format!("alert `{target}`"),
            None if *self == Self::media_host() => "the media host".to_owned(),
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

    /// Reads a secret; `None` when it has none. `Err` says why one that is there cannot be read, or why it cannot be told
    /// whether one is there.
    async fn read(&self, owner: &Owner, field: &str) -> Result<Option<SecretString>, String>;

    /// Keeps a secret, durably, in the place of what was there. By default it is not a place to keep anything in.
    async fn store(&self, owner: &Owner, field: &str, secret: &SecretString) -> Result<(), String> {
        let _ = (owner, field, secret);
        Err(format!("nothing can be stored in the {}", self.name()))
    }

    /// As [`Source::store`], for a secret that a store before this one refused: [`Source::read_first`] then finds it.
    async fn store_first(&self, owner: &Owner, field: &str, secret: &SecretString) -> Result<(), String> {
        self.store(owner, field, secret).await
    }

    /// Reads a secret that is asked for here before any other store is: one that [`Source::store_first`] kept.
    async fn read_first(&self, owner: &Owner, field: &str) -> Result<Option<SecretString>, String> {
        let _ = (owner, field);
        Ok(None)
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

    /// Whether [`Source::store`] would work now, without storing anything. `Err` says why not.
    async fn ready(&self, owner: &Owner) -> Result<(), String> {
        // Whoever can be asked can be told.
        self.read(owner, "ready").await?;
        self.absent().map_or(Ok(()), Err)
    }

    /// Why there is no such source on this machine, once that was seen when it was asked; it has nothing then.
    fn absent(&self) -> Option<String> {
        None
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
    watch: Option<Watch>,
}

/// Who is told of each secret that is read or kept, with the name of its source.
type Watch = Arc<dyn Fn(&'static str, &SecretString) + Send + Sync>;

impl Chain {
    /// The sources that an operator fills: the environment, as `env` looks it up, then the folder of systemd's
    /// credentials, if there is one. Nothing can be kept in them.
    pub fn new(env: impl Fn(&str) -> Option<String> + Send + Sync + 'static, credentials_dir: Option<PathBuf>) -> Self {
        Self { sources: given(Arc::new(env), credentials_dir).into(), watch: None }
    }

    /// All sources: those of [`Chain::new`], then the system's keyring (unless the variable `SMM_KEYRING` is `off`), then
    /// the vault in the state folder, if there is one. Nothing is opened or asked before a secret is.
    pub fn usual(
        env: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
        credentials_dir: Option<PathBuf>,
        state: Option<&Path>,
    ) -> Self {
        let env: Lookup = Arc::new(env);
        let mut sources = given(Arc::clone(&env), credentials_dir.clone());
        #[cfg(feature = "keyring")]
        if env("SMM_KEYRING").as_deref() != Some("off") {
            sources.push(Box::new(keyring::Keyring::system()));
        }
        if let Some(state) = state {
            sources.push(Box::new(Vault::new(state, env, credentials_dir)));
        }
        Self { sources: sources.into(), watch: None }
    }

    /// Other sources than the usual ones, in this order.
    pub fn of_sources(sources: Vec<Box<dyn Source>>) -> Self {
        Self { sources: sources.into(), watch: None }
    }

    /// The same sources; `watch` is told of each secret that is read or kept, with the name of its source, before whoever
    /// asked has it.
    #[must_use]
    pub fn watched(mut self, watch: impl Fn(&'static str, &SecretString) + Send + Sync + 'static) -> Self {
        self.watch = Some(Arc::new(watch));
        self
    }

    fn seen(&self, found: Found) -> Found {
        if let Some(watch) = &self.watch {
            watch(found.source, &found.secret);
        }
        found
    }

    /// The secrets of one owner, as an adapter may read them.
    pub fn of(&self, owner: Owner) -> Arc<dyn Secrets> {
        Arc::new(OwnedSecrets { chain: self.clone(), owner })
    }

    /// Reads a secret from the first source that has it. `None`: none has.
    ///
    /// A store that cannot be asked (locked, hung, without its key) is no mistake while another source has the secret;
    /// when none has, `Err` says why it could not be.
    pub async fn read(&self, owner: &Owner, field: &str) -> Result<Option<Found>, String> {
        // What an operator has put there and cannot be read is told: another one is not what was meant.
        for source in self.sources.iter().filter(|source| !source.is_store()) {
            if let Some(secret) = source.read(owner, field).await? {
                return Ok(Some(self.seen(Found { secret, source: source.name() })));
            }
        }
        self.stored(owner, field).await
    }

    /// Reads a secret from the stores as [`Chain::read`] does, whatever the sources before them have.
    pub async fn stored(&self, owner: &Owner, field: &str) -> Result<Option<Found>, String> {
        if let Some(found) = self.read_first(owner, field).await {
            return Ok(Some(self.seen(found)));
        }
        let mut unasked = Vec::new();
        for source in self.stores() {
            let name = source.name();
            match source.read(owner, field).await {
                Ok(Some(secret)) => return Ok(Some(self.seen(Found { secret, source: name }))),
                Ok(None) => {}
                Err(why) => {
                    tracing::debug!("the {field} of {} cannot be read from the {name}: {why}", owner.called());
                    unasked.push(why);
                }
            }
        }
        if unasked.is_empty() { Ok(None) } else { Err(unasked.join("; ")) }
    }

    /// Whether secrets can be kept in the source of this name.
    pub fn is_store(&self, source: &str) -> bool {
        self.stores().any(|known| known.name() == source)
    }

    fn stores(&self) -> impl Iterator<Item = &dyn Source> {
        self.sources.iter().map(|source| &**source).filter(|source| source.is_store())
    }

    async fn read_first(&self, owner: &Owner, field: &str) -> Option<Found> {
        for source in self.stores() {
            // Why not, is seen when its turn comes.
            if let Ok(Some(secret)) = source.read_first(owner, field).await {
                return Some(Found { secret, source: source.name() });
            }
        }
        None
    }

    /// Keeps a secret: in the source of this name, or in the first that can. Gives the source's name. It is durable then,
    /// and in no other store.
    pub async fn store(
        &self,
        owner: &Owner,
        field: &str,
        secret: &SecretString,
        into: Option<&str>,
    ) -> Result<&'static str, String> {
        let mut refusals = Vec::new();
        let mut passed_over = Vec::new();
        for source in self.stores() {
            let name = source.name();
            if into.is_some_and(|into| into != name) {
                passed_over.push(None);
                continue;
            }
            let kept = if passed_over.is_empty() {
                source.store(owner, field, secret).await
            } else {
                source.store_first(owner, field, secret).await
            };
            let Err(why) = kept else {
                self.seen(Found { secret: secret.clone(), source: name });
                let refused = |other: &str| passed_over.iter().flatten().any(|name| *name == other);
                for other in self.stores().filter(|other| other.name() != name && !refused(other.name())) {
                    self.take_out_older(other, owner, field, name).await?;
                }
                return Ok(name);
            };
            refusals.push(why);
            passed_over.push(Some(name));
        }
        if refusals.is_empty() {
            refusals.push(match into {
                Some(name) => format!("nothing can be kept in the {name}"),
                None => "there is no place to keep a secret in: there is no folder of state".to_owned(),
            });
        }
        Err(refusals.join("; "))
    }

    /// Takes what may be left in `source` out of it, since a newer secret was kept in the store `kept`.
    async fn take_out_older(&self, source: &dyn Source, owner: &Owner, field: &str, kept: &str) -> Result<(), String> {
        let Err(why) = source.remove(owner, field).await else { return Ok(()) };
        let name = source.name();
        if self.read_first(owner, field).await.is_some_and(|found| found.source == kept) {
            tracing::debug!(
                "an older {field} of {} may be left in the {name}, which is asked later: {why}",
                owner.called()
            );
            return Ok(());
        }
        Err(format!(
            "the {field} was kept in the {kept}, but an older one is left in the {name}, which may be found: {why}"
        ))
    }

    /// Forgets a secret wherever it is stored. Gives the names of the sources that had it. `Err`: one of them could not be
    /// asked; it is forgotten in the others.
    pub async fn remove(&self, owner: &Owner, field: &str) -> Result<Vec<&'static str>, String> {
        let (mut had, mut unasked) = (Vec::new(), Vec::new());
        for source in self.stores() {
            match source.remove(owner, field).await {
                Ok(true) => had.push(source.name()),
                Ok(false) => {}
                Err(why) => unasked.push(why),
            }
        }
        if unasked.is_empty() { Ok(had) } else { Err(unasked.join("; ")) }
    }

    /// Whether [`Chain::store`] would find a place now, without storing anything. `Err` says why not.
    pub async fn can_store(&self, owner: &Owner, into: Option<&str>) -> Result<(), String> {
        let mut refusals = Vec::new();
        for source in self.stores().filter(|source| into.is_none_or(|name| name == source.name())) {
            match source.ready(owner).await {
                Ok(()) => return Ok(()),
                Err(why) => refusals.push(why),
            }
        }
        if refusals.is_empty() {
            refusals.push("there is no place to keep a secret in".to_owned());
        }
        Err(refusals.join("; "))
    }

    /// Where the source of this name looks for a secret, for people.
    pub fn place(&self, owner: &Owner, field: &str, source: &str) -> Option<String> {
        self.sources.iter().find(|known| known.name() == source).map(|known| known.place(owner, field))
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

/// The sources that an operator fills.
fn given(env: Lookup, credentials_dir: Option<PathBuf>) -> Vec<Box<dyn Source>> {
    let mut sources: Vec<Box<dyn Source>> = vec![Box::new(Environment::new(env))];
    sources.extend(credentials_dir.map(|folder| Box::new(Credentials::new(folder)) as Box<dyn Source>));
    sources
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
                let mut message = format!("the {field} of {} is not there; looked for {places}", self.owner.called());
                for why in self.chain.sources.iter().filter_map(|source| source.absent()) {
                    message = format!("{message}; {why}");
                }
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

    /// A store that refuses all while `locked`.
    #[derive(Default)]
    struct Fake {
        locked: std::sync::atomic::AtomicBool,
        kept: std::sync::Mutex<Option<String>>,
    }

    struct FakeKeyring(Arc<Fake>);

    impl FakeKeyring {
        fn pass(&self) -> Result<std::sync::MutexGuard<'_, Option<String>>, String> {
            if self.0.locked.load(std::sync::atomic::Ordering::Relaxed) {
                return Err("the keyring is locked".to_owned());
            }
            Ok(self.0.kept.lock().expect("no panic"))
        }
    }

    #[async_trait]
    impl Source for FakeKeyring {
        fn name(&self) -> &'static str {
            "keyring"
        }

        fn place(&self, _owner: &Owner, _field: &str) -> String {
            "the keyring".to_owned()
        }

        async fn read(&self, _owner: &Owner, _field: &str) -> Result<Option<SecretString>, String> {
            Ok(self.pass()?.as_deref().map(SecretString::from))
        }

        async fn store(&self, _owner: &Owner, _field: &str, secret: &SecretString) -> Result<(), String> {
            *self.pass()? = Some(secret.expose_secret().to_owned());
            Ok(())
        }

        async fn remove(&self, _owner: &Owner, _field: &str) -> Result<bool, String> {
            Ok(self.pass()?.take().is_some())
        }

        fn is_store(&self) -> bool {
            true
        }
    }

    /// A keyring and a vault; whether the vault has its key is `with_key`'s to say.
    fn stores(state: &Path, with_key: bool) -> (Chain, Arc<Fake>) {
        let fake = Arc::new(Fake::default());
        let env = Arc::new(move |name: &str| (with_key && name == "SMM_VAULT_KEY").then(|| "0".repeat(64)));
        let sources: Vec<Box<dyn Source>> =
            vec![Box::new(FakeKeyring(Arc::clone(&fake))), Box::new(Vault::new(state, env, None))];
        (Chain { sources: sources.into(), watch: None }, fake)
    }

    async fn found(chain: &Chain, owner: &Owner) -> Result<Option<(String, &'static str)>, String> {
        let found = chain.read(owner, "token").await?;
        Ok(found.map(|found| (found.secret.expose_secret().to_owned(), found.source)))
    }

    #[tokio::test]
    async fn a_secret_is_in_one_store_and_the_newest_is_found() {
        let state = tempfile::tempdir().expect("a folder");
        let (chain, keyring) = stores(&state.path().join("smm"), true);
        let lock = |locked| keyring.locked.store(locked, std::sync::atomic::Ordering::Relaxed);
        let owner = Owner::account(&Account::new(AccountName::new("fedi"), "some"));
        assert_eq!(chain.store(&owner, "token", &"first".into(), None).await, Ok("keyring"));
        assert_eq!(found(&chain, &owner).await, Ok(Some(("first".to_owned(), "keyring"))));

        // Locked, the second goes to the vault; unlocked again, the first is not taken for it.
        lock(true);
        assert_eq!(chain.store(&owner, "token", &"second".into(), None).await, Ok("vault"));
        assert_eq!(found(&chain, &owner).await, Ok(Some(("second".to_owned(), "vault"))));
        lock(false);
        assert_eq!(found(&chain, &owner).await, Ok(Some(("second".to_owned(), "vault"))));

        // Kept in the keyring again, it is in the vault no more; and the other way round.
        assert_eq!(chain.store(&owner, "token", &"third".into(), Some("keyring")).await, Ok("keyring"));
        assert_eq!(found(&chain, &owner).await, Ok(Some(("third".to_owned(), "keyring"))));
        assert_eq!(chain.store(&owner, "token", &"fourth".into(), Some("vault")).await, Ok("vault"));
        assert_eq!(*keyring.kept.lock().expect("no panic"), None);
        assert_eq!(found(&chain, &owner).await, Ok(Some(("fourth".to_owned(), "vault"))));

        assert_eq!(chain.remove(&owner, "token").await, Ok(vec!["vault"]));
        assert_eq!(found(&chain, &owner).await, Ok(None));
        let why = chain.store(&owner, "token", &"x".into(), Some("environment")).await.expect_err("not a store");
        assert_eq!(why, "nothing can be kept in the environment");
    }

    #[tokio::test]
    async fn a_place_is_found_before_it_is_needed() {
        let state = tempfile::tempdir().expect("a folder");
        let owner = Owner::ledger();
        let (chain, keyring) = stores(state.path(), false);
        assert_eq!(chain.can_store(&owner, None).await, Ok(()));
        let why = chain.can_store(&owner, Some("vault")).await.expect_err("it has no key");
        assert!(why.contains("has no key"), "{why}");
        keyring.locked.store(true, std::sync::atomic::Ordering::Relaxed);
        let why = chain.can_store(&owner, None).await.expect_err("nowhere");
        assert!(why.starts_with("the keyring is locked; ") && why.contains("has no key"), "{why}");
        assert_eq!(stores(state.path(), true).0.can_store(&owner, Some("vault")).await, Ok(()));
        assert!(chain.can_store(&owner, Some("environment")).await.is_err());
        assert!(!state.path().join("vault").exists(), "nothing was stored");
    }

    #[tokio::test]
    async fn a_store_that_cannot_be_asked_matters_only_when_no_other_has_it() {
        let state = tempfile::tempdir().expect("a folder");
        let (chain, keyring) = stores(&state.path().join("smm"), true);
        let owner = Owner::account(&Account::new(AccountName::new("fedi"), "some"));
        keyring.locked.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(found(&chain, &owner).await, Err("the keyring is locked".to_owned()));
        chain.store(&owner, "token", &"kept".into(), None).await.expect("kept");
        assert_eq!(found(&chain, &owner).await, Ok(Some(("kept".to_owned(), "vault"))));

        // The vault is there, its key is not.
        let (chain, keyring) = stores(&state.path().join("smm"), false);
        let other = Owner::ledger();
        *keyring.kept.lock().expect("no panic") = Some("in the keyring".to_owned());
        assert_eq!(found(&chain, &other).await, Ok(Some(("in the keyring".to_owned(), "keyring"))));
        keyring.locked.store(true, std::sync::atomic::Ordering::Relaxed);
        let why = chain.store(&other, "token", &"x".into(), None).await.expect_err("nowhere");
        assert!(why.starts_with("the keyring is locked; the vault ") && why.contains("has no key"), "{why}");
        *keyring.kept.lock().expect("no panic") = None;
        keyring.locked.store(false, std::sync::atomic::Ordering::Relaxed);
        let why = found(&chain, &other).await.expect_err("it may be in the vault");
        assert!(why.contains("has no key"), "{why}");
    }

    #[tokio::test]
    async fn all_sources_are_named_in_order_and_none_is_touched_for_it() {
        let state = tempfile::tempdir().expect("a folder");
        let chain = Chain::usual(|_| None, Some("/run/credentials/smm".into()), Some(&state.path().join("smm")));
        let keyring = if cfg!(feature = "keyring") { r#" "keyring","# } else { "" };
        assert_eq!(format!("{chain:?}"), format!(r#"["environment", "systemd credential",{keyring} "vault"]"#));
        let off = Chain::usual(|name| (name == "SMM_KEYRING").then(|| "off".to_owned()), None, Some(state.path()));
        assert_eq!(format!("{off:?}"), r#"["environment", "vault"]"#);
        let places = chain.places(&Owner::ledger(), "password");
        assert_eq!(places.first().map(String::as_str), Some("SMM_LEDGER_PASSWORD"));
        assert!(places.last().is_some_and(|place| place.starts_with("the vault ")), "{places:?}");
        assert!(!state.path().join("smm").exists());
    }
}
