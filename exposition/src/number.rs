//! Numbers as text: whole ones exactly, floats with as many digits as tell them apart.

mod over;

use shmetrics::snapshot::Number;

pub(crate) use self::over::Spot;

/// What eight digits can hold.
const EIGHT: u64 = 100_000_000;

/// Room that a number and a line end need, with what is written behind them.
///
/// A whole number: a sign, 12 digits at most before the last eight, and a store of 16 bytes. A float: 24 characters at most.
pub(crate) const LINE_ROOM: usize = 32;

/// Text that is put where there is room for it already.
///
/// Appending to a `Vec` several times per line means that its length goes through memory as often, one after the other, and that
/// is most of what a line costs. Here it stays in a register: everything on the way of whole numbers is inlined, and what is not
/// gets and returns the position by value.
pub(crate) struct Cursor<'a> {
    room: &'a mut [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// Puts from `at` on. `room` must suffice for all that will be put there.
    #[inline(always)]
    pub(crate) fn new(room: &'a mut [u8], at: usize) -> Cursor<'a> {
        Cursor { room, at }
    }

    /// Where the next will be put.
    #[inline(always)]
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    #[inline(always)]
    pub(crate) fn put(&mut self, text: &[u8]) {
        self.room[self.at..self.at + text.len()].copy_from_slice(text);
        self.at += text.len();
    }

    /// Gives the last byte back.
    #[inline(always)]
    pub(crate) fn back(&mut self) {
        self.at -= 1;
    }

    /// Copies all that was put to the beginning of `text`.
    pub(crate) fn copy_to(&self, text: &mut [u8]) {
        text[..self.at].copy_from_slice(&self.room[..self.at]);
    }

    /// Has `put` write somewhere else, who returns how much it was.
    #[inline(always)]
    pub(crate) fn put_with(&mut self, put: impl FnOnce(&mut [u8]) -> usize) {
        self.at += put(&mut self.room[self.at..]);
    }

    /// Puts a number and a line end. Needs [`LINE_ROOM`].
    #[inline(always)]
    pub(crate) fn put_line(&mut self, number: Number) {
        match number {
            Number::U64(value) => self.put_whole_line(value),
            Number::I64(value) => {
                if value < 0 {
                    self.put(b"-");
                }
                self.put_whole_line(value.unsigned_abs());
            }
            Number::F64(value) => self.put_with(|room| float_line(room, value)),
        }
    }

    #[inline(always)]
    fn put_whole_line(&mut self, value: u64) {
        if value < EIGHT {
            self.put_with(|room| eight_line(room, value, 1));
        } else {
            self.put_with(|room| long_line(room, value));
        }
    }
}

/// Puts more than eight digits and a line end: how much that is.
#[inline(never)]
fn long_line(room: &mut [u8], value: u64) -> usize {
    let high = value / EIGHT;
    let before = if high < EIGHT {
        eight_line(room, high, 1)
    } else {
        long_line(room, high)
    };
    // The line end is overwritten; after other digits zeros count.
    before - 1 + eight_line(&mut room[before - 1..], value % EIGHT, 8)
}

/// Puts the digits of a number below 10^8, at least so many, and a line end, from a register: a store whose length is known is no
/// call. What it puts behind them is overwritten by what comes next.
#[inline(always)]
fn eight_line(room: &mut [u8], value: u64, least: usize) -> usize {
    let digits = eight_digits(value);
    let count = (8 - digits.trailing_zeros() as usize / 8).max(least);
    let text = (digits | ASCII_ZEROS) >> (8 * (8 - count));
    let room = &mut room[..9];
    room[..8].copy_from_slice(&text.to_le_bytes());
    room[count] = b'\n';
    count + 1
}

/// Puts a float and a line end: how much that is.
#[inline(never)]
fn float_line(room: &mut [u8], value: f64) -> usize {
    let mut buffer = zmij::Buffer::new();
    let text = if value.is_finite() {
        buffer.format_finite(value)
    } else {
        not_finite(value)
    };
    room[..text.len()].copy_from_slice(text.as_bytes());
    room[text.len()] = b'\n';
    text.len() + 1
}

/// Appends a number and a line end.
pub(crate) fn push_line(out: &mut Vec<u8>, number: Number) {
    let start = out.len();
    out.resize(start + LINE_ROOM, 0);
    let mut cursor = Cursor::new(out, start);
    cursor.put_line(number);
    let end = cursor.at();
    out.truncate(end);
}

/// Appends a number.
pub(crate) fn push(out: &mut Vec<u8>, number: Number) {
    push_line(out, number);
    out.pop();
}

/// `0` in each byte.
const ASCII_ZEROS: u64 = 0x3030_3030_3030_3030;

