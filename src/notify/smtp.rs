//! Mail leaves by SMTP, over TLS. A password never goes over the wire in the clear, and what a
//! server or a customer says cannot become a header.

use std::path::PathBuf;
use std::time::Duration;
use std::time::SystemTime;

use jiff::Timestamp;
use lettre::AsyncSmtpTransport;
use lettre::AsyncTransport as _;
use lettre::Message;
use lettre::Tokio1Executor;
use lettre::message::Mailbox;
use lettre::message::MultiPart;
use lettre::message::header::Header;
use lettre::message::header::HeaderName;
use lettre::message::header::HeaderValue;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::Certificate;
use lettre::transport::smtp::client::Tls;
use lettre::transport::smtp::client::TlsParameters;
use lettre::transport::smtp::response::Category;
use uuid::Uuid;

use super::Letter;
use crate::model::Secret;

/// How long handing over one mail may take: a server that falls silent holds up no others.
const PATIENCE: Duration = Duration::from_mins(1);

/// Where mail leaves.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(skip)]
#[command(next_help_heading = "Mail")]
pub struct Settings {
    /// Send mail through this server: `smtp://[USER@]HOST[:PORT]` begins with STARTTLS, `smtps://…` with TLS; without one, mails wait
    #[arg(long, value_name = "URL", env = "TENANTRY_SMTP_URL", requires = "portal_url")]
    pub smtp_url: Option<String>,

    /// Read the password for the mail server from this file, or from `TENANTRY_SMTP_PASSWORD`
    #[arg(long, value_name = "FILE", env = "TENANTRY_SMTP_PASSWORD_FILE")]
    pub smtp_password_file: Option<PathBuf>,

    /// Trust the authority in this PEM file for the mail server, beside those of the machine
    #[arg(long, value_name = "FILE", env = "TENANTRY_SMTP_CA_FILE")]
    pub smtp_ca_file: Option<PathBuf>,

    /// The text of `TENANTRY_SMTP_PASSWORD`: never an argument, which every user of the machine could see.
    #[arg(skip = from_environment())]
    pub smtp_password: Option<Secret>,
}

fn from_environment() -> Option<Secret> {
    std::env::var("TENANTRY_SMTP_PASSWORD").ok().map(Secret::new)
}

/// Why no mail can leave.
#[derive(Debug, thiserror::Error)]
pub enum InvalidPost {
    #[error("`{0}` is no address of a mail server: write smtp://USER@HOST:PORT or smtps://HOST")]
    Url(String),
    #[error(
        "the address of the mail server holds a password: put it into a file and name that with --smtp-password-file"
    )]
    PasswordInUrl,
    #[error(
        "`{0}` needs a password at the mail server: write it into a file and name that with --smtp-password-file"
    )]
    NoPassword(String),
    #[error("there is a password for the mail server and no user: write smtp://USER@HOST")]
    NoUser,
    #[error("mail may leave without TLS only to this machine, and {0} is another")]
    Plain(String),
    #[error("{} cannot be read: {source}", .file.display())]
    File { file: PathBuf, source: std::io::Error },
    #[error("TLS to {host} cannot be set up: {why}")]
    Tls { host: String, why: String },
}

/// Why one mail did not leave.
#[derive(Debug, thiserror::Error)]
pub enum Undelivered {
    /// It may work later.
    #[error("the mail cannot be delivered now: {0}")]
    Later(String),
    /// It never will.
    #[error("the mail cannot be delivered: {0}")]
    Never(String),
}

/// Who the mail is from, and where answers go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    pub from: String,
    pub reply_to: Option<String>,
}

/// The way to a mail server.
#[derive(Clone)]
pub struct Post {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    /// How long handing over one mail may take.
    pub patience: Duration,
}

impl std::fmt::Debug for Post {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Post")
    }
}

/// Where a server is.
#[derive(Debug, PartialEq, Eq)]
struct Place<'a> {
    wrapped: bool,
    plain: bool,
    user: Option<&'a str>,
    host: &'a str,
    port: u16,
}

