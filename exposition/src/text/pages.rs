//! What was told of each family last, and where in it the numbers are.
//!
//! From one exposition to the next most lines stay as they are, and of most others only digits change. So the text of a family is
//! kept. A number that is another one, and as long, is put over what it was. If some are longer or shorter, what lies between these
//! is moved, in large pieces. A family is written anew only when lines come or go.

use shmetrics::snapshot::{Number, Value};

use super::{Plan, SeriesLines};
use crate::encoder::Source;
use crate::number::{Cursor, Spot};

/// What the plan told last with which it is used.
#[derive(Debug)]
pub(crate) struct Pages {
    /// Of each family of the plan.
    pub(super) families: Vec<Page>,
    /// Of each series of the plan.
    pub(super) numbers: Vec<Kept>,
    /// Room for the text of any family, while what is in it moves.
    pub(super) scratch: Vec<u8>,
}

impl Pages {
    /// Nothing told yet.
    pub(crate) fn of(plan: &Plan) -> Pages {
        let samples = plan.families.iter().filter(|family| family.samples);
        Pages {
            families: plan.families.iter().map(|_| Page::default()).collect(),
            numbers: vec![Kept::default(); plan.series.len()],
            scratch: vec![0; samples.map(|family| family.room).max().unwrap_or(0)],
        }
    }
}

/// The text of a family. It has room for all that may come; until the family is told it has none.
#[derive(Debug, Default)]
pub(super) struct Page {
    text: Vec<u8>,
    end: usize,
}

impl Page {
    /// What was told.
    pub(super) fn text(&self) -> &[u8] {
        &self.text[..self.end]
    }

    /// Was nothing told yet?
    pub(super) fn is_blank(&self) -> bool {
        self.text.is_empty()
    }

    /// Has `put` write all of it.
    #[inline(always)]
    pub(super) fn rewrite(&mut self, room: usize, put: impl FnOnce(&mut Cursor<'_>)) {
        if self.is_blank() {
            self.text.resize(room, 0);
        }
        let mut cursor = Cursor::new(&mut self.text, 0);
        put(&mut cursor);
        self.end = cursor.at();
    }

    /// Puts in the numbers of now. No: lines came or went, and it must be written anew.
    pub(super) fn renew(
        &mut self,
        lines: &[SeriesLines],
        kept: &mut [Kept],
        sources: &[Source<'_>],
        scratch: &mut [u8],
    ) -> bool {
        let mut moved = Moved {
            to: Cursor::new(scratch, 0),
            from: 0,
        };
        let (mut source, mut all) = (usize::MAX, &[][..]);
        for (lines, kept) in lines.iter().zip(kept) {
            if lines.source != source {
                source = lines.source;
                all = sources
                    .get(source)
                    .map_or(&[][..], |source| &source.snapshot.series);
            }
            let Some(series) = all.get(lines.series) else {
                return false;
            };
            if kept.renew(&series.value, &mut self.text) {
                kept.spot.shift(moved.by());
            } else if !moved.put(&self.text, kept, &series.value) {
                return false;
            }
        }
        if moved.from > 0 {
            moved.to.put(&self.text[moved.from..self.end]);
            self.end = moved.to.at();
            moved.to.copy_to(&mut self.text);
        }
        true
    }
}

/// The text of a family while it moves: what was read of the old one, and what was written.
struct Moved<'a> {
    from: usize,
    to: Cursor<'a>,
}

impl Moved<'_> {
    /// How much further behind the rest will be.
    #[inline(always)]
    fn by(&self) -> usize {
        self.to.at().wrapping_sub(self.from)
    }

    /// Puts what comes before a number, and another number in its place. No: there was none, or there is none.
    #[inline(always)]
    fn put(&mut self, text: &[u8], kept: &mut Kept, value: &Value) -> bool {
        let told = Told::of(value);
        let Some(number) = told.number() else {
            return told == kept.told;
        };
        if kept.told == Told::default() {
            return false;
        }
        let old = kept.spot.range();
        self.to.put(&text[self.from..old.start]);
        let start = self.to.at();
        self.to.put_line(number);
        // What follows has a line end of its own.
        self.to.back();
        self.from = old.end;
        *kept = Kept::new(told, Spot::new(start, self.to.at(), number));
        true
    }
}

/// The number of a series in the text of its family, if it is one number in one line.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Kept {
    told: Told,
    spot: Spot,
}

/// A number, so that those that are the same look the same: floats that are equal need not, and what is no number is not even equal
/// to itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    kind: Kind,
    bits: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    /// No number, and no line.
    #[default]
    Absent,
    /// Not negative.
    Whole,
    Negative,
    Float,
}

impl Told {
    #[inline(always)]
    pub(super) fn of(value: &Value) -> Told {
        let (kind, bits) = match *value {
            Value::CounterU64(value) => (Kind::Whole, value),
            Value::Events(totals) => (Kind::Whole, totals.written),
            Value::GaugeI64(Some(value)) if value >= 0 => (Kind::Whole, value as u64),
            Value::GaugeI64(Some(value)) => (Kind::Negative, value as u64),
            Value::CounterF64(value) | Value::GaugeF64(Some(value)) => (Kind::Float, value.to_bits()),
            _ => (Kind::Absent, 0),
        };
        Told { kind, bits }
    }

    #[inline(always)]
    pub(super) fn number(self) -> Option<Number> {
        match self.kind {
            Kind::Absent => None,
            Kind::Whole => Some(Number::U64(self.bits)),
            Kind::Negative => Some(Number::I64(self.bits as i64)),
            Kind::Float => Some(Number::F64(f64::from_bits(self.bits))),
        }
    }
}

impl Kept {
    #[inline(always)]
    pub(super) fn new(told: Told, spot: Spot) -> Kept {
        Kept { told, spot }
    }

    /// Has the text say the number of now, if it is that of before, or whole and as long.
    #[inline(always)]
    fn renew(&mut self, value: &Value, text: &mut [u8]) -> bool {
        let whole = match *value {
            Value::CounterU64(value) => value,
            Value::GaugeI64(Some(value)) if value >= 0 => value as u64,
            _ => return Told::of(value) == self.told,
        };
        let told = Told {
            kind: Kind::Whole,
            bits: whole,
        };
        if told == self.told {
            return true;
        }
        let fits = self.spot.put(text, whole);
        if fits {
            self.told = told;
        }
        fits
    }
}
