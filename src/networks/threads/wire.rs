//! What goes over the wire, beside what all of the family do. Parameters and answers are those of `fbsamples/threads_api`,
//! Postman collection (read 2026-11-23).

use serde::Deserialize;
use serde_json::Value;

use crate::adapter::graph::Id;

/// `GET me?fields=id,username`.
#[derive(Debug, Deserialize)]
pub(super) struct MeAnswer {
    pub(super) id: Id,
    #[serde(default)]
    pub(super) username: String,
}

/// A number, in `GET {post}/insights`.
#[derive(Debug, Deserialize)]
pub(super) struct InsightAnswer {
    pub(super) name: String,
    #[serde(default)]
    values: Vec<InsightValue>,
    total_value: Option<InsightValue>,
}

#[derive(Debug, Deserialize)]
struct InsightValue {
    value: Value,
}

impl InsightAnswer {
    pub(super) fn number(&self) -> Option<u64> {
        self.values.first().or(self.total_value.as_ref())?.value.as_u64()
    }
}
