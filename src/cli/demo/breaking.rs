//! Acts: things are broken by hand and in Git, are put back, and harm nobody else.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::Context as _;
use serde_json::json;

use crate::cli::Failure;
use crate::model::Commit;
use crate::model::Digest;
use crate::model::ResourceId;
use crate::plan::Cause;
use crate::plan::Outcome;
use crate::reconcile::note::State;

use super::example::replaced;
use super::hands::MANAGER;
use super::play::Play;
use super::play::Settled;
use super::told::Step;
use super::told::count;
use super::told::good;
use super::told::plain;
use super::told::tally;
use super::told::warning;

const SUNRISE: &str = "tenants/sunrise/school.yaml";
const BUDI: &str = "tenants/budi/automation.yaml";
const NETWORKING: &str = "networking.k8s.io/v1";

impl Play<'_> {
    pub(super) async fn scale_by_hand(&mut self) -> Result<(), Failure> {
        let id = ResourceId::new("apps", "Deployment", "kiteclass-acme", "main-class");
        let hands = &self.ground.hands;
        let asked = hands.replicas(&id).await?;
        self.witness.heard.forget();
        let started = Instant::now();
        hands.scale(&id, 0).await.context("the deployment cannot be scaled")?;
        let (what, by) = self.put_back(&id).await?;
        let took = started.elapsed();
        let now = hands.replicas(&id).await?;
        self.expect("the deployment is scaled back", now == asked)?;
        let (what, by) = (what, by.unwrap_or_else(|| "somebody".to_owned()));
        Step::new("scaleByHand", format!("`{MANAGER}` scales a Deployment of ACME to 0"))
            .took(took)
            .row([warning("drift"), plain(format!("{id}: {what} by {by}"))])
            .row([good("put back"), plain(format!("{now} replicas"))])
            .fact("resource", json!(id))
            .fact("what", json!(what))
            .fact("changedBy", json!(by))
            .fact("replicas", json!(now))
            .tell(self.output)
    }

    pub(super) async fn delete_by_hand(&mut self) -> Result<(), Failure> {
        let id =
            ResourceId::new("networking.k8s.io", "NetworkPolicy", "kiteclass-acme", "default-deny");
        let hands = &self.ground.hands;
        self.witness.heard.forget();
        let started = Instant::now();
        hands.delete(&id, NETWORKING).await.context("the policy cannot be deleted")?;
        let (what, _) = self.put_back(&id).await?;
        let took = started.elapsed();
        let there = hands.is_there(&id, NETWORKING).await?;
        self.expect("the policy is there again", there)?;
        Step::new("deleteByHand", "Somebody deletes a NetworkPolicy of ACME")
            .took(took)
            .row([warning("drift"), plain(format!("{id}: {what}"))])
            .row([good("put back"), plain("it isolates again")])
            .fact("resource", json!(id))
            .fact("what", json!(what))
            .tell(self.output)
    }

    /// Waits until a thing was put back; tells what was changed, and by whom.
    async fn put_back(&mut self, id: &ResourceId) -> Result<(String, Option<String>), Failure> {
        self.witness
            .until(&format!("{id} is put back"), |heard| {
                heard.deeds.iter().find_map(|deed| match &deed.cause {
                    Some(Cause::Drift { what, by })
                        if deed.done.id == *id && !deed.done.outcome.failed() =>
                    {
                        Some((what.clone(), by.as_ref().map(ToString::to_string)))
                    }
                    _ => None,
                })
            })
            .await
    }

    /// Returns the commit, so that it can be reverted.
    pub(super) async fn break_a_file(&mut self) -> Result<Commit, Failure> {
        let settled = self
            .commit(|ground| {
                let sunrise = ground.repository.text(SUNRISE)?;
                let sunrise = replaced(&sunrise, "kiteclass-basic", "kiteclass-basik");
                let budi = format!("{}  restarts: 1\n", ground.repository.text(BUDI)?);
                ground.repository.write(
                    "A slip for sunrise, a restart for budi",
                    &[(SUNRISE, sunrise), (BUDI, budi)],
                )
            })
            .await?;
        self.expect_state("sunrise", State::Held)?;
        self.expect_state("budi", State::Converged)?;
        let Settled { commit, read, took } = settled;
        let finding = read.findings.iter().find(|finding| &*finding.place.file == SUNRISE);
        let finding = finding.context("a finding is there")?;
        let place = format!("{}:{}", finding.place.file, finding.place.line);
        let mut step = Step::new("breakFile", "A commit breaks the file of one tenant")
            .took(took)
            .by(&commit)
            .row([warning("held"), plain(format!("sunrise: {place}: {}", finding.message))]);
        if let Some(help) = &finding.help {
            step = step.row([plain(""), plain(help)]);
        }
        let restarted = self.things(&Outcome::Changed);
        self.expect("budi is restarted by the same commit", !restarted.is_empty())?;
        step.row([
            good("converged"),
            plain(format!("budi, in the same commit: {} changed", tally(&restarted))),
        ])
        .fact("held", json!(["sunrise"]))
        .fact("finding", json!(finding))
        .fact("changed", json!(restarted))
        .tell(self.output)?;
        Ok(commit)
    }

    /// Reverts commits, the newest first, and compares everything with what was before them.
    pub(super) async fn revert(
        &mut self,
        commits: &[&Commit],
        before: &BTreeMap<String, Digest>,
    ) -> Result<(), Failure> {
        let settled = self
            .commit(|ground| {
                let mut last = None;
                for commit in commits {
                    last = Some(ground.repository.revert(commit)?);
                }
                last.context("there is something to revert")
            })
            .await?;
        let Settled { commit, took, .. } = settled;
        self.expect_state("sunrise", State::Converged)?;
        self.compare(before).await?;
        let named: Vec<&str> = commits.iter().map(|commit| commit.short()).collect();
        Step::new("revert", format!("`git revert {}`", named.join(" ")))
            .took(took)
            .by(&commit)
            .row([good("as before"), plain(format!("{} compared", count(before.len(), "object")))])
            .row([good("converged"), plain("sunrise, too")])
            .fact(
                "reverted",
                json!(commits.iter().map(|commit| commit.as_str()).collect::<Vec<_>>()),
            )
            .fact("compared", json!(before.len()))
            .tell(self.output)
    }

    /// Makes sure that everything in the cluster is as it was.
    pub(super) async fn compare(
        &mut self,
        before: &BTreeMap<String, Digest>,
    ) -> Result<(), Failure> {
        let now = self.everything_there().await?;
        let other = before.iter().find(|(name, digest)| now.get(*name) != Some(digest));
        let more = now.keys().find(|name| !before.contains_key(*name));
        let wrong = other.map(|(name, _)| name).or(more);
        let Some(wrong) = wrong else { return Ok(()) };
        let message = format!("expected everything to be as before, and {wrong} is not");
        Err(Failure::new(message))
    }
}
