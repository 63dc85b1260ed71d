//! Worker nodes and what clusters can still take, from what was last seen and what documents say.

use jiff::SignedDuration;
use serde_json::Value;
use serde_json::json;
use tenantry::accounts::Role;
use tenantry::model::Name;
use tenantry::model::node::Capacity;
use tenantry::model::node::Condition;
use tenantry::model::node::Node;
use tenantry::workers::Surveyed;
use tenantry::workers::store;

use super::Portal;

const GIBIBYTE: i64 = 1024;

pub(super) fn node(name: &str, ready: &str, cpu: i64, asked: i64) -> Node {
    let since = "2026-11-24T08:00:00Z".parse().ok();
    let condition = Condition {
        kind: "Ready".to_owned(),
        status: ready.to_owned(),
        reason: "KubeletReady".to_owned(),
        message: "kubelet is posting ready status".to_owned(),
        since,
    };
    Node {
        name: name.to_owned(),
        created_at: "2026-11-23T12:00:00Z".parse().ok(),
        version: "v1.33.1+k3s1".to_owned(),
        cordoned: false,
        allocatable: Capacity { cpu, memory: 64 * GIBIBYTE, pods: 110 },
        requested: Capacity { cpu: asked, memory: GIBIBYTE, pods: 3 },
        conditions: vec![condition],
    }
}

impl Portal {
    pub(super) async fn seen(&self, cluster: &str, nodes: Result<Vec<Node>, String>) {
        let cluster = cluster.parse::<Name>().unwrap();
        let (disks, certificates, backups) = (Ok(vec![]), Ok(vec![]), Ok(vec![]));
        let surveyed = Surveyed { cluster, nodes, disks, certificates, backups };
        let now = *self.clock.lock().unwrap();
        store::record(&self.pool, &surveyed, now).await.unwrap();
    }
}

#[tokio::test]
async fn nodes_are_told_as_they_were_last_seen_and_how_old_that_is() {
    let Some(portal) = Portal::open().await else { return };
    let operator = portal.staff(Role::Operator).await.access;
    assert_eq!(portal.get("/workers", &operator).await.json["items"], json!([]));
    let nodes = vec![node("b.example.org", "True", 8000, 500), node("a", "Unknown", 12_000, 0)];
    portal.seen("saigon", Ok(nodes)).await;
    portal.seen("gone", Ok(vec![node("x", "True", 1, 0)])).await;
    let page = portal.get("/workers?limit=1", &operator).await.json;
    let first = &page["items"][0];
    assert_eq!((&first["name"], &first["health"]), (&json!("saigon.a"), &json!("not_ready")));
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = portal.get(&format!("/workers?limit=1&cursor={cursor}"), &operator).await.json;
    assert_eq!(rest["items"][0]["name"], "saigon.b.example.org");
    assert!(rest["next_cursor"].is_null(), "a cluster without a document has no nodes: {rest}");
    let one = portal.get("/workers/saigon.b.example.org", &operator).await.json;
    assert_eq!(
        (&one["region"], &one["health"], &one["stale"], &one["age_seconds"]),
        (&json!("vn-south"), &json!("ready"), &json!(false), &json!(86_400))
    );
    assert_eq!(one["allocatable"], json!({ "cpu": 8000, "memory": 65_536, "pods": 110 }));
    assert_eq!(one["conditions"][0]["type"], "Ready");

    // It cannot be reached any more: what was seen stays, and says that it is old.
    portal.wait(SignedDuration::from_mins(11));
    portal.seen("saigon", Err("it does not answer".to_owned())).await;
    // An access token is good for minutes.
    let operator = portal.log_in("operator@operator.example").await.access;
    let early = portal.get("/workers/saigon.a", &operator).await.json;
    assert_eq!((&early["stale"], &early["trouble"]), (&json!(false), &json!("it does not answer")));
    portal.wait(SignedDuration::from_mins(2));
    let late = portal.get("/workers/saigon.a", &operator).await.json;
    assert_eq!((&late["stale"], &late["seen_at"]), (&json!(true), &early["seen_at"]));
    assert_eq!(portal.get("/workers/saigon.c", &operator).await.code(), "not-found");
    let customer = portal.customer_of("acme").await.access;
    for path in ["/workers", "/workers/saigon.a", "/capacity"] {
        assert_eq!(portal.get(path, &customer).await.status, 403, "{path}");
    }
}

#[tokio::test]
async fn what_is_left_of_a_cluster_is_what_its_rules_allow_without_what_is_promised() {
    let Some(portal) = Portal::open().await else { return };
    let operator = portal.staff(Role::Operator).await.access;
    let answer = portal.get("/capacity", &operator).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let saigon = &answer.json["clusters"][0];
    // Never seen: nothing is said of its nodes, and what the document says holds.
    assert_eq!((&saigon["nodes"], &saigon["stale"]), (&Value::Null, &json!(true)));
    // 24 cores and 128 GiB with 35 % in reserve, limits up to four times.
    let rules = json!({ "cpu": 24_000, "memory": 131_072, "reserve": 35, "oversubscription": 400 });
    assert_eq!(saigon["rules"], rules);
    let room = &saigon["room"];
    assert_eq!((&room["requested_cpu"], &room["limited_cpu"]), (&json!(15_600), &json!(96_000)));
    assert_eq!((&room["requested_memory"], &room["storage"]), (&json!(85_196), &Value::Null));
    let amount = |of: &str, what: &str| saigon[of][what].as_i64().unwrap();
    for what in ["requested_cpu", "limited_cpu", "limited_memory"] {
        assert!(amount("promised", what) > 0, "{saigon}");
        let left = amount("room", what) - amount("promised", what);
        assert_eq!(amount("left", what), left, "{what}");
    }
    let fits = |of: &Value, name: &str| {
        let packages = of["packages"].as_array().unwrap();
        packages.iter().find(|package| package["package"] == name).unwrap()["fits"].as_u64()
    };
    let (basic, premium) = (fits(saigon, "kiteclass-basic"), fits(saigon, "kiteclass-premium"));
    assert!(basic > premium && premium.is_some(), "{saigon}");
    assert_eq!(fits(&answer.json["regions"][0], "kiteclass-basic"), basic, "one cluster alone");
    assert_eq!(answer.json["regions"][0]["region"], "vn-south");

    let nodes = vec![node("a", "True", 8000, 500), node("b", "False", 12_000, 700)];
    portal.seen("saigon", Ok(nodes)).await;
    let seen = portal.get("/capacity", &operator).await.json["clusters"][0].clone();
    assert_eq!(seen["stale"], false);
    let nodes = &seen["nodes"];
    assert_eq!((&nodes["many"], &nodes["taking_pods"]), (&json!(2), &json!(1)));
    assert_eq!(
        (&nodes["allocatable"]["cpu"], &nodes["requested"]["cpu"]),
        (&json!(8000), &json!(1200))
    );
}
