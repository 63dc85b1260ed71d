//! The portal beside the daemon: the same database, and the commit that the daemon has taken.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;

use anyhow::Context as _;
use axum::Router;
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::accounts::Accounts;
use crate::api;
use crate::api::Api;
use crate::api::Catalog;
use crate::api::Desk;
use crate::api::GitHooks;
use crate::api::server;
use crate::cli::Failure;
use crate::cli::failure::Helped as _;
use crate::cli::jobs;
use crate::edits::Editor;
use crate::edits::SigningKey;
use crate::history::Store;
use crate::jobs::Runner;
use crate::model::Commit;
use crate::model::PortalUrl;
use crate::model::Secret;
use crate::notify::Own;
use crate::notify::smtp;
use crate::notify::work;
use crate::notify::work::Postman;
use crate::notify::work::Sending;
use crate::operations::follow::Follower;
use crate::operations::follow::Patience;
use crate::operations::follow::Taken;
use crate::operations::work::SystemClock;
use crate::operations::work::Work;
use crate::payments::Hands;
use crate::payments::Payments;
use crate::payments::settings::Providers;
use crate::postgres::Database;
use crate::reconcile::desired::Desired;
use crate::reconcile::logs::ClusterLogs;
use crate::reconcile::meter::ClusterMeter;
use crate::reconcile::meter::Followed;
use crate::reconcile::survey::ClusterSurveyor;
use crate::source::Source;
use crate::source::commits::Person;

/// What the portal has of the daemon beside it.
pub(super) struct Beside<'a> {
    pub(super) source: &'a Source,
    /// Where copies of the repository are kept.
    pub(super) cache: &'a Path,
    /// Who takes money for us.
    pub(super) providers: Providers,
    /// Where mail leaves.
    pub(super) mail: smtp::Settings,
    /// With whom hooks of Git share a secret, if with anybody.
    pub(super) webhook_secret: Option<Secret>,
    /// The clusters that the daemon follows.
    pub(super) clusters: watch::Receiver<Followed>,
}

/// A portal that listens and does not answer yet: what is wrong with its settings is found before
/// the daemon starts.
pub(super) struct Door {
    listener: TcpListener,
    address: SocketAddr,
    api: Api,
    work: Work,
    /// Who sends mails, where there is a server to send them through.
    postman: Option<Postman>,
    /// Says which commit was taken last.
    taken: watch::Sender<Option<Taken>>,
    clusters: watch::Receiver<Followed>,
}

/// A portal that answers.
pub(super) struct Portal {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<std::io::Result<()>>,
    feeding: JoinHandle<()>,
    working: [JoinHandle<()>; 5],
    runner: Runner,
    running: JoinHandle<()>,
    sending: Option<Sending>,
    /// What comes in is worked at for as long as the portal is there.
    _counting: Hands,
}

impl Door {
    /// Opens the door that the settings name; none where they name none.
    pub(super) async fn open(
        settings: &server::Settings,
        database: Option<&Database>,
        beside: Beside<'_>,
    ) -> Result<Option<Self>, Failure> {
        let Beside { source, cache, providers, mail, webhook_secret, clusters } = beside;
        let Some(listen) = settings.api_listen else { return Ok(None) };
        let Some(database) = database else {
            let failure = Failure::new("the portal needs a database, and none is named");
            return Err(failure.help("set --database-url, or leave out --api-listen"));
        };
        let listener = TcpListener::bind(listen)
            .await
            .with_context(|| format!("{listen} cannot be listened at"))
            .or_help("end what listens there, or name another address with --api-listen")?;
        let address = listener.local_addr().context("the listener has no address")?;
        let accounts = Accounts::over(database.clone(), settings.key_source());
        let mut parts = api::Parts::usual(accounts, Catalog::default());
        parts.behind_proxy = settings.api_behind_proxy;
        let editor = editor(settings, source, cache).await?;
        let desk = Desk::new(editor.clone());
        let (taken, newest) = watch::channel(None);
        let follower = Follower {
            history: Store::over(database.clone()),
            objects: source.objects().clone(),
            patience: Patience::default(),
        };
        let work = Work {
            database: database.clone(),
            editor,
            follower,
            taken: newest,
            accepted: desk.accepted(),
            clock: Arc::new(SystemClock),
        };
        let portal = settings.portal_url.as_ref();
        let postman = postman(&mail, portal, database, work.taken.clone())?;
        parts.desk = Some(desk);
        parts.payments = Payments::over(database.clone(), providers, portal.cloned())
            .context("payments cannot be taken")
            .or_help("correct the file that --payments-file names, or leave it out")?;
        parts.git = webhook_secret.map(|secret| {
            let source = source.clone();
            GitHooks { secrets: vec![secret], look: Arc::new(move || source.look_now()) }
        });
        parts.logs = Some(Arc::new(ClusterLogs::over(clusters.clone())));
        let api = Api::new(parts);
        Ok(Some(Self { listener, address, api, work, postman, taken, clusters }))
    }

