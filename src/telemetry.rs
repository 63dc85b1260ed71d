//! What the program says about itself while it runs: logs, to standard error.
//!
//! A line reads alone and filters alone: it is written once, at the boundary that handles what
//! happened, with fields such as `unit` and `commit`, and never with a secret.

use std::io;
use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use crate::settings;

/// How logs are written.
#[derive(clap::Args, Clone, Debug)]
#[group(skip)]
#[command(next_help_heading = "Logs")]
pub struct Settings {
    /// Write logs as text, or as JSON with one object per line
    #[arg(long, global = true, value_enum, value_name = "FORM")]
    #[arg(default_value = "text", env = "TENANTRY_LOG_FORMAT")]
    log_format: Form,
    /// Write only logs that pass this filter, such as `info,tenantry::source=debug`
    #[arg(long, global = true, value_name = "FILTER", env = "TENANTRY_LOG")]
    log: Option<String>,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Text,
    Json,
}

/// What was written where a filter belongs.
#[derive(Debug, thiserror::Error)]
#[error("`{filter}` is not a filter for logs: write it as in `info,tenantry::source=debug`")]
pub struct InvalidFilter {
    filter: String,
    source: ParseError,
}

/// Starts to write logs. `usual` is the filter where the settings name none.
pub fn start(settings: &Settings, usual: &str) -> Result<(), InvalidFilter> {
    let filter = settings.log.as_deref().unwrap_or(usual);
    let filter = EnvFilter::try_new(filter)
        .map_err(|source| InvalidFilter { filter: filter.to_owned(), source })?;
    let colours = io::stderr().is_terminal() && settings::colours_are_welcome();
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(colours);
    // Whoever runs us inside another program may have started logs of its own: those stay.
    let _ = match settings.log_format {
        Form::Text => logs.compact().with_target(false).try_init(),
        Form::Json => logs.json().flatten_event(true).with_current_span(true).try_init(),
    };
    Ok(())
}
