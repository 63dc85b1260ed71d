//! The customers' PostgreSQL server: a role and a database for each resource of kind `Database`.
//!
//! What is there is looked at, what has to be said is decided ([`statements`]), and said. The role
//! comes first and goes last; its comment says whose it is. The comment of the database says at
//! the very end that everything was done, so a run that is cut short anywhere is continued.

pub mod statements;
mod leaving;
mod scram;
mod server;
mod observe;

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::PgConnection;

use crate::apply::error::ApplyError;
use crate::apply::secret::Secret;
use crate::model::Resource;
use crate::model::ResourceId;
use crate::model::UnitName;
use crate::model::cluster::DatabaseServer;
use crate::model::resource::DatabaseSpec;
use crate::plan::Done;
use crate::plan::Live;
use crate::plan::Outcome;

pub use server::Admin;

use observe::Which;
use scram::Remembered;
use server::Server;
use server::Session;
use statements::Database;
use statements::Mark;
use statements::Place;
use statements::SetAside;
use statements::Statement;
use statements::There;
use statements::Verifier;
use statements::Wanted;

/// A database server that customers share.
pub struct Databases {
    server: Server,
}

/// What of each unit is on the server.
pub type Found = BTreeMap<UnitName, BTreeMap<ResourceId, Live>>;

/// Reads what a resource of kind `Database` asks for.
pub fn specification(resource: &Resource) -> Result<DatabaseSpec, ApplyError> {
    let body = &resource.body;
    // It may stand alone, or as the `spec` of an object like any other.
    let spec = if body["spec"].is_null() { body } else { &body["spec"] };
    serde_json::from_value(spec.clone()).map_err(|error| ApplyError::DatabaseSpec {
        what: resource.id.to_string(),
        reason: error.to_string(),
    })
}

impl Databases {
    /// Prepares for a server; no connection is made yet.
    pub fn new(server: &DatabaseServer, admin: Admin) -> Self {
        Self { server: Server::new(server, admin) }
    }

    /// Looks at everything of ours.
    pub async fn observe(&self) -> Result<Found, ApplyError> {
        let mut session = self.server.session().await?;
        let all = look(&mut session, &Which::Ours).await?;
        server::leave(session.connection).await;
        let mut found = Found::new();
        for there in all {
            let unit = there.mark().and_then(|mark| mark.unit.parse::<UnitName>().ok());
            if let (Some(unit), Some(id), Some(live)) = (unit, there.id(), there.live()) {
                found.entry(unit).or_default().insert(id, live);
            }
        }
        Ok(found)
    }

    /// Brings a role and its database into the state that is asked for.
    pub async fn apply(
        &self,
        unit: &UnitName,
        resource: &Resource,
        password: &Secret,
    ) -> Result<Done, ApplyError> {
        self.apply_up_to(unit, resource, password, usize::MAX).await
    }

    /// As [`Databases::apply`], but says no more than so many statements and then leaves without a
    /// word, as a run does that is cut short.
    pub async fn apply_up_to(
        &self,
        unit: &UnitName,
        resource: &Resource,
        password: &Secret,
        statements: usize,
    ) -> Result<Done, ApplyError> {
        let spec = specification(resource)?;
        statements::check_names(&spec)?;
        if let Some(reason) = scram::unusable(password) {
            let place = &spec.secret;
            let what = format!("Secret/{}/{} (`{}`)", place.namespace, place.name, place.key);
            return Err(ApplyError::Password { what, reason });
        }
        let _place = self.server.place().await;
        let mut work = Work {
            server: &self.server,
            session: self.server.session().await?,
            left: statements,
            said: 0,
        };
        let before = work.look(&spec, &resource.id).await?;
        let existed = before.database.is_some();
        let wanted = wanted(unit, resource, &spec, password, &before);

        for statement in statements::outside(&wanted, &before)? {
            work.say(&statement).await?;
        }
        work.say_inside(&wanted).await?;
        let after = work.look(&spec, &resource.id).await?;
        if let Some(statement) = statements::done(&wanted, after.database.as_ref()) {
            work.say(&statement).await?;
        }
        let there = work.look(&spec, &resource.id).await?;
        let outcome = match (existed, work.said) {
            (false, _) => Outcome::Created,
            (true, 0) => Outcome::Unchanged,
            (true, _) => Outcome::Changed,
        };
        server::leave(work.session.connection).await;
        Ok(Done { id: resource.id.clone(), outcome, live: there.live() })
    }

