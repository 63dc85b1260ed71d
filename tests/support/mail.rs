//! What chapters put into the outbox, as its reader gets it.

use std::sync::Arc;

use jiff::tz::TimeZone;
use sqlx::PgPool;
use sqlx::types::Json;
use tenantry::notify::House;
use tenantry::outbox::Mail;

pub(crate) fn house() -> House {
    House {
        platform: "kiteclass.example".into(),
        portal: "https://portal.kiteclass.example".into(),
        support: "help@kiteclass.example".into(),
        zone: TimeZone::get("Asia/Ho_Chi_Minh").unwrap(),
        own: Arc::default(),
    }
}

/// Writes every mail that waits, in every language: each has a template by its name, and every value
/// that this wants. Says which they were.
pub(crate) async fn write_all(pool: &PgPool) -> Vec<String> {
    let mails: Vec<(Json<Mail>,)> = sqlx::query_as(
        "select payload from outbox where kind = 'mail' and payload ? 'values' order by id",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let written = mails.into_iter().map(|(Json(mut mail),)| {
        for language in tenantry::notify::letter::LANGUAGES {
            language.clone_into(&mut mail.language);
            house().write(&mail).unwrap();
        }
        mail.template
    });
    written.collect()
}
