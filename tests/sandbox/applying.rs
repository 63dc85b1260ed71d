//! Server-side apply: ownership, conflicts, removal, and the lists that are more than lists.

use serde_json::Value;
use serde_json::json;

use crate::sandbox::cluster::Cluster;
use crate::sandbox::cluster::owned;
use crate::sandbox::cluster::version;

on_both! {
    applying_twice_changes_nothing,
    an_applier_owns_exactly_what_it_says,
    what_is_no_longer_applied_is_removed,
    what_others_own_too_stays,
    anothers_field_is_a_conflict,
    several_conflicts_are_told_by_manager,
    force_takes_the_field,
    an_update_takes_the_fields_that_it_changes,
    equal_values_are_shared_without_conflict,
    a_container_that_is_left_out_goes,
    ports_are_told_apart_by_number_and_protocol,
    the_order_of_containers_is_the_applied_one,
    atomic_lists_have_one_owner,
    an_unknown_field_is_refused,
    a_wrong_type_is_refused,
    a_dry_run_tells_and_does_nothing,
    quantities_are_canonical_and_no_change,
    old_servers_want_quantities_quoted_and_protocols_spelled,
    zero_values_are_owned_but_not_kept,
    a_stale_version_is_refused,
    managed_fields_cannot_be_applied,
    an_applier_must_have_a_name,
    the_name_must_agree,
    plain_secrets_become_data,
    the_status_is_applied_through_its_own_door,
    managed_fields_can_be_cleared,
    replicas_can_be_handed_over,
}

fn config_map(data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": data})
}

fn deployment(containers: Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": containers}},
        },
    })
}

async fn applying_twice_changes_nothing(cluster: &Cluster) {
    let path = cluster.core("configmaps/settings");
    let first = cluster.apply(&path, "tenantry", config_map(json!({"a": "1"}))).await;
    assert_eq!(first.code, 201);
    let again = cluster.apply(&path, "tenantry", config_map(json!({"a": "1"}))).await;
    assert_eq!(again.code, 200);
    assert_eq!(version(&first.body), version(&again.body));
    assert_eq!(first.body["metadata"]["managedFields"], again.body["metadata"]["managedFields"]);
}

async fn an_applier_owns_exactly_what_it_says(cluster: &Cluster) {
    let containers = json!([{
        "name": "web", "image": "nginx:1", "args": ["a", "b"],
        "ports": [{"name": "http", "containerPort": 80, "protocol": "TCP"}],
        "env": [{"name": "A", "value": "1"}],
        "resources": {"limits": {"memory": "64Mi"}},
        "readinessProbe": {"httpGet": {"path": "/", "port": "http"}},
        "volumeMounts": [{"name": "v", "mountPath": "/v"}],
    }]);
    let mut config = deployment(containers);
    config["metadata"]["labels"] = json!({"app.kubernetes.io/name": "web"});
    config["spec"]["template"]["spec"]["volumes"] = json!([{"name": "v", "emptyDir": {}}]);
    let object =
        cluster.apply(&cluster.of("apps/v1", "deployments/web"), "tenantry", config).await.ok();
    let mut expected = json!({
        "f:metadata": {"f:labels": {"f:app.kubernetes.io/name": {}}},
        "f:spec": {
            "f:replicas": {},
            "f:selector": {},
            "f:template": {
                "f:metadata": {"f:labels": {"f:app": {}}},
                "f:spec": {
                    "f:containers": {"k:{\"name\":\"web\"}": {
                        ".": {}, "f:args": {}, "f:image": {}, "f:name": {},
                        "f:env": {"k:{\"name\":\"A\"}": {".": {}, "f:name": {}, "f:value": {}}},
                        "f:ports": {"k:{\"containerPort\":80,\"protocol\":\"TCP\"}":
                            {".": {}, "f:containerPort": {}, "f:name": {}, "f:protocol": {}}},
                        "f:readinessProbe": {"f:httpGet": {"f:path": {}, "f:port": {}}},
                        "f:resources": {"f:limits": {"f:memory": {}}},
                        "f:volumeMounts": {"k:{\"mountPath\":\"/v\"}": {".": {}, "f:mountPath": {}, "f:name": {}}},
                    }},
                    "f:volumes": {"k:{\"name\":\"v\"}": {".": {}, "f:emptyDir": {}, "f:name": {}}},
                },
            },
        },
    });
    if cluster.sandbox.is_none() {
        // The sandbox has one set of types, today's. In 1.20 empty structures were nobody's.
        let volumes = &mut expected["f:spec"]["f:template"]["f:spec"]["f:volumes"];
        *volumes = json!({"k:{\"name\":\"v\"}": {".": {}, "f:name": {}}});
    }
    let found = owned(&object, "tenantry", "Apply");
    assert_eq!(found, expected, "{found:#}");
}

