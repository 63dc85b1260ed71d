//! A thousand tenants of twelve objects onto the real API server: by the daemon, by
//! `kubectl apply --server-side`, and by a loop that sends the same patches and does nothing else.
//!
//! Each of the three has a server of its own that begins empty, and they take turns, a share of
//! the tenants each time: what else the machine does falls on all of them. Only the twelve are
//! counted as objects; the daemon's time has the commit to be fetched, read and rendered in it,
//! and an inventory of each tenant to be written before its objects. It ends when all of them are
//! there; what inventories say of them afterwards is written when nobody waits any more, and told
//! apart. The loop is told twice: what it needs for the objects alone, and what for all that the
//! daemon sends before they are there, an inventory of each tenant among it.
//!
//! `BENCH_APPLY_TENANTS` (1000) and `BENCH_APPLY_TURNS` (5) make it smaller.

use std::path::Path;
use std::process::Command;
use std::time::Duration;
use std::time::Instant;

use futures_util::StreamExt as _;
use futures_util::stream;
use http::Request;
use kube::Client;
use kube::client::Body;
use tempfile::TempDir;
use tenantry::apply::cluster::inventory;
use tenantry::apply::cluster::marked;
use tenantry::model::Commit;
use tenantry::model::Resource;
use tenantry::model::Snapshot;
use tenantry::model::UnitName;
use tenantry::plan::Entry;
use tenantry::plan::Inventory;
use tenantry::reconcile::desired::Desired;
use tenantry::reconcile::desired::advance;

use crate::support::hosting::Hosting;
use crate::support::hosting::Package;
use crate::support::hosting::Place;
use crate::support::measure::on_cores_of;
use crate::support::measure::ratio;
use crate::support::measure::runtime;
use crate::support::measure::size;
use crate::support::measure::told;
use crate::support::real_api_server;
use crate::support::real_api_server::RealApiServer;
use crate::support::repository;

/// The version that the real API server has.
pub(crate) const REAL_VERSION: &str = "1.20";
const IN_FLIGHT: usize = 32;
/// How often a commit that changes nothing is measured.
const REMARKS: usize = 5;
/// What every namespace gets from the server's own controllers.
const AUTHORITIES: &str = "/api/v1/configmaps?fieldSelector=metadata.name%3Dkube-root-ca.crt";
const TOKENS: &str = "/api/v1/secrets?fieldSelector=type%3Dkubernetes.io/service-account-token";
const QUIET_WITHIN: Duration = Duration::from_mins(2);

pub(crate) fn run() {
    runtime().block_on(measure());
}

async fn measure() {
    let Some(ours) = real_api_server::unlogged().await else { return };
    let Some(theirs) = real_api_server::unlogged().await else { return };
    let Some(floors) = real_api_server::unlogged().await else { return };
    let turns = size("BENCH_APPLY_TURNS", 5).max(1);
    let share = (size("BENCH_APPLY_TENANTS", 1_000) / turns).max(1);
    let tenants = share * turns;
    let objects = tenants * Package::Twelve.objects();
    println!("  {tenants} tenants, {objects} objects, in {turns} turns");

    let kubeconfig = std::fs::read_to_string(&ours.kubeconfig_path).expect("it was just written");
    let place = Place { kubeconfig: &kubeconfig, version: REAL_VERSION };
    let mut hosting = Hosting::start(&place, Package::Twelve).await;
    let kubectl = Kubectl::new(&theirs);
    let client = floors.client().await;

    let (mut took, mut bookkeeping) = ([Duration::ZERO; 3], Duration::ZERO);
    let mut inventories = Duration::ZERO;
    let cores = on_cores_of(hosting.daemon.process_id());
    for turn in 0..turns {
        let patches = patches(turn * share, share);
        let commit = hosting.prepare(share);
        kubectl.write(turn, &patches);
        for place in 0..3 {
            // Who is first in a turn has the quietest machine, so everybody is in turn.
            let who = (turn + place) % 3;
            took[who] += match who {
                0 => {
                    let (there, settled) = daemon_applies(&hosting, &commit).await;
                    bookkeeping += settled.saturating_sub(there);
                    there
                }
                1 => kubectl.applies(Some(turn), share),
                _ => {
                    let parents = parents(turn * share, share);
                    let loops = loop_sends(&client, patches.clone(), parents).await;
                    inventories += loops.inventories;
                    loops.objects
                }
            };
            quiet([&ours, &theirs, &floors][who]).await;
        }
    }
    let cores = on_cores_of(hosting.daemon.process_id()).saturating_sub(cores);
    let [new, kubectl_new, floor] = took;
    let rate = |took: Duration| objects as f64 / took.as_secs_f64();
    println!("  new: bare loop    {:.0} objects a second ({floor:.1?})", rate(floor));
    println!("    inventories     {inventories:.1?} more");
    println!("  new: tenantry     {:.0} objects a second ({new:.1?})", rate(new));
    println!("    bookkeeping     {bookkeeping:.1?} after that");
    println!("    on cores        {cores:.1?} of the daemon's own");
    println!("  new: kubectl      {:.0} objects a second ({kubectl_new:.1?})", rate(kubectl_new));

    let mut remarks = Vec::new();
    for number in 0..REMARKS {
        let commit = hosting.prepare_remark(number % tenants);
        remarks.push(daemon_applies(&hosting, &commit).await.1);
    }
    let kubectl_again = kubectl.applies(None, tenants);
    println!("  unchanged: a commit    {}", told(remarks.clone()));
    println!("  unchanged: kubectl     {kubectl_again:.1?}");
    let commit = hosting.repository.head();
    let start = Instant::now();
    let hosting = hosting.restart().await;
    hosting.converged(&commit).await;
    let restarted = start.elapsed();
    println!("  unchanged: a new daemon {restarted:.1?}, which first has to see everything");

    remarks.sort();
    println!(
        "summary: {tenants} tenants of {} objects onto the real API server: {:.0} % of a bare loop that sends all that is sent, {:.0} % of one that sends the objects alone, and {:.2} times as fast as kubectl; {:.0} times as fast as kubectl when nothing changed, {:.0} times by a daemon that was just started",
        Package::Twelve.objects(),
        100.0 * ratio(floor + inventories, new),
        100.0 * ratio(floor, new),
        ratio(kubectl_new, new),
        ratio(kubectl_again, remarks[REMARKS / 2]),
        ratio(kubectl_again, restarted),
    );
}

