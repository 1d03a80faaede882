//! Killed over the ledger in PostgreSQL: at any moment (`SMM_KILLS` says how often, 20 in a plain run), and at each fail
//! point.

use std::time::Instant;

use crate::kills::{Game, asked, kill};
use crate::points::{CASES, killed};
use crate::postgres::Postgres;
use crate::process::pause;
use crate::stand::{Kind, Stand};

/// The shortest that there is with a time limit of two seconds.
const LEASE: &str = "lease = \"12s\"";

/// Of each kind. A killed process blocks the accounts that it was at for the lease's time.
const ACCOUNTS: usize = 12;

/// A server for so many processes.
fn server() -> Postgres {
    Postgres::start(&["max_connections=400"])
}

/// Every round has a database of its own. What a killed daemon had is taken over when its lease has lapsed, and then nobody
/// knows whether it was sent: more is left to a person than where a lock proves the sender dead.
pub fn killed_at_any_moment() {
    let server = server();
    let (kills, seed) = asked(20);
    let killed = kill(Game::SHARED, kills, seed, |round| {
        let name = format!("round_{round}");
        server.database(&name);
        Stand::over(&server.url(&name), LEASE, &Kind::ALL.repeat(ACCOUNTS))
    });
    assert!(killed.unknown * 4 <= killed.deliveries, "too many are left to a person: {killed:?}");
}

/// Every point and kind has a database of its own, and all run side by side: most of the time a lease lapses.
pub fn killed_at_each_point() {
    let server = server();
    let began = Instant::now();
    let runs: Vec<_> = CASES
        .iter()
        .flat_map(|case| Kind::ALL.map(|kind| (case, kind)))
        .filter(|(case, kind)| case.never_shared.iter().all(|(never, _)| never != kind))
        .collect();
    std::thread::scope(|scope| {
        let threads: Vec<_> = runs
            .iter()
            .enumerate()
            .map(|(number, (case, kind))| {
                let server = &server;
                scope.spawn(move || {
                    // Not all processes start at once.
                    pause(u64::try_from(number).expect("small") * 100);
                    let name = format!("point_{number}");
                    server.database(&name);
                    killed(case, *kind, Stand::over(&server.url(&name), LEASE, &[*kind]));
                })
            })
            .collect();
        let ended: Vec<_> = threads.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        let red: Vec<_> = runs.iter().zip(&ended).filter(|(_, ended)| ended.is_err()).collect();
        assert!(red.is_empty(), "killed at {red:?}");
    });
    eprintln!("{} points on their networks in {:.0?}", runs.len(), began.elapsed());
}
