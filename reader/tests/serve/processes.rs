//! What `/proc` tells of live owners, by segment, or by slot and role.

use super::client::*;
use super::support::*;

#[test]
fn live_owners_are_summed_by_segment_and_told_each_only_if_asked() {
    let folder = Folder::new();
    let _segment = folder.segment("app");
    let server = Server::start(&folder, &["app"]);
    let samples = server.samples();
    let of = |name: &str| samples.value(&format!("shmetrics_processes_{name}{{segment=\"app\"}}"));
    assert_eq!(of("observed"), 1.0);
    assert!(of("threads") >= 2.0 && of("open_fds") >= 3.0 && of("resident_memory_bytes") > 1e6);
    assert!(of("cpu_seconds_total") >= 0.0);
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs_f64();
    assert!((now - of("oldest_start_time_seconds")).abs() < 3600.0);
    assert!(!samples.has("shmetrics_process_"));
    assert_eq!(
        samples.value("shmetrics_segment_processes{segment=\"app\",state=\"alive\"}"),
        1.0
    );

    let server = Server::start(&folder, &["app", "--collector.per-process"]);
    let samples = server.samples();
    let labels = "{segment=\"app\",slot=\"0\",role=\"tester\"}";
    assert!(samples.value(&format!("shmetrics_process_threads{labels}")) >= 2.0);
    assert!(samples.value(&format!("shmetrics_process_start_time_seconds{labels}")) > 1e9);
    let pid = format!("\"{}\"", std::process::id());
    assert!(
        !samples.0.keys().any(|series| series.contains(&pid)),
        "never by pid"
    );
}

/// So many that the work takes longer than the ticks in which processor time is counted, a few hundredths of a second.
const INCREMENTS: &str = match cfg!(debug_assertions) {
    true => "--increments=3000000",
    false => "--increments=300000000",
};

#[test]
fn processor_time_does_not_go_down_when_processes_end() {
    let folder = Folder::new();
    let path = folder.path("app");
    let made = folder.run(&["create", &path]);
    assert_eq!(made.code, 0, "{made:?}");
    let server = Server::start(&folder, &[&path]);
    let mut demo = Running(
        folder
            .command(&[
                "demo",
                "--segment",
                &path,
                "--workers=2",
                "--kill=2",
                INCREMENTS,
                "--format=json",
            ])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap(),
    );
    let mut before = 0.0;
    let mut look = || {
        let samples = server.samples();
        let now = samples.value("shmetrics_processes_cpu_seconds_total{segment=\"app\"}");
        assert!(now >= before, "{before} {now}");
        before = now;
        samples.value("shmetrics_processes_observed{segment=\"app\"}")
    };
    let mut seen = 0.0f64;
    wait_for("the workers", || {
        seen = seen.max(look());
        demo.0.try_wait().unwrap().is_some()
    });
    assert_eq!(demo.code(), 0);
    assert!(seen >= 2.0);
    wait_for("their end", || look() == 0.0);
    // Nobody is alive; what they left waits for others.
    let samples = server.samples();
    let of = |state: &str| {
        samples.value(&format!(
            "shmetrics_segment_processes{{segment=\"app\",state=\"{state}\"}}"
        ))
    };
    assert_eq!(of("alive"), 0.0);
    assert_eq!(
        samples.value("shmetrics_segment_fill_ratio{segment=\"app\",capacity=\"process_slots\"}"),
        0.0
    );
    assert!(before > 0.0);
}

#[test]
fn whoever_is_killed_is_alive_no_more_and_is_told_as_dead() {
    let folder = Folder::new();
    let path = folder.path("app");
    let made = folder.run(&["create", &path]);
    assert_eq!(made.code, 0, "{made:?}");
    let server = Server::start(&folder, &[&path]);
    let mut command = folder.command(&["demo", "--segment", &path, "--workers=2", "--kill=0"]);
    command.args(["--increments=1000000000000"]);
    command
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    let demo = Running(command.spawn().unwrap());
    let of = |state: &str| {
        let series = format!("shmetrics_segment_processes{{segment=\"app\",state=\"{state}\"}}");
        server.samples().value(&series)
    };
    // That they count: who dies before leaves nothing for others.
    let counting = || {
        let samples = server.samples();
        let is_counting =
            |(series, value): (&String, &f64)| series.starts_with("demo_operations_total") && *value > 0.0;
        samples.0.iter().filter(|sample| is_counting(*sample)).count()
    };
    wait_for("the workers", || of("alive") >= 2.0 && counting() == 2);
    // Its workers go with it.
    demo.signal(rustix::process::Signal::KILL);
    wait_for("their end", || of("alive") == 0.0);
    assert!(of("dead") >= 2.0);
    // Nothing is lost that way.
    let (status, health) = server.json("/health");
    assert_eq!((status, &health["status"]), (200, &"warning".into()), "{health}");
    assert_eq!(health["problems"][0]["problem"], "dead_owners");
}
