//! X's weighted count against twitter-text's published vectors, where they are at hand, and against a table of our own.

use std::path::PathBuf;

use smm::text::{Counting, MentionWeight, Unit, measure, overflow, weighted_length};

const X: Counting = Counting { unit: Unit::WeightedV3, link: None, mention: MentionWeight::Raw };

#[test]
fn own_cases() {
    for (text, weight) in [
        ("", 0),
        ("abc", 3),
        ("A\u{301}", 1),
        ("日本", 4),
        ("–‘’“”…", 7),
        ("👨‍👩‍👧‍👦", 2),
        ("👍🏽", 2),
        ("🇩🇪🇫🇷", 4),
        ("🏴󠁧󠁢󠁷󠁬󠁳󠁿", 2),
        ("1️⃣#️⃣", 4),
        ("❤️", 2),
        ("❤\u{fe0e}", 4),
        ("©", 1),
        ("©️", 2),
        ("https://acme.io", 23),
        ("see acme.io/2.0?a=b now", 4 + 23 + 4),
        ("https://acme.io/a, https://acme.io/b.", 23 + 2 + 23 + 1),
        ("日本語https://acme.ioです", 6 + 23 + 4),
        ("notes.txt", 9),
        ("@acme.io #acme.io $ACME.IO", 26),
        ("bob@acme.io", 11),
        ("http://no-tld http://acme.invalidtld", 13 + 1 + 22),
        ("(acme.com)", 25),
    ] {
        assert_eq!(measure(text, X), weight, "{text}");
    }
    assert_eq!(overflow(&"日".repeat(141), X, 280).map(|over| (over.length, over.fits_until)), Some((282, 420)));
}

#[test]
fn weighted_counter_vectors() {
    let Some(file) = vectors("validate.yml") else { return };
    let mut seen = 0;
    for (section, emoji) in [
        ("WeightedTweetsCounterTest", false),
        ("WeightedTweetsWithDiscountedEmojiCounterTest", true),
        ("UnicodeDirectionalMarkerCounterTest", true),
    ] {
        for case in cases(&file, section) {
            let expected: u64 = case.field("weightedLength").parse().expect("a number");
            let text = case.text();
            assert_eq!(weighted_length(&text, emoji), expected, "{section}: {}\n{text}", case.field("- description"));
            if emoji {
                assert_eq!(measure(&text, X), expected);
            }
            seen += 1;
        }
    }
    assert!(seen >= 40, "only {seen} vectors were found");
}

/// A text's weight tells how many links were found in it: each is made 23, whatever it was.
#[test]
fn link_extraction_vectors() {
    let Some(file) = vectors("extract.yml") else { return };
    let mut seen = 0;
    for case in cases(&file, "urls") {
        let text = case.text();
        let links: Vec<String> = serde_json::from_str(&unescaped(&case.field("expected"))).expect("a list");
        let mut rest = text.clone();
        for link in &links {
            rest = rest.replacen(link.as_str(), "", 1);
        }
        let plain = Counting { link: Some(0), ..X };
        let expected = rest.chars().map(|c| if u32::from(c) <= 4351 || matches!(c, '–' | '\u{2019}') { 1 } else { 2 });
        assert_eq!(measure(&text, plain), expected.sum::<u64>(), "{}\n{text}\n{links:?}", case.field("- description"));
        seen += 1;
    }
    assert!(seen >= 90, "only {seen} vectors were found");
}

fn vectors(name: &str) -> Option<String> {
    let specs = std::env::var_os("SMM_SPECS")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/specs")), PathBuf::from);
    let path = specs.join("twitter-text/conformance").join(name);
    let file = std::fs::read_to_string(&path).ok();
    if file.is_none() {
        eprintln!("SKIPPED: {} is not there (set SMM_SPECS)", path.display());
    }
    file
}

/// The lines of one vector.
struct Case<'a>(Vec<&'a str>);

impl Case<'_> {
    fn field(&self, name: &str) -> String {
        let value = self.0.iter().find_map(|line| line.trim_start().strip_prefix(name)?.strip_prefix(':'));
        value.unwrap_or_else(|| panic!("{name} in {:?}", self.0)).trim().to_owned()
    }

    fn text(&self) -> String {
        let value = self.field("text");
        match value.strip_prefix('\'') {
            Some(quoted) => quoted.trim_end_matches('\'').replace("''", "'"),
            None => serde_json::from_str(&unescaped(&value)).unwrap_or_else(|error| panic!("{error}: {value}")),
        }
    }
}

/// YAML's escapes of eight digits, which JSON has not.
fn unescaped(value: &str) -> String {
    let mut parts = value.split("\\U");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = u32::from_str_radix(&part[..8], 16).expect("eight digits");
        out.push(char::from_u32(code).expect("a character"));
        out.push_str(&part[8..]);
    }
    out
}

fn cases<'a>(file: &'a str, section: &str) -> Vec<Case<'a>> {
    let head = format!("  {section}:");
    let lines = file.lines().skip_while(|line| *line != head).skip(1);
    let mut cases: Vec<Case<'a>> = Vec::new();
    for line in lines.take_while(|line| !line.starts_with("  ") || line.starts_with("   ") || line.trim().is_empty()) {
        if line.trim_start().starts_with("- description:") {
            cases.push(Case(Vec::new()));
        }
        if let Some(case) = cases.last_mut() {
            case.0.push(line);
        }
    }
    cases
}
