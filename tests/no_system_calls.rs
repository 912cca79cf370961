//! No system call on the hot path, and none in `snapshot_into`: both run where the kernel kills whoever makes one. And no allocation in
//! either, once warm.
#![allow(unsafe_code)]

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use shmetrics::{Merge, Reader, Segment, Unit};
use support::*;

/// Counts the allocations of the thread that asks.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: everything is handed on to the system allocator; the count is a constant-initialised thread-local without destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller's promise is handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is handed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Lets this thread make only those system calls that end it; any other kills the process (seccomp(2), filter mode). `false`: not
/// available here.
fn forbid_system_calls() -> bool {
    let statement = |code: u32, k: u32| libc::sock_filter {
        code: code as u16,
        jt: 0,
        jf: 0,
        k,
    };
    let exit = libc::SYS_exit_group as u32;
    let program = [
        // The number of the system call is the first field of seccomp_data.
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0),
        libc::sock_filter {
            code: (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16,
            jt: 0,
            jf: 1,
            k: exit,
        },
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW),
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_KILL_PROCESS),
    ];
    let program = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_ptr().cast_mut(),
    };
    // SAFETY: prctl with plain numbers, and a program that lives during the call and is only read.
    unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(
                libc::PR_SET_SECCOMP,
                libc::SECCOMP_MODE_FILTER,
                &raw const program,
            ) == 0
    }
}

/// One test at a time: a child that another test forks takes a slot here, too, and a new process is news that a snapshot allocates for.
static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());

/// Runs what `prepare` returns in a child that is killed at its first system call. Returns its exit code (77: no seccomp here), or
/// minus the signal.
fn under_seccomp(prepare: impl FnOnce() -> Box<dyn FnOnce() -> bool>) -> i32 {
    let pid = fork(|| {
        let calm = prepare();
        if !forbid_system_calls() {
            return 77;
        }
        let code = i32::from(!calm());
        // SAFETY: ends the process at once; nothing may be dropped, as that makes system calls.
        unsafe { libc::_exit(code) }
    });
    wait(pid)
}

#[track_caller]
fn assert_calm(code: i32) {
    if code == 77 {
        skip("seccomp is not available here");
    } else {
        assert_eq!(code, 0, "{} means killed at a system call", -libc::SIGSYS);
    }
}

#[test]
fn the_filter_does_kill() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let code = under_seccomp(|| {
        Box::new(|| {
            // SAFETY: getpid has no arguments; it is the forbidden call.
            unsafe { libc::syscall(libc::SYS_getpid) > 0 }
        })
    });
    assert!(code == 77 || code == -libc::SIGSYS, "{code}");
}

#[test]
fn operations_make_no_system_call_and_allocate_nothing() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let scratch = Scratch::new("calm-writer");
    let path = scratch.path("segment");
    let segment = Segment::options().open_or_create_at(&path).unwrap();
    let code = under_seccomp(|| {
        let counter = segment.counter("a_total").register().unwrap();
        let float = segment.counter_float("b_total").register().unwrap();
        let gauge = segment.gauge("c").register().unwrap();
        let last = segment.gauge_float("d").merge(Merge::Last).register().unwrap();
        let histogram = segment
            .histogram("e_seconds")
            .unit(Unit::Seconds)
            .register()
            .unwrap();
        let classic = segment.histogram_classic("f", &[1.0, 2.0]).register().unwrap();
        let family = segment.counter("g_total").family(["code"]).unwrap();
        let number = segment.number("h").register().unwrap();
        let samples = segment.samples("i").register().unwrap();
        let mark = segment.time_mark("j").register().unwrap();
        let state = segment
            .state("k")
            .status("OK", None)
            .status("BAD", Some(1))
            .register()
            .unwrap();
        let ids = segment.block_ids();
        let text = segment.text("m").register().unwrap();
        let group = segment.group("n").fields(["a", "b"]).register().unwrap();
        let working = segment.in_flight("l").capacity(8).register().unwrap();
        let _full: Vec<_> = (0..8).map(|key| working.start(&key.to_string())).collect();
        segment.attach_thread();
        samples.record(1.0);
        group.add([1, 2]);
        // The first record of each histogram commits its block.
        histogram.record(1);
        classic.record(1.0);
        family.with(["200"]).inc();
        segment.log_error("known");
        let (bound, bound_histogram) = (counter.bind(), histogram.bind());
        let segment = segment.clone();
        Box::new(move || {
            let before = ALLOCATIONS.get();
            for n in 0..200_000u64 {
                counter.inc();
                bound.add(2);
                float.add(0.5);
                gauge.set(n as i64);
                gauge.add(1);
                gauge.set_max(5);
                last.set(1.5);
                histogram.record(n);
                bound_histogram.record(n);
                classic.record(n as f64);
                family.with(["200"]).inc();
                number.add(-1);
                number.add_float(0.25);
                samples.record(n as f64);
                group.add([1, n]);
                // The clock is read without a call.
                mark.mark();
                mark.mark_at_ns(n);
                state.set((n % 2) as u8);
                state.set_and_tell(0);
                if ids.next().is_err() || segment.next_id().is_err() {
                    return false;
                }
                if !text.set(["short", "longer than that"][(n & 1) as usize])
                    || (n % 9 == 0 && !text.delete())
                {
                    return false;
                }
                // First starts, retries, and ends.
                let token = working.start(["3", "6"][(n & 1) as usize]);
                working.retry_later(token);
                // A new epoch now and then: rotations and seals are part of recording.
                segment.tick();
                // Known, new, and one for which there is no entry, cut or not.
                segment.log_error("known");
                segment.log_error(format_args!(
                    "{} of many that are rather long: {:>200}",
                    n % 100,
                    "cut"
                ));
            }
            ALLOCATIONS.get() == before
        })
    });
    assert_calm(code);
    if code == 0 {
        assert_eq!(counter(&snapshot(&path), "a_total", &[]), 600_000);
    }
}

