//! Storage on demand: ranges below the head are allocated just before their first use, within the budget.
//!
//! The order is: compare with the budget, populate, then the caller's mark (release), which readers look at before they touch the
//! range. Death in between leaves pages allocated and no mark: the next one populates again, which is free. The committed count may
//! then miss one range; it is what the budget is compared with, not what tools report (they ask the file system).

use std::io;

use rustix::io::Errno;

use super::attachment::Attachment;
use super::error_log;
use crate::layout::WORD_LENGTH;
use crate::layout::header::{COMMITTED_OFFSET, LOSS_BUDGET_OFFSET, LOSS_STORAGE_OFFSET};
use crate::map::{Mapping, populate};
use crate::sync::{AtomicU64, Relaxed};

/// Why storage was refused. It is counted already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The budget is used up.
    Budget,
    /// The file system or the memory limit has no room.
    Storage,
}

/// Allocates the storage of a range, whose content is called `what`. No heap, no lock.
pub(crate) fn commit(
    attachment: &Attachment,
    what: &'static str,
    offset: u64,
    length: u64,
) -> Result<(), Refused> {
    let budget = attachment.geometry.capacities.budget;
    let allocated = allocate(
        &attachment.mapping,
        attachment.words(),
        budget,
        offset,
        length,
        false,
    );
    allocated.map_err(|(refused, error)| {
        tell(attachment, what, error);
        refused
    })
}

/// Keeps a refusal in the error log: of the budget, if there is no `error`.
#[cold]
fn tell(attachment: &Attachment, what: &'static str, error: Option<io::Error>) {
    let Some(error) = error else {
        let advice = "create the segment with a larger `budget`, or with smaller histograms";
        return error_log::log(attachment, format_args!("no budget for {what}; {advice}"));
    };
    let advice = "free space on the file system, or raise the memory limit";
    match cause(&error) {
        Some(cause) => error_log::log(
            attachment,
            format_args!("no storage for {what}: {cause}; {advice}"),
        ),
        None => error_log::log(
            attachment,
            format_args!(
                "no storage for {what}: error {}; {advice}",
                error.raw_os_error().unwrap_or(0)
            ),
        ),
    }
}

/// Allocates the storage of a range of a mapped segment, whose words are `words`, and counts it, or the refusal. What was counted
/// before (`is_counted`) is made sure of, and counts no more. No heap, no lock.
pub(crate) fn allocate(
    mapping: &Mapping,
    words: &[AtomicU64],
    budget: u64,
    offset: u64,
    length: u64,
    is_counted: bool,
) -> Result<(), (Refused, Option<io::Error>)> {
    let add = |offset: u64, value: u64| {
        if let Some(word) = words.get((offset / WORD_LENGTH) as usize) {
            word.fetch_add(value, Relaxed);
        }
    };
    let committed = words.get((COMMITTED_OFFSET / WORD_LENGTH) as usize);
    let committed = committed.map_or(0, |word| word.load(Relaxed));
    if !is_counted && committed.saturating_add(length) > budget {
        add(LOSS_BUDGET_OFFSET, 1);
        return Err((Refused::Budget, None));
    }
    if let Err(error) = populate(mapping, offset, length) {
        add(LOSS_STORAGE_OFFSET, 1);
        return Err((Refused::Storage, Some(error)));
    }
    if !is_counted {
        add(COMMITTED_OFFSET, length);
    }
    Ok(())
}

/// The name of an error that populating memory can end with (madvise(2)); what the library of C says of it would need the heap.
fn cause(error: &io::Error) -> Option<&'static str> {
    let name = match Errno::from_io_error(error)? {
        Errno::NOMEM => "ENOMEM",
        Errno::FAULT => "EFAULT",
        Errno::NOSPC => "ENOSPC",
        Errno::DQUOT => "EDQUOT",
        Errno::IO => "EIO",
        Errno::AGAIN => "EAGAIN",
        Errno::INVAL => "EINVAL",
        Errno::PERM => "EPERM",
        _ => return None,
    };
    Some(name)
}
