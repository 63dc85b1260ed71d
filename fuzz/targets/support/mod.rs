//! What the targets share: the example of this repository, and files written one after another
//! into one input.

use std::collections::BTreeMap;
use std::path::Path;

/// More files than this are work that a commit deserves, and one input does not.
const MOST_FILES: usize = 8;

/// The files of an input. A line `==> path` begins each; what stands before the first of them is
/// the file of that name, so that any document and any template is an input as it is.
pub fn files<'input>(input: &'input [u8], first: &str) -> BTreeMap<String, &'input [u8]> {
    let mut files = BTreeMap::new();
    let (mut path, mut start, mut line) = (first.to_owned(), 0, 0);
    loop {
        let end = input[line..].iter().position(|byte| *byte == b'\n').map(|end| line + end);
        let text = &input[line..end.unwrap_or(input.len())];
        let begins = text.strip_prefix(b"==> ").and_then(|path| std::str::from_utf8(path).ok());
        if let Some(begins) = begins {
            if line > 0 || start > 0 {
                files.insert(path, &input[start..line]);
            }
            path = begins.to_owned();
            start = end.map_or(input.len(), |end| end + 1);
        }
        match end {
            Some(end) if files.len() < MOST_FILES => line = end + 1,
            _ => break,
        }
    }
    files.insert(path, &input[start..]);
    files
}

/// Some files of the example.
pub fn example(paths: &[&str]) -> BTreeMap<String, Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tenants-example");
    let read =
        |path: &&str| ((*path).to_owned(), std::fs::read(root.join(path)).expect("it is there"));
    paths.iter().map(read).collect()
}
