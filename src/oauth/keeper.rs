//! The secrets of one account: pasted ones as they are, and the access token of a grant, renewed when it has to be.
//!
//! Refresh tokens change with each use on most servers, and a used one that comes again ends them all. So:
//!
//! - One renewal at a time, over tasks and processes. Whoever comes second reads again, and takes what the first one got.
//! - A renewal is written down before its request goes. A mark without a new token says that an answer was lost: the
//!   request is not repeated while the access token is still of use, and then once more at most.
//! - What came is kept in the place of the old. When that fails it is held in memory, with the turn, and kept again and
//!   again: nobody else can use the old refresh token meanwhile.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use tokio::sync::Mutex as TurnOfTasks;

use super::form::Form;
use super::grant::{Begun, FIELD, Grant, GrantInfo, Kept};
use super::revoke::revoke;
use super::session;
use super::token::{NoTokens, Tokens, ask, exchange, same};
use super::turn::{self, NoTurn, Turn};
use crate::adapter::http::Http;
use crate::adapter::{Fault, Network, Refusal, Secrets};
use crate::model::Account;
use crate::networks;
use crate::secrets::{Chain, Owner};
use crate::time::Clock;

/// A token that ends sooner than this is renewed before it is used; one that lives shortly, in the last quarter of its life.
const MARGIN: TimeDelta = TimeDelta::seconds(60);

/// So long another process's renewal is waited for: a call's time limit, and a store that has to be asked twice.
const PATIENCE: Duration = Duration::from_secs(45);

/// So often in all a renewal is tried whose answers are lost: the second time only when there is nothing left to lose.
const TRIES: u32 = 2;

/// An exchange of a long-lived token that came to nothing is tried again after so long.
const EXCHANGE_AGAIN: TimeDelta = TimeDelta::hours(1);

/// What could not be kept is tried again after so long.
const AGAIN: Duration = Duration::from_secs(5);

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

/// The secrets of one account. One of them serves all tasks of a process. Cheap to clone.
#[derive(Clone)]
pub struct Keeper {
    inner: Arc<Inner>,
}

struct Inner {
    tools: Tools,
    owner: Owner,
    network: Option<&'static dyn Network>,
    /// One task at a time; the lock file does the same for processes.
    tasks: TurnOfTasks<()>,
    /// A grant that could not be kept, and the turn with it.
    unsaved: Mutex<Option<Unsaved>>,
}

struct Unsaved {
    kept: Kept,
    _turn: Turn,
}

/// What can be done with a grant.
enum Use {
    /// Its access token is good.
    Take,
    /// It has to be renewed.
    Renew,
    /// It is of no use any more; says why.
    Over(String),
}

impl Keeper {
    /// Of an account. Reads nothing yet.
    pub fn new(tools: Tools, account: &Account) -> Self {
        let (owner, network) = (Owner::account(account), networks::find(&account.network));
        let (tasks, unsaved) = (TurnOfTasks::default(), Mutex::default());
        Self { inner: Arc::new(Inner { tools, owner, network, tasks, unsaved }) }
    }

    /// What is kept; `None`: no grant. Asks no server.
    pub async fn info(&self) -> Result<Option<GrantInfo>, String> {
        Ok(self.inner.kept().await?.map(|kept| kept.grant.info(kept.source)))
    }

    /// The grant itself, to give it back with; `None`: there is none.
    pub async fn grant(&self) -> Result<Option<Grant>, String> {
        Ok(self.inner.kept().await?.map(|kept| kept.grant))
    }

