//! SSH, with the host keys that a document pins and no others.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use russh::ChannelMsg;
use russh::Disconnect;
use russh::Preferred;
use russh::cipher;
use russh::client;
use russh::kex;
use russh::keys::Algorithm;
use russh::keys::EcdsaCurve;
use russh::keys::HashAlg;
use russh::keys::PrivateKey;
use russh::keys::PrivateKeyWithHashAlg;
use russh::keys::PublicKey;
use russh::keys::PublicKeyOrCertificate;

use crate::model::Document;
use crate::model::Host;
use crate::model::Name;
use crate::plan::host::Script;

use super::error::HostError;
use super::transport::Exit;
use super::transport::Limits;
use super::transport::Transport;

/// How long it may take until a connection stands, and until somebody is let in.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often a silent host is asked whether it is there, and how often in vain.
const KEEPALIVE: (Duration, usize) = (Duration::from_secs(15), 3);
/// How much of what a shell complains about is kept.
const MOST_COMPLAINT: usize = 4096;

/// Where a host is, who it is, and who we are.
#[derive(Clone)]
pub struct Access {
    pub host: Name,
    pub address: String,
    pub port: u16,
    pub user: String,
    pins: Vec<PublicKey>,
    key: Arc<PrivateKey>,
}

impl Access {
    /// Takes what a document says, and the private key in a file.
    pub fn of(host: &Document<Host>, key: &Path) -> Result<Self, HostError> {
        let own = russh::keys::load_secret_key(key, None).map_err(|error| HostError::OwnKey {
            place: key.display().to_string(),
            reason: format!("{error}; an ed25519 key without a passphrase is wanted"),
        })?;
        let pins = host.spec.host_keys.iter().map(|line| pin(&host.name, line));
        Ok(Self {
            host: host.name.clone(),
            address: host.spec.address.clone(),
            port: host.spec.port,
            user: host.spec.user.clone(),
            pins: pins.collect::<Result<_, _>>()?,
            key: Arc::new(own),
        })
    }

    fn place(&self) -> String {
        place(&self.address, self.port)
    }
}

fn place(address: &str, port: u16) -> String {
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}

fn pin(host: &Name, line: &str) -> Result<PublicKey, HostError> {
    let parsed = PublicKey::from_openssh(line.trim());
    parsed.map_err(|error| HostError::Pin {
        host: host.clone(),
        key: line.chars().take(40).collect(),
        reason: error.to_string(),
    })
}

/// A connection to a host.
pub struct Ssh {
    access: Access,
    session: client::Handle<Doorman>,
}

/// Lets in who is pinned, and remembers who was not.
struct Doorman {
    pins: Vec<PublicKey>,
    shown: Arc<Mutex<Option<PublicKey>>>,
}

impl client::Handler for Doorman {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        shown: &PublicKeyOrCertificate,
    ) -> Result<bool, russh::Error> {
        let key = shown.public_key();
        let known = shown.certificate().is_none()
            && self.pins.iter().any(|pin| pin.key_data() == key.key_data());
        *self.shown.lock().expect("nobody panics holding this lock") = Some(key);
        Ok(known)
    }
}

/// The algorithms of host keys that we know, the best first.
const ALGORITHMS: [Algorithm; 4] = [
    Algorithm::Ed25519,
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 },
];

fn configuration(algorithms: Vec<Algorithm>) -> client::Config {
    let preferred = Preferred {
        kex: Cow::Borrowed(&[
            kex::MLKEM768X25519_SHA256,
            kex::CURVE25519,
            kex::CURVE25519_PRE_RFC_8731,
            kex::EXTENSION_SUPPORT_AS_CLIENT,
            kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
        ]),
        key: Cow::Owned(algorithms),
        cipher: Cow::Borrowed(&[
            cipher::CHACHA20_POLY1305,
            cipher::AES_256_GCM,
            cipher::AES_256_CTR,
        ]),
        ..Preferred::default()
    };
    client::Config {
        preferred,
        nodelay: true,
        keepalive_interval: Some(KEEPALIVE.0),
        keepalive_max: KEEPALIVE.1,
        ..client::Config::default()
    }
}

