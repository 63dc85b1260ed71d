//! What waits to be written: facts in order up to a limit, and of everything that stands, the
//! latest. Pure; the recorder puts a lock around it.

use std::collections::BTreeMap;
use std::collections::VecDeque;

use jiff::Timestamp;

use super::record::Record;

/// What a later record replaces.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    Unit(String),
    Reach(String),
    Findings(String),
    Roster,
    /// The last one: what it says holds for all that was said before it.
    Wanted,
}

fn standing(record: &Record) -> Option<Standing> {
    match record {
        Record::Status(status) => Some(Standing::Unit(status.unit.to_string())),
        Record::Gone { unit, .. } => Some(Standing::Unit(unit.to_string())),
        Record::Reach(reach) => Some(Standing::Reach(reach.name.clone())),
        Record::Findings { origin, .. } => Some(Standing::Findings(origin.clone())),
        Record::Roster { .. } => Some(Standing::Roster),
        Record::Wanted { .. } => Some(Standing::Wanted),
        _ => None,
    }
}

/// What was dropped because it did not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dropped {
    pub(super) first_at: Timestamp,
    pub(super) last_at: Timestamp,
    pub(super) counts: BTreeMap<&'static str, u64>,
}

/// What waits to be written.
#[derive(Debug)]
pub(super) struct Backlog {
    /// How many facts may wait. What stands is bounded by how many units there are.
    capacity: usize,
    facts: VecDeque<Record>,
    standing: BTreeMap<Standing, Record>,
    /// Taken by the writer and not confirmed: it counts, and is not dropped.
    taken: Vec<Record>,
    dropped: Option<Dropped>,
}

