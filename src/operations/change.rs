//! Changes: what is asked for, as data, and as what it does to the documents. Each is a function of
//! what the branch holds, so that it can be made again wherever the branch has moved to.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;
use serde::Serialize;
use uuid::Uuid;

use crate::edits::Draft;
use crate::edits::Refused;
use crate::edits::subscriptions;
use crate::edits::tasks;
use crate::edits::tenants;
use crate::model::ChangeKind;
use crate::model::Configuration;
use crate::model::Name;
use crate::model::Subscription;
use crate::model::SubscriptionId;
use crate::model::Task;
use crate::model::Tenant;
use crate::model::subscription::Hold;
use crate::model::subscription::HoldReason;
use crate::model::subscription::Overrides;
use crate::model::task::Action;
use crate::model::tenant::Branding;
use crate::model::tenant::Language;

/// What is to become of a tenant's documents. `name` is a subscription's.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Change {
    /// A new subscription, and the tenant with it where it is the first. Whoever has no cluster
    /// yet is placed on one when it is committed, in the region if one is named.
    Open {
        name: Name,
        tenant: Option<Box<Tenant>>,
        subscription: Box<Subscription>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        region: Option<String>,
    },
    /// Takes an opening back: the tenant goes, too, where nothing else of it is left.
    Close {
        name: Name,
    },
    /// Another package, other amounts, other add-ons.
    Scale {
        name: Name,
        package: Name,
        overrides: Box<Overrides>,
        add_ons: BTreeMap<Name, u16>,
    },
    /// It is paid for up to this day, the day included. What held it for not being paid is lifted.
    PayThrough {
        name: Name,
        day: Date,
    },
    /// It runs up to this day at least, the day included; whatever else is said of it stays.
    Extend {
        name: Name,
        day: Date,
    },
    /// It ends with what is paid for, or does so no more.
    EndWithPeriod {
        name: Name,
        ends: bool,
    },
    Remove {
        name: Name,
    },
    /// Nothing is kept any longer of a subscription that ended; `backup` is the last one that was.
    Purge {
        name: Name,
        backup: Option<String>,
    },
    Domains {
        name: Name,
        domains: Vec<String>,
    },
    Restart {
        name: Name,
    },
    Hold {
        name: Name,
        reason: HoldReason,
        note: Option<String>,
    },
    Lift {
        name: Name,
        reason: HoldReason,
    },
    Branding {
        branding: Option<Branding>,
    },
    Preferences {
        organisation: Option<String>,
        language: Option<Language>,
    },
    /// A thing to do once; `name` is the task's.
    Task {
        name: Name,
        task: Box<Task>,
    },
    /// Tasks that are over are taken out of the repository; history keeps what became of them.
    Clear {
        tasks: Vec<Name>,
    },
}

impl Change {
    /// What it is called in documents, in the API, in the database and in audit.
    pub fn kind(&self) -> ChangeKind {
        match self {
            Self::Open { .. } => ChangeKind::Open,
            Self::Close { .. } => ChangeKind::Close,
            Self::Scale { .. } => ChangeKind::Scale,
            Self::PayThrough { .. } => ChangeKind::Renew,
            Self::Extend { .. } => ChangeKind::Extend,
            Self::EndWithPeriod { ends: true, .. } => ChangeKind::Cancel,
            Self::EndWithPeriod { ends: false, .. } => ChangeKind::Resume,
            Self::Remove { .. } => ChangeKind::Remove,
            Self::Purge { .. } => ChangeKind::Purge,
            Self::Domains { .. } => ChangeKind::Domains,
            Self::Restart { .. } => ChangeKind::Restart,
            Self::Hold { .. } => ChangeKind::Hold,
            Self::Lift { .. } => ChangeKind::Lift,
            Self::Branding { .. } => ChangeKind::Branding,
            Self::Preferences { .. } => ChangeKind::Preferences,
            Self::Task { .. } => ChangeKind::Task,
            Self::Clear { .. } => ChangeKind::Clear,
        }
    }

    /// The subscription that it is about; none for what is about the tenant.
    pub fn subscription(&self) -> Option<&Name> {
        match self {
            Self::Open { name, .. }
            | Self::Close { name }
            | Self::Scale { name, .. }
            | Self::PayThrough { name, .. }
            | Self::Extend { name, .. }
            | Self::EndWithPeriod { name, .. }
            | Self::Remove { name }
            | Self::Purge { name, .. }
            | Self::Domains { name, .. }
            | Self::Restart { name }
            | Self::Hold { name, .. }
            | Self::Lift { name, .. } => Some(name),
            Self::Task { task, .. } => Some(&task.subscription),
            Self::Clear { .. } | Self::Branding { .. } | Self::Preferences { .. } => None,
        }
    }

