//! Whether the stack of a goroutine has overflowed.
//!
//! The stacks of goroutines are blocks among others in a guest's memory. What overflows one writes over its neighbours, and the trap that
//! comes of it sooner or later says nothing of a stack. The lowest word of each stack is one that its code never writes, a canary, and the
//! Go SDK keeps a record from which the canary of the goroutine that runs is found.

/// What the SDK's record begins with: `guard` in `guest-sdk/go/internal/coro`.
const MARK: [u32; 4] = [0x6c6f_6e67, 0x6861_756c, 0x2067_6f20, 0x7374_6b3a];
const MARK_WORDS: usize = MARK.len();
const WORD: usize = size_of::<u32>();
/// The record is among the global variables, which are in front of the heap.
const SEARCHED_BYTES: usize = 4 << 20;

/// True if a goroutine was running in one of the memories and its canary is gone. False where that cannot be known, as in guests in other
/// languages.
pub(crate) fn overflowed<'a>(mut memories: impl Iterator<Item = &'a [u8]>) -> bool {
    memories.any(|memory| canary_is_gone(memory).unwrap_or(false))
}

fn canary_is_gone(memory: &[u8]) -> Option<bool> {
    let [running, offset, canary] = record(memory)?;
    // Zeros until the SDK has seen that the runtime is the one that it is made for.
    if canary == 0 {
        return None;
    }
    let task = word(memory, running)?;
    // On the system stack, which ends at address zero, there is no goroutine.
    if task == 0 {
        return None;
    }
    let at = task.checked_add(offset).and_then(|at| word(memory, at));
    // A task whose canary is nowhere was written over itself.
    Some(at.and_then(|at| word(memory, at)) != Some(canary))
}

/// The SDK's record, behind its mark: the address of the variable with the task that runs, where a task has its canary's address, and the
/// canary.
fn record(memory: &[u8]) -> Option<[u32; 3]> {
    let searched = &memory[..memory.len().min(SEARCHED_BYTES)];
    let (words, _) = searched.as_chunks::<WORD>();
    let at = words
        .windows(MARK_WORDS)
        .position(|words| words.iter().map(|word| u32::from_le_bytes(*word)).eq(MARK))?;
    let mut fields = words[at + MARK_WORDS..]
        .iter()
        .map(|word| u32::from_le_bytes(*word));
    Some([fields.next()?, fields.next()?, fields.next()?])
}

fn word(memory: &[u8], at: u32) -> Option<u32> {
    let at = usize::try_from(at).ok()?;
    let bytes = memory.get(at..at.checked_add(WORD)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANARY: u32 = 0xb83b_f575;
    const RUNNING: u32 = 64;
    const TASK: u32 = 128;
    const OFFSET: u32 = 36;
    const STACK: u32 = 256;

    fn put(memory: &mut [u8], at: u32, word: u32) {
        memory[at as usize..][..WORD].copy_from_slice(&word.to_le_bytes());
    }

    /// A guest in Go in which a goroutine runs.
    fn memory() -> Vec<u8> {
        let mut memory = vec![0; 512];
        let record = MARK.into_iter().chain([RUNNING, OFFSET, CANARY]);
        for (at, word) in (16..).step_by(WORD).zip(record) {
            put(&mut memory, at, word);
        }
        put(&mut memory, RUNNING, TASK);
        put(&mut memory, TASK + OFFSET, STACK);
        put(&mut memory, STACK, CANARY);
        memory
    }

    fn told(memory: &[u8]) -> bool {
        overflowed([memory].into_iter())
    }

    #[test]
    fn a_canary_that_is_gone_is_told() {
        let mut memory = memory();
        assert!(!told(&memory));
        put(&mut memory, STACK, 0);
        assert!(told(&memory));
    }

    #[test]
    fn so_is_a_task_that_was_written_over() {
        for at in [0, 1, 508, 509, 512, u32::MAX] {
            let mut memory = memory();
            put(&mut memory, TASK + OFFSET, at);
            assert!(told(&memory), "{at}");
        }
    }

    #[test]
    fn without_a_goroutine_or_a_record_nothing_is_told() {
        let mut other = memory();
        put(&mut other, RUNNING, 0);
        assert!(!told(&other));
        let mut unknown = memory();
        put(&mut unknown, 16 + 6 * WORD as u32, 0);
        put(&mut unknown, STACK, 0);
        assert!(!told(&unknown));
        assert!(!told(&[]) && !told(&vec![0; 1 << 16]) && !overflowed([].into_iter()));
        // A record that memory ends in is none.
        let whole = memory();
        for length in 0..16 + 7 * WORD {
            assert!(!told(&whole[..length]), "{length}");
        }
    }
}
