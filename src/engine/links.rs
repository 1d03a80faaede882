//! Links to accounts: an adapter, and who it turned out to speak for. Nobody is spoken to as somebody else than the ledger
//! knows, and no credential reaches another host.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Mutex;

use super::connect::{Connector, Folders};
use crate::adapter::{Api, Fault, Identity, Refusal, RepeatSafety};
use crate::ledger::{Ledger, LedgerError};
use crate::model::{Account, AccountName, Binding, LimitOverrides};
use crate::trial::Guard;

/// Who-am-I is asked again after this long.
const KEEPS: TimeDelta = TimeDelta::minutes(10);

/// An account, spoken to.
pub(super) struct Link {
    pub(super) api: Arc<dyn Api>,
    pub(super) identity: Identity,
    pub(super) binding: Binding,
    account: Account,
    checked: DateTime<Utc>,
}

impl Link {
    /// How repeats are safe on this very server.
    pub(super) fn class(&self, profile: RepeatSafety) -> RepeatSafety {
        self.identity.repeat.unwrap_or(profile)
    }
}

/// Why an account cannot be spoken to.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The network, or a secret.
    Fault(Fault),
    /// It is somebody else than the ledger knows.
    Changed(String),
    /// The ledger.
    Ledger(LedgerError),
}

/// The links of this process, by account and folder of media.
#[derive(Default)]
pub(super) struct Links {
    known: Mutex<HashMap<(AccountName, Folders), Arc<Link>>>,
}

impl Links {
    /// The link of an account, checked at most ten minutes ago.
    pub(super) async fn get(
        &self,
        account: &Account,
        folders: &Folders,
        connector: &dyn Connector,
        ledger: &dyn Ledger,
        now: DateTime<Utc>,
    ) -> Result<Arc<Link>, Trouble> {
        let key = (account.name.clone(), folders.clone());
        let known = self.known.lock().await.get(&key).filter(|link| link.account == *account).cloned();
        let api = match known {
            Some(link) if now >= link.checked && now < link.checked + KEEPS => return Ok(link),
            Some(link) => Arc::clone(&link.api),
            None => Arc::from(
                connector
                    .connect(account, folders)
                    .map_err(|message| Trouble::Fault(Fault::refused(Refusal::Invalid, message)))?,
            ),
        };
        let link = Arc::new(check(account, api, ledger, now).await?);
        self.known.lock().await.insert(key, Arc::clone(&link));
        Ok(link)
    }

    /// Asks who-am-I again, with a new adapter, before anything else is sent for an account.
    pub(super) async fn forget(&self, account: &AccountName) {
        self.known.lock().await.retain(|(name, _), _| name != account);
    }
}

async fn check(account: &Account, api: Arc<dyn Api>, ledger: &dyn Ledger, now: DateTime<Utc>) -> Result<Link, Trouble> {
    let record = ledger.account(&account.name).await.map_err(Trouble::Ledger)?;
    let host = api.host().await.map_err(Trouble::Fault)?;
    // Before any credential is sent: to whom would it go?
    if let (Some(bound), Some(host), true) = (&record.binding, &host, Guard::Binding.holds()) {
        if bound.network != account.network {
            return Err(changed(account, bound, &format!("is now an account of {}", account.network)));
        }
        if *host != bound.host {
            return Err(changed(account, bound, &format!("now leads to {host}")));
        }
    }
    let identity = api.whoami().await.map_err(Trouble::Fault)?;
    let binding = Binding {
        network: account.network.clone(),
        host: identity.host.clone(),
        uid: identity.uid.clone(),
        handle: identity.handle.clone(),
    };
    // An account that sends nothing to anybody is each calendar's own: two calendars may each have a `site`, in a ledger
    // that holds them both.
    if host.is_some() {
        let bound = ledger.bind(&account.name, &binding).await.map_err(Trouble::Ledger)?;
        if (&bound.network, &bound.host, &bound.uid) != (&binding.network, &binding.host, &binding.uid)
            && Guard::Binding.holds()
        {
            let to = format!("now leads to {} ({}) at {}", identity.handle, identity.uid, identity.host);
            return Err(changed(account, &bound, &to));
        }
    }
    if identity.limits != LimitOverrides::default()
        && record
            .limits
            .as_ref()
            .is_none_or(|(limits, at)| *limits != identity.limits || now - *at > TimeDelta::days(1))
    {
        ledger.put_limits(&account.name, &identity.limits, now).await.map_err(Trouble::Ledger)?;
    }
    Ok(Link { api, identity, binding, account: account.clone(), checked: now })
}

fn changed(account: &Account, bound: &Binding, how: &str) -> Trouble {
    Trouble::Changed(format!(
        "account `{name}` was {} ({}) at {} and {how}; nothing is sent to it: mend its settings, then `smm retry`; or, if \
         that is meant, `smm resume {name} --accept-change`",
        bound.handle,
        bound.uid,
        bound.host,
        name = account.name,
    ))
}
