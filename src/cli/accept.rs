//! `accept`: a branch whose history was rewritten is followed again when a person says so.

use std::path::PathBuf;

use serde_json::json;

use crate::model::Commit;
use crate::source;
use crate::source::Source;
use crate::source::SourceError;

use super::Exit;
use super::Failure;
use super::Output;

/// Accept a branch that was rewritten, by the commit it is at now
///
/// A branch that does not come after what was taken before is not followed: somebody may have
/// pushed over work that is applied. The daemon's log and `status` name the commit that waits.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tenantry accept 1f3870be274f6c49b3e31a0c6728957f1f3870be --repository /srv/tenants")]
pub(super) struct Arguments {
    /// Accept this commit, and no other: all of its id
    commit: String,
    #[command(flatten)]
    source: source::Settings,
    /// The folder in which the daemon keeps its copy of the repository
    #[arg(
        long,
        value_name = "FOLDER",
        env = "TENANTRY_CACHE",
        default_value = "/var/cache/tenantry"
    )]
    cache: PathBuf,
}

pub(super) async fn run(arguments: &Arguments, output: &Output) -> Result<Exit, Failure> {
    let source = Source::open(arguments.source.clone(), &arguments.cache).await?;
    match source.accept(&Commit::new(&arguments.commit)).await {
        Ok(()) => {
            output.note("accepted: the daemon goes on from there at its next look");
            output.result(&json!({ "accepted": arguments.commit }), String::new)?;
            Ok(Exit::Fine)
        }
        Err(error @ SourceError::NothingToAccept { .. }) => {
            Err(Failure::from(error)
                .help("`tenantry status` names the commit that waits, if one does"))
        }
        Err(error) => Err(error.into()),
    }
}
