//! Requests and answers held against `OpenAPI` 3.1 documents: operation, query, headers, body, status, answer. Nothing that the
//! document does not name may be sent or answered.
//!
//! `oneOf` is read as `anyOf`: documents use it for "one of these forms, or several of them at once", and a value that fits
//! two forms is no mistake.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use smm::adapter::suite::Seen;

use super::Finding;

/// Schemas in schemas are followed so far.
const DEPTH: usize = 40;

/// Documents, each with what stands before its paths.
pub(super) struct Specification {
    docs: Vec<(String, Value)>,
    /// A field of a form whose JSON stands for the fields beside it.
    unpacked: Option<&'static str>,
    /// Name of an event's type → schema of its content.
    events: Value,
    validators: RefCell<BTreeMap<String, std::rc::Rc<jsonschema::Validator>>>,
}

/// A form's or JSON body's fields, as they are checked.
struct Body {
    value: Value,
    /// Where its schema stands.
    mime: &'static str,
}

impl Specification {
    pub(super) fn new(docs: Vec<(impl Into<String>, Value)>) -> Self {
        let docs = docs.into_iter().map(|(base, doc)| (base.into(), lenient(doc))).collect();
        Self { docs, unpacked: None, events: Value::Null, validators: RefCell::default() }
    }

    pub(super) fn unpacking(self, field: &'static str) -> Self {
        Self { unpacked: Some(field), ..self }
    }

    pub(super) fn with_events(self, events: Value) -> Self {
        Self { events: lenient(events), ..self }
    }

    /// Checks a request and its answer. The operation, and the fields that were sent; `None`: there is no such operation.
    pub(super) fn check(&self, seen: &Seen, findings: &mut Vec<Finding>) -> Option<(String, BTreeSet<String>)> {
        let method = seen.method.to_lowercase();
        let Some((doc, template, operation, path)) = self.operation(&method, &seen.path) else {
            let says = format!("no such operation: {} {}", seen.method, seen.path);
            findings.push(Finding { at: String::new(), says });
            return None;
        };
        let at = format!("{} {template}", seen.method);
        let mut found = |says: String| findings.push(Finding { at: at.clone(), says });
        let mut fields = BTreeSet::new();
        self.parameters(doc, &operation, &path, seen, &mut fields, &mut found);
        self.body(doc, &operation, seen, &mut fields, &mut found);
        if let Some(kind) = path.get("eventType") {
            self.event(kind, seen, &mut found);
        }
        match &seen.answer {
            Some(answer) => self.answer(doc, &operation, answer.status, &answer.body, &mut found),
            None => found("it was never answered".to_owned()),
        }
        Some((at, fields))
    }

    /// The document, the path's template, the operation with the path's own parameters, and what stood in the path.
    fn operation(&self, method: &str, path: &str) -> Option<(usize, String, Value, BTreeMap<String, String>)> {
        #[expect(clippy::type_complexity, reason = "what is given, with how good it is")]
        let mut best: Option<(usize, usize, String, Value, BTreeMap<String, String>)> = None;
        for (number, (base, doc)) in self.docs.iter().enumerate() {
            let Some(rest) = path.strip_prefix(base.as_str()) else { continue };
            for (template, item) in doc["paths"].as_object().expect("paths") {
                let (Some(operation), Some(taken)) = (item.get(method), matched(template, rest)) else { continue };
                // The one with the fewest gaps is meant.
                if best.as_ref().is_some_and(|best| best.1 <= taken.len()) {
                    continue;
                }
                let mut operation = operation.clone();
                let shared = item["parameters"].as_array().cloned().unwrap_or_default();
                let mut own = operation["parameters"].as_array().cloned().unwrap_or_default();
                own.extend(shared);
                operation["parameters"] = Value::Array(own);
                best = Some((number, taken.len(), format!("{base}{template}"), operation, taken));
            }
        }
        best.map(|(number, _, template, operation, taken)| (number, template, operation, taken))
    }