/// From a commit that is there to all of its tenants converged, and to nothing left to write.
async fn daemon_applies(hosting: &Hosting, commit: &Commit) -> (Duration, Duration) {
    let start = Instant::now();
    hosting.push(commit).await;
    hosting.all_there().await;
    let there = start.elapsed();
    hosting.converged(commit).await;
    (there, start.elapsed())
}

/// What is asked for of some of the tenants.
fn asked_for(first: usize, count: usize) -> Desired {
    let tenants = (first..first + count)
        .flat_map(|number| repository::tenant_with(number, &[Package::Twelve.name()]));
    let files = repository::shared_files_for(REAL_VERSION).into_iter().chain(tenants);
    let desired = advance(None, &Snapshot::of(Commit::new("some"), files), jiff::Timestamp::now());
    assert!(desired.held.is_empty(), "{:?}", desired.held.first_key_value());
    desired
}

/// What the daemon sends before the objects of a tenant: the inventory that lists them.
fn parents(first: usize, count: usize) -> Vec<String> {
    let units = asked_for(first, count).units;
    let bodies = units.iter().map(|(name, unit)| {
        let announced =
            unit.outlines.iter().map(|outline| (outline.id.clone(), Entry::announced(outline)));
        let inventory = Inventory { entries: announced.collect(), ..Inventory::default() };
        inventory::object(name, &inventory).to_string()
    });
    bodies.collect()
}

/// What the daemon sends for the objects of some of the tenants.
fn patches(first: usize, count: usize) -> Vec<Patch> {
    let patches: Vec<Patch> = asked_for(first, count)
        .units
        .iter()
        .flat_map(|(name, unit)| {
            let bodies = unit.bodies().expect("it was rendered a moment ago");
            bodies.resources.into_iter().map(|resource| Patch::of(name, &resource))
        })
        .collect();
    assert_eq!(patches.len(), count * Package::Twelve.objects());
    patches
}

/// A request of the daemon's.
#[derive(Clone)]
struct Patch {
    unit: UnitName,
    path: String,
    is_namespace: bool,
    body: String,
    yaml: String,
}

impl Patch {
    fn of(unit: &UnitName, resource: &Resource) -> Self {
        let id = &resource.id;
        let (base, plural) = match &*id.kind {
            "Namespace" => ("/api/v1", "namespaces"),
            "ResourceQuota" => ("/api/v1", "resourcequotas"),
            "LimitRange" => ("/api/v1", "limitranges"),
            "ConfigMap" => ("/api/v1", "configmaps"),
            "Secret" => ("/api/v1", "secrets"),
            "Service" => ("/api/v1", "services"),
            "NetworkPolicy" => ("/apis/networking.k8s.io/v1", "networkpolicies"),
            other => panic!("the twelve have no {other}"),
        };
        let object = if id.is_namespace() {
            format!("{base}/{plural}/{}", id.name)
        } else {
            format!("{base}/namespaces/{}/{plural}/{}", id.namespace, id.name)
        };
        let body = marked(unit, resource);
        Self {
            unit: unit.clone(),
            path: format!("{object}?fieldManager=tenantry&force=true&fieldValidation=Strict"),
            is_namespace: id.is_namespace(),
            body: body.to_string(),
            yaml: serde_yaml::to_string(&body).expect("what came from YAML goes back"),
        }
    }
}

/// What the bare loop needed.
struct Loop {
    objects: Duration,
    inventories: Duration,
}

