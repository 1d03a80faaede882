//! What the unit tests of plans start from, and a rehearsal of a plan's steps without any network.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::model::{
    Account, AccountName, CalendarName, DeliveryId, LimitOverrides, MediaFacts, MediaKind, OccurrenceName, PostId,
    Prepared, Receipt,
};

use super::super::{
    Api, Draft, DraftMedia, DraftPart, Enclosing, Fault, Identity, Limits, Plan, Progress, Sealed, Step, StepKind,
};

/// When everything in these tests happens.
///
/// # Panics
/// Never: the date is a date.
pub fn at() -> DateTime<Utc> {
    "2026-12-01T09:00:00Z".parse().expect("a date")
}

/// An account called `name` on `network`, with nothing set.
pub fn account(name: &str, network: &str) -> Account {
    Account::new(AccountName::new(name), network)
}

/// The post `launch` of the calendar `acme`.
pub fn draft<'a>(account: &'a Account, limits: &'a Limits, parts: Vec<DraftPart>) -> Draft<'a> {
    let launch = OccurrenceName::once(&PostId::new("launch"));
    Draft::new(DeliveryId::derive(&CalendarName::new("acme"), &launch, &account.name), account, limits, parts)
}

/// A part of text alone.
pub fn text(text: &str) -> DraftPart {
    DraftPart { text: text.to_owned(), ..DraftPart::default() }
}

/// A file of so many bytes, 3 by 3 pixels.
pub fn file(file: &str, kind: MediaKind, mime: &str, bytes: u64, alt: &str) -> DraftMedia {
    let facts = MediaFacts { kind, mime: mime.to_owned(), bytes, width: 3, height: 3 };
    DraftMedia { file: file.to_owned(), alt: alt.to_owned(), facts }
}

/// A PNG, or an MP4, of this width and height in pixels.
pub fn shaped(name: &str, alt: &str, kind: MediaKind, (width, height): (u32, u32)) -> DraftMedia {
    let media = file(name, kind, if kind == MediaKind::Video { "video/mp4" } else { "image/png" }, 9, alt);
    DraftMedia { facts: MediaFacts { width, height, ..media.facts }, ..media }
}

/// Who the account turned out to be.
pub fn identity(uid: &str, host: &str) -> Identity {
    Identity {
        uid: uid.to_owned(),
        handle: "@acme".to_owned(),
        host: host.to_owned(),
        limits: LimitOverrides::default(),
        repeat: None,
    }
}

/// Goes through the steps in order as if each had gone well: `each` gives the value of a repeatable step, or id and data of
/// the receipt of an irreversible one.
pub fn rehearse(plan: &Plan, mut each: impl FnMut(&Step, &Progress) -> Gave) -> Progress {
    let mut progress = Progress::default();
    for step in &plan.steps {
        match (step.kind, each(step, &progress)) {
            (StepKind::Prepare, Gave::Value(value)) => {
                progress.prepared.push(Prepared { step: step.index, value, at: at() });
            }
            (StepKind::Publish, Gave::Receipt(id, data)) => {
                progress.receipts.push(Receipt { part: step.part, id, url: None, at: at(), data });
            }
            (kind, _) => unreachable!("a {kind:?} step gave what the other kind gives"),
        }
    }
    progress
}

/// What a step that reads a file gives, of a file that is fine as it is.
///
/// # Panics
/// It reads none.
pub fn sealed(step: &Step) -> Gave {
    let Enclosing::<Value>::Read(enclosure) = step.task().expect("a task") else { panic!("{step:?} reads no file") };
    let MediaFacts { kind, width, height, .. } = enclosure.media.facts;
    let name = enclosure.media.file.rsplit('/').next().unwrap_or_default().to_owned();
    Gave::Value(json!(Sealed { enclosure: *enclosure, hash: "00ff".to_owned(), name, kind, width, height }))
}

/// Runs the repeatable steps that are not done yet, in order, as the engine does.
pub async fn prepare(api: &dyn Api, plan: &Plan, progress: &mut Progress) -> Result<(), Fault> {
    for step in plan.steps.iter().filter(|step| step.kind == StepKind::Prepare) {
        if progress.value(step.index).is_none() {
            let value = api.prepare(step, progress).await?;
            progress.prepared.push(Prepared { step: step.index, value, at: at() });
        }
    }
    Ok(())
}

/// What a step of a rehearsal gave.
#[derive(Debug, Clone, PartialEq)]
pub enum Gave {
    /// The value of a repeatable one.
    Value(Value),
    /// Id and data of an irreversible one.
    Receipt(String, Value),
}
