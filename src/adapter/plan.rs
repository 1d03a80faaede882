//! A plan: the ordered steps that publish a draft, as data that can be stored, shown and compared.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Fault;
use crate::model::{Frozen, Prepared, Problem, Receipt, Severity};

/// The ordered steps that publish a draft. No secret in it; the same draft gives the same bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// In order. Every part has exactly one [`StepKind::Publish`], and parts are numbered from 0 without a gap.
    pub steps: Vec<Step>,
}

impl Plan {
    /// Adds a step that does `task`, an adapter's own plain data, and gives its index.
    pub fn push(&mut self, part: u16, kind: StepKind, task: &impl Serialize) -> usize {
        let index = self.steps.len();
        let payload = serde_json::to_value(task).expect("a task is plain data");
        self.steps.push(Step { index, part, kind, payload });
        index
    }

    /// Adds a repeatable step.
    pub fn prepare(&mut self, part: u16, task: &impl Serialize) -> usize {
        self.push(part, StepKind::Prepare, task)
    }

    /// Adds the irreversible step of a part.
    pub fn publish(&mut self, part: u16, task: &impl Serialize) -> usize {
        self.push(part, StepKind::Publish, task)
    }

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

impl Step {
    /// Its task, as [`Plan::push`] took it. [`Fault::NotSent`]: it is another version's, or was changed.
    pub fn task<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        T::deserialize(&self.payload).map_err(|error| Fault::NotSent(format!("a step cannot be read: {error}")))
    }
}

/// Whether what checking found lets a draft be planned: no error. What is less is left out of the refusal.
pub fn refused(mut problems: Vec<Problem>) -> Result<(), Vec<Problem>> {
    problems.retain(|problem| problem.severity == Severity::Error);
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// What a frozen request holds, as the adapter put it together. [`Fault::NotSent`]: it is another version's, or was changed.
pub fn thawed<T: DeserializeOwned>(frozen: &Frozen) -> Result<T, Fault> {
    T::deserialize(&frozen.request).map_err(|error| Fault::NotSent(format!("the request cannot be read: {error}")))
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

    /// The value that a repeatable step gave, read. [`Fault::NotSent`]: it has not been run, or gave something else.
    pub fn given<T: DeserializeOwned>(&self, step: usize) -> Result<T, Fault> {
        let value = self.value(step).ok_or_else(|| Fault::NotSent(format!("step {step} has not been prepared")))?;
        T::deserialize(value).map_err(|error| Fault::NotSent(format!("what step {step} gave cannot be read: {error}")))
    }

    /// The receipt of a part. [`Fault::NotSent`]: it is not out.
    pub fn receipt(&self, part: u16) -> Result<&Receipt, Fault> {
        let receipt = self.receipts.iter().find(|receipt| receipt.part == part);
        receipt.ok_or_else(|| Fault::NotSent(format!("part {part} has no receipt to go after")))
    }

    /// The receipt of the part before this one; `None` for the first. [`Fault::NotSent`]: that part is not out.
    pub fn before(&self, part: u16) -> Result<Option<&Receipt>, Fault> {
        part.checked_sub(1).map(|before| self.receipt(before)).transpose()
    }
}
