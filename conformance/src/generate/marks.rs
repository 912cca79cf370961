//! Time marks and states, in some segments. Their draws are a stream of their own, so that the others stay what they were.

use shmetrics::layout::kind::{Kind, Merge};

use super::random::Random;
use super::series::Declared;
use crate::image::{Family, Image, Parameters};

/// The statuses of the states, each with the streak from which on it is unhealthy.
pub(super) const STATUSES: [(&str, i32); 3] = [("OK", -1), ("LATE", 5), ("FATAL", 1)];

/// Declares up to three.
pub(super) fn declare(random: &mut Random, image: &mut Image) -> Vec<Declared> {
    let kinds = [
        (Kind::TimeMark, Merge::Min),
        (Kind::TimeMark, Merge::Max),
        (Kind::State, Merge::Each),
    ];
    let mut all = Vec::new();
    for (kind, merge) in kinds {
        if random.one_in(2) {
            continue;
        }
        let name = format!("{}_{}", kind.name(), merge.name());
        let parameters = match kind {
            Kind::State => Parameters::statuses(&STATUSES),
            _ => Parameters::plain(),
        };
        all.push(Declared {
            series: image.single(&Family::new(&name, kind).merge(merge), &parameters),
            name,
            labels: Vec::new(),
            merge,
        });
    }
    all
}
