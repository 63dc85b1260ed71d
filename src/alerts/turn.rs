//! How alerts go on by what is seen: pure, with the time as an argument.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use jiff::SignedDuration;
use jiff::Timestamp;
use uuid::Uuid;

use super::Alert;
use super::GAP;
use super::Kind;
use super::QUIET;
use super::Subject;
use crate::model::Name;

/// What is known at one moment. What it does not speak of is well, or gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sight {
    /// What is wrong, and how, in a sentence.
    pub wrong: BTreeMap<Subject, String>,
    /// Of which subjects nobody knows how they are.
    pub unknown: BTreeSet<(Kind, String)>,
    /// Of which clusters nobody knows how anything of a kind is.
    pub blind: BTreeSet<(Kind, Name)>,
}

impl Sight {
    /// Whether nobody knows how an alert's subject is.
    fn is_unknown(&self, alert: &Alert) -> bool {
        self.unknown.contains(&(alert.kind, alert.subject.clone()))
            || alert
                .cluster
                .as_ref()
                .is_some_and(|cluster| self.blind.contains(&(alert.kind, cluster.clone())))
    }
}

/// How one alert goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn<'a> {
    /// It is wrong, and was not before. It is told at once, or when it has lasted.
    Begins { subject: &'a Subject, what: &'a str, told: bool },
    /// It was well for a while of which nobody knows how long, and is wrong from now on.
    BeginsAnew { id: Uuid, what: &'a str },
    /// It has lasted long enough to be told.
    Opens { id: Uuid, what: &'a str },
    /// It is wrong still.
    Lasts { id: Uuid, what: &'a str },
    /// It was not wrong for long enough to be told.
    Passes { id: Uuid },
    /// It is well again.
    Eases { id: Uuid },
    /// It has been well for long enough.
    Closes { id: Uuid },
}

/// How every alert goes on. `standing` are those that are not closed; `patience` says how long
/// something of a kind may be wrong before it is told.
pub fn turns<'a>(
    standing: &'a [Alert],
    sight: &'a Sight,
    patience: impl Fn(Kind) -> SignedDuration,
    now: Timestamp,
) -> Vec<Turn<'a>> {
    let mut turns = Vec::new();
    for (subject, what) in &sight.wrong {
        let patience = patience(subject.kind);
        turns.push(match standing.iter().find(|alert| alert.is_about(subject)) {
            None => Turn::Begins { subject, what, told: patience.is_zero() },
            Some(alert) => goes_on(alert, what, patience, now),
        });
    }
    let well = standing.iter().filter(|alert| {
        !sight.is_unknown(alert) && !sight.wrong.keys().any(|subject| alert.is_about(subject))
    });
    turns.extend(well.filter_map(|alert| gets_well(alert, now)));
    turns
}

fn goes_on<'a>(alert: &Alert, what: &'a str, patience: SignedDuration, now: Timestamp) -> Turn<'a> {
    let id = alert.id;
    if alert.opened_at.is_some() {
        Turn::Lasts { id, what }
    } else if now.duration_since(alert.seen_at) > GAP {
        Turn::BeginsAnew { id, what }
    } else if now.duration_since(alert.since) >= patience {
        Turn::Opens { id, what }
    } else {
        Turn::Lasts { id, what }
    }
}

