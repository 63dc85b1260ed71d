//! What has to be said to PostgreSQL so that there is what is wanted: pure functions from what is
//! there to statements. What leaves is the subject of `leaving`. Names and texts are quoted here and nowhere else.
//!
//! Each statement is carried out whole or not at all, each leaves a state from which the next run
//! goes on, and the mark that says "done" is written last.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Deserialize;
use serde::Serialize;

use crate::apply::error::ApplyError;
use crate::model::Digest;
use crate::model::resource::DatabaseSpec;
use crate::model::resource::default_retention_days;

use super::scram::Remembered;

/// The most bytes that PostgreSQL keeps of a name; it cuts off the rest.
pub(super) const LONGEST_NAME: usize = 63;

/// One thing to say, and where.
#[derive(Clone, PartialEq, Eq)]
pub struct Statement {
    pub place: Place,
    /// In words, for messages.
    pub doing: String,
    /// May hold what PostgreSQL keeps of a password, and is never shown.
    pub(super) sql: String,
}

/// Where a statement is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Anywhere on the server: it is about roles and databases.
    Server,
    /// In the database itself.
    Inside,
}

impl std::fmt::Debug for Statement {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}", self.doing)
    }
}

/// What we write as the comment of a role and of a database of ours. Without it, neither is touched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Mark {
    /// The identity of both, made when the role was.
    pub(super) uid: Box<str>,
    pub(super) unit: Box<str>,
    /// The resource: its namespace and name, which hold no slash.
    pub(super) id: Box<str>,
    /// The database that the role is for.
    pub(super) database: String,
    /// On the role: the Secret (`namespace/name/key`) that holds its password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) secret: Option<String>,
    /// On the role: the password that was set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) password: Option<Remembered>,
    /// How many days it is set aside for, before it is dropped.
    #[serde(default = "default_retention_days")]
    pub(super) retention_days: u16,
    /// It is set aside, or about to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) aside: Option<SetAside>,
    /// On the database: the digest of the resource that was applied to the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) rendered: Option<Digest>,
}

/// Since when something is set aside, and when it is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SetAside {
    pub(super) since: Timestamp,
    pub(super) until: Timestamp,
}

/// Every comment of ours begins so.
pub(super) const MARK_PREFIX: &str = r#"{"tenantry":"#;

#[derive(Serialize, Deserialize)]
struct Comment<M> {
    tenantry: M,
}

impl Mark {
    pub(super) fn of(comment: Option<&str>) -> Option<Self> {
        let comment: Comment<Self> = serde_json::from_str(comment?).ok()?;
        Some(comment.tenantry)
    }

    pub(super) fn comment(&self) -> String {
        serde_json::to_string(&Comment { tenantry: self })
            .expect("a mark has string keys and plain values")
    }
}

/// A role as it is.
#[expect(clippy::struct_excessive_bools, reason = "each is an attribute of its own")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Role {
    pub(super) name: String,
    pub(super) login: bool,
    /// Below zero: without limit.
    pub(super) connections: i32,
    /// Whether it may do more than log in: superuser, create roles or databases, replicate.
    pub(super) privileged: bool,
    /// Whether the password is the one that we set last, as far as we may know.
    pub(super) password_is_ours: bool,
    /// Whether it may not log in and yet is inside.
    pub(super) lingers: bool,
    pub(super) mark: Option<Mark>,
}

/// A database as it is seen from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Database {
    pub(super) name: String,
    pub(super) owner: String,
    pub(super) open: bool,
    pub(super) public: bool,
    pub(super) mark: Option<Mark>,
}

/// What is there of what a specification speaks of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct There {
    pub(super) role: Option<Role>,
    pub(super) database: Option<Database>,
    /// Whether we are superuser; if not, we have to join roles that we make.
    pub(super) superuser: bool,
}

/// What is there inside the database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Inside {
    /// With their owners.
    pub(super) schemas: BTreeMap<String, String>,
    pub(super) extensions: BTreeSet<String>,
    /// Whether everybody may use the schema `public`.
    pub(super) public: bool,
}

