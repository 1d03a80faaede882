//! Calendars with one mistake each: the code, and the very characters that are underlined.

use std::fmt::Write as _;

use proptest::prelude::*;
use smm::calendar::{Config, Known, KnownNetwork, Loaded, load};
use smm::model::{Account, AccountName, Place, PostId, Trigger};

use crate::support::TestEnv;

/// Three networks, as far as reading knows them.
pub(crate) fn known() -> Known {
    let network = |id, name, credential_free, settings: &[&str], secrets: Vec<&'static str>| {
        let properties: serde_json::Map<_, _> =
            settings.iter().map(|key| ((*key).to_owned(), serde_json::json!({ "type": "string" }))).collect();
        let settings = serde_json::json!({ "type": "object", "properties": properties });
        KnownNetwork {
            id,
            name,
            credential_free,
            secrets,
            schemes: &[("https", false), ("http", true)],
            runs_programs: false,
            settings: settings.try_into().expect("a schema"),
            check: Box::new(|_, _| {}),
        }
    };
    Known {
        networks: vec![
            network("bluesky", "Bluesky", false, &["handle"], vec!["password"]),
            network("feed", "Feed", true, &["folder", "title"], vec![]),
            network("mastodon", "Mastodon", false, &[], vec!["token"]),
        ],
        strangers: Vec::new(),
    }
}

fn config() -> Config {
    let mut config = Config::default();
    for (name, network) in [("bsky", "bluesky"), ("fedi", "mastodon")] {
        let name = AccountName::parse(name).expect("a name");
        config.accounts.insert(name.clone(), Account::new(name, network));
    }
    config
}

fn read(env: &TestEnv) -> Loaded {
    load(&env.path().join("calendar.toml"), &config(), &known())
}

/// Takes the marks `«` and `»` out of a text: what they enclose, as byte ranges of the rest.
fn marks(marked: &str) -> (String, Vec<(usize, usize)>) {
    let (mut text, mut open, mut ranges) = (String::new(), Vec::new(), Vec::new());
    for character in marked.chars() {
        match character {
            '«' => {
                open.push(ranges.len());
                ranges.push((text.len(), text.len()));
            }
            '»' => ranges[open.pop().expect("an open mark")].1 = text.len(),
            other => text.push(other),
        }
    }
    (text, ranges)
}

fn position(text: &str, byte: usize) -> (usize, usize) {
    let line = text[..byte].rsplit('\n').next().unwrap_or("");
    (text[..byte].matches('\n').count() + 1, line.chars().count() + 1)
}

/// Reads a calendar and compares what is found with what is marked, in order.
#[track_caller]
fn check_whole(marked: &str, codes: &[&str]) -> Loaded {
    let (text, ranges) = marks(marked);
    let env = TestEnv::new();
    env.write("calendar.toml", &text);
    let loaded = read(&env);
    let found: Vec<_> = loaded
        .diagnostics
        .iter()
        .map(|found| (found.code.0, (found.line, found.column), (found.end_line, found.end_column)))
        .collect();
    let expected: Vec<_> = codes
        .iter()
        .zip(&ranges)
        .map(|(&code, &(start, end))| (code, position(&text, start), position(&text, end)))
        .collect();
    assert_eq!(found, expected, "{text}\n{:#?}", loaded.diagnostics);
    assert_eq!(codes.len(), ranges.len(), "one mark for each code");
    loaded
}

/// The same for posts of a calendar whose beginning is good.
#[track_caller]
fn check(posts: &str, codes: &[&str]) -> Loaded {
    check_whole(&format!("name = \"acme\"\ntimezone = \"Europe/Berlin\"\n[defaults]\nto = [\"bsky\"]\n{posts}"), codes)
}

/// A post whose beginning is good.
#[track_caller]
fn check_post(rest: &str, codes: &[&str]) -> Loaded {
    check(&format!("[[posts]]\nid = \"a\"\nat = 2026-12-01T09:00:00\n{rest}\n"), codes)
}

