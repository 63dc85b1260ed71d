//! Usage: measured, added up, held against limits, and forgotten when it is old.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use serde_json::json;

use super::Ground;
use super::Job;
use super::JobError;
use super::Report;
use super::Schedule;
use super::cleaning::gone;
use crate::accounts;
use crate::model::SubscriptionId;
use crate::usage::SLOT;
use crate::usage::Sample;
use crate::usage::UsageError;
use crate::usage::limits::Limit;
use crate::usage::limits::Standing;
use crate::usage::limits::limits_of;
use crate::usage::standing;
use crate::usage::standing::JUDGED_OVER;
use crate::usage::store;

/// The job that measures clusters.
pub const MEASURES: &str = "collect-usage";
const CHECK: &str = "check-usage";

pub(super) fn jobs() -> Vec<Job> {
    vec![
        Job::new(MEASURES, "Measure what every subscription uses", Schedule::Each(SLOT), collect)
            .with_documents(),
        Job::new(
            "roll-up-usage",
            "Add what was measured to the sums of its hour and its day",
            Schedule::Every(SignedDuration::from_mins(10)),
            roll_up,
        )
        .with_documents(),
        Job::new(
            CHECK,
            "Tell customers who come near to a limit or have reached it",
            Schedule::Every(SLOT),
            check,
        )
        .with_documents(),
        Job::new(
            "clean-usage",
            "Forget samples after days, hours after months and days after years",
            Schedule::Every(SignedDuration::from_hours(6)),
            clean,
        ),
    ]
}

/// Measures once for the slot that it is now. What could not be measured is said; it keeps nobody
/// from being measured who could be.
async fn collect(ground: Ground) -> Result<Report, JobError> {
    let meter = ground.meter.clone().ok_or(JobError::NoMeter)?;
    let measured = meter.measure().await;
    let configuration = &ground.documents()?.configuration;
    let known = |of: &SubscriptionId| {
        let documents = configuration.subscriptions.get(&of.tenant);
        documents.is_some_and(|documents| documents.contains_key(&of.name))
    };
    let readings = measured.readings.iter().filter(|reading| known(&reading.of));
    let samples: Vec<Sample> = readings.flat_map(|reading| reading.samples(ground.now)).collect();
    let subscriptions: BTreeSet<&SubscriptionId> =
        samples.iter().map(|sample| &sample.of).collect();
    let many = subscriptions.len();
    let new = store::record(ground.database().pool(), &samples, ground.now).await?;
    let summary = format!("subscriptions measured: {many}; new samples: {new}");
    Ok(Report { summary, findings: measured.troubles })
}

async fn roll_up(ground: Ground) -> Result<Report, JobError> {
    let rolled = store::roll_up(ground.database().pool(), &ground.zone()).await?;
    Ok(Report::of(format!("samples added up: {rolled}")))
}

async fn clean(ground: Ground) -> Result<Report, JobError> {
    Ok(gone(store::clean(ground.database().pool(), ground.now).await?))
}

/// Holds everybody's usage against their limits. Each crossing is told once; nobody is stopped.
async fn check(ground: Ground) -> Result<Report, JobError> {
    let pool = ground.database().pool();
    let mut before = standing::standings(pool, None).await?;
    let used = store::since(pool, None, ground.now - JUDGED_OVER).await?;
    let warn_at = warns_at(&ground)?;
    let mut findings = Vec::new();
    let (mut near, mut looked_at) = (0, 0);
    for (of, limit) in limits(&ground)? {
        let key = (of, limit.measure);
        let stood = before.remove(&key);
        let Some(sums) = used.get(&key) else {
            // Nothing was measured: nobody knows where it stands now.
            continue;
        };
        looked_at += 1;
        let used = sums.average();
        let stood = stood.map(|stood| stood.standing).unwrap_or_default();
        let stands = limit.judge(stood, used, warn_at);
        let over = Over { of: &key.0, limit, used, stands };
        if stands != stood {
            over.enter(&ground, stood).await?;
        }
        match stands {
            Standing::Reached => findings.push(over.told()),
            Standing::Near => near += 1,
            Standing::Within => {}
        }
    }
    // What has no limit any more, or is gone, stands nowhere.
    let mut db = pool.acquire().await.map_err(UsageError::from)?;
    for (of, measure) in before.into_keys() {
        standing::enter(&mut db, &of, measure, Standing::Within, ground.now).await?;
    }
    let reached = findings.len();
    let summary = format!("{looked_at} limits looked at: {near} near, {reached} reached");
    Ok(Report { summary, findings })
}

/// From how many percent of a limit on somebody is warned.
fn warns_at(ground: &Ground) -> Result<u8, JobError> {
    let platform = ground.documents()?.configuration.platform.as_ref();
    Ok(platform.map(|platform| platform.spec.alerts.clone()).unwrap_or_default().usage)
}

/// Every limit that anybody has.
pub(super) fn limits(ground: &Ground) -> Result<Vec<(SubscriptionId, Limit)>, JobError> {
    let configuration = &ground.documents()?.configuration;
    let mut all = Vec::new();
    for (tenant, subscriptions) in &configuration.subscriptions {
        for (name, document) in subscriptions.iter() {
            let Some(package) = configuration.packages.get(&document.spec.package) else {
                continue;
            };
            let id = SubscriptionId { tenant: tenant.clone(), name: name.clone() };
            let limits = limits_of(&package.spec, &document.spec);
            all.extend(limits.into_iter().map(|limit| (id.clone(), limit)));
        }
    }
    Ok(all)
}

/// A subscription and one of its limits.
struct Over<'a> {
    of: &'a SubscriptionId,
    limit: Limit,
    used: i64,
    stands: Standing,
}

impl Over<'_> {
    fn told(&self) -> String {
        let Limit { measure, most } = self.limit;
        let (word, unit) = (measure.word(), measure.unit());
        format!("{} uses all of its {word}: {} of {most} {unit}", self.of, self.used)
    }

    /// Writes where it stands now, and tells its customer in the same transaction. Operators have
    /// alerts.
    async fn enter(&self, ground: &Ground, stood: Standing) -> Result<(), JobError> {
        let Limit { measure, most } = self.limit;
        let now = ground.now;
        let mut transaction = ground.accounts.begin().await?;
        standing::enter(&mut transaction, self.of, measure, self.stands, now).await?;
        // Whoever comes down from a limit is not warned of coming near to it.
        if self.stands > stood {
            let fact = format!("{}:{}:{now}", self.of, measure.word());
            let values = json!({
                "subscription": self.of.to_string(),
                "measure": measure.word(),
                "percent": self.limit.percent(self.used),
                "used": self.used,
                "limit": most,
                "reached": self.stands == Standing::Reached,
            });
            let tenant = &self.of.tenant;
            let template = "usage-high";
            accounts::tell_tenant(&mut transaction, template, &fact, tenant, &values, now).await?;
        }
        transaction.commit().await.map_err(UsageError::from)?;
        Ok(())
    }
}
