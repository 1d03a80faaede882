//! Who may import whom, held by reading the source.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Modules by layer, the lowest first. A module may use the layers below its own, and itself.
const LAYERS: &[&[&str]] = &[
    &["trial"],
    &["model"],
    &["text", "time"],
    &["calendar", "adapter", "media"],
    &["networks", "ledger", "secrets"],
    &["oauth"],
    &["schedule", "compose"],
    &["engine", "report"],
    &["serve"],
    &["cli"],
];

/// The one place that may name a crate.
const OWNERS: &[(&str, &[&str])] = &[
    ("rusqlite", &["ledger/sqlite/"]),
    ("reqwest", &["adapter/http/"]),
    ("futures_util", &["adapter/http/"]),
    ("tokio_tungstenite", &["adapter/socket.rs"]),
    ("k256", &["networks/nostr/key.rs"]),
    ("bech32", &["networks/nostr/name.rs"]),
    ("jiff", &["time/zone.rs"]),
    ("cron", &["time/cron.rs"]),
    ("keyring", &["secrets/keyring.rs"]),
    ("chacha20poly1305", &["secrets/vault/"]),
    ("rpassword", &["cli/prompt.rs"]),
    // The latter has a module of that name.
    ("open", &["cli/browser.rs", "ledger/sqlite/"]),
    ("prometheus_client", &["serve/"]),
    ("axum", &["serve/", "oauth/fake.rs", "oauth/loopback.rs", "adapter/suite/", "networks/"]),
    ("interim", &["time/human.rs"]),
    ("minijinja", &["text/template.rs", "text/release.rs", "networks/feed/", "report/html.rs"]),
    ("sd_notify", &["engine/systemd.rs"]),
    ("notify", &["engine/follow.rs"]),
    ("annotate_snippets", &["report/diagnostics.rs"]),
    ("comfy_table", &["report/table.rs"]),
    ("tokio_postgres", &["ledger/postgres/"]),
    ("deadpool_postgres", &["ledger/postgres/"]),
    ("tokio_postgres_rustls", &["ledger/postgres/"]),
    ("rusty_s3", &["engine/media_host/"]),
    ("lettre", &["adapter/mail/"]),
    (
        "rustix",
        &[
            "time/clock.rs",
            "trial/",
            "engine/programs.rs",
            "ledger/disk.rs",
            "ledger/git/program.rs",
            "secrets/memory.rs",
        ],
    ),
];

/// What only some places may do.
const CALLS: &[(&str, &[&str], &str)] = &[
    ("println!", &[], "only cli/output.rs prints, by writing to a stream"),
    ("eprintln!", &[], "only cli/output.rs prints, by writing to a stream"),
    ("io::stdout()", &["cli/output.rs"], "only cli/output.rs prints"),
    ("io::stderr()", &["cli/output.rs", "engine/log.rs"], "only cli/output.rs prints; logs go to stderr"),
    ("SystemTime::now", &["time/clock.rs"], "time/clock.rs is the only now"),
    ("Utc::now", &[], "time/clock.rs is the only now"),
    ("process::exit", &[], "a command returns its status"),
    ("std::env::var", &["cli/", "trial/"], "the environment is read in cli alone"),
    ("env::var(", &["cli/", "trial/"], "the environment is read in cli alone"),
];

/// Words that are a network's id as well, and mean none: a kind of alert, a key that may hold a secret, a line of a profile.
const WORDS: &[(&str, &[&str])] = &[
    ("calendar/config.rs", &["email"]),
    ("calendar/scalar.rs", &["email", "webhook"]),
    ("engine/alerts/mod.rs", &["email", "webhook"]),
    ("engine/alerts/target.rs", &["email", "webhook"]),
    ("networks/discord/plan.rs", &["webhook"]),
    // A server of that kind that speaks to Mastodon's.
    ("networks/mastodon/kin.rs", &["wordpress"]),
    // The name of a tag of an event.
    ("networks/nostr/blossom.rs", &["x"]),
    ("report/diagnostics.rs", &["webhook"]),
    ("report/networks.rs", &["threads"]),
    ("text/tlds.rs", &["email"]),
];

struct Source {
    /// Below `src`, with `/`.
    path: String,
    /// Without comments and without the tests at its end.
    code: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    let sources: Vec<Source> = files
        .into_iter()
        .map(|file| {
            let text = fs::read_to_string(&file).expect("source is UTF-8");
            let code = text.split("\nmod tests {").next().unwrap_or_default();
            let code = code
                .lines()
                .map(|line| line.split_once("//").map_or(line, |(code, _)| code))
                .fold(String::new(), |all, line| all + line + "\n");
            let path = file.strip_prefix(&root).expect("below src").to_string_lossy().replace('\\', "/");
            let code = if path.ends_with("/tests.rs") { String::new() } else { code };
            Source { path, code }
        })
        .collect();
    assert!(sources.len() > 50, "the source was found");
    sources
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn module(path: &str) -> &str {
    path.split('/').next().unwrap_or_default().trim_end_matches(".rs")
}

/// Names of our own modules that a file names: `crate::x` and `crate::{x::…, y}`.
fn named(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut name = String::new();
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => found.push(std::mem::take(&mut name)),
                    c if depth == 0 && !c.is_whitespace() => name.push(c),
                    _ => {}
                }
            }
            found.push(name);
        } else {
            found.push(rest.to_owned());
        }
    }
    found
        .into_iter()
        .map(|name| name.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>())
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn modules_import_downwards_only() {
    let layer: BTreeMap<&str, usize> =
        LAYERS.iter().enumerate().flat_map(|(at, names)| names.iter().map(move |name| (*name, at))).collect();
    let mut breaches = Vec::new();
    for source in sources() {
        let from = module(&source.path);
        let Some(&own) = layer.get(from) else {
            assert!(matches!(from, "lib" | "main"), "src/{} belongs to no layer", source.path);
            continue;
        };
        for to in named(&source.code) {
            if let Some(&other) = layer.get(to.as_str())
                && to != from
                && other >= own
            {
                breaches.push(format!("src/{} uses crate::{to}", source.path));
            }
        }
    }
    assert!(breaches.is_empty(), "imports go downwards only:\n{}", breaches.join("\n"));
}

