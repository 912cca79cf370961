//! JSON: the schema is the library's (`Serialize for Snapshot`). What the commands add is put into its text, so that its order and
//! its exact numbers stay.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use shmetrics::Snapshot;

use crate::exit::Failure;
use crate::terminal;

/// For people and tools: indented, with a line end.
pub(crate) fn pretty(value: &impl Serialize) -> Result<String, Failure> {
    finish(serde_json::to_string_pretty(value))
}

/// On one line, with a line end.
pub(crate) fn line(value: &impl Serialize) -> Result<String, Failure> {
    finish(serde_json::to_string(value))
}

fn finish(text: serde_json::Result<String>) -> Result<String, Failure> {
    let mut text = terminal::clean_json(text.map_err(damaged)?);
    text.push('\n');
    Ok(text)
}

fn damaged(error: serde_json::Error) -> Failure {
    Failure::Input(format!(
        "the snapshot cannot be written as JSON ({error}); please report this"
    ))
}

/// A JSON object whose members keep their order and their text.
pub(crate) struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'a> Members<'a> {
    /// The members of an object.
    pub(crate) fn parse(text: &'a str) -> Result<Self, Failure> {
        serde_json::from_str(text).map_err(damaged)
    }

    /// The text of one member, `null` if there is none.
    pub(crate) fn get(&self, name: &str) -> &'a RawValue {
        self.0
            .iter()
            .find(|(member, _)| member == name)
            .map_or(RawValue::NULL, |(_, value)| value)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// An object with one member more.
struct Extended<'a, T> {
    members: Members<'a>,
    name: &'static str,
    value: T,
}

impl<T: Serialize> Serialize for Extended<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in &self.members.0 {
            map.serialize_entry(name, value)?;
        }
        map.serialize_entry(self.name, &self.value)?;
        map.end()
    }
}

/// How fast a series grows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rate {
    /// It is no counter and no histogram.
    Never,
    /// Per second; `None`: it is not known (yet).
    PerSecond(Option<f64>),
}

/// One line of `watch`: the snapshot, a `rate` in each series that has one (`rates` go with its series), and the interval.
pub(crate) fn watch_line(
    snapshot: &Snapshot,
    rates: &[Rate],
    interval_seconds: Option<f64>,
) -> Result<String, Failure> {
    let text = serde_json::to_string(snapshot).map_err(damaged)?;
    let mut members = Members::parse(&text)?;
    let series: Vec<&RawValue> = serde_json::from_str(members.get("series").get()).map_err(damaged)?;
    let mut texts = Vec::with_capacity(series.len());
    for (series, rate) in series.into_iter().zip(rates) {
        texts.push(match *rate {
            Rate::Never => series.to_owned(),
            Rate::PerSecond(value) => {
                let members = Members::parse(series.get())?;
                let value = value.filter(|rate| rate.is_finite());
                serde_json::value::to_raw_value(&Extended {
                    members,
                    name: "rate",
                    value,
                })
                .map_err(damaged)?
            }
        });
    }
    let texts = serde_json::value::to_raw_value(&texts).map_err(damaged)?;
    if let Some((_, series)) = members.0.iter_mut().find(|(name, _)| name == "series") {
        *series = &texts;
    }
    line(&Extended {
        members,
        name: "interval_seconds",
        value: interval_seconds,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_changes_nothing_else() {
        let text = r#"{"z":18446744073709551615,"a":[1.0,{"y":1e-9,"b":"\u001b"}]}"#;
        let members = Members::parse(text).unwrap();
        assert_eq!(members.get("z").get(), "18446744073709551615");
        assert_eq!(members.get("nothing").get(), "null");
        let extended = line(&Extended {
            members,
            name: "rate",
            value: Some(1.5),
        })
        .unwrap();
        assert_eq!(extended, format!("{},\"rate\":1.5}}\n", &text[..text.len() - 1]));
    }
}
