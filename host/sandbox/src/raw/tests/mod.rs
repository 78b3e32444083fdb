//! Tests of the arena, through Wasmtime.

use wasmtime::{Config, Engine, Instance, Module, Store};

use super::arena::Arena;
use super::image::Image;
use super::tenant::Tenant;

mod images;
mod views;

const SLOT: usize = 1 << 20;
const PAGE: usize = 64 << 10;

struct Bed {
    arena: Arena,
    engine: Engine,
    module: Module,
    /// What the memories begin with.
    image: Option<Image>,
}

/// A module with one page of memory that can be read, written and grown.
fn bed(slots: u32) -> Bed {
    bed_in(Arena::new(slots, SLOT).unwrap())
}

fn bed_in(arena: Arena) -> Bed {
    let mut config = Config::new();
    arena.serve(&mut config);
    let engine = Engine::new(&config).unwrap();
    let module = Module::new(
        &engine,
        wat::parse_str(
            r#"(module (memory 1)
            (func (export "set") (param i32 i32) (i32.store8 (local.get 0) (local.get 1)))
            (func (export "get") (param i32) (result i32) (i32.load8_u (local.get 0)))
            (func (export "get_at") (param i32) (result i32) (i32.load (local.get 0)))
            (func (export "get_at_offset") (param i32) (result i32) (i32.load8_u offset=4096 (local.get 0)))
            (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
            (func (export "size") (result i32) memory.size))"#,
        )
        .unwrap(),
    )
    .unwrap();
    Bed {
        arena,
        engine,
        module,
        image: None,
    }
}

type Guest = (Instance, Tenant<()>);

impl Bed {
    fn make(&self, minimum: usize) -> Result<Guest, bool> {
        let housed = self.arena.house(
            Store::new(&self.engine, ()),
            minimum,
            self.image.as_ref(),
            |store| Instance::new(store, &self.module, &[]),
        );
        housed
            .outcome
            .map(|i| (i, housed.tenant))
            .map_err(|_| housed.full)
    }
}

fn set(i: &Instance, store: &mut Store<()>, at: u32, value: u32) {
    i.get_typed_func::<(u32, u32), ()>(&mut *store, "set")
        .unwrap()
        .call(store, (at, value))
        .unwrap();
}

fn get(i: &Instance, store: &mut Store<()>, at: u32) -> u32 {
    i.get_typed_func::<u32, u32>(&mut *store, "get")
        .unwrap()
        .call(store, at)
        .unwrap()
}

fn grow(i: &Instance, store: &mut Store<()>, pages: i32) -> i32 {
    i.get_typed_func::<i32, i32>(&mut *store, "grow")
        .unwrap()
        .call(store, pages)
        .unwrap()
}

#[test]
fn a_full_arena_says_so_and_a_returned_slot_is_used_again() {
    let bed = bed(2);
    let first = bed.make(0).ok().unwrap();
    let _second = bed.make(0).ok().unwrap();
    assert!(bed.make(0).err().unwrap(), "the third does not fit");
    assert_eq!(bed.arena.taken(), 2);
    drop(first);
    assert_eq!(bed.arena.taken(), 1);
    assert!(bed.make(0).is_ok());
    assert_eq!(
        bed.arena.taken(),
        1,
        "the failed attempt and the dropped instance keep nothing"
    );
}

#[test]
fn a_slot_that_is_used_again_holds_zeros() {
    let bed = bed(1);
    let (i, mut t) = bed.make(0).ok().unwrap();
    assert_eq!(grow(&i, t.store_mut(), 3), 1);
    set(&i, t.store_mut(), 5, 1);
    set(&i, t.store_mut(), 4 * PAGE as u32 - 1, 1);
    drop(t);
    let (i, mut t) = bed.make(0).ok().unwrap();
    assert_eq!(t.memory_bytes(), PAGE);
    grow(&i, t.store_mut(), 3);
    assert!(
        t.memories()
            .all(|m| m.len() == 4 * PAGE && m.iter().all(|b| *b == 0))
    );
}

