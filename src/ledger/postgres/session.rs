//! Connections: how they are made, what is asked of the server before it is trusted, and how long anything may take.
//!
//! The time that a request has is a third of a lease at most: who hears nothing from the server stops well before somebody
//! else may take over. A connection that did not answer is thrown away, never used again.

use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime, Timeouts};

use super::address::Address;
use super::age::Watch;
use super::ask::in_time;
use super::error::Trouble;
use super::schema;
use crate::ledger::{LedgerError, MarkFile, OpenMode, Opening, Result, with_ending};
use crate::model::Health;
use crate::trial::Guard;

/// Connections that one process holds at most, without the one that listens.
const CONNECTIONS: usize = 8;

/// Oldest server that has all that is used here (13: `gen_random_uuid`).
const OLDEST: i32 = 130_000;

/// A server, and what may be asked of it.
pub(super) struct Server {
    pub(super) address: Address,
    pub(super) mode: OpenMode,
    /// A claim that is not renewed for this long is dead.
    pub(super) lease: Duration,
    /// Longest time for one request.
    pub(super) limit: Duration,
    /// What this machine has seen of it.
    pub(super) watch: Watch,
    pool: Pool,
}

impl Server {
    /// Reads the address; connects to nothing yet.
    pub(super) fn open(opening: &Opening<'_>) -> Result<Self> {
        let limit = (opening.lease / 3).clamp(Duration::from_secs(1), Duration::from_secs(15));
        let address = Address::read(opening.setting, opening.password.as_ref(), limit)?;
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(address.config.clone(), address.tls.clone(), recycling);
        let pool = Pool::builder(manager)
            .max_size(CONNECTIONS)
            .runtime(Runtime::Tokio1)
            .timeouts(Timeouts { wait: Some(limit), create: Some(limit), recycle: Some(limit) })
            .build()
            .map_err(|error| LedgerError::Storage(format!("the ledger's connections cannot be set up: {error}")))?;
        if opening.mode == OpenMode::ReadWrite {
            let mut folder = std::fs::DirBuilder::new();
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
            folder.recursive(true).create(opening.state_folder).map_err(|error| {
                LedgerError::Storage(format!("`{}` cannot be made: {error}", opening.state_folder.display()))
            })?;
        }
        let watch = Watch::new(MarkFile::new(with_ending(&opening.beside(), ".mark")));
        Ok(Self { address, mode: opening.mode, lease: opening.lease, limit, watch, pool })
    }

    /// Host, port and database, for people.
    pub(super) fn place(&self) -> &str {
        &self.address.place
    }

    /// A connection that was looked over. `None`: the ledger was opened for reading, and there is none.
    pub(super) async fn session(&self) -> std::result::Result<Option<Object>, Trouble> {
        in_time(self.limit, self.connect()).await
    }

    async fn connect(&self) -> std::result::Result<Option<Object>, Trouble> {
        let session = self.pool.get().await?;
        if Object::metrics(&session).recycle_count > 0 {
            return Ok(Some(session));
        }
        let mut fresh = Fresh(Some(session));
        let there = match &mut fresh.0 {
            Some(session) => self.introduce(session).await?,
            None => false,
        };
        Ok(fresh.0.take_if(|_| there))
    }

    /// A new connection: is it one to a server that keeps what it confirms, are the tables there, is it as new as what was
    /// seen of it? `false`: the tables are not there, and it was opened for reading.
    async fn introduce(&self, session: &mut Object) -> std::result::Result<bool, Trouble> {
        look_over(session, self).await?;
        match self.mode {
            OpenMode::ReadWrite => schema::migrate(session, self.place()).await?,
            OpenMode::ReadOnly => {
                if !schema::is_there(&*session, self.place()).await? {
                    return Ok(false);
                }
            }
        }
        // Not refused here when it is older: it may be read, and be adopted.
        self.watch.look(&*session, self.mode == OpenMode::ReadWrite).await?;
        Ok(true)
    }

    pub(super) fn nothing_there(&self) -> LedgerError {
        LedgerError::Storage(format!("there is no ledger at {} yet", self.place()))
    }

    /// Refuses to write to what was opened for reading.
    pub(super) fn may_write(&self) -> Result<()> {
        match self.mode {
            OpenMode::ReadWrite => Ok(()),
            OpenMode::ReadOnly => {
                Err(LedgerError::Storage(format!("the ledger at {} was opened for reading only", self.place())))
            }
        }
    }
}

