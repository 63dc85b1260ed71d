//! What the fields of each kind are: their types, which lists are sets or maps, and what their
//! items are told apart by. Read from `schema.txt`, or from a custom resource's own definition.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::OnceLock;

use serde_json::Value;

/// Types that may refer to each other, by their place in the list.
#[derive(Debug, Default)]
pub(crate) struct Schema {
    structs: Vec<Struct>,
}

#[derive(Clone, Debug)]
pub(crate) struct Struct {
    pub(crate) name: String,
    /// Owned and replaced as a whole.
    pub(crate) atomic: bool,
    pub(crate) fields: HashMap<String, Field>,
}

#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) of: Type,
    pub(crate) required: bool,
    /// `false`, `0`, `""`, `[]` and `{}` are the same as nothing.
    pub(crate) drops_zero: bool,
    /// What a strategic merge patch tells items apart by; empty for a list of scalars to be united.
    pub(crate) merge_key: Option<String>,
    /// Its number in protobuf; several when JSON leaves out the messages in between.
    pub(crate) numbers: Vec<u32>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Type {
    /// Anything goes: maps are owned key by key, lists as a whole.
    Any,
    String,
    Int,
    Number,
    Bool,
    Quantity,
    IntOrString,
    Time,
    Bytes,
    Struct(usize),
    Map(Box<Type>, Atomic),
    List(Box<Type>, Items),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Atomic {
    Yes,
    No,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Items {
    Atomic,
    Set,
    /// Keys, each with the value that its absence means.
    Keyed(Vec<(String, Option<String>)>),
}

impl Schema {
    /// The types of everything built in.
    pub(crate) fn built_in() -> Arc<Self> {
        static BUILT_IN: OnceLock<Arc<Schema>> = OnceLock::new();
        BUILT_IN.get_or_init(|| Arc::new(parse(include_str!("schema.txt")))).clone()
    }

    pub(crate) fn of(&self, id: usize) -> &Struct {
        &self.structs[id]
    }

    pub(crate) fn find(&self, name: &str) -> Option<Type> {
        self.structs.iter().position(|known| known.name == name).map(Type::Struct)
    }

    /// The type of `field` in a value of type `of`, if it may be there.
    pub(crate) fn field<'a>(&'a self, of: &'a Type, field: &str) -> Option<&'a Type> {
        match of {
            Type::Struct(id) => self.structs[*id].fields.get(field).map(|field| &field.of),
            Type::Map(item, _) => Some(item),
            Type::Any => Some(&Type::Any),
            _ => None,
        }
    }

    pub(crate) fn is_declared(&self, of: &Type, field: &str) -> bool {
        matches!(of, Type::Struct(id) if self.structs[*id].fields.contains_key(field))
    }

    pub(crate) fn is_atomic(&self, of: &Type) -> bool {
        match of {
            Type::Struct(id) => self.structs[*id].atomic,
            Type::Map(_, atomic) => *atomic == Atomic::Yes,
            Type::List(_, items) => *items == Items::Atomic,
            _ => false,
        }
    }

    /// The types of a custom resource, from the `openAPIV3Schema` of its definition.
    pub(crate) fn of_custom_resource(definition: &Value) -> (Self, Type) {
        let built_in = Self::built_in();
        let mut schema = Self { structs: built_in.structs.clone() };
        let metadata = schema.find("meta.v1.ObjectMeta").unwrap_or(Type::Any);
        let root = schema.add_custom(definition);
        if let Type::Struct(id) = root {
            let metadata = Field {
                of: metadata,
                required: false,
                drops_zero: false,
                merge_key: None,
                numbers: Vec::new(),
            };
            schema.structs[id].fields.insert("metadata".to_owned(), metadata);
        }
        (schema, root)
    }

    fn add_custom(&mut self, definition: &Value) -> Type {
        let says = |name: &str| definition[name].as_bool() == Some(true);
        if says("x-kubernetes-preserve-unknown-fields") && definition["properties"].is_null() {
            return Type::Any;
        }
        if says("x-kubernetes-int-or-string") {
            return Type::IntOrString;
        }
        match definition["type"].as_str() {
            Some("string") => Type::String,
            Some("integer") => Type::Int,
            Some("number") => Type::Number,
            Some("boolean") => Type::Bool,
            Some("array") => {
                let item = self.add_custom(&definition["items"]);
                Type::List(Box::new(item), custom_items(definition))
            }
            _ => self.add_custom_object(definition),
        }
    }

    fn add_custom_object(&mut self, definition: &Value) -> Type {
        let atomic = definition["x-kubernetes-map-type"].as_str() == Some("atomic");
        if let Some(item) = definition.get("additionalProperties").filter(|item| item.is_object()) {
            let item = self.add_custom(item);
            return Type::Map(Box::new(item), if atomic { Atomic::Yes } else { Atomic::No });
        }
        let Some(properties) = definition["properties"].as_object() else {
            return Type::Any;
        };
        let required: Vec<&str> = definition["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let mut fields = HashMap::new();
        for (name, property) in properties {
            let of = self.add_custom(property);
            let required = required.contains(&name.as_str());
            fields.insert(
                name.clone(),
                Field { of, required, drops_zero: false, merge_key: None, numbers: Vec::new() },
            );
        }
        self.structs.push(Struct {
            name: format!("custom.{}", self.structs.len()),
            atomic,
            fields,
        });
        Type::Struct(self.structs.len() - 1)
    }
}

fn custom_items(definition: &Value) -> Items {
    match definition["x-kubernetes-list-type"].as_str() {
        Some("set") => Items::Set,
        Some("map") => {
            let keys = definition["x-kubernetes-list-map-keys"].as_array().into_iter().flatten();
            let default = |key: &str| {
                definition["items"]["properties"][key]["default"].as_str().map(str::to_owned)
            };
            Items::Keyed(
                keys.filter_map(Value::as_str).map(|key| (key.to_owned(), default(key))).collect(),
            )
        }
        _ => Items::Atomic,
    }
}

fn parse(text: &str) -> Schema {
    let lines = || text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let names: HashMap<&str, usize> = lines()
        .filter(|line| !line.starts_with(' '))
        .enumerate()
        .map(|(place, line)| (line.trim_end_matches(" ~"), place))
        .collect();
    let mut structs: Vec<Struct> = Vec::new();
    let mut defaults = Vec::new();
    for line in lines() {
        let Some(field) = line.strip_prefix(' ') else {
            let name = line.trim_end_matches(" ~");
            structs.push(Struct {
                name: name.to_owned(),
                atomic: name != line,
                fields: HashMap::new(),
            });
            continue;
        };
        let (field, default) =
            field.split_once(" =").map_or((field, None), |(field, value)| (field, Some(value)));
        let (field, numbers) = field.split_once(" #").unwrap_or((field, ""));
        let field = field.trim_end_matches(" +retain");
        let (field, merge_key) =
            field.split_once(" @").map_or((field, None), |(field, key)| (field, Some(key)));
        let (marked, of) =
            field.split_once(' ').expect("because every field in schema.txt has a type");
        let name = marked.trim_end_matches(['!', '?']);
        if let Some(default) = default {
            defaults.push((structs.len() - 1, name.to_owned(), default.to_owned()));
        }
        let field = Field {
            of: parse_type(of, &names),
            required: marked[name.len()..].contains('!'),
            drops_zero: marked[name.len()..].contains('?'),
            merge_key: merge_key.map(str::to_owned),
            numbers: numbers.split('.').filter_map(|number| number.parse().ok()).collect(),
        };
        let current =
            structs.last_mut().expect("because schema.txt starts with the name of a type");
        current.fields.insert(name.to_owned(), field);
    }
    give_keys_their_defaults(&mut structs, &defaults);
    Schema { structs }
}

fn parse_type(text: &str, names: &HashMap<&str, usize>) -> Type {
    let (atomic, text) = match text.strip_prefix('~') {
        Some(text) => (Atomic::Yes, text),
        None => (Atomic::No, text),
    };
    if let Some(item) = text.strip_prefix('{') {
        return Type::Map(Box::new(parse_type(item.trim_end_matches('}'), names)), atomic);
    }
    if let Some(list) = text.strip_prefix('[').and_then(|list| list.strip_suffix(']')) {
        let (items, item) = match list.split_once(": ") {
            None => (Items::Atomic, list),
            Some(("set", item)) => (Items::Set, item),
            Some((keys, item)) => {
                (Items::Keyed(keys.split(',').map(|key| (key.to_owned(), None)).collect()), item)
            }
        };
        return Type::List(Box::new(parse_type(item, names)), items);
    }
    match text {
        "any" => Type::Any,
        "string" => Type::String,
        "int" => Type::Int,
        "number" => Type::Number,
        "bool" => Type::Bool,
        "quantity" => Type::Quantity,
        "intorstring" => Type::IntOrString,
        "time" => Type::Time,
        "bytes" => Type::Bytes,
        name => Type::Struct(
            *names.get(name).expect("because schema.txt defines every type that it names"),
        ),
    }
}

/// `protocol` in a port's key means TCP when it is not written.
fn give_keys_their_defaults(structs: &mut [Struct], defaults: &[(usize, String, String)]) {
    for known in structs {
        for field in known.fields.values_mut() {
            let Type::List(item, Items::Keyed(keys)) = &mut field.of else {
                continue;
            };
            let Type::Struct(item) = **item else { continue };
            for (key, default) in keys {
                let given = defaults.iter().find(|(owner, name, _)| *owner == item && name == key);
                *default = given.map(|(_, _, value)| value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_told_apart_by_number_and_protocol_which_is_tcp_by_default() {
        let schema = Schema::built_in();
        let container = schema.find("core.v1.Container").unwrap();
        let Some(Type::List(_, Items::Keyed(keys))) = schema.field(&container, "ports") else {
            panic!("no list")
        };
        let expected =
            [("containerPort".to_owned(), None), ("protocol".to_owned(), Some("TCP".to_owned()))];
        assert_eq!(keys[..], expected);
    }

    #[test]
    fn selectors_are_atomic_and_labels_are_not() {
        let schema = Schema::built_in();
        let service = schema.find("core.v1.ServiceSpec").unwrap();
        assert!(schema.is_atomic(schema.field(&service, "selector").unwrap()));
        let metadata = schema.find("meta.v1.ObjectMeta").unwrap();
        assert!(!schema.is_atomic(schema.field(&metadata, "labels").unwrap()));
    }
}
