//! A look at a unit: what is wanted against what is there, and whether anything is due.

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;

use crate::plan::limits::Verdict;

use super::Reconciler;
use super::note::Note;
use super::run::Known;
use super::run::Lane;
use super::unit::Key;
use super::unit::Look;
use super::unit::Unit;
use super::world::Target;

impl<T: Target> Reconciler<T> {
    /// Looks at a unit: says where it stands, and queues it if anything is due.
    pub(super) fn look(&mut self, key: &Key) {
        let now = self.clock.now();
        // Before the first commit is read, nobody knows what is wanted, and nothing is done.
        if self.stopping || self.desired.is_none() {
            return;
        }
        if let Some(unit) = self.units.get_mut(key)
            && unit.running.is_some()
        {
            unit.look_again = true;
            return self.say_overtaken(key);
        }
        let Some(look) = self.glance(key) else {
            return self.say_unseen(key);
        };
        if self.note_departure(key, look.departure.clone()) {
            self.judge_deletions();
            // A judgement that changed may change the plan: the next look sees it.
            let rejudged = self.glance(key);
            return match rejudged {
                Some(look) => self.act_on(key, &look, now),
                None => self.say_unseen(key),
            };
        }
        self.act_on(key, &look, now);
    }

    /// A unit as it is known, which may be for the first time.
    pub(super) fn unit(&mut self, key: &Key) -> &mut Unit {
        let held = self.desired.as_ref().and_then(|desired| desired.held.get(&key.unit));
        self.units
            .entry(key.clone())
            .or_insert_with(|| Unit { held: held.cloned(), ..Unit::default() })
    }

    /// What a unit looks like now; none while its cluster is not seen as a whole.
    pub(super) fn glance(&mut self, key: &Key) -> Option<Look> {
        let cluster = self.clusters.get(&key.cluster)?;
        if !cluster.synced {
            return None;
        }
        let target = Arc::clone(&cluster.target);
        let (deletions, now) = (self.deletions(key), self.clock.now());
        let unit = self.unit(key);
        let observed = if unit.known.is_some() {
            target.things(&key.unit)?
        } else {
            let observed = target.observed(&key.unit)?;
            unit.known = Some(Known {
                inventory: observed.inventory.clone(),
                written: observed.inventory.clone(),
                doubtful: false,
            });
            observed
        };
        let known = unit.known.clone()?;
        Some(unit.look(key, &known, observed, &deletions, now))
    }

    fn act_on(&mut self, key: &Key, look: &Look, now: Timestamp) {
        let Some(unit) = self.units.get_mut(key) else { return };
        for (subscription, stage, state) in unit.note_stages(look, now) {
            let unit = key.unit.clone();
            let _ = self.notes.send(Note::Stage { unit, subscription, stage, state, at: now });
        }
        self.tell_tasks(key, look, now);
        // What is held announces nothing: it is not among those who lose something.
        let announcing = self
            .departures
            .get(key)
            .is_some_and(|departure| departure.ids.iter().any(|(_, announced)| !announced))
            && self.verdict == Verdict::Allowed;
        let Some(unit) = self.units.get_mut(key) else { return };
        if look.plan.is_settled()
            && let Some(desired) = &unit.desired
        {
            desired.let_go();
        }
        let matters = look.plan.has_due() || announcing;
        let due = matters || (look.plan.is_settled() && look.unsettled_inventory);
        let Some(unit) = self.units.get_mut(key) else { return };
        let unexplained = unit.unexplained(now).map(str::to_owned);
        let mut wake = [unit.deadline(now), look.next_drop(now)].into_iter().flatten().min();
        let lane = match unit.failures {
            _ if !matters => Lane::ToSettle,
            0 => Lane::Healthy,
            _ => Lane::Failing,
        };
        // What waited for a quiet moment does not, once there is more to do.
        let waits = unit.queued.is_some_and(|queued| queued == lane || queued != Lane::ToSettle);
        if due && !waits && unit.may_be_changed() {
            if let Some(not_before) =
                unit.not_before.filter(|not_before| *not_before > Instant::now())
            {
                wake = Some(wake.map_or(not_before, |wake| wake.min(not_before)));
            } else {
                unit.queued = Some(lane);
                match lane {
                    Lane::Healthy => self.ready.push_back(key.clone()),
                    Lane::Failing => self.ready_failing.push_back(key.clone()),
                    Lane::ToSettle => {
                        self.ready_to_settle.push_back((key.clone(), Instant::now()));
                    }
                }
            }
        }
        if let Some(wake) = wake {
            self.wake_at(key, wake);
        }
        if let Some(about) = unexplained {
            self.ask_for_explanation(key, about);
        }
        self.say_status(key, look, now);
    }
}