/// The floor: the namespaces, the inventories, then all the rest, so many at once.
async fn loop_sends(client: &Client, patches: Vec<Patch>, parents: Vec<String>) -> Loop {
    create_our_namespace(client).await;
    let (namespaces, rest): (Vec<_>, Vec<_>) =
        patches.into_iter().partition(|patch| patch.is_namespace);
    let patch = |patch: Patch| {
        let request =
            Request::patch(patch.path).header("content-type", "application/apply-patch+yaml");
        request.body(patch.body.into_bytes().into()).expect("paths are well formed")
    };
    let parent = |body: String| {
        let path = format!("{}?fieldManager=tenantry", inventory::collection());
        let request = Request::post(path).header("content-type", "application/json");
        request.body(body.into_bytes().into()).expect("paths are well formed")
    };
    let mut objects = send_all(client, namespaces.into_iter().map(patch)).await;
    let inventories = send_all(client, parents.into_iter().map(parent)).await;
    objects += send_all(client, rest.into_iter().map(patch)).await;
    Loop { objects, inventories }
}

async fn create_our_namespace(client: &Client) {
    let body = format!(
        r#"{{"apiVersion":"v1","kind":"Namespace","metadata":{{"name":"{}"}}}}"#,
        inventory::NAMESPACE
    );
    let request = Request::post("/api/v1/namespaces").header("content-type", "application/json");
    let request = request.body(body.into_bytes().into()).expect("paths are well formed");
    let answer = client.send(request).await.expect("the server answers");
    assert!([201, 409].contains(&answer.status().as_u16()), "{}", answer.status());
}

async fn send_all(client: &Client, requests: impl Iterator<Item = Request<Body>>) -> Duration {
    let requests: Vec<_> = requests.collect();
    let start = Instant::now();
    stream::iter(requests).for_each_concurrent(IN_FLIGHT, |request| send(client, request)).await;
    start.elapsed()
}

async fn send(client: &Client, request: Request<Body>) {
    let answer = client.send(request).await.expect("the server answers");
    assert!(answer.status().is_success(), "{}", answer.status());
    answer.into_body().collect_bytes().await.expect("the answer has an end");
}

/// `kubectl` with the files of the tenants.
struct Kubectl<'a> {
    server: &'a RealApiServer,
    folder: TempDir,
}

impl<'a> Kubectl<'a> {
    fn new(server: &'a RealApiServer) -> Self {
        let folder = tempfile::tempdir().expect("there is room for the files");
        let kubectl = Self { server, folder };
        // What it asks a server once and then remembers is not measured.
        let output = kubectl.command().args(["get", "namespaces"]).output();
        let output = output.expect("`kubectl` is on the PATH");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        kubectl
    }

    fn command(&self) -> Command {
        let mut command = Command::new("kubectl");
        command.arg("--kubeconfig").arg(&self.server.kubeconfig_path);
        command.arg("--cache-dir").arg(self.folder.path().join("cache"));
        command
    }

    fn files(&self, turn: Option<usize>) -> std::path::PathBuf {
        let files = self.folder.path().join("files");
        turn.map_or(files.clone(), |turn| files.join(format!("turn-{turn}")))
    }

    /// Writes a file for each tenant.
    fn write(&self, turn: usize, patches: &[Patch]) {
        let folder = self.files(Some(turn));
        std::fs::create_dir_all(&folder).expect("it is a folder of our own");
        for tenant in patches.chunk_by(|one, other| one.unit == other.unit) {
            let documents: Vec<&str> = tenant.iter().map(|patch| &*patch.yaml).collect();
            write(&folder.join(format!("{}.yaml", tenant[0].unit)), &documents.join("---\n"));
        }
    }

    /// Applies the files of one turn, or of all.
    fn applies(&self, turn: Option<usize>, tenants: usize) -> Duration {
        let mut command = self.command();
        command.args(["apply", "--server-side", "--recursive", "-f"]).arg(self.files(turn));
        let start = Instant::now();
        let output = command.output().expect("`kubectl` is on the PATH");
        let took = start.elapsed();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let applied = String::from_utf8_lossy(&output.stdout).lines().count();
        assert_eq!(applied, tenants * Package::Twelve.objects());
        took
    }
}

fn write(file: &Path, text: &str) {
    std::fs::write(file, text).expect("it is a folder of our own");
}

/// Waits until the server's own controllers have made what every namespace gets from them.
async fn quiet(server: &RealApiServer) {
    let client = server.client().await;
    let count = async |path: &str| {
        let request = Request::get(path).body(Vec::new()).expect("paths are well formed");
        let list: serde_json::Value = client.request(request).await.expect("it can be listed");
        list["items"].as_array().map_or(0, Vec::len)
    };
    let deadline = Instant::now() + QUIET_WITHIN;
    loop {
        let namespaces = count("/api/v1/namespaces").await;
        let authorities = count(AUTHORITIES).await;
        if authorities == namespaces && count(TOKENS).await >= namespaces {
            return;
        }
        assert!(Instant::now() < deadline, "the server's controllers do not come to rest");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
