//! The parent objects: one ConfigMap per unit that lists what the unit owns, in the ApplySet
//! convention (KEP-3659), so that other tools understand it, too.
//!
//! It is written before what it lists, and only on top of the version that it was made from: of
//! two daemons that write at once, one is told to read again, and no entry is lost.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use serde::Deserialize;
use serde::Serialize;
use serde_json::json;
use sha2::Digest as _;
use sha2::Sha256;

use crate::apply::error::ApplyError;
use crate::model::ResourceId;
use crate::model::UnitName;
use crate::model::marks;
use crate::plan::Entry;
use crate::plan::Inventory;

use super::Cluster;
use super::connection::Call;
use super::connection::JSON;
use super::connection::escaped;
use super::kinds::Kind;
use super::observe::Metadata;
use super::observe::version;
use super::store::Parent;

/// Where all parent objects stand.
pub const NAMESPACE: &str = "tenantry-system";
/// The label that makes a ConfigMap a parent object.
pub(super) const ID_LABEL: &str = "applyset.kubernetes.io/id";
/// Where in its data the list stands.
const KEY: &str = "inventory.json";
/// The most that the API server takes as the data of a ConfigMap.
const CAPACITY: usize = 1 << 20;

/// How the unit is called in labels and names, in which `/` may not stand.
pub(super) fn handle(unit: &UnitName) -> String {
    match unit {
        UnitName::Tenant(name) => name.to_string(),
        UnitName::Host(name) => format!("host.{name}"),
    }
}

pub(super) fn unit_of(handle: &str) -> Option<UnitName> {
    match handle.strip_prefix("host.") {
        Some(host) => host.parse().ok().map(UnitName::Host),
        None => handle.parse().ok().map(UnitName::Tenant),
    }
}

fn name(unit: &UnitName) -> String {
    format!("inventory-{}", handle(unit))
}

/// The id of a unit's parent object, which its members carry.
pub fn applyset_id(unit: &UnitName) -> String {
    let identity = format!("{}.{NAMESPACE}.ConfigMap.", name(unit));
    format!("applyset-{}-v1", URL_SAFE_NO_PAD.encode(Sha256::digest(identity)))
}

/// How full the inventory is, in percent of what an object can hold.
pub fn fullness(inventory: &Inventory) -> usize {
    encode(inventory).len() * 100 / CAPACITY
}

#[derive(Deserialize)]
struct Document {
    entries: BTreeMap<ResourceId, Entry>,
}

#[derive(Serialize)]
struct DocumentRef<'a> {
    entries: &'a BTreeMap<ResourceId, Entry>,
}

fn encode(inventory: &Inventory) -> String {
    serde_json::to_string(&DocumentRef { entries: &inventory.entries })
        .expect("entries have string keys and plain values")
}

pub(super) fn decode(text: &str) -> Result<BTreeMap<ResourceId, Entry>, serde_json::Error> {
    serde_json::from_str::<Document>(text).map(|document| document.entries)
}

/// A parent object as it is read.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct SeenParent {
    pub(super) metadata: Metadata,
    data: BTreeMap<String, String>,
}

impl SeenParent {
    /// The unit that its name speaks of.
    pub(super) fn named_unit(&self) -> Option<UnitName> {
        unit_of(self.metadata.name.strip_prefix("inventory-")?)
    }

    /// The unit whose parent object it is.
    pub(super) fn unit(&self) -> Option<UnitName> {
        let unit = self.named_unit()?;
        let id = self.metadata.labels.get(ID_LABEL)?;
        (*id == applyset_id(&unit)).then_some(unit)
    }

    pub(super) fn parent(&self, round: u32) -> Parent {
        Parent {
            uid: self.metadata.uid.clone(),
            version: version(&self.metadata.resource_version),
            text: self.data.get(KEY).map_or("", |text| text).into(),
            round,
            unusual: Box::default(),
        }
    }
}

