//! A program that is run as long as another one says that it has something to do. Nothing of it
//! stands on the host, so there is nothing to take off.

use crate::model::host::HostResourceId;
use crate::model::host::Kind;
use crate::model::host::kinds::Command;
use crate::model::host::kinds::Word;
use crate::plan::host::facts::Properties;
use crate::plan::host::script::Call;

use super::Behaviour;
use super::Found;
use super::Looks;
use super::id;
use super::properties;

impl Behaviour for Command {
    fn wanted(&self) -> Properties {
        properties([("done", "yes")])
    }

    fn look(&self, index: usize, looks: &mut Looks) {
        looks.ask("observe_command", index, words(self, &self.unless));
    }

    fn apply(&self, _: &Found<'_>) -> Call {
        Call::new("apply_command", words(self, &self.run))
    }

    fn follows(&self) -> Vec<HostResourceId> {
        vec![id(Kind::User, self.user.as_str())]
    }
}

fn words<'a>(command: &'a Command, words: &'a [Word]) -> impl Iterator<Item = &'a str> {
    std::iter::once(command.user.as_str()).chain(words.iter().map(Word::as_str))
}
