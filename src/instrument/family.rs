//! Series by label values, cached per process.

use std::sync::Arc;

use super::builder::make;
use super::handle::{Instrument, Parameters};
use crate::error::RegisterError;
use crate::layout::Fnv;
use crate::layout::header::{LOSS_LABEL_SETS_OFFSET, LOSS_REFUSED_LABEL_SETS_OFFSET};
use crate::layout::labels;
use crate::segment::attachment::Attachment;
use crate::segment::error_log;
use crate::sync::{AcqRel, Acquire, AtomicBool, AtomicPtr, Relaxed};

/// The one label of a family's overflow series, with the value `true`.
pub(super) const OVERFLOW_LABEL: &str = "shmetrics_overflow";
/// Largest cache: beyond it, look-ups go to the overflow series.
const MAX_CACHE: u64 = 1 << 16;

/// A family with `N` labels. [`with`](Family::with) gets the series of label values; it never fails.
///
/// Look-ups of known values read a lock-free cache. When the family has as many label sets as its limit allows (over all processes),
/// or a table of the segment is full, further label sets are counted in the family's overflow series
/// (`shmetrics_overflow="true"`): the family's total stays exact, and the loss is counted.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let path = std::env::temp_dir().join(format!("shmetrics-family-{}", std::process::id()));
/// # let segment = shmetrics::Segment::options().preset(shmetrics::Preset::Compact).open_or_create_at(&path)?;
/// let requests = segment.counter("requests_total").family(["method", "code"])?;
/// requests.with(["GET", "200"]).inc();
/// # std::fs::remove_file(&path)?;
/// # Ok(())
/// # }
/// ```
pub struct Family<I, const N: usize> {
    attachment: Option<Arc<Attachment>>,
    parameters: Parameters,
    family: u64,
    names: [String; N],
    constant: Vec<(String, String)>,
    limit: u64,
    overflow: I,
    /// Open addressing; a place is set once and stays until the family is dropped.
    cache: Box<[AtomicPtr<Entry<I, N>>]>,
    /// Is it logged that the limit is reached, and that a label set was refused?
    told: [AtomicBool; 2],
}

struct Entry<I, const N: usize> {
    hash: u64,
    values: [String; N],
    handle: I,
}

impl<I: Instrument, const N: usize> Family<I, N> {
    /// Label sets of a family unless asked otherwise.
    pub const DEFAULT_LIMIT: u64 = 256;

    pub(super) fn new(
        attachment: Option<Arc<Attachment>>,
        parameters: Parameters,
        family: u64,
        names: [String; N],
        constant: Vec<(String, String)>,
        limit: u64,
        overflow: I,
    ) -> Self {
        // Twice as many places as label sets: short probes.
        let places = limit.clamp(8, MAX_CACHE).saturating_mul(2).next_power_of_two();
        let cache = (0..places)
            .map(|_| AtomicPtr::new(core::ptr::null_mut()))
            .collect();
        Family {
            attachment,
            parameters,
            family,
            names,
            constant,
            limit,
            overflow,
            cache,
            told: [const { AtomicBool::new(false) }; 2],
        }
    }

    /// The series with these label values, in the order of the family's label names. Cost: a hash of the values and a few loads;
    /// the first time in this process, a registration.
    pub fn with(&self, values: [&str; N]) -> &I {
        let Some(attachment) = &self.attachment else {
            return &self.overflow;
        };
        let hash = hash_of(&values);
        let mut step = 0;
        if let Some(handle) = self.cached(hash, &values, &mut step) {
            return handle;
        }
        match self.register(attachment, &values) {
            Ok(handle) => self.keep(hash, &values, step, handle),
            Err(error) => {
                let is_limit = matches!(
                    error,
                    RegisterError::Full {
                        what: "label set",
                        ..
                    }
                );
                let (loss, told) = if is_limit {
                    (LOSS_LABEL_SETS_OFFSET, &self.told[0])
                } else {
                    (LOSS_REFUSED_LABEL_SETS_OFFSET, &self.told[1])
                };
                attachment.count_loss(loss);
                if !told.swap(true, Relaxed) {
                    error_log::log_refusal(
                        attachment,
                        &error,
                        "label sets are counted in the overflow series",
                    );
                }
                &self.overflow
            }
        }
    }

