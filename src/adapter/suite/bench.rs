//! A fake with a connection to it: what the unit tests of an adapter's calls start from.

use super::super::{Api, Identity, Network};
use super::{Act, Fake, Front, Rule};

/// A fake, its account's connection to it, and who that turned out to be.
pub struct Bench<F> {
    /// The fake.
    pub fake: F,
    /// The connection.
    pub api: Box<dyn Api>,
    /// Who the account is.
    pub identity: Identity,
}

impl<F: Fake> Bench<F> {
    /// Connects to a fake.
    ///
    /// # Panics
    /// When the fake does not accept the secrets that it gave.
    pub async fn new(network: &dyn Network, fake: F) -> Self {
        let api = network.connect(&fake.account(), fake.outside());
        let identity = api.whoami().await.expect("its own secrets are good");
        Self { fake, api, identity }
    }

    /// The fake's front.
    ///
    /// # Panics
    /// When it has none.
    pub fn front(&self) -> &Front {
        self.fake.front().expect("it has one")
    }

    /// What is answered from now on.
    pub fn rule(&self, rule: Rule) {
        self.front().rule(rule);
    }

    /// The network does what the next irreversible call asks for, and its answer is lost.
    ///
    /// # Panics
    /// When the fake names no such call.
    pub fn lose_answer(&self) {
        let (method, path) = self.fake.publish_call().expect("it has one");
        let lost = Act::AnswerAfter { status: 502, headers: Vec::new(), body: "<html>".to_owned() };
        self.rule(Rule::new(lost).on(method, path));
    }
}