async fn what_is_no_longer_applied_is_removed(cluster: &Cluster) {
    let path = cluster.core("configmaps/settings");
    let mut config = config_map(json!({"a": "1", "b": "2"}));
    config["metadata"]["labels"] = json!({"x": "1"});
    cluster.apply(&path, "tenantry", config).await.ok();
    let object = cluster.apply(&path, "tenantry", config_map(json!({"a": "1"}))).await.ok();
    assert_eq!(object["data"], json!({"a": "1"}));
    assert!(object["metadata"]["labels"].is_null());
    let object = cluster
        .apply(&path, "tenantry", json!({"apiVersion": "v1", "kind": "ConfigMap"}))
        .await
        .ok();
    assert!(object["data"].is_null(), "{object:#}");
}

async fn what_others_own_too_stays(cluster: &Cluster) {
    let path = cluster.core("configmaps/settings");
    cluster.apply(&path, "tenantry", config_map(json!({"a": "1", "b": "2"}))).await.ok();
    cluster.apply(&path, "other", config_map(json!({"b": "2"}))).await.ok();
    cluster.patch(&path, json!({"data": {"c": "3"}})).await.ok();
    let object = cluster.apply(&path, "tenantry", config_map(json!({}))).await.ok();
    assert_eq!(object["data"], json!({"b": "2", "c": "3"}));
}

async fn anothers_field_is_a_conflict(cluster: &Cluster) {
    let path = cluster.core("configmaps/settings");
    cluster.apply(&path, "tenantry", config_map(json!({"a": "1"}))).await.ok();
    let answer = cluster.apply(&path, "other", config_map(json!({"a": "2"}))).await;
    let message = answer.refused(409, "Conflict");
    assert_eq!(message, "Apply failed with 1 conflict: conflict with \"tenantry\": .data.a");
    let causes = &answer.body["details"]["causes"];
    assert_eq!(
        *causes,
        json!([{"reason": "FieldManagerConflict", "message": "conflict with \"tenantry\"", "field": ".data.a"}])
    );
}

async fn several_conflicts_are_told_by_manager(cluster: &Cluster) {
    let path = cluster.core("configmaps/settings");
    cluster.apply(&path, "one", config_map(json!({"a": "1", "b": "1"}))).await.ok();
    cluster.apply(&path, "two", config_map(json!({"c": "1"}))).await.ok();
    let answer =
        cluster.apply(&path, "three", config_map(json!({"a": "2", "b": "2", "c": "2"}))).await;
    assert_eq!(
        answer.refused(409, "Conflict"),
        "Apply failed with 3 conflicts: conflicts with \"one\":\n- .data.a\n- .data.b\nconflicts with \"two\":\n- .data.c"
    );
    assert_eq!(answer.body["details"]["causes"].as_array().unwrap().len(), 3);
}

async fn force_takes_the_field(cluster: &Cluster) {
    let path = cluster.core("configmaps/settings");
    cluster.apply(&path, "one", config_map(json!({"a": "1", "b": "1"}))).await.ok();
    let object = cluster.apply(&path, "two&force=true", config_map(json!({"a": "2"}))).await.ok();
    assert_eq!(object["data"], json!({"a": "2", "b": "1"}));
    assert_eq!(owned(&object, "one", "Apply"), json!({"f:data": {"f:b": {}}}));
    assert_eq!(owned(&object, "two", "Apply"), json!({"f:data": {"f:a": {}}}));
}

async fn an_update_takes_the_fields_that_it_changes(cluster: &Cluster) {
    let path = cluster.core("configmaps/settings");
    cluster.apply(&path, "tenantry", config_map(json!({"a": "1", "b": "1"}))).await.ok();
    let object = cluster
        .patch(&format!("{path}?fieldManager=hand"), json!({"data": {"a": "2", "c": "3"}}))
        .await
        .ok();
    assert_eq!(owned(&object, "tenantry", "Apply"), json!({"f:data": {"f:b": {}}}));
    assert_eq!(owned(&object, "hand", "Update"), json!({"f:data": {"f:a": {}, "f:c": {}}}));
    let answer = cluster.apply(&path, "tenantry", config_map(json!({"a": "1", "b": "1"}))).await;
    let message = answer.refused(409, "Conflict");
    assert!(
        message.starts_with("Apply failed with 1 conflict: conflict with \"hand\" using v1"),
        "{message}"
    );
    assert!(message.ends_with(": .data.a"), "{message}");
}

