//! Protocol buffers, written: varints, tags, and messages with their length before them.

/// How a field's value is written: the low three bits of its tag.
#[derive(Clone, Copy)]
enum Wire {
    Varint = 0,
    Fixed64 = 1,
    Length = 2,
}

/// Bytes of a `u64` as a varint, at most.
const LONGEST_VARINT: usize = 10;

/// Appends a varint.
#[inline]
pub(super) fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A signed number so that small ones stay short: 0, -1, 1, -2 …
pub(super) const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn push_tag(out: &mut Vec<u8>, field: u32, wire: Wire) {
    push_varint(out, u64::from(field) << 3 | wire as u64);
}

pub(super) fn push_u64(out: &mut Vec<u8>, field: u32, value: u64) {
    push_tag(out, field, Wire::Varint);
    push_varint(out, value);
}

pub(super) fn push_double(out: &mut Vec<u8>, field: u32, value: f64) {
    push_double_tag(out, field);
    out.extend_from_slice(&value.to_le_bytes());
}

/// What comes before the eight bytes of a double.
pub(super) fn push_double_tag(out: &mut Vec<u8>, field: u32) {
    push_tag(out, field, Wire::Fixed64);
}

pub(super) fn push_text(out: &mut Vec<u8>, field: u32, text: &str) {
    push_tag(out, field, Wire::Length);
    push_varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// What comes before a message of `length` bytes.
pub(super) fn push_message_head(out: &mut Vec<u8>, field: u32, length: usize) {
    push_tag(out, field, Wire::Length);
    push_varint(out, length as u64);
}

/// Appends a message, or a packed list.
pub(super) fn push_message(out: &mut Vec<u8>, field: u32, write: impl FnOnce(&mut Vec<u8>)) {
    push_tag(out, field, Wire::Length);
    push_delimited(out, write);
}

/// Appends what `write` writes with its length before it.
///
/// The length is known afterwards only, and its own length varies: it is appended, and then both change places.
pub(super) fn push_delimited(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    write(out);
    let end = out.len();
    push_varint(out, (end - start) as u64);
    let width = out.len() - end;
    let mut length = [0; LONGEST_VARINT];
    length[..width].copy_from_slice(&out[end..]);
    out.copy_within(start..end, start + width);
    out[start..start + width].copy_from_slice(&length[..width]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_and_lengths_are_minimal() {
        let varint = |value| {
            let mut out = Vec::new();
            push_varint(&mut out, value);
            out
        };
        assert_eq!(varint(0), [0]);
        assert_eq!(varint(300), [0xac, 0x02]);
        assert_eq!(varint(u64::MAX).len(), LONGEST_VARINT);
        assert_eq!([0, -1, 1, -2, i64::MIN].map(zigzag), [0, 1, 2, 3, u64::MAX]);
        for length in [0, 1, 127, 128, 300, 20_000] {
            let mut out = b"before".to_vec();
            push_delimited(&mut out, |out| out.resize(out.len() + length, 7));
            let head = [b"before", varint(length as u64).as_slice()].concat();
            assert!(out.starts_with(&head));
            assert!(out.len() == head.len() + length && out[head.len()..].iter().all(|byte| *byte == 7));
        }
    }
}
