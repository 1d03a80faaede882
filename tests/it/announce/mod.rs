//! `smm announce`: a release goes out once on every account, whatever is known of it and however often it is run.

mod facts;
mod runs;

use std::fmt::Write as _;
use std::process::Command;

use crate::stand::{Kind, Stand};
use crate::support::Run;

/// What each account gets for `v2.0.0`.
const TEXT: &str = "rocket 2.0.0 is out. https://acme.example/2.0.0";

/// Accounts of these kinds, and a calendar with one post for releases; `more` are further lines of it.
fn stand(kinds: &[Kind], more: &str) -> Stand {
    stand_over("sqlite", kinds, more)
}

fn stand_over(ledger: &str, kinds: &[Kind], more: &str) -> Stand {
    let stand = Stand::over(ledger, "lease = \"8s\"", kinds);
    calendar(&stand, "{{ project }} {{ version }} is out. {{ url }}", more);
    stand
}

fn calendar(stand: &Stand, text: &str, more: &str) {
    let accounts: Vec<&str> = stand.nets.iter().map(|net| net.account.as_str()).collect();
    let mut calendar = format!("name = \"rig\"\ntimezone = \"UTC\"\n[defaults]\nto = {accounts:?}\n");
    let _ = writeln!(calendar, "\n[[posts]]\nid = \"release\"\non = \"release\"\ntext = '''{text}'''\n{more}");
    stand.env.write("calendar.toml", calendar);
}

/// `smm announce` for `v2.0.0`, with these options more.
fn announcer(stand: &Stand, more: &[&str]) -> Command {
    let mut command = stand.command();
    command.args(["announce", "--tag", "v2.0.0", "--project", "rocket", "--url", "https://acme.example/2.0.0"]);
    command.args(["--format", "json"]).args(more);
    command
}

fn announce(stand: &Stand, more: &[&str]) -> Run {
    Run::from(announcer(stand, more).output().expect("smm runs"))
}

/// Each account has this text once, and nothing else.
#[track_caller]
fn each_has_once(stand: &Stand, text: &str) {
    for net in &stand.nets {
        let held = stand.held(net);
        let counts: Vec<(&str, usize)> = held.iter().map(|(text, ids)| (text.as_str(), ids.len())).collect();
        assert_eq!(counts, [(text, 1)], "on {}", net.account);
    }
}

/// One value of each delivery, by account.
#[track_caller]
fn each(run: &Run, key: &str) -> Vec<String> {
    let json = run.json();
    let rows = json["deliveries"].as_array().expect("deliveries");
    rows.iter().map(|row| format!("{}: {}", row["account"].as_str().expect("a name"), row[key])).collect()
}
