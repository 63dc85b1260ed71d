//! The layers, and a few habits that make them testable by reading text. The picture is in
//! `src/lib.rs`; what may import what stands here, and nowhere else.

use std::path::Path;
use std::path::PathBuf;

const CORE: [&str; 4] = ["model", "validate", "render", "plan"];

/// Who may import whom. A chapter may always import itself.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("validate", &["model"]),
    ("render", &["model", "validate"]),
    ("plan", &["model"]),
    ("source", &["model"]),
    ("edits", &["model", "validate", "render", "source"]),
    ("apply", &["model", "plan"]),
    // Our own database: the pool and its state, for whoever keeps something there.
    ("postgres", &["model"]),
    ("history", &["model", "plan", "postgres"]),
    ("billing", &["model", "postgres"]),
    ("outbox", &["model"]),
    ("notify", &["model", "postgres", "outbox"]),
    ("accounts", &["model", "postgres", "outbox"]),
    ("usage", &["model", "validate", "postgres"]),
    ("pods", &["model", "postgres"]),
    ("workers", &["model", "postgres"]),
    ("alerts", &["model", "postgres", "accounts"]),
    // It commits and reads history; what it may not reach, the portal may not either.
    (
        "operations",
        &[
            "model", "validate", "source", "edits", "postgres", "history", "billing", "outbox",
            "accounts",
        ],
    ),
    ("payments", &["model", "postgres", "billing", "outbox", "accounts"]),
    // It joins what the portal is made of; what that may not reach, a job may not either.
    (
        "jobs",
        &[
            "model",
            "validate",
            "postgres",
            "history",
            "billing",
            "outbox",
            "accounts",
            "operations",
            "payments",
            "usage",
            "pods",
            "workers",
            "alerts",
        ],
    ),
    ("telemetry", &["settings"]),
    (
        "reconcile",
        &[
            "model",
            "validate",
            "render",
            "plan",
            "source",
            "apply",
            "history",
            "usage",
            "pods",
            "workers",
            "telemetry",
        ],
    ),
    // The portal can only commit: it reaches neither `apply` nor `reconcile`.
    (
        "api",
        &[
            "model",
            "validate",
            "render",
            "plan",
            "source",
            "edits",
            "postgres",
            "history",
            "billing",
            "outbox",
            "accounts",
            "operations",
            "payments",
            "usage",
            "pods",
            "workers",
            "alerts",
            "telemetry",
        ],
    ),
    ("sandbox", &[]),
    ("settings", &[]),
    ("cli", ANY),
];
const ANY: &[&str] = &["*"];

/// What would let the core touch the world.
const WORLDLY: [&str; 20] = [
    "axum::",
    "git2::",
    "hyper::",
    "hyper_util::",
    "k8s_openapi::",
    "kube::",
    "russh::",
    "sqlx::",
    "tokio::",
    "std::env",
    "std::fs",
    "TcpListener",
    "TcpStream",
    "ToSocketAddrs",
    "UdpSocket",
    "std::process",
    "SystemTime",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
];

struct Source {
    /// Such as `src/plan/diff.rs`.
    path: String,
    text: String,
}

impl Source {
    fn of(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// `plan` for `src/plan/diff.rs`; nothing for `src/lib.rs` and `src/main.rs`.
    fn chapter(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src/")?;
        let chapter =
            inside.split_once('/').map_or_else(|| inside.trim_end_matches(".rs"), |at| at.0);
        (!["lib", "main"].contains(&chapter)).then_some(chapter)
    }

    /// How many modules this file is below the crate.
    fn depth(&self) -> usize {
        let modules = self.path.split('/').count() - 1;
        if self.path.ends_with("/mod.rs") { modules - 1 } else { modules }
    }

    /// The lines of code with their numbers, comments taken off.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .map(|(number, line)| (number + 1, line.find("//").map_or(line, |at| &line[..at])))
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "tests", "benches"] {
        collect(&root.join(folder), &mut files);
    }
    files.sort();
    files
        .iter()
        .map(|path| {
            let inside = path.strip_prefix(root).unwrap().to_str().unwrap();
            Source::of(inside, &std::fs::read_to_string(path).unwrap())
        })
        .collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
}

/// Every chapter that a line names as `crate::chapter`.
fn imported(line: &str) -> impl Iterator<Item = &str> {
    line.split("crate::").skip(1).map(|after| {
        let end = after
            .find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
            .unwrap_or(after.len());
        &after[..end]
    })
}

