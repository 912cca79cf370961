//! The smallest segment that there is, and the first to try a new reader on.

use shmetrics::Kind;
use shmetrics::layout::geometry::Capacities;

use super::{Golden, image};
use crate::fact::Fact;
use crate::image::{Family, Owner, Parameters, SHARED};

pub(super) fn all() -> Vec<Golden> {
    let mut image = image(Capacities {
        process_slots: 1,
        lanes: 1,
        series: 1,
        text_length: 1024,
        counters: 1,
        gauges: 1,
        blocks_length: 4096,
        errors: 0,
        reset_tables: 0,
        budget: 1 << 20,
        epoch_length_ns: 10_000_000_000,
    });
    let web = image.claim(0, &Owner::new("web"));
    image.registrant(web);
    let hits = image.single(&Family::new("hits", Kind::CounterU64), &Parameters::plain());
    image.take(1, web);
    image.count(&hits, 1, 3);
    image.count(&hits, SHARED, 2);
    vec![Golden::read(
        "valid/smallest",
        &["A counter with 3 in lane 1 and 2 in the shared lane, every capacity at its minimum."],
        image,
        vec![Fact::whole("hits", 5)],
    )]
}
