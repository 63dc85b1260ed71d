//! Parses the command line, runs, and turns an error into an exit code.

use std::process::ExitCode;

/// A reconciler makes and drops small things all day: a fifth of its time went into glibc's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Two crypto providers in one program would make TLS panic at run time; this settles on one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    tenantry::cli::main(std::env::args_os())
}
