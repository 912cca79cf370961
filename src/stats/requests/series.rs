//! What a session registers, or finds.

use super::builder::Settings;
use super::recording::decimal;
use super::{ErrorStage, names, run};
use crate::error::RegisterError;
use crate::instrument::{Counter, Family, Gauge, Histogram, InFlight, Number};
use crate::layout::kind::Merge;
use crate::segment::{Segment, Unit};

/// Retries whose counters are at hand: more is rare, and a look-up.
const AT_HAND: usize = 4;
/// Label sets of ends and of codes, over all instances: there are at most 255 and 1,000 in each.
pub(super) const LIMIT: u64 = 1024;

/// How a request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Finished,
    Failed,
}

impl Outcome {
    pub(super) fn name(self) -> &'static str {
        match self {
            Outcome::Finished => "finished",
            Outcome::Failed => "failed",
        }
    }

    pub(super) fn family(self) -> &'static str {
        match self {
            Outcome::Finished => names::FINISHED,
            Outcome::Failed => names::FAILED,
        }
    }
}

/// The ends of one outcome.
#[derive(Debug)]
pub(super) struct Ends {
    by_retries: Family<Counter, 1>,
    at_hand: [Counter; AT_HAND],
    durations: Histogram,
}

impl Ends {
    #[cold]
    fn beyond_hand(&self, retries: u64) -> &Counter {
        let mut digits = [0; 5];
        let retries = decimal(retries.min(255) as u16, &mut digits);
        self.by_retries.with([retries])
    }

    /// Counts one that was retried so often.
    #[inline]
    pub(super) fn count(&self, retries: u64, duration_ns: Option<u64>) {
        match self.at_hand.get(retries as usize) {
            Some(counter) => counter.inc(),
            None => self.beyond_hand(retries).inc(),
        }
        if let Some(duration_ns) = duration_ns {
            self.durations.record(duration_ns);
        }
    }
}

/// All of it.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) in_flight: InFlight,
    pub(super) started: Number,
    pub(super) retried: Number,
    ends: [Ends; 2],
    pub(super) codes: Family<Counter, 1>,
    errors: [Family<Counter, 3>; 2],
    pub(super) extra: Vec<(String, Number)>,
    pub(super) run: run::Series,
    pub(super) sessions: Gauge,
}

impl Series {
    pub(super) fn register(segment: &Segment, settings: &Settings) -> Result<Series, RegisterError> {
        let instance = [(super::INSTANCE, &*settings.instance)];
        let number = |name: &str, help: &str| {
            let name = settings.name(name);
            segment.number(&name).help(help).labels(instance).register()
        };
        let ends = |outcome: Outcome| -> Result<Ends, RegisterError> {
            let by_retries = segment
                .counter(&settings.name(outcome.family()))
                .help("Requests that ended so, by how often they were retried")
                .labels(instance)
                .limit(LIMIT)
                .family(["retries"])?;
            let durations = segment
                .histogram(&settings.name(names::DURATIONS))
                .help("The last attempts of requests")
                .unit(Unit::Seconds)
                .ring_slots(0)
                .labels(instance)
                .label("outcome", outcome.name())
                .register()?;
            let at_hand = std::array::from_fn(|retries| by_retries.with([&retries.to_string()]).clone());
            Ok(Ends {
                by_retries,
                at_hand,
                durations,
            })
        };
        // A family each, so that of those beyond the limit the stage is known, too.
        let errors = |stage: ErrorStage| {
            let name = settings.name(stage.family());
            let errors = segment.counter(&name).help("Errors, by group").labels(instance);
            let errors = errors.limit(settings.max_error_groups);
            errors.family(["location", "class", "message"])
        };
        let extra = |name: &String| {
            let number = segment
                .number(&settings.name(names::EXTRA))
                .help("What the user counts")
                .labels(instance)
                .label("name", name)
                .register()?;
            Ok((name.clone(), number))
        };
        Ok(Series {
            in_flight: segment
                .in_flight(&settings.name(names::IN_FLIGHT))
                .help("Requests that are worked on")
                .labels(instance)
                .capacity(settings.max_in_flight)
                .register()?,
            started: number(names::STARTED, "Requests that were started")?,
            retried: number(names::RETRIED, "Retries that were started")?,
            ends: [ends(Outcome::Finished)?, ends(Outcome::Failed)?],
            codes: segment
                .counter(&settings.name(names::CODES))
                .help("Answers by status code")
                .labels(instance)
                .limit(LIMIT)
                .family(["code"])?,
            errors: [errors(ErrorStage::Final)?, errors(ErrorStage::Retried)?],
            extra: settings
                .extra
                .iter()
                .map(extra)
                .collect::<Result<_, RegisterError>>()?,
            run: run::Series::register(segment, settings)?,
            // Each: the value says which run a live process is in.
            sessions: segment
                .gauge(&settings.name(names::SESSIONS))
                .help("Of each process that is entered: the number of the run")
                .labels(instance)
                .merge(Merge::Each)
                .register()?,
        })
    }

    pub(super) fn errors(&self, stage: ErrorStage) -> &Family<Counter, 3> {
        &self.errors[stage as usize]
    }

    #[inline]
    pub(super) fn ends(&self, outcome: Outcome) -> &Ends {
        &self.ends[outcome as usize]
    }
}