    /// Keeps a new grant, durably, in the place of what was there: in the store of this name, or in the first that can. Gives
    /// the store's name. Nobody renews the old one meanwhile.
    pub async fn keep(&self, grant: &Grant, into: Option<&str>) -> Result<&'static str, String> {
        let _task = self.inner.tasks.lock().await;
        let _turn = self.inner.turn_of_person().await?;
        let store = self.inner.tools.secrets.store(&self.inner.owner, FIELD, &grant.written(), into).await?;
        *self.inner.unsaved() = None;
        Ok(store)
    }

    /// Forgets the grant wherever it is stored. Gives the names of the stores that had it.
    pub async fn forget(&self) -> Result<Vec<&'static str>, String> {
        let _task = self.inner.tasks.lock().await;
        let _turn = self.inner.turn_of_person().await?;
        let had = self.inner.tools.secrets.remove(&self.inner.owner, FIELD).await?;
        *self.inner.unsaved() = None;
        Ok(had)
    }

    /// Gives a grant back, so that its tokens are no longer valid, whether it is kept or not. `false`: the server has no
    /// place for it. It is not forgotten here; that is [`Keeper::forget`].
    pub async fn give_back(&self, grant: &Grant) -> Result<bool, Fault> {
        let Tools { http, clock, .. } = &self.inner.tools;
        let Some(session) = grant.as_session() else { return revoke(http, grant, clock.now()).await };
        let Some(sessions) = self.inner.network.and_then(Network::sessions) else { return Ok(false) };
        sessions.close(http, &session, clock.now()).await.map(|()| true)
    }

    /// The access token of the grant; `refused` is one that the server takes no longer.
    async fn access(&self, refused: Option<&SecretString>) -> Result<Option<SecretString>, Fault> {
        let Some(kept) = self.inner.kept().await.map_err(unreadable)? else { return Ok(None) };
        match self.inner.standing(&kept.grant, refused) {
            Use::Take => return Ok(Some(kept.grant.access)),
            Use::Over(why) => return Err(Fault::refused(Refusal::Credentials, why)),
            Use::Renew => {}
        }
        // In a task of its own: whoever waits may give up, and the answer must not be lost for that.
        let (inner, refused) = (Arc::clone(&self.inner), refused.cloned());
        let renewed = tokio::spawn(async move { inner.renewed(refused.as_ref()).await }).await;
        renewed.unwrap_or_else(|error| Err(Fault::NotSent(format!("the renewal ended early: {error}"))))
    }
}

#[async_trait]
impl Secrets for Keeper {
    async fn secret(&self, field: &str) -> Result<SecretString, Fault> {
        let pasted = self.inner.pasted(field).await;
        if let Ok(Some(pasted)) = pasted {
            return Ok(pasted);
        }
        if self.inner.is_granted(field)
            && let Some(access) = self.access(None).await?
        {
            return Ok(access);
        }
        pasted.map_err(unreadable)?;
        // It says where it was looked for.
        self.inner.tools.secrets.of(self.inner.owner.clone()).secret(field).await
    }

    async fn renewed(&self, field: &str, refused: &SecretString) -> Result<SecretString, Fault> {
        match self.inner.pasted(field).await {
            Ok(Some(pasted)) if !same(&pasted, refused) => return Ok(pasted),
            Ok(Some(_)) => {
                let message = format!("the {field} was pasted, and cannot be renewed; make a new one");
                return Err(Fault::refused(Refusal::Credentials, message));
            }
            Ok(None) | Err(_) => {}
        }
        let over = || Fault::refused(Refusal::Credentials, format!("the {field} is not there any more"));
        if self.inner.is_granted(field) { self.access(Some(refused)).await?.ok_or_else(over) } else { Err(over()) }
    }
}

impl Inner {
    /// A grant's access token may stand for this field.
    fn is_granted(&self, field: &str) -> bool {
        let ways = self.network.map_or(&[][..], |network| network.profile().sign_in);
        ways.iter().any(|way| way.grants() && way.field() == field)
    }

    fn unsaved(&self) -> MutexGuard<'_, Option<Unsaved>> {
        self.unsaved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A secret that a person has put there, as it is.
    async fn pasted(&self, field: &str) -> Result<Option<SecretString>, String> {
        Ok(self.tools.secrets.read(&self.owner, field).await?.map(|found| found.secret))
    }

    /// The grant that holds: one that could not be kept, or the one that the chain has.
    async fn kept(&self) -> Result<Option<Kept>, String> {
        if let Some(unsaved) = &*self.unsaved() {
            return Ok(Some(unsaved.kept.clone()));
        }
        Kept::read(&self.tools.secrets, &self.owner).await
    }

