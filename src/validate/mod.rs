//! Is this allowed? Returns what is valid and the findings; it never fails as a whole.

pub mod valid;

pub use valid::ValidComponent;
pub use valid::ValidNamespace;
pub use valid::ValidSubscription;
pub use valid::ValidTenant;
