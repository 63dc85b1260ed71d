//! What is known of a subscription, gathered from the documents, the terms, the invoices, the
//! wallet, the payments and the operations, so that it can be decided what is due.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use sqlx::PgConnection;
use uuid::Uuid;

use super::done;
use crate::billing::calendar::Anchor;
use crate::billing::calendar::Stretch;
use crate::billing::calendar::day_of;
use crate::billing::invoice;
use crate::billing::keys::OperationKey;
use crate::billing::ledger;
use crate::billing::lifecycle;
use crate::billing::lifecycle::Cancellation;
use crate::billing::lifecycle::Due;
use crate::billing::lifecycle::Effect;
use crate::billing::lifecycle::Facts;
use crate::billing::lifecycle::FinalBackup;
use crate::billing::lifecycle::OpenInvoice;
use crate::billing::terms;
use crate::jobs::JobError;
use crate::model::Configuration;
use crate::model::Name;
use crate::model::Subscription;
use crate::model::SubscriptionId;
use crate::model::money::Money;
use crate::model::platform::Lifecycle;
use crate::model::subscription::HoldReason;
use crate::model::tax::Party;
use crate::operations::Change;
use crate::operations::operation;
use crate::operations::order;
use crate::operations::pricing::Sale;
use crate::operations::pricing::Shop;
use crate::operations::pricing::Wish;
use crate::payments;
use crate::postgres::stamp;

/// A subscription as its document has it, and by which rules it lives.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    pub(super) id: SubscriptionId,
    pub(super) spec: Subscription,
    pub(super) lifecycle: Lifecycle,
    pub(super) configuration: Arc<Configuration>,
}

/// What is known of it beyond that.
pub(super) struct Known<'a> {
    pub(super) subject: &'a Subject,
    pub(super) shop: Shop<'a>,
    pub(super) anchor: Anchor,
    /// The first day that is not paid for; none for what has no end.
    pub(super) paid_until: Option<Date>,
    /// What it will be in the days that are sold next.
    wish: Wish,
    buyer: Party,
    overdue_since: Option<Date>,
    wallet: Money,
    payment_in_flight: bool,
    gateway_asked: bool,
    /// An order for it is paid and on its way: what that buys is not sold beside it.
    ordered: bool,
    pub(super) invoice: Option<invoice::Invoice>,
    final_backup: FinalBackup,
}

impl Known<'_> {
    /// What days cost.
    pub(super) fn sale(&self, stretch: &Stretch) -> Result<Sale, JobError> {
        Ok(self.shop.days(&self.wish, stretch, self.anchor.first(), self.buyer.clone())?)
    }

    /// Everything that is due now.
    pub(super) fn due(&self, now: Timestamp) -> Result<Vec<Due>, JobError> {
        let spec = &self.subject.spec;
        let total = |stretch: &Stretch| {
            let total = self.sale(stretch).ok()?.quote.total;
            (total.minor > 0).then_some(total)
        };
        let facts = Facts {
            subscription: &self.subject.id,
            zone: self.shop.zone(),
            anchor: &self.anchor,
            lifecycle: &self.subject.lifecycle,
            paid_until: self.paid_until,
            written_through: spec.paid_through,
            overdue_since: self.overdue_since,
            // Documents know of none.
            trial: false,
            renews: true,
            renewal_wanted: false,
            cancelled: spec.cancel_at_period_end.then_some(Cancellation::AtEnd),
            // It waits as an operation, which is committed on its day without us.
            change: None,
            wallet: self.wallet,
            payment_in_flight: self.payment_in_flight,
            gateway_asked: self.gateway_asked,
            invoice: self.open_invoice(),
            exempt: false,
            final_backup: self.final_backup,
            removal: None,
            total: &total,
        };
        let mut due = lifecycle::due(&facts, now)?;
        if self.ordered {
            let sells = |due: &Due| {
                matches!(due.effect, Effect::Renew { .. } | Effect::RenewFromToday { .. })
            };
            due.retain(|due| !sells(due));
        }
        Ok(due)
    }

    fn open_invoice(&self) -> Option<OpenInvoice> {
        let (invoice, start) = (self.invoice.as_ref()?, self.paid_until?);
        Some(OpenInvoice {
            id: invoice.id,
            start,
            total: invoice.total,
            delivered: invoice.delivered_at.is_some(),
        })
    }
}

/// Gathers what is known of a subscription.
pub(super) async fn gather<'a>(
    db: &mut PgConnection,
    subject: &'a Subject,
    now: Timestamp,
) -> Result<Known<'a>, JobError> {
    let Subject { id, spec, configuration, .. } = subject;
    let shop = Shop::open(configuration, now)?;
    let term = terms::last(db, id).await?;
    // What its document says to have no end is left to people, whatever was sold before.
    let paid_until = spec.paid_through.and(term.as_ref().map(|term| term.period.end));
    let first = term.map_or(spec.starts, |term| term.anchor);
    let wish = wish(db, subject, now).await?;
    let anchor = Anchor::new(first, shop.package(&wish.package)?.period)?;
    let invoice = match paid_until {
        Some(start) => invoice::of_period(db, id, start).await?.filter(invoice::Invoice::is_open),
        None => None,
    };
    let currency = match &invoice {
        Some(invoice) => Some(invoice.total.currency),
        None => shop.package(&wish.package)?.price.map(|price| price.currency),
    };
    let currency =
        currency.or_else(|| configuration.platform.as_ref().map(|platform| platform.spec.currency));
    let customer = order::customer(&id.tenant);
    let wallet = match currency {
        Some(currency) => ledger::wallet(db, &customer, currency).await?.available,
        None => return Err(JobError::NoDocuments),
    };
    let ordered = is_ordered(db, id).await?;
    let in_flight = payments::in_flight(db, &id.tenant).await?;
    let gateway_asked = match (&invoice, in_flight) {
        (Some(invoice), true) => {
            let key = asked(day_of(now, shop.zone()), invoice.id);
            done::is_done(db, &key, now).await?
        }
        _ => true,
    };
    let overdue_since = overdue_since(db, subject, &shop, paid_until).await?;
    let package = configuration.packages.get(&spec.package);
    let final_backup = match paid_until {
        Some(paid_until) if package.is_some_and(|package| package.spec.is_backed_up()) => {
            let day = lifecycle::ended_on(paid_until, overdue_since);
            done::final_backup(db, &OperationKey::on_day("final-backup", id, day)).await?
        }
        _ => FinalBackup::NotAsked,
    };
    Ok(Known {
        final_backup,
        subject,
        anchor,
        paid_until,
        wish,
        buyer: buyer(db, subject).await?,
        overdue_since,
        wallet,
        payment_in_flight: in_flight || ordered,
        gateway_asked,
        ordered,
        invoice,
        shop,
    })
}

