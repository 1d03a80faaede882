//! What a call brought is kept from the moment that it is known: a process that is killed before it is in the ledger leaves
//! nothing to be looked up, and nothing to a person.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::Utc;
use smm::adapter::suite::Rule;
use smm::model::State;

use crate::process::{ends, pause};
use crate::stand::{Kind, Planned, Stand};

fn folder(stand: &Stand) -> PathBuf {
    stand.env.path().join("state/smm/ledger.db.evidence")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).map_or_else(|_| Vec::new(), |all| all.map(|it| it.expect("an entry").path()).collect())
}

/// How often the network was sent a post.
fn sent(stand: &Stand) -> usize {
    let fake = stand.nets[0].fake();
    let (method, path) = fake.publish_call().expect("it speaks HTTP");
    fake.front().expect("it speaks HTTP").count(method, path)
}

#[test]
fn an_answer_survives_its_process() {
    for kind in [Kind::LookUp, Kind::Key, Kind::ChosenId] {
        let mut stand = Stand::new(&[kind]);
        stand.calendar(vec![Planned::new("once", Utc::now()).parts(2)]);
        let mut daemon = stand.daemon_until("evidence-written:1:kill");
        ends(&mut daemon.child, Duration::from_secs(20));
        assert_eq!(stand.rows()[0].state, State::Sending, "{kind:?}: it is not in the ledger");
        let kept = files(&folder(&stand));
        assert_eq!(kept.len(), 1);
        let text = std::fs::read_to_string(&kept[0]).expect("evidence");
        assert!(!text.contains("Part 1"), "no text of a post: {text}");
        for secret in stand.secrets() {
            assert!(!text.contains(secret), "no secret");
        }

        let daemon = stand.daemon();
        daemon.says("what its call brought was kept");
        let rows = stand.until_rest(Duration::from_secs(20));
        daemon.stops();
        assert_eq!((rows[0].state, rows[0].attempts), (State::Published, 2), "{kind:?}: each part in one attempt");
        let tally = stand.check(&rows);
        assert_eq!(tally.unknown, 0);
        let looked = stand.smm(&["history", "--post", "once", "--format", "json"]).expect(0).stdout;
        assert!(!looked.contains("\"kind\": \"look\"") && !looked.contains("\"kind\": \"unknown\""), "{looked}");
        assert!(files(&folder(&stand)).is_empty(), "nothing is open, so nothing is kept");
    }
}

#[test]
fn a_refusal_survives_its_process() {
    let mut stand = Stand::new(&[Kind::LookUp]);
    stand.calendar(vec![Planned::new("once", Utc::now())]);
    let net = &stand.nets[0];
    let (method, path) = net.fake().publish_call().expect("it speaks HTTP");
    let no = r#"{"error": "Validation failed: the text is not wanted here"}"#;
    net.fake().front().expect("it speaks HTTP").rule(Rule::answer(422, no).on(method, path));
    let mut daemon = stand.daemon_until("evidence-written:1:kill");
    ends(&mut daemon.child, Duration::from_secs(20));
    let text = std::fs::read_to_string(&files(&folder(&stand))[0]).expect("evidence");
    assert!(text.contains("refused") && !text.contains("not wanted here"), "its kind alone: {text}");
    stand.smm(&["publish"]);
    let row = stand.rows().remove(0);
    assert_eq!(row.state, State::Failed, "{row:?}");
    assert_eq!((row.attempts, sent(&stand)), (1, 1), "it was not sent again");
}

#[test]
fn without_evidence_it_is_as_it_was() {
    let mut stand = Stand::new(&[Kind::LookUp]);
    stand.calendar(vec![Planned::new("once", Utc::now())]);
    // A file where the folder is to be: nothing can be kept.
    std::fs::create_dir_all(folder(&stand).parent().expect("a parent")).expect("a folder");
    std::fs::write(folder(&stand), "").expect("a file");
    let mut daemon = stand.daemon_until("evidence-written:1:kill");
    daemon.says("what a call brought is kept in the ledger alone");
    ends(&mut daemon.child, Duration::from_secs(20));
    let daemon = stand.daemon();
    let rows = stand.until_rest(Duration::from_secs(20));
    daemon.stops();
    assert_eq!(stand.check(&rows).unknown, 0, "it was looked up");
    assert_eq!((rows[0].state, sent(&stand)), (State::Published, 1));
}

#[test]
fn torn_evidence_is_none() {
    let mut stand = Stand::new(&[Kind::LookUp]);
    stand.calendar(vec![Planned::new("once", Utc::now())]);
    let mut daemon = stand.daemon_until("evidence-written:1:kill");
    ends(&mut daemon.child, Duration::from_secs(20));
    let path = files(&folder(&stand)).remove(0);
    let whole = std::fs::read(&path).expect("evidence");
    std::fs::write(&path, &whole[..whole.len() / 2]).expect("torn");
    let daemon = stand.daemon();
    pause(10);
    let rows = stand.until_rest(Duration::from_secs(20));
    daemon.stops();
    assert_eq!(stand.check(&rows).unknown, 0);
    assert_eq!(sent(&stand), 1);
    assert!(files(&folder(&stand)).is_empty());
}
