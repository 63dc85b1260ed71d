//! What is only looked at: whether something answers, and whether something listens.

use crate::model::host::kinds::HttpCheck;
use crate::model::host::kinds::PortCheck;
use crate::plan::host::facts::Properties;
use crate::plan::host::script::Call;

use super::Behaviour;
use super::Found;
use super::Looks;

/// Nothing can be done about a check: it is told.
fn nothing() -> Call {
    Call::new("true", [])
}

impl Behaviour for HttpCheck {
    fn wanted(&self) -> Properties {
        Properties::new()
    }

    fn look(&self, index: usize, looks: &mut Looks) {
        let contains = self.contains.as_ref().map_or("", |text| text.as_str());
        looks.ask("observe_http_check", index, [self.url.as_str(), contains]);
    }

    fn apply(&self, _: &Found<'_>) -> Call {
        nothing()
    }

    fn complaint(&self, facts: &Properties) -> Option<String> {
        if facts.contains_key("missing") {
            return Some("there is no `curl` to ask with: add `package: {name: curl}`".into());
        }
        let wanted = self.status.to_string();
        match facts.get("status").map(|status| &**status) {
            Some(status) if status == wanted => match &self.contains {
                Some(text) if !facts.contains_key("contains") => {
                    Some(format!("it answers {status} without `{text}`"))
                }
                _ => None,
            },
            None | Some("000") => Some("nothing answers".into()),
            Some(status) => Some(format!("it answers {status} instead of {wanted}")),
        }
    }
}

impl Behaviour for PortCheck {
    fn wanted(&self) -> Properties {
        Properties::new()
    }

    fn look(&self, index: usize, looks: &mut Looks) {
        looks.ask("observe_port_check", index, [self.port.to_string().as_str()]);
    }

    fn apply(&self, _: &Found<'_>) -> Call {
        nothing()
    }

    fn complaint(&self, facts: &Properties) -> Option<String> {
        let sockets = facts.get("sockets").map_or("", |sockets| sockets);
        let mut listening = sockets.lines().filter_map(|line| socket(line, self.port));
        let here = listening.find(|(address, _)| {
            let any = ["0.0.0.0", "*", "[::]"].contains(address);
            any || address.trim_matches(['[', ']']) == self.address.to_string()
        });
        let Some((_, process)) = here else { return Some("nothing listens".into()) };
        match &self.process {
            Some(wanted) if process != wanted.as_str() => {
                Some(format!("`{process}` listens there, and not `{wanted}`"))
            }
            _ => None,
        }
    }
}

/// The address and the program of a line that `ss -Hltnp` prints.
fn socket(line: &str, port: u16) -> Option<(&str, &str)> {
    let local = line.split_ascii_whitespace().nth(3)?;
    let address = local.strip_suffix(&format!(":{port}"))?;
    // An address may name the interface that it is of.
    let address = address.split('%').next().unwrap_or(address);
    let process = line.split_once("((\"").and_then(|(_, rest)| rest.split_once('"'));
    Some((address, process.map_or("", |(process, _)| process)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::host::kinds::properties;

    #[test]
    fn a_port_is_looked_for_where_it_should_be() {
        let told = |address: &str, process: Option<&str>, sockets: &str| {
            let check = PortCheck {
                address: address.parse().unwrap(),
                port: 80,
                process: process.map(|process| process.parse().unwrap()),
            };
            check.complaint(&properties([("sockets", sockets)]))
        };
        let nginx = "LISTEN 0 511 0.0.0.0:80 0.0.0.0:* users:((\"nginx\",pid=9,fd=6),(\"nginx\",pid=8,fd=6))\n";
        assert_eq!(told("127.0.0.1", Some("nginx"), nginx), None);
        assert_eq!(
            told("127.0.0.1", Some("apache2"), nginx).as_deref(),
            Some("`nginx` listens there, and not `apache2`")
        );
        let other = "LISTEN 0 511 10.0.0.1%eth0:80 0.0.0.0:*\n";
        assert_eq!(told("10.0.0.1", None, other), None);
        assert_eq!(told("127.0.0.1", None, other).as_deref(), Some("nothing listens"));
        assert_eq!(told("::1", None, "LISTEN 0 5 [::1]:80 [::]:*\n"), None);
    }

    #[test]
    fn what_answers_otherwise_is_told() {
        let check = HttpCheck {
            url: "http://127.0.0.1/".parse().unwrap(),
            status: 200,
            contains: Some("ready".parse().unwrap()),
        };
        let told = |pairs: &[(&str, &str)]| {
            let facts = pairs.iter().map(|(name, value)| ((*name).into(), (*value).into()));
            check.complaint(&facts.collect())
        };
        assert_eq!(told(&[("status", "200"), ("contains", "yes")]), None);
        assert_eq!(told(&[("status", "200")]).as_deref(), Some("it answers 200 without `ready`"));
        assert_eq!(told(&[("status", "502")]).as_deref(), Some("it answers 502 instead of 200"));
        assert_eq!(told(&[("status", "000")]).as_deref(), Some("nothing answers"));
        assert!(told(&[("missing", "curl")]).unwrap().contains("package: {name: curl}"));
    }
}
