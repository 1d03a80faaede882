//! A large file on its way, as somebody sees it who waits for it.

use std::process::Command;

use smm::adapter::suite::Fake;
use smm::media::samples;

use crate::process::serve;
use crate::support::{Run, TestEnv};

/// Bytes of the film: 38.15 MiB.
const FILM: usize = 40_000_000;

/// Two accounts on two servers, and a film for both.
fn stage() -> (TestEnv, Vec<Box<dyn Fake>>) {
    let env = TestEnv::new();
    let network = smm::networks::find("mastodon").expect("built in");
    let fakes: Vec<_> = (0..2).map(|_| serve(network.fake()).expect("it has a stand-in")).collect();
    let accounts: Vec<_> = ["one", "two"]
        .iter()
        .zip(&fakes)
        .map(|(name, fake)| {
            let url = fake.front().expect("HTTP").url();
            format!("[accounts.{name}]\nnetwork = \"mastodon\"\nserver = \"{url}\"\n")
        })
        .collect();
    env.write("smm.toml", accounts.concat());
    let mut film = samples::mp4(320, 240);
    film.resize(FILM, 7);
    env.write("film.mp4", film);
    (env, fakes)
}

const POST: [&str; 10] =
    ["post", "Look", "--to", "one,two", "--media", "film.mp4", "--alt", "A film", "--format", "json"];

fn secrets(command: &mut Command, fakes: &[Box<dyn Fake>]) {
    for (name, fake) in ["SMM_ONE_TOKEN", "SMM_TWO_TOKEN"].iter().zip(fakes) {
        command.env(name, &fake.secrets()["token"]);
    }
}

/// What came of it: both have the film, once, whole.
#[track_caller]
fn published(stdout: &str, fakes: &[Box<dyn Fake>]) {
    let told: serde_json::Value = serde_json::from_str(stdout).unwrap_or_else(|error| panic!("{error}: {stdout}"));
    let deliveries = told["deliveries"].as_array().expect("deliveries");
    assert!(deliveries.len() == 2 && deliveries.iter().all(|row| row["state"] == "published"), "{told}");
    for fake in fakes {
        let seen = fake.front().expect("HTTP").seen();
        let sent: Vec<_> =
            seen.iter().filter(|seen| seen.path == "/api/v2/media").map(|seen| seen.body.len()).collect();
        assert!(sent.len() == 1 && (FILM..FILM + 1000).contains(&sent[0]), "{sent:?}");
    }
}

#[test]
fn nobody_sees_a_bar_in_a_pipe() {
    let (env, fakes) = stage();
    let mut command = env.command();
    command.args(POST);
    secrets(&mut command, &fakes);
    let run = Run::from(command.output().expect("smm runs")).expect(0);
    published(&run.stdout, &fakes);
    assert_eq!(run.stderr, "");
}

/// Positions that a bar showed, in MiB, in their order, without repetition.
fn positions(screen: &str, name: &str) -> Vec<f64> {
    let mut all: Vec<f64> = Vec::new();
    for (at, _) in screen.match_indices(name) {
        let line: String = screen[at..].chars().take_while(|c| *c != '\r' && *c != '\n').collect();
        let Some((shown, _)) = line.split_once("/38.15 MiB") else { continue };
        let Some((number, unit)) = shown.rsplit_once(' ') else { continue };
        let number = number.rsplit(' ').next().and_then(|number| number.parse::<f64>().ok()).unwrap_or(0.0);
        let mib = match unit {
            "MiB" => number,
            "KiB" => number / 1024.0,
            _ => 0.0,
        };
        if all.last() != Some(&mib) {
            all.push(mib);
        }
    }
    all
}

#[test]
fn a_terminal_shows_a_bar_for_each_that_grows() {
    if !Command::new("script").arg("--version").output().is_ok_and(|ran| ran.status.success()) {
        eprintln!("skipped: there is no `script` here, so there is no terminal");
        return;
    }
    let (env, fakes) = stage();
    let mut plain = env.command();
    secrets(&mut plain, &fakes);
    let quoted: Vec<_> = POST.iter().map(|word| format!("'{word}'")).collect();
    // What is printed goes elsewhere, as in a job that reads it.
    let line = format!("stty cols 120 rows 30; exec '{}' {} > out.json", env!("CARGO_BIN_EXE_smm"), quoted.join(" "));
    let mut command = Command::new("script");
    command.current_dir(env.path()).env_clear().env("TERM", "xterm").env("SHELL", "/bin/sh");
    command.envs(plain.get_envs().filter_map(|(name, value)| value.map(|value| (name, value))));
    let run = Run::from(command.args(["-qec", &line, "/dev/null"]).output().expect("script runs")).expect(0);
    published(&env.read("out.json"), &fakes);
    for name in ["one: 1-film.mp4", "two: 1-film.mp4"] {
        let shown = positions(&run.stdout, name);
        assert!(shown.len() > 2, "{name}: {shown:?} in {:?}", run.stdout);
        assert!(shown.windows(2).all(|pair| pair[0] < pair[1]), "it grows: {shown:?}");
    }
}
