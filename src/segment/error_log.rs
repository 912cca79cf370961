//! Errors that are kept in the segment: the program's ([`Segment::log_error`](super::Segment::log_error)) and the library's own.
//!
//! The library logs what it cannot do as asked where it finds that out: on slow paths, so never per operation. Its texts are fixed
//! sentences, of which each says what is lost and what to do, and the name of a family at most: few distinct ones. All of this runs
//! in signal handlers and in a child's at-fork handler, too: no heap, no lock, no wait.

use core::fmt::{self, Write};

use super::attachment::Attachment;
use super::liveness::Liveness;
use super::{host, thread};
use crate::error::RegisterError;
use crate::layout::directory::OwnerTag;
use crate::layout::error_log::{ERROR_ENTRY_WORDS, ErrorText};
use crate::layout::header::{LOSS_ERRORS_OFFSET, LOSS_REGISTRATIONS_OFFSET};
use crate::layout::record::CLAIMED_BY_UNKNOWN;
use crate::protocol::error_log::{self, Logged};
use crate::sync::{Acquire, AtomicBool, Relaxed};

/// What stands for a message that says nothing: a text has at least one byte.
const NO_TEXT: &str = "(no text)";

/// Logs an error, if the segment has a log.
#[cold]
pub(crate) fn log(attachment: &Attachment, message: fmt::Arguments<'_>) {
    let entries = attachment.geometry.capacities.errors;
    if entries == 0 {
        return;
    }
    let mut text = ErrorText::default();
    // Writing to it never fails; a message that cannot be formatted is kept as far as it came.
    let _ = text.write_fmt(message);
    if text.bytes().is_empty() {
        let _ = text.write_str(NO_TEXT);
    }
    // The tag in memory is that of a raw clone's parent until this is done.
    super::fork::ensure_prepared();
    let tag = match thread::page().slots[attachment.number].tag.load(Acquire) {
        0 => CLAIMED_BY_UNKNOWN,
        tag => tag,
    };
    let words = attachment.words_at(
        attachment.geometry.errors_offset,
        entries as usize * ERROR_ENTRY_WORDS,
    );
    let mut liveness = None;
    let is_dead = |claim: u64| {
        claim != tag
            && liveness
                .get_or_insert_with(|| Liveness::new(attachment))
                .is_dead(OwnerTag(claim))
    };
    if error_log::log(words, &text, tag, host::wall_ns(), is_dead) == Logged::Lost {
        attachment.count_since_version_2(LOSS_ERRORS_OFFSET);
    }
}

/// Logs an error that is met again and again, once per `told`.
#[cold]
pub(crate) fn log_once(attachment: &Attachment, told: &AtomicBool, message: fmt::Arguments<'_>) {
    if !told.swap(true, Relaxed) {
        log(attachment, message);
    }
}

/// Counts and logs a registration whose caller gets this error, if it is one that the segment is the cause of.
pub(crate) fn registration_refused(attachment: &Attachment, error: &RegisterError) {
    if log_refusal(attachment, error, "a registration was refused") {
        attachment.count_since_version_2(LOSS_REGISTRATIONS_OFFSET);
    }
}

/// Logs what the segment refuses, and what comes of it. The name of the family is last: a long one is cut.
pub(crate) fn log_refusal(attachment: &Attachment, error: &RegisterError, outcome: &str) -> bool {
    match error {
        RegisterError::Full {
            name,
            what,
            capacity,
            option: "limit",
        } => log(
            attachment,
            format_args!(
                "no further {what} within the limit of {capacity}: {outcome}; raise its `limit`, or use fewer label values: {name}"
            ),
        ),
        RegisterError::Full {
            name,
            what,
            capacity,
            option,
        } => log(
            attachment,
            format_args!(
                "no room for another {what} ({capacity} in all): {outcome}; create the segment with a larger `{option}`: {name}"
            ),
        ),
        RegisterError::Storage { name, reason } => log(
            attachment,
            format_args!(
                "no storage for a series: {reason}: {outcome}; free space, or raise the `budget`: {name}"
            ),
        ),
        RegisterError::Conflict { name, .. } => log(
            attachment,
            format_args!(
                "a family is registered with another kind, unit or merge rule: {outcome}; use the same, or another name: {name}"
            ),
        ),
        RegisterError::Damaged { name, what } => log(
            attachment,
            format_args!("the {what} is damaged: {outcome}; retire the segment: {name}"),
        ),
        // The caller's own mistakes, which say nothing about the segment.
        _ => return false,
    }
    true
}
