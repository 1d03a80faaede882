//! A ledger in git, behind a bare repository at a file's path: no server, and one truth.

use crate::announcing::{
    Clones, TEXT, announcing, each, each_has_once, killed_and_started_again, plain_calendar, ten_at_once,
};
use crate::repository::{Origin, has_git};
use crate::stand::{Kind, Stand};
use crate::support::Run;

const KINDS: &[Kind] = &[Kind::ChosenId, Kind::Key, Kind::LookUp];

/// From two clones, one of them shallow.
fn with_clones(test: impl FnOnce(&Stand, &Origin, &Clones<'_>)) {
    if !has_git() {
        return;
    }
    let stand = Stand::over("git", "lease = \"15s\"", KINDS);
    plain_calendar(&stand);
    let origin = Origin::new();
    let clones = [origin.clone_to("one", &["--depth", "1"]), origin.clone_to("two", &[])];
    let clones = Clones { stand: &stand, clones };
    clones.fill();
    test(&stand, &origin, &clones);
}

#[test]
fn ten_at_once_from_two_clones_announce_it_once() {
    with_clones(|stand, origin, clones| {
        let before = origin.git(&["for-each-ref", "refs/heads", "refs/tags"]);
        ten_at_once(stand, |number| clones.runner(number));
        assert_eq!(origin.git(&["for-each-ref", "refs/heads", "refs/tags"]), before, "no branch and no tag is touched");
        // A machine that has never been there knows it from the ledger alone.
        let run = Run::from(announcing(clones.runner(99), &[]).output().expect("smm runs")).expect(0);
        assert!(each(&run, "already").iter().all(|line| line.ends_with("true")), "{}", run.stdout);
        each_has_once(stand, TEXT);
    });
}

#[test]
fn killed_in_two_clones_and_started_again_it_goes_out_once() {
    with_clones(|stand, _, clones| {
        let kills = killed_and_started_again(stand, (1, 6_000), |number| clones.runner(number));
        assert!(kills >= 5, "only {kills} were killed");
    });
}
