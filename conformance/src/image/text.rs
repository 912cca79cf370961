//! Texts that are set, as a whole or not to the end, and deleted. SPEC.md 9.15, 10.24.

use shmetrics::layout::directory::OwnerTag;

use super::in_flight::key_hash;
use super::{Image, Place, SHARED, Scheme, Series};

/// The last step of setting a text that was done (10.24).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Setting {
    /// A slot is claimed.
    D1,
    /// It says for which generation.
    D2,
    /// Some of the text is stored.
    D3Partly,
    /// All of it is.
    D3,
    /// The head names the slot.
    D4,
    /// The slot is nobody's.
    D5,
}

const SLOTS: u64 = 8;
const CUT: u64 = 1 << 16;

/// Bytes of a slot for texts of so many bytes.
pub(super) fn slot_length(capacity: u64) -> u64 {
    (32 + capacity.next_multiple_of(8)).next_multiple_of(128)
}

impl Image {
    fn capacity_of(series: &Series) -> u64 {
        let Scheme::Text(capacity) = series.scheme else {
            panic!("{series:?} has no text");
        };
        capacity
    }

    /// A slot of a text.
    pub fn text_slot(&self, series: &Series, slot: u64) -> Place {
        let length = slot_length(Self::capacity_of(series));
        Place::TextSlot(self.block_offset(series, SHARED) + 128 + slot * length)
    }

    /// The slot that the head names; `None` if there is no text.
    pub fn slot_of_text(&self, series: &Series) -> Option<u64> {
        let place = Place::Text(self.block_offset(series, SHARED));
        (self.get(place, "text_head") & 0xff).checked_sub(1)
    }

    /// Sets a text and stops after a step: in the first free slot after that of the present text.
    pub fn set_text_until(
        &mut self,
        series: &Series,
        text: &str,
        owner: OwnerTag,
        at_ns: u64,
        until: Setting,
    ) -> &mut Self {
        let block = Place::Text(self.block_offset(series, SHARED));
        let capacity = Self::capacity_of(series) as usize;
        let head = self.get(block, "text_head");
        let first = self.slot_of_text(series).map_or(0, |slot| slot + 1);
        let slots = (first..first + SLOTS).map(|slot| slot % SLOTS);
        let is_free = |slot: &u64| {
            Some(*slot) != self.slot_of_text(series)
                && self.get(self.text_slot(series, *slot), "text_claim") == 0
        };
        let slot = slots.into_iter().find(is_free).expect("a free slot");
        let place = self.text_slot(series, slot);
        self.set(place, "text_claim", owner.0);
        if until == Setting::D1 {
            return self;
        }
        let generation = (head >> 8) + 1;
        self.set(place, "text_begin", generation);
        if until == Setting::D2 {
            return self;
        }
        let mut end = text.len().min(capacity);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let stored = &text.as_bytes()[..end];
        let start = self.offset(place, "text_claim") + 32;
        if until == Setting::D3Partly {
            self.put_bytes(start, &stored[..end / 2]);
            return self;
        }
        self.put_bytes(start, stored);
        let cut = if end < text.len() { CUT } else { 0 };
        self.set(place, "text_set_ns", at_ns);
        let content = end as u64 | cut | key_hash(stored) >> 32 << 32;
        self.set(place, "text_content", content);
        if until == Setting::D3 {
            return self;
        }
        self.set(block, "text_head", generation << 8 | (slot + 1));
        if until == Setting::D5 {
            self.set(place, "text_claim", 0);
        }
        self
    }

    /// Sets a text.
    pub fn set_text(&mut self, series: &Series, text: &str, owner: OwnerTag, at_ns: u64) -> &mut Self {
        self.set_text_until(series, text, owner, at_ns, Setting::D5)
    }

    /// Deletes the text, if there is one.
    pub fn delete_text(&mut self, series: &Series) -> &mut Self {
        let block = Place::Text(self.block_offset(series, SHARED));
        let head = self.get(block, "text_head");
        if head & 0xff != 0 {
            self.set(block, "text_head", ((head >> 8) + 1) << 8);
        }
        self
    }
}
