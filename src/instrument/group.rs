//! Groups: numbers that are counted together.

use std::sync::Arc;

use super::block::{Block, Detour};
use crate::layout::group::GroupShape;
use crate::protocol::group;
use crate::segment::attachment::Attachment;

/// Up to 15 whole numbers that are counted together, over all processes: a reader sees all of an update or nothing of it, also when
/// the process died in the middle of one ([`snapshot::Group`](crate::snapshot::Group)).
///
/// For what must fit each other whenever anybody looks: deliveries and how many of them failed, requests and their bytes. What is the
/// sum of other fields need not be a field: a reader adds it up, from numbers of one moment. There is no `set`: each thread has fields of
/// its own, of which a reader shows the sums, and which no other thread may change. Numbers wrap at 2^64, so adding
/// `0u64.wrapping_sub(n)` takes n away from a field.
///
/// Adding never waits. Cost: per field a load, an add and a store, to memory that only this thread writes, and two stores more. Who has no
/// lane, or is a signal handler that interrupted an operation of its thread, adds to the shared lane field by field: while that happens readers
/// say that the group is [bounded](crate::snapshot::Quality::Bounded).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let path = std::env::temp_dir().join(format!("shmetrics-group-{}", std::process::id()));
/// # let segment = shmetrics::Segment::options().preset(shmetrics::Preset::Compact).open_or_create_at(&path)?;
/// use shmetrics::{Reader, Value};
///
/// let deliveries = segment.group("deliveries").fields(["ok", "failed", "bytes"]).register()?;
/// deliveries.add([1, 0, 512]);
/// deliveries.add([0, 1, 0]);
/// let snapshot = Reader::open_path(&path)?.snapshot()?;
/// let Value::Group(group) = &snapshot.series[0].value else { unreachable!() };
/// assert_eq!((group.get("ok"), group.get("failed"), group.get("bytes")), (Some(1), Some(1), Some(512)));
/// assert_eq!(group.updates, 2);
/// # std::fs::remove_file(&path)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Group<const N: usize> {
    fields: Arc<Fields>,
}

/// A group of this process.
#[derive(Debug)]
pub(super) struct Fields {
    block: Block,
    shape: GroupShape,
}

impl Fields {
    /// Of a handle that does nothing.
    pub(super) fn noop() -> Fields {
        Fields {
            block: Block::noop(),
            shape: GroupShape::LEAST,
        }
    }

    pub(super) fn new(attachment: &Arc<Attachment>, placement: u64, shape: GroupShape) -> Fields {
        Fields {
            block: Block::new(attachment, placement, shape.words()),
            shape,
        }
    }
}

impl<const N: usize> Group<N> {
    pub(super) fn new(fields: Fields) -> Group<N> {
        Group {
            fields: Arc::new(fields),
        }
    }

    /// Adds to the fields, in the order in which they were named, in one update.
    #[inline]
    pub fn add(&self, amounts: [u64; N]) {
        if let Err(detour) = self.add_own(&amounts) {
            self.add_slowly(&detour, &amounts);
        }
    }

    #[inline(always)]
    fn add_own(&self, amounts: &[u64; N]) -> Result<(), Detour> {
        let Fields { block, shape } = &*self.fields;
        block.on_own_words(|words| group::add(words, shape, amounts))
    }

    #[cold]
    fn add_slowly(&self, detour: &Detour, amounts: &[u64; N]) {
        let block = &self.fields.block;
        if !(block.prepare(detour, false) && self.add_own(amounts).is_ok()) {
            group::add_shared(block.shared(crate::layout::group::GROUP_COPIES), amounts);
        }
    }
}
