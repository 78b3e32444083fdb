//! How Wasmtime gets its linear memories from the arena.

use std::cell::RefCell;
use std::sync::Arc;

use wasmtime::{LinearMemory, MemoryCreator, MemoryType};

use super::arena::{Inner, Taken};
use super::image::{self, Image};
use super::slot::Slot;

/// What the creator notes for [`Arena::house`](super::arena::Arena::house), which runs on the same thread.
pub(super) struct Recording {
    pub(super) slots: Vec<Arc<Slot>>,
    minimum_bytes: usize,
    image: Option<Arc<image::Inner>>,
    pub(super) full: bool,
}

impl Recording {
    fn new(minimum_bytes: usize, image: Option<Arc<image::Inner>>) -> Self {
        Self {
            slots: Vec::new(),
            minimum_bytes,
            image,
            full: false,
        }
    }
}

thread_local! {
    static RECORDING: RefCell<Option<Recording>> = const { RefCell::new(None) };
}

/// Memories are created within a scope only; it ends even if instantiation panics.
pub(super) struct Scope;

impl Scope {
    pub(super) fn enter(minimum_bytes: usize, image: Option<&Image>) -> Self {
        RECORDING.set(Some(Recording::new(
            minimum_bytes,
            image.map(|image| image.0.clone()),
        )));
        Self
    }

    pub(super) fn leave(self) -> Recording {
        RECORDING.take().unwrap_or_else(|| Recording::new(0, None))
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        RECORDING.set(None);
    }
}

pub(super) struct Creator(pub(super) Arc<Inner>);

// SAFETY: `new_memory` returns memory that is page aligned, of `slot_bytes` in reserve, and never moves. It is zeroed (invariant 2), or
// begins with an image where `house` was told so. Guards are 0 bytes by the engine's configuration, so that there is nothing to leave
// unmapped; a request for any is refused.
unsafe impl MemoryCreator for Creator {
    fn new_memory(
        &self,
        _: MemoryType,
        minimum: usize,
        _: Option<usize>,
        reserved: Option<usize>,
        guard: usize,
    ) -> Result<Box<dyn LinearMemory>, String> {
        if guard != 0 || reserved.is_some_and(|r| r > self.0.slot_bytes) {
            return Err("the engine's guard or reservation does not fit the arena".into());
        }
        RECORDING.with_borrow_mut(|recording| {
            let recording = recording
                .as_mut()
                .ok_or("a memory was made outside of the arena's `house`")?;
            let minimum = minimum.max(std::mem::take(&mut recording.minimum_bytes));
            if minimum > self.0.slot_bytes {
                return Err(format!(
                    "a memory of {minimum} bytes is over the limit of {}",
                    self.0.slot_bytes
                ));
            }
            let image = recording.image.take();
            if let Some(image) = &image
                && (minimum < image.len || !Arc::ptr_eq(&self.0, &image.arena))
            {
                return Err("the memory is shorter than what it begins with".into());
            }
            let taken = match &image {
                Some(image) => self.0.take_for(image),
                None => self.0.take().map(Taken::Plain),
            };
            let (index, dress, copy) = match taken {
                Some(Taken::Dressed(index)) => (index, image, None),
                Some(Taken::Plain(index)) => (index, None, image),
                None => {
                    recording.full = true;
                    return Err("all slots for memories are taken".into());
                }
            };
            let slot = Slot::new(self.0.clone(), index, minimum, dress);
            if let Some(image) = copy {
                // SAFETY: the slot was just taken, and holds zeros; it is of this arena, as long as the image at least.
                unsafe { image.copy_to(slot.base()) }.map_err(|error| error.to_string())?;
            }
            let slot = Arc::new(slot);
            recording.slots.push(slot.clone());
            Ok(Box::new(Memory(slot)) as Box<dyn LinearMemory>)
        })
    }
}

struct Memory(Arc<Slot>);

// SAFETY: the base never moves, all of `slot_bytes` is mapped, and `byte_size` never exceeds it.
unsafe impl LinearMemory for Memory {
    fn byte_size(&self) -> usize {
        self.0.len()
    }

    fn byte_capacity(&self) -> usize {
        self.0.arena.slot_bytes
    }

    fn grow_to(&mut self, new_size: usize) -> wasmtime::Result<()> {
        if new_size > self.0.arena.slot_bytes {
            return Err(wasmtime::format_err!(
                "a memory of {new_size} bytes is over the limit of its slot"
            ));
        }
        self.0.grow_to(new_size);
        Ok(())
    }

    fn as_ptr(&self) -> *mut u8 {
        self.0.base().as_ptr()
    }
}
