//! The ledger as files of a tree, and back. `super` has the table of them; whoever reads it with plain git finds a
//! `README.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::objects::{File, Files};
use super::remote::Oid;
use crate::ledger::tables::{KeptAlert, KeptErrand, KeptEvent, KeptIntent, KeptReceipt, Tables};
use crate::ledger::{AccountRecord, Alert, CalendarRecord, LedgerError, Result, StoredPost, Telling};
use crate::model::{
    AccountName, CalendarName, Delivery, DeliveryId, Event, Intent, OccurrenceName, PostId, Receipt, hex,
};

/// The version of the layout that this smm reads and writes.
pub(super) const FORMAT: u32 = 1;

/// Where the settled deliveries are that were folded.
pub(super) const FOLDED: &str = "folded.jsonl";

const LEDGER: &str = "ledger.json";
const README: &str = "README.md";
const TARGETS: &str = "targets.json";

/// For whoever looks at it with plain git.
const ABOUT: &str = "# A ledger of smm\n\n\
    What `smm` has planned, sent and received, for every machine that publishes this repository's calendars. It is state,\n\
    changed by smm alone (`smm status`, `smm history`, `smm ledger`): what is edited here by hand may be published twice.\n\
    The log of this ref says what happened, and who did it.\n\n\
    | file | what |\n|---|---|\n\
    | `ledger.json` | which ledger it is, and how far it has come |\n\
    | `calendars/NAME.json` | when a calendar was first seen; its series |\n\
    | `accounts/NAME.json` | who an account is, when it last sent, pauses, limits |\n\
    | `deliveries/XX/ID.json` | a delivery with its intents and receipts |\n\
    | `history/XX/ID.jsonl` | what happened to it |\n\
    | `variations/NAME.json` | which of a series' texts were used |\n\
    | `posts/NAME/ID.json` | posts of `smm post` that wait |\n\
    | `owners/XX.json` | processes that have something in hand, and that they live |\n\
    | `alerts/XX.json`, `targets.json` | who has to be told of what |\n\
    | `folded.jsonl` | settled deliveries of long ago |\n";

/// What `ledger.json` says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Facts {
    /// The layout's version.
    pub(super) format: u32,
    /// Which ledger it is: a new name when it is made, and when it is adopted.
    pub(super) instance: String,
    /// The names that it had before it was adopted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) former: Vec<String>,
    /// Rises with every commit.
    pub(super) serial: u64,
    /// Rises with everything that is kept in order.
    order: u64,
    /// Rises with every intent.
    sequence: u64,
    /// When the last intent was written.
    last_intent: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    adopted: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    paused: Option<(DateTime<Utc>, String)>,
    /// An import was begun, and not ended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    importing: bool,
    /// Histories that were cut off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) squashed: Vec<Squashed>,
}

/// A history that was cut off: what came before is not here any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Squashed {
    /// Of its last commit.
    pub(super) serial: u64,
    /// Its last commit.
    pub(super) head: Oid,
    /// When.
    pub(super) at: DateTime<Utc>,
}

/// A delivery's file. What is behind its own ref is the same without `guard`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct DeliveryFile {
    pub(super) delivery: Delivery,
    /// What the delivery's own ref is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) guard: Option<Oid>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) intents: Vec<IntentEntry>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) receipts: Vec<ReceiptEntry>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct IntentEntry {
    order: u64,
    generation: u32,
    open: bool,
    intent: Intent,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct ReceiptEntry {
    order: u64,
    generation: u32,
    network: String,
    uid: String,
    receipt: Receipt,
}

#[derive(Debug, Serialize, Deserialize)]
struct Line {
    order: u64,
    #[serde(flatten)]
    event: Event,
}

