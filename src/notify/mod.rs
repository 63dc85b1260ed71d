//! Mail: what people are told, in their language, once for each fact.
//!
//! ```text
//! outbox (written with the fact) ──► letter (template, language, values) ──► SMTP over TLS
//!        ▲                                                                       │
//!        └──── done, put off, or given up with the reason ◄──────────────────────┘
//! ```

// What is told, by name.
pub mod catalog;
// From values to a letter, as text and as HTML.
pub mod letter;
mod words;
mod html;
// In the words of a repository.
mod own;
// Out of the house.
pub mod smtp;
pub mod work;

pub use letter::House;
pub use letter::Letter;
pub use letter::LetterError;
pub use own::Own;
pub use smtp::Post;
