//! The simulation, from one event to the next: a client asks, a key delivers, the kernel takes its share.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use ekey_egd::{FairQueue, Mark, Request};

use super::chance::Chance;
use super::habit::{Crowd, Habit};
use super::outcome::{Outcome, STEPS};
use super::world::World;

/// Runs crowds with their habits in `world` for `span`. The same seed gives the same outcome.
pub(crate) fn simulate(world: World, crowds: &[Crowd], span: Duration, seed: u64) -> Outcome {
    let mut simulation = Simulation::begin(world, crowds, span, seed);
    simulation.run();
    simulation.end()
}

/// A moment in nanoseconds: integers have a total order, fractions of seconds do not.
type Moment = u64;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Brings(u32),
    Kernel,
    Asks(usize),
}

struct Client {
    habit: Habit,
    /// The time of its next request in seconds, and the bytes.
    next: (f64, u32),
    /// Open requests, the oldest first: when it asked, and the bytes still to give.
    open: VecDeque<(Moment, u64)>,
    mark: Mark,
}

struct Simulation {
    world: World,
    end: Moment,
    now: Moment,
    chance: Chance,
    events: BinaryHeap<Reverse<(Moment, Event)>>,
    /// Blocks that each key has delivered.
    blocks: Vec<u64>,
    /// Where each key begins in the interval between two blocks.
    phases: Vec<f64>,
    doses: u64,
    kernel_wants: u64,
    clients: Vec<Client>,
    /// The waiting clients, in the daemon's order.
    queue: FairQueue<usize>,
    pool: u64,
    outcome: Outcome,
}

impl Simulation {
    fn begin(world: World, crowds: &[Crowd], span: Duration, seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let phases = (0..world.keys).map(|_| chance.part()).collect::<Vec<_>>();
        let mut simulation = Self {
            world,
            end: moment(span.as_secs_f64()),
            now: 0,
            chance,
            events: BinaryHeap::new(),
            blocks: vec![0; phases.len()],
            phases,
            doses: 0,
            kernel_wants: 0,
            clients: Vec::new(),
            queue: FairQueue::new(),
            pool: world.held.min(world.pool),
            outcome: Outcome::new(span.as_secs_f64()),
        };
        for crowd in crowds {
            for _ in 0..crowd.clients {
                let request = crowd.habit.first(&mut simulation.chance);
                let client = simulation.clients.len();
                let mark = simulation.queue.entrance();
                let next = (request.at, request.bytes);
                simulation.clients.push(Client { habit: crowd.habit, next, open: VecDeque::new(), mark });
                simulation.expect(request.at, Event::Asks(client));
            }
        }
        (0..world.keys).for_each(|key| simulation.expect_block(key));
        simulation.expect_dose();
        simulation
    }

    fn run(&mut self) {
        while let Some(Reverse((at, event))) = self.events.pop() {
            self.advance(at);
            match event {
                Event::Brings(key) => self.bring(key),
                Event::Kernel => {
                    self.kernel_wants += self.world.kernel.map_or(0, |kernel| kernel.bytes);
                    self.feed_kernel();
                    self.expect_dose();
                }
                Event::Asks(client) => self.ask(client),
            }
            self.look();
        }
        self.advance(self.end);
    }

    fn end(mut self) -> Outcome {
        for (asked, _) in self.clients.iter().flat_map(|client| &client.open) {
            self.outcome.unanswered += 1;
            self.outcome.waits.add(seconds(self.end - asked));
        }
        self.outcome.held = self.pool;
        // A step without an event equals the one before it.
        let mut before = self.world.held.min(self.world.pool);
        for step in &mut self.outcome.steps {
            if step.pool == u64::MAX {
                step.pool = before;
            }
            before = step.pool;
        }
        self.outcome
    }

    fn expect(&mut self, at: f64, event: Event) {
        let at = moment(at).max(self.now);
        if at < self.end {
            self.events.push(Reverse((at, event)));
        }
    }

    fn expect_block(&mut self, key: u32) {
        let number = key as usize;
        let blocks = self.blocks[number] as f64 + self.phases[number];
        self.expect(blocks * self.world.block as f64 / self.world.bytes_per_s, Event::Brings(key));
    }

    fn expect_dose(&mut self) {
        if let Some(kernel) = self.world.kernel {
            self.expect(self.doses as f64 * kernel.every, Event::Kernel);
            self.doses += 1;
        }
    }

    fn advance(&mut self, to: Moment) {
        if self.pool == 0 || !self.queue.is_empty() {
            self.outcome.empty += seconds(to - self.now);
        }
        self.now = to;
    }

    fn bring(&mut self, key: u32) {
        self.blocks[key as usize] += 1;
        self.pool += self.world.block;
        self.outcome.brought += self.world.block;
        let step = self.step();
        self.outcome.steps[step].brought += self.world.block;
        self.feed_kernel();
        self.serve();
        let spare = self.pool.saturating_sub(self.world.pool);
        self.pool -= spare;
        self.outcome.overflowed += spare;
        self.expect_block(key);
    }

    fn feed_kernel(&mut self) {
        let taken = self.kernel_wants.min(self.pool);
        self.pool -= taken;
        self.kernel_wants -= taken;
        self.outcome.kernel += taken;
    }

    fn ask(&mut self, number: usize) {
        let step = self.step();
        let client = &mut self.clients[number];
        let (at, bytes) = client.next;
        let waits = !client.open.is_empty();
        client.open.push_back((self.now, bytes.into()));
        self.outcome.asked += u64::from(bytes);
        self.outcome.steps[step].asked += u64::from(bytes);
        let next = client.habit.next(at, &mut self.chance);
        client.next = (next.at, next.bytes);
        self.expect(next.at, Event::Asks(number));
        if !waits {
            self.queue.push(number, &mut self.clients[number].mark);
            self.serve();
        }
    }

    /// Gives each client in turn a whole request of the protocol, while the pool has enough for the next.
    fn serve(&mut self) {
        while let Some(number) = self.queue.peek() {
            let client = &mut self.clients[number];
            let Some((asked, rest)) = client.open.front_mut() else { return };
            let given = (*rest).min(Request::MOST_BYTES as u64);
            if given > self.pool {
                return;
            }
            self.queue.pop(|_| true);
            *rest -= given;
            self.pool -= given;
            self.outcome.given += given;
            client.mark.move_on(given);
            if *rest == 0 {
                self.outcome.waits.add(seconds(self.now - *asked));
                client.open.pop_front();
            }
            if !client.open.is_empty() {
                self.queue.push(number, &mut client.mark);
            }
        }
    }

    /// Records pool and waiting clients after an event.
    fn look(&mut self) {
        let at = self.step();
        let step = &mut self.outcome.steps[at];
        step.pool = step.pool.min(self.pool);
        step.waiting = step.waiting.max(self.queue.len() as u64);
    }

    fn step(&self) -> usize {
        ((seconds(self.now) / self.outcome.step_seconds()) as usize).min(STEPS - 1)
    }
}

fn moment(seconds: f64) -> Moment {
    (seconds * 1e9) as Moment
}

fn seconds(moment: Moment) -> f64 {
    moment as f64 / 1e9
}
