//! From a draft to requests. Pure.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::adapter::{Draft, DraftPart, Enclosure, Fault, Plan, Progress, Sealed, Step, StepKind};
use crate::model::{Frozen, Visibility, hex};

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub(super) enum Task {
    /// Reads and fits a file; gives a [`Sealed`].
    Read(Enclosure),
    /// Has a part published.
    Publish(Message),
}

/// A part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Message {
    id: String,
    rendering: Value,
    files: Vec<usize>,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Call {
    pub(super) id: String,
    pub(super) rendering: Value,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) files: Vec<Sealed>,
}

/// For each part its files, then its request.
pub(super) fn plan(draft: &Draft<'_>) -> Plan {
    let mut steps: Vec<Step> = Vec::new();
    let mut push = |part: u16, kind: StepKind, task: &Task| {
        let index = steps.len();
        steps.push(Step { index, part, kind, payload: json!(task) });
        index
    };
    for (index, part) in draft.parts.iter().enumerate() {
        let number = u16::try_from(index).unwrap_or(u16::MAX);
        let read = part.media.iter().map(|media| Task::Read(Enclosure::new(media, draft.limits)));
        let files = read.map(|task| push(number, StepKind::Prepare, &task)).collect();
        let bytes = draft.delivery.derive_bytes("exec id", number, draft.generation);
        let message = Message { id: hex(&bytes[..16]), rendering: rendering(draft, index, part), files };
        push(number, StepKind::Publish, &Task::Publish(message));
    }
    Plan { steps }
}

fn rendering(draft: &Draft<'_>, index: usize, part: &DraftPart) -> Value {
    let mut rendering = json!({
        "delivery": draft.delivery.to_string(),
        "part": index + 1,
        "parts": draft.parts.len(),
        "text": part.text,
        "visibility": draft.visibility.map(Visibility::as_str),
        "content_warning": draft.content_warning,
        "labels": draft.labels,
        "languages": draft.languages,
    });
    // Beyond the text they belong to the post, so the first part has them.
    if index == 0 {
        rendering["title"] = json!(draft.title);
        rendering["body"] = json!(draft.body);
        rendering["link"] = json!(draft.link);
        rendering["tags"] = json!(draft.tags);
        rendering["poll"] = json!(draft.poll);
        rendering["reply_to"] = json!(draft.reply_to);
        rendering["quote"] = json!(draft.quote);
    }
    rendering
}

/// A step's task.
pub(super) fn task(step: &Step) -> Result<Task, Fault> {
    serde_json::from_value(step.payload.clone())
        .map_err(|error| Fault::NotSent(format!("a step cannot be read: {error}")))
}

/// Puts the request of a part together.
pub(super) fn freeze(step: &Step, progress: &Progress) -> Result<Frozen, Fault> {
    let Task::Publish(mut message) = task(step)? else {
        return Err(Fault::NotSent(format!("step {} publishes nothing", step.index)));
    };
    if let Some(before) = step.part.checked_sub(1) {
        let receipt = progress.receipts.iter().find(|receipt| receipt.part == before);
        let receipt =
            receipt.ok_or_else(|| Fault::NotSent(format!("part {} has no receipt to go after", step.part)))?;
        message.rendering["after"] = json!({"id": receipt.id, "url": receipt.url});
    }
    let sealed = |step: &usize| {
        let value = progress.value(*step).and_then(|value| serde_json::from_value(value.clone()).ok());
        value.ok_or_else(|| Fault::NotSent(format!("step {step} has not been prepared")))
    };
    let files = message.files.iter().map(sealed).collect::<Result<Vec<Sealed>, Fault>>()?;
    let call = Call { id: message.id.clone(), rendering: message.rendering, files };
    Ok(Frozen { part: step.part, key: message.id, request: json!(call) })
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;
    use crate::adapter::{DraftMedia, Limits};
    use crate::model::{
        Account, AccountName, CalendarName, DeliveryId, LimitOverrides, MediaFacts, MediaKind, OccurrenceName, Poll,
        PostId, Prepared, Receipt,
    };
    use crate::networks::exec::profile::PROFILE;

    #[test]
    fn a_nasty_thread() {
        let at: DateTime<Utc> = "2026-12-01T09:00:00Z".parse().expect("a date");
        let account = Account::new(AccountName::new("own"), "exec");
        let limits = Limits::new(&PROFILE, &LimitOverrides::default());
        let (calendar, occurrence) = (CalendarName::new("acme"), OccurrenceName::once(&PostId::new("launch")));
        let delivery = DeliveryId::derive(&calendar, &occurrence, &account.name);
        let facts = MediaFacts { kind: MediaKind::Image, mime: "image/png".to_owned(), bytes: 9, width: 3, height: 3 };
        let media = vec![DraftMedia { file: "a b.png".to_owned(), alt: "Ein \"Bild\"\n$(rm -rf)".to_owned(), facts }];
        let text = "\u{1b}[2J'; rm -rf / # \"two\" \\ 👨‍👩‍👧‍👦 مرحبا".to_owned();
        let parts = vec![DraftPart { text, media }, DraftPart { text: "Two".to_owned(), media: Vec::new() }];
        let mut draft = Draft::new(delivery, &account, &limits, parts);
        draft.title = Some("A title".to_owned());
        draft.visibility = Some(Visibility::Private);
        draft.content_warning = Some("Spoilers".to_owned());
        draft.reply_to = Some("--help".to_owned());
        let options = vec!["Tabs".to_owned(), "Spaces".to_owned()];
        draft.poll = Some(Poll { options, seconds: 3600, multiple: true, hide_totals: false });
        let plan = plan(&draft);
        assert_eq!(plan, super::plan(&draft));
        let mut progress = Progress::default();
        let mut requests = Vec::new();
        for step in &plan.steps {
            if let Task::Read(enclosure) = task(step).expect("a task") {
                let (hash, name) = ("00ff".to_owned(), enclosure.media.file.clone());
                let sealed = Sealed { enclosure, hash, name, kind: MediaKind::Image, width: 3, height: 3 };
                progress.prepared.push(Prepared { step: step.index, value: json!(sealed), at });
            } else {
                requests.push(freeze(step, &progress).expect("a request"));
                let id = format!("post-{}", step.part);
                progress.receipts.push(Receipt { part: step.part, id, url: None, at, data: Value::Null });
            }
        }
        insta::assert_json_snapshot!(json!({"plan": plan, "requests": requests}));
    }
}
