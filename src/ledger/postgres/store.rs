//! The statements that store rows, for many of them at once. Those that do not need each other's answers are on their way
//! together: the server runs them one after the other, each with what was committed before it began.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use deadpool_postgres::{GenericClient, Object};

use super::ask::{Committing, commit_with};
use super::error::Trouble;
use super::instant::{down, up};
use super::rows::{id_of, plain, signed};
use super::write::{Began, Present, Refused, Terms};
use super::{age, alerts};
use crate::ledger::{Write, Written};
use crate::model::{Binding, Delivery, DeliveryId, Event, Intent, Receipt};
use crate::trial::Guard;

type Result<T> = std::result::Result<T, Trouble>;

/// A row that is to be stored over the version that its writer has read.
pub(super) struct Row<'a> {
    pub(super) write: &'a Write,
    /// What it was like when it was locked; `None`: it is new.
    pub(super) present: Option<&'a Present>,
    /// The intent that it comes to hold.
    pub(super) new: Option<&'a Intent>,
}

impl Row<'_> {
    fn open(&self) -> Option<&(i64, Intent)> {
        self.present.and_then(|present| present.open.as_ref())
    }

    fn begins(&self) -> Begins {
        match self.new.filter(|_| Guard::Fence.holds()) {
            None => Begins::Nothing,
            Some(intent) if self.open().is_some() => Begins::Repeat(intent.at),
            Some(_) => Begins::Call,
        }
    }
}

/// What begins with an update, and so what it has to find.
#[derive(Debug, Clone, Copy)]
enum Begins {
    Nothing,
    /// The call of a claimed row: its lease must last.
    Call,
    /// A repeat, decided at this time: it was not claimed, so nobody else may be at work on its account nor have begun a
    /// call there since. (What began before was seen by whoever decided, and with it the spacing.) The account's row is
    /// locked by now, so no claim can come between.
    Repeat(DateTime<Utc>),
}

/// What became of rows.
#[derive(Default)]
pub(super) struct Stored {
    /// New ones that somebody else has added meanwhile: nothing of them was stored.
    pub(super) lost: BTreeSet<DeliveryId>,
    /// Those that cannot be stored. Something of them was: it has to be taken back.
    pub(super) refused: BTreeMap<DeliveryId, Refused>,
    /// The highest number of the intents, with when that one begins.
    pub(super) sent: Began,
}

/// What is stored of rows, each of another delivery, once the new ones are there.
struct Parts<'a> {
    rows: Vec<&'a Row<'a>>,
    /// New ones that somebody else has added meanwhile: nothing of them is stored.
    lost: BTreeSet<DeliveryId>,
    /// The numbers of the intents that come to their end.
    close: Vec<i64>,
    update: Update,
    intents: Intents,
    receipts: Receipts,
    events: EventColumns<'a>,
    adding: Statement,
    closing: Statement,
    updating: Statement,
    looking: Statement,
    checking: Statement,
    receiving: Statement,
    noting: Statement,
    alerts: alerts::Raising,
}

