//! Why something cannot be rendered: where, what, and how to mend it.

use crate::model::Finding;
use crate::model::Place;

/// Why a unit cannot be rendered. It keeps what it has until a commit mends it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", told(place))]
pub struct RenderError {
    /// The template, or the document that asks for what cannot be.
    pub place: Place,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// What to do about it, in the imperative.
    pub help: Option<String>,
}

/// The file, and the line where it is not the file as a whole.
fn told(place: &Place) -> String {
    match place.line {
        0 => place.file.to_string(),
        line => format!("{}:{line}", place.file),
    }
}

impl RenderError {
    pub(super) fn new(place: Place, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { place, message: message.into(), help: Some(help.into()) }
    }

    /// The same as a finding, for whoever collects them.
    pub fn finding(&self) -> Finding {
        Finding {
            help: self.help.clone(),
            ..Finding::error("unrenderable", self.place.clone(), self.message.clone())
        }
    }
}