async fn equal_values_are_shared_without_conflict(cluster: &Cluster) {
    let path = cluster.core("configmaps/settings");
    cluster.apply(&path, "one", config_map(json!({"a": "1"}))).await.ok();
    let object = cluster.apply(&path, "two", config_map(json!({"a": "1"}))).await.ok();
    assert_eq!(owned(&object, "one", "Apply"), owned(&object, "two", "Apply"));
    let answer = cluster.apply(&path, "one", config_map(json!({"a": "2"}))).await;
    answer.refused(409, "Conflict");
    let object = cluster.apply(&path, "one", config_map(json!({}))).await.ok();
    assert_eq!(object["data"], json!({"a": "1"}));
    let object = cluster.apply(&path, "two", config_map(json!({}))).await.ok();
    assert!(object["data"].is_null());
}

async fn a_container_that_is_left_out_goes(cluster: &Cluster) {
    let path = cluster.of("apps/v1", "deployments/web");
    let both = json!([{"name": "web", "image": "a:1"}, {"name": "side", "image": "b:1"}]);
    cluster.apply(&path, "tenantry", deployment(both)).await.ok();
    let one = json!([{"name": "web", "image": "a:1"}]);
    let object = cluster.apply(&path, "tenantry", deployment(one)).await.ok();
    let containers = object["spec"]["template"]["spec"]["containers"].as_array().unwrap();
    assert_eq!(containers.len(), 1);
    assert_eq!(containers[0]["terminationMessagePath"], "/dev/termination-log");
}

async fn ports_are_told_apart_by_number_and_protocol(cluster: &Cluster) {
    let path = cluster.of("apps/v1", "deployments/web");
    let ports = |ports: Value| json!([{"name": "dns", "image": "a:1", "ports": ports}]);
    let both =
        json!([{"containerPort": 53, "protocol": "TCP"}, {"containerPort": 53, "protocol": "UDP"}]);
    cluster.apply(&path, "tenantry", deployment(ports(both))).await.ok();
    let one = json!([{"containerPort": 53, "protocol": "UDP"}]);
    let object = cluster.apply(&path, "tenantry", deployment(ports(one.clone()))).await.ok();
    assert_eq!(object["spec"]["template"]["spec"]["containers"][0]["ports"], one);
}

async fn the_order_of_containers_is_the_applied_one(cluster: &Cluster) {
    let path = cluster.of("apps/v1", "deployments/web");
    let containers = |names: &[&str]| {
        let one = |name: &&str| json!({"name": name, "image": "a:1"});
        deployment(names.iter().map(one).collect())
    };
    cluster.apply(&path, "tenantry", containers(&["a", "b"])).await.ok();
    let object = cluster.apply(&path, "tenantry", containers(&["a", "b", "c"])).await.ok();
    let list = object["spec"]["template"]["spec"]["containers"].as_array().unwrap();
    let names: Vec<&str> =
        list.iter().map(|container| container["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["a", "b", "c"]);
}

async fn atomic_lists_have_one_owner(cluster: &Cluster) {
    let path = cluster.of("networking.k8s.io/v1", "ingresses/web");
    let ingress = |host: &str| {
        let backend = json!({"service": {"name": "web", "port": {"number": 80}}});
        let paths = json!([{"path": "/", "pathType": "Prefix", "backend": backend}]);
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "web"},
            "spec": {"rules": [{"host": host, "http": {"paths": paths}}]}})
    };
    let object = cluster.apply(&path, "one", ingress("a.example.com")).await.ok();
    assert_eq!(owned(&object, "one", "Apply"), json!({"f:spec": {"f:rules": {}}}));
    let answer = cluster.apply(&path, "two", ingress("b.example.com")).await;
    assert_eq!(
        answer.refused(409, "Conflict"),
        "Apply failed with 1 conflict: conflict with \"one\": .spec.rules"
    );
}

async fn an_unknown_field_is_refused(cluster: &Cluster) {
    let mut config = deployment(json!([{"name": "web", "image": "a:1"}]));
    config["spec"]["replicass"] = 1.into();
    let answer = cluster.apply(&cluster.of("apps/v1", "deployments/web"), "tenantry", config).await;
    let message = answer.refused(500, "");
    assert!(message.starts_with("failed to create typed patch object"), "{message}");
    assert!(message.ends_with(".spec.replicass: field not declared in schema"), "{message}");
}