/// The parent object that lists what the inventory says.
pub fn object(unit: &UnitName, inventory: &Inventory) -> serde_json::Value {
    let in_cluster = || inventory.entries.keys().map(Kind::of).filter(Kind::is_in_cluster);
    let kinds: BTreeSet<String> = in_cluster().map(|kind| kind.to_string()).collect();
    let namespaces: BTreeSet<&str> = inventory
        .entries
        .keys()
        .filter(|id| Kind::of(id).is_in_cluster())
        .map(|id| &*id.namespace)
        .filter(|namespace| !namespace.is_empty() && *namespace != NAMESPACE)
        .collect();
    let join = |parts: &mut dyn Iterator<Item = &str>| parts.collect::<Vec<&str>>().join(",");
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name(unit),
            "namespace": NAMESPACE,
            "uid": inventory.uid,
            "resourceVersion": inventory.version,
            "labels": {(ID_LABEL): applyset_id(unit), (marks::UNIT): handle(unit)},
            "annotations": {
                "applyset.kubernetes.io/tooling": concat!("tenantry/v", env!("CARGO_PKG_VERSION")),
                "applyset.kubernetes.io/contains-group-kinds": join(&mut kinds.iter().map(String::as_str)),
                "applyset.kubernetes.io/additional-namespaces": join(&mut namespaces.into_iter()),
            },
        },
        "data": {(KEY): encode(inventory)},
    })
}

/// `/api/v1/namespaces/tenantry-system/configmaps`
pub fn collection() -> String {
    format!("/api/v1/namespaces/{NAMESPACE}/configmaps")
}

fn place(unit: &UnitName) -> String {
    format!("{}/{}", collection(), escaped(&name(unit)))
}

impl Cluster {
    /// Reads a unit's inventory; an empty one where there is none.
    pub async fn inventory(&self, unit: &UnitName) -> Result<Inventory, ApplyError> {
        let what = format!("reading the inventory of `{unit}`");
        let read = self.connection().read(&what, &Call::get(place(unit))).await;
        let seen: SeenParent = match read {
            Err(error) if error.is_not_found() => return Ok(Inventory::default()),
            read => read?,
        };
        seen.parent(0).inventory().map_err(|error| unreadable(unit, &error))
    }

    /// Writes a unit's inventory on top of the version that it was read at, and returns it with
    /// the version that it has now.
    pub async fn write_inventory(
        &self,
        unit: &UnitName,
        inventory: &Inventory,
    ) -> Result<Inventory, ApplyError> {
        let body = object(unit, inventory).to_string().into_bytes();
        let written = match inventory.version {
            None => self.create_inventory(unit, &body).await,
            Some(_) => self.replace_inventory(unit, &body).await,
        };
        let seen: SeenParent = written.map_err(|error| moved(unit, error))?;
        let written = Inventory {
            uid: Some(seen.metadata.uid.clone()),
            version: Some(seen.metadata.resource_version.clone()),
            entries: inventory.entries.clone(),
        };
        self.store().wrote_parent(unit, seen.parent(0), &inventory.entries);
        Ok(written)
    }

    /// Removes the inventory of a unit that owns nothing any more.
    pub async fn delete_inventory(
        &self,
        unit: &UnitName,
        inventory: &Inventory,
    ) -> Result<(), ApplyError> {
        if inventory.uid.is_none() {
            // It was never written; if there is one by now, it is somebody else's.
            return Ok(());
        }
        let body = json!({
            "apiVersion": "v1", "kind": "DeleteOptions",
            "preconditions": {"uid": inventory.uid, "resourceVersion": inventory.version},
        });
        let body = body.to_string().into_bytes();
        let what = format!("removing the inventory of `{unit}`");
        let call = Call::with(Method::DELETE, place(unit), JSON, &body);
        match self.connection().send(&what, &call).await {
            Err(error) if !error.is_not_found() => Err(moved(unit, error)),
            _ => {
                self.store().lost_parent(unit, u64::MAX);
                Ok(())
            }
        }
    }

    async fn create_inventory(
        &self,
        unit: &UnitName,
        body: &[u8],
    ) -> Result<SeenParent, ApplyError> {
        let what = format!("writing the inventory of `{unit}`");
        let path = format!("{}?fieldManager={}", collection(), marks::TENANTRY);
        let call = Call::with(Method::POST, path, JSON, body);
        match self.connection().read(&what, &call).await {
            // The first of all inventories finds no namespace.
            Err(error) if error.is_not_found() => {
                self.create_our_namespace().await?;
                self.connection().read(&what, &call).await
            }
            written => written,
        }
    }

