//! What reading needs to know of the networks. They stand above this module, so they are handed in.

use std::fmt;

use crate::model::{Account, Problem};

/// Checks an account's own settings.
pub type Check = Box<dyn Fn(&Account, &mut Vec<Problem>) + Send + Sync>;

/// The networks that accounts may be on.
#[derive(Debug, Default)]
pub struct Known {
    /// Sorted by id.
    pub networks: Vec<KnownNetwork>,
    /// Names that people look for and that are no network's id.
    pub strangers: Vec<Stranger>,
}

/// A name that is no network's id, and what is said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stranger {
    /// The name, in small letters.
    pub name: &'static str,
    /// What is wrong with it.
    pub message: String,
    /// What to do instead.
    pub help: String,
}

/// One network, as far as reading is concerned.
pub struct KnownNetwork {
    /// Id in files, such as `mastodon`.
    pub id: &'static str,
    /// Name for people.
    pub name: &'static str,
    /// The calendar itself may declare an account of it.
    pub credential_free: bool,
    /// Names of its secret fields: in a file they are an error that says where secrets go.
    pub secrets: Vec<&'static str>,
    /// Schemes of a server's address, and whether such an address is for this very machine alone.
    pub schemes: &'static [(&'static str, bool)],
    /// An account of it runs a program: only a trusted `smm.toml` may have one.
    pub runs_programs: bool,
    /// JSON Schema of its accounts' own settings.
    pub settings: schemars::Schema,
    /// Checks an account's own settings; places are keys of the account's table.
    pub check: Check,
}

impl fmt::Debug for KnownNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KnownNetwork").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Known {
    /// What is said of a name that is no network's id.
    pub fn stranger(&self, name: &str) -> Option<&Stranger> {
        let name = name.trim().to_lowercase();
        self.strangers.iter().find(|stranger| stranger.name == name)
    }

    /// The network with this id.
    pub fn network(&self, id: &str) -> Option<&KnownNetwork> {
        self.networks.iter().find(|network| network.id == id)
    }
}

impl KnownNetwork {
    /// The keys of its accounts' own settings.
    pub fn settings_keys(&self) -> impl Iterator<Item = &str> {
        self.settings
            .get("properties")
            .and_then(serde_json::Value::as_object)
            .into_iter()
            .flat_map(|properties| properties.keys().map(String::as_str))
    }
}