impl<'a> Parts<'a> {
    /// Adds the rows that are new, and gets the rest ready.
    async fn begin(client: &impl GenericClient, rows: &'a [Row<'a>], lease: Duration) -> Result<Self> {
        let new: Vec<&Write> = rows.iter().filter(|row| row.present.is_none()).map(|row| row.write).collect();
        let added = insert(client, &new, lease).await?;
        let lost: BTreeSet<DeliveryId> =
            new.iter().map(|write| write.delivery.id).filter(|id| !added.contains(id)).collect();
        let rows: Vec<&Row<'_>> = rows.iter().filter(|row| !lost.contains(&row.write.delivery.id)).collect();
        let moved: Vec<&Row<'_>> = rows.iter().copied().filter(|row| row.present.is_some()).collect();
        let events: Vec<&Event> = rows.iter().map(|row| &row.write.event).collect();
        let settled: Vec<&Write> = rows.iter().map(|row| row.write).filter(|write| write.withdraws()).collect();
        let close = rows.iter().filter_map(|row| {
            let (seq, intent) = row.open()?;
            (row.write.delivery.intent.as_deref() != Some(intent)).then_some(*seq)
        });
        Ok(Self {
            close: close.collect(),
            update: Update::of(&moved, lease)?,
            intents: Intents::of(&rows)?,
            receipts: Receipts::of(&rows, &bindings(client, &rows).await?)?,
            events: EventColumns::of(&events, &settled),
            adding: client.prepare_cached(ADD_INTENTS).await?,
            closing: client.prepare_cached("UPDATE intents SET open = false WHERE seq = ANY($1)").await?,
            updating: client.prepare_cached(UPDATE).await?,
            looking: client.prepare_cached(ALREADY_OUT).await?,
            checking: client.prepare_cached(CHECK).await?,
            receiving: client.prepare_cached(ADD_RECEIPTS).await?,
            noting: client.prepare_cached(ADD_EVENTS).await?,
            alerts: alerts::Raising::of(client, rows.iter().filter_map(|row| row.write.alert.as_ref())).await?,
            rows,
            lost,
        })
    }

    // In the order in which they are run. The unique index decides a race for an intent: whoever comes second waits for the
    // first to commit. The look at what is out comes after the index has let us through, so it sees what was committed
    // until then.

    async fn close(&self, client: &impl GenericClient) -> std::result::Result<u64, tokio_postgres::Error> {
        if self.close.is_empty() { Ok(0) } else { client.execute(&self.closing, &[&self.close]).await }
    }

    async fn add_intents(&self, client: &impl GenericClient) -> Answer {
        if self.intents.is_empty() { Ok(Vec::new()) } else { self.intents.add(client, &self.adding).await }
    }

    async fn update(&self, client: &impl GenericClient) -> Answer {
        if self.update.is_empty() { Ok(Vec::new()) } else { self.update.run(client, &self.updating).await }
    }

    async fn look(&self, client: &impl GenericClient) -> Answer {
        if self.intents.is_empty() { Ok(Vec::new()) } else { self.intents.look(client, &self.looking).await }
    }

    async fn check(&self, client: &impl GenericClient, known: i64) -> Answer {
        if self.intents.is_empty() {
            return Ok(Vec::new());
        }
        let Intents { delivery, calendar, occurrence, network, uid, part, generation, .. } = &self.intents;
        let Columns { id, version, .. } = &self.update.columns;
        client
            .query(
                &self.checking,
                &[delivery, calendar, occurrence, network, uid, part, generation, id, version, &known],
            )
            .await
    }

    async fn add_receipts(&self, client: &impl GenericClient) -> std::result::Result<u64, tokio_postgres::Error> {
        if self.receipts.is_empty() { Ok(0) } else { self.receipts.add(client, &self.receiving).await }
    }

    async fn add_events(&self, client: &impl GenericClient) -> std::result::Result<u64, tokio_postgres::Error> {
        self.events.add(client, &self.noting).await
    }

    /// Raises the new alerts, after those have gone that the events withdraw.
    async fn raise(&self, client: &impl GenericClient) -> std::result::Result<u64, tokio_postgres::Error> {
        self.alerts.run(client).await
    }

    /// The highest of them, with when that intent begins.
    fn sent(&self, numbers: &BTreeMap<DeliveryId, i64>) -> Began {
        let began = |row: &&Row<'_>| Some((*numbers.get(&row.write.delivery.id)?, down(row.new?.at)));
        self.rows.iter().filter_map(began).max()
    }
}

/// The number of each intent that was added.
fn numbers(added: &[tokio_postgres::Row]) -> Result<BTreeMap<DeliveryId, i64>> {
    added.iter().map(|row| Ok((id_of(row.get(1))?, row.get(0)))).collect()
}

