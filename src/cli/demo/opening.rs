//! Acts: tenants are opened, changed in their packages, and changed by nothing at all.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use crate::cli::Failure;
use crate::model::Commit;
use crate::model::ResourceId;
use crate::model::resource::Stage;
use crate::plan::Outcome;
use crate::reconcile::note::State;

use super::example;
use super::example::replaced;
use super::play::Play;
use super::play::Settled;
use super::told::Step;
use super::told::count;
use super::told::dim;
use super::told::duration;
use super::told::good;
use super::told::plain;
use super::told::tally;
use super::told::warning;

const LOTUS: &str = "\
apiVersion: tenantry.dev/v1
kind: Tenant
metadata:
  name: lotus
spec:
  organisation: Lotus Music School
  contacts:
    - { email: hello@lotus.example, role: admin }
  language: vi
  cluster: saigon
";
const BASIC: &str = "packages/kiteclass/basic.yaml";

impl Play<'_> {
    pub(super) async fn open_acme(&mut self) -> Result<(), Failure> {
        let started = Timestamp::now();
        let settled = self
            .commit(|ground| {
                let files = example::tenant("acme", &ground.here);
                ground.repository.write("Open ACME: KiteClass STANDARD", &files)
            })
            .await?;
        self.expect_state("acme", State::Converged)?;
        let Settled { commit, took, .. } = settled;
        let mut step =
            Step::new("open", "A commit orders ACME a KiteClass STANDARD").took(took).by(&commit);
        let mut timeline = Vec::new();
        let (outlines, created) = (self.outlines()?, self.things(&Outcome::Created));
        for stage in Stage::ALL {
            let Some(at) = self.witness.heard.ready("acme", stage) else { continue };
            let after = Duration::try_from(at.duration_since(started)).unwrap_or_default();
            let of_stage = |id: &&ResourceId| {
                outlines.iter().any(|outline| outline.stage == stage && outline.id == **id)
            };
            let made: Vec<&ResourceId> = created.iter().filter(of_stage).collect();
            timeline.push(json!({
                "stage": stage, "readyAfterMs": after.as_millis(), "made": made,
            }));
            step = step.row([
                plain(stage),
                good("ready"),
                dim(format!("{:>7}", duration(after))),
                plain(tally(made.iter().copied())),
            ]);
        }
        let total = created.len();
        step.row([
            plain("Ready"),
            good("ready"),
            dim(format!("{:>7}", duration(took))),
            plain(format!("{} made", count(total, "thing"))),
        ])
        .fact("timeline", json!(timeline))
        .fact("created", json!(total))
        .tell(self.output)
    }

    pub(super) async fn open_everybody(&mut self) -> Result<(), Failure> {
        let settled = self
            .commit(|ground| {
                let files = example::tenants_but("acme", &ground.here);
                ground.repository.write("Open everybody else of the example", &files)
            })
            .await?;
        let Settled { commit, read, took } = settled;
        let title = format!("A commit opens {}", count(read.rendered, "more tenant"));
        let mut step = Step::new("openOthers", title).took(took).by(&commit);
        for (state, number) in self.witness.heard.overview.by_state() {
            let names: Vec<String> = self
                .witness
                .heard
                .overview
                .units
                .values()
                .filter(|status| status.state == state)
                .map(|status| status.unit.to_string())
                .collect();
            let told = format!("{number} {}", state.word());
            let told = if state == State::Converged { good(told) } else { warning(told) };
            step = step.row([told, plain(names.join(", "))]);
        }
        let suspended: Vec<String> = self
            .witness
            .heard
            .phases
            .iter()
            .filter(|(_, phase)| !phase.runs())
            .map(|((unit, subscription), _)| format!("{unit}/{subscription}"))
            .collect();
        if !suspended.is_empty() {
            step = step.row([
                warning(format!("{} suspended", suspended.len())),
                plain(format!(
                    "{}: paid through {}",
                    suspended.join(", "),
                    self.ground.here.expired
                )),
            ]);
        }
        let total = self.things(&Outcome::Created).len();
        step = step.row([plain("made"), plain(count(total, "thing"))]);
        step.fact("created", json!(total))
            .fact("suspended", json!(suspended))
            .fact("rendered", json!(read.rendered))
            .tell(self.output)?;
        let all_well = self
            .witness
            .heard
            .overview
            .units
            .values()
            .all(|status| status.state == State::Converged);
        self.expect("everybody is converged", all_well)
    }

    pub(super) async fn add_a_tenant(&mut self) -> Result<(), Failure> {
        let settled = self
            .commit(|ground| {
                let school = example::file("tenants/sunrise/school.yaml", &ground.here);
                let files = [
                    ("tenants/lotus/tenant.yaml", LOTUS.to_owned()),
                    ("tenants/lotus/school.yaml", school.replace("sunrise", "lotus")),
                ];
                ground.repository.write("Open lotus: KiteClass BASIC", &files)
            })
            .await?;
        self.expect_state("lotus", State::Converged)?;
        let Settled { commit, read, took } = settled;
        let created = self.things(&Outcome::Created);
        Step::new("addTenant", "A commit adds a tenant, lotus")
            .took(took)
            .by(&commit)
            .row([plain("rendered"), plain(format!("{} of {}", read.rendered, read.units))])
            .row([plain("made"), plain(count(created.len(), "thing"))])
            .fact("rendered", json!(read.rendered))
            .fact("units", json!(read.units))
            .fact("created", json!(created.len()))
            .tell(self.output)
    }

    /// Returns the commit, so that it can be reverted.
    pub(super) async fn change_a_package(&mut self) -> Result<Commit, Failure> {
        let settled = self
            .commit(|ground| {
                let text = ground.repository.text(BASIC)?;
                let text = replaced(&text, "limits.memory: 16Gi", "limits.memory: 20Gi");
                ground.repository.write("BASIC gets 20 Gi of memory", &[(BASIC, text)])
            })
            .await?;
        let Settled { commit, read, took } = settled;
        let concerned = self.witness.heard.made_by(&commit);
        self.expect("lotus and sunrise are changed", concerned == ["lotus", "sunrise"])?;
        let mut step = Step::new("changePackage", "A commit changes the package BASIC")
            .took(took)
            .by(&commit)
            .row([
                plain("rendered"),
                plain(format!("{} of {}: {}", read.rendered, read.units, concerned.join(", "))),
            ]);
        for id in self.things(&Outcome::Changed) {
            step = step.row([good("changed"), plain(id)]);
        }
        step.fact("rendered", json!(read.rendered))
            .fact("units", json!(read.units))
            .fact("concerned", json!(concerned))
            .tell(self.output)?;
        Ok(commit)
    }

    pub(super) async fn change_a_comment(&mut self) -> Result<(), Failure> {
        let before = self.ground.sandbox.requests();
        let settled = self
            .commit(|ground| {
                let text = format!("# Nothing but a remark.\n{}", ground.repository.text(BASIC)?);
                ground.repository.write("A remark on BASIC", &[(BASIC, text)])
            })
            .await?;
        let Settled { commit, read, took } = settled;
        let requests = self.ground.sandbox.requests().since(&before).besides_watches();
        Step::new("changeNothing", "A commit changes a comment")
            .took(took)
            .by(&commit)
            .row([plain("rendered"), plain(format!("{} of {}", read.rendered, read.units))])
            .row([plain("requests"), plain(requests)])
            .fact("rendered", json!(read.rendered))
            .fact("requests", json!(requests))
            .tell(self.output)
    }
}
