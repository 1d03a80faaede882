//! The behaviour suite: what every ledger does, told as cases. An implementation's test hands each case a store of its
//! own and lets it run: [`all`], and [`exclusive`] or [`shared`], as [`Ledger::is_exclusive`] says, and [`clocked`] where
//! [`Ledger::time`] gives one.
//!
//! The cases panic with what was expected; they use whole seconds only, since implementations may round below a
//! microsecond.

mod alerts;
mod claims;
mod moving;
mod owners;
mod records;
mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use super::{
    AccountRecord, Alert, Announced, Burst, CalendarRecord, ClaimRequest, Errand, Ledger, LedgerError, Query, Raised,
    Record, SeriesRecord, StoredPost, Tally, TellRequest, Told, Write, Written,
};
use crate::model::{
    AccountName, Binding, CalendarName, Content, Delivery, Event, Frozen, Intent, Late, LimitOverrides, OccurrenceName,
    Origin, Post, PostId, Reason, ReasonCode, Receipt, Release, Standings, State, Unknown,
};

/// Where a ledger is kept. A case gets an empty one.
#[async_trait]
pub trait Store: Send + Sync {
    /// Opens the ledger: each call a handle of its own on the same store, as another process would have.
    fn open(&self) -> Arc<dyn Ledger>;

    /// Another empty store, to move a ledger to.
    fn another(&self) -> Box<dyn Store>;

    /// How long a claim lasts that is not renewed, in a shared ledger. The shorter, the faster the cases.
    fn lease(&self) -> Duration {
        Duration::from_mins(1)
    }

    /// Lets time pass by the ledger's own clock; nothing to do for one that has none.
    async fn pass(&self, _time: Duration) {}
}

/// A case at work.
pub type Running = Pin<Box<dyn Future<Output = ()>>>;
/// A case: panics when the ledger does something else.
pub type Case = fn(Box<dyn Store>) -> Running;

/// Moves a ledger in which there is one of each kind of thing to another kind, and back again: nothing is lost on the way.
pub async fn moves_there_and_back(here: Box<dyn Store>, there: Box<dyn Store>) {
    moving::there_and_back(here, there).await;
}

/// Hands the lists of cases to a macro: what makes a test of each, to run side by side.
#[macro_export]
macro_rules! ledger_cases {
    ($use:ident) => {
        $use! {
            /// The cases of every ledger, with their names.
            all:
            rows::what_is_written_is_read,
            rows::a_query_narrows,
            rows::how_deliveries_stand_is_what_their_rows_say,
            rows::a_tally_counts_by_account_and_state,
            rows::a_write_over_an_old_version_changes_nothing,
            rows::a_batch_writes_what_can_be_written,
            rows::of_many_writes_over_one_version_one_is_taken,
            rows::an_occurrence_reaches_an_identity_once,
            rows::an_open_intent_keeps_others_away,
            rows::of_many_who_begin_one_part_one_does,
            rows::a_thread_goes_on_part_by_part,
            rows::a_repeat_waits_for_its_account,
            rows::a_new_generation_may_go_out_again,
            rows::events_are_a_history,
            rows::all_of_it_survives_reopening,
            claims::a_claim_takes_the_earliest_that_is_ready,
            claims::a_claim_takes_one_per_account,
            claims::a_claim_is_for_one_worker,
            claims::a_claim_is_of_the_workers_calendars,
            claims::an_account_is_served_by_one_of_many_and_in_order,
            claims::spacing_is_counted_from_the_intent,
            claims::paused_accounts_are_left_alone,
            claims::an_account_that_holds_off_is_left_alone,
            claims::what_is_overdue_begins_a_few_at_a_time,
            claims::parts_and_repeats_are_one_post_of_a_burst,
            claims::what_is_begun_goes_on_beyond_the_burst,
            claims::a_claim_of_a_few_finds_who_is_free_among_many,
            claims::a_claim_may_be_for_some_rows_only,
            claims::the_next_time_is_one_at_which_a_claim_succeeds,
            claims::no_claim_succeeds_before_the_next_time,
            records::bindings_hold,
            records::calendars_are_kept,
            records::what_was_adopted_is_known_of_every_calendar,
            records::variations_follow_the_series,
            records::posts_are_kept,
            records::one_of_several_posts_is_kept,
            records::limits_are_kept,
            alerts::an_alert_is_raised_with_its_row_or_not_at_all,
            alerts::the_same_alert_is_raised_once,
            alerts::each_target_is_told_once,
            alerts::an_alert_is_handed_to_one_teller_at_a_time,
            alerts::what_could_not_be_told_is_told_again,
            alerts::an_alert_is_withdrawn_when_its_delivery_needs_nobody_in_time,
            alerts::an_unresolved_attempt_keeps_its_alert,
            alerts::a_new_target_is_told_nothing_old,
            alerts::the_alerts_of_a_delivery_say_who_knows,
            moving::a_ledger_that_was_moved_answers_as_the_old_one,
            moving::an_import_is_refused_where_there_are_deliveries,
            moving::nothing_is_claimed_before_an_import_is_complete;

            /// The cases of a ledger for one publishing process.
            exclusive:
            owners::one_process_publishes,
            owners::what_another_has_left_is_lapsed;

            /// The cases of a ledger for several of them.
            shared:
            owners::any_number_may_publish,
            owners::a_lease_that_is_renewed_lasts,
            owners::a_lease_that_is_not_renewed_lapses,
            owners::no_intent_is_taken_after_the_lease,
            owners::an_answer_is_taken_after_the_lease_unless_somebody_was_faster;

            /// The cases of a shared ledger that has a clock of its own.
            clocked:
            owners::there_is_one_clock_for_all;
        }
    };
}

