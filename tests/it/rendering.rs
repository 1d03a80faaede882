//! What the accounts of the real networks would receive.

use std::path::Path;

use smm::calendar::{Config, Loaded, load};
use smm::compose::{Instance, Rendering, compose};
use smm::media::samples;
use smm::model::{Account, AccountName, CalendarName, DeliveryId, LimitOverrides, OccurrenceName, Place, PostId};

const HEAD: &str = "name = \"acme\"\ntimezone = \"UTC\"\n[campaigns.launch]\nutm = { source = \"{{ network }}\", content = \"{{ post }}\" }\n";

struct World {
    folder: tempfile::TempDir,
    loaded: Loaded,
}

fn account(name: &str, network: &str) -> Account {
    Account::new(AccountName::new(name), network)
}

/// A calendar with one post, and the accounts `bsky` and `fedi`.
fn world(post: &str) -> World {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a.png"), samples::png(&samples::gradient(16, 16))).expect("a picture");
    let path = folder.path().join("calendar.toml");
    let time = if post.contains("cron =") { "" } else { "at = 2031-01-01T09:00:00\n" };
    let head = format!("{HEAD}[[posts]]\nid = \"p\"\n{time}to = [\"bsky\", \"fedi\"]\n");
    std::fs::write(&path, head + post).expect("a calendar");
    let loaded = load(Path::new(&path), &config(), &smm::networks::known());
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    World { folder, loaded }
}

fn config() -> Config {
    let mut config = Config::default();
    for (name, network) in [("bsky", "bluesky"), ("fedi", "mastodon")] {
        config.accounts.insert(AccountName::new(name), account(name, network));
    }
    config
}

impl World {
    fn rendering(&self, name: &str, variation: usize) -> Rendering {
        let calendar = self.loaded.calendar.as_ref().expect("a calendar");
        let post = calendar.post(&PostId::new("p")).expect("the post");
        let account = &calendar.accounts[&AccountName::new(name)];
        let delivery =
            DeliveryId::derive(&CalendarName::new("acme"), &OccurrenceName::once(&post.name), &AccountName::new(name));
        compose(calendar, post, account, Instance { delivery, generation: 0, variation })
    }

    fn texts(&self, name: &str) -> Vec<String> {
        let rendering = self.rendering(name, 0);
        assert_eq!(rendering.problems, [], "{name}");
        assert!(rendering.plan.is_some(), "{name}");
        rendering.parts.into_iter().map(|part| part.text).collect()
    }

    fn codes(&self, name: &str) -> Vec<&'static str> {
        self.rendering(name, 0).problems.iter().map(|problem| problem.code.0).collect()
    }
}

#[test]
fn an_account_s_words_win_over_its_network_s() {
    let world =
        world("text = \"all\"\n[posts.for.bluesky]\ntext = \"network\"\n[posts.for.bsky]\ntext = \"account\"\n");
    assert_eq!(world.texts("bsky"), ["account"]);
    assert_eq!(world.texts("fedi"), ["all"]);
}

#[test]
fn links_go_where_the_network_shows_them() {
    let world = world("text = \"Out.\"\nlink = \"https://acme.example/2\"\ntags = [\"news\"]\n");
    assert_eq!(world.texts("fedi"), ["Out.\n\nhttps://acme.example/2\n\n#news"]);
    assert_eq!(world.texts("bsky"), ["Out."]);
    assert_eq!(world.rendering("bsky", 0).parts[0].link.as_deref(), Some("https://acme.example/2"));
    assert_eq!(world.rendering("bsky", 0).tags, ["news"]);
}

#[test]
fn what_stands_in_the_text_is_not_added_again() {
    let world =
        world("text = \"See https://acme.example/2 #News\"\nlink = \"https://acme.example/2\"\ntags = [\"news\"]\n");
    assert_eq!(world.texts("fedi"), ["See https://acme.example/2 #News"]);
}

#[test]
fn a_link_beside_pictures_stands_in_the_text_where_there_is_no_card() {
    let world = world(
        "text = \"Out.\"\nlink = \"https://acme.example/2\"\nmedia = [{ file = \"a.png\", alt = \"A gradient\" }]\n",
    );
    assert_eq!(world.texts("bsky"), ["Out.\n\nhttps://acme.example/2"]);
}

