//! From a draft to events. Pure.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use crate::adapter::{Draft, Fault, Plan, Progress, Step};
use crate::model::{Frozen, Receipt, Visibility};

use super::wire::{Call, Event};

/// One event for each part.
pub(super) fn plan(draft: &Draft<'_>) -> Plan {
    let mut plan = Plan::default();
    for (index, part) in draft.parts.iter().enumerate() {
        let number = u16::try_from(index).unwrap_or(u16::MAX);
        let mut data = json!({
            "delivery": draft.delivery.to_string(),
            "account": draft.account.name.as_str(),
            "part": index + 1,
            "parts": draft.parts.len(),
            "text": part.text,
        });
        // Beyond the text they belong to the post, so the first part has them.
        if index == 0 {
            data["title"] = json!(draft.title);
            data["body"] = json!(draft.body);
            data["link"] = json!(draft.link);
            data["tags"] = json!(draft.tags);
            data["languages"] = json!(draft.languages);
            data["visibility"] = json!(draft.visibility.map(Visibility::as_str));
            data["content_warning"] = json!(draft.content_warning);
            data["labels"] = json!(draft.labels);
        }
        plan.publish(number, &Event { id: format!("smm_{}", draft.key("webhook id", number)), data });
    }
    plan
}

/// Puts the event of a part together.
pub(super) fn freeze(step: &Step, progress: &Progress, at: DateTime<Utc>) -> Result<Frozen, Fault> {
    let mut event: Event = step.task()?;
    if let Some(receipt) = progress.before(step.part)? {
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
    use crate::adapter::Limits;
    use crate::adapter::suite::plans::{self, Gave, at, rehearse};
    use crate::model::LimitOverrides;
    use crate::networks::webhook::profile::PROFILE;

    #[test]
    fn a_nasty_thread() {
        let account = plans::account("hook", "webhook");
        let limits = Limits::new(&PROFILE, &LimitOverrides::default());
        let texts = ["\u{1b}[2J \"two\" \\ </script> \u{2028} 👨‍👩‍👧‍👦 مرحبا", "Two"];
        let mut draft = plans::draft(&account, &limits, texts.map(plans::text).to_vec());
        draft.title = Some("A title".to_owned());
        draft.link = Some("https://acme.example/?a=1&b=2".to_owned());
        draft.tags = vec!["acme".to_owned()];
        draft.visibility = Some(Visibility::Private);
        let plan = plan(&draft);
        let mut requests = Vec::new();
        let progress = rehearse(&plan, |step, progress| {
            requests.push(freeze(step, progress, at()).expect("a request"));
            Gave::Receipt(format!("post-{}", step.part), Value::Null)
        });
        let gone = taken_back(&progress.receipts[0], at());
        insta::assert_json_snapshot!(json!({"plan": plan, "requests": requests, "taken back": gone}));
    }
}
