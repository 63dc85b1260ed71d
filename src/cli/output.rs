//! The only place that prints: results to standard output, everything else to standard error.

use std::ffi::OsString;
use std::fmt::Display;
use std::io;
use std::io::IsTerminal as _;
use std::io::Write as _;

use anstyle::AnsiColor;
use anstyle::Style;
use serde::Serialize;
use serde_json::json;

use crate::settings;

use super::Exit;
use super::failure::Failure;
use super::progress::Progress;

/// How a command tells its results.
#[derive(clap::Args, Clone, Debug)]
#[group(skip)]
#[command(next_help_heading = "Output")]
pub(super) struct Settings {
    /// Print results for people or for machines
    #[arg(long, short, global = true, value_enum, value_name = "FORM", default_value = "text")]
    output: Form,
    /// Use colours always, never, or on terminals where `NO_COLOR` is not set
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value = "auto")]
    color: Colour,
    /// Say more about what is done; with each more of it, more
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Say nothing but results and errors
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    quiet: bool,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Json,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Colour {
    Auto,
    Always,
    Never,
}

impl Settings {
    /// The filter of logs, where nobody names one. What runs for long says what happens; what
    /// answers a question answers it.
    pub(super) fn usual_logs(&self, runs_for_long: bool) -> &'static str {
        match (self.quiet, self.verbose.saturating_add(u8::from(runs_for_long))) {
            (true, _) | (_, 0) => "error",
            (_, 1) => "warn,tenantry=info",
            (_, 2) => "info,tenantry=debug",
            _ => "debug,tenantry=trace",
        }
    }
}

/// What a word in colour means.
#[derive(Clone, Copy, Debug)]
pub(super) enum Tone {
    Good,
    Busy,
    Bad,
    Odd,
}

/// The terminal, or whatever stands in its place.
pub(super) struct Output {
    form: Form,
    colour: bool,
    colour_on_error: bool,
    quiet: bool,
}

impl Output {
    pub(super) fn new(settings: &Settings) -> Self {
        let wanted = |terminal: bool| match settings.color {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => terminal && settings::colours_are_welcome(),
        };
        Self {
            form: settings.output,
            colour: wanted(io::stdout().is_terminal()),
            colour_on_error: wanted(io::stderr().is_terminal()),
            quiet: settings.quiet,
        }
    }

    pub(super) fn is_json(&self) -> bool {
        self.form == Form::Json
    }

    /// Whether results are in colour.
    pub(super) fn colour(&self) -> bool {
        self.colour
    }

    /// A word of a result in the colour of what it means.
    pub(super) fn paint(&self, tone: Tone, text: &str) -> String {
        let colour = match tone {
            Tone::Good => AnsiColor::Green,
            Tone::Busy => AnsiColor::Yellow,
            Tone::Bad => AnsiColor::Red,
            Tone::Odd => AnsiColor::Magenta,
        };
        let style = Style::new().fg_color(Some(colour.into()));
        if self.colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// Prints a result: as text for people, as JSON for machines.
    pub(super) fn result(
        &self,
        value: &impl Serialize,
        text: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        let text = match self.form {
            Form::Text => text(),
            Form::Json => serde_json::to_string_pretty(value)?,
        };
        self.text(&text)
    }

    /// Prints a result that has only one form, and ends it with a line.
    pub(super) fn text(&self, text: &str) -> Result<(), Failure> {
        self.bytes(text.as_bytes())?;
        if text.is_empty() || text.ends_with('\n') { Ok(()) } else { self.bytes(b"\n") }
    }

    #[expect(clippy::unused_self, reason = "whoever prints has to hold the output")]
    pub(super) fn bytes(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        match out.write_all(bytes).and_then(|()| out.flush()) {
            // Whoever read has seen enough, as in `tenantry plan | head`.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => Ok(written?),
        }
    }

    /// Says something beside the result, unless nobody wants to hear it.
    pub(super) fn note(&self, note: impl Display) {
        if !self.quiet {
            told(&note.to_string());
        }
    }

    /// Shows that something takes its time, until what this returns is dropped.
    pub(super) fn progress(&self, doing: &str, total: Option<usize>) -> Progress {
        Progress::start(doing, total, self.quiet, io::stderr().is_terminal())
    }

    /// Says why a command failed: to people always, and to machines in place of the result.
    pub(super) fn failure(&self, failure: &Failure) {
        if self.is_json() {
            let error = json!({
                "message": failure.message(),
                "causes": failure.causes(),
                "help": failure.advice(),
            });
            // Nobody is left to tell where standard output is closed.
            let _ = self.result(&json!({ "error": error }), String::new);
        }
        let red = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
        let mut text = format!("{} {}\n", self.on_error(red, "error:"), failure.message());
        for cause in failure.causes() {
            text.extend(["  because: ", &cause, "\n"]);
        }
        if let Some(help) = failure.advice() {
            let cyan = Style::new().bold().fg_color(Some(AnsiColor::Cyan.into()));
            text.extend(["  ", &self.on_error(cyan, "help:"), " ", help, "\n"]);
        }
        told(text.trim_end());
    }

    fn on_error(&self, style: Style, text: &str) -> String {
        if self.colour_on_error { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

/// Writes a line to standard error. Nothing can be done where that is closed.
pub(super) fn told(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Writes over the line that a terminal shows last.
pub(super) fn redrawn(line: &str) {
    let mut out = io::stderr().lock();
    let _ = write!(out, "\r\u{1b}[K{line}").and_then(|()| out.flush());
}

/// Prints help where it was asked for, and otherwise what is wrong with the command line.
pub(super) fn usage(error: &clap::Error, arguments: &[OsString]) -> Exit {
    if error.use_stderr() && wants_json(arguments) {
        let text = error.render().to_string();
        let message = text.trim_start_matches("error: ").split("\n\n").next().unwrap_or_default();
        let help = "`--help` after the command tells what it takes";
        let error = json!({ "message": message, "causes": [], "help": help });
        let _ = writeln!(io::stdout(), "{:#}", json!({ "error": error }));
    }
    let _ = error.print();
    // Two would mean that there are changes.
    if error.use_stderr() { Exit::Failed } else { Exit::Fine }
}

/// Whether a command line that cannot be read asks for output for machines.
fn wants_json(arguments: &[OsString]) -> bool {
    let words: Vec<&str> = arguments.iter().filter_map(|word| word.to_str()).collect();
    words.windows(2).any(|pair| matches!(pair, ["-o" | "--output", "json"]))
        || words.iter().any(|word| matches!(*word, "-ojson" | "-o=json" | "--output=json"))
}
