//! All mails there are: what each is for, its texts, and values to try it with. Each file has a
//! section for every language; the first line of a section is the subject.

use serde_json::Value;

/// A mail by its name.
#[derive(Clone, Copy, Debug)]
pub struct Template {
    pub name: &'static str,
    /// When it is sent.
    pub about: &'static str,
    pub(super) source: &'static str,
    samples: &'static str,
}

impl Template {
    /// Values to try it with, all of them made up.
    pub fn samples(&self) -> Value {
        serde_json::from_str(self.samples).expect("a test reads the samples of all templates")
    }
}

/// What surrounds every letter.
pub(super) const LAYOUT: &str = include_str!("../../templates/email/_layout.txt");

/// What is told of a subscription that goes on or ends.
const LIFE: &str = r#"{"subscription": "acme/school", "package": "standard", "paidUntil": "2026-12-21", "keptUntil": "2027-01-20", "invoice": "0197a1b2-0000-7000-8000-000000000003", "number": "INV-2026-000042", "total": "199.00 USD"}"#;

macro_rules! templates {
    ($($name:literal: $about:literal, $samples:expr;)+) => {
        &[$(Template {
            name: $name,
            about: $about,
            source: include_str!(concat!("../../templates/email/", $name, ".txt")),
            samples: $samples,
        }),+]
    };
}

/// All of them, by name.
pub const ALL: &[Template] = templates! {
    "address-known": "Somebody registers with an address that has an account",
        r"{}";
    "alert": "Something needs an operator",
        r#"{"kind": "node-down", "about": "saigon.node-1", "more": 0, "lines": ["node-1 of cluster saigon does not run pods: the kubelet does not answer"], "at": "2026-11-21T03:04:05Z"}"#;
    "backup-done": "A backup is stored and was read back",
        r#"{"subscription": "acme/school", "at": "2026-11-21T02:00:00Z", "backup": "acme-school-2026-11-21"}"#;
    "backup-failed": "A backup could not be made",
        r#"{"subscription": "acme/school", "at": "2026-11-21T02:00:00Z", "why": "the disk is full"}"#;
    "ended": "A subscription was removed",
        r#"{"subscription": "acme/school", "backup": "acme-school-2026-11-21", "retainedUntil": "2027-02-21"}"#;
    "expired": "What is paid for is over",
        LIFE;
    "expiring": "What is paid for is soon over",
        LIFE;
    "failed": "What was asked for could not be carried out",
        r#"{"operation": "0197a1b2-0000-7000-8000-000000000001", "kind": "scale", "subscription": "school", "paid": true, "why": "the cluster has no room for it"}"#;
    "instance-ready": "What was ordered is there",
        r#"{"order": "0197a1b2-0000-7000-8000-000000000002", "subscription": "acme/school", "package": "standard", "total": "199.00 USD", "from": "2026-11-21", "through": "2026-12-20", "addresses": ["acme.kiteclass.example"], "user": "an@acme.example", "token": "sample", "expiresAt": "2026-11-24T03:04:05Z"}"#;
    "invoice": "An invoice is final",
        r#"{"invoice": "0197a1b2-0000-7000-8000-000000000003", "number": "INV-2026-000042", "subscription": "acme/school", "total": "1234567 VND", "from": "2026-11-21", "through": "2026-12-20"}"#;
    "licence-expiring": "A licence ends soon",
        r#"{"subscription": "kkt-17/licence", "through": "2026-11-30"}"#;
    "maintenance": "Something will be away for a while",
        r#"{"from": "2026-11-21T18:00:00Z", "until": "2026-11-21T19:00:00Z", "what": "the database server"}"#;
    "order-confirmed": "An order is paid",
        r#"{"order": "0197a1b2-0000-7000-8000-000000000002", "subscription": "acme/school", "package": "standard", "total": "199.00 USD", "from": "2026-11-21", "through": "2026-12-20"}"#;
    "password-changed": "A password was changed",
        r"{}";
    "payment-late": "A payment came when nobody waited for it any more",
        r#"{"payment": "0197a1b2-0000-7000-8000-000000000004", "order": "0197a1b2-0000-7000-8000-000000000002", "amount": "1990000.00 IDR", "provider": "midtrans", "paidAt": "2026-11-21T03:04:05Z"}"#;
    "payment-received": "A payment arrived",
        r#"{"payment": "0197a1b2-0000-7000-8000-000000000004", "order": null, "amount": "1990000.00 IDR", "provider": "midtrans", "paidAt": "2026-11-21T03:04:05Z"}"#;
    "purged": "What was kept of a subscription that ended is deleted",
        r#"{"subscription": "acme/school", "backup": "acme-school-2026-11-21"}"#;
    "renews": "A subscription will be renewed from the wallet",
        LIFE;
    "reset": "Somebody wants to set a new password",
        r#"{"token": "sample", "expiresAt": "2026-11-21T04:04:05Z"}"#;
    "resumed": "A subscription runs again",
        LIFE;
    "suspended": "A subscription was suspended for not being paid",
        LIFE;
    "trial-ends": "A trial is soon over",
        LIFE;
    "update-available": "There is a new version for a host",
        r#"{"host": "kkt-17", "version": "2.4.0"}"#;
    "update-done": "A host was updated",
        r#"{"host": "kkt-17", "version": "2.4.0"}"#;
    "update-rolled-back": "An update of a host did not work out",
        r#"{"host": "kkt-17", "version": "2.4.0", "why": "its health check answered 502"}"#;
    "usage-high": "A subscription comes near to a limit, or has reached it",
        r#"{"subscription": "acme/school", "measure": "memory", "percent": 92, "used": 7537, "limit": 8192, "reached": false}"#;
    "verify": "Somebody registered, and the address is to be confirmed",
        r#"{"token": "sample", "expiresAt": "2026-11-21T04:04:05Z"}"#;
    "welcome": "An address is confirmed",
        r"{}";
};

/// The mail of this name.
pub fn find(name: &str) -> Option<&'static Template> {
    ALL.iter().find(|template| template.name == name)
}
