//! The server's errors in the ledger's words: what happened, where, what to do. Never a password, and never the address
//! with who signs in.

use std::error::Error as _;

use deadpool_postgres::PoolError;
use tokio_postgres::error::SqlState;

use crate::ledger::LedgerError;

/// What went wrong in the middle of a request.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Ours: it is not asked again.
    Ledger(LedgerError),
    /// The server, or the way to it.
    Server(tokio_postgres::Error),
    /// All connections were in use for too long.
    Crowded,
    /// No answer within the time that there is.
    Silent,
}

impl From<LedgerError> for Trouble {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

impl From<tokio_postgres::Error> for Trouble {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Server(error)
    }
}

impl From<serde_json::Error> for Trouble {
    fn from(error: serde_json::Error) -> Self {
        Self::Ledger(error.into())
    }
}

impl From<PoolError> for Trouble {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Backend(error) => Self::Server(error),
            PoolError::Timeout(deadpool_postgres::TimeoutType::Wait) => Self::Crowded,
            PoolError::Timeout(_) => Self::Silent,
            PoolError::Closed | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
                Self::Ledger(LedgerError::Storage("the ledger's connections were closed".to_owned()))
            }
        }
    }
}

impl Trouble {
    /// The server has taken all of the transaction back, for a reason that may be gone the next time.
    pub(super) fn is_rolled_back(&self) -> bool {
        self.code().is_some_and(|code| {
            *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED
        })
    }

    /// The server takes nobody for the moment: it is starting, or has no connection left.
    pub(super) fn is_full_or_starting(&self) -> bool {
        self.code().is_some_and(|code| *code == SqlState::TOO_MANY_CONNECTIONS || *code == SqlState::CANNOT_CONNECT_NOW)
    }

    /// The server lives, and it or smm has said no to something, of which nothing is left.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self, Self::Ledger(_)) || (self.code().is_some() && !self.is_cut() && !self.is_full_or_starting())
    }

    /// A statement that checks the others has found that they did not do what they should: all is taken back.
    pub(super) fn is_check(&self) -> bool {
        self.code().is_some_and(|code| *code == SqlState::DIVISION_BY_ZERO)
    }

    /// The same, of an intent with a number that was there before.
    pub(super) fn is_older(&self) -> bool {
        self.code().is_some_and(|code| *code == SqlState::INVALID_TEXT_REPRESENTATION)
    }

    /// The connection is gone: what was not committed never happened.
    pub(super) fn is_cut(&self) -> bool {
        match self {
            Self::Server(error) => {
                error.is_closed()
                    || error.source().is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
                    || self.code().is_some_and(|code| {
                        *code == SqlState::ADMIN_SHUTDOWN
                            || *code == SqlState::CRASH_SHUTDOWN
                            || *code == SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
                    })
            }
            Self::Silent => true,
            Self::Ledger(_) | Self::Crowded => false,
        }
    }

    /// The connection had died before it was asked: a new one may live.
    pub(super) fn is_stale(&self) -> bool {
        matches!(self, Self::Server(_)) && self.is_cut()
    }

    fn code(&self) -> Option<&SqlState> {
        match self {
            Self::Server(error) => error.code(),
            _ => None,
        }
    }

    /// For people. `place`: the server's host and the database.
    pub(super) fn explain(self, place: &str) -> LedgerError {
        match self {
            Self::Ledger(error) => error,
            Self::Crowded => LedgerError::Storage(format!(
                "the ledger at {place} is slow: all of smm's connections to it have been in use for too long; smm tries again"
            )),
            Self::Silent => LedgerError::Storage(format!(
                "the ledger at {place} did not answer in time; see that the server runs and that the network lets smm through"
            )),
            Self::Server(error) => explain(&error, place),
        }
    }

    /// The answer to a commit did not come.
    pub(super) fn unconfirmed(self, place: &str) -> LedgerError {
        let why = self.explain(place);
        LedgerError::Storage(format!(
            "the ledger did not confirm that it has kept what was written, so it counts as not written ({why})"
        ))
    }
}

fn explain(error: &tokio_postgres::Error, place: &str) -> LedgerError {
    let Some(db) = error.as_db_error() else {
        let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
        if cause.contains("password missing") {
            return LedgerError::Storage(format!(
                "the ledger at {place} asks for a password; set SMM_LEDGER_PASSWORD, or the systemd credential \
                 `ledger.password`"
            ));
        }
        if cause.contains("invalid peer certificate") {
            return LedgerError::Storage(format!(
                "the ledger at {place} does not prove whose it is{cause}; when its certificate is of your own authority, \
                 add `sslrootcert=/path/ca.pem` to `ledger` in smm.toml, and use a host name that the certificate is for"
            ));
        }
        if cause.contains("server does not support TLS") {
            return LedgerError::Storage(format!(
                "the ledger at {place} does not speak TLS, which smm needs beyond this machine; turn `ssl` on in \
                 postgresql.conf"
            ));
        }
        return LedgerError::Storage(format!(
            "the ledger at {place} cannot be reached ({error}{cause}); see that the server runs and that `ledger` in \
             smm.toml names it"
        ));
    };
    let (code, said) = (db.code(), db.message());
    let storage = |help: &str| LedgerError::Storage(format!("the ledger at {place} says: {said}; {help}"));
    if *code == SqlState::INVALID_PASSWORD || *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION {
        storage("see the user in `ledger` of smm.toml, SMM_LEDGER_PASSWORD, and the server's pg_hba.conf")
    } else if *code == SqlState::INVALID_CATALOG_NAME {
        storage("make the database with `createdb --encoding=UTF8`, or name another one as `ledger` in smm.toml")
    } else if *code == SqlState::INSUFFICIENT_PRIVILEGE {
        storage(
            "the role of `ledger` in smm.toml has to own the schema `smm` (`CREATE SCHEMA smm AUTHORIZATION …`), or be \
             allowed to make it",
        )
    } else if *code == SqlState::TOO_MANY_CONNECTIONS {
        storage("raise `max_connections` or the role's limit; smm needs up to nine connections for each process")
    } else if *code == SqlState::READ_ONLY_SQL_TRANSACTION {
        storage("it is a replica or was made read-only; name the primary server as `ledger` in smm.toml")
    } else if *code == SqlState::DISK_FULL {
        LedgerError::Full(format!(
            "the ledger at {place} says: {said}; nothing was recorded; make room on the server's disk"
        ))
    } else if [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::CANNOT_CONNECT_NOW].contains(code) {
        storage("the server is stopping or starting; smm tries again")
    } else if [SqlState::QUERY_CANCELED, SqlState::LOCK_NOT_AVAILABLE, SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT]
        .contains(code)
    {
        storage("the server is overloaded, or another program holds locks on the ledger's tables")
    } else if [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED].contains(code) {
        storage("others were writing the same rows at the same time; try again")
    } else if [SqlState::UNDEFINED_TABLE, SqlState::UNDEFINED_COLUMN, SqlState::INVALID_SCHEMA_NAME].contains(code) {
        LedgerError::Gone(format!(
            "the ledger at {place} is not what it was when smm opened it ({said}): somebody has changed or removed the \
             schema `smm`; see what happened to it, then start smm again"
        ))
    } else if [SqlState::DATA_CORRUPTED, SqlState::INDEX_CORRUPTED].contains(code) {
        LedgerError::Corrupt(format!("the ledger at {place} is damaged: {said}"))
    } else {
        storage(&format!("that is not expected (SQLSTATE {})", code.code()))
    }
}
