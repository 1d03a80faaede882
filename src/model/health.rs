//! How well something is that `smm doctor` has looked at.

use serde::Serialize;

/// How well it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grade {
    /// As it should be.
    Ok,
    /// It works, and something should be done about it.
    Warning,
    /// Something does not work, or posts are at risk.
    Error,
}

impl Grade {
    /// One word, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Health {
    /// How well it is.
    pub grade: Grade,
    /// What was found, in one line. Holds no secret.
    pub message: String,
    /// What to do; `None`: nothing.
    pub help: Option<String>,
}

impl Health {
    /// As it should be.
    pub fn ok(message: impl Into<String>) -> Self {
        Self { grade: Grade::Ok, message: message.into(), help: None }
    }

    /// Something should be done about it.
    pub fn warning(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { grade: Grade::Warning, message: message.into(), help: Some(help.into()) }
    }

    /// Something does not work.
    pub fn error(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { grade: Grade::Error, message: message.into(), help: Some(help.into()) }
    }
}
