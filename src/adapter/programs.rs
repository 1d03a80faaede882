//! Programs that an adapter may run: the operator's own, from a trusted `smm.toml`.

use async_trait::async_trait;
use secrecy::SecretString;

use super::Fault;
use super::redact::redacted;

/// What is run.
#[derive(Debug, Clone)]
pub struct ProgramCall {
    /// The program, then its arguments. There is no shell.
    pub command: Vec<String>,
    /// What it reads on its standard input.
    pub input: String,
    /// Variables beside `PATH` and `HOME`.
    pub variables: Vec<(&'static str, SecretString)>,
}

/// A program that has ended by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProgramEnd {
    /// Its exit status; `None`: a signal ended it.
    pub status: Option<i32>,
    /// What it wrote to its standard output.
    pub output: Vec<u8>,
    /// The last of what it wrote to its standard error, on one line.
    pub said: String,
}

impl ProgramEnd {
    /// A text that the program had a part in, without these secrets.
    pub fn without(text: String, secrets: &[SecretString]) -> String {
        redacted(text, secrets)
    }
}

/// Runs programs.
#[async_trait]
pub trait Programs: Send + Sync {
    /// Runs one to its end. [`Fault::NotSent`]: it was never started. [`Fault::Unknown`]: it was, and did not end in time, or
    /// wrote more than it may. Dropped before its end, it is ended with all that it has started.
    async fn run(&self, call: ProgramCall) -> Result<ProgramEnd, Fault>;
}
