//! Invoices: numbers without gaps, nothing changed afterwards, paid once, undone by credit notes.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use futures_util::future::join_all;
use jiff::civil::date;
use sqlx::Connection as _;
use sqlx::Executor as _;
use sqlx::PgConnection;
use tenantry::billing::calendar::Anchor;
use tenantry::billing::calendar::Stretch;
use tenantry::billing::invoice;
use tenantry::billing::invoice::Draft;
use tenantry::billing::invoice::Invoice;
use tenantry::billing::invoice::InvoiceError;
use tenantry::billing::invoice::Kind;
use tenantry::billing::invoice::Party;
use tenantry::billing::ledger::LedgerError;
use tenantry::billing::price::Choice;
use tenantry::billing::price::RaisePrices;
use tenantry::billing::quote::Quote;
use tenantry::billing::quote::Tariff;
use tenantry::billing::tax::TaxRate;
use tenantry::billing::tax::Taxation;
use tenantry::billing::terms;
use tenantry::billing::terms::NewTerm;
use tenantry::billing::terms::Rules;
use tenantry::billing::terms::TermError;
use tenantry::model::Package;
use tenantry::model::platform::Lifecycle;
use tenantry::model::subscription::Overrides;
use tenantry::model::zone::zone;

use super::Books;
use super::at;
use super::customer;
use super::key;
use super::school;

/// A package of 100 000 dong, taxed with 8.25 %.
pub(super) fn quote(stretch: &Stretch) -> Quote {
    let yaml = "product: kiteclass\ntitle: Lớp học · Класс\nprice: 100000 VND\nruns: entitlement\n";
    let (documents, _) = tenantry::model::yaml::read(yaml.as_bytes());
    let package: Package = tenantry::model::typed::read(&documents[0]).unwrap();
    let (name, raises) = ("basic".parse().unwrap(), RaisePrices::new());
    let rate = TaxRate { name: "VAT".into(), rate: "8.25%".parse().unwrap() };
    let taxation = Taxation { rates: vec![rate], ..Taxation::default() };
    let (add_ons, overrides) = (BTreeMap::new(), Overrides::default());
    let choice =
        Choice { name: &name, package: &package, add_ons: &add_ons, overrides: &overrides };
    Tariff { raises: &raises, taxation: &taxation }.renewal(choice, stretch).unwrap()
}

fn march() -> Stretch {
    anchor().stretch_from(date(2026, 3, 1), 0).unwrap()
}

fn anchor() -> Anchor {
    Anchor::new(date(2026, 1, 1), "1 month".parse().unwrap()).unwrap()
}

pub(super) fn party(name: &str) -> Party {
    Party {
        name: name.into(), address: vec!["1 Đường Lê Lợi".into()], tax_id: Some("0312".into())
    }
}

pub(super) async fn draft(
    db: &mut PgConnection,
    name: &str,
    quote: &Quote,
) -> Result<Invoice, InvoiceError> {
    let (key, acme, school) = (key(name), customer("acme"), school());
    let (seller, buyer) = (party("Kite Ltd"), party("Nguyễn Văn Ánh"));
    let draft = Draft {
        key: &key,
        issuer: "KC",
        customer: &acme,
        subscription: Some(&school),
        seller: &seller,
        buyer: &buyer,
        quote,
    };
    invoice::draft(db, draft, at(0)).await
}

async fn issued(db: &mut PgConnection, name: &str) -> Invoice {
    let mut transaction = db.begin().await.unwrap();
    let invoice = draft(&mut transaction, name, &quote(&march())).await.unwrap();
    let invoice = invoice::finalise(&mut transaction, invoice.id, at(1), at(2)).await.unwrap();
    transaction.commit().await.unwrap();
    invoice
}

