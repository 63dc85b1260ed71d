//! The real API server, where `KUBEBUILDER_ASSETS` names a folder that holds `etcd`,
//! `kube-apiserver` and `kube-controller-manager`: one for the whole test binary, and a namespace
//! for each test, because making a server takes seconds and a namespace nothing.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Api;
use kube::Client;
use kube::Config;
use kube::config::KubeConfigOptions;
use kube::config::Kubeconfig;
use ring::signature::KeyPair as _;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::OnceCell;

use crate::support::skipped;

/// Each line it reads is a program to run; at the end of its input, which comes when the test
/// binary ends in whatever way, it ends them all and removes the directory.
const WATCHDOG: &str = r#"
directory=$1
cd "$directory" || exit 1
exec 3<&0 </dev/null
tether=; command -v setpriv >/dev/null && tether='setpriv --pdeathsig KILL'
while IFS= read -r line <&3; do
  eval "$tether $line" 3<&- & pids="$! $pids"
done
for pid in $pids; do kill -KILL $pid; done
wait
cd / && rm -rf "$directory"
"#;

const PROGRAMS: [&str; 3] = ["etcd", "kube-apiserver", "kube-controller-manager"];
const TOKEN: &str = "loopback-only-token";
const START_WITHIN: Duration = Duration::from_mins(2);

/// A running API server with its controllers, but no nodes: pods stay Pending.
pub(crate) struct RealApiServer {
    /// `https://127.0.0.1:PORT`
    pub(crate) url: String,
    /// Where its kubeconfig lies, for `kubectl` and for our own program.
    pub(crate) kubeconfig_path: PathBuf,
    kubeconfig: Kubeconfig,
    directory: PathBuf,
    watchdog: Watchdog,
}

/// A request as the server's audit log has it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Audited {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`
    pub(crate) verb: String,
    #[serde(rename = "requestURI")]
    pub(crate) path: String,
    #[serde(default)]
    user_agent: String,
    pub(crate) object_ref: Option<AuditedObject>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct AuditedObject {
    /// None for a list and a watch.
    pub(crate) name: Option<String>,
}

/// The server of this test binary, started by the first who asks. `None` after saying that (and
/// why) the real half is skipped.
pub(crate) async fn shared() -> Option<&'static RealApiServer> {
    static SERVER: OnceCell<Result<RealApiServer, String>> = OnceCell::const_new();
    let start = async || match assets() {
        Ok(assets) => Ok(RealApiServer::start(&assets, "").await),
        Err(reason) => Err(reason),
    };
    match SERVER.get_or_init(start).await {
        Ok(server) => Some(server),
        Err(reason) => {
            skipped("it needs the real API server", reason);
            None
        }
    }
}

/// A server for one test alone, which may do with all of it what it likes. It writes down every
/// request. `None` after saying why the real half is skipped.
pub(crate) async fn own() -> Option<RealApiServer> {
    match assets() {
        Ok(assets) => Some(RealApiServer::start(&assets, AUDIT_ARGUMENTS).await),
        Err(reason) => {
            skipped("it needs a real API server of its own", reason);
            None
        }
    }
}

/// A server of one's own as for [`own`] that writes nothing down, to be measured.
pub(crate) async fn unlogged() -> Option<RealApiServer> {
    match assets() {
        Ok(assets) => Some(RealApiServer::start(&assets, "").await),
        Err(reason) => {
            skipped("it needs a real API server of its own", reason);
            None
        }
    }
}

fn assets() -> Result<PathBuf, String> {
    let folder = std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from).ok_or(
        "KUBEBUILDER_ASSETS is not set; let it name a folder with etcd, kube-apiserver and kube-controller-manager",
    )?;
    match PROGRAMS.iter().find(|program| !folder.join(program).is_file()) {
        Some(missing) => {
            Err(format!("KUBEBUILDER_ASSETS={} holds no `{missing}`", folder.display()))
        }
        None => Ok(folder),
    }
}

impl RealApiServer {
    /// A client of its own for each caller: a client's connections belong to one test's runtime.
    pub(crate) async fn client(&self) -> Client {
        let options = KubeConfigOptions::default();
        let config =
            Config::from_custom_kubeconfig(self.kubeconfig.clone(), &options).await.unwrap();
        Client::try_from(config).unwrap()
    }

