//! Acts: too much is deleted, a subscription is renewed, a tenant leaves; and what one can go on with.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use anyhow::Context as _;
use jiff::ToSpan as _;
use jiff::Zoned;
use serde_json::json;

use crate::cli::Failure;
use crate::model::Digest;
use crate::model::ResourceId;
use crate::plan::Outcome;
use crate::reconcile::note::State;

use super::example::replaced;
use super::play::Play;
use super::play::Settled;
use super::told::Step;
use super::told::count;
use super::told::dim;
use super::told::good;
use super::told::plain;
use super::told::tally;
use super::told::warning;

const TOO_MANY: [&str; 3] = ["tenants/globex", "tenants/siti", "tenants/warung-kopi"];
const RIZKY: &str = "tenants/rizky/automation.yaml";

impl Play<'_> {
    pub(super) async fn delete_too_much(
        &mut self,
        before: &BTreeMap<String, Digest>,
    ) -> Result<(), Failure> {
        let requests = self.ground.sandbox.requests();
        let removed = self
            .commit(|ground| ground.repository.remove("Three customers left, it seems", &TOO_MANY))
            .await?;
        let parked = self.witness.heard.overview.parked.clone();
        self.expect("the deletions are parked", parked.is_some())?;
        let parked = parked.context("something is parked")?;
        let deletes = self.ground.sandbox.requests().since(&requests).of("delete", "");
        self.expect("nothing is deleted", deletes == 0)?;
        let units: BTreeSet<String> = parked.ids.iter().map(|(unit, _)| unit.to_string()).collect();
        let units = units.into_iter().collect::<Vec<_>>().join(", ");
        Step::new("deleteTooMuch", "A commit removes three tenants at once")
            .took(removed.took)
            .by(&removed.commit)
            .row([warning("parked"), plain(&parked.reason)])
            .row([plain(""), plain(format!("{} of {units}", count(parked.ids.len(), "thing")))])
            .row([
                plain(""),
                plain(format!(
                    "a commit approves it, as `tenantry approve {}` makes it",
                    parked.digest
                )),
            ])
            .row([good("deleted"), plain("nothing")])
            .fact("parked", json!(parked))
            .fact("deleteRequests", json!(deletes))
            .tell(self.output)?;

        let reverted = self.commit(|ground| ground.repository.revert(&removed.commit)).await?;
        let none = self.witness.heard.overview.parked.is_none();
        self.expect("no deletions are parked any more", none)?;
        self.compare(before).await?;
        Step::new("revertDeletion", format!("`git revert {}`", removed.commit.short()))
            .took(reverted.took)
            .by(&reverted.commit)
            .row([good("as before"), plain(format!("{} compared", count(before.len(), "object")))])
            .fact("compared", json!(before.len()))
            .tell(self.output)
    }

    pub(super) async fn renew(&mut self) -> Result<(), Failure> {
        let deployment = ResourceId::new("apps", "Deployment", "customer-rizky", "automation-n8n");
        let stopped = self.ground.hands.replicas(&deployment).await?;
        self.expect("rizky's pods are stopped", stopped == 0)?;
        let expired = self.ground.here.expired;
        let paid = Zoned::now().checked_add(1.month()).context("a clock at its end")?.date();
        let settled = self
            .commit(|ground| {
                let text = ground.repository.text(RIZKY)?;
                let text = replaced(
                    &text,
                    &format!("paidThrough: {expired}"),
                    &format!("paidThrough: {paid}"),
                );
                ground.repository.write("Rizky paid for another month", &[(RIZKY, text)])
            })
            .await?;
        self.expect_state("rizky", State::Converged)?;
        let running = self.ground.hands.replicas(&deployment).await?;
        self.expect("rizky's pods run again", running > 0)?;
        let Settled { commit, took, .. } = settled;
        Step::new("renew", "A date in Git wakes a suspended subscription")
            .took(took)
            .by(&commit)
            .row([
                plain("before"),
                plain(format!("paid through {expired}: suspended, {stopped} replicas, data kept")),
            ])
            .row([good("after"), plain(format!("paid through {paid}: {running} replica"))])
            .fact("replicasBefore", json!(stopped))
            .fact("replicas", json!(running))
            .tell(self.output)
    }

    pub(super) async fn remove_a_tenant(&mut self) -> Result<(), Failure> {
        let settled = self
            .commit(|ground| ground.repository.remove("Lotus left", &["tenants/lotus"]))
            .await?;
        let Settled { commit, took, .. } = settled;
        let gone = self.things(&Outcome::Deleted);
        let kept = self.witness.heard.status("lotus").and_then(|status| status.reason.clone());
        let total = gone.len();
        self.expect("lotus is removed", total > 0)?;
        let mut step = Step::new("removeTenant", "A commit removes one tenant, inside the limit")
            .took(took)
            .by(&commit)
            .row([good("deleted"), plain(tally(&gone))]);
        if let Some(kept) = &kept {
            step = step.row([warning("kept"), plain(kept)]);
        }
        step.fact("deleted", json!(total)).fact("kept", json!(kept)).tell(self.output)
    }

    /// Says what one can go on with.
    pub(super) fn go_on(&self) -> Result<(), Failure> {
        let ground = self.ground;
        let (cluster, daemon) = (ground.sandbox.url(), self.daemon.address());
        let folder = ground.repository.folder().display();
        let commands = [
            (format!("kubectl --server {cluster} get pods -A"), "the played cluster"),
            (
                format!("curl http://{daemon}/status"),
                "where everybody stands; also /metrics, /readyz",
            ),
            (format!("export DATABASE_URL='{}'", ground.history), "then: tenantry history acme"),
            (
                format!("psql '{}' -c '\\l'", ground.postgres.url("postgres")),
                "the customers' databases",
            ),
            (format!("git -C {folder} log --stat"), "edit a file there, commit, and look"),
        ];
        let mut step = Step::new("goOn", "Everything goes on running until Ctrl-C");
        for (command, what) in &commands {
            step = step.row([dim(format!("# {what}"))]).row([plain(command)]);
        }
        let commands: Vec<&String> = commands.iter().map(|(command, _)| command).collect();
        step.fact("commands", json!(commands)).tell(self.output)
    }
}
