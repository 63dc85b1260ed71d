//! From a URL to what it means: a group, a version, a resource, perhaps an object and a part of it.

use std::collections::HashMap;

use axum::extract::Query;
use http::Uri;

/// What a path names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) namespace: String,
    pub(crate) resource: String,
    pub(crate) name: String,
    pub(crate) subresource: String,
}

/// The query, with its parameters by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parameters(HashMap<String, String>);

impl Parameters {
    pub(crate) fn of(uri: &Uri) -> Self {
        Query::try_from_uri(uri).map(|Query(parameters)| Self(parameters)).unwrap_or_default()
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(crate) fn is_true(&self, name: &str) -> bool {
        ["true", "1"].contains(&self.text(name))
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.text(name).parse().ok()
    }
}

impl Route {
    /// `None` for paths that are about no resource.
    pub(crate) fn of(path: &str) -> Option<Self> {
        let segments: Vec<String> =
            path.split('/').filter(|part| !part.is_empty()).map(decoded).collect();
        let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
        let (group, version, rest) = match &parts[..] {
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return None,
        };
        let (namespace, rest) = match rest {
            ["namespaces", _] | ["namespaces", _, "status" | "finalize"] => ("", rest),
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
            rest => ("", rest),
        };
        let (resource, name, subresource) = match rest {
            [resource] => (*resource, "", String::new()),
            [resource, name] => (*resource, *name, String::new()),
            [resource, name, subresource @ ..] => (*resource, *name, subresource.join("/")),
            [] => return None,
        };
        Some(Self {
            group: group.to_owned(),
            version: version.to_owned(),
            namespace: namespace.to_owned(),
            resource: resource.to_owned(),
            name: name.to_owned(),
            subresource,
        })
    }

    /// `pods/status`, for counting.
    pub(crate) fn counted_as(&self) -> String {
        if self.subresource.is_empty() {
            self.resource.clone()
        } else {
            format!("{}/{}", self.resource, self.subresource)
        }
    }
}

/// Undoes percent-encoding; what is not properly encoded stays as it is.
fn decoded(segment: &str) -> String {
    let bytes = segment.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut place = 0;
    while place < bytes.len() {
        let code =
            segment.get(place + 1..place + 3).and_then(|code| u8::from_str_radix(code, 16).ok());
        match (bytes[place], code) {
            (b'%', Some(byte)) => {
                plain.push(byte);
                place += 3;
            }
            (byte, _) => {
                plain.push(byte);
                place += 1;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expected: &str) {
        let found = Route::of(path).map(|route| {
            let Route { group, version, namespace, resource, name, subresource } = route;
            [group, version, namespace, resource, name, subresource].join("|")
        });
        assert_eq!(found.unwrap_or_default(), expected, "{path}");
    }

    #[test]
    fn paths_name_what_they_name() {
        check("/api/v1/namespaces", "|v1||namespaces||");
        check("/api/v1/namespaces/acme", "|v1||namespaces|acme|");
        check("/api/v1/namespaces/acme/finalize", "|v1||namespaces|acme|finalize");
        check("/api/v1/namespaces/acme/pods", "|v1|acme|pods||");
        check(
            "/apis/apps/v1/namespaces/acme/deployments/web/scale",
            "apps|v1|acme|deployments|web|scale",
        );
        check("/apis/apps/v1/deployments", "apps|v1||deployments||");
        check(
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode",
            "rbac.authorization.k8s.io|v1||clusterroles|system:node|",
        );
        check("/apis/apps/v1", "");
        check("/version", "");
    }
}