/// What the first diagnostic says, with its help.
#[track_caller]
fn says(loaded: &Loaded, message: &str, help: &str) {
    let found = &loaded.diagnostics[0];
    assert!(found.message.contains(message), "{found:#?}");
    assert!(found.help.as_deref().unwrap_or("").contains(help), "{found:#?}");
}

#[test]
fn a_good_calendar_has_nothing_to_say() {
    let loaded = check_whole(
        r#"#:schema ./calendar.schema.json
name = "acme"
timezone = "Europe/Berlin"

[accounts.site]
network = "feed"
folder = "public"

[defaults]
to = ["bsky", "fedi"]
late = { grace = "15m", then = "hold" }
lang = "en"
visibility = "public"

[campaigns.launch]
goal = "500 sign-ups"
utm = { source = "{{ network }}", medium = "social" }

[check]
missing_alt = "warn"

[[posts]]
id = "launch-2-0"
at = 2026-12-01T09:00:00
text = "Acme 2.0 is out."
link = "https://acme.example/2.0"
media = [{ file = "img/launch.png", alt = "The new dashboard" }]
campaign = "launch"
[posts.for.bsky]
text = "On Bluesky"
[posts.for.mastodon]
content_warning = "joy"

[[posts]]
id = "weekly-tip"
cron = "0 9 * * MON"
texts = ["one", "two"]
from = 2026-12-01
until = 2027-12-01
except = [2026-12-28]
to = "site"

[[posts]]
id = "release"
on = "release"
text = "{{ project }} {{ version }} is out."
late.then = "publish"

[[posts]]
id = "poll"
at = 2026-12-01T09:00:00+03:00
text = "Which?"
poll = { options = ["a", "b"], duration = "12h", multiple = true }
thread = ["more"]
lang = ["en", "de-AT"]
renamed_from = "pole"

[[posts]]
id = "idea"
draft = true
text = "Later"
"#,
        &[],
    );
    assert!(loaded.is_ok() && loaded.complete);
    let calendar = loaded.calendar.expect("a calendar");
    assert!(calendar.missing_alt_warns);
    let names: Vec<_> = calendar.accounts.keys().map(AccountName::as_str).collect();
    assert_eq!(names, ["bsky", "fedi", "site"]);
    let post = |id: &str| calendar.post(&PostId::new(id)).expect("the post");
    assert_eq!(post("weekly-tip").to, [AccountName::new("site")]);
    assert_eq!(post("launch-2-0").content.lang.as_deref(), Some(&["en".to_owned()][..]));
    assert_eq!(post("poll").name, PostId::new("pole"));
    assert_eq!(post("poll").content.poll.as_ref().map(|poll| poll.seconds), Some(43200));
    let Some(Trigger::At { civil, instant }) = post("poll").trigger else { panic!("{:?}", post("poll")) };
    assert_eq!(
        (civil.to_string(), instant.to_string()),
        ("2026-12-01 07:00:00".into(), "2026-12-01 06:00:00 UTC".into())
    );
    let late = post("release").late;
    assert_eq!((late.grace_seconds, late.then), (900, smm::model::LateThen::Publish));
    assert!(post("idea").trigger.is_none() && post("idea").draft);
}

#[test]
fn the_head_of_the_calendar() {
    check_whole("«»timezone = \"UTC\"\n", &["missing-key"]);
    check_whole("«»name = \"a\"\n", &["missing-key"]);
    check_whole("«»«»", &["missing-key", "missing-key"]);
    check_whole("name = «\"a/b\"»\ntimezone = \"UTC\"\n", &["bad-id"]);
    let loaded = check_whole("name = \"a\"\ntimezone = «\"Europe/Belrin\"»\n", &["unknown-zone"]);
    says(&loaded, "Europe/Belrin", "Europe/Berlin");
    assert!(loaded.calendar.is_none());
    let loaded = check_whole("name = \"a\"\ntimezone = \"UTC\"\n«titel» = 1\n[«accuonts»]\n", &["unknown-key"; 2]);
    says(&loaded, "titel", "known are");
    check_whole("name = «1»\ntimezone = \"UTC\"\n", &["wrong-type"]);
    check_whole("name = \"a\"\ntimezone = \"UTC\"\nposts = «\"none\"»\n", &["wrong-type"]);
    check_whole("name = \"a\"\ntimezone = \"UTC\"\n«[posts]»\nid = \"x\"\n", &["wrong-type"]);
    check_whole("name = \"a\"\ntimezone = \"UTC\"\n[check]\nmissing_alt = «\"maybe\"»\n", &["unknown-value"]);
    let loaded =
        check_whole("name = \"a\"\ntimezone = \"UTC\"\n[defaults]\nto = [«\"bskyy\"»]\n", &["unknown-account"]);
    says(&loaded, "bskyy", "did you mean `bsky`?");
}

