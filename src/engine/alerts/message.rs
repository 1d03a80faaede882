//! What a target is told at once: one alert, or several in one message.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::ledger::Alert;

/// So many alerts are told one by one; the rest are counted.
const SHOWN: usize = 20;

/// Most characters of a subject.
const SUBJECT: usize = 120;

/// Alerts to be told together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// When it was put together.
    pub at: DateTime<Utc>,
    alerts: Vec<Alert>,
}

impl Message {
    /// These alerts, oldest first; at least one.
    pub fn new(alerts: Vec<Alert>, at: DateTime<Utc>) -> Self {
        Self { at, alerts }
    }

    /// One that says nothing but that alerts arrive.
    pub fn test(at: DateTime<Utc>) -> Self {
        let alert = Alert {
            key: format!("test/{}", at.timestamp_millis()),
            at,
            tell_at: at,
            delivery: None,
            kind: "test".to_owned(),
            message: "this is a test: alerts of smm arrive here".to_owned(),
            help: "nothing is to be done".to_owned(),
        };
        Self { at, alerts: vec![alert] }
    }

    /// How many there are of each kind.
    pub fn kinds(&self) -> BTreeMap<&str, usize> {
        let mut kinds = BTreeMap::new();
        for alert in &self.alerts {
            *kinds.entry(alert.kind.as_str()).or_default() += 1;
        }
        kinds
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.alerts.len()
    }

    /// The delivery that the first one is about.
    pub fn delivery(&self) -> Option<String> {
        self.alerts.first()?.delivery.map(|id| id.to_string())
    }

    /// The same for the same alerts: who hears a message twice can tell.
    pub fn id(&self) -> String {
        let mut hash = Sha256::new();
        for alert in &self.alerts {
            hash.update((alert.key.len() as u64).to_be_bytes());
            hash.update(alert.key.as_bytes());
        }
        hash.finalize().iter().take(16).fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
    }

    /// One line, such as `smm: 480 held, 20 failed`.
    pub fn subject(&self) -> String {
        let text = match self.alerts.as_slice() {
            [one] => format!("smm: {}", one.message),
            _ => format!("smm: {}", self.counted()),
        };
        match text.char_indices().nth(SUBJECT) {
            Some((end, _)) => format!("{}…", text[..end].trim_end()),
            None => text,
        }
    }

    /// For people: the first of them, how many more there are, and what to do.
    pub fn text(&self) -> String {
        let mut text = String::new();
        if self.count() > 1 {
            let _ = writeln!(text, "{} alerts: {}\n", self.count(), self.counted());
        }
        for alert in self.shown() {
            let _ = writeln!(text, "{}\n  {}", alert.message, alert.help);
        }
        let more = self.count() - self.shown().len();
        if more > 0 {
            let _ = writeln!(text, "and {more} more");
        }
        if self.count() > 1 {
            text.push_str("\n`smm status` shows everything that needs a person.\n");
        }
        text
    }

    /// For programs. Fields are added, never renamed.
    pub fn json(&self) -> Value {
        let alerts: Vec<Value> = self
            .shown()
            .iter()
            .map(|alert| {
                json!({
                    "key": alert.key,
                    "at": alert.at,
                    "kind": alert.kind,
                    "delivery": alert.delivery,
                    "message": alert.message,
                    "help": alert.help,
                })
            })
            .collect();
        json!({
            "id": self.id(),
            "subject": self.subject(),
            "text": self.text(),
            "at": self.at,
            "count": self.count(),
            "kinds": self.kinds(),
            "alerts": alerts,
            "more": self.count() - self.shown().len(),
        })
    }

    fn shown(&self) -> &[Alert] {
        &self.alerts[..self.count().min(SHOWN)]
    }

    fn counted(&self) -> String {
        let mut kinds: Vec<_> = self.kinds().into_iter().collect();
        kinds.sort_by_key(|(kind, count)| (std::cmp::Reverse(*count), *kind));
        kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::samples::*;
    use super::super::rule::of;
    use super::*;
    use crate::model::{Delivery, Event, Reason, ReasonCode, State};

    fn alert(number: u32, state: State) -> Alert {
        let before = Delivery { version: u64::from(number), ..planned() };
        let reason = Some(Reason::new(ReasonCode::Late, format!("reason {number}")));
        let after = Delivery { state, reason, ..before.clone() };
        let event = Event {
            at: start(),
            delivery: after.id,
            kind: String::new(),
            state,
            detail: String::new(),
            actor: "smm".to_owned(),
        };
        of(Some(&before), &after, &event, None).expect("an alert")
    }

    #[test]
    fn one_is_told_whole() {
        let message = Message::new(vec![alert(1, State::Held)], start());
        assert_eq!(
            message.subject(),
            "smm: launch → fedi (some-network), due Tue 2026-12-01 09:00 UTC: held: reason 1"
        );
        let id = planned().id.short();
        assert_eq!(
            message.text(),
            format!(
                "launch → fedi (some-network), due Tue 2026-12-01 09:00 UTC: held: reason 1\n  `smm retry {id}` sends it \
                 now; `smm cancel {id}` drops it\n"
            )
        );
        let json = message.json();
        assert_eq!((json["count"].as_u64(), json["more"].as_u64()), (Some(1), Some(0)));
        assert_eq!(json["alerts"][0]["kind"], "held");
    }

    #[test]
    fn many_are_one_message() {
        let alerts = (0..500).map(|n| alert(n, if n % 25 == 0 { State::Failed } else { State::Held })).collect();
        let message = Message::new(alerts, start());
        assert_eq!(message.subject(), "smm: 480 held, 20 failed");
        let text = message.text();
        assert!(text.starts_with("500 alerts: 480 held, 20 failed\n"), "{text}");
        assert!(text.contains("reason 19\n") && !text.contains("reason 20\n"), "{text}");
        assert!(text.contains("\nand 480 more\n"), "{text}");
        assert!(text.contains("`smm status`"), "{text}");
        let json = message.json();
        assert_eq!(json["alerts"].as_array().map(Vec::len), Some(20));
        assert_eq!((&json["more"], &json["kinds"]["held"]), (&480.into(), &480.into()));
    }
}
