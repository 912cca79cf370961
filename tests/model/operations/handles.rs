//! The handles of all series, and actors that use them at the same time.

use super::*;

/// All series, as one process has them.
pub(super) struct Handles {
    segment: Segment,
    counter: Counter,
    float: FloatCounter,
    integer: Histogram,
    floats: FloatHistogram,
    classic: FloatHistogram,
    requests: Family<Counter, 2>,
    balance: Gauge,
    gauges: Vec<Gauge>,
    float_gauges: Vec<FloatGauge>,
    number: shmetrics::Number,
    samples: shmetrics::Samples,
    first: TimeMark,
    last: TimeMark,
    told: EventWriter,
    keys: InFlight,
}

impl Handles {
    pub(super) fn register(segment: Segment, setup: &Setup) -> Handles {
        let [first, second] = setup.exponential;
        let (unit, factor) = UNITS[setup.unit];
        let integer = segment
            .histogram("integer")
            .unit(unit)
            .factor(factor)
            .scale(first.0);
        let floats = segment.histogram_float("float").scale(second.0);
        Handles {
            counter: segment.counter("counter_total").register().unwrap(),
            float: segment.counter_float("float_total").register().unwrap(),
            integer: integer
                .range(first.1, first.2)
                .ring_slots(setup.rings[0])
                .register()
                .unwrap(),
            floats: floats
                .range(second.1, second.2)
                .ring_slots(setup.rings[1])
                .register()
                .unwrap(),
            classic: segment
                .histogram_classic("classic", &setup.bounds)
                .ring_slots(setup.rings[2])
                .register()
                .unwrap(),
            requests: segment
                .counter("requests_total")
                .family(["method", "code"])
                .unwrap(),
            balance: segment.gauge("balance").merge(Merge::Sum).register().unwrap(),
            gauges: Merge::ALL
                .map(|rule| segment.gauge(rule.name()).merge(rule).register().unwrap())
                .into(),
            float_gauges: Merge::ALL
                .map(|rule| {
                    let name = format!("float_{}", rule.name());
                    segment.gauge_float(&name).merge(rule).register().unwrap()
                })
                .into(),
            number: segment.number("number").register().unwrap(),
            samples: segment.samples("samples").keep(KEPT).register().unwrap(),
            first: segment.time_mark("first_mark").first().register().unwrap(),
            last: segment.time_mark("last_mark").register().unwrap(),
            told: segment
                .events("told")
                .capacity(16)
                .kind(1, "told", &[("value", FieldKind::U64)])
                .register()
                .unwrap()
                .kind("told")
                .unwrap(),
            keys: segment.in_flight("keys").capacity(64).register().unwrap(),
            segment,
        }
    }

    fn apply(&self, actor: Actor, op: &Op) {
        match *op {
            Op::Inc => self.counter.inc(),
            Op::Add(value) => self.counter.add(value),
            Op::FloatAdd(value) => self.float.add(f64::from(value)),
            Op::Integer(value) => self.integer.record(value),
            Op::Float(value) => self.floats.record(value),
            Op::Classic(value) => self.classic.record(value),
            Op::Label([method, code], count, false) => {
                self.requests.with([METHODS[method], CODES[code]]).add(count);
            }
            Op::Label([method, code], count, true) => {
                let builder = self.segment.counter("requests_total").label("code", CODES[code]);
                builder
                    .label("method", METHODS[method])
                    .register()
                    .unwrap()
                    .add(count);
            }
            Op::Balance(value) => self.balance.add(value.into()),
            Op::Number(value) => self.number.add(value),
            Op::NumberFloat(value) => self.number.add_float(value.into()),
            Op::Sample(value) => self.samples.record(value.into()),
            Op::Mark(at_ns) => {
                self.first.mark_at_ns(at_ns);
                self.last.mark_at_ns(at_ns);
            }
            Op::Tell(value) => self.told.write(&[events::Value::U64(value)]),
            Op::Key(key, leave) => {
                // Nobody ends a key that somebody leaves: they have names of their own.
                let leaves = leave && !actor.is_process();
                let name = [if leaves { b'l' } else { b'e' }, b'0' + key];
                let name = std::str::from_utf8(&name).unwrap();
                let token = self.keys.start(name);
                if !leaves {
                    self.keys.finish(token);
                }
            }
        }
    }