#[derive(Debug, Serialize, Deserialize)]
struct AlertFile {
    order: u64,
    alert: Alert,
    tellings: Vec<Telling>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Variation {
    occurrence: OccurrenceName,
    variation: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct Owner {
    owner: String,
    /// Rises while it lives.
    beat: u64,
}

/// All that a ledger in git holds.
#[derive(Debug, Clone, Default)]
pub(super) struct Whole {
    pub(super) facts: Facts,
    pub(super) tables: Tables,
    /// How often each process that has something in hand has said that it lives.
    pub(super) beats: BTreeMap<String, u64>,
    /// What the deliveries' own refs are.
    pub(super) guards: BTreeMap<DeliveryId, Oid>,
    /// Settled deliveries of long ago, as they were folded. A file of its own comes before.
    pub(super) folded: Arc<BTreeMap<DeliveryId, DeliveryFile>>,
}

impl Whole {
    /// Reads it.
    pub(super) fn read(files: &Files) -> Result<Self> {
        let mut whole = Self::default();
        let Some(file) = files.get(LEDGER) else {
            return Err(LedgerError::Corrupt(
                "the ledger's ref holds no `ledger.json`: it is not one of smm".to_owned(),
            ));
        };
        let format: Format = json(LEDGER, &file.content)?;
        if format.format > FORMAT {
            return Err(LedgerError::Newer(format!(
                "the ledger in git was written by a newer smm (layout {}, this one knows {FORMAT}); use one that is as new",
                format.format
            )));
        }
        whole.facts = json(LEDGER, &file.content)?;
        let mut rows = BTreeMap::new();
        if let Some(file) = files.get(FOLDED) {
            let mut folded = BTreeMap::new();
            for row in lines::<DeliveryFile>(FOLDED, &file.content)? {
                rows.insert(row.delivery.id, row.clone());
                folded.insert(row.delivery.id, row);
            }
            whole.folded = Arc::new(folded);
        }
        for (path, file) in files {
            whole.take(path, &file.content, &mut rows)?;
        }
        let tables = &mut whole.tables;
        for row in rows.into_values() {
            let id = row.delivery.id;
            tables.deliveries.insert(id, row.delivery);
            whole.guards.extend(row.guard.map(|guard| (id, guard)));
            for kept in row.intents {
                let binding = &kept.intent.binding;
                let (network, uid) = (binding.network.clone(), binding.uid.clone());
                let effect = tables.effect_of(id, &network, &uid, kept.intent.frozen.part, kept.generation)?;
                let (order, open, intent) = (kept.order, kept.open, kept.intent);
                tables.intents.push(KeptIntent { order, delivery: id, effect, open, intent });
            }
            for kept in row.receipts {
                let effect = tables.effect_of(id, &kept.network, &kept.uid, kept.receipt.part, kept.generation)?;
                tables.receipts.push(KeptReceipt { order: kept.order, delivery: id, effect, receipt: kept.receipt });
            }
        }
        let facts = &whole.facts;
        (tables.order, tables.sequence, tables.last_intent) = (facts.order, facts.sequence, facts.last_intent);
        (tables.adopted, tables.importing) = (facts.adopted, facts.importing);
        tables.paused.clone_from(&facts.paused);
        tables.intents.sort_by_key(|kept| kept.order);
        tables.receipts.sort_by_key(|kept| kept.order);
        tables.events.sort_by_key(|kept| kept.order);
        tables.alerts.sort_by_key(|kept| kept.order);
        Ok(whole)
    }

    fn take(&mut self, path: &str, content: &[u8], rows: &mut BTreeMap<DeliveryId, DeliveryFile>) -> Result<()> {
        let parts: Vec<&str> = path.split('/').collect();
        let tables = &mut self.tables;
        match parts[..] {
            ["calendars", file] => {
                let known: CalendarRecord = json(path, content)?;
                tables.calendars.insert(CalendarName::new(named(file)), known);
            }
            ["accounts", file] => {
                let known: AccountRecord = json(path, content)?;
                tables.accounts.insert(AccountName::new(named(file)), known);
            }
            ["deliveries", _, _] => {
                let row: DeliveryFile = json(path, content)?;
                rows.insert(row.delivery.id, row);
            }
            ["history", _, _] => {
                let events = lines::<Line>(path, content)?.into_iter();
                tables.events.extend(events.map(|line| KeptEvent { order: line.order, event: line.event }));
            }
            ["variations", file] => {
                let calendar = CalendarName::new(named(file));
                let kept: Vec<Variation> = json(path, content)?;
                let kept = kept.into_iter().map(|one| (calendar.clone(), one.occurrence, one.variation));
                tables.variations.extend(kept);
            }
            ["posts", calendar, _] => {
                let post: StoredPost = json(path, content)?;
                let calendar = CalendarName::new(named(calendar));
                tables.posts.insert((calendar, PostId::new(post.post.id.as_str())), post);
            }
            ["owners", _] => {
                let owner: Owner = json(path, content)?;
                self.beats.insert(owner.owner, owner.beat);
            }
            ["alerts", _] => {
                let kept: AlertFile = json(path, content)?;
                let errands = kept.tellings.iter().map(|one| (one.target.clone(), KeptErrand::from(one))).collect();
                tables.alerts.push(KeptAlert { order: kept.order, alert: kept.alert, errands });
            }
            [TARGETS] => tables.targets = json(path, content)?,
            // Of a newer version that has more, or somebody's own.
            _ => {}
        }
        Ok(())
    }

    /// Takes in the intents and receipts of a delivery that was known from its own ref alone.
    pub(super) fn take_in(&mut self, file: &DeliveryFile) {
        let id = file.delivery.id;
        let tables = &mut self.tables;
        // For what they are about.
        tables.deliveries.entry(id).or_insert_with(|| file.delivery.clone());
        for kept in &file.receipts {
            let part = kept.receipt.part;
            let Ok(effect) = tables.effect_of(id, &kept.network, &kept.uid, part, kept.generation) else { continue };
            if tables.receipts.iter().all(|known| known.effect != effect) {
                let order = tables.next_order();
                tables.receipts.push(KeptReceipt { order, delivery: id, effect, receipt: kept.receipt.clone() });
            }
        }
        for kept in &file.intents {
            let binding = &kept.intent.binding;
            let part = kept.intent.frozen.part;
            let Ok(effect) = tables.effect_of(id, &binding.network, &binding.uid, part, kept.generation) else {
                continue;
            };
            if tables.intents.iter().all(|known| known.delivery != id || known.intent != kept.intent) {
                let order = tables.next_order();
                tables.sequence += 1;
                tables.last_intent = tables.last_intent.max(Some(kept.intent.at));
                tables.intents.push(KeptIntent {
                    order,
                    delivery: id,
                    effect,
                    open: false,
                    intent: kept.intent.clone(),
                });
            }
        }
    }

    /// The facts, with what the tables hold of them.
    fn facts(&self) -> Facts {
        let tables = &self.tables;
        Facts {
            format: FORMAT,
            order: tables.order,
            sequence: tables.sequence,
            last_intent: tables.last_intent,
            adopted: tables.adopted,
            paused: tables.paused.clone(),
            importing: tables.importing,
            ..self.facts.clone()
        }
    }

    /// Whether a row is as it was folded, so that it needs no file of its own.
    fn is_folded(&self, file: &DeliveryFile) -> bool {
        self.folded.get(&file.delivery.id) == Some(file)
    }

    /// The file of one delivery, without what its ref is.
    pub(super) fn delivery_file(&self, id: DeliveryId) -> Option<DeliveryFile> {
        let delivery = self.tables.deliveries.get(&id)?.clone();
        let intents = self.tables.intents.iter().filter(|kept| kept.delivery == id).map(IntentEntry::of).collect();
        let receipts = self.tables.receipts.iter().filter(|kept| kept.delivery == id).map(ReceiptEntry::of).collect();
        Some(DeliveryFile { delivery, guard: None, intents, receipts })
    }

    /// Every file, by its path; what is folded stays as it is in `before`.
    pub(super) fn files(&self, before: &Files) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        let tables = &self.tables;
        files.insert(README.to_owned(), ABOUT.as_bytes().to_vec());
        files.insert(LEDGER.to_owned(), pretty(&self.facts()));
        for (name, known) in &tables.calendars {
            files.insert(format!("calendars/{}.json", escaped(name.as_str())), pretty(known));
        }
        for (name, known) in &tables.accounts {
            if *known != AccountRecord::default() {
                files.insert(format!("accounts/{}.json", escaped(name.as_str())), pretty(known));
            }
        }
        let mut rows: BTreeMap<DeliveryId, DeliveryFile> = tables
            .deliveries
            .values()
            .map(|row| {
                let (delivery, guard) = (row.clone(), self.guards.get(&row.id).cloned());
                (row.id, DeliveryFile { delivery, guard, intents: Vec::new(), receipts: Vec::new() })
            })
            .collect();
        for kept in &tables.intents {
            if let Some(row) = rows.get_mut(&kept.delivery) {
                row.intents.push(IntentEntry::of(kept));
            }
        }
        for kept in &tables.receipts {
            if let Some(row) = rows.get_mut(&kept.delivery) {
                row.receipts.push(ReceiptEntry::of(kept));
            }
        }
        for (id, row) in &rows {
            if !self.is_folded(row) {
                files.insert(sharded("deliveries", *id, "json"), pretty(row));
            }
        }
        for kept in &tables.events {
            let line = line(&Line { order: kept.order, event: kept.event.clone() });
            files.entry(sharded("history", kept.event.delivery, "jsonl")).or_default().extend(line);
        }
        let mut variations: BTreeMap<&CalendarName, Vec<Variation>> = BTreeMap::new();
        for (calendar, occurrence, variation) in &tables.variations {
            let kept = Variation { occurrence: occurrence.clone(), variation: *variation };
            variations.entry(calendar).or_default().push(kept);
        }
        for (calendar, kept) in variations {
            files.insert(format!("variations/{}.json", escaped(calendar.as_str())), pretty(&kept));
        }
        for ((calendar, id), post) in &tables.posts {
            files.insert(format!("posts/{}/{}.json", escaped(calendar.as_str()), escaped(id.as_str())), pretty(post));
        }
        for (owner, beat) in &self.beats {
            files
                .insert(format!("owners/{}.json", digest(owner)), pretty(&Owner { owner: owner.clone(), beat: *beat }));
        }
        for kept in &tables.alerts {
            let tellings = kept.errands.iter().map(|(target, errand)| errand.telling(target)).collect();
            let file = AlertFile { order: kept.order, alert: kept.alert.clone(), tellings };
            files.insert(format!("alerts/{}.json", digest(&kept.alert.key)), pretty(&file));
        }
        if !tables.targets.is_empty() {
            files.insert(TARGETS.to_owned(), pretty(&tables.targets));
        }
        match before.get(FOLDED) {
            Some(file) => _ = files.insert(FOLDED.to_owned(), file.content.to_vec()),
            None if self.folded.is_empty() => {}
            None => _ = files.insert(FOLDED.to_owned(), self.folded.values().flat_map(line).collect()),
        }
        files
    }
}

impl IntentEntry {
    fn of(kept: &KeptIntent) -> Self {
        Self { order: kept.order, generation: kept.effect.generation, open: kept.open, intent: kept.intent.clone() }
    }
}

impl ReceiptEntry {
    fn of(kept: &KeptReceipt) -> Self {
        Self {
            order: kept.order,
            generation: kept.effect.generation,
            network: kept.effect.network.clone(),
            uid: kept.effect.uid.clone(),
            receipt: kept.receipt.clone(),
        }
    }
}

#[derive(Deserialize)]
struct Format {
    format: u32,
}

/// What differs between the files of a commit and those that are to be: content, or `None` for one that goes.
pub(super) fn differences<'a>(
    before: &'a Files,
    after: &'a BTreeMap<String, Vec<u8>>,
) -> Vec<(&'a str, Option<&'a [u8]>)> {
    let gone = before.keys().filter(|path| !after.contains_key(*path)).map(|path| (path.as_str(), None));
    let written =
        after.iter().filter(|(path, content)| before.get(*path).is_none_or(|file: &File| *file.content != content[..]));
    gone.chain(written.map(|(path, content)| (path.as_str(), Some(content.as_slice())))).collect()
}

