//! Is this allowed? Returns what is valid and the findings; it never fails as a whole.

pub mod addresses;
pub mod answer;
pub mod capacity;
pub mod report;
pub mod sold;
pub mod valid;

mod assemble;
mod demand;
mod earlier;
mod findings;
mod held;
mod masked;
mod rules;
mod unread;
mod view;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

pub use earlier::Earlier;
pub use rules::descriptions as rules;
pub use valid::ValidComponent;
pub use valid::ValidNamespace;
pub use valid::ValidSubscription;
pub use valid::ValidTenant;

use crate::model::Configuration;
use crate::model::Document;
use crate::model::Finding;
use crate::model::Name;
use crate::model::Platform;
use crate::model::Snapshot;
use crate::model::UnitName;
use held::Reasons;
use view::World;

/// What a configuration comes to: who may converge, who is held, and why.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// The only platform there is, where nothing is wrong with it.
    pub platform: Option<Arc<Document<Platform>>>,
    /// Who may converge.
    pub valid: BTreeMap<UnitName, Arc<ValidTenant>>,
    /// Who keeps its last good state, and the first reason why, in words.
    pub held: BTreeMap<UnitName, String>,
    /// Whether the absence of a tenant proves that nobody wants it: not while something that
    /// could be its document cannot be read. The absence of a host proves nothing, besides, while
    /// the tenant whose it was is held.
    pub complete: bool,
    /// Everything there is to say, by file and line.
    pub findings: Vec<Finding>,
    /// Tenants about whom a rule had something to say that looks at one tenant alone.
    told_of: BTreeSet<Name>,
}

/// Checks a configuration. `templates` are the names of all templates, such as `component/web.yaml`.
pub fn check(
    configuration: &Configuration,
    snapshot: &Snapshot,
    templates: &BTreeSet<String>,
) -> Checked {
    check_after(None, configuration, snapshot, templates)
}

/// Comes to the same, and leaves out what cannot have changed since an earlier check: a tenant
/// whose documents are the very same, and about whom nobody had anything to say, is not looked at
/// alone once more while nothing differs that serves everybody. Rules that compare tenants with
/// each other look at all of them every time.
pub fn check_after(
    earlier: Option<Earlier<'_>>,
    configuration: &Configuration,
    snapshot: &Snapshot,
    templates: &BTreeSet<String>,
) -> Checked {
    let earlier = earlier.and_then(|earlier| {
        Some((earlier.checked, earlier::touched(earlier.configuration, configuration)?))
    });
    let offers = view::offers(configuration);
    let world = World::new(configuration, snapshot, templates, &offers);
    let (mut findings, complete) = unread::findings(configuration);
    let (found, told_of) = rules::findings(&world, |name| {
        earlier.as_ref().is_none_or(|(checked, touched)| {
            touched.contains(name) || checked.told_of.contains(name)
        })
    });
    findings.extend(found.placed(snapshot));
    findings.sort();

    let reasons = Reasons::of(&findings, &offers);
    let platform =
        configuration.platform.as_ref().filter(|_| reasons.of_platform().is_none()).map(Arc::clone);
    let everybody =
        earlier.as_ref().filter(|(checked, _)| reasons.is_empty() && checked.held.is_empty());
    let (valid, mut held) = match everybody {
        Some((checked, touched)) => only_touched(checked, touched, &world, platform.as_ref()),
        None => everyone(earlier.as_ref(), &reasons, &world, platform.as_ref()),
    };
    if let Some(reason) = reasons.of_platform() {
        for host in configuration.hosts.keys() {
            held.entry(UnitName::Host(host.clone())).or_insert_with(|| reason.to_owned());
        }
    }
    let findings = findings.into_iter().map(|(finding, _)| finding).collect();
    Checked { platform, valid, held, complete, findings, told_of }
}

/// Who may converge, and who is held and why.
type Judged = (BTreeMap<UnitName, Arc<ValidTenant>>, BTreeMap<UnitName, String>);

/// Where nobody was held and nobody is, only those need another look whose documents differ.
fn only_touched(
    checked: &Checked,
    touched: &BTreeSet<Name>,
    world: &World<'_>,
    platform: Option<&Arc<Document<Platform>>>,
) -> Judged {
    let (mut valid, mut held) = (checked.valid.clone(), BTreeMap::new());
    for name in touched {
        let unit = UnitName::Tenant(name.clone());
        let customer = world.customers.binary_search_by(|customer| customer.name.cmp(name));
        let Ok(customer) = customer.map(|index| &world.customers[index]) else {
            valid.remove(&unit);
            continue;
        };
        match assemble::tenant(customer, platform) {
            Ok(tenant) => {
                valid.insert(unit, Arc::new(tenant));
            }
            Err(reason) => {
                valid.remove(&unit);
                held.insert(unit, reason);
            }
        }
    }
    (valid, held)
}

fn everyone(
    earlier: Option<&(&Checked, BTreeSet<Name>)>,
    reasons: &Reasons,
    world: &World<'_>,
    platform: Option<&Arc<Document<Platform>>>,
) -> Judged {
    let mut valid = Vec::with_capacity(world.customers.len());
    let mut held: BTreeMap<UnitName, String> =
        reasons.of_units().map(|(unit, reason)| (unit.clone(), reason.to_owned())).collect();
    let mut untouched = earlier
        .into_iter()
        .flat_map(|(checked, touched)| {
            checked.valid.values().filter(|tenant| !touched.contains(tenant.unit.name()))
        })
        .peekable();
    for customer in &world.customers {
        let unit = UnitName::Tenant(customer.name.clone());
        // Both stand in the order of their names.
        let same = loop {
            match untouched.peek().map(|tenant| tenant.unit.cmp(&unit)) {
                Some(Ordering::Less) => untouched.next(),
                Some(Ordering::Equal) => break untouched.next(),
                Some(Ordering::Greater) | None => break None,
            };
        };
        let tenant = match (reasons.of_customer(customer), same) {
            (Some(reason), _) => Err(reason.to_owned()),
            (None, Some(same)) => Ok(Arc::clone(same)),
            (None, None) => assemble::tenant(customer, platform).map(Arc::new),
        };
        match tenant {
            Ok(tenant) => valid.push((unit, tenant)),
            Err(reason) => {
                held.insert(unit, reason);
            }
        }
    }
    (valid.into_iter().collect(), held)
}
