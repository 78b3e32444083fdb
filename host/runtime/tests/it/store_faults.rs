//! A disk that is full, and one that fails: nothing that was acknowledged is lost, and everybody is told.

use std::time::{Duration, Instant};

use longhaul_runtime::{Clock, Error, Runtime};
use longhaul_store::{
    Store,
    faults::{FaultyDisk, Loss},
};
use serde_json::json;

use crate::{
    common::{self, *},
    worker,
    world::World,
};

/// A running runtime with its threads, because it is those that notice space.
fn running(disk: &FaultyDisk) -> Runtime {
    let mut options = options();
    options.long_poll = Duration::from_secs(2);
    let store = Store::open_with_backend(options.store.clone(), disk.clone()).unwrap();
    Runtime::open_on(options, store, Clock::system()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_polls_while_the_disk_is_full_gets_its_attempt_when_there_is_space() {
    // A1
    let disk = FaultyDisk::new();
    let rt = running(&disk);
    rt.upload_module(upload("lab", "lab")).await.unwrap();
    let program = json!({"steps": [worker::activity(json!({"start_to_close_ms": 60_000}))]});
    start(rt.clone(), "w", "Lab", "lab", &[program]).await.unwrap();
    disk.set_free_pages(Some(0));
    let waits = tokio::spawn(worker::poll(
        rt.clone(),
        worker::QUEUE,
        "worker",
        Duration::from_secs(30),
    ));
    let started = Instant::now();
    while rt.write_failure().is_none() {
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "nothing was to be written"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(!waits.is_finished(), "the attempt's start is not durable");
    disk.set_free_pages(None);
    let task = waits.await.unwrap().unwrap();
    assert_eq!(task.attempt, 1);
    worker::complete(rt.clone(), &task.task_token, json!(1))
        .await
        .unwrap();
    assert_eq!(result(rt.clone(), "w").await.unwrap(), json!(["echo=1"]));
    tokio::task::spawn_blocking(move || rt.stop()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_and_goes_on_when_there_is_space() {
    // S1, S9
    let disk = FaultyDisk::new();
    let rt = running(&disk);
    rt.upload_module(upload("counter", "")).await.unwrap();
    start(rt.clone(), "c", "Counter", "", &[]).await.unwrap();
    signal(rt.clone(), "c", "add", &[json!(1)], "s1").await.unwrap();

    disk.set_free_pages(Some(0));
    let refused = signal_until_refused(&rt).await;
    assert!(refused.to_string().contains("no space left"), "{refused}");
    assert!(
        refused.to_string().contains("free some space"),
        "it says what to do: {refused}"
    );
    assert!(rt.write_failure().is_some(), "health checks are told");
    let update = update(rt.clone(), "c", "add_and_get", &[json!(100)], "lost").await;
    assert!(matches!(update, Err(Error::Unavailable(_))), "{update:?}");
    let started = start(rt.clone(), "d", "Counter", "", &[]).await;
    assert!(matches!(started, Err(Error::Unavailable(_))), "{started:?}");
    let all = query(rt.clone(), "c", "all").await.unwrap();
    assert!(
        all.as_array().unwrap().iter().all(|v| v.as_i64() < Some(100)),
        "queries see what is durable: {all}"
    );

    disk.set_free_pages(None);
    let started = Instant::now();
    while rt.write_failure().is_some() {
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "there is space, and nobody has noticed"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let before = query(rt.clone(), "c", "all").await.unwrap();
    assert_eq!(
        before, all,
        "what was refused has left nothing, what was acknowledged is there"
    );
    signal(rt.clone(), "c", "add", &[json!(7)], "").await.unwrap();
    let after = query(rt.clone(), "c", "all").await.unwrap();
    assert_eq!(after.as_array().unwrap().len(), all.as_array().unwrap().len() + 1);
    signal(rt.clone(), "c", "finish", &[], "").await.unwrap();
    result(rt.clone(), "c").await.unwrap();
    common::export(&rt, "disk-full", "c");
    tokio::task::spawn_blocking(move || rt.stop()).await.unwrap();
}

/// A file has some slack, so the first messages may still fit.
async fn signal_until_refused(rt: &Runtime) -> Error {
    for number in 2..90 {
        if let Err(error) = signal(rt.clone(), "c", "add", &[json!(number)], &format!("s{number}")).await {
            assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
            return error;
        }
    }
    panic!("the disk is never full");
}

#[tokio::test]
async fn after_a_failed_sync_nothing_is_acknowledged_until_a_restart() {
    // S1
    let mut world = World::of("counter").await;
    world.start("c", "Counter", &[]).await.unwrap();
    world.signal("c", "add", &[json!(1)]).await.unwrap();
    world.disk.fail_sync(world.disk.syncs() + 1);
    let failed = world.signal("c", "add", &[json!(2)]).await;
    assert!(matches!(failed, Err(Error::Unavailable(_))), "{failed:?}");
    let failed = world.signal("c", "add", &[json!(3)]).await;
    let Err(Error::Unavailable(message)) = failed else {
        panic!("{failed:?}")
    };
    assert!(message.contains("restart"), "it says what to do: {message}");
    assert!(world.rt().write_failure().is_some());
    let answer = world.query("c", "all", &[]).await;
    match answer {
        Ok(all) => assert_eq!(all, json!([1]), "the durable state"),
        Err(error) => assert!(
            matches!(error, Error::Unavailable(_)),
            "or a clear error: {error:?}"
        ),
    }
    world.crash(Loss::All, Duration::ZERO);
    assert_eq!(world.query("c", "all", &[]).await.unwrap(), json!([1]));
    world.signal("c", "add", &[json!(4)]).await.unwrap();
    assert_eq!(world.query("c", "all", &[]).await.unwrap(), json!([1, 4]));
}
