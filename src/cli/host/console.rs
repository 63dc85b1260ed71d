//! `host console`: the command that opens a shell on a host, with its pinned keys.

use std::path::PathBuf;

use serde_json::json;

use crate::model::Host;
use crate::model::Name;
use crate::model::shell::quoted;

use super::Documents;
use super::Exit;
use super::Failure;
use super::Output;
use super::document;

/// Print the ssh command that opens a shell on a host
///
/// It believes the keys that are pinned in the host's document, and no others.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tenantry host console kassa-plus-1
  eval \"$(tenantry host console kassa-plus-1)\"")]
pub(super) struct Arguments {
    /// Open a shell on this host
    host: Name,
    #[command(flatten)]
    documents: Documents,
    /// Log in with this private key
    #[arg(long, value_name = "FILE", env = "TENANTRY_SSH_KEY")]
    ssh_key: Option<PathBuf>,
}

pub(super) async fn run(arguments: &Arguments, output: &Output) -> Result<Exit, Failure> {
    let desired = arguments.documents.read().await?;
    let host = document(&desired, &arguments.host)?;
    let key = arguments.ssh_key.as_ref().map(|key| key.display().to_string());
    let command = command(&arguments.host, &host.spec, key.as_deref());
    output.result(&json!({ "command": command }), || command.clone())?;
    Ok(Exit::Fine)
}

fn command(name: &Name, host: &Host, key: Option<&str>) -> String {
    // ssh asks this command for the keys; what a document pins has neither quotes nor percents.
    let known: Vec<String> = host
        .host_keys
        .iter()
        .map(|key| key.split_ascii_whitespace().take(2).collect::<Vec<_>>().join(" "))
        .map(|key| format!("\"{name} {key}\""))
        .collect();
    let known = format!("KnownHostsCommand=/usr/bin/printf \"%%s\\\\n\" {}", known.join(" "));
    let mut words = vec!["ssh".to_owned()];
    if let Some(key) = key {
        words.extend(["-i".to_owned(), quoted(key), "-oIdentitiesOnly=yes".to_owned()]);
    }
    words.extend([
        format!("-oHostKeyAlias={name}"),
        "-oUserKnownHostsFile=none".to_owned(),
        "-oGlobalKnownHostsFile=none".to_owned(),
        "-oStrictHostKeyChecking=yes".to_owned(),
        quoted(&format!("-o{known}")),
        format!("-p{}", host.port),
        quoted(&format!("{}@{}", host.user, host.address)),
    ]);
    words.join(" ")
}
