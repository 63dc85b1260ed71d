//! What tests of several chapters share: real servers, started once for all of them.
#![allow(dead_code, reason = "not every chapter uses everything")]

pub(crate) mod postgres;
pub(crate) mod real_api_server;