async fn a_wrong_type_is_refused(cluster: &Cluster) {
    let mut config = deployment(json!([{"name": "web", "image": "a:1"}]));
    config["spec"]["replicas"] = "two".into();
    let answer = cluster.apply(&cluster.of("apps/v1", "deployments/web"), "tenantry", config).await;
    assert_eq!(answer.code, 500);
    assert!(
        answer.body["message"].as_str().unwrap().contains(".spec.replicas: expected numeric"),
        "{:#}",
        answer.body
    );
}

async fn a_dry_run_tells_and_does_nothing(cluster: &Cluster) {
    let path = cluster.core("configmaps/settings");
    let imagined = cluster.apply(&path, "tenantry&dryRun=All", config_map(json!({"a": "1"}))).await;
    assert_eq!(imagined.code, 201);
    assert_eq!(imagined.body["data"], json!({"a": "1"}));
    cluster.get(&path).await.refused(404, "NotFound");
    let real = cluster.apply(&path, "tenantry", config_map(json!({"a": "1"}))).await.ok();
    let imagined =
        cluster.apply(&path, "tenantry&dryRun=All", config_map(json!({"a": "2"}))).await.ok();
    assert_eq!(imagined["data"], json!({"a": "2"}));
    let after = cluster.get(&path).await.ok();
    assert_eq!(after["data"], json!({"a": "1"}));
    assert_eq!(version(&real), version(&after));
}

async fn quantities_are_canonical_and_no_change(cluster: &Cluster) {
    let path = cluster.of("apps/v1", "deployments/web");
    let resources = json!({"requests": {"cpu": "1000m", "memory": "1024Mi"}, "limits": {"cpu": "2", "memory": "1.5Gi"}});
    let config = deployment(json!([{"name": "web", "image": "a:1", "resources": resources}]));
    let object = cluster.apply(&path, "tenantry", config.clone()).await.ok();
    assert_eq!(
        object["spec"]["template"]["spec"]["containers"][0]["resources"],
        json!({"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "2", "memory": "1536Mi"}})
    );
    let generation = object["metadata"]["generation"].clone();
    let again = cluster.apply(&path, "tenantry", config).await.ok();
    assert_eq!(again["metadata"]["generation"], generation);
}

async fn old_servers_want_quantities_quoted_and_protocols_spelled(cluster: &Cluster) {
    let path = cluster.of("apps/v1", "deployments/web");
    let number = json!([{"name": "web", "image": "a:1", "resources": {"limits": {"cpu": 2}}}]);
    let answer = cluster.apply(&path, "tenantry&dryRun=All", deployment(number)).await;
    let port = json!([{"name": "web", "image": "a:1", "ports": [{"containerPort": 80}]}]);
    let object = cluster.apply(&path, "tenantry&dryRun=All", deployment(port)).await.ok();
    assert_eq!(object["spec"]["template"]["spec"]["containers"][0]["ports"][0]["protocol"], "TCP");
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}});
    let other = cluster.apply(&cluster.core("services/web"), "tenantry&dryRun=All", service).await;
    if cluster.minor > 20 {
        answer.ok();
        other.ok();
        return;
    }
    let message = answer.refused(500, "");
    assert!(
        message.contains("containers[name=\"web\"].resources.limits.cpu: expected string, got"),
        "{message}"
    );
    let message = other.refused(500, "");
    assert_eq!(
        message,
        "failed to create typed patch object: .spec.ports: element 0: associative list with keys has an element that omits \
         key field \"protocol\" (and doesn't have default value)"
    );
}

async fn zero_values_are_owned_but_not_kept(cluster: &Cluster) {
    let path = cluster.of("apps/v1", "deployments/web");
    let mut config = deployment(json!([{"name": "web", "image": "a:1"}]));
    config["spec"]["replicas"] = 0.into();
    config["spec"]["minReadySeconds"] = 0.into();
    config["spec"]["template"]["spec"]["hostNetwork"] = false.into();
    let object = cluster.apply(&path, "tenantry", config).await.ok();
    assert_eq!(object["spec"]["replicas"], 0);
    assert!(object["spec"]["minReadySeconds"].is_null());
    assert!(object["spec"]["template"]["spec"]["hostNetwork"].is_null());
    let owned = owned(&object, "tenantry", "Apply");
    assert_eq!(owned["f:spec"]["f:template"]["f:spec"]["f:hostNetwork"], json!({}));
}

async fn a_stale_version_is_refused(cluster: &Cluster) {
    let path = cluster.core("configmaps/settings");
    let first = cluster.apply(&path, "tenantry", config_map(json!({"a": "1"}))).await.ok();
    cluster.patch(&path, json!({"data": {"b": "1"}})).await.ok();
    let mut config = config_map(json!({"a": "2"}));
    config["metadata"]["resourceVersion"] = version(&first).into();
    let answer = cluster.apply(&path, "tenantry", config).await;
    assert_eq!(
        answer.refused(409, "Conflict"),
        "Operation cannot be fulfilled on configmaps \"settings\": the object has been modified; please apply your \
         changes to the latest version and try again"
    );
}

