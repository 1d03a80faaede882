//! How deliveries stand, from the columns of a ledger that keeps its rows as JSON: of these as little is read as is needed.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{LedgerError, Result};
use crate::model::{AccountName, Late, OccurrenceName, Origin, PostId, Reason, Settled, Standing, Standings, State};

/// The columns that are read of each row.
pub(super) struct Columns<'a> {
    pub(super) id: &'a str,
    pub(super) post: &'a str,
    pub(super) occurrence: &'a str,
    pub(super) account: &'a str,
    pub(super) network: &'a str,
    pub(super) state: &'a str,
    pub(super) version: u64,
    /// The row; none is needed where it is settled.
    pub(super) row: Option<&'a str>,
}

/// What of a row stands in no column.
#[derive(Deserialize)]
struct Terms {
    origin: Origin,
    due: DateTime<Utc>,
    civil: NaiveDateTime,
    late: Late,
    reason: Option<Box<Reason>>,
    not_before: Option<DateTime<Utc>>,
    released: bool,
    #[serde(default)]
    any_hour: bool,
    intent: Option<IgnoredAny>,
    receipts: Vec<IgnoredAny>,
}

/// Takes rows in, one after the other. Names that are the same share their text.
#[derive(Default)]
pub(super) struct Gathering {
    names: HashSet<Arc<str>>,
    all: Standings,
}

impl Gathering {
    pub(super) fn add(&mut self, columns: &Columns<'_>) -> Result<()> {
        let state = State::parse(columns.state).ok_or_else(|| {
            LedgerError::Corrupt(format!("the ledger holds a state that smm does not know: `{}`", columns.state))
        })?;
        let (post, occurrence) =
            (PostId::new(self.name(columns.post)), OccurrenceName::new(self.name(columns.occurrence)));
        let account = AccountName::new(self.name(columns.account));
        let Some(row) = columns.row.filter(|_| !Standing::is_settled(state)) else {
            self.all.settled.push(Settled { post, occurrence, account });
            return Ok(());
        };
        let id = columns.id.parse();
        let id = id.map_err(|error| LedgerError::Corrupt(format!("the ledger holds a wrong id: {error}")))?;
        let terms: Terms = serde_json::from_str(row)?;
        if terms.origin != Origin::Calendar {
            return Ok(());
        }
        let network = self.name(columns.network);
        self.all.open.push(Standing {
            id,
            post,
            occurrence,
            account,
            network,
            due: terms.due,
            civil: terms.civil,
            late: terms.late,
            state,
            reason: terms.reason,
            not_before: terms.not_before,
            released: terms.released,
            any_hour: terms.any_hour,
            frozen: terms.intent.is_some() || !terms.receipts.is_empty(),
            version: columns.version,
        });
        Ok(())
    }

    fn name(&mut self, text: &str) -> Arc<str> {
        if let Some(name) = self.names.get(text) {
            return Arc::clone(name);
        }
        let name: Arc<str> = text.into();
        self.names.insert(Arc::clone(&name));
        name
    }

    pub(super) fn done(self) -> Standings {
        self.all
    }
}

/// The words of the states of which no row is needed, for SQL.
pub(super) fn settled_states() -> String {
    let words = State::ALL.into_iter().filter(|state| Standing::is_settled(*state));
    words.map(|state| format!("'{state}'")).collect::<Vec<_>>().join(", ")
}
