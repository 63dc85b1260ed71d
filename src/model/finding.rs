//! A finding: what is wrong, where, and what to do. Data only; how it is shown is elsewhere.

use std::sync::Arc;

use serde::Serialize;

/// A place in a file of the repository. Lines and columns count from one; a line of zero is the whole file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    pub file: Arc<str>,
    pub line: u32,
    pub column: u32,
}

impl Place {
    /// The file as a whole.
    pub fn file(file: &Arc<str>) -> Self {
        Self { file: Arc::clone(file), line: 0, column: 0 }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            0 => out.write_str(&self.file),
            line => write!(out, "{}:{line}:{}", self.file, self.column),
        }
    }
}

/// How bad it is: an error keeps its unit from converging, a warning does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Error,
    Warning,
}

/// What is wrong, where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    pub place: Place,
    /// The rule's name, such as `unknown-reference`: the same in code, tests and output.
    pub rule: &'static str,
    pub severity: Severity,
    /// What is wrong: lower case, no full stop, backticks around what was typed.
    pub message: String,
    /// What to do about it, in the imperative.
    pub help: Option<String>,
    /// Other places that matter, each with what it shows.
    pub related: Vec<(Place, String)>,
}

impl Finding {
    pub fn error(rule: &'static str, place: Place, message: impl Into<String>) -> Self {
        Self {
            place,
            rule,
            severity: Severity::Error,
            message: message.into(),
            help: None,
            related: Vec::new(),
        }
    }

    pub fn warning(rule: &'static str, place: Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(rule, place, message) }
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    #[must_use]
    pub fn related(mut self, place: Place, what: impl Into<String>) -> Self {
        self.related.push((place, what.into()));
        self
    }
}