    fn parameters(
        &self,
        doc: usize,
        operation: &Value,
        path: &BTreeMap<String, String>,
        seen: &Seen,
        fields: &mut BTreeSet<String>,
        found: &mut impl FnMut(String),
    ) {
        let query: Vec<(String, String)> = url::form_urlencoded::parse(seen.query.as_bytes()).into_owned().collect();
        let parameters: Vec<&Value> =
            operation["parameters"].as_array().into_iter().flatten().map(|one| self.resolve(doc, one)).collect();
        let of = |place: &str, name: &str| {
            let name = name.to_lowercase();
            parameters
                .iter()
                .find(|one| one["in"] == place && one["name"].as_str().is_some_and(|own| own.to_lowercase() == name))
        };
        for (name, value) in &query {
            fields.insert(format!("?{name}"));
            match of("query", name) {
                Some(parameter) => self.text(doc, &parameter["schema"], value, &format!("query {name}"), found),
                None => found(format!("query {name}: it is not in the specification")),
            }
        }
        for (name, value) in path {
            if let Some(parameter) = of("path", name) {
                self.text(doc, &parameter["schema"], value, &format!("path {name}"), found);
            }
        }
        for parameter in parameters.iter().filter(|one| one["required"] == true) {
            let name = parameter["name"].as_str().unwrap_or_default();
            let there = match parameter["in"].as_str() {
                Some("query") => query.iter().any(|(own, _)| own == name),
                Some("header") => seen.header(&name.to_lowercase()).is_some(),
                _ => true,
            };
            if !there {
                found(format!("{name}: required, and not sent"));
            }
        }
        for (name, _) in &seen.headers {
            if of("header", name).is_some() {
                fields.insert(format!("{name}:"));
            }
        }
    }

    fn body(
        &self,
        doc: usize,
        operation: &Value,
        seen: &Seen,
        fields: &mut BTreeSet<String>,
        found: &mut impl FnMut(String),
    ) {
        let Some(wanted) = operation.get("requestBody").map(|body| self.resolve(doc, body)) else {
            if !seen.body.is_empty() {
                found("a body, where none is taken".to_owned());
            }
            return;
        };
        if seen.body.is_empty() {
            if wanted["required"] == true {
                found("no body, where one is needed".to_owned());
            }
            return;
        }
        let content = &wanted["content"];
        let kind = seen.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default().trim();
        let mime = match kind {
            "application/json" => "application/json",
            "multipart/form-data" => "multipart/form-data",
            "application/x-www-form-urlencoded" => "application/x-www-form-urlencoded",
            // Bytes, such as an upload: nothing in them is told.
            other
                if content.get(other).is_some()
                    || content.get("*/*").is_some()
                    || content.get("application/octet-stream").is_some() =>
            {
                return;
            }
            other => return found(format!("a body of type `{other}`")),
        };
        let Some(schema) = content.get(mime).map(|media| &media["schema"]) else {
            return found(format!("a body of type `{mime}`"));
        };
        let body = match self.read(doc, schema, mime, seen) {
            Ok(body) => body,
            Err(why) => return found(why),
        };
        if let Value::Object(sent) = &body.value {
            fields.extend(sent.keys().cloned());
        }
        debug_assert_eq!(body.mime, mime);
        self.value(doc, schema, &body.value, "body", found);
    }

    /// The fields of a body. Text in a form is what its schema makes of it.
    fn read(&self, doc: usize, schema: &Value, mime: &'static str, seen: &Seen) -> Result<Body, String> {
        if mime == "application/json" {
            let value =
                serde_json::from_slice(&seen.body).map_err(|error| format!("a body that is no JSON: {error}"))?;
            return Ok(Body { value, mime });
        }
        let form = if mime == "multipart/form-data" {
            parts(seen.header("content-type").unwrap_or_default(), &seen.body)?
        } else {
            url::form_urlencoded::parse(&seen.body)
                .into_owned()
                .map(|(name, text)| Part { name, text, file: false })
                .collect()
        };
        let attached: BTreeSet<String> = form
            .iter()
            .flat_map(|part| part.text.split('"'))
            .filter_map(|word| word.strip_prefix("attach://"))
            .map(str::to_owned)
            .collect();
        let mut fields = Map::new();
        for part in form {
            if part.file && attached.contains(&part.name) {
                continue;
            }
            if self.unpacked == Some(part.name.as_str()) {
                let inner: Map<String, Value> =
                    serde_json::from_str(&part.text).map_err(|error| format!("`{}` is no JSON: {error}", part.name))?;
                fields.extend(inner);
                continue;
            }
            let value = if part.file { json!("a file") } else { self.meant(doc, schema, &part.name, part.text) };
            fields.insert(part.name, value);
        }
        Ok(Body { value: Value::Object(fields), mime })
    }

    /// A form's text: text where its schema takes that, else JSON.
    fn meant(&self, doc: usize, schema: &Value, name: &str, text: String) -> Value {
        let mut forms = Vec::new();
        for form in self.forms(doc, &[schema], DEPTH) {
            forms.extend(form["properties"].get(name));
        }
        let is_text = self.forms(doc, &forms, DEPTH).iter().any(|form| {
            form["type"] == "string" || form["type"].as_array().is_some_and(|types| types.contains(&json!("string")))
        });
        if is_text { Value::String(text) } else { serde_json::from_str(&text).unwrap_or(Value::String(text)) }
    }

