//! Workers that are killed and replaced while somebody scrapes: no counter goes down, and in the end nothing is missing.

use std::collections::BTreeMap;
use std::process::Stdio;

use super::client::*;
use super::support::*;

/// Is it the value of something that only grows?
fn only_grows(series: &str) -> bool {
    let name = series.split('{').next().unwrap();
    ["_total", "_count", "_bucket", "_sum"]
        .iter()
        .any(|suffix| name.ends_with(suffix))
}

#[test]
fn counters_never_go_down_while_workers_are_killed_and_adopted() {
    let folder = Folder::new();
    let path = folder.path("app");
    let made = folder.run(&["create", &path]);
    assert_eq!(made.code, 0, "{made:?}");
    let server = Server::start(&folder, &[&path]);
    // Enough for more than ten scrapes meanwhile.
    let increments = if cfg!(debug_assertions) {
        2_000_000
    } else {
        20_000_000
    };
    let mut demo = Running(
        folder
            .command(&[
                "demo",
                "--segment",
                &path,
                "--workers=3",
                "--threads=2",
                "--kill=3",
                "--record",
            ])
            .args([&format!("--increments={increments}"), "--format=json"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let mut highest = Highest::new();
    let mut scrapes = 0;
    wait_for("the workers", || {
        look(&server, &mut highest);
        scrapes += 1;
        demo.0.try_wait().unwrap().is_some()
    });
    assert_eq!(demo.code(), 0);
    assert!(scrapes > 10, "{scrapes}");
    let done = f64::from(3 * 2 * increments);
    // What was read last may be from before the end.
    wait_for("the last operations", || {
        look(&server, &mut highest);
        counted(&highest) >= done && recorded(&highest) >= done
    });
    // At most one more per killed thread.
    for sum in [counted(&highest), recorded(&highest)] {
        assert!(sum <= done + 6.0, "{sum} of {done}");
    }
}

/// The greatest value of each series so far.
type Highest = BTreeMap<String, f64>;

/// One scrape, in which nothing may be less than before.
fn look(server: &Server, highest: &mut Highest) {
    for (series, value) in server.samples().0 {
        if only_grows(&series) {
            let before = highest.entry(series.clone()).or_insert(value);
            assert!(value >= *before, "{series}: {before}, then {value}");
            *before = value;
        }
    }
}

fn sum(highest: &Highest, is_wanted: impl Fn(&str) -> bool) -> f64 {
    let wanted = highest.iter().filter(|(series, _)| is_wanted(series));
    wanted.map(|(_, value)| value).sum()
}

fn counted(highest: &Highest) -> f64 {
    sum(highest, |series| series.starts_with("demo_operations_total"))
}

fn recorded(highest: &Highest) -> f64 {
    let is_count = |series: &str| series.split('{').next().unwrap().ends_with("_count");
    sum(highest, |series| series.starts_with("demo_") && is_count(series))
}
