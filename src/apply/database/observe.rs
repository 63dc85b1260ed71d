//! What is there on a database server: of one resource, or of all that are ours, in two queries.
//! Our marks are the comments of roles and databases.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use jiff::SignedDuration;
use sqlx::AssertSqlSafe;
use sqlx::PgConnection;
use sqlx::Row as _;
use sqlx::postgres::PgRow;

use crate::apply::error::ApplyError;
use crate::model::Digest;
use crate::model::ResourceId;
use crate::model::resource::DATABASE;
use crate::model::resource::OUR_GROUP;
use crate::plan::Aside;
use crate::plan::Health;
use crate::plan::Live;

use super::server::Session;
use super::server::limited;
use super::statements::Database;
use super::statements::Inside;
use super::statements::MARK_PREFIX;
use super::statements::Mark;
use super::statements::Role;
use super::statements::There;

/// Which roles and databases are looked at. A mark that holds `part` counts, whatever is its name.
pub(super) enum Which<'a> {
    Ours,
    Named { role: &'a str, database: &'a str, part: &'a str },
    Marked { part: &'a str },
}

/// How a mark says which resource it is for.
pub(super) fn id_part(id: &str) -> String {
    format!(r#""id":"{id}""#)
}

pub(super) fn uid_part(uid: &str) -> String {
    format!(r#""uid":"{uid}""#)
}

/// How a mark says which Secret holds the password.
pub(super) fn secret_part(namespace: &str, name: &str) -> String {
    format!(r#""secret":"{namespace}/{name}/"#)
}

impl Session {
    pub(super) async fn roles(&mut self, which: &Which<'_>) -> Result<Vec<Role>, ApplyError> {
        // Only a superuser may see what is kept of passwords.
        let verifier = if self.superuser {
            "(select rolpassword from pg_authid where pg_authid.oid = r.oid)"
        } else {
            "null::text"
        };
        let sql = format!(
            "select r.rolname::text, r.rolcanlogin, r.rolconnlimit, {verifier}, s.description,
                r.rolsuper or r.rolcreaterole or r.rolcreatedb or r.rolreplication or r.rolbypassrls,
                not r.rolcanlogin and exists(select from pg_stat_activity a where a.usesysid = r.oid)
            from pg_roles r left join pg_shdescription s
                on s.objoid = r.oid and s.classoid = 'pg_authid'::regclass
            where r.rolname::text = $1 or (starts_with(s.description, $2) and position($3 in s.description) > 0)"
        );
        let rows = self.select("looking at the roles", sql, which, |(role, _)| role).await?;
        rows.iter().map(role).collect::<Result<_, _>>().map_err(unreadable)
    }

    pub(super) async fn databases(
        &mut self,
        which: &Which<'_>,
    ) -> Result<Vec<Database>, ApplyError> {
        let sql = "select d.datname::text, pg_get_userbyid(d.datdba)::text, d.datallowconn, exists(
                select from aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) as a where a.grantee = 0
            ), s.description
            from pg_database d left join pg_shdescription s
                on s.objoid = d.oid and s.classoid = 'pg_database'::regclass
            where d.datname::text = $1 or (starts_with(s.description, $2) and position($3 in s.description) > 0)";
        let sql = sql.to_owned();
        let rows = self.select("looking at the databases", sql, which, |(_, name)| name).await?;
        rows.iter().map(database).collect::<Result<_, _>>().map_err(unreadable)
    }

    async fn select(
        &mut self,
        doing: &str,
        sql: String,
        which: &Which<'_>,
        pick: impl for<'n> Fn((&'n str, &'n str)) -> &'n str,
    ) -> Result<Vec<PgRow>, ApplyError> {
        // No role and no database has an empty name.
        let (names, part) = match which {
            Which::Ours => (("", ""), ""),
            Which::Named { role, database, part } => ((*role, *database), *part),
            Which::Marked { part } => (("", ""), *part),
        };
        // An empty part is held by every text, but at no position.
        let part = if part.is_empty() { MARK_PREFIX } else { part };
        let query = sqlx::query(AssertSqlSafe(sql)).bind(pick(names)).bind(MARK_PREFIX).bind(part);
        limited(doing, query.fetch_all(&mut self.connection)).await
    }
}

/// What stands inside the database that the connection is for.
pub(super) async fn look_inside(connection: &mut PgConnection) -> Result<Inside, ApplyError> {
    let schemas =
        sqlx::query_as("select nspname::text, pg_get_userbyid(nspowner)::text from pg_namespace")
            .fetch_all(&mut *connection);
    let schemas: Vec<(String, String)> = limited("looking at the schemas", schemas).await?;
    let extensions =
        sqlx::query_as("select extname::text from pg_extension").fetch_all(&mut *connection);
    let extensions: Vec<(String,)> = limited("looking at the extensions", extensions).await?;
    let public = sqlx::query_as(
        "select exists(
            select from pg_namespace n, aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) as a
            where n.nspname = 'public' and a.grantee = 0
        )",
    )
    .fetch_one(&mut *connection);
    let (public,): (bool,) = limited("looking at the schema `public`", public).await?;
    Ok(Inside {
        schemas: BTreeMap::from_iter(schemas),
        extensions: extensions.into_iter().map(|(name,)| name).collect::<BTreeSet<String>>(),
        public,
    })
}

