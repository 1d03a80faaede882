//! A network whose accounts name a server for files of their own: only posts with files need one.

use smm::adapter::suite::PICTURE;

use crate::support::TestEnv;

#[test]
fn only_posts_with_files_need_a_media_server() {
    let env = TestEnv::new();
    env.write("picture.png", PICTURE);
    let account = |name: &str, more: &str| {
        format!("[accounts.{name}]\nnetwork = \"nostr\"\nrelays = [\"wss://relay.example\"]\n{more}\n")
    };
    let with = account("with", "media_server = \"https://blossom.example\"");
    env.write("smm.toml", account("plain", "") + &with);
    let calendar = |media: &str| {
        format!(
            "name = \"c\"\ntimezone = \"UTC\"\n[[posts]]\nid = \"launch\"\nat = 2031-01-01T09:00:00\nto = [\"plain\", \
             \"with\"]\ntext = \"Hello\"\n{media}"
        )
    };
    env.write("calendar.toml", calendar(""));
    env.smm(&["check"]).expect(0);
    env.write("calendar.toml", calendar("media = [{ file = \"picture.png\", alt = \"A dot\" }]\n"));
    let run = env.smm(&["check", "--format", "json"]).expect(1);
    let told = run.json();
    let errors: Vec<_> =
        told["diagnostics"].as_array().expect("a list").iter().filter(|it| it["severity"] == "error").collect();
    let [error] = errors.as_slice() else { panic!("{told:#}") };
    assert_eq!(error["code"], "media-server-missing", "{told:#}");
    let said = error.to_string();
    assert!(said.contains("plain") && !said.contains("with)"), "of one account alone: {said}");
    assert!(said.contains("`media_server = "), "what to do: {said}");
    env.write(
        "calendar.toml",
        calendar("media = [{ file = \"picture.png\", alt = \"A dot\" }]\n[posts.for.plain]\nmedia = []\n"),
    );
    env.smm(&["check"]).expect(0);
}
