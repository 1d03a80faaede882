//! What a daemon shows, as Prometheus' own tool reads it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use chrono::{TimeDelta, Utc};

use crate::process::Daemon;
use crate::servers::real;
use crate::stand::{Kind, Planned, Stand};

fn promtool() -> PathBuf {
    real().join("prometheus/usr/bin/promtool")
}

/// Whether it is installed.
pub fn installed() -> bool {
    promtool().is_file()
}

/// It reads every line, and has nothing to say about names, types and units.
pub fn are_as_prometheus_wants_them() {
    let mut stand = Stand::new(&[Kind::Key, Kind::Files]);
    let now = Utc::now();
    stand.calendar(vec![Planned::new("out", now), Planned::new("later", now + TimeDelta::days(1))]);
    let daemon = Daemon::start_with(stand.command(), &["--listen", "0"]);
    let line = daemon.says("health and metrics are shown");
    let address = line["address"].as_str().expect("an address").trim_start_matches("http://").to_owned();
    daemon.says("published");
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("set");
    stream.write_all(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n").expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (_, text) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(text.contains("smm_late_seconds_bucket"), "{text}");

    let mut check = Command::new(promtool())
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool starts");
    check.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("written");
    let run = check.wait_with_output().expect("ended");
    let said = String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success() && said.is_empty(), "{}: {said}\n{text}", run.status);
    daemon.stops();

    // Rules name metrics that there are.
    let rules = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/service/rules.yml");
    let run = Command::new(promtool()).args(["check", "rules"]).arg(&rules).output().expect("promtool runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let named = std::fs::read_to_string(rules).expect("the rules");
    let named = named.lines().filter(|line| line.trim_start().starts_with("expr:")).flat_map(|line| {
        line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(|word| word.starts_with("smm_"))
    });
    for name in named {
        assert!(text.contains(&format!("# TYPE {name} ")), "{name} is not in\n{text}");
    }
}
