//! The periodic log.

use std::io;
use std::sync::mpsc::{Receiver, channel};

use super::*;

/// A session whose messages come out of the channel.
fn logged(builder: Builder<'_>) -> (Requests, Receiver<String>) {
    let (sender, receiver) = channel();
    let requests = builder
        .log_to(move |message| sender.send(message.to_owned()).map_err(io::Error::other))
        .enter()
        .unwrap();
    (requests, receiver)
}

fn next(receiver: &Receiver<String>) -> String {
    receiver.recv_timeout(DEADLINE).unwrap()
}

#[test]
fn a_07_it_logs_at_once_and_then_every_interval_and_at_the_end() {
    let _alone = alone();
    let scratch = Scratch::new("requests-log");
    let path = scratch.path("segment");
    let segment = compact().create_at(&path).unwrap();
    // An hour: only what is logged at once and at the end can come.
    let builder = || {
        Requests::builder(&segment)
            .max_in_flight(64)
            .log_interval(Duration::from_secs(3600))
    };
    let (requests, receiver) = logged(builder().log_message("Current request statistics:"));
    let first = next(&receiver);
    assert!(first.starts_with("Current request statistics:\n┌──"), "{first}");
    assert_eq!(first.lines().count(), 13);
    assert!(first.contains("│ retry_histogram               │ [0]"), "{first}");
    assert!(
        first.contains("│ request_avg_failed_duration   │ None"),
        "{first}"
    );
    done(&requests, "a", 1, 20);
    requests.record_error(ErrorStage::Retried, &ErrorReport::new("Reset", "by peer"));
    requests.leave().unwrap();
    let last = next(&receiver);
    assert!(last.starts_with("Final request statistics:\n┌"), "{last}");
    assert!(
        last.contains("│ request_avg_finished_duration │ 20.0ms"),
        "{last}"
    );
    assert!(
        last.contains("│ retry_histogram               │ [0, 1]"),
        "{last}"
    );
    assert_eq!(next(&receiver), "Error analysis: total_errors=1 unique_errors=1");
    assert!(
        receiver.recv().is_err(),
        "the thread is gone, and its log with it"
    );

    let (_requests, receiver) = logged(builder().log_interval(ms(1)).log_format(LogFormat::Inline));
    for _ in 0..3 {
        let line = next(&receiver);
        let summary = line.strip_prefix("Statistics ").unwrap();
        let summary: Json = serde_json::from_str(summary).unwrap();
        assert_eq!(summary["requests_finished"], 1);
    }
}

#[test]
fn a_07_a_log_that_fails_and_panics_goes_on() {
    let _alone = alone();
    let scratch = Scratch::new("requests-log-fails");
    let path = scratch.path("segment");
    let segment = compact().create_at(&path).unwrap();
    let (sender, receiver) = channel();
    let mut count = 0;
    let builder = Requests::builder(&segment).max_in_flight(64).log_interval(ms(1));
    let requests = builder.log_to(move |_| {
        count += 1;
        sender.send(count).map_err(io::Error::other)?;
        match count % 2 {
            0 => panic!("on purpose"),
            _ => Err(io::Error::other("full")),
        }
    });
    let requests = requests.enter().unwrap();
    for expected in 1..6 {
        assert_eq!(receiver.recv_timeout(DEADLINE).unwrap(), expected);
    }
    done(&requests, "a", 0, 1);
    assert_eq!(requests.leave().unwrap().requests_total, 1);
    let errors: Vec<String> = look(&path)
        .errors
        .iter()
        .map(|error| error.message.to_string())
        .collect();
    assert!(errors.iter().any(|error| error.ends_with("full")), "{errors:?}");
    assert!(
        errors.iter().any(|error| error.ends_with("panicked")),
        "{errors:?}"
    );
}

/// Of this process: it counts what comes from here, and panics.
#[cfg(feature = "log")]
struct Panicking(std::sync::atomic::AtomicUsize);

#[cfg(feature = "log")]
impl ::log::Log for Panicking {
    fn enabled(&self, _: &::log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &::log::Record<'_>) {
        if record.target() == "shmetrics::requests" {
            self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            panic!("on purpose");
        }
    }

