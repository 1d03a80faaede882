//! What a sign-in gave, and is kept: one secret of the field [`FIELD`].

use std::fmt;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::client::{Client, ClientAuth};
use crate::model::hex;
use crate::secrets::{Chain, Owner};

/// The secret field that a grant is kept in.
pub const FIELD: &str = "grant";

/// The form in which grants are written. A later one is not read by this program.
const VERSION: u32 = 1;

/// What a sign-in gave, with what it takes to renew it and to give it back. Shows no secret when debugged.
#[derive(Clone)]
pub struct Grant {
    /// The access token.
    pub access: SecretString,
    /// When the access token ends; `None`: never, or the server does not say.
    pub access_ends: Option<DateTime<Utc>>,
    /// The refresh token; `None`: it cannot be renewed.
    pub refresh: Option<SecretString>,
    /// When the refresh token ends; `None`: never, or the server does not say.
    pub refresh_ends: Option<DateTime<Utc>>,
    /// The scopes granted; those asked for where the server does not say.
    pub scopes: Vec<String>,
    /// The client that it was granted to.
    pub client: Client,
    /// The account's server, as set; empty: none is set. Tokens are for it alone.
    pub server: String,
    /// Where tokens are renewed.
    pub token_url: String,
    /// Where tokens are given back (RFC 7009).
    pub revoke_url: Option<String>,
    /// The access token is exchanged for a newer one itself, at [`Grant::token_url`] with this `grant_type`; it is its own
    /// [`Grant::refresh`] then. `None`: it is renewed with a refresh token.
    pub exchanged_by: Option<String>,
    /// The session that a password has opened, by the network's name of it: the network itself renews and closes it, at
    /// [`Grant::token_url`]. `None`: it came by OAuth.
    pub session: Option<String>,
    /// What the authorization server calls itself (RFC 8414).
    pub issuer: Option<String>,
    /// When the access token was handed out.
    pub obtained: DateTime<Utc>,
    /// A renewal was begun whose answer is not here.
    pub begun: Option<Begun>,
    /// Fingerprint of the grant that it grew from, where that one lies in a place that nothing can be stored in.
    pub seed: Option<String>,
}

/// A renewal that was begun. It is durable before the request goes, so that one whose answer was lost is known to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// When it was begun last.
    pub at: DateTime<Utc>,
    /// How many answers were lost, this one among them until it is here.
    pub tries: u32,
}

/// What may be shown of a grant: no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GrantInfo {
    /// The scopes granted.
    pub scopes: Vec<String>,
    /// When the access token ends; `None`: never, or not known.
    pub access_ends: Option<DateTime<Utc>>,
    /// When the refresh token ends; `None`: there is none, never, or not known.
    pub refresh_ends: Option<DateTime<Utc>>,
    /// It can be renewed without a person.
    pub renewable: bool,
    /// The answer to a renewal was lost: whether it can be renewed again is open.
    pub doubtful: bool,
    /// The source that it was read from: `environment`, `keyring`.
    pub source: &'static str,
}

impl GrantInfo {
    /// What is kept for an account, without asking anybody and without changing anything. `None`: there is no grant. `Err`:
    /// it is there and cannot be read.
    pub async fn read(secrets: &Chain, owner: &Owner) -> Result<Option<Self>, String> {
        Ok(Kept::read(secrets, owner).await?.map(|kept| kept.grant.info(kept.source)))
    }

    /// When a person has to sign in again at the latest. `None`: never, or not known.
    pub fn ends(&self) -> Option<DateTime<Utc>> {
        // A renewal that may fail is none to count on.
        if self.renewable && !self.doubtful { self.refresh_ends } else { self.access_ends }
    }
}

/// How a grant is written.
#[derive(Serialize, Deserialize)]
struct Written {
    version: u32,
    access: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    access_ends: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_ends: Option<DateTime<Utc>>,
    #[serde(default)]
    scopes: Vec<String>,
    client_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
    #[serde(default)]
    client_auth: ClientAuth,
    #[serde(default)]
    server: String,
    token_url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revoke_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exchanged_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    issuer: Option<String>,
    obtained: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    begun: Option<Begun>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seed: Option<String>,
}

