//! Groups: fields that are counted together, over all lanes, as they are after whole updates.

use std::sync::Arc;

use super::baseline::Baselines;
use super::catalog;
use super::lanes::{Memory, Source, Total};
use super::{Quality, quality_of};

/// The fields of a group, over all processes: each lane as it is after some number of its updates, whole.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Group {
    /// The fields, in the order in which they were named.
    pub fields: Vec<GroupField>,
    /// How many updates they are the sum of.
    pub updates: u64,
    /// Exact, or so many updates may be there in part, or be missing: those that are being made in the shared lane, and one for each
    /// writer that died in one there.
    pub quality: Quality,
}

/// A field of a group.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct GroupField {
    /// Its name. Shared between snapshots.
    pub name: Arc<str>,
    /// What was added to it, modulo 2^64.
    pub value: u64,
}

impl Group {
    /// The value of the field of this name; `None` if there is none.
    pub fn get(&self, name: &str) -> Option<u64> {
        let field = self.fields.iter().find(|field| &*field.name == name);
        field.map(|field| field.value)
    }

    /// Was nothing ever added?
    pub(super) fn says_nothing(&self) -> bool {
        self.updates == 0
            && self.quality == Quality::Exact
            && self.fields.iter().all(|field| field.value == 0)
    }

    fn clear(&mut self) {
        self.fields.iter_mut().for_each(|field| field.value = 0);
        (self.updates, self.quality) = (0, Quality::Exact);
    }

    /// Adds what fields of these names have, and the number of updates.
    pub(super) fn add(&mut self, names: &[Arc<str>], values: &[u64], updates: u64) {
        for (name, value) in names.iter().zip(values) {
            if let Some(field) = self.fields.iter_mut().find(|field| field.name == *name) {
                field.value = field.value.wrapping_add(*value);
            }
        }
        self.updates = self.updates.wrapping_add(updates);
    }
}

/// All fields of a group at 0.
pub(super) fn empty(group: &catalog::Group) -> Group {
    let field = |name: &Arc<str>| GroupField {
        name: Arc::clone(name),
        value: 0,
    };
    Group {
        fields: group.fields.iter().map(field).collect(),
        ..Group::default()
    }
}

/// Reads all members of a group over all lanes. `memories` are indexed by ordinal.
pub(super) fn fill(
    value: &mut Group,
    group: &catalog::Group,
    memories: &mut [Memory],
    baselines: &Baselines,
    source: Source<'_>,
    total: &mut Total,
) {
    value.clear();
    let mut error = 0u64;
    for member in group.shown() {
        let (Some(memory), Some(shape)) = (memories.get_mut(member.ordinal), member.series.group()) else {
            continue;
        };
        memory.read_group(member, &shape, source, total);
        error = error.saturating_add(memory.error());
        if let Some(baseline) = baselines.block(member) {
            error = error.saturating_add(total.subtract_all(baseline, member));
        }
        if let [fields @ .., updates] = &total.state.buckets[..] {
            value.add(&member.fields, fields, *updates);
        }
    }
    value.quality = quality_of(error);
}

/// Begins anew, for what a process added to this group. Nothing is allocated if it was one of the same fields.
pub(super) fn begin(value: &mut Group, group: &catalog::Group) {
    if value.fields.iter().map(|field| &field.name).eq(&group.fields) {
        value.clear();
    } else {
        *value = empty(group);
    }
}
