//! Changing the world and seeing it change: on every API server that this machine has, and on a
//! real PostgreSQL.

mod world;
mod writing;
mod drift;
mod sharing;
mod secrets;
mod answering;
mod deleting;
mod inventory;
mod watching;
mod verifying;
mod outages;
mod requests;
mod explaining;
mod pods;
mod upkeep;
mod databases;
mod targets;