fn gets_well(alert: &Alert, now: Timestamp) -> Option<Turn<'static>> {
    let id = alert.id;
    match (alert.opened_at, alert.eased_at) {
        (None, _) => Some(Turn::Passes { id }),
        (Some(_), None) => Some(Turn::Eases { id }),
        (Some(_), Some(eased)) if now.duration_since(eased) >= QUIET => Some(Turn::Closes { id }),
        (Some(_), Some(_)) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIVE: SignedDuration = SignedDuration::from_mins(5);

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + 60 * minute).unwrap()
    }

    fn subject(kind: Kind) -> Subject {
        Subject { kind, name: "acme/school".to_owned(), cluster: "saigon".parse().ok() }
    }

    fn wrong(kind: Kind) -> Sight {
        let wrong = BTreeMap::from([(subject(kind), "it is away".to_owned())]);
        Sight { wrong, ..Sight::default() }
    }

    /// What becomes of one thing, minute by minute: the words of the turns that are not `Lasts`.
    struct Story {
        alert: Option<Alert>,
        patience: SignedDuration,
    }

    impl Story {
        fn minute(&mut self, minute: i64, sight: &Sight) -> &'static str {
            let now = at(minute);
            let standing: Vec<Alert> = self.alert.iter().cloned().collect();
            let turns = turns(&standing, sight, |_| self.patience, now);
            assert!(turns.len() <= 1, "{turns:?}");
            let Some(turn) = turns.into_iter().next() else { return "" };
            let seen = |alert: &mut Option<Alert>, change: fn(&mut Alert, Timestamp)| {
                change(alert.as_mut().unwrap(), now);
            };
            match turn {
                Turn::Begins { subject, what, told } => {
                    self.alert = Some(Alert {
                        id: Uuid::nil(),
                        kind: subject.kind,
                        subject: subject.name.clone(),
                        cluster: subject.cluster.clone(),
                        what: what.to_owned(),
                        since: now,
                        seen_at: now,
                        opened_at: told.then_some(now),
                        eased_at: None,
                        closed_at: None,
                    });
                    if told { "opens" } else { "begins" }
                }
                Turn::BeginsAnew { .. } => {
                    seen(&mut self.alert, |alert, now| (alert.since, alert.seen_at) = (now, now));
                    "begins anew"
                }
                Turn::Opens { .. } => {
                    seen(&mut self.alert, |alert, now| alert.opened_at = Some(now));
                    "opens"
                }
                Turn::Lasts { .. } => {
                    seen(&mut self.alert, |alert, now| {
                        (alert.seen_at, alert.eased_at) = (now, None);
                    });
                    "lasts"
                }
                Turn::Eases { .. } => {
                    seen(&mut self.alert, |alert, now| alert.eased_at = Some(now));
                    "eases"
                }
                Turn::Passes { .. } => {
                    self.alert = None;
                    "passes"
                }
                Turn::Closes { .. } => {
                    self.alert = None;
                    "closes"
                }
            }
        }
    }

    #[test]
    fn what_lasts_is_told_and_closed_when_it_has_been_well_for_a_while() {
        let mut story = Story { alert: None, patience: FIVE };
        let (wrong, well) = (wrong(Kind::Downtime), Sight::default());
        assert_eq!(story.minute(0, &wrong), "begins");
        assert_eq!(story.minute(1, &well), "passes");
        for (minute, expected) in
            [(2, "begins"), (4, "lasts"), (6, "lasts"), (7, "opens"), (8, "lasts")]
        {
            assert_eq!(story.minute(minute, &wrong), expected, "at {minute}");
        }
        // It comes and goes: that is one alert.
        assert_eq!(story.minute(9, &well), "eases");
        assert_eq!(story.minute(18, &well), "");
        assert_eq!(story.minute(18, &wrong), "lasts");
        assert_eq!(story.minute(19, &well), "eases");
        assert_eq!(story.minute(28, &well), "");
        assert_eq!(story.minute(29, &well), "closes");
        assert_eq!(story.minute(30, &wrong), "begins");
    }

    #[test]
    fn what_needs_no_patience_is_told_at_once() {
        let mut story = Story { alert: None, patience: SignedDuration::ZERO };
        assert_eq!(story.minute(0, &wrong(Kind::NodeDown)), "opens");
        assert_eq!(story.minute(1, &wrong(Kind::NodeDown)), "lasts");
    }

    #[test]
    fn what_nobody_knows_opens_nothing_and_closes_nothing() {
        let kind = Kind::Downtime;
        let mut story = Story { alert: None, patience: SignedDuration::ZERO };
        story.minute(0, &wrong(kind));
        let blind = BTreeSet::from([(kind, "saigon".parse().unwrap())]);
        let blind = Sight { blind, ..Sight::default() };
        let unknown = BTreeSet::from([(kind, "acme/school".to_owned())]);
        let unknown = Sight { unknown, ..Sight::default() };
        for (minute, sight) in [(1, &blind), (30, &unknown)] {
            assert_eq!(story.minute(minute, sight), "", "at {minute}");
        }
        // Another cluster, or another kind, says nothing of it.
        let elsewhere = BTreeSet::from([
            (kind, "hanoi".parse().unwrap()),
            (Kind::Disk, "saigon".parse().unwrap()),
        ]);
        assert_eq!(story.minute(31, &Sight { blind: elsewhere, ..Sight::default() }), "eases");
    }

    #[test]
    fn while_nobody_looked_it_may_have_been_well() {
        let mut story = Story { alert: None, patience: FIVE };
        let wrong = wrong(Kind::Downtime);
        assert_eq!(story.minute(0, &wrong), "begins");
        assert_eq!(story.minute(60, &wrong), "begins anew");
        assert_eq!(story.minute(64, &wrong), "lasts");
        assert_eq!(story.minute(65, &wrong), "opens");
    }
}
