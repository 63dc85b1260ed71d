//! A server can be reached, is known by its key, and says when it may be changed.

use super::Rule;
use crate::model::Document;
use crate::model::Host;
use crate::model::host::DAYS;
use crate::model::names::is_domain;
use crate::validate::findings::Findings;
use crate::validate::findings::Located as _;
use crate::validate::view::World;

pub(super) const RULE: Rule = Rule::whole(
    "ill-formed-host",
    "A host has an address, a user, a pinned key, and a maintenance window that opens.",
    check,
);

fn check(world: &World<'_>, findings: &mut Findings) {
    for host in world.configuration.hosts.values() {
        check_access(host, findings);
        check_window(host, findings);
    }
}

fn check_access(host: &Document<Host>, findings: &mut Findings) {
    let spec = &host.spec;
    let address = &spec.address;
    if address.parse::<core::net::IpAddr>().is_err() && !is_domain(address) {
        findings
            .error(host.at("spec.address"), format!("`{address}` is neither an address nor a name"))
            .help("write an IP address or a domain, without a port");
    }
    let user_fits = (1..=32).contains(&spec.user.len())
        && !spec.user.starts_with('-')
        && spec.user.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte)
        });
    if !user_fits {
        findings
            .error(host.at("spec.user"), format!("`{}` is not a user", spec.user))
            .help("use 1 to 32 of a-z, 0-9, `_` and `-`");
    }
    if spec.host_keys.is_empty() {
        findings
            .error(
                host.at("spec.hostKeys"),
                "without a key nobody knows whether it is this host that answers",
            )
            .help(format!("add what `ssh-keyscan -t ed25519 {address}` prints, without the name"));
    }
    for (index, key) in spec.host_keys.iter().enumerate() {
        if !is_key(key) {
            findings
                .error(
                    host.at(format!("spec.hostKeys.{index}")),
                    "this is not a public key of a host",
                )
                .help("write its type and the key, such as `ssh-ed25519 AAAA…`, without the name");
        }
    }
}

fn is_key(key: &str) -> bool {
    let mut words = key.split_ascii_whitespace();
    let known = matches!(
        words.next(),
        Some(
            "ssh-ed25519"
                | "ecdsa-sha2-nistp256"
                | "ecdsa-sha2-nistp384"
                | "ecdsa-sha2-nistp521"
                | "ssh-rsa"
        )
    );
    let base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
    known
        && words.next().is_some_and(|key| {
            key.starts_with("AAAA") && key.len() >= 68 && key.bytes().all(base64)
        })
}

fn check_window(host: &Document<Host>, findings: &mut Findings) {
    let Some(window) = &host.spec.maintenance else { return };
    if window.days.is_empty() {
        findings
            .error(host.at("spec.maintenance.days"), "the window opens on no day")
            .help("add days, such as `[sat, sun]`");
    }
    for (index, day) in window.days.iter().enumerate() {
        if !DAYS.contains(&day.as_str()) {
            findings
                .error(
                    host.at(format!("spec.maintenance.days.{index}")),
                    format!("`{day}` is not a day"),
                )
                .help(format!("use {}", DAYS.join(", ")));
        }
    }
    for (path, time) in
        [("spec.maintenance.from", &window.from), ("spec.maintenance.to", &window.to)]
    {
        let fits = time.len() == 5
            && time.split_once(':').is_some_and(|(hour, minute)| {
                hour.parse::<u8>().is_ok_and(|hour| hour < 24)
                    && minute.parse::<u8>().is_ok_and(|minute| minute < 60)
            });
        if !fits {
            findings
                .error(host.at(path), format!("`{time}` is not a time of day"))
                .help("write hours and minutes in quotes, such as `\"02:00\"`");
        }
    }
    if window.from == window.to {
        findings
            .error(host.at("spec.maintenance.to"), "the window closes when it opens")
            .help("let it close later");
    }
}
