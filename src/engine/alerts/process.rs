//! Alerts about the process itself: no delivery's row goes with them. Pure. Each has a key of its own, so that what goes on
//! is told once.

use chrono::{DateTime, TimeDelta, Utc};

use super::rule::one_line;
use crate::ledger::{Alert, Mark};
use crate::model::AccountName;
use crate::schedule::Beyond;

/// A calendar that was broken for so long is told: whoever edits it mends it sooner.
const BROKEN: TimeDelta = TimeDelta::minutes(10);

/// The calendar or the settings have been broken since `since`. Told after ten minutes; see [`super::Alarm::later`].
pub fn calendar_broken(why: &str, since: DateTime<Utc>) -> Alert {
    let message = format!(
        "the calendar or smm.toml cannot be used since {}, so the last good one stays in force: {why}",
        utc(since)
    );
    let key = format!("calendar/{}", since.timestamp_millis());
    let help = "`smm check` shows what is wrong; edits count again once it is mended".to_owned();
    Alert { tell_at: since + BROKEN, ..alert("calendar", key, since, &message, help) }
}

/// The ledger is older than what was seen of it.
pub fn ledger_older(seen: &Mark, found: &Mark, now: DateTime<Utc>) -> Alert {
    let message = format!(
        "the ledger is older than what was seen of it (intent {} of {}, now {} of {}), so nothing is sent",
        seen.sequence, seen.instance, found.sequence, found.instance
    );
    let key = format!("ledger/{}/{}/{}/{}", seen.instance, seen.sequence, found.instance, found.sequence);
    let help =
        "put the right ledger back; or look at the accounts, then `smm ledger adopt` takes it as it is".to_owned();
    alert("ledger", key, now, &message, help)
}

/// Nothing is sent to an account for a while, since `since`.
pub fn account_down(account: &AccountName, why: &str, since: DateTime<Utc>) -> Alert {
    let message = format!("account `{account}` does not answer since {}, so nothing is sent to it: {why}", utc(since));
    let help = format!("it is tried again by itself; `smm pause {account}` stops that, `smm status` shows what waits");
    alert("account", format!("account/{account}/{}", since.timestamp_millis()), since, &message, help)
}

/// An account's credential ends, or has ended, before posts that are planned for it. `what`: the credential.
pub fn credential_ends(
    account: &AccountName,
    key: String,
    what: &str,
    end: DateTime<Utc>,
    beyond: &Beyond,
    now: DateTime<Utc>,
) -> Alert {
    let word = if end > now { "ends" } else { "ended" };
    let message = format!(
        "account `{account}`: its {what} {word} {}; {}, the first is {}, due {}",
        utc(end),
        beyond.told(),
        beyond.post,
        utc(beyond.due)
    );
    alert("account", key, now, &message, format!("sign in again with `smm login {account}`"))
}

/// The answer to a renewal of an account's token was lost. `which`: what tells this grant from others.
pub fn renewal_lost(account: &AccountName, which: i64, now: DateTime<Utc>) -> Alert {
    let message = format!(
        "account `{account}`: the answer to a renewal of its token was lost, so it may not be renewed any more"
    );
    let help = format!("sign in again with `smm login {account}`; what it holds up goes on by itself then");
    alert("account", format!("credential/{account}/{which}/renewal"), now, &message, help)
}

/// A target of alerts could not be told since `since`.
pub(super) fn target_down(target: &str, why: &str, since: DateTime<Utc>, now: DateTime<Utc>) -> Alert {
    let message = format!("alerts cannot be told to `{target}` since {}: {why}", utc(since));
    let help = format!("they are kept and tried again; `smm alerts test {target}` tries it now");
    alert("target", format!("target/{target}/{}", since.timestamp_millis()), now, &message, help)
}

fn alert(kind: &str, key: String, at: DateTime<Utc>, message: &str, help: String) -> Alert {
    Alert { key, at, tell_at: at, delivery: None, kind: kind.to_owned(), message: one_line(message), help }
}

fn utc(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}
