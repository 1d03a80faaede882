//! Killed at any moment, over the ledger in a file. `SMM_KILLS` says how often (20 in a plain run).

use crate::kills::{Game, asked, kill};
use crate::stand::{Kind, Stand};

#[test]
fn killed_at_any_moment() {
    let (kills, seed) = asked(20);
    let killed = kill(Game::EMBEDDED, kills, seed, |_| Stand::new(&Kind::ALL));
    assert!(killed.unknown * 10 <= killed.deliveries, "too many are left to a person: {killed:?}");
}
