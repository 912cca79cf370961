//! Texts that are replaced as a whole.

use super::catalog::Member;
use crate::layout::geometry::Geometry;
use crate::layout::record::Buckets;
use crate::layout::text::*;
use crate::protocol::text::{SeenText, read};
use crate::words::ReadWords;

/// A text that is replaced as a whole, and when it was set.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Text {
    /// Empty without one. Reused from snapshot to snapshot.
    text: String,
    /// Was it longer, and is cut?
    pub truncated: bool,
    /// When it was set, nanoseconds since 1970; `None`: none is set, or it cannot be read.
    pub set_ns: Option<u64>,
    /// One is set, and it cannot be read: the file is damaged, or the text is replaced faster than it is copied, each time.
    pub unreadable: bool,
    /// Bytes of the longest text.
    pub capacity: u64,
    /// Texts that were not set, ever: their process had no slot, or all slots were being written.
    pub refused: u64,
}

impl Text {
    /// The text. It comes from outside: escape it for whatever it is put into. `None`: none is set, or it cannot be read.
    pub fn text(&self) -> Option<&str> {
        self.set_ns.map(|_| &*self.text)
    }

    /// Is there nothing to tell?
    pub(super) fn says_nothing(&self) -> bool {
        self.set_ns.is_none() && !self.unreadable && self.refused == 0
    }
}

/// Reads the text of a series: of the first of `members`.
pub(super) fn fill(into: &mut Text, members: &[Member], words: ReadWords<'_>, geometry: &Geometry) {
    let mut text = std::mem::take(&mut into.text);
    text.clear();
    *into = Text {
        text,
        ..Text::default()
    };
    let Some((Buckets::Text(shape), placement)) = members
        .first()
        .map(|member| (member.series.buckets, member.placement))
    else {
        return;
    };
    let start = (geometry.shared_blocks_offset + placement) / 8;
    let block = words.range(start as usize, shape.words());
    into.capacity = shape.capacity() as u64;
    into.refused = block.load(TEXT_REFUSED);
    let mut copy = [0; MAX_TEXT_WORDS];
    match read(block, shape, &mut copy) {
        SeenText::None => {}
        SeenText::Overtaken => into.unreadable = true,
        SeenText::Copied { content, set_ns } => {
            // At once as much as it may ever need: then no later snapshot allocates.
            into.text.reserve(shape.capacity());
            match parse(content, shape, &copy[..shape.text_words()], &mut into.text) {
                Some(()) => (into.truncated, into.set_ns) = (is_cut(content), Some(set_ns)),
                None => into.unreadable = true,
            }
        }
    }
}