#[test]
fn accounts_of_a_calendar() {
    let account =
        |table: &str, codes: &[&str]| check_whole(&format!("name = \"a\"\ntimezone = \"UTC\"\n{table}\n"), codes);
    let loaded = account("[accounts.b2]\nnetwork = «\"bluesky\"»\nhandle = \"a\"\n", &["credentialed-account"]);
    says(&loaded, "Bluesky", "smm.toml");
    account("[accounts.«bsky»]\nnetwork = \"feed\"\n", &["shadowed-account"]);
    account("[accounts.«feed»]\nnetwork = \"feed\"\n", &["bad-account-name"]);
    account("[accounts.«Site»]\nnetwork = \"feed\"\n", &["bad-account-name"]);
    account("[accounts.«site»]\nfolder = \"x\"\n", &["unknown-network"]);
    says(&account("[accounts.site]\nnetwork = «\"fed\"»\n", &["unknown-network"]), "fed", "did you mean `feed`?");
    let loaded = account("[accounts.site]\nnetwork = \"feed\"\n«foldr» = \"x\"\n", &["unknown-key"]);
    says(&loaded, "foldr", "`folder`");
    account("[accounts.site]\nnetwork = \"feed\"\n«server» = \"https://x.example\"\n", &["server-in-calendar"]);
    account("[accounts.site]\nnetwork = \"feed\"\n«api_token» = \"x\"\n", &["secret-in-file"]);
    account("[accounts.site]\nnetwork = \"feed\"\nspacing = «\"2\"»\n", &["bad-duration"]);
    account(
        "[accounts.site]\nnetwork = \"feed\"\nlimits = { text = «\"many\"», «txt» = 1 }\n",
        &["wrong-type", "unknown-key"],
    );
    // A post may go to an account that has errors: one mistake, one diagnostic.
    account(
        "[accounts.site]\nnetwork = \"feed\"\n«foldr» = \"x\"\n[[posts]]\nid = \"a\"\non = \"release\"\nto = \"site\"\n",
        &["unknown-key"],
    );
}

#[test]
fn ids() {
    check("«[[posts]]»\nat = 2026-12-01T09:00:00\ntext = \"x\"\n", &["missing-id"]);
    check("[[posts]]\nid = «\"a b\"»\nat = 2026-12-01T09:00:00\n", &["bad-id"]);
    check("[[posts]]\nid = «7»\nat = 2026-12-01T09:00:00\n", &["wrong-type"]);
    let two = "[[posts]]\nid = \"a\"\non = \"release\"\n[[posts]]\nid = «\"a\"»\non = \"release\"\n";
    let loaded = check(two, &["duplicate-id"]);
    says(&loaded, "calendar.toml:6", "an id of its own");
    assert_eq!(loaded.ids, [PostId::new("a")]);
    check_post("renamed_from = «\"a b\"»", &["bad-id"]);
    check_post("renamed_from = «\"b\"»\n[[posts]]\nid = \"b\"\non = \"release\"\n", &["renamed-from-taken"]);
    check_post(
        "renamed_from = \"z\"\n[[posts]]\nid = \"b\"\non = \"release\"\nrenamed_from = «\"z\"»\n",
        &["renamed-from-taken"],
    );
}

