//! The program against real servers. Each case is skipped, loudly, where its server is not installed (`tests/run` installs
//! them all, and sets `SMM_REAL_REQUIRED=1` so that a missing one is a failure).

#![allow(clippy::print_stderr, reason = "a case that is skipped says so loudly")]
#![allow(unreachable_pub, reason = "a test binary has no public interface")]

#[path = "../support/postgres.rs"]
mod postgres;
#[path = "../support/proxy.rs"]
mod proxy;
#[path = "../support/mod.rs"]
mod support;

mod ledger;
mod publish;
mod servers;

use libtest_mimic::{Arguments, Failed, Trial};
use std::process::ExitCode;

fn main() -> ExitCode {
    let required = std::env::var_os("SMM_REAL_REQUIRED").is_some_and(|value| value == "1");
    let mut trials = Vec::new();
    let mut add = |name: &str, server: &str, installed: bool, case: fn()| {
        let missing = !installed;
        if missing && !required {
            eprintln!("SKIPPED {name}: {server} is not installed; tests/run installs it");
        }
        let server = server.to_owned();
        trials.push(
            Trial::test(name, move || {
                if missing {
                    return Err(Failed::from(format!("{server} is not installed; run tests/real/install")));
                }
                case();
                Ok(())
            })
            .with_ignored_flag(missing && !required),
        );
    };
    let (pds, snac) = (servers::Pds::installed(), servers::Snac::installed());
    add("pds::a_thread_is_published_and_read_back", "the Bluesky PDS", pds, || run(publish::to_the_pds()));
    add("pds::a_lost_answer_leads_to_one_post", "the Bluesky PDS", pds, || run(publish::a_lost_answer_on_the_pds()));
    add("snac::a_thread_is_published_and_read_back", "snac", snac, || run(publish::to_snac()));
    add("snac::a_lost_answer_leads_to_one_post", "snac", snac, || run(publish::a_lost_answer_on_snac()));
    let server = postgres::Postgres::programs().is_some();
    add("postgres::passes_the_suite", "PostgreSQL", server, ledger::passes_the_suite);
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn run(case: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(case);
}
