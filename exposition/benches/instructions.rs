//! How many instructions an exposition takes, counted by valgrind: the same number on every run, where times are not.
//! `benches/encode.rs` has the times.
//!
//! Each benchmark may take what `benches/instructions.budget` says, and a tenth more. Run it by `ci/instructions.sh`, as that of the
//! library; `ci/instructions.sh --renew` writes the budgets anew. The encoder has told the same series twice before, with other numbers.

#[cfg(not(target_arch = "x86_64"))]
fn main() {
    println!("skipped: instruction budgets are those of x86_64");
}

#[cfg(target_arch = "x86_64")]
use benchmarks::all;

#[cfg(target_arch = "x86_64")]
gungraun::main!(library_benchmark_groups = all);

#[cfg(target_arch = "x86_64")]
#[path = "../../benches/budget/mod.rs"]
mod table;

#[cfg(target_arch = "x86_64")]
mod service;

#[cfg(target_arch = "x86_64")]
mod benchmarks {
    use std::hint::black_box;

    use gungraun::prelude::*;
    use shmetrics::Snapshot;
    use shmetrics_exposition::*;

    use crate::service::{changed, histograms, larger, other_digit, snapshot};

    /// Lines of `NAME INSTRUCTIONS`.
    const BUDGETS: &str = include_str!("instructions.budget");

    fn budget(name: &str) -> LibraryBenchmarkConfig {
        crate::table::budget(BUDGETS, name)
    }

    /// An encoder that knows the series, and what it shall tell of them.
    pub struct Ready {
        encoder: Encoder,
        choice: Choice,
        snapshot: Snapshot,
        out: Vec<u8>,
    }

    impl Ready {
        fn new(format: Format, before: &Snapshot, snapshot: Snapshot) -> Ready {
            let mut ready = Ready {
                encoder: Encoder::new(Options::default()),
                choice: Choice {
                    format,
                    ..Choice::default()
                },
                snapshot,
                out: Vec::new(),
            };
            // The one of now for the room that it needs.
            let now = ready.snapshot.clone();
            ready.encode(&now);
            ready.encode(before);
            ready
        }

        fn encode(&mut self, snapshot: &Snapshot) {
            self.out.clear();
            let sources = [Source {
                name: "app",
                snapshot,
            }];
            let sources = black_box(&sources);
            self.encoder
                .encode(sources, &[], self.choice, Filter::all(), &mut self.out);
        }
    }

    /// Counters, each of them changed so.
    fn counters(format: Format, change: fn(u64) -> u64) -> Ready {
        let before = snapshot(false);
        let now = changed(&before, change);
        Ready::new(format, &before, now)
    }

    fn unchanged(value: u64) -> u64 {
        value
    }

    /// They are told anew each time, whether or not they changed.
    fn of_histograms(format: Format) -> Ready {
        let now = histograms();
        Ready::new(format, &now.clone(), now)
    }

    #[inline(always)]
    fn encode(mut ready: Ready) -> Ready {
        let now = std::mem::take(&mut ready.snapshot);
        ready.encode(&now);
        ready.snapshot = now;
        ready
    }

    #[library_benchmark(config = budget("text"))]
    #[bench::run(counters(Format::Text004, other_digit))]
    fn text(ready: Ready) -> Ready {
        encode(ready)
    }

    #[library_benchmark(config = budget("text_of_other_lengths"))]
    #[bench::run(counters(Format::Text004, larger))]
    fn text_of_other_lengths(ready: Ready) -> Ready {
        encode(ready)
    }

    #[library_benchmark(config = budget("text_unchanged"))]
    #[bench::run(counters(Format::Text004, unchanged))]
    fn text_unchanged(ready: Ready) -> Ready {
        encode(ready)
    }

    #[library_benchmark(config = budget("openmetrics"))]
    #[bench::run(counters(Format::OpenMetrics100, other_digit))]
    fn openmetrics(ready: Ready) -> Ready {
        encode(ready)
    }

    #[library_benchmark(config = budget("protobuf"))]
    #[bench::run(counters(Format::Protobuf, other_digit))]
    fn protobuf(ready: Ready) -> Ready {
        encode(ready)
    }

    #[library_benchmark(config = budget("text_of_histograms"))]
    #[bench::run(of_histograms(Format::Text004))]
    fn text_of_histograms(ready: Ready) -> Ready {
        encode(ready)
    }

    #[library_benchmark(config = budget("protobuf_of_histograms"))]
    #[bench::run(of_histograms(Format::Protobuf))]
    fn protobuf_of_histograms(ready: Ready) -> Ready {
        encode(ready)
    }

    library_benchmark_group!(
        name = all,
        benchmarks = [
            text,
            text_of_other_lengths,
            text_unchanged,
            openmetrics,
            protobuf,
            text_of_histograms,
            protobuf_of_histograms,
        ]
    );
}
