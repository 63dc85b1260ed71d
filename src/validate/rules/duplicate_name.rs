//! A name stands for one document of its kind; a subscription's, for one of its tenant's.

use super::Rule;
use crate::model::AnyDocument;
use crate::model::read::Origin;
use crate::model::read::folder_of;
use crate::validate::findings::At;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::findings::Subject;
use crate::validate::view::World;

pub(super) const RULE: Rule = Rule::whole(
    "duplicate-name",
    "A name stands for one document of its kind, and there is one platform.",
    check,
);

fn check(world: &World<'_>, findings: &mut Findings) {
    let read = world.configuration.files.iter().map(|file| file.documents.len());
    if read.sum::<usize>() == world.configuration.len() {
        return;
    }
    for document in world.configuration.files.iter().flat_map(|file| &file.documents) {
        let first = world.configuration.origin_of(document);
        if let Some(first) = first.filter(|first| *first != document.origin()) {
            twice(document, first, findings);
        }
    }
}

fn twice(document: &AnyDocument, first: &Origin, findings: &mut Findings) {
    let (kind, name) = (document.kind().to_lowercase(), document.name());
    let (message, help) = match document {
        AnyDocument::Platform(_) => {
            ("there is another platform".to_owned(), "join the two: a repository has one")
        }
        AnyDocument::Subscription(subscription) => (
            format!("`{}` has another subscription `{name}`", subscription.spec.tenant),
            "rename or remove one of the two",
        ),
        _ => (format!("there is another {kind} `{name}`"), "rename or remove one of the two"),
    };
    let draft = findings.error(document.at("metadata.name"), message);
    draft.help(help).related(At::beside(first, "metadata.name"), "the other one");
    // Whoever may write in one tenant's folder cannot hold others with it.
    let folder = folder_of(&document.origin().file);
    if let Some(folder) = folder.filter(|folder| folder_of(&first.file) != Some(folder))
        && let Ok(owner) = folder.parse()
    {
        draft.holds([Subject::tenant(&owner)]);
    }
}
