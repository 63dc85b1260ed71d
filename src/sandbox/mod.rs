//! A Kubernetes API on loopback and a private PostgreSQL, for the demo and for tests.

pub mod postgres;