/// What is wanted, with what does not stand in the specification.
#[derive(Clone, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) spec: &'a DatabaseSpec,
    pub(super) mark: Mark,
    /// What PostgreSQL is to keep of the password, where that is not so already.
    pub(super) verifier: Option<Verifier>,
    pub(super) rendered: Digest,
}

#[derive(Clone)]
pub(super) struct Verifier {
    pub(super) text: String,
    pub(super) remembered: Remembered,
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("[hidden]")
    }
}

/// Quotes a name.
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Quotes a text, however the server is set up.
pub fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') {
        format!(" E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    }
}

/// Refuses names that PostgreSQL would refuse, cut off, or understand as something else.
pub(super) fn check_names(spec: &DatabaseSpec) -> Result<(), ApplyError> {
    let named = [("database", &spec.database), ("role", &spec.role)];
    let schemas = spec.schemas.iter().map(|name| ("schema", name));
    let extensions = spec.extensions.iter().map(|name| ("extension", name));
    for (thing, name) in named.into_iter().chain(schemas).chain(extensions) {
        let reason = if name.is_empty() {
            "it is empty"
        } else if name.len() > LONGEST_NAME {
            "it is longer than 63 bytes"
        } else if name.contains(char::is_control) {
            // Clients refuse to log in as such a role.
            "it holds a control character"
        } else if matches!(thing, "role" | "schema") && name.starts_with("pg_") {
            "names that begin with `pg_` are PostgreSQL's own"
        } else if thing == "role" && matches!(name.as_str(), "public" | "none") {
            "it is a word of PostgreSQL's own"
        } else {
            continue;
        };
        return Err(ApplyError::DatabaseName { thing, name: name.clone(), reason });
    }
    Ok(())
}

/// What has to be said before anything can be done inside the database.
pub(super) fn outside(wanted: &Wanted<'_>, there: &There) -> Result<Vec<Statement>, ApplyError> {
    let (spec, mark) = (wanted.spec, &wanted.mark);
    let mut statements = Vec::new();
    match &there.role {
        None => statements.push(create_role(wanted)),
        Some(role) => {
            // One that lost its mark is still known by the database that it owns.
            let owns_ours = there.database.as_ref().is_some_and(|database| {
                database.owner == role.name
                    && database.mark.as_ref().is_some_and(|found| found.uid == mark.uid)
            });
            if role.mark.is_some() || !owns_ours {
                is_ours("role", &role.name, role.mark.as_ref(), mark)?;
            }
            statements.extend(alter_role(wanted, role));
        }
    }
    let made = there.database.as_ref();
    if made.is_none_or(|database| database.owner != spec.role) && !there.superuser {
        statements.push(Statement {
            place: Place::Server,
            doing: format!("joining the role `{}`", spec.role),
            sql: format!("grant {} to current_user", identifier(&spec.role)),
        });
    }
    let Some(database) = made else {
        // Closed, so that nobody is inside before the doors have locks.
        let sql = format!(
            "create database {} owner {} template template0 encoding 'UTF8' allow_connections false",
            identifier(&spec.database),
            identifier(&spec.role)
        );
        let doing = format!("creating the database `{}`", spec.database);
        statements.push(Statement { place: Place::Server, doing, sql });
        statements.push(claim_database(wanted));
        return Ok(statements);
    };
    if database.mark.is_none() {
        // Between creating and marking it a run may be cut short. That it is ours is then known
        // from its owner, which is a role that we made for just this database.
        let left_by_us = there.role.as_ref().is_some_and(|role| {
            database.owner == role.name
                && role.mark.as_ref().is_some_and(|mark| mark.database == database.name)
        });
        if !left_by_us {
            return Err(not_ours("database", &database.name));
        }
    } else {
        is_ours("database", &database.name, database.mark.as_ref(), mark)?;
    }
    let back = database.mark.as_ref().filter(|mark| mark.aside.is_some());
    if database.name != spec.database && back.is_some() {
        statements.push(rename(&database.name, &spec.database, "taking back"));
    }
    if database.owner != spec.role {
        statements.push(Statement {
            place: Place::Server,
            doing: format!("giving the database `{}` to its role", spec.database),
            sql: format!(
                "alter database {} owner to {}",
                identifier(&spec.database),
                identifier(&spec.role)
            ),
        });
    }
    if database.mark.is_none() || back.is_some() || !database.open || database.public {
        statements.push(claim_database(wanted));
    }
    Ok(statements)
}

