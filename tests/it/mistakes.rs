//! A calendar with as many different mistakes as there are: all are reported in one run, each at its line and column,
//! without a network.

use std::collections::BTreeSet;
use std::process::Command;

use smm::media::samples;

use crate::support::{Run, TestEnv};

const SETTINGS: &str = r#"
[accounts.bsky]
network = "bluesky"
handle = "acme.example"

[accounts.news]
network = "bluesky"
handle = "news.acme.example"
"#;

const CALENDAR: &str = r#"name = "acme"
timezone = "Europe/Berlin"
include = ["2031/*.toml", "letters/*.md"]

[accounts.team]
network = "bluesky"
password = "hunter2"

[defaults]
to = ["bsky"]

[campaigns.launch]
utm = { source = "{{ networks }}" }

[[posts]]
id = "unknown-key"
at = 2031-01-01T09:00:00
txt = "The key is called text."

[[posts]]
id = "twice"
at = 2031-01-02T09:00:00
text = "The first of this id."

[[posts]]
id = "twice"
at = 2031-01-03T09:00:00
text = "The second of this id."

[[posts]]
at = 2031-01-04T09:00:00
text = "There is no id."

[[posts]]
id = "nobody"
at = 2031-01-05T09:00:00
to = ["bsky", "bksy"]
text = "There is no such account."

[[posts]]
id = "gap"
at = 2031-03-30T02:30:00
text = "This time does not exist."

[[posts]]
id = "overlap"
at = 2031-10-26T02:30:00
text = "This time comes twice."

[[posts]]
id = "rule"
cron = "0 25 * * MON"
text = "No day has 25 hours."

[[posts]]
id = "no-campaign"
at = 2031-01-06T09:00:00
campaign = "lunch"
text = "There is no such campaign."

[[posts]]
id = "number"
at = 2031-01-07T09:00:00
text = 5

[[posts]]
id = "when"
at = "tomorrow"
text = "This is not a time."

[[posts]]
id = "both"
at = 2031-01-08T09:00:00
cron = "0 9 * * MON"
text = "Once or every week?"

[[posts]]
id = "everyone"
at = 2031-01-09T09:00:00
visibility = "everyone"
text = "There is no such visibility."

[[posts]]
id = "no-time"
text = "When?"
"#;

const INCLUDED: &str = r#"[[posts]]
id = "long-thread"
at = 2031-02-01T09:00:00
to = ["bsky", "news"]
text = "Short."
thread = [
    "Short too.",
    "LONG and also this does not fit any more",
]

[[posts]]
id = "long-with-link"
at = 2031-02-02T09:00:00
text = "ALMOST"
link = "https://acme.example/2.0"
media = [{ file = "img/good.png", alt = "A gradient" }]

[[posts]]
id = "media"
at = 2031-02-03T09:00:00
text = "Every file is wrong."
media = [
    { file = "img/missing.png", alt = "Not there" },
    { file = "../outside.png", alt = "Outside" },
    { file = "img/link.png", alt = "A link" },
    { file = "img/text.png", alt = "A text" },
    { file = "img/huge.png", alt = "More pixels than are decoded" },
    { file = "img", alt = "A folder" },
    { file = "img/good.png" },
    { file = "img/good.png", alt = "good.png" },
]

[[posts]]
id = "many"
at = 2031-02-04T09:00:00
text = "Five pictures."
media = [
    { file = "img/good.png", alt = "One" },
    { file = "img/good.png", alt = "Two" },
    { file = "img/good.png", alt = "Three" },
    { file = "img/good.png", alt = "Four" },
    { file = "img/good.png", alt = "Five" },
]

[[posts]]
id = "mixed"
at = 2031-02-05T09:00:00
text = "A picture and a film."
media = [{ file = "img/good.png", alt = "A picture" }, { file = "img/film.mp4", alt = "A film", part = 1 }]

[[posts]]
id = "part"
at = 2031-02-05T10:00:00
text = "One part."
media = [{ file = "img/good.png", alt = "A picture", part = 2 }]

[[posts]]
id = "poll"
at = 2031-02-06T09:00:00
text = "A poll where there are none."
poll = { options = ["yes", "no"], duration = "1d" }

[[posts]]
id = "hidden"
at = 2031-02-07T09:00:00
text = "Shown to all."
content_warning = "to be hidden"
visibility = "private"
labels = ["boring"]

[[posts]]
id = "characters"
at = 2031-02-08T09:00:00
text = "Ünten: \u202Eevil, zero\u200Bwidth and a bell\u0007."

[[posts]]
id = "links"
at = 2031-02-09T09:00:00
text = "Look at acme.example/2.0 or not."
link = "acme.example/2.0"

[[posts]]
id = "said"
at = 2031-02-10T09:00:00
text = "Said twice."

[[posts]]
id = "said-again"
at = 2031-02-11T09:00:00
text = "Said twice."

[[posts]]
id = "same-minute"
at = 2031-02-11T09:00:30
text = "At the same minute."

[[posts]]
id = "past"
at = 2020-02-11T09:00:00
text = "Long ago."

