//! The pods of subscriptions, as customers see them: how they stand, kept in our database by whoever
//! watches clusters, and their logs, which are read behind a port.

mod logs;
mod store;

pub use logs::LogError;
pub use logs::LogText;
pub use logs::Logs;
pub use logs::Wish;
pub use store::Asked;
pub use store::Place;
pub use store::PodError;
pub use store::Row;
pub use store::Store;
