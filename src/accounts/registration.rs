//! Registration, and the proof that an address is theirs.
//!
//! Nobody learns here who has an account: the answer is the same for a known address, whose owner
//! gets a mail that says so. To verify takes the link *and* the password: otherwise whoever
//! registers somebody else's address first would only have to wait until that one follows the link.

use jiff::SignedDuration;
use jiff::Timestamp;
use ring::rand::SecureRandom as _;
use ring::rand::SystemRandom;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

use super::Accounts;
use super::audit::Act;
use super::audit::Actor;
use super::audit::Origin;
use super::audit::Outcome;
use super::email::Email;
use super::error::AccountError;
use super::error::Invalid;
use super::mails;
use super::mails::Addressee;
use super::mails::Link;
use super::mails::Recipient;
use super::password;
use super::principal::Role;
use crate::model::Name;
use crate::model::Secret;
use crate::postgres::stamp;

pub(super) const VERIFY: Link = Link {
    purpose: "verify",
    asking: "auth.resend",
    lasts: SignedDuration::from_hours(48),
    every_seconds: 120,
};

/// What somebody says who registers.
#[derive(Clone, Debug)]
pub struct Registration {
    pub email: String,
    pub password: Secret,
    pub name: String,
    /// The customer they register for; their own name where absent.
    pub organisation: Option<String>,
    /// By ISO 639-1.
    pub language: String,
}

/// An account that is to be made.
struct New<'a> {
    email: &'a Email,
    name: &'a str,
    organisation: &'a str,
    language: &'a str,
    password: &'a str,
    role: Role,
    tenant: Option<&'a Name>,
    verified: bool,
}

/// A text for people: one line, not empty, not endless.
fn line(field: &'static str, text: &str) -> Result<String, Invalid> {
    let trimmed = text.trim();
    if trimmed.is_empty() || trimmed.chars().count() > 100 || trimmed.chars().any(char::is_control)
    {
        let message = format!("the {field} is not one line of text");
        return Err(Invalid::new(field, message, "write 1 to 100 characters on one line"));
    }
    Ok(trimmed.to_owned())
}

/// A name for a customer that no other can have, now or later: whoever registers must never come
/// to a name that stands in the repository for somebody else.
fn fresh_tenant(organisation: &str) -> Result<Name, AccountError> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut random = [0; 8];
    SystemRandom::new()
        .fill(&mut random)
        .map_err(|_| AccountError::Internal("the system gives no random bytes".into()))?;
    let suffix: String =
        random.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect();
    let mut slug = String::new();
    for letter in organisation.chars().map(|letter| letter.to_ascii_lowercase()) {
        if letter.is_ascii_alphanumeric() {
            slug.push(letter);
        } else if !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug: String = slug
        .trim_start_matches(|letter: char| !letter.is_ascii_lowercase())
        .chars()
        .take(30)
        .collect();
    let slug = slug.trim_end_matches('-');
    let slug = if slug.is_empty() { "customer" } else { slug };
    format!("{slug}-{suffix}")
        .parse()
        .map_err(|error| AccountError::Internal(format!("no name could be made: {error}")))
}