#[tokio::test]
async fn an_invoice_says_what_its_quote_said_and_is_made_once() {
    let Some(books) = Books::open().await else { return };
    let mut db = books.connect().await;
    let quote = quote(&march());
    let first = draft(&mut db, "invoice:1", &quote).await.unwrap();
    assert_eq!(draft(&mut db, "invoice:1", &quote).await.unwrap(), first);
    assert_eq!((first.number.clone(), first.is_final()), (None, false));
    assert_eq!((first.net.minor, first.tax.minor, first.total.minor), (100_000, 8_250, 108_250));
    assert_eq!(first.taxes, quote.taxes);
    assert_eq!(first.lines[0].text, "Lớp học · Класс");
    assert_eq!(first.buyer.name, "Nguyễn Văn Ánh");
    let other = self::quote(&anchor().stretch_from(date(2026, 4, 1), 0).unwrap());
    let error = draft(&mut db, "invoice:1", &other).await.unwrap_err();
    assert!(matches!(error, InvoiceError::KeyReused { .. }), "{error}");
    let found = invoice::of_period(&mut db, &school(), date(2026, 3, 1)).await.unwrap();
    assert_eq!(found, Some(first));
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_have_no_gap_although_half_of_those_at_once_fail() {
    let Some(books) = Books::open().await else { return };
    let clients = (0..16).map(|client| {
        let books = &books;
        async move {
            let mut db = books.connect().await;
            let mut given = Vec::new();
            for number in 0..4 {
                let mut transaction = db.begin().await.unwrap();
                let name = format!("invoice:{client}:{number}");
                let draft = draft(&mut transaction, &name, &quote(&march())).await.unwrap();
                let done =
                    invoice::finalise(&mut transaction, draft.id, at(1), at(2)).await.unwrap();
                if (client + number) % 2 == 0 {
                    transaction.commit().await.unwrap();
                    given.push(done.number.unwrap());
                } else {
                    transaction.rollback().await.unwrap();
                }
            }
            given
        }
    });
    let given: BTreeSet<String> = join_all(clients).await.into_iter().flatten().collect();
    let expected: BTreeSet<String> = (1..=32).map(|number| format!("KC-{number:06}")).collect();
    assert_eq!(given, expected);
}

#[tokio::test]
async fn what_is_final_is_not_changed_by_anybody() {
    let Some(books) = Books::open().await else { return };
    let mut db = books.connect().await;
    let first = issued(&mut db, "invoice:1").await;
    let again = invoice::finalise(&mut db, first.id, at(9), at(9)).await.unwrap();
    assert_eq!(again, first, "it is final once");
    invoice::mark_delivered(&mut db, first.id, at(5)).await.unwrap();
    for statement in [
        "update invoice set total = 1",
        "update invoice set buyer = '{}'",
        "update invoice set number = 7",
        "update invoice set number = null, issued_at = null",
        "update invoice set delivered_at = now()",
        "delete from invoice",
        "update invoice_line set amount = 1",
        "delete from invoice_line",
        "insert into invoice_line select id, 9, 'x', 1, 1, null, null, 1 from invoice",
        "delete from invoice_tax",
        "update invoice_counter set last = 5",
        "delete from invoice_counter",
        "truncate invoice cascade",
    ] {
        assert!(db.execute(statement).await.is_err(), "{statement}");
    }
    let draft = draft(&mut db, "invoice:2", &quote(&march())).await.unwrap();
    for statement in [
        "update invoice set number = 2, issued_at = now() where number is null",
        "update invoice set total = total + 1, issued_at = now() where number is null",
    ] {
        assert!(db.execute(statement).await.is_err(), "{statement}");
    }
    // A draft may go, and takes no number with it.
    sqlx::query("delete from invoice where id = $1").bind(draft.id).execute(&mut db).await.unwrap();
    assert_eq!(issued(&mut db, "invoice:3").await.number.as_deref(), Some("KC-000002"));
}

#[tokio::test]
async fn a_credit_note_undoes_an_invoice_once_and_as_a_whole() {
    let Some(books) = Books::open().await else { return };
    let mut db = books.connect().await;
    let first = issued(&mut db, "invoice:1").await;
    let note = invoice::undo(&mut db, first.id, at(5)).await.unwrap();
    assert_eq!(invoice::undo(&mut db, first.id, at(6)).await.unwrap(), note);
    assert_eq!((note.kind, note.number.as_deref()), (Kind::CreditNote, Some("KC-000002")));
    assert_eq!((note.total.minor, note.tax.minor), (-108_250, -8_250));
    assert_eq!(note.corrects, Some(first.id));
    let undone = invoice::find(&mut db, first.id).await.unwrap();
    assert!(!undone.is_open() && undone.corrected_by == Some(note.id));
    assert_eq!(invoice::of_period(&mut db, &school(), date(2026, 3, 1)).await.unwrap(), None);
    let pay = invoice::pay(&mut db, first.id, &key("renew:1"), at(6), "system").await;
    assert!(matches!(pay, Err(InvoiceError::Undone(_))));
    let pay = invoice::pay(&mut db, note.id, &key("renew:1"), at(6), "system").await;
    assert!(matches!(pay, Err(InvoiceError::CreditNote(_))));
    let draft = draft(&mut db, "invoice:2", &quote(&march())).await.unwrap();
    assert!(matches!(
        invoice::undo(&mut db, draft.id, at(6)).await,
        Err(InvoiceError::NotFinal(_))
    ));
    let (page, next) = invoice::page(&mut db, &customer("acme"), None, 1).await.unwrap();
    let (rest, end) = invoice::page(&mut db, &customer("acme"), next, 1).await.unwrap();
    assert_eq!((page[0].id, rest[0].id, end), (note.id, first.id, None));
}

fn rules<'a>(lifecycle: &'a Lifecycle, zone: &'a jiff::tz::TimeZone) -> Rules<'a> {
    Rules { lifecycle, zone }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_asked_for_by_all_at_once_is_paid_once_and_recorded_with_its_deadlines() {
    let Some(books) = Books::open().await else { return };
    books.top_up("pay:1", "acme", "500000 VND").await;
    let mut db = books.connect().await;
    let invoice = issued(&mut db, "invoice:1").await;
    let (lifecycle, zone) = (Lifecycle::default(), zone("Asia/Ho_Chi_Minh").unwrap());
    let clients = (0..12).map(|_| {
        let (books, lifecycle, zone, id) = (&books, &lifecycle, &zone, invoice.id);
        async move {
            let mut db = books.connect().await;
            let mut transaction = db.begin().await.unwrap();
            let anchor = date(2026, 1, 1);
            let term =
                terms::renew(&mut transaction, id, anchor, rules(lifecycle, zone), at(9), "system")
                    .await
                    .unwrap();
            transaction.commit().await.unwrap();
            term
        }
    });
    let all = join_all(clients).await;
    assert!(all.iter().all(|term| *term == all[0]));
    assert_eq!(books.available("acme", "VND").await, 500_000 - 108_250);
    let term = terms::last(&mut db, &school()).await.unwrap().unwrap();
    assert_eq!(term, all[0]);
    assert_eq!(term.period, march().sold);
    assert_eq!(term.deadlines.expires_at.to_string(), "2026-03-31T17:00:00Z");
    assert_eq!(term.deadlines.grace_until.to_string(), "2026-04-30T17:00:00Z");
    assert_eq!(term.deadlines.purge_after.to_string(), "2026-07-29T17:00:00Z");
    let paid = invoice::find(&mut db, invoice.id).await.unwrap();
    assert_eq!(paid.paid_by, term.paid_by);
    let other = invoice::pay(&mut db, invoice.id, &key("another"), at(9), "system").await;
    assert!(matches!(other, Err(InvoiceError::Paid(_))), "not a second time by another operation");
    books.add_up().await;
}

#[tokio::test]
async fn days_are_sold_once_and_their_anchor_stays() {
    let Some(books) = Books::open().await else { return };
    books.top_up("pay:1", "acme", "500000 VND").await;
    let mut db = books.connect().await;
    let (lifecycle, zone) = (Lifecycle::default(), zone("Asia/Ho_Chi_Minh").unwrap());
    let rules = rules(&lifecycle, &zone);
    let first = issued(&mut db, "invoice:1").await;
    terms::renew(&mut db, first.id, date(2026, 1, 1), rules, at(9), "system").await.unwrap();
    let (again, subscription) = (key("trial:again"), school());
    let inside =
        tenantry::billing::calendar::Period { start: date(2026, 3, 31), end: date(2026, 4, 5) };
    let term = NewTerm {
        key: &again,
        subscription: &subscription,
        period: inside,
        anchor: date(2026, 1, 1),
        invoice: None,
        paid_by: None,
    };
    let error = terms::record(&mut db, term, rules, at(9)).await.unwrap_err();
    assert!(matches!(error, TermError::Overlap { .. }), "{error}");
    let after =
        tenantry::billing::calendar::Period { start: date(2026, 4, 1), end: date(2026, 5, 1) };
    let moved = NewTerm { period: after, anchor: date(2026, 1, 2), ..term };
    let error = terms::record(&mut db, moved, rules, at(9)).await.unwrap_err();
    assert!(matches!(error, TermError::Anchor { .. }), "{error}");
    let fine = NewTerm { period: after, ..term };
    let recorded = terms::record(&mut db, fine, rules, at(9)).await.unwrap();
    assert_eq!(terms::record(&mut db, fine, rules, at(99)).await.unwrap(), recorded);
    for statement in
        ["update subscription_term set ends = ends + 1", "delete from subscription_term"]
    {
        assert!(db.execute(statement).await.is_err(), "{statement}");
    }
}

#[tokio::test]
async fn who_cannot_pay_keeps_an_open_invoice_and_gets_no_days() {
    let Some(books) = Books::open().await else { return };
    books.top_up("pay:1", "acme", "108249 VND").await;
    let mut db = books.connect().await;
    let invoice = issued(&mut db, "invoice:1").await;
    let (lifecycle, zone) = (Lifecycle::default(), zone("Asia/Ho_Chi_Minh").unwrap());
    let anchor = date(2026, 1, 1);
    let error =
        terms::renew(&mut db, invoice.id, anchor, rules(&lifecycle, &zone), at(9), "system").await;
    let short = matches!(
        error,
        Err(TermError::Invoice(InvoiceError::Ledger(LedgerError::Insufficient { .. })))
    );
    assert!(short);
    assert!(invoice::find(&mut db, invoice.id).await.unwrap().is_open());
    assert_eq!(terms::last(&mut db, &school()).await.unwrap(), None);
    assert_eq!(books.available("acme", "VND").await, 108_249);
}
