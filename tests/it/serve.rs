//! `smm daemon --listen`: health and metrics as somebody who watches the daemon sees them.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};

use crate::process::{Daemon, pause};
use crate::stand::{Kind, Planned, Stand};

/// A daemon that listens there, and where that turned out to be.
fn listening(stand: &Stand, address: &str) -> (Daemon, String) {
    let mut command = stand.command();
    command.env("RUST_BACKTRACE", "0");
    let daemon = Daemon::start_with(command, &["--listen", address]);
    let line = daemon.says("health and metrics are shown");
    (daemon, line["address"].as_str().expect("an address").to_owned())
}

/// Status and body.
fn get(address: &str, path: &str) -> (u16, String) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut answer = String::new();
    let limit = Some(Duration::from_secs(10));
    if let Some(path) = address.strip_prefix("unix:") {
        let mut stream = UnixStream::connect(path).expect("it listens");
        stream.set_read_timeout(limit).expect("set");
        stream.write_all(request.as_bytes()).expect("sent");
        stream.read_to_string(&mut answer).expect("an answer");
    } else {
        let mut stream = TcpStream::connect(address.trim_start_matches("http://")).expect("it listens");
        stream.set_read_timeout(limit).expect("set");
        stream.write_all(request.as_bytes()).expect("sent");
        stream.read_to_string(&mut answer).expect("an answer");
    }
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, body.to_owned())
}

/// Asks until this holds.
#[track_caller]
fn until(address: &str, path: &str, holds: impl Fn(u16, &str) -> bool) -> String {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let (status, body) = get(address, path);
        if holds(status, &body) {
            return body;
        }
        assert!(Instant::now() < end, "{status}: {body}");
        pause(50);
    }
}

#[test]
fn what_goes_out_is_counted() {
    let mut stand = Stand::new(&[Kind::Key, Kind::Files]);
    let now = Utc::now();
    stand.calendar(vec![
        Planned::new("out", now),
        Planned::new("later", now + TimeDelta::days(3)).to(&[stand.nets[0].account.clone()]),
    ]);
    let (daemon, address) = listening(&stand, "0");
    assert!(address.starts_with("http://127.0.0.1:"), "{address}");
    assert_eq!(until(&address, "/healthz", |status, _| status == 200), "ok\n");
    let (key, files) = (&stand.nets[0].account, &stand.nets[1].account);
    let both_out = |account: &str, network: &str| {
        format!("smm_deliveries{{account=\"{account}\",network=\"{network}\",state=\"published\"}} 1.0\n")
    };
    let text = until(&address, "/metrics", |_, text| {
        text.contains(&both_out(key, "mastodon")) && text.contains(&both_out(files, "feed"))
    });
    for line in [
        format!("smm_deliveries{{account=\"{key}\",network=\"mastodon\",state=\"planned\"}} 1.0\n"),
        format!("smm_deliveries{{account=\"{key}\",network=\"mastodon\",state=\"failed\"}} 0.0\n"),
        format!("smm_late_seconds_count{{account=\"{key}\",network=\"mastodon\"}} 1\n"),
        "smm_ready 1.0\n".to_owned(),
        "smm_ledger_up 1.0\n".to_owned(),
        "smm_alerts_untold 0.0\n".to_owned(),
    ] {
        assert!(text.contains(&line), "{line} is not in\n{text}");
    }
    let next =
        text.lines().find(|line| line.starts_with(&format!("smm_next_ready_timestamp_seconds{{account=\"{key}\"")));
    let at: f64 = next.and_then(|line| line.rsplit(' ').next()).expect("a time").parse().expect("a number");
    let due = f64::from(u32::try_from((now + TimeDelta::days(3)).timestamp()).expect("this century"));
    assert!((at - due).abs() < 2.0, "{at}, {due}");
    for secret in stand.secrets() {
        assert!(!text.contains(secret.as_str()), "{text}");
    }
    assert!(!text.contains("Part 1 of"), "no post's text: {text}");
    daemon.stops();
    let port = address.trim_start_matches("http://");
    assert!(TcpStream::connect(port).is_err(), "nothing listens any more");
}

#[test]
fn a_socket_is_for_its_user_alone_and_a_live_one_is_not_taken() {
    let mut stand = Stand::new(&[Kind::Files]);
    stand.calendar(vec![Planned::new("later", Utc::now() + TimeDelta::days(3))]);
    let path = stand.env.path().join("http.sock");
    // As a killed process leaves it.
    drop(UnixListener::bind(&path).expect("bound"));
    assert!(path.exists());
    let (daemon, address) = listening(&stand, &format!("unix:{}", path.display()));
    assert_eq!(std::fs::metadata(&path).expect("a socket").permissions().mode() & 0o777, 0o600);
    until(&address, "/healthz", |status, _| status == 200);
    assert!(get(&address, "/metrics").1.contains("smm_ready 1.0\n"));
    daemon.stops();
    assert!(!path.exists(), "it goes with the daemon");

    let _other = UnixListener::bind(&path).expect("bound");
    let refused = stand.smm(&["daemon", "--listen", &format!("unix:{}", path.display())]).expect(1);
    assert!(refused.stderr.contains("another process listens there"), "{}", refused.stderr);
}

#[test]
fn places_that_are_none_are_refused_before_anything_is_done() {
    let mut stand = Stand::new(&[Kind::Files]);
    stand.calendar(vec![Planned::new("out", Utc::now())]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let run = stand.smm(&["daemon", "--listen", &port]).expect(1);
    assert!(run.stderr.contains(&format!("cannot listen at http://127.0.0.1:{port}")), "{}", run.stderr);
    let run = stand.smm(&["daemon", "--listen", ":9464"]).expect(2);
    assert!(run.stderr.contains("write 9464 for this machine alone"), "{}", run.stderr);
    assert!(stand.rows().is_empty(), "nothing was begun");
}

#[test]
fn who_cannot_publish_says_why() {
    let mut stand = Stand::new(&[Kind::Files]);
    stand.calendar(vec![Planned::new("one", Utc::now())]);
    let daemon = stand.daemon();
    daemon.says("published");
    // As a backup that was restored: it does not know what went out since.
    let (ledger, backup) = (stand.env.path().join("state/smm/ledger.db"), stand.env.path().join("old.db"));
    stand.smm(&["ledger", "backup", backup.to_str().expect("UTF-8")]).expect(0);
    stand.calendar(vec![Planned::new("one", Utc::now()), Planned::new("two", Utc::now())]);
    daemon.says("published");
    daemon.stops();
    for ending in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{ending}", ledger.display()));
    }
    std::fs::copy(&backup, &ledger).expect("restored");
    std::fs::set_permissions(&ledger, std::fs::Permissions::from_mode(0o600)).expect("set");

    let (daemon, address) = listening(&stand, "localhost:0");
    let said = until(&address, "/healthz", |status, body| status == 503 && !body.contains("starting"));
    assert!(said.contains("smm ledger adopt"), "{said}");
    assert!(get(&address, "/metrics").1.contains("smm_ready 0.0\n"));
    stand.smm(&["ledger", "adopt", "--yes"]).expect(0);
    until(&address, "/healthz", |status, _| status == 200);
    daemon.stops();
}
