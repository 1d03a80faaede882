//! A conversation with one relay: publishing an event, asking for events. Signing in (NIP-42) is answered when a relay asks
//! for it.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::adapter::http::Http;
use crate::adapter::socket::Socket;
use crate::adapter::{Fault, Refusal};

use super::key::Key;
use super::wire::{AUTHENTICATION, Event, Said};

/// Most words of a relay's that are listened to in one conversation, and most events that are kept.
const WORDS: usize = 2_000;
const EVENTS: usize = 500;

/// What may be asked of a relay is asked under this name.
const NAME: &str = "smm";

/// How relays are reached, and who signs in to them.
#[derive(Clone)]
pub(super) struct Relays {
    pub(super) http: Http,
    pub(super) key: Arc<Key>,
    pub(super) now: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
}

/// What became of an event at one relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It has it.
    Taken,
    /// It said no, in its own words. `later`: it may say yes another time.
    Refused { refusal: Refusal, message: String, later: bool },
    /// Nothing was sent.
    NotSent(String),
    /// It was sent, and nothing was answered.
    Unknown(String),
}

impl Relays {
    /// Sends an event, and waits for what the relay says of it.
    pub(super) async fn publish(&self, url: &str, event: &Event) -> Outcome {
        let socket = match self.http.socket(url, None).await {
            Ok(socket) => socket,
            Err(fault) => return Outcome::NotSent(fault.to_string()),
        };
        let mut talk = Talk { relays: self, url, socket, challenge: None, notice: None, words: 0 };
        match talk.publish(event).await {
            Ok(outcome) => outcome,
            Err(why) => Outcome::Unknown(format!("{url}: {}", talk.with_notice(why))),
        }
    }

    /// Asks for events. Those that are not what they say are left out.
    pub(super) async fn ask(&self, url: &str, filter: &Value, timeout: Option<Duration>) -> Result<Vec<Event>, Fault> {
        let socket = self.http.socket(url, timeout).await?;
        let mut talk = Talk { relays: self, url, socket, challenge: None, notice: None, words: 0 };
        match talk.ask(filter).await {
            Ok(events) => Ok(events),
            Err(why) => Err(Fault::NotSent(format!("{url}: {}", talk.with_notice(why)))),
        }
    }
}

struct Talk<'a> {
    relays: &'a Relays,
    url: &'a str,
    socket: Socket,
    /// What is to be signed to sign in.
    challenge: Option<String>,
    /// The last word to people.
    notice: Option<String>,
    words: usize,
}

