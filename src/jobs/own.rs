//! Changes of documents that the program asks for by itself.

use jiff::Timestamp;
use sha2::Digest as _;
use sha2::Sha256;
use sqlx::PgConnection;
use uuid::Uuid;

use super::JobError;
use crate::model::Configuration;
use crate::model::Name;
use crate::operations::Asker;
use crate::operations::Change;
use crate::operations::Intent;
use crate::operations::operation;
use crate::operations::operation::New;

/// An id that follows from what it is for: whoever asks for the same asks for one thing.
pub(super) fn id_of(parts: &[&str]) -> Uuid {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// Accepts a change; the same id once more changes nothing.
pub(super) async fn accept(
    db: &mut PgConnection,
    configuration: &Configuration,
    (tenant, change): (&Name, Change),
    (id, request_id): (Uuid, &str),
    now: Timestamp,
) -> Result<(), JobError> {
    let platform = configuration.platform.as_ref();
    let domain = platform.map_or("tenantry.invalid", |platform| platform.spec.domain.as_str());
    let intent = Intent {
        tenant: tenant.clone(),
        change,
        undo: None,
        follow_up: None,
        asker: Asker {
            account: None,
            role: None,
            author: "Tenantry".to_owned(),
            email: format!("tenantry@{domain}"),
            request_id: request_id.to_owned(),
        },
    };
    let new = New { id, intent: &intent, order: None, cause: None, due: now };
    operation::accept(db, new, now).await?;
    Ok(())
}
