//! One pass over a segment: what every check uses.

use std::os::fd::{AsFd, BorrowedFd};

use super::findings::Findings;
use super::opened::Opened;
use super::report::{Checked, Place, Severity};
use super::storage::Storage;
use crate::layout::WORD_LENGTH;
use crate::layout::fields::{FieldType, structure};
use crate::layout::geometry::Geometry;
use crate::layout::header::{VERSION, VERSION_OFFSET};
use crate::map::Mapping;
use crate::snapshot::contents::Contents;
use crate::words::ReadWords;

/// Words, storage and findings of a pass.
pub(super) struct Pass<'a, 's> {
    pub(super) words: ReadWords<'a>,
    pub(super) geometry: &'a Geometry,
    pub(super) file: BorrowedFd<'a>,
    pub(super) storage: &'a mut Storage<'s>,
    pub(super) findings: Findings,
    pub(super) checked: Checked,
    /// Records that have storage: there are no others.
    pub(super) records: u64,
    /// Was the segment made by a newer version, which may use what is reserved in this one?
    is_newer: bool,
}

impl<'a, 's> Pass<'a, 's> {
    pub(super) fn new(
        opened: &'a Opened,
        geometry: &'a Geometry,
        mapping: &'a Mapping,
        storage: &'a mut Storage<'s>,
    ) -> Self {
        Self {
            words: mapping.read_words(),
            geometry,
            file: opened.file.as_fd(),
            storage,
            findings: Findings::default(),
            checked: Checked::default(),
            records: opened.stored_records(),
            is_newer: opened.header_word(VERSION_OFFSET) > VERSION,
        }
    }

    /// Loads the word at a byte offset of the file. The caller knows that its storage is there.
    pub(super) fn load(&self, offset: u64) -> u64 {
        self.words.load((offset / WORD_LENGTH) as usize)
    }

    /// The `length` words from a byte offset on.
    pub(super) fn range(&self, offset: u64, length: usize) -> ReadWords<'a> {
        self.words.range((offset / WORD_LENGTH) as usize, length)
    }

    /// Records and texts.
    pub(super) fn contents(&self) -> Contents<'a> {
        Contents::new(self.words, self.geometry)
    }

    pub(super) fn error(
        &mut self,
        rule: &'static str,
        place: Place,
        offset: u64,
        message: impl Into<String>,
    ) {
        self.findings.add(Severity::Error, rule, place, offset, message);
    }

    pub(super) fn warning(
        &mut self,
        rule: &'static str,
        place: Place,
        offset: u64,
        message: impl Into<String>,
    ) {
        self.findings.add(Severity::Warning, rule, place, offset, message);
    }

    pub(super) fn note(&mut self, rule: &'static str, place: Place, offset: u64, message: impl Into<String>) {
        self.findings.add(Severity::Note, rule, place, offset, message);
    }

    /// Has the range, which a mark covers, its storage? If not, that is told, and nobody may touch it.
    pub(super) fn is_stored(&mut self, place: Place, offset: u64, length: u64, mark: &str) -> bool {
        match self.storage.hole(offset, length) {
            None => true,
            Some(hole) => {
                let message = format!(
                    "{mark} covers {length} bytes from {offset:#x} on, and at {hole:#x} no storage is allocated; \
                     a store there can end by SIGBUS"
                );
                self.error("S-2", place, offset, message);
                false
            }
        }
    }

    /// A word of reserved space: `found` must be 0.
    pub(super) fn reserved(&mut self, place: Place, offset: u64, found: u64) {
        if found == 0 {
            return;
        }
        let message = format!("the reserved word is {found:#x}, expected 0");
        match self.is_newer {
            true => self.note("W-9", place, offset, message),
            false => self.error("W-9", place, offset, message),
        }
    }

    /// All words of reserved space of the structure at `base`, by its table.
    pub(super) fn reserved_fields(&mut self, name: &str, place: Place, base: u64) {
        let Some(structure) = structure(name) else { return };
        for field in structure
            .fields()
            .filter(|field| field.content == FieldType::Reserved)
        {
            for offset in (field.offset..field.offset + field.length).step_by(WORD_LENGTH as usize) {
                let found = self.load(base + offset);
                self.reserved(place, base + offset, found);
            }
        }
    }
}
