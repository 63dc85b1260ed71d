//! What has to be done on a host: facts, inventory and catalog in, steps out.
//!
//! ```text
//!   Catalog ─► Ordered ─► questions ─► (the host) ─► Facts ─┐
//!                 │                                         ├─► HostPlan ─► script ─► (the host)
//!                 └─────────────── Inventory ◄── Facts ─────┘
//! ```
//!
//! All of it is pure. A host is asked once, with one script, about everything at once; what differs
//! is found here; and one more script carries the whole plan out, step by step. Whether anything
//! has to be restarted follows from what the host shows, and never from what a run remembers.

pub mod facts;
pub mod inventory;
pub mod order;
pub mod step;
pub mod script;
pub mod events;
pub mod show;
pub mod failure;
mod kinds;
mod decide;
mod leaving;
mod carry;

pub use carry::carry;
pub use decide::Known;
pub use decide::plan;
pub use facts::Facts;
pub use facts::Machine;
pub use inventory::Inventory;
pub use leaving::Leaving;
pub use order::Ordered;
pub use script::Script;
pub use step::HostChange;
pub use step::HostPlan;
pub use step::HostStep;

use script::Call;

/// Makes what a plan did last, where the host would undo it by itself otherwise.
pub fn confirmation() -> Script {
    Script::confirming()
}

/// How long a host waits until it undoes by itself what nobody confirms, in seconds.
pub const UNDOES_AFTER: u32 = kinds::PATIENCE;

/// Asks about the machine, the inventory, and everything that is asked for.
pub fn questions(ordered: &Ordered) -> Script {
    let mut looks = kinds::Looks::default();
    for (index, resource) in ordered.resources.iter().enumerate() {
        kinds::behaviour(&resource.asked).look(index, &mut looks);
    }
    let about = [Call::new("observe_machine", []), Call::new("observe_inventory", [])];
    let calls: Vec<Call> = about.into_iter().chain(looks.calls()).collect();
    Script::looking(&calls)
}