/// What has to be said inside the database.
pub(super) fn inside(wanted: &Wanted<'_>, there: &Inside) -> Vec<Statement> {
    let spec = wanted.spec;
    let say = |doing: String, sql: String| Statement { place: Place::Inside, doing, sql };
    let mut statements = Vec::new();
    if there.public {
        let doing = "closing the schema `public` to others".to_owned();
        statements.push(say(doing, "revoke all on schema public from public".into()));
    }
    for schema in &spec.schemas {
        let (name, role) = (identifier(schema), identifier(&spec.role));
        match there.schemas.get(schema) {
            None => statements.push(say(
                format!("creating the schema `{schema}`"),
                format!("create schema if not exists {name} authorization {role}"),
            )),
            // Whoever owns the database owns this one.
            Some(owner) if owner == "pg_database_owner" || *owner == spec.role => {}
            Some(_) => statements.push(say(
                format!("giving the schema `{schema}` to its role"),
                format!("alter schema {name} owner to {role}"),
            )),
        }
    }
    for extension in spec.extensions.iter().filter(|name| !there.extensions.contains(*name)) {
        statements.push(say(
            format!("adding the extension `{extension}`"),
            format!("create extension if not exists {}", identifier(extension)),
        ));
    }
    statements
}

/// What has to be said at the very end: that everything is done.
pub(super) fn done(wanted: &Wanted<'_>, there: Option<&Database>) -> Option<Statement> {
    let mark = Mark { rendered: Some(wanted.rendered), ..database_mark(&wanted.mark) };
    if there.is_some_and(|database| database.mark.as_ref() == Some(&mark)) {
        return None;
    }
    let name = &wanted.spec.database;
    Some(Statement {
        place: Place::Server,
        doing: format!("marking the database `{name}` as done"),
        sql: comment_on_database(name, &mark),
    })
}

/// What has to be said so that the role of this mark has another password.
pub(super) fn change_password(role: &str, mark: &Mark, verifier: &Verifier) -> Statement {
    let mark = Mark { password: Some(verifier.remembered.clone()), ..mark.clone() };
    let name = identifier(role);
    let sql = format!(
        "alter role {name} password {}; comment on role {name} is {}",
        literal(&verifier.text),
        literal(&mark.comment())
    );
    Statement { place: Place::Server, doing: format!("changing the password of `{role}`"), sql }
}

pub(super) fn rename(from: &str, to: &str, doing: &str) -> Statement {
    Statement {
        place: Place::Server,
        doing: format!("{doing} the database `{from}` as `{to}`"),
        sql: format!("alter database {} rename to {}", identifier(from), identifier(to)),
    }
}

fn create_role(wanted: &Wanted<'_>) -> Statement {
    let spec = wanted.spec;
    let name = identifier(&spec.role);
    let password = wanted.verifier.as_ref().map_or("null".into(), |it| literal(&it.text));
    // Two statements in one message are one transaction.
    let sql = format!(
        "create role {name} {} password {password}; comment on role {name} is {}",
        attributes(spec),
        literal(&role_mark(wanted).comment())
    );
    Statement { place: Place::Server, doing: format!("creating the role `{}`", spec.role), sql }
}

