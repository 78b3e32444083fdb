#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used)]
use std::time::Instant;
use longhaul_store::*;
const NS: NamespaceId = NamespaceId::DEFAULT;
fn rec(run: u128) -> ExecutionRecord {
    ExecutionRecord { namespace: NS, workflow_id: format!("workflow-{run}"), run_id: RunId(run.wrapping_mul(0x9E3779B97F4A7C15F39CC0605CEDC835)), status: Status::Running,
        workflow_type: "Order".into(), task_queue: "default".into(), module: ModuleRef{name:"orders".into(),version:1,digest:[3;32]},
        start_time_ns: run as u64, execution_time_ns: run as u64, close_time_ns: None, first_run_id: RunId(run), next_event_id: 1, history_bytes: 0,
        parked: None, memo: vec![], search_attributes: vec![], start_request_id: format!("{}", RunId(run)), state: vec![7; 100] }
}
fn step(r: &mut ExecutionRecord) -> Transition {
    let a = Append{namespace:NS,run_id:r.run_id,first_event_id:r.next_event_id,count:4,last_event_time_ns:1,bytes:vec![5;800]};
    r.next_event_id += 4; r.history_bytes += 800;
    Transition::new(vec![Change::AppendEvents(a), Change::PutExecution(Box::new(r.clone()))])
}
fn cpu() -> f64 { let s = std::fs::read_to_string("/proc/self/stat").unwrap(); let f: Vec<&str> = s.rsplit(')').next().unwrap().split_whitespace().collect(); (f[11].parse::<f64>().unwrap() + f[12].parse::<f64>().unwrap()) / 100.0 }
fn main() {
    let path = std::env::args().nth(1).unwrap();
    let _ = std::fs::remove_file(&path);
    for (group, total) in [(100usize, 100_000usize)] {
        let _ = std::fs::remove_file(&path);
        let store = Store::open(Options{batch_max_transitions: group, ..Options::new(&path)}).unwrap();
        let w = store.inline_writer().unwrap();
        let mut s = w.register(|_| {});
        let mut recs: Vec<_> = (0..(total as u128/4).max(1)).map(rec).collect();
        let n = recs.len();
        for mode in ["new", "update"] {
            let t = Instant::now();
            let count = if mode == "new" { n } else { total };
            for i in 0..count {
                s.submit(step(&mut recs[(i * 7919) % n])).unwrap();
                if (i + 1) % group == 0 { w.pump(); }
            }
            w.pump();
            let e = t.elapsed();
            let c = cpu(); println!("cpu {:.1} us per transition (all so far)", c / (if mode == "new" { n } else { n + total }) as f64 * 1e6);
            println!("group {group} {mode}: {:.0}/s", count as f64 / e.as_secs_f64());
        }
        println!("  {:?} file {} MB", store.stats(), std::fs::metadata(&path).unwrap().len() >> 20);
    }
    if std::env::args().nth(2).is_none() { return; }
    // suspended
    let _ = std::fs::remove_file(&path);
    let store = Store::open(Options::new(&path)).unwrap();
    let w = store.inline_writer().unwrap();
    let mut s = w.register(|_| {});
    let t = Instant::now();
    for i in 0..100_000u128 {
        let mut r = rec(i);
        let mut tr = step(&mut r);
        tr.changes.push(Change::PutTimer(TimerKey{namespace:NS,due_ns:1<<60 | i as u64,run_id:r.run_id,kind:1,id:5}, Row{workflow_id:r.workflow_id.clone(), body: vec![1;20]}));
        s.submit(tr).unwrap();
        if i % 1000 == 999 { w.pump(); }
    }
    w.pump();
    println!("100k started with timers: {:?}", t.elapsed());
    let copy = format!("{path}.copy");
    std::fs::copy(&path, &copy).unwrap();
    for _ in 0..2 {
        let t = Instant::now();
        let st = Store::open(Options::new(&copy)).unwrap();
        let o = t.elapsed();
        let r = st.read().unwrap();
        let n = r.timers().unwrap().map(|x| x.unwrap()).count();
        let tt = t.elapsed();
        let m = r.open_executions().unwrap().map(|x| x.unwrap()).count();
        println!("open (unclean) {o:?}, + {n} timers {tt:?}, + {m} open executions {:?}", t.elapsed());
        std::fs::copy(&path, &copy).unwrap();
    }
    let t = Instant::now();
    let r = store.read().unwrap();
    for _ in 0..100 { let p = r.list(&Filter::all(NS), None, Limit{executions:100,examined:1000}, |_| true).unwrap(); assert_eq!(p.executions.len(), 100); }
    println!("page of 100: {:?}", t.elapsed()/100);
    let t = Instant::now();
    for i in 0..10000u128 { let _ = r.current_execution(NS, &format!("workflow-{i}")).unwrap().unwrap(); }
    println!("current_execution: {:?}", t.elapsed()/10000);
    drop(r);
    // threaded 2 shards, 100 in flight each
    let _ = std::fs::remove_file(&copy);
}