#[test]
fn events_make_no_system_call_and_allocate_nothing() {
    use shmetrics::events::{FieldKind, Value};
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let scratch = Scratch::new("calm-events");
    let path = scratch.path("segment");
    let segment = Segment::options().open_or_create_at(&path).unwrap();
    let code = under_seccomp(|| {
        let fields = [("number", FieldKind::U64), ("text", FieldKind::Text(20))];
        let events = segment.events("e").kind(1, "e", &fields).register().unwrap();
        assert!(events.attach_thread());
        let kind = events.kind("e").unwrap();
        Box::new(move || {
            let before = ALLOCATIONS.get();
            for n in 0..200_000u64 {
                kind.write(&[Value::U64(n), Value::Text("a text that is longer than its field")]);
                kind.write_at(n, &[Value::U64(n), Value::Text("")]);
                // Dropped, and counted.
                kind.write_at(n, &[]);
            }
            ALLOCATIONS.get() == before
        })
    });
    assert_calm(code);
    if code == 0 {
        let snapshot = snapshot(&path);
        assert!(matches!(
            snapshot.find("e", &[]).unwrap().value,
            shmetrics::Value::Events(totals) if (totals.written, totals.dropped) == (400_000, 200_000)
        ));
    }
}

#[cfg(feature = "stats")]
#[test]
fn requests_of_a_crawl_make_no_system_call_and_allocate_nothing() {
    use shmetrics::stats::requests::{DEFAULT_INSTANCE, ErrorReport, ErrorStage, Requests, View};
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let scratch = Scratch::new("calm-requests");
    let path = scratch.path("segment");
    let segment = Segment::options().open_or_create_at(&path).unwrap();
    let code = under_seccomp(|| {
        let requests = Requests::builder(&segment).without_log().enter().unwrap();
        // Leaving makes system calls.
        let requests: &Requests = Box::leak(Box::new(requests));
        let request = move || {
            for _ in 0..6 {
                let attempt = requests.start("https://example.org/");
                requests.register_status_code(503);
                let error = ErrorReport::new("Unavailable", "busy\nfor now");
                requests.record_error(ErrorStage::Retried, &error);
                assert!(requests.retry_later(attempt));
            }
            let deferred = requests.start("https://example.org/");
            assert!(requests.defer(deferred));
            let attempt = requests.start("https://example.org/");
            requests.finish(attempt).is_some()
        };
        // The first of a thread gets it a lane and its blocks; the first of a code, an error and a number of retries a series.
        assert!(request());
        Box::new(move || {
            let before = ALLOCATIONS.get();
            (1..10_000).all(|_| request()) && ALLOCATIONS.get() == before
        })
    });
    assert_calm(code);
    if code == 0 {
        let snapshot = snapshot(&path);
        let told = View::new(&snapshot).figures(DEFAULT_INSTANCE).unwrap();
        assert_eq!(told.request_retry_histogram, [0, 0, 0, 0, 0, 0, 10_000]);
        assert_eq!(told.requests_with_status_code["503"], 60_000);
    }
}

