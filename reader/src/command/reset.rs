//! `reset`: counters and histograms count from zero again, for all readers.

use shmetrics::reset;

use crate::cli::Reset;
use crate::exit::Failure;
use crate::{discover, glob, terminal};

pub(crate) fn run(flags: &Reset) -> Result<(), Failure> {
    let path = discover::path_of(Some(&flags.path))?;
    let chosen =
        |name: &str| flags.series.is_empty() || flags.series.iter().any(|glob| glob::matches(glob, name));
    let done = reset::at_path(&path, |series| chosen(&series.name))?;
    let place = terminal::clean(&path.display().to_string()).into_owned();
    let text = match done.series {
        0 if !flags.series.is_empty() => {
            return Err(Failure::Input(format!(
                "no counter or histogram of {place} is called {}; see `shmetrics snapshot`",
                flags.series.join(" or ")
            )));
        }
        0 => format!("nothing to reset in {place}: it has no counters and no histograms"),
        1 => format!(
            "reset 1 series of {place}: it counts from zero now (reset {})",
            done.resets
        ),
        count => format!(
            "reset {count} series of {place}: they count from zero now (reset {})",
            done.resets
        ),
    };
    terminal::print(&(text + "\n"))
}
