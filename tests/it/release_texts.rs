//! Release posts: what is known of their length beforehand, and what becomes of notes as projects write them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use smm::calendar::{Calendar, Config, MediaHostSettings, MediaPlace, load};
use smm::compose::{Instance, Rendering, compose, released};
use smm::media::samples;
use smm::model::{
    Account, AccountName, CalendarName, DeliveryId, LimitOverrides, OccurrenceName, Post, PostId, Release,
};
use smm::networks;
use smm::text::{FoundKind, find};

use crate::support::TestEnv;

/// A calendar with one release post, for an account of every network.
struct World {
    _folder: tempfile::TempDir,
    calendar: Calendar,
}

impl World {
    fn new(post: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("a.jpg"), samples::jpeg(&samples::gradient(640, 640))).expect("a picture");
        let mut config = Config {
            media_host: Some(MediaHostSettings {
                url: "https://media.acme.example".to_owned(),
                place: MediaPlace::Folder(folder.path().to_owned()),
                keep: Duration::from_hours(7 * 24),
            }),
            ..Config::default()
        };
        let (mut names, mut without) = (Vec::new(), String::new());
        for network in networks::ALL {
            let id = network.profile().id;
            let name = AccountName::new(format!("a-{id}"));
            let mut account = Account::new(name.clone(), id);
            account.server = Some("https://social.example".to_owned());
            if network.lacks_for_files(&account).is_some() {
                account.settings.insert("media_server".to_owned(), "https://blossom.example".into());
            }
            names.push(format!("{name:?}", name = name.as_str()));
            if network.profile().media.max_images == 0 {
                let _ = write!(without, "[posts.for.{id}]\nmedia = []\n");
            }
            config.accounts.insert(name, account);
        }
        let text = format!(
            "name = \"acme\"\ntimezone = \"UTC\"\n[[posts]]\nid = \"release\"\non = \"release\"\nto = [{}]\n{post}{without}",
            names.join(", ")
        );
        let path = folder.path().join("calendar.toml");
        std::fs::write(&path, text).expect("a calendar");
        let loaded = load(Path::new(&path), &config, &networks::known());
        assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
        Self { _folder: folder, calendar: loaded.calendar.expect("a calendar") }
    }

    fn post(&self, release: &Release) -> Post {
        let post = self.calendar.post(&PostId::new("release")).expect("the post");
        Post { trigger: None, ..released(post, release).expect("good templates") }
    }

    fn rendering(&self, post: &Post, account: &Account) -> Rendering {
        let name = OccurrenceName::once(&post.name);
        let delivery = DeliveryId::derive(&CalendarName::new("acme"), &name, &account.name);
        compose(&self.calendar, post, account, Instance { delivery, generation: 0, variation: 0 })
    }
}

fn release(notes: &str) -> Release {
    Release {
        project: "Acme".to_owned(),
        tag: "v2.0.0".to_owned(),
        url: "https://forge.example/acme/cli/releases/tag/v2.0.0".to_owned(),
        notes: notes.to_owned(),
        date: "2026-12-01".to_owned(),
        prerelease: false,
        previous: "v1.9.0".to_owned(),
    }
}

/// What every network takes, whatever it needs: a picture with alt text, a title, a long form.
const REST: &str = "title = \"Acme {{ version }}\"\nbody = \"{{ notes }}\"\n\
                    media = [{ file = \"a.jpg\", alt = \"The new dashboard\" }]\n";

#[test]
fn notes_of_ten_projects_fit_everywhere() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/notes");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).expect("notes").map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    assert_eq!(files.len(), 10);
    let templates = [
        "text = \"{{ project }} {{ version }} is out.\\n\\n{{ notes | fit }}\\n\\n{{ url }}\"\n",
        "text = \"{{ project }} {{ version }}: {{ notes | first_line | fit }} {{ url }}\"\n",
        "text = \"{{ project }} {{ version }}\\n{{ notes | bullets(20) | fit }}\"\nlink = \"{{ url }}\"\ntags = [\"release\"]\n",
    ];
    let mut shown = String::new();
    for template in templates {
        let world = World::new(&format!("{template}{REST}"));
        for file in &files {
            let notes = std::fs::read_to_string(file).expect("UTF-8");
            let post = world.post(&release(&notes));
            let links = links(&format!("{notes} {}", release("").url));
            for account in world.calendar.accounts.values() {
                let rendering = world.rendering(&post, account);
                let at = format!("{} on {}", file.display(), account.network);
                let errors: Vec<_> = rendering.problems.iter().map(|problem| &problem.message).collect();
                assert!(rendering.is_ok() && rendering.plan.is_some(), "{at}: {errors:?}\n{:?}", rendering.parts);
                for part in &rendering.parts {
                    assert!(part.length <= part.limit, "{at}: {part:?}");
                    good_text(&part.text, &links, &at);
                }
                if account.network == "mastodon" && template == templates[0] {
                    let name = file.file_stem().expect("a name").to_string_lossy();
                    let _ = writeln!(shown, "== {name}\n{}", rendering.parts[0].text);
                }
            }
        }
    }
    insta::assert_snapshot!("notes_on_mastodon", shown);
}

fn links(text: &str) -> BTreeSet<String> {
    // Markdown's own signs end a link there, and not here.
    let text = text.replace(['(', ')', '<', '>', '"', '`', '|'], " ");
    let found = find(&text).into_iter().filter(|found| found.kind == FoundKind::Link);
    found.map(|found| text[found.start..found.end].to_owned()).collect()
}

