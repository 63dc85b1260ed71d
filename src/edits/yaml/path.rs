//! Where a value is inside of a document: `spec.holds.0`.

use std::fmt;

/// A key or the position of an item, counted from zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Key(String),
    Item(usize),
}

/// The way from a document to one of its values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path(Vec<Step>);

impl Path {
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// The same with a key behind it.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.0.push(Step::Key(key.into()));
        self
    }

    /// The same with an item behind it.
    #[must_use]
    pub fn item(mut self, position: usize) -> Self {
        self.0.push(Step::Item(position));
        self
    }
}

impl<const LENGTH: usize> From<[&str; LENGTH]> for Path {
    fn from(keys: [&str; LENGTH]) -> Self {
        Self(keys.iter().map(|key| Step::Key((*key).to_owned())).collect())
    }
}

impl From<Vec<Step>> for Path {
    fn from(steps: Vec<Step>) -> Self {
        Self(steps)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.0.iter().enumerate() {
            if number > 0 {
                out.write_str(".")?;
            }
            match step {
                Step::Key(key) => out.write_str(key)?,
                Step::Item(position) => write!(out, "{position}")?,
            }
        }
        Ok(())
    }
}
