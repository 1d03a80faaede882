//! Steps from a draft: copy each file, then publish part by part. Pure.

use crate::adapter::{Draft, DraftPart, Plan};
use crate::model::hex;

use super::wire::{CopyStep, PublishStep, Says};

pub(super) fn plan(draft: &Draft<'_>) -> Plan {
    // All parts share the folder of the first.
    let name = draft.delivery.derive_bytes("feed entry", 0, draft.generation);
    let key = hex(&name[..8]);
    let id = uuid(&name);
    let mut plan = Plan::default();
    let mut copied = Vec::new();
    for (part, message) in numbered(draft) {
        let mut indexes = Vec::new();
        for media in &message.media {
            let step = CopyStep { key: key.clone(), number: plan.steps.len() + 1, media: media.clone() };
            indexes.push(plan.prepare(part, &step));
        }
        copied.push(indexes);
    }
    for ((part, message), media) in numbered(draft).zip(copied) {
        let mut says = Says {
            text: clean(&message.text),
            // Every part is in the post's language and as sensitive as its beginning.
            languages: draft.languages.clone(),
            warning: draft.warning().map(clean),
            ..Says::default()
        };
        if part == 0 {
            says.title = draft.title.as_deref().filter(|title| !title.trim().is_empty()).map(clean);
            says.body = draft.long_form().map(clean);
            says.link.clone_from(&draft.link);
            says.tags.clone_from(&draft.tags);
        }
        plan.publish(part, &PublishStep { key: key.clone(), id: id.clone(), says, media });
    }
    plan
}

fn numbered<'a>(draft: &'a Draft<'_>) -> impl Iterator<Item = (u16, &'a DraftPart)> {
    (0..=u16::MAX).zip(&draft.parts)
}

/// Without the characters that XML has no way to write.
fn clean(text: &str) -> String {
    text.replace(|c| !matches!(c, '\t' | '\n' | '\r') && (c < ' ' || matches!(c, '\u{FFFE}' | '\u{FFFF}')), "")
}

/// A name for ever, as a UUID of version 8 (RFC 9562, 5.8: bits of one's own). `bytes` are at least 16.
pub(super) fn uuid(bytes: &[u8; 32]) -> String {
    let mut own = [0; 16];
    own.copy_from_slice(&bytes[..16]);
    own[6] = (own[6] & 0x0F) | 0x80;
    own[8] = (own[8] & 0x3F) | 0x80;
    let text = hex(&own);
    format!("urn:uuid:{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_uuid_of_version_8() {
        assert_eq!(uuid(&[0xFF; 32]), "urn:uuid:ffffffff-ffff-8fff-bfff-ffffffffffff");
    }

    #[test]
    fn what_xml_cannot_write_is_left_out() {
        assert_eq!(clean("a\u{1}b\u{1F}c\u{FFFE}\n\td\u{7F}"), "abc\n\td\u{7F}");
    }
}
