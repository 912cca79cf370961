//! What a snapshot says of an instance.

use super::gathered::{Found, Gathered, label};
use super::{DEFAULT_PREFIX, Figures, INSTANCE};
use crate::snapshot::{Series, Snapshot};

/// The instances in a snapshot. All that one view tells is of one moment.
#[derive(Clone, Copy, Debug)]
pub struct View<'s> {
    snapshot: &'s Snapshot,
    prefix: &'s str,
}

impl<'s> View<'s> {
    /// Of the families with the prefix `requests`.
    pub fn new(snapshot: &'s Snapshot) -> View<'s> {
        View::with_prefix(snapshot, DEFAULT_PREFIX)
    }

    /// Of those with this prefix.
    pub fn with_prefix(snapshot: &'s Snapshot, prefix: &'s str) -> View<'s> {
        View { snapshot, prefix }
    }

    /// The instances there are, by name.
    pub fn instances(&self) -> Vec<&'s str> {
        super::persist::instances(self.snapshot, self.prefix)
    }

    /// The statistics of an instance; `None` if there is none of that name. Who is alive is as the reader knows it: give it
    /// [`refresh_owners`](crate::Reader::refresh_owners) before.
    pub fn figures(&self, instance: &str) -> Option<Figures> {
        self.found(instance).map(Found::figures)
    }

    pub(super) fn found(&self, instance: &str) -> Option<Found> {
        let mut gathered = Gathered::default();
        let mut is_there = false;
        for (name, series) in self.series() {
            if label(series, INSTANCE) == Some(instance) {
                is_there = true;
                gathered.take(name, series);
            }
        }
        is_there.then(|| gathered.found(instance, self.snapshot))
    }

    /// The series with the prefix, and what is behind it in their names.
    fn series(&self) -> impl Iterator<Item = (&'s str, &'s Series)> {
        let prefix = self.prefix;
        self.snapshot.series.iter().filter_map(move |series| {
            let rest = series.description.name.strip_prefix(prefix)?;
            Some((rest.strip_prefix('_')?, series))
        })
    }
}