/// Stores rows as the last of a transaction, and commits it. Gives the new ones that somebody else has added meanwhile, of
/// which nothing was stored. When a row cannot be stored, all is taken back ([`Trouble::is_check`]).
pub(super) async fn store_and_commit(
    session: &Object,
    committing: &Committing,
    rows: &[Row<'_>],
    terms: &Terms,
) -> Result<(BTreeSet<DeliveryId>, Began)> {
    let parts = Parts::begin(session, rows, terms.lease).await?;
    let known = if Guard::Age.holds() { terms.known } else { i64::MIN };
    let statements = async {
        tokio::try_join!(
            biased;
            parts.close(session),
            parts.add_intents(session),
            parts.update(session),
            parts.check(session, known),
            parts.add_receipts(session),
            parts.add_events(session),
            parts.raise(session),
        )
    };
    let (_, added, ..) = commit_with(session, committing, statements).await?;
    let sent = parts.sent(&numbers(&added)?);
    Ok((parts.lost, sent))
}

/// Stores rows in the middle of a transaction, each of another delivery, with all that belongs to them.
pub(super) async fn store(client: &impl GenericClient, rows: &[Row<'_>], terms: &Terms) -> Result<Stored> {
    let parts = Parts::begin(client, rows, terms.lease).await?;
    let (_, added, updated, out, ..) = tokio::try_join!(
        biased;
        parts.close(client),
        parts.add_intents(client),
        parts.update(client),
        parts.look(client),
        parts.add_receipts(client),
        parts.add_events(client),
        parts.raise(client),
    )?;
    let begun = numbers(&added)?;
    if begun.values().any(|number| age::goes_back(*number, terms.known)) {
        return Err(age::older().into());
    }
    let mut is_out = BTreeMap::new();
    for row in &out {
        let receipt: Option<&str> = row.get(2);
        let receipt = receipt.map(serde_json::from_str).transpose()?;
        is_out.insert(id_of(row.get(0))?, Written::AlreadyOut { by: id_of(row.get(1))?, receipt });
    }
    let updated = updated.iter().map(|row| Ok(id_of(row.get(0))?)).collect::<Result<BTreeSet<DeliveryId>>>()?;
    let mut refused = BTreeMap::new();
    for row in &parts.rows {
        let id = row.write.delivery.id;
        let out = is_out.remove(&id).map(Refused::Out);
        let why = match row.new {
            Some(_) if !begun.contains_key(&id) => Some(out.unwrap_or(Refused::Ended)),
            _ if row.present.is_some() && !updated.contains(&id) => Some(Refused::Stale),
            _ => out,
        };
        refused.extend(why.map(|why| (id, why)));
    }
    Ok(Stored { refused, sent: parts.sent(&begun), lost: parts.lost })
}

/// The columns of rows, as lists.
#[derive(Default)]
struct Columns {
    id: Vec<String>,
    calendar: Vec<String>,
    post: Vec<String>,
    occurrence: Vec<String>,
    account: Vec<String>,
    network: Vec<String>,
    due: Vec<DateTime<Utc>>,
    ready: Vec<DateTime<Utc>>,
    state: Vec<&'static str>,
    version: Vec<i64>,
    fence: Vec<i64>,
    owner: Vec<Option<String>>,
    row: Vec<String>,
    frozen: Vec<bool>,
}

impl Columns {
    /// In the order of ids, so that rows of two batches meet in the same order.
    fn of(writes: &[&Write]) -> Result<Self> {
        let mut sorted: Vec<&Write> = writes.to_vec();
        sorted.sort_by_key(|write| write.delivery.id);
        let mut columns = Self::default();
        for write in sorted {
            let row = &write.delivery;
            columns.id.push(row.id.to_string());
            columns.calendar.push(row.calendar.as_str().to_owned());
            columns.post.push(row.post.as_str().to_owned());
            columns.occurrence.push(row.occurrence.as_str().to_owned());
            columns.account.push(row.account.as_str().to_owned());
            columns.network.push(row.network.clone());
            columns.due.push(up(row.due));
            columns.ready.push(up(row.ready_at()));
            columns.state.push(row.state.as_str());
            columns.version.push(signed(write.expect + 1));
            columns.fence.push(signed(row.fence));
            columns.owner.push(row.owner.as_deref().map(|owner| plain(owner).into_owned()));
            columns.row.push(serde_json::to_string(row)?);
            columns.frozen.push(row.is_frozen());
        }
        Ok(columns)
    }
}

/// Adds rows. One that somebody else has added meanwhile is not among those that it gives.
pub(super) async fn insert(
    client: &impl GenericClient,
    writes: &[&Write],
    lease: Duration,
) -> Result<BTreeSet<DeliveryId>> {
    if writes.is_empty() {
        return Ok(BTreeSet::new());
    }
    let columns = Columns::of(writes)?;
    let accounts = client
        .prepare_cached(
            "INSERT INTO accounts (name) SELECT DISTINCT name FROM unnest($1::text[]) AS new (name) ORDER BY name
             ON CONFLICT (name) DO NOTHING",
        )
        .await?;
    let deliveries = client
        .prepare_cached(
            "INSERT INTO deliveries (id, calendar, post, occurrence, account, network, due, ready, state, version, fence,
                 owner, row, frozen, lease_until)
             SELECT *, CASE WHEN state IN ('claimed', 'sending')
                 THEN clock_timestamp() + $15 * interval '1 second' END
             FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[],
                 $8::timestamptz[], $9::text[], $10::bigint[], $11::bigint[], $12::text[], $13::text[], $14::bool[])
                 AS new (id, calendar, post, occurrence, account, network, due, ready, state, version, fence, owner, row,
                     frozen)
             ORDER BY id
             ON CONFLICT (id) DO NOTHING RETURNING id",
        )
        .await?;
    let seconds = lease.as_secs_f64();
    let Columns {
        id,
        calendar,
        post,
        occurrence,
        account,
        network,
        due,
        ready,
        state,
        version,
        fence,
        owner,
        row,
        frozen,
    } = &columns;
    let (_, stored) = tokio::try_join!(
        biased;
        async { client.execute(&accounts, &[account]).await },
        async {
            client
                .query(
                    &deliveries,
                    &[
                        id, calendar, post, occurrence, account, network, due, ready, state, version, fence, owner, row,
                        frozen, &seconds,
                    ],
                )
                .await
        },
    )?;
    stored.iter().map(|row| Ok(id_of(row.get(0))?)).collect()
}

