//! What many relays say, taken together.
//!
//! An event that one relay has taken is out: whatever the others say, it is never refused any more. So:
//!
//! | what the relays said | what it is |
//! |---|---|
//! | as many as the quorum have it | published |
//! | fewer have it, and another may still take it | unknown: the same event is sent again, which is safe |
//! | fewer have it, and all others have refused it for good | published, with a note |
//! | none has it, one has not answered | unknown |
//! | none has it, and too many have refused it for good | refused |
//! | none has it otherwise | not sent, or to be tried again |

use crate::adapter::{Fault, Refusal};

use super::relay::Outcome;

/// Where an event is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Out {
    /// The relays that have it.
    pub(super) taken: Vec<String>,
    /// What the others said.
    pub(super) notes: Vec<String>,
}

/// The sum of what the relays said.
pub(super) fn sum(said: Vec<(String, Outcome)>, quorum: usize) -> Result<Out, Fault> {
    let relays = said.len();
    let (mut taken, mut notes) = (Vec::new(), Vec::new());
    let (mut unknown, mut not_sent) = (0, 0);
    let (mut later, mut lasting) = (Vec::new(), Vec::new());
    for (url, outcome) in said {
        notes.push(match outcome {
            Outcome::Taken => {
                taken.push(url);
                continue;
            }
            Outcome::Unknown(why) => {
                unknown += 1;
                why
            }
            Outcome::NotSent(why) => {
                not_sent += 1;
                why
            }
            Outcome::Refused { refusal, message, later: again } => {
                if again {
                    later.push(refusal);
                } else {
                    lasting.push(refusal);
                }
                message
            }
        });
    }
    let all = notes.join("; ");
    if taken.len() >= quorum || lasting.len() + taken.len() == relays && !taken.is_empty() {
        return Ok(Out { taken, notes });
    }
    if !taken.is_empty() {
        let have = taken.len();
        return Err(Fault::Unknown(format!("{have} of {relays} relays took it, {quorum} are wanted: {all}")));
    }
    if unknown > 0 {
        return Err(Fault::Unknown(all));
    }
    // Nothing is out. What is wrong with the event itself is told before what is wrong with who sends it.
    if relays - lasting.len() < quorum
        && let Some(refusal) = lasting.into_iter().max()
    {
        return Err(Fault::refused(refusal, all));
    }
    match later.into_iter().max() {
        Some(refusal) if not_sent == 0 || refusal == Refusal::RateLimited => Err(Fault::refused(refusal, all)),
        _ => Err(Fault::NotSent(all)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no(refusal: Refusal, later: bool) -> Outcome {
        Outcome::Refused { refusal, message: format!("{refusal:?}"), later }
    }

    fn of(outcomes: &[Outcome], quorum: usize) -> Result<usize, Fault> {
        let said = outcomes.iter().enumerate().map(|(at, said)| (format!("wss://{at}"), said.clone())).collect();
        sum(said, quorum).map(|out| {
            assert_eq!(out.taken.len() + out.notes.len(), outcomes.len(), "every relay is told of");
            out.taken.len()
        })
    }

    #[test]
    fn what_one_relay_has_is_never_refused() {
        let taken = Outcome::Taken;
        let unknown = Outcome::Unknown("silence".to_owned());
        let not_sent = Outcome::NotSent("down".to_owned());
        let blocked = no(Refusal::Forbidden, false);
        let busy = no(Refusal::Busy, true);
        let slow = no(Refusal::RateLimited, true);
        let invalid = no(Refusal::Invalid, false);
        assert_eq!(of(&[taken.clone(), taken.clone(), not_sent.clone()], 2), Ok(2));
        assert_eq!(of(&[taken.clone(), blocked.clone(), invalid.clone()], 2), Ok(1), "with a note");
        for other in [&unknown, &not_sent, &busy, &slow] {
            let outcome = of(&[taken.clone(), blocked.clone(), other.clone()], 2);
            assert!(matches!(&outcome, Err(Fault::Unknown(why)) if why.starts_with("1 of 3")), "{outcome:?}");
        }
        let outcome = of(&[unknown.clone(), blocked.clone(), invalid.clone()], 2);
        assert!(matches!(outcome, Err(Fault::Unknown(_))), "{outcome:?}");
        // Nothing is out, and the quorum can no longer be had.
        let outcome = of(&[not_sent.clone(), blocked.clone(), invalid.clone()], 2);
        assert!(matches!(outcome, Err(Fault::Refused { refusal: Refusal::Invalid, .. })), "{outcome:?}");
        let outcome = of(&[busy.clone(), slow.clone(), blocked.clone()], 2);
        assert!(matches!(outcome, Err(Fault::Refused { refusal: Refusal::RateLimited, .. })), "{outcome:?}");
        let outcome = of(&[busy.clone(), not_sent.clone(), blocked], 2);
        assert!(matches!(outcome, Err(Fault::NotSent(_))), "{outcome:?}");
        assert_eq!(of(&[not_sent.clone(), not_sent], 1), Err(Fault::NotSent("down; down".to_owned())));
    }
}
