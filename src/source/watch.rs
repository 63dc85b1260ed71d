//! Watches the branch: looks now and then, when a local repository changes, and when nudged.

use std::hash::BuildHasher as _;
use std::hash::Hasher as _;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use notify::RecursiveMode;
use notify::Watcher as _;
use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::model::Commit;

use super::Source;
use super::address::Address;
use super::state::Reach;

/// A commit touches several files; one look sees them all.
const QUIET: Duration = Duration::from_millis(2);
const LONGEST_UNREST: Duration = Duration::from_millis(50);
/// The first wait after a failure; each further one doubles it.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_mins(5);
/// How many looks that found something lie between two tidyings of the mirror.
const TIDY_EVERY: u32 = 200;

/// New heads, as they come. The watch ends when this is dropped.
#[derive(Debug)]
pub struct Watch {
    heads: watch::Receiver<Option<Commit>>,
    task: AbortHandle,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Watch {
    /// The next head to converge to. Of several that came meanwhile, it is the newest.
    /// Nothing is lost when the wait is given up.
    pub async fn next(&mut self) -> Commit {
        loop {
            if self.heads.changed().await.is_err() {
                // The task ends only with the runtime.
                std::future::pending::<()>().await;
            }
            if let Some(commit) = self.heads.borrow_and_update().clone() {
                return commit;
            }
        }
    }
}

impl Source {
    /// Starts to watch the branch. The first head comes as soon as the branch could be seen;
    /// where it cannot, what was last taken comes instead, if it is still here.
    pub fn watch(&self) -> Watch {
        let (sender, heads) = watch::channel(None);
        let task = tokio::spawn(watching(self.clone(), sender)).abort_handle();
        Watch { heads, task }
    }
}

async fn watching(source: Source, heads: watch::Sender<Option<Commit>>) {
    let mut local = None;
    let mut acceptance = acceptances(&source);
    let mut failures = 0;
    let mut found: u32 = 0;
    loop {
        // Before the look, so that no change falls between the two.
        if let Address::Folder(folder) = &source.settings().repository
            && local.as_ref().is_none_or(LocalWatch::is_broken)
        {
            local = LocalWatch::start(&source, folder).await;
        }
        let outcome = source.look().await;
        failures = if outcome.is_ok() { 0 } else { failures + 1 };
        if let Some(commit) = worth_converging(&source).await
            && heads.borrow().as_ref() != Some(&commit)
        {
            heads.send_replace(Some(commit));
            found += 1;
            if found.is_multiple_of(TIDY_EVERY)
                && let Err(error) = source.shared.remote.wire.tidy().await
            {
                tracing::warn!("the mirror could not be tidied: {error}");
            }
        }
        let pause = pause(source.settings().poll.0, failures, random_share());
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = source.shared.nudge.notified() => {}
            () = changed(local.as_mut().map(|local| &mut local.references)) => {}
            () = accepted_elsewhere(&source, acceptance.as_mut()) => {}
        }
    }
}

/// What was last taken, as far as it can be read.
async fn worth_converging(source: &Source) -> Option<Commit> {
    let accepted = source.accepted()?;
    source.objects().has(&accepted).await.ok()?.then_some(accepted)
}

/// How long to wait until the next look: about the interval, or longer and longer after failures.
/// `share` is somewhere from 0 to 255, so that many daemons do not look all at once.
fn pause(interval: Duration, failures: u32, share: u8) -> Duration {
    let pause = match failures.checked_sub(1) {
        None => interval,
        Some(doublings) => {
            let longest = LONGEST_RETRY.max(interval);
            FIRST_RETRY
                .checked_mul(1 << doublings.min(16))
                .map_or(longest, |wait| wait.min(longest))
        }
    };
    // From nine to eleven tenths.
    pause * (9 * 256 + 2 * u32::from(share)) / 2560
}

fn random_share() -> u8 {
    std::hash::RandomState::new().build_hasher().finish().to_le_bytes()[0]
}

/// Notices changes of the references of a local repository.
struct LocalWatch {
    references: FileWatch,
    git: PathBuf,
    state: watch::Receiver<super::State>,
}

