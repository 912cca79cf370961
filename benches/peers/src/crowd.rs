//! Writers in numbers: processes or threads that attach, count and stay.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use shmetrics::Segment;
use shmetrics::snapshot::Losses;

use crate::system::{self, Child};

/// Forked processes that have their parent's segment; they are killed when this is dropped.
pub struct Processes {
    children: Vec<Child>,
}

/// Forks so many, which do `work` one after another and then wait. `work` is told the how-manieth it is. Each gets a slot and lanes of its
/// own; if one of them got none, nothing would be measured that is meant, so that is an error.
pub fn processes(segment: &Segment, count: usize, work: impl Fn(&Segment, usize)) -> Processes {
    let fork = |number: usize| {
        let mut child = system::fork(|mut parent| {
            work(segment, number);
            parent.tell(1);
            parent.wait();
        });
        assert_eq!(child.hear(), Some(1), "child {number} ended");
        child
    };
    let children = (0..count).map(fork).collect();
    let snapshot = crate::sections::snapshot::reader(segment).1;
    assert_eq!(snapshot.losses, Losses::default(), "losses");
    Processes { children }
}

impl Processes {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.children.len()
    }
}

/// Threads of this process, each with a lane of its own; they end when this is dropped.
pub struct Threads {
    end: Vec<Sender<()>>,
    threads: Vec<JoinHandle<()>>,
}

/// Starts so many, which do `work` one after another and then wait.
pub fn threads(count: usize, work: impl Fn(usize) + Clone + Send + 'static) -> Threads {
    let mut all = Threads {
        end: Vec::new(),
        threads: Vec::new(),
    };
    let (done, is_done): (Sender<()>, Receiver<()>) = channel();
    for number in 0..count {
        let (end, ended) = channel::<()>();
        let (work, done) = (work.clone(), done.clone());
        let thread = std::thread::Builder::new().stack_size(64 << 10);
        let thread = thread.spawn(move || {
            work(number);
            let _ = done.send(());
            // Until the other end is dropped.
            let _ = ended.recv();
        });
        all.threads.push(thread.expect("a thread"));
        all.end.push(end);
        is_done.recv().expect("it works");
    }
    all
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.end.clear();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
