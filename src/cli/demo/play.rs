//! The play: what happens, in which order. Each act is a step that is told when it has happened.

use std::collections::BTreeMap;
use std::time::Duration;
use std::time::Instant;

use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::json;

use crate::cli::Failure;
use crate::cli::Output;
use crate::cli::past;
use crate::cli::run::Daemon;
use crate::history::Asked;
use crate::model::Commit;
use crate::model::Digest;
use crate::model::ResourceId;
use crate::model::resource::Outline;
use crate::plan::Outcome;
use crate::postgres;
use crate::reconcile::desired::Desired;
use crate::reconcile::desired::advance;
use crate::reconcile::note::State;
use crate::source;

use super::ground::Ground;
use super::told::Step;
use super::told::count;
use super::told::dim;
use super::told::plain;
use super::witness::Read;
use super::witness::Witness;
use super::witness::late;

/// The demo while it plays.
pub(super) struct Play<'a> {
    pub(super) ground: &'a Ground,
    pub(super) daemon: &'a Daemon,
    pub(super) witness: Witness,
    pub(super) output: &'a Output,
    pub(super) started: Instant,
}

/// A commit that everybody has come to terms with.
pub(super) struct Settled {
    pub(super) commit: Commit,
    pub(super) read: Read,
    /// From just before the commit until everybody was settled.
    pub(super) took: Duration,
}

impl Play<'_> {
    pub(super) async fn everything(&mut self) -> Result<(), Failure> {
        self.introduce()?;
        self.start().await?;
        self.open_acme().await?;
        self.open_everybody().await?;
        self.add_a_tenant().await?;
        let before = self.everything_there().await?;
        let package = self.change_a_package().await?;
        self.change_a_comment().await?;
        self.scale_by_hand().await?;
        self.delete_by_hand().await?;
        let broken = self.break_a_file().await?;
        self.revert(&[&broken, &package], &before).await?;
        self.delete_too_much(&before).await?;
        self.renew().await?;
        self.remove_a_tenant().await?;
        self.finish().await
    }

    fn introduce(&self) -> Result<(), Failure> {
        if self.output.is_json() {
            return Ok(());
        }
        self.output.text(
            "Real: Git, PostgreSQL, HTTP, and the daemon, which is the one of `tenantry run`.\n\
             Simulated: the cluster, a Kubernetes API inside this program. Its pods only say that\n\
             they run.",
        )
    }

    async fn start(&mut self) -> Result<(), Failure> {
        let Ground { repository, here, version, sandbox, postgres, .. } = self.ground;
        let catalog = super::example::catalog(here);
        let commit = repository.write("Platform, cluster, components and packages", &catalog)?;
        let read = self.settle(&commit).await?;
        let folder = repository.folder().display();
        let (port, daemon) = (postgres.port(), self.daemon.address());
        let files = format!("{} of tenants-example", count(catalog.len(), "file"));
        Step::new("start", "Start")
            .took(self.started.elapsed())
            .by(&commit)
            .row([
                plain("cluster"),
                plain(sandbox.url()),
                dim(format!("Kubernetes {version}, simulated")),
            ])
            .row([
                plain("PostgreSQL"),
                plain(format!("127.0.0.1:{port}")),
                dim("the customers' databases, and history"),
            ])
            .row([plain("repository"), plain(&folder), dim(files)])
            .row([
                plain("daemon"),
                plain(format!("http://{daemon}")),
                dim("/status /metrics /readyz"),
            ])
            .fact("cluster", json!(sandbox.url()))
            .fact("postgresPort", json!(port))
            .fact("repository", json!(folder.to_string()))
            .fact("daemon", json!(format!("http://{daemon}")))
            .fact("findings", json!(read.findings.len()))
            .tell(self.output)
    }

    async fn finish(&self) -> Result<(), Failure> {
        let history = past::open(&postgres::Settings::of(&self.ground.history)).await?;
        let asked = Asked { unit: None, since: None, most: u32::MAX };
        let events = history.timeline(&asked).await?.len();
        let counts = self.witness.heard.overview.counts;
        let took = self.started.elapsed();
        let requests = self.ground.sandbox.requests();
        Step::new("end", "Everything")
            .took(took)
            .row([plain("commits"), plain(counts.commits)])
            .row([
                plain("things"),
                plain(format!(
                    "{} created, {} changed, {} deleted, {} changes by others put back, {} failed",
                    counts.created, counts.changed, counts.deleted, counts.drifts, counts.failed
                )),
            ])
            .row([
                plain("requests"),
                plain(format!("{} to the cluster", requests.besides_watches())),
            ])
            .row([plain("history"), plain(format!("{} in PostgreSQL", count(events, "event")))])
            .fact("events", json!(events))
            .fact("counts", serde_json::to_value(counts)?)
            .fact("requests", json!(requests.besides_watches()))
            .tell(self.output)
    }

    /// Waits until everybody has come to terms with a commit.
    pub(super) async fn settle(&mut self, commit: &Commit) -> Result<Read, Failure> {
        let _progress = self.output.progress("waiting until everybody is settled", None);
        let read = self.witness.read(commit).await?;
        let Some(everybody) = self.witness.patiently(self.daemon.settled()).await else {
            let expected = format!("everybody is settled with commit {}", commit.short());
            return Err(self.witness.missing(&late(&expected)));
        };
        self.witness.catch_up(&everybody).await?;
        Ok(read)
    }

    /// Has a commit made, and waits until everybody has come to terms with it.
    pub(super) async fn commit(
        &mut self,
        make: impl FnOnce(&Ground) -> anyhow::Result<Commit>,
    ) -> Result<Settled, Failure> {
        self.witness.heard.forget();
        let started = Instant::now();
        let commit = make(self.ground).context("the demo's own repository takes no commit")?;
        let read = self.settle(&commit).await?;
        Ok(Settled { commit, read, took: started.elapsed() })
    }

    /// Makes sure that something is so that is told next.
    pub(super) fn expect(&mut self, expected: &str, is_so: bool) -> Result<(), Failure> {
        if is_so { Ok(()) } else { Err(self.witness.missing(expected)) }
    }

    pub(super) fn expect_state(&mut self, unit: &str, state: State) -> Result<(), Failure> {
        let is_so = self.witness.heard.is(unit, state);
        self.expect(&format!("`{unit}` is {}", state.word()), is_so)
    }

    /// What the work tree asks for now, as the daemon works it out.
    pub(super) fn desired(&self) -> Result<Desired, Failure> {
        let snapshot = source::folder(self.ground.repository.folder())?;
        Ok(advance(None, &snapshot, Timestamp::now()))
    }

    pub(super) fn outlines(&self) -> Result<Vec<Outline>, Failure> {
        let units = self.desired()?.units;
        Ok(units.values().flat_map(|unit| unit.outlines.iter().cloned()).collect())
    }

    /// Everything of ours in the cluster, each thing with a digest of what is asked of it.
    pub(super) async fn everything_there(&self) -> Result<BTreeMap<String, Digest>, Failure> {
        let outlines = self.outlines()?;
        let there = self.ground.hands.everything(&outlines).await;
        Ok(there.context("the cluster cannot be listed")?)
    }

    /// What was made, changed or deleted since the last commit or deed by hand.
    pub(super) fn things(&self, outcome: &Outcome) -> Vec<ResourceId> {
        let deeds = self.witness.heard.deeds.iter().map(|deed| &deed.done);
        deeds.filter(|done| done.outcome == *outcome).map(|done| done.id.clone()).collect()
    }
}