macro_rules! cases {
    ($($(#[$doc:meta])* $list:ident: $($file:ident::$name:ident),* $(,)?;)*) => {
        $(
            $(#[$doc])*
            pub fn $list() -> &'static [(&'static str, Case)] {
                &[$((stringify!($name), |store| Box::pin($file::$name(store)))),*]
            }
        )*
    };
}

ledger_cases!(cases);

/// When the cases begin: long ago, since a ledger with a clock of its own hands out nothing that is due after its present.
fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_577_836_800, 0).expect("the first day of 2020")
}

fn at(seconds: i64) -> DateTime<Utc> {
    start() + TimeDelta::seconds(seconds)
}

fn account(name: &str) -> AccountName {
    AccountName::new(name)
}

fn acme() -> CalendarName {
    CalendarName::new("acme")
}

fn row(post: &str, to: &str, due: i64) -> Delivery {
    let id = PostId::new(post.split('@').next().unwrap_or(post));
    Delivery::planned(
        acme(),
        id,
        OccurrenceName::new(post),
        account(to),
        "some-network",
        Origin::Calendar,
        at(due),
        at(due).naive_utc(),
        Late::default(),
    )
}

fn event(delivery: &Delivery, kind: &str) -> Event {
    Event {
        at: delivery.due,
        delivery: delivery.id,
        kind: kind.to_owned(),
        state: delivery.state,
        detail: format!("{kind} it"),
        actor: "smm".to_owned(),
    }
}

fn change(delivery: &Delivery, kind: &str) -> Write {
    Write::new(delivery.clone(), delivery.version, event(delivery, kind))
}

/// Writes a row and hands back what the ledger then holds.
async fn put(ledger: &dyn Ledger, delivery: &Delivery) -> Delivery {
    let written = ledger.write(&[change(delivery, "planned")]).await.expect("a write");
    assert_eq!(written, [Written::Done], "{delivery:?}");
    read(ledger, delivery).await
}

async fn read(ledger: &dyn Ledger, delivery: &Delivery) -> Delivery {
    ledger.delivery(delivery.id).await.expect("a read").expect("the row is there")
}

fn request(now: i64, accounts: &[(&str, u64)]) -> ClaimRequest {
    ClaimRequest {
        owner: "worker".to_owned(),
        now: at(now),
        accounts: accounts.iter().map(|&(name, spacing)| (account(name), spacing)).collect(),
        calendars: Vec::new(),
        limit: 100,
        only: None,
        burst: Burst::default(),
    }
}

async fn claimed(ledger: &dyn Ledger, request: &ClaimRequest) -> Vec<String> {
    let rows = ledger.claim(request).await.expect("a claim");
    rows.iter().map(|row| row.occurrence.as_str().to_owned()).collect()
}

fn binding(uid: &str) -> Binding {
    Binding {
        network: "some-network".to_owned(),
        host: "https://fedi.example".to_owned(),
        uid: uid.to_owned(),
        handle: "@acme@fedi.example".to_owned(),
    }
}

fn sending(delivery: &Delivery, uid: &str, part: u16, when: i64) -> Delivery {
    let mut next = delivery.clone();
    next.attempts += 1;
    next.state = State::Sending;
    next.owner.get_or_insert_with(|| "worker".to_owned());
    next.intent = Some(Box::new(Intent {
        frozen: Frozen { part, key: format!("key-{part}"), request: serde_json::json!({"status": "hello"}) },
        binding: binding(uid),
        attempt: next.attempts,
        first_at: at(when),
        at: at(when),
    }));
    next
}

/// Claims this very row.
async fn take(ledger: &dyn Ledger, delivery: &Delivery, when: i64) -> Delivery {
    let only = Some(vec![delivery.id]);
    let request = ClaimRequest { only, ..request(when, &[(delivery.account.as_str(), 0)]) };
    let mut rows = ledger.claim(&request).await.expect("a claim");
    assert_eq!(rows.len(), 1, "it can be claimed: {delivery:?}");
    rows.remove(0)
}

/// Claims a row and writes the intent of a part.
async fn begin(ledger: &dyn Ledger, delivery: &Delivery, uid: &str, part: u16, when: i64) -> Delivery {
    put(ledger, &sending(&take(ledger, delivery, when).await, uid, part, when)).await
}

/// Claims a row, sends its only part and receives an answer a second later.
async fn publish(ledger: &dyn Ledger, delivery: &Delivery, uid: &str, when: i64) -> Delivery {
    let sent = begin(ledger, delivery, uid, 0, when).await;
    put(ledger, &received(&sent, 0, when + 1, State::Published)).await
}

fn receipt(part: u16, when: i64) -> Receipt {
    Receipt {
        part,
        id: format!("remote-{part}"),
        url: Some(format!("https://fedi.example/{part}")),
        at: at(when),
        data: serde_json::Value::Null,
    }
}

fn received(delivery: &Delivery, part: u16, when: i64, state: State) -> Delivery {
    let mut next = delivery.clone();
    next.intent = None;
    next.owner = next.owner.filter(|_| state == State::Claimed);
    next.receipts.push(receipt(part, when));
    next.state = state;
    if state == State::Published {
        next.published_at = Some(at(when));
    }
    next
}

/// Runs futures side by side, on one thread; the ledgers' own threads do the work at the same time.
async fn together<T>(futures: Vec<impl Future<Output = T>>) -> Vec<T> {
    let mut futures: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut done: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(move |context| {
        for (future, done) in futures.iter_mut().zip(&mut done) {
            if done.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(context)
            {
                *done = Some(value);
            }
        }
        if done.iter().all(Option::is_some) {
            std::task::Poll::Ready(done.iter_mut().filter_map(Option::take).collect())
        } else {
            std::task::Poll::Pending
        }
    })
    .await
}
