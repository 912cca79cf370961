//! `verify`: the full check of a segment, a line per finding.

use std::path::Path;

use serde::Serialize;
use shmetrics::verify::{Checked, Finding, Report, Severity, verify};

use crate::cli::{Format, Verify};
use crate::discover;
use crate::exit::Failure;
use crate::format::json;
use crate::terminal::{self, clean};

pub(crate) fn run(flags: &Verify) -> Result<(), Failure> {
    let path = discover::path_of(flags.path.as_deref())?;
    let report = verify(&path)?;
    let text = match flags.format {
        Format::Json => to_json(&path, &report, flags.quiet)?,
        Format::Table => lines(&report, flags.quiet),
    };
    match terminal::print(&text) {
        // Nobody reads it any more; the exit code tells all the same.
        Ok(()) | Err(Failure::Quiet) => verdict(&path, &report, flags.strict),
        Err(failure) => Err(failure),
    }
}

fn lines(report: &Report, quiet: bool) -> String {
    let findings = report.findings.iter().filter(|_| !quiet);
    let mut text: String = findings
        .map(|finding| format!("{}\n", clean(&finding.to_string())))
        .collect();
    text += &report.summary();
    text.push('\n');
    text
}

#[derive(Serialize)]
struct Document<'a> {
    schema: u64,
    path: String,
    refused: bool,
    errors: usize,
    warnings: usize,
    notes: usize,
    checked: &'a Checked,
    #[serde(skip_serializing_if = "Option::is_none")]
    findings: Option<&'a [Finding]>,
}

fn to_json(path: &Path, report: &Report, quiet: bool) -> Result<String, Failure> {
    json::pretty(&Document {
        schema: 1,
        path: path.display().to_string(),
        refused: report.refused,
        errors: report.count(Severity::Error),
        warnings: report.count(Severity::Warning),
        notes: report.count(Severity::Note),
        checked: &report.checked,
        findings: (!quiet).then_some(&report.findings),
    })
}

fn verdict(path: &Path, report: &Report, strict: bool) -> Result<(), Failure> {
    let least = if strict {
        Severity::Warning
    } else {
        Severity::Error
    };
    if report.worst().is_none_or(|worst| worst < least) {
        return Ok(());
    }
    let (errors, warnings) = (report.count(Severity::Error), report.count(Severity::Warning));
    let path = path.display();
    let number = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    Err(Failure::Check(match errors {
        _ if report.refused => {
            format!("{path} is no segment that can be used; remove it, or let workers make a new one")
        }
        0 => format!(
            "{path} has {}; without --strict that is fine",
            number(warnings, "warning")
        ),
        _ => format!(
            "{path} is damaged ({}); retire it, and workers that start make a new one",
            number(errors, "error")
        ),
    }))
}