/// The digits of a number below 10^8, one per byte, the first in the lowest byte.
///
/// All at once: two numbers of four digits, then four of two, then eight of one. Each quotient is a product and a shift, exact for
/// numbers as small as these: 10486 / 2^20 is a hundredth for all below 43,699, and 103 / 2^10 a tenth for all below 179.
#[inline]
const fn eight_digits(value: u64) -> u64 {
    let fours = (value / 10_000) | ((value % 10_000) << 32);
    let hundreds = ((fours * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let pairs = hundreds | ((fours - hundreds * 100) << 16);
    let tens = ((pairs * 103) >> 10) & 0x000f_000f_000f_000f;
    tens | ((pairs - tens * 10) << 8)
}

fn not_finite(value: f64) -> &'static str {
    if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "+Inf"
    } else {
        "-Inf"
    }
}

/// A bucket bound as the value of `le`.
///
/// Series of a bucket must have the same name whatever the format: this is how Prometheus itself writes the bounds that it gets as
/// protobuf, and what it makes of other spellings since version 3: as Go prints a float (with an exponent, of two digits or more,
/// below 10^-4 and from 10^6 on), with `.0` if it would look like a whole number.
pub(crate) fn bound(value: f64) -> String {
    if !value.is_finite() {
        return not_finite(value).to_owned();
    }
    if value == 0.0 {
        return "0.0".to_owned();
    }
    // d.ddde-x: the shortest digits, and where the point is.
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..LARGE_EXPONENT).contains(&exponent) {
        let plain = format!("{value}");
        if plain.contains('.') { plain } else { plain + ".0" }
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{mantissa}e{sign}{:02}", exponent.abs())
    }
}

/// From here on Go's `%v` prints a float with an exponent.
const LARGE_EXPONENT: i32 = 6;

/// Appends a time as seconds since 1970, exactly: as many digits as it needs, at least one after the point.
pub(crate) fn push_seconds(out: &mut Vec<u8>, ns: u64) {
    push(out, Number::U64(ns / NANOS));
    out.push(b'.');
    let mut fraction = ns % NANOS;
    let mut unit = NANOS / 10;
    loop {
        out.push(b'0' + (fraction / unit) as u8);
        fraction %= unit;
        unit /= 10;
        if fraction == 0 {
            return;
        }
    }
}

/// Nanoseconds of a second.
const NANOS: u64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn text(push: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        push(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn whole_numbers_are_exact() {
        let mut numbers = vec![0, u64::MAX, i64::MAX as u64, i64::MIN as u64];
        numbers.extend((0..20_000).map(|n| n * n));
        let mut power = 1u64;
        while let Some(next) = power.checked_mul(10) {
            numbers.extend([power - 1, power, power + 1]);
            power = next;
        }
        for number in numbers {
            assert_eq!(text(|out| push(out, Number::U64(number))), number.to_string());
            assert_eq!(
                text(|out| push_line(out, Number::U64(number))),
                format!("{number}\n")
            );
            let signed = number as i64;
            assert_eq!(text(|out| push(out, Number::I64(signed))), signed.to_string());
        }
    }

    #[test]
    fn floats_read_back_as_they_were() {
        for value in [
            0.0,
            -0.0,
            1.0,
            0.1,
            1e-9,
            5e-324,
            f64::MAX,
            f64::MIN_POSITIVE,
            1e21,
            -2.5,
            123456789.0,
        ] {
            let written = text(|out| push(out, Number::F64(value)));
            assert_eq!(
                written.parse::<f64>().unwrap().to_bits(),
                value.to_bits(),
                "{written}"
            );
        }
        let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
        assert_eq!(
            odd.map(|value| text(|out| push(out, Number::F64(value)))),
            ["NaN", "+Inf", "-Inf"]
        );
    }

    #[test]
    fn bounds_are_written_as_prometheus_writes_them() {
        let table = [
            (0.0, "0.0"),
            (1.0, "1.0"),
            (0.005, "0.005"),
            (2.5, "2.5"),
            (-10.0, "-10.0"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (524288.0, "524288.0"),
            (1048576.0, "1.048576e+06"),
            (1e100, "1e+100"),
            (9.5367431640625e-7, "9.5367431640625e-07"),
            (f64::INFINITY, "+Inf"),
        ];
        for (value, written) in table {
            assert_eq!(bound(value), written);
        }
    }

    #[test]
    fn times_are_exact() {
        let seconds = |ns| text(|out| push_seconds(out, ns));
        assert_eq!(seconds(1_700_000_000_123_456_789), "1700000000.123456789");
        assert_eq!(seconds(1_700_000_000_500_000_000), "1700000000.5");
        assert_eq!(seconds(3_000_000_000), "3.0");
        assert_eq!(seconds(3_000_000_001), "3.000000001");
        assert_eq!(seconds(0), "0.0");
    }
}