#[test]
fn times() {
    let at =
        |value: &str, codes: &[&str]| check(&format!("[[posts]]\nid = \"a\"\nat = {value}\ntext = \"x\"\n"), codes);
    says(&at("«\"2026-12-01 09:00\"»", &["bad-time"]), "without quotes", "2026-12-01T09:00:00");
    says(&at("«2026-12-01»", &["bad-time"]), "a date alone", "2026-12-01T09:00:00");
    at("«09:00:00»", &["bad-time"]);
    at("«2026-12-01T09:00:60»", &["bad-time"]);
    at("«17»", &["wrong-type"]);
    at("«2026-02-30T09:00:00»", &["bad-time"]);
    at("«2026-12-01T25:00:00»", &["bad-time"]);
    let loaded = at("«2026-03-29T02:30:00»", &["time-in-gap"]);
    says(&loaded, "does not exist", "`2026-03-29T01:30:00` or `2026-03-29T03:30:00`");
    let loaded = at("«2026-10-25T02:30:00»", &["time-in-overlap"]);
    says(&loaded, "+02:00 and again at +01:00", "2026-10-25T02:30:00+01:00");
    assert!(loaded.is_ok(), "a warning");
    at("2026-10-25T02:30:00+01:00", &[]);
    at("2026-12-01T09:00:00Z\ndraft = true", &[]);
    at("2026-12-01T09:00:00\n«cron» = \"0 9 * * *\"", &["several-triggers"]);
    at("2026-12-01T09:00:00\n«on» = \"release\"", &["several-triggers"]);
    check("[[posts]]\nid = «\"a\"»\ntext = \"x\"\n", &["no-trigger"]);
    check("[[posts]]\nid = \"a\"\non = «\"relase\"»\n", &["unknown-value"]);
    let release =
        |rest: &str, codes: &[&str]| check(&format!("[[posts]]\nid = \"a\"\non = \"release\"\n{rest}\n"), codes);
    release("skip = \"prerelease\"\nonly = \"v*.0.0\"", &[]);
    release("skip = \"stable\"\nonly = [\"v1.*\", \"v2.*\"]", &[]);
    release("skip = «\"prereleases\"»", &["unknown-value"]);
}

#[test]
fn series() {
    let cron = |rest: &str, codes: &[&str]| check(&format!("[[posts]]\nid = \"a\"\ncron = {rest}\n"), codes);
    cron("\"0 9 * * MON-FRI\"", &[]);
    cron("\"0 «99» * * *\"", &["bad-cron"]);
    cron("'0 «99» * * *'", &["bad-cron"]);
    cron("\"0 9 * * *\"\nfrom = «\"2026-12-01\"»", &["wrong-type"]);
    cron("\"0 9 * * *\"\nfrom = «2026-12-01T09:00:00»", &["wrong-type"]);
    cron("\"0 9 * * *\"\nfrom = 2026-12-01\nuntil = «2026-11-01»", &["never-due"]);
    cron("\"0 9 * * *\"\nexcept = [2026-12-01, «12»]", &["wrong-type"]);
    cron("\"0 9 * * *\"\ntext = \"x\"\n«texts» = [\"y\"]", &["text-and-texts"]);
    cron("\"0 9 * * *\"\ntexts = «[]»", &["text-empty"]);
    check_post("«texts» = [\"x\"]", &["only-with-cron"]);
    check_post("«from» = 2026-12-01", &["only-with-cron"]);
    check_post("«except» = [2026-12-01]", &["only-with-cron"]);
    check_post("«skip» = \"prerelease\"", &["only-with-release"]);
    check_post("«only» = \"v*.0.0\"", &["only-with-release"]);
    check_post("text = \"x\"\n«fallback» = [{ text = \"y\" }]", &["only-with-release"]);
}

#[test]
fn where_posts_go() {
    says(&check_post("to = [\"bsky\", «\"fedy\"»]", &["unknown-account"]), "fedy", "did you mean `fedi`?");
    says(&check_post("to = «\"mastodon\"»", &["unknown-account"]), "mastodon", "`fedi`");
    check_post("to = «[]»", &["no-accounts"]);
    check_post("to = «1»", &["wrong-type"]);
    check_whole("name = \"a\"\ntimezone = \"UTC\"\n[[posts]]\nid = «\"a\"»\non = \"release\"\n", &["no-accounts"]);
    says(&check_post("[posts.for.«blusky»]\ntext = \"x\"", &["unknown-override"]), "blusky", "`bluesky`");
    check_post("[posts.for.«fedi»]\ntext = \"x\"", &["unused-override"]);
    check_post("[posts.for.bluesky]\n«at» = 2026-12-01T09:00:00", &["unknown-key"]);
    check_post("campaign = «\"launch\"»", &["unknown-campaign"]);
    let loaded = check(
        "[campaigns.launch]\n[[posts]]\nid = \"a\"\non = \"release\"\ncampaign = «\"lunch\"»\n",
        &["unknown-campaign"],
    );
    says(&loaded, "lunch", "`launch`");
}