    fn answer(&self, doc: usize, operation: &Value, status: u16, body: &[u8], found: &mut impl FnMut(String)) {
        let responses = &operation["responses"];
        let class = format!("{}XX", status / 100);
        let response = responses.get(status.to_string()).or(responses.get(&class)).or(responses.get("default"));
        let Some(response) = response.map(|response| self.resolve(doc, response)) else {
            return found(format!("answer {status}: the specification has none"));
        };
        let schema = response["content"].get("application/json").map(|media| &media["schema"]);
        match (schema, body.is_empty()) {
            (None, true) => {}
            // An answer whose form is not told.
            (None, false) if (400..600).contains(&status) => {}
            (None, false) => found(format!("answer {status}: a body, where none is told")),
            (Some(_), true) => found(format!("answer {status}: no body")),
            (Some(schema), false) => match serde_json::from_slice::<Value>(body) {
                Ok(value) => self.value(doc, schema, &value, &format!("answer {status}"), found),
                Err(error) => found(format!("answer {status}: no JSON: {error}")),
            },
        }
    }

    /// The content of an event: its type's schema says what is in it.
    fn event(&self, kind: &str, seen: &Seen, found: &mut impl FnMut(String)) {
        let Ok(content) = serde_json::from_slice::<Value>(&seen.body) else { return };
        let named = content["msgtype"].as_str().map(|kind_of| format!("{kind}${kind_of}"));
        let schema = named.and_then(|name| self.events.get(name)).or(self.events.get(kind));
        let Some(schema) = schema else { return found(format!("no such event: {kind} {}", content["msgtype"])) };
        for error in validator(schema, &Value::Null).iter_errors(&content) {
            found(format!("event {kind} {}: {error}", error.instance_path()));
        }
    }

    /// A text in an address: it may stand for a number or a truth.
    fn text(&self, doc: usize, schema: &Value, text: &str, place: &str, found: &mut impl FnMut(String)) {
        let as_text = Value::String(text.to_owned());
        let as_json = serde_json::from_str::<Value>(text).ok();
        let validator = self.validator(doc, schema);
        if !validator.is_valid(&as_text) && !as_json.is_some_and(|value| validator.is_valid(&value)) {
            found(format!("{place}: `{text}` is not as the specification has it"));
        }
    }

    fn value(&self, doc: usize, schema: &Value, value: &Value, place: &str, found: &mut impl FnMut(String)) {
        for error in self.validator(doc, schema).iter_errors(value) {
            let told: String = error.to_string().chars().take(300).collect();
            found(format!("{place} {}: {told}", error.instance_path()));
        }
        self.strange(doc, &[schema], value, place, found);
    }

    /// Fields that the specification does not name.
    fn strange(&self, doc: usize, schemas: &[&Value], value: &Value, place: &str, found: &mut impl FnMut(String)) {
        let forms = self.forms(doc, schemas, DEPTH);
        match value {
            Value::Object(fields) => {
                // A form without fields of its own takes any; so does no form at all.
                let is_free = |form: &&Value| {
                    let more = form.get("additionalProperties");
                    let named = form.get("properties").is_some() || more == Some(&Value::Bool(false));
                    more.is_some_and(|more| *more != Value::Bool(false))
                        || form.get("patternProperties").is_some()
                        || (!named && (form["type"] == "object" || form.as_object().is_some_and(Map::is_empty)))
                };
                let free = forms.is_empty() || forms.iter().any(is_free);
                for (name, inner) in fields {
                    let mut known: Vec<&Value> = forms.iter().filter_map(|form| form["properties"].get(name)).collect();
                    if known.is_empty() && !free {
                        found(format!("{place} /{name}: it is not in the specification"));
                        continue;
                    }
                    known.extend(
                        forms
                            .iter()
                            .filter_map(|form| form.get("additionalProperties"))
                            .filter(|more| more.is_object()),
                    );
                    if !known.is_empty() {
                        self.strange(doc, &known, inner, &format!("{place} /{name}"), found);
                    }
                }
            }
            Value::Array(values) => {
                let items: Vec<&Value> = forms.iter().filter_map(|form| form.get("items")).collect();
                if !items.is_empty() {
                    for inner in values {
                        self.strange(doc, &items, inner, place, found);
                    }
                }
            }
            _ => {}
        }
    }

