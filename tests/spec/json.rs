//! Section 15: its table against its example and against all golden output, members and their order.

use std::collections::BTreeMap;

use crate::document::Document;

/// Members as a text has them, in order: serde's map would sort them.
struct Members<'a> {
    object: &'static str,
    found: &'a mut BTreeMap<&'static str, Vec<Vec<String>>>,
}

impl<'de> serde::de::Visitor<'de> for Members<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a {}", self.object)
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut names = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            let object = within(self.object, &name);
            let found = &mut *self.found;
            names.push(name);
            map.next_value_seed(Members { object, found })?;
        }
        self.found.entry(self.object).or_default().push(names);
        Ok(())
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let (object, found) = (self.object, self.found);
        while list
            .next_element_seed(Members {
                object,
                found: &mut *found,
            })?
            .is_some()
        {}
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
}

impl<'de> serde::de::DeserializeSeed<'de> for Members<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Which object of the table a member holds; names that are content are in none.
fn within(object: &'static str, member: &str) -> &'static str {
    match (object, member) {
        ("snapshot", "segment") => "segment",
        ("segment", "geometry") => "geometry",
        ("snapshot", "series") => "series",
        ("series", "values") => "each",
        ("series", "states") => "state",
        ("series", "buckets") => "bucket",
        ("series", "entries") => "entry",
        ("series", "windows") => "window",
        ("snapshot", "processes") => "process",
        ("process", "values") => "value",
        ("snapshot", "losses") => "losses",
        ("snapshot", "fill") => "fill",
        ("fill", _) => "used",
        ("snapshot", "skipped") => "skipped",
        ("snapshot", "health") => "health",
        ("snapshot", "errors") => "error",
        ("snapshot", "reader") => "reader",
        _ => "content",
    }
}

fn objects_of(text: &str) -> BTreeMap<&'static str, Vec<Vec<String>>> {
    let mut found = BTreeMap::new();
    let members = Members {
        object: "snapshot",
        found: &mut found,
    };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    serde::de::DeserializeSeed::deserialize(members, &mut deserializer).unwrap();
    found.remove("content");
    found
}

/// By object, its members and whether they are always there, in the order of the table.
fn table(spec: &Document) -> BTreeMap<String, Vec<(String, bool)>> {
    let mut objects: BTreeMap<String, Vec<(String, bool)>> = BTreeMap::new();
    for row in &spec.section("15.1").tables[0].rows {
        for member in row[1].split(',') {
            let always = row[2].is_empty() && member.trim() != "error";
            objects
                .entry(row[0].clone())
                .or_default()
                .push((member.trim().to_owned(), always));
        }
    }
    objects
}

/// Every object has the members of its rows, no others, in that order.
#[track_caller]
fn check(table: &BTreeMap<String, Vec<(String, bool)>>, text: &str, context: &str) -> usize {
    let mut checked = 0;
    for (object, all) in objects_of(text) {
        let rows = table
            .get(object)
            .unwrap_or_else(|| panic!("{context}: no object {object} in 15.1"));
        for members in all {
            let mut rest = members.iter().peekable();
            for (member, always) in rows {
                let is_there = rest.next_if(|next| *next == member).is_some();
                assert!(
                    is_there || !always,
                    "{context}: {object} lacks {member}, or has it elsewhere: {members:?}"
                );
            }
            assert_eq!(
                rest.next(),
                None,
                "{context}: {object} {members:?} is not as in 15.1"
            );
            checked += 1;
        }
    }
    checked
}

#[test]
fn the_example_is_as_the_table_says() {
    let spec = Document::spec();
    assert!(check(&table(&spec), &spec.section("15.3").blocks[0].1, "15.3") > 20);
}

#[test]
fn golden_output_is_as_the_table_says_and_has_every_member() {
    let spec = Document::spec();
    let table = table(&spec);
    let mut seen: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut checked = 0;
    for folder in ["valid", "damaged"] {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/").to_owned() + folder;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "json") {
                let text = std::fs::read_to_string(&path).unwrap();
                checked += check(&table, &text, &path.display().to_string());
                for (object, all) in objects_of(&text) {
                    seen.entry(object.to_owned())
                        .or_default()
                        .extend(all.into_iter().flatten());
                }
            }
        }
    }
    assert!(checked > 1000, "{checked}");
    for (object, members) in table {
        for (member, _) in members {
            let found = seen.get(&object).is_some_and(|seen| seen.contains(&member));
            assert!(found, "no golden file has {member} of {object}");
        }
    }
}

#[test]
fn words_that_members_come_from_exist() {
    use shmetrics::layout::fields::structure;
    let spec = Document::spec();
    let names: Vec<&str> = ["header", "mutable header"]
        .iter()
        .flat_map(|name| structure(name).unwrap().named().iter().map(|field| field.name))
        .collect();
    let rows = &spec.section("15.1").tables[0].rows;
    let losses: Vec<&str> = rows
        .iter()
        .filter(|row| row[0] == "losses")
        .map(|row| row[3].as_str())
        .collect();
    let expected: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| name.starts_with("loss_") || *name == "anomalies")
        .collect();
    assert_eq!(
        losses, expected,
        "one row for each loss word of 6.2, in its order"
    );
    for row in rows
        .iter()
        .filter(|row| row[0] == "geometry" && row[3].contains("of these names"))
    {
        for member in row[1].split(',').map(str::trim) {
            assert!(names.contains(&member), "{member}");
        }
    }
}