#[test]
fn what_posts_say() {
    says(&check_post("«visiblity» = \"public\"", &["unknown-key"]), "visiblity", "did you mean `visibility`?");
    says(&check_post("visibility = «\"unlistd\"»", &["unknown-value"]), "unlistd", "`unlisted`");
    says(&check_post("text = «12»", &["wrong-type"]), "expected a string, found an integer", "");
    check_post("thread = [\"a\", «true»]", &["wrong-type"]);
    check_post("split = «\"yes\"»", &["wrong-type"]);
    check_post("media = [«\"a.png\"»]", &["wrong-type"]);
    check_post("media = [«{ alt = \"x\" }»]", &["missing-key"]);
    check_post("media = [{ file = \"a.png\", part = «0» }]", &["bad-value"]);
    check_post("media = [{ file = \"a.png\", «alr» = \"x\" }]", &["unknown-key"]);
    check_post("«poll» = { duration = \"1d\" }", &["missing-key"]);
    check_post("poll = { options = [\"a\", \"b\"], duration = «\"1 day\"» }", &["bad-duration"]);
    check_post("lang = [\"en\", «\"english\"»]", &["language"]);
    check_post("late = { grace = «15» }", &["wrong-type"]);
    check_post("late.then = «\"never\"»", &["unknown-value"]);
    check_post("«password» = \"hunter2\"", &["secret-in-file"]);
    check_post("text = \"a\"\n«text» = \"b\"", &["duplicate-key"]);
}

#[test]
fn syntax_is_read_on_after_a_mistake() {
    // Each broken post is told once, and hides neither the next one nor what else is wrong in it.
    let loaded = check(
        "[[posts]]\nid = \"a\"\nat = 2026-12-01T09:00:00\ntext = «no quotes»\n[[posts]]\nid = \"b\"\n«textt» = \"x\"\non = \"release\"\n[[posts]]\nid = \"c\"\non = \"release\"\ntext = \"fine\"\n",
        &["toml-syntax", "unknown-key"],
    );
    let posts: Vec<_> = loaded.calendar.expect("a calendar").posts.into_iter().map(|post| post.id).collect();
    assert_eq!(posts, [PostId::new("c")]);
    assert_eq!(loaded.ids, [PostId::new("a"), PostId::new("b"), PostId::new("c")]);
    assert!(!loaded.complete);
}

#[test]
fn one_slip_of_syntax_is_one_diagnostic_and_hides_no_other_post() {
    for slip in [
        "text = \"not closed«»\nlink = \"x\"\n",
        "text = «\"\"\"»not closed\nlink = \"x\"\n",
        "tags = [\"a\", \"b\"\n«»text = \"x\"\n",
        "text =«»\nlink = \"x\"\n",
        "text «»\"x\"\n",
        "[posts.for.bsky«»\ntext = \"x\"\n",
        "text = \"bad \\«»q escape\"\n",
        "media = [{ file = \"a\" «»alt = \"b\" }]\n",
        "media = [{ file = \"a\", alt = \"b\" «»]\n",
        "poll = { options = [\"a\",«,» \"b\"] }\n",
        "text = «“curly”»\n",
        "title«:» \"yaml\"\n",
        "text = \"x\" «»extra\n",
        "draft = «True»\n",
        "«»= 1\n",
    ] {
        let after = "[[posts]]\nid = \"after\"\non = \"release\"\n«txet» = \"x\"\n";
        let loaded =
            check(&format!("[[posts]]\nid = \"a\"\non = \"release\"\n{slip}{after}"), &["toml-syntax", "unknown-key"]);
        assert_eq!(loaded.ids, [PostId::new("a"), PostId::new("after")], "{slip}");
    }
}

