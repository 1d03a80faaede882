//! Writes what a change comes to, pushes it, and finds out what became of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use super::super::guards;
use super::super::keeper::{nonce, stopped};
use super::super::layout::{self, Whole};
use super::super::objects::{self, Commit, Files};
use super::super::place::Place;
use super::super::remote::{self, Change, Oid, Pushed};
use super::super::trouble::Trouble;
use super::{Desk, Loaded, jitter};
use crate::ledger::LedgerError;
use crate::model::DeliveryId;
use crate::trial::Guard;

impl Desk {
    /// Writes what a change comes to and pushes it. `guarded`: deliveries that are begun or out get refs of their own.
    pub(super) fn push(
        &mut self,
        mut whole: Whole,
        says: &[String],
        squash: bool,
        guarded: bool,
    ) -> std::result::Result<Outcome, Trouble> {
        let began = self.elapsed();
        let place = self.place.clone().ok_or_else(stopped)?;
        let Some(loaded) = &self.loaded else { return Err(stopped().into()) };
        let (git, at, mark) = (&self.terms.git, self.terms.clock.now(), nonce()?);
        if guarded && Guard::OwnRef.holds() {
            let fresh = guards::wanted(&loaded.whole, &mut whole);
            let files: Vec<(Vec<u8>, String)> = fresh
                .iter()
                .map(|(_, file)| (layout::pretty(file), format!("{}\n\nNonce: {mark}\n", guards::message(file))))
                .collect();
            let commits: Vec<Commit<'_>> = files
                .iter()
                .map(|(file, message)| Commit { parent: None, message, at, changes: vec![(guards::FILE, Some(file))] })
                .collect();
            if !commits.is_empty() {
                let oids = objects::write(git, &mark, &commits)?;
                whole.guards.extend(fresh.into_iter().map(|(id, _)| id).zip(oids));
            }
        }
        whole.facts.serial += 1;
        if whole.facts.instance.is_empty() {
            whole.facts.instance = nonce()? + &nonce()?;
        }
        let parent = if squash { None } else { loaded.head.as_deref() };
        let nothing = Files::new();
        // What was folded is written anew with a history that is cut off.
        let before = if parent.is_some() { &loaded.files } else { &nothing };
        let files = whole.files(before);
        let changes = layout::differences(before, &files);
        // Two processes that do the same at the same time must not come to the same commit: each push is to be one's own.
        let message = format!("{}\n\nSerial: {}\nNonce: {mark}\n", summary(says), whole.facts.serial);
        let commit = Commit { parent, message: &message, at, changes };
        let head = objects::write(git, &mark, &[commit])?.remove(0);
        let mut refs = vec![Change { name: place.state(), from: loaded.head.clone(), to: Some(head.clone()) }];
        refs.extend(guards::changes(&place, &loaded.whole.guards, &whole.guards, &self.absent, &self.strays));
        self.own = Some(head.clone());
        let sent = Sent { head, files, whole, refs, began };
        // A cut connection is tried again with the same commit: should the first try arrive late, nothing is done twice.
        for again in 0.. {
            let git = &self.terms.git;
            let (was_refused, trouble) = match remote::push(git, &place, &sent.refs)? {
                Pushed::Done => break,
                Pushed::Refused { reasons, said } => (true, denied(&reasons, &said)),
                Pushed::Unclear(trouble) => (false, trouble),
            };
            let names: Vec<&str> = sent.refs.iter().map(|change| change.name.as_str()).collect();
            // Only what is there now tells what became of it.
            let there = match remote::look(git, &place, &names) {
                Ok(there) => there,
                // The first words say more than those of a second try.
                Err(Trouble::Said { .. }) if !was_refused => return Err(trouble),
                Err(other) => return Err(other),
            };
            let now = there.get(&place.state());
            if now == Some(&sent.head) {
                break;
            }
            if now != self.loaded.as_ref().and_then(|loaded| loaded.head.as_ref()) {
                return self.overtaken(&place, now.cloned(), sent);
            }
            if let Some(outcome) = look_at_guards(&mut self.absent, &place, &sent.refs, &there) {
                return Ok(outcome);
            }
            if was_refused {
                return Ok(Outcome::Unexplained(trouble));
            }
            if again >= 2 || trouble.is_final() {
                return Err(trouble);
            }
            std::thread::sleep(jitter(again + 1));
        }
        self.take(&place, sent);
        Ok(Outcome::There)
    }

