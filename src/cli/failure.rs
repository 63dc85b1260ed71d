//! Why a command failed, in three parts: what, because of what, and what to do.

use std::fmt;

/// Why a command failed.
#[derive(Debug)]
pub(super) struct Failure {
    error: anyhow::Error,
    help: Option<String>,
}

impl Failure {
    /// A failure without an error behind it.
    pub(super) fn new(message: impl fmt::Display) -> Self {
        Self { error: anyhow::Error::msg(message.to_string()), help: None }
    }

    /// What to do about it, in the imperative.
    #[must_use]
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(super) fn message(&self) -> String {
        self.error.to_string()
    }

    /// What is behind it, the nearest first; what an error above already told is left out.
    pub(super) fn causes(&self) -> Vec<String> {
        let mut told = vec![self.message()];
        for cause in self.error.chain().skip(1).map(ToString::to_string) {
            if !told.iter().any(|above| above.contains(&cause)) {
                told.push(cause);
            }
        }
        told.split_off(1)
    }

    pub(super) fn advice(&self) -> Option<&str> {
        self.help.as_deref()
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { error: error.into(), help: None }
    }
}

/// Says what to do about an error, where it is known.
pub(super) trait Helped<T> {
    fn or_help(self, help: impl Into<String>) -> Result<T, Failure>;
}

impl<T, E: Into<Failure>> Helped<T> for Result<T, E> {
    fn or_help(self, help: impl Into<String>) -> Result<T, Failure> {
        self.map_err(|error| error.into().help(help))
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn a_cause_that_was_told_is_not_told_again() {
        let chain: anyhow::Result<()> = Err(anyhow::anyhow!("no route to host"))
            .context("db:5432 does not answer: no route to host")
            .context("the history cannot be read");
        let failure = Failure::from(chain.unwrap_err());
        assert_eq!(failure.message(), "the history cannot be read");
        assert_eq!(failure.causes(), ["db:5432 does not answer: no route to host"]);
    }
}