    fn apply_gauge(&self, op: &GaugeOp) {
        let (gauge, float) = (&self.gauges[op.rule], &self.float_gauges[op.rule]);
        let (whole, real) = (i64::from(op.value), f64::from(op.value));
        match (op.write, op.float) {
            (Write::Set, false) => gauge.set(whole),
            (Write::Add, false) => gauge.add(whole),
            (Write::Sub, false) => gauge.sub(whole),
            (Write::SetMax, false) => gauge.set_max(whole),
            (Write::SetMin, false) => gauge.set_min(whole),
            (Write::Set, true) => float.set(real),
            (Write::Add, true) => float.add(real),
            (Write::Sub, true) => float.sub(real),
            (Write::SetMax, true) => float.set_max(real),
            (Write::SetMin, true) => float.set_min(real),
        }
    }

    /// What a child leaves in gauges whose values die with it.
    fn leave_noise(&self) {
        for (rule, index) in Merge::ALL.into_iter().zip(0..) {
            if !rule.outlives_process() {
                self.gauges[index].set(1_000_000_007);
                self.float_gauges[index].set(-1e9);
            }
        }
    }

    fn run(&self, actor: Actor, ops: &[Op]) {
        ops.iter()
            .filter(|op| actor.can(op))
            .for_each(|op| self.apply(actor, op));
    }

    /// As a process of its own; its exit code.
    fn run_as_child(&self, actor: Actor, ops: &[Op], start: &Start<'_>) -> i32 {
        let (before, after) = ops.split_at(ops.len() / 4);
        self.leave_noise();
        self.run(actor, before);
        start.wait();
        match actor {
            Actor::ChildWithThreads => {
                let (one, other) = after.split_at(after.len() / 2);
                std::thread::scope(|scope| {
                    scope.spawn(|| self.run(actor, one));
                    self.run(actor, other);
                });
            }
            Actor::ChildThatOpens => {
                let segment = Segment::options().open_at(start.path).unwrap();
                Handles::register(segment, start.setup).run(actor, after);
            }
            _ => self.run(actor, after),
        }
        0
    }

    /// Runs all actors of a batch and waits for them. Were all children successful?
    ///
    /// No thread begins or ends while another forks: std has a lock there, which a child that starts threads would find taken for good
    /// (`std::sys::pal::unix::stack_overflow::thread_info`).
    pub(super) fn run_batch(&self, batch: &Batch, start: &Start<'_>) -> bool {
        start.reset();
        // What a thread does before all children are there, and what it does then.
        let mut works: Vec<(Actor, &[Op], &[Op])> = Vec::new();
        for (actor, ops) in &batch.actors {
            let (one, other) = ops.split_at(ops.len() / 2);
            match actor {
                Actor::Thread => works.push((*actor, one, other)),
                Actor::TwoThreads => works.extend([(*actor, one, &[][..]), (*actor, &[], other)]),
                _ => {}
            }
        }
        let threads = works.len() as u64 + u64::from(batch.gauges_in_a_thread);
        let write = || batch.gauges.iter().for_each(|op| self.apply_gauge(op));
        std::thread::scope(|scope| {
            for (actor, before, after) in works {
                scope.spawn(move || {
                    start.begin();
                    self.run(actor, before);
                    start.wait();
                    self.run(actor, after);
                });
            }
            if batch.gauges_in_a_thread {
                scope.spawn(|| {
                    start.begin();
                    write();
                    start.wait();
                });
            }
            start.wait_for(threads);
            let mut children = Vec::new();
            for (actor, ops) in batch.actors.iter().filter(|(actor, _)| actor.is_process()) {
                let child = || self.run_as_child(*actor, ops, start);
                children.push(match actor {
                    Actor::RawClone => raw_clone(child),
                    _ => fork(child),
                });
            }
            start.now();
            if !batch.gauges_in_a_thread {
                write();
            }
            for (actor, ops) in batch.actors.iter().filter(|(actor, _)| *actor == Actor::Here) {
                self.run(*actor, ops);
            }
            children.into_iter().map(wait).filter(|code| *code != 0).count() == 0
        })
    }
}

/// Lets all actors of a batch work at the same time. They wait awake.
pub(super) struct Start<'a> {
    pub(super) words: SharedWords,
    pub(super) path: &'a Path,
    pub(super) setup: &'a Setup,
}

impl Start<'_> {
    fn reset(&self) {
        (0..2).for_each(|word| self.words.word(word).store(0, Relaxed));
    }

    /// A thread of this process has begun.
    fn begin(&self) {
        self.words.word(0).fetch_add(1, Relaxed);
    }

    fn wait_for(&self, threads: u64) {
        while self.words.word(0).load(Relaxed) < threads {
            std::thread::yield_now();
        }
    }

    /// All children are there.
    fn now(&self) {
        self.words.word(1).store(1, Relaxed);
    }

    fn wait(&self) {
        while self.words.word(1).load(Relaxed) == 0 {
            std::thread::yield_now();
        }
    }
}
