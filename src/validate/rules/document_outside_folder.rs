//! What belongs to a tenant stands in `tenants/<tenant>/`, and nothing else does: that is what
//! code owners and the portal's path rights go by.

use super::Rule;
use crate::model::AnyDocument;
use crate::model::Configuration;
use crate::model::Name;
use crate::model::read::folder_of;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::findings::Subject;
use crate::validate::view::World;

pub(super) const RULE: Rule = Rule::whole(
    "document-outside-folder",
    "What belongs to a tenant stands in `tenants/<tenant>/`, and nothing else does.",
    check,
);

fn check(world: &World<'_>, findings: &mut Findings) {
    for document in &world.configuration.elsewhere {
        let folder = folder_of(&document.origin().file);
        match (document.tenant(), folder) {
            (Some(tenant), _) => {
                misplaced(document, tenant, folder, world.configuration, findings);
            }
            (None, Some(folder)) => shared(document, folder, findings),
            (None, None) => {}
        }
    }
}

/// The tenant it names is held as well, because the document may have been moved away from its
/// folder; but not where another one stands there under its name: nobody holds others from afar.
fn misplaced(
    document: &AnyDocument,
    tenant: &Name,
    folder: Option<&str>,
    configuration: &Configuration,
    findings: &mut Findings,
) {
    let path =
        if matches!(document, AnyDocument::Tenant(_)) { "metadata.name" } else { "spec.tenant" };
    let here = folder.and_then(|folder| folder.parse().ok()).map(|folder| Subject::tenant(&folder));
    let goes_by_it = configuration.origin_of(document) == Some(document.origin());
    let named = goes_by_it.then(|| match document {
        AnyDocument::Host(host) => Subject::of_kind("Host", &host.name),
        _ => Subject::tenant(tenant),
    });
    let message = match document {
        AnyDocument::Tenant(_) => format!("the tenant `{tenant}` stands outside of its folder"),
        _ => format!(
            "this {} of `{tenant}` stands outside of its folder",
            document.kind().to_lowercase()
        ),
    };
    findings
        .error(document.at(path), message)
        .help(format!("move it to `tenants/{tenant}/`"))
        .holds(here.into_iter().chain(named));
}

fn shared(document: &AnyDocument, folder: &str, findings: &mut Findings) {
    let kind = document.kind().to_lowercase();
    let message = format!("a {kind} serves everybody, and stands in the folder of `{folder}`");
    findings.warning(document.at("kind"), message).help(format!(
        "move it out of `tenants/`: whoever may change that folder may change this {kind}"
    ));
}
