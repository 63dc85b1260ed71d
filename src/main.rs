//! Parses the command line, runs, and turns an error into an exit code.

fn main() {}
