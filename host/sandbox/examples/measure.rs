#![allow(warnings)]
use longhaul_sandbox::*;
use std::time::Instant;
#[path = "../tests/support/mod.rs"]
mod support;
fn med(mut v: Vec<f64>) -> (f64, f64) {
    v.sort_by(|a, b| a.total_cmp(b));
    (v[v.len() / 2], v[v.len() * 99 / 100])
}
fn time(name: &str, n: usize, mut f: impl FnMut()) {
    for _ in 0..n / 10 {
        f();
    }
    let mut v = vec![];
    for _ in 0..n {
        let t = Instant::now();
        f();
        v.push(t.elapsed().as_secs_f64() * 1e6);
    }
    let (m, p) = med(v);
    println!("{name}: median {m:.2} us, p99 {p:.2} us");
}
fn main() {
    let arg = std::env::args().nth(1);
    let bytes = arg
        .as_ref()
        .map_or_else(support::probe, |p| std::fs::read(p).unwrap());
    let ty = std::env::args().nth(2).unwrap_or("Counter".into());
    let (sig, q) = if arg.is_some() {
        ("add", "total")
    } else {
        ("add", "q")
    };
    let input = if arg.is_some() {
        vec![support::json("1")]
    } else {
        vec![]
    };
    let dir = tempfile::tempdir().unwrap();
    let t = Instant::now();
    let sandbox = Sandbox::new(Options {
        cache_dir: Some(dir.path().into()),
        ..Options::default()
    })
    .unwrap();
    println!("new sandbox {:?}", t.elapsed());
    let t = Instant::now();
    let module = sandbox.compile(&bytes).unwrap();
    println!("compile {:?} ({} bytes)", t.elapsed(), bytes.len());
    let t = Instant::now();
    let module = sandbox.compile(&bytes).unwrap();
    println!(
        "from cache {:?} eligible {:?}",
        t.elapsed(),
        module.fork_eligible()
    );
    let info = || {
        let mut i = support::info();
        i.workflow_type = ty.clone();
        i
    };
    let start = || {
        let mut i = module.instantiate(support::setup()).unwrap();
        i.begin_task(support::task(1));
        i.start(&info(), &vec![]).unwrap().unwrap();
        i.advance().unwrap();
        i.take_commands();
        i
    };
    time("instantiate+prepare+drop", 3000, || {
        drop(module.instantiate(support::setup()).unwrap())
    });
    time("instantiate+start+advance+drop", 3000, || drop(start()));
    let mut i = start();
    let meta = support::meta();
    let mut n = 0u64;
    time("task with one signal", 50000, || {
        i.begin_task(support::task(2));
        i.signal(&meta, sig, &input).unwrap();
        i.advance().unwrap();
        i.take_commands();
    });
    let t = Instant::now();
    for _ in 0..100000 {
        i.begin_task(support::task(2));
        i.signal(&meta, sig, &input).unwrap();
        i.advance().unwrap();
        i.take_commands();
    }
    println!(
        "loop: {:.3} us a task, {:.3} us a call",
        t.elapsed().as_secs_f64() * 10.0,
        t.elapsed().as_secs_f64() * 5.0
    );
    println!("memory {} resident {}", i.memory_bytes(), i.resident_bytes());
    time("fork+query+drop", 3000, || {
        i.fork().unwrap().query(q, &vec![], &vec![]).unwrap().unwrap();
    });
    time("fork+drop", 3000, || {
        i.fork().unwrap();
    });
    let mut r = i.fork().unwrap();
    time("query alone", 3000, || {
        r.query(q, &vec![], &vec![]).unwrap().unwrap();
    });
    drop(r);
    time("memory hash", 300, || {
        i.memory_hash();
    });
    time("resident", 3000, || {
        i.resident_bytes();
    });
    let rss = || {
        std::fs::read_to_string("/proc/self/status")
            .unwrap()
            .lines()
            .find(|l| l.starts_with("VmRSS"))
            .unwrap()
            .split_whitespace()
            .nth(1)
            .unwrap()
            .parse::<u64>()
            .unwrap()
    };
    let parts = || {
        std::fs::read_to_string("/proc/self/status")
            .unwrap()
            .lines()
            .filter(|l| l.starts_with("Rss") || l.starts_with("VmPTE"))
            .map(|l| l.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let before = rss();
    let mut all = vec![];
    let t = Instant::now();
    for _ in 0..20000 {
        all.push(start());
    }
    println!("{}", parts());
    println!(
        "20000 live: {:?}, {} kB each, says {} each, {} maps",
        t.elapsed(),
        (rss() - before) as f64 / 20000.0,
        all[7].resident_bytes(),
        std::fs::read_to_string("/proc/self/maps")
            .unwrap()
            .lines()
            .count()
    );
    let t = Instant::now();
    drop(all);
    println!("dropped in {:?}", t.elapsed());
}