    /// The first line of its commit.
    pub fn subject(&self, tenant: &Name) -> String {
        match self {
            Self::Open { name, subscription, .. } => {
                format!("{tenant}: order {} as {name}", subscription.package)
            }
            Self::Close { name } => {
                format!("{tenant}: take back {name}, which could not be opened")
            }
            Self::Scale { name, package, .. } => format!("{tenant}: {name} is {package}"),
            Self::PayThrough { name, day } => format!("{tenant}: {name} is paid through {day}"),
            Self::Extend { name, day } => format!("{tenant}: {name} runs through {day}"),
            Self::EndWithPeriod { name, ends: true } => {
                format!("{tenant}: {name} ends with what is paid for")
            }
            Self::EndWithPeriod { name, ends: false } => format!("{tenant}: {name} goes on"),
            Self::Remove { name } => format!("{tenant}: remove {name}"),
            Self::Purge { name, .. } => format!("{tenant}: keep nothing of {name} any longer"),
            Self::Domains { name, .. } => format!("{tenant}: the domains of {name}"),
            Self::Restart { name } => format!("{tenant}: restart {name}"),
            Self::Hold { name, .. } => format!("{tenant}: hold {name}"),
            Self::Lift { name, .. } => format!("{tenant}: lift what holds {name}"),
            Self::Branding { .. } => format!("{tenant}: how it looks"),
            Self::Preferences { .. } => format!("{tenant}: how it is spoken to"),
            Self::Task { name, task } => {
                format!("{tenant}: {} of {} as {name}", task.action.word(), task.subscription)
            }
            Self::Clear { .. } => format!("{tenant}: tasks that are over"),
        }
    }

    /// Makes it in a draft.
    pub fn make(&self, draft: &mut Draft<'_>, tenant: &Name) -> Result<(), Refused> {
        match self {
            Self::Open { name, tenant: new, subscription, region } => {
                let region = region.as_deref();
                match (draft.tenant(tenant), new) {
                    (None, Some(new)) => {
                        let mut new = Tenant::clone(new);
                        if new.cluster.is_none() {
                            new.cluster = draft.place(subscription, region)?;
                        }
                        tenants::add(draft, tenant, &new)?;
                    }
                    // It has had nothing that runs on a cluster; where there is one, it is that.
                    (Some(there), _) if there.spec.cluster.is_none() && draft.clusters() > 1 => {
                        if let Some(cluster) = draft.place(subscription, region)? {
                            tenants::place(draft, tenant, &cluster)?;
                        }
                    }
                    _ => {}
                }
                subscriptions::add(draft, name, subscription)
            }
            Self::Close { name } => close(draft, tenant, name),
            Self::Scale { name, package, overrides, add_ons } => {
                subscriptions::set_package(draft, tenant, name, package)?;
                subscriptions::set_overrides(draft, tenant, name, overrides)?;
                subscriptions::set_add_ons(draft, tenant, name, add_ons)
            }
            Self::Extend { name, day } => extend(draft, tenant, name, *day),
            Self::PayThrough { name, day } => {
                extend(draft, tenant, name, *day)?;
                subscriptions::set_cancel_at_period_end(draft, tenant, name, false)?;
                subscriptions::lift(draft, tenant, name, HoldReason::Overdue)
            }
            Self::EndWithPeriod { name, ends } => {
                subscriptions::set_cancel_at_period_end(draft, tenant, name, *ends)
            }
            Self::Remove { name } => subscriptions::remove(draft, tenant, name),
            Self::Purge { name, .. } => tenants::purge(draft, tenant, name),
            Self::Domains { name, domains } => {
                subscriptions::set_domains(draft, tenant, name, domains)
            }
            Self::Restart { name } => subscriptions::restart(draft, tenant, name),
            Self::Hold { name, reason, note } => {
                let hold = Hold { reason: *reason, note: note.clone() };
                subscriptions::hold(draft, tenant, name, &hold)
            }
            Self::Lift { name, reason } => subscriptions::lift(draft, tenant, name, *reason),
            Self::Branding { branding } => tenants::set_branding(draft, tenant, branding.as_ref()),
            Self::Preferences { organisation, language } => {
                if let Some(organisation) = organisation {
                    tenants::set_organisation(draft, tenant, organisation)?;
                }
                language.map_or(Ok(()), |language| tenants::set_language(draft, tenant, language))
            }
            Self::Task { name, task } => tasks::add(draft, name, task),
            Self::Clear { tasks } => tasks::remove(draft, tenant, tasks),
        }
    }

