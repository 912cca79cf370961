//! Where and with what it was measured.

use std::process::Command;

use crate::peers::python;
use crate::run::Run;

const LOCK: &str = include_str!("../Cargo.lock");

const PEERS: [&str; 11] = [
    "prometheus",
    "prometheus-client",
    "metrics",
    "metrics-exporter-prometheus",
    "opentelemetry",
    "opentelemetry-prometheus",
    "metriken",
    "measured",
    "fastmetrics",
    "hdrhistogram",
    "histogram",
];

/// Machine, versions, command and date.
pub fn describe(run: &Run) -> String {
    let processor = first_line("/proc/cpuinfo", "model name");
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let hypervisor = std::fs::read_to_string("/proc/cpuinfo").is_ok_and(|text| text.contains(" hypervisor"));
    let peers: Vec<String> = PEERS
        .iter()
        .filter_map(|name| Some(format!("{name} {}", version(name)?)))
        .collect();
    let python = match &run.python {
        Ok(python) => python::version(python).unwrap_or_default(),
        Err(reason) => format!("left out: {reason}"),
    };
    let words: Vec<String> = std::env::args().skip(1).collect();
    let arguments = if words.is_empty() {
        String::new()
    } else {
        format!(" -- {}", words.join(" "))
    };
    format!(
        "| | |\n|---|---|\n| machine | {processor}, {} processors{}, Linux {} |\n| compiler | {}, release, thin LTO over all, no target \
         features beyond the default |\n| peers | {} |\n| client_python | {python} |\n| load when it began | {} |\n| date | {} |\n| command \
         | `cargo run --release --manifest-path benches/peers/Cargo.toml{arguments}` |\n",
        run.cpus.len(),
        if hypervisor { " of a virtual machine" } else { "" },
        kernel.trim(),
        said("rustc", &["--version"]),
        peers.join(", "),
        std::fs::read_to_string("/proc/loadavg")
            .unwrap_or_default()
            .split(' ')
            .next()
            .unwrap_or_default(),
        said("date", &["-u", "+%Y-%m-%d %H:%M UTC"]),
    )
}

fn first_line(path: &str, key: &str) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(key));
    let value = line.and_then(|line| line.split_once(':'));
    value.map_or_else(|| "unknown".to_owned(), |(_, value)| value.trim().to_owned())
}

/// What the lock file has.
fn version(name: &str) -> Option<&'static str> {
    let mut lines = LOCK.lines();
    let wanted = format!("name = \"{name}\"");
    lines.find(|line| *line == wanted)?;
    lines.next()?.strip_prefix("version = \"")?.strip_suffix('"')
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map_or_else(
        |_| "unknown".to_owned(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}
