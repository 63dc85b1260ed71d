//! The daemon as a user starts it, on every API server that this machine has, with real Git and a
//! real PostgreSQL: what it promises about convergence, drift, history and sudden death.

mod ground;
mod picture;
mod lives;
mod converging;
mod drift;
mod story;
mod killed;
mod orders;
mod purchase;
mod neighbours;
mod usage;
mod pods;
mod tasks;
mod workers;
