//! One private PostgreSQL for the whole test binary, with a database of its own for each test.

use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

use tenantry::sandbox::postgres::PostgresError;
use tenantry::sandbox::postgres::PostgresOptions;
use tenantry::sandbox::postgres::PrivatePostgres;
use tokio::sync::OnceCell;

use crate::support::skipped;

/// The server of this test binary, started by the first who asks. `None` after saying that (and
/// why) the test is skipped. A static is never dropped: the server ends because its watchdog sees
/// the test binary end.
pub(crate) async fn shared() -> Option<&'static PrivatePostgres> {
    static SERVER: OnceCell<Result<PrivatePostgres, PostgresError>> = OnceCell::const_new();
    let start = async || PrivatePostgres::start(&PostgresOptions::default()).await;
    match SERVER.get_or_init(start).await {
        Ok(server) => Some(server),
        Err(error @ PostgresError::NotInstalled) => {
            skipped("it needs PostgreSQL", error);
            None
        }
        Err(error) => panic!("the private PostgreSQL does not start: {error}: {error:?}"),
    }
}

/// The URL of a fresh, empty database on the shared server.
pub(crate) async fn database() -> Option<String> {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let server = shared().await?;
    let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    Some(server.create_database(&name).await.expect("the shared server creates databases"))
}

#[tokio::test]
async fn each_test_has_a_database_of_its_own() {
    let (Some(one), Some(other)) = (database().await, database().await) else {
        return;
    };
    assert_ne!(one, other);
}
