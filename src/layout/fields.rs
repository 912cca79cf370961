//! The fields of every structure, as data: what the text of the format, the C header, dumps and damage tests go by.
//!
//! Each structure is declared once, by [`fields!`](self), which makes the constants that the code uses and the table in one go, so
//! that no constant can be missing from its table. Rows of reserved space have no constant: they are what lies between.

/// What stands in a field. The types of SPEC.md section 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldType {
    /// A word that is written once, before others may see it.
    U64,
    /// A word that changes while others read it.
    A64,
    /// The bits of a binary64.
    F64,
    /// Offset into the text region `<< 32`, length in bytes.
    Range,
    /// An owner tag that changes while others read it.
    Tag,
    /// UTF-8, padded with NUL, accessed as words.
    Text,
    /// Space for later versions.
    Reserved,
}

impl FieldType {
    /// Its name in the tables of SPEC.md.
    pub const fn name(self) -> &'static str {
        match self {
            FieldType::U64 => "u64",
            FieldType::A64 => "a64",
            FieldType::F64 => "f64",
            FieldType::Range => "range",
            FieldType::Tag => "tag",
            FieldType::Text => "text",
            FieldType::Reserved => "bytes",
        }
    }
}

/// A field of a structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name in SPEC.md: that of its constant in lower case, without `_OFFSET` or `_WORD`.
    pub name: &'static str,
    /// From the start of the structure, in bytes.
    pub offset: u64,
    /// Bytes.
    pub length: u64,
    /// What stands in it.
    pub content: FieldType,
}

/// A structure: fields in ascending order, without gaps that are not reserved.
#[derive(Clone, Copy, Debug)]
pub struct Structure {
    /// Its name, in words.
    pub name: &'static str,
    /// Its section in SPEC.md.
    pub section: &'static str,
    /// Where it starts, from the start of what contains it: 0, but for the mutable part of the header.
    pub start: u64,
    /// Bytes, from `start`.
    pub length: u64,
    fields: &'static [Field],
}

impl Structure {
    /// The fields that have a name, ascending.
    pub const fn named(&self) -> &'static [Field] {
        self.fields
    }

    /// All fields, reserved space included, ascending, without gaps, from `start` to `start + length`.
    pub fn fields(&self) -> impl Iterator<Item = Field> {
        let end = Field {
            name: "",
            offset: self.start + self.length,
            length: 0,
            content: FieldType::Reserved,
        };
        let mut next = self.start;
        self.fields.iter().copied().chain([end]).flat_map(move |field| {
            let gap = Field {
                name: "reserved",
                offset: next,
                length: field.offset - next,
                content: FieldType::Reserved,
            };
            next = field.offset + field.length;
            [gap, field].into_iter().filter(|field| field.length > 0)
        })
    }

    /// The field that the byte at `offset` (from the start of what contains the structure) belongs to.
    pub fn at(&self, offset: u64) -> Option<Field> {
        self.fields()
            .find(|field| (field.offset..field.offset + field.length).contains(&offset))
    }
}

