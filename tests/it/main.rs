//! The integration tests: one binary. The real program, in a folder and an environment of its own.

#![allow(clippy::print_stderr, reason = "a test that is skipped says so loudly")]

#[path = "../support/mod.rs"]
mod support;

#[cfg(unix)]
#[path = "../support/announcing.rs"]
mod announcing;

#[cfg(unix)]
#[path = "../support/kills.rs"]
mod kills;

#[cfg(target_os = "linux")]
#[path = "../support/points.rs"]
mod points;

#[cfg(target_os = "linux")]
#[path = "../support/postgres.rs"]
mod postgres;

#[path = "../support/process.rs"]
mod process;

#[path = "../support/proxy.rs"]
mod proxy;

#[path = "../support/repository.rs"]
mod repository;

#[path = "../support/stand.rs"]
mod stand;

mod accounts;
#[cfg(unix)]
mod announce;
mod answers;
mod architecture;
mod calendar;
#[cfg(target_os = "linux")]
mod canary;
mod ci;
mod daemon;
mod doctor;
mod documents;
mod endings;
#[cfg(unix)]
mod evidence;
mod exec;
mod faults;
#[cfg(unix)]
mod git_ledger;
mod gone;
#[cfg(target_os = "linux")]
mod guarded;
#[cfg(target_os = "linux")]
mod guards;
mod hours;
mod init;
#[cfg(unix)]
mod kill;
mod ledger_cli;
mod ledger_suite;
#[cfg(unix)]
mod login;
mod mastodon_count;
mod media_host;
mod media_server;
mod mistakes;
mod operations;
mod pdf;
mod plan;
mod post;
mod publish;
mod release_texts;
mod rendering;
#[cfg(unix)]
mod restored;
#[cfg(target_os = "linux")]
mod rig;
mod schema;
#[cfg(unix)]
mod serve;
mod since;
#[cfg(target_os = "linux")]
mod systemd;
mod transfer;
mod twitter_text;
#[cfg(unix)]
mod upload;
mod usage;
mod zones;
