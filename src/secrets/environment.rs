//! Secrets in the environment: `SMM_<ACCOUNT>_<FIELD>`, with `-` as `_`.

use async_trait::async_trait;
use secrecy::SecretString;

use super::{Lookup, Owner, Source, trimmed};

/// The environment, handed in.
pub(super) struct Environment {
    env: Lookup,
}

impl Environment {
    pub(super) fn new(env: Lookup) -> Self {
        Self { env }
    }
}

#[async_trait]
impl Source for Environment {
    fn name(&self) -> &'static str {
        "environment"
    }

    fn place(&self, owner: &Owner, field: &str) -> String {
        format!("SMM_{}_{field}", owner.name).to_ascii_uppercase().replace('-', "_")
    }

    async fn read(&self, owner: &Owner, field: &str) -> Result<Option<SecretString>, String> {
        Ok((self.env)(&self.place(owner, field)).as_deref().and_then(trimmed))
    }
}
