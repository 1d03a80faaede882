//! Objects of a clone: some that are here in part, some that are taken away, and repositories that have them otherwise.

use smm::ledger::{Age, Query};

use super::*;

fn posts(ledger: &GitLedger) -> usize {
    wait(ledger.deliveries(&Query::default())).expect("rows").len()
}

/// Puts these objects of the server into a clone, and nothing else of them. What is pushed a little at a time lies there
/// in files of its own.
fn bring(origin: &Origin, clone: &Path, oids: &[&str]) {
    for oid in oids {
        let file = format!("objects/{}/{}", &oid[..2], &oid[2..]);
        let there = clone.join(".git").join(&file);
        std::fs::create_dir_all(there.parent().expect("a parent")).expect("a folder");
        if !there.exists() {
            std::fs::copy(origin.path().join(&file), there).expect("copied");
        }
    }
}

/// `git fetch` unpacks commits first, and what is in them last: that is how far it had come when it was killed.
#[test]
fn what_a_killed_fetch_has_left_is_fetched_again() {
    if !has_git() {
        return;
    }
    let origin = Origin::new();
    let (here, there) = (Machine::new(&origin, "here", &[]), Machine::new(&origin, "there", &[]));
    publish(&here.open(), "release", "fedi");
    let all = origin.git(&["rev-list", "refs/smm/ledger/state"]);
    bring(&origin, &there.clone, &all.lines().collect::<Vec<_>>());
    let running = there.open();
    assert_eq!(posts(&running), 1, "no trees were there");
    // What has come is there with its trees and files, and what came before it is not: nothing was set back for all that.
    let newer = here.open();
    for post in ["second", "third"] {
        put(&newer, &row(post, "bsky"), "planned");
    }
    bring(&origin, &there.clone, &[origin.git(&["rev-parse", "refs/smm/ledger/state"]).trim()]);
    let listed = origin.git(&["rev-parse", "refs/smm/ledger/state^{tree}"])
        + &origin.git(&["ls-tree", "-r", "-t", "--format=%(objectname)", "refs/smm/ledger/state"]);
    bring(&origin, &there.clone, &listed.lines().collect::<Vec<_>>());
    for ledger in [&there.open(), &running] {
        assert_eq!(wait(ledger.age()), Ok(Age::Current));
        assert_eq!(posts(ledger), 3);
    }
    claim(&running, "bsky");
}

#[test]
fn what_is_taken_away_meanwhile_is_brought_again() {
    if !has_git() {
        return;
    }
    let origin = Origin::new();
    let (mut here, there) = (Machine::new(&origin, "here", &[]), Machine::new(&origin, "there", &[]));
    let prune = ["prune", "--expire=now"];
    let ledger = here.open();
    put(&ledger, &row("release", "fedi"), "planned");
    git(&here.clone, &prune);
    let claimed = claim(&ledger, "fedi");
    begin(&ledger, &claimed);
    // When somebody else has gone on since, too.
    put(&there.open(), &row("release", "bsky"), "planned");
    git(&here.clone, &prune);
    assert_eq!(posts(&ledger), 2);
    // Between what is written and its push.
    let flag = origin.folder().join("pruned");
    here.wrap(
        &origin,
        &format!(
            "case \" $* \" in *\" push \"*) if [ ! -e {flag} ]; then touch {flag}; $GIT prune --expire=now; fi;; esac\n\
             exec \"$GIT\" \"$@\"\n",
            flag = flag.display()
        ),
    );
    claim(&here.open(), "bsky");
    assert!(flag.exists(), "the script ran");
    assert_eq!(origin.git(&["log", "--format=%s", "refs/smm/ledger/state"]).matches("claimed").count(), 2);
}

#[test]
fn a_partial_clone_has_the_ledger_whole() {
    if !has_git() {
        return;
    }
    let origin = Origin::new();
    origin.git(&["config", "uploadpack.allowFilter", "true"]);
    publish(&Machine::new(&origin, "whole", &[]).open(), "release", "fedi");
    for (name, filter) in [("blobless", "--filter=blob:none"), ("treeless", "--filter=tree:0")] {
        let mut machine = Machine::new(&origin, name, &[filter]);
        let asked = origin.folder().join(format!("{name}-asked"));
        let script = format!("printf '%s\\n' \"$*\" >> {}\nexec \"$GIT\" \"$@\"\n", asked.display());
        machine.wrap(&origin, &script);
        let ledger = machine.open();
        assert!(posts(&ledger) >= 1);
        publish(&ledger, name, "bsky");
        assert!(posts(&machine.open()) >= 2);
        let fetches = std::fs::read_to_string(asked).expect("asked").matches(" fetch ").count();
        assert_eq!(fetches, 1, "with all that is behind it");
        let kept = git(&machine.clone, &["config", "remote.origin.partialclonefilter"]);
        assert_eq!(format!("--filter={}", kept.trim()), filter, "it is as partial as before");
    }
}

#[test]
fn a_repository_may_name_objects_by_sha256() {
    if !has_git() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    git(folder.path(), &["init", "-q", "--bare", "--object-format=sha256", "origin.git"]);
    let machine = |name: &str| {
        git(folder.path(), &["init", "-q", "--object-format=sha256", name]);
        let clone = folder.path().join(name);
        git(&clone, &["remote", "add", "origin", "../origin.git"]);
        Machine { state: folder.path().join(format!("{name}-state")), clone, environment: None }
    };
    let (here, there) = (machine("here"), machine("there"));
    let out = publish(&here.open(), "release", "fedi");
    let ledger = there.open();
    assert_eq!(wait(ledger.delivery(out.id)), Ok(Some(out)));
    publish(&ledger, "another", "bsky");
    assert_eq!(posts(&here.open()), 2);
    let head = git(&folder.path().join("origin.git"), &["rev-parse", "refs/smm/ledger/state"]);
    assert_eq!(head.trim().len(), 64);
}
