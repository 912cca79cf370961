//! Kinds, merge rules and ready states: the small closed vocabularies of a record, as numbers.
//!
//! Kinds are an open enumeration: the table in SPEC.md section 8 assigns them, a reader skips a kind it does not know and says so.

/// What a family measures, which also says where its cells live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
#[repr(u8)]
pub enum Kind {
    /// A sum of whole numbers that only grows. One counter word per lane.
    CounterU64 = 1,
    /// A sum of floating-point numbers that only grows. One counter word per lane.
    CounterF64 = 2,
    /// A whole number that goes up and down, one per process. One gauge cell per process slot.
    GaugeI64 = 3,
    /// A floating-point number that goes up and down, one per process. One gauge cell per process slot.
    GaugeF64 = 4,
    /// A distribution of whole numbers of a base unit in exponential buckets. One block per lane.
    HistogramInteger = 5,
    /// A distribution of floating-point numbers in exponential buckets. One block per lane.
    HistogramFloat = 6,
    /// A distribution of floating-point numbers in buckets with given bounds. One block per lane.
    HistogramClassic = 7,
    /// A sum of signed numbers, whole as long as only whole ones were added. Two counter words per lane.
    Number = 8,
    /// When something happened first or last, by the wall clock. One gauge cell per process slot.
    TimeMark = 9,
    /// A status, and how often in a row it was set. One gauge cell per process slot.
    State = 10,
    /// The last values that were recorded. One block per lane.
    Samples = 11,
    /// Events with a time and named fields, the last ones of each writer. One block per lane.
    Events = 12,
    /// A text that is replaced as a whole. One block in the shared lane.
    Text = 13,
    /// Fields that are counted together, of which readers see all of an update or nothing. One block per lane.
    Group = 14,
    /// What is being worked on, since when, for the how-manieth time and by whom. One block in the shared lane.
    InFlight = 15,
}

/// Counter words of a [`Kind::Number`] in each lane: the whole part, then the float part.
pub const NUMBER_UNITS: u64 = 2;

/// The lowest code of the kinds for statistics. Those below were there from the first version of the format on.
const FIRST_OF_STATISTICS: u8 = 8;

/// Where the cells of a kind live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Space {
    /// The counter words of each lane.
    Counters,
    /// The gauge cells of each process slot.
    Gauges,
    /// The blocks of each lane.
    Blocks,
}

impl Kind {
    /// Every kind this version knows.
    pub const ALL: [Kind; 15] = [
        Kind::CounterU64,
        Kind::CounterF64,
        Kind::GaugeI64,
        Kind::GaugeF64,
        Kind::HistogramInteger,
        Kind::HistogramFloat,
        Kind::HistogramClassic,
        Kind::Number,
        Kind::TimeMark,
        Kind::State,
        Kind::Samples,
        Kind::Events,
        Kind::Text,
        Kind::Group,
        Kind::InFlight,
    ];

    /// The kind with this number; `None` for one this version does not know.
    pub fn from_code(code: u8) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| *kind as u8 == code)
    }

    /// The name in JSON and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::CounterU64 => "counter_u64",
            Kind::CounterF64 => "counter_f64",
            Kind::GaugeI64 => "gauge_i64",
            Kind::GaugeF64 => "gauge_f64",
            Kind::HistogramInteger => "histogram_integer",
            Kind::HistogramFloat => "histogram_float",
            Kind::HistogramClassic => "histogram_classic",
            Kind::Number => "number",
            Kind::TimeMark => "time_mark",
            Kind::State => "state",
            Kind::Samples => "samples",
            Kind::Events => "events",
            Kind::Text => "text",
            Kind::Group => "group",
            Kind::InFlight => "in_flight",
        }
    }

    /// Where the cells of this kind live.
    pub const fn space(self) -> Space {
        match self {
            Kind::CounterU64 | Kind::CounterF64 | Kind::Number => Space::Counters,
            Kind::GaugeI64 | Kind::GaugeF64 | Kind::TimeMark | Kind::State => Space::Gauges,
            Kind::HistogramInteger | Kind::HistogramFloat | Kind::HistogramClassic => Space::Blocks,
            Kind::Samples | Kind::Events | Kind::Text | Kind::InFlight => Space::Blocks,
            Kind::Group => Space::Blocks,
        }
    }

    /// Is it one of the kinds for statistics, which a segment has only with
    /// [`STATISTICS_FEATURE`](super::header::STATISTICS_FEATURE)?
    pub const fn needs_statistics(self) -> bool {
        self as u8 >= FIRST_OF_STATISTICS
    }

    /// Can a family of this kind have this merge rule? What is fixed by the kind, or does not matter for it, has one only.
    pub const fn may_merge(self, rule: Merge) -> bool {
        match self {
            Kind::TimeMark => matches!(rule, Merge::Min | Merge::Max),
            Kind::State => matches!(rule, Merge::Each),
            _ => true,
        }
    }

    /// Units of its space that a cell of this kind takes; of kinds with blocks it is the length of the block instead.
    pub const fn units(self) -> u64 {
        match self {
            Kind::Number => NUMBER_UNITS,
            _ => 1,
        }
    }

    /// Is its block in the shared lane only?
    pub const fn is_shared_only(self) -> bool {
        matches!(self, Kind::Text | Kind::InFlight)
    }

    /// Has it a block in the reset tables, of what all lanes had together: a histogram, or a group.
    pub const fn has_reset_block(self) -> bool {
        self.is_histogram() || matches!(self, Kind::Group)
    }

    /// Is it one of the histogram kinds?
    pub const fn is_histogram(self) -> bool {
        matches!(
            self,
            Kind::HistogramInteger | Kind::HistogramFloat | Kind::HistogramClassic
        )
    }
}

/// How the gauges of several processes become one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
#[repr(u8)]
pub enum Merge {
    /// The sum over live processes.
    #[default]
    Sum = 1,
    /// The least value; kept after its process died.
    Min = 2,
    /// The greatest value; kept after its process died.
    Max = 3,
    /// The mean over live processes that have set it.
    Mean = 4,
    /// The value set last, by whichever process; kept after its process died.
    Last = 5,
    /// One value per live process, told apart by role or slot.
    Each = 6,
}

impl Merge {
    /// Every rule this version knows.
    pub const ALL: [Merge; 6] = [
        Merge::Sum,
        Merge::Min,
        Merge::Max,
        Merge::Mean,
        Merge::Last,
        Merge::Each,
    ];

    /// The rule with this number; `None` for one this version does not know.
    pub fn from_code(code: u8) -> Option<Merge> {
        Merge::ALL.into_iter().find(|rule| *rule as u8 == code)
    }

    /// The name in JSON and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Merge::Sum => "sum",
            Merge::Min => "min",
            Merge::Max => "max",
            Merge::Mean => "mean",
            Merge::Last => "last",
            Merge::Each => "each",
        }
    }

    /// Does the value of a dead process still count? It stays with its slot and the slot's next owner inherits it.
    pub const fn outlives_process(self) -> bool {
        matches!(self, Merge::Min | Merge::Max | Merge::Last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_round_trip_and_unknown_ones_are_told() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_code(kind as u8), Some(kind));
        }
        assert_eq!(Kind::from_code(0), None);
        assert_eq!(Kind::from_code(255), None);
        for rule in Merge::ALL {
            assert_eq!(Merge::from_code(rule as u8), Some(rule));
        }
        assert_eq!(Merge::from_code(7), None);
    }
}
