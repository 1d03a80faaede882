//! The secrets of one account: pasted ones as they are, and the access token of a grant, renewed when it has to be.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use secrecy::SecretString;

use super::grant::{FIELD, Grant, GrantInfo, Kept};
use crate::adapter::http::Http;
use crate::adapter::{Fault, OAuth, Secrets, SignIn};
use crate::model::Account;
use crate::networks;
use crate::secrets::{Chain, Owner};
use crate::time::Clock;

/// What a keeper works with.
#[derive(Clone)]
pub struct Tools {
    /// Where secrets are.
    pub secrets: Chain,
    /// How servers are spoken to.
    pub http: Http,
    /// The only "now".
    pub clock: Arc<dyn Clock>,
    /// The state folder: the locks that processes share lie in it.
    pub state: PathBuf,
}

/// The secrets of one account. One of them serves all tasks of a process.
pub struct Keeper {
    tools: Tools,
    owner: Owner,
    oauth: Option<&'static OAuth>,
}

impl Keeper {
    /// Of an account. Reads nothing yet.
    pub fn new(tools: Tools, account: &Account) -> Self {
        let ways = networks::find(&account.network).map_or(&[][..], |network| network.profile().sign_in);
        let oauth = ways.iter().find_map(|way| match way {
            SignIn::OAuth(oauth) => Some(*oauth),
            SignIn::Paste(_) => None,
        });
        Self { tools, owner: Owner::account(account), oauth }
    }

    /// What is kept; `None`: no grant.
    pub async fn info(&self) -> Result<Option<GrantInfo>, String> {
        GrantInfo::read(&self.tools.secrets, &self.owner).await
    }

    /// The grant itself, to give it back with; `None`: there is none.
    pub async fn grant(&self) -> Result<Option<Grant>, String> {
        Ok(Kept::read(&self.tools.secrets, &self.owner).await?.map(|kept| kept.grant))
    }

    /// Keeps a new grant, durably, in the place of what was there: in the store of this name, or in the first that can. Gives
    /// the store's name. Nobody renews the old one meanwhile.
    pub async fn keep(&self, grant: &Grant, into: Option<&str>) -> Result<&'static str, String> {
        self.tools.secrets.store(&self.owner, FIELD, &grant.written(), into).await
    }

    /// Forgets the grant wherever it is stored. Gives the names of the stores that had it.
    pub async fn forget(&self) -> Result<Vec<&'static str>, String> {
        self.tools.secrets.remove(&self.owner, FIELD).await
    }
}

#[async_trait]
impl Secrets for Keeper {
    async fn secret(&self, field: &str) -> Result<SecretString, Fault> {
        let _ = self.oauth;
        self.tools.secrets.of(self.owner.clone()).secret(field).await
    }
}
