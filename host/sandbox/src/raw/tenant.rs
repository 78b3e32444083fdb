//! Stores together with the memories that their instances have in the arena, and private views of them.

use std::io;
use std::marker::PhantomData;
use std::sync::Arc;

use wasmtime::Store;

use super::pages::{Pages, Runs};
use super::slot::Slot;
use super::view::Showing;

/// What [`Arena::house`](super::arena::Arena::house) returns.
pub(crate) struct Housed<T: 'static, R> {
    /// What the closure returned.
    pub(crate) outcome: R,
    /// True if a memory could not be made because all slots are taken.
    pub(crate) full: bool,
    /// The store with its memories.
    pub(crate) tenant: Tenant<T>,
}

/// A store and the memories that its instance has in the arena.
pub(crate) struct Tenant<T: 'static> {
    pub(super) store: Store<T>,
    pub(super) slots: Vec<Arc<Slot>>,
}

impl<T> Tenant<T> {
    pub(crate) fn store(&self) -> &Store<T> {
        &self.store
    }

    /// The store must not be exchanged for another one: the memories are this one's.
    pub(crate) fn store_mut(&mut self) -> &mut Store<T> {
        &mut self.store
    }

    /// The contents of the memories, in the order of their creation.
    pub(crate) fn memories(&self) -> impl Iterator<Item = &[u8]> {
        self.slots.iter().map(|slot| {
            // SAFETY: the range is mapped (invariant 1) and initialised (zeros at first); nothing writes to it while the
            // tenant, and with it the store, is borrowed (invariant 4).
            unsafe { std::slice::from_raw_parts(slot.base().as_ptr(), slot.len()) }
        })
    }

    /// Call `begin` with the length of each memory in bytes, and `part` with what it holds, piece by piece. Where nothing was ever written
    /// the pieces are not the memory's: to read a page there would make it exist.
    pub(crate) fn read<S>(&self, state: &mut S, begin: impl Fn(&mut S, usize), part: impl Fn(&mut S, &[u8])) {
        const ZEROS: &[u8] = &[0; 64 << 10];
        for (slot, memory) in self.slots.iter().zip(self.memories()) {
            begin(state, memory.len());
            let mut at = slot.own_begin().min(memory.len());
            part(state, &memory[..at]);
            let skip = |state: &mut S, from: usize, to: usize| {
                for begin in (from..to).step_by(ZEROS.len()) {
                    part(state, &ZEROS[..ZEROS.len().min(to - begin)]);
                }
            };
            let told = slot.each_extent(|extent| {
                skip(state, at, extent.start);
                at = extent.end;
                part(state, &memory[extent]);
                true
            });
            match told {
                Ok(_) => skip(state, at, memory.len()),
                Err(_) => part(state, &memory[at..]),
            }
        }
    }

    /// Length of the memories together, in bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.slots.iter().map(|slot| slot.len()).sum()
    }

    /// How much of the memories has ever been written, in bytes: what they take from the machine.
    pub(crate) fn resident_bytes(&self) -> usize {
        self.slots.iter().map(|slot| slot.resident_bytes()).sum()
    }
}

/// An instance that stands ready to be a fork. What its memory holds means nothing until it shows a live tenant's.
pub(crate) struct Spare<T: 'static> {
    tenant: Tenant<T>,
    /// The pages of its memory, where they are known.
    kept: Option<Pages>,
}

impl<T> Spare<T> {
    /// Make the instance a spare. It must have exactly one memory.
    pub(crate) fn new(tenant: Tenant<T>) -> Self {
        Self { tenant, kept: None }
    }

    pub(crate) fn store(&self) -> &Store<T> {
        self.tenant.store()
    }

    /// Length of its memory in bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.tenant.memory_bytes()
    }

    /// Make its memory show what the memory of `live` holds; what is written to it stays private. Both must be instances of
    /// the same component with exactly one memory, and the spare's must be at least as long.
    pub(crate) fn show(self, live: &Tenant<T>) -> io::Result<View<'_, T>> {
        let ([own], [theirs]) = (self.tenant.slots.as_slice(), live.slots.as_slice()) else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a fork needs exactly one memory on both sides",
            ));
        };
        if own.len() < theirs.len() || !Arc::ptr_eq(&own.arena, &theirs.arena) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "the fork's memory is shorter than the original",
            ));
        }
        // SAFETY: it is the fork's own slot, which nobody else uses and in which nothing runs now, nor did since it was kept; the other
        // one is borrowed as long as the view exists, and with it the store in which alone something could change it.
        let shown = match unsafe { own.show(theirs, self.kept) }? {
            Showing::Copy => None,
            Showing::InPlace(pages) => Some(Shown {
                slot: theirs.clone(),
                pages,
                live: PhantomData,
            }),
        };
        Ok(View {
            tenant: self.tenant,
            _shown: shown,
        })
    }
}

/// A tenant whose memory is its own, or a private view of another's.
pub(crate) struct View<'a, T: 'static> {
    // Before what it shows, so that it is dropped before it.
    tenant: Tenant<T>,
    /// What is shown in place, and not as a copy.
    _shown: Option<Shown<'a>>,
}

/// The slot of a live tenant that is borrowed.
struct Shown<'a> {
    slot: Arc<Slot>,
    /// The pages of its own range that existed at first. Of a memory with many they are not told, and what a view makes exist by reading
    /// stays: it is counted when the memory is next measured, and goes with it.
    pages: Option<Runs>,
    live: PhantomData<&'a ()>,
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if let Some(pages) = &self.pages {
            // SAFETY: the live tenant was borrowed since the pages were told, and is still, so nothing has changed what it holds. What
            // else shows it, or reads it, does that only.
            unsafe { self.slot.forget_read(pages) };
        }
    }
}

impl<T> View<'static, T> {
    /// No view of anything: the tenant as it is.
    pub(crate) fn own(tenant: Tenant<T>) -> Self {
        View { tenant, _shown: None }
    }
}

impl<T> View<'_, T> {
    pub(crate) fn store(&self) -> &Store<T> {
        self.tenant.store()
    }

    /// As [`Tenant::store_mut`].
    pub(crate) fn store_mut(&mut self) -> &mut Store<T> {
        self.tenant.store_mut()
    }

    /// As [`Tenant::memory_bytes`].
    pub(crate) fn memory_bytes(&self) -> usize {
        self.tenant.memory_bytes()
    }

    /// As [`Tenant::memories`]: what this view shows, and what was written to it.
    pub(crate) fn memories(&self) -> impl Iterator<Item = &[u8]> {
        self.tenant.memories()
    }

    /// The view is over. Most of the pages that were written to are given back.
    pub(crate) fn into_spare(self) -> Spare<T> {
        let kept = match self.tenant.slots.as_slice() {
            // SAFETY: it is the fork's own slot, in which nothing runs; its contents mean nothing from here on.
            [slot] => unsafe { slot.keep() },
            _ => None,
        };
        Spare {
            tenant: self.tenant,
            kept,
        }
    }
}
