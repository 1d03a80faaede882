//! The behaviour suite's half of the contract: what a network's `fake.rs` implements so that `tests/contract.rs` can hold
//! every network to the same promises. Only with the feature `testing`.
//!
//! A network that speaks HTTP builds an [`axum::Router`] that behaves as its real server was seen to behave, and puts a
//! [`Front`] before it. The front brings what every fake needs: a log of the requests, answers told beforehand, delays.
//! A network that writes files keeps them in [`MemoryFiles`].

mod bench;
mod film;
mod front;
pub mod graph;
mod mail;
mod memory;
mod named;
pub mod plans;
#[cfg(test)]
pub(crate) mod sent;
mod tokens;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;

use crate::model::Account;

use super::{Files, Outside};

pub use bench::Bench;
pub use film::Film;
pub use front::{Act, Front, Rule, Seen, SeenAnswer};
pub use mail::{MailFront, MailStage, MailTrouble, TakenMail};
pub use memory::{FixedSecrets, HOST, MemoryFiles, MemoryMedia, NoHost, PICTURE, outside};
pub use named::unnamed;
pub use tokens::Tokens;

/// A fake that is being started; `None`: the network has none.
pub type Starting = Pin<Box<dyn Future<Output = Option<Box<dyn Fake>>> + Send>>;

/// A number that no other stand-in of this process has: each of them is somebody else.
pub fn number() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A stand-in for a network, in this very process. It lives as long as the value, and its account is nobody else's.
#[async_trait]
pub trait Fake: Send + Sync {
    /// Its HTTP front; `None` for a network that is not spoken to over HTTP (the cases with proxies are left out then).
    fn front(&self) -> Option<&Front>;

    /// An account on it. [`Account::server`] is set by the suite: the front's address, or that of a proxy before it.
    fn account(&self) -> Account;

    /// The access tokens of its account, where those are all its secrets. `None`: the fake keeps other secrets.
    fn tokens(&self) -> Option<&Tokens> {
        None
    }

    /// The account's secrets as they are now, by field.
    fn secrets(&self) -> BTreeMap<&'static str, String> {
        self.tokens().map(|tokens| ("token", tokens.current())).into_iter().collect()
    }

    /// What the network holds now, in the order of arrival; deleted posts are not in it.
    async fn posts(&self) -> Vec<FakePost>;

    /// Method and path of the one irreversible call, such as `("POST", "/api/v1/statuses")`; a path that holds an id ends
    /// with `*` before it. `None` without HTTP.
    fn publish_call(&self) -> Option<(&'static str, &'static str)>;

    /// The secret is changed on the server: the old one, and every session made with it, is refused from now on, and
    /// [`Fake::secrets`] gives the new one.
    fn change_secret(&self) {
        if let Some(tokens) = self.tokens() {
            tokens.change();
        }
    }

    /// What was signed in to is no longer valid, the secret still is: sessions end, access tokens expire. `false`: this
    /// network has no sessions.
    fn end_session(&self) -> bool {
        self.tokens().inspect(|tokens| tokens.end()).is_some()
    }

    /// From now on the server is one of its kin that keep no idempotency keys, and says so. `false`: there are none.
    fn forget_keys(&self) -> bool {
        false
    }

    /// Posts can be taken back. `false`: what is sent is sent, and [`crate::adapter::Api::delete`] says so.
    fn takes_back(&self) -> bool {
        true
    }

    /// The next irreversible call is lost, for networks without an HTTP front, where no proxy can do it. `false`: nothing
    /// can be lost here.
    fn lose(&self, lost: Lost) -> bool {
        let _ = lost;
        false
    }

    /// It says yes or no and nothing else: a status alone is a success, and nobody can be asked who the credentials belong
    /// to. `false`: most networks say more.
    fn is_mute(&self) -> bool {
        false
    }

    /// Files as the adapter sees them, for networks that write there.
    fn files(&self) -> Arc<dyn Files> {
        Arc::new(MemoryFiles::default())
    }

    /// What the adapter may use, for an account whose secrets are those of now. Pages may be fetched from this machine.
    fn outside(&self) -> Outside {
        let outside = outside(self.secrets(), self.files());
        match self.tokens() {
            Some(tokens) => Outside { secrets: tokens.secrets(), ..outside },
            None => outside,
        }
    }
}

/// What is lost on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// All of it went out, and the network never did it.
    Request,
    /// The network did it, and its answer is lost.
    Answer,
}

/// A post that a fake holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FakePost {
    /// Its id, as in [`crate::model::Receipt::id`].
    pub id: String,
    /// Its text, as the network got it.
    pub text: String,
    /// The id of the post that it answers.
    pub parent: Option<String>,
    /// Alt texts of its files, in order.
    pub alts: Vec<String>,
    /// The idempotency key or client-chosen id that came with it.
    pub key: Option<String>,
}
