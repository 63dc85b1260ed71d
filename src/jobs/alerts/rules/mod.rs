//! What is wrong, by what is known: pure. Each rule says what is wrong, of what nobody knows whether
//! it is, and passes over what is well.

use std::collections::BTreeMap;

use super::facts::ByCluster;
use super::facts::Facts;
use crate::alerts::Kind;
use crate::alerts::Sight;
use crate::alerts::Subject;
use crate::model::Name;
use crate::model::Package;
use crate::model::Subscription;
use crate::model::SubscriptionId;
use crate::model::node::Health;
use crate::model::node::Node;
use crate::model::package::Runs;
use crate::model::upkeep::Disk;
use crate::model::upkeep::DiskOf;
use crate::pods::Row;

/// How many percent below its threshold a disk has to be before it is well again.
const SLACK: i64 = 5;

/// What came of looking at everything.
#[derive(Debug, Default)]
pub(super) struct Judged {
    pub(super) sight: Sight,
    /// What nobody knows, in sentences that stay the same while what they say does.
    pub(super) unknown: Vec<String>,
}

impl Judged {
    fn wrong(&mut self, kind: Kind, name: String, cluster: Option<&Name>, what: String) {
        let subject = Subject { kind, name, cluster: cluster.cloned() };
        self.sight.wrong.insert(subject, what);
    }

    /// Nobody knows how anything of these kinds is in a cluster.
    fn blind(&mut self, kinds: &[Kind], cluster: &Name, why: String) {
        self.sight.blind.extend(kinds.iter().map(|kind| (*kind, cluster.clone())));
        self.unknown.push(why);
    }

    /// Nobody knows how these are, of which one is named.
    fn nobody_knows(&mut self, kind: Kind, subjects: Vec<String>, what: &str) {
        if let Some(first) = subjects.first() {
            let many = subjects.len();
            self.unknown.push(format!("{what} is not known of {many}, such as {first}"));
        }
        self.sight.unknown.extend(subjects.into_iter().map(|subject| (kind, subject)));
    }
}

/// Looks at everything.
pub(super) fn judge(facts: &Facts) -> Judged {
    let mut judged = Judged::default();
    nodes(facts, &mut judged);
    disks(facts, &mut judged);
    certificates(facts, &mut judged);
    pods(facts, &mut judged);
    usage(facts, &mut judged);
    backups(facts, &mut judged);
    judged
}

/// What was seen of something in each cluster that there is, where that is known. Of the others it is
/// said that nobody knows.
fn known<'a, T>(
    facts: &'a Facts,
    seen: &'a ByCluster<T>,
    (kind, what): (Kind, &str),
    judged: &mut Judged,
) -> Vec<(&'a Name, &'a [T])> {
    let mut known = Vec::new();
    for cluster in facts.configuration.clusters.keys() {
        let seen = seen.get(cluster);
        match seen.map(|seen| (seen, seen.unknown(facts.now))) {
            Some((seen, None)) => known.push((cluster, &*seen.all)),
            // Whoever looks says why in a sentence of its own.
            Some((seen, Some(why))) if seen.trouble.is_some() => {
                judged.blind(&[kind], cluster, why.to_owned());
            }
            Some((_, Some(why))) => {
                judged.blind(
                    &[kind],
                    cluster,
                    format!("the {what} of cluster `{cluster}` are not known: {why}"),
                );
            }
            None => judged.blind(
                &[kind],
                cluster,
                format!("the {what} of cluster `{cluster}` are not known: nobody has looked yet"),
            ),
        }
    }
    known
}

fn nodes(facts: &Facts, judged: &mut Judged) {
    for (cluster, nodes) in known(facts, &facts.nodes, (Kind::NodeDown, "nodes"), judged) {
        for node in nodes.iter().filter(|node| node.health() == Health::NotReady) {
            let says = node.conditions.iter().find(|one| one.kind == "Ready");
            let why = says.map_or("it says nothing of itself", |one| &*one.message);
            let what =
                format!("node `{}` of cluster `{cluster}` does not run pods: {why}", node.name);
            judged.wrong(Kind::NodeDown, of_node(cluster, node), Some(cluster), what);
        }
    }
}

fn of_node(cluster: &Name, node: &Node) -> String {
    format!("{cluster}.{}", node.name)
}

fn disks(facts: &Facts, judged: &mut Judged) {
    let threshold = i64::from(facts.thresholds.disk);
    for (cluster, disks) in known(facts, &facts.disks, (Kind::Disk, "disks"), judged) {
        for disk in disks {
            let (name, called) = disk_in(cluster, disk);
            let slack = if facts.is_open(Kind::Disk, &name) { SLACK } else { 0 };
            let Some(percent) = disk.percent().filter(|percent| *percent >= threshold - slack)
            else {
                continue;
            };
            let Disk { used, size, .. } = disk;
            let what = format!("{called} is {percent} % full: {used} of {size} MiB");
            judged.wrong(Kind::Disk, name, Some(cluster), what);
        }
    }
    // A node that does not run says nothing of its disk.
    for (cluster, nodes) in &facts.nodes {
        let down = nodes.all.iter().filter(|node| node.health() == Health::NotReady);
        let down = down.map(|node| (Kind::Disk, of_node(cluster, node)));
        judged.sight.unknown.extend(down);
    }
}