/// The files as they are now, once they were written.
pub(super) fn written(before: &Files, after: BTreeMap<String, Vec<u8>>) -> Files {
    after
        .into_iter()
        .map(|(path, content)| match before.get(&path) {
            Some(file) if *file.content == content[..] => (path, file.clone()),
            _ => (path, File { oid: None, content: content.into() }),
        })
        .collect()
}

/// A delivery's file without its guard, for its own ref.
pub(super) fn pretty(value: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).expect("what a ledger holds is JSON");
    text.push(b'\n');
    text
}

fn line(value: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec(value).expect("what a ledger holds is JSON");
    text.push(b'\n');
    text
}

pub(super) fn json<T: DeserializeOwned>(path: &str, content: &[u8]) -> Result<T> {
    serde_json::from_slice(content)
        .map_err(|error| LedgerError::Corrupt(format!("the ledger's `{path}` cannot be read: {error}")))
}

fn lines<T: DeserializeOwned>(path: &str, content: &[u8]) -> Result<Vec<T>> {
    content.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(|line| json(path, line)).collect()
}

fn sharded(folder: &str, id: DeliveryId, ending: &str) -> String {
    let id = id.to_string();
    format!("{folder}/{}/{id}.{ending}", &id[..2])
}

/// A file's name for a key of any form.
fn digest(key: &str) -> String {
    hex(&Sha256::digest(key.as_bytes())[..8])
}

