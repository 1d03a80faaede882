//! Findings as SARIF 2.1.0 (OASIS, errata 01), for code scanning and editors.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::printable;
use crate::calendar::Diagnostic;
use crate::model::{Severity, codes};

/// Most results of a run: GitHub takes 25,000 (2026-11-23).
const RESULTS: usize = 25_000;

/// The log of one run. `path` makes a diagnostic's file relative to the repository, with `/`; errors come first where there
/// are more than a service takes.
pub fn sarif(diagnostics: &[Diagnostic], path: &dyn Fn(&str) -> String) -> Value {
    let mut used: BTreeMap<&'static str, usize> = diagnostics.iter().map(|found| (found.code.0, 0)).collect();
    for (index, place) in used.values_mut().enumerate() {
        *place = index;
    }
    let mut first: Vec<&Diagnostic> = diagnostics.iter().collect();
    if first.len() > RESULTS {
        first.sort_by_key(|found| found.severity);
        first.truncate(RESULTS);
    }
    let mut seen = HashMap::new();
    let results: Vec<Value> =
        first.iter().map(|found| result(found, used[found.code.0], &path(&found.file), &mut seen)).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "smm",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": used.keys().map(|code| rule(code, diagnostics)).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

/// What `smm explain` says of a code.
fn rule(code: &'static str, diagnostics: &[Diagnostic]) -> Value {
    let of = diagnostics.iter().filter(|found| found.code.0 == code);
    let worst = of.map(|found| found.severity).min().unwrap_or(Severity::Warning);
    let known = codes::explain(code);
    let (summary, text) = known.map_or((code, code), |known| (known.summary, known.text));
    let help = format!("{text}\n\n`smm explain {code}` says the same.");
    json!({
        "id": code,
        "shortDescription": { "text": summary },
        "fullDescription": { "text": text },
        "help": { "text": help, "markdown": help },
        "defaultConfiguration": { "level": level(worst) },
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

fn result(found: &Diagnostic, rule: usize, path: &str, seen: &mut HashMap<String, usize>) -> Value {
    let mut message = found.message.clone();
    if let Some(help) = &found.help {
        message.push('\n');
        message.push_str(help);
    }
    let key = [
        found.code.0,
        path,
        found.post.as_ref().map_or("", |post| post.as_str()),
        found.account.as_ref().map_or("", |account| account.as_str()),
    ]
    .join("\0");
    // Of several that are alike, each has its number, so that lines above may come and go.
    let number = seen.entry(key.clone()).and_modify(|number| *number += 1).or_insert(0);
    let mut result = json!({
        "ruleId": found.code.0,
        "ruleIndex": rule,
        "level": level(found.severity),
        "message": { "text": plain(&message) },
        "partialFingerprints": { "smmFinding/v1": fingerprint(&key, *number) },
    });
    let uri = uri(path);
    if !uri.is_empty() {
        let end = (found.end_line, found.end_column).max((found.line, found.column));
        result["locations"] = json!([{ "physicalLocation": {
            "artifactLocation": { "uri": uri },
            "region": {
                "startLine": found.line.max(1),
                "startColumn": found.column.max(1),
                "endLine": end.0.max(1),
                "endColumn": end.1.max(1),
            },
        }}]);
    }
    result
}

fn fingerprint(key: &str, number: usize) -> String {
    let mut hash = Sha256::new();
    hash.update(key.as_bytes());
    hash.update((number as u64).to_be_bytes());
    crate::model::hex(&hash.finalize()[..16])
}

/// A message in which nothing is a link: `[` begins one (section 3.11.6).
fn plain(text: &str) -> String {
    printable(text).replace('\\', "\\\\").replace('[', "\\[").replace(']', "\\]")
}

/// A path as a relative reference (RFC 3986): what is not plain is encoded.
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.replace('\\', "/").bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => uri.push(char::from(byte)),
            _ => {
                let _ = write!(uri, "%{byte:02X}");
            }
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::{SourceFile, Sources, Span};
    use crate::model::Code;

    fn found(code: Code, severity: Severity, at: std::ops::Range<usize>) -> Diagnostic {
        let sources = Sources { files: vec![SourceFile::new("posts/ä b:c.toml", "text = \"ünd\"\nlink = \"x\"\n")] };
        let span = Span { file: 0, start: at.start, end: at.end };
        let mut found = Diagnostic::new(code, severity, "too [long](x)\u{202e}", &sources, span);
        found.help = Some("shorten it".to_owned());
        found
    }

    #[test]
    fn a_run_with_its_rules() {
        let all = [
            found(codes::TEXT_TOO_LONG, Severity::Error, 8..12),
            found(codes::TEXT_EMPTY, Severity::Warning, 14..23),
            found(codes::TEXT_TOO_LONG, Severity::Error, 8..12),
        ];
        let log = sarif(&all, &|path| path.to_owned());
        let run = &log["runs"][0];
        let rules: Vec<&str> = run["tool"]["driver"]["rules"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|rule| rule["id"].as_str().expect("an id"))
            .collect();
        assert_eq!(rules, ["text-empty", "text-too-long"]);
        let results = run["results"].as_array().expect("a list");
        assert_eq!(results[0]["ruleIndex"], 1);
        assert_eq!(results[0]["message"]["text"], "too \\[long\\](x)\\\\u{202e}\nshorten it");
        let place = &results[0]["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "posts/%C3%A4%20b%3Ac.toml");
        assert_eq!(place["region"], json!({"startLine": 1, "startColumn": 9, "endLine": 1, "endColumn": 12}));
        let prints: Vec<&Value> =
            results.iter().map(|result| &result["partialFingerprints"]["smmFinding/v1"]).collect();
        assert!(prints[0] != prints[1] && prints[0] != prints[2], "each has its own: {prints:?}");
        assert_eq!(sarif(&all, &|path| path.to_owned()), log, "the same findings, the same log");
    }

    #[test]
    fn a_finding_keeps_its_fingerprint_when_lines_move() {
        let (here, there) =
            (found(codes::TEXT_EMPTY, Severity::Error, 8..9), found(codes::TEXT_EMPTY, Severity::Error, 14..20));
        let print = |found: &Diagnostic| {
            sarif(std::slice::from_ref(found), &|path| path.to_owned())["runs"][0]["results"][0]["partialFingerprints"]
                .clone()
        };
        assert_eq!(print(&here), print(&there));
    }

    #[test]
    fn what_has_no_file_has_no_place() {
        let mut found = found(codes::TEXT_EMPTY, Severity::Error, 0..1);
        found.file.clear();
        let log = sarif(&[found], &|path| path.to_owned());
        assert!(log["runs"][0]["results"][0].get("locations").is_none(), "{log}");
    }
}
