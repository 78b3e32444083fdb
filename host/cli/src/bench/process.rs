//! What this process takes of the machine, as Linux tells it.

use std::{path::Path, time::Duration};

use super::Error;

/// Memory of this process that is in RAM, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Memory {
    /// All of it.
    pub(super) resident: u64,
    /// What of it is shared memory: the arena that holds the linear memories of live instances, and nothing else here.
    pub(super) shared: u64,
}

/// What this process has in RAM.
pub(super) fn memory() -> Result<Memory, Error> {
    let path = Path::new("/proc/self/status");
    memory_in(&read(path)?).ok_or_else(|| unclear(path, "it has no lines VmRSS and RssShmem"))
}

/// Processor time that the threads of this process have taken; those that ended are left out.
pub(super) fn processor_time() -> Result<Duration, Error> {
    Ok(Duration::from_nanos(sum_of_threads(
        "schedstat",
        "it does not begin with a number",
        on_processor_ns,
    )?))
}

/// How often threads of this process have waited for something and gone on; those that ended are left out.
pub(super) fn wakeups() -> Result<u64, Error> {
    sum_of_threads("status", "it has no line voluntary_ctxt_switches", waited)
}

/// The sum of what a file of each thread says.
fn sum_of_threads(file: &str, otherwise: &str, of: impl Fn(&str) -> Option<u64>) -> Result<u64, Error> {
    let tasks = Path::new("/proc/self/task");
    let entries = std::fs::read_dir(tasks).map_err(|error| unclear(tasks, &error.to_string()))?;
    let mut sum = 0;
    for entry in entries {
        let entry = entry.map_err(|error| unclear(tasks, &error.to_string()))?;
        let path = entry.path().join(file);
        // A thread may end while its neighbours are read.
        if let Ok(text) = read(&path) {
            sum += of(&text).ok_or_else(|| unclear(&path, otherwise))?;
        }
    }
    Ok(sum)
}

fn read(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|error| unclear(path, &error.to_string()))
}

fn unclear(path: &Path, reason: &str) -> Error {
    Error::Process {
        path: path.to_owned(),
        reason: reason.to_owned(),
    }
}

/// `VmRSS:     1234 kB`, as proc(5) has it.
fn memory_in(status: &str) -> Option<Memory> {
    let bytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        kib.checked_mul(1024)
    };
    Some(Memory {
        resident: bytes("VmRSS:")?,
        shared: bytes("RssShmem:")?,
    })
}

/// `voluntary_ctxt_switches:  12`, as proc(5) has it.
fn waited(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
    line.trim().parse().ok()
}

/// The first of three numbers: nanoseconds on a processor.
fn on_processor_ns(schedstat: &str) -> Option<u64> {
    schedstat.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_the_lines_of_that_name() {
        let status = "Name:\tlonghaul\nVmPeak:\t  999 kB\nVmRSS:\t    2048 kB\nRssAnon:\t    1 kB\nRssShmem:\t 1024 kB\n";
        let memory = memory_in(status).unwrap();
        assert_eq!((memory.resident, memory.shared), (2 << 20, 1 << 20));
        for line in ["VmRSS:\t    2048 kB\n", "RssShmem:\t 1024 kB\n", " kB"] {
            assert_eq!(memory_in(&status.replace(line, " ?")), None, "{line:?}");
        }
    }

    #[test]
    fn processor_time_is_the_first_number() {
        assert_eq!(on_processor_ns("123456 78 9\n"), Some(123_456));
        assert_eq!(on_processor_ns(""), None);
    }

    #[test]
    fn wakeups_are_the_waits_and_not_what_was_interrupted() {
        let status = "Name:\tx\nvoluntary_ctxt_switches:\t12\nnonvoluntary_ctxt_switches:\t3\n";
        assert_eq!(waited(status), Some(12));
        assert_eq!(waited("nonvoluntary_ctxt_switches:\t3\n"), None);
    }

    #[test]
    fn this_process_takes_memory_and_time() {
        assert!(memory().unwrap().resident > 0);
        assert!(processor_time().unwrap() > Duration::ZERO);
        let before = wakeups().unwrap();
        std::thread::sleep(Duration::from_millis(1));
        assert!(wakeups().unwrap() > before);
    }
}
