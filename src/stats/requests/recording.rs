//! Starts and ends of requests, status codes, errors: never fails, takes no lock, may be used by any thread.

use std::time::Duration;

use super::series::Outcome;
use super::{Requests, names};
use crate::instrument::{InFlight, InFlightToken, Number};

/// Bytes of an error's message that are kept.
const MESSAGE_LENGTH: usize = 200;
/// Bytes of its class and of its location.
const NAME_LENGTH: usize = 120;

/// A request that was started, to be given to [`finish`](Requests::finish), [`fail`](Requests::fail),
/// [`retry_later`](Requests::retry_later) or [`defer`](Requests::defer).
///
/// Dropping it ends nothing: the request stays in flight until it is started again, ended by its key, or its process ends.
#[derive(Debug)]
#[must_use = "the request stays in flight until its attempt is given back, or it is ended by its key"]
pub struct Attempt {
    token: InFlightToken,
}

impl Attempt {
    /// For the how-manieth time the request is tried, from 1; at most 255.
    pub fn runs(&self) -> u64 {
        self.token.runs()
    }

    /// When this attempt was started, nanoseconds of the monotonic clock.
    pub fn started_ns(&self) -> u64 {
        self.token.started_ns()
    }
}

/// Was it the end of its request?
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorStage {
    /// The request failed for good.
    Final,
    /// It will be tried again.
    Retried,
}

impl ErrorStage {
    pub(super) const fn family(self) -> &'static str {
        match self {
            ErrorStage::Final => names::ERRORS,
            ErrorStage::Retried => names::RETRY_ERRORS,
        }
    }
}

/// An error, as it is grouped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorReport<'e> {
    /// Its type: `TimeoutError`. Of longer ones the first 120 bytes.
    pub class: &'e str,
    /// Where it came from: `crawler.rs:42`. Of longer ones the first 120 bytes; empty if that is not known.
    pub location: &'e str,
    /// Its message, of which the first line is kept, at most 200 bytes. Messages are not likened to each other: leave out of them what
    /// differs from time to time, such as addresses and numbers, or each is a group of its own.
    pub message: &'e str,
}

impl<'e> ErrorReport<'e> {
    /// Of this class, with this message.
    pub fn new(class: &'e str, message: &'e str) -> ErrorReport<'e> {
        ErrorReport {
            class,
            location: "",
            message,
        }
    }

    /// That came from here.
    #[must_use]
    pub fn at(mut self, location: &'e str) -> ErrorReport<'e> {
        self.location = location;
        self
    }
}

impl Requests {
    /// Starts a request, or its next attempt: a key that was started before and has not ended, by whatever process, is retried. The
    /// stop-watch begins anew: the duration of a request is that of its last attempt. An earlier attempt that is still worked on ends nothing
    /// any more.
    ///
    /// Cost: a hash of the key, some compare-and-swaps, two adds, and a read of the clock.
    #[inline]
    pub fn start(&self, key: &str) -> Attempt {
        self.start_at(key, InFlight::monotonic_ns())
    }

    /// As [`start`](Self::start), at a time of [`monotonic_ns`](crate::monotonic_ns).
    #[inline]
    pub fn start_at(&self, key: &str, now_ns: u64) -> Attempt {
        let token = self.series().in_flight.start_at(key, now_ns);
        match token.runs() {
            1 => self.series().started.inc(),
            _ => self.series().retried.inc(),
        }
        Attempt { token }
    }

    /// The request ended well; returns how long its last attempt took. `None`, and nothing is counted: somebody else has started or ended it
    /// since, so the end is theirs; or a forked child tried to end what its parent had started.
    #[inline]
    pub fn finish(&self, attempt: Attempt) -> Option<Duration> {
        self.finish_at(attempt, InFlight::monotonic_ns())
    }

    /// As [`finish`](Self::finish), at a time of [`monotonic_ns`](crate::monotonic_ns).
    #[inline]
    pub fn finish_at(&self, attempt: Attempt, now_ns: u64) -> Option<Duration> {
        self.end(Outcome::Finished, attempt, now_ns)
    }

    /// The request is given up; returns as [`finish`](Self::finish).
    #[inline]
    pub fn fail(&self, attempt: Attempt) -> Option<Duration> {
        self.fail_at(attempt, InFlight::monotonic_ns())
    }

    /// As [`fail`](Self::fail), at a time of [`monotonic_ns`](crate::monotonic_ns).
    #[inline]
    pub fn fail_at(&self, attempt: Attempt, now_ns: u64) -> Option<Duration> {
        self.end(Outcome::Failed, attempt, now_ns)
    }

    /// First the entry, then the count: who is killed in between has ended a request that nobody counted, and no request is counted
    /// twice.
    #[inline]
    fn end(&self, outcome: Outcome, attempt: Attempt, now_ns: u64) -> Option<Duration> {
        let (runs, started_ns) = (attempt.runs(), attempt.started_ns());
        if !self.series().in_flight.finish(attempt.token) {
            return None;
        }
        let duration_ns = now_ns.saturating_sub(started_ns);
        self.series().ends(outcome).count(runs - 1, Some(duration_ns));
        Some(Duration::from_nanos(duration_ns))
    }

