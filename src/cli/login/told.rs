//! What `smm login` says at its end.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::model::AccountName;

/// What came of a sign-in, for programs. Fields are added, never renamed.
#[derive(Debug, Serialize)]
pub(super) struct SignedIn<'a> {
    pub(super) account: &'a AccountName,
    pub(super) network: &'a str,
    /// `null`: there is nothing to sign in to.
    pub(super) identity: Option<IdentityView<'a>>,
    /// The scopes granted; `null`: the server does not say.
    pub(super) scopes: Option<&'a [String]>,
    /// What publishing can do without, and what for it is.
    pub(super) missing: Vec<MissingView>,
    /// The field that the secret is kept in.
    pub(super) field: Option<&'a str>,
    /// Where it is kept: `keyring`, `vault`.
    pub(super) source: Option<&'a str>,
    /// Places that are asked before that one and have another secret: theirs is used.
    pub(super) shadowed_by: Vec<String>,
    /// When a person has to sign in again; `null`: never, or not known.
    pub(super) ends: Option<DateTime<Utc>>,
    /// It is renewed without a person until then.
    pub(super) renewable: bool,
    /// Deliveries that were held for want of credentials, and go on.
    pub(super) released: usize,
}

/// Who it is.
#[derive(Debug, Serialize)]
pub(super) struct IdentityView<'a> {
    pub(super) handle: &'a str,
    pub(super) uid: &'a str,
    pub(super) host: &'a str,
}

/// A scope that is missing.
#[derive(Debug, Serialize)]
pub(super) struct MissingView {
    pub(super) scope: &'static str,
    pub(super) why: &'static str,
}

impl SignedIn<'_> {
    /// An account that is not signed in to.
    pub(super) fn nothing<'a>(account: &'a AccountName, network: &'a str) -> SignedIn<'a> {
        SignedIn {
            account,
            network,
            identity: None,
            scopes: None,
            missing: Vec::new(),
            field: None,
            source: None,
            shadowed_by: Vec::new(),
            ends: None,
            renewable: false,
            released: 0,
        }
    }

    /// For people.
    pub(super) fn human(&self) -> String {
        let Some(identity) = &self.identity else {
            return format!("there is nothing to sign in to: `{}` needs no credential\n", self.account);
        };
        let mut text = format!(
            "`{}` is signed in to as {} ({}) at {}\n",
            self.account, identity.handle, identity.uid, identity.host
        );
        let mut line = |name: &str, value: &str| {
            let _ = writeln!(text, "  {name:<9} {value}");
        };
        if let Some(scopes) = self.scopes {
            line("scopes", &scopes.join(", "));
        }
        for missing in &self.missing {
            line("without", &format!("{} ({})", missing.scope, missing.why));
        }
        if let Some(source) = self.source {
            line("kept in", &format!("the {source}"));
        }
        match self.ends {
            Some(at) if self.renewable => {
                line("ends", &format!("{}, renewed until then without you", at.format("%Y-%m-%d %H:%M UTC")));
            }
            Some(at) => line("ends", &at.format("%Y-%m-%d %H:%M UTC").to_string()),
            None => line("ends", "not named by the server"),
        }
        match self.released {
            0 => {}
            1 => line("goes on", "1 delivery that waited for this"),
            many => line("goes on", &format!("{many} deliveries that waited for this")),
        }
        text
    }
}