impl Ssh {
    /// Connects, believes no key but those that are pinned, and is let in.
    pub async fn connect(access: Access) -> Result<Self, HostError> {
        let shown = Arc::new(Mutex::new(None));
        let doorman = Doorman { pins: access.pins.clone(), shown: Arc::clone(&shown) };
        // What is pinned is asked for first: otherwise a host with another key besides is refused.
        let mut algorithms: Vec<Algorithm> = access
            .pins
            .iter()
            .map(PublicKey::algorithm)
            .filter(|one| ALGORITHMS.contains(one))
            .collect();
        algorithms.extend(ALGORITHMS);
        let config = Arc::new(configuration(algorithms));
        let connecting = client::connect(config, (access.address.as_str(), access.port), doorman);
        let connected = within(PATIENCE, connecting).await;
        let shown = shown.lock().expect("nobody panics holding this lock").take();
        let mut session = connected.map_err(|error| refused(&access, error, shown.as_ref()))?;
        let key = PrivateKeyWithHashAlg::new(Arc::clone(&access.key), None);
        let asking = session.authenticate_publickey(access.user.clone(), key);
        let answer = within(PATIENCE, asking).await;
        let answer = answer.map_err(|error| refused(&access, error, None))?;
        if !answer.success() {
            let (host, user) = (access.host.clone(), access.user.clone());
            return Err(HostError::Denied { host, user });
        }
        Ok(Self { access, session })
    }

    /// Says good-bye. A connection that is dropped ends as well, without a word.
    pub async fn close(self) {
        let farewell = self.session.disconnect(Disconnect::ByApplication, "done", "en");
        let _ = within(PATIENCE, farewell).await;
    }

    fn cut(&self, doing: &'static str, reason: &impl ToString) -> HostError {
        HostError::Cut { host: self.access.host.clone(), doing, reason: reason.to_string() }
    }

    async fn talk(
        &self,
        script: &Script,
        limits: Limits,
        hear: &mut (dyn FnMut(&[u8]) + Send),
    ) -> Result<Exit, HostError> {
        let doing = limits.doing;
        let lost = |error: russh::Error| self.cut(doing, &error);
        let mut channel = self.session.channel_open_session().await.map_err(lost)?;
        let command = if self.access.user == "root" { "sh" } else { "sudo -n sh" };
        channel.exec(true, command).await.map_err(lost)?;
        channel.data_bytes(script.text().as_bytes().to_vec()).await.map_err(lost)?;
        channel.eof().await.map_err(lost)?;
        let mut exit = Exit { status: None, complaint: String::new() };
        let mut heard = 0;
        while let Some(message) = channel.wait().await {
            match message {
                ChannelMsg::Data { data } => {
                    heard += data.len();
                    self.bound(heard, limits)?;
                    hear(&data);
                }
                ChannelMsg::ExtendedData { data, .. } => {
                    heard += data.len();
                    self.bound(heard, limits)?;
                    let room = MOST_COMPLAINT.saturating_sub(exit.complaint.len());
                    let told = String::from_utf8_lossy(&data[..data.len().min(room)]);
                    exit.complaint.push_str(&told);
                }
                ChannelMsg::ExitStatus { exit_status } => exit.status = Some(exit_status),
                ChannelMsg::Failure => {
                    return Err(self.cut(doing, &"it runs no programs for us"));
                }
                _ => {}
            }
        }
        Ok(exit)
    }

    fn bound(&self, heard: usize, limits: Limits) -> Result<(), HostError> {
        if heard <= limits.bytes {
            return Ok(());
        }
        let host = self.access.host.clone();
        Err(HostError::Overlong { host, doing: limits.doing, limit: limits.bytes })
    }
}

impl Transport for Ssh {
    fn host(&self) -> &Name {
        &self.access.host
    }