    /// The attempt ended, and the request will be tried again, here or elsewhere; until then it is not in flight. `false`: as `None` of
    /// [`finish`](Self::finish).
    pub fn retry_later(&self, attempt: Attempt) -> bool {
        self.series().in_flight.retry_later(attempt.token)
    }

    /// The attempt was not begun in earnest, and does not count: the next one has its number. `false`: as `None` of
    /// [`finish`](Self::finish).
    pub fn defer(&self, attempt: Attempt) -> bool {
        let runs = attempt.runs();
        let deferred = self.series().in_flight.defer(attempt.token);
        if deferred {
            self.take_back(runs);
        }
        deferred
    }

    /// Of a start before a reset it takes back what is not counted any more: the number is negative then, which readers show as zero.
    fn take_back(&self, runs: u64) {
        match runs {
            1 => self.series().started.dec(),
            _ => self.series().retried.dec(),
        }
    }

    /// As [`finish`](Self::finish), for who has no [`Attempt`], whoever works on the request. `None`, and nothing is counted: no such key is
    /// known. Of a request that nobody works on just now the end is counted, and its duration, which is not known, is told as zero.
    ///
    /// Prefer the [`Attempt`] where it is at hand: a key that found no room, or whose place was given to another while it waited, is not
    /// known, so its end by key is not counted ([`Builder::max_in_flight`](super::Builder::max_in_flight)). By its attempt it is.
    pub fn finish_key(&self, key: &str) -> Option<Duration> {
        self.end_key(Outcome::Finished, key)
    }

    /// As [`fail`](Self::fail), by key; see [`finish_key`](Self::finish_key).
    pub fn fail_key(&self, key: &str) -> Option<Duration> {
        self.end_key(Outcome::Failed, key)
    }

    fn end_key(&self, outcome: Outcome, key: &str) -> Option<Duration> {
        let ended = self.series().in_flight.finish_key(key)?;
        let now_ns = InFlight::monotonic_ns();
        let duration_ns = ended.started_ns.map(|started| now_ns.saturating_sub(started));
        self.series()
            .ends(outcome)
            .count(ended.runs.max(1) - 1, duration_ns);
        Some(Duration::from_nanos(duration_ns.unwrap_or(0)))
    }

    /// As [`retry_later`](Self::retry_later), by key. `false`: no such key is known.
    pub fn retry_key_later(&self, key: &str) -> bool {
        self.series().in_flight.retry_key_later(key).is_some()
    }

    /// As [`defer`](Self::defer), by key. `false`: no such key is known.
    pub fn defer_key(&self, key: &str) -> bool {
        let ended = self.series().in_flight.defer_key(key);
        if let Some(ended) = ended {
            self.take_back(ended.runs);
        }
        ended.is_some()
    }

    /// Counts an answer with this status code, one of each attempt. Cost: a look-up and an add.
    pub fn register_status_code(&self, code: u16) {
        let mut digits = [0; 5];
        self.series().codes.with([decimal(code, &mut digits)]).inc();
    }

    /// Counts an error, in a group of its class, location and first line. Beyond
    /// [`Builder::max_error_groups`](super::Builder::max_error_groups) groups of a stage all others are one. Cost: a look-up and an add; a group's
    /// first use in a process is a registration.
    pub fn record_error(&self, stage: ErrorStage, error: &ErrorReport<'_>) {
        let message = error.message.lines().next().unwrap_or_default().trim_end();
        let values = [
            cut(error.location, NAME_LENGTH),
            cut(error.class, NAME_LENGTH),
            cut(message, MESSAGE_LENGTH),
        ];
        self.series().errors(stage).with(values).inc();
    }

    /// A further field ([`Builder::extra`](super::Builder::extra)): add to it. `None`: it was not declared. Keep the handle. What was restored
    /// is added by readers: setting it sets what was counted in this segment.
    pub fn extra(&self, name: &str) -> Option<&Number> {
        let mut extra = self.series().extra.iter();
        extra.find(|(known, _)| known == name).map(|(_, number)| number)
    }
}

/// The digits of a number.
pub(super) fn decimal(mut number: u16, digits: &mut [u8; 5]) -> &str {
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    std::str::from_utf8(&digits[start..]).unwrap_or("0")
}

/// At most so many bytes, cut at a character.
fn cut(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_written_as_numbers_are_and_texts_are_cut_at_characters() {
        for code in [0, 7, 100, 404, 65_535] {
            assert_eq!(decimal(code, &mut [0; 5]), code.to_string());
        }
        assert_eq!((cut("aéz", 2), cut("aéz", 3), cut("a", 9)), ("a", "aé", "a"));
    }
}
