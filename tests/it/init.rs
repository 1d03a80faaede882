//! `smm init`: a newcomer's first files.

use smm::calendar::{Config, load};

use crate::calendar::known;
use crate::support::TestEnv;

#[test]
fn the_starter_is_a_good_calendar() {
    let env = TestEnv::new();
    let run = env.smm(&["init", "social"]).expect(0);
    for file in ["calendar.toml", "calendar.schema.json", "smm.toml"] {
        assert!(run.stdout.contains(&format!("wrote social/{file}")), "{}", run.stdout);
    }
    assert!(run.stdout.contains("smm publish social/calendar.toml"), "{}", run.stdout);
    let loaded = load(&env.path().join("social/calendar.toml"), &Config::default(), &known());
    assert_eq!(loaded.diagnostics, []);
    let calendar = loaded.calendar.expect("a calendar");
    assert_eq!((calendar.name.as_str(), calendar.posts.len()), ("social", 3));
    assert!(env.read("social/calendar.toml").starts_with("#:schema ./calendar.schema.json\n"));
    // The config changes nothing as it stands.
    let config = env.read("social/smm.toml");
    assert!(config.lines().all(|line| line.is_empty() || line.starts_with('#')), "{config}");
    assert!(config.contains("# network = \"bluesky\"") && config.contains("SMM_MY_BLUESKY_PASSWORD"), "{config}");
}

#[test]
fn nothing_is_overwritten_without_force() {
    let env = TestEnv::new();
    env.write("smm.toml", "mine");
    let run = env.smm(&["init"]).expect(1);
    assert!(run.stderr.contains("smm.toml") && run.stderr.contains("--force"), "{}", run.stderr);
    assert_eq!(env.read("smm.toml"), "mine");
    assert!(!env.path().join("calendar.toml").exists(), "all or nothing");
    env.smm(&["init", "--force"]).expect(0);
    assert_ne!(env.read("smm.toml"), "mine");
}

/// Whoever takes one `#` of each line away, and fills in what is between the quotes, has an account that is accepted.
#[test]
fn what_the_config_proposes_can_be_used() {
    let env = TestEnv::new();
    env.smm(&["init"]).expect(0);
    let lines = env.read("smm.toml");
    let account = lines.lines().skip_while(|line| !line.contains("[accounts.my-mastodon]"));
    let account =
        account.take_while(|line| !line.contains("secret:")).map(|line| line.strip_prefix("# ").unwrap_or(line));
    let config = account.collect::<Vec<_>>().join("\n").replace("https://…", "https://fedi.example");
    env.write("smm.toml", &config);
    let run = env.smm(&["check"]).expect(0);
    assert!(!run.stdout.contains("error"), "{config}\n{}", run.stdout);
}