fn place(url: &str) -> Result<Place<'_>, InvalidPost> {
    // Looked for first: what is wrong otherwise is repeated.
    let before_host = url.rsplit_once('@').and_then(|(before, _)| before.rsplit("//").next());
    if before_host.is_some_and(|user| user.contains(':')) {
        return Err(InvalidPost::PasswordInUrl);
    }
    let wrong = || InvalidPost::Url(url.to_owned());
    let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
    let (wrapped, plain, usual) = match scheme {
        "smtps" => (true, false, 465),
        "smtp" => (false, false, 587),
        "smtp+plain" => (false, true, 25),
        _ => return Err(wrong()),
    };
    let (user, server) = match rest.trim_end_matches('/').rsplit_once('@') {
        Some((user, server)) => (Some(user), server),
        None => (None, rest.trim_end_matches('/')),
    };
    let (host, port) = match server.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().map_err(|_| wrong())?),
        None => (server, usual),
    };
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
    if host.is_empty() || !host.bytes().all(fits) || user.is_some_and(str::is_empty) {
        return Err(wrong());
    }
    if plain && !matches!(host, "localhost" | "127.0.0.1") {
        return Err(InvalidPost::Plain(host.to_owned()));
    }
    Ok(Place { wrapped, plain, user, host, port })
}

impl Settings {
    /// The way out; none where no server is named.
    pub fn open(&self) -> Result<Option<Post>, InvalidPost> {
        let Some(url) = &self.smtp_url else { return Ok(None) };
        let place = place(url)?;
        let tls = if place.plain {
            Tls::None
        } else {
            let parameters = self.tls(place.host)?;
            if place.wrapped { Tls::Wrapper(parameters) } else { Tls::Required(parameters) }
        };
        let mut builder =
            AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(place.host.to_owned())
                .port(place.port)
                .tls(tls)
                .timeout(Some(PATIENCE));
        match (place.user, self.password()?) {
            (Some(user), Some(password)) => {
                let password = password.reveal().to_owned();
                builder = builder.credentials(Credentials::new(user.to_owned(), password));
            }
            (Some(user), None) => return Err(InvalidPost::NoPassword(user.to_owned())),
            (None, Some(_)) => return Err(InvalidPost::NoUser),
            (None, None) => {}
        }
        Ok(Some(Post { transport: builder.build(), patience: PATIENCE }))
    }

    fn tls(&self, host: &str) -> Result<TlsParameters, InvalidPost> {
        let wrong = |why: String| InvalidPost::Tls { host: host.to_owned(), why };
        let mut builder = TlsParameters::builder(host.to_owned());
        if let Some(file) = &self.smtp_ca_file {
            let text = read(file)?;
            let authority =
                Certificate::from_pem(text.as_bytes()).map_err(|error| wrong(error.to_string()))?;
            builder = builder.add_root_certificate(authority);
        }
        builder.build_rustls().map_err(|error| wrong(error.to_string()))
    }

    fn password(&self) -> Result<Option<Secret>, InvalidPost> {
        match (&self.smtp_password_file, &self.smtp_password) {
            (Some(file), _) => Ok(Some(Secret::new(read(file)?.trim_end_matches(['\r', '\n'])))),
            (None, password) => Ok(password.clone()),
        }
    }
}

fn read(file: &PathBuf) -> Result<String, InvalidPost> {
    std::fs::read_to_string(file).map_err(|source| InvalidPost::File { file: file.clone(), source })
}

/// Nobody's holiday notice answers what a program wrote (RFC 3834).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

impl Post {
    /// Sends a letter. `id` makes its `Message-ID`, by which a repetition is known as one.
    pub async fn send(
        &self,
        sender: &Sender,
        to: &str,
        letter: &Letter,
        id: Uuid,
        written: Timestamp,
    ) -> Result<(), Undelivered> {
        let message = message(sender, to, letter, id, written)?;
        // The transport's own limit is only for the connection.
        match tokio::time::timeout(self.patience, self.transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) if error.is_permanent() && !is_about_us(&error) => {
                Err(Undelivered::Never(error.to_string()))
            }
            Ok(Err(error)) => Err(Undelivered::Later(error.to_string())),
            Err(_) => Err(Undelivered::Later("it fell silent".to_owned())),
        }
    }
}

