//! What may come in; everything else may not. It is one table of nftables, which is ours.
//!
//! A rule can lock us out. So the host is told first how to undo it by itself, and only whoever gets
//! in over a new connection afterwards tells it not to.

use std::fmt::Write as _;

use crate::model::host::HostResourceId;
use crate::model::host::Kind;
use crate::model::host::kinds::Allowed;
use crate::model::host::kinds::Firewall;
use crate::model::host::words::Network;
use crate::plan::host::facts::Properties;
use crate::plan::host::inventory::sum;
use crate::plan::host::script::Call;

use super::Behaviour;
use super::Found;
use super::Looks;
use super::id;
use super::properties;

/// How long a host waits until it undoes what nobody confirmed, in seconds.
pub(in crate::plan::host) const PATIENCE: u32 = 90;
/// How often the same rules are tried: once more, where whoever should have confirmed them died.
const MOST_TRIES: usize = 2;

impl Behaviour for Firewall {
    fn wanted(&self) -> Properties {
        properties([("sha256", &sum(&text(self))), ("loaded", "yes")])
    }

    fn look(&self, index: usize, looks: &mut Looks) {
        looks.ask("observe_firewall", index, []);
    }

    fn apply(&self, _: &Found<'_>) -> Call {
        let text = text(self);
        Call::new("apply_firewall", [text.as_str(), &sum(&text), &PATIENCE.to_string()])
    }

    fn follows(&self) -> Vec<HostResourceId> {
        vec![id(Kind::Package, "nftables")]
    }

    fn complaint(&self, facts: &Properties) -> Option<String> {
        let sum = sum(&text(self));
        let undone = facts.get("undone").map_or("", |undone| undone);
        let tries = undone.lines().filter(|line| *line == &*sum).count();
        (tries >= MOST_TRIES).then(|| {
            "the host undid these rules by itself, because nobody could get in to confirm them: change them".into()
        })
    }
}

pub(super) fn seen(facts: &Properties) -> Option<Properties> {
    facts.contains_key("sha256").then(|| facts.clone())
}

/// The rules, as `nft -f` reads them: the table is replaced as a whole, in one transaction.
fn text(firewall: &Firewall) -> String {
    let mut text = String::from(
        "table inet tenantry\ndelete table inet tenantry\ntable inet tenantry {\n  chain input {\n    \
         type filter hook input priority 0; policy drop;\n    ct state established,related accept\n    \
         ct state invalid drop\n    iif lo accept\n    meta l4proto { icmp, ipv6-icmp } accept\n",
    );
    for allowed in &firewall.allow {
        rules(allowed, &mut text);
    }
    text.push_str("  }\n}\n");
    text
}

fn rules(allowed: &Allowed, text: &mut String) {
    let Allowed { port, protocol, from } = allowed;
    let protocol = protocol.word();
    for (family, fits) in [("ip", false), ("ip6", true)] {
        let sources: Vec<&str> = from
            .iter()
            .map(Network::as_str)
            .filter(|source| source.contains(':') == fits)
            .collect();
        if !sources.is_empty() {
            let sources = sources.join(", ");
            let _ =
                writeln!(text, "    {family} saddr {{ {sources} }} {protocol} dport {port} accept");
        }
    }
    if from.is_empty() {
        let _ = writeln!(text, "    {protocol} dport {port} accept");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_what_nft_reads() {
        let firewall: Firewall = serde_json::from_str(
            r#"{"allow": [{"port": 22, "from": ["192.0.2.0/24", "2001:db8::/32"]}, {"port": 53, "protocol": "udp"}]}"#,
        )
        .unwrap();
        let text = text(&firewall);
        assert!(text.contains("    ip saddr { 192.0.2.0/24 } tcp dport 22 accept\n"), "{text}");
        assert!(text.contains("    ip6 saddr { 2001:db8::/32 } tcp dport 22 accept\n"), "{text}");
        assert!(text.contains("    udp dport 53 accept\n"), "{text}");
    }

    #[test]
    fn what_was_undone_twice_is_not_tried_again() {
        let firewall: Firewall = serde_json::from_str(r#"{"allow": []}"#).unwrap();
        let sum = sum(&text(&firewall));
        let undone = |lines: String| firewall.complaint(&properties([("undone", lines.as_str())]));
        assert_eq!(undone(format!("{sum}\n")), None);
        assert!(undone(format!("{sum}\nother\n{sum}\n")).is_some());
    }
}
