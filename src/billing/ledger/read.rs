//! Reading the ledger: wallets, balances as they were known at a time, and what moved a wallet.

use jiff::Timestamp;
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Account;
use super::Customer;
use super::LedgerError;
use super::Reason;
use crate::billing::Cursor;
use crate::billing::wire;
use crate::model::money::Currency;
use crate::model::money::Money;
use crate::postgres::stamp;

/// What a customer has in one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Wallet {
    /// What may be spent.
    #[serde(with = "wire::object")]
    pub available: Money,
    /// What is set aside.
    #[serde(with = "wire::object")]
    pub held: Money,
}

/// A wallet now; an unknown customer has nothing in it.
pub async fn wallet(
    db: &mut PgConnection,
    customer: &Customer,
    currency: Currency,
) -> Result<Wallet, LedgerError> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "select kind, balance from account
         where owner = $1 and currency = $2 and kind in ('customer_credit', 'hold')",
    )
    .bind(customer.as_str())
    .bind(currency.code())
    .fetch_all(db)
    .await?;
    let of = |kind: &str| {
        let row = rows.iter().find(|(other, _)| other == kind);
        Money::new(row.map_or(0, |(_, balance)| *balance), currency)
    };
    Ok(Wallet { available: of("customer_credit"), held: of("hold") })
}

/// A customer's wallets in every currency that they ever had, by currency.
pub async fn wallets(
    db: &mut PgConnection,
    customer: &Customer,
) -> Result<Vec<Wallet>, LedgerError> {
    let rows: Vec<(String, i64, i64)> = sqlx::query_as(
        "select currency,
             coalesce(sum(balance) filter (where kind = 'customer_credit'), 0)::bigint,
             coalesce(sum(balance) filter (where kind = 'hold'), 0)::bigint
         from account where owner = $1 and kind in ('customer_credit', 'hold')
         group by currency order by currency",
    )
    .bind(customer.as_str())
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|(currency, available, held)| {
            let currency = currency_of(&currency)?;
            let money = |minor| Money::new(minor, currency);
            Ok(Wallet { available: money(available), held: money(held) })
        })
        .collect()
}

/// As of when a balance is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct AsOf {
    /// Only what is booked before this.
    pub booked_before: Option<Timestamp>,
    /// Only what had been written by then: what the books said at that time.
    pub known_at: Option<Timestamp>,
}

/// The sum of an account's postings, credit minus debit.
pub async fn balance(
    db: &mut PgConnection,
    account: &Account,
    currency: Currency,
    as_of: AsOf,
) -> Result<Money, LedgerError> {
    let (sum,): (i64,) = sqlx::query_as(
        "select coalesce(sum(posting.amount), 0)::bigint
         from account join posting on posting.account_id = account.id
         join ledger_transaction as written on written.id = posting.transaction_id
         where account.kind = $1 and account.owner = $2 and account.currency = $3
            and ($4::timestamptz is null or written.booked_at < $4)
            and ($5::timestamptz is null or written.created_at <= $5)",
    )
    .bind(account.kind())
    .bind(account.owner())
    .bind(currency.code())
    .bind(as_of.booked_before.map(stamp))
    .bind(as_of.known_at.map(stamp))
    .fetch_one(db)
    .await?;
    Ok(Money::new(sum, currency))
}

/// A transaction as its customer sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    pub id: Uuid,
    pub reason: Reason,
    /// What it did to the wallet; below zero where it took from it.
    #[serde(with = "wire::object")]
    pub amount: Money,
    pub booked_at: Timestamp,
    pub created_at: Timestamp,
    pub reverses: Option<Uuid>,
    pub subject: Option<String>,
    pub note: Option<String>,
}

type Row = (
    Uuid,
    String,
    i64,
    jiff_sqlx::Timestamp,
    jiff_sqlx::Timestamp,
    Option<Uuid>,
    Option<String>,
    Option<String>,
);

/// What moved a customer's wallet in a currency, the latest first; a page and where the next begins.
pub async fn entries(
    db: &mut PgConnection,
    customer: &Customer,
    currency: Currency,
    after: Option<Cursor>,
    at_most: u16,
) -> Result<(Vec<Entry>, Option<Cursor>), LedgerError> {
    let at_most = usize::from(at_most.clamp(1, 500));
    let rows: Vec<Row> = sqlx::query_as(
        "select written.id, written.reason, posting.amount, written.booked_at, written.created_at,
            written.reverses, written.subject, written.note
         from ledger_transaction as written
         join posting on posting.transaction_id = written.id
         join account on account.id = posting.account_id
            and account.kind = 'customer_credit' and account.owner = written.customer
         where written.customer = $1 and account.currency = $2
            and ($3::timestamptz is null or (written.created_at, written.id) < ($3, $4))
         order by written.created_at desc, written.id desc
         limit $5",
    )
    .bind(customer.as_str())
    .bind(currency.code())
    .bind(after.map(|after| stamp(after.created_at)))
    .bind(after.map(|after| after.id))
    .bind(i64::try_from(at_most + 1).unwrap_or(i64::MAX))
    .fetch_all(db)
    .await?;
    let more = rows.len() > at_most;
    let entries: Result<Vec<Entry>, LedgerError> =
        rows.into_iter().take(at_most).map(|row| entry(row, currency)).collect();
    let entries = entries?;
    let last = entries.last().filter(|_| more);
    let next = last.map(|entry| Cursor { created_at: entry.created_at, id: entry.id });
    Ok((entries, next))
}

fn entry(row: Row, currency: Currency) -> Result<Entry, LedgerError> {
    let (id, reason, amount, booked_at, created_at, reverses, subject, note) = row;
    let reason = serde_json::from_value(reason.as_str().into())
        .map_err(|_| LedgerError::Unreadable { text: reason, expected: "a reason" })?;
    Ok(Entry {
        id,
        reason,
        amount: Money::new(amount, currency),
        booked_at: booked_at.to_jiff(),
        created_at: created_at.to_jiff(),
        reverses,
        subject,
        note,
    })
}

pub(super) fn currency_of(text: &str) -> Result<Currency, LedgerError> {
    text.parse()
        .map_err(|_| LedgerError::Unreadable { text: text.to_owned(), expected: "a currency" })
}

pub(super) fn account_of(kind: &str, owner: &str) -> Result<Account, LedgerError> {
    let account = match kind {
        "customer_credit" => owner.parse().map(Account::CustomerCredit).ok(),
        "hold" => owner.parse().map(Account::Hold).ok(),
        "cash" => owner.parse().map(Account::Cash).ok(),
        "revenue" => owner.parse().map(Account::Revenue).ok(),
        "deferred_revenue" => owner.parse().map(Account::DeferredRevenue).ok(),
        "gateway_fee" => Some(Account::GatewayFee),
        "tax_payable" => Some(Account::TaxPayable),
        "promo" => Some(Account::Promo),
        "breakage" => Some(Account::Breakage),
        "chargeback_loss" => Some(Account::ChargebackLoss),
        "fx" => Some(Account::Exchange),
        _ => None,
    };
    account.ok_or_else(|| LedgerError::Unreadable {
        text: format!("{kind}:{owner}"),
        expected: "an account",
    })
}
