//! The golden segments: what is in `tests/data`, made here, with what must come out, stated by hand.
//!
//! | file | folder | subject |
//! |---|---|---|
//! | `smallest` | `valid` | one counter, one process |
//! | `counters`, `gauges`, `histograms`, `rings`, `numbers`, `samples`, `group` | `valid`, `damaged` | contents, by kind |
//! | `deaths` | `valid` | processes that died in the middle |
//! | `errors` | `valid`, `damaged` | the error log |
//! | `marks` | `valid`, `damaged` | time marks, states |
//! | `resets` | `valid`, `damaged` | resets |
//! | `processes` | `valid` | what each process counted; descriptions |
//! | `revisions`, `text` | `valid` | changed buckets; hostile and long texts |
//! | `versions` | `valid` | what later versions may make |
//! | `limits` | `damaged` | numbers that must be cut |
//! | `invalid` | `invalid` | headers that are refused |
//! | `damaged` | `damaged` | records that are skipped |

mod counters;
mod damaged;
mod deaths;
mod errors;
mod events;
mod gauges;
mod group;
mod histograms;
mod in_flight;
mod invalid;
mod limits;
mod marks;
mod numbers;
mod processes;
mod resets;
mod revisions;
mod rings;
mod samples;
mod smallest;
mod text;
mod texts;
mod versions;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use shmetrics::OpenError;
use shmetrics::layout::geometry::Capacities;

use crate::expected::{CLOCKS, View, json, look};
use crate::fact::Fact;
use crate::hex::Dump;
use crate::image::Image;

/// A golden segment.
#[derive(Clone, Debug)]
pub struct Golden {
    /// Folder and name: `valid/smallest`.
    pub name: &'static str,
    /// What it shows, a line each.
    pub about: &'static [&'static str],
    /// The segment.
    pub image: Image,
    /// What a reader makes of it.
    pub outcome: Outcome,
}

/// What a reader makes of a segment.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It refuses it: rule and name of the error (SPEC.md 12.1).
    Refused(&'static str, &'static str),
    /// It reads it.
    Read {
        /// What holds in each view; a view that is not here has no file.
        views: Vec<(View, Vec<Fact>)>,
        /// Records that are skipped, each with its rule and name (SPEC.md 12.2), in the order in which they are reported.
        skipped: Vec<(u64, &'static str, &'static str)>,
    },
}

impl Golden {
    /// A segment that is read. These facts hold when no lock byte is held.
    pub fn read(
        name: &'static str,
        about: &'static [&'static str],
        image: Image,
        facts: Vec<Fact>,
    ) -> Golden {
        Golden {
            name,
            about,
            image,
            outcome: Outcome::Read {
                views: vec![(View::Free, facts)],
                skipped: Vec::new(),
            },
        }
    }

    /// A segment that is refused.
    pub fn refused(
        name: &'static str,
        about: &'static [&'static str],
        image: Image,
        rule: &'static str,
        error: &'static str,
    ) -> Golden {
        Golden {
            name,
            about,
            image,
            outcome: Outcome::Refused(rule, error),
        }
    }

    /// A further fact of the first view.
    pub fn states(mut self, fact: Fact) -> Golden {
        if let Outcome::Read { views, .. } = &mut self.outcome
            && let Some((_, facts)) = views.first_mut()
        {
            facts.push(fact);
        }
        self
    }

    /// Another view, and what holds in it.
    pub fn view(mut self, view: View, facts: Vec<Fact>) -> Golden {
        if let Outcome::Read { views, .. } = &mut self.outcome {
            views.push((view, facts));
        }
        self
    }

    /// A record that is skipped.
    pub fn skips(mut self, record: u64, rule: &'static str, error: &'static str) -> Golden {
        if let Outcome::Read { skipped, .. } = &mut self.outcome {
            skipped.push((record, rule, error));
        }
        self
    }

    /// The segment as text.
    pub fn hex(&self) -> String {
        let mut about = vec![format!("{}: made by `shmetrics-conformance golden`", self.name)];
        about.extend(self.about.iter().map(|&line| line.to_owned()));
        let dump = Dump {
            about,
            length: self.image.length(),
            words: self.image.words().to_vec(),
        };
        dump.to_text()
    }

    /// The files of this segment by name, with their content: the text of the segment, and what the reader makes of it. The segment
    /// is written to `scratch` for that.
    pub fn files(&self, scratch: &Path) -> io::Result<BTreeMap<String, String>> {
        let mut files = BTreeMap::from([(format!("{}.hex", self.name), self.hex())]);
        self.image.write_to(scratch)?;
        match &self.outcome {
            Outcome::Refused(..) => {
                let error = refusal(scratch).unwrap_or_else(|| "it is read".to_owned());
                files.insert(format!("{}.error", self.name), error + "\n");
            }
            Outcome::Read { views, .. } => {
                for (view, _) in views {
                    let snapshot = look(scratch, *view, CLOCKS).map_err(io::Error::other)?;
                    files.insert(
                        format!("{}{}", self.name, view.ending()),
                        json(&snapshot, self.name),
                    );
                }
            }
        }
        std::fs::remove_file(scratch)?;
        Ok(files)
    }
}

/// Rule and name of the error with which a reader refuses the file; `None` if it does not refuse its layout.
pub fn refusal(path: &Path) -> Option<String> {
    match shmetrics::Reader::open_path(path) {
        Err(OpenError::Layout { source, .. }) => {
            Some(rule_and_name(&source.to_string(), &format!("{source:?}")))
        }
        _ => None,
    }
}

/// `V-6 BadChecksum`, from what an error says and what it is called.
pub fn rule_and_name(message: &str, debug: &str) -> String {
    let rule = message.split(':').next().unwrap_or_default();
    let name = debug.split([' ', '{']).next().unwrap_or_default();
    format!("{rule} {name}")
}

/// The geometry of most golden segments: two slots, three lanes, eight series, blocks of 4 KiB.
pub fn small() -> Capacities {
    Capacities {
        process_slots: 2,
        lanes: 3,
        series: 8,
        text_length: 1024,
        counters: 8,
        gauges: 8,
        blocks_length: 4096,
        errors: 0,
        reset_tables: 0,
        budget: 1 << 20,
        epoch_length_ns: 10_000_000_000,
    }
}

/// An empty segment of these capacities, which must be within their limits.
fn image(capacities: Capacities) -> Image {
    Image::new(capacities).unwrap_or_else(|error| panic!("{error}"))
}

/// All golden segments but the frozen ones.
pub fn all() -> Vec<Golden> {
    let mut all = Vec::new();
    all.extend(smallest::all());
    all.extend(counters::all());
    all.extend(gauges::all());
    all.extend(histograms::all());
    all.extend(rings::all());
    all.extend(numbers::all());
    all.extend(samples::all());
    all.extend(group::all());
    all.extend(errors::all());
    all.extend(events::all());
    all.extend(in_flight::all());
    all.extend(texts::all());
    all.extend(resets::all());
    all.extend(marks::all());
    all.extend(deaths::all());
    all.extend(processes::all());
    all.extend(revisions::all());
    all.extend(text::all());
    all.extend(versions::all());
    all.extend(limits::all());
    all.extend(invalid::all());
    all.extend(damaged::all());
    all
}
