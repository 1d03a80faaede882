//! Killed at any moment, over the ledger in a file and over one in git. `SMM_KILLS` says how often (20 in a plain run); over
//! git it is a twentieth of that, since each takes as much longer.

use crate::kills::{Game, asked, kill};
use crate::repository::has_git;
use crate::stand::{Kind, Stand};

#[test]
fn killed_at_any_moment() {
    let (kills, seed) = asked(20);
    let killed = kill(Game::EMBEDDED, kills, seed, |_| Stand::new(&Kind::ALL));
    assert!(killed.unknown * 10 <= killed.deliveries, "too many are left to a person: {killed:?}");
}

/// What a killed process had is nobody's until its lease has lapsed, and then nobody knows whether it was sent.
#[test]
fn killed_at_any_moment_over_git() {
    if !has_git() {
        return;
    }
    let (kills, seed) = asked(20);
    let killed =
        kill(Game::GIT, kills.div_ceil(20), seed, |_| Stand::over("git", "lease = \"12s\"", &Kind::ALL.repeat(2)));
    assert!(killed.unknown * 4 <= killed.deliveries, "too many are left to a person: {killed:?}");
}
