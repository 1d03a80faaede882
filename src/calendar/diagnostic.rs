//! Something wrong, with its place in a file.

use serde::Serialize;

use super::{Sources, Span};
use crate::model::{AccountName, Code, PostId, Severity};

/// Something wrong, with its place in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Stable code.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong and by how much.
    pub message: String,
    /// The file.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Line of the end.
    pub end_line: usize,
    /// Column after the end.
    pub end_column: usize,
    /// How to mend it.
    pub help: Option<String>,
    /// The post.
    pub post: Option<PostId>,
    /// The account.
    pub account: Option<AccountName>,
    /// The account's network.
    pub network: Option<String>,
    /// The place as bytes, for the excerpt.
    #[serde(skip)]
    pub span: Option<Span>,
}

impl Diagnostic {
    /// A diagnostic about a place in a file.
    pub fn new(code: Code, severity: Severity, message: impl Into<String>, sources: &Sources, span: Span) -> Self {
        let (start, end) = sources.locate(span);
        Self {
            code,
            severity,
            message: message.into(),
            file: sources.path(span).to_owned(),
            line: start.line,
            column: start.column,
            end_line: end.line,
            end_column: end.column,
            help: None,
            post: None,
            account: None,
            network: None,
            span: Some(span),
        }
    }
}