/// A connection that was not introduced yet: the next request must not find it in the pool and take it for good.
struct Fresh(Option<Object>);

impl Drop for Fresh {
    fn drop(&mut self) {
        self.0.take().map(Object::take);
    }
}

/// Whether a server keeps what it confirms, for `smm doctor`: a session that is to write refuses one that does not.
pub(super) async fn kept(session: &Object) -> std::result::Result<Vec<Health>, Trouble> {
    let query = "SELECT current_setting('synchronous_commit'), current_setting('fsync'), pg_is_in_recovery()";
    let row = session.query_one(query, &[]).await?;
    let (commit, fsync, replica): (String, String, bool) = (row.get(0), row.get(1), row.get(2));
    let mut found = vec![match (commit.as_str(), fsync.as_str()) {
        ("off", _) => Health::error(
            "`synchronous_commit` is off: a crash of the server loses what it confirmed",
            "turn it on for smm's role (`ALTER ROLE … SET synchronous_commit = on`)",
        ),
        (_, "off") => {
            let message = "`fsync` is off: a power cut loses what the server confirmed";
            Health::error(message, "turn it on in postgresql.conf")
        }
        _ => Health::ok(format!("the server keeps what it confirms (synchronous_commit={commit}, fsync={fsync})")),
    }];
    if replica {
        let message = "the server is a replica that follows another one";
        found.push(Health::error(message, "name the primary as `ledger` in smm.toml"));
    }
    Ok(found)
}

/// Looks over a server, and says how this session is to be: what is committed has to be kept.
pub(super) async fn look_over(session: &tokio_postgres::Client, server: &Server) -> std::result::Result<(), Trouble> {
    let row = session
        .query_one(
            "SELECT current_setting('server_version_num')::int, current_setting('server_encoding'), pg_is_in_recovery(),
                 current_setting('synchronous_commit'), current_setting('fsync')",
            &[],
        )
        .await?;
    let refused = |what: &str| -> Trouble {
        LedgerError::Storage(format!("the ledger at {} cannot be used: {what}", server.place())).into()
    };
    let version: i32 = row.get(0);
    if version < OLDEST {
        return Err(refused(&format!("it is PostgreSQL {}, and smm needs 13 or newer", version / 10_000)));
    }
    let encoding: String = row.get(1);
    if encoding != "UTF8" {
        return Err(refused(&format!(
            "its encoding is {encoding}; make a database with `createdb --encoding=UTF8 --template=template0`"
        )));
    }
    if server.mode == OpenMode::ReadWrite {
        if row.get(2) {
            return Err(refused(
                "it is a replica that follows another server; name the primary as `ledger` in smm.toml",
            ));
        }
        let (commit, fsync): (String, String) = (row.get(3), row.get(4));
        if commit == "off" && Guard::Sync.holds() {
            return Err(refused(
                "`synchronous_commit` is off, so a crash of the server loses what it confirmed, and posts would go out \
                 twice; turn it on for smm's role (`ALTER ROLE … SET synchronous_commit = on`)",
            ));
        }
        if fsync == "off" && !server.address.accept_unsafe_fsync {
            return Err(refused(
                "`fsync` is off, so a power cut loses what it confirmed, and posts would go out twice; turn it on in \
                 postgresql.conf",
            ));
        }
    }
    let milliseconds = server.limit.as_millis();
    // A session that is stopped in the middle holds its locks no longer than a request may take.
    session
        .batch_execute(&format!(
            "SET search_path TO {schema}; SET statement_timeout TO {milliseconds}; SET lock_timeout TO {milliseconds};
             SET idle_in_transaction_session_timeout TO {milliseconds}; SET client_min_messages TO warning;
             SET TimeZone TO 'UTC'; SET default_transaction_isolation TO 'read committed';
             SET default_transaction_deferrable TO off",
            schema = schema::NAME,
        ))
        .await?;
    if server.mode == OpenMode::ReadOnly {
        session.batch_execute("SET default_transaction_read_only TO on").await?;
        return Ok(());
    }
    let wanted = match row.get(3) {
        "remote_apply" => "remote_apply",
        _ if Guard::Sync.holds() => "on",
        _ => "off",
    };
    session.batch_execute(&format!("SET synchronous_commit TO {wanted}")).await?;
    let holds: String = session.query_one("SHOW synchronous_commit", &[]).await?.get(0);
    if holds != wanted {
        return Err(refused(&format!("`synchronous_commit` stays {holds} although smm has set it to {wanted}")));
    }
    Ok(())
}
