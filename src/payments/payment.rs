//! A payment: that somebody is to pay so much, by whom it is taken, and where it stands.
//!
//! ```text
//! new ──► pending ──► paid          what is paid is in the wallet; it may go back in parts
//!   └────────┴──────► failed, expired ──► paid (late: it is in the wallet, and starts nothing)
//! ```

use jiff::SignedDuration;
use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::error::PaymentError;
use crate::model::Name;
use crate::model::money::Currency;
use crate::model::money::Money;
use crate::model::platform::PaymentProvider;
use crate::postgres::stamp;

/// How long a provider takes a payment. (Stripe allows a day at most.)
pub const PAYABLE: SignedDuration = SignedDuration::from_hours(12);
/// How long after that a payment made at the last moment may need to be told to us.
pub const UNDER_WAY: SignedDuration = SignedDuration::from_mins(30);
/// When a provider is asked first how a payment stands: its webhook is usually faster.
const FIRST_QUESTION: SignedDuration = SignedDuration::from_mins(2);

/// What a payment is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// An order waits for it.
    Order(Uuid),
    /// It fills the wallet.
    TopUp,
}

/// Where a payment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// No provider knows it yet.
    New,
    /// It can be paid.
    Pending,
    /// The money is there, and in the wallet.
    Paid,
    Failed,
    /// Nobody waits for it any more.
    Expired,
}

impl State {
    /// As the table has it.
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Pending => "pending",
            Self::Paid => "paid",
            Self::Failed => "failed",
            Self::Expired => "expired",
        }
    }

    /// Whether money may be on its way.
    pub fn is_open(self) -> bool {
        matches!(self, Self::New | Self::Pending)
    }
}

/// A payment to make.
#[derive(Clone, Debug)]
pub struct NewPayment {
    /// By which it is made once: of the same request, the same.
    pub id: Uuid,
    pub subject: Subject,
    /// Whose wallet it fills, by the name of the document `Tenant`.
    pub customer: Name,
    pub amount: Money,
    pub provider: PaymentProvider,
    /// Where the customer comes back to.
    pub return_url: Option<String>,
    pub now: Timestamp,
}

/// A payment as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "Row")]
pub struct Payment {
    pub id: Uuid,
    pub customer: Name,
    pub provider: PaymentProvider,
    pub amount: Money,
    pub subject: Subject,
    pub state: State,
    /// How far the provider has said it to be; see [`super::report::Standing::rank`].
    pub rank: i16,
    /// Whether the money came when it was not waited for any more.
    pub late: bool,
    pub return_url: Option<String>,
    /// Where the customer pays.
    pub redirect_url: Option<String>,
    /// By what the provider knows it before it is paid.
    pub session: Option<String>,
    /// By what the provider knows the money.
    pub transaction: Option<String>,
    /// What went back by refunds, as the provider said.
    pub refunded: Money,
    /// What banks took back.
    pub disputed: Money,
    pub created_at: Timestamp,
    pub payable_until: Timestamp,
    pub expires_at: Timestamp,
    pub paid_at: Option<Timestamp>,
    /// Why it failed.
    pub why: Option<String>,
    /// How often the provider was asked.
    pub asked: i32,
    pub evidence: Option<String>,
    pub recorded_by: Option<Uuid>,
}

/// The row as PostgreSQL writes it in JSON.
#[derive(Deserialize)]
struct Row {
    id: Uuid,
    customer: Name,
    provider: PaymentProvider,
    currency: Currency,
    amount: i64,
    order_id: Option<Uuid>,
    state: State,
    rank: i16,
    late: bool,
    return_url: Option<String>,
    redirect_url: Option<String>,
    session: Option<String>,
    transaction: Option<String>,
    refunded: i64,
    disputed: i64,
    created_at: Timestamp,
    payable_until: Timestamp,
    expires_at: Timestamp,
    paid_at: Option<Timestamp>,
    why: Option<String>,
    asked: i32,
    evidence: Option<String>,
    recorded_by: Option<Uuid>,
}

impl From<Row> for Payment {
    fn from(row: Row) -> Self {
        let money = |minor| Money::new(minor, row.currency);
        Self {
            id: row.id,
            customer: row.customer,
            provider: row.provider,
            amount: money(row.amount),
            subject: row.order_id.map_or(Subject::TopUp, Subject::Order),
            state: row.state,
            rank: row.rank,
            late: row.late,
            return_url: row.return_url,
            redirect_url: row.redirect_url,
            session: row.session,
            transaction: row.transaction,
            refunded: money(row.refunded),
            disputed: money(row.disputed),
            created_at: row.created_at,
            payable_until: row.payable_until,
            expires_at: row.expires_at,
            paid_at: row.paid_at,
            why: row.why,
            asked: row.asked,
            evidence: row.evidence,
            recorded_by: row.recorded_by,
        }
    }
}

impl Payment {
    /// The name under which a provider has it: always as long and ending in a letter, so that
    /// nothing can be taken for the continuation of another; letters and digits alone, because
    /// `VNPay` takes no others.
    pub fn order(&self) -> String {
        order(self.id)
    }

    /// What of it is still with us.
    pub fn left(&self) -> Money {
        let gone = self.refunded.minor.saturating_add(self.disputed.minor);
        Money::new(self.amount.minor.saturating_sub(gone).max(0), self.amount.currency)
    }
}

/// See [`Payment::order`].
pub fn order(id: Uuid) -> String {
    format!("TN{}X", id.simple())
}

