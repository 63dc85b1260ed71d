//! What is allowed, rule by rule.

mod example;
