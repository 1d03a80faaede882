//! Where nothing tells whether an earlier run has sent it.

use std::fmt::Write as _;
use std::process::Command;

use smm::adapter::RepeatSafety;
use smm::adapter::suite::Fake;

use crate::process::{serve, wait};
use crate::support::{Run, TestEnv};

/// Accounts on networks that promise nothing by their profiles, with their servers. `told`: those whose settings promise more.
#[expect(clippy::type_complexity, reason = "three things of each account")]
fn accounts(told: bool) -> Vec<(TestEnv, Box<dyn Fake>, Vec<(String, String)>)> {
    let untold = smm::networks::ALL.iter().filter(|network| network.profile().repeat == RepeatSafety::None);
    // The stand-in of a program lives in this process.
    let untold = untold.filter(|network| !network.runs_programs());
    let fakes = untold.filter_map(|network| {
        let fake = serve(network.fake())?;
        ((network.repeat(&fake.account()) != RepeatSafety::None) == told).then_some(fake)
    });
    fakes.map(account).collect()
}

fn account(fake: Box<dyn Fake>) -> (TestEnv, Box<dyn Fake>, Vec<(String, String)>) {
    let account = fake.account();
    let env = TestEnv::new();
    let mut config = format!("[accounts.{}]\nnetwork = \"{}\"\n", account.name, account.network);
    if let Some(server) = &account.server {
        let _ = writeln!(config, "server = \"{server}\"");
    }
    for (key, value) in &account.settings {
        let _ = writeln!(config, "{key} = {value}");
    }
    env.write("smm.toml", config);
    let text = "on = 'release'\ntext = '{{ version }} is out.'\n";
    let head = format!("name = 'acme'\ntimezone = 'UTC'\n[defaults]\nto = ['{}']\n", account.name);
    env.write("calendar.toml", format!("{head}[[posts]]\nid = 'release'\n{text}"));
    let secrets = fake.secrets().into_iter();
    let secrets = secrets.map(|(field, value)| (format!("SMM_{}_{field}", account.name).to_uppercase(), value));
    let secrets = secrets.map(|(name, value)| (name.replace('-', "_"), value)).collect();
    (env, fake, secrets)
}

#[test]
fn a_job_does_not_announce_what_nobody_can_look_up_unless_that_is_meant() {
    let repeated =
        accounts(false).into_iter().map(|(env, fake, secrets)| one(&env, &*fake, &secrets)).collect::<Vec<_>>();
    assert!(!repeated.is_empty() && repeated.iter().all(|times| *times == 2), "{repeated:?}");
}

#[test]
fn an_account_may_promise_more_than_its_network() {
    let accounts = accounts(true);
    assert!(accounts.len() >= 2, "a bot with a nonce, and a receiver that knows an event again");
    for (env, fake, secrets) in &accounts {
        for _ in 0..2 {
            let mut command: Command = env.command();
            command.envs(secrets.iter().cloned()).args(["announce", "--tag", "v2.0.0"]).env("CI", "true");
            Run::from(command.output().expect("smm runs")).expect(0);
            assert_eq!(wait(fake.posts()).len(), 1);
            std::fs::remove_dir_all(env.path().join("state")).expect("there was one");
        }
    }
}

/// How often it is out in the end, where the job was run again by a machine that knows nothing.
fn one(env: &TestEnv, fake: &dyn Fake, secrets: &[(String, String)]) -> usize {
    let announce = |ci: bool, more: &[&str]| {
        let mut command: Command = env.command();
        command.envs(secrets.iter().cloned()).args(["announce", "--tag", "v2.0.0"]).args(more);
        if ci {
            command.env("CI", "true");
        }
        Run::from(command.output().expect("smm runs"))
    };
    let run = announce(true, &[]).expect(1);
    assert!(run.stderr.contains("nothing but this machine's ledger"), "{}", run.stderr);
    assert!(run.stderr.contains("nothing was announced") && run.stderr.contains("--may-repeat"), "{}", run.stderr);
    assert_eq!(wait(fake.posts()).len(), 0);
    // At a person's own machine the ledger is the one that there was last time.
    announce(false, &[]).expect(0);
    assert_eq!(wait(fake.posts()).len(), 1);
    announce(true, &[]).expect(0);
    assert_eq!(wait(fake.posts()).len(), 1, "this ledger knows");
    std::fs::remove_dir_all(env.path().join("state")).expect("there was one");
    announce(true, &["--may-repeat"]).expect(0);
    wait(fake.posts()).len()
}
