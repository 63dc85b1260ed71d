//! Selectors: which objects a list, a watch or a controller means.

use serde_json::Value;

use crate::sandbox::kinds::Kind;
use crate::sandbox::object::Object;
use crate::sandbox::refusal::Refusal;

/// Labels and fields, all of which must hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selector {
    labels: LabelSelector,
    fields: Vec<FieldTerm>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct LabelSelector {
    terms: Vec<LabelTerm>,
}

#[derive(Clone, Debug, PartialEq)]
struct LabelTerm {
    name: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Absent,
}

#[derive(Clone, Debug)]
struct FieldTerm {
    path: String,
    value: String,
    equal: bool,
}

impl Selector {
    pub(crate) fn parse(kind: &Kind, labels: &str, fields: &str) -> Result<Self, Refusal> {
        let unable = |why: &str| {
            let group = if kind.group.is_empty() { "" } else { &kind.group };
            let version = &kind.versions[0];
            let plural = &kind.plural;
            Refusal::bad_request(format!(
                "Unable to find \"{group}/{version}, Resource={plural}\" that match label selector \"{labels}\", \
                 field selector \"{fields}\": {why}"
            ))
        };
        let labels = LabelSelector::parse(labels)
            .map_err(|why| Refusal::bad_request(format!("unable to parse requirement: {why}")))?;
        let mut terms = Vec::new();
        for term in fields.split(',').filter(|term| !term.is_empty()) {
            let (path, value, equal) = if let Some((path, value)) = term.split_once("!=") {
                (path, value, false)
            } else if let Some((path, value)) = term.split_once('=') {
                (path, value.trim_start_matches('='), true)
            } else {
                return Err(Refusal::bad_request(format!(
                    "invalid selector: '{fields}'; can't understand '{term}'"
                )));
            };
            if !supported_fields(kind).contains(&path) {
                let why = if kind.plural == "pods" || !kind.group.is_empty() {
                    format!("field label not supported: {path}")
                } else {
                    format!(
                        "\"{path}\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
                    )
                };
                return Err(unable(&why));
            }
            terms.push(FieldTerm { path: path.to_owned(), value: value.to_owned(), equal });
        }
        Ok(Self { labels, fields: terms })
    }

    /// Only the object of one name.
    pub(crate) fn only(mut self, name: &str) -> Self {
        self.fields.push(FieldTerm {
            path: "metadata.name".to_owned(),
            value: name.to_owned(),
            equal: true,
        });
        self
    }

    pub(crate) fn is_everything(&self) -> bool {
        self.labels.terms.is_empty() && self.fields.is_empty()
    }

    pub(crate) fn matches(&self, object: &Object) -> bool {
        self.labels.matches(|name| object.label(name)) && self.fields_match(object)
    }

    fn fields_match(&self, object: &Object) -> bool {
        let mut body = None;
        self.fields.iter().all(|term| {
            let facts = object.facts.as_deref();
            let found = match term.path.as_str() {
                "metadata.name" => object.key.name.to_string(),
                "metadata.namespace" => object.key.namespace.to_string(),
                "status.phase" => facts.map(|facts| facts.phase.to_string()).unwrap_or_default(),
                "spec.nodeName" => facts.map(|facts| facts.node.to_string()).unwrap_or_default(),
                path => text_at(body.get_or_insert_with(|| object.body()), path),
            };
            (found == term.value) == term.equal
        })
    }
}