    /// It is there.
    fn take(&mut self, place: &Place, sent: Sent) {
        let Sent { head, files, whole, refs, began } = sent;
        let before = self.loaded.take().unwrap_or_default();
        for change in &refs {
            self.absent.retain(|id| place.delivery_of(&change.name) != Some(*id));
        }
        self.leases =
            whole.tokens().filter_map(|(id, token)| Some((id, (token, *whole.tables.leases.get(&id)?)))).collect();
        self.loaded = Some(Loaded { head: Some(head), files: layout::written(&before.files, files), whole });
        (self.looked, self.doubt) = (Some(began), false);
    }

    /// The remote has another commit than before, and not the one that was pushed: is that in it?
    fn overtaken(&mut self, place: &Place, now: Option<Oid>, sent: Sent) -> std::result::Result<Outcome, Trouble> {
        if self.load(place, now)? {
            (self.looked, self.doubt) = (Some(sent.began), false);
        } else {
            self.look(false)?;
        }
        let now = self.loaded.as_ref().and_then(|loaded| loaded.head.clone());
        match now {
            Some(now) if objects::is_ancestor(&self.terms.git, &sent.head, &now)? => {
                // It was there, and somebody has gone on from it.
                self.take(place, sent);
                self.load(place, Some(now))?;
                Ok(Outcome::There)
            }
            _ => Ok(Outcome::Overtaken),
        }
    }
}

/// A push: what it is to bring about.
struct Sent {
    head: Oid,
    files: BTreeMap<String, Vec<u8>>,
    whole: Whole,
    refs: Vec<Change>,
    /// Since when it is worked on.
    began: Duration,
}

pub(super) enum Outcome {
    /// What was pushed is there.
    There,
    /// Others have changed it: to be worked out anew.
    Overtaken,
    /// It was refused, and nothing has changed that would say why.
    Unexplained(Trouble),
}

/// Whether refs of deliveries are not what they must be although the ledger is.
fn look_at_guards(
    absent: &mut BTreeSet<DeliveryId>,
    place: &Place,
    refs: &[Change],
    there: &BTreeMap<String, Oid>,
) -> Option<Outcome> {
    let mut outcome = None;
    for change in refs {
        let Some(id) = place.delivery_of(&change.name) else { continue };
        match (there.get(&change.name), &change.from) {
            (None, Some(_)) => {
                absent.insert(id);
                outcome.get_or_insert(Outcome::Overtaken);
            }
            (Some(now), from) if Some(now) != from.as_ref() => {
                let text = format!(
                    "{} is there, although the ledger says that nothing was begun or sent: was the ledger's ref deleted or \
                     set back? Nothing is sent; `smm ledger` says more, `smm ledger adopt` takes it as it is",
                    change.name
                );
                outcome = Some(Outcome::Unexplained(LedgerError::Storage(text).into()));
            }
            _ => {}
        }
    }
    outcome
}

/// Why a push was refused that nothing stands in the way of.
fn denied(reasons: &[(String, String)], said: &str) -> Trouble {
    let mut told = said.to_owned();
    let mut known = BTreeSet::new();
    // The state's ref is the first; the others are mostly refused with it, and for the same reason.
    for (name, why) in reasons.iter().filter(|(_, why)| known.insert(why)) {
        let _ = write!(told, "\n{name}: {why}");
    }
    Trouble::said("push", &told)
}

/// What happened, as the first lines of a commit's message.
fn summary(says: &[String]) -> String {
    let plain =
        |text: &String| -> String { text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect() };
    match says {
        [] => "changed".to_owned(),
        [one] => plain(one),
        [first, rest @ ..] => {
            let mut text = format!("{}, and {} more\n\n- {}", plain(first), rest.len(), plain(first));
            for one in rest.iter().take(99) {
                text.push_str("\n- ");
                text.push_str(&plain(one));
            }
            text
        }
    }
}