impl LocalWatch {
    /// `None` where the folder is not a repository yet, or the system watches no more files:
    /// polling remains.
    async fn start(source: &Source, folder: &Path) -> Option<Self> {
        let git = source.shared.remote.wire.local_git_folder(folder).await.ok()?;
        let mut folders = vec![(git.clone(), RecursiveMode::NonRecursive)];
        for references in ["refs", "reftable"].map(|folder| git.join(folder)) {
            if references.is_dir() {
                folders.push((references, RecursiveMode::Recursive));
            }
        }
        let watched = git.clone();
        let references = FileWatch::over(&folders, move |event| concerns(&watched, event))?;
        Some(Self { references, git, state: source.state() })
    }

    /// A repository that was away may have come back as other files.
    fn is_broken(&self) -> bool {
        matches!(self.state.borrow().reach, Reach::Unreachable { .. }) || !self.git.exists()
    }
}

/// Notices that another process, such as `tenantry accept`, accepted a commit.
fn acceptances(source: &Source) -> Option<FileWatch> {
    let file = source.shared.guard.file.clone();
    let folder = file.parent()?.to_owned();
    FileWatch::over(&[(folder, RecursiveMode::NonRecursive)], move |event| {
        !event.kind.is_access() && event.paths.contains(&file)
    })
}

async fn accepted_elsewhere(source: &Source, mut acceptance: Option<&mut FileWatch>) {
    loop {
        changed(acceptance.as_deref_mut()).await;
        // Most of the time it was us who wrote it.
        if source.shared.guard.read().is_ok_and(|written| written != source.accepted()) {
            return;
        }
    }
}

/// Changes of files, as the operating system tells them.
struct FileWatch {
    _watcher: notify::RecommendedWatcher,
    changes: mpsc::Receiver<()>,
}

impl FileWatch {
    fn over(
        folders: &[(PathBuf, RecursiveMode)],
        concerns: impl Fn(&notify::Event) -> bool + Send + 'static,
    ) -> Option<Self> {
        let (sender, changes) = mpsc::channel(1);
        let tell = move |event: notify::Result<notify::Event>| {
            if event.map_or(true, |event| concerns(&event)) {
                // A full channel already says what there is to say.
                let _ = sender.try_send(());
            }
        };
        let mut watcher = notify::recommended_watcher(tell).ok()?;
        for (folder, mode) in folders {
            watcher.watch(folder, *mode).ok()?;
        }
        Some(Self { _watcher: watcher, changes })
    }
}

/// Waits for a change, and until it is over; for ever where nothing is watched.
async fn changed(watch: Option<&mut FileWatch>) {
    let Some(watch) = watch else { return std::future::pending().await };
    if watch.changes.recv().await.is_none() {
        std::future::pending::<()>().await;
    }
    let settled = async {
        while let Ok(Some(())) = tokio::time::timeout(QUIET, watch.changes.recv()).await {}
    };
    drop(tokio::time::timeout(LONGEST_UNREST, settled).await);
}

/// Whether an event can mean that a reference moved. Locks come and go around each change.
fn concerns(git: &Path, event: &notify::Event) -> bool {
    if event.kind.is_access() {
        return false;
    }
    event.paths.iter().any(|path| {
        let inside = path.strip_prefix(git).unwrap_or(path);
        let reference =
            ["refs", "reftable", "packed-refs"].iter().any(|part| inside.starts_with(part));
        reference && path.extension().is_none_or(|extension| extension != "lock")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_is_about_the_interval_and_grows_with_failures() {
        let interval = Duration::from_secs(30);
        assert_eq!(pause(interval, 0, 0), Duration::from_secs(27));
        assert!(pause(interval, 0, 255) <= Duration::from_secs(33));
        let middle = |failures| pause(interval, failures, 128).as_secs();
        assert_eq!([1, 2, 3, 8, 9, 100].map(middle), [1, 2, 4, 128, 256, 300]);
    }

    #[test]
    fn locks_and_the_index_are_no_change_of_a_reference() {
        let git = Path::new("/srv/t/.git");
        let event = |path: &str| {
            let kind = notify::EventKind::Modify(notify::event::ModifyKind::Any);
            concerns(git, &notify::Event::new(kind).add_path(git.join(path)))
        };
        assert!(event("refs/heads/main"));
        assert!(event("packed-refs"));
        assert!(!event("refs/heads/main.lock"));
        assert!(!event("index"));
        assert!(!event("COMMIT_EDITMSG"));
    }
}