fn wrong_imports(source: &Source) -> Vec<String> {
    let Some(chapter) = source.chapter() else { return Vec::new() };
    let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == chapter) else {
        return vec![format!("{}: `{chapter}` is not in the table of layers", source.path)];
    };
    let mut wrong = Vec::new();
    for (number, line) in source.code() {
        let braces = line.contains("use crate::") && line.contains('{');
        if braces {
            wrong.push(format!("{}:{number}: one path per `use crate::…`", source.path));
        }
        for import in imported(line).filter(|_| !braces) {
            let known = MAY_IMPORT.iter().any(|(name, _)| *name == import);
            let fine = import == chapter || *allowed == ANY || allowed.contains(&import);
            if known && !fine {
                wrong.push(format!(
                    "{}:{number}: `{chapter}` must not import `{import}`",
                    source.path
                ));
            }
        }
    }
    wrong
}

/// A path of so many `super::` that it leaves the chapter, which the table does not see.
fn escapes(source: &Source) -> Vec<String> {
    let Some(_) = source.chapter() else { return Vec::new() };
    let mut depth = source.depth();
    let mut wrong = Vec::new();
    for (number, line) in source.code() {
        // Tests beside the code are a module deeper.
        if line.starts_with("mod tests {") {
            depth += 1;
        }
        let climbs = (1..8).take_while(|climbs| line.contains(&"super::".repeat(*climbs))).count();
        if climbs >= depth && climbs > 0 {
            wrong.push(format!("{}:{number}: `super::` leaves the chapter", source.path));
        }
    }
    wrong
}

fn worldly(source: &Source) -> Vec<String> {
    if !source.chapter().is_some_and(|chapter| CORE.contains(&chapter)) {
        return Vec::new();
    }
    let word = |line: &str, world: &str| {
        line.match_indices(world).any(|(at, _)| {
            !line[..at].ends_with(|before: char| before.is_ascii_alphanumeric() || before == '_')
        })
    };
    source
        .code()
        .take_while(|(_, line)| !line.starts_with("mod tests {"))
        .flat_map(|(number, line)| {
            WORLDLY.iter().filter(move |world| word(line, world)).map(move |world| {
                format!("{}:{number}: the core must not know `{world}`", source.path)
            })
        })
        .collect()
}

#[track_caller]
fn check(rule: fn(&Source) -> Vec<String>) {
    let wrong: Vec<String> = sources().iter().flat_map(rule).collect();
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn imports_go_one_way() {
    check(wrong_imports);
    check(escapes);
}

#[test]
fn the_core_cannot_touch_the_world() {
    check(worldly);
}

#[test]
fn every_file_says_what_it_is_for() {
    check(|source| {
        let silent = !source.text.starts_with("//!");
        silent.then(|| format!("{}: does not open with `//!`", source.path)).into_iter().collect()
    });
}

#[test]
fn only_the_output_of_the_command_line_writes_to_the_terminal() {
    check(|source| {
        let prints = ["io::stdout", "io::stderr", "println!", "print!"];
        let may = ["src/cli/output.rs", "src/telemetry.rs"].contains(&source.path.as_str());
        source
            .code()
            .take_while(|(_, line)| !line.starts_with("mod tests {"))
            .filter(|_| !may && source.path.starts_with("src/"))
            .filter(|(_, line)| prints.iter().any(|print| line.contains(print)))
            .map(|(number, _)| format!("{}:{number}: prints", source.path))
            .collect()
    });
}

#[test]
fn a_breach_of_each_rule_is_found() {
    let told = |rule: fn(&Source) -> Vec<String>, path: &str, text: &str| {
        rule(&Source::of(path, text)).join("; ")
    };
    assert_eq!(
        told(wrong_imports, "src/plan/mod.rs", "use crate::model as _;\nuse crate::apply as _;"),
        "src/plan/mod.rs:2: `plan` must not import `apply`"
    );
    assert_eq!(
        told(wrong_imports, "src/apply/mod.rs", "fn f() { crate::history::g() }"),
        "src/apply/mod.rs:1: `apply` must not import `history`"
    );
    assert_eq!(
        told(wrong_imports, "src/api/orders.rs", "use crate::reconcile::World;"),
        "src/api/orders.rs:1: `api` must not import `reconcile`"
    );
    assert_eq!(
        told(wrong_imports, "src/cli/run.rs", "use crate::{model, plan};"),
        "src/cli/run.rs:1: one path per `use crate::…`"
    );
    assert_eq!(
        told(wrong_imports, "src/misc/mod.rs", ""),
        "src/misc/mod.rs: `misc` is not in the table of layers"
    );
    assert_eq!(
        told(escapes, "src/plan/diff.rs", "use super::super::apply;"),
        "src/plan/diff.rs:1: `super::` leaves the chapter"
    );
    assert_eq!(told(escapes, "src/plan/diff.rs", "use super::masking;"), "");
    assert_eq!(
        told(worldly, "src/model/term.rs", "// tokio::\nlet now = jiff::Timestamp::now();"),
        "src/model/term.rs:2: the core must not know `Timestamp::now`"
    );
    assert_eq!(told(worldly, "src/apply/mod.rs", "use kube::Client;"), "");
}
