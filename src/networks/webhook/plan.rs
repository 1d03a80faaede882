//! From a draft to events. Pure.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use crate::adapter::{Draft, Fault, Plan, Progress, Step, StepKind};
use crate::model::{Frozen, Receipt, hex};

use super::wire::{Call, Event};

/// One event for each part.
pub(super) fn plan(draft: &Draft<'_>) -> Plan {
    let parts = draft.parts.len();
    let event = |(index, part): (usize, &crate::adapter::DraftPart)| {
        let number = u16::try_from(index).unwrap_or(u16::MAX);
        let bytes = draft.delivery.derive_bytes("webhook id", number, draft.generation);
        let mut data = json!({
            "delivery": draft.delivery.to_string(),
            "account": draft.account.name.as_str(),
            "part": index + 1,
            "parts": parts,
            "text": part.text,
        });
        // Beyond the text they belong to the post, so the first part has them.
        if index == 0 {
            let mut put = |key: &str, value: Value| data[key] = value;
            put("title", json!(draft.title));
            put("body", json!(draft.body));
            put("link", json!(draft.link));
            put("tags", json!(draft.tags));
            put("languages", json!(draft.languages));
            put("visibility", json!(draft.visibility.map(crate::model::Visibility::as_str)));
            put("content_warning", json!(draft.content_warning));
            put("labels", json!(draft.labels));
        }
        let payload = json!(Event { id: format!("smm_{}", hex(&bytes[..16])), data });
        Step { index, part: number, kind: StepKind::Publish, payload }
    };
    Plan { steps: draft.parts.iter().enumerate().map(event).collect() }
}

/// Puts the event of a part together.
pub(super) fn freeze(step: &Step, progress: &Progress, at: DateTime<Utc>) -> Result<Frozen, Fault> {
    let mut event: Event = serde_json::from_value(step.payload.clone())
        .map_err(|error| Fault::NotSent(format!("a step cannot be read: {error}")))?;
    if let Some(before) = step.part.checked_sub(1) {
        let receipt = progress.receipts.iter().find(|receipt| receipt.part == before);
        let receipt =
            receipt.ok_or_else(|| Fault::NotSent(format!("part {} has no receipt to go after", step.part)))?;
        event.data["after"] = json!(receipt.id);
    }
    let call = Call { body: body("post.published", at, &event.data), id: event.id };
    Ok(Frozen { part: step.part, key: call.id.clone(), request: json!(call) })
}

/// The event that takes a part back.
pub(super) fn taken_back(receipt: &Receipt, at: DateTime<Utc>) -> Call {
    let event = receipt.data["event"].as_str().unwrap_or(&receipt.id);
    let data = json!({"id": receipt.id, "event": event, "url": receipt.url});
    Call { id: format!("{event}_deleted"), body: body("post.deleted", at, &data) }
}

fn body(kind: &str, at: DateTime<Utc>, data: &Value) -> String {
    json!({"type": kind, "timestamp": at.to_rfc3339_opts(SecondsFormat::Secs, true), "data": data}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::{DraftPart, Limits};
    use crate::model::{
        Account, AccountName, CalendarName, DeliveryId, LimitOverrides, OccurrenceName, PostId, Visibility,
    };
    use crate::networks::webhook::profile::PROFILE;

    #[test]
    fn a_nasty_thread() {
        let at: DateTime<Utc> = "2026-12-01T09:00:00Z".parse().expect("a date");
        let account = Account::new(AccountName::new("hook"), "webhook");
        let limits = Limits::new(&PROFILE, &LimitOverrides::default());
        let (calendar, occurrence) = (CalendarName::new("acme"), OccurrenceName::once(&PostId::new("launch")));
        let delivery = DeliveryId::derive(&calendar, &occurrence, &account.name);
        let texts = ["\u{1b}[2J \"two\" \\ </script> \u{2028} 👨‍👩‍👧‍👦 مرحبا", "Two"];
        let parts = texts.map(|text| DraftPart { text: text.to_owned(), ..DraftPart::default() });
        let mut draft = Draft::new(delivery, &account, &limits, parts.to_vec());
        draft.title = Some("A title".to_owned());
        draft.link = Some("https://acme.example/?a=1&b=2".to_owned());
        draft.tags = vec!["acme".to_owned()];
        draft.visibility = Some(Visibility::Private);
        let plan = plan(&draft);
        let mut progress = Progress::default();
        let mut requests = Vec::new();
        for step in &plan.steps {
            requests.push(freeze(step, &progress, at).expect("a request"));
            let id = format!("post-{}", step.part);
            progress.receipts.push(Receipt { part: step.part, id, url: None, at, data: Value::Null });
        }
        let gone = taken_back(&progress.receipts[0], at);
        insta::assert_json_snapshot!(json!({"plan": plan, "requests": requests, "taken back": gone}));
    }
}