/// Moves rows on that are locked. Gives those that were.
const UPDATE: &str = "UPDATE deliveries d SET due = new.due, ready = new.ready, state = new.state,
         version = new.version, fence = new.fence, owner = new.owner, row = new.row, frozen = new.frozen,
         lease_until = CASE WHEN new.state IN ('claimed', 'sending')
             THEN coalesce(d.lease_until, clock_timestamp() + $12 * interval '1 second') END
     FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::text[], $5::bigint[], $6::bigint[],
         $7::text[], $8::text[], $9::bool[], $10::bool[], $11::timestamptz[])
         AS new (id, due, ready, state, version, fence, owner, row, frozen, leased, repeated)
     WHERE d.id = new.id AND (NOT new.leased OR d.lease_until IS NULL OR d.lease_until > clock_timestamp())
         AND (new.repeated IS NULL OR NOT EXISTS (
             SELECT 1 FROM deliveries b
             WHERE b.account = d.account AND b.id <> d.id AND b.state IN ('claimed', 'sending')
         ) AND NOT EXISTS (SELECT 1 FROM accounts a WHERE a.name = d.account AND a.last_sent > new.repeated))
     RETURNING d.id";

struct Update {
    columns: Columns,
    /// The lease has to last.
    leased: Vec<bool>,
    /// When the repeat was decided.
    repeated: Vec<Option<DateTime<Utc>>>,
    lease: f64,
}

impl Update {
    fn of(rows: &[&Row<'_>], lease: Duration) -> Result<Self> {
        let mut sorted = rows.to_vec();
        sorted.sort_by_key(|row| row.write.delivery.id);
        let repeated = |row: &&Row<'_>| match row.begins() {
            Begins::Repeat(at) => Some(up(at)),
            Begins::Nothing | Begins::Call => None,
        };
        Ok(Self {
            columns: Columns::of(&sorted.iter().map(|row| row.write).collect::<Vec<_>>())?,
            leased: sorted.iter().map(|row| !matches!(row.begins(), Begins::Nothing)).collect(),
            repeated: sorted.iter().map(repeated).collect(),
            lease: lease.as_secs_f64(),
        })
    }

    fn is_empty(&self) -> bool {
        self.columns.id.is_empty()
    }

    async fn run(&self, client: &impl GenericClient, statement: &Statement) -> Answer {
        let Columns { id, due, ready, state, version, fence, owner, row, frozen, .. } = &self.columns;
        let Self { leased, repeated, lease, .. } = self;
        client
            .query(statement, &[id, due, ready, state, version, fence, owner, row, frozen, leased, repeated, lease])
            .await
    }
}

