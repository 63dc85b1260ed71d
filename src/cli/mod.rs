//! The operator's hands: one sub-command per file. Only `output` prints.

mod accept;
mod admin;
mod apply;
mod approve;
mod completions;
mod demo;
mod explain;
mod failure;
mod files;
mod history;
mod host;
mod jobs;
mod live;
mod mail;
mod output;
mod past;
mod plan;
mod progress;
mod run;
mod render;
mod schema;
mod status;
mod validate;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;

use crate::telemetry;

use failure::Failure;
use output::Output;

/// What a shell learns from a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    Fine,
    /// It could not be done, or it found what it was to look for.
    Failed,
    /// There is something to do: only `plan` says so.
    Changes,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Fine => Self::from(0),
            Exit::Failed => Self::from(1),
            Exit::Changes => Self::from(2),
        }
    }
}

/// Turn a Git repository of YAML into running tenants, and keep them so
#[derive(Parser, Debug)]
#[command(name = "tenantry", version, infer_subcommands = true, arg_required_else_help = true)]
#[command(after_help = "\
Examples:
  tenantry completions bash > /etc/bash_completion.d/tenantry")]
struct Cli {
    #[command(flatten)]
    output: output::Settings,
    #[command(flatten)]
    logs: telemetry::Settings,
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    Validate(validate::Arguments),
    Render(render::Arguments),
    Plan(plan::Arguments),
    Approve(approve::Arguments),
    Apply(Box<apply::Arguments>),
    Run(Box<run::Arguments>),
    Accept(accept::Arguments),
    Admin(admin::Arguments),
    Jobs(jobs::Arguments),
    Status(status::Arguments),
    History(history::Arguments),
    Explain(explain::Arguments),
    Host(host::Arguments),
    Mail(mail::Arguments),
    Schema(schema::Arguments),
    Demo(demo::Arguments),
    Completions(completions::Arguments),
}

/// Does what a command line says.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return output::usage(&error, &arguments).into(),
    };
    let output = Output::new(&cli.output);
    let exit = run(&cli, &output).unwrap_or_else(|failure| {
        output.failure(&failure);
        Exit::Failed
    });
    exit.into()
}

fn run(cli: &Cli, output: &Output) -> Result<Exit, Failure> {
    let runs_for_long = matches!(cli.command, Command::Run(_) | Command::Apply(_));
    telemetry::start(&cli.logs, cli.output.usual_logs(runs_for_long))?;
    match &cli.command {
        Command::Validate(arguments) => block_on(validate::run(arguments, output)),
        Command::Render(arguments) => block_on(render::run(arguments, output)),
        Command::Plan(arguments) => block_on(plan::run(arguments, output)),
        Command::Approve(arguments) => approve::run(arguments, output),
        Command::Apply(arguments) => block_on(apply::run(arguments, output)),
        Command::Run(arguments) => block_on(run::run(arguments, output)),
        Command::Accept(arguments) => block_on(accept::run(arguments, output)),
        Command::Admin(arguments) => block_on(admin::run(arguments, output)),
        Command::Jobs(arguments) => block_on(jobs::run(arguments, output)),
        Command::Status(arguments) => block_on(status::run(arguments, output)),
        Command::History(arguments) => block_on(history::run(arguments, output)),
        Command::Explain(arguments) => block_on(explain::run(arguments, output)),
        Command::Host(arguments) => block_on(host::run(arguments, output)),
        Command::Mail(arguments) => mail::run(arguments, output),
        Command::Schema(arguments) => schema::run(arguments, output),
        Command::Demo(arguments) => block_on(demo::run(arguments, output)),
        Command::Completions(arguments) => completions::run(arguments, output),
    }
}

/// Waits for a command that waits for others.
fn block_on(command: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    tokio::runtime::Runtime::new().context("the runtime cannot be started")?.block_on(command)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    /// Help is told in the imperative and without a full stop.
    #[test]
    fn help_texts_are_of_one_style() {
        fn walk(command: &clap::Command, wrong: &mut Vec<String>) {
            let texts = command.get_arguments().filter_map(clap::Arg::get_help);
            for text in texts.chain(command.get_about()).map(ToString::to_string) {
                if text.ends_with('.')
                    || !text.starts_with(|first: char| first.is_ascii_uppercase())
                {
                    wrong.push(format!("{}: {text}", command.get_name()));
                }
            }
            command.get_subcommands().for_each(|command| walk(command, wrong));
        }
        let mut wrong = Vec::new();
        walk(&Cli::command(), &mut wrong);
        assert_eq!(wrong, [""; 0]);
    }

    #[test]
    fn every_command_shows_an_example() {
        for command in Cli::command().get_subcommands() {
            let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(after.contains("tenantry "), "{} has no example", command.get_name());
        }
    }
}
