//! Reading protobuf, which some of kubectl's commands send and leave no choice about. Answers are
//! always JSON, which all of them accept.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use crate::sandbox::schema::Schema;
use crate::sandbox::schema::Type;

const MAGIC: &[u8] = b"k8s\0";

/// A field as it came over the wire.
struct Wire<'a> {
    number: u32,
    value: Scalar<'a>,
}

#[derive(Clone, Copy)]
enum Scalar<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The object in an envelope, whose type `type_of` finds by API version and kind.
pub(crate) fn read(
    bytes: &[u8],
    type_of: impl Fn(&str, &str) -> Option<(std::sync::Arc<Schema>, Type)>,
) -> Option<Value> {
    let envelope = bytes.strip_prefix(MAGIC)?;
    let (mut api_version, mut kind, mut raw) = (String::new(), String::new(), &[][..]);
    for field in fields(envelope)? {
        match (field.number, field.value) {
            (1, Scalar::Bytes(meta)) => {
                for field in fields(meta)? {
                    let Scalar::Bytes(text) = field.value else { continue };
                    let text = String::from_utf8_lossy(text).into_owned();
                    if field.number == 1 { api_version = text } else { kind = text }
                }
            }
            (2, Scalar::Bytes(bytes)) => raw = bytes,
            _ => {}
        }
    }
    let mut object = match type_of(&api_version, &kind) {
        Some((schema, of)) => message(&schema, &of, raw)?,
        None => json!({}),
    };
    object["apiVersion"] = api_version.into();
    object["kind"] = kind.into();
    Some(object)
}

fn message(schema: &Schema, of: &Type, bytes: &[u8]) -> Option<Value> {
    let Type::Struct(id) = of else { return None };
    let mut object = Map::new();
    read_fields(schema, *id, &mut Vec::new(), bytes, &mut object)?;
    Some(Value::Object(object))
}

fn read_fields(
    schema: &Schema,
    id: usize,
    prefix: &mut Vec<u32>,
    bytes: &[u8],
    object: &mut Map<String, Value>,
) -> Option<()> {
    let known = &schema.of(id).fields;
    for wire in fields(bytes)? {
        prefix.push(wire.number);
        let field = known.iter().find(|(_, field)| field.numbers == *prefix);
        if let Some((name, field)) = field {
            put(schema, &field.of, wire.value, object.entry(name.clone()).or_insert(Value::Null))?;
        } else if let Scalar::Bytes(inner) = wire.value
            && known.values().any(|field| field.numbers.starts_with(prefix))
        {
            read_fields(schema, id, prefix, inner, object)?;
        }
        prefix.pop();
    }
    Some(())
}

/// Sets a field, or adds to it when it may come several times.
fn put(schema: &Schema, of: &Type, wire: Scalar<'_>, target: &mut Value) -> Option<()> {
    match (of, wire) {
        (Type::List(item, _), Scalar::Bytes(packed)) if **item == Type::Int => {
            let mut rest = packed;
            while !rest.is_empty() {
                push(target, signed(number(&mut rest)?));
            }
        }
        (Type::List(item, _), wire) => {
            let mut value = Value::Null;
            put(schema, item, wire, &mut value)?;
            push(target, value);
        }
        (Type::Map(item, _), Scalar::Bytes(entry)) => {
            let (mut key, mut value) = (String::new(), Value::Null);
            for field in fields(entry)? {
                match (field.number, field.value) {
                    (1, Scalar::Bytes(text)) => key = String::from_utf8_lossy(text).into_owned(),
                    (_, wire) => put(schema, item, wire, &mut value)?,
                }
            }
            if value.is_null() {
                value = "".into();
            }
            if !target.is_object() {
                *target = json!({});
            }
            target[key] = value;
        }
        (_, wire) => *target = single(schema, of, wire)?,
    }
    Some(())
}

fn push(list: &mut Value, value: Value) {
    match list {
        Value::Array(list) => list.push(value),
        other => *other = Value::Array(vec![value]),
    }
}