    /// The series that collects label sets beyond the limit.
    pub fn overflow(&self) -> &I {
        &self.overflow
    }

    fn register(&self, attachment: &Arc<Attachment>, values: &[&str; N]) -> Result<I, RegisterError> {
        let pairs: Vec<(&str, &str)> = self
            .names
            .iter()
            .map(String::as_str)
            .zip(values.iter().copied())
            .chain(self.constant.iter().map(|(n, v)| (n.as_str(), v.as_str())))
            .collect();
        let labels = labels::encode(&pairs).map_err(|source| RegisterError::Labels {
            name: String::new(),
            source,
        })?;
        make(
            attachment,
            &self.parameters,
            self.family,
            &labels,
            false,
            self.limit,
        )
    }

    fn place(&self, hash: u64, step: usize) -> &AtomicPtr<Entry<I, N>> {
        &self.cache[(hash as usize).wrapping_add(step) & (self.cache.len() - 1)]
    }

    /// Looks the values up from `step` on; on a miss `step` is where the first empty place is.
    fn cached(&self, hash: u64, values: &[&str; N], step: &mut usize) -> Option<&I> {
        while *step < self.cache.len() {
            let entry = entry(self.place(hash, *step))?;
            if entry.hash == hash && entry.values.iter().map(String::as_str).eq(values.iter().copied()) {
                return Some(&entry.handle);
            }
            *step += 1;
        }
        None
    }

    /// Puts a handle into the cache; if another thread was faster, its handle is used.
    fn keep(&self, hash: u64, values: &[&str; N], mut step: usize, handle: I) -> &I {
        let fresh = Box::into_raw(Box::new(Entry {
            hash,
            values: values.map(str::to_owned),
            handle,
        }));
        loop {
            if let Some(handle) = self.cached(hash, values, &mut step) {
                drop_entry(fresh);
                return handle;
            }
            if step >= self.cache.len() {
                // More label sets than this family's limit exist, made by a process with a larger one.
                drop_entry(fresh);
                return &self.overflow;
            }
            let place = self.place(hash, step);
            if place
                .compare_exchange(core::ptr::null_mut(), fresh, AcqRel, Acquire)
                .is_ok()
                && let Some(entry) = entry(place)
            {
                return &entry.handle;
            }
        }
    }
}

fn hash_of<const N: usize>(values: &[&str; N]) -> u64 {
    values
        .iter()
        .fold(Fnv::new(), |hash, value| {
            hash.bytes(value.as_bytes()).bytes(&[0xff])
        })
        .finish()
}

/// The entry in a place.
#[allow(unsafe_code)]
fn entry<I, const N: usize>(place: &AtomicPtr<Entry<I, N>>) -> Option<&Entry<I, N>> {
    // SAFETY: a place is null or holds a pointer from `Box::into_raw`, published with release by `keep`; it is freed only when the
    // family is dropped, which needs `&mut self`, so it outlives the borrow of `place`.
    unsafe { place.load(Acquire).as_ref() }
}

#[allow(unsafe_code)]
fn drop_entry<I, const N: usize>(entry: *mut Entry<I, N>) {
    // SAFETY: the pointer is from `Box::into_raw` and no place holds it (any more).
    drop(unsafe { Box::from_raw(entry) });
}

impl<I, const N: usize> Drop for Family<I, N> {
    fn drop(&mut self) {
        for place in &mut self.cache {
            let entry = core::mem::replace(place.get_mut(), core::ptr::null_mut());
            if !entry.is_null() {
                drop_entry(entry);
            }
        }
    }
}

impl<I, const N: usize> std::fmt::Debug for Family<I, N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Family")
            .field("names", &self.names)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}
