//! Payments that a person recorded and nobody approved: after a while they never count.

use jiff::SignedDuration;
use serde_json::json;

use super::Ground;
use super::Job;
use super::JobError;
use super::Report;
use super::Schedule;
use crate::accounts;
use crate::accounts::audit::Act;
use crate::accounts::audit::Actor;
use crate::accounts::audit::Origin;
use crate::payments::Payment;

pub(super) fn jobs() -> Vec<Job> {
    vec![Job::new(
        "expire-payments",
        "Give up payments that were recorded and that nobody approved in time",
        Schedule::Every(SignedDuration::from_hours(1)),
        expire,
    )]
}

async fn expire(ground: Ground) -> Result<Report, JobError> {
    let now = ground.now;
    let mut many = 0;
    loop {
        let mut transaction = ground.accounts.begin().await?;
        let expired = ground.payments.expire_next(&mut transaction, now).await?;
        let Some(Payment { id, amount, customer, .. }) = expired else { break };
        let what = format!(
            "nobody approved the payment {id} of {amount} by {customer} in time, so it does not \
             count: if the money is there, record it again"
        );
        let values = json!({ "job": "expire-payments", "what": what, "at": now });
        let fact = format!("expire-payments:{id}");
        accounts::tell_operators(&mut transaction, "alert", &fact, &values, now).await?;
        let act = Act::done("payment.expire", format!("payment {id}"));
        let origin = Origin { request_id: fact, address: None };
        ground.accounts.conclude(transaction, &Actor::System, &act, &origin, now).await?;
        many += 1;
    }
    Ok(Report::of(match many {
        0 => "nothing to give up".to_owned(),
        1 => "1 payment was not approved in time".to_owned(),
        many => format!("{many} payments were not approved in time"),
    }))
}
