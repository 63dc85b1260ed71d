//! A mail server on loopback that keeps what it is given, and only over TLS. It has its moods: it
//! says later to `later@…` (450) and `busy@…` (421), never to `never@…` (550), says nothing any more
//! to `silent@…`, and hangs up on `gone@…` once it has the mail and on `cut@…` before.

use std::sync::Arc;
use std::sync::Mutex;

use tenantry::notify::smtp::Settings;
use tokio::io::AsyncBufReadExt;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt as _;
use tokio::io::BufReader;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// How it begins to speak TLS.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tls {
    /// When it is asked to.
    Start,
    /// From the first byte on.
    Wrapped,
    /// Not at all: as if somebody on the way had taken out that it can.
    Withheld,
}

pub(crate) struct PostOffice {
    port: u16,
    tls: Tls,
    certificate: tempfile::NamedTempFile,
    mails: Arc<Mutex<Vec<String>>>,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for PostOffice {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl PostOffice {
    pub(crate) async fn open(tls: Tls) -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let certificate = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(certificate.path(), made.cert.pem()).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mails = Arc::<Mutex<Vec<String>>>::default();
        let kept = Arc::clone(&mails);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, tls, acceptor.clone(), Arc::clone(&kept)));
            }
        });
        Self { port, tls, certificate, mails, serving }
    }

    /// How mail gets here.
    pub(crate) fn settings(&self) -> Settings {
        let scheme = if self.tls == Tls::Wrapped { "smtps" } else { "smtp" };
        Settings {
            smtp_url: Some(format!("{scheme}://localhost:{}", self.port)),
            smtp_ca_file: Some(self.certificate.path().to_owned()),
            ..Settings::default()
        }
    }

    /// All that was taken, as it came.
    pub(crate) fn mails(&self) -> Vec<String> {
        self.mails.lock().unwrap().clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    tls: Tls,
    acceptor: TlsAcceptor,
    kept: Arc<Mutex<Vec<String>>>,
) -> Option<()> {
    if tls == Tls::Wrapped {
        let mut stream = acceptor.accept(stream).await.ok()?;
        stream.write_all(b"220 post office\r\n").await.ok()?;
        return talk(stream, &kept).await;
    }
    stream.write_all(b"220 post office\r\n").await.ok()?;
    begin_tls(&mut stream, tls).await?;
    talk(acceptor.accept(stream).await.ok()?, &kept).await
}

/// In the clear it takes nothing.
async fn begin_tls(stream: &mut TcpStream, tls: Tls) -> Option<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let answer: &[u8] = match line.trim_end().to_uppercase().split(' ').next() {
            Some("EHLO") if tls == Tls::Start => b"250-post office\r\n250 STARTTLS\r\n",
            Some("EHLO") => b"250 post office\r\n",
            Some("STARTTLS") if tls == Tls::Start => {
                stream.write_all(b"220 go on\r\n").await.ok()?;
                return Some(());
            }
            _ => b"530 not in the clear\r\n",
        };
        stream.write_all(answer).await.ok()?;
    }
}

/// Whoever hangs up is served no more.
async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    kept: &Mutex<Vec<String>>,
) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let mut to = String::new();
    loop {
        let line = read_line(&mut stream).await?;
        let command = line.to_lowercase();
        let answer: &[u8] = match &*command {
            _ if command.starts_with("rcpt to:<") => {
                to = command["rcpt to:<".len()..].to_owned();
                match to.split('@').next() {
                    Some("later") => b"450 later\r\n",
                    Some("busy") => b"421 too busy\r\n",
                    Some("never") => b"550 no such box\r\n",
                    Some("cut") => return None,
                    Some("silent") => std::future::pending().await,
                    _ => b"250 fine\r\n",
                }
            }
            "data" => {
                stream.write_all(b"354 go on\r\n").await.ok()?;
                let mut mail = String::new();
                loop {
                    match read_line(&mut stream).await? {
                        end if end == "." => break,
                        line => mail.push_str(&line),
                    }
                    mail.push('\n');
                }
                kept.lock().unwrap().push(mail);
                if to.starts_with("gone@") {
                    return None;
                }
                b"250 taken\r\n"
            }
            _ if command.starts_with("ehlo") => b"250-post office\r\n250 AUTH PLAIN\r\n",
            _ if command.starts_with("auth") => b"235 fine\r\n",
            "quit" => {
                stream.write_all(b"221 bye\r\n").await.ok()?;
                return stream.flush().await.ok();
            }
            _ => b"250 fine\r\n",
        };
        stream.write_all(answer).await.ok()?;
        stream.flush().await.ok()?;
    }
}

async fn read_line(stream: &mut (impl AsyncBufReadExt + Unpin)) -> Option<String> {
    let mut line = String::new();
    let read = stream.read_line(&mut line).await.ok()?;
    (read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
}
