//! Gauges that are set.

use crate::measure::{Alone, Contestant, OPERATIONS, alone, contestant};
use crate::peers::{
    client, fastmetrics, measured, metrics, metriken, opentelemetry, prometheus, python, raw, shm,
};
use crate::report::Table;
use crate::run::Run;

pub fn measure(run: &mut Run) {
    let segment = shm::segment(&run.scratch.file("gauge"));
    let contestants: Vec<Contestant<Alone<'_>>> = vec![
        contestant("raw store, the limit", raw::set()),
        contestant("shmetrics", shm::set(&segment)),
        contestant("prometheus `IntGauge`", prometheus::set()),
        contestant("prometheus-client", client::set()),
        contestant("metriken", metriken::set()),
        contestant("measured", measured::set()),
        contestant("fastmetrics", fastmetrics::set()),
        contestant("opentelemetry, bound", opentelemetry::set()),
        contestant("metrics, handle", metrics::set()),
    ];
    let mut all = alone(run.settings, OPERATIONS as u64, &contestants);
    python::add(run, "set", &mut all);
    let note = "64 handles in turn, one thread.";
    run.report.table(Table::of("Set a gauge", note, &all, 1));
    shm::remove(&segment);
}
