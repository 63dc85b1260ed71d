//! Money that nobody has to move by hand: what was delivered is earned, and the books are looked at
//! by somebody who did not write them.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use jiff::civil::time;

use super::Ground;
use super::Job;
use super::JobError;
use super::Report;
use super::Schedule;
use super::alert;
use crate::billing::calendar::day_of;
use crate::billing::ledger;
use crate::billing::recognition;
use crate::model::Name;
use crate::model::SubscriptionId;
use crate::model::money::Currency;
use crate::model::money::Money;
use crate::operations::order;

pub(super) fn jobs() -> Vec<Job> {
    vec![
        Job::new(
            "recognise-revenue",
            "Book as earned what was delivered up to yesterday",
            // After midnight, when the day is over.
            Schedule::Daily(time(0, 20, 0, 0)),
            recognise,
        )
        .with_documents(),
        Job::new(
            "verify-ledger",
            "Look whether the ledger adds up, and tell operators where it does not",
            Schedule::Every(SignedDuration::from_hours(1)),
            verify,
        ),
        Job::new(
            "compare-payments",
            "Compare payments with the ledger and with providers, and tell operators what differs",
            Schedule::Daily(time(3, 40, 0, 0)),
            compare,
        ),
    ]
}

async fn recognise(ground: Ground) -> Result<Report, JobError> {
    let (pool, zone) = (ground.database().pool(), ground.zone());
    let Ok(yesterday) = day_of(ground.now, &zone).yesterday() else {
        return Ok(Report::of("nothing was delivered"));
    };
    let mut earned: BTreeMap<Currency, Money> = BTreeMap::new();
    let mut findings = Vec::new();
    let outstanding = recognition::outstanding(&mut *pool.acquire().await?).await?;
    let many = outstanding.len();
    for (subscription, balance) in outstanding {
        let Some(package) = package(&ground, &subscription).await? else {
            let what = format!("{subscription} is paid for, and nobody knows which package it had");
            findings.push(format!("{what}: book its {balance} by hand"));
            continue;
        };
        let mut transaction = pool.begin().await?;
        let of = recognition::Of { subscription: &subscription, package: &package, zone: &zone };
        let sum =
            recognition::through(&mut transaction, of, balance.currency, yesterday, ground.now)
                .await;
        match sum {
            Ok(sum) => {
                transaction.commit().await?;
                if sum.is_zero() {
                    continue;
                }
                let all = earned.entry(sum.currency).or_insert(Money::zero(sum.currency));
                *all = all.checked_add(sum).map_err(ledger::LedgerError::from)?;
            }
            Err(error) if error.is_passing() => return Err(error.into()),
            // One that cannot be booked keeps nobody else.
            Err(error) => findings.push(format!("what {subscription} earned: {error}")),
        }
    }
    let sums: Vec<String> = earned.values().map(ToString::to_string).collect();
    let sums = if sums.is_empty() { "nothing".to_owned() } else { sums.join(", ") };
    let summary = format!("{sums} earned up to {yesterday}, of {many} subscriptions");
    alert::tell(&ground, "recognise-revenue", &findings).await?;
    Ok(Report { summary, findings })
}

/// With which package a subscription earns: by its document, or by what it was sold last.
async fn package(ground: &Ground, subscription: &SubscriptionId) -> Result<Option<Name>, JobError> {
    let configuration = &ground.documents()?.configuration;
    let documents = configuration.subscriptions.get(&subscription.tenant);
    if let Some(document) = documents.and_then(|documents| documents.get(&subscription.name)) {
        return Ok(Some(document.spec.package.clone()));
    }
    let mut connection = ground.database().pool().acquire().await?;
    let sold = order::last_sale(&mut connection, subscription).await?;
    Ok(sold.map(|sold| sold.package))
}

async fn verify(ground: Ground) -> Result<Report, JobError> {
    let mut connection = ground.database().pool().acquire().await?;
    let wrong = ledger::verify(&mut connection).await?;
    drop(connection);
    let findings: Vec<String> = wrong.iter().map(ToString::to_string).collect();
    alert::tell(&ground, "verify-ledger", &findings).await?;
    let summary = match findings.len() {
        0 => "the ledger adds up".to_owned(),
        1 => "1 thing does not add up".to_owned(),
        many => format!("{many} things do not add up"),
    };
    Ok(Report { summary, findings })
}

async fn compare(ground: Ground) -> Result<Report, JobError> {
    let found = ground.payments.reconcile(ground.now).await?;
    let findings: Vec<String> = found.iter().map(ToString::to_string).collect();
    alert::tell(&ground, "compare-payments", &findings).await?;
    let summary = match findings.len() {
        0 => "payments and ledger agree".to_owned(),
        1 => "1 thing to look at".to_owned(),
        many => format!("{many} things to look at"),
    };
    Ok(Report { summary, findings })
}
