//! What can go wrong, and what holds then: `tests/faults.toml` is whole, and names tests that are there.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::support::rust_files;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    fault: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    number: u32,
    fault: String,
    /// How it is made here.
    made: Option<String>,
    /// `file::name`.
    #[serde(default)]
    tests: Vec<String>,
    /// Why no test covers it.
    not: Option<String>,
}

/// The file has a test of this name: a function, a line of one of our own macros, or a trial that is named at run time.
fn has(text: &str, name: &str) -> bool {
    let line = format!("{name} \"");
    text.contains(&format!("fn {name}("))
        || text.contains(&format!("\"{name}\""))
        || text.lines().any(|text| text.trim_start().starts_with(&line))
}

#[test]
fn the_table_is_whole_and_its_tests_are_there() {
    let table: Table = toml::from_str(include_str!("../faults.toml")).expect("faults.toml is read");
    let numbers: Vec<u32> = table.fault.iter().map(|entry| entry.number).collect();
    assert_eq!(numbers, (1..=76).collect::<Vec<_>>(), "each fault once, in order");
    let files: BTreeMap<String, String> = ["src", "tests"].into_iter().flat_map(rust_files).collect();
    let mut covered = 0;
    for entry in &table.fault {
        let Entry { number, fault, made, tests, not } = entry;
        assert!(!fault.is_empty(), "{number}");
        if let Some(why) = not {
            assert!(tests.is_empty() && made.is_none() && why.len() > 40, "{number}: tests, or a reason");
            eprintln!("F{number:02} not covered: {fault}: {why}");
        } else {
            assert!(made.as_ref().is_some_and(|made| made.len() > 10), "{number}: how it is made is told");
            assert!(!tests.is_empty(), "{number}: tests, or a reason");
            covered += 1;
        }
        for test in tests {
            let (path, name) = test.split_once("::").expect("a file and a name");
            let text = files.get(path).unwrap_or_else(|| panic!("{number}: there is no file {path}"));
            assert!(has(text, name), "{number}: there is no test {name} in {path}");
        }
    }
    eprintln!("{covered} of {} faults are covered", table.fault.len());
}
