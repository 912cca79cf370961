//! An event as one object: its kind, its time, then its fields by their names.

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::List;
use crate::events::{Event, FieldValue};
use crate::snapshot::json::finite;

impl Serialize for Event {
    /// Members: `event`, the name of the kind (`kind-N` of a code that the schema does not have); `timestamp`, RFC 3339 in UTC;
    /// `timestamp_ns`, monotonic; the fields in their order, floats that are not finite as null; `truncated`, the names of those whose
    /// texts are cut, if any are.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self.kind.name.as_str() {
            "" => map.serialize_entry("event", &format!("kind-{}", self.kind.code))?,
            name => map.serialize_entry("event", name)?,
        }
        map.serialize_entry("timestamp", &self.timestamp())?;
        map.serialize_entry("timestamp_ns", &self.timestamp_ns)?;
        for (field, value) in self.kind.fields.iter().zip(&self.values) {
            match value {
                FieldValue::U64(value) => map.serialize_entry(&field.name, value)?,
                FieldValue::I64(value) => map.serialize_entry(&field.name, value)?,
                FieldValue::F64(value) => map.serialize_entry(&field.name, &finite(*value))?,
                FieldValue::Bool(value) => map.serialize_entry(&field.name, value)?,
                FieldValue::Text(value) => map.serialize_entry(&field.name, value)?,
            }
        }
        if self.truncated != 0 {
            map.serialize_entry("truncated", &List(|| self.truncated_fields()))?;
        }
        map.end()
    }
}
