//! Writers in numbers: processes or threads that attach, count and stay.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use shmetrics::Segment;

use crate::system::{self, Child};

/// Forked processes, each with the segment opened by itself; they are killed when this is dropped.
pub struct Processes {
    children: Vec<Child>,
}

/// Forks so many, which do `work` one after another and then wait. `work` is told the how-manieth it is.
pub fn processes(path: &Path, count: usize, work: impl Fn(&Segment, usize)) -> Processes {
    let fork = |number: usize| {
        let mut child = system::fork(|mut parent| {
            // Nothing here lasts for an epoch.
            let options = Segment::options().without_ticker();
            let segment = options.open_at(path).expect("the segment");
            work(&segment, number);
            parent.tell(1);
            parent.wait();
        });
        assert_eq!(child.hear(), Some(1), "child {number} ended");
        child
    };
    Processes {
        children: (0..count).map(fork).collect(),
    }
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
