//! The example business that is built in: `tenants-example`, with its cluster, its database server
//! and one end of payment moved to where the demo is. A test keeps the list equal to the folder.

use jiff::civil::Date;

macro_rules! built_in {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../../../tenants-example/", $name)))),+]
    };
}

/// Each file's path and text.
const EXAMPLE: &[(&str, &str)] = built_in![
    "channels/kkt-stable.yaml",
    "clusters/saigon.yaml",
    "components/cmc.yaml",
    "components/forum.yaml",
    "components/ghost.yaml",
    "components/main-class.yaml",
    "components/mariadb.yaml",
    "components/n8n.yaml",
    "components/redis.yaml",
    "components/streaming.yaml",
    "components/user.yaml",
    "components/video-learning.yaml",
    "components/wordpress.yaml",
    "packages/elearning/bronze.yaml",
    "packages/elearning/gold.yaml",
    "packages/elearning/silver.yaml",
    "packages/kiteclass/basic.yaml",
    "packages/kiteclass/enterprise.yaml",
    "packages/kiteclass/premium.yaml",
    "packages/kiteclass/standard.yaml",
    "packages/kkt/enterprise.yaml",
    "packages/kkt/professional.yaml",
    "packages/kkt/starter.yaml",
    "packages/paas/ghost.yaml",
    "packages/paas/n8n.yaml",
    "packages/paas/wordpress.yaml",
    "platform.yaml",
    "tenants/acme/school.yaml",
    "tenants/acme/tenant.yaml",
    "tenants/acme/verify.yaml",
    "tenants/budi/automation.yaml",
    "tenants/budi/tenant.yaml",
    "tenants/globex/campus.yaml",
    "tenants/globex/tenant.yaml",
    "tenants/kassa-plus/licence.yaml",
    "tenants/kassa-plus/server.yaml",
    "tenants/kassa-plus/tenant.yaml",
    "tenants/minh-anh/courses.yaml",
    "tenants/minh-anh/tenant.yaml",
    "tenants/rizky/automation.yaml",
    "tenants/rizky/tenant.yaml",
    "tenants/siti/blog.yaml",
    "tenants/siti/tenant.yaml",
    "tenants/sunrise/school.yaml",
    "tenants/sunrise/tenant.yaml",
    "tenants/toko-batik/automation.yaml",
    "tenants/toko-batik/journal.yaml",
    "tenants/toko-batik/tenant.yaml",
    "tenants/warung-kopi/site.yaml",
    "tenants/warung-kopi/tenant.yaml",
];

const CLUSTER: &str = "clusters/saigon.yaml";
const EXPIRED: &str = "tenants/rizky/automation.yaml";

/// What of the example depends on where and when it is played.
pub(super) struct Here {
    /// The minor version of Kubernetes that the cluster plays.
    pub(super) minor: u16,
    pub(super) database_port: u16,
    /// The last day that the customer who did not renew has paid for.
    pub(super) expired: Date,
}

/// A file and its text.
pub(super) type File = (&'static str, String);

/// Everything that is no tenant's: the platform, the cluster, components and packages.
pub(super) fn catalog(here: &Here) -> Vec<File> {
    files(here).filter(|(path, _)| !path.starts_with("tenants/")).collect()
}

/// The files of one tenant.
pub(super) fn tenant(name: &str, here: &Here) -> Vec<File> {
    files(here).filter(|(path, _)| owner(path) == Some(name)).collect()
}

/// The files of everybody but one tenant.
pub(super) fn tenants_but(name: &str, here: &Here) -> Vec<File> {
    files(here).filter(|(path, _)| owner(path).is_some_and(|owner| owner != name)).collect()
}

/// One file of the example, as it is here.
pub(super) fn file(path: &str, here: &Here) -> String {
    let found = files(here).find(|(name, _)| *name == path);
    found.map(|(_, text)| text).expect("the demo names only files of the example")
}

fn owner(path: &str) -> Option<&str> {
    path.strip_prefix("tenants/")?.split('/').next()
}

fn files(here: &Here) -> impl Iterator<Item = File> {
    EXAMPLE.iter().map(|(path, text)| (*path, moved(path, text, here)))
}

fn moved(path: &str, text: &str, here: &Here) -> String {
    match path {
        CLUSTER => {
            let minor = format!("kubernetesVersion: \"1.{}\"", here.minor);
            let port = format!("port: {}", here.database_port);
            let text = replaced(text, "kubernetesVersion: \"1.33\"", &minor);
            let text =
                replaced(&text, "host: postgres.databases.svc.cluster.local", "host: 127.0.0.1");
            replaced(&text, "port: 5432", &port)
        }
        EXPIRED => {
            let expired = format!("paidThrough: {}", here.expired);
            let text = replaced(text, "paidThrough: 2026-11-10", &expired);
            replaced(&text, "11 November 2026", "the day after")
        }
        _ => text.to_owned(),
    }
}

/// Replaces what has to be there: a test moves every file.
pub(super) fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "the example says `{from}`");
    text.replacen(from, to, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_folder_is_built_in() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tenants-example");
        let mut folders = vec![root.clone()];
        let mut names = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    names.push(path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        names.sort();
        assert_eq!(EXAMPLE.iter().map(|(name, _)| *name).collect::<Vec<_>>(), names);
    }

    #[test]
    fn the_cluster_and_its_databases_are_moved_to_this_machine() {
        let here =
            Here { minor: 20, database_port: 40_123, expired: jiff::civil::date(2026, 3, 1) };
        let cluster = file(CLUSTER, &here);
        for moved in ["\"1.20\"", "host: 127.0.0.1", "port: 40123"] {
            assert!(cluster.contains(moved), "{cluster}");
        }
        assert!(file(EXPIRED, &here).contains("paidThrough: 2026-03-01"));
        assert_eq!(
            catalog(&here).len() + tenant("acme", &here).len() + tenants_but("acme", &here).len(),
            EXAMPLE.len()
        );
    }
}
