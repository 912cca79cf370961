//! The restored past: what was counted before this segment was made, which readers add to what is counted in it.
//!
//! ```text
//! _restored{instance, record=HASH, field=NAME}   number   one for each field of the record
//! ```
//!
//! HASH is that of all names and values, in the order of the names. **In force** is the set whose numbers give their own hash; of several
//! the first by hash. A number is *set*, never added to, so storing a record again changes nothing.
//!
//! * *Nothing half*: as long as a value is missing, the hash is wrong, and no reader takes any of them. The last value makes all of
//!   them count at once, in whatever order they were stored or are read. Who is killed in between has changed nothing that is seen; who
//!   restores the same record then stores the same words, who restores another stores others.
//! * *Once*: who restores looks first, under the lock (`lock`), and stores nothing if a set is in force. Without the lock there would still be
//!   one in force, since readers take one, so nothing can count twice, whoever restores what, at any moment.
//! * *Counting went on and was saved*: that record bears this segment's id, and is not restored into it. Restored into another it is the one
//!   set there, and has the older past in it, once.
//! * *Back in an earlier segment*: among the names are the ids of the segments that the record has the counts of, and the record's own hash. So
//!   one that went on elsewhere is known where its counts began (`persist`): there it is neither restored nor replaced.
//! * *A reset* makes all these numbers read 0, with all others, in one step: the hash is wrong, and the past is gone. Who was about to
//!   restore holds the lock, so it comes before or after.

use std::collections::BTreeMap;

use super::builder::Settings;
use super::names;
use crate::error::RegisterError;
use crate::layout::Fnv;
use crate::segment::Segment;

/// Names and values. Floats are stored by their bits.
pub(super) type Fields = BTreeMap<String, i64>;

/// The hash of all names and values.
pub(super) fn hash(fields: &Fields) -> String {
    let mixed = fields.iter().fold(Fnv::new(), |hash, (name, value)| {
        hash.bytes(name.as_bytes()).bytes(&[0xff]).word(*value as u64)
    });
    format!("{:016x}", mixed.finish())
}

/// Of the sets in a snapshot, by hash, the one in force.
pub(super) fn in_force(sets: BTreeMap<&str, Fields>) -> Option<Fields> {
    let mut sets = sets.into_iter();
    sets.find(|(record, fields)| hash(fields) == *record)
        .map(|(_, fields)| fields)
}

/// Stores a set; of a record, what [`limited`](super::record::Record::limited) leaves of it.
pub(super) fn store(segment: &Segment, settings: &Settings, fields: &Fields) -> Result<(), RegisterError> {
    let record = hash(fields);
    let name = settings.name(names::RESTORED);
    let mut numbers = Vec::with_capacity(fields.len());
    // Registered first: if there is no room for all, none is stored.
    for field in fields.keys() {
        let number = segment
            .number(&name)
            .help("What was counted before: see src/stats/requests/restored.rs")
            .label(super::INSTANCE, &settings.instance)
            .label("record", &record)
            .label("field", field)
            .register()?;
        numbers.push(number);
    }
    for (number, value) in numbers.iter().zip(fields.values()) {
        number.set(*value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_which_a_value_is_missing_is_not_in_force() {
        let whole: Fields = [("a", 7), ("b", -1), ("c", 0)]
            .map(|(name, value)| (name.to_owned(), value))
            .into();
        let record = hash(&whole);
        let told = |fields: Fields| in_force([(&*record, fields)].into());
        assert_eq!(told(whole.clone()), Some(whole.clone()));
        for missing in ["a", "b"] {
            // Not stored yet, and not even registered.
            let mut zero = whole.clone();
            zero.insert(missing.to_owned(), 0);
            assert_eq!(told(zero), None);
        }
        for missing in ["a", "b", "c"] {
            let mut fewer = whole.clone();
            fewer.remove(missing);
            assert_eq!(told(fewer), None);
        }
        // Beside the rest of another one.
        let sets = [("0", Fields::default()), (&*record, whole.clone())];
        assert_eq!(in_force(sets.into()), Some(whole));
    }
}
