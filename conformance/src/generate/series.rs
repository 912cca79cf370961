//! Families and series, revisions of them, and registrations that were not finished.

use shmetrics::layout::directory::OwnerTag;
use shmetrics::layout::kind::{Kind, Merge};

use super::random::Random;
use super::unfinished;
use crate::fact::Fact;
use crate::image::{Family, Image, Parameters, Registration, Series};

/// A series, and how to name it.
#[derive(Clone, Debug)]
pub(super) struct Declared {
    pub(super) name: String,
    /// Its labels; revisions of one series have the same.
    pub(super) labels: Vec<(&'static str, &'static str)>,
    pub(super) merge: Merge,
    pub(super) series: Series,
}

/// Those of the first version: later ones are drawn apart, so that what a seed makes of these stays as it is.
const FIRST_KINDS: [Kind; 7] = [
    Kind::CounterU64,
    Kind::CounterF64,
    Kind::GaugeI64,
    Kind::GaugeF64,
    Kind::HistogramInteger,
    Kind::HistogramFloat,
    Kind::HistogramClassic,
];

const LABELS: [&[(&str, &str)]; 4] = [
    &[],
    &[("method", "GET")],
    &[("method", "PUT"), ("code", "200")],
    &[("\u{e4}", "\"\n\\"), ("z", "")],
];

/// Declares some families with some series each.
pub(super) fn declare(
    random: &mut Random,
    image: &mut Image,
    tags: &[OwnerTag],
    facts: &mut Vec<Fact>,
) -> Vec<Declared> {
    let mut all = Vec::new();
    for number in 0..3 + random.below(9) {
        image.registrant(random.pick(tags));
        let (kind, merge) = (random.pick(&FIRST_KINDS), random.pick(&Merge::ALL));
        let is_gauge = matches!(kind, Kind::GaugeI64 | Kind::GaugeF64);
        let merge = if is_gauge { merge } else { Merge::Sum };
        let name = format!("{}_{number}", kind.name());
        let help = "help ".repeat(random.below(4) as usize);
        let declared = Family::new(&name, kind)
            .merge(merge)
            .help(&help)
            .unit(random.pick(&["", "seconds"]));
        if random.one_in(6) {
            image.family_until(&declared, unfinished(random).min(Registration::I4));
            facts.push(Fact::absent(&name));
            continue;
        }
        let family = image.family(&declared);
        for labels in LABELS.into_iter().take(1 + random.below(4) as usize) {
            let parameters = parameters(random, kind);
            if random.one_in(6) {
                image.series_until(family, labels, &parameters, unfinished(random));
                facts.push(Fact::absent(&name).of(labels));
                continue;
            }
            let mut add = |image: &mut Image, parameters: &Parameters| {
                all.push(Declared {
                    name: name.clone(),
                    labels: labels.to_vec(),
                    merge,
                    series: image.series(family, labels, parameters),
                });
            };
            add(image, &parameters);
            let may_be_revised = matches!(kind, Kind::HistogramInteger | Kind::HistogramFloat);
            if may_be_revised && random.one_in(4) {
                add(
                    image,
                    &self::parameters(random, kind).created_ns(random.word() >> 8),
                );
            }
        }
    }
    all
}

fn parameters(random: &mut Random, kind: Kind) -> Parameters {
    if !kind.is_histogram() {
        return Parameters::plain();
    }
    let ring = random.below(5) as u8;
    if kind == Kind::HistogramClassic {
        let bounds = [-2.5, 0.0, 1.0, 7.75, 100.0];
        return Parameters::classic(&bounds[..1 + random.below(5) as usize]).ring(ring);
    }
    let low = random.below(8) as i16 - 4;
    let exponential =
        Parameters::exponential(random.below(3) as u8, low, low + 1 + random.below(6) as i16).ring(ring);
    // Powers of two, so that sums have no rounding.
    match kind {
        Kind::HistogramInteger => exponential.factor(random.pick(&[0.25, 1.0, 2.0])),
        _ => exponential,
    }
}