    /// Whether it is in force in a configuration that came after its commit: where it is not,
    /// somebody has changed their mind since.
    pub fn stands(&self, configuration: &Configuration, tenant: &Name) -> bool {
        let find = |name: &Name| {
            let document = configuration.subscriptions.get(tenant)?.get(name)?;
            Some(&document.spec)
        };
        match self {
            Self::Open { name, .. } | Self::Restart { name } => find(name).is_some(),
            Self::Close { name } | Self::Remove { name } => find(name).is_none(),
            Self::Purge { name, .. } => configuration
                .tenants
                .get(tenant)
                .is_some_and(|tenant| tenant.spec.purged.contains(name)),
            Self::Scale { name, package, .. } => {
                find(name).is_some_and(|spec| spec.package == *package)
            }
            Self::PayThrough { name, day } | Self::Extend { name, day } => find(name)
                .is_some_and(|spec| spec.paid_through.is_none_or(|through| through >= *day)),
            Self::EndWithPeriod { name, ends } => {
                find(name).is_some_and(|spec| spec.cancel_at_period_end == *ends)
            }
            Self::Domains { name, domains } => {
                find(name).is_some_and(|spec| spec.domains == *domains)
            }
            Self::Hold { name, reason, .. } => {
                find(name).is_some_and(|spec| spec.holds.iter().any(|hold| hold.reason == *reason))
            }
            Self::Lift { name, reason } => {
                find(name).is_some_and(|spec| spec.holds.iter().all(|hold| hold.reason != *reason))
            }
            Self::Branding { .. } | Self::Preferences { .. } => {
                configuration.tenants.contains_key(tenant)
            }
            Self::Task { name, .. } => configuration.tasks.contains_key(name),
            Self::Clear { tasks } => {
                tasks.iter().all(|name| !configuration.tasks.contains_key(name))
            }
        }
    }

    /// Whether something has to become as the commit says before it is done. Days that are paid
    /// for are sold however well the pods are.
    pub fn waits_for_convergence(&self) -> bool {
        !matches!(self, Self::PayThrough { .. } | Self::Extend { .. } | Self::Clear { .. })
    }

    /// What is to be remembered of it once it is done, where that is more than that it was.
    pub fn remembered(&self) -> Option<String> {
        let Self::Purge { name, backup } = self else { return None };
        Some(match backup {
            Some(backup) => {
                format!("all that was kept of {name} is deleted, its last backup {backup} included")
            }
            None => format!("all that was kept of {name} is deleted; no backup of it was known"),
        })
    }

    /// A task for a subscription, under a name that no other has: the same id is the same task.
    pub fn task(
        id: &SubscriptionId,
        action: Action,
        with: BTreeMap<String, String>,
        unique: Uuid,
        asked: Timestamp,
    ) -> Self {
        let word = match action {
            Action::Backup => "backup",
            Action::Restore => "restore",
            Action::Verify => "verify",
            Action::FinalBackup => "final",
        };
        let name = format!("{word}-{}", unique.simple());
        let name = name.parse().expect("because a word and 32 hexadecimal digits are a name");
        let (tenant, subscription) = (id.tenant.clone(), id.name.clone());
        let task = Task { tenant, subscription, action, asked, with };
        Self::Task { name, task: Box::new(task) }
    }
}

/// What was paid for further meanwhile is not cut down.
fn extend(draft: &mut Draft<'_>, tenant: &Name, name: &Name, day: Date) -> Result<(), Refused> {
    let there = draft.subscription(tenant, name);
    if there.and_then(|there| there.spec.paid_through).is_none_or(|now| now < day) {
        subscriptions::set_paid_through(draft, tenant, name, Some(day))?;
    }
    Ok(())
}

/// Removes a subscription, and its tenant where that has nothing else.
fn close(draft: &mut Draft<'_>, tenant: &Name, name: &Name) -> Result<(), Refused> {
    if draft.subscription(tenant, name).is_none() {
        return Ok(());
    }
    subscriptions::remove(draft, tenant, name)?;
    let Some(customer) = draft.tenant(tenant) else { return Ok(()) };
    let rest = draft.files_of(tenant);
    if rest.iter().all(|file| **file == *customer.origin.file) {
        return draft.remove(&customer.origin);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_reads_as_it_was_written() {
        let subscription: Subscription = serde_json::from_value(serde_json::json!({
            "tenant": "acme", "package": "n8n", "starts": "2026-11-21", "paidThrough": "2026-12-20",
            "overrides": { "limits": { "users": "250" } }, "addOns": { "storage-50": 2 },
        }))
        .unwrap();
        let changes = [
            Change::Open {
                name: "automation".parse().unwrap(),
                tenant: None,
                subscription: Box::new(subscription),
                region: Some("vn-south".to_owned()),
            },
            Change::PayThrough { name: "a".parse().unwrap(), day: "2026-12-20".parse().unwrap() },
            Change::Hold {
                name: "a".parse().unwrap(),
                reason: HoldReason::Abuse,
                note: Some("mines".into()),
            },
        ];
        for change in changes {
            let written = serde_json::to_value(&change).unwrap();
            let read: Change = serde_json::from_value(written.clone()).unwrap();
            assert_eq!(serde_json::to_value(&read).unwrap(), written);
        }
    }
}
