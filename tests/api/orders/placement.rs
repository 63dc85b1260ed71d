//! Where a new tenant goes: to the cluster of its region that has most room, as it is when the
//! order is committed.

use serde_json::Value;
use serde_json::json;
use tenantry::model::Configuration;
use tenantry::model::Name;
use tenantry::validate::capacity::Amounts;
use tenantry::validate::capacity::Demands;

use super::Shop;
use crate::support::example;

const PACKAGE: &str = "kiteclass-basic";

fn demand(configuration: &Configuration) -> Amounts {
    let name: Name = PACKAGE.parse().unwrap();
    *Demands::of(configuration).packages().get(&name).unwrap()
}

impl Shop {
    /// Adds a cluster like the example's that has room for so many of the package and no more.
    fn add_cluster(&self, name: &str, region: &str, many: i128) {
        let one = demand(&example::configuration(&example::snapshot()));
        let milli = |amount: i128| format!("\"{}m\"", amount * many);
        let text = self.repository.read("clusters/saigon.yaml");
        let text = text
            .replace("name: saigon", &format!("name: {name}"))
            .replace("region: vn-south", &format!("region: {region}"))
            .replace("cpu: 24", &format!("cpu: {}", milli(one.requested_cpu)))
            .replace("memory: 128Gi", &format!("memory: {}", milli(one.requested_memory)))
            .replace("reserve: 35", "reserve: 0")
            .replace("oversubscription: 400", "oversubscription: 10000");
        self.repository.write(&format!("clusters/{name}.yaml"), text).commit("a cluster");
    }

    async fn order_in(&self, token: &str, region: Option<&str>, subdomain: &str) -> super::Answer {
        let choice = json!({ "package": PACKAGE });
        let mut body = json!({ "choice": choice, "subdomain": subdomain });
        if let Some(region) = region {
            body["region"] = region.into();
        }
        self.send("POST", "/orders", token, body, &[]).await
    }

    /// Where a tenant was placed by its commit.
    fn cluster_of(&self, tenant: &str) -> String {
        let text = self.repository.read(&format!("tenants/{tenant}/tenant.yaml"));
        let line = text.lines().find_map(|line| line.strip_prefix("  cluster: "));
        line.unwrap_or_default().to_owned()
    }
}

#[tokio::test]
async fn a_new_tenant_goes_to_the_cluster_of_its_region_that_has_most_room() {
    let Some(shop) = Shop::open().await else { return };
    shop.add_cluster("hanoi", "vn-north", 200);
    shop.add_cluster("hue", "vn-north", 100);
    shop.take().await;
    for (email, region, expected) in [
        ("north@example.com", Some("vn-north"), "hanoi"),
        ("south@example.com", Some("vn-south"), "saigon"),
        ("anywhere@example.com", None, "hanoi"),
    ] {
        let (token, tenant) = shop.newcomer(email).await;
        shop.top_up(&tenant, "500.00 USD").await;
        let answer = shop.order_in(&token, region, &format!("s-{tenant}")).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        shop.carry_out(&tenant).await;
        assert_eq!(shop.cluster_of(&tenant), expected, "{region:?}");
        if region == Some("vn-north") {
            // What it has is in the north, and what it orders later runs there, too.
            let elsewhere = shop.order_in(&token, Some("vn-south"), "elsewhere").await;
            assert_eq!(elsewhere.json["errors"][0]["field"], "region", "{}", elsewhere.text);
        }
    }
    let (token, _) = shop.newcomer("mars@example.com").await;
    let unknown = shop.order_in(&token, Some("mars"), "mars").await;
    assert_eq!((unknown.status, unknown.code()), (422, "invalid-fields"), "{}", unknown.text);
    assert!(unknown.text.contains("vn-north, vn-south"), "{}", unknown.text);
    shop.books_balance().await;
}

#[tokio::test]
async fn what_no_cluster_has_room_for_is_refused_before_it_costs_anything() {
    let Some(shop) = Shop::open().await else { return };
    shop.add_cluster("hue", "vn-north", 0);
    shop.take().await;
    let (token, tenant) = shop.newcomer("late@example.com").await;
    shop.top_up(&tenant, "500.00 USD").await;
    let refused = shop.order_in(&token, Some("vn-north"), "late").await;
    assert_eq!((refused.status, refused.code()), (409, "no-room"), "{}", refused.text);
    assert!(refused.text.contains("another region"), "{}", refused.text);
    assert_eq!(shop.wallet(&tenant, "USD").await, (50_000, 0));
    assert_eq!(shop.count("select count(*) from customer_order").await, 0);
    // In another region there is room.
    assert_eq!(shop.order_in(&token, None, "late").await.status, 202);
}

#[tokio::test]
async fn anybody_sees_which_regions_take_newcomers_and_not_how_much_room_there_is() {
    let Some(shop) = Shop::open().await else { return };
    shop.add_cluster("hue", "vn-north", 0);
    shop.take().await;
    let answer = shop.portal.get("/regions", "").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let (full, open) =
        (json!({ "name": "vn-north", "open": false }), json!({ "name": "vn-south", "open": true }));
    assert_eq!(answer.json, json!([full, open]));
    // One more cluster, and the next commit knows of it.
    shop.add_cluster("vinh", "vn-north", 1);
    shop.take().await;
    assert_eq!(shop.portal.get("/regions", "").await.json[0]["open"], true);
}

#[tokio::test]
async fn newcomers_of_the_same_moment_see_each_other() {
    let Some(shop) = Shop::open().await else { return };
    shop.add_cluster("hue", "vn-north", 1);
    shop.add_cluster("vinh", "vn-north", 1);
    shop.take().await;
    let mut tenants = Vec::new();
    for email in ["one@example.com", "two@example.com", "three@example.com"] {
        let (token, tenant) = shop.newcomer(email).await;
        shop.top_up(&tenant, "500.00 USD").await;
        let answer = shop.order_in(&token, Some("vn-north"), &format!("s-{tenant}")).await;
        assert_eq!(answer.status, 202, "nothing is committed yet: {}", answer.text);
        tenants.push((tenant, token, answer.json["id"].clone()));
    }
    // All three are committed with one push.
    shop.commit().await;
    shop.take().await;
    let mut placed: Vec<String> = Vec::new();
    let mut refused: Vec<Value> = Vec::new();
    for (tenant, token, id) in &tenants {
        let operation = shop.operation(id, token).await;
        match operation["status"].as_str() {
            Some("failed") => {
                assert_eq!(shop.wallet(tenant, "USD").await, (50_000, 0), "{operation}");
                refused.push(operation);
            }
            _ => placed.push(shop.cluster_of(tenant)),
        }
    }
    placed.sort();
    assert_eq!(placed, ["hue", "vinh"]);
    assert_eq!(refused.len(), 1);
    assert!(refused[0].to_string().contains("no room"), "{refused:?}");
    shop.books_balance().await;
}
