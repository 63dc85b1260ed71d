//! How often containers were started again within an hour. A cluster tells only how often in all,
//! so each count is kept with when it was first seen.

use jiff::SignedDuration;
use jiff::Timestamp;
use sqlx::PgPool;
use uuid::Uuid;

use crate::jobs::JobError;
use crate::postgres::stamp;

/// Restarts are counted over this long.
pub(super) const COUNTED_OVER: SignedDuration = SignedDuration::from_hours(1);

/// How often a container was started again within an hour, where it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Restarted {
    pub(super) pod: Uuid,
    pub(super) container: String,
    pub(super) times: i64,
}

/// Keeps the counts of all pods as they are now, forgets what nobody needs any more, and says who was
/// started again. What a pod did before it was first seen is not known, and counts for nothing,
/// unless all of its life is within the hour.
pub(super) async fn count(pool: &PgPool, now: Timestamp) -> Result<Vec<Restarted>, JobError> {
    const KEEP: &str = "
        insert into restart_seen (pod, container, restarts, at)
        select pod.id, container ->> 'name', (container ->> 'restarts')::integer, $1
        from pod, jsonb_array_elements(pod.status -> 'containers') as container
        on conflict do nothing";
    // Of what is older than an hour, the newest says how often it was by then.
    const FORGET: &str = "
        delete from restart_seen as old
        where not exists (select from pod where pod.id = old.pod)
            or (old.at <= $1 and exists (
                select from restart_seen as newer
                where newer.pod = old.pod and newer.container = old.container
                    and newer.at > old.at and newer.at <= $1))";
    const COUNT: &str = "
        select pod, container, (max(restarts) - coalesce(
            max(restarts) filter (where at <= $1),
            case when started_at > $1 then 0 end,
            min(restarts)))::bigint as times
        from restart_seen
        join (select id, (status ->> 'startedAt')::timestamptz as started_at from pod) as known on id = pod
        group by pod, container, started_at
        having max(restarts) > min(restarts) or (started_at > $1 and max(restarts) > 0)
        order by pod, container";
    let hour_ago = now - COUNTED_OVER;
    sqlx::query(KEEP).bind(stamp(now)).execute(pool).await?;
    sqlx::query(FORGET).bind(stamp(hour_ago)).execute(pool).await?;
    let rows: Vec<(Uuid, String, i64)> =
        sqlx::query_as(COUNT).bind(stamp(hour_ago)).fetch_all(pool).await?;
    let restarted = rows.into_iter().filter(|(.., times)| *times > 0);
    Ok(restarted.map(|(pod, container, times)| Restarted { pod, container, times }).collect())
}
