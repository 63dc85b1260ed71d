//! Mail: what stands in it, and that each leaves once.

mod letters;
mod post_office;
mod sending;
mod somebody_elses_server;