    /// Creates a namespace that no other test uses, ready for pods. Nobody needs to delete it.
    pub(crate) async fn namespace(&self, prefix: &str) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("{prefix}-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let client = self.client().await;
        let namespace = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
        Api::<Namespace>::all(client.clone())
            .create(&kube::api::PostParams::default(), &namespace)
            .await
            .unwrap();
        wait_for_service_account(&client, &name).await;
        name
    }

    /// Every request that was answered until now and came from a program of this name.
    pub(crate) fn audited(&self, program: &str) -> Vec<Audited> {
        let log = std::fs::read_to_string(self.directory.join("audit.log")).unwrap();
        let all = log.lines().filter_map(|line| serde_json::from_str::<Audited>(line).ok());
        all.filter(|audited| audited.user_agent.starts_with(program)).collect()
    }

    async fn start(assets: &Path, more_arguments: &str) -> Self {
        let directory =
            tempfile::Builder::new().prefix("tenantry-apiserver-").tempdir().unwrap().keep();
        write_keys(&directory);
        std::fs::write(directory.join("audit.yaml"), AUDIT_POLICY).unwrap();
        let [etcd, peers, port] = free_ports();
        let mut watchdog = Watchdog::over(&directory, assets);
        watchdog.run("etcd", &etcd_arguments(etcd, peers));
        watchdog.run("kube-apiserver", &(api_server_arguments(etcd, port) + more_arguments));

        let deadline = Instant::now() + START_WITHIN;
        let url = format!("https://127.0.0.1:{port}");
        // The API server makes its certificate itself; the file ends with the authority's.
        let certificate = wait_for_file(&directory, "certs/apiserver.crt", deadline).await;
        let kubeconfig = kubeconfig_json(&url, &certificate);
        let kubeconfig_path = directory.join("kubeconfig");
        std::fs::write(&kubeconfig_path, kubeconfig.to_string()).unwrap();
        let mut server = Self {
            url,
            kubeconfig_path,
            kubeconfig: serde_json::from_value(kubeconfig).unwrap(),
            directory,
            watchdog,
        };

        let client = server.client().await;
        wait_until_ready(&client, &server.directory, deadline).await;
        server.watchdog.run("kube-controller-manager", CONTROLLER_MANAGER_ARGUMENTS);
        wait_for_service_account(&client, "default").await;
        server
    }
}

struct Watchdog {
    shell: Child,
    assets: PathBuf,
}

impl Watchdog {
    fn over(directory: &Path, assets: &Path) -> Self {
        let shell = Command::new("/bin/sh")
            .args(["-c", WATCHDOG, "tenantry-apiserver"])
            .arg(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        Self { shell, assets: assets.to_owned() }
    }

    fn run(&mut self, program: &str, arguments: &str) {
        let mut stdin = self.shell.stdin.as_ref().unwrap();
        let folder = self.assets.display();
        let line = format!("'{folder}/{program}' {arguments} >{program}.log 2>&1\n");
        stdin.write_all(line.as_bytes()).unwrap();
    }
}

fn etcd_arguments(port: u16, peers: u16) -> String {
    format!(
        "--data-dir etcd --unsafe-no-fsync --log-level error --listen-client-urls http://127.0.0.1:{port} \
         --advertise-client-urls http://127.0.0.1:{port} --listen-peer-urls http://127.0.0.1:{peers}"
    )
}

fn api_server_arguments(etcd: u16, port: u16) -> String {
    format!(
        "--etcd-servers http://127.0.0.1:{etcd} --bind-address 127.0.0.1 --advertise-address 127.0.0.1 \
         --secure-port {port} --cert-dir certs --token-auth-file tokens --authorization-mode RBAC \
         --endpoint-reconciler-type none --service-cluster-ip-range 10.0.0.0/16 \
         --service-account-issuer https://kubernetes.default.svc --service-account-key-file sa.pub \
         --service-account-signing-key-file sa.key"
    )
}

const AUDIT_ARGUMENTS: &str = " --audit-policy-file audit.yaml --audit-log-path audit.log";
const AUDIT_POLICY: &str = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\n\
    rules:\n- level: Metadata\n";

const CONTROLLER_MANAGER_ARGUMENTS: &str = "--kubeconfig kubeconfig --leader-elect=false --port 0 --secure-port 0 \
     --use-service-account-credentials --service-account-private-key-file sa.key \
     --root-ca-file certs/apiserver.crt --kube-api-qps 200 --kube-api-burst 400";

fn kubeconfig_json(url: &str, certificate: &str) -> serde_json::Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "real", "cluster": {
            "server": url,
            "certificate-authority-data": BASE64.encode(certificate),
        }}],
        "users": [{"name": "admin", "user": {"token": TOKEN}}],
        "contexts": [{"name": "real", "context": {"cluster": "real", "user": "admin"}}],
        "current-context": "real",
    })
}

