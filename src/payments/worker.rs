//! The hands: events take effect, open payments are asked about, money goes back. Several daemons
//! may have hands over one database: everything is leased.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinSet;

use super::Payments;
use super::error::PaymentError;

/// How many events are worked at at once: a provider that answers slowly does not hold up others.
const EVENTS_AT_ONCE: usize = 3;
/// How often it is looked whether something is due.
const PULSE: Duration = Duration::from_secs(5);

/// Hands that work until they are dropped.
#[derive(Debug)]
pub struct Hands {
    _tasks: JoinSet<()>,
}

impl Payments {
    /// Starts to work.
    pub fn start(&self, clock: Arc<dyn Fn() -> Timestamp + Send + Sync>) -> Hands {
        let mut tasks = JoinSet::new();
        for _ in 0..EVENTS_AT_ONCE {
            let (payments, clock) = (self.clone(), Arc::clone(&clock));
            tasks.spawn(async move {
                loop {
                    let worked = payments.work(clock()).await.map(|verdict| verdict.is_some());
                    payments.pause(worked).await;
                }
            });
        }
        let payments = self.clone();
        tasks.spawn(async move {
            loop {
                let now = clock();
                let asked = payments.ask_next(now).await.map(|payment| payment.is_some());
                let sent = payments.refund_next(now).await.map(|refund| refund.is_some());
                payments.pause(asked.and_then(|asked| Ok(sent? || asked))).await;
            }
        });
        Hands { _tasks: tasks }
    }

    /// Goes on at once where there was something to do; otherwise waits for an event or the pulse.
    async fn pause(&self, worked: Result<bool, PaymentError>) {
        match worked {
            Ok(true) => return,
            Ok(false) => {}
            Err(error) if error.is_passing() => tracing::debug!("payments wait: {error}"),
            Err(error) => tracing::error!("payments wait: {error}"),
        }
        // It ends early where an event comes; nothing is lost where it does not.
        let _ = tokio::time::timeout(PULSE, self.inner.arrived.notified()).await;
    }
}