/// A name as a part of a path: what is not plain is written `%XX`.
fn escaped(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for (at, byte) in name.bytes().enumerate() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') || (byte == b'.' && at > 0) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// The name that a file's name stands for.
fn named(file: &str) -> String {
    let text = file.strip_suffix(".json").unwrap_or(file);
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = tail.get(..2).filter(|_| *first == b'%').and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => (bytes.push(byte), rest = &tail[2..]),
            None => (bytes.push(*first), rest = tail),
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_is_a_part_of_a_path_and_back() {
        for name in ["acme", "a b/ü", ".git", "..", "100%", "A_b-c.d", "\"x\"\n", ""] {
            let path = escaped(name);
            assert_eq!(named(&format!("{path}.json")), name, "{path}");
            assert!(path.chars().all(|c| c.is_ascii_alphanumeric() || "-_.%".contains(c)), "{path}");
            assert!(!path.starts_with('.'), "{path}");
        }
    }

    #[test]
    fn a_newer_layout_is_refused() {
        let read = |text: &str| {
            let content = Arc::from(text.as_bytes());
            Whole::read(&Files::from([(LEDGER.to_owned(), File { oid: None, content })]))
        };
        assert!(matches!(read(r#"{"format": 2, "new": 1}"#), Err(LedgerError::Newer(_))));
        assert!(matches!(read("{"), Err(LedgerError::Corrupt(_))));
        assert!(matches!(Whole::read(&Files::new()), Err(LedgerError::Corrupt(_))));
    }
}
