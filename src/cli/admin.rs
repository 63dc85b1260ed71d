//! `admin`: who may administer the portal. The first admin cannot be made by another one.

use std::io::Read as _;
use std::path::PathBuf;

use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::json;

use crate::accounts::AccountError;
use crate::accounts::Accounts;
use crate::accounts::Role;
use crate::accounts::keys::KeySource;
use crate::model::Secret;
use crate::postgres;
use crate::postgres::Database;

use super::Exit;
use super::Failure;
use super::Output;
use super::failure::Helped as _;

/// A password is no longer than this, in bytes; what is longer is not read.
const LONGEST: u64 = 4096;

/// Make people admins or operators of the portal
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tenantry admin create ada@example.com --name 'Ada Lovelace' < password.txt
  tenantry admin create bob@example.com --role operator --password-file /run/secrets/bob")]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    Create(Create),
}

/// Make an account for somebody who works for the operator, or give a known one the role
///
/// The password is read from standard input or a file, never from an argument, which every user
/// of the machine could see.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  tenantry admin create ada@example.com --name 'Ada Lovelace' < password.txt")]
struct Create {
    /// Their mail address
    email: String,
    /// Their name, as mails call them; the address where absent
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// What they may do
    #[arg(long, value_enum, value_name = "ROLE", default_value = "admin")]
    role: Staff,
    /// Read the password from the first line of this file
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    #[command(flatten)]
    database: postgres::Settings,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Staff {
    Admin,
    Operator,
}

pub(super) async fn run(arguments: &Arguments, output: &Output) -> Result<Exit, Failure> {
    let Command::Create(create) = &arguments.command;
    let password = password(create)?;
    let database = Database::connect(create.database.clone())
        .await
        .or_help("start `tenantry run` once, which prepares the database")?;
    let accounts = Accounts::over(database, KeySource::Database);
    let role = match create.role {
        Staff::Admin => Role::Admin,
        Staff::Operator => Role::Operator,
    };
    let name = create.name.as_deref().unwrap_or(&create.email);
    let account = accounts
        .create_staff(&create.email, name, &password, role, Timestamp::now())
        .await
        .map_err(refused)?;
    output.note(format!("{} is {role} now", create.email));
    output.result(&json!({ "account": account, "role": role }), String::new)?;
    Ok(Exit::Fine)
}

/// Says what to write instead, where that is known.
fn refused(error: AccountError) -> Failure {
    let help = match &error {
        AccountError::Invalid(fields) => {
            let helps: Vec<&str> = fields.iter().map(|field| field.help.as_str()).collect();
            Some(helps.join("; "))
        }
        _ => None,
    };
    match help {
        Some(help) => Failure::from(error).help(help),
        None => error.into(),
    }
}

/// The first line of the file or of standard input.
fn password(create: &Create) -> Result<Secret, Failure> {
    let mut text = String::new();
    match &create.password_file {
        Some(file) => {
            let opened = std::fs::File::open(file)
                .with_context(|| format!("the password cannot be read from {}", file.display()))?;
            opened
                .take(LONGEST)
                .read_to_string(&mut text)
                .with_context(|| format!("the password cannot be read from {}", file.display()))?;
        }
        None => {
            std::io::stdin()
                .take(LONGEST)
                .read_to_string(&mut text)
                .context("the password cannot be read from standard input")?;
        }
    }
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(Secret::new(line)),
        _ => Err(Failure::new("there is no password")
            .help("write it to standard input, or name a file with --password-file")),
    }
}
