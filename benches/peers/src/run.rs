//! One run: how long, on which processors, and where its files are.

use std::path::PathBuf;

use crate::measure::Settings;
use crate::report::Report;
use crate::scratch::Scratch;

pub struct Run {
    pub settings: Settings,
    /// The first two are measured on.
    pub cpus: Vec<usize>,
    pub scratch: Scratch,
    pub report: Report,
    /// Names and drawings.
    pub plots: Vec<(String, String)>,
    /// A Python that has the client library, or why there is none.
    pub python: Result<PathBuf, String>,
}

impl Run {
    /// Are there two processors? If not, says what is left out.
    pub fn two(&mut self, what: &str) -> bool {
        if self.cpus.len() < 2 {
            self.report.skip(&format!("{what}: there is one processor only"));
        }
        self.cpus.len() >= 2
    }

    /// So many, or a few where everything only runs once.
    pub fn many(&self, normal: usize, quick: usize) -> usize {
        if self.settings.quick { quick } else { normal }
    }
}
