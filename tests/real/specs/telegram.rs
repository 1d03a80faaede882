//! Telegram's Bot API as an `OpenAPI` document. It is published as tables of methods and types.

use serde_json::{Map, Value, json};

/// The document for `{methods: {name: {returns, fields}}, types: {name: {fields, subtypes}}}`.
pub(super) fn openapi(api: &Value) -> Value {
    let mut paths = Map::new();
    for (name, method) in api["methods"].as_object().expect("methods") {
        let body = object(method);
        // What an answer holds is not told everywhere.
        let result = method["returns"].as_array().map_or_else(|| json!({}), |returns| any(returns));
        let good = json!({
            "type": "object", "required": ["ok", "result"], "additionalProperties": false,
            "properties": {"ok": {"const": true}, "result": result, "description": {"type": "string"}},
        });
        let bad = json!({
            "type": "object", "required": ["ok", "error_code", "description"], "additionalProperties": false,
            "properties": {
                "ok": {"const": false}, "error_code": {"type": "integer"}, "description": {"type": "string"},
                "parameters": {"$ref": "#/components/schemas/ResponseParameters"},
            },
        });
        let content = json!({"application/json": {"schema": body}, "multipart/form-data": {"schema": body}});
        let operation = json!({
            "parameters": [{"name": "bot", "in": "path", "required": true, "schema": {"type": "string"}}],
            "requestBody": {"content": content},
            "responses": {
                "200": {"content": {"application/json": {"schema": good}}},
                "4XX": {"content": {"application/json": {"schema": bad}}},
            },
        });
        paths.insert(format!("/{{bot}}/{name}"), json!({"post": operation}));
    }
    let mut schemas = Map::new();
    for (name, kind) in api["types"].as_object().expect("types") {
        let subtypes = kind["subtypes"].as_array().filter(|subtypes| !subtypes.is_empty());
        let schema = match (name.as_str(), subtypes) {
            // In a form it is a file; by itself the documentation gives it no fields.
            ("InputFile", _) => json!({"type": "string"}),
            (_, Some(subtypes)) => any(subtypes),
            (_, None) if kind["fields"].as_array().is_none_or(Vec::is_empty) => json!({"type": "object"}),
            (_, None) => object(kind),
        };
        schemas.insert(name.clone(), schema);
    }
    json!({"openapi": "3.1.0", "paths": paths, "components": {"schemas": schemas}})
}

fn object(described: &Value) -> Value {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for field in described["fields"].as_array().into_iter().flatten() {
        let name = field["name"].as_str().expect("a name");
        properties.insert(name.to_owned(), any(field["types"].as_array().expect("types")));
        if field["required"] == true {
            required.push(name);
        }
    }
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

fn any(types: &[Value]) -> Value {
    let types: Vec<_> = types.iter().map(|name| kind(name.as_str().expect("a type"))).collect();
    if let [one] = types.as_slice() { one.clone() } else { json!({"anyOf": types}) }
}

fn kind(name: &str) -> Value {
    if let Some(item) = name.strip_prefix("Array of ") {
        return json!({"type": "array", "items": kind(item)});
    }
    match name {
        "Integer" => json!({"type": "integer"}),
        "Float" => json!({"type": "number"}),
        "String" => json!({"type": "string"}),
        "Boolean" => json!({"type": "boolean"}),
        "True" => json!({"const": true}),
        name => json!({"$ref": format!("#/components/schemas/{name}")}),
    }
}

/// The same tables as the package `aiogram` has them: sections with their methods and types, which it calls annotations.
/// It does not say what a method gives.
pub(super) fn of_aiogram(schema: &Value) -> Value {
    let (mut methods, mut types) = (Map::new(), Map::new());
    let sections = schema["items"].as_array().expect("sections");
    for item in sections.iter().flat_map(|section| section["children"].as_array().into_iter().flatten()) {
        let Some(name) = item["name"].as_str() else { continue };
        let fields: Vec<_> = item["annotations"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|field| {
                let types = field["type"].as_str().unwrap_or_default();
                let list = types.strip_prefix("Array of ");
                let types: Vec<_> = list
                    .unwrap_or(types)
                    .split(" or ")
                    .flat_map(|types| types.split(", "))
                    .flat_map(|types| types.split(" and "))
                    .map(|one| if list.is_some() { format!("Array of {one}") } else { one.to_owned() })
                    .collect();
                json!({"name": field["name"], "types": types, "required": field["required"]})
            })
            .collect();
        if name.starts_with(|c: char| c.is_ascii_lowercase()) {
            methods.insert(name.to_owned(), json!({"fields": fields}));
        } else if fields.is_empty() {
            // A type that stands for several, which are listed in its description; or one that is not told.
            let lines = item["description"].as_str().unwrap_or_default().lines();
            let subtypes: Vec<&str> = lines.filter_map(|line| line.trim_start().strip_prefix("- ")).collect();
            types.insert(name.to_owned(), json!({"fields": [], "subtypes": subtypes}));
        } else {
            types.insert(name.to_owned(), json!({"fields": fields}));
        }
    }
    json!({"methods": methods, "types": types})
}
