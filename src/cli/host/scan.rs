//! `host scan`: the host keys that a machine shows, as they are committed.

use crate::apply::host::ssh;

use super::Exit;
use super::Failure;
use super::Output;

/// Show the host keys of a machine, to be compared and committed
///
/// Whoever answers at the address could be anybody: compare the fingerprints with what the
/// provider's console tells before they are committed.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tenantry host scan 203.0.113.10
  tenantry host scan kkt.example.com --port 2222")]
pub(super) struct Arguments {
    /// Ask this machine
    address: String,
    #[arg(long, default_value_t = 22, help = "Ask at this port")]
    port: u16,
}

pub(super) async fn run(arguments: &Arguments, output: &Output) -> Result<Exit, Failure> {
    let keys = ssh::scan(&arguments.address, arguments.port).await.map_err(|why| {
        Failure::new(format!("no host key can be read: {why}"))
            .help("look whether the machine runs, and whether its firewall lets us through")
    })?;
    let lines: Vec<&str> = keys.iter().map(|(line, _)| line.as_str()).collect();
    output.result(&serde_json::json!({ "hostKeys": lines }), || {
        let keys = keys.iter().map(|(line, fingerprint)| format!("  - {line} # {fingerprint}"));
        std::iter::once("hostKeys:".to_owned()).chain(keys).collect::<Vec<_>>().join("\n")
    })?;
    output.note("Compare the fingerprints with what the machine's own console tells:");
    output.note("  for key in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf $key; done");
    Ok(Exit::Fine)
}
