//! From a draft to requests. Pure.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::adapter::{Draft, DraftPart, Enclosing, Fault, Plan, Progress, Sealed, Step};
use crate::model::{Frozen, Visibility};

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
    let mut plan = Plan::default();
    for (index, part) in draft.parts.iter().enumerate() {
        let number = u16::try_from(index).unwrap_or(u16::MAX);
        let files = plan.enclose(number, &part.media, draft.limits);
        let id = draft.key("exec id", number);
        let message = Message { id, rendering: rendering(draft, index, part), files };
        plan.publish(number, &Enclosing::Publish(message));
    }
    plan
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

/// Puts the request of a part together.
pub(super) fn freeze(step: &Step, progress: &Progress) -> Result<Frozen, Fault> {
    let Message { id, mut rendering, files } = step.enclosing()?;
    if let Some(receipt) = progress.before(step.part)? {
        rendering["after"] = json!({"id": receipt.id, "url": receipt.url});
    }
    let call = Call { id: id.clone(), rendering, files: progress.sealed(&files)? };
    Ok(Frozen { part: step.part, key: id, request: json!(call) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::suite::plans::{self, Gave, rehearse, sealed};
    use crate::adapter::{Limits, StepKind};
    use crate::model::{LimitOverrides, MediaKind, Poll};
    use crate::networks::exec::profile::PROFILE;

    #[test]
    fn a_nasty_thread() {
        let account = plans::account("own", "exec");
        let limits = Limits::new(&PROFILE, &LimitOverrides::default());
        let media = vec![plans::file("a b.png", MediaKind::Image, "image/png", 9, "Ein \"Bild\"\n$(rm -rf)")];
        let text = "\u{1b}[2J'; rm -rf / # \"two\" \\ 👨‍👩‍👧‍👦 مرحبا".to_owned();
        let mut draft = plans::draft(&account, &limits, vec![DraftPart { text, media }, plans::text("Two")]);
        draft.title = Some("A title".to_owned());
        draft.visibility = Some(Visibility::Private);
        draft.content_warning = Some("Spoilers".to_owned());
        draft.reply_to = Some("--help".to_owned());
        let options = vec!["Tabs".to_owned(), "Spaces".to_owned()];
        draft.poll = Some(Poll { options, seconds: 3600, multiple: true, hide_totals: false });
        let plan = plan(&draft);
        assert_eq!(plan, super::plan(&draft));
        let mut requests = Vec::new();
        rehearse(&plan, |step, progress| {
            if step.kind == StepKind::Prepare {
                return sealed(step);
            }
            requests.push(freeze(step, progress).expect("a request"));
            Gave::Receipt(format!("post-{}", step.part), Value::Null)
        });
        insta::assert_json_snapshot!(json!({"plan": plan, "requests": requests}));
    }
}
