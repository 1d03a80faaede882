//! A document on its way from the calendar to what each account receives.

use smm::media::samples;

use crate::support::TestEnv;

/// A calendar with one post that has these files, for a page on `LinkedIn` and a feed.
fn calendar(env: &TestEnv, to: &str, media: &str) {
    env.write("smm.toml", "[accounts.page]\nnetwork = 'linkedin'\nauthor = 'urn:li:organization:7'\n");
    env.write(
        "calendar.toml",
        format!(
            "name = 'acme'\ntimezone = 'UTC'\n[accounts.site]\nnetwork = 'feed'\nfolder = 'public'\n\
             [[posts]]\nid = 'deck'\nat = 2090-12-01T09:00:00\ntext = 'Our deck'\nto = [{to}]\nmedia = [{media}]\n"
        ),
    );
}

fn codes(env: &TestEnv, status: i32) -> Vec<String> {
    let report = env.smm(&["check", "--format", "json"]).expect(status).json();
    let code = |found: &serde_json::Value| found["code"].as_str().unwrap_or_default().to_owned();
    // By the year 2090 the version of the API has ended.
    report["diagnostics"].as_array().expect("a list").iter().map(code).filter(|code| code != "api-ending").collect()
}

#[test]
fn a_document_goes_where_it_is_taken_with_its_title() {
    let env = TestEnv::new();
    env.write("deck.pdf", samples::pdf());
    calendar(&env, "'page'", "{ file = 'deck.pdf', title = 'Acme in 12 slides' }");
    assert_eq!(codes(&env, 0), [""; 0], "a document needs no alt text");
    let run = env.smm(&["preview", "--format", "json"]).expect(0);
    let file = &run.json()["renderings"][0]["parts"][0]["media"][0];
    assert_eq!((&file["title"], &file["mime"]), (&"Acme in 12 slides".into(), &"application/pdf".into()));
    assert!(file["width"].is_null(), "{file}");
    let run = env.smm(&["preview"]).expect(0);
    assert!(run.stdout.contains("“Acme in 12 slides”"), "{}", run.stdout);
    let run = env.smm(&["preview", "--format", "html"]).expect(0);
    assert!(run.stdout.contains("document: deck.pdf") && run.stdout.contains("TITLE</span>Acme in 12 slides"));
    let run = env.smm(&["networks", "linkedin"]).expect(0);
    assert!(run.stdout.contains("application/pdf, up to 100 MB"), "{}", run.stdout);
}

#[test]
fn what_is_wrong_with_a_document_is_told_by_check() {
    let env = TestEnv::new();
    env.write("deck.pdf", samples::pdf());
    env.write("cut.pdf", &samples::pdf()[..60]);
    env.write("deck.pptx", b"PK\x03\x04 and so on");
    for (to, media, expected) in [
        ("'page'", "{ file = 'deck.pdf' }", "document-title"),
        ("'page'", "{ file = 'deck.pdf', title = '  ' }", "document-title"),
        ("'page'", "{ file = 'cut.pdf', title = 'Deck' }", "media-unknown-type"),
        // Told once, however many networks it goes to.
        ("'page', 'site'", "{ file = 'cut.pdf', title = 'Deck' }", "media-unknown-type"),
        ("'page'", "{ file = 'deck.pptx', title = 'Deck', alt = 'Slides' }", "media-unknown-type"),
        ("'page'", "{ file = 'deck.pdf', title = 'A' }, { file = 'deck.pdf', title = 'A' }", "media-mixed"),
        ("'site'", "{ file = 'deck.pdf', title = 'Deck' }", "media-unsupported"),
    ] {
        calendar(&env, to, media);
        assert_eq!(codes(&env, 1), [expected], "{media}");
    }
    // Another account of the post leaves it out.
    calendar(&env, "'page', 'site'", "{ file = 'deck.pdf', title = 'Deck' }");
    let text = env.read("calendar.toml");
    env.write("calendar.toml", text + "[posts.for.site]\nmedia = []\n");
    assert_eq!(codes(&env, 0), [""; 0]);
}
