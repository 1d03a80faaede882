//! Signing in by OAuth 2, and keeping what it gave alive.
//!
//! A person signs in once ([`SigningIn`], or with a password where the network opens sessions for one); what comes of it is a [`Grant`], kept as one secret beside the account's
//! others. From then on a [`Keeper`] hands out its access token and renews it: one at a time, over tasks and processes,
//! with the new token durable before the old one is forgotten. What may be shown of it is [`GrantInfo`].

mod browser;
mod client;
mod device;
#[cfg(test)]
mod fake;
mod form;
mod grant;
mod keeper;
mod loopback;
mod pkce;
mod revoke;
mod server;
mod session;
mod signing_in;
mod token;
mod turn;

pub use browser::{Browser, Code};
pub use client::{Client, ClientAuth};
pub use device::Device;
pub use grant::{Begun, FIELD, Grant, GrantInfo};
pub use keeper::{Keeper, Tools};
pub use pkce::random_bytes;
pub use signing_in::{SigningIn, Way};