#[test]
fn campaigns_mark_every_link() {
    let world = world(
        "campaign = \"launch\"\ntext = \"At https://acme.example/a.\"\nlink = \"https://acme.example/b?x=1#top\"\nthread = [\"And https://acme.example/c\"]\n",
    );
    let marks = "utm_source=mastodon&utm_campaign=launch&utm_content=p";
    assert_eq!(
        world.texts("fedi"),
        [
            format!("At https://acme.example/a?{marks}.\n\nhttps://acme.example/b?x=1&{marks}#top"),
            format!("And https://acme.example/c?{marks}"),
        ]
    );
}

#[test]
fn texts_come_in_turn() {
    let world = world("cron = \"0 9 * * MON\"\ntexts = [\"one\", \"two\"]\n");
    let text = |variation| world.rendering("bsky", variation).parts[0].text.clone();
    assert_eq!([text(0), text(1), text(2)], ["one", "two", "one"]);
}

#[test]
fn long_texts_are_split_and_numbered_within_the_limit() {
    let sentence = "This is a sentence of no great length. ";
    let world = world(&format!("text = \"{}\"\nsplit = true\nnumbering = \"suffix\"\n", sentence.repeat(20).trim()));
    for name in ["bsky", "fedi"] {
        let rendering = world.rendering(name, 0);
        assert_eq!(rendering.problems, []);
        let count = rendering.parts.len();
        assert!(count > 1);
        for (index, part) in rendering.parts.iter().enumerate() {
            assert!(part.length <= part.limit, "{part:?}");
            assert!(part.text.ends_with(&format!(". {}/{count}", index + 1)), "{part:?}");
        }
    }
}

#[test]
fn a_first_comment_is_the_last_part_and_has_no_number() {
    let world = world("text = \"a\"\nthread = [\"b\"]\nnumbering = \"suffix\"\nfirst_comment = \"c\"\n");
    assert_eq!(world.texts("bsky"), ["a 1/2", "b 2/2", "c"]);
}

#[test]
fn media_go_with_the_part_that_they_name() {
    let media = "media = [{ file = \"a.png\", alt = \"One\" }, { file = \"a.png\", alt = \"Two\", part = 2 }]\n";
    let world = world(&format!("text = \"a\"\nthread = [\"b\"]\n{media}"));
    let rendering = world.rendering("bsky", 0);
    let alts: Vec<Vec<&str>> =
        rendering.parts.iter().map(|part| part.media.iter().map(|(_, alt, _)| alt.as_str()).collect()).collect();
    assert_eq!(alts, [vec!["One"], vec!["Two"]]);
    assert!(rendering.is_ok() && world.folder.path().exists());
}

#[test]
fn an_overflow_is_traced_to_the_entry_of_the_thread() {
    let world = world(&format!("text = \"a\"\nthread = [\"b\", \"  {} and also this\"]\n", "x".repeat(297)));
    let rendering = world.rendering("bsky", 0);
    assert_eq!(rendering.problems[0].place, Place::Text { key: "thread", index: 1, start: 300, end: 313 });
    assert_eq!(
        rendering.problems[0].message,
        "311 graphemes, 11 too many; the part from `and also this` on does not fit"
    );
    assert!(rendering.plan.is_none());
}

#[test]
fn what_a_server_allows_wins_over_the_profile() {
    let world = world(&format!("text = \"{}\"\n", "x".repeat(600)));
    assert_eq!(world.codes("fedi"), ["text-too-long"]);
    let calendar = world.loaded.calendar.as_ref().expect("a calendar");
    let mut account = account("fedi", "mastodon");
    account.limits = LimitOverrides { text: Some(1000), ..LimitOverrides::default() };
    let delivery = DeliveryId::derive(&calendar.name, &OccurrenceName::new("p"), &account.name);
    let rendering = compose(calendar, &calendar.posts[0], &account, Instance { delivery, generation: 0, variation: 0 });
    assert_eq!(rendering.problems, []);
}

#[test]
fn a_link_has_to_be_one_to_its_end() {
    for bad in ["acme.example/2", "https://", "https://acme.example/a b", "https://acme.example/<2>"] {
        assert_eq!(world(&format!("text = \"x\"\nlink = \"{bad}\"\n")).codes("fedi"), ["link-unsuitable"], "{bad}");
    }
}

#[test]
fn the_same_draft_gives_the_same_bytes() {
    let world =
        world("text = \"Hello #all at https://acme.example\"\nmedia = [{ file = \"a.png\", alt = \"A gradient\" }]\n");
    assert_eq!(world.rendering("bsky", 0).plan, world.rendering("bsky", 0).plan);
}
