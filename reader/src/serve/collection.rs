//! What all segments say at one time. Whoever asks shortly after another gets the same: reading many segments for every one of a
//! hundred impatient scrapers would keep the processor busy for no new number.

use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::clock;
use super::events::Wanted;
use super::exposition::{Choice, Exposition};
use super::families::Family;
use super::health::{Health, Watch};
use super::memory::Memory;
use super::processes::Processes;
use super::segments::{Attached, Segments};
use super::stats::{Body, Stats};
use super::telemetry::{self, Server};
use crate::format::json;

/// What was read is told for so long: shorter than anybody scrapes on purpose, longer than a burst takes.
const FRESH: Duration = Duration::from_millis(10);

/// An answer that is the same for all who ask for it while what was read is fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// Metrics in a format, or JSON of some sort by its path.
    pub(super) content: Content,
    pub(super) is_compressed: bool,
}

/// Which content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Metrics(Choice),
    Json,
    Stats,
}

/// All segments as last read.
#[derive(Debug)]
pub(super) struct Collection {
    pub(super) segments: Segments,
    processes: Processes,
    watch: Watch,
    exposition: Exposition,
    families: Vec<Family>,
    pub(super) health: Health,
    read_at: Option<Instant>,
    /// Seconds since 1970.
    timestamp: f64,
    answers: Vec<(Key, Bytes)>,
    pub(super) memory: Memory,
    series_left_out: u64,
    /// One segment for good: it needs no name.
    is_one_segment: bool,
}

/// No such segment, or one that cannot be read.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Unavailable {
    pub(super) problem: &'static str,
    pub(super) message: String,
}

impl Collection {
    pub(super) fn new(
        segments: Segments,
        processes: Processes,
        exposition: Exposition,
        is_one_segment: bool,
    ) -> Self {
        Collection {
            segments,
            processes,
            watch: Watch::default(),
            exposition,
            families: Vec::new(),
            health: Health::default(),
            read_at: None,
            timestamp: 0.0,
            answers: Vec::new(),
            memory: Memory::default(),
            series_left_out: 0,
            is_one_segment,
        }
    }

    /// Reads everything, unless that was done a moment ago.
    pub(super) fn refresh(&mut self, server: Server) {
        let begun = Instant::now();
        if self
            .read_at
            .is_some_and(|read_at| begun.saturating_duration_since(read_at) < FRESH)
        {
            return;
        }
        self.answers.clear();
        self.segments.read();
        let processes = self.processes.families(&self.segments);
        let now = Instant::now();
        self.timestamp = clock::now_ns() as f64 / 1e9;
        let server = Server {
            reading: now - begun,
            series_left_out: self.series_left_out,
            ..server
        };
        self.families = telemetry::families(&self.segments, &server);
        self.families.extend(processes);
        self.health = self.watch.judge(&self.segments, now);
        self.read_at = Some(now);
    }

    /// The answer, if it was made since what it tells was read.
    pub(super) fn kept(&self, key: Key) -> Option<Bytes> {
        self.answers
            .iter()
            .find(|(have, _)| *have == key)
            .map(|(_, answer)| answer.clone())
    }

    /// Keeps an answer until the next reading.
    pub(super) fn keep(&mut self, key: Key, answer: &Bytes) {
        // As many as there are keys, which are few.
        self.answers.push((key, answer.clone()));
    }

    /// `names`: only these families, unless it is empty.
    pub(super) fn metrics(&mut self, choice: Choice, names: &[&str]) -> Vec<u8> {
        let mut out = Vec::new();
        let left_out = self
            .exposition
            .write(&self.segments, &self.families, choice, names, &mut out);
        if names.is_empty() {
            self.series_left_out = left_out;
        }
        out
    }

