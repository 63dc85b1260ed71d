//! The words: plain data, and the reader that makes it of YAML. No I/O, no clock.
//!
//! A [`Platform`] holds what is true for all. A [`Cluster`] carries tenants. A [`Component`] is
//! one service; a [`Package`] sells some of them at a price. A [`Tenant`] is a customer, and a
//! [`Subscription`] is their use of a package. A [`Host`] is a client's own server, a [`Channel`]
//! brings releases to hosts, and a [`Task`] is a thing to do once.
//!
//! [`Snapshot`] → [`read`] → [`Configuration`] → (validate, render) → [`Resource`]s.

pub mod names;
pub mod digest;
pub mod secret;
pub mod money;
pub mod arithmetic;
pub mod term;
pub mod spread;
pub mod basis_points;
pub mod zone;
pub mod quantity;
pub mod tax;
pub mod platform;
pub mod portal;
pub mod cluster;
pub mod node;
pub mod upkeep;
pub mod component;
pub mod package;
pub mod tenant;
pub mod subscription;
pub mod host;
pub mod channel;
pub mod task;
pub mod change_kind;
pub mod pod;
pub mod snapshot;
pub mod finding;
pub mod yaml;
pub mod typed;
pub mod read;
pub mod configuration;
pub mod resource;
pub mod schema;
pub mod marks;
pub mod shell;
mod cores;
mod side_by_side;

pub use change_kind::ChangeKind;
pub use channel::Channel;
pub use cluster::Cluster;
pub use component::Component;
pub use configuration::Configuration;
pub use cores::on_all_cores;
pub use digest::Digest;
pub use finding::Finding;
pub use finding::Place;
pub use finding::Severity;
pub use host::Host;
pub use names::Commit;
pub use names::Name;
pub use names::SubscriptionId;
pub use names::UnitName;
pub use package::Package;
pub use platform::Platform;
pub use portal::PortalUrl;
pub use read::AnyDocument;
pub use read::Document;
pub use resource::Resource;
pub use resource::ResourceId;
pub use secret::Secret;
pub use side_by_side::side_by_side;
pub use snapshot::Snapshot;
pub use subscription::Phase;
pub use subscription::Subscription;
pub use task::Task;
pub use tenant::Tenant;