fn disk_in(cluster: &Name, disk: &Disk) -> (String, String) {
    match &disk.of {
        DiskOf::Node(node) => (
            format!("{cluster}.{node}"),
            format!("the disk of node `{node}` in cluster `{cluster}`"),
        ),
        DiskOf::Claim { namespace, name } => (
            format!("{cluster}.{namespace}/{name}"),
            format!("the volume `{namespace}/{name}` in cluster `{cluster}`"),
        ),
    }
}

fn certificates(facts: &Facts, judged: &mut Judged) {
    let soon = i64::try_from(facts.thresholds.certificate.about_seconds()).unwrap_or(i64::MAX);
    let mut unread = Vec::new();
    let of = (Kind::Certificate, "certificates");
    for (cluster, certificates) in known(facts, &facts.certificates, of, judged) {
        for certificate in certificates {
            let name = format!("{cluster}.{}/{}", certificate.namespace, certificate.secret);
            let Some(ends) = certificate.ends else {
                unread.push(name);
                continue;
            };
            if ends.duration_since(facts.now).as_secs() > soon {
                continue;
            }
            let does = if ends > facts.now { "ends" } else { "has ended" };
            let (hosts, of) = (certificate.hosts.join(", "), &certificate.of);
            let what =
                format!("the certificate of {hosts} ({of}) {does} at {ends}, and is not renewed");
            judged.wrong(Kind::Certificate, name, Some(cluster), what);
        }
    }
    judged.nobody_knows(Kind::Certificate, unread, "the end of certificates");
}

fn pods(facts: &Facts, judged: &mut Judged) {
    for cluster in facts.configuration.clusters.keys().filter(|name| facts.away.contains(*name)) {
        let why = format!("how pods are in cluster `{cluster}` is not known: it cannot be reached");
        judged.blind(&[Kind::Restarts, Kind::Downtime], cluster, why);
    }
    restarts(facts, judged);
    downtime(facts, judged);
}

/// Of the same container of several pods, the one that was started again most often speaks.
fn restarts(facts: &Facts, judged: &mut Judged) {
    let pods: BTreeMap<_, &Row> = facts.pods.iter().map(|pod| (pod.id, pod)).collect();
    let mut restarted: Vec<_> = facts.restarted.iter().collect();
    restarted.sort_by_key(|one| one.times);
    for one in restarted {
        let threshold = i64::from(facts.thresholds.restarts);
        let Some(pod) = pods.get(&one.pod).filter(|_| one.times > threshold) else { continue };
        if facts.away.contains(&pod.cluster) {
            continue;
        }
        let (of, times, container) = (&pod.of, one.times, &one.container);
        let part = pod.status.component.as_deref().unwrap_or(&pod.name);
        let name = format!("{of}/{part}/{container}");
        let why = pod.status.reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        let what = format!(
            "`{container}` in pod `{}` of {of} was started again {times} times within an hour{why}",
            pod.name
        );
        judged.wrong(Kind::Restarts, name, Some(&pod.cluster), what);
    }
}

fn downtime(facts: &Facts, judged: &mut Judged) {
    let mut pods: BTreeMap<&SubscriptionId, Vec<&Row>> = BTreeMap::new();
    for pod in &facts.pods {
        pods.entry(&pod.of).or_default().push(pod);
    }
    let mut nowhere = Vec::new();
    for (of, subscription, package) in running(facts) {
        let Some(cluster) = facts.cluster_of(&of.tenant) else { continue };
        if facts.away.contains(cluster) {
            continue;
        }
        let Some(pods) = pods.get(&of) else {
            nowhere.push(of.to_string());
            continue;
        };
        let down = components(subscription, package).find_map(|part| silent(part, pods));
        if let Some(why) = down {
            judged.wrong(
                Kind::Downtime,
                of.to_string(),
                Some(cluster),
                format!("{of} is down: {why}"),
            );
        }
    }
    judged.nobody_knows(
        Kind::Downtime,
        nowhere,
        "whether a subscription runs, because no pod of it was seen,",
    );
}

/// What should run on a cluster now, and was not only just ordered.
fn running(facts: &Facts) -> impl Iterator<Item = (SubscriptionId, &Subscription, &Package)> {
    let subscriptions = facts.configuration.subscriptions.iter();
    let all = subscriptions.flat_map(|(tenant, all)| {
        all.iter().map(move |(name, document)| {
            (SubscriptionId { tenant: tenant.clone(), name: name.clone() }, &document.spec)
        })
    });
    all.filter_map(|(of, subscription)| {
        let package = &facts.configuration.packages.get(&subscription.package)?.spec;
        let runs = package.runs == Runs::Cluster
            && facts.configuration.phase(subscription, facts.now).0.runs()
            && !facts.opening.contains(&of);
        runs.then_some((of, subscription, package))
    })
}

