//! The templates that are built in. A test keeps this list equal to the folder.

macro_rules! built_in {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../../templates/", $name)))),+]
    };
}

/// Each template's name and text.
pub(super) const BUILT_IN: &[(&str, &str)] = built_in![
    "component/mariadb.yaml",
    "component/redis.yaml",
    "component/web.yaml",
    "kiteclass/namespace/10-namespace.yaml",
    "kiteclass/namespace/20-quota.yaml",
    "kiteclass/namespace/30-network.yaml",
    "kiteclass/subscription/10-credentials.yaml",
    "kiteclass/subscription/20-database.yaml",
    "kiteclass/subscription/40-ingress.yaml",
    "kiteclass/subscription/50-jobs.yaml",
    "kiteclass/subscription/60-backup.yaml",
    "kiteclass/task/backup.yaml",
    "kiteclass/task/final-backup.yaml",
    "kiteclass/task/restore.yaml",
    "kiteclass/task/verify.yaml",
    "paas/namespace/10-namespace.yaml",
    "paas/namespace/20-quota.yaml",
    "paas/namespace/30-network.yaml",
    "paas/subscription/10-credentials.yaml",
    "paas/subscription/40-ingress.yaml",
    "paas/subscription/60-backup.yaml",
    "paas/task/backup.yaml",
    "paas/task/final-backup.yaml",
    "paas/task/restore.yaml",
    "shared/_beside.yaml",
    "shared/_claims.yaml",
    "shared/_container-security.yaml",
    "shared/_credentials.yaml",
    "shared/_file-security.yaml",
    "shared/_ingress.yaml",
    "shared/_isolation.yaml",
    "shared/_job-container.yaml",
    "shared/_pod-security.yaml",
    "shared/_quota.yaml",
    "shared/_task-database.yaml",
    "shared/_task-volumes.yaml",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_folder_is_built_in() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
        let mut folders = vec![root.clone()];
        let mut names = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path == root.join("email") {
                    // What people are told is no object of a cluster: `notify` has it.
                } else if path.is_dir() {
                    folders.push(path);
                } else {
                    names.push(path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        names.sort();
        assert_eq!(BUILT_IN.iter().map(|(name, _)| *name).collect::<Vec<_>>(), names);
    }
}