impl Talk<'_> {
    async fn say(&mut self, word: &Value) -> Result<(), String> {
        self.socket.send(&word.to_string()).await
    }

    /// The next word that is not for later.
    async fn hear(&mut self) -> Result<Said, String> {
        loop {
            self.words += 1;
            if self.words > WORDS {
                return Err("it says too much".to_owned());
            }
            match Said::parse(&self.socket.next().await?) {
                Said::Challenge(challenge) => self.challenge = Some(challenge),
                Said::Notice(notice) => self.notice = Some(notice.chars().take(200).collect()),
                Said::Other => {}
                said => return Ok(said),
            }
        }
    }

    fn with_notice(&mut self, why: String) -> String {
        match self.notice.take() {
            Some(notice) => format!("{why}; it had said: {notice}"),
            None => why,
        }
    }

    async fn publish(&mut self, event: &Event) -> Result<Outcome, String> {
        let word = json!(["EVENT", event]);
        self.say(&word).await?;
        let mut signed_in = false;
        loop {
            let Said::Ok { id, taken, message } = self.hear().await? else { continue };
            // Some relays answer a refusal without the id.
            if id != event.id && (taken || !id.is_empty()) {
                continue;
            }
            if taken {
                return Ok(Outcome::Taken);
            }
            if message.starts_with("auth-required:") && !signed_in {
                signed_in = true;
                self.sign_in().await?;
                self.say(&word).await?;
                continue;
            }
            return Ok(verdict(self.url, &message));
        }
    }

    async fn ask(&mut self, filter: &Value) -> Result<Vec<Event>, String> {
        let word = json!(["REQ", NAME, filter]);
        self.say(&word).await?;
        let (mut events, mut signed_in) = (Vec::<Event>::new(), false);
        loop {
            match self.hear().await? {
                Said::Event(event) if events.len() < EVENTS && event.is_genuine() => {
                    events.push(*event);
                }
                Said::EndOfStored => return Ok(events),
                Said::Closed(message) if message.starts_with("auth-required:") && !signed_in => {
                    signed_in = true;
                    self.sign_in().await?;
                    self.say(&word).await?;
                }
                // Some relays close what they have answered in full.
                Said::Closed(message) if message.is_empty() || !events.is_empty() => return Ok(events),
                Said::Closed(message) => return Err(message),
                _ => {}
            }
        }
    }

    /// Proves who one is. Whether that is enough is told by the answer to what is asked next.
    async fn sign_in(&mut self) -> Result<(), String> {
        while self.challenge.is_none() {
            self.hear().await?;
        }
        let challenge = self.challenge.clone().unwrap_or_default();
        let tags = vec![vec!["relay".to_owned(), self.url.to_owned()], vec!["challenge".to_owned(), challenge]];
        let key = &self.relays.key;
        let event =
            Event::new(key.public.as_str(), (self.relays.now)().timestamp(), AUTHENTICATION, tags, "").signed(key)?;
        self.say(&json!(["AUTH", event])).await?;
        loop {
            if let Said::Ok { id, .. } = self.hear().await?
                && id == event.id
            {
                return Ok(());
            }
        }
    }
}

/// What a "no" means, by the word before its colon (NIP-01, NIP-42, read 2026-11-23).
fn verdict(url: &str, message: &str) -> Outcome {
    let told = |why: &str| {
        let said: String = message.chars().take(200).collect();
        format!("{url}: {said}{why}")
    };
    let no = |refusal, later, why| Outcome::Refused { refusal, message: told(why), later };
    match message.split(':').next().unwrap_or_default() {
        "duplicate" => Outcome::Taken,
        "rate-limited" => no(Refusal::RateLimited, true, ""),
        "blocked" | "restricted" | "mute" => no(Refusal::Forbidden, false, ""),
        // strfry's word for what its author has taken back.
        "deleted" => no(Refusal::Gone, false, ""),
        "auth-required" => no(Refusal::Forbidden, false, " (signing in was not enough)"),
        "pow" => no(Refusal::Invalid, false, " (it wants proof of work, which smm does not do)"),
        "invalid" => no(Refusal::Invalid, false, ""),
        // `error`, and what has no word: the relay's own trouble.
        _ => no(Refusal::Busy, true, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_before_the_colon_decides() {
        let of = |message: &str| verdict("wss://r.example", message);
        assert_eq!(of("duplicate: exists"), Outcome::Taken);
        for (message, expected, lasting) in [
            ("rate-limited: slow down", Refusal::RateLimited, false),
            ("blocked: you are banned", Refusal::Forbidden, true),
            ("restricted: not on the list", Refusal::Forbidden, true),
            ("mute: nobody listens", Refusal::Forbidden, true),
            ("deleted: user requested deletion", Refusal::Gone, true),
            ("auth-required: who are you", Refusal::Forbidden, true),
            ("pow: 28 bits needed", Refusal::Invalid, true),
            ("invalid: too old", Refusal::Invalid, true),
            ("error: no database", Refusal::Busy, false),
            ("no", Refusal::Busy, false),
            ("", Refusal::Busy, false),
        ] {
            let Outcome::Refused { refusal, later, message: told } = of(message) else { panic!("{message}") };
            assert_eq!((refusal, later), (expected, !lasting), "{message}");
            assert!(told.starts_with(&format!("wss://r.example: {message}")), "{told}");
        }
    }
}