/// No link that leads nowhere, no half Markdown or HTML, nobody who is told of it.
fn good_text(text: &str, links: &BTreeSet<String>, at: &str) {
    for found in find(text) {
        let piece = &text[found.start..found.end];
        match found.kind {
            FoundKind::Link => assert!(links.contains(piece), "{at}: a link of nobody's: {piece}\n{text}"),
            FoundKind::Mention => panic!("{at}: {piece} would be told\n{text}"),
            _ => {}
        }
    }
    for sign in [
        "**", "](", "![", "```", "~~", "<!--", "</", "<b", "<i", "<p", "<d", "<s", "&amp;", "&mdash;", "|:", "|-",
        "---",
    ] {
        assert!(!text.contains(sign), "{at}: {sign} in\n{text}");
    }
    let hidden = smm::text::hazards(text);
    assert!(hidden.is_empty(), "{at}: {hidden:?}\n{text}");
    assert!(!text.trim_end().ends_with(['•', ':', '(']), "{at}: cut badly:\n{text}");
}

fn checked(post: &str) -> crate::support::Run {
    let env = TestEnv::new();
    env.write(
        "smm.toml",
        "[accounts.bsky]\nnetwork = \"bluesky\"\nhandle = \"acme.example\"\n\
         [accounts.fedi]\nnetwork = \"mastodon\"\nserver = \"https://fedi.example\"\n",
    );
    let head = "name = \"acme\"\ntimezone = \"UTC\"\n[[posts]]\nid = \"release\"\non = \"release\"\nto = [\"bsky\", \"fedi\"]\n";
    env.write("calendar.toml", format!("{head}{post}"));
    env.smm(&["check"])
}

#[test]
fn a_text_that_could_overflow_is_refused_with_the_longest_case() {
    let run = checked("text = \"{{ project }} {{ version }} is out!\\n\\n{{ notes }}\\n\\n{{ url }}\"\n").expect(1);
    assert!(run.stdout.contains("calendar.toml:7:"), "{}", run.stdout);
    assert!(run.stdout.contains("for the longest release that is likely"), "{}", run.stdout);
    assert!(run.stdout.contains("a-project-with-long-name 10.20.30-beta.40 is out!"), "{}", run.stdout);
    checked("text = \"{{ project }} {{ version }} is out!\\n\\n{{ notes | fit }}\\n\\n{{ url }}\"\n").expect(0);
    // What stands around the notes has to fit as well, and so has a title.
    let long = "x".repeat(240);
    checked(&format!("text = \"{long} {{{{ version }}}} {{{{ notes | fit }}}}\\n{{{{ url }}}}\"\n")).expect(1);
}

#[test]
fn a_chain_of_fallbacks_makes_it_fit() {
    let post =
        "text = \"{{ notes }} {{ url }}\"\nfallback = [\n  { split = true },\n  { text = \"Out: {{ url }}\" },\n]\n";
    // Where it becomes a thread, where it goes whole, and where only the link is left.
    let world = World::new(&format!("{post}{REST}"));
    let notes = "A sentence of the notes. ".repeat(60);
    let short = world.post(&release("Short notes."));
    let long = world.post(&release(&notes));
    let unsplittable = world.post(&release(&format!("https://acme.example/{}", "x".repeat(400))));
    for account in world.calendar.accounts.values() {
        let network = networks::find(&account.network).expect("a network");
        let of = |post: &Post| {
            let rendering = world.rendering(post, account);
            assert!(rendering.is_ok(), "{}: {:?}", account.network, rendering.problems);
            (rendering.parts.iter().map(|part| part.text.clone()).collect::<Vec<_>>(), rendering.notes)
        };
        let threads = network.profile().threads;
        let (texts, notes) = of(&short);
        assert!(
            texts[0].starts_with("Short notes.") && !notes.iter().any(|note| note.contains("fallback")),
            "{notes:?}"
        );
        let limit = world.rendering(&short, account).parts[0].limit;
        if limit < 1_500 {
            let (texts, notes) = of(&long);
            assert_eq!(texts.len() > 1, threads, "{}: {texts:?}", account.network);
            let which = if threads { "fallback 1 of 2" } else { "fallback 2 of 2" };
            assert!(notes.iter().any(|note| note.contains(which)), "{}: {notes:?}", account.network);
        }
        if account.network == "bluesky" {
            // A link cannot be taken apart.
            let (texts, _) = of(&unsplittable);
            assert_eq!(texts, ["Out: https://forge.example/acme/cli/releases/tag/v2.0.0"]);
        }
    }
}

#[test]
fn fallbacks_that_do_not_help_are_told_of() {
    let run = checked("text = \"{{ notes }}\"\nfallback = [{ text = \"{{ notes | bullets }}\" }]\n").expect(1);
    assert!(run.stdout.contains("its fallback does not"), "{}", run.stdout);
    checked("text = \"{{ notes }}\"\nfallback = [{ text = \"{{ notes | fit }}\" }]\n").expect(0);
    let run = checked("text = \"x\"\nfallback = [{ text = \"{{ nosuch }}\" }]\n").expect(1);
    assert!(run.stdout.contains("calendar.toml:8:26") && run.stdout.contains("nosuch"), "{}", run.stdout);
}

#[test]
fn an_account_s_own_limit_counts() {
    let world = World::new(&format!("text = \"{{{{ notes | fit }}}} {{{{ url }}}}\"\n{REST}"));
    let post = world.post(&release(&"A sentence of the notes. ".repeat(60)));
    let mut account = world.calendar.accounts[&AccountName::new("a-mastodon")].clone();
    account.limits = LimitOverrides { text: Some(150), ..LimitOverrides::default() };
    let rendering = world.rendering(&post, &account);
    assert!(rendering.is_ok() && rendering.parts[0].length <= 150, "{rendering:?}");
    assert!(rendering.parts[0].text.ends_with("… https://forge.example/acme/cli/releases/tag/v2.0.0"), "{rendering:?}");
}
