//! The vault: a sealed file in the state folder, for machines without a keyring.
//!
//! Its key is 32 random bytes in `SMM_VAULT_KEY` or the systemd credential `smm-vault-key`. The file is only for its
//! owner, is never changed in place, and is changed by one process at a time.

mod file;
mod key;
mod sealed;

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use secrecy::SecretString;

use self::key::{CREDENTIAL, Key, KeySource, RECIPE, VARIABLE};
use self::sealed::{Broken, Kept, Rows};
use super::{Lookup, Owner, Source};

/// The sealed file and where its key is.
#[derive(Clone)]
pub(super) struct Vault {
    path: PathBuf,
    key: KeySource,
}

impl Vault {
    /// The vault in the state folder. Touches nothing yet.
    pub(super) fn new(state: &Path, env: Lookup, credentials: Option<PathBuf>) -> Self {
        Self { path: state.join("vault"), key: KeySource::new(env, credentials) }
    }

    /// Runs on a thread that may wait for the disk.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, String> + Send + 'static,
    ) -> Result<T, String> {
        let vault = self.clone();
        tokio::task::spawn_blocking(move || work(&vault))
            .await
            .map_err(|error| format!("the work on the vault was broken off: {error}"))?
    }

    /// The key, or how to come by one.
    fn need_key(&self) -> Result<Key, String> {
        self.key.read()?.ok_or_else(|| {
            format!(
                "the vault {} has no key: give it in {VARIABLE} or as the systemd credential {CREDENTIAL} ({RECIPE})",
                self.path.display()
            )
        })
    }

    /// What is in the file; `None`: there is no file.
    fn open(&self) -> Result<Option<(Rows, Key)>, String> {
        let Some(text) = file::read(&self.path)? else { return Ok(None) };
        let key = self.need_key()?;
        match Rows::open(&text, &key) {
            Ok(rows) => Ok(Some((rows, key))),
            Err(broken) => Err(self.broken(&broken)),
        }
    }

    /// Changes what is in the file, with nobody else between the reading and the writing.
    fn change<T>(&self, work: impl FnOnce(&mut Rows, &Key) -> Result<(T, bool), String>) -> Result<T, String> {
        let _alone = file::lock(&self.path)?;
        let (mut rows, key) = match self.open()? {
            Some(found) => found,
            None => (Rows::default(), self.need_key()?),
        };
        let (given, changed) = work(&mut rows, &key)?;
        if changed {
            file::replace(&self.path, &rows.seal(&key)?)?;
        }
        Ok(given)
    }

    async fn find(&self, owner: &Owner, field: &str) -> Result<Option<Kept>, String> {
        let (owner, field) = (owner.clone(), field.to_owned());
        self.work(move |vault| match vault.open()? {
            None => Ok(None),
            Some((rows, key)) => rows.get(&owner, &field, &key).map_err(|broken| vault.broken(&broken)),
        })
        .await
    }

    async fn keep(&self, owner: &Owner, field: &str, kept: Kept) -> Result<(), String> {
        let (owner, field) = (owner.clone(), field.to_owned());
        self.work(move |vault| {
            vault.change(|rows, key| {
                rows.put(&owner, &field, &kept, key)?;
                Ok(((), true))
            })
        })
        .await
    }

    fn broken(&self, broken: &Broken) -> String {
        let path = self.path.display();
        match broken {
            Broken::Damaged => format!(
                "the vault {path} is damaged, or no vault of smm; nothing was changed: put back a copy of it, or move it \
                 away and sign in again"
            ),
            Broken::Newer(version) => format!(
                "the vault {path} is of version {version}, which is newer than this smm; nothing was changed: use the \
                 smm that wrote it, or a newer one"
            ),
            Broken::OtherKey { sealed, at_hand } => format!(
                "the vault {path} was sealed with another key (key id {sealed}; the one at hand has {at_hand}); nothing \
                 was changed: give the key that it was sealed with, or move the file away and sign in again"
            ),
        }
    }
}

#[async_trait]
impl Source for Vault {
    fn name(&self) -> &'static str {
        "vault"
    }

    fn place(&self, _owner: &Owner, _field: &str) -> String {
        format!("the vault {}", self.path.display())
    }

    async fn ready(&self, _owner: &Owner) -> Result<(), String> {
        // A vault that is not there yet needs a key as well.
        self.work(|vault| vault.open().and_then(|_| vault.need_key()).map(drop)).await
    }

    async fn read(&self, owner: &Owner, field: &str) -> Result<Option<SecretString>, String> {
        Ok(self.find(owner, field).await?.map(|kept| kept.secret))
    }

    async fn read_first(&self, owner: &Owner, field: &str) -> Result<Option<SecretString>, String> {
        Ok(self.find(owner, field).await?.filter(|kept| kept.first).map(|kept| kept.secret))
    }

    async fn store(&self, owner: &Owner, field: &str, secret: &SecretString) -> Result<(), String> {
        self.keep(owner, field, Kept { secret: secret.clone(), first: false }).await
    }

    async fn store_first(&self, owner: &Owner, field: &str, secret: &SecretString) -> Result<(), String> {
        self.keep(owner, field, Kept { secret: secret.clone(), first: true }).await
    }

    async fn remove(&self, owner: &Owner, field: &str) -> Result<bool, String> {
        let (owner, field) = (owner.clone(), field.to_owned());
        self.work(move |vault| {
            // Nothing to take out needs no key and no lock.
            if !file::read(&vault.path)?.is_some_and(|text| Rows::names(&text, &owner, &field)) {
                return Ok(false);
            }
            vault.change(|rows, _| {
                let had = rows.take(&owner, &field);
                Ok((had, had))
            })
        })
        .await
    }

    fn is_store(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests;
