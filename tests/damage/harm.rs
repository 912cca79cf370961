//! What is done to a segment: a field by its name, or any word, gets a value that may be interesting there.

use proptest::prelude::*;
use shmetrics::layout::fields::{Field, structure};
use shmetrics_conformance::image::{Image, Place as ImagePlace};

/// A structure that the segment uses, or the length of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Length,
    Header,
    MutableHeader,
    Record,
    Process,
    Lane,
    Text,
    Error,
    Reset,
}

/// What a word becomes.
#[derive(Clone, Copy, Debug)]
pub enum Value {
    Zero,
    Max,
    Swapped,
    Flip(u8),
    Add(i8),
    Small(u8),
    Power(u8),
    Byte(u8, u8),
    Any(u64),
}

impl Value {
    fn of(self, old: u64) -> u64 {
        match self {
            Value::Zero => 0,
            Value::Max => u64::MAX,
            Value::Swapped => old.swap_bytes(),
            Value::Flip(bit) => old ^ 1 << (bit % 64),
            Value::Add(by) => old.wrapping_add(by as i64 as u64),
            Value::Small(value) => value.into(),
            Value::Power(bit) => 1 << (bit % 64),
            Value::Byte(byte, value) => {
                let shift = u32::from(byte % 8) * 8;
                old & !(0xff << shift) | u64::from(value) << shift
            }
            Value::Any(value) => value,
        }
    }
}

/// Places where a random field with a random value hardly ever meets the rule that is there.
const RARE: [(Place, &str, Value); 6] = [
    // V-3, V-23, V-30, V-30, V-22, V-2.
    (Place::Header, "magic", Value::Swapped),
    (Place::Record, "shape", Value::Byte(2, 9)),
    (Place::Record, "cell", Value::Add(-1)),
    (Place::Record, "cell", Value::Small(1)),
    (Place::Record, "shape", Value::Byte(1, 99)),
    (Place::Header, "magic", Value::Zero),
];

/// One damage. `choice` and `part` choose the instance and the field, however many there are.
#[derive(Clone, Copy, Debug)]
pub enum Harm {
    Field {
        place: Place,
        choice: u32,
        part: u32,
        value: Value,
    },
    Word {
        at: u32,
        value: Value,
    },
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        1 => Just(Value::Zero),
        1 => Just(Value::Max),
        1 => Just(Value::Swapped),
        3 => any::<u8>().prop_map(Value::Flip),
        3 => any::<i8>().prop_map(Value::Add),
        2 => any::<u8>().prop_map(Value::Small),
        1 => any::<u8>().prop_map(Value::Power),
        4 => any::<(u8, u8)>().prop_map(|(byte, value)| Value::Byte(byte, value)),
        1 => any::<u64>().prop_map(Value::Any),
    ]
}

pub fn field() -> impl Strategy<Value = Harm> {
    let place = prop_oneof![
        1 => Just(Place::Length),
        6 => Just(Place::Header),
        2 => Just(Place::MutableHeader),
        9 => Just(Place::Record),
        1 => Just(Place::Process),
        2 => Just(Place::Lane),
        2 => Just(Place::Text),
        2 => Just(Place::Error),
        3 => Just(Place::Reset),
    ];
    let any_field = (place, any::<u32>(), any::<u32>(), value());
    let any_field = any_field.prop_map(|(place, choice, part, value)| Harm::Field {
        place,
        choice,
        part,
        value,
    });
    let rare = (0..RARE.len(), any::<u32>()).prop_map(|(index, choice)| {
        let (place, name, value) = RARE[index];
        let part = part_of(place, name);
        Harm::Field {
            place,
            choice,
            part,
            value,
        }
    });
    prop_oneof![9 => any_field, 1 => rare]
}

pub fn word() -> impl Strategy<Value = Harm> {
    (any::<u32>(), value()).prop_map(|(at, value)| Harm::Word { at, value })
}

/// A damaged segment, and what the damage was if it was one field of one record.
pub struct Damaged {
    pub image: Image,
    /// The number of the record, the field's name, the word before and after; checksums were mended.
    pub record: Option<(u64, &'static str, u64, u64)>,
    pub repaired: bool,
    /// Where the damage is, if it is one.
    pub touched: Option<Touched>,
}

/// A damaged field.
#[derive(Clone, Copy, Debug)]
pub struct Touched {
    pub place: Place,
    /// Of the record, slot or lane.
    pub number: u64,
    pub field: &'static str,
}

impl Damaged {
    /// Does all the damage, then, if told so, makes the checksums of header and records right again.
    pub fn new(base: &Image, harms: &[Harm], repair: bool) -> Damaged {
        let mut damaged = Damaged {
            image: base.clone(),
            record: None,
            repaired: repair,
            touched: None,
        };
        for harm in harms {
            match *harm {
                Harm::Field {
                    place,
                    choice,
                    part,
                    value,
                } => damaged.field(place, choice, part, value),
                Harm::Word { at, value } => {
                    let words = damaged.image.words().len() as u64;
                    damaged.put(u64::from(at) % words * 8, value);
                }
            }
        }
        if harms.len() > 1 {
            (damaged.record, damaged.touched) = (None, None);
        }
        if repair {
            damaged.image.mend_header();
            for number in 1..=base.get(ImagePlace::Header, "reserved") {
                damaged.image.mend_record(number);
            }
        }
        damaged
    }

