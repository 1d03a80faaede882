//! Mastodon's count against a list of cases from its documented rules, where it is at hand. Own cases stand beside
//! `smm::text::measure`.

use std::path::PathBuf;

use smm::text::{Counting, MentionWeight, Unit, measure};

#[test]
fn listed_cases() {
    let specs = std::env::var_os("SMM_SPECS")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/specs")), PathBuf::from);
    let path = specs.join("mastodon/count-cases.json");
    let Ok(file) = std::fs::read_to_string(&path) else {
        eprintln!("SKIPPED: {} is not there (set SMM_SPECS)", path.display());
        return;
    };
    let file: serde_json::Value = serde_json::from_str(&file).expect("JSON");
    let counting = Counting { unit: Unit::Graphemes, link: Some(23), mention: MentionWeight::LocalPart };
    let limit = file["limit"].as_u64().expect("a limit");
    let cases = file["cases"].as_array().expect("cases");
    assert!(!cases.is_empty());
    for case in cases {
        let read = |plain: &str, expression: &str| match (case[plain].as_str(), case[expression].as_str()) {
            (Some(text), _) => text.to_owned(),
            (None, Some(expression)) => built(expression),
            (None, None) => String::new(),
        };
        let length =
            measure(&read("spoiler", "spoiler_expr"), counting) + measure(&read("text", "text_expr"), counting);
        assert_eq!(length <= limit, case["ok"].as_bool().expect("ok"), "{case}: {length}");
    }
}

/// `'a'*76 + ' ' + 'b'`.
fn built(expression: &str) -> String {
    let mut out = String::new();
    for term in expression.split(" + ") {
        let (text, times) = match term.rsplit_once("'*") {
            Some((text, times)) => (text, times.parse().expect("a number")),
            None => (term.trim_end_matches('\''), 1),
        };
        out.push_str(&text.trim_start_matches('\'').repeat(times));
    }
    out
}
