//! Hosts, real ones: a bare Debian machine becomes what its catalog says, and stays so.

mod accounts;
mod access;
mod archives;
mod checks;
mod clock;
mod command_line;
mod daemon;
mod databases;
mod files;
mod firewall;
mod kernel;
mod packages;
mod passes;
mod removing;
mod surviving;
mod units;

use tenantry::apply::host::Access;
use tenantry::apply::host::HostError;
use tenantry::model::Commit;
use tenantry::model::Configuration;
use tenantry::model::Digest;
use tenantry::model::Document;
use tenantry::model::Host;
use tenantry::model::Snapshot;
use tenantry::plan::host::HostChange;
use tenantry::plan::host::HostPlan;
use tenantry::plan::host::Ordered;
use tenantry::plan::host::step::HostCause;
use tenantry::reconcile::desired::advance;
use tenantry::reconcile::hosts;
use tenantry::reconcile::hosts::Converged;
use tenantry::reconcile::hosts::Order;

use crate::support::vds::Vds;

/// A host and the repository that asks for things on it.
struct Story {
    vds: Vds,
    user: &'static str,
    /// What else its document says.
    more: &'static str,
}

/// A small web server for `/srv/web`, as a service that reads `/srv/web/env`.
fn server(port: u16) -> String {
    format!(
        r#"- directory: {{path: /srv/web}}
- file:
    path: /srv/web/serve.py
    content: |
      import socket
      server = socket.socket()
      server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
      server.bind(("127.0.0.1", {port}))
      server.listen()
      while True:
          client, _ = server.accept()
          path = client.recv(4096).split()[1].decode()
          try:
              answer = b"200 OK\r\n\r\n" + open("/srv/web" + path, "rb").read()
          except OSError:
              answer = b"404 Not Found\r\n\r\n"
          client.sendall(b"HTTP/1.0 " + answer)
          client.close()
- file:
    path: /etc/systemd/system/web.service
    content: |
      [Service]
      EnvironmentFile=-/srv/web/env
      ExecStart=/usr/bin/python3 /srv/web/serve.py {port}
      ExecReload=/bin/touch /run/web-was-reloaded
      [Install]
      WantedBy=multi-user.target
"#
    )
}

/// What there was to do, in a word for each.
fn done(plan: &HostPlan) -> Vec<String> {
    plan.steps
        .iter()
        .map(|step| {
            let drift = if step.cause == HostCause::Drift { " back" } else { "" };
            format!("{}{drift} {}", step.change.word(), step.resource)
        })
        .collect()
}

impl Story {
    fn begin() -> Option<Self> {
        Some(Self { vds: Vds::boot()?, user: "root", more: "" })
    }

    /// The documents of a repository that asks for this catalog.
    fn files(&self, catalog: &str) -> Vec<(String, String)> {
        let host = format!(
            "apiVersion: tenantry.dev/v1\nkind: Host\nmetadata: {{name: box-1}}\nspec:\n  \
             tenant: kassa-plus\n  address: {}\n  port: {}\n  user: {}\n  hostKeys: [{}]\n  \
             roles: [box]\n{}",
            self.vds.address, self.vds.port, self.user, self.vds.pin, self.more
        );
        let example = |file: &str| {
            let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tenants-example");
            (file.to_owned(), std::fs::read_to_string(root.join(file)).unwrap())
        };
        vec![
            example("platform.yaml"),
            example("tenants/kassa-plus/tenant.yaml"),
            ("tenants/kassa-plus/box.yaml".into(), host),
            ("templates/host/box/catalog.yaml.j2".into(), catalog.to_owned()),
        ]
    }

    fn snapshot(&self, catalog: &str) -> Snapshot {
        Snapshot::of(Commit::new("f00"), self.files(catalog))
    }

    #[track_caller]
    fn asked(&self, catalog: &str) -> Ordered {
        let desired = advance(None, &self.snapshot(catalog), jiff::Timestamp::now());
        hosts::wanted(&desired, &"box-1".parse().unwrap()).expect("a catalog without findings")
    }

    fn document(&self) -> std::sync::Arc<Document<Host>> {
        let configuration = Configuration::read(None, &self.snapshot("[]\n"));
        configuration.hosts.values().next().unwrap().clone()
    }

    fn access(&self) -> Access {
        Access::of(&self.document(), &self.vds.key).unwrap()
    }

    /// What would be done.
    async fn plan(&self, catalog: &str) -> HostPlan {
        let ordered = self.asked(catalog);
        let look = hosts::look(self.access(), &ordered).await;
        look.expect("the host can be looked at").plan(&ordered, &[])
    }

    async fn try_to_apply(&self, catalog: &str) -> Result<Converged, HostError> {
        self.approve(catalog, &[]).await
    }

    async fn approve(&self, catalog: &str, approved: &[Digest]) -> Result<Converged, HostError> {
        let commit = Commit::new("f00");
        let order = Order { who: "a test", commit: &commit, approved, may_change: true };
        hosts::converge(self.access(), &self.asked(catalog), &order, &mut |_, _| {}).await
    }

    /// Brings the host there, and tells what had to be done. Afterwards nothing is left.
    async fn apply(&self, catalog: &str) -> Vec<String> {
        let converged = self.try_to_apply(catalog).await.expect("a pass");
        assert!(converged.went_well(), "{:#?}\n{:#?}", converged.carried, converged.left);
        let again = self.plan(catalog).await;
        assert!(again.is_well(), "a second pass has nothing to do: {again:#?}");
        done(&converged.plan)
    }
}

/// Whether something of a kind is the only thing that a plan changes.
#[track_caller]
fn only(plan: &HostPlan, change: HostChange) {
    let changes: Vec<HostChange> = plan.steps.iter().map(|step| step.change).collect();
    assert_eq!(changes, [change], "{plan:#?}");
}
