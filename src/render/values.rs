//! Plain data as templates see it: an optional field that is absent is `none`, and a name that no
//! field has is undefined, so that a slip of the pen is an error and an absent value is not.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::Enumerator;
use minijinja::value::Object;
use serde::Serialize;
use serde::ser;

/// The longest text that a template may be given. Longer ones belong into a volume.
pub(super) const LONGEST_TEXT: usize = 32 << 10;

/// A map with few keys, in the order they were given.
#[derive(Debug, Default)]
pub(super) struct Fields(pub(super) Vec<(Cow<'static, str>, Value)>);

impl Fields {
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

impl Object for Fields {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get(key.as_str()?).cloned()
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        self.get(key).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let pairs: Vec<(Value, Value)> =
            self.0.iter().map(|(key, value)| (Value::from(&**key), value.clone())).collect();
        Enumerator::KeyValueIter(Box::new(pairs.into_iter()))
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.0.len())
    }
}

/// A map of names known when this is compiled.
pub(super) fn map<const N: usize>(entries: [(&'static str, Value); N]) -> Value {
    Value::from_object(Fields(entries.map(|(key, value)| (Cow::Borrowed(key), value)).into()))
}

/// Why plain data cannot be given to a template.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoValue {
    #[error("a text of {0} bytes is longer than the {LONGEST_TEXT} that a template may be given")]
    TooLong(usize),
    #[error("{0}")]
    Other(String),
}

impl ser::Error for NoValue {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Other(message.to_string())
    }
}

/// Makes plain data a value.
pub(super) fn value_of<T: Serialize + ?Sized>(data: &T) -> Result<Value, NoValue> {
    data.serialize(Writer)
}

/// Makes a structure or map its fields, each a value.
pub(super) fn fields_of<T: Serialize + ?Sized>(data: &T) -> Result<Fields, NoValue> {
    let value = value_of(data)?;
    let fields = value.downcast_object_ref::<Fields>();
    let fields = fields.ok_or_else(|| NoValue::Other("only maps have fields".into()))?;
    Ok(Fields(fields.0.clone()))
}

struct Writer;

macro_rules! plain {
    ($($name:ident: $kind:ty),+) => {
        $(fn $name(self, plain: $kind) -> Result<Value, NoValue> {
            Ok(plain.into())
        })+
    };
}

macro_rules! refused {
    ($($name:ident($($argument:ty),*) -> $ok:ty),+) => {
        $(fn $name(self, $(_: $argument),*) -> Result<$ok, NoValue> {
            Err(NoValue::Other("our documents have no such values".into()))
        })+
    };
}

/// What no document of ours is made of.
type Never = ser::Impossible<Value, NoValue>;

impl ser::Serializer for Writer {
    type Ok = Value;
    type Error = NoValue;
    type SerializeSeq = Items;
    type SerializeMap = Entries;
    type SerializeStruct = Entries;
    type SerializeTuple = Never;
    type SerializeTupleStruct = Never;
    type SerializeTupleVariant = Never;
    type SerializeStructVariant = Never;

    plain!(
        serialize_bool: bool, serialize_char: char,
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64,
        serialize_f32: f32, serialize_f64: f64
    );

    refused!(
        serialize_bytes(&[u8]) -> Value,
        serialize_tuple(usize) -> Never,
        serialize_tuple_struct(&'static str, usize) -> Never,
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Never,
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Never
    );

    fn serialize_str(self, text: &str) -> Result<Value, NoValue> {
        if text.len() > LONGEST_TEXT {
            return Err(NoValue::TooLong(text.len()));
        }
        Ok(text.into())
    }

    fn serialize_none(self) -> Result<Value, NoValue> {
        Ok(().into())
    }

    fn serialize_unit(self) -> Result<Value, NoValue> {
        Ok(().into())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Value, NoValue> {
        Ok(().into())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, some: &T) -> Result<Value, NoValue> {
        some.serialize(self)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Value, NoValue> {
        Ok(variant.into())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        inner: &T,
    ) -> Result<Value, NoValue> {
        inner.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        inner: &T,
    ) -> Result<Value, NoValue> {
        Ok(map([(variant, value_of(inner)?)]))
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Items, NoValue> {
        Ok(Items(Vec::with_capacity(length.unwrap_or(0))))
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Entries, NoValue> {
        Ok(Entries { fields: Vec::with_capacity(length.unwrap_or(0)), key: None })
    }

    fn serialize_struct(self, _: &'static str, length: usize) -> Result<Entries, NoValue> {
        self.serialize_map(Some(length))
    }
}

struct Items(Vec<Value>);

impl ser::SerializeSeq for Items {
    type Ok = Value;
    type Error = NoValue;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), NoValue> {
        self.0.push(value_of(item)?);
        Ok(())
    }

    fn end(self) -> Result<Value, NoValue> {
        Ok(self.0.into())
    }
}

struct Entries {
    fields: Vec<(Cow<'static, str>, Value)>,
    key: Option<String>,
}

impl ser::SerializeMap for Entries {
    type Ok = Value;
    type Error = NoValue;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), NoValue> {
        let key = value_of(key)?;
        self.key = Some(key.as_str().map_or_else(|| key.to_string(), str::to_owned));
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NoValue> {
        let key = self.key.take().unwrap_or_default();
        self.fields.push((Cow::Owned(key), value_of(value)?));
        Ok(())
    }

    fn end(self) -> Result<Value, NoValue> {
        Ok(Value::from_object(Fields(self.fields)))
    }
}

impl ser::SerializeStruct for Entries {
    type Ok = Value;
    type Error = NoValue;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), NoValue> {
        self.fields.push((Cow::Borrowed(key), value_of(value)?));
        Ok(())
    }

    fn skip_field(&mut self, key: &'static str) -> Result<(), NoValue> {
        self.fields.push((Cow::Borrowed(key), Value::from(())));
        Ok(())
    }

    fn end(self) -> Result<Value, NoValue> {
        Ok(Value::from_object(Fields(self.fields)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Component;

    #[test]
    fn an_absent_optional_field_is_none_and_an_unknown_one_is_undefined() {
        let (documents, _) = crate::model::yaml::read(b"image: redis:7\nresources: {}\n");
        let component: Component = crate::model::typed::read(&documents[0]).unwrap();
        let value = value_of(&component).unwrap();
        assert!(value.get_attr("port").unwrap().is_none());
        assert!(
            value
                .get_attr("resources")
                .unwrap()
                .get_attr("requests")
                .unwrap()
                .get_attr("cpu")
                .unwrap()
                .is_none()
        );
        assert!(value.get_attr("prot").unwrap().is_undefined());
        assert_eq!(value.get_attr("image").unwrap().as_str(), Some("redis:7"));
    }

    #[test]
    fn an_endless_text_is_refused() {
        assert!(value_of(&"x".repeat(LONGEST_TEXT + 1)).is_err());
    }
}
