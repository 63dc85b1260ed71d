//! Mail: what stands in it, and that each leaves once.

mod letters;
mod sending;
mod somebody_elses_server;
