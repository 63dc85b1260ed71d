//! `completions`: what a shell needs to complete our commands.

use clap::CommandFactory as _;

use super::Cli;
use super::Exit;
use super::Failure;
use super::Output;

/// Print the completions for a shell
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tenantry completions bash > /etc/bash_completion.d/tenantry
  tenantry completions zsh > /usr/local/share/zsh/site-functions/_tenantry")]
pub(super) struct Arguments {
    /// Complete for this shell
    shell: clap_complete::Shell,
}

pub(super) fn run(arguments: &Arguments, output: &Output) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "tenantry", &mut script);
    output.bytes(&script)?;
    Ok(Exit::Fine)
}