impl Grant {
    /// Reads a grant as [`Grant::written`] writes it. No message shows any of it.
    pub fn read(secret: &SecretString) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        // A message of serde_json may show a value, so only the place is told.
        let unreadable = |error: &serde_json::Error| {
            format!("the grant cannot be read (line {}, column {})", error.line(), error.column())
        };
        let text = secret.expose_secret();
        let Version { version } = serde_json::from_str(text).map_err(|error| unreadable(&error))?;
        if version > VERSION {
            return Err(format!(
                "the grant was written by a newer smm (form {version}); use that one, or sign in again"
            ));
        }
        let written: Written = serde_json::from_str(text).map_err(|error| unreadable(&error))?;
        Ok(Self {
            access: SecretString::from(written.access),
            access_ends: written.access_ends,
            refresh: written.refresh.map(SecretString::from),
            refresh_ends: written.refresh_ends,
            scopes: written.scopes,
            client: Client {
                id: written.client_id,
                secret: written.client_secret.map(SecretString::from),
                auth: written.client_auth,
            },
            server: written.server,
            token_url: written.token_url,
            revoke_url: written.revoke_url,
            exchanged_by: written.exchanged_by,
            session: written.session,
            issuer: written.issuer,
            obtained: written.obtained,
            begun: written.begun,
            seed: written.seed,
        })
    }

    /// As one secret, JSON.
    pub fn written(&self) -> SecretString {
        let exposed = |secret: &SecretString| secret.expose_secret().to_owned();
        let written = Written {
            version: VERSION,
            access: exposed(&self.access),
            access_ends: self.access_ends,
            refresh: self.refresh.as_ref().map(exposed),
            refresh_ends: self.refresh_ends,
            scopes: self.scopes.clone(),
            client_id: self.client.id.clone(),
            client_secret: self.client.secret.as_ref().map(exposed),
            client_auth: self.client.auth,
            server: self.server.clone(),
            token_url: self.token_url.clone(),
            revoke_url: self.revoke_url.clone(),
            exchanged_by: self.exchanged_by.clone(),
            session: self.session.clone(),
            issuer: self.issuer.clone(),
            obtained: self.obtained,
            begun: self.begun,
            seed: self.seed.clone(),
        };
        SecretString::from(serde_json::to_string(&written).expect("texts, numbers and dates can be written"))
    }

    /// What may be shown of it, as read from this source.
    pub fn info(&self, source: &'static str) -> GrantInfo {
        GrantInfo {
            scopes: self.scopes.clone(),
            access_ends: self.access_ends,
            refresh_ends: self.refresh_ends,
            renewable: self.refresh.is_some(),
            doubtful: self.begun.is_some(),
            source,
        }
    }
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant")
            .field("access_ends", &self.access_ends)
            .field("renewable", &self.refresh.is_some())
            .field("refresh_ends", &self.refresh_ends)
            .field("scopes", &self.scopes)
            .field("obtained", &self.obtained)
            .field("begun", &self.begun)
            .finish_non_exhaustive()
    }
}

/// A grant as the chain has it.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) grant: Grant,
    /// Where it was read.
    pub(super) source: &'static str,
}

impl Kept {
    /// Reads the grant that holds for an account. One from a place that nothing can be stored in is a seed: what has grown
    /// from it holds, and lies in a store; what has grown from another seed does not hold, since this one is newer.
    pub(super) async fn read(secrets: &Chain, owner: &Owner) -> Result<Option<Self>, String> {
        let Some(found) = secrets.read(owner, FIELD).await? else { return Ok(None) };
        let mut grant = Grant::read(&found.secret)?;
        if secrets.is_store(found.source) {
            return Ok(Some(Self { grant, source: found.source }));
        }
        let seed = fingerprint(&found.secret);
        if let Some(stored) = secrets.stored(owner, FIELD).await?
            && let Ok(grown) = Grant::read(&stored.secret)
            && grown.seed.as_ref() == Some(&seed)
        {
            return Ok(Some(Self { grant: grown, source: stored.source }));
        }
        grant.seed = Some(seed);
        Ok(Some(Self { grant, source: found.source }))
    }
}

/// A secret's SHA-256 in hexadecimal digits.
fn fingerprint(secret: &SecretString) -> String {
    hex(&Sha256::digest(secret.expose_secret().as_bytes()))
}