    /// Gives the roles whose password stands in this Secret the password that stands there now.
    /// `read` reads one key of it.
    pub async fn follow_secret<Reading>(
        &self,
        namespace: &str,
        name: &str,
        read: impl Fn(String) -> Reading,
    ) -> Result<bool, ApplyError>
    where
        Reading: Future<Output = Result<Secret, ApplyError>>,
    {
        let _place = self.server.place().await;
        let mut session = self.server.session().await?;
        let part = observe::secret_part(namespace, name);
        let mut changed = false;
        for role in session.roles(&Which::Marked { part: &part }).await? {
            let Some(mark) = &role.mark else { continue };
            let key = mark.secret.as_deref().and_then(|place| place.splitn(3, '/').nth(2));
            let Some(key) = key else { continue };
            let password = read(key.to_owned()).await?;
            if let Some(reason) = scram::unusable(&password) {
                let what = format!("Secret/{namespace}/{name} (`{key}`)");
                return Err(ApplyError::Password { what, reason });
            }
            if let Some(verifier) = new_verifier(&password, mark, role.password_is_ours) {
                let statement = statements::change_password(&role.name, mark, &verifier);
                server::say(&mut session.connection, &statement).await?;
                changed = true;
            }
        }
        server::leave(session.connection).await;
        Ok(changed)
    }

    /// Removes the database and the role that have this identity, with all that is in them.
    pub async fn delete(&self, id: &ResourceId, uid: &str) -> Result<Done, ApplyError> {
        self.delete_up_to(id, uid, usize::MAX).await
    }

    /// As [`Databases::delete`], but cut short after so many statements.
    pub async fn delete_up_to(
        &self,
        id: &ResourceId,
        uid: &str,
        statements: usize,
    ) -> Result<Done, ApplyError> {
        self.take_leave(id, uid, statements, leaving::removal).await?;
        Ok(Done { id: id.clone(), outcome: Outcome::Deleted, live: None })
    }

    /// Puts the database that has this identity where nobody reaches it, until it is deleted or
    /// asked for again.
    pub async fn set_aside(
        &self,
        id: &ResourceId,
        uid: &str,
        (now, until): (Timestamp, Timestamp),
    ) -> Result<Done, ApplyError> {
        self.set_aside_up_to(id, uid, (now, until), usize::MAX).await
    }

    /// As [`Databases::set_aside`], but cut short after so many statements.
    pub async fn set_aside_up_to(
        &self,
        id: &ResourceId,
        uid: &str,
        (since, until): (Timestamp, Timestamp),
        statements: usize,
    ) -> Result<Done, ApplyError> {
        let aside = SetAside { since, until };
        let decide = |there: &There, uid: &str| leaving::setting_aside(there, uid, aside);
        self.take_leave(id, uid, statements, decide).await?;
        let mut session = self.server.session().await?;
        let found = look(&mut session, &Which::Marked { part: &observe::uid_part(uid) }).await?;
        server::leave(session.connection).await;
        let live = found.iter().find(|there| there.id().as_ref() == Some(id)).and_then(There::live);
        Ok(Done { id: id.clone(), outcome: Outcome::Changed, live })
    }

    /// Takes our marks off the database and the role. They stay, and are nobody's.
    pub async fn orphan(&self, id: &ResourceId) -> Result<Done, ApplyError> {
        let part = observe::id_part(&short(id));
        let mut session = self.server.session().await?;
        let found = look(&mut session, &Which::Marked { part: &part }).await?;
        server::leave(session.connection).await;
        for there in found {
            if let Some(mark) = there.mark() {
                self.take_leave(id, &mark.uid, usize::MAX, leaving::release).await?;
            }
        }
        Ok(Done { id: id.clone(), outcome: Outcome::Orphaned, live: None })
    }

    async fn take_leave(
        &self,
        id: &ResourceId,
        uid: &str,
        statements: usize,
        decide: impl Fn(&There, &str) -> Vec<Statement>,
    ) -> Result<(), ApplyError> {
        let _place = self.server.place().await;
        let session = self.server.session().await?;
        let mut work = Work { server: &self.server, session, left: statements, said: 0 };
        let part = observe::uid_part(uid);
        let found = look(&mut work.session, &Which::Marked { part: &part }).await?;
        for mut there in found {
            if there.id().as_ref() != Some(id) {
                continue;
            }
            work.add_what_was_left_unmarked(&mut there).await?;
            for statement in decide(&there, uid) {
                work.say(&statement).await?;
            }
        }
        server::leave(work.session.connection).await;
        Ok(())
    }
}

/// A piece of work on the server, which may be cut short.
struct Work<'a> {
    server: &'a Server,
    session: Session,
    left: usize,
    said: usize,
}

