//! The log of a container: its newest lines, never more than was asked for, never for longer.

use std::time::Duration;

use http_body_util::BodyExt as _;
use jiff::Timestamp;

use crate::apply::error::ApplyError;
use crate::model::pod::Pod;

use super::Cluster;
use super::connection::Call;
use super::connection::escaped;

/// How long a node may take to bring a log.
const PATIENCE: Duration = Duration::from_secs(10);

/// What of a log is wanted.
#[derive(Clone, Debug)]
pub struct LogWish {
    pub container: String,
    /// Of the container before the last restart.
    pub previous: bool,
    /// At most so many lines, the newest.
    pub tail: u32,
    pub since: Option<Timestamp>,
    /// At most so many bytes.
    pub most: u32,
}

impl Cluster {
    /// Reads the log of a pod.
    pub async fn log(&self, pod: &Pod, wish: &LogWish) -> Result<Vec<u8>, ApplyError> {
        let LogWish { container, previous, tail, since, most } = wish;
        let mut path = format!(
            "/api/v1/namespaces/{}/pods/{}/log?container={}&previous={previous}&tailLines={tail}&limitBytes={most}",
            escaped(&pod.namespace),
            escaped(&pod.name),
            escaped(container),
        );
        if let Some(since) = since {
            // In whole seconds, as the API server takes it.
            let since = since.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
            path.push_str("&sinceTime=");
            path.push_str(&escaped(&since));
        }
        let what = format!("reading the log of pod `{}` was refused", pod.name);
        let reading = async {
            let mut body = self.connection().stream(&what, &Call::get(path)).await?;
            let (mut log, most) = (Vec::new(), usize::try_from(*most).unwrap_or(usize::MAX));
            // Whoever sends more than was asked for is not listened to.
            while log.len() < most {
                let Some(frame) = body.frame().await else { break };
                let frame = frame.map_err(|error| self.connection().unreachable(&error))?;
                if let Ok(data) = frame.into_data() {
                    log.extend_from_slice(&data);
                }
            }
            log.truncate(most);
            Ok(log)
        };
        let read = tokio::time::timeout(PATIENCE, reading).await;
        read.unwrap_or_else(|_| Err(self.connection().silent()))
    }
}