/// Whether the server refuses us and not the mail, such as 535 for a wrong password (RFC 4954) and
/// 521 for a server that takes none (RFC 7504): once an operator has set that right, all can go.
fn is_about_us(error: &lettre::transport::smtp::Error) -> bool {
    let about_us = [Category::Unspecified3, Category::Connections];
    error.status().is_some_and(|code| about_us.contains(&code.category))
}

fn message(
    sender: &Sender,
    to: &str,
    letter: &Letter,
    id: Uuid,
    written: Timestamp,
) -> Result<Message, Undelivered> {
    let mailbox =
        |text: &str| text.parse::<Mailbox>().map_err(|_| format!("`{text}` is no address"));
    // What is wrong with the sender can be set right.
    let from = mailbox(&sender.from).map_err(Undelivered::Later)?;
    let host = from.email.domain().to_owned();
    let mut message = Message::builder()
        .from(from)
        .to(mailbox(to).map_err(Undelivered::Never)?)
        .subject(letter.subject.clone())
        .date(SystemTime::from(written))
        .message_id(Some(format!("<{id}@{host}>")))
        .header(AutoSubmitted);
    if let Some(reply_to) = &sender.reply_to {
        message = message.reply_to(mailbox(reply_to).map_err(Undelivered::Later)?);
    }
    let parts = MultiPart::alternative_plain_html(letter.text.clone(), letter.html.clone());
    message.multipart(parts).map_err(|error| Undelivered::Never(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_a_server_says_how_it_is_spoken_to() {
        let known = place("smtp://post@mail.example.com").unwrap();
        assert_eq!((known.user, known.host, known.port), (Some("post"), "mail.example.com", 587));
        assert!(!known.wrapped && !known.plain);
        assert_eq!(place("smtps://mail.example.com/").unwrap().port, 465);
        assert!(place("smtp+plain://127.0.0.1:2525").unwrap().plain);
    }

    #[test]
    fn an_address_that_is_wrong_or_gives_a_password_away_is_refused() {
        for url in ["mail.example.com", "http://x", "smtp://", "smtp://x:port", "smtp://@x"] {
            assert!(matches!(place(url), Err(InvalidPost::Url(_))), "{url}");
        }
        assert!(matches!(place("smtp://a:hunter2@x"), Err(InvalidPost::PasswordInUrl)));
        for url in ["smtp:a:hunter2@x", "http://a:hunter2@x", "a:hunter2@x", "smtp://a:hunter2@x:y"]
        {
            assert!(!place(url).unwrap_err().to_string().contains("hunter2"), "{url}");
        }
        let user_alone = Settings { smtp_url: Some("smtp://a@x".into()), ..Settings::default() };
        assert!(matches!(user_alone.open(), Err(InvalidPost::NoPassword(_))));
        assert!(matches!(place("smtp+plain://mail.example.com"), Err(InvalidPost::Plain(_))));
    }

    #[test]
    fn no_value_becomes_a_header() {
        let sender = Sender { from: "Tenantry <post@example.com>".into(), reply_to: None };
        let letter = Letter {
            subject: "Chào bạn\r\nBcc: everybody@example.com".into(),
            text: "a".into(),
            html: "b".into(),
        };
        let id = Uuid::from_u128(7);
        let sent = message(&sender, "an@example.com", &letter, id, Timestamp::UNIX_EPOCH).unwrap();
        let sent = String::from_utf8(sent.formatted()).unwrap();
        assert!(!sent.lines().any(|line| line.starts_with("Bcc")), "{sent}");
        assert!(sent.contains("Message-ID: <00000000-0000-0000-0000-000000000007@example.com>"));
        assert!(sent.contains("Auto-Submitted: auto-generated"), "{sent}");
        let to = "an@example.com\r\nBcc: everybody@example.com";
        let refused = message(&sender, to, &letter, id, Timestamp::UNIX_EPOCH);
        assert!(matches!(refused, Err(Undelivered::Never(_))));
    }
}