    /// The schemas themselves, and all that they are put together from.
    fn forms<'a>(&'a self, doc: usize, schemas: &[&'a Value], depth: usize) -> Vec<&'a Value> {
        let mut all = Vec::new();
        for schema in schemas {
            let schema = self.resolve(doc, schema);
            let inner: Vec<&Value> =
                ["allOf", "anyOf"].iter().flat_map(|key| schema[*key].as_array().into_iter().flatten()).collect();
            if inner.is_empty() || schema.get("properties").is_some() {
                all.push(schema);
            }
            if depth > 0 && !inner.is_empty() {
                all.extend(self.forms(doc, &inner, depth - 1));
            }
        }
        all
    }

    fn resolve<'a>(&'a self, doc: usize, value: &'a Value) -> &'a Value {
        let mut value = value;
        for _ in 0..DEPTH {
            let Some(pointer) = value["$ref"].as_str().and_then(|pointer| pointer.strip_prefix('#')) else { break };
            value = self.docs[doc].1.pointer(pointer).unwrap_or_else(|| panic!("`{pointer}` leads nowhere"));
        }
        value
    }

    fn validator(&self, doc: usize, schema: &Value) -> std::rc::Rc<jsonschema::Validator> {
        let key = format!("{doc} {schema}");
        if let Some(known) = self.validators.borrow().get(&key) {
            return std::rc::Rc::clone(known);
        }
        let made = std::rc::Rc::new(validator(schema, &self.docs[doc].1["components"]));
        self.validators.borrow_mut().insert(key, std::rc::Rc::clone(&made));
        made
    }
}

fn validator(schema: &Value, components: &Value) -> jsonschema::Validator {
    let mut root = json!({"allOf": [schema]});
    if !components.is_null() {
        root["components"] = components.clone();
    }
    jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .build(&root)
        .unwrap_or_else(|error| panic!("a schema that is none: {error}"))
}

/// `oneOf` as `anyOf`, wherever it is a word of a schema.
fn lenient(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let rename = |name: String, value: &Value| {
                if name == "oneOf" && value.is_array() { "anyOf".to_owned() } else { name }
            };
            Value::Object(fields.into_iter().map(|(name, value)| (rename(name, &value), lenient(value))).collect())
        }
        Value::Array(values) => Value::Array(values.into_iter().map(lenient).collect()),
        other => other,
    }
}

/// What stands in a path's gaps.
fn matched(template: &str, path: &str) -> Option<BTreeMap<String, String>> {
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    if template.len() != path.len() {
        return None;
    }
    let mut taken = BTreeMap::new();
    let last = template.len() - 1;
    for (index, (wanted, given)) in template.iter().zip(path).enumerate() {
        match wanted.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            // A name at the end may be empty, as the key of most of a Matrix room's state is.
            Some(name) if !given.is_empty() || index == last => {
                let query = format!("x={}", given.replace('+', "%2B"));
                let text = url::form_urlencoded::parse(query.as_bytes()).next().map(|(_, text)| text.into_owned());
                taken.insert(name.to_owned(), text.unwrap_or_default());
            }
            None if *wanted == given => {}
            _ => return None,
        }
    }
    Some(taken)
}

/// A field of a form.
struct Part {
    name: String,
    text: String,
    file: bool,
}

/// The parts of a form (RFC 7578).
fn parts(kind: &str, body: &[u8]) -> Result<Vec<Part>, String> {
    let boundary = kind.split("boundary=").nth(1).ok_or("a form without a boundary")?.trim_matches('"');
    let mark = format!("--{boundary}");
    let text = String::from_utf8_lossy(body);
    let mut parts = Vec::new();
    for piece in text.split(mark.as_str()).skip(1) {
        if piece.starts_with("--") {
            return Ok(parts);
        }
        let (head, text) = piece.split_once("\r\n\r\n").ok_or("a part without an end of its head")?;
        let disposition = head.lines().find(|line| line.to_lowercase().starts_with("content-disposition:"));
        let disposition = disposition.ok_or("a part without a name")?;
        let word = |key: &str| Some(disposition.split(&format!("; {key}=\"")).nth(1)?.split('"').next()?.to_owned());
        let file = disposition.contains("; filename");
        if file && !head.to_lowercase().contains("content-type:") {
            return Err("a file without a type".to_owned());
        }
        let name = word("name").ok_or("a part without a name")?;
        parts.push(Part { name, text: text.strip_suffix("\r\n").unwrap_or(text).to_owned(), file });
    }
    Err("a form without an end".to_owned())
}