    /// The segment of this name; without one the only one.
    fn one(&self, name: Option<&str>) -> Result<&Attached, Unavailable> {
        let found = self
            .segments
            .iter()
            .find(|segment| name.is_none_or(|name| segment.name == name));
        let place = self
            .segments
            .problems
            .iter()
            .find(|(place, _)| name.is_none_or(|name| place == name));
        match (found, place) {
            (Some(segment), _) => Ok(segment),
            (None, Some((_, problem))) => Err(Unavailable {
                problem: problem.word,
                message: problem.message.clone(),
            }),
            (None, None) => Err(Unavailable {
                problem: "unknown",
                message: format!(
                    "there is no segment {:?}; / lists those there are",
                    name.unwrap_or_default()
                ),
            }),
        }
    }

    /// Shall all segments be told, each by its name?
    fn is_by_name(&self, name: Option<&str>) -> bool {
        name.is_none() && !self.is_one_segment
    }

    /// A snapshot, or of several segments an object by name.
    pub(super) fn json(&self, name: Option<&str>) -> Result<Vec<u8>, Unavailable> {
        if self.is_by_name(name) {
            return written(&ByName(&self.segments));
        }
        match self.one(name)?.told() {
            Told::Snapshot(snapshot) => written(snapshot),
            Told::Not(unavailable) => Err(unavailable),
        }
    }

    /// Events of one segment.
    pub(super) fn events(&mut self, name: Option<&str>, wanted: Wanted) -> Result<Vec<u8>, Unavailable> {
        if self.is_by_name(name) && self.segments.iter().count() != 1 {
            return Err(Unavailable {
                problem: "unknown",
                message: "there are several segments, or none: say which with ?segment=NAME; / lists them"
                    .to_owned(),
            });
        }
        let known = self.one(name)?.name.clone();
        match self.segments.events(&known, wanted) {
            Some(Ok(text)) => Ok(text),
            Some(Err(problem)) => Err(Unavailable {
                problem: problem.word,
                message: problem.message,
            }),
            None => match self.one(Some(&known))?.told() {
                Told::Not(unavailable) => Err(unavailable),
                Told::Snapshot(_) => Err(Unavailable {
                    problem: "unknown",
                    message: "it was not read yet".to_owned(),
                }),
            },
        }
    }

    /// Names and values.
    pub(super) fn stats(&self, name: Option<&str>) -> Result<Vec<u8>, Unavailable> {
        let mut stats = Stats::default();
        if self.is_by_name(name) {
            for segment in self.segments.iter() {
                if let Some(snapshot) = segment.snapshot() {
                    stats.put(snapshot, Some(&segment.name));
                }
            }
        } else {
            match self.one(name)?.told() {
                Told::Snapshot(snapshot) => stats.put(snapshot, None),
                Told::Not(unavailable) => return Err(unavailable),
            }
        }
        written(&Body {
            stats,
            timestamp: self.timestamp,
        })
    }
}

/// What a segment has to say.
enum Told<'a> {
    Snapshot(&'a shmetrics::Snapshot),
    Not(Unavailable),
}

impl Attached {
    fn told(&self) -> Told<'_> {
        match (self.snapshot(), &self.problem) {
            (Some(snapshot), _) => Told::Snapshot(snapshot),
            (None, Some(problem)) => Told::Not(Unavailable {
                problem: problem.word,
                message: problem.message.clone(),
            }),
            (None, None) => Told::Not(Unavailable {
                problem: "unknown",
                message: "it was not read yet".to_owned(),
            }),
        }
    }
}

impl Serialize for Told<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Told::Snapshot(snapshot) => snapshot.serialize(serializer),
            Told::Not(unavailable) => unavailable.serialize(serializer),
        }
    }
}

/// All segments: `{"segments": {name: snapshot}}`, with what is wrong in the place of one that cannot be read.
struct ByName<'a>(&'a Segments);

impl Serialize for ByName<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Each<'a>(&'a Segments);
        impl Serialize for Each<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map(self.0.iter().map(|segment| (&segment.name, segment.told())))
            }
        }
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("segments", &Each(self.0))?;
        map.end()
    }
}

fn written(value: &impl Serialize) -> Result<Vec<u8>, Unavailable> {
    json::line(value)
        .map(String::into_bytes)
        .map_err(|_| Unavailable {
            problem: "failed",
            message: "the snapshot cannot be written as JSON; please report this".to_owned(),
        })
}
