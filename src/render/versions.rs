//! Which versions of an API a Kubernetes release serves: templates choose by what the `Cluster`
//! says, never by asking the live server, so that rendering stays pure.

/// The minor number of a version as people write it: `1.33`, `v1.33.2+k3s1`.
pub(crate) fn minor(version: &str) -> Option<u16> {
    let rest = version.strip_prefix('v').unwrap_or(version).strip_prefix("1.")?;
    let digits = rest.split(|next: char| !next.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// Where objects of a kind stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Namespaced,
    Cluster,
}

/// A version of a kind: from which minor release it is served, and until which.
struct Served {
    api_version: &'static str,
    from: u16,
    until: u16,
}

struct Kind {
    name: &'static str,
    scope: Scope,
    /// The version to prefer comes first.
    served: &'static [Served],
}

const ALWAYS: u16 = u16::MAX;

macro_rules! kinds {
    ($($name:ident $scope:ident $($api_version:literal $from:literal..$until:tt),+;)+) => {
        &[$(Kind {
            name: stringify!($name),
            scope: Scope::$scope,
            served: &[$(Served { api_version: $api_version, from: $from, until: kinds!(@until $until) }),+],
        }),+]
    };
    (@until ever) => { ALWAYS };
    (@until $until:literal) => { $until };
}

/// The kinds of Kubernetes itself. What is not here is a kind of somebody's own.
const KINDS: &[Kind] = kinds! {
    Namespace Cluster "v1" 0..ever;
    Node Cluster "v1" 0..ever;
    PersistentVolume Cluster "v1" 0..ever;
    ConfigMap Namespaced "v1" 0..ever;
    Endpoints Namespaced "v1" 0..ever;
    Event Namespaced "v1" 0..ever, "events.k8s.io/v1" 19..ever;
    LimitRange Namespaced "v1" 0..ever;
    PersistentVolumeClaim Namespaced "v1" 0..ever;
    Pod Namespaced "v1" 0..ever;
    PodTemplate Namespaced "v1" 0..ever;
    ReplicationController Namespaced "v1" 0..ever;
    ResourceQuota Namespaced "v1" 0..ever;
    Secret Namespaced "v1" 0..ever;
    Service Namespaced "v1" 0..ever;
    ServiceAccount Namespaced "v1" 0..ever;
    DaemonSet Namespaced "apps/v1" 9..ever;
    Deployment Namespaced "apps/v1" 9..ever;
    ReplicaSet Namespaced "apps/v1" 9..ever;
    StatefulSet Namespaced "apps/v1" 9..ever;
    CronJob Namespaced "batch/v1" 21..ever, "batch/v1beta1" 8..25;
    Job Namespaced "batch/v1" 0..ever;
    HorizontalPodAutoscaler Namespaced "autoscaling/v2" 23..ever, "autoscaling/v2beta2" 12..26, "autoscaling/v1" 0..ever;
    PodDisruptionBudget Namespaced "policy/v1" 21..ever, "policy/v1beta1" 5..25;
    Ingress Namespaced "networking.k8s.io/v1" 19..ever, "networking.k8s.io/v1beta1" 14..22, "extensions/v1beta1" 0..22;
    IngressClass Cluster "networking.k8s.io/v1" 19..ever, "networking.k8s.io/v1beta1" 18..22;
    NetworkPolicy Namespaced "networking.k8s.io/v1" 7..ever;
    EndpointSlice Namespaced "discovery.k8s.io/v1" 21..ever, "discovery.k8s.io/v1beta1" 17..25;
    Lease Namespaced "coordination.k8s.io/v1" 14..ever;
    Role Namespaced "rbac.authorization.k8s.io/v1" 8..ever;
    RoleBinding Namespaced "rbac.authorization.k8s.io/v1" 8..ever;
    ClusterRole Cluster "rbac.authorization.k8s.io/v1" 8..ever;
    ClusterRoleBinding Cluster "rbac.authorization.k8s.io/v1" 8..ever;
    PriorityClass Cluster "scheduling.k8s.io/v1" 14..ever;
    RuntimeClass Cluster "node.k8s.io/v1" 20..ever, "node.k8s.io/v1beta1" 14..25;
    StorageClass Cluster "storage.k8s.io/v1" 6..ever;
    CustomResourceDefinition Cluster "apiextensions.k8s.io/v1" 16..ever;
    APIService Cluster "apiregistration.k8s.io/v1" 10..ever;
    MutatingWebhookConfiguration Cluster "admissionregistration.k8s.io/v1" 16..ever;
    ValidatingWebhookConfiguration Cluster "admissionregistration.k8s.io/v1" 16..ever;
    PodSecurityPolicy Cluster "policy/v1beta1" 10..25;
};

/// What is known of a kind in an API group's version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// It is served, and this is where its objects stand.
    Served(Scope),
    /// This release does not serve it in that version; it would in this one, where in any.
    NotServed { instead: Option<&'static str> },
    /// The group is Kubernetes' own, and has no such kind.
    NoSuchKind,
    /// The group is somebody's own: whatever it is, it stands in a namespace.
    Foreign,
}

/// Looks a kind up for a release.
pub(super) fn look_up(minor: u16, api_version: &str, kind: &str) -> Known {
    let group = group_of(api_version);
    if !is_built_in(group) {
        return Known::Foreign;
    }
    let in_group = |known: &&Kind| {
        known.name == kind
            && known.served.iter().any(|served| group_of(served.api_version) == group)
    };
    let Some(known) = KINDS.iter().find(in_group) else { return Known::NoSuchKind };
    let now = |served: &&Served| served.from <= minor && minor < served.until;
    if known.served.iter().filter(now).any(|served| served.api_version == api_version) {
        Known::Served(known.scope)
    } else {
        Known::NotServed { instead: preferred(minor, kind) }
    }
}

/// The version to use for a kind in a release.
pub(super) fn preferred(minor: u16, kind: &str) -> Option<&'static str> {
    let known = KINDS.iter().find(|known| known.name == kind)?;
    let served = known.served.iter().find(|served| served.from <= minor && minor < served.until)?;
    Some(served.api_version)
}