#[test]
fn a_slot_with_few_pages_keeps_them_and_one_with_many_gives_them_back() {
    let bed = bed(1);
    // Only what is written to: to read a page makes it exist as well.
    let used = |pages: u32| {
        let (i, mut t) = bed.make(0).ok().unwrap();
        grow(&i, t.store_mut(), 15);
        let before = t.resident_bytes();
        for at in (0..pages).map(|page| page * 4096) {
            assert_eq!(get(&i, t.store_mut(), at), 0);
            set(&i, t.store_mut(), at, 1);
        }
        before
    };
    assert_eq!(used(3), 0);
    assert_eq!(used(64), 3 * 4096, "three pages were kept");
    assert_eq!(used(1), 0, "64 pages were not");
}

#[test]
fn growth_ends_at_the_slot_and_nothing_beyond_the_length_can_be_reached() {
    let bed = bed(2);
    let (i, mut t) = bed.make(0).ok().unwrap();
    let (_j, neighbour) = bed.make(0).ok().unwrap();
    assert_eq!(grow(&i, t.store_mut(), 16), -1);
    assert_eq!(grow(&i, t.store_mut(), 15), 1);
    let poke = i.get_typed_func::<(u32, u32), ()>(t.store_mut(), "set").unwrap();
    assert!(poke.call(t.store_mut(), (SLOT as u32, 7)).is_err());
    assert!(neighbour.memories().all(|m| m.iter().all(|b| *b == 0)));
}

#[test]
fn what_lies_between_the_length_and_the_end_of_the_slot_cannot_be_reached() {
    let bed = bed(1);
    let (i, mut t) = bed.make(0).ok().unwrap();
    for beyond in [PAGE, PAGE + 1, 2 * PAGE, SLOT - 1] {
        for name in ["get_at", "get_at_offset"] {
            let peek = i.get_typed_func::<u32, u32>(t.store_mut(), name).unwrap();
            assert!(
                peek.call(t.store_mut(), beyond as u32).is_err(),
                "{name} {beyond}"
            );
        }
        let poke = i.get_typed_func::<(u32, u32), ()>(t.store_mut(), "set").unwrap();
        assert!(
            poke.call(t.store_mut(), (beyond as u32, 7)).is_err(),
            "set {beyond}"
        );
    }
    assert_eq!(grow(&i, t.store_mut(), 1), 1);
    set(&i, t.store_mut(), 2 * PAGE as u32 - 1, 7);
    let poke = i.get_typed_func::<(u32, u32), ()>(t.store_mut(), "set").unwrap();
    assert!(poke.call(t.store_mut(), (2 * PAGE as u32, 7)).is_err());
}

#[test]
fn only_what_was_written_is_resident() {
    let bed = bed(1);
    let (i, mut t) = bed.make(0).ok().unwrap();
    grow(&i, t.store_mut(), 15);
    let before = t.resident_bytes();
    set(&i, t.store_mut(), 9 * PAGE as u32, 1);
    assert_eq!(t.resident_bytes(), before + 4096);
    assert!(t.resident_bytes() < PAGE);
}

#[test]
fn memories_outside_of_a_house_are_refused() {
    let bed = bed(1);
    assert!(Instance::new(&mut Store::new(&bed.engine, ()), &bed.module, &[]).is_err());
    assert_eq!(bed.arena.taken(), 0);
}

#[test]
fn an_arena_beyond_all_addresses_is_refused() {
    assert!(Arena::new(u32::MAX, 1 << 40).is_err());
    assert!(Arena::new(0, SLOT).is_err());
}

/// What memories begin with in the tests of images: 5 kernel pages of 4 KiB, the second of which holds zeros.
fn contents() -> Vec<u8> {
    let mut contents = vec![0; PAGE];
    for (at, byte) in [(0, 1), (4095, 2), (8192, 3), (17_000, 4)] {
        contents[at] = byte;
    }
    contents
}

/// A bed whose memories begin so; this many of them share it at a time.
fn imaged(slots: u32, images_max: usize) -> Bed {
    imaged_in(Arena::with_images(slots, SLOT, images_max).unwrap())
}

fn imaged_in(arena: Arena) -> Bed {
    let mut bed = bed_in(arena);
    bed.image = Some(Image::new(&bed.arena, &contents()).unwrap());
    bed
}

fn holds(tenant: &Tenant<()>, expected: &[u8]) -> bool {
    tenant.memories().all(|m| {
        let (begin, rest) = m.split_at(expected.len());
        begin == expected && rest.iter().all(|b| *b == 0)
    })
}