async fn managed_fields_cannot_be_applied(cluster: &Cluster) {
    let mut config = config_map(json!({"a": "1"}));
    config["metadata"]["managedFields"] = json!([{"manager": "x", "operation": "Apply"}]);
    let answer = cluster.apply(&cluster.core("configmaps/settings"), "tenantry", config).await;
    assert!(answer.code == 400 || answer.code == 500, "{:#}", answer.body);
    assert_eq!(answer.body["message"], "metadata.managedFields must be nil");
}

async fn an_applier_must_have_a_name(cluster: &Cluster) {
    let answer = cluster
        .send(
            http::Method::PATCH,
            &cluster.core("configmaps/settings"),
            "application/apply-patch+yaml",
            config_map(json!({})).to_string().into(),
        )
        .await;
    assert_eq!(answer.code, 422, "{:#}", answer.body);
    let message = answer.body["message"].as_str().unwrap();
    assert!(
        message.contains("fieldManager: Required value: is required for apply patch"),
        "{message}"
    );
}

async fn the_name_must_agree(cluster: &Cluster) {
    let mut config = config_map(json!({}));
    config["metadata"]["name"] = "other".into();
    let answer = cluster.apply(&cluster.core("configmaps/settings"), "tenantry", config).await;
    assert_eq!(
        answer.refused(400, "BadRequest"),
        "the name of the object (other) does not match the name on the URL (settings)"
    );
}

async fn plain_secrets_become_data(cluster: &Cluster) {
    let path = cluster.core("secrets/key");
    let secret = |value: &str| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}, "stringData": {"password": value}});
    let object = cluster.apply(&path, "tenantry", secret("hunter2")).await.ok();
    assert_eq!(object["data"], json!({"password": "aHVudGVyMg=="}));
    assert!(object["stringData"].is_null());
    assert_eq!(object["type"], "Opaque");
    assert_eq!(owned(&object, "tenantry", "Apply"), json!({"f:stringData": {"f:password": {}}}));
    let object = cluster.apply(&path, "tenantry", secret("other")).await.ok();
    assert_eq!(object["data"], json!({"password": "b3RoZXI="}));
}

async fn the_status_is_applied_through_its_own_door(cluster: &Cluster) {
    let path = cluster.core("services/web");
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "protocol": "TCP"}]}});
    cluster.apply(&path, "tenantry", service).await.ok();
    let status = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
        "spec": {"selector": {"app": "ignored"}}, "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}});
    let object = cluster.patch(&format!("{path}/status"), status).await.ok();
    assert_eq!(object["spec"]["selector"], json!({"app": "web"}));
    assert_eq!(object["status"]["loadBalancer"]["ingress"][0]["ip"], "192.0.2.1");
}

async fn managed_fields_can_be_cleared(cluster: &Cluster) {
    let path = cluster.core("configmaps/settings");
    cluster.apply(&path, "tenantry", config_map(json!({"a": "1"}))).await.ok();
    cluster.patch(&path, json!({"metadata": {"managedFields": [{}]}})).await.ok();
    let object = cluster.get(&path).await.ok();
    assert!(owned(&object, "tenantry", "Apply").is_null(), "{object:#}");
    let object =
        cluster.apply(&path, "tenantry", config_map(json!({"a": "1", "b": "2"}))).await.ok();
    assert_eq!(owned(&object, "tenantry", "Apply"), json!({"f:data": {"f:a": {}, "f:b": {}}}));
    assert!(!owned(&object, "before-first-apply", "Update").is_null(), "{object:#}");
}

async fn replicas_can_be_handed_over(cluster: &Cluster) {
    let path = cluster.of("apps/v1", "deployments/web");
    let mut config = deployment(json!([{"name": "web", "image": "a:1"}]));
    cluster.apply(&path, "tenantry", config.clone()).await.ok();
    let scaler = json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 1}});
    cluster.apply(&path, "scaler", scaler.clone()).await.ok();
    config["spec"].as_object_mut().unwrap().remove("replicas");
    let object = cluster.apply(&path, "tenantry", config.clone()).await.ok();
    assert_eq!(object["spec"]["replicas"], 1);
    let three = json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 3}});
    cluster.apply(&path, "scaler", three).await.ok();
    let object = cluster.apply(&path, "tenantry", config).await.ok();
    assert_eq!(object["spec"]["replicas"], 3);
}
