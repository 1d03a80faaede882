//! The integration tests: one binary. The real program, in a folder and an environment of its own.

#[path = "../support/mod.rs"]
mod support;

mod architecture;
mod calendar;
mod documents;
mod init;
mod ledger_cli;
mod ledger_suite;
mod mastodon_count;
mod mistakes;
mod plan;
mod schema;
mod twitter_text;
mod usage;
