//! The error log: SPEC.md 9.10, 10.18.

use shmetrics::layout::directory::OwnerTag;
use shmetrics::layout::error_log::{ERROR_READY, ERROR_TEXT_CUT, ERROR_TEXT_LENGTH, error_hash};

use super::{Image, Place};

/// The last step of the logging of a text that was done (10.18).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Logging {
    /// The entry is claimed.
    E2,
    /// It is filled, but for the end of its text.
    E3Partly,
    /// It is filled.
    E3,
    /// It is ready.
    E4,
}

impl Image {
    /// Logs a text at a time, as a process with this tag; a long one is cut. There must be room.
    pub fn log_error(&mut self, owner: OwnerTag, text: &str, now_ns: u64) -> &mut Self {
        let hash = error_hash(&cut(text).0);
        let entries = self.geometry.capacities.errors;
        let is_known = |entry: &u64| {
            let place = Place::Error(*entry);
            self.get(place, "error_ready") == ERROR_READY && self.get(place, "error_hash") == hash
        };
        match (0..entries).find(is_known) {
            Some(entry) => {
                self.add(Place::Error(entry), "error_count", 1);
                self.raise(Place::Error(entry), "error_last_ns", now_ns)
            }
            None => self.log_error_until(owner, text, now_ns, Logging::E4),
        }
    }

    /// Logs a text in the next free entry, whether or not another has it, and stops after a step.
    pub fn log_error_until(&mut self, owner: OwnerTag, text: &str, now_ns: u64, until: Logging) -> &mut Self {
        let entries = self.geometry.capacities.errors;
        let is_free = |entry: &u64| self.get(Place::Error(*entry), "error_claim") == 0;
        let entry = (0..entries)
            .find(is_free)
            .unwrap_or_else(|| panic!("the error log is full"));
        let place = Place::Error(entry);
        self.set(place, "error_claim", owner.0);
        if until == Logging::E2 {
            return self;
        }
        let (bytes, flags) = cut(text);
        self.set(place, "error_hash", error_hash(&bytes));
        self.set(place, "error_length", bytes.len() as u64 | flags);
        self.set(place, "error_count", 1);
        self.set(place, "error_first_ns", now_ns);
        self.set(place, "error_last_ns", now_ns);
        let stored = match until {
            Logging::E3Partly => &bytes[..bytes.len() / 2],
            _ => &bytes[..],
        };
        self.put_bytes(self.offset(place, "error_text"), stored);
        if until == Logging::E4 {
            self.set(place, "error_ready", ERROR_READY);
        }
        self
    }
}

/// What is stored of a text, and the flags of its length.
fn cut(text: &str) -> (Vec<u8>, u64) {
    if text.len() <= ERROR_TEXT_LENGTH {
        return (text.as_bytes().to_vec(), 0);
    }
    let fits = |at: &usize| text.is_char_boundary(*at);
    let end = (0..=ERROR_TEXT_LENGTH).rev().find(fits).unwrap_or(0);
    (text.as_bytes()[..end].to_vec(), ERROR_TEXT_CUT)
}
