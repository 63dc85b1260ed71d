//! What happened, in PostgreSQL: commits seen, runs and their actions, the timeline of stages and
//! phases, drift, parked deletions, and how everything stands. Git says what was wanted and by
//! whom; history says what was done about it. Losing it loses history, never control.
//!
//! ```text
//! reconcile ──► Recorder ──(in memory while the database is away)──► Store ──► explain, status, history
//! ```

pub mod record;
pub mod told;
pub mod recorder;
pub mod store;
pub mod explain;

mod backlog;

pub use explain::explain;
pub use record::Record;
pub use record::fresh_id;
pub use recorder::Recorder;
pub use recorder::Settings;
pub use store::Asked;
pub use store::HistoryError;
pub use store::Store;