#[cfg(feature = "stats")]
#[test]
fn the_events_of_a_server_make_no_system_call_and_allocate_nothing() {
    use shmetrics::stats::lifecycle::{Collector, Event, SegmentCollector};
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let scratch = Scratch::new("calm-lifecycle");
    let path = scratch.path("segment");
    let segment = Segment::options().open_or_create_at(&path).unwrap();
    let code = under_seccomp(|| {
        let collector = SegmentCollector::new(&segment).unwrap();
        let request = move |n: u64| {
            collector.record(&Event::RequestStarted {
                connection_id: n,
                worker_id: 0,
                method: "GET".into(),
                path: "/index.html".into(),
                http_version: "1.1".into(),
                timestamp_ns: n,
            });
            collector.record(&Event::ResponseCompleted {
                connection_id: n,
                worker_id: 0,
                status: 200,
                bytes_sent: 1_500,
                duration_ms: 0.5,
                method: "GET".into(),
                streaming: false,
                timestamp_ns: n,
            });
            collector.next_connection_id().is_ok()
        };
        // The first of a thread gets it a lane and its blocks; the first of a method and status a series.
        assert!(request(0));
        Box::new(move || {
            let before = ALLOCATIONS.get();
            (1..100_000).all(&request) && ALLOCATIONS.get() == before
        })
    });
    assert_calm(code);
    if code == 0 {
        let labels = [("method", "GET"), ("status", "200")];
        assert_eq!(counter(&snapshot(&path), "http_requests_total", &labels), 100_000);
    }
}

#[test]
fn snapshots_make_no_system_call_and_allocate_nothing_once_warm() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let scratch = Scratch::new("calm-reader");
    let path = scratch.path("segment");
    let segment = Segment::options().role("role").open_or_create_at(&path).unwrap();
    let counter = segment.counter("a_total").register().unwrap();
    let gauge = segment.gauge("c").merge(Merge::Each).register().unwrap();
    let histogram = segment
        .histogram("e_seconds")
        .unit(Unit::Seconds)
        .register()
        .unwrap();
    let number = segment.number("h").register().unwrap();
    let samples = segment.samples("i").register().unwrap();
    number.add_float(0.5);
    (0..500).for_each(|n| samples.record(f64::from(n)));
    let mark = segment.time_mark("j").first().register().unwrap();
    let state = segment.state("k").status("OK", None).register().unwrap();
    assert!(segment.text("m").register().unwrap().set("a text"));
    let group = segment.group("n").fields(["a", "b"]).register().unwrap();
    (0..500).for_each(|n| group.add([1, n]));
    let working = segment.in_flight("l").register().unwrap();
    let _tokens: Vec<_> = (0..100).map(|key| working.start(&key.to_string())).collect();
    counter.inc();
    gauge.set(4);
    mark.mark();
    state.set(0);
    (0..50_000).for_each(|n| histogram.record(n * 1000));
    ["one", "two", "three"]
        .iter()
        .for_each(|text| segment.log_error(text));
    // What was reset is subtracted each time.
    assert_eq!(shmetrics::reset::at_path(&path, |_| true).unwrap().series, 4);
    counter.inc();
    (0..50_000).for_each(|n| histogram.record(n * 1000));
    let code = under_seccomp(|| {
        let mut reader = Reader::open_path(&path).unwrap();
        reader.per_process(true);
        let mut live = reader.snapshot().unwrap();
        let mut cut = reader.cut().unwrap();
        for _ in 0..3 {
            reader.snapshot_into(&mut live).unwrap();
            reader.cut_into(&mut cut).unwrap();
        }
        Box::new(move || {
            let before = ALLOCATIONS.get();
            // Dropping a reader unmaps: not now.
            let mut reader = std::mem::ManuallyDrop::new(reader);
            for _ in 0..1000 {
                if reader.snapshot_into(&mut live).is_err() || reader.cut_into(&mut cut).is_err() {
                    return false;
                }
            }
            ALLOCATIONS.get() == before
        })
    });
    assert_calm(code);
}
