//! Every night the payments are compared with the ledger, and those of late with their providers:
//! what one says and the other does not is found here, and nothing is changed about it.

use std::fmt;

use jiff::SignedDuration;
use jiff::Timestamp;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Payments;
use super::error::PaymentError;
use crate::postgres::stamp;

/// How long money may be on its way back, and an event may wait, before somebody should look.
const REFUNDS: SignedDuration = SignedDuration::from_hours(3 * 24);
const EVENTS: SignedDuration = SignedDuration::from_hours(1);
/// Payments this young are asked about again: refunds and disputes that nobody told us of.
const RECENT: SignedDuration = SignedDuration::from_hours(3 * 24);
const MOST_ASKED: i64 = 1000;

/// Something that somebody should look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.what)
    }
}

/// Compares payments with the ledger's `cash:*`, one by one and in sum.
pub async fn compare(db: &mut PgConnection, now: Timestamp) -> Result<Vec<Finding>, PaymentError> {
    let rows: Vec<(String,)> = sqlx::query_as(
        "with arrival as (
             select substr(op_key, 9) as payment, posting.amount, account.currency, account.owner
             from ledger_transaction as written
             join posting on posting.transaction_id = written.id
             join account on account.id = posting.account_id and account.kind = 'cash'
             where written.reason = 'top_up' and starts_with(op_key, 'payment:')
         ), cash as (
             -- What payments did to cash: not fees, taxes and payouts, which are nobody's payment.
             select account.owner, account.currency, -sum(posting.amount)::bigint as held
             from ledger_transaction as written
             join posting on posting.transaction_id = written.id
             join account on account.id = posting.account_id and account.kind = 'cash'
             left join ledger_transaction as original on original.id = written.reverses
             where coalesce(original.reason, written.reason) in ('top_up', 'chargeback')
             group by 1, 2
         ), paid as (
             select provider, currency, sum(amount - refunded - disputed)::bigint as held
             from payment where state = 'paid' group by 1, 2
         )
         select format('the payment %s is paid, and the ledger has no money of it', id)
         from payment left join arrival on arrival.payment = payment.id::text
         where payment.state = 'paid' and arrival.payment is null
         union all
         select format('the ledger has money of the payment %s, which is %s', arrival.payment, coalesce(payment.state, 'not there'))
         from arrival left join payment on payment.id::text = arrival.payment
         where payment.state is distinct from 'paid'
         union all
         select format('the payment %s is %s %s at %s, and %s %s at %s in the ledger', id, payment.amount,
             payment.currency, payment.provider, -arrival.amount, arrival.currency, arrival.owner)
         from payment join arrival on arrival.payment = payment.id::text
         where (payment.amount, payment.currency, payment.provider)
             is distinct from (-arrival.amount, arrival.currency, arrival.owner)
         union all
         select format('%s should hold %s %s by its payments, and holds %s by the ledger',
             coalesce(provider, owner), coalesce(paid.held, 0), coalesce(paid.currency, cash.currency), coalesce(cash.held, 0))
         from paid full join cash on cash.owner = paid.provider and cash.currency = paid.currency
         where coalesce(paid.held, 0) <> coalesce(cash.held, 0)
         union all
         select format('the refund %s of the payment %s is on its way since %s', id, payment_id, created_at)
         from payment_refund where state = 'asked' and created_at <= $1
         union all
         select format('an event of %s waits since %s: %s', provider, received_at, coalesce(last_error, 'nobody took it'))
         from payment_inbox where done_at is null and received_at <= $2
         union all
         select format('an event of %s was believed and has no effect: %s', provider, why)
         from payment_inbox
         where verdict = 'refused' and not starts_with(event_key, 'refused:') and done_at > $3
         order by 1",
    )
    .bind(stamp(now - REFUNDS))
    .bind(stamp(now - EVENTS))
    .bind(stamp(now - SignedDuration::from_hours(24)))
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|(what,)| Finding { what }).collect())
}

impl Payments {
    /// Asks providers again about what was paid of late, so that what went back and was not told
    /// is booked, and then compares all payments with the ledger.
    pub async fn reconcile(&self, now: Timestamp) -> Result<Vec<Finding>, PaymentError> {
        let recent: Vec<(Uuid,)> = sqlx::query_as(
            "select id from payment
             where state = 'paid' and paid_at > $1 and provider not in ('manual', 'dummy')
             order by paid_at limit $2",
        )
        .bind(stamp(now - RECENT))
        .bind(MOST_ASKED)
        .fetch_all(self.pool()?)
        .await?;
        let mut findings = Vec::new();
        for (id,) in recent {
            if let Err(error) = self.ask(id, now).await {
                let what =
                    format!("the payment {id} could not be compared with its provider: {error}");
                findings.push(Finding { what });
            }
        }
        let mut connection = self.pool()?.acquire().await?;
        findings.extend(compare(&mut connection, now).await?);
        Ok(findings)
    }
}
