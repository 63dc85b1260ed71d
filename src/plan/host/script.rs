//! Scripts for a host's POSIX shell: a fixed text of functions, and calls of them. Whatever is
//! data stands in the arguments of calls, and is quoted.

use crate::model::Secret;
use crate::model::shell::quote;

const COMMON: &str = include_str!("common.sh");
const APPLY: &str = include_str!("apply.sh");
const KINDS: &[&str] = &[
    include_str!("kinds/file.sh"),
    include_str!("kinds/directory.sh"),
    include_str!("kinds/package.sh"),
    include_str!("kinds/account.sh"),
    include_str!("kinds/unit.sh"),
    include_str!("kinds/sysctl.sh"),
    include_str!("kinds/archive.sh"),
    include_str!("kinds/secret.sh"),
    include_str!("kinds/postgres.sh"),
    include_str!("kinds/firewall.sh"),
    include_str!("kinds/command.sh"),
    include_str!("kinds/check.sh"),
];

/// A call of one of the functions. Its arguments may be secrets, so it does not print them.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub function: &'static str,
    arguments: Vec<Secret>,
}

impl Call {
    pub(super) fn new<'a>(
        function: &'static str,
        arguments: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        Self { function, arguments: arguments.into_iter().map(Secret::new).collect() }
    }

    /// The same call with one argument more.
    #[must_use]
    pub(super) fn with(mut self, argument: &str) -> Self {
        self.arguments.push(Secret::new(argument));
        self
    }

    fn write(&self, text: &mut String) {
        text.push_str(self.function);
        for argument in &self.arguments {
            text.push(' ');
            quote(argument.reveal(), text);
        }
    }
}

/// A script as it grows.
#[derive(Debug)]
pub struct Script(Secret);

impl Script {
    /// A script that looks and changes nothing.
    pub(super) fn looking(calls: &[Call]) -> Self {
        Self::of("", &(lines(calls) + "echo over\n"))
    }

    /// A script that makes changes last which the host would undo by itself.
    pub(super) fn confirming() -> Self {
        Self::of("", &(lines(&[Call::new("disarm", [])]) + "echo over\n"))
    }

    /// A script that changes things.
    pub(super) fn changing(trash: &str, body: &str) -> Self {
        let mut folder = String::from("trash=");
        quote(trash, &mut folder);
        Self::of(&format!("{APPLY}\n{folder}\n"), body)
    }

    /// Nothing runs before the last line has arrived: a connection that is cut while it is sent
    /// must leave nothing half done.
    fn of(more: &str, body: &str) -> Self {
        let kinds = KINDS.concat();
        Self(Secret::new(format!("{COMMON}{more}{kinds}\n{{\n{body}exit 0\n}} </dev/null\n")))
    }

    /// What is given to the shell.
    pub fn text(&self) -> &str {
        self.0.reveal()
    }
}

/// Calls, one in a line.
pub(super) fn lines(calls: &[Call]) -> String {
    let mut text = String::new();
    for call in calls {
        call.write(&mut text);
        text.push('\n');
    }
    text
}

/// A step: its number, the numbers of those it needs, and what it calls.
pub(super) fn step(number: usize, needs: &[usize], quiet: bool, call: &Call) -> String {
    let needs: Vec<String> = needs.iter().map(ToString::to_string).collect();
    let quiet = if quiet { "quiet" } else { "loud" };
    let mut text = format!("step {number} '{}' {quiet} ", needs.join(" "));
    call.write(&mut text);
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::Command;
    use std::process::Stdio;

    use proptest::prelude::*;

    use super::*;

    /// What a real shell makes of a call.
    fn said(arguments: &[&str]) -> String {
        let mut text = String::from("say() { printf '<%s>' \"$@\"; }\n");
        text.push_str(&lines(&[Call::new("say", arguments.iter().copied())]));
        let mut shell = Command::new("sh")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("every Unix has a shell");
        shell.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        String::from_utf8(shell.wait_with_output().unwrap().stdout).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_shell_reads_every_argument_as_it_was(
            arguments in proptest::collection::vec("[^\u{0}]{0,12}", 1..4)
        ) {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let expected: Vec<String> =
                arguments.iter().map(|argument| format!("<{argument}>")).collect();
            let expected = expected.concat();
            prop_assert_eq!(said(&arguments), expected);
        }
    }

    #[test]
    fn what_a_shell_would_do_something_with_is_data() {
        let argument = "'; touch /tmp/x; $(id) `id` \\ \n\"*~#";
        assert_eq!(said(&[argument]), format!("<{argument}>"));
    }

    #[test]
    fn a_script_does_not_print_what_it_carries() {
        let call = Call::new("apply_file", ["s3cret"]);
        let script = Script::looking(std::slice::from_ref(&call));
        assert!(script.text().contains("s3cret"));
        assert!(!format!("{call:?} {script:?}").contains("s3cret"));
    }
}