/// Every kind with the version to use for it in a release.
pub(super) fn all_preferred(minor: u16) -> impl Iterator<Item = (&'static str, &'static str)> {
    KINDS.iter().filter_map(move |kind| Some((kind.name, preferred(minor, kind.name)?)))
}

/// The group of an `apiVersion`: empty for `v1`.
pub(super) fn group_of(api_version: &str) -> &str {
    api_version.rsplit_once('/').map_or("", |(group, _)| group)
}

/// Kubernetes' own groups have no dot or end with its domain.
fn is_built_in(group: &str) -> bool {
    !group.contains('.')
        || group.ends_with(".k8s.io")
            && KINDS
                .iter()
                .any(|kind| kind.served.iter().any(|served| group_of(served.api_version) == group))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_as_people_write_it() {
        for (text, expected) in [
            ("1.33", Some(33)),
            ("v1.30.2+k3s1", Some(30)),
            ("1.20.2", Some(20)),
            ("2.0", None),
            ("", None),
        ] {
            assert_eq!(minor(text), expected, "{text}");
        }
    }

    #[test]
    fn each_release_gets_the_versions_it_serves() {
        assert_eq!(preferred(20, "CronJob"), Some("batch/v1beta1"));
        assert_eq!(preferred(33, "CronJob"), Some("batch/v1"));
        assert_eq!(preferred(20, "PodDisruptionBudget"), Some("policy/v1beta1"));
        assert_eq!(preferred(20, "HorizontalPodAutoscaler"), Some("autoscaling/v2beta2"));
        assert_eq!(preferred(24, "Ingress"), Some("networking.k8s.io/v1"));
    }

    #[test]
    fn a_version_that_is_not_served_is_told_with_the_one_that_is() {
        assert_eq!(
            look_up(20, "batch/v1", "CronJob"),
            Known::NotServed { instead: Some("batch/v1beta1") }
        );
        assert_eq!(look_up(33, "batch/v1", "CronJob"), Known::Served(Scope::Namespaced));
        assert_eq!(look_up(33, "v1", "Deployment"), Known::NoSuchKind);
        assert_eq!(look_up(33, "apps/v1", "Deploymnet"), Known::NoSuchKind);
        assert_eq!(look_up(33, "cert-manager.io/v1", "Certificate"), Known::Foreign);
        assert_eq!(look_up(33, "gateway.networking.k8s.io/v1", "HTTPRoute"), Known::Foreign);
        assert_eq!(look_up(33, "v1", "Namespace"), Known::Served(Scope::Cluster));
    }
}