#[test]
fn conflicts_and_encodings() {
    check(
        "[[posts]]\nid = \"a\"\n«<<<<<<< HEAD»\non = \"release\"\n=======\nat = nonsense\n>>>>>>> other\n",
        &["merge-conflict"],
    );
    let env = TestEnv::new();
    env.write("calendar.toml", b"name = \"a\"\ntimezone = \"UTC\"\n# caf\xe9\n");
    let found = read(&env).diagnostics;
    assert_eq!((found[0].code.0, found[0].line, found[0].column, found.len()), ("not-utf8", 3, 6, 1));
    env.write("calendar.toml", "\u{feff}name = \"a\"\ntimezone = \"UTC\"\nx = 1\n");
    let found = read(&env).diagnostics;
    assert_eq!(
        (found[0].code.0, found[1].code.0, found[1].line, found[1].column),
        ("byte-order-mark", "unknown-key", 3, 1)
    );
}

#[test]
fn includes() {
    let env = TestEnv::new();
    let head =
        |include: &str| format!("name = \"a\"\ntimezone = \"UTC\"\ninclude = {include}\n[defaults]\nto = [\"bsky\"]\n");
    let found = |env: &TestEnv| -> Vec<(String, String, usize, usize)> {
        let name = |file: &str| {
            file.trim_start_matches(env.path().to_str().expect("Unicode")).trim_start_matches('/').to_owned()
        };
        read(env)
            .diagnostics
            .into_iter()
            .map(|found| (found.code.0.to_owned(), name(&found.file), found.line, found.column))
            .collect()
    };
    let one = |code: &str, file: &str, line, column| vec![(code.to_owned(), file.to_owned(), line, column)];
    env.write("calendar.toml", head("[\"2026/*.toml\", \"posts/**/*.md\"]"));
    env.write("2026/b.toml", "[[posts]]\nid = \"b\"\non = \"release\"\ncampaign = \"late\"\n");
    env.write("2026/a.toml", "[campaigns.late]\n[[posts]]\nid = \"a\"\non = \"release\"\n");
    env.write(
        "posts/deep/m.md",
        "+++\nid = \"m\"\nat = 2026-12-01T09:00:00\ntitle = \"A title\"\n+++\n\n# Head\n\nText\n",
    );
    assert_eq!(found(&env), []);
    let calendar = read(&env).calendar.expect("a calendar");
    let ids: Vec<_> = calendar.posts.iter().map(|post| post.id.as_str()).collect();
    assert_eq!(ids, ["a", "b", "m"], "in the order of the files");
    let post = &calendar.posts[2].content;
    assert_eq!((post.text.as_deref(), post.body.as_deref()), (Some("A title"), Some("# Head\n\nText")));

    env.write("posts/deep/m.md", "+++\nid = \"b\"\nat = 2026-12-01T09:00:00\n\n+++\n");
    assert_eq!(found(&env), one("duplicate-id", "posts/deep/m.md", 2, 6));
    env.write("posts/deep/m.md", "+++\nid = \"m\"\n\nat = \"x\"\n+++\n");
    assert_eq!(found(&env), one("bad-time", "posts/deep/m.md", 4, 6));
    env.write("posts/deep/m.md", "id = 1");
    assert_eq!(found(&env), one("bad-front-matter", "posts/deep/m.md", 1, 1));
    env.write("posts/deep/m.md", "+++\nid = \"m\"\non = \"release\"\nbody = \"x\"\n+++\ny\n");
    assert_eq!(found(&env), one("duplicate-key", "posts/deep/m.md", 4, 1));

    for (include, code, column) in [
        ("[\"../x.toml\"]", "bad-include", 12),
        ("[\"/etc/passwd\"]", "bad-include", 12),
        ("[\"2026/*.toml\", \"none.toml\"]", "file-not-read", 27),
        ("[\"none/*.toml\"]", "nothing-included", 12),
        ("[\"2026/*.toml\", \"2026/a.toml\"]", "include-twice", 27),
        ("[\"calendar.toml\"]", "include-twice", 12),
        ("[1]", "wrong-type", 12),
    ] {
        env.write("calendar.toml", head(include));
        let mut found = found(&env);
        found.retain(|found| found.0 != "unknown-campaign");
        assert_eq!(found, one(code, "calendar.toml", 3, column), "{include}");
    }
    env.write("calendar.toml", head("[\"*.toml\"]"));
    env.write("more.toml", "include = [\"x.toml\"]\nname = \"b\"\n[[posts]]\nid = \"a\"\non = \"release\"\n");
    let nested = found(&env);
    assert_eq!(nested[0], ("nested-include".into(), "more.toml".into(), 1, 1));
    assert_eq!(nested[1], ("unknown-key".into(), "more.toml".into(), 2, 1));
    #[cfg(unix)]
    {
        std::fs::remove_file(env.path().join("more.toml")).expect("removed");
        std::os::unix::fs::symlink("/etc/hosts", env.path().join("more.toml")).expect("a symlink");
        assert_eq!(found(&env), one("include-symlink", "calendar.toml", 3, 12));
    }
}

