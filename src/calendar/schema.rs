//! JSON Schema of the two files, made from the very types that they are read with, for editors.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::raw::{RawCalendar, RawConfig};
use super::{Known, KnownNetwork};

/// Schema of `calendar.toml`. Of the accounts, those of networks that need no credential may stand in it.
pub fn calendar_schema(known: &Known) -> Value {
    let free: Vec<_> = known.networks.iter().filter(|network| network.credential_free).collect();
    schema::<RawCalendar>(&free, false)
}

/// Schema of `smm.toml`.
pub fn config_schema(known: &Known) -> Value {
    let all: Vec<_> = known.networks.iter().collect();
    schema::<RawConfig>(&all, true)
}

/// Draft 7 is what every editor's TOML support understands.
fn schema<T: JsonSchema>(networks: &[&KnownNetwork], with_server: bool) -> Value {
    let mut schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<T>().to_value();
    tidy(&mut schema);
    if let Some(definitions) = schema.get_mut("definitions").and_then(Value::as_object_mut)
        && let Some(account) = definitions.get_mut("Account")
    {
        *account = accounts(account, networks, with_server);
    }
    schema
}

/// TOML has no null, tables have no other keys, and the names of our types are nobody's business.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Array(list) => list.iter_mut().for_each(tidy),
        Value::Object(object) => {
            if let Some(Value::String(reference)) = object.get_mut("$ref") {
                *reference = reference.replace("/Raw", "/");
            }
            if let Some(Value::Array(types)) = object.get_mut("type") {
                types.retain(|word| word != "null");
                if let [one] = types.as_slice() {
                    let one = one.clone();
                    object.insert("type".to_owned(), one);
                }
            }
            if let Some(Value::Array(any)) = object.get_mut("anyOf") {
                any.retain(|one| one != &json!({ "type": "null" }));
                if let [Value::Object(one)] = any.as_slice() {
                    let one = one.clone();
                    object.remove("anyOf");
                    // Beside a `$ref` nothing else counts in draft 7, so it stands in an `allOf`.
                    if one.contains_key("$ref") && !object.is_empty() {
                        object.insert("allOf".to_owned(), json!([one]));
                    } else {
                        object.extend(one);
                    }
                }
            }
            if object.contains_key("properties") && !object.contains_key("additionalProperties") {
                object.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
            if let Some(Value::Object(definitions)) = object.get_mut("definitions") {
                let named = std::mem::take(definitions).into_iter();
                *definitions = named.map(|(name, value)| (name.trim_start_matches("Raw").to_owned(), value)).collect();
            }
            object.values_mut().for_each(tidy);
        }
        _ => {}
    }
}

/// One choice for each network: the keys that all accounts have, and its own.
fn accounts(common: &Value, networks: &[&KnownNetwork], with_server: bool) -> Value {
    let choice = |network: &&KnownNetwork| {
        let mut properties = common.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
        if !with_server {
            properties.remove("server");
        }
        properties.insert("network".to_owned(), json!({ "const": network.id, "description": network.name }));
        let own = network.settings.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
        properties.extend(own);
        let mut required = vec![Value::from("network")];
        required.extend(network.settings.get("required").and_then(Value::as_array).into_iter().flatten().cloned());
        let mut choice = Map::new();
        choice.insert("title".to_owned(), network.name.into());
        choice.insert("type".to_owned(), "object".into());
        choice.insert("properties".to_owned(), properties.into());
        choice.insert("required".to_owned(), required.into());
        choice.insert("additionalProperties".to_owned(), false.into());
        let mut choice = Value::Object(choice);
        tidy(&mut choice);
        choice
    };
    let description = common.get("description").cloned().unwrap_or_default();
    json!({ "description": description, "type": "object", "oneOf": networks.iter().map(choice).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::raw::*;
    use crate::calendar::read::Table;

    /// The schema's keys of a type, sorted.
    fn keys(schema: &Value, name: &str) -> Vec<String> {
        let table = if name.is_empty() { schema } else { &schema["definitions"][name] };
        assert_eq!(table["additionalProperties"], false, "{name}");
        let mut keys: Vec<_> = table["properties"].as_object().expect("properties").keys().cloned().collect();
        keys.sort_unstable();
        keys
    }

    fn read<T: Table>() -> Vec<String> {
        let mut keys: Vec<_> = T::keys().into_iter().map(str::to_owned).collect();
        keys.sort_unstable();
        keys
    }

    #[test]
    fn schema_and_reader_know_the_same_keys() {
        let calendar = calendar_schema(&Known::default());
        assert_eq!(keys(&calendar, ""), read::<RawCalendar>());
        assert_eq!(keys(&calendar, "Post"), read::<RawPost>());
        assert_eq!(keys(&calendar, "Content"), read::<RawContent>());
        assert_eq!(keys(&calendar, "Defaults"), read::<RawDefaults>());
        assert_eq!(keys(&calendar, "Media"), read::<RawMedia>());
        assert_eq!(keys(&calendar, "Poll"), read::<RawPoll>());
        assert_eq!(keys(&calendar, "Utm"), read::<RawUtm>());
        let config = config_schema(&Known::default());
        assert_eq!(keys(&config, ""), read::<RawConfig>());
        assert_eq!(keys(&config, "Delivery"), read::<RawDelivery>());
        assert_eq!(keys(&config, "Alert"), read::<RawAlert>());
        assert!(read::<RawPost>().contains(&"for".to_owned()));
    }

    #[test]
    fn no_null_and_no_names_of_types() {
        let text = calendar_schema(&Known::default()).to_string() + &config_schema(&Known::default()).to_string();
        assert!(!text.contains("null") && !text.contains("Raw"), "{text}");
    }
}