fn alter_role(wanted: &Wanted<'_>, role: &Role) -> Vec<Statement> {
    let spec = wanted.spec;
    let name = identifier(&spec.role);
    let mut statements = Vec::new();
    let wanted_mark = role_mark(wanted);
    let as_wanted = role.login == spec.login
        && role.connections == connections(spec)
        && !role.privileged
        && role.mark.as_ref() == Some(&wanted_mark);
    if !as_wanted || wanted.verifier.is_some() {
        let password = wanted.verifier.as_ref();
        let password =
            password.map_or(String::new(), |it| format!(" password {}", literal(&it.text)));
        let privileges = if role.privileged {
            " nosuperuser nocreatedb nocreaterole noreplication nobypassrls"
        } else {
            ""
        };
        let sql = format!(
            "alter role {name} {}{privileges}{password}; comment on role {name} is {}",
            attributes(spec),
            literal(&wanted_mark.comment())
        );
        let doing = format!("changing the role `{}`", spec.role);
        statements.push(Statement { place: Place::Server, doing, sql });
    }
    if !spec.login && (role.login || role.lingers) {
        // Whoever is inside stays inside, unless told to leave.
        let sql = format!(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = {}",
            literal(&spec.role)
        );
        let doing = format!("ending the connections of `{}`", spec.role);
        statements.push(Statement { place: Place::Server, doing, sql });
    }
    statements
}

fn attributes(spec: &DatabaseSpec) -> String {
    let login = if spec.login { "login" } else { "nologin" };
    format!("{login} connection limit {}", connections(spec))
}

fn connections(spec: &DatabaseSpec) -> i32 {
    spec.connections.map_or(-1, i32::from)
}

/// Locks the doors, puts our name on them, and opens them.
fn claim_database(wanted: &Wanted<'_>) -> Statement {
    let name = identifier(&wanted.spec.database);
    let sql = format!(
        "revoke all on database {name} from public; {}; alter database {name} with allow_connections true",
        comment_on_database(&wanted.spec.database, &database_mark(&wanted.mark))
    );
    let doing = format!("opening the database `{}` to its role alone", wanted.spec.database);
    Statement { place: Place::Server, doing, sql }
}

pub(super) fn comment_on_database(name: &str, mark: &Mark) -> String {
    format!("comment on database {} is {}", identifier(name), literal(&mark.comment()))
}

fn role_mark(wanted: &Wanted<'_>) -> Mark {
    let secret = &wanted.spec.secret;
    let changed = wanted.verifier.as_ref().map(|verifier| verifier.remembered.clone());
    Mark {
        secret: Some(format!("{}/{}/{}", secret.namespace, secret.name, secret.key)),
        password: changed.or_else(|| wanted.mark.password.clone()),
        rendered: None,
        ..wanted.mark.clone()
    }
}

pub(super) fn database_mark(mark: &Mark) -> Mark {
    Mark { secret: None, password: None, aside: None, rendered: None, ..mark.clone() }
}

fn is_ours(
    thing: &'static str,
    name: &str,
    found: Option<&Mark>,
    mark: &Mark,
) -> Result<(), ApplyError> {
    match found {
        Some(found) if found.uid == mark.uid => Ok(()),
        _ => Err(not_ours(thing, name)),
    }
}