fn single(schema: &Schema, of: &Type, wire: Scalar<'_>) -> Option<Value> {
    Some(match (of, wire) {
        (Type::Bool, Scalar::Number(number)) => Value::Bool(number != 0),
        (_, Scalar::Number(number)) => signed(number),
        (Type::Struct(_), Scalar::Bytes(bytes)) => message(schema, of, bytes)?,
        (Type::Bytes, Scalar::Bytes(bytes)) => BASE64.encode(bytes).into(),
        (Type::Quantity, Scalar::Bytes(bytes)) => inner_text(bytes, 1)?.into(),
        (Type::Time, Scalar::Bytes(bytes)) => time(bytes)?,
        (Type::IntOrString, Scalar::Bytes(bytes)) => int_or_string(bytes)?,
        (Type::Any, Scalar::Bytes(bytes)) => {
            serde_json::from_str(&inner_text(bytes, 1)?).unwrap_or_default()
        }
        (_, Scalar::Bytes(bytes)) => String::from_utf8_lossy(bytes).into_owned().into(),
    })
}

fn signed(number: u64) -> Value {
    number.cast_signed().into()
}

fn inner_text(bytes: &[u8], wanted: u32) -> Option<String> {
    let found = fields(bytes)?.into_iter().find(|field| field.number == wanted);
    match found.map(|field| field.value) {
        Some(Scalar::Bytes(text)) => Some(String::from_utf8_lossy(text).into_owned()),
        _ => Some(String::new()),
    }
}

/// The zero time is written as nothing and means none.
fn time(bytes: &[u8]) -> Option<Value> {
    let seconds = fields(bytes)?.into_iter().find(|field| field.number == 1);
    let Some(Wire { value: Scalar::Number(seconds), .. }) = seconds else {
        return Some(Value::Null);
    };
    Some(
        Timestamp::from_second(seconds.cast_signed())
            .map_or(Value::Null, |time| time.to_string().into()),
    )
}

fn int_or_string(bytes: &[u8]) -> Option<Value> {
    let (mut is_text, mut value, mut text) = (false, Value::from(0), String::new());
    for field in fields(bytes)? {
        match (field.number, field.value) {
            (1, Scalar::Number(kind)) => is_text = kind == 1,
            (2, Scalar::Number(number)) => value = signed(number),
            (3, Scalar::Bytes(bytes)) => text = String::from_utf8_lossy(bytes).into_owned(),
            _ => {}
        }
    }
    Some(if is_text { text.into() } else { value })
}

fn fields(mut bytes: &[u8]) -> Option<Vec<Wire<'_>>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let tag = number(&mut bytes)?;
        let value = match tag & 7 {
            0 => Scalar::Number(number(&mut bytes)?),
            1 => Scalar::Number(u64::from_le_bytes(take(&mut bytes, 8)?.try_into().ok()?)),
            2 => {
                let length = usize::try_from(number(&mut bytes)?).ok()?;
                Scalar::Bytes(take(&mut bytes, length)?)
            }
            5 => {
                Scalar::Number(u64::from(u32::from_le_bytes(take(&mut bytes, 4)?.try_into().ok()?)))
            }
            _ => return None,
        };
        found.push(Wire { number: u32::try_from(tag >> 3).ok()?, value });
    }
    Some(found)
}

fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

fn number(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 127) << shift;
        if byte & 128 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(number: u8, bytes: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, u8::try_from(bytes.len()).unwrap()], bytes].concat()
    }

    #[test]
    fn an_envelope_is_read_by_the_schema_of_its_kind() {
        let metadata = [
            chunk(1, b"key"),
            chunk(8, &[]),
            chunk(11, &[chunk(1, b"a"), chunk(2, b"b")].concat()),
        ]
        .concat();
        let data = chunk(2, &[chunk(1, b"password"), chunk(2, b"hunter2")].concat());
        let raw = [chunk(1, &metadata), data].concat();
        let meta = [chunk(1, b"v1"), chunk(2, b"Secret")].concat();
        let bytes = [MAGIC, &chunk(1, &meta), &chunk(2, &raw)].concat();
        let schema = Schema::built_in();
        let of = schema.find("core.v1.Secret").unwrap();
        let object = read(&bytes, |_, _| Some((schema.clone(), of.clone()))).unwrap();
        assert_eq!(
            object,
            json!({
                "metadata": {"name": "key", "creationTimestamp": null, "labels": {"a": "b"}},
                "data": {"password": "aHVudGVyMg=="},
                "apiVersion": "v1",
                "kind": "Secret",
            })
        );
    }

    #[test]
    fn what_is_cut_off_is_refused() {
        assert!(read(b"k8s\0\x0a\x50", |_, _| None).is_none());
        assert!(read(b"{}", |_, _| None).is_none());
    }
}
