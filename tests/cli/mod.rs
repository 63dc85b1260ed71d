//! What the operator sees: commands as they are typed, and everything they print.

mod accept;
mod approve;
mod demo;
mod live;
mod mistakes;
mod past;
mod plan;
mod render;
mod run;
mod schema;
mod usage;
mod validate;