impl Backlog {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            facts: VecDeque::new(),
            standing: BTreeMap::new(),
            taken: Vec::new(),
            dropped: None,
        }
    }

    /// Adds a record. Where there is no room, the oldest fact goes: what happened last matters
    /// most to whoever looks first.
    pub(super) fn add(&mut self, record: Record, now: Timestamp) {
        if let Some(what) = standing(&record) {
            self.standing.insert(what, record);
            return;
        }
        self.facts.push_back(record);
        while self.facts.len() > 1 && self.facts.len() + self.taken.len() > self.capacity {
            if let Some(oldest) = self.facts.pop_front() {
                self.drop_one(&oldest, now);
            }
        }
    }

    /// Counts a record that was given up.
    pub(super) fn drop_one(&mut self, record: &Record, now: Timestamp) {
        let dropped = self.dropped.get_or_insert_with(|| Dropped {
            first_at: now,
            last_at: now,
            counts: BTreeMap::new(),
        });
        dropped.last_at = now;
        *dropped.counts.entry(record.kind()).or_default() += 1;
    }

    /// The next batch, at most so many. It stays here until [`Backlog::written`] or
    /// [`Backlog::put_back`] is called.
    pub(super) fn take(&mut self, most: usize) -> Vec<Record> {
        let facts = self.facts.len().min(most);
        self.taken.extend(self.facts.drain(..facts));
        while self.taken.len() < most
            && let Some((_, record)) = self.standing.pop_first()
        {
            self.taken.push(record);
        }
        self.taken.clone()
    }

    /// The batch is written.
    pub(super) fn written(&mut self) {
        self.taken.clear();
    }

    /// The batch could not be written: it is next again, except for what was replaced meanwhile.
    pub(super) fn put_back(&mut self) {
        for record in std::mem::take(&mut self.taken).into_iter().rev() {
            match standing(&record) {
                Some(what) => {
                    self.standing.entry(what).or_insert(record);
                }
                None => self.facts.push_front(record),
            }
        }
    }

    /// What was dropped since the last time that this was asked.
    pub(super) fn take_dropped(&mut self) -> Option<Dropped> {
        self.dropped.take()
    }

    /// Takes back what could not be told.
    pub(super) fn keep_dropped(&mut self, earlier: Dropped) {
        let later = self.dropped.take();
        let mut all = earlier;
        if let Some(later) = later {
            all.last_at = later.last_at;
            for (kind, many) in later.counts {
                *all.counts.entry(kind).or_default() += many;
            }
        }
        self.dropped = Some(all);
    }

    /// How many records wait.
    pub(super) fn len(&self) -> usize {
        self.facts.len() + self.standing.len() + self.taken.len()
    }

    pub(super) fn dropped(&self) -> Option<&Dropped> {
        self.dropped.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::record::Drift;
    use crate::history::record::Ending;
    use crate::history::record::Reach;
    use crate::history::record::fresh_id;
    use crate::model::Digest;
    use crate::model::ResourceId;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn fact(second: i64) -> Record {
        Record::Drift(Drift {
            id: fresh_id(),
            unit: "acme".parse().unwrap(),
            resource: ResourceId::new("apps", "Deployment", "acme", "web"),
            what: String::new(),
            by: None,
            found_at: at(second),
            put_back_at: None,
        })
    }

    fn stands(name: &str, second: i64) -> Record {
        Record::Reach(Reach {
            name: name.into(),
            reachable: true,
            since: at(second),
            why: None,
            updated_at: at(second),
        })
    }

    #[test]
    fn the_oldest_facts_go_first_and_are_counted() {
        let mut backlog = Backlog::new(3);
        let facts: Vec<Record> = (0..5).map(fact).collect();
        for (second, record) in facts.iter().enumerate() {
            backlog.add(record.clone(), at(i64::try_from(second).unwrap()));
        }
        assert_eq!(backlog.take(10), facts[2..]);
        let dropped = backlog.take_dropped().unwrap();
        assert_eq!(dropped.counts, BTreeMap::from([("drift", 2)]));
        assert_eq!((dropped.first_at, dropped.last_at), (at(3), at(4)));
        assert_eq!(backlog.take_dropped(), None);
    }

    #[test]
    fn of_what_stands_the_latest_is_kept_however_full_it_is() {
        let mut backlog = Backlog::new(1);
        for second in 0..10 {
            backlog.add(stands("source", second), at(0));
            backlog.add(fact(second), at(0));
        }
        let taken = backlog.take(10);
        assert_eq!(taken.len(), 2);
        assert_eq!(taken[1], stands("source", 9));
    }

    #[test]
    fn a_batch_that_could_not_be_written_is_next_again() {
        let mut backlog = Backlog::new(10);
        let facts: Vec<Record> = (0..4).map(fact).collect();
        facts[..3].iter().for_each(|record| backlog.add(record.clone(), at(0)));
        backlog.add(stands("source", 1), at(0));
        backlog.add(stands("cluster/main", 1), at(0));
        assert_eq!(backlog.take(10).len(), 5);
        backlog.add(facts[3].clone(), at(0));
        backlog.add(stands("source", 2), at(0));
        backlog.put_back();
        let taken = backlog.take(10);
        assert_eq!(taken[..4], facts);
        assert_eq!(taken[4..], [stands("cluster/main", 1), stands("source", 2)]);
        backlog.written();
        assert_eq!(backlog.len(), 0);
    }

    #[test]
    fn what_is_being_written_is_not_dropped() {
        let mut backlog = Backlog::new(2);
        let facts: Vec<Record> = (0..4).map(fact).collect();
        backlog.add(facts[0].clone(), at(0));
        backlog.add(facts[1].clone(), at(0));
        assert_eq!(backlog.take(2).len(), 2);
        backlog.add(facts[2].clone(), at(0));
        backlog.add(facts[3].clone(), at(0));
        backlog.put_back();
        assert_eq!(backlog.take(10), [facts[0].clone(), facts[1].clone(), facts[3].clone()]);
    }

    #[test]
    fn parking_and_its_end_are_facts_in_order() {
        let mut backlog = Backlog::new(10);
        let unparked = |second| Record::Unparked {
            digest: Digest::of(b"x"),
            ending: Ending::Approved,
            at: at(second),
        };
        backlog.add(unparked(1), at(0));
        backlog.add(unparked(2), at(0));
        assert_eq!(backlog.take(10), [unparked(1), unparked(2)]);
    }
}
