//! What a host says of itself. Whoever has root there can say anything: nothing here believes more
//! than it has to, and no answer is too odd to be refused.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;

/// What is known of a thing: property by property.
pub type Properties = BTreeMap<Box<str>, Box<str>>;

/// The longest text that is believed for one value, in bytes.
const LONGEST_VALUE: usize = 4096;

/// Why an answer of a host is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Puzzling {
    #[error("the answer ends before it is over")]
    CutShort,
    #[error("line {line} of the answer is not of the form that was asked for")]
    Odd { line: usize },
    #[error("line {line} of the answer speaks of a thing that nobody asked about")]
    Unasked { line: usize },
}

/// What a host answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    pub machine: Machine,
    /// The inventory as it is on the host, and its SHA-256.
    pub inventory: InventoryFile,
    /// By the position of what was asked about; nothing for what is not there.
    pub things: BTreeMap<usize, Properties>,
}

/// The machine itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Machine {
    /// The distribution, such as `debian`.
    pub distribution: String,
    /// Such as `12`.
    pub release: String,
    /// As people call it.
    pub pretty: String,
    pub kernel: String,
    pub architecture: String,
    pub machine_id: String,
    pub processors: u32,
    pub memory_kib: u64,
    /// What is free where the inventory stands.
    pub free_kib: u64,
    /// Whether systemd runs it.
    pub systemd: bool,
    /// The number of the user who asked.
    pub user: u32,
}

/// The inventory's file on the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum InventoryFile {
    #[default]
    Absent,
    There {
        sum: String,
        text: Vec<u8>,
    },
    /// It stands there as something else than a file of some size.
    Strange(String),
}

impl Facts {
    /// Reads an answer about `asked` things.
    pub fn read(answer: &[u8], asked: usize) -> Result<Self, Puzzling> {
        let mut facts = Self::default();
        let mut machine = Properties::new();
        let mut over = false;
        for (number, line) in answer.split(|byte| *byte == b'\n').enumerate() {
            let odd = Puzzling::Odd { line: number + 1 };
            if line.is_empty() {
                continue;
            }
            if over {
                return Err(odd);
            }
            if line == b"over" {
                over = true;
                continue;
            }
            let said = Said::of(line).ok_or(odd)?;
            match said.about {
                None => {
                    machine.insert(said.name, said.value);
                }
                Some(index) if index < asked => {
                    facts.things.entry(index).or_default().insert(said.name, said.value);
                }
                Some(_) => return Err(Puzzling::Unasked { line: number + 1 }),
            }
        }
        if !over {
            return Err(Puzzling::CutShort);
        }
        facts.inventory = inventory(&mut machine);
        facts.machine = Machine::of(&machine);
        Ok(facts)
    }

    /// What is known of a thing; nothing where it is not there.
    pub fn of(&self, index: usize) -> &Properties {
        static NOTHING: Properties = Properties::new();
        self.things.get(&index).unwrap_or(&NOTHING)
    }
}

/// One line of an answer.
struct Said {
    /// Which thing it is about; none is the machine.
    about: Option<usize>,
    name: Box<str>,
    value: Box<str>,
}

impl Said {
    fn of(line: &[u8]) -> Option<Self> {
        let line = String::from_utf8_lossy(line);
        let (form, rest) = line.split_once(' ')?;
        let (about, rest) = rest.split_once(' ')?;
        let (name, value) = rest.split_once(' ')?;
        let about = if about == "-" { None } else { Some(about.parse().ok()?) };
        let value = match form {
            "fact" if value.len() <= LONGEST_VALUE => value.to_owned(),
            "blob" => {
                let bytes = BASE64_STANDARD.decode(value).ok()?;
                String::from_utf8_lossy(&bytes).into_owned()
            }
            _ => return None,
        };
        let fits =
            (1..=40).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self { about, name: name.into(), value: value.into() })
    }
}

fn inventory(machine: &mut Properties) -> InventoryFile {
    match (machine.remove("inventory"), machine.remove("inventory_text")) {
        (None, _) => InventoryFile::Absent,
        (Some(sum), Some(text)) => {
            InventoryFile::There { sum: sum.into(), text: text.as_bytes().to_vec() }
        }
        (Some(what), None) => InventoryFile::Strange(what.into()),
    }
}

impl Machine {
    fn of(said: &Properties) -> Self {
        let text = |name: &str| {
            said.get(name).map(|value| value.trim_matches('"').to_owned()).unwrap_or_default()
        };
        Self {
            distribution: text("os_ID"),
            release: text("os_VERSION_ID"),
            pretty: text("os_PRETTY_NAME"),
            kernel: text("kernel"),
            architecture: text("architecture"),
            machine_id: text("machine_id"),
            processors: text("processors").parse().unwrap_or(0),
            memory_kib: text("memory_kib").parse().unwrap_or(0),
            free_kib: text("free_kib").parse().unwrap_or(0),
            systemd: text("init") == "systemd",
            user: text("user").parse().unwrap_or(u32::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_answer_is_read_line_by_line() {
        let answer = b"fact - os_ID debian\nfact - os_VERSION_ID \"12\"\nfact - user 0\n\
            fact 0 mode 644\nfact 0 owner root\nblob 1 text aGkgdGhlcmUK\nover\n";
        let facts = Facts::read(answer, 2).unwrap();
        assert_eq!((facts.machine.release.as_str(), facts.machine.user), ("12", 0));
        assert_eq!(&*facts.of(0)["mode"], "644");
        assert_eq!(&*facts.of(1)["text"], "hi there\n");
        assert_eq!(facts.inventory, InventoryFile::Absent);
    }

    #[test]
    fn an_answer_that_was_not_asked_for_is_refused() {
        for (answer, why) in [
            ("fact 0 mode 644\n", Puzzling::CutShort),
            ("", Puzzling::CutShort),
            ("fact 7 mode 644\nover\n", Puzzling::Unasked { line: 1 }),
            ("fact x mode 644\nover\n", Puzzling::Odd { line: 1 }),
            ("fact 0 mode\nover\n", Puzzling::Odd { line: 1 }),
            ("blob 0 text !\nover\n", Puzzling::Odd { line: 1 }),
            ("over\nfact 0 mode 644\n", Puzzling::Odd { line: 2 }),
            ("Last login: today\nover\n", Puzzling::Odd { line: 1 }),
        ] {
            assert_eq!(Facts::read(answer.as_bytes(), 1), Err(why), "{answer}");
        }
        let long = format!("fact 0 mode {}\nover\n", "7".repeat(LONGEST_VALUE + 1));
        assert_eq!(Facts::read(long.as_bytes(), 1), Err(Puzzling::Odd { line: 1 }));
    }

    proptest! {
        #[test]
        fn no_answer_is_a_panic(answer in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Facts::read(&answer, 3);
        }

        #[test]
        fn no_answer_of_nearly_the_right_form_is_a_panic(
            answer in "((fact|blob|over) ?(-|[0-9]{0,3}) ?(inventory|text|mode)? ?[ -~]{0,20}\n){0,8}"
        ) {
            let _ = Facts::read(answer.as_bytes(), 3);
        }
    }
}
