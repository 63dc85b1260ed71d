//! What the words promise to people who write them.

mod schema;
