//! What is asked of the remote: what its refs are, the objects behind one, and to change some of them, all or none.

use std::collections::BTreeMap;
use std::time::Duration;

use super::place::Place;
use super::program::Git;
use super::trouble::{Trouble, redact};
use crate::trial::Guard;

/// A question that moves little may take so long.
const LOOK: Duration = Duration::from_secs(30);

/// What moves objects may take so long.
const MOVE: Duration = Duration::from_mins(1);

/// A whole history may take so long.
const FIRST: Duration = Duration::from_mins(5);

/// An object's name: 40 hex digits, or 64.
pub(super) type Oid = String;

/// Whether a text is an object's name.
pub(super) fn is_oid(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A ref that is to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    /// Its whole name.
    pub(super) name: String,
    /// What it must be now; `None`: it must not be there.
    pub(super) from: Option<Oid>,
    /// What it shall be; `None`: it shall go.
    pub(super) to: Option<Oid>,
}

/// What became of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pushed {
    /// All of it is there.
    Done,
    /// None of it is. For each ref that was named, why.
    Refused {
        /// Why, in the words of git or of the server.
        reasons: Vec<(String, String)>,
        /// What else was said.
        said: String,
    },
    /// Nobody knows whether it is there.
    Unclear(Trouble),
}

/// The refs that match these patterns, with what they are.
pub(super) fn look(git: &Git, place: &Place, patterns: &[&str]) -> Result<BTreeMap<String, Oid>, Trouble> {
    let mut args = vec!["ls-remote", "--", &place.remote];
    args.extend(patterns);
    let output = git.done(&args, b"", LOOK)?;
    Ok(listed(&output.text()))
}

fn listed(text: &str) -> BTreeMap<String, Oid> {
    let lines = text.lines().filter_map(|line| line.split_once('\t'));
    lines.filter(|(oid, _)| is_oid(oid)).map(|(oid, name)| (name.to_owned(), oid.to_owned())).collect()
}

/// Brings the objects behind these refs here. No ref of this repository is made or moved. `known`: a commit that is here.
pub(super) fn fetch(git: &Git, place: &Place, refs: &[String], known: Option<&str>) -> Result<(), Trouble> {
    let tip = known.map(|oid| format!("--negotiation-tip={oid}"));
    let mut args = vec![
        "fetch",
        "--quiet",
        "--no-write-fetch-head",
        "--no-tags",
        "--no-prune",
        "--no-filter",
        "--no-recurse-submodules",
        "--refmap=",
    ];
    args.extend(tip.as_deref());
    args.extend(["--", &place.remote]);
    args.extend(refs.iter().map(String::as_str));
    git.done(&args, b"", if known.is_some() { MOVE } else { FIRST }).map(drop)
}

/// Changes refs on the remote: all of them, if each is what it must be, or none.
pub(super) fn push(git: &Git, place: &Place, changes: &[Change]) -> Result<Pushed, Trouble> {
    let lease = |change: &Change| {
        if Guard::Expected.holds() {
            format!("--force-with-lease={}:{}", change.name, change.from.as_deref().unwrap_or_default())
        } else {
            "--force".to_owned()
        }
    };
    let leases: Vec<String> = changes.iter().map(lease).collect();
    let specs: Vec<String> =
        changes.iter().map(|change| format!("{}:{}", change.to.as_deref().unwrap_or_default(), change.name)).collect();
    // A mirror takes no names.
    let mirror = format!("remote.{}.mirror=false", place.remote);
    let mut args = vec!["-c", &mirror, "push", "--porcelain", "--atomic", "--no-verify", "--no-progress"];
    args.extend(leases.iter().map(String::as_str));
    args.extend(["--", &place.remote]);
    args.extend(specs.iter().map(String::as_str));
    let output = match git.run(&args, b"", MOVE) {
        Ok(output) => output,
        Err(late @ Trouble::Late { .. }) => return Ok(Pushed::Unclear(late)),
        Err(other) => return Err(other),
    };
    Ok(pushed(output.worked(), &output.text(), &output.stderr))
}

/// Reads what `git push --porcelain` says: a line for each ref, `flag TAB from:to TAB summary`, where `!` is a refusal.
fn pushed(worked: bool, stdout: &str, stderr: &str) -> Pushed {
    if worked {
        return Pushed::Done;
    }
    let reasons: Vec<(String, String)> = stdout
        .lines()
        .filter_map(|line| {
            let mut parts = line.strip_prefix("!\t")?.splitn(2, '\t');
            let (spec, why) = (parts.next()?, parts.next().unwrap_or_default());
            Some((spec.rsplit(':').next().unwrap_or_default().to_owned(), why.to_owned()))
        })
        .collect();
    // A server that went silent in the middle of its report has perhaps done it all.
    let silent = |(_, why): &(String, String)| why.contains("[remote failure]");
    if reasons.is_empty() || reasons.iter().any(silent) {
        Pushed::Unclear(Trouble::said("push", stderr))
    } else {
        Pushed::Refused { reasons, said: redact(stderr) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_read() {
        let oid = "5cc4f05b5b08cf37d35627a886f2f85800000000";
        let text = format!("{oid}\trefs/smm/ledger/state\nwarning: something\n{oid}\trefs/smm/ledger/deliveries/x\n");
        let listed = listed(&text);
        assert_eq!(listed.len(), 2);
        assert_eq!(listed["refs/smm/ledger/state"], oid);
    }

    #[test]
    fn the_words_of_a_push_are_read() {
        // As git 2.47 prints them.
        assert_eq!(pushed(true, "To /r.git\n*\ta:refs/smm/x\t[new reference]\nDone\n", ""), Pushed::Done);
        let stale = "To /r.git\n!\tabc:refs/smm/ledger/state\t[rejected] (stale info)\n!\t:refs/smm/ledger/deliveries/x\t[rejected] (atomic push failed)\n";
        let Pushed::Refused { reasons, .. } = pushed(false, stale, "error: failed to push some refs") else {
            panic!("refused")
        };
        assert_eq!(reasons[0], ("refs/smm/ledger/state".to_owned(), "[rejected] (stale info)".to_owned()));
        assert_eq!(reasons[1].0, "refs/smm/ledger/deliveries/x");
        let silent = "To x\n!\tabc:refs/smm/ledger/state\t[remote failure] (remote failed to report status)\n";
        assert!(matches!(pushed(false, silent, ""), Pushed::Unclear(_)));
        let cut = pushed(false, "", "fatal: unable to access 'https://u:p@h/': Connection reset");
        let said = Trouble::said("push", "fatal: unable to access 'https://h/': Connection reset");
        assert_eq!(cut, Pushed::Unclear(said));
    }
}