#[test]
fn no_calendar() {
    let loaded = read(&TestEnv::new());
    assert_eq!(loaded.diagnostics[0].code.0, "file-not-read");
    assert!(loaded.calendar.is_none() && !loaded.complete);
    let env = TestEnv::new();
    std::fs::create_dir(env.path().join("calendar.toml")).expect("a folder");
    says(&read(&env), "it is a folder", "");
}

/// The source of a place.
#[track_caller]
fn source(loaded: &Loaded, post: &str, account: Option<&str>, place: &Place) -> String {
    let account = account.map(AccountName::new);
    let span = loaded.span(&PostId::new(post), account.as_ref(), place).expect("a place");
    loaded.sources.files[span.file].text[span.start..span.end].to_owned()
}

#[test]
fn every_piece_of_a_post_has_its_place() {
    let env = TestEnv::new();
    env.write(
        "calendar.toml",
        r#"name = "acme"
timezone = "UTC"
include = ["m.md"]
[defaults]
to = ["bsky", "fedi"]
visibility = "unlisted"
[[posts]]
id = "before"
on = "release"
text = "x"
[[posts]]
id = "a"
at = 2026-12-01T09:00:00
text = """
Gr\u00fc\u00dfe \
   aus Köln"""
thread = ["one", 'two "quoted"']
media = [{ file = "a.png", alt = "A" }, { file = "b.png" }]
poll = { options = ["yes", "no"] }
[posts.for.fedi]
text = "for fedi"
[posts.for.bluesky]
thread = ["blue"]
[campaigns.x]
[[posts]]
id = "after"
on = "release"
text = "y"
"#,
    );
    env.write("m.md", "+++\r\nid = \"m\"\r\non = \"release\"\r\ntitle = \"T\"\r\n+++\r\n\r\nLine one\r\nLine two\r\n");
    let loaded = read(&env);
    assert!(loaded.diagnostics.is_empty(), "{:#?}", loaded.diagnostics);
    let text = |key, index, start, end| Place::Text { key, index, start, end };
    let at = |account, place: &Place| source(&loaded, "a", account, place);
    // "Grüße aus Köln": ü at 2..4, ß at 4..6, Köln at 12..17.
    assert_eq!(at(None, &text("text", 0, 2, 6)), r"\u00fc\u00df");
    assert_eq!(at(None, &text("text", 0, 12, 17)), "Köln");
    assert_eq!(at(Some("bsky"), &text("text", 0, 8, 11)), "aus");
    assert_eq!(at(Some("fedi"), &text("text", 0, 4, 8)), "fedi");
    assert_eq!(at(None, &text("thread", 1, 4, 12)), "\"quoted\"");
    assert_eq!(at(Some("bsky"), &text("thread", 0, 0, 4)), "blue");
    assert_eq!(at(None, &Place::Media { index: 1, key: "file" }), "\"b.png\"");
    assert_eq!(at(None, &Place::Media { index: 1, key: "alt" }), "{ file = \"b.png\" }");
    assert_eq!(at(None, &Place::PollOption { index: 1 }), "\"no\"");
    assert_eq!(at(None, &Place::Key { key: "at" }), "2026-12-01T09:00:00");
    assert_eq!(at(None, &Place::Key { key: "visibility" }), "\"unlisted\"", "from the defaults");
    assert_eq!(at(None, &Place::Key { key: "link" }), "\"a\"", "what stands nowhere is shown at the id");
    assert_eq!(at(None, &Place::Post), "\"a\"");
    assert_eq!(source(&loaded, "after", None, &text("text", 0, 0, 1)), "y");
    assert_eq!(source(&loaded, "m", None, &text("text", 0, 0, 1)), "T", "the title stands for the text");
    // Windows line ends are one byte of the body.
    assert_eq!(source(&loaded, "m", None, &text("body", 0, 9, 17)), "Line two");
    assert_eq!(loaded.span(&PostId::new("none"), None, &Place::Post), None);
}