    /// What can be done with a grant now.
    fn standing(&self, grant: &Grant, refused: Option<&SecretString>) -> Use {
        let name = &self.owner.name;
        if grant.server != self.owner.server {
            return Use::Over(format!(
                "the sign-in of account `{name}` was to `{}`, and its `server` is another now; sign in again: smm login {name}",
                grant.server
            ));
        }
        let now = self.tools.clock.now();
        let lasts = |margin: TimeDelta| {
            !refused.is_some_and(|refused| same(refused, &grant.access))
                && grant.access_ends.is_none_or(|ends| ends - margin > now)
        };
        let again = format!("sign in again: smm login {name}");
        if grant.exchanged_by.is_some() {
            // The old token stays good until it ends, so that a lost answer costs nothing; but one that has ended, or that is
            // refused, is exchanged for nothing any more.
            let tried = grant.begun.is_some_and(|begun| now - begun.at < EXCHANGE_AGAIN);
            return match (lasts(margin(grant)), lasts(TimeDelta::zero())) {
                (true, _) => Use::Take,
                (false, true) if tried => Use::Take,
                (false, true) => Use::Renew,
                _ => Use::Over(format!("the sign-in of account `{name}` has ended; {again}")),
            };
        }
        match (&grant.refresh, grant.begun) {
            (Some(_), None) if lasts(margin(grant)) => Use::Take,
            (Some(_), None) => Use::Renew,
            _ if lasts(TimeDelta::zero()) => Use::Take,
            // A session loses nothing by an answer.
            (Some(_), Some(begun)) if begun.tries < TRIES || grant.session.is_some() => Use::Renew,
            (Some(_), Some(_)) => Use::Over(format!(
                "the answers to {TRIES} renewals of the sign-in of account `{name}` were lost; {again}"
            )),
            (None, Some(_)) => Use::Over(format!(
                "the sign-in of account `{name}` ended when the answer to its renewal was lost; {again}"
            )),
            (None, None) => Use::Over(format!("the sign-in of account `{name}` has ended; {again}")),
        }
    }

    /// The turn, for a person who waits at the terminal.
    async fn turn_of_person(&self) -> Result<Option<Turn>, String> {
        if self.unsaved().is_some() {
            return Ok(None);
        }
        match turn::take(&self.tools.state, &self.owner.name, PATIENCE).await {
            Ok(turn) => Ok(Some(turn)),
            Err(NoTurn::Busy) => {
                Err(format!("another process is renewing the sign-in of account `{}`; try again", self.owner.name))
            }
            Err(NoTurn::Cannot(why)) => Err(why),
        }
    }

    /// An access token that is good, renewed by us or meanwhile by somebody else. `None`: the grant is gone.
    async fn renewed(self: &Arc<Self>, refused: Option<&SecretString>) -> Result<Option<SecretString>, Fault> {
        let _task = self.tasks.lock().await;
        if self.unsaved().is_some() {
            // The turn is ours already, and would be waited for in vain.
            return self.renewed_in_memory(refused).await;
        }
        let turn = match turn::take(&self.tools.state, &self.owner.name, PATIENCE).await {
            Ok(turn) => turn,
            Err(why) => return self.without_turn(why, refused).await,
        };
        let Some(kept) = self.kept().await.map_err(unreadable)? else { return Ok(None) };
        match self.standing(&kept.grant, refused) {
            Use::Take => Ok(Some(kept.grant.access)),
            Use::Over(why) => Err(Fault::refused(Refusal::Credentials, why)),
            Use::Renew => self.renew(kept, turn, refused).await.map(Some),
        }
    }

    /// What could not be kept yet has to be, before it is renewed.
    async fn renewed_in_memory(&self, refused: Option<&SecretString>) -> Result<Option<SecretString>, Fault> {
        self.save().await.map_err(|why| Fault::NotSent(format!("the sign-in cannot be kept: {why}")))?;
        let Some(kept) = self.kept().await.map_err(unreadable)? else { return Ok(None) };
        match self.standing(&kept.grant, refused) {
            Use::Take => Ok(Some(kept.grant.access)),
            Use::Over(why) => Err(Fault::refused(Refusal::Credentials, why)),
            // The turn went with what is kept now: the next call takes it anew.
            Use::Renew => Err(busy("the sign-in was kept late, and has to be renewed", None)),
        }
    }