#[test]
fn a_crate_has_one_place() {
    let mut breaches = Vec::new();
    for source in sources() {
        for (name, owners) in OWNERS {
            let used = source.code.match_indices(&format!("{name}::")).any(|(at, _)| {
                // `crate::time::cron::…` and `self::cron::…` are ours.
                let before = &source.code[..at];
                !before.ends_with("::") && !before.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
            });
            let ours = source.code.contains(&format!("mod {name};"));
            if used && !ours && !owners.iter().any(|owner| source.path.starts_with(owner)) {
                breaches.push(format!("src/{} names {name}, which belongs to {}", source.path, owners.join(" and ")));
            }
        }
    }
    assert!(breaches.is_empty(), "{}", breaches.join("\n"));
}

#[test]
fn some_calls_have_one_place() {
    let mut breaches = Vec::new();
    for source in sources() {
        // Fakes and suites are test code that stands beside what it tests.
        if source.path.ends_with("/fake.rs") || source.path.contains("/suite") {
            continue;
        }
        for (call, owners, why) in CALLS {
            if source.code.contains(call) && !owners.iter().any(|owner| source.path.starts_with(owner)) {
                breaches.push(format!("src/{} has {call}: {why}", source.path));
            }
        }
    }
    assert!(breaches.is_empty(), "{}", breaches.join("\n"));
}

#[test]
fn a_network_knows_neither_another_nor_the_machine() {
    let networks: Vec<String> = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/networks"))
        .expect("networks")
        .filter_map(|entry| {
            let path = entry.expect("an entry").path();
            path.is_dir().then(|| path.file_name().expect("a name").to_string_lossy().into_owned())
        })
        .collect();
    assert!(!networks.is_empty());
    let mut breaches = Vec::new();
    for source in sources() {
        let mut parts = source.path.split('/');
        let place = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        if place.0 == "networks" && place.1 != "mod.rs" && !source.path.ends_with("/fake.rs") {
            for other in networks.iter().filter(|other| *other != place.1) {
                if source.code.contains(&format!("networks::{other}"))
                    || source.code.contains(&format!("super::super::{other}"))
                {
                    breaches.push(format!("src/{} uses the network {other}", source.path));
                }
            }
            for outside in ["std::fs", "std::env", "crate::ledger", "crate::calendar", "crate::engine", "tokio::net"] {
                if source.code.contains(outside) {
                    breaches.push(format!("src/{} uses {outside}: it is to be handed in", source.path));
                }
            }
        }
    }
    assert!(breaches.is_empty(), "{}", breaches.join("\n"));
}

/// The folder of a network holds all that is of it alone: elsewhere stand the two lines of the registry, and no other line of
/// the program would have to be touched to add it or to take it away.
#[test]
fn a_network_is_one_folder_and_two_lines() {
    let sources = sources();
    for network in smm::networks::ALL {
        let id = network.profile().id;
        let names = |line: &str| {
            let path = |line: &str| {
                line.match_indices(&format!("{id}::"))
                    .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '"')))
            };
            line.contains(&format!("\"{id}\"")) || line.contains(&format!("mod {id};")) || path(line)
        };
        let folder = format!("networks/{id}/");
        let lines: Vec<String> = sources
            .iter()
            .filter(|source| !source.path.starts_with(&folder))
            // Fakes and suites are test code that stands beside what it tests.
            .filter(|source| !source.path.ends_with("/fake.rs") && !source.path.contains("/suite"))
            .filter(|source| !source.path.contains("/tests/"))
            .filter(|source| !WORDS.iter().any(|(path, words)| *path == source.path && words.contains(&id)))
            .flat_map(|source| {
                let lines = source.code.lines().filter(|line| names(line));
                lines.map(|line| format!("src/{}: {}", source.path, line.trim()))
            })
            .collect();
        let [declared, listed] = lines.as_slice() else { panic!("{id} is named in\n{}", lines.join("\n")) };
        assert_eq!(*declared, format!("src/networks/mod.rs: mod {id};"));
        assert!(listed.starts_with(&format!("src/networks/mod.rs: &{id}::")), "{listed}");
    }
}

#[test]
fn every_folder_of_networks_is_registered_and_complete() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/networks");
    let mut folders: Vec<String> = fs::read_dir(&root)
        .expect("networks")
        .filter_map(|entry| {
            let path = entry.expect("an entry").path();
            path.is_dir().then(|| path.file_name().expect("a name").to_string_lossy().into_owned())
        })
        .collect();
    folders.sort();
    let registered: Vec<&str> = smm::networks::ALL.iter().map(|network| network.profile().id).collect();
    assert_eq!(folders, registered, "networks/mod.rs lists every folder, sorted");
    for folder in folders {
        for file in ["mod.rs", "profile.rs", "plan.rs", "api.rs", "wire.rs", "fake.rs", "README.md"] {
            assert!(root.join(&folder).join(file).is_file(), "src/networks/{folder}/{file} is missing");
        }
    }
}
