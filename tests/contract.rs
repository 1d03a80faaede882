//! Every network of the registry, held to the contract of `smm::adapter`: each promise is a case, each case is run for
//! each network that it applies to, in this very process, against the network's own fake.

#[path = "contract/driven.rs"]
mod driven;
#[path = "contract/faults.rs"]
mod faults;
#[path = "contract/film.rs"]
mod film;
#[path = "contract/promises.rs"]
mod promises;
#[path = "support/proxy.rs"]
mod proxy;
#[path = "contract/stage.rs"]
mod stage;

use std::pin::Pin;

use libtest_mimic::{Arguments, Trial};
use smm::adapter::suite::Lost;
use smm::adapter::{Network, RepeatSafety};

type Run = fn(&'static dyn Network) -> Pin<Box<dyn Future<Output = ()>>>;

/// A promise.
struct Case {
    name: &'static str,
    /// Whether it can be asked of the network.
    applies: fn(&dyn Network) -> bool,
    run: Run,
}

macro_rules! case {
    ($module:ident :: $name:ident, $applies:expr) => {
        Case { name: stringify!($name), applies: $applies, run: |network| Box::pin($module::$name(network)) }
    };
}

fn always(_: &dyn Network) -> bool {
    true
}

fn has_threads(network: &dyn Network) -> bool {
    network.profile().threads
}

fn has_pictures(network: &dyn Network) -> bool {
    network.profile().media.max_images > 0
}

fn over_http(network: &dyn Network) -> bool {
    runtime().block_on(async { network.fake().await.is_some_and(|fake| fake.front().is_some()) })
}

fn over_something_else(network: &dyn Network) -> bool {
    runtime()
        .block_on(async { network.fake().await.is_some_and(|fake| fake.front().is_none() && fake.lose(Lost::Answer)) })
}

/// Networks whose videos go to the server that is spoken to, before anything is published.
fn takes_films(network: &dyn Network) -> bool {
    ["bluesky", "linkedin", "mastodon", "x"].contains(&network.profile().id)
}

fn keeps_our_names(network: &dyn Network) -> bool {
    matches!(network.profile().repeat, RepeatSafety::ChosenId | RepeatSafety::ContentAddressed)
}

const CASES: &[Case] = &[
    case!(driven::a_lost_ledger_publishes_nothing_twice, keeps_our_names),
    case!(driven::the_engine_publishes_once, always),
    case!(driven::the_engine_settles_a_cut_answer, over_http),
    case!(driven::the_engine_settles_what_was_lost_after, over_http),
    case!(driven::the_engine_settles_what_was_lost_before, over_http),
    case!(driven::the_engine_settles_a_lost_answer, over_something_else),
    case!(driven::the_engine_settles_a_lost_request, over_something_else),
    case!(promises::a_document_goes_out_or_is_refused, always),
    case!(film::a_film_goes_on_after_a_cut, takes_films),
    case!(promises::a_plan_is_refused_only_where_check_says_why, always),
    case!(promises::a_post_goes_out_and_is_taken_back, always),
    case!(promises::a_thread_keeps_its_order, has_threads),
    case!(promises::looking_changes_nothing, always),
    case!(promises::nothing_stored_holds_a_secret, always),
    case!(promises::picture_limits_are_those_of_the_network, has_pictures),
    case!(promises::plan_is_the_same_every_time, always),
    case!(promises::text_limits_are_those_of_the_network, always),
    case!(promises::the_identity_stands_fast, always),
    case!(promises::two_servers_are_two_people, always),
    case!(faults::a_changed_secret_is_told_and_mended, over_http),
    case!(faults::a_refused_connection_is_not_sent, over_http),
    case!(faults::a_slow_server_is_unknown, over_http),
    case!(faults::a_strangers_no_is_unknown, over_http),
    case!(faults::an_ended_session_is_renewed, over_http),
    case!(faults::an_error_after_it_was_done, over_http),
    case!(faults::an_unreadable_success_is_unknown, over_http),
    case!(faults::cut_in_the_answer, over_http),
    case!(faults::lost_after_it_was_done, over_http),
    case!(faults::lost_before_it_was_done, over_http),
    case!(faults::no_message_holds_a_secret, over_http),
    case!(faults::odd_answers_are_faults, over_http),
    case!(faults::redirects_are_not_followed, over_http),
    case!(faults::server_errors_prove_nothing, over_http),
    case!(faults::throttling_tells_when_to_come_again, over_http),
];

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn main() {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for network in smm::networks::ALL.iter().copied() {
        for case in CASES.iter().filter(|case| (case.applies)(network)) {
            let run = case.run;
            let name = format!("{}::{}", network.profile().id, case.name);
            trials.push(Trial::test(name, move || {
                runtime().block_on(run(network));
                Ok(())
            }));
        }
    }
    libtest_mimic::run(&arguments, trials).exit();
}
