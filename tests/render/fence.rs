//! What is rendered for a tenant stays inside that tenant's namespaces.

use super::fixture::Files;
use super::fixture::Rendered as _;

const TEMPLATE: &str = "templates/paas/subscription/50-more.yaml";

/// Renders an object for a tenant that may not have it, and tells why.
#[track_caller]
fn refused(object: &str) -> String {
    let refusal = Files::example().with(TEMPLATE, object).refused("siti");
    let place = format!("{TEMPLATE}:");
    let rest = refusal.strip_prefix(&place).unwrap_or_else(|| panic!("{refusal}"));
    rest.split_once(": ").unwrap().1.to_owned()
}

#[track_caller]
fn check(object: &str, expected: &str) {
    let refusal = refused(object);
    assert!(refusal.starts_with(expected), "{refusal}");
    assert!(refusal.split("help: ").nth(1).is_some_and(|help| help.len() > 5), "{refusal}");
}

fn pod(spec: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{ name: more }}\nspec:\n  template:\n    spec: {spec}\n"
    )
}

#[test]
fn nothing_stands_in_somebody_elses_namespace() {
    let object = |place: &str| {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: a, {place} }}\n")
    };
    check(
        &object("namespace: kiteclass-acme"),
        "ConfigMap/kiteclass-acme/a would stand in `kiteclass-acme`, which is not a namespace of `siti`",
    );
    check(
        &object("namespace: kube-system"),
        "ConfigMap/kube-system/a would stand in `kube-system`",
    );
    check(
        "apiVersion: v1\nkind: Namespace\nmetadata: { name: kiteclass-acme }\n",
        "Namespace/kiteclass-acme would",
    );
    check(
        "apiVersion: v1\nkind: Namespace\nmetadata: { name: customer-siti, namespace: customer-siti }\n",
        "`metadata.namespace` does not fit a Namespace",
    );
}

#[test]
fn nothing_belongs_to_the_whole_cluster() {
    for (version, kind) in [
        ("rbac.authorization.k8s.io/v1", "ClusterRole"),
        ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
        ("v1", "PersistentVolume"),
        ("storage.k8s.io/v1", "StorageClass"),
        ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration"),
    ] {
        let object = format!("apiVersion: {version}\nkind: {kind}\nmetadata: {{ name: a }}\n");
        check(&object, &format!("a {kind} belongs to the whole cluster"));
    }
}

#[test]
fn an_object_of_somebodys_own_kind_stands_in_the_tenants_namespace() {
    let object = "apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: { name: a }\n";
    let rendering = Files::example().with(TEMPLATE, object).render("siti");
    assert_eq!(&*rendering.one("Certificate").id.namespace, "customer-siti");
}

#[test]
fn pods_stay_in_their_sandbox() {
    for (spec, expected) in [
        ("{ hostNetwork: true }", "Deployment/customer-siti/more sets `hostNetwork`"),
        ("{ hostPID: true }", "Deployment/customer-siti/more sets `hostPID`"),
        ("{ nodeName: node-1 }", "Deployment/customer-siti/more sets `nodeName`"),
        (
            "{ volumes: [{ name: a, hostPath: { path: / } }] }",
            "Deployment/customer-siti/more sets a volume of kind `hostPath`",
        ),
        (
            "{ volumes: [{ name: a, nfs: { server: a, path: / } }] }",
            "Deployment/customer-siti/more sets a volume of kind `nfs`",
        ),
        (
            "{ containers: [{ name: a, securityContext: { privileged: true } }] }",
            "Deployment/customer-siti/more sets a privileged container",
        ),
        (
            "{ initContainers: [{ name: a, securityContext: { allowPrivilegeEscalation: true } }] }",
            "Deployment/customer-siti/more sets a privileged",
        ),
        (
            "{ containers: [{ name: a, securityContext: { capabilities: { add: [SYS_ADMIN] } } }] }",
            "Deployment/customer-siti/more sets the capability \"SYS_ADMIN\"",
        ),
        (
            "{ containers: [{ name: a, ports: [{ containerPort: 80, hostPort: 80 }] }] }",
            "Deployment/customer-siti/more sets a `hostPort`",
        ),
        (
            "{ securityContext: { sysctls: [{ name: kernel.shm_rmid_forced, value: \"1\" }] } }",
            "Deployment/customer-siti/more sets the sysctl",
        ),
    ] {
        check(&pod(spec), expected);
    }
    check(
        "apiVersion: {{ cluster.api.CronJob }}\nkind: CronJob\nmetadata: { name: more }\nspec: { jobTemplate: { spec: { template: { spec: { hostIPC: true } } } } }\n",
        "CronJob/customer-siti/more sets `hostIPC`",
    );
    check(
        "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: { name: more }\n",
        "a tenant owns no DaemonSet",
    );
}

