//! Where the documents are that a command looks at: a folder as it is, or a revision of the
//! repository around it.

use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;

use crate::model::Snapshot;
use crate::source;
use crate::source::Objects;
use crate::source::settings::SubFolder;

use super::Failure;
use super::failure::Helped as _;

/// Reads the folder as it is now, committed or not.
pub(super) fn of_folder(folder: &Path) -> Result<Arc<Snapshot>, Failure> {
    let snapshot = source::folder(folder).or_help("name the folder that holds `platform.yaml`")?;
    if snapshot.files.is_empty() {
        let failure = Failure::new(format!("there is no document in {}", folder.display()));
        return Err(failure.help("name the folder that holds `platform.yaml`"));
    }
    Ok(Arc::new(snapshot))
}

/// Reads the same folder as it was in a revision.
pub(super) async fn of_revision(folder: &Path, revision: &str) -> Result<Arc<Snapshot>, Failure> {
    let objects = repository_around(folder).await?;
    let commit = objects.resolve(revision).await?;
    Ok(objects.snapshot(&commit).await?)
}

/// Reads what a person names: a revision of the repository around the folder, or another folder.
pub(super) async fn of_either(folder: &Path, name: &str) -> Result<Arc<Snapshot>, Failure> {
    let other = PathBuf::from(name);
    let looks_like_a_path = name.contains('/') || name == "." || name == "..";
    match of_revision(folder, name).await {
        Ok(snapshot) => Ok(snapshot),
        Err(_) if other.is_dir() => of_folder(&other),
        Err(_) if looks_like_a_path && repository_around(folder).await.is_err() => {
            of_folder(&other)
        }
        Err(failure) => Err(failure),
    }
}

/// The repository that a folder is in, seen from that folder.
async fn repository_around(folder: &Path) -> Result<Objects, Failure> {
    let inside: SubFolder = inside_repository(folder)?.to_string_lossy().parse()?;
    Ok(Objects::around(&absolute(folder)?, inside).await?)
}

/// Where a folder is inside its repository; nowhere further down where it is in none.
pub(super) fn inside_repository(folder: &Path) -> Result<PathBuf, Failure> {
    let absolute = absolute(folder)?;
    let root = absolute.ancestors().find(|above| above.join(".git").exists());
    let inside = root.and_then(|root| absolute.strip_prefix(root).ok());
    Ok(inside.map(Path::to_owned).unwrap_or_default())
}

fn absolute(folder: &Path) -> Result<PathBuf, Failure> {
    let absolute = folder
        .canonicalize()
        .with_context(|| format!("the folder {} cannot be read", folder.display()))?;
    Ok(absolute)
}