[[posts]]
id = "release"
on = "release"
text = "{{ project }} {{ versoin }} is out. {{ url }}"

[[posts]]
id = "empty"
at = 2031-02-12T09:00:00
text = "  "

[[posts]]
id = "in-campaign"
at = 2031-02-13T09:00:00
campaign = "launch"
text = "See https://acme.example now."

[posts.for.bluesky]
text = "See https://acme.example/\u202Eold now."
"#;

const LETTER: &str = "+++\nid = \"letter\"\nat = 2031-03-01T09:00:00\ntext = \"A letter.\"\nlang = \"not a language\"\n+++\n\nDear all.\n";

fn calendar() -> TestEnv {
    let env = TestEnv::new();
    env.write("smm.toml", SETTINGS);
    env.write("calendar.toml", CALENDAR);
    let long = "word ".repeat(59);
    env.write(
        "2031/included.toml",
        INCLUDED.replace("LONG", long.trim()).replace("ALMOST", "almost ".repeat(41).trim()),
    );
    env.write("letters/letter.md", LETTER);
    env.write("img/good.png", samples::png(&samples::gradient(32, 32)));
    env.write("img/text.png", "this is a text");
    env.write("img/huge.png", samples::png_header(60_000, 60_000));
    env.write("img/film.mp4", samples::mp4(320, 240));
    std::os::unix::fs::symlink("good.png", env.path().join("img/link.png")).expect("a symbolic link");
    env
}

/// Runs `smm` where there is no network at all, if the machine lets us.
fn offline(env: &TestEnv, args: &[&str]) -> Run {
    for flags in ["-n", "-rn"] {
        let possible = Command::new("unshare").args([flags, "true"]).output().is_ok_and(|done| done.status.success());
        if possible {
            let mut command = env.command();
            let program = command.get_program().to_owned();
            let mut alone = Command::new("unshare");
            alone.arg(flags).arg(program).args(args).current_dir(env.path()).env_clear();
            for (name, value) in command.env("NO_COLOR", "1").get_envs() {
                if let Some(value) = value {
                    alone.env(name, value);
                }
            }
            return Run::from(alone.output().expect("smm runs"));
        }
    }
    eprintln!("SKIPPED: `unshare` is not allowed here, so the check ran with a network in reach");
    env.smm(args)
}

#[test]
fn every_mistake_is_reported_in_one_run() {
    let env = calendar();
    let run = offline(&env, &["check", "--format", "json"]).expect(1);
    let report = run.json();
    assert_eq!(report["ok"], false);
    assert_eq!(report["calendar"], "acme");
    let diagnostics = report["diagnostics"].as_array().expect("a list");
    let text = |found: &serde_json::Value, key: &str| found[key].as_str().unwrap_or_default().to_owned();
    let lines: Vec<String> = diagnostics
        .iter()
        .map(|found| {
            format!(
                "{}:{}:{}-{}:{} {}[{}] {}",
                text(found, "file"),
                found["line"],
                found["column"],
                found["end_line"],
                found["end_column"],
                text(found, "severity"),
                text(found, "code"),
                text(found, "message")
            )
        })
        .collect();
    insta::assert_snapshot!("mistakes", lines.join("\n"));
    let codes: BTreeSet<String> = diagnostics.iter().map(|found| text(found, "code")).collect();
    assert!(codes.len() >= 25, "{} different mistakes: {codes:?}", codes.len());
    // Every code can be explained.
    for code in &codes {
        assert!(smm::model::codes::explain(code).is_some(), "{code}");
    }
}

#[test]
fn people_see_the_lines_underlined() {
    let env = calendar();
    let run = offline(&env, &["check", "-v"]).expect(1);
    insta::assert_snapshot!("mistakes_human", run.stdout);
    insta::assert_snapshot!("mistakes_summary", run.stderr);
}

#[test]
fn github_gets_one_line_for_each() {
    let env = calendar();
    let run = env.smm(&["check", "--format", "github"]).expect(1);
    assert!(run.stdout.lines().count() >= 25);
    for line in run.stdout.lines() {
        assert!(line.starts_with("::error file=") || line.starts_with("::warning file="), "{line}");
    }
}

#[test]
fn warnings_fail_only_when_they_shall() {
    let env = TestEnv::new();
    env.write("smm.toml", SETTINGS);
    let post = |id: &str, day: u8| {
        format!("[[posts]]\nid = \"{id}\"\nat = 2031-01-0{day}T09:00:00\nto = [\"bsky\"]\ntext = \"Twice.\"\n")
    };
    let head = "name = \"acme\"\ntimezone = \"UTC\"\n";
    env.write("calendar.toml", format!("{head}{}{}", post("one", 1), post("two", 2)));
    let run = env.smm(&["check"]).expect(0);
    assert!(run.stdout.contains("warning[text-repeated]"), "{}", run.stdout);
    assert_eq!(run.stderr, "1 warning in 2 posts\n");
    env.smm(&["check", "--strict"]).expect(1);
    env.write("calendar.toml", format!("{head}{}", post("one", 1)));
    assert_eq!(env.smm(&["check", "--strict"]).expect(0).stderr, "nothing wrong in 1 post\n");
}
