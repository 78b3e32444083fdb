#![allow(warnings)]
use longhaul_sandbox::*;
use std::sync::Arc;
#[path = "../tests/support/mod.rs"]
mod support;
fn main() {
    let bytes = std::fs::read(std::env::args().nth(1).unwrap()).unwrap();
    let sandbox = Sandbox::new(support::options()).unwrap();
    let module = sandbox.compile(&bytes).map_err(|e| println!("{e}")).unwrap();
    println!("{:?}", module.fork_eligible());
    for name in [
        "add", "timer", "panic", "index", "sleep", "time", "env", "net", "stdin", "print", "oom", "recurse",
        "spin", "exit", "thread",
    ] {
        let lines = Arc::new(support::Lines::default());
        let mut i = module
            .instantiate(Setup {
                logs: lines.clone(),
                ..support::setup()
            })
            .unwrap();
        i.begin_task(support::task(1234567890));
        i.start(&support::info(), &vec![]).unwrap().unwrap();
        let r = i.signal(&support::meta(), name, &vec![]);
        println!("== {name}: {:?} {:?}", lines.texts(), i.take_commands().len());
        match r {
            Ok(()) => println!(
                "ok; fork: {:?}",
                i.fork()
                    .map(|mut f| {
                        f.query("add", &vec![], &vec![])
                            .map(|r| String::from_utf8(r.unwrap().data))
                            .map_err(|t| t.to_string())
                    })
                    .map_err(|e| e.to_string())
            ),
            Err(t) => {
                println!("{:?}: {t}", t.kind);
                for f in t.backtrace.iter().take(8) {
                    println!("     {} {f}", f.user);
                }
                println!("     stderr {:?}", t.stderr);
            }
        }
        let mut i = module.instantiate(support::setup()).unwrap();
        i.begin_task(support::task(1234567890));
        i.start(&support::info(), &vec![]).unwrap().unwrap();
        i.signal(&support::meta(), "add", &vec![]).unwrap();
        let h = i.memory_hash();
        let r = i
            .fork()
            .unwrap()
            .query(name, &vec![], &vec![])
            .map(|r| String::from_utf8(r.unwrap().data))
            .map_err(|t| t.to_string());
        println!("   query: {r:?} same {}", h == i.memory_hash());
    }
    let a = |replaying| {
        let mut i = module.instantiate(support::setup()).unwrap();
        i.begin_task(Task {
            replaying,
            ..support::task(5)
        });
        i.start(&support::info(), &vec![]).unwrap().unwrap();
        for n in ["add", "add", "print", "time", "add", "env"] {
            i.signal(&support::meta(), n, &vec![]).unwrap();
            if !replaying {
                i.fork().unwrap().query("print", &vec![], &vec![]).unwrap();
            }
        }
        hex::encode(i.memory_hash())
    };
    println!("{} {}", a(false), a(true));
}