/// The payment that a provider's name for it stands for; none where it is not by us.
pub fn by_order(text: &str) -> Option<Uuid> {
    let id = text.strip_prefix("TN")?.strip_suffix('X')?;
    let id: Uuid = (id.len() == 32).then(|| id.parse().ok())??;
    (order(id) == text).then_some(id)
}

/// Writes a payment that no provider knows yet. One that is there already is returned as it
/// stands, if it is the same.
pub async fn create(
    connection: &mut PgConnection,
    wish: &NewPayment,
) -> Result<Payment, PaymentError> {
    let order = match wish.subject {
        Subject::Order(order) => Some(order),
        Subject::TopUp => None,
    };
    let payable_until = wish.now + PAYABLE;
    sqlx::query(
        "insert into payment (id, customer, provider, currency, amount, order_id, return_url,
             created_at, payable_until, expires_at, ask_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) on conflict (id) do nothing",
    )
    .bind(wish.id)
    .bind(wish.customer.as_str())
    .bind(wish.provider.word())
    .bind(wish.amount.currency.code())
    .bind(wish.amount.minor)
    .bind(order)
    .bind(&wish.return_url)
    .bind(stamp(wish.now))
    .bind(stamp(payable_until))
    .bind(stamp(payable_until + UNDER_WAY))
    .bind(stamp(wish.now + FIRST_QUESTION))
    .execute(&mut *connection)
    .await?;
    let payment = find(connection, wish.id).await?;
    let same = payment.customer == wish.customer
        && payment.provider == wish.provider
        && payment.amount == wish.amount
        && payment.subject == wish.subject;
    if same { Ok(payment) } else { Err(PaymentError::Reused(wish.id)) }
}

/// A payment by its id.
pub async fn find(connection: &mut PgConnection, id: Uuid) -> Result<Payment, PaymentError> {
    let found = sqlx::query_as("select to_jsonb(payment) from payment where id = $1");
    read(found.bind(id).fetch_optional(connection).await)?.ok_or(PaymentError::Missing(id))
}

/// Which payments are looked for.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub customer: Option<Name>,
    pub state: Option<State>,
    pub provider: Option<PaymentProvider>,
    /// Only what was made before this one.
    pub before: Option<(Timestamp, Uuid)>,
}

/// Payments, the newest first; at most so many.
pub async fn list(
    connection: &mut PgConnection,
    asked: &Asked,
    most: i64,
) -> Result<Vec<Payment>, PaymentError> {
    let (at, id) = asked.before.unzip();
    let found: Vec<(Json<Payment>,)> = sqlx::query_as(
        "select to_jsonb(payment) from payment
         where ($1::text is null or customer = $1)
             and ($2::text is null or state = $2)
             and ($3::text is null or provider = $3)
             and ($4::timestamptz is null or (created_at, id) < ($4, $5))
         order by created_at desc, id desc limit $6",
    )
    .bind(asked.customer.as_ref().map(Name::as_str))
    .bind(asked.state.map(State::word))
    .bind(asked.provider.map(PaymentProvider::word))
    .bind(at.map(stamp))
    .bind(id)
    .bind(most)
    .fetch_all(connection)
    .await?;
    Ok(found.into_iter().map(|(payment,)| payment.0).collect())
}

/// A payment that nobody else changes before this transaction ends.
pub(super) async fn locked(
    connection: &mut PgConnection,
    id: Uuid,
) -> Result<Payment, PaymentError> {
    let found = sqlx::query_as("select to_jsonb(payment) from payment where id = $1 for update");
    read(found.bind(id).fetch_optional(connection).await)?.ok_or(PaymentError::Missing(id))
}

/// The payment that a provider has under a name of its own.
pub(super) async fn by_transaction(
    connection: &mut PgConnection,
    provider: PaymentProvider,
    transaction: &str,
) -> Result<Option<Uuid>, PaymentError> {
    let found =
        sqlx::query_scalar("select id from payment where provider = $1 and transaction = $2");
    Ok(found.bind(provider.word()).bind(transaction).fetch_optional(connection).await?)
}

/// Whether money of a customer may be on its way: who has it is neither suspended nor ended.
pub async fn in_flight(
    connection: &mut PgConnection,
    customer: &Name,
) -> Result<bool, PaymentError> {
    let found = sqlx::query_scalar(
        "select exists (select from payment where customer = $1 and state in ('new', 'pending'))",
    );
    Ok(found.bind(customer.as_str()).fetch_one(connection).await?)
}

pub(super) fn read(
    row: Result<Option<(Json<Payment>,)>, sqlx::Error>,
) -> Result<Option<Payment>, PaymentError> {
    match row {
        Ok(row) => Ok(row.map(|(payment,)| payment.0)),
        Err(sqlx::Error::ColumnDecode { source, .. }) => {
            Err(PaymentError::Unreadable(source.to_string()))
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_s_name_for_a_payment_is_read_back_and_no_other() {
        let id = Uuid::from_u128(0x0190_1234_5678_7abc_8def_0123_4567_89ab);
        assert_eq!(order(id), "TN01901234567 87abc8def0123456789abX".replace(' ', ""));
        assert_eq!(by_order(&order(id)), Some(id));
        for other in
            ["", "TNX", "1111", &id.to_string(), &order(id).to_uppercase(), &order(id)[..34]]
        {
            assert_eq!(by_order(other), None, "{other}");
        }
    }
}