impl Work<'_> {
    /// What is there of the resource.
    async fn look(&mut self, spec: &DatabaseSpec, id: &ResourceId) -> Result<There, ApplyError> {
        let part = observe::id_part(&short(id));
        let which = Which::Named { role: &spec.role, database: &spec.database, part: &part };
        let roles = self.session.roles(&which).await?;
        let databases = self.session.databases(&which).await?;
        let renamed = |thing: &'static str, was: &str, wanted: &str| ApplyError::Renamed {
            thing,
            was: was.to_owned(),
            wanted: wanted.to_owned(),
        };
        if let Some(other) = roles.iter().find(|role| role.name != spec.role) {
            return Err(renamed("role", &other.name, &spec.role));
        }
        // What is set aside is under another name, and is taken back where nobody has taken its own.
        let aside = |database: &Database| {
            let mark = database.mark.as_ref();
            mark.is_some_and(|mark| mark.aside.is_some() && mark.database == spec.database)
        };
        let other = |database: &&Database| database.name != spec.database && !aside(database);
        if let Some(other) = databases.iter().find(other) {
            return Err(renamed("database", &other.name, &spec.database));
        }
        let named = databases.iter().find(|database| database.name == spec.database);
        Ok(There {
            role: roles.into_iter().next(),
            database: named.or(databases.first()).cloned(),
            superuser: self.session.superuser,
        })
    }

    /// A role that is marked may have a database that is not, where a run was cut short.
    async fn add_what_was_left_unmarked(&mut self, there: &mut There) -> Result<(), ApplyError> {
        if let (Some(mark), None) = (there.mark().cloned(), &there.database) {
            let which = Which::Named { role: "", database: &mark.database, part: "?" };
            let databases = self.session.databases(&which).await?;
            there.database = databases.into_iter().find(|database| database.name == mark.database);
        }
        Ok(())
    }

    async fn say(&mut self, statement: &Statement) -> Result<(), ApplyError> {
        self.count(statement)?;
        server::say(&mut self.session.connection, statement).await
    }

    async fn say_inside(&mut self, wanted: &Wanted<'_>) -> Result<(), ApplyError> {
        let mut connection: PgConnection = self.server.connect(&wanted.spec.database).await?;
        let there = observe::look_inside(&mut connection).await?;
        for statement in statements::inside(wanted, &there) {
            debug_assert_eq!(statement.place, Place::Inside);
            self.count(&statement)?;
            server::say(&mut connection, &statement).await?;
        }
        server::leave(connection).await;
        Ok(())
    }

    fn count(&mut self, statement: &Statement) -> Result<(), ApplyError> {
        self.left = self.left.checked_sub(1).ok_or_else(|| ApplyError::Database {
            doing: statement.doing.clone(),
            reason: "the run was cut short".into(),
            retry: crate::plan::Retry::Later,
        })?;
        self.said += 1;
        Ok(())
    }
}

async fn look(session: &mut Session, which: &Which<'_>) -> Result<Vec<There>, ApplyError> {
    let roles = session.roles(which).await?;
    let databases = session.databases(which).await?;
    Ok(observe::join(roles, databases))
}

/// How marks name a resource.
fn short(id: &ResourceId) -> String {
    format!("{}/{}", id.namespace, id.name)
}

fn wanted<'a>(
    unit: &UnitName,
    resource: &Resource,
    spec: &'a DatabaseSpec,
    password: &Secret,
    there: &There,
) -> Wanted<'a> {
    let (id, unit) = (short(&resource.id), unit.to_string());
    // What carries somebody else's mark is not taken over: it keeps another identity than ours.
    let known = there.mark().filter(|mark| *mark.id == *id && *mark.unit == *unit);
    let mark = Mark {
        uid: known.map_or_else(|| uuid::Uuid::now_v7().to_string().into(), |mark| mark.uid.clone()),
        unit: unit.into(),
        id: id.into(),
        database: spec.database.clone(),
        secret: None,
        password: known.and_then(|mark| mark.password.clone()),
        retention_days: spec.retention_days,
        aside: None,
        rendered: None,
    };
    let is_ours = there.role.as_ref().is_some_and(|role| role.password_is_ours);
    let verifier = new_verifier(password, &mark, is_ours);
    Wanted { spec, mark, verifier, rendered: resource.digest }
}

/// What the server is to keep of the password, unless it keeps that already.
fn new_verifier(password: &Secret, mark: &Mark, is_ours: bool) -> Option<Verifier> {
    if is_ours && mark.password.as_ref().is_some_and(|remembered| remembered.is(password)) {
        return None;
    }
    let salt = scram::new_salt();
    let text = scram::verifier(password, &salt);
    Some(Verifier { remembered: Remembered::of(&salt, &text), text })
}