    async fn run(
        &self,
        script: &Script,
        limits: Limits,
        hear: &mut (dyn FnMut(&[u8]) + Send),
    ) -> Result<Exit, HostError> {
        let Limits { doing, time: limit, .. } = limits;
        let talked = tokio::time::timeout(limit, self.talk(script, limits, hear)).await;
        let host = self.access.host.clone();
        let exit = talked.unwrap_or(Err(HostError::Silent { host, doing, limit }))?;
        let said = one_line(&exit.complaint);
        match exit.status {
            Some(0) => Ok(exit),
            Some(_) if self.access.user != "root" && said.contains("sudo") => {
                let (host, user) = (self.access.host.clone(), self.access.user.clone());
                Err(HostError::NoSudo { host, user, said })
            }
            Some(status) => {
                let host = self.access.host.clone();
                Err(HostError::Shell { host, doing, status, said })
            }
            None => Err(self.cut(doing, &"it ended without a word")),
        }
    }
}

/// The first words of what a program complained about.
fn one_line(text: &str) -> String {
    let plain: String =
        text.chars().map(|next| if next.is_control() { ' ' } else { next }).collect();
    plain.trim().chars().take(300).collect()
}

/// What went wrong while connecting.
enum Trouble {
    Slow,
    Ssh(russh::Error),
}

async fn within<T>(
    limit: Duration,
    doing: impl Future<Output = Result<T, russh::Error>>,
) -> Result<T, Trouble> {
    match tokio::time::timeout(limit, doing).await {
        Ok(done) => done.map_err(Trouble::Ssh),
        Err(_) => Err(Trouble::Slow),
    }
}

fn refused(access: &Access, trouble: Trouble, shown: Option<&PublicKey>) -> HostError {
    let host = access.host.clone();
    match (trouble, shown) {
        (Trouble::Ssh(russh::Error::UnknownKey), Some(key)) => HostError::UnknownKey {
            host,
            address: access.place(),
            algorithm: key.algorithm().to_string(),
            fingerprint: key.fingerprint(HashAlg::Sha256).to_string(),
            line: key.to_openssh().unwrap_or_default(),
        },
        (Trouble::Ssh(russh::Error::NoCommonAlgo { kind, theirs, .. }), _) => {
            let theirs: String = theirs.join(", ").chars().take(300).collect();
            HostError::NothingInCommon { host, what: format!("{kind:?}"), theirs }
        }
        (Trouble::Ssh(error), _) => HostError::Unreachable {
            host,
            address: access.place(),
            reason: one_line(&error.to_string()),
        },
        (Trouble::Slow, _) => HostError::Unreachable {
            host,
            address: access.place(),
            reason: format!("it does not answer within {PATIENCE:?}"),
        },
    }
}

/// The host keys that a machine shows, as they stand in a document, with their fingerprints.
/// Nobody has looked whether it is the machine that is meant.
pub async fn scan(address: &str, port: u16) -> Result<Vec<(String, String)>, String> {
    let mut keys = Vec::new();
    let mut why = "it shows no key that we know".to_owned();
    for algorithm in ALGORITHMS {
        let shown = Arc::new(Mutex::new(None));
        let doorman = Doorman { pins: Vec::new(), shown: Arc::clone(&shown) };
        let config = Arc::new(configuration(vec![algorithm]));
        let tried = within(PATIENCE, client::connect(config, (address, port), doorman)).await;
        let shown = shown.lock().expect("nobody panics holding this lock").take();
        match (shown, tried) {
            (Some(key), _) => keys.push((
                key.to_openssh().unwrap_or_default(),
                key.fingerprint(HashAlg::Sha256).to_string(),
            )),
            // It has no key of this algorithm.
            (None, Err(Trouble::Ssh(russh::Error::NoCommonAlgo { .. }))) => {}
            (None, Err(Trouble::Ssh(error))) => {
                why = one_line(&error.to_string());
                break;
            }
            (None, _) => {
                why = format!("it does not answer within {PATIENCE:?}");
                break;
            }
        }
    }
    if keys.is_empty() { Err(format!("{}: {why}", place(address, port))) } else { Ok(keys) }
}
