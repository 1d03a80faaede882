//! `smm` publishes a team's social posts from a content calendar that lives in git.
//!
//! This page is the map of the source. A post walks down one road: [`calendar`] reads it, [`compose`] makes it what
//! each account receives, [`schedule`] gives it its times, [`engine`] delivers it through [`networks`] and writes every
//! step to the [`ledger`]. No stage reaches back to an earlier one.
//!
//! | question | where |
//! |---|---|
//! | what is a post, a delivery, a receipt? | [`model`] |
//! | how long is this text, where may it be split? | [`text`] |
//! | what is in this picture, and how is it made to fit? | [`media`] |
//! | when is this due? | [`time`], then [`schedule`] |
//! | why was this line of the calendar refused? | [`calendar`] for its form, [`adapter::check`] and a network's `profile.rs` for its limits |
//! | what is sent, byte by byte? | that network's `plan.rs`, then its `api.rs` and `wire.rs` |
//! | what happens when the answer is lost? | [`engine::core`] |
//! | how does one sign in, and how is a token renewed? | [`oauth`] |
//! | what is on disk before a call that cannot be taken back? | [`ledger`] |
//! | what does a daemon show on `--listen`? | [`serve`] |
//! | what can a test turn off or break? | [`trial`] |
//! | what does a command print? | `cli/<command>.rs` and [`report`] |
//!
//! Who may import whom (`tests/it/architecture.rs` fails on a breach):
//!
//! ```text
//! cli → serve → engine, report → schedule, compose → oauth → networks, ledger, secrets → calendar, adapter, media → text, time → model → trial
//! ```

pub mod adapter;
pub mod calendar;
pub mod cli;
pub mod compose;
pub mod engine;
pub mod ledger;
pub mod media;
pub mod model;
pub mod networks;
pub mod oauth;
pub mod report;
pub mod schedule;
pub mod secrets;
pub mod serve;
pub mod text;
pub mod time;
pub mod trial;
