//! What one damaged word leaves alone (SPEC.md 12.4): series that it has nothing to do with are read as they were.
//!
//! A header whose checksum was mended is only taken if its capacities still lead to the same regions (V-9). What such a header can do
//! then follows from the rules: a cell or a text that no longer fits its capacity is beyond it ([`beyond`]), and nothing else changes.
//! Other words of the header change no value of a live snapshot: budget, boot id, times, id and features are told as they are, and the
//! length of an epoch decides about windows only.

use std::collections::BTreeMap;

use shmetrics::layout::kind::Space;
use shmetrics::layout::labels;
use shmetrics::{Kind, Snapshot, Value};
use shmetrics_conformance::image::{Image, Place as ImagePlace};

use crate::harm::{Damaged, Place};

type Key = (String, Vec<(String, String)>);

/// Series by name and labels, each with its value; windows are left out, as they end with the epoch that the header says.
fn values(snapshot: &Snapshot) -> Vec<(Key, Kind, String)> {
    let series = snapshot.series.iter().map(|series| {
        let description = &series.description;
        let mut value = series.value.clone();
        if let Value::Histogram(histogram) = &mut value {
            histogram.windows.clear();
        }
        // As text: not-a-number is the same as itself there.
        let value = format!("{value:?}");
        (
            (description.name.clone(), description.labels.clone()),
            description.kind,
            value,
        )
    });
    series.collect()
}

fn text(image: &Image, word: u64) -> Vec<u8> {
    let (offset, length) = (word >> 32, word & 0xffff_ffff);
    let start = image.geometry().text_offset + offset;
    let words = (0..length.div_ceil(8)).flat_map(|index| image.word(start + index * 8).to_ne_bytes());
    words.take(length as usize).collect()
}

/// Whether a record of a sound segment is a family; name and labels of its series, of a family the name alone. `None`: whoever was
/// filling it died.
fn key(image: &Image, number: u64) -> Option<(bool, Key)> {
    let record = |field: &str| image.get(ImagePlace::Record(number), field);
    let name =
        |number: u64| String::from_utf8(text(image, image.get(ImagePlace::Record(number), "text"))).unwrap();
    match record("shape") & 0xff {
        1 => Some((true, (name(number), Vec::new()))),
        2 => Some((
            false,
            (
                name(record("unit")),
                labels::decode(&text(image, record("text")))?,
            ),
        )),
        _ => None,
    }
}

/// Which records of `base` the capacities of a damaged header leave no room for, each with the rule: texts that end beyond the text
/// region (V-24), cells that end beyond their space (V-28; a block longer than all blocks is V-26 before that), and the series of a
/// family with such a text (V-27, which is looked at last). All from the words of both headers: SPEC.md 12.2.
pub fn beyond(base: &Image, damaged: &Image) -> BTreeMap<u64, &'static str> {
    let capacity = |name: &str| damaged.get(ImagePlace::Header, name);
    let mut rules = BTreeMap::new();
    for number in 1..=base.get(ImagePlace::Header, "reserved") {
        let record = |field: &str| base.get(ImagePlace::Record(number), field);
        let (shape, ready) = (record("shape"), record("ready"));
        if shape & 0xff != 2 || ready != 1 {
            continue;
        }
        let kind = shape >> 8 & 0xff;
        let ends_beyond = |range: u64| (range >> 32) + (range & 0xffff_ffff) > capacity("text_length");
        let (length, end) = match kind {
            1..=2 => (0, record("cell") > capacity("counters")),
            8 => (0, record("cell") + 1 > capacity("counters")),
            3..=4 => (0, record("cell") > capacity("gauges")),
            _ => {
                let length = record("length");
                (length, record("cell") - 1 + length > capacity("blocks_length"))
            }
        };
        let family = record("unit");
        let of_family = |field: &str| ends_beyond(base.get(ImagePlace::Record(family), field));
        let family_is_beyond = ["text", "extra", "unit"].into_iter().any(of_family);
        let rule = if ends_beyond(record("text")) || [7, 12].contains(&kind) && ends_beyond(record("extra")) {
            "V-24: "
        } else if length > capacity("blocks_length") {
            "V-26: "
        } else if end {
            "V-28: "
        } else if family_is_beyond {
            "V-27: "
        } else {
            ""
        };
        if !rule.is_empty() {
            rules.insert(number, rule);
        }
        // It is validated when a series first names it with everything else in order.
        if family_is_beyond && ["", "V-27: "].contains(&rule) {
            rules.insert(family, "V-24: ");
        }
    }
    rules
}

/// The errors that the damage has nothing to do with and that are not as they were. One entry's damage takes one error away at most,
/// or makes another of it.
fn changed_errors(place: Place, sound: &Snapshot, found: &Snapshot) -> Option<String> {
    let most = match place {
        // Where the log is, and how long.
        Place::Header | Place::Length => return None,
        Place::Error => 1,
        _ => 0,
    };
    let missing = |from: &Snapshot, of: &Snapshot| {
        let missing = of.errors.iter().filter(|error| !from.errors.contains(error));
        missing.count()
    };
    let (gone, come) = (missing(found, sound), missing(sound, found));
    (gone.max(come) > most).then(|| format!("{:?} were {:?}", found.errors, sound.errors))
}

/// The first series of `sound` that the damage has nothing to do with and that is not in `found` as it was.
pub fn changed(base: &Image, sound: &Snapshot, damaged: &Damaged, found: &Snapshot) -> Option<String> {
    let touched = damaged.touched?;
    let of_record = match touched.place {
        Place::Record => key(base, touched.number),
        _ => None,
    };
    // Revisions are one series: it changes with any of them.
    let hidden: Vec<Key> = match touched.place {
        Place::Header => beyond(base, &damaged.image)
            .keys()
            .filter_map(|number| key(base, *number))
            .filter_map(|(is_family, key)| (!is_family).then_some(key))
            .collect(),
        _ => Vec::new(),
    };
    let may_change = |key @ (name, labels): &Key, kind: Kind| match touched.place {
        Place::Header => hidden.contains(key),
        Place::Length => false,
        // Series above it are not shown.
        Place::MutableHeader if touched.field == "reset" => can_be_reset(kind),
        Place::MutableHeader => touched.field == "reserved",
        // A family has all its series; a series that is taken for another one, or whose cell is another's, takes that along.
        Place::Record => {
            let merges =
                damaged.repaired && ["text", "unit", "shape", "buckets", "created"].contains(&touched.field);
            let Some((is_family, (of, own))) = &of_record else {
                return true;
            };
            touched.field == "cell" || merges || of == name && (*is_family || own == labels)
        }
        Place::Process => kind.space() == Space::Gauges || kind == Kind::InFlight,
        Place::Lane => kind.space() != Space::Gauges,
        Place::Text => true,
        Place::Error => false,
        Place::Reset => can_be_reset(kind),
    };
    if let Some(changed) = changed_errors(touched.place, sound, found) {
        return Some(changed);
    }
    let found = values(found);
    let wrong = values(sound).into_iter().find(|(key, kind, value)| {
        !may_change(key, *kind) && !found.iter().any(|(other, _, now)| other == key && now == value)
    });
    wrong.map(|(key, _, value)| {
        let now = found
            .iter()
            .find(|(other, ..)| *other == key)
            .map(|(.., now)| now.as_str());
        format!("{key:?} was {value} and is {}", now.unwrap_or("not shown"))
    })
}

/// Some series of these kinds can be reset.
fn can_be_reset(kind: Kind) -> bool {
    !matches!(kind, Kind::GaugeI64 | Kind::GaugeF64 | Kind::State)
}
