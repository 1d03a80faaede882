//! Killed at any moment, over the ledger in a file. `SMM_KILLS` says how often (20 in a plain run).

use crate::kills::{asked, kill, kinds};
use crate::stand::Stand;

#[test]
fn killed_at_any_moment() {
    let (kills, seed) = asked(20);
    let killed = kill(kills, seed, |round| Stand::new(kinds(round)));
    assert!(killed.unknown * 10 <= killed.deliveries, "too many are left to a person: {killed:?}");
}