    /// Starts to answer, always from the newest commit.
    pub(super) fn serve(self, desired: watch::Receiver<Option<Arc<Desired>>>) -> Portal {
        let Self { listener, address, api, work, postman, taken, clusters } = self;
        let feeding = tokio::spawn(feed(api.catalog().clone(), taken, desired));
        let runner = Runner {
            jobs: jobs::registry(),
            name: jobs::runner_name(),
            accounts: api.accounts().clone(),
            payments: api.payments().clone(),
            meter: Some(Arc::new(ClusterMeter::over(clusters.clone()))),
            surveyor: Some(Arc::new(ClusterSurveyor::over(clusters))),
            taken: work.taken.clone(),
            clock: Arc::clone(&work.clock),
        };
        let running = tokio::spawn(runner.clone().run());
        let working = work.start();
        let sending = postman.map(Postman::start);
        let counting = api.payments().start(Arc::new(Timestamp::now));
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(async move {
            let stopped = async move {
                // Whoever drops the other end stops us, too.
                let _ = stopped.await;
            };
            server::serve(listener, api.router(Router::new()), stopped).await
        });
        Portal {
            address,
            stop,
            serving,
            feeding,
            working,
            runner,
            running,
            sending,
            _counting: counting,
        }
    }
}

impl Portal {
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends once the requests under way are answered.
    pub(super) async fn stop(self) {
        self.feeding.abort();
        // What is under way is in the outbox, and goes on when the daemon starts again.
        self.working.iter().for_each(JoinHandle::abort);
        // A job that is broken off is done anew by whoever is next.
        self.running.abort();
        self.runner.let_go().await;
        if let Some(sending) = self.sending {
            sending.stop().await;
        }
        // It may have ended already.
        let _ = self.stop.send(());
        if let Ok(Err(error)) = self.serving.await {
            tracing::warn!("the portal broke off: {error}");
        }
    }
}

/// What commits the portal's changes, into a mirror of its own.
async fn editor(
    settings: &server::Settings,
    source: &Source,
    cache: &Path,
) -> Result<Editor, Failure> {
    let signing = match &settings.api_commit_key_file {
        Some(file) => Some(
            SigningKey::read(file)
                .with_context(|| format!("{} cannot sign commits", file.display()))
                .or_help("make one with ssh-keygen -t ed25519 -N ''")?,
        ),
        None => None,
    };
    let committer =
        Person { name: "Tenantry portal".to_owned(), email: "portal@tenantry.invalid".to_owned() };
    Ok(Editor::open(source.settings().clone(), cache, committer, signing).await?)
}

/// Who sends mails; nobody where no server is named.
fn postman(
    settings: &smtp::Settings,
    portal: Option<&PortalUrl>,
    database: &Database,
    taken: watch::Receiver<Option<Taken>>,
) -> Result<Option<Postman>, Failure> {
    let post = settings.open().context("mail cannot be sent")?;
    let Some(post) = post else {
        tracing::warn!("mails wait in the outbox: no server is named with --smtp-url");
        return Ok(None);
    };
    let Some(portal) = portal.cloned() else {
        let failure = Failure::new("mail cannot be sent: nobody knows where its links lead");
        return Err(failure.help("say where the portal is with --portal-url"));
    };
    let words = Mutex::new(Words::default());
    let author = move || {
        let taken = taken.borrow().clone()?;
        let platform = taken.configuration.platform.as_ref()?;
        let own = words.lock().expect("nobody panics holding this lock").at(&taken);
        work::author(&platform.spec, &portal, own)
    };
    let (author, clock): (work::Author, _) = (Arc::new(author), Arc::new(Timestamp::now));
    Ok(Some(Postman { database: database.clone(), post, author, clock }))
}

/// The words in which a commit has mails said. They are tried out once for each commit.
#[derive(Default)]
struct Words {
    commit: Option<Commit>,
    own: Arc<Own>,
}

impl Words {
    fn at(&mut self, taken: &Taken) -> Arc<Own> {
        if self.commit.as_ref() != Some(&taken.commit) {
            let (own, findings) = Own::of(&taken.configuration.letters);
            for finding in findings {
                let place = finding.place;
                tracing::warn!("{place}: {}; the text that is built in is sent", finding.message);
            }
            *self = Self { commit: Some(taken.commit.clone()), own: Arc::new(own) };
        }
        Arc::clone(&self.own)
    }
}

/// Shows the portal each commit that is taken.
async fn feed(
    catalog: Catalog,
    taken: watch::Sender<Option<Taken>>,
    mut desired: watch::Receiver<Option<Arc<Desired>>>,
) {
    loop {
        let newest = desired.borrow_and_update().clone();
        if let Some(newest) = newest {
            let catalog = catalog.clone();
            let (commit, configuration) =
                (newest.commit.clone(), Arc::clone(&newest.configuration));
            let publishing = tokio::task::spawn_blocking(move || {
                catalog.publish(newest.commit.clone(), Arc::clone(&newest.configuration));
            });
            if let Err(error) = publishing.await {
                tracing::error!("the portal keeps showing an older commit: {error}");
            }
            taken.send_replace(Some(Taken { commit, configuration }));
        }
        if desired.changed().await.is_err() {
            return;
        }
    }
}