/// The key of the question to the gateway, as `billing::lifecycle` makes it.
fn asked(today: Date, invoice: Uuid) -> OperationKey {
    OperationKey::follows(&format!("ask:{today}"), invoice)
}

/// What it will be next: as it is, unless a change waits for the end of what is paid for.
async fn wish(db: &mut PgConnection, subject: &Subject, now: Timestamp) -> Result<Wish, JobError> {
    let Subject { id, spec, .. } = subject;
    let waiting = operation::waiting(db, &id.tenant, &id.name, now).await?;
    Ok(match waiting.map(|waiting| waiting.intent.change) {
        Some(Change::Scale { package, overrides, add_ons, .. }) => {
            Wish { package, add_ons, overrides: *overrides }
        }
        _ => Wish::of(spec),
    })
}

/// Who buys: whoever did last, or else the tenant as its document names it.
async fn buyer(db: &mut PgConnection, subject: &Subject) -> Result<Party, JobError> {
    let Subject { id, configuration, .. } = subject;
    if let Some(sale) = order::last_sale(db, id).await? {
        return Ok(sale.buyer);
    }
    let tenant = configuration.tenants.get(&id.tenant).map(|document| &document.spec);
    let name = tenant.map_or_else(|| id.tenant.to_string(), |tenant| tenant.organisation.clone());
    let contacts = tenant.iter().flat_map(|tenant| &tenant.contacts);
    let address = contacts.take(1).map(|contact| contact.email.clone()).collect();
    Ok(Party { name, address, tax_id: None })
}

async fn is_ordered(db: &mut PgConnection, id: &SubscriptionId) -> Result<bool, JobError> {
    let ordered = sqlx::query_scalar(
        "select exists (select from customer_order where customer = $1 and subscription = $2 and state = 'paid')",
    );
    let ordered = ordered.bind(id.tenant.as_str()).bind(id.name.as_str());
    Ok(ordered.fetch_one(db).await?)
}

/// The day of the commit that holds it as overdue, while it does. Where a person wrote that, it
/// counts from the end of what was paid for.
async fn overdue_since(
    db: &mut PgConnection,
    subject: &Subject,
    shop: &Shop<'_>,
    paid_until: Option<Date>,
) -> Result<Option<Date>, JobError> {
    let Subject { id, spec, .. } = subject;
    if spec.holds.iter().all(|hold| hold.reason != HoldReason::Overdue) {
        return Ok(None);
    }
    let committed: Option<jiff_sqlx::Timestamp> = sqlx::query_scalar(
        "select committed_at from operation
         where tenant = $1 and subscription = $2 and kind = 'hold' and change ->> 'reason' = 'overdue'
            and committed_at is not null
         order by committed_at desc limit 1",
    )
    .bind(id.tenant.as_str())
    .bind(id.name.as_str())
    .fetch_optional(db)
    .await?;
    let day = committed.map(|at| day_of(at.to_jiff(), shop.zone()));
    Ok(day.or(paid_until).or(Some(shop.today())))
}

/// The day of the commit that removed a subscription by an operation of ours.
pub(super) async fn removed_at(
    db: &mut PgConnection,
    id: &SubscriptionId,
    now: Timestamp,
) -> Result<Option<Timestamp>, JobError> {
    let at: Option<jiff_sqlx::Timestamp> = sqlx::query_scalar(
        "select committed_at from operation
         where tenant = $1 and subscription = $2 and kind in ('remove', 'close') and committed_at <= $3
         order by committed_at desc limit 1",
    )
    .bind(id.tenant.as_str())
    .bind(id.name.as_str())
    .bind(stamp(now))
    .fetch_optional(db)
    .await?;
    Ok(at.map(jiff_sqlx::Timestamp::to_jiff))
}

/// Whether a day that a document says to be paid for was written by an operation, or may yet be
/// explained by one that is under way. Otherwise a person wrote it.
pub(super) async fn is_ours(
    db: &mut PgConnection,
    tenant: &Name,
    name: &Name,
    written: Date,
    now: Timestamp,
) -> Result<bool, JobError> {
    let ours = sqlx::query_scalar(
        "select exists (
             select from operation where tenant = $1 and subscription = $2 and (
                 (ended_at is null and due_at <= $4)
                 or (kind in ('renew', 'extend') and commit_id is not null and (change ->> 'day')::date >= $3)))",
    );
    let ours = ours.bind(tenant.as_str()).bind(name.as_str());
    let ours = ours.bind(jiff_sqlx::ToSqlx::to_sqlx(written)).bind(stamp(now));
    Ok(ours.fetch_one(db).await?)
}
