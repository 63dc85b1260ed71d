//! Up to which sequence number everything was seen. Numbers are drawn in order, but transactions
//! commit in any order: number 7 may be there while whoever drew 6 is still writing. Whoever was
//! told 7 and reads on from there would never hear of 6. So nothing is told that stands behind a
//! gap, until everybody who may still fill the gap has ended.
//!
//! Who may: a number is drawn by an insert, and an insert holds a lock on the table from before it
//! draws until its transaction is over. Whoever writes when the gap is seen, and no one who comes
//! later, may have drawn what is missing.

use std::collections::BTreeSet;

/// A transaction, as `pg_locks` names it. No other ever has the same name.
pub(super) type Writer = String;

#[derive(Debug)]
pub(super) struct Frontier {
    /// Everything up to here was told, or is never going to be.
    settled: i64,
    /// What is missing up to here is never going to be there.
    sure: i64,
    doubt: Option<Doubt>,
}

/// A gap, and who may fill it.
#[derive(Debug)]
struct Doubt {
    up_to: i64,
    writers: BTreeSet<Writer>,
}

impl Frontier {
    /// Nothing is known yet. Where everybody who writes now has ended, all is settled up to the
    /// newest number, which was read before it was asked who writes.
    pub(super) fn before(newest: i64, writers: BTreeSet<Writer>) -> Self {
        let mut frontier = Self { settled: 0, sure: 0, doubt: None };
        frontier.doubt(newest, writers);
        frontier
    }

    pub(super) fn settled(&self) -> i64 {
        self.settled
    }

    /// Whether it has to be asked who writes.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.doubt.is_some()
    }

    /// What is missing up to this number may still come from one of these. They were asked for
    /// after the number was read.
    pub(super) fn doubt(&mut self, up_to: i64, writers: BTreeSet<Writer>) {
        self.doubt = Some(Doubt { up_to, writers });
        self.conclude();
    }

    /// These write now. What is read from now on holds everything of those that are not among them.
    pub(super) fn still_write(&mut self, now: &BTreeSet<Writer>) {
        if let Some(doubt) = &mut self.doubt {
            doubt.writers.retain(|writer| now.contains(writer));
        }
        self.conclude();
    }

    fn conclude(&mut self) {
        if let Some(doubt) = self.doubt.take_if(|doubt| doubt.writers.is_empty()) {
            self.sure = doubt.up_to;
        }
    }

    /// Takes what was read after [`Frontier::settled`], in order; `whole` where nothing more is
    /// there. Says how many of them can be told.
    pub(super) fn take(&mut self, read: &[i64], whole: bool) -> usize {
        let mut told = 0;
        for sequence in read {
            if *sequence > self.sure {
                self.settled = self.settled.max(self.sure);
            }
            if *sequence > self.sure && *sequence != self.settled + 1 {
                break;
            }
            self.settled = *sequence;
            told += 1;
        }
        if whole {
            self.settled = self.settled.max(self.sure);
        }
        self.doubt.take_if(|doubt| doubt.up_to <= self.settled);
        told
    }

    /// Passes over everything that is sure, as what was before anybody asked.
    pub(super) fn begin(&mut self) {
        self.settled = self.sure;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn writers(names: &[&str]) -> BTreeSet<Writer> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn what_stands_behind_a_gap_waits_for_those_who_may_fill_it() {
        let mut frontier = Frontier::before(4, writers(&[]));
        frontier.begin();
        assert_eq!(frontier.take(&[5, 7], true), 1);
        frontier.doubt(7, writers(&["late", "other"]));
        // Whoever comes later has nothing to do with it.
        frontier.still_write(&writers(&["late", "new"]));
        assert_eq!((frontier.take(&[7, 8], true), frontier.settled()), (0, 5));
        frontier.still_write(&writers(&["new"]));
        assert_eq!((frontier.take(&[6, 7, 8], true), frontier.settled()), (3, 8));
    }

    #[test]
    fn a_gap_that_is_filled_leaves_no_doubt() {
        let mut frontier = Frontier::before(0, writers(&[]));
        assert_eq!(frontier.take(&[2], true), 0);
        frontier.doubt(2, writers(&["slow"]));
        assert_eq!(frontier.take(&[1, 2], true), 2);
        assert!(!frontier.is_in_doubt());
    }

    /// What happens in the database, in any order.
    #[derive(Clone, Debug)]
    enum Happens {
        Draws(u8),
        Commits(u8),
        RollsBack(u8),
        IsReadOn,
    }

    fn happens() -> impl Strategy<Value = Happens> {
        prop_oneof![
            (0..6_u8).prop_map(Happens::Draws),
            (0..6_u8).prop_map(Happens::Commits),
            (0..6_u8).prop_map(Happens::RollsBack),
            Just(Happens::IsReadOn),
        ]
    }

    /// The table, and who writes to it.
    #[derive(Default)]
    struct Table {
        drawn: i64,
        visible: BTreeSet<i64>,
        /// The transactions of each connection so far, and what the one under way has drawn.
        connections: [(u32, Vec<i64>); 6],
    }

    impl Table {
        fn happens(&mut self, what: &Happens) {
            let end = |connection: &mut (u32, Vec<i64>)| {
                connection.0 += 1;
                std::mem::take(&mut connection.1)
            };
            match what {
                Happens::Draws(by) => {
                    self.drawn += 1;
                    self.connections[usize::from(*by)].1.push(self.drawn);
                }
                Happens::Commits(by) => {
                    self.visible.extend(end(&mut self.connections[usize::from(*by)]));
                }
                Happens::RollsBack(by) => {
                    end(&mut self.connections[usize::from(*by)]);
                }
                Happens::IsReadOn => {}
            }
        }

        fn writers(&self) -> BTreeSet<Writer> {
            let under_way =
                self.connections.iter().enumerate().filter(|(_, one)| !one.1.is_empty());
            under_way.map(|(number, one)| format!("{number}/{}", one.0)).collect()
        }

        fn after(&self, settled: i64) -> Vec<i64> {
            self.visible.range(settled + 1..).take(3).copied().collect()
        }
    }

    proptest! {
        /// Reading on loses nothing, tells nothing twice, and tells it in order, whoever commits
        /// when, also between the two questions that one reading asks.
        #[test]
        fn everything_that_was_committed_is_told_once_and_in_order(
            all in prop::collection::vec(happens(), 0..120),
        ) {
            let mut table = Table::default();
            let mut frontier = Frontier::before(0, BTreeSet::new());
            let mut told = Vec::new();
            let mut coming = all.iter();
            let ends = (0..6).map(Happens::Commits);
            let rest: Vec<Happens> = ends.chain((0..200).map(|_| Happens::IsReadOn)).collect();
            let mut coming = coming.by_ref().chain(&rest);
            while let Some(what) = coming.next() {
                table.happens(what);
                if !matches!(what, Happens::IsReadOn) {
                    continue;
                }
                if frontier.is_in_doubt() {
                    frontier.still_write(&table.writers());
                }
                // Something may happen between the questions.
                coming.next().into_iter().for_each(|what| table.happens(what));
                let read = table.after(frontier.settled());
                coming.next().into_iter().for_each(|what| table.happens(what));
                let many = frontier.take(&read, read.len() < 3);
                told.extend_from_slice(&read[..many]);
                if many < read.len() && !frontier.is_in_doubt() {
                    frontier.doubt(*read.last().unwrap(), table.writers());
                }
            }
            prop_assert_eq!(told, table.visible.into_iter().collect::<Vec<_>>());
        }
    }
}
