//! The program against real servers. Each case is skipped, loudly, where its server is not installed (`tests/run` installs
//! them all, and sets `SMM_REAL_REQUIRED=1` so that a missing one is a failure).

#![allow(clippy::print_stderr, reason = "a case that is skipped says so loudly")]
#![allow(unreachable_pub, reason = "a test binary has no public interface")]

#[path = "../support/announcing.rs"]
mod announcing;
#[path = "../support/git_http.rs"]
mod git_http;
#[path = "../support/kills.rs"]
mod kills;
#[path = "../support/points.rs"]
mod points;
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
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/wire.rs"]
mod wire;

mod announce;
mod bucket;
mod ci;
mod daemons;
mod email;
#[cfg(unix)]
mod git_server;
#[cfg(target_os = "linux")]
mod keyring;
mod kill;
mod ledger;
mod mail;
mod matrix;
mod metrics;
mod nostr;
mod oidc;
mod publish;
mod servers;
mod sessions;
mod shared;
mod specs;
mod systemd;
mod tls;
mod wordpress;

use libtest_mimic::{Arguments, Failed, Trial};
use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(target_os = "linux")]
    if let Some(done) = keyring::helper() {
        return done;
    }
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
    add("pds::a_session_ends_in_a_thread", "the Bluesky PDS", pds, || run(sessions::a_session_ends_in_a_thread()));
    add("pds::a_password_is_taken_back", "the Bluesky PDS", pds, || run(sessions::a_password_is_taken_back()));
    add("pds::a_film_is_published_and_read_back", "the Bluesky PDS", pds, || run(publish::a_film_to_the_pds()));
    add("snac::a_film_is_published_and_read_back", "snac", snac, || run(publish::a_film_to_snac()));
    add("snac::a_thread_is_published_and_read_back", "snac", snac, || run(publish::to_snac()));
    add("snac::a_lost_answer_leads_to_one_post", "snac", snac, || run(publish::a_lost_answer_on_snac()));
    let synapse = matrix::installed();
    let mut room = |name: &str, case: fn()| add(&format!("matrix::{name}"), "Synapse", synapse, case);
    room("a_thread_is_published_and_read_back", || run(matrix::a_thread_is_published_and_read_back()));
    room("a_lost_answer_leads_to_one_event", || run(matrix::a_lost_answer_leads_to_one_event()));
    room("too_many_calls_are_waited_for", || run(matrix::too_many_calls_are_waited_for()));
    room("a_password_opens_a_device", || run(matrix::a_password_opens_a_device()));
    room("a_wrong_token_is_held", || run(matrix::a_wrong_token_is_held()));
    let relay = nostr::installed();
    let mut relays = |name: &str, case: fn()| add(&format!("nostr::{name}"), "nostr-relay", relay, case);
    relays("a_thread_is_published_and_read_back", || run(nostr::a_thread_is_published_and_read_back()));
    relays("lost_answers_lead_to_one_event", || run(nostr::lost_answers_lead_to_one_event()));
    relays("a_quorum_is_waited_for", || run(nostr::a_quorum_is_waited_for()));
    let bucket = bucket::installed();
    let mut buckets = |name: &str, case: fn()| add(&format!("bucket::{name}"), "rclone", bucket, case);
    buckets("media_are_put_shown_and_removed", || run(bucket::media_are_put_shown_and_removed()));
    buckets("a_wrong_key_is_refused", || run(bucket::a_wrong_key_is_refused()));
    let provider = oidc::installed();
    let mut oauth = |name: &str, case: fn()| add(&format!("oidc::{name}"), "oidc-provider", provider, case);
    oauth("code_and_refresh", || run(oidc::code_and_refresh()));
    oauth("revocation", || run(oidc::revocation()));
    oauth("a_pasted_address", || run(oidc::a_pasted_address()));
    oauth("a_device", || run(oidc::a_device()));
    oauth("a_lost_answer", || run(oidc::a_lost_answer()));
    oauth("two_daemons_renew_once", || run(oidc::two_daemons_renew_once()));
    let server = postgres::Postgres::programs().is_some();
    let mut pg = |name: &str, case: fn()| add(&format!("postgres::{name}"), "PostgreSQL", server, case);
    pg("passes_the_suite", ledger::passes_the_suite);
    pg("moves_to_the_server_and_back", ledger::moves_to_the_server_and_back);
    pg("a_server_elsewhere_proves_whose_it_is", || run(tls::a_server_elsewhere_proves_whose_it_is()));
    pg("unsafe_settings_are_refused", || run(shared::unsafe_settings_are_refused()));
    pg("the_password_is_never_shown", || run(shared::the_password_is_never_shown()));
    pg("a_server_that_restarts_is_found_again", || run(shared::a_server_that_restarts_is_found_again()));
    pg("a_lost_answer_of_a_commit_is_an_error", || run(shared::a_lost_answer_of_a_commit_is_an_error()));
    pg("a_silent_connection_is_given_up_in_time", || run(shared::a_silent_connection_is_given_up_in_time()));
    pg("a_transaction_that_stands_still_is_ended", || run(shared::a_transaction_that_stands_still_is_ended()));
    pg("a_restored_ledger_sends_nothing", || run(shared::a_restored_ledger_sends_nothing()));
    pg("a_server_that_took_over_sends_nothing", || run(shared::a_server_that_took_over_sends_nothing()));
    pg("three_daemons_publish_each_post_once", || daemons::each_post_once(daemons::Harm::Daemons));
    pg("a_server_that_crashes_costs_no_post", || daemons::each_post_once(daemons::Harm::Server));
    pg("a_repeat_waits_for_its_account", || run(shared::a_repeat_waits_for_its_account()));
    pg("post_and_publish_beside_a_daemon", daemons::post_and_publish_beside_a_daemon);
    pg("races_have_one_winner", || run(shared::races_have_one_winner()));
    pg("killed_at_any_moment", kill::killed_at_any_moment);
    pg("killed_at_each_point", kill::killed_at_each_point);
    pg("ten_announce_a_release_once", announce::ten_at_once);
    pg("killed_announcers_announce_it_once", announce::killed);
    let git = announce::has_git();
    add("git::ten_announce_a_release_once", "git's server over HTTP", git, announce::ten_at_once_over_http);
    add("git::killed_announcers_announce_it_once", "git's server over HTTP", git, announce::killed_over_http);
    add("github::the_payloads_of_releases_are_read", "octokit's schemas", announce::installed(), announce::payloads);
    #[cfg(target_os = "linux")]
    {
        let ring = keyring::installed();
        let mut keyring = |name: &str, case: fn()| add(&format!("keyring::{name}"), "GNOME Keyring", ring, case);
        keyring("stores_and_reads", keyring::stores_and_reads);
        keyring("one_that_is_locked_is_given_up_on", keyring::one_that_is_locked_is_given_up_on);
        keyring("one_that_hangs_is_waited_for_once", keyring::one_that_hangs_is_waited_for_once);
        keyring("one_that_is_not_there_has_nothing", keyring::one_that_is_not_there_has_nothing);
    }
    #[cfg(unix)]
    {
        let server = git_server::installed();
        let mut over = |name: &str, case: fn()| add(&format!("git::{name}"), "lighttpd", server, case);
        over("passes_the_suite", git_server::passes_the_suite);
        over("a_token_that_may_only_read_is_said", git_server::a_token_that_may_only_read_is_said);
    }
    let linters = ci::installed();
    let mut jobs = |name: &str, case: fn()| add(&format!("ci::{name}"), "what reads workflows", linters, case);
    jobs("linters_find_nothing", ci::linters_find_nothing);
    jobs("sarif_is_what_its_schema_says", ci::sarif_is_what_its_schema_says);
    jobs("a_pull_request_step_by_step", ci::a_pull_request_step_by_step);
    jobs("a_release_step_by_step", ci::a_release_step_by_step);
    jobs("our_own_release_step_by_step", ci::our_own_release_step_by_step);
    jobs("gitlab_step_by_step", ci::gitlab_step_by_step);
    jobs("the_recipe_for_any_shell", ci::the_recipe_for_any_shell);
    add("mail::an_alert_arrives_once", "aiosmtpd", mail::installed(), || run(mail::arrives()));
    add("email::a_newsletter_is_published_and_read_back", "aiosmtpd", mail::installed(), || {
        run(email::a_newsletter_is_published_and_read_back());
    });
    let blog = wordpress::installed();
    let mut wp = |name: &str, case: fn()| add(&format!("wordpress::{name}"), "WordPress", blog, case);
    wp("a_long_form_is_published_and_read_back", || run(wordpress::a_long_form_is_published_and_read_back()));
    wp("a_site_with_plain_permalinks", || run(wordpress::a_site_with_plain_permalinks()));
    wp("a_lost_answer_leads_to_one_post", || run(wordpress::a_lost_answer_leads_to_one_post()));
    add(
        "metrics::are_as_prometheus_wants_them",
        "promtool",
        metrics::installed(),
        metrics::are_as_prometheus_wants_them,
    );
    add("specs::finds_what_is_wrong", "nothing", true, specs::finds_what_is_wrong);
    let cases: [(&str, fn()); 4] = [
        ("discord", || run(specs::discord())),
        ("mastodon", || run(specs::mastodon())),
        ("matrix", || run(specs::matrix())),
        ("telegram", || run(specs::telegram())),
    ];
    for (network, case) in cases {
        let (name, installed) = (format!("specs::{network}"), specs::installed(network));
        // Only one of them is in a registry: the others are there for those who bring them.
        if installed || network == "telegram" {
            add(&name, &format!("the specification of {network}"), installed, case);
        } else {
            eprintln!("SKIPPED {name}: no specification of {network}; SMM_SPECS names a folder that has it");
        }
    }
    let booted = systemd::installed();
    let what = "systemd in a container (which only root may start)";
    add("systemd::publishes_once_whatever_happens", what, booted, systemd::publishes_once_whatever_happens);
    add("systemd::a_calendar_at_home", what, booted, systemd::a_calendar_at_home);
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn run(case: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(case);
}
