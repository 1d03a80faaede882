//! Networks that fetch media by themselves: `smm check` refuses a post with media where they have no place.

use smm::media::samples;

use crate::support::TestEnv;

const ACCOUNTS: &str = "[accounts.th]\nnetwork = \"threads\"\n\n[accounts.ig]\nnetwork = \"instagram\"\n";

const HOST: &str =
    "\n[media_host]\nkind = \"folder\"\nfolder = \"/srv/www/media\"\nurl = \"https://acme.example/media\"\n";

const CALENDAR: &str = r#"name = "acme"
timezone = "UTC"

[[posts]]
id = "words"
at = 2031-01-01T09:00:00
to = ["th"]
text = "Words alone."

[[posts]]
id = "picture"
at = 2031-01-02T09:00:00
to = ["th", "ig"]
text = "A picture."
media = [{ file = "a.jpg", alt = "Colours" }]
"#;

#[test]
fn a_post_with_media_needs_a_place_for_them() {
    let env = TestEnv::new();
    env.write("smm.toml", ACCOUNTS);
    env.write("calendar.toml", CALENDAR);
    env.write("a.jpg", samples::jpeg(&samples::gradient(400, 400)));
    let report = env.smm(&["check", "--format", "json"]).expect(1).json();
    let found = report["diagnostics"].as_array().expect("a list");
    let refused: Vec<_> = found.iter().filter(|found| found["severity"] == "error").collect();
    assert_eq!(refused.len(), 2, "{report:#}");
    for (refused, account) in refused.iter().zip(["ig", "th"]) {
        assert_eq!(refused["code"], "media-host-missing");
        assert_eq!((refused["post"].as_str(), refused["account"].as_str()), (Some("picture"), Some(account)));
        assert!(refused["help"].as_str().is_some_and(|help| help.contains("[media_host]")), "{refused}");
    }
    env.write("smm.toml", format!("{ACCOUNTS}{HOST}"));
    let report = env.smm(&["check", "--format", "json"]).expect(0).json();
    assert_eq!(report["ok"], true, "{report:#}");
}