#[test]
fn inline_posts_are_posts() {
    let loaded = check_whole(
        "name = \"a\"\ntimezone = \"UTC\"\nposts = [\n  { id = \"a\", on = \"release\", to = \"bsky\", text = \"one two\" },\n  { id = \"b\", on = \"release\", to = \"bsky\", «txt» = 1 },\n]\n",
        &["unknown-key"],
    );
    assert_eq!(source(&loaded, "a", None, &Place::Text { key: "text", index: 0, start: 4, end: 7 }), "two");
}

#[test]
fn twenty_mistakes_are_twenty_diagnostics() {
    let mut posts = String::new();
    for number in 0..20 {
        let _ = write!(posts, "[[posts]]\nid = \"p{number}\"\non = \"release\"\n«key{number}» = 1\n");
    }
    check(&posts, &["unknown-key"; 20]);
}

/// A calendar that has a bit of everything, to be spoilt.
const SEED: &str = r#"name = "acme"
timezone = "Europe/Berlin"
include = ["more/*.toml"]
[accounts.site]
network = "feed"
[defaults]
to = ["bsky", "site"]
[campaigns.launch]
utm = { source = "{{ network }}" }
[[posts]]
id = "a"
at = 2026-12-01T09:00:00
text = """
Über \
  uns"""
media = [{ file = "a.png", alt = "A", part = 1 }]
campaign = "launch"
[posts.for.bluesky]
thread = ['one', "tw\u00f6"]
[[posts]]
id = "b"
cron = "0 9 * * MON-FRI"
texts = ["one", "two"]
until = 2027-01-01
late = { grace = "15m", then = "skip" }
poll = { options = ["x", "y"], duration = "1d" }
"#;

/// Reads bytes as a calendar, and asks for every place in it.
fn survives(bytes: &[u8]) {
    let env = TestEnv::new();
    env.write("calendar.toml", bytes);
    let loaded = read(&env);
    for found in &loaded.diagnostics {
        let span = found.span.expect("a place");
        let text = &loaded.sources.files[span.file].text;
        assert!(text.get(span.start..span.end).is_some(), "{found:?} is not inside of {text:?}");
    }
    for id in &loaded.ids {
        for key in ["text", "texts", "thread", "body"] {
            let place = Place::Text { key, index: 1, start: 1, end: 5 };
            let span = loaded.span(id, Some(&AccountName::new("bsky")), &place).expect("a place");
            assert!(loaded.sources.files[span.file].text.get(span.start..span.end).is_some());
        }
        assert!(loaded.span(id, None, &Place::Media { index: 0, key: "alt" }).is_some());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        survives(&bytes);
    }

    #[test]
    fn any_spoilt_calendar_is_read(
        edits in proptest::collection::vec((any::<proptest::sample::Index>(), 0usize..12, "[\\[\\]{}\"'\\\\=.,#\nä😀a-z0-9:+-]{0,4}"), 1..6)
    ) {
        let mut text = SEED.to_owned();
        for (at, length, instead) in edits {
            let start = text.floor_char_boundary(at.index(text.len() + 1));
            let end = text.floor_char_boundary((start + length).min(text.len())).max(start);
            text.replace_range(start..end, &instead);
        }
        survives(text.as_bytes());
    }
}
