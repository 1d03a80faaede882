//! A plan: the ordered steps that publish a draft, as data that can be stored, shown and compared.

use serde::{Deserialize, Serialize};

use crate::model::{Prepared, Receipt};

/// The ordered steps that publish a draft. No secret in it; the same draft gives the same bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// In order. Every part has exactly one [`StepKind::Publish`], and parts are numbered from 0 without a gap.
    pub steps: Vec<Step>,
}

impl Plan {
    /// Number of parts.
    pub fn parts(&self) -> u16 {
        let count = self.steps.iter().filter(|step| step.kind == StepKind::Publish).count();
        u16::try_from(count).unwrap_or(u16::MAX)
    }

    /// The irreversible step of a part.
    pub fn publish_step(&self, part: u16) -> Option<&Step> {
        self.steps.iter().find(|step| step.kind == StepKind::Publish && step.part == part)
    }
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its index in the plan.
    pub index: usize,
    /// The part that it belongs to, from 0.
    pub part: u16,
    /// May it be repeated?
    pub kind: StepKind,
    /// The adapter's own payload.
    pub payload: serde_json::Value,
}

/// May a step be repeated?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepKind {
    /// Repeatable: uploads, link cards, containers.
    Prepare,
    /// The irreversible call of a part.
    Publish,
}

/// What earlier steps of the same delivery gave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Values of repeatable steps.
    pub prepared: Vec<Prepared>,
    /// Parts that are out, in order.
    pub receipts: Vec<Receipt>,
}

impl Progress {
    /// The value that a repeatable step gave.
    pub fn value(&self, step: usize) -> Option<&serde_json::Value> {
        self.prepared.iter().find(|prepared| prepared.step == step).map(|prepared| &prepared.value)
    }
}
