//! What a failed step most likely means, by what its program printed, and what to do about it.

/// What programs print, and what it means.
const KNOWN: &[(&str, &str)] = &[
    ("No space left on device", "the disk is full: free some space, and it goes on by itself"),
    ("Disk quota exceeded", "the disk is full: free some space, and it goes on by itself"),
    ("Read-only file system", "the disk can only be read: look at `dmesg` on the host"),
    ("Could not get lock", "apt is at work on the host: it is tried again"),
    ("Unable to acquire the dpkg frontend lock", "apt is at work on the host: it is tried again"),
    (
        "Unable to locate package",
        "no source of apt has this package: correct its name, or add a source",
    ),
    ("was not found", "no source of apt has this version: correct it, or leave it out"),
    (
        "Unmet dependencies",
        "apt is broken: `apt-get -f install` on the host tells how it can be mended",
    ),
    (
        "unmet dependencies",
        "apt is broken: `apt-get -f install` on the host tells how it can be mended",
    ),
    ("Malformed", "apt's sources are broken: `apt-get update` on the host tells where"),
    ("Unable to fetch", "apt reaches no mirror: look at the host's network and at apt's sources"),
    ("Failed to fetch", "apt reaches no mirror: look at the host's network and at apt's sources"),
    ("Temporary failure resolving", "the host resolves no names: look at /etc/resolv.conf"),
    ("NO_PUBKEY", "apt does not know who signed a source: add its key"),
    ("Address already in use", "another program has its port: `ss -ltnp` on the host tells which"),
    ("is currently used by process", "the user still runs something: stop it first"),
    (
        "Directory not empty",
        "there is something in it that is not ours: look at it, and take it away",
    ),
];

/// What to do about a failure, where it is known.
pub fn advice(tail: &str) -> Option<&'static str> {
    KNOWN.iter().find(|(printed, _)| tail.contains(printed)).map(|(_, advice)| *advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_programs_print_is_understood() {
        let tail = "E: Unable to locate package nignx";
        assert!(advice(tail).unwrap().starts_with("no source of apt has this package"));
        assert!(advice("sh: printf: write error: No space left on device").is_some());
        assert_eq!(advice("exit 3"), None);
    }
}
