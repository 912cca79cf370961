//! What can happen in a storm, and which of it is wanted.

use crate::exit::Failure;
use crate::storm::random::Random;

macro_rules! kinds {
    ($($(#[doc = $says:literal])+ $name:ident = $text:literal,)+) => {
        /// One kind of event.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Kind {
            $($(#[doc = $says])+ $name,)+
        }

        impl Kind {
            /// All, in the order in which they are told.
            pub(super) const ALL: &[Kind] = &[$(Kind::$name,)+];

            /// As on the command line.
            pub(super) const fn name(self) -> &'static str {
                match self {
                    $(Kind::$name => $text,)+
                }
            }
        }
    };
}

kinds! {
    /// A worker gets SIGKILL.
    Kill = "kill",
    /// A worker gets SIGABRT.
    Abort = "abort",
    /// A worker is asked to end, and does.
    Exit = "exit",
    /// A worker gets SIGSTOP, and soon SIGCONT.
    Stop = "stop",
    /// All workers are stopped while epochs pass: no ticker runs.
    Starve = "starve",
    /// A worker forks while its other threads operate; the child counts.
    Fork = "fork",
    /// A child counts and then becomes another program, which counts, too.
    Exec = "exec",
    /// A child closes all descriptors and counts.
    Close = "close",
    /// A child of the bare system call, past the at-fork handlers, counts.
    Clone = "clone",
    /// A child, or a whole worker, becomes nobody and counts on. Root only.
    Nobody = "nobody",
    /// A child makes a pid namespace and a child in it, which counts. Root only.
    Namespace = "namespace",
    /// Signals at a high rate, whose handlers count and record; also as the first thing a thread ever does.
    Signal = "signal",
    /// Threads come and go.
    Thread = "thread",
    /// More label sets than the segment has series.
    Series = "series",
    /// Segments with fewer lanes than there are threads.
    Lanes = "lanes",
    /// Segments with fewer slots than there are processes.
    Slots = "slots",
    /// Segments whose budget is soon used up.
    Budget = "budget",
    /// A reader gets SIGKILL.
    Reader = "reader",
    /// The segment is retired under everybody.
    Retire = "retire",
    /// Two to sixteen processes create one name at once.
    Race = "race",
}

/// Some kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kinds(u64);

impl Kinds {
    /// As asked for by `--only` or `--without`.
    pub(super) fn chosen(only: &[String], without: &[String]) -> Result<Kinds, Failure> {
        let all = Kinds((1 << Kind::ALL.len()) - 1);
        let kinds = if only.is_empty() { all } else { named(only)? };
        Ok(Kinds(kinds.0 & !named(without)?.0))
    }

    pub(super) const fn from_bits(bits: u64) -> Kinds {
        Kinds(bits)
    }

    pub(super) const fn bits(self) -> u64 {
        self.0
    }

    pub(super) const fn has(self, kind: Kind) -> bool {
        self.0 & 1 << kind as u64 != 0
    }

    pub(super) const fn without(self, kind: Kind) -> Kinds {
        Kinds(self.0 & !(1 << kind as u64))
    }

    /// One of `weighted` that is wanted, heavier ones more often; `None` if none is.
    pub(super) fn draw(self, weighted: &[(Kind, u64)], random: &mut Random) -> Option<Kind> {
        let wanted = || weighted.iter().filter(|(kind, _)| self.has(*kind));
        let all: u64 = wanted().map(|(_, weight)| weight).sum();
        // A number is drawn in any case: what is not wanted does not shift the rest of the schedule.
        let number = random.next() >> 16;
        let mut left = number.checked_rem(all)?;
        for (kind, weight) in wanted() {
            match left.checked_sub(*weight) {
                Some(less) => left = less,
                None => return Some(*kind),
            }
        }
        None
    }
}

fn named(names: &[String]) -> Result<Kinds, Failure> {
    let mut bits = 0;
    for name in names {
        let known = Kind::ALL.iter().find(|kind| kind.name() == name);
        let Some(kind) = known else {
            let all: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
            let all = all.join(", ");
            return Err(Failure::Input(format!(
                "there is no event {name:?}; there are {all}"
            )));
        };
        bits |= 1 << *kind as u64;
    }
    Ok(Kinds(bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_chosen_by_name() {
        let chosen = |only: &[&str], without: &[&str]| {
            let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
            Kinds::chosen(&owned(only), &owned(without))
        };
        let some = chosen(&["kill", "fork"], &["fork"]).unwrap();
        assert!(some.has(Kind::Kill) && !some.has(Kind::Fork) && !some.has(Kind::Race));
        let most = chosen(&[], &["retire"]).unwrap();
        assert!(
            Kind::ALL
                .iter()
                .all(|kind| most.has(*kind) == (*kind != Kind::Retire))
        );
        assert!(chosen(&["kil"], &[]).is_err());
    }

    #[test]
    fn only_wanted_kinds_are_drawn() {
        let weighted = [(Kind::Kill, 1), (Kind::Stop, 2), (Kind::Race, 3)];
        let mut random = Random::new(1);
        let kinds = Kinds::from_bits(1 << Kind::Stop as u64 | 1 << Kind::Race as u64);
        let drawn: Vec<_> = (0..100)
            .map(|_| kinds.draw(&weighted, &mut random).unwrap())
            .collect();
        assert!(drawn.contains(&Kind::Stop) && drawn.contains(&Kind::Race) && !drawn.contains(&Kind::Kill));
        assert_eq!(Kinds::from_bits(0).draw(&weighted, &mut random), None);
    }
}
