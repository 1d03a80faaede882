//! Secrets as systemd hands them to a service: files `<account>.<field>` in `$CREDENTIALS_DIRECTORY`.

use std::io::ErrorKind;
use std::path::PathBuf;

use async_trait::async_trait;
use secrecy::SecretString;

use super::{Owner, Source, trimmed};

/// systemd keeps credentials below this size; whatever is larger is no secret. `systemd.exec(5)`, 2026-11-22.
const LARGEST: u64 = 1024 * 1024;

/// The folder of credentials.
pub(super) struct Credentials {
    folder: PathBuf,
}

impl Credentials {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn path(&self, owner: &Owner, field: &str) -> PathBuf {
        self.folder.join(format!("{}.{field}", owner.name))
    }
}

#[async_trait]
impl Source for Credentials {
    fn name(&self) -> &'static str {
        "systemd credential"
    }

    fn place(&self, owner: &Owner, field: &str) -> String {
        format!("the credential {}", self.path(owner, field).display())
    }

    async fn read(&self, owner: &Owner, field: &str) -> Result<Option<SecretString>, String> {
        let path = self.path(owner, field);
        let unreadable = |why: &dyn std::fmt::Display| format!("{} cannot be read: {why}", path.display());
        match tokio::fs::metadata(&path).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(&error)),
            Ok(facts) if facts.len() > LARGEST => return Err(unreadable(&"it is larger than a credential may be")),
            Ok(_) => {}
        }
        let text = tokio::fs::read_to_string(&path).await.map_err(|error| unreadable(&error))?;
        Ok(trimmed(&text))
    }
}
