//! The registry of networks, and nothing else. A new network is one folder, one `mod` line and one entry of [`ALL`].

mod bluesky;
mod discord;
mod email;
mod exec;
mod feed;
mod gone;
mod instagram;
mod linkedin;
mod mastodon;
mod matrix;
mod nostr;
mod telegram;
mod threads;
mod webhook;
mod wordpress;
mod x;

pub use gone::{GONE, Gone, gone, known_as};

use crate::adapter::Network;
use crate::calendar::{Known, KnownNetwork, Stranger};

/// Every network, sorted by id.
pub static ALL: &[&dyn Network] = &[
    &bluesky::Bluesky,
    &discord::Discord,
    &email::Email,
    &exec::Exec,
    &feed::Feed,
    &instagram::Instagram,
    &linkedin::LinkedIn,
    &mastodon::Mastodon,
    &matrix::Matrix,
    &nostr::Nostr,
    &telegram::Telegram,
    &threads::Threads,
    &webhook::Webhook,
    &wordpress::WordPress,
    &x::X,
];

/// The network with this id.
pub fn find(id: &str) -> Option<&'static dyn Network> {
    ALL.iter().copied().find(|network| network.profile().id == id)
}

/// What reading the two files needs to know of every network.
pub fn known() -> Known {
    let networks = ALL.iter().map(|&network| {
        let profile = network.profile();
        KnownNetwork {
            id: profile.id,
            name: profile.name,
            credential_free: profile.credential_free,
            secrets: profile.secrets.iter().map(|secret| secret.name).collect(),
            schemes: network.schemes(),
            runs_programs: network.runs_programs(),
            settings: network.settings_schema(),
            check: Box::new(|account, problems| network.check_account(account, problems)),
        }
    });
    let strangers = gone::strangers().into_iter();
    let strangers = strangers.map(|(name, message, help)| Stranger { name, message, help });
    Known { networks: networks.collect(), strangers: strangers.collect() }
}
