//! The README and the examples do what they print.
//!
//! Every ```` ```console ```` block is run, line by line, in a copy of the folder that the document is in. A line `$ command`
//! is run by a shell, in which `smm` and `cargo run --` are the program under test; the lines after it are what it
//! prints. `...` stands for any number of lines, `[..]` for anything in a line; `? 1` is the exit status where it is not 0.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use smm::adapter::RepeatSafety;

use crate::support::TestEnv;

struct Step {
    command: String,
    expected: Vec<String>,
    status: i32,
}

fn steps(document: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for line in document.lines() {
        if line.starts_with("```") {
            inside = line == "```console";
            continue;
        }
        if !inside {
            continue;
        }
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step { command: command.to_owned(), expected: Vec::new(), status: 0 });
        } else if let (Some(status), Some(step)) = (line.strip_prefix("? "), steps.last_mut()) {
            step.status = status.parse().expect("an exit status after `?`");
        } else if let Some(step) = steps.last_mut() {
            step.expected.push(line.to_owned());
        }
    }
    steps
}

/// Whether lines are as expected.
fn as_expected(lines: &[&str], expected: &[String]) -> bool {
    match expected.split_first() {
        None => lines.is_empty(),
        Some((first, rest)) if first == "..." => (0..=lines.len()).any(|skip| as_expected(&lines[skip..], rest)),
        Some((first, rest)) => match lines.split_first() {
            Some((line, others)) => line_as_expected(line, first) && as_expected(others, rest),
            None => false,
        },
    }
}

fn line_as_expected(line: &str, expected: &str) -> bool {
    match expected.split_once("[..]") {
        None => line == expected,
        Some((start, rest)) => line.strip_prefix(start).is_some_and(|left| {
            left.char_indices().map(|(at, _)| at).chain([left.len()]).any(|at| line_as_expected(&left[at..], rest))
        }),
    }
}

