//! What can go wrong beside recording, which never fails.

use crate::error::{OpenError, ReadError, RegisterError, ResetError};

/// Why a session cannot be entered, left, read, saved, restored or reset.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestsError {
    /// This process is in a session of this instance already.
    #[error(
        "this process has entered {instance:?} already: leave that session first, share it, or choose another instance"
    )]
    AlreadyEntered {
        /// The instance.
        instance: String,
    },
    /// Records are to be kept, and nobody said where.
    #[error(
        "persistence is on, and there is no store: give one with Builder::store, such as FolderStore::new(folder)"
    )]
    NoStore,
    /// A further field has the name of a field that there is.
    #[error("the extra field {name:?} has the name of a field that there is: choose another")]
    ExtraName {
        /// The name.
        name: String,
    },
    /// What is to be counted cannot be registered.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// The segment cannot be opened to read.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It cannot be read any more.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It cannot be reset.
    #[error(transparent)]
    Reset(#[from] ResetError),
    /// The thread of a session cannot be started.
    #[error("cannot start the thread of a session: {source}; raise the limit of threads")]
    Thread {
        /// Why.
        source: std::io::Error,
    },
    /// A store failed.
    #[error("cannot {operation} the record {key:?} in the store {kvs_name:?}: {source}")]
    Store {
        /// What was to be done: get, set, delete.
        operation: &'static str,
        /// The store's name.
        kvs_name: String,
        /// The record's key.
        key: String,
        /// Why.
        source: std::io::Error,
    },
    /// What is stored is no record.
    #[error(
        "the record {key:?} in the store {kvs_name:?} is no statistics record: {reason}; remove it, or choose another key"
    )]
    Record {
        /// The store's name.
        kvs_name: String,
        /// The record's key.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// What would be replaced has counts that this segment has not.
    #[error(
        "the record {key:?} in the store {kvs_name:?} is of another segment ({segment_id:016x}) and was not restored into this one, so it is not replaced: restore it, remove it, or choose another key"
    )]
    NotRestored {
        /// The store's name.
        kvs_name: String,
        /// The record's key.
        key: String,
        /// The segment that it was made from; 0: not known.
        segment_id: u64,
    },
    /// The counts of this segment went on in another one, or in both.
    #[error(
        "the record {key:?} in the store {kvs_name:?} went on in another segment ({segment_id:016x}), and what this one has of {instance:?} would count twice: use another segment, or reset {instance:?} in this one and enter again, or remove the record to go on with what is here"
    )]
    Diverged {
        /// The instance.
        instance: String,
        /// The store's name.
        kvs_name: String,
        /// The record's key.
        key: String,
        /// The segment that the record was made from.
        segment_id: u64,
    },
    /// Somebody else saves, restores or resets all the time, or a child has inherited the lock.
    #[error("somebody else saves, restores or resets {what} for seconds: try again")]
    Busy {
        /// Of what.
        what: String,
    },
    /// What was restored did not become visible: this process cannot write there.
    #[error("the restored figures of {instance:?} could not be stored in the segment; nothing was restored")]
    NotStored {
        /// The instance.
        instance: String,
    },
    /// There is no such instance in the segment.
    #[error("no statistics of an instance {instance:?} are in the segment")]
    NoInstance {
        /// The instance.
        instance: String,
    },
}
