//! The schema that is committed is the one that this program writes.

use std::path::Path;

use crate::support::TestEnv;

#[test]
fn the_committed_schema_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("calendar.schema.json");
    let written = TestEnv::new().smm(&["schema"]).expect(0).stdout;
    if std::env::var_os("SMM_UPDATE").is_some() {
        std::fs::write(&path, &written).expect("the schema is written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == written,
        "calendar.schema.json is stale: run `SMM_UPDATE=1 cargo test --test it schema` and commit it"
    );
}

#[test]
fn both_files_have_a_schema() {
    let env = TestEnv::new();
    let calendar = env.smm(&["schema", "calendar"]).expect(0).json();
    assert_eq!(calendar["title"], "calendar.toml");
    assert_eq!(calendar["required"], serde_json::json!(["name", "timezone"]));
    assert_eq!(calendar["definitions"]["Post"]["properties"]["visibility"]["oneOf"][1]["const"], "unlisted");
    let config = env.smm(&["schema", "config"]).expect(0).json();
    assert_eq!(config["title"], "smm.toml");
    let accounts = config["definitions"]["Account"]["oneOf"].as_array().expect("accounts").clone();
    assert!(accounts.iter().any(|account| account["properties"]["network"]["const"] == "bluesky"), "{accounts:#?}");
    env.smm(&["schema", "nonsense"]).expect(2);
}