#[test]
fn services_take_no_traffic_of_others() {
    let service = |spec: &str| {
        format!("apiVersion: v1\nkind: Service\nmetadata: {{ name: more }}\nspec: {spec}\n")
    };
    check(&service("{ externalIPs: [10.0.0.1] }"), "Service/customer-siti/more sets `externalIPs`");
    check(&service("{ type: NodePort }"), "Service/customer-siti/more is of type `NodePort`");
    check(
        &service("{ type: ExternalName, externalName: web.kiteclass-acme.svc }"),
        "Service/customer-siti/more is of type `ExternalName`",
    );
    check(
        "apiVersion: v1\nkind: Endpoints\nmetadata: { name: more }\n",
        "a tenant owns no Endpoints",
    );
    check(
        "apiVersion: v1\nkind: Service\nmetadata: { name: a.b }\n",
        "`a.b` is not a name for a Service",
    );
}

#[test]
fn an_ingress_answers_for_the_tenants_own_hosts_alone() {
    let ingress = |spec: &str, annotations: &str| {
        format!(
            "apiVersion: {{{{ cluster.api.Ingress }}}}\nkind: Ingress\nmetadata: {{ name: more, annotations: {annotations} }}\nspec: {spec}\n"
        )
    };
    check(
        &ingress("{ rules: [{ host: acme.kiteclass.com }] }", "{}"),
        "Ingress/customer-siti/more answers for `acme.kiteclass.com`, which is not a host of `siti`",
    );
    check(
        &ingress("{ tls: [{ hosts: [acme.kiteclass.com] }] }", "{}"),
        "Ingress/customer-siti/more answers for `acme",
    );
    check(
        &ingress("{ rules: [{ http: {} }] }", "{}"),
        "Ingress/customer-siti/more answers for every host",
    );
    check(
        &ingress("{ defaultBackend: {} }", "{}"),
        "Ingress/customer-siti/more answers for every host",
    );
    check(
        &ingress("{}", "{ nginx.ingress.kubernetes.io/configuration-snippet: x }"),
        "Ingress/customer-siti/more reaches into the shared proxy",
    );
}

#[test]
fn rights_volumes_and_passwords_stay_inside() {
    check(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: { name: more }\nsubjects: [{ kind: ServiceAccount, name: default, namespace: kiteclass-acme }]\n",
        "RoleBinding/customer-siti/more gives rights to somebody else",
    );
    check(
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: { name: more }\nspec: { volumeName: pv-of-acme }\n",
        "PersistentVolumeClaim/customer-siti/more asks for a certain volume",
    );
    check(
        "apiVersion: tenantry.dev/v1\nkind: Database\nmetadata: { name: more }\nspec: { database: a, role: a, login: true, secret: { namespace: kiteclass-acme, name: a, key: b } }\n",
        "Database/customer-siti/more would stand in `kiteclass-acme`",
    );
    check(
        "apiVersion: tenantry.dev/v1\nkind: Database\nmetadata: { name: more }\nspec: { database: \"a\\\"; drop\", role: a, login: true, secret: { namespace: customer-siti, name: a, key: b } }\n",
        "`a\"; drop` is no name in a database",
    );
    check(
        "apiVersion: tenantry.dev/v1\nkind: Tenant\nmetadata: { name: more }\n",
        "templates make no `Tenant`",
    );
}

#[test]
fn nothing_is_rendered_twice() {
    check(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\n",
        "ConfigMap/customer-siti/a is rendered twice",
    );
}

#[test]
fn an_object_says_what_it_is() {
    check("kind: ConfigMap\nmetadata: { name: a }\n", "this object has no `apiVersion`");
    check("apiVersion: v1\nkind: ConfigMap\n", "this object has no `metadata`");
    check("apiVersion: v1\nkind: ConfigMap\nmetadata: {}\n", "this ConfigMap has no name");
    check(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: A_b }\n",
        "`A_b` is not a name for a ConfigMap",
    );
    check(
        "apiVersion: v1\nkind: Deployment\nmetadata: { name: a }\n",
        "`v1` has no kind `Deployment`",
    );
    check(
        "apiVersion: batch/v1beta1\nkind: CronJob\nmetadata: { name: a }\n",
        "Kubernetes 1.33 does not serve CronJob as `batch/v1beta1`\n  help: write `apiVersion: {{ cluster.api.CronJob }}`",
    );
    check(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a, annotations: { tenantry.dev/stage: Later } }\n",
        "`tenantry.dev/stage` is not a stage",
    );
}

#[test]
fn every_object_carries_our_labels_whatever_the_template_says() {
    let object = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a, labels: { tenantry.dev/tenant: acme, app.kubernetes.io/managed-by: helm } }\n";
    let rendering = Files::example().with(TEMPLATE, object).render("siti");
    let labels = &rendering.named("ConfigMap", "a").body["metadata"]["labels"];
    assert_eq!(labels["tenantry.dev/tenant"], "siti");
    assert_eq!(labels["tenantry.dev/subscription"], "blog");
    assert_eq!(labels["app.kubernetes.io/managed-by"], "tenantry");
    assert_eq!(labels["app.kubernetes.io/part-of"], "paas");
}