type Statement = tokio_postgres::Statement;
type Answer = std::result::Result<Vec<tokio_postgres::Row>, tokio_postgres::Error>;

/// Adds intents; one is not among those that it gives when another is open for the same part, occurrence and identity.
const ADD_INTENTS: &str = "WITH new AS (
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int[], $7::bigint[],
             $8::text[], $9::timestamptz[], $10::timestamptz[], $11::text[])
             AS new (delivery, calendar, occurrence, network, uid, part, generation, account, at, sent, intent)
     ), added AS (
         INSERT INTO intents (delivery, account, calendar, occurrence, network, uid, part, generation, at, open, intent)
         SELECT delivery, account, calendar, occurrence, network, uid, part, generation, at, true, intent FROM new
         ORDER BY calendar, occurrence, network, uid, part, generation
         ON CONFLICT DO NOTHING RETURNING seq, delivery
     ), noted AS (
         UPDATE accounts a SET last_sent = greatest(a.last_sent, latest.sent)
         FROM (SELECT account, max(sent) AS sent FROM new JOIN added USING (delivery) GROUP BY account) latest
         WHERE a.name = latest.account
     )
     SELECT seq, delivery FROM added";

/// The guard: one part of one occurrence reaches one identity once, whatever the account is called. A receipt of this
/// very delivery counts too; an open intent of its own does not, since settling it is what an attempt may be for.
macro_rules! already_out {
    () => {
        "SELECT new.delivery, o.delivery, o.receipt
         FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int[], $7::bigint[])
             AS new (delivery, calendar, occurrence, network, uid, part, generation)
         CROSS JOIN LATERAL (
             SELECT r.delivery, r.receipt FROM receipts r
             WHERE r.calendar = new.calendar AND r.occurrence = new.occurrence AND r.network = new.network
                 AND r.uid = new.uid AND r.part = new.part AND r.generation = new.generation
             UNION ALL
             SELECT i.delivery, NULL FROM intents i
             WHERE i.calendar = new.calendar AND i.occurrence = new.occurrence AND i.network = new.network
                 AND i.uid = new.uid AND i.part = new.part AND i.generation = new.generation
                 AND i.open AND i.delivery <> new.delivery
             LIMIT 1
         ) o"
    };
}

const ALREADY_OUT: &str = already_out!();

