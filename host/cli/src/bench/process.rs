//! What this process takes of the machine, as Linux tells it.

use std::{path::Path, time::Duration};

use super::Error;

/// Memory of this process that is in RAM, shared memory included, in bytes.
pub(super) fn resident_bytes() -> Result<u64, Error> {
    let path = Path::new("/proc/self/status");
    resident(&read(path)?).ok_or_else(|| unclear(path, "it has no line VmRSS"))
}

/// Processor time that the threads of this process have taken; those that ended are left out.
pub(super) fn processor_time() -> Result<Duration, Error> {
    let tasks = Path::new("/proc/self/task");
    let entries = std::fs::read_dir(tasks).map_err(|error| unclear(tasks, &error.to_string()))?;
    let mut total_ns = 0;
    for entry in entries {
        let entry = entry.map_err(|error| unclear(tasks, &error.to_string()))?;
        let path = entry.path().join("schedstat");
        // A thread may end while its neighbours are read.
        if let Ok(text) = read(&path) {
            total_ns +=
                on_processor_ns(&text).ok_or_else(|| unclear(&path, "it does not begin with a number"))?;
        }
    }
    Ok(Duration::from_nanos(total_ns))
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
fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// The first of three numbers: nanoseconds on a processor.
fn on_processor_ns(schedstat: &str) -> Option<u64> {
    schedstat.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_the_line_of_that_name() {
        let status = "Name:\tlonghaul\nVmPeak:\t  999 kB\nVmRSS:\t    2048 kB\nRssAnon:\t    1 kB\n";
        assert_eq!(resident(status), Some(2 << 20));
        for unclear in ["", "VmPeak:\t 1 kB\n", "VmRSS:\t many kB\n", "VmRSS:\t 1 MB\n"] {
            assert_eq!(resident(unclear), None, "{unclear:?}");
        }
    }

    #[test]
    fn processor_time_is_the_first_number() {
        assert_eq!(on_processor_ns("123456 78 9\n"), Some(123_456));
        assert_eq!(on_processor_ns(""), None);
    }

    #[test]
    fn this_process_takes_memory_and_time() {
        assert!(resident_bytes().unwrap() > 0);
        assert!(processor_time().unwrap() > Duration::ZERO);
    }
}