fn run(document: &Path, folder: &Path) {
    let text = fs::read_to_string(document).unwrap_or_else(|error| panic!("{}: {error}", document.display()));
    let steps = steps(&text);
    assert!(!steps.is_empty(), "{} has no console block", document.display());
    let env = TestEnv::new();
    copy(folder, env.path());
    let tools = env.path().join("home/bin");
    fs::create_dir_all(&tools).expect("a folder");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_smm"), tools.join("smm")).expect("a link");
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap_or_default());
    for step in steps {
        let command = step.command.replace("cargo run -- ", "smm ");
        let mut shell = Command::new("sh");
        // Some of the environment is what the program is told by.
        shell.args(["-c", &format!("{command} 2>&1")]).current_dir(env.path()).env_clear();
        shell.envs([("HOME", env.path().join("home")), ("XDG_STATE_HOME", env.path().join("home/state"))]);
        let output = shell.env("PATH", &path).output().expect("a shell");
        let said = String::from_utf8_lossy(&output.stdout);
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(output.status.code(), Some(step.status), "{}: `{command}` says\n{said}", document.display());
        assert!(as_expected(&lines, &step.expected), "{}: `{command}` says\n{said}", document.display());
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let name = entry.file_name();
        if matches!(name.to_str(), Some("target" | "public" | ".git")) {
            continue;
        }
        if entry.path().is_dir() {
            copy(&entry.path(), &to.join(name));
        } else {
            fs::copy(entry.path(), to.join(name)).expect("a copy");
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_readme_does_what_it_prints() {
    run(&root().join("README.md"), root());
}

#[test]
fn the_examples_do_what_they_print() {
    let mut stories = 0;
    for entry in fs::read_dir(root().join("examples")).expect("examples") {
        let folder = entry.expect("an entry").path();
        if folder.join("calendar.toml").is_file() {
            run(&folder.join("README.md"), &folder);
            stories += 1;
        }
    }
    assert_eq!(stories, 5);
}

/// What the README says of networks is what they say of themselves. `SMM_UPDATE=1` renews it.
#[test]
fn the_tables_of_networks_are_fresh() {
    the_table_of_networks();
    the_table_of_lost_answers();
}

fn the_table_of_networks() {
    const BEGIN: &str = "<!-- networks: made by `smm networks --format markdown` -->\n\n";
    const END: &str = "\n<!-- /networks -->";
    let path = root().join("README.md");
    let text = fs::read_to_string(&path).expect("a README");
    let (before, rest) = text.split_once(BEGIN).expect("the table's first mark");
    let (table, after) = rest.split_once(END).expect("the table's last mark");
    let fresh = TestEnv::new().smm(&["networks", "--format", "markdown"]).expect(0).stdout;
    if std::env::var_os("SMM_UPDATE").is_some() {
        fs::write(&path, format!("{before}{BEGIN}{fresh}{END}{after}")).expect("the README is written");
    } else {
        assert_eq!(table, fresh, "the table in README.md is stale: run `SMM_UPDATE=1 cargo nextest run` and commit it");
    }
}

fn the_table_of_lost_answers() {
    const BEGIN: &str = "| what a lost answer leads to | networks |\n|---|---|\n";
    let path = root().join("README.md");
    let text = fs::read_to_string(&path).expect("a README");
    let (before, rest) = text.split_once(BEGIN).expect("the table");
    let rows = rest.split_inclusive('\n').take_while(|line| line.starts_with('|')).map(str::len).sum();
    let (table, after) = rest.split_at(rows);
    let mut classes: Vec<(&str, Vec<&str>)> = Vec::new();
    for network in smm::networks::ALL {
        let (leads, name) = (network.profile().repeat.explain(), network.profile().name);
        match classes.iter_mut().find(|(known, _)| *known == leads) {
            Some((_, names)) => names.push(name),
            None => classes.push((leads, vec![name])),
        }
    }
    let mut fresh = String::new();
    for (leads, names) in &classes {
        let _ = writeln!(fresh, "| {leads} | {} |", names.join(", "));
    }
    if std::env::var_os("SMM_UPDATE").is_some() {
        fs::write(&path, format!("{before}{BEGIN}{fresh}{after}")).expect("the README is written");
    } else {
        assert_eq!(table, fresh, "the table in README.md is stale: run `SMM_UPDATE=1 cargo nextest run` and commit it");
    }
    let key = RepeatSafety::Key { window_seconds: 3600 };
    assert!(text.contains(&format!("Mastodon itself keeps a post's key for an hour: there it is {}", key.explain())));
}

/// What the README shows of `smm.toml` is accepted as it is printed.
#[test]
fn the_settings_in_the_readme_are_accepted() {
    let readme = fs::read_to_string(root().join("README.md")).expect("a README");
    let shown: Vec<&str> = readme
        .split("```toml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .filter(|text| text.starts_with("# smm.toml\n"))
        .collect();
    assert!(shown.len() >= 2, "{shown:?}");
    for text in shown {
        let env = TestEnv::new();
        env.write("calendar.toml", "name = \"acme\"\ntimezone = \"UTC\"\n");
        env.write("smm.toml", text);
        env.smm(&["check", "--config", "smm.toml"]).expect(0);
    }
}

/// Every command that the README and CONTRIBUTING name is one.
#[test]
fn named_commands_exist() {
    let env = TestEnv::new();
    for document in ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"] {
        let text = fs::read_to_string(root().join(document)).expect("a document");
        let words = text.split("smm ").skip(1).filter_map(|rest| rest.split(|c: char| !c.is_ascii_lowercase()).next());
        // In a sentence, `smm` does things, too.
        let named =
            words.filter(|word| text.contains(&format!("`smm {word}")) || text.contains(&format!("\nsmm {word}")));
        for command in named.filter(|word| !word.is_empty()) {
            env.smm(&[command, "--help"]).expect(0);
        }
    }
}

#[test]
fn patterns_match_as_told() {
    assert!(line_as_expected("a 12 b", "a [..] b"));
    assert!(!line_as_expected("a 12 c", "a [..] b"));
    let lines = ["one", "two", "three"];
    let pattern = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    assert!(as_expected(&lines, &pattern("...\nthree")));
    assert!(!as_expected(&lines, &pattern("one\nthree")));
}
