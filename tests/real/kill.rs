//! Killed at any moment, over the ledger in PostgreSQL. `SMM_KILLS` says how often (20 in a plain run).

use crate::kills::{asked, kill, kinds};
use crate::postgres::Postgres;
use crate::stand::Stand;

/// Every round has a database of its own. What a killed daemon had is taken over when its lease has lapsed, and then nobody
/// knows whether it was sent: more is left to a person than where a lock proves the sender dead.
pub fn killed_at_any_moment() {
    let server = Postgres::start(&[]);
    let (kills, seed) = asked(20);
    let killed = kill(kills, seed, |round| {
        let name = format!("round_{round}");
        server.database(&name);
        Stand::over(&server.url(&name), "lease = \"12s\"", kinds(round))
    });
    assert!(killed.unknown * 4 <= killed.deliveries, "too many are left to a person: {killed:?}");
}
