//! The shape in which a client wants objects: whole, their metadata alone, or rows of a table.

use serde_json::Value;
use serde_json::json;

use crate::sandbox::kinds::Kind;
use crate::sandbox::list::Page;
use crate::sandbox::object::Object;
use crate::sandbox::route::Parameters;
use crate::sandbox::table;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Whole,
    Metadata,
    Table(Include),
}

/// What a row of a table carries beside its cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Include {
    Nothing,
    Metadata,
    Object,
}

const META: &str = "meta.k8s.io/v1";

impl Shape {
    /// The first of the accepted shapes that we know.
    pub(crate) fn wanted(accept: &str, parameters: &Parameters) -> Self {
        for accepted in accept
            .split(',')
            .map(str::trim)
            .filter(|accepted| accepted.starts_with("application/json"))
        {
            if accepted.contains("as=Table") {
                return Self::Table(match parameters.text("includeObject") {
                    "None" => Include::Nothing,
                    "Object" => Include::Object,
                    _ => Include::Metadata,
                });
            }
            if accepted.contains("as=PartialObjectMetadata") {
                return Self::Metadata;
            }
            if !accepted.contains("as=") {
                break;
            }
        }
        Self::Whole
    }

    pub(crate) fn write(
        self,
        kind: &Kind,
        api_version: &str,
        object: &Object,
        columns: bool,
        out: &mut Vec<u8>,
    ) {
        match self {
            Self::Whole => object.write(Some((api_version, &kind.kind)), out),
            Self::Metadata => out.extend_from_slice(partial(object).to_string().as_bytes()),
            Self::Table(include) => {
                let mut table = table::empty(kind, columns);
                table["metadata"] = json!({"resourceVersion": object.version.to_string()});
                table["rows"] = json!([row(kind, api_version, object, include)]);
                out.extend_from_slice(table.to_string().as_bytes());
            }
        }
    }

    pub(crate) fn page(self, kind: &Kind, api_version: &str, page: &Page) -> Vec<u8> {
        match self {
            Self::Whole => page.to_json(api_version, &format!("{}List", kind.kind)),
            Self::Metadata => {
                let items: Vec<Value> = page.objects.iter().map(|object| partial(object)).collect();
                let kind = "PartialObjectMetadataList";
                json!({"kind": kind, "apiVersion": META, "metadata": page.metadata(), "items": items})
                    .to_string()
                    .into_bytes()
            }
            Self::Table(include) => {
                let mut table = table::empty(kind, true);
                table["metadata"] = page.metadata();
                table["rows"] = page
                    .objects
                    .iter()
                    .map(|object| row(kind, api_version, object, include))
                    .collect();
                table.to_string().into_bytes()
            }
        }
    }

    pub(crate) fn bookmark(self, kind: &Kind, api_version: &str, metadata: Value) -> Value {
        match self {
            Self::Whole => {
                json!({"kind": kind.kind, "apiVersion": api_version, "metadata": metadata})
            }
            Self::Metadata => {
                json!({"kind": "PartialObjectMetadata", "apiVersion": META, "metadata": metadata})
            }
            Self::Table(_) => {
                let mut table = table::empty(kind, false);
                table["metadata"] = metadata;
                table
            }
        }
    }
}

fn partial(object: &Object) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": META, "metadata": object.metadata_value()})
}

fn row(kind: &Kind, api_version: &str, object: &Object, include: Include) -> Value {
    let whole = object.to_value(api_version, &kind.kind);
    let cells = table::cells(kind, &whole);
    match include {
        Include::Nothing => json!({"cells": cells}),
        Include::Metadata => {
            json!({"cells": cells, "object": {"kind": "PartialObjectMetadata", "apiVersion": META, "metadata": whole["metadata"]}})
        }
        Include::Object => json!({"cells": cells, "object": whole}),
    }
}