/// The components that are to have pods.
fn components<'a>(
    subscription: &'a Subscription,
    package: &'a Package,
) -> impl Iterator<Item = &'a Name> {
    package.components.iter().filter_map(|part| {
        let overridden = subscription.overrides.components.get(&part.component);
        let replicas = overridden.and_then(|overridden| overridden.replicas);
        (replicas.unwrap_or(part.replicas) > 0).then_some(&part.component)
    })
}

/// Why nothing of a component answers, where nothing does.
fn silent(component: &Name, pods: &[&Row]) -> Option<String> {
    let ours: Vec<&&Row> = pods
        .iter()
        .filter(|pod| pod.status.component.as_deref() == Some(component.as_str()))
        .collect();
    if ours.iter().any(|pod| pod.status.ready) {
        return None;
    }
    let why = ours.iter().find_map(|pod| pod.status.reason.as_ref());
    Some(match (ours.is_empty(), why) {
        (true, _) => format!("`{component}` has no pod"),
        (false, Some(why)) => format!("no pod of `{component}` is ready: {why}"),
        (false, None) => format!("no pod of `{component}` is ready"),
    })
}

fn usage(facts: &Facts, judged: &mut Judged) {
    let mut unmeasured = Vec::new();
    for used in &facts.used {
        let (of, measure) = (&used.of, used.limit.measure);
        let name = format!("{of}/{}", measure.word());
        match used.average {
            None => unmeasured.push(name),
            Some(average) if used.is_near => {
                let (percent, most, unit) =
                    (used.limit.percent(average), used.limit.most, measure.unit());
                let word = measure.word();
                let what =
                    format!("{of} uses {percent} % of its {word}: {average} of {most} {unit}");
                judged.wrong(Kind::Usage, name, facts.cluster_of(&of.tenant), what);
            }
            Some(_) => {}
        }
    }
    judged.nobody_knows(Kind::Usage, unmeasured, "what is used within an hour");
}

/// What became of a backup stays true, however long ago it was seen.
fn backups(facts: &Facts, judged: &mut Judged) {
    known(facts, &facts.scheduled, (Kind::BackupFailed, "scheduled backups"), judged);
    judged.sight.blind.retain(|(kind, _)| *kind != Kind::BackupFailed);
    let scheduled = facts.scheduled.values().flat_map(|seen| &seen.all);
    let mut by_subscription: BTreeMap<&SubscriptionId, Vec<_>> = BTreeMap::new();
    for backup in scheduled {
        by_subscription.entry(&backup.of).or_default().push(backup);
    }
    let mut none = Vec::new();
    for (tenant, all) in &facts.configuration.subscriptions {
        for (name, document) in all.iter() {
            let of = SubscriptionId { tenant: tenant.clone(), name: name.clone() };
            let asked = facts.backups.get(&of);
            let by_clock = by_subscription.get(&of).map_or(&[][..], |all| &all[..]);
            let went_well = asked.filter(|asked| asked.failed.is_none()).map(|asked| asked.at);
            let done = by_clock.iter().filter_map(|backup| backup.done).chain(went_well).max();
            let failed = by_clock.iter().find(|backup| {
                backup.failed() == Some(true)
                    && went_well.is_none_or(|well| backup.begun > Some(well))
            });
            let cluster = facts.cluster_of(tenant);
            if let Some(asked) =
                asked.filter(|asked| asked.failed.is_some() && Some(asked.at) > done)
            {
                let why = asked.failed.as_deref().unwrap_or_default();
                let what = if asked.is_last {
                    format!("the last backup of {of} failed, so it is not removed: {why}")
                } else {
                    format!("the backup of {of} failed: {why}")
                };
                judged.wrong(Kind::BackupFailed, of.to_string(), cluster, what);
            } else if let Some(failed) = failed {
                let begun = failed.begun.map(|at| at.to_string()).unwrap_or_default();
                let what = format!(
                    "the scheduled backup of {of} that was begun at {begun} did not go well: see its job of `{}`",
                    failed.name
                );
                judged.wrong(Kind::BackupFailed, of.to_string(), cluster, what);
            } else if done.is_none() {
                let package = facts.configuration.packages.get(&document.spec.package);
                if package.is_some_and(|package| package.spec.is_backed_up()) {
                    none.push(of.to_string());
                }
            }
        }
    }
    judged.nobody_knows(
        Kind::BackupFailed,
        none,
        "whether backups go well, because none has ended yet,",
    );
}

#[cfg(test)]
mod tests;