    async fn replace_inventory(
        &self,
        unit: &UnitName,
        body: &[u8],
    ) -> Result<SeenParent, ApplyError> {
        let what = format!("writing the inventory of `{unit}`");
        let path = format!("{}?fieldManager={}", place(unit), marks::TENANTRY);
        self.connection().read(&what, &Call::with(Method::PUT, path, JSON, body)).await
    }

    async fn create_our_namespace(&self) -> Result<(), ApplyError> {
        let body =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
        let body = body.to_string().into_bytes();
        let call = Call::with(Method::POST, "/api/v1/namespaces".into(), JSON, &body);
        let what = format!("creating the namespace `{NAMESPACE}`");
        match self.connection().send(&what, &call).await {
            Err(error) if !error.is_conflict() => Err(error),
            _ => Ok(()),
        }
    }
}

/// Somebody else wrote, made or removed it meanwhile.
fn moved(unit: &UnitName, error: ApplyError) -> ApplyError {
    if error.is_conflict() || error.is_not_found() {
        ApplyError::InventoryMoved { unit: unit.to_string() }
    } else {
        error
    }
}

pub(super) fn unreadable(unit: &UnitName, error: &serde_json::Error) -> ApplyError {
    ApplyError::Inventory {
        unit: unit.to_string(),
        place: format!("ConfigMap/{NAMESPACE}/{}", name(unit)),
        reason: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::resource::OnDelete;
    use crate::model::resource::Stage;

    fn acme() -> UnitName {
        "acme".parse().unwrap()
    }

    fn inventory(count: usize) -> Inventory {
        let digest = crate::model::Digest::of(b"x");
        let entry = Entry {
            api_version: "apps/v1".into(),
            subscription: Some("school".parse().unwrap()),
            stage: Stage::Services,
            on_delete: OnDelete::Delete,
            rendered: Some(digest),
            owned: Some(digest),
            leaving: false,
            begins_before: None,
        };
        let id = |n| ResourceId::new("apps", "Deployment", "kiteclass-acme", &format!("web-{n}"));
        let entries = (0..count).map(|n| (id(n), entry.clone())).collect();
        Inventory { entries, ..Inventory::default() }
    }

    #[test]
    fn the_id_of_a_parent_is_the_one_that_kubectl_would_compute() {
        // printf %s inventory-acme.tenantry-system.ConfigMap. | sha256sum | xxd -r -p | basenc --base64url
        assert_eq!(applyset_id(&acme()), "applyset-rviGdiDFsyxz5dsBnVB_7gt4xAOG-R-C-LkZZRQ_3Ms-v1");
    }

    #[test]
    fn a_unit_is_found_by_its_handle() {
        for text in ["acme", "host/kkt-1"] {
            let unit: UnitName = text.parse().unwrap();
            assert_eq!(unit_of(&handle(&unit)), Some(unit));
        }
        assert_eq!(unit_of(""), None);
    }

    #[test]
    fn what_was_encoded_is_decoded() {
        let inventory = inventory(3);
        assert_eq!(decode(&encode(&inventory)).unwrap(), inventory.entries);
    }

    #[test]
    fn a_big_tenant_fills_little_of_it() {
        assert_eq!(fullness(&Inventory::default()), 0);
        assert!(fullness(&inventory(200)) < 6, "{}", fullness(&inventory(200)));
        assert!(
            (90..130).contains(&fullness(&inventory(4_500))),
            "{}",
            fullness(&inventory(4_500))
        );
    }

    #[test]
    fn the_parent_names_the_kinds_and_namespaces_of_its_members() {
        let mut inventory = inventory(1);
        let entry = inventory.entries.values().next().unwrap().clone();
        for id in [
            ResourceId::new("", "Namespace", "", "kiteclass-acme"),
            ResourceId::new("tenantry.dev", "Database", "elsewhere", "db"),
        ] {
            inventory.entries.insert(id, entry.clone());
        }
        let annotations = object(&acme(), &inventory)["metadata"]["annotations"].clone();
        let annotation = |name: &str| annotations[format!("applyset.kubernetes.io/{name}")].clone();
        assert_eq!(annotation("contains-group-kinds"), "Deployment.apps,Namespace");
        assert_eq!(annotation("additional-namespaces"), "kiteclass-acme");
    }
}
