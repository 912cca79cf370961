//! The formats that monitoring systems scrape. They are written by `shmetrics-exposition`; here is what of them the server uses.

use shmetrics_exposition as formats;
use shmetrics_exposition::{Bounds, Extra, ExtraKind, Filter, Options, SegmentLabel, Source};

use super::families::{Family, Kind};
use super::segments::Segments;
use crate::exit::Failure;

pub(super) use formats::{Choice, figures, negotiate};

/// Writes what all segments say, and our own metrics.
#[derive(Debug)]
pub(super) struct Exposition {
    encoder: formats::Encoder,
}

impl Exposition {
    pub(super) fn new(options: Options) -> Exposition {
        Exposition {
            encoder: formats::Encoder::new(options),
        }
    }

    /// Appends it to `out`. `names`: only these families, unless it is empty. Returns how many series could not be told from others.
    pub(super) fn write(
        &mut self,
        segments: &Segments,
        families: &[Family],
        choice: Choice,
        names: &[&str],
        out: &mut Vec<u8>,
    ) -> u64 {
        let readable = segments
            .iter()
            .filter_map(|segment| Some((&segment.name, segment.snapshot()?)));
        let sources: Vec<Source<'_>> = readable
            .map(|(name, snapshot)| Source { name, snapshot })
            .collect();
        // Labels and samples that the encoder borrows.
        let labels: Vec<Vec<Vec<(&str, &str)>>> = families
            .iter()
            .map(|family| {
                family
                    .samples
                    .iter()
                    .map(|sample| {
                        sample
                            .labels
                            .iter()
                            .map(|(name, value)| (*name, value.as_str()))
                            .collect()
                    })
                    .collect()
            })
            .collect();
        let samples: Vec<Vec<formats::Sample<'_>>> = families
            .iter()
            .zip(&labels)
            .map(|(family, labels)| {
                let samples = family.samples.iter().zip(labels);
                samples
                    .map(|(sample, labels)| formats::Sample {
                        labels,
                        value: sample.value,
                        created_ns: sample.created_ns,
                    })
                    .collect()
            })
            .collect();
        let extra: Vec<Extra<'_>> = families
            .iter()
            .zip(&samples)
            .filter(|(_, samples)| !samples.is_empty())
            .map(|(family, samples)| Extra {
                name: family.name,
                help: family.help,
                kind: match family.kind {
                    Kind::Counter => ExtraKind::Counter,
                    Kind::Gauge => ExtraKind::Gauge,
                },
                samples,
            })
            .collect();
        self.encoder
            .encode(&sources, &extra, choice, Filter::names(names), out)
            .series
    }
}

/// The options of the command line.
pub(super) fn options(bounds: &str, is_native_only: bool, is_one_segment: bool) -> Result<Options, Failure> {
    let bounds: Bounds = bounds
        .parse()
        .map_err(|error| Failure::Input(format!("--histogram.bounds {bounds:?}: {error}")))?;
    let mut options = Options::default();
    options.bounds = bounds;
    options.classic_histograms = !is_native_only;
    // By configuration and not by what is there: series must not get another label when a second segment appears.
    options.segment_label = if is_one_segment {
        SegmentLabel::WhenSeveral
    } else {
        SegmentLabel::Always
    };
    Ok(options)
}
