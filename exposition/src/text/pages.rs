//! What was told of each family last, and where in it the numbers are.
//!
//! From one exposition to the next most lines stay as they are, and of most others only digits change. So the text of a family is
//! kept. A number that is another one, and as long, is put over what it was. If some are longer or shorter, what lies between these
//! is moved, in large pieces. A family is written anew only when lines come or go.

use shmetrics::snapshot::{Number, Series, Value};

use super::{Plan, SeriesLines};
use crate::each::as_gauge;
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
        let mut values = Values::of(sources);
        let mut fits = |(lines, kept): (&SeriesLines, &mut Kept)| {
            let value = values.find(lines);
            value.is_some_and(|value| kept.renew(value, lines.part, &mut self.text))
        };
        match lines.iter().zip(&mut *kept).position(|pair| !fits(pair)) {
            None => true,
            Some(first) => self.moved(&lines[first..], &mut kept[first..], sources, scratch),
        }
    }

    /// The same from a number on that does not fit where the one before was.
    #[inline(never)]
    fn moved(
        &mut self,
        lines: &[SeriesLines],
        kept: &mut [Kept],
        sources: &[Source<'_>],
        scratch: &mut [u8],
    ) -> bool {
        let mut values = Values::of(sources);
        let mut moved = Moved {
            to: Cursor::new(scratch, 0),
            from: 0,
        };
        for (lines, kept) in lines.iter().zip(kept) {
            let Some(value) = values.find(lines) else {
                return false;
            };
            let told = Told::of(value, lines.part);
            if told == kept.told || kept.put(told, &mut self.text) {
                kept.spot.shift(moved.by());
            } else if !moved.put(&self.text, kept, told) {
                return false;
            }
        }
        moved.to.put(&self.text[moved.from..self.end]);
        self.end = moved.to.at();
        moved.to.copy_to(&mut self.text);
        true
    }
}

/// The values of series, found where they were when the lines were prepared.
struct Values<'a> {
    sources: &'a [Source<'a>],
    /// The source of the series before: most families are of one.
    source: usize,
    series: &'a [Series],
}

impl<'a> Values<'a> {
    fn of(sources: &'a [Source<'a>]) -> Values<'a> {
        Values {
            sources,
            source: usize::MAX,
            series: &[],
        }
    }

    #[inline(always)]
    fn find(&mut self, lines: &SeriesLines) -> Option<&'a Value> {
        if lines.source != self.source {
            self.source = lines.source;
            self.series = self
                .sources
                .get(lines.source)
                .map_or(&[], |source| &source.snapshot.series);
        }
        self.series.get(lines.series).map(|series| &series.value)
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
    fn put(&mut self, text: &[u8], kept: &mut Kept, told: Told) -> bool {
        let Some(number) = told.number() else {
            return false;
        };
        if kept.told.kind == Kind::Absent {
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
    /// `part`: which field of a group.
    #[inline(always)]
    pub(super) fn of(value: &Value, part: usize) -> Told {
        let (kind, bits) = match *value {
            Value::CounterU64(value) => (Kind::Whole, value),
            Value::GaugeI64(Some(value)) if value >= 0 => (Kind::Whole, value as u64),
            Value::GaugeI64(Some(value)) => (Kind::Negative, value as u64),
            Value::CounterF64(value) | Value::GaugeF64(Some(value)) => (Kind::Float, value.to_bits()),
            ref other => return Told::of_others(other, part),
        };
        Told { kind, bits }
    }

    /// Of kinds that are not scraped by the thousand.
    #[cold]
    fn of_others(value: &Value, part: usize) -> Told {
        let number = match *value {
            Value::Number(number) => Some(number),
            Value::Events(totals) => Some(Number::U64(totals.written)),
            Value::Group(ref group) => group.fields.get(part).map(|field| Number::U64(field.value)),
            Value::InFlight(ref keys) => Some(Number::U64(keys.number)),
            ref other => as_gauge(other),
        };
        let (kind, bits) = match number {
            None => (Kind::Absent, 0),
            Some(Number::U64(value)) => (Kind::Whole, value),
            Some(Number::I64(value)) if value >= 0 => (Kind::Whole, value as u64),
            Some(Number::I64(value)) => (Kind::Negative, value as u64),
            Some(Number::F64(value)) => (Kind::Float, value.to_bits()),
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
    fn renew(&mut self, value: &Value, part: usize, text: &mut [u8]) -> bool {
        // Two comparisons for nearly all, rather than a jump that depends on the kind.
        let whole = if let Value::CounterU64(value) = *value {
            value
        } else if let Value::GaugeI64(Some(value @ 0..)) = *value {
            value as u64
        } else {
            return self.is_told(value, part);
        };
        let told = Told {
            kind: Kind::Whole,
            bits: whole,
        };
        told == self.told || self.put(told, text)
    }

    /// Puts a number over the one of before, if it is whole and as long.
    #[inline(always)]
    fn put(&mut self, told: Told, text: &mut [u8]) -> bool {
        let fits = told.kind == Kind::Whole && self.spot.put(text, told.bits);
        if fits {
            self.told = told;
        }
        fits
    }

    /// Apart, so that the way of whole numbers keeps what it needs in registers.
    #[inline(never)]
    fn is_told(&self, value: &Value, part: usize) -> bool {
        Told::of(value, part) == self.told
    }
}
