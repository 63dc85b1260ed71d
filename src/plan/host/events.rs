//! What a host says while a plan is carried out on it, line by line.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::plan::masking;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Begun {
        step: usize,
    },
    /// `status` is the program's; `tail` is the end of what it printed, secrets hidden.
    Ended {
        step: usize,
        status: u32,
        tail: String,
    },
    /// It was left out, because a step that it needs failed.
    Skipped {
        step: usize,
        because_of: usize,
    },
    /// Somebody else is at work on the host.
    Busy {
        who: String,
    },
    /// The host's inventory is another than the one that the plan was made for.
    Moved,
    /// The inventory could not be written.
    Unrecorded,
    /// Everything that could be done was.
    Over,
}

impl Event {
    /// Reads a line about one of so many steps; none where it says nothing that is known.
    pub fn read(line: &[u8], steps: usize) -> Option<Self> {
        let line = std::str::from_utf8(line).ok()?;
        let mut words = line.split(' ');
        let name = words.next()?;
        let mut number = || {
            let step: usize = words.next()?.parse().ok()?;
            (step < steps).then_some(step)
        };
        let event = match name {
            "begin" => Self::Begun { step: number()? },
            "skip" => Self::Skipped { step: number()?, because_of: number()? },
            "end" => {
                let step = number()?;
                let status = words.next()?.parse().ok()?;
                Self::Ended { step, status, tail: text(words.next().unwrap_or(""))? }
            }
            "busy" => Self::Busy { who: text(words.next().unwrap_or(""))? },
            "moved" => Self::Moved,
            "unrecorded" => Self::Unrecorded,
            "over" => Self::Over,
            _ => return None,
        };
        words.next().is_none().then_some(event)
    }
}

fn text(base64: &str) -> Option<String> {
    let bytes = BASE64_STANDARD.decode(base64).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    // What a program prints may move a terminal's cursor.
    let plain: String = text
        .chars()
        .map(|next| if next.is_control() && next != '\n' { ' ' } else { next })
        .collect();
    Some(masking::mask_text(plain.trim()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn events_are_read_and_nothing_else_is() {
        let read = |line: &str| Event::read(line.as_bytes(), 2);
        assert_eq!(read("begin 1"), Some(Event::Begun { step: 1 }));
        assert_eq!(
            read("end 0 100 RTogbm8gc3BhY2UK"),
            Some(Event::Ended { step: 0, status: 100, tail: "E: no space".into() })
        );
        assert_eq!(
            read("end 0 0 "),
            Some(Event::Ended { step: 0, status: 0, tail: String::new() })
        );
        assert_eq!(read("skip 1 0"), Some(Event::Skipped { step: 1, because_of: 0 }));
        assert_eq!(read("busy "), Some(Event::Busy { who: String::new() }));
        for odd in ["", "begin", "begin 2", "begin 1 2", "begin -1", "end 0 x ", "hello", "over 1"]
        {
            assert_eq!(read(odd), None, "{odd}");
        }
    }

    #[test]
    fn what_a_program_printed_is_told_without_secrets() {
        let tail = BASE64_STANDARD.encode("\u{1b}[2J\npassword=hunter2");
        let event = Event::read(format!("end 0 1 {tail}").as_bytes(), 1);
        let Some(Event::Ended { tail, .. }) = event else { unreachable!("it is an end") };
        assert!(!tail.contains("hunter2") && !tail.contains('\u{1b}'), "{tail}");
    }

    proptest! {
        #[test]
        fn no_line_is_a_panic(line in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = Event::read(&line, 2);
        }
    }
}
