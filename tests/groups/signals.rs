//! A signal handler that adds to the group that its thread is adding to.
#![allow(unsafe_code)]

use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use super::*;

/// What the handler adds to, and how often it did.
static GROUP: OnceLock<Group<3>> = OnceLock::new();
static HANDLED: AtomicU64 = AtomicU64::new(0);

extern "C" fn handler(_: libc::c_int) {
    if let Some(group) = GROUP.get() {
        group.add(AMOUNTS);
        HANDLED.fetch_add(1, Relaxed);
    }
}

#[test]
fn a_handler_in_the_middle_of_an_update_tears_nothing() {
    let _alone = alone();
    let test = "signals::a_handler_in_the_middle_of_an_update_tears_nothing";
    let Some(path) = child_argument() else {
        // Another thread would get signals, too: in a process of its own.
        let scratch = Scratch::new("groups-handler");
        let path = scratch.path("segment");
        Worker::spawn(test, path.to_str().unwrap()).finish();
        let told = group(&path, "deliveries");
        assert!(fits(&told) && told.quality == Quality::Exact, "{told:?}");
        return;
    };
    let path = Path::new(&path);
    let segment = open(path);
    let group_here = deliveries(&segment);
    let _ = GROUP.set(group_here.clone());
    let every = libc::timeval {
        tv_sec: 0,
        tv_usec: 50,
    };
    let timer = libc::itimerval {
        it_interval: every,
        it_value: every,
    };
    // SAFETY: the handler only does what may be done in one; the timer is this process' own.
    unsafe {
        libc::signal(libc::SIGALRM, handler as *const () as libc::sighandler_t);
        libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut());
    }
    let mut own = 0;
    // Often enough that some come in the middle: those are in the shared lane.
    poll("signals in the middle of updates", || {
        (0..10_000).for_each(|_| group_here.add(AMOUNTS));
        own += 10_000;
        (HANDLED.load(Relaxed) > 2_000).then_some(())
    });
    // SAFETY: as above; a timer of zeros is none.
    unsafe {
        let none: libc::itimerval = core::mem::zeroed();
        libc::setitimer(libc::ITIMER_REAL, &raw const none, std::ptr::null_mut());
        libc::signal(libc::SIGALRM, libc::SIG_IGN);
    }
    let told = group(path, "deliveries");
    assert_eq!(
        (told.updates, told.quality),
        (own + HANDLED.load(Relaxed), Quality::Exact)
    );
    assert!(fits(&told), "{told:?}");
}
