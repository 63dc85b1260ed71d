//! A mail server that nobody here wrote: `aiosmtpd`, with STARTTLS and a password.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tenantry::model::Secret;
use tenantry::notify::smtp;
use tenantry::notify::smtp::Undelivered;
use tenantry::outbox::Mail;
use tokio::io::AsyncBufReadExt as _;
use tokio::io::BufReader;
use tokio::process::Child;
use tokio::process::Command;
use uuid::Uuid;

use super::sending::sender;
use crate::support::mail::house;
use crate::support::pypi;
use crate::support::skipped;

const SERVER: &str = r#"
import ssl, sys, time
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
class Keep:
    async def handle_DATA(self, server, session, envelope):
        with open(sys.argv[1] + "/mail", "ab") as file:
            file.write(envelope.content + b"\n")
        return "250 taken"
def knows(server, session, envelope, mechanism, data):
    return AuthResult(success=data.login == b"post" and data.password == b"hunter2", handled=False)
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(sys.argv[1] + "/server.pem", sys.argv[1] + "/server.key")
controller = Controller(Keep(), hostname="127.0.0.1", port=int(sys.argv[2]), tls_context=tls, require_starttls=True, authenticator=knows, auth_required=True)
controller.start()
print("ready", flush=True)
time.sleep(600)
"#;

/// The server, listening; nothing after saying why it is not there.
async fn server(folder: &Path, port: u16) -> Option<Child> {
    let programs = pypi::installed(folder, "aiosmtpd", "1.4.6").await?;
    let certificate = [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
        "-keyout",
    ];
    let (key, pem) = (folder.join("server.key"), folder.join("server.pem"));
    let (key, pem) = (key.to_string_lossy(), pem.to_string_lossy());
    let arguments: Vec<&str> = certificate.into_iter().chain([&*key, "-out", &*pem]).collect();
    if !pypi::succeeds("openssl", &arguments).await {
        skipped("it needs a certificate", "openssl is not there");
        return None;
    }
    let mut child = Command::new(programs.join("python"))
        .args(["-c", SERVER, &folder.to_string_lossy(), &port.to_string()])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ready = tokio::time::timeout(Duration::from_mins(1), lines.next_line()).await;
    assert_eq!(ready.unwrap().unwrap().as_deref(), Some("ready"));
    Some(child)
}

#[tokio::test]
async fn a_letter_reaches_a_server_that_somebody_else_wrote_over_starttls() {
    let folder = tempfile::tempdir().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let Some(_server) = server(folder.path(), port).await else { return };

    let mut settings = smtp::Settings {
        smtp_url: Some(format!("smtp://post@localhost:{port}")),
        smtp_ca_file: Some(folder.path().join("server.pem")),
        smtp_password: Some(Secret::new("hunter2")),
        ..smtp::Settings::default()
    };
    let (template, to) = ("welcome".to_owned(), "an@acme.example".to_owned());
    let values = json!({ "name": "Nguyễn Văn An" });
    let letter = house().write(&Mail { template, to: to.clone(), language: "vi".into(), values });
    let letter = letter.unwrap();
    let id = Uuid::now_v7();
    let post = settings.open().unwrap().unwrap();
    post.send(&sender(), &to, &letter, id, Timestamp::now()).await.unwrap();
    let kept = std::fs::read_to_string(folder.path().join("mail")).unwrap();
    assert!(kept.contains(&id.to_string()) && kept.contains("Content-Type: text/html"), "{kept}");

    settings.smtp_password = Some(Secret::new("wrong"));
    let post = settings.open().unwrap().unwrap();
    let refused = post.send(&sender(), &to, &letter, id, Timestamp::now()).await.unwrap_err();
    // The mail is as good as before: it waits for the operator.
    assert!(matches!(refused, Undelivered::Later(_)), "{refused}");
    assert!(refused.to_string().contains("535") && !refused.to_string().contains("wrong"));

    // Whoever pretends to be the server does not get the password.
    settings.smtp_ca_file = None;
    let post = settings.open().unwrap().unwrap();
    let refused = post.send(&sender(), &to, &letter, id, Timestamp::now()).await.unwrap_err();
    assert!(matches!(refused, Undelivered::Later(_)), "{refused}");
}