/// Fails when a new intent has a number that is not above `$10` ([`Trouble::is_older`]), and unless all rows have moved on
/// (`$8` ids, `$9` versions), all intents are there, and none of them is of what is out ([`Trouble::is_check`]).
const CHECK: &str = concat!(
    "SELECT (CASE WHEN EXISTS (
             SELECT 1 FROM unnest($1::text[], $6::int[]) AS new (delivery, part)
             JOIN intents i ON i.delivery = new.delivery AND i.part = new.part AND i.open AND i.seq <= $10::bigint
         ) THEN 'older' ELSE '0' END)::int + 1 / (
         (SELECT count(*) FROM unnest($8::text[], $9::bigint[]) AS new (id, version)
          JOIN deliveries d ON d.id = new.id AND d.version = new.version) = cardinality($8)
         AND (SELECT count(*) FROM unnest($1::text[], $6::int[]) AS new (delivery, part)
          JOIN intents i ON i.delivery = new.delivery AND i.part = new.part AND i.open) = cardinality($1)
         AND NOT EXISTS (",
    already_out!(),
    "))::int"
);

/// The columns of new intents.
#[derive(Default)]
struct Intents {
    delivery: Vec<String>,
    calendar: Vec<String>,
    occurrence: Vec<String>,
    network: Vec<String>,
    uid: Vec<String>,
    part: Vec<i32>,
    generation: Vec<i64>,
    account: Vec<String>,
    at: Vec<DateTime<Utc>>,
    sent: Vec<DateTime<Utc>>,
    intent: Vec<String>,
}

impl Intents {
    fn of(rows: &[&Row<'_>]) -> Result<Self> {
        let mut columns = Self::default();
        for (row, intent) in rows.iter().filter_map(|row| Some((&row.write.delivery, row.new?))) {
            columns.delivery.push(row.id.to_string());
            columns.calendar.push(row.calendar.as_str().to_owned());
            columns.occurrence.push(row.occurrence.as_str().to_owned());
            columns.network.push(intent.binding.network.clone());
            columns.uid.push(intent.binding.uid.clone());
            columns.part.push(i32::from(intent.frozen.part));
            columns.generation.push(i64::from(row.generation));
            columns.account.push(row.account.as_str().to_owned());
            columns.at.push(down(intent.at));
            columns.sent.push(up(intent.at));
            columns.intent.push(serde_json::to_string(intent)?);
        }
        Ok(columns)
    }

    fn is_empty(&self) -> bool {
        self.delivery.is_empty()
    }

    async fn add(&self, client: &impl GenericClient, statement: &Statement) -> Answer {
        let Self { delivery, calendar, occurrence, network, uid, part, generation, account, at, sent, intent } = self;
        client
            .query(
                statement,
                &[delivery, calendar, occurrence, network, uid, part, generation, account, at, sent, intent],
            )
            .await
    }

    async fn look(&self, client: &impl GenericClient, statement: &Statement) -> Answer {
        let Self { delivery, calendar, occurrence, network, uid, part, generation, .. } = self;
        client.query(statement, &[delivery, calendar, occurrence, network, uid, part, generation]).await
    }
}

/// Whose receipts those are of rows that have no open intent and come to hold none: a person has said that it is out.
async fn bindings(client: &impl GenericClient, rows: &[&Row<'_>]) -> Result<BTreeMap<DeliveryId, Binding>> {
    let unsaid = |row: &&&Row<'_>| !row.write.delivery.receipts.is_empty() && row.open().is_none() && row.new.is_none();
    let asked: Vec<&Delivery> = rows.iter().filter(unsaid).map(|row| &row.write.delivery).collect();
    let mut found = BTreeMap::new();
    if asked.is_empty() {
        return Ok(found);
    }
    let statement = client
        .prepare_cached(
            "SELECT asked.id, (SELECT i.intent FROM intents i WHERE i.delivery = asked.id ORDER BY i.seq DESC LIMIT 1),
                 a.binding
             FROM unnest($1::text[], $2::text[]) AS asked (id, account) LEFT JOIN accounts a ON a.name = asked.account",
        )
        .await?;
    let ids: Vec<String> = asked.iter().map(|row| row.id.to_string()).collect();
    let accounts: Vec<&str> = asked.iter().map(|row| row.account.as_str()).collect();
    for row in &client.query(&statement, &[&ids, &accounts]).await? {
        let (intent, binding): (Option<&str>, Option<&str>) = (row.get(1), row.get(2));
        let binding = match (intent, binding) {
            (Some(intent), _) => serde_json::from_str::<Intent>(intent)?.binding,
            (None, Some(binding)) => serde_json::from_str(binding)?,
            (None, None) => continue,
        };
        found.insert(id_of(row.get(0))?, binding);
    }
    Ok(found)
}

/// Adds receipts. What is there stays: a row that another delivery brought out carries that delivery's receipt, and a part
/// that went out before a person said "post again" keeps its generation.
const ADD_RECEIPTS: &str = "INSERT INTO receipts (calendar, occurrence, network, uid, part, generation, delivery, at, receipt)
     SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[], $6::bigint[], $7::text[],
         $8::timestamptz[], $9::text[]) AS new (calendar, occurrence, network, uid, part, generation, delivery, at, receipt)
     WHERE NOT EXISTS (
         SELECT 1 FROM receipts r
         WHERE r.calendar = new.calendar AND r.occurrence = new.occurrence AND r.network = new.network
             AND r.uid = new.uid AND r.part = new.part AND r.delivery = new.delivery AND r.receipt = new.receipt
     )
     ORDER BY calendar, occurrence, network, uid, part, generation
     ON CONFLICT DO NOTHING";

/// The columns of receipts.
#[derive(Default)]
struct Receipts {
    calendar: Vec<String>,
    occurrence: Vec<String>,
    network: Vec<String>,
    uid: Vec<String>,
    part: Vec<i32>,
    generation: Vec<i64>,
    delivery: Vec<String>,
    at: Vec<DateTime<Utc>>,
    receipt: Vec<String>,
}

impl Receipts {
    fn of(rows: &[&Row<'_>], said: &BTreeMap<DeliveryId, Binding>) -> Result<Self> {
        let mut columns = Self::default();
        for row in rows {
            let next = &row.write.delivery;
            let binding = match (row.open(), row.new) {
                (Some((_, intent)), _) | (None, Some(intent)) => Some(&intent.binding),
                (None, None) => said.get(&next.id),
            };
            // An account that was never bound has sent nothing; its name stands in for its identity (no network's id has
            // a space in it).
            let stand_in = format!("name {}", next.account);
            let uid = binding.map_or(stand_in.as_str(), |binding| binding.uid.as_str());
            let network = binding.map_or(next.network.as_str(), |binding| binding.network.as_str());
            for receipt in &next.receipts {
                columns.push(next, next.generation, network, uid, receipt)?;
            }
        }
        Ok(columns)
    }

    fn push(&mut self, row: &Delivery, generation: u32, network: &str, uid: &str, receipt: &Receipt) -> Result<()> {
        self.calendar.push(row.calendar.as_str().to_owned());
        self.occurrence.push(row.occurrence.as_str().to_owned());
        self.network.push(network.to_owned());
        self.uid.push(uid.to_owned());
        self.part.push(i32::from(receipt.part));
        self.generation.push(i64::from(generation));
        self.delivery.push(row.id.to_string());
        self.at.push(down(receipt.at));
        self.receipt.push(serde_json::to_string(receipt)?);
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.delivery.is_empty()
    }

    async fn add(
        &self,
        client: &impl GenericClient,
        statement: &Statement,
    ) -> std::result::Result<u64, tokio_postgres::Error> {
        let Self { calendar, occurrence, network, uid, part, generation, delivery, at, receipt } = self;
        client.execute(statement, &[calendar, occurrence, network, uid, part, generation, delivery, at, receipt]).await
    }
}

/// Adds lines to the history, in their order, and withdraws the alerts that nobody needs any more.
const ADD_EVENTS: &str = "WITH withdrawn AS (
         DELETE FROM alerts USING unnest($7::text[], $8::timestamptz[]) AS settled (delivery, at)
         WHERE alerts.delivery = settled.delivery AND alerts.tell_at > settled.at
     )
     INSERT INTO events (at, delivery, kind, state, detail, actor)
     SELECT at, delivery, kind, state, detail, actor
     FROM unnest($1::timestamptz[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) WITH ORDINALITY
         AS new (at, delivery, kind, state, detail, actor, place)
     ORDER BY place";

struct EventColumns<'a> {
    at: Vec<DateTime<Utc>>,
    delivery: Vec<String>,
    kind: Vec<std::borrow::Cow<'a, str>>,
    state: Vec<&'static str>,
    detail: Vec<std::borrow::Cow<'a, str>>,
    actor: Vec<std::borrow::Cow<'a, str>>,
    settled: Vec<String>,
    settled_at: Vec<DateTime<Utc>>,
}

impl<'a> EventColumns<'a> {
    fn of(events: &[&'a Event], settled: &[&Write]) -> Self {
        Self {
            at: events.iter().map(|event| down(event.at)).collect(),
            delivery: events.iter().map(|event| event.delivery.to_string()).collect(),
            kind: events.iter().map(|event| plain(&event.kind)).collect(),
            state: events.iter().map(|event| event.state.as_str()).collect(),
            detail: events.iter().map(|event| plain(&event.detail)).collect(),
            actor: events.iter().map(|event| plain(&event.actor)).collect(),
            settled: settled.iter().map(|write| write.delivery.id.to_string()).collect(),
            settled_at: settled.iter().map(|write| down(write.event.at)).collect(),
        }
    }

    async fn add(
        &self,
        client: &impl GenericClient,
        statement: &Statement,
    ) -> std::result::Result<u64, tokio_postgres::Error> {
        let Self { at, delivery, kind, state, detail, actor, settled, settled_at } = self;
        client.execute(statement, &[at, delivery, kind, state, detail, actor, settled, settled_at]).await
    }
}

/// Adds lines to the history, in their order.
pub(super) async fn add_events(client: &impl GenericClient, events: &[&Event]) -> Result<()> {
    let statement = client.prepare_cached(ADD_EVENTS).await?;
    EventColumns::of(events, &[]).add(client, &statement).await?;
    Ok(())
}
