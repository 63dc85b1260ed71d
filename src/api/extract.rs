//! Who may come in, as types: a handler that takes a [`Customer`] is reached by customers alone,
//! and has their tenant from the token. None of these can be made anywhere else.

use axum::extract::FromRequestParts;
use axum::http::Method;
use axum::http::request::Parts;
use jiff::Timestamp;
use uuid::Uuid;

use super::Api;
use super::caller::Caller;
use super::problem;
use super::problem::Problem;
use crate::accounts::Principal;
use crate::accounts::Role;
use crate::accounts::Scope;
use crate::accounts::Standing;
use crate::accounts::audit::Origin;
use crate::model::Name;
use crate::model::Secret;

/// When a request is answered, and where it comes from. Anybody may come in.
pub struct Context {
    pub now: Timestamp,
    pub origin: Origin,
}

/// A customer, and whose.
pub struct Customer {
    principal: Principal,
    tenant: Name,
}

/// An operator, or an admin.
pub struct Operator {
    principal: Principal,
}

pub struct Admin {
    principal: Principal,
}

/// Whoever is logged in as a person: machines do not hand out tokens or end sessions.
pub struct Person {
    principal: Principal,
    session: Uuid,
}

/// Whoever may read what belongs to tenants: a customer their own, an operator all.
pub struct Viewer {
    principal: Principal,
}

/// Whoever may follow what they may read. Here alone a ticket in the query is as good as a token in
/// the header, and only where there is no such header.
pub struct Listener {
    viewer: Viewer,
}

impl Customer {
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Theirs, as the token says.
    pub fn tenant(&self) -> &Name {
        &self.tenant
    }
}

impl Operator {
    pub fn principal(&self) -> &Principal {
        &self.principal
    }
}

impl Admin {
    pub fn principal(&self) -> &Principal {
        &self.principal
    }
}

impl Person {
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    pub fn session(&self) -> Uuid {
        self.session
    }
}

impl Listener {
    pub fn viewer(&self) -> &Viewer {
        &self.viewer
    }
}

impl Viewer {
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Whether something of this tenant may be shown.
    pub fn sees(&self, tenant: &Name) -> bool {
        self.principal.standing.tenant().is_none_or(|own| own == tenant)
    }

    /// Whose to show: one's own, or whose an operator asks for. A customer who asks for another
    /// gets what is there for them: nothing.
    pub fn narrowed(&self, asked: Option<Name>) -> Result<Option<Name>, Problem> {
        match (self.principal.standing.tenant(), asked) {
            (None, asked) => Ok(asked),
            (Some(own), None) => Ok(Some(own.clone())),
            (Some(own), Some(asked)) if *own == asked => Ok(Some(asked)),
            (Some(_), Some(_)) => Err(problem::NOT_FOUND.into()),
        }
    }
}

/// Who asks, if their token allows what the method does.
fn principal(parts: &Parts) -> Result<Principal, Problem> {
    let principal = match parts.extensions.get::<Caller>() {
        Some(Caller::Known(principal)) => principal.clone(),
        Some(Caller::Refused(problem)) => return Err(problem.clone()),
        Some(Caller::Anonymous) | None => return Err(problem::UNAUTHENTICATED.into()),
    };
    let reads = matches!(parts.method, Method::GET | Method::HEAD);
    let scope = if reads { Scope::Read } else { Scope::Write };
    if !principal.may(scope) {
        let detail = format!("the API token lacks the scope `{}`", scope.word());
        return Err(Problem::new(problem::FORBIDDEN, detail));
    }
    Ok(principal)
}

/// Who works for the operator, as the database has it now: an access token is good for minutes,
/// and whoever was dismissed should not have them.
async fn staff(parts: &Parts, api: &Api, least: Role) -> Result<Principal, Problem> {
    let mut principal = principal(parts)?;
    if principal.standing.role() < least {
        let detail = format!("this takes the role `{least}`");
        return Err(Problem::new(problem::FORBIDDEN, detail));
    }
    match api.accounts().standing_now(principal.account).await? {
        Some(standing) if standing.role() >= least => {
            principal.standing = standing;
            Ok(principal)
        }
        _ => Err(problem::ACCESS_INVALID.into()),
    }
}

impl FromRequestParts<Api> for Context {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let origin = parts.extensions.get::<Origin>().cloned();
        let origin = origin.ok_or_else(|| Problem::internal(&"a request has no origin"))?;
        Ok(Self { now: api.now(), origin })
    }
}

impl FromRequestParts<Api> for Customer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        let principal = principal(parts)?;
        match &principal.standing {
            Standing::Customer(tenant) => {
                let tenant = tenant.clone();
                Ok(Self { principal, tenant })
            }
            Standing::Operator | Standing::Admin => {
                Err(Problem::new(problem::FORBIDDEN, "this is for customers"))
            }
        }
    }
}

impl FromRequestParts<Api> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        Ok(Self { principal: staff(parts, api, Role::Operator).await? })
    }
}

impl FromRequestParts<Api> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        Ok(Self { principal: staff(parts, api, Role::Admin).await? })
    }
}

impl FromRequestParts<Api> for Person {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        let principal = principal(parts)?;
        let session = principal.session().ok_or_else(|| {
            Problem::new(problem::FORBIDDEN, "log in for this: an API token cannot do it")
        })?;
        Ok(Self { principal, session })
    }
}

impl FromRequestParts<Api> for Viewer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let principal = match principal(parts)? {
            customer @ Principal { standing: Standing::Customer(_), .. } => customer,
            _ => staff(parts, api, Role::Operator).await?,
        };
        Ok(Self { principal })
    }
}

impl FromRequestParts<Api> for Listener {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        let ticket = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "ticket");
        let viewer = match (parts.extensions.get::<Caller>(), ticket) {
            (Some(Caller::Anonymous), Some((_, ticket))) => {
                let ticket = Secret::new(ticket);
                Viewer { principal: api.accounts().use_event_ticket(&ticket, api.now()).await? }
            }
            _ => Viewer::from_request_parts(parts, api).await?,
        };
        Ok(Self { viewer })
    }
}
