//! What stands beside the code is true: the README's commands print what it quotes, and the
//! example has no findings.

use std::path::Path;

use crate::support::program::Program;

/// The commands in the README's `console` blocks, each with the output that is quoted below it.
fn quoted_commands(readme: &str) -> Vec<(String, String)> {
    let mut quoted: Vec<(String, String)> = Vec::new();
    let mut inside = false;
    for line in readme.lines() {
        match line {
            "```console" => inside = true,
            "```" => inside = false,
            _ if !inside => {}
            _ => match (line.strip_prefix("$ "), quoted.last_mut()) {
                (Some(command), _) => quoted.push((command.to_owned(), String::new())),
                (None, Some((_, output))) => output.extend([line, "\n"]),
                (None, None) => panic!("output without a command: {line}"),
            },
        }
    }
    quoted
}

#[test]
fn the_commands_of_the_readme_print_what_it_says() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let commands = quoted_commands(&std::fs::read_to_string(readme).unwrap());
    assert!(!commands.is_empty(), "the README quotes no command any more");
    for (command, quoted) in commands {
        let Some(arguments) = command.strip_prefix("tenantry ") else { continue };
        let told = Program::with(arguments).here().run();
        assert_eq!(told.out, quoted, "`{command}` prints something else, and {}", told.err);
    }
}