    fn put(&mut self, offset: u64, value: Value) -> (u64, u64) {
        let old = self.image.word(offset);
        let new = value.of(old);
        self.image.set_word(offset, new);
        (old, new)
    }

    fn field(&mut self, place: Place, choice: u32, part: u32, value: Value) {
        let geometry = *self.image.geometry();
        let choose = |from: u64, number: u64| from + u64::from(choice) % number.max(1);
        // Earlier damage may be in it.
        let records = self
            .image
            .get(ImagePlace::Header, "reserved")
            .min(geometry.records);
        let start = match place {
            Place::Length => {
                // Down to nothing, or a little longer than it was.
                let length = u64::from(choice) % (self.image.length() + 64);
                let length = if part.is_multiple_of(4) {
                    length % 8192
                } else {
                    length
                };
                self.image.set_length(length);
                self.touched = Some(Touched {
                    place,
                    number: 0,
                    field: "length",
                });
                return;
            }
            Place::Text => {
                let used = self.image.get(ImagePlace::Header, "text_used");
                let used = used.min(geometry.capacities.text_length);
                self.put(geometry.text_offset + choose(0, used / 8) * 8, value);
                return;
            }
            Place::Reset => {
                let number = self.image.get(ImagePlace::Header, "reset");
                if geometry.capacities.reset_tables == 0 || number == 0 {
                    return;
                }
                // A time, the baseline of a counter, or a word of that of a histogram.
                let (table, record) = (number & 1, choose(1, records));
                let cell = self
                    .image
                    .get(ImagePlace::Record(record), "cell")
                    .saturating_sub(1);
                let word = 8 * (u64::from(part) >> 2);
                let offset = match part & 3 {
                    0 => geometry.reset_since_offset(table, record),
                    1 => geometry.reset_counter_offset(table, choose(0, geometry.capacities.counters)),
                    2 => {
                        geometry.reset_block_offset(table, cell % geometry.capacities.blocks_length)
                            + word % 128
                    }
                    _ => {
                        geometry.reset_block_offset(table, cell % geometry.capacities.blocks_length)
                            + word % 1024
                    }
                };
                if offset + 8 <= self.image.length() {
                    self.put(offset / 8 * 8, value);
                    self.touched = Some(Touched {
                        place,
                        number: 0,
                        field: "a word of a reset table",
                    });
                }
                return;
            }
            Place::Header | Place::MutableHeader => 0,
            Place::Record => geometry.record_offset(choose(1, records)),
            Place::Process => geometry.process_entry_offset(choose(0, geometry.capacities.process_slots)),
            Place::Lane => geometry.lane_entry_offset(choose(1, geometry.capacities.lanes)),
            Place::Error if geometry.capacities.errors == 0 => return,
            Place::Error => geometry.error_entry_offset(choose(0, geometry.capacities.errors)),
        };
        let fields: Vec<Field> = fields_of(place).collect();
        let field = fields[part as usize % fields.len()];
        let word = u64::from(choice.rotate_left(16)) % (field.length / 8);
        let (old, new) = self.put(start + field.offset + word * 8, value);
        let number = match place {
            Place::Record => choose(1, records),
            _ => 0,
        };
        self.touched = Some(Touched {
            place,
            number,
            field: field.name,
        });
        if place == Place::Record {
            self.record = Some((choose(1, records), field.name, old, new));
        }
    }
}

/// What [`Harm::Field`] calls the field of this name.
pub fn part_of(place: Place, name: &str) -> u32 {
    fields_of(place)
        .position(|field| field.name == name)
        .unwrap_or_default() as u32
}

/// The fields of the structure at a place, reserved space included; none where there is no structure.
fn fields_of(place: Place) -> impl Iterator<Item = Field> {
    let name = match place {
        Place::Header => "header",
        Place::MutableHeader => "mutable header",
        Place::Record => "record",
        Place::Process => "process entry",
        Place::Lane => "lane entry",
        Place::Error => "error entry",
        Place::Length | Place::Text | Place::Reset => "",
    };
    structure(name)
        .into_iter()
        .flat_map(|structure| structure.fields())
}
