//! Networks that people look for and that cannot be had: why, and since when.

use crate::support::TestEnv;

#[test]
fn a_network_that_cannot_be_had_says_why_and_since_when() {
    let env = TestEnv::new();
    for (name, since) in [
        ("stumbleupon", "2018-06-30"),
        ("slideshare", "2020"),
        ("medium", "2023-03-02"),
        ("Ning", "API"),
        ("google+", "2019-04-02"),
        ("google-plus", "2019-04-02"),
        ("socialgo", "closed"),
        ("fb", "never built"),
    ] {
        let run = env.smm(&["networks", name]).expect(0);
        for what in ["cannot be had", since, "why  ", "source  ", "2026-11-23"] {
            assert!(run.stdout.contains(what), "{name}: {what} is not in\n{}", run.stdout);
        }
        let told = env.smm(&["networks", name, "--format", "json"]).expect(0).json();
        assert_eq!(told["networks"], serde_json::json!([]));
        assert!(told["cannot_be_had"][0]["since"].as_str().is_some_and(|told| told.contains(since)), "{told}");
    }
    let all = env.smm(&["networks", "--format", "json"]).expect(0).json();
    assert!(all["cannot_be_had"].as_array().is_some_and(|gone| gone.len() >= 6), "{all}");
    assert!(env.smm(&["networks", "smtp"]).expect(2).stderr.contains("it is called `email`"));
    assert!(env.smm(&["networks", "banana"]).expect(2).stderr.contains("known are"));
}

#[test]
fn an_account_with_one_is_a_clear_error() {
    for (network, says) in [
        ("medium", "Medium cannot be had (2023-03-02"),
        ("Google+", "Google+ cannot be had (2019-04-02)"),
        ("bsky", "write `network = \"bluesky\"`"),
        ("mastodn", "did you mean `mastodon`?"),
    ] {
        let env = TestEnv::new();
        env.write("smm.toml", format!("[accounts.blog]\nnetwork = \"{network}\"\n"));
        env.write(
            "calendar.toml",
            "name = \"acme\"\ntimezone = \"Europe/Berlin\"\n[[posts]]\nid = \"a\"\nat = 2030-01-01T09:00:00\nto = [\"blog\"]\ntext = \"Hi\"\n",
        );
        let run = env.smm(&["check"]).expect(1);
        let told = format!("{}{}", run.stdout, run.stderr);
        assert!(told.contains(says) && told.contains("smm.toml:2"), "{network}: {told}");
    }
}
