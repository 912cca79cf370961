//! Storage on demand: ranges below the head are allocated just before their first use, within the budget.
//!
//! The order is: compare with the budget, populate, then the caller's mark (release), which readers look at before they touch the
//! range. Death in between leaves pages allocated and no mark: the next one populates again, which is free. The committed count may
//! then miss one range; it is what the budget is compared with, not what tools report (they ask the file system).

use super::attachment::Attachment;
use crate::layout::header::{COMMITTED_OFFSET, LOSS_BUDGET_OFFSET, LOSS_STORAGE_OFFSET};
use crate::map::populate;
use crate::sync::Relaxed;

/// Why storage was refused. It is counted already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The budget is used up.
    Budget,
    /// The file system or the memory limit has no room.
    Storage,
}

/// Allocates the storage of a range. No heap, no lock.
pub(crate) fn commit(attachment: &Attachment, offset: u64, length: u64) -> Result<(), Refused> {
    let committed = attachment.word(COMMITTED_OFFSET);
    if committed.load(Relaxed).saturating_add(length) > attachment.geometry.capacities.budget {
        attachment.count_loss(LOSS_BUDGET_OFFSET);
        return Err(Refused::Budget);
    }
    if populate(&attachment.mapping, offset, length).is_err() {
        attachment.count_loss(LOSS_STORAGE_OFFSET);
        return Err(Refused::Storage);
    }
    committed.fetch_add(length, Relaxed);
    Ok(())
}