/// Every structure of the format.
pub const STRUCTURES: &[Structure] = &[
    Structure {
        name: "header",
        section: "6.1",
        start: 0,
        length: 8 * super::header::IMMUTABLE_WORDS as u64,
        fields: super::header::FIELDS,
    },
    Structure {
        name: "mutable header",
        section: "6.2",
        start: 8 * super::header::IMMUTABLE_WORDS as u64,
        length: super::header::HEADER_LENGTH - 8 * super::header::IMMUTABLE_WORDS as u64,
        fields: super::header::MUTABLE_FIELDS,
    },
    Structure {
        name: "record",
        section: "7.3",
        start: 0,
        length: super::record::RECORD_LENGTH,
        fields: super::record::FIELDS,
    },
    Structure {
        name: "process entry",
        section: "9.1",
        start: 0,
        length: super::directory::PROCESS_ENTRY_LENGTH,
        fields: super::directory::PROCESS_FIELDS,
    },
    Structure {
        name: "lane entry",
        section: "9.3",
        start: 0,
        length: super::directory::LANE_ENTRY_LENGTH,
        fields: super::directory::LANE_FIELDS,
    },
    Structure {
        name: "error entry",
        section: "9.10",
        start: 0,
        length: super::error_log::ERROR_ENTRY_LENGTH,
        fields: super::error_log::ERROR_FIELDS,
    },
    Structure {
        name: "gauge cell",
        section: "9.4",
        start: 0,
        length: super::directory::GAUGE_CELL_LENGTH,
        fields: super::directory::GAUGE_FIELDS,
    },
    Structure {
        name: "block",
        section: "9.7",
        start: 0,
        length: super::LINE_LENGTH,
        fields: super::block::FIELDS,
    },
    Structure {
        name: "reset block",
        section: "9.11",
        start: 0,
        length: super::LINE_LENGTH,
        fields: super::reset::FIELDS,
    },
    Structure {
        name: "state",
        section: "9.7",
        start: 0,
        length: 8 * super::block::STATE_HEADER_WORDS as u64,
        fields: super::block::STATE_FIELDS,
    },
    Structure {
        name: "ring slot",
        section: "9.7",
        start: 0,
        length: 8 * super::block::RING_STATE as u64,
        fields: super::block::RING_FIELDS,
    },
    Structure {
        name: "events block",
        section: "9.12",
        start: 0,
        length: super::LINE_LENGTH,
        fields: super::events::EVENTS_FIELDS,
    },
    Structure {
        name: "event",
        section: "9.12",
        start: 0,
        length: 8 * super::events::EVENT_PAYLOAD as u64,
        fields: super::events::EVENT_FIELDS,
    },
    Structure {
        name: "samples block",
        section: "9.13",
        start: 0,
        length: super::LINE_LENGTH,
        fields: super::samples::FIELDS,
    },
    Structure {
        name: "sample",
        section: "9.13",
        start: 0,
        length: 8 * super::samples::ENTRY_WORDS as u64,
        fields: super::samples::ENTRY_FIELDS,
    },
    Structure {
        name: "in flight block",
        section: "9.14",
        start: 0,
        length: super::LINE_LENGTH,
        fields: super::in_flight::FIELDS,
    },
    Structure {
        name: "in flight text",
        section: "9.14",
        start: 0,
        length: super::LINE_LENGTH,
        fields: super::in_flight::TEXT_FIELDS,
    },
    Structure {
        name: "text block",
        section: "9.15",
        start: 0,
        length: super::LINE_LENGTH,
        fields: super::text::FIELDS,
    },
    Structure {
        name: "text slot",
        section: "9.15",
        start: 0,
        length: 8 * super::text::TEXT_START as u64,
        fields: super::text::SLOT_FIELDS,
    },
    Structure {
        name: "group block",
        section: "9.16",
        start: 0,
        length: super::LINE_LENGTH,
        fields: super::group::FIELDS,
    },
];

/// The structure of this name; `None` if there is none.
pub fn structure(name: &str) -> Option<&'static Structure> {
    STRUCTURES.iter().find(|structure| structure.name == name)
}

/// Declares the constants of a structure and its table.
///
/// `bytes` constants are offsets in bytes (`u64`), `words` constants are numbers of words (`usize`), as their users index.
macro_rules! fields {
    ($(#[$about:meta])* $table:ident, bytes: $($(#[$doc:meta])* $name:ident = $offset:literal, $content:ident $label:literal $(, $length:expr)?;)*) => {
        $($(#[$doc])* pub const $name: u64 = $offset;)*
        $(#[$about])*
        pub const $table: &[$crate::layout::fields::Field] = &[$($crate::layout::fields::fields!(@row $label, $offset, $content $(, $length)?)),*];
    };
    ($(#[$about:meta])* $table:ident, words: $($(#[$doc:meta])* $name:ident = $word:literal, $content:ident $label:literal;)*) => {
        $($(#[$doc])* pub const $name: usize = $word;)*
        $(#[$about])*
        pub const $table: &[$crate::layout::fields::Field] = &[$($crate::layout::fields::fields!(@row $label, 8 * $word, $content)),*];
    };
    (@row $label:literal, $offset:expr, $content:ident) => {
        $crate::layout::fields::fields!(@row $label, $offset, $content, $crate::layout::WORD_LENGTH)
    };
    (@row $label:literal, $offset:expr, $content:ident, $length:expr) => {
        $crate::layout::fields::Field {
            name: $label,
            offset: $offset,
            length: $length,
            content: $crate::layout::fields::FieldType::$content,
        }
    };
}
pub(crate) use fields;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_ascend_and_end_within_their_structure() {
        for structure in STRUCTURES {
            let mut end = structure.start;
            for field in structure.named() {
                assert!(field.offset >= end, "{} {}", structure.name, field.name);
                assert_eq!(field.offset % 8, 0);
                end = field.offset + field.length;
            }
            assert!(end <= structure.start + structure.length);
            let all: u64 = structure.fields().map(|field| field.length).sum();
            assert_eq!(all, structure.length, "{}", structure.name);
        }
    }

    #[test]
    fn a_byte_finds_its_field() {
        let record = structure("record").unwrap();
        assert_eq!(record.at(0x5f).unwrap().name, "checksum");
        assert_eq!(record.at(0x78).unwrap().name, "reserved");
        assert_eq!(record.at(0x80), None);
    }
}
