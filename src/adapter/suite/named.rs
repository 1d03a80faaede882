//! Whether an adapter's README names what the adapter sends.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Seen;

/// What was sent and stands nowhere in `readme` between backticks: paths of fields (`content.media.id`; lists are left out of
/// them) of JSON bodies, and names of query parameters, alone or as `name=value`.
pub fn unnamed(readme: &str, seen: &[Seen]) -> BTreeSet<String> {
    let mut sent = BTreeSet::new();
    for request in seen {
        sent.extend(url::form_urlencoded::parse(request.query.as_bytes()).map(|(name, _)| name.into_owned()));
        if let Ok(body) = serde_json::from_slice::<Value>(&request.body) {
            fields("", &body, &mut sent);
        }
    }
    sent.retain(|name| !readme.contains(&format!("`{name}`")) && !readme.contains(&format!("`{name}=")));
    sent
}

/// The paths of the leaves.
fn fields(path: &str, value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                fields(&path, value, found);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for item in items {
                fields(path, item, found);
            }
        }
        _ => {
            found.insert(path.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_readme_names_is_found() {
        let request = |query: &str, body: &str| Seen {
            method: "POST".to_owned(),
            path: "/x".to_owned(),
            query: query.to_owned(),
            headers: Vec::new(),
            body: body.to_owned().into(),
            answer: None,
        };
        let seen = [
            request("action=begin&q=a", ""),
            request("", r#"{"text": "a", "poll": {"options": [{"text": "a"}], "tags": []}}"#),
            request("", "bytes"),
        ];
        let missing = |readme: &str| unnamed(readme, &seen).into_iter().collect::<Vec<_>>();
        assert_eq!(missing("`action=begin`, `text`, `poll.tags`"), ["poll.options.text", "q"]);
        assert_eq!(missing("text poll"), ["action", "poll.options.text", "poll.tags", "q", "text"]);
    }
}
