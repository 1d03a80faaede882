//! Holds a README to what is really sent. Below "What is sent" it has a table whose first column names calls, as `GET me`,
//! and whose second names parameters: `name`, `name=value` where it always has that value (or one of those that are named
//! so), and in capitals the values of the parameter before. `{…}` stands for a number in a path.

use std::collections::{BTreeMap, BTreeSet};

use super::Seen;

/// The parameters of each call, with the values that are told apart.
type Calls = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// Sees that the calls and their parameters are those that the README names. `skip` are what paths begin with, and a
/// parameter that is in all of them.
pub(crate) fn is_as_told(readme: &str, seen: &[Seen], (start, everywhere): (&str, &str)) {
    let told = told(readme);
    let mut sent = Calls::new();
    for seen in seen {
        let path = seen.path.strip_prefix(start).unwrap_or_else(|| panic!("{} is not below {start}", seen.path));
        let call = call(&seen.method, path);
        let parameters = sent.entry(call.clone()).or_default();
        let query = url::form_urlencoded::parse(seen.query.as_bytes());
        for (name, value) in query.chain(url::form_urlencoded::parse(&seen.body)) {
            if name == everywhere {
                continue;
            }
            let values = parameters.entry(name.clone().into_owned()).or_default();
            if told.get(&call).and_then(|told| told.get(&*name)).is_some_and(|values| !values.is_empty()) {
                values.insert(value.into_owned());
            }
        }
    }
    assert_eq!(sent, told, "left: sent, right: in the README");
}

/// What a README tells.
fn told(readme: &str) -> Calls {
    let (_, section) = readme.split_once("\n## What is sent\n").expect("a README says what is sent");
    let section = section.split("\n## ").next().unwrap_or(section);
    let mut told = Calls::new();
    let mut calls: Vec<String> = Vec::new();
    for row in section.lines().filter(|line| line.starts_with("| ") && line.contains('`')) {
        let mut cells = row.trim_matches('|').split(" | ");
        let (first, second) = (cells.next().unwrap_or_default(), cells.next().unwrap_or_default());
        let mut method = "";
        let named = coded(first).map(|text| {
            let (found, path) = text.split_once(' ').unwrap_or((method, text));
            method = found;
            call(found, path)
        });
        let named: Vec<String> = named.collect();
        if !named.is_empty() {
            calls = named;
        }
        for call in &calls {
            let parameters = told.entry(call.clone()).or_default();
            let mut last = "";
            for text in coded(second) {
                if text.bytes().all(|byte| byte.is_ascii_uppercase()) {
                    parameters.get_mut(last).expect("a parameter before its values").insert(text.to_owned());
                    continue;
                }
                let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
                parameters.entry(name.to_owned()).or_default().extend(value.map(str::to_owned));
                last = name;
            }
        }
    }
    told
}

fn coded(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// A call with all numbers and placeholders of its path alike.
fn call(method: &str, path: &str) -> String {
    let part = |part: &str| {
        let number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if number || part.starts_with('{') { "{}".to_owned() } else { part.to_owned() }
    };
    format!("{method} {}", path.split('/').map(part).collect::<Vec<_>>().join("/"))
}
