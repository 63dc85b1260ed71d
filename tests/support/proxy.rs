//! A TCP proxy on loopback that can go away: it cuts what goes through it and refuses the rest.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// Forwards to a port of this machine until it is dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    open: Arc<watch::Sender<bool>>,
    task: AbortHandle,
}

impl Proxy {
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let open = Arc::new(watch::Sender::new(true));
        let task = tokio::spawn(forward(listener, port, Arc::clone(&open))).abort_handle();
        Self { address, open, task }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Cuts every connection, in the middle of whatever it carries, and takes no new one.
    pub(crate) fn go_away(&self) {
        self.open.send_replace(false);
    }

    pub(crate) fn come_back(&self) {
        self.open.send_replace(true);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn forward(listener: TcpListener, port: u16, open: Arc<watch::Sender<bool>>) {
    loop {
        let Ok((mut near, _)) = listener.accept().await else { return };
        let mut open = open.subscribe();
        if !*open.borrow_and_update() {
            continue;
        }
        tokio::spawn(async move {
            let Ok(mut far) = TcpStream::connect(("127.0.0.1", port)).await else { return };
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                _ = open.wait_for(|open| !open) => {}
            }
        });
    }
}
