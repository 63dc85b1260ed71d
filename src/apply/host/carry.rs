//! Carries a plan out: one script, whose steps report as they begin and end.

use std::time::Duration;

use crate::model::Commit;
use crate::plan::host::HostPlan;
use crate::plan::host::carry;
use crate::plan::host::confirmation;
use crate::plan::host::events::Event;
use crate::plan::host::failure::advice;

use super::error::HostError;
use super::transport::Limits;
use super::transport::Transport;

/// Packages take their time, and say little here while they do.
const CHANGING: Limits =
    Limits { doing: "changing it", bytes: 8 << 20, time: Duration::from_hours(1) };
/// No event is longer than the end of what a program printed.
const LONGEST_EVENT: usize = 16 << 10;

/// What became of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// By the position of the step.
    pub outcomes: Vec<StepOutcome>,
}

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepOutcome {
    Done,
    Failed {
        status: u32,
        /// The end of what its program printed.
        tail: String,
        /// What that most likely means, and what to do.
        advice: Option<&'static str>,
    },
    /// A step that it needs failed.
    Skipped {
        because_of: usize,
    },
}

impl Carried {
    pub fn went_well(&self) -> bool {
        self.outcomes.iter().all(|outcome| *outcome == StepOutcome::Done)
    }
}

/// Carries a plan out, and hands over every event as it comes. Where the connection is cut, what
/// became of the rest is not known: whoever looks at the host again knows, and goes on from there.
pub async fn carry_out<T: Transport>(
    transport: &T,
    plan: &HostPlan,
    who: &str,
    commit: &Commit,
    hear: &mut (dyn FnMut(&Event) + Send),
) -> Result<Carried, HostError> {
    let script = carry(plan, who, commit);
    let mut listening = Listening::new(plan.steps.len());
    let mut take = |bytes: &[u8]| listening.take(bytes, hear);
    transport.run(&script, CHANGING, &mut take).await?;
    listening.finish(transport, plan)
}

/// Tells a host that what was done may last: whoever can say so got in.
pub async fn confirm<T: Transport>(transport: &T) -> Result<(), HostError> {
    let mut answer = Vec::new();
    let limits = Limits { doing: "confirming", bytes: 64 << 10, time: Duration::from_mins(1) };
    transport.run(&confirmation(), limits, &mut |bytes| answer.extend_from_slice(bytes)).await?;
    if answer.ends_with(b"over\n") {
        return Ok(());
    }
    let reason = "it did not say that it is confirmed".to_owned();
    Err(HostError::Puzzling { host: transport.host().clone(), reason })
}

/// The events of a script, as far as they have come.
struct Listening {
    line: Vec<u8>,
    outcomes: Vec<Option<StepOutcome>>,
    end: Option<Event>,
    odd: bool,
}

impl Listening {
    fn new(steps: usize) -> Self {
        Self { line: Vec::new(), outcomes: vec![None; steps], end: None, odd: false }
    }

    fn take(&mut self, bytes: &[u8], hear: &mut (dyn FnMut(&Event) + Send)) {
        for byte in bytes {
            if *byte != b'\n' {
                self.line.push(*byte);
                // What is too long is no event: it is not gathered further.
                if self.line.len() > LONGEST_EVENT {
                    self.odd = true;
                    self.line.clear();
                }
                continue;
            }
            match Event::read(&self.line, self.outcomes.len()) {
                Some(event) => {
                    self.note(&event);
                    hear(&event);
                }
                None => self.odd = true,
            }
            self.line.clear();
        }
    }

    fn note(&mut self, event: &Event) {
        match event {
            Event::Begun { .. } => {}
            Event::Ended { step, status: 0, .. } => self.outcomes[*step] = Some(StepOutcome::Done),
            Event::Ended { step, status, tail } => {
                let advice = advice(tail);
                let (status, tail) = (*status, tail.clone());
                self.outcomes[*step] = Some(StepOutcome::Failed { status, tail, advice });
            }
            Event::Skipped { step, because_of } => {
                self.outcomes[*step] = Some(StepOutcome::Skipped { because_of: *because_of });
            }
            Event::Busy { .. } | Event::Moved | Event::Unrecorded | Event::Over => {
                self.end.get_or_insert_with(|| event.clone());
            }
        }
    }

    fn finish<T: Transport>(self, transport: &T, plan: &HostPlan) -> Result<Carried, HostError> {
        let host = transport.host().clone();
        let puzzling = |reason: &str| {
            Err(HostError::Puzzling { host: host.clone(), reason: reason.to_owned() })
        };
        match self.end {
            Some(Event::Busy { who }) => return Err(HostError::Busy { host, who }),
            Some(Event::Moved) => return Err(HostError::Moved { host }),
            Some(Event::Unrecorded) => return Err(HostError::Unrecorded { host }),
            Some(_) => {}
            None => return puzzling("it ended before it was over"),
        }
        if self.odd {
            return puzzling("it told events that nobody knows");
        }
        let outcomes: Option<Vec<StepOutcome>> = self.outcomes.into_iter().collect();
        match outcomes {
            Some(outcomes) if outcomes.len() == plan.steps.len() => Ok(Carried { outcomes }),
            _ => puzzling("it did not tell what became of every step"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn heard(said: &str, steps: usize) -> (Vec<Option<StepOutcome>>, Option<Event>, bool) {
        let mut listening = Listening::new(steps);
        // However the bytes are cut, the events are the same.
        for piece in said.as_bytes().chunks(3) {
            listening.take(piece, &mut |_| {});
        }
        (listening.outcomes, listening.end, listening.odd)
    }

    #[test]
    fn steps_are_known_by_their_events() {
        let (outcomes, end, odd) =
            heard("begin 0\nend 0 0 \nbegin 1\nend 1 4 RTogZnVsbAo=\nskip 2 1\nover\n", 3);
        assert_eq!((end, odd), (Some(Event::Over), false));
        assert_eq!(outcomes[0], Some(StepOutcome::Done));
        let failed = StepOutcome::Failed { status: 4, tail: "E: full".into(), advice: None };
        assert_eq!(outcomes[1], Some(failed));
        assert_eq!(outcomes[2], Some(StepOutcome::Skipped { because_of: 1 }));
    }

    #[test]
    fn what_a_hostile_host_tells_is_bounded_and_noticed() {
        let mut listening = Listening::new(1);
        for _ in 0..64 {
            listening.take(&[b'x'; 1024], &mut |_| {});
            assert!(listening.line.len() <= LONGEST_EVENT);
        }
        assert!(listening.odd);
        assert!(heard("begin 7\n", 1).2);
    }

    proptest! {
        #[test]
        fn no_stream_is_a_panic(said in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut listening = Listening::new(2);
            listening.take(&said, &mut |_| {});
        }
    }
}
