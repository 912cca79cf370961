//! Whole numbers put over others that are as long: of a text that was told before, only their digits change.

use std::ops::Range;

use shmetrics::snapshot::Number;

use super::{ASCII_ZEROS, EIGHT, eight_digits};

/// Where a number is in a text.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spot {
    /// Where it ends.
    end: usize,
    /// The number with zeros for its last eight digits: another one that is less than 10^8 above it differs in these only.
    base: u64,
    /// How long it is.
    length: u8,
    /// Which of [`FITTING`] can take its place, `base` taken off.
    fitting: u8,
}

/// Whole numbers that are put over others as eight digits, of which the last ones are stored.
struct Fitting {
    least: u64,
    /// How many there are.
    count: u64,
    /// The bytes that are stored.
    bytes: u64,
}

/// None; those of 1 to 8 digits; and any eight digits behind others. A power of two, so that every index is one.
static FITTING: [Fitting; 16] = {
    const NONE: Fitting = Fitting {
        least: 0,
        count: 0,
        bytes: 0,
    };
    let mut all = [NONE; 16];
    let (mut digits, mut power) = (1, 1);
    while digits <= 8 {
        all[digits] = Fitting {
            // A single digit may be zero.
            least: if digits == 1 { 0 } else { power },
            count: if digits == 1 { 10 } else { power * 9 },
            bytes: u64::MAX << (8 * (8 - digits)),
        };
        digits += 1;
        power *= 10;
    }
    all[LAST_EIGHT as usize] = Fitting {
        least: 0,
        count: EIGHT,
        bytes: u64::MAX,
    };
    all
};

/// Eight digits behind others.
const LAST_EIGHT: u8 = 9;

/// From here on nothing is put over a number. What is less than a base below it, is far more than 10^8 above it modulo 2^64.
const LARGE: u64 = 1 << 63;

impl Spot {
    /// A number from `start` to `end`.
    #[inline(always)]
    pub(crate) fn new(start: usize, end: usize, number: Number) -> Spot {
        // Numbers are short.
        let length = (end - start) as u8;
        let whole = match number {
            Number::U64(value) => Some(value),
            Number::I64(value) => u64::try_from(value).ok(),
            Number::F64(_) => None,
        };
        let (fitting, base) = match whole {
            Some(value) if value < EIGHT => (length, 0),
            Some(value) if value < LARGE => (LAST_EIGHT, value - value % EIGHT),
            _ => (0, 0),
        };
        Spot {
            end,
            base,
            length,
            fitting,
        }
    }

    /// What it takes of the text.
    #[inline(always)]
    pub(crate) fn range(&self) -> Range<usize> {
        self.end - usize::from(self.length)..self.end
    }

    /// The text has moved, by this much modulo 2^64.
    #[inline(always)]
    pub(crate) fn shift(&mut self, by: usize) {
        self.end = self.end.wrapping_add(by);
    }

    /// Puts a whole number over the one that is there, if it is as long and differs from a whole one in no more than its last eight
    /// digits. Otherwise nothing changes, and the answer is no.
    ///
    /// The eight bytes that end with the digits are loaded, and stored with other digits. No text has less than eight bytes before a
    /// number's end: metadata are longer.
    #[inline(always)]
    pub(crate) fn put(&self, text: &mut [u8], value: u64) -> bool {
        let fitting = &FITTING[usize::from(self.fitting) % FITTING.len()];
        let low = value.wrapping_sub(self.base);
        if low.wrapping_sub(fitting.least) >= fitting.count {
            return false;
        }
        let Some(eight) = text.get_mut(..self.end).and_then(<[u8]>::last_chunk_mut::<8>) else {
            return false;
        };
        // It is less than 10^8: who knows that it has 32 bits divides it sooner. The last digit is in the highest byte, in the
        // register as in the text.
        let digits = eight_digits(u64::from(low as u32)) | ASCII_ZEROS;
        let before = u64::from_le_bytes(*eight);
        *eight = (before ^ (before ^ digits) & fitting.bytes).to_le_bytes();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::push;

    fn page(number: Number) -> (Vec<u8>, Spot) {
        let mut text = b"# TYPE a counter\na ".to_vec();
        let start = text.len();
        push(&mut text, number);
        let spot = Spot::new(start, text.len(), number);
        text.extend_from_slice(b"\nb 1\n");
        (text, spot)
    }

    /// Each over each other one: as long, longer, shorter, over signs and points.
    #[test]
    fn a_number_takes_the_place_of_one_as_long_and_of_no_other() {
        let mut whole = vec![0, 1, 9, u64::MAX, u64::MAX - 1, i64::MAX as u64];
        for digits in 1..=19 {
            let power = 10u64.pow(digits);
            whole.extend([
                power - 1,
                power,
                power + 7,
                power / 7 * 9,
                power + EIGHT - 1,
                power + EIGHT,
            ]);
        }
        let signed = |value: &u64| {
            [
                Number::I64((value >> 1) as i64),
                Number::I64(-((value >> 1) as i64)),
            ]
        };
        let floats = [0.0, -0.0, 0.5, -2.5, 1e21, f64::NAN, f64::INFINITY, f64::MAX].map(Number::F64);
        let before = whole
            .iter()
            .flat_map(signed)
            .chain(floats)
            .chain([Number::I64(i64::MIN)]);
        for before in before.chain(whole.iter().copied().map(Number::U64)) {
            for after in &whole {
                let (mut text, spot) = page(before);
                let (expected, _) = page(Number::U64(*after));
                let whole_before = match before {
                    Number::U64(value) => (value < LARGE).then_some(value),
                    Number::I64(value) => u64::try_from(value).ok(),
                    Number::F64(_) => None,
                };
                let fits = whole_before.is_some_and(|before| {
                    before / EIGHT == after / EIGHT && before.to_string().len() == after.to_string().len()
                });
                assert_eq!(spot.put(&mut text, *after), fits, "{after} over {before:?}");
                let expected = if fits { expected } else { page(before).0 };
                assert_eq!(text, expected, "{after} over {before:?}");
            }
        }
    }
}