fn text_at(body: &Value, path: &str) -> String {
    let found = path.split('.').fold(body, |value, step| &value[step]);
    match found {
        Value::String(text) => text.clone(),
        Value::Null if path.ends_with("successful") => "0".to_owned(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn supported_fields(kind: &Kind) -> Vec<&'static str> {
    let more: &[&str] = match kind.plural.as_str() {
        "pods" => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ],
        "events" => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        "secrets" => &["type"],
        "namespaces" => &["status.phase"],
        "nodes" => &["spec.unschedulable"],
        "services" => &["spec.clusterIP", "spec.type"],
        "jobs" => &["status.successful"],
        "replicasets" => &["status.replicas"],
        _ => &[],
    };
    ["metadata.name", "metadata.namespace"].iter().chain(more).copied().collect()
}

impl LabelSelector {
    /// `a=b,c!=d,e in (f,g),h notin (i),j,!k`
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut terms = Vec::new();
        let mut rest = text.trim();
        while !rest.is_empty() {
            let end = end_of_term(rest);
            terms.push(parse_term(rest[..end].trim())?);
            rest = rest[end..].trim_start_matches(',').trim();
        }
        Ok(Self { terms })
    }

    /// From `matchLabels` and `matchExpressions`. Nothing at all selects everything.
    pub(crate) fn of(selector: &Value) -> Self {
        let labels = selector["matchLabels"].as_object().into_iter().flatten();
        let mut terms: Vec<LabelTerm> =
            labels.map(|(name, value)| LabelTerm::equals(name, value)).collect();
        for expression in selector["matchExpressions"].as_array().into_iter().flatten() {
            let values = expression["values"].as_array().into_iter().flatten();
            let values = values.filter_map(Value::as_str).map(str::to_owned).collect();
            let test = match expression["operator"].as_str() {
                Some("In") => Test::In(values),
                Some("NotIn") => Test::NotIn(values),
                Some("Exists") => Test::Exists,
                _ => Test::Absent,
            };
            terms.push(LabelTerm {
                name: expression["key"].as_str().unwrap_or_default().to_owned(),
                test,
            });
        }
        Self { terms }
    }

    /// From a plain map, as services and replication controllers have it.
    pub(crate) fn of_map(labels: &Value) -> Self {
        let labels = labels.as_object().into_iter().flatten();
        Self { terms: labels.map(|(name, value)| LabelTerm::equals(name, value)).collect() }
    }

    pub(crate) fn is_everything(&self) -> bool {
        self.terms.is_empty()
    }

    pub(crate) fn matches<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.terms.iter().all(|term| {
            let value = label(&term.name);
            match &term.test {
                Test::In(values) => {
                    value.is_some_and(|value| values.iter().any(|known| known == value))
                }
                Test::NotIn(values) => {
                    value.is_none_or(|value| values.iter().all(|known| known != value))
                }
                Test::Exists => value.is_some(),
                Test::Absent => value.is_none(),
            }
        })
    }

    pub(crate) fn matches_object(&self, object: &Object) -> bool {
        self.matches(|name| object.label(name))
    }

    /// As the scale subresource spells it.
    pub(crate) fn written(&self) -> String {
        let term = |term: &LabelTerm| match &term.test {
            Test::In(values) if values.len() == 1 => format!("{}={}", term.name, values[0]),
            Test::In(values) => format!("{} in ({})", term.name, values.join(",")),
            Test::NotIn(values) => format!("{} notin ({})", term.name, values.join(",")),
            Test::Exists => term.name.clone(),
            Test::Absent => format!("!{}", term.name),
        };
        self.terms.iter().map(term).collect::<Vec<_>>().join(",")
    }
}

impl LabelTerm {
    fn equals(name: &str, value: &Value) -> Self {
        Self {
            name: name.to_owned(),
            test: Test::In(vec![value.as_str().unwrap_or_default().to_owned()]),
        }
    }
}

/// A comma inside parentheses does not end a term.
fn end_of_term(text: &str) -> usize {
    let mut depth = 0_i32;
    for (place, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => return place,
            _ => {}
        }
    }
    text.len()
}

fn parse_term(term: &str) -> Result<LabelTerm, String> {
    let listed = |list: &str| -> Option<Vec<String>> {
        let list = list.trim().strip_prefix('(')?.strip_suffix(')')?;
        Some(list.split(',').map(|value| value.trim().to_owned()).collect())
    };
    let named = |name: &str, test| {
        let name = name.trim();
        if name.is_empty() || name.contains([' ', '(', '!', '=']) {
            return Err(format!("found '{term}', expected: identifier"));
        }
        Ok(LabelTerm { name: name.to_owned(), test })
    };
    if let Some((name, value)) = term.split_once("!=") {
        return named(name, Test::NotIn(vec![value.trim().to_owned()]));
    }
    if let Some((name, value)) = term.split_once('=') {
        return named(name, Test::In(vec![value.trim_start_matches('=').trim().to_owned()]));
    }
    if let Some(name) = term.strip_prefix('!') {
        return named(name, Test::Absent);
    }
    match term.split_once(char::is_whitespace) {
        None => named(term, Test::Exists),
        Some((name, rest)) => {
            let rest = rest.trim();
            let not_a_list = || format!("found '{rest}', expected: '('");
            if let Some(list) = rest.strip_prefix("notin") {
                named(name, Test::NotIn(listed(list).ok_or_else(not_a_list)?))
            } else if let Some(list) = rest.strip_prefix("in") {
                named(name, Test::In(listed(list).ok_or_else(not_a_list)?))
            } else {
                Err(format!("found '{rest}', expected: in, notin, =, ==, !=, gt, lt"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(selector: &str, labels: &[(&str, &str)], expected: bool) {
        let parsed = LabelSelector::parse(selector).unwrap();
        let label =
            |name: &str| labels.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        assert_eq!(parsed.matches(label), expected, "{selector}");
    }

    #[test]
    fn label_selectors_mean_what_they_say() {
        let web = [("app", "web"), ("tier", "front")];
        check("", &web, true);
        check("app=web,tier==front", &web, true);
        check("app!=web", &web, false);
        check("absent!=x", &web, true);
        check("app in (api, web)", &web, true);
        check("app notin (api,web),tier", &web, false);
        check("!app", &web, false);
        check("!gone, tier", &web, true);
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for wrong in ["a like b", "=x", "a in b"] {
            assert!(LabelSelector::parse(wrong).is_err(), "{wrong}");
        }
    }
}
