//! Reading orders back.

use jiff::Timestamp;
use jiff::civil::Date;
use sqlx::PgConnection;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use uuid::Uuid;

use super::Order;
use crate::model::Name;
use crate::model::SubscriptionId;
use crate::model::money::Money;
use crate::operations::Intent;
use crate::operations::OperationError;
use crate::operations::pricing::Sale;
use crate::postgres::stamp;

/// What was sold last for a subscription and is there.
pub async fn last_sale(
    db: &mut PgConnection,
    id: &SubscriptionId,
) -> Result<Option<Sale>, OperationError> {
    // By the order in which they came about, and not by the clock, which may stand still.
    let row: Option<(Json<Sale>,)> = sqlx::query_as(
        "select sale from customer_order
         join operation_event as ending on ending.operation_id = customer_order.id
         where customer = $1 and subscription = $2 and customer_order.state = 'fulfilled'
            and ending.state = 'succeeded'
         order by ending.sequence desc limit 1",
    )
    .bind(id.tenant.as_str())
    .bind(id.name.as_str())
    .fetch_optional(db)
    .await?;
    Ok(row.map(|(sale,)| sale.0))
}

/// What was sold for a subscription of days from this one on, the last sale first.
pub(in crate::operations) async fn sales_of(
    db: &mut PgConnection,
    id: &SubscriptionId,
    day: Date,
) -> Result<Vec<Sale>, OperationError> {
    // By the order in which they came about, as above.
    let rows: Vec<(Json<Sale>,)> = sqlx::query_as(
        "select sale from customer_order
         join operation_event as ending on ending.operation_id = customer_order.id
         where customer = $1 and subscription = $2 and customer_order.state = 'fulfilled'
            and ending.state = 'succeeded' and (sale #>> '{quote,period,end}')::date > $3
         order by ending.sequence desc",
    )
    .bind(id.tenant.as_str())
    .bind(id.name.as_str())
    .bind(jiff_sqlx::ToSqlx::to_sqlx(day))
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|(sale,)| sale.0).collect())
}

const COLUMNS: &str =
    "id, customer, account_id, subscription, intent, sale, total, state, hold_id, invoice_id,
    created_at, expires_at, paid_at, ended_at, why";

/// An order by its id.
pub async fn find(db: &mut PgConnection, id: Uuid) -> Result<Order, OperationError> {
    let statement = format!("select {COLUMNS} from customer_order where id = $1");
    let row = sqlx::query(sqlx::AssertSqlSafe(statement)).bind(id).fetch_optional(db).await?;
    read(&row.ok_or(OperationError::Missing)?)
}

/// An order by its id, which nobody else changes before this transaction is over.
pub(in crate::operations) async fn locked(
    db: &mut PgConnection,
    id: Uuid,
) -> Result<Order, OperationError> {
    let statement = format!("select {COLUMNS} from customer_order where id = $1 for update");
    let row = sqlx::query(sqlx::AssertSqlSafe(statement)).bind(id).fetch_optional(db).await?;
    read(&row.ok_or(OperationError::Missing)?)
}

/// Orders of a customer, or of all, the newest first, so many at most.
pub async fn list(
    db: &mut PgConnection,
    customer: Option<&Name>,
    before: Option<(Timestamp, Uuid)>,
    most: i64,
) -> Result<Vec<Order>, OperationError> {
    let statement = format!(
        "select {COLUMNS} from customer_order
         where ($1::text is null or customer = $1)
            and ($2::timestamptz is null or (created_at, id) < ($2, $3))
         order by created_at desc, id desc limit $4"
    );
    let (at, id) = before.unzip();
    let rows = sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(customer.map(Name::as_str))
        .bind(at.map(stamp))
        .bind(id)
        .bind(most)
        .fetch_all(db)
        .await?;
    rows.iter().map(read).collect()
}

fn read(row: &PgRow) -> Result<Order, OperationError> {
    let id: Uuid = row.try_get("id")?;
    let unreadable = |text: String, expected| OperationError::Unreadable { id, text, expected };
    let name = |column: &str| -> Result<Name, OperationError> {
        let text: String = row.try_get(column)?;
        text.parse().map_err(|_| unreadable(text, "a name"))
    };
    let time = |column: &str| -> Result<Timestamp, sqlx::Error> {
        Ok(row.try_get::<jiff_sqlx::Timestamp, _>(column)?.to_jiff())
    };
    let maybe = |column: &str| -> Result<Option<Timestamp>, sqlx::Error> {
        let time: Option<jiff_sqlx::Timestamp> = row.try_get(column)?;
        Ok(time.map(jiff_sqlx::Timestamp::to_jiff))
    };
    let sale = row.try_get::<Json<Sale>, _>("sale")?.0;
    let state: String = row.try_get("state")?;
    let state = serde_json::from_value(state.as_str().into())
        .map_err(|_| unreadable(state, "the state of an order"))?;
    Ok(Order {
        id,
        customer: name("customer")?,
        account: row.try_get("account_id")?,
        subscription: name("subscription")?,
        intent: row.try_get::<Json<Intent>, _>("intent")?.0,
        total: Money::new(row.try_get("total")?, sale.quote.total.currency),
        sale,
        state,
        hold: row.try_get("hold_id")?,
        invoice: row.try_get("invoice_id")?,
        created_at: time("created_at")?,
        expires_at: time("expires_at")?,
        paid_at: maybe("paid_at")?,
        ended_at: maybe("ended_at")?,
        why: row.try_get("why")?,
    })
}