fn role(row: &PgRow) -> Result<Role, sqlx::Error> {
    let comment: Option<String> = row.try_get(4)?;
    let mark = Mark::of(comment.as_deref());
    let verifier: Option<String> = row.try_get(3)?;
    let remembered = mark.as_ref().and_then(|mark| mark.password.as_ref());
    let password_is_ours = match (verifier, remembered) {
        (Some(verifier), Some(remembered)) => remembered.is_verified_by(&verifier),
        // It cannot be seen, or there is nothing to compare it with.
        _ => true,
    };
    Ok(Role {
        name: row.try_get(0)?,
        login: row.try_get(1)?,
        connections: row.try_get(2)?,
        privileged: row.try_get(5)?,
        password_is_ours,
        lingers: row.try_get(6)?,
        mark,
    })
}

fn database(row: &PgRow) -> Result<Database, sqlx::Error> {
    let comment: Option<String> = row.try_get(4)?;
    Ok(Database {
        name: row.try_get(0)?,
        owner: row.try_get(1)?,
        open: row.try_get(2)?,
        public: row.try_get(3)?,
        mark: Mark::of(comment.as_deref()),
    })
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` gives")]
fn unreadable(error: sqlx::Error) -> ApplyError {
    ApplyError::Database {
        doing: "an answer to be read".into(),
        reason: error.to_string(),
        retry: crate::plan::Retry::Later,
    }
}

impl There {
    /// The mark of either; that of the role says more.
    pub(super) fn mark(&self) -> Option<&Mark> {
        let role = self.role.as_ref().and_then(|role| role.mark.as_ref());
        role.or_else(|| self.database.as_ref().and_then(|database| database.mark.as_ref()))
    }

    /// The resource that this is, as far as marks say.
    pub(super) fn id(&self) -> Option<ResourceId> {
        let (namespace, name) = self.mark()?.id.split_once('/')?;
        Some(ResourceId::new(OUR_GROUP, DATABASE, namespace, name))
    }

    pub(super) fn live(&self) -> Option<Live> {
        let mark = self.mark()?;
        let database = self.database.as_ref();
        let rendered = database.and_then(|database| database.mark.as_ref()?.rendered);
        // Marked both, and renamed: only then it is aside. The rest is on its way there, or back.
        let role_is_aside = self
            .role
            .as_ref()
            .is_none_or(|role| role.mark.as_ref().is_some_and(|mark| mark.aside.is_some()));
        let aside = database.and_then(|database| {
            let mark = database.mark.as_ref()?;
            mark.aside.filter(|_| role_is_aside && database.name != mark.database)
        });
        let time = SignedDuration::from_hours(24 * i64::from(mark.retention_days));
        let health = match rendered {
            _ if aside.is_some() => Health::Progressing("it is set aside".into()),
            Some(_) => Health::Ready,
            None => Health::Progressing("it is being made".into()),
        };
        Some(Live {
            uid: mark.uid.clone(),
            owned: self.owned(),
            rendered,
            foreign_labels: Vec::new(),
            changed_by: None,
            deleting: false,
            health,
            aside: Some(aside.map_or(Aside::For(time), |aside| Aside::Until(aside.until))),
        })
    }

    /// A digest of everything that we decide and that can be seen from outside.
    fn owned(&self) -> Digest {
        let role = self.role.as_ref().map(|role| {
            let Role { name, login, connections, privileged, password_is_ours, lingers, mark } =
                role;
            (name, login, connections, privileged, password_is_ours, lingers, mark.is_some())
        });
        let database = self.database.as_ref().map(|database| {
            let Database { name, owner, open, public, mark } = database;
            let rendered = mark.as_ref().and_then(|mark| mark.rendered);
            (name, owner, open, public, rendered)
        });
        Digest::of_json(&(role, database))
    }
}

/// Joins roles and databases that carry the mark of the same resource.
pub(super) fn join(roles: Vec<Role>, databases: Vec<Database>) -> Vec<There> {
    let mut joined: BTreeMap<Box<str>, There> = BTreeMap::new();
    for database in databases {
        if let Some(uid) = database.mark.as_ref().map(|mark| mark.uid.clone()) {
            joined.entry(uid).or_default().database = Some(database);
        }
    }
    for role in roles {
        if let Some(uid) = role.mark.as_ref().map(|mark| mark.uid.clone()) {
            joined.entry(uid).or_default().role = Some(role);
        }
    }
    joined.into_values().collect()
}