    /// Another process has had the turn for long, or there is none to be had: the token while it lasts.
    async fn without_turn(&self, why: NoTurn, refused: Option<&SecretString>) -> Result<Option<SecretString>, Fault> {
        let Some(kept) = self.kept().await.map_err(unreadable)? else { return Ok(None) };
        if self.still_lasts(&kept.grant, refused) {
            return Ok(Some(kept.grant.access));
        }
        let name = &self.owner.name;
        Err(match why {
            NoTurn::Busy => {
                let message = format!("another process is renewing the sign-in of account `{name}`, or cannot keep it");
                busy(message, None)
            }
            NoTurn::Cannot(why) => Fault::NotSent(format!("the sign-in of account `{name}` cannot be renewed: {why}")),
        })
    }

    fn still_lasts(&self, grant: &Grant, refused: Option<&SecretString>) -> bool {
        let now = self.tools.clock.now();
        !refused.is_some_and(|refused| same(refused, &grant.access)) && grant.access_ends.is_none_or(|ends| ends > now)
    }

    /// Asks for new tokens, once.
    async fn renew(
        self: &Arc<Self>,
        mut kept: Kept,
        turn: Turn,
        refused: Option<&SecretString>,
    ) -> Result<SecretString, Fault> {
        let name = self.owner.name.clone();
        let (before, lasts) = (kept.grant.begun, self.still_lasts(&kept.grant, refused));
        let access = kept.grant.access.clone();
        let Some(refresh) = kept.grant.refresh.clone() else {
            return Err(Fault::refused(Refusal::Credentials, format!("sign in again: smm login {name}")));
        };
        let now = self.tools.clock.now();
        let tries = before.map_or(0, |begun| begun.tries) + 1;
        kept.grant.begun = Some(Begun { at: now, tries });
        if let Err(why) = self.store(&mut kept).await {
            tracing::error!(account = %name, "the sign-in is not renewed, since what comes could not be kept: {why}");
            if lasts {
                return Ok(access);
            }
            let message =
                format!("the sign-in of account `{name}` is not renewed: what comes could not be kept ({why})");
            return Err(Fault::NotSent(message));
        }
        // What may be exchanged again loses nothing by an answer: the mark only says when to try again.
        let before = if kept.grant.exchanged_by.is_some() { kept.grant.begun } else { before };
        let (http, url) = (&self.tools.http, &kept.grant.token_url);
        let asked = if let Some(session) = kept.grant.as_session() {
            session::renew(self.network.and_then(Network::sessions), http, &session, now).await
        } else if let Some(grant_type) = &kept.grant.exchanged_by {
            exchange(http, (url, grant_type), &access, None, now).await
        } else {
            let form = Form::new().field("grant_type", "refresh_token").secret("refresh_token", &refresh);
            ask(http, url, &kept.grant.client, form, now).await
        };
        let fault = match asked {
            Ok(tokens) => {
                let grown = grown(&kept.grant, tokens, now);
                let access = grown.access.clone();
                kept.grant = grown;
                tracing::debug!(account = %name, "the sign-in is renewed");
                if let Err(why) = self.store(&mut kept).await {
                    self.hold(kept, turn, &why);
                }
                return Ok(access);
            }
            Err(NoTokens::NotSent(message)) => {
                self.mark(&mut kept, before).await;
                Fault::NotSent(message)
            }
            Err(NoTokens::Busy { message, retry_at }) => {
                self.mark(&mut kept, before).await;
                busy(message, retry_at)
            }
            // Something answered, so that it may be asked again; whether the server has done it is open.
            Err(NoTokens::Unclear { message, retry_at }) => {
                let tries = before.map_or(0, |begun| begun.tries);
                self.mark(&mut kept, Some(Begun { at: now, tries })).await;
                busy(message, retry_at)
            }
            Err(NoTokens::Lost(message)) => {
                tracing::warn!(account = %name, "the answer to a renewal of the sign-in was lost: {message}");
                busy(format!("the answer to the renewal of the sign-in was lost: {message}"), None)
            }
            Err(NoTokens::Denied { error, message }) => {
                if error == "invalid_grant" && kept.grant.exchanged_by.is_none() {
                    kept.grant.refresh = None;
                }
                tracing::warn!(account = %name, "the server does not renew the sign-in: {message}");
                self.mark(&mut kept, before).await;
                let message = format!(
                    "the server does not renew the sign-in of account `{name}` ({message}); sign in again: smm login {name}"
                );
                Fault::refused(Refusal::Credentials, message)
            }
        };
        if lasts { Ok(access) } else { Err(fault) }
    }