    fn flush(&self) {}
}

#[cfg(feature = "log")]
#[test]
fn a_07_a_logger_of_the_process_that_panics_ends_neither_the_thread_nor_the_final_save() {
    static LOGGER: Panicking = Panicking(std::sync::atomic::AtomicUsize::new(0));
    let _alone = alone();
    let scratch = Scratch::new("requests-logger");
    let path = scratch.path("segment");
    let segment = compact().create_at(&path).unwrap();
    ::log::set_logger(&LOGGER).unwrap();
    ::log::set_max_level(::log::LevelFilter::Info);
    let store = FolderStore::new(scratch.path("records"));
    let builder = Requests::builder(&segment).max_in_flight(64).log_interval(ms(1));
    let builder = builder
        .persistence(Persistence::Enabled)
        .store(store.clone())
        .persist_state_key("logged");
    let requests = builder.enter().unwrap();
    let logged = || LOGGER.0.load(std::sync::atomic::Ordering::Relaxed);
    poll("some messages", || (logged() >= 3).then_some(()));
    done(&requests, "a", 0, 1);
    let left = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| requests.leave()));
    let record = store.get("default", "logged").unwrap().unwrap();
    assert!(record.contains("\"requestsFinished\":1,"), "{record}");
    assert_eq!(left.unwrap().unwrap().requests_total, 1);
    let errors = look(&path).errors;
    assert!(errors.iter().any(|error| error.message.ends_with("panicked")));
}

#[test]
fn a_07_of_several_processes_one_logs_if_asked_and_the_next_when_it_is_killed() {
    let _alone = alone();
    let name = "log::a_07_of_several_processes_one_logs_if_asked_and_the_next_when_it_is_killed";
    fn builder(segment: &Segment) -> Builder<'_> {
        let builder = Requests::builder(segment).max_in_flight(64);
        builder.log_interval(ms(1)).log_from(LogFrom::First)
    }
    if let Some(argument) = child_argument() {
        let path = Path::new(&argument);
        let segment = compact().open_at(path).unwrap();
        let _requests = logged(builder(&segment));
        poll("the end", || None::<()>);
    }
    let scratch = Scratch::new("requests-log-first");
    let path = scratch.path("segment");
    // The creator has no slot of its own left below the child's: it opens later.
    drop(compact().create_at(&path).unwrap());
    let mut worker = Worker::spawn(name, path.to_str().unwrap());
    poll("the worker", || {
        let snapshot = look(&path);
        (View::new(&snapshot).figures(DEFAULT_INSTANCE)?.processes == 1).then_some(())
    });
    let segment = compact().open_at(&path).unwrap();
    let (requests, receiver) = logged(builder(&segment));
    assert_eq!(requests.figures().unwrap().processes, 2);
    // The other one stands still, and lives: signs of life are ours, and between two of them our thread has looked whether it logs.
    worker.stop();
    let mut last = runs::alive(&path);
    for _ in 0..3 {
        let before = last;
        last = poll("a sign of life", || {
            Some(runs::alive(&path)).filter(|mark| *mark > before)
        });
    }
    assert_eq!(receiver.try_recv().ok(), None);
    worker.kill();
    next(&receiver);
}

#[test]
fn a_07_the_first_is_told_by_its_slot_though_its_process_has_a_lower_one_of_another_opening() {
    let _alone = alone();
    let scratch = Scratch::new("requests-log-slots");
    let path = scratch.path("segment");
    let _first = compact().create_at(&path).unwrap();
    let second = compact().open_at(&path).unwrap();
    let slots = look(&path)
        .processes
        .iter()
        .filter(|process| process.alive)
        .count();
    assert_eq!(slots, 2);
    let builder = Requests::builder(&second).max_in_flight(64).log_interval(ms(1));
    let (requests, receiver) = logged(builder.log_from(LogFrom::First));
    assert!(next(&receiver).starts_with("Statistics"));
    while receiver.try_recv().is_ok() {}
    requests.leave().unwrap();
    let mut messages = receiver.iter();
    assert!(messages.any(|message| message.starts_with("Final request statistics")));
}
