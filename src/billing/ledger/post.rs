//! Posting: the one way into the ledger. The accounts with a bound are locked in the order of
//! their ids, so that two that touch the same ones wait for each other and do not deadlock. Then
//! the operation's key is looked for, bounds are checked, and only then something is written: a
//! refusal leaves nothing behind in the caller's transaction. Two with one key that lock nothing
//! meet at the key itself.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Account;
use super::Customer;
use super::LedgerError;
use crate::billing::keys::OperationKey;
use crate::model::Digest;
use crate::model::money::Currency;
use crate::model::money::Money;
use crate::postgres::stamp;

/// Why money moves. Which accounts each may touch stands in the table `ledger_route`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    TopUp,
    GatewayFee,
    Hold,
    /// A hold ended: its money is in the wallet again, and may be charged at once.
    Release,
    Charge,
    /// What a customer gets back of what was charged, without the charge being undone.
    Credit,
    Recognition,
    TaxPayment,
    Adjustment,
    Breakage,
    Payout,
    Chargeback,
    Exchange,
    Reversal,
}

impl Reason {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TopUp => "top_up",
            Self::GatewayFee => "gateway_fee",
            Self::Hold => "hold",
            Self::Release => "release",
            Self::Charge => "charge",
            Self::Credit => "credit",
            Self::Recognition => "recognition",
            Self::TaxPayment => "tax_payment",
            Self::Adjustment => "adjustment",
            Self::Breakage => "breakage",
            Self::Payout => "payout",
            Self::Chargeback => "chargeback",
            Self::Exchange => "exchange",
            Self::Reversal => "reversal",
        }
    }
}

/// What is told with every booking.
#[derive(Clone, Copy, Debug)]
pub struct Booking<'a> {
    /// By which it happens once.
    pub key: &'a OperationKey,
    /// When it counts, by the books.
    pub at: Timestamp,
    /// Who does it: `system`, or a user.
    pub actor: &'a str,
    /// The order, invoice or payment it belongs to.
    pub subject: Option<&'a str>,
    /// What shows that it is right, such as the number of a bank transfer.
    pub evidence: Option<&'a str>,
    /// Why, in words.
    pub note: Option<&'a str>,
}

impl<'a> Booking<'a> {
    /// A booking that the program makes by itself.
    pub fn by_system(key: &'a OperationKey, at: Timestamp) -> Self {
        Self { key, at, actor: "system", subject: None, evidence: None, note: None }
    }

    /// The same with what it belongs to.
    #[must_use]
    pub fn about(self, subject: &'a str) -> Self {
        Self { subject: Some(subject), ..self }
    }
}

/// What became of a booking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posted {
    pub transaction: Uuid,
    /// Whether it had been booked before, and nothing was written now.
    pub repeated: bool,
}

pub(super) struct Draft<'a> {
    pub booking: Booking<'a>,
    pub reason: Reason,
    pub customer: Option<&'a Customer>,
    pub reverses: Option<Uuid>,
    /// Below zero from an account, above zero to it.
    pub postings: Vec<(Account, Money)>,
}

/// What an operation asks for, without when and by whom: a repetition comes later.
pub(super) fn content(wish: &impl Serialize) -> String {
    Digest::of_json(wish).to_string()
}

/// What was booked by a key before; refused where it was something else.
pub(super) async fn booked(
    db: &mut PgConnection,
    key: &OperationKey,
    content: &str,
) -> Result<Option<Posted>, LedgerError> {
    let stored: Option<(Uuid, String)> =
        sqlx::query_as("select id, content from ledger_transaction where op_key = $1")
            .bind(key.as_str())
            .fetch_optional(db)
            .await?;
    match stored {
        None => Ok(None),
        Some((transaction, same)) if same == content => {
            Ok(Some(Posted { transaction, repeated: true }))
        }
        Some(_) => Err(LedgerError::KeyReused { key: key.clone() }),
    }
}

/// Books a draft under a content that [`content`] made of the wish behind it.
pub(super) async fn post(
    db: &mut PgConnection,
    draft: Draft<'_>,
    content: &str,
) -> Result<Posted, LedgerError> {
    let postings = merged(draft.postings)?;
    let Booking { key, at, actor, subject, evidence, note } = draft.booking;
    let accounts = open(db, &postings).await?;
    let balances = lock(db, &accounts).await?;
    if let Some(posted) = booked(db, key, content).await? {
        return Ok(posted);
    }
    check_bounds(&accounts, &balances)?;
    let ids: Vec<i64> = accounts.iter().map(|(id, ..)| *id).collect();
    let currencies: Vec<&str> = accounts.iter().map(|(.., money)| money.currency.code()).collect();
    let amounts: Vec<i64> = accounts.iter().map(|(.., money)| money.minor).collect();
    let inserted: Option<Uuid> = sqlx::query_scalar(
        "with written as (
            insert into ledger_transaction (id, op_key, content, reason, customer, booked_at, reverses, actor, evidence, note, subject)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
            on conflict (op_key) do nothing returning id)
         insert into posting (transaction_id, account_id, currency, amount)
         select written.id, account, currency, amount
         from written, unnest($12::bigint[], $13::text[], $14::bigint[]) as new (account, currency, amount)
         order by account
         returning transaction_id",
    )
    .bind(Uuid::now_v7())
    .bind(key.as_str())
    .bind(content)
    .bind(draft.reason.as_str())
    .bind(draft.customer.map(Customer::as_str))
    .bind(stamp(at))
    .bind(draft.reverses)
    .bind(actor)
    .bind(evidence)
    .bind(note)
    .bind(subject)
    .bind(ids)
    .bind(currencies)
    .bind(amounts)
    .fetch_all(&mut *db)
    .await?
    .first()
    .copied();
    if let Some(transaction) = inserted {
        return Ok(Posted { transaction, repeated: false });
    }
    // Somebody else had taken the key, and has finished meanwhile.
    let stored = booked(db, key, content).await?;
    stored.ok_or(LedgerError::Database(sqlx::Error::RowNotFound))
}