    /// Keeps a grant where the old one lies; one from where nothing can be kept goes to the first store that can.
    async fn store(&self, kept: &mut Kept) -> Result<(), String> {
        let into = self.tools.secrets.is_store(kept.source).then_some(kept.source);
        kept.source = self.tools.secrets.store(&self.owner, FIELD, &kept.grant.written(), into).await?;
        Ok(())
    }

    /// Sets the mark as it is now. When that fails the stricter one stays.
    async fn mark(&self, kept: &mut Kept, begun: Option<Begun>) {
        kept.grant.begun = begun;
        if let Err(why) = self.store(kept).await {
            tracing::warn!(account = %self.owner.name, "how a renewal ended could not be kept: {why}");
        }
    }

    /// Holds what could not be kept, and the turn, and tries again while the process lives.
    fn hold(self: &Arc<Self>, kept: Kept, turn: Turn, why: &str) {
        tracing::error!(
            account = %self.owner.name,
            "the renewed sign-in cannot be kept, and is lost when smm ends; tried again every {} s: {why}",
            AGAIN.as_secs()
        );
        *self.unsaved() = Some(Unsaved { kept, _turn: turn });
        let (inner, clock) = (Arc::downgrade(self), Arc::clone(&self.tools.clock));
        tokio::spawn(async move {
            loop {
                clock.wait(AGAIN).await;
                let Some(inner) = inner.upgrade() else { return };
                let _task = inner.tasks.lock().await;
                match inner.save().await {
                    Ok(()) => return,
                    Err(why) => tracing::error!(account = %inner.owner.name, "the sign-in still cannot be kept: {why}"),
                }
            }
        });
    }

    /// Keeps what could not be kept before, and lets the turn go.
    async fn save(&self) -> Result<(), String> {
        let Some(mut kept) = self.unsaved().as_ref().map(|unsaved| unsaved.kept.clone()) else { return Ok(()) };
        self.store(&mut kept).await?;
        *self.unsaved() = None;
        tracing::info!(account = %self.owner.name, "the renewed sign-in is kept now");
        Ok(())
    }
}

/// So long before its end an access token is renewed.
fn margin(grant: &Grant) -> TimeDelta {
    let life = grant.access_ends.map_or(MARGIN, |ends| ends - grant.obtained);
    // Once a token has ended that is exchanged for its own successor, only a person can help: there is to be time for it.
    if grant.exchanged_by.is_some() { life / 4 } else { MARGIN.min(life / 4) }
}

/// What a grant becomes. A server that sends no refresh token leaves the old one as it is (RFC 6749, section 6).
fn grown(old: &Grant, tokens: Tokens, now: DateTime<Utc>) -> Grant {
    let refresh_ends =
        if tokens.refresh.is_some() { tokens.refresh_ends } else { tokens.refresh_ends.or(old.refresh_ends) };
    let refresh = if old.exchanged_by.is_some() { Some(tokens.access.clone()) } else { tokens.refresh };
    Grant {
        access: tokens.access,
        access_ends: tokens.access_ends,
        refresh: refresh.or_else(|| old.refresh.clone()),
        refresh_ends,
        scopes: tokens.scopes.unwrap_or_else(|| old.scopes.clone()),
        obtained: now,
        begun: None,
        ..old.clone()
    }
}

fn busy(message: impl Into<String>, retry_at: Option<DateTime<Utc>>) -> Fault {
    Fault::Refused { refusal: Refusal::Busy, message: message.into(), retry_at }
}

fn unreadable(why: String) -> Fault {
    Fault::refused(Refusal::Secret, why)
}

#[cfg(test)]
mod tests;
