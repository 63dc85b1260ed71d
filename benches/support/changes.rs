//! When an API server tells of a change, as somebody sees it who is neither the daemon nor its cause.

use std::time::Instant;

use futures_util::StreamExt as _;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::Client;
use kube::Config;
use kube::api::ListParams;
use kube::api::WatchEvent;
use kube::api::WatchParams;
use kube::config::KubeConfigOptions;
use kube::config::Kubeconfig;
use tokio::sync::mpsc;

/// When each change was heard of, and the organisation it tells of.
pub(crate) type Changes = mpsc::UnboundedReceiver<(Instant, String)>;

/// Tells of every change of the config maps `settings`, and when it was heard of.
pub(crate) async fn watch(kubeconfig: &str) -> Changes {
    let kubeconfig = Kubeconfig::from_yaml(kubeconfig).expect("it is a kubeconfig");
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    let client = Client::try_from(config.expect("it is whole")).expect("it is whole");
    let settings: Api<ConfigMap> = Api::all(client);
    let which = "metadata.name=settings";
    let page = ListParams::default().fields(which).limit(1);
    let listed = settings.list(&page).await.expect("config maps can be listed");
    let version = listed.metadata.resource_version.expect("a list has a version");
    let parameters = WatchParams::default().fields(which).timeout(290);
    let events = settings.watch(&parameters, &version).await.expect("they can be watched");
    let (sender, changes) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut events = events.boxed();
        while let Some(event) = events.next().await {
            let Ok(WatchEvent::Modified(settings)) = event else { continue };
            let organisation = settings.data.unwrap_or_default().remove("ORGANISATION");
            // Nobody listens any more once everything is measured.
            let _ = sender.send((Instant::now(), organisation.unwrap_or_default()));
        }
    });
    changes
}
