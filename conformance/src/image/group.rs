//! Groups: SPEC.md 9.16, 10.25.

use shmetrics::layout::block::BUCKETS;
use shmetrics::layout::group::{GROUP_FIELDS, GroupShape};

use super::{Image, Parameters, Place, SHARED, Scheme, Series};

/// The last step of an update that was done (10.25).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Update {
    /// It began. In the shared lane J4.
    J1,
    /// The first field is stored. In the shared lane J5 of the first one.
    J2Partly,
    /// All fields are stored. In the shared lane J5 of all of them.
    J2,
    /// It landed. In the shared lane J6.
    J3,
}

fn shape_of(series: &Series) -> GroupShape {
    match &series.scheme {
        Scheme::Group(shape, _) => *shape,
        other => panic!("{other:?} is no group"),
    }
}

impl Parameters {
    /// Of a group of these fields; not validated, but their number.
    pub fn group(fields: &[&str]) -> Self {
        let shape = GroupShape::new(fields.len()).expect("a number of fields within its limits");
        let mut parameters = Self::plain();
        parameters.scheme = Scheme::Group(shape, fields.join("\n"));
        parameters
    }
}

impl Image {
    /// Adds to the fields of a group in a lane, or in the shared lane.
    pub fn update(&mut self, series: &Series, lane: u64, amounts: &[u64]) -> &mut Self {
        self.update_until(series, lane, amounts, Update::J3)
    }

    /// Adds to the fields and stops after a step.
    pub fn update_until(&mut self, series: &Series, lane: u64, amounts: &[u64], until: Update) -> &mut Self {
        let shape = shape_of(series);
        assert_eq!(amounts.len(), shape.fields());
        self.commit_block(series, lane);
        let start = self.block_offset(series, lane);
        let block = Place::Group(start);
        let word = |at: usize| start + 8 * at as u64;
        let landed = self.get(block, "group_landed");
        let (from, to) = match lane {
            SHARED => (GROUP_FIELDS, GROUP_FIELDS),
            _ => (shape.copy(landed), shape.copy(landed + 1)),
        };
        match lane {
            SHARED => self.add(block, "group_begun", 1),
            _ => {
                self.set(block, "group_begun", landed + 1);
                0
            }
        };
        let stored = match until {
            Update::J1 => 0,
            Update::J2Partly => 1,
            _ => amounts.len(),
        };
        for (field, amount) in amounts.iter().enumerate().take(stored) {
            let before = self.word(word(from + field));
            self.set_word(word(to + field), before.wrapping_add(*amount));
        }
        if until >= Update::J3 {
            self.set(block, "group_landed", landed + 1);
        }
        self
    }

    /// What a lane, or the shared lane, holds of a group: its fields and the number of its updates.
    fn held(&self, series: &Series, lane: u64) -> Vec<u64> {
        let shape = shape_of(series);
        let start = self.block_offset(series, lane);
        let landed = self.get(Place::Group(start), "group_landed");
        let from = if lane == SHARED {
            GROUP_FIELDS
        } else {
            shape.copy(landed)
        };
        let fields = (0..shape.fields()).map(|field| self.word(start + 8 * (from + field) as u64));
        fields.chain([landed]).collect()
    }

    /// A5, of one group.
    pub(super) fn store_group_baseline(&mut self, series: &Series, lane: u64) {
        let start = self.block_offset(series, lane);
        let held = self.held(series, lane);
        if let [fields @ .., landed] = &held[..] {
            for (field, value) in fields.iter().enumerate() {
                self.set_word(start + 8 * (GROUP_FIELDS + field) as u64, *value);
            }
            self.set(Place::Group(start), "group_baseline", *landed);
        }
    }

    /// Z3, of one group: fields and updates as buckets.
    pub(super) fn store_group(&mut self, series: &Series, lanes: Vec<u64>, table: u64) {
        let shape = shape_of(series);
        let mut counts = vec![0u64; shape.fields() + 1];
        for lane in lanes {
            if lane == SHARED || self.is_block_committed(series, lane) {
                let held = self.held(series, lane);
                counts
                    .iter_mut()
                    .zip(held)
                    .for_each(|(sum, held)| *sum = sum.wrapping_add(held));
            }
        }
        let start = self.reset_block_offset(series, table);
        let place = Place::ResetBlock(start);
        if self.word(self.reset_time_offset(series, table)) == 0 {
            self.commit(shape.baseline().shared_length());
        }
        let buckets = counts.len() as u64;
        let first = counts.iter().position(|count| *count > 0);
        let last = counts.iter().rposition(|count| *count > 0);
        let total = counts.iter().copied().fold(0, u64::wrapping_add);
        self.set(place, "reset_count", total)
            .set(
                place,
                "reset_lowest",
                first.map_or(0, |bucket| buckets - bucket as u64),
            )
            .set(place, "reset_highest", last.map_or(0, |bucket| bucket as u64 + 1));
        for (bucket, count) in counts.iter().enumerate() {
            self.set_word(start + 8 * (BUCKETS + bucket) as u64, *count);
        }
    }
}
