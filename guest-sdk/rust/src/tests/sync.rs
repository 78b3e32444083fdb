//! Mutex, Semaphore and Queue.

use std::time::Duration;

use super::host::Driver;
use crate::workflows::{Mutex, Queue, Semaphore, select};
use crate::{WorkflowContext, WorkflowContextView, WorkflowResult, workflow, workflow_methods};

#[workflow]
struct Locks {
    mutex: Mutex,
    semaphore: Semaphore,
    queue: Queue<u32>,
    log: Vec<String>,
}

impl Default for Locks {
    fn default() -> Self {
        Self {
            mutex: Mutex::new(),
            semaphore: Semaphore::new(2),
            queue: Queue::new(1),
            log: Vec::new(),
        }
    }
}

fn second() -> Duration {
    Duration::from_secs(1)
}

#[workflow_methods]
impl Locks {
    #[run]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        ctx.cancelled().await;
        Ok(())
    }

    #[signal]
    async fn lock(ctx: &mut WorkflowContext<Self>, name: String) {
        let mutex = ctx.state(|s| s.mutex.clone());
        let _guard = mutex.lock().await;
        ctx.state_mut(|s| s.log.push(format!("{name} in")));
        ctx.timer(second()).await;
        ctx.state_mut(|s| s.log.push(format!("{name} out")));
    }

    #[signal]
    async fn try_for_a_second(ctx: &mut WorkflowContext<Self>, name: String) {
        let mutex = ctx.state(|s| s.mutex.clone());
        let got = select! {
            _guard = mutex.lock() => true,
            _ = ctx.timer(second()) => false,
        };
        ctx.state_mut(|s| s.log.push(format!("{name} {got}")));
    }

    #[signal]
    async fn enter(ctx: &mut WorkflowContext<Self>, name: String) {
        let semaphore = ctx.state(|s| s.semaphore.clone());
        let _permit = semaphore.acquire().await;
        ctx.state_mut(|s| s.log.push(format!("{name} in")));
        ctx.timer(second()).await;
    }

    #[signal]
    async fn push(ctx: &mut WorkflowContext<Self>, value: u32) {
        let queue = ctx.state(|s| s.queue.clone());
        queue.push(value).await;
        ctx.state_mut(|s| s.log.push(format!("pushed {value}")));
    }

    #[signal]
    async fn pop(ctx: &mut WorkflowContext<Self>) {
        let queue = ctx.state(|s| s.queue.clone());
        let value = queue.pop().await;
        ctx.state_mut(|s| s.log.push(format!("popped {value}")));
    }

    #[query]
    fn log(&self, _: &WorkflowContextView) -> String {
        self.log.join(", ")
    }
}

fn log(driver: &Driver) -> String {
    driver.query("log", &[]).unwrap()
}

// U5
#[test]
fn a_mutex_lets_one_pass_and_serves_in_order() {
    let driver = Driver::start::<Locks>(&[]);
    driver
        .signal("lock", &["\"a\""])
        .signal("lock", &["\"b\""])
        .signal("lock", &["\"c\""])
        .advance();
    assert_eq!(log(&driver), "\"a in\"");
    assert_eq!(driver.waiting()[1].awaits, "lock");
    assert_eq!(driver.complete(1, &[]).advance(), ["timer 2 1s"]);
    driver.complete(2, &[]).advance();
    assert_eq!(log(&driver), "\"a in, a out, b in, b out, c in\"");
}

// U5
#[test]
fn whoever_gives_up_is_passed_over() {
    let driver = Driver::start::<Locks>(&[]);
    driver
        .signal("lock", &["\"a\""])
        .signal("try_for_a_second", &["\"b\""])
        .signal("lock", &["\"c\""])
        .advance();
    driver.complete(2, &[]).advance();
    driver.complete(1, &[]).advance();
    assert_eq!(log(&driver), "\"a in, b false, a out, c in\"");
}

// U5
#[test]
fn a_semaphore_lets_so_many_pass() {
    let driver = Driver::start::<Locks>(&[]);
    for name in ["\"a\"", "\"b\"", "\"c\""] {
        driver.signal("enter", &[name]);
    }
    driver.advance();
    assert_eq!(log(&driver), "\"a in, b in\"");
    driver.complete(2, &[]).advance();
    assert_eq!(log(&driver), "\"a in, b in, c in\"");
}

// U5
#[test]
fn a_queue_gives_what_came_first_first() {
    let queue = Queue::new(3);
    for value in 1..=3 {
        queue.try_push(value).unwrap();
    }
    assert_eq!(queue.try_push(4), Err(4));
    assert_eq!([queue.try_pop(), queue.try_pop()], [Some(1), Some(2)]);
    queue.try_push(5).unwrap();
    assert_eq!(
        [queue.try_pop(), queue.try_pop(), queue.try_pop()],
        [Some(3), Some(5), None]
    );
}

// U5
#[test]
fn a_queue_has_bounds_and_keeps_the_order() {
    let driver = Driver::start::<Locks>(&[]);
    driver
        .signal("push", &["1"])
        .signal("push", &["2"])
        .signal("pop", &[])
        .signal("pop", &[])
        .signal("pop", &[]);
    driver.advance();
    assert_eq!(log(&driver), "\"pushed 1, popped 1, pushed 2, popped 2\"");
    driver.signal("push", &["3"]).advance();
    assert_eq!(
        log(&driver),
        "\"pushed 1, popped 1, pushed 2, popped 2, pushed 3, popped 3\""
    );
}
