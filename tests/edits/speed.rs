//! How fast edits are in a large repository. Run it with
//! `cargo test --test integration edits::speed -- --ignored --nocapture`.

use std::time::Duration;
use std::time::Instant;

use tenantry::edits::Edit;
use tenantry::edits::subscriptions;
use tenantry::edits::tenants;

use super::Desk;
use super::edit;
use super::name;
use crate::support::repository::TestRepo;

const TENANTS: usize = 10_000;
const ORDERS: usize = 1_000;
/// How many customers wait at the same time.
const AT_ONCE: usize = 100;

fn many_tenants() -> TestRepo {
    let repository = TestRepo::bare();
    let example = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tenants-example");
    repository.write_folder(&example, "");
    for number in 0..TENANTS {
        let head = |kind: &str, name: &str| {
            format!("apiVersion: tenantry.dev/v1\nkind: {kind}\nmetadata:\n  name: {name}\nspec:\n")
        };
        let tenant = format!("customer-{number}");
        let text = head("Tenant", &tenant)
            + &format!(
                "  organisation: Customer {number}\n  contacts: [{{ email: admin@{tenant}.example }}]\n  cluster: saigon\n"
            );
        repository.write(&format!("tenants/{tenant}/tenant.yaml"), text);
        let text = head("Subscription", "licence")
            + &format!(
                "  tenant: {tenant}\n  package: kkt-starter\n  starts: 2026-01-01\n  paidThrough: 2036-01-01\n"
            );
        repository.write(&format!("tenants/{tenant}/licence.yaml"), text);
    }
    repository.commit("ten thousand");
    super::git(&repository.git_folder(), &["gc", "--quiet"]).unwrap();
    repository
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it measures, and takes minutes in a debug build"]
async fn orders_a_second_in_a_repository_of_ten_thousand_tenants() {
    let repository = many_tenants();
    let desk = Desk::at(&repository).await;
    let first = Instant::now();
    let warm = edit("warm", "customer-0", |draft| {
        subscriptions::restart(draft, &name("customer-0"), &name("licence"))
    });
    desk.editor.commit(warm).await.unwrap();
    eprintln!("the first edit, with everything read: {:?}", first.elapsed());
    let one = Instant::now();
    let alone = edit("alone", "customer-0", |draft| {
        subscriptions::restart(draft, &name("customer-0"), &name("licence"))
    });
    desk.editor.commit(alone).await.unwrap();
    eprintln!("one alone: {:?}", one.elapsed());

    let size = || folder_size(&repository.git_folder());
    let (before, started) = (size(), Instant::now());
    let mut tasks = Vec::new();
    for worker in 0..AT_ONCE {
        let editor = desk.editor.clone();
        tasks.push(tokio::spawn(async move {
            let mut waits = Vec::new();
            for number in (worker..ORDERS).step_by(AT_ONCE) {
                let asked = Instant::now();
                editor.commit(order(&format!("order-{number}"))).await.unwrap();
                waits.push(asked.elapsed());
            }
            waits
        }));
    }
    let mut waits: Vec<Duration> = Vec::new();
    for task in tasks {
        waits.extend(task.await.unwrap());
    }
    waits.sort();
    let seconds = started.elapsed();
    let rate = u128::try_from(ORDERS).unwrap() * 1_000 / seconds.as_millis();
    eprintln!(
        "{ORDERS} orders, {AT_ONCE} at a time: {rate} a second, p50 {:?}, p99 {:?}, {} bytes an order before packing",
        waits[ORDERS / 2],
        waits[ORDERS * 99 / 100],
        (size() - before) / u64::try_from(ORDERS).unwrap()
    );
}

/// A new customer who buys what takes no room on a cluster.
fn order(tenant: &str) -> Edit {
    let customer = name(tenant);
    edit(&format!("order-{tenant}"), tenant, move |draft| {
        tenants::add(draft, &customer, &super::a_tenant())?;
        let mut licence = super::a_subscription(customer.as_str());
        licence.package = name("kkt-starter");
        subscriptions::add(draft, &name("licence"), &licence)
    })
}

fn folder_size(folder: &std::path::Path) -> u64 {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| match entry.metadata() {
            Ok(facts) if facts.is_dir() => folder_size(&entry.path()),
            Ok(facts) => facts.len(),
            Err(_) => 0,
        })
        .sum()
}
