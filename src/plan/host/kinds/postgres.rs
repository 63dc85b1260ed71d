//! Roles and databases of the PostgreSQL on the machine. No plan ever drops a database.

use crate::model::host::HostResourceId;
use crate::model::host::Kind;
use crate::model::host::kinds::PostgresDatabase;
use crate::model::host::kinds::PostgresRole;
use crate::plan::host::facts::Properties;
use crate::plan::host::script::Call;

use super::Behaviour;
use super::Found;
use super::Looks;
use super::id;
use super::properties;

impl PostgresRole {
    fn password(&self) -> &str {
        self.password_from.as_ref().map_or("", |path| path.as_str())
    }
}

impl Behaviour for PostgresRole {
    fn wanted(&self) -> Properties {
        let login = if self.login { "t" } else { "f" };
        let mut wanted = properties([("login", login), ("superuser", "f")]);
        if self.password_from.is_some() {
            wanted.insert("password".into(), "fits".into());
        }
        wanted
    }

    fn look(&self, index: usize, looks: &mut Looks) {
        looks.ask("observe_postgres_role", index, [self.name.as_str(), self.password()]);
    }

    fn apply(&self, _: &Found<'_>) -> Call {
        let login = if self.login { "login" } else { "" };
        Call::new("apply_postgres_role", [self.name.as_str(), self.password(), login])
    }

    fn follows(&self) -> Vec<HostResourceId> {
        vec![id(Kind::GeneratedSecret, self.password())]
    }
}

impl Behaviour for PostgresDatabase {
    fn wanted(&self) -> Properties {
        properties([("owner", self.owner.as_str()), ("encoding", "UTF8")])
    }

    fn look(&self, index: usize, looks: &mut Looks) {
        looks.ask("observe_postgres_database", index, [self.name.as_str()]);
    }

    fn apply(&self, _: &Found<'_>) -> Call {
        Call::new("apply_postgres_database", [self.name.as_str(), self.owner.as_str()])
    }

    fn follows(&self) -> Vec<HostResourceId> {
        vec![id(Kind::PostgresRole, self.owner.as_str())]
    }
}

/// A server that does not answer has none of them, as far as anybody knows: what is done about it
/// then says why it does not.
pub(super) fn seen(facts: &Properties) -> Option<Properties> {
    (!facts.contains_key("server")).then(|| facts.clone())
}
