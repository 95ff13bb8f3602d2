//! Virtual time. Every shopper is a task that only ever waits for an instant; the tasks run one at a time, in the order of those
//! instants and, at the same one, in the order in which they began to wait. So a run depends on nothing but its seed.

use std::{
    cell::{Cell, RefCell},
    cmp::Reverse,
    collections::BinaryHeap,
    future::Future,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

type Task = Pin<Box<dyn Future<Output = ()>>>;

#[derive(Default)]
struct Inner {
    now: Cell<Duration>,
    running: Cell<usize>,
    waits: Cell<u64>,
    timers: RefCell<BinaryHeap<Reverse<(Duration, u64, usize)>>>,
    spawned: RefCell<Vec<Task>>,
}

/// A clock that moves only when all tasks wait.
#[derive(Clone, Default)]
pub struct Clock(Rc<Inner>);

impl Clock {
    /// The time since the run began.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.0.now.get()
    }

    /// Starts a task beside the others.
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.0.spawned.borrow_mut().push(Box::pin(task));
    }

    /// Waits.
    pub fn sleep(&self, pause: Duration) -> impl Future<Output = ()> + use<> {
        Sleep { clock: self.clone(), until: self.now() + pause, set: false }
    }

    fn wake_at(&self, until: Duration, slot: usize) {
        let wait = self.0.waits.get();
        self.0.waits.set(wait + 1);
        self.0.timers.borrow_mut().push(Reverse((until, wait, slot)));
    }

    /// Runs until no task waits any more, or until the end.
    pub fn run(&self, end: Duration) {
        let mut tasks: Vec<Option<Task>> = Vec::new();
        let mut idle: Vec<usize> = Vec::new();
        loop {
            let spawned = std::mem::take(&mut *self.0.spawned.borrow_mut());
            let mut due: Vec<usize> = Vec::with_capacity(spawned.len());
            for task in spawned {
                let slot = idle.pop().unwrap_or(tasks.len());
                if slot == tasks.len() {
                    tasks.push(None);
                }
                tasks[slot] = Some(task);
                due.push(slot);
            }
            if due.is_empty() {
                let Some(Reverse((until, _, slot))) = self.0.timers.borrow_mut().pop() else { return };
                if until > end {
                    return;
                }
                self.0.now.set(until);
                due.push(slot);
            }
            for slot in due {
                self.0.running.set(slot);
                // A timer of a task that has ended meanwhile finds nobody, or a later task, which goes on waiting.
                if let Some(task) = tasks[slot].as_mut()
                    && task.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready()
                {
                    tasks[slot] = None;
                    idle.push(slot);
                }
            }
        }
    }
}

/// A value that one task waits for and another gives.
pub struct Promise<T> {
    clock: Clock,
    value: Rc<RefCell<Option<T>>>,
    waiting: Rc<Cell<Option<usize>>>,
}

impl<T> Clone for Promise<T> {
    fn clone(&self) -> Self {
        Self { clock: self.clock.clone(), value: Rc::clone(&self.value), waiting: Rc::clone(&self.waiting) }
    }
}

impl<T> Promise<T> {
    /// Not given yet.
    #[must_use]
    pub fn new(clock: &Clock) -> Self {
        Self { clock: clock.clone(), value: Rc::default(), waiting: Rc::default() }
    }

    /// Gives it.
    pub fn give(&self, value: T) {
        *self.value.borrow_mut() = Some(value);
        if let Some(slot) = self.waiting.take() {
            self.clock.wake_at(self.clock.now(), slot);
        }
    }
}

impl<T> Future for Promise<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<T> {
        if let Some(value) = self.value.borrow_mut().take() {
            return Poll::Ready(value);
        }
        self.waiting.set(Some(self.clock.0.running.get()));
        Poll::Pending
    }
}

struct Sleep {
    clock: Clock,
    until: Duration,
    set: bool,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        let inner = &self.clock.0;
        if inner.now.get() >= self.until {
            return Poll::Ready(());
        }
        if !self.set {
            self.clock.wake_at(self.until, inner.running.get());
            self.set = true;
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_run_in_the_order_of_their_instants() {
        let (clock, seen) = (Clock::default(), Rc::new(RefCell::new(Vec::new())));
        for (name, pause) in [("late", 20), ("early", 10), ("as late", 20)] {
            let (task_clock, seen) = (clock.clone(), Rc::clone(&seen));
            clock.spawn(async move {
                task_clock.sleep(Duration::from_millis(pause)).await;
                seen.borrow_mut().push((name, task_clock.now().as_millis()));
            });
        }
        clock.run(Duration::MAX);
        assert_eq!(*seen.borrow(), [("early", 10), ("late", 20), ("as late", 20)]);
    }
}