fn not_ours(thing: &'static str, name: &str) -> ApplyError {
    ApplyError::NotOurs { thing, name: name.to_owned() }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::leaving::removal;
    use super::*;
    use crate::model::resource::SecretKey;

    pub(in crate::apply::database) fn spec() -> DatabaseSpec {
        DatabaseSpec {
            database: "acme".into(),
            role: "acme".into(),
            schemas: vec!["main".into()],
            extensions: vec!["pgcrypto".into()],
            connections: Some(20),
            login: true,
            retention_days: 30,
            secret: SecretKey { namespace: "ns".into(), name: "db".into(), key: "password".into() },
        }
    }

    fn mark() -> Mark {
        Mark {
            uid: "uid-1".into(),
            unit: "acme".into(),
            id: "ns/db".into(),
            database: "acme".into(),
            secret: None,
            password: None,
            retention_days: 30,
            aside: None,
            rendered: None,
        }
    }

    fn wanted(spec: &DatabaseSpec) -> Wanted<'_> {
        Wanted { spec, mark: mark(), verifier: None, rendered: Digest::of(b"x") }
    }

    pub(in crate::apply::database) fn doings(statements: &[Statement]) -> Vec<&str> {
        statements.iter().map(|statement| statement.doing.as_str()).collect()
    }

    pub(in crate::apply::database) fn there(spec: &DatabaseSpec) -> There {
        let role = Role {
            name: "acme".into(),
            login: true,
            connections: 20,
            privileged: false,
            password_is_ours: true,
            lingers: false,
            mark: Some(role_mark(&wanted(spec))),
        };
        let database = Database {
            name: "acme".into(),
            owner: "acme".into(),
            open: true,
            public: false,
            mark: Some(database_mark(&mark())),
        };
        There { role: Some(role), database: Some(database), superuser: true }
    }

    #[test]
    fn from_nothing_to_a_database() {
        let spec = spec();
        let statements = outside(&wanted(&spec), &There::default()).unwrap();
        assert_eq!(
            doings(&statements),
            [
                "creating the role `acme`",
                "joining the role `acme`",
                "creating the database `acme`",
                "opening the database `acme` to its role alone"
            ]
        );
        let inside = inside(&wanted(&spec), &Inside { public: true, ..Inside::default() });
        assert_eq!(
            doings(&inside),
            [
                "closing the schema `public` to others",
                "creating the schema `main`",
                "adding the extension `pgcrypto`"
            ]
        );
    }

    #[test]
    fn what_is_as_wanted_needs_no_word() {
        let spec = spec();
        assert!(outside(&wanted(&spec), &there(&spec)).unwrap().is_empty());
        let complete = Inside {
            schemas: BTreeMap::from([("main".into(), "acme".into())]),
            extensions: BTreeSet::from(["pgcrypto".into()]),
            public: false,
        };
        assert!(inside(&wanted(&spec), &complete).is_empty());
    }

    #[test]
    fn a_suspended_role_cannot_log_in_and_is_sent_out() {
        let mut suspended = spec();
        suspended.login = false;
        let statements = outside(&wanted(&suspended), &there(&spec())).unwrap();
        assert_eq!(
            doings(&statements),
            ["changing the role `acme`", "ending the connections of `acme`"]
        );
        assert!(statements[0].sql.contains("nologin"));
    }

    #[test]
    fn what_is_not_ours_is_not_touched() {
        let spec = spec();
        for strip in [
            |there: &mut There| (there.role.as_mut().unwrap().mark, there.database) = (None, None),
            |there: &mut There| {
                let database = there.database.as_mut().unwrap();
                (database.mark, database.owner) = (None, "postgres".into());
            },
            |there: &mut There| {
                there.database.as_mut().unwrap().mark.as_mut().unwrap().uid = "other".into();
            },
        ] {
            let mut there = there(&spec);
            strip(&mut there);
            let error = outside(&wanted(&spec), &there).unwrap_err();
            assert!(error.to_string().contains("is not ours"), "{error}");
            assert!(removal(&there, "uid-1").len() < 2);
        }
    }

    #[test]
    fn a_database_that_a_cut_run_left_without_a_mark_is_taken_up() {
        let spec = spec();
        let mut there = there(&spec);
        there.database.as_mut().unwrap().mark = None;
        there.database.as_mut().unwrap().open = false;
        let statements = outside(&wanted(&spec), &there).unwrap();
        assert_eq!(doings(&statements), ["opening the database `acme` to its role alone"]);
        assert_eq!(
            doings(&removal(&there, "uid-1")),
            ["dropping the database `acme`", "dropping the role `acme`"]
        );
    }

    #[test]
    fn names_that_would_become_others_are_refused() {
        for name in ["", "a\0b", "a\nb", &"ü".repeat(32), "pg_x", "public"] {
            let spec = DatabaseSpec { role: name.into(), ..spec() };
            assert!(check_names(&spec).is_err(), "{name:?}");
        }
        let spec = DatabaseSpec { database: "a\"b'c; drop".into(), ..spec() };
        assert!(check_names(&spec).is_ok());
    }

    #[test]
    fn a_statement_shows_what_it_does_and_not_how() {
        let mut with_password = wanted(&spec()).mark;
        with_password.password = None;
        let verifier = Verifier {
            text: "SCRAM-SHA-256$secret".into(),
            remembered: Remembered::of(b"salt", "SCRAM-SHA-256$secret"),
        };
        let statement = change_password("acme", &with_password, &verifier);
        let shown = format!("{statement:?} {verifier:?}");
        assert!(!shown.contains("SCRAM"), "{shown}");
    }
}