impl Accounts {
    /// Registers a customer, and mails the link that proves the address.
    pub async fn register(
        &self,
        registration: &Registration,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<(), AccountError> {
        let mut wrong = Vec::new();
        let mut keep = |checked: Result<String, Invalid>| {
            checked.map_err(|invalid| wrong.push(invalid)).unwrap_or_default()
        };
        let name = keep(line("name", &registration.name));
        let organisation = match &registration.organisation {
            Some(organisation) => keep(line("organisation", organisation)),
            None => name.clone(),
        };
        let email = registration.email.trim().parse::<Email>();
        match &email {
            Ok(email) => wrong.extend(password::check(&registration.password, email).err()),
            Err(invalid) => wrong.push(invalid.clone()),
        }
        let Ok(email) = email else { return Err(AccountError::Invalid(wrong)) };
        if !wrong.is_empty() {
            return Err(AccountError::Invalid(wrong));
        }
        let password = self.inner.hashing.hash(&registration.password).await?;
        let tenant = fresh_tenant(&organisation)?;
        let new = New {
            email: &email,
            name: &name,
            organisation: &organisation,
            language: &registration.language,
            password: &password,
            role: Role::Customer,
            tenant: Some(&tenant),
            verified: false,
        };
        let mut transaction = self.begin().await?;
        let made = self.insert(&mut transaction, &new, now).await?;
        let (account, outcome) = match made {
            Some(account) => {
                let to = Recipient {
                    account,
                    email: email.as_str().to_owned(),
                    name: name.clone(),
                    language: registration.language.clone(),
                };
                mails::send_link(&mut transaction, VERIFY, &to, now).await?;
                (account, Outcome::Done)
            }
            None => (self.tell_known(&mut transaction, &email, now).await?, Outcome::Refused),
        };
        let subject = format!("account {account}");
        let act = Act { outcome, ..Act::done("auth.register", subject) };
        self.conclude(transaction, &Actor::Anonymous(Some(account)), &act, origin, now).await
    }

    /// Makes somebody who works for the operator, whose address needs no proof. An account that
    /// is there already gets the role and the password.
    pub async fn create_staff(
        &self,
        email: &str,
        name: &str,
        password: &Secret,
        role: Role,
        now: Timestamp,
    ) -> Result<Uuid, AccountError> {
        let email: Email = email.trim().parse()?;
        let name = line("name", name)?;
        password::check(password, &email)?;
        if role == Role::Customer {
            return Err(AccountError::Conflict("a customer registers at the portal"));
        }
        let hash = self.inner.hashing.hash(password).await?;
        let new = New {
            email: &email,
            name: &name,
            organisation: &name,
            language: "en",
            password: &hash,
            role,
            tenant: None,
            verified: true,
        };
        let mut transaction = self.begin().await?;
        let account = match self.insert(&mut transaction, &new, now).await? {
            Some(account) => account,
            None => self.raise(&mut transaction, &new, now).await?,
        };
        let act =
            Act::done("users.create", format!("account {account}")).with(json!({ "role": role }));
        self.conclude(transaction, &Actor::System, &act, &Origin::command_line(), now).await?;
        Ok(account)
    }

    /// Proves an address by the link of a mail and the password of the account.
    pub async fn verify(
        &self,
        link: &Secret,
        password: &Secret,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<(), AccountError> {
        // Looked at first and used last: no connection is held while a password is compared, and a
        // wrong password leaves the link as it was.
        let email = self.owner_of_link(VERIFY.purpose, link, now).await?;
        let right = self.check_password("auth.verify", &email, password, origin, now).await?;
        let mut transaction = self.begin().await?;
        let account = mails::use_link(&mut transaction, VERIFY.purpose, link, now).await?;
        self.forgive_right(&mut transaction, &right).await?;
        sqlx::query(
            "update user_account set verified_at = coalesce(verified_at, $2) where id = $1",
        )
        .bind(account)
        .bind(stamp(now))
        .execute(&mut *transaction)
        .await
        .map_err(self.failed())?;
        let to = self.recipient(&mut transaction, account).await?;
        mails::send(&mut transaction, "welcome", "", &to, json!({}), now).await?;
        let act = Act::done("auth.verify", format!("account {account}"));
        self.conclude(transaction, &Actor::Anonymous(Some(account)), &act, origin, now).await
    }

    /// Mails the link again to whoever has not used it. It tells nobody whether there is one.
    pub async fn resend(
        &self,
        email: &str,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<(), AccountError> {
        let gets_it = |known: &Addressee| !known.verified && !known.disabled;
        self.offer_link(VERIFY, email, gets_it, origin, now).await
    }

    /// Makes an account, unless the address is known.
    async fn insert(
        &self,
        connection: &mut PgConnection,
        new: &New<'_>,
        now: Timestamp,
    ) -> Result<Option<Uuid>, AccountError> {
        let made: Option<(Uuid,)> = sqlx::query_as(
            "insert into user_account
                 (id, email, email_key, name, organisation, language, password, role, tenant, created_at, verified_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
             on conflict (email_key) do nothing returning id",
        )
        .bind(Uuid::now_v7())
        .bind(new.email.as_str())
        .bind(new.email.key())
        .bind(new.name)
        .bind(new.organisation)
        .bind(new.language)
        .bind(new.password)
        .bind(new.role.word())
        .bind(new.tenant.map(Name::as_str))
        .bind(stamp(now))
        .bind(new.verified.then(|| stamp(now)))
        .fetch_optional(connection)
        .await
        .map_err(self.failed())?;
        Ok(made.map(|(account,)| account))
    }

    /// Gives a known address a role and a password, on the word of the command line.
    async fn raise(
        &self,
        connection: &mut PgConnection,
        new: &New<'_>,
        now: Timestamp,
    ) -> Result<Uuid, AccountError> {
        let (account,): (Uuid,) = sqlx::query_as(
            "update user_account set password = $2, role = $3, tenant = null, name = $4,
                 verified_at = coalesce(verified_at, $5), disabled_at = null
             where email_key = $1 returning id",
        )
        .bind(new.email.key())
        .bind(new.password)
        .bind(new.role.word())
        .bind(new.name)
        .bind(stamp(now))
        .fetch_one(&mut *connection)
        .await
        .map_err(self.failed())?;
        super::sessions::end_all(connection, account, "changed", now).await?;
        Ok(account)
    }

    /// Tells the owner of a known address that somebody tried to register it, once a day.
    async fn tell_known(
        &self,
        connection: &mut PgConnection,
        email: &Email,
        now: Timestamp,
    ) -> Result<Uuid, AccountError> {
        let known = self.addressee(connection, &email.key()).await?.ok_or(AccountError::Missing)?;
        let to = known.recipient;
        let day = (now.as_second() / 86_400).to_string();
        mails::send(connection, "address-known", &day, &to, json!({}), now).await?;
        Ok(to.account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_gets_a_name_that_reads_well_and_that_nobody_else_has() {
        for (organisation, begins) in [
            ("ACME Corp", "acme-corp-"),
            ("Trường Ánh Dương", "tr-ng-nh-d-ng-"),
            ("2fast 4you", "fast-4you-"),
            ("学校", "customer-"),
            ("--", "customer-"),
            (&"very long name of a school ".repeat(9), "very-long-name-of-a-school-ver-"),
        ] {
            let name = fresh_tenant(organisation).unwrap();
            assert!(name.as_str().starts_with(begins), "{organisation}: {name}");
        }
        assert_ne!(fresh_tenant("acme").unwrap(), fresh_tenant("acme").unwrap());
    }
}