/// One posting for each account and currency, none of nothing; refused where they do not balance.
fn merged(
    postings: Vec<(Account, Money)>,
) -> Result<BTreeMap<(Account, Currency), Money>, LedgerError> {
    let mut merged: BTreeMap<(Account, Currency), Money> = BTreeMap::new();
    let mut sums: BTreeMap<Currency, i128> = BTreeMap::new();
    for (account, money) in postings {
        *sums.entry(money.currency).or_default() += i128::from(money.minor);
        let entry = merged.entry((account, money.currency));
        let sum = entry.or_insert(Money::zero(money.currency));
        *sum = sum.checked_add(money)?;
    }
    if let Some((currency, left)) = sums.into_iter().find(|(_, sum)| *sum != 0) {
        return Err(LedgerError::Unbalanced { currency: currency.to_string(), left });
    }
    merged.retain(|_, money| !money.is_zero());
    Ok(merged)
}

/// The accounts with their ids, in the order of these, opened where they are new.
async fn open(
    db: &mut PgConnection,
    postings: &BTreeMap<(Account, Currency), Money>,
) -> Result<Vec<(i64, Account, Money)>, LedgerError> {
    let kinds: Vec<&str> = postings.keys().map(|(account, _)| account.kind()).collect();
    let owners: Vec<String> = postings.keys().map(|(account, _)| account.owner()).collect();
    let currencies: Vec<&str> = postings.keys().map(|(_, currency)| currency.code()).collect();
    let find = "select account.id, wanted.position
         from unnest($1::text[], $2::text[], $3::text[]) with ordinality as wanted (kind, owner, currency, position)
         join account using (kind, owner, currency)";
    let mut found: Vec<(i64, i64)> = Vec::new();
    for attempt in 0..2 {
        found = sqlx::query_as(find)
            .bind(&kinds)
            .bind(&owners)
            .bind(&currencies)
            .fetch_all(&mut *db)
            .await?;
        if found.len() == postings.len() || attempt == 1 {
            break;
        }
        // Looked for first: an insert that finds its row would use up a number each time.
        sqlx::query(
            "insert into account (kind, owner, currency)
             select kind, owner, currency
             from unnest($1::text[], $2::text[], $3::text[]) as wanted (kind, owner, currency)
             order by kind, owner, currency
             on conflict do nothing",
        )
        .bind(&kinds)
        .bind(&owners)
        .bind(&currencies)
        .execute(&mut *db)
        .await?;
    }
    found.sort_unstable_by_key(|(_, position)| *position);
    let mut accounts: Vec<(i64, Account, Money)> = found
        .into_iter()
        .zip(postings)
        .map(|((id, _), ((account, _), money))| (id, account.clone(), *money))
        .collect();
    if accounts.len() != postings.len() {
        return Err(LedgerError::Database(sqlx::Error::RowNotFound));
    }
    accounts.sort_unstable_by_key(|(id, ..)| *id);
    Ok(accounts)
}

/// Locks the accounts that have a bound, in order, and says what is in them.
async fn lock(
    db: &mut PgConnection,
    accounts: &[(i64, Account, Money)],
) -> Result<BTreeMap<i64, i64>, LedgerError> {
    let ids: Vec<i64> = accounts.iter().map(|(id, ..)| *id).collect();
    let balances: Vec<(i64, i64)> = sqlx::query_as(
        "select id, balance from account where id = any($1) and balance is not null
         order by id for update",
    )
    .bind(ids)
    .fetch_all(db)
    .await?;
    Ok(balances.into_iter().collect())
}

/// Sees that no account falls below its bound.
fn check_bounds(
    accounts: &[(i64, Account, Money)],
    balances: &BTreeMap<i64, i64>,
) -> Result<(), LedgerError> {
    for (id, account, money) in accounts {
        let Some(balance) = balances.get(id) else { continue };
        let available = Money::new(*balance, money.currency);
        if available.checked_add(*money)?.minor < 0 {
            let needed = money.checked_neg()?;
            let account = account.to_string();
            return Err(LedgerError::Insufficient { account, available, needed });
        }
    }
    Ok(())
}

/// The transaction that an operation was booked as, if it was.
pub async fn booked_by(
    db: &mut PgConnection,
    key: &OperationKey,
) -> Result<Option<Uuid>, LedgerError> {
    let found = sqlx::query_scalar("select id from ledger_transaction where op_key = $1");
    Ok(found.bind(key.as_str()).fetch_optional(db).await?)
}