/// The tokens file, and the key that signs the tokens of service accounts.
fn write_keys(directory: &Path) {
    /// What stands before the 65 bytes of a P-256 point in a `SubjectPublicKeyInfo`.
    const PUBLIC_KEY_PREFIX: [u8; 26] = [
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08,
        0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
    ];
    let algorithm = &ring::signature::ECDSA_P256_SHA256_ASN1_SIGNING;
    let random = ring::rand::SystemRandom::new();
    let private = ring::signature::EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    let pair =
        ring::signature::EcdsaKeyPair::from_pkcs8(algorithm, private.as_ref(), &random).unwrap();
    let public = [&PUBLIC_KEY_PREFIX, pair.public_key().as_ref()].concat();
    std::fs::write(directory.join("sa.key"), pem("PRIVATE KEY", private.as_ref())).unwrap();
    std::fs::write(directory.join("sa.pub"), pem("PUBLIC KEY", &public)).unwrap();
    std::fs::write(directory.join("tokens"), format!("{TOKEN},admin,admin,system:masters\n"))
        .unwrap();
}

fn pem(label: &str, der: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    let encoded = BASE64.encode(der);
    for line in encoded.as_bytes().chunks(64) {
        writeln!(text, "{}", std::str::from_utf8(line).unwrap()).unwrap();
    }
    text + &format!("-----END {label}-----\n")
}

fn free_ports<const N: usize>() -> [u16; N] {
    // All bound at once, so that no port comes twice.
    let listeners = [(); N].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

async fn wait_for_file(directory: &Path, name: &str, deadline: Instant) -> String {
    loop {
        match std::fs::read_to_string(directory.join(name)) {
            Ok(text) if !text.is_empty() => return text,
            _ => pause(directory, deadline, name).await,
        }
    }
}

async fn wait_until_ready(client: &Client, directory: &Path, deadline: Instant) {
    loop {
        let request = http::Request::get("/readyz").body(Vec::new()).unwrap();
        if client.request_text(request).await.is_ok() {
            return;
        }
        pause(directory, deadline, "/readyz").await;
    }
}

async fn pause(directory: &Path, deadline: Instant, waiting_for: &str) {
    if Instant::now() > deadline {
        let log = std::fs::read_to_string(directory.join("kube-apiserver.log")).unwrap_or_default();
        let end: Vec<&str> = log.lines().rev().take(15).collect();
        panic!(
            "the real API server shows no {waiting_for} within {START_WITHIN:?}; newest lines of its log:\n{}",
            end.join("\n")
        );
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
}

/// Pods are refused in a namespace before it has its service account.
async fn wait_for_service_account(client: &Client, namespace: &str) {
    let accounts = Api::<ServiceAccount>::namespaced(client.clone(), namespace);
    let deadline = Instant::now() + START_WITHIN;
    while accounts.get_opt("default").await.unwrap().is_none() {
        assert!(Instant::now() < deadline, "no service account `default` in `{namespace}`");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn the_real_api_server_answers_and_makes_namespaces_ready_for_pods() {
    let Some(server) = shared().await else { return };
    let namespace = server.namespace("support").await;
    let client = server.client().await;
    assert_eq!(client.apiserver_version().await.unwrap().minor, "20");
    let accounts = Api::<ServiceAccount>::namespaced(client, &namespace);
    assert!(accounts.get_opt("default").await.unwrap().is_some());
}
