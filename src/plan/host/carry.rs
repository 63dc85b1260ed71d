//! A plan as a script: under one lock, the inventory first, then step by step, and the inventory
//! once more.

use crate::model::Commit;

use super::HostPlan;
use super::Script;
use super::script;
use super::script::Call;

/// Makes the script that carries a plan out. `who` is told to whoever finds the host busy.
pub fn carry(plan: &HostPlan, who: &str, commit: &Commit) -> Script {
    let holder = format!("{who}, for commit {commit}");
    let text = |inventory: &super::Inventory| inventory.text(&plan.host, &plan.machine.machine_id);
    let mut body = script::lines(&[Call::new("begin", [holder.as_str(), plan.sum.as_str()])]);
    body.insert_str(0, "if ! ");
    body.push_str("then exit 0\nfi\n");
    let mut record = script::lines(&[Call::new("record", [text(&plan.before).as_str()])]);
    record.insert_str(0, "if ! ");
    body.push_str(&record);
    body.push_str("then echo unrecorded; exit 0\nfi\n");
    for (number, step) in plan.steps.iter().enumerate() {
        body.push_str(&script::step(number, &step.needs, step.quiet, &step.call));
    }
    body.push_str(&script::lines(&[Call::new("finish", [text(&plan.after).as_str()])]));
    body.push_str("echo over\n");
    let trash = format!("/var/lib/tenantry/trash/{}", plan.after.generation);
    Script::changing(&trash, &body)
}
