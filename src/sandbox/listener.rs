//! The door: a listener on loopback that can refuse, cut and hold connections on demand.

use std::io;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;

use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::sandbox::faults::Traffic;

pub(crate) struct Door {
    /// `None` while connections are refused: the port is then not listened on.
    listener: Option<TcpListener>,
    address: SocketAddr,
    traffic: watch::Receiver<Traffic>,
}

impl Door {
    pub(crate) async fn open(traffic: watch::Receiver<Traffic>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener: Some(listener), address, traffic })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl axum::serve::Listener for Door {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            let traffic = *self.traffic.borrow_and_update();
            if traffic == Traffic::Refused {
                self.listener = None;
                if self.traffic.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
                continue;
            }
            let Some(listener) = &self.listener else {
                match TcpListener::bind(self.address).await {
                    Ok(listener) => self.listener = Some(listener),
                    Err(_) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
                }
                continue;
            };
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, from)) => {
                        // Small answers should not wait for more to come.
                        _ = stream.set_nodelay(true);
                        return (Connection::new(stream, self.traffic.clone()), from);
                    }
                    Err(_) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
                },
                changed = self.traffic.changed() => if changed.is_err() {
                    std::future::pending::<()>().await;
                },
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// A connection that breaks or stalls when the traffic does.
pub(crate) struct Connection {
    stream: TcpStream,
    traffic: watch::Receiver<Traffic>,
    changed: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Connection {
    fn new(stream: TcpStream, traffic: watch::Receiver<Traffic>) -> Self {
        let changed = next_change(traffic.clone());
        Self { stream, traffic, changed }
    }

    /// Ready when data may flow; wakes the task again when the traffic changes.
    fn poll_traffic(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.changed.as_mut().poll(context).is_ready() {
            self.changed = next_change(self.traffic.clone());
        }
        match *self.traffic.borrow() {
            Traffic::Flowing => Poll::Ready(Ok(())),
            Traffic::Refused => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            Traffic::Hanging => Poll::Pending,
        }
    }
}

fn next_change(mut traffic: watch::Receiver<Traffic>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    traffic.mark_unchanged();
    Box::pin(async move {
        if traffic.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.poll_traffic(context) {
            Poll::Ready(Ok(())) => Pin::new(&mut self.stream).poll_read(context, buffer),
            other => other,
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.poll_traffic(context) {
            Poll::Ready(Ok(())) => Pin::new(&mut self.stream).poll_write(context, data),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.poll_traffic(context) {
            Poll::Ready(Ok(())) => Pin::new(&mut self.stream).poll_write_vectored(context, data),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
