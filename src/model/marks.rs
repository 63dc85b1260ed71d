//! The marks by which what is ours is known in a cluster: the labels and annotations that are put
//! on every object, and those that a template may use to say how an object is to be treated.

/// Label, on every object of ours; its value is [`TENANTRY`]. Watches are filtered by it.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
pub const TENANTRY: &str = "tenantry";
/// Label, on every object of ours: the name of the unit that it belongs to.
pub const UNIT: &str = "tenantry.dev/unit";
/// Label, on every object of ours: the id of the parent object that lists it (KEP-3659).
pub const PART_OF: &str = "applyset.kubernetes.io/part-of";
/// Annotation, on every object of ours: the digest of the resource that was last applied.
pub const RENDERED: &str = "tenantry.dev/rendered";

/// Label, on every object of ours: the customer.
pub const TENANT: &str = "tenantry.dev/tenant";
/// Label, on what serves one subscription alone.
pub const SUBSCRIPTION: &str = "tenantry.dev/subscription";

/// Annotation: the stage that makes an object, where it is not its kind's usual one. It is for
/// rendering alone, and is not on the object.
pub const STAGE: &str = "tenantry.dev/stage";
/// Annotation of a Job: its name gets a digest of its pods, so that it runs once for what it runs.
/// It is for rendering alone, and is not on the object.
pub const ONCE: &str = "tenantry.dev/once";
/// Annotation of a task's Job: what it leaves behind where it goes well, such as the name of a
/// backup. It is for rendering alone, and is not on the object.
pub const RESULT: &str = "tenantry.dev/result";
/// Annotation: what becomes of an object when no document asks for it: `keep`, `orphan`, `delete`.
pub const ON_DELETE: &str = "tenantry.dev/on-delete";
/// Annotation of a Secret: which keys are generated, and with how many characters, as JSON:
/// `{"password": 32}`. Other values of its `stringData` may quote them as `$(password)`.
pub const GENERATE: &str = "tenantry.dev/generate";
/// Annotation of a Secret: another value than before has its generated keys made anew.
pub const ROTATION: &str = "tenantry.dev/rotation";
/// Annotation: fields that others own, such as `spec.replicas`, separated by commas. They are sent
/// when the object is created, and from then on they are as others have them.
pub const IGNORE: &str = "tenantry.dev/ignore";
/// Annotation: fields that others may take from us, separated by commas.
pub const YIELD: &str = "tenantry.dev/yield";
/// Annotation: `yield` lets others take any field from us. Without it ours win.
pub const CONFLICTS: &str = "tenantry.dev/conflicts";

/// What every label and annotation of our own begins with.
pub const OUR_PREFIX: &str = "tenantry.dev/";
