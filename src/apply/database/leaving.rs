//! What has to be said to PostgreSQL when something leaves: it is set aside, removed for good, or
//! let go. Nothing is touched that does not carry our mark.

use super::statements::LONGEST_NAME;
use super::statements::Mark;
use super::statements::Place;
use super::statements::SetAside;
use super::statements::Statement;
use super::statements::There;
use super::statements::comment_on_database;
use super::statements::database_mark;
use super::statements::identifier;
use super::statements::literal;
use super::statements::rename;

/// What has to be said to remove what has this identity, last made first.
pub(super) fn removal(there: &There, uid: &str) -> Vec<Statement> {
    let is_it = |mark: Option<&Mark>| mark.is_some_and(|mark| &*mark.uid == uid);
    let mut statements = Vec::new();
    let role = there.role.as_ref().filter(|role| is_it(role.mark.as_ref()));
    if let Some(database) = &there.database {
        let left_by_us = database.mark.is_none()
            && role.is_some_and(|role| {
                database.owner == role.name
                    && role.mark.as_ref().is_some_and(|mark| mark.database == database.name)
            });
        if is_it(database.mark.as_ref()) || left_by_us {
            statements.push(Statement {
                place: Place::Server,
                doing: format!("dropping the database `{}`", database.name),
                sql: format!("drop database {} with (force)", identifier(&database.name)),
            });
        }
    }
    if let Some(role) = role {
        statements.push(Statement {
            place: Place::Server,
            doing: format!("dropping the role `{}`", role.name),
            sql: format!("drop role {}", identifier(&role.name)),
        });
    }
    statements
}

/// What has to be said to set aside what has this identity: nobody reaches the database any more,
/// and its name says what it is and since when. The role stays, because it owns it.
///
/// The marks come first and the name comes last: with a mark and its old name, it is set aside
/// half, and the next run goes on. What was promised is not promised anew, unless it was taken
/// back meanwhile: the mark of the role is the first to be set and the first to be taken off.
pub(super) fn setting_aside(there: &There, uid: &str, aside: SetAside) -> Vec<Statement> {
    let ours = |mark: Option<&Mark>| mark.filter(|mark| &*mark.uid == uid).cloned();
    let role = there.role.as_ref().and_then(|role| Some((role, ours(role.mark.as_ref())?)));
    let Some(database) = &there.database else { return removal(there, uid) };
    let left_by_us = || {
        let (role, mark) = role.as_ref().filter(|_| database.mark.is_none())?;
        (database.owner == role.name && mark.database == database.name).then(|| mark.clone())
    };
    let Some(mark) = ours(database.mark.as_ref()).or_else(left_by_us) else { return Vec::new() };
    let promised = role.as_ref().map_or(mark.aside, |(_, mark)| mark.aside);
    let aside = promised.unwrap_or(aside);
    let say = |doing: String, sql: String| Statement { place: Place::Server, doing, sql };
    let mut statements = Vec::new();
    if let Some((role, mark)) = &role
        && (role.login || mark.aside.is_none())
    {
        let name = identifier(&role.name);
        let mark = Mark { aside: Some(aside), ..mark.clone() };
        statements.push(say(
            format!("shutting the role `{}` out", role.name),
            format!(
                "alter role {name} nologin; comment on role {name} is {}",
                literal(&mark.comment())
            ),
        ));
    }
    let original = mark.database.clone();
    let is_marked = database.mark.as_ref().is_some_and(|mark| mark.aside == Some(aside));
    if !is_marked || database.open {
        let mark = Mark { aside: Some(aside), ..database_mark(&mark) };
        statements.push(say(
            format!("shutting the database `{}`", database.name),
            format!(
                "alter database {} with allow_connections false; {}",
                identifier(&database.name),
                comment_on_database(&database.name, &mark)
            ),
        ));
    }
    if database.name == original {
        statements.push(say(
            format!("ending the connections to `{original}`"),
            format!(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity \
                 where datname = {} and backend_type = 'client backend'",
                literal(&original)
            ),
        ));
        statements.push(rename(&original, &name_aside(&original, uid, aside), "setting aside"));
    }
    statements
}

/// `acme_aside_20261124_5c0f9a7e31d2`: what it was, since when it is aside, and the end of its
/// identity, by which it is told from another of that name and day.
fn name_aside(original: &str, uid: &str, aside: SetAside) -> String {
    let end: String = uid.chars().filter(char::is_ascii_alphanumeric).collect();
    let end = &end[end.len().saturating_sub(12)..];
    let suffix = format!("_aside_{}_{end}", aside.since.strftime("%Y%m%d"));
    let mut room = LONGEST_NAME.saturating_sub(suffix.len()).min(original.len());
    while !original.is_char_boundary(room) {
        room -= 1;
    }
    format!("{}{suffix}", &original[..room])
}

/// What has to be said to take our marks off.
pub(super) fn release(there: &There, uid: &str) -> Vec<Statement> {
    let is_it = |mark: Option<&Mark>| mark.is_some_and(|mark| &*mark.uid == uid);
    let say = |thing: &str, name: &str| Statement {
        place: Place::Server,
        doing: format!("letting go of the {thing} `{name}`"),
        sql: format!("comment on {thing} {} is null", identifier(name)),
    };
    let database = there.database.as_ref().filter(|database| is_it(database.mark.as_ref()));
    let role = there.role.as_ref().filter(|role| is_it(role.mark.as_ref()));
    let database = database.map(|database| say("database", &database.name));
    database.into_iter().chain(role.map(|role| say("role", &role.name))).collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::statements::tests::doings;
    use super::super::statements::tests::spec;
    use super::super::statements::tests::there;
    use super::*;

    fn thirty_days() -> SetAside {
        let since: Timestamp = "2026-11-24T09:00:00Z".parse().unwrap();
        SetAside { since, until: since + jiff::SignedDuration::from_hours(24 * 30) }
    }

    #[test]
    fn what_is_set_aside_is_shut_before_it_is_renamed_and_keeps_its_role() {
        let statements = setting_aside(&there(&spec()), "uid-1", thirty_days());
        assert_eq!(
            doings(&statements),
            [
                "shutting the role `acme` out",
                "shutting the database `acme`",
                "ending the connections to `acme`",
                "setting aside the database `acme` as `acme_aside_20261124_uid1`",
            ]
        );
        let other = setting_aside(&there(&spec()), "uid-2", thirty_days());
        assert!(other.is_empty(), "what is not ours is not touched: {other:?}");
    }

    #[test]
    fn a_name_aside_is_never_cut_off_by_the_server() {
        for original in ["a".repeat(63), "ü".repeat(31)] {
            let name = name_aside(&original, "0193a5b2-c3d4-7000-8000-5c0f9a7e31d2", thirty_days());
            assert!(
                name.len() <= LONGEST_NAME && name.ends_with("_aside_20261124_5c0f9a7e31d2"),
                "{name}"
            );
        }
    }
}
