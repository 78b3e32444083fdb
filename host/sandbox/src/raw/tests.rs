//! Tests of the arena and of private views, through Wasmtime.

use wasmtime::{Config, Engine, Instance, Module, Store};

use super::arena::Arena;
use super::image::Image;
use super::tenant::{Spare, Tenant};

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
fn a_private_view_shows_the_live_memory_and_never_changes_it() {
    let bed = bed(3);
    let (live_i, mut live) = bed.make(0).ok().unwrap();
    grow(&live_i, live.store_mut(), 2);
    set(&live_i, live.store_mut(), 2 * PAGE as u32, 42);
    let (fork_i, mut fork) = bed.make(live.memory_bytes()).ok().unwrap();
    set(&fork_i, fork.store_mut(), 7, 9);
    assert_eq!(
        grow(&fork_i, fork.store_mut(), 1),
        3,
        "the fork grew while it was prepared"
    );
    set(&fork_i, fork.store_mut(), 3 * PAGE as u32, 9);
    let mut view = Spare::new(fork).show(&live).unwrap();
    assert_eq!(
        get(&fork_i, view.store_mut(), 2 * PAGE as u32),
        42,
        "it shows the live memory"
    );
    assert_eq!(get(&fork_i, view.store_mut(), 7), 0, "and nothing of its own");
    assert_eq!(
        get(&fork_i, view.store_mut(), 3 * PAGE as u32),
        0,
        "beyond it there are zeros"
    );
    for at in 0..3 * PAGE as u32 / 512 {
        set(&fork_i, view.store_mut(), at * 512, 255);
    }
    assert_eq!(grow(&fork_i, view.store_mut(), 4), 4);
    drop(view);
    let bytes: Vec<u8> = live.memories().flatten().copied().collect();
    assert_eq!(bytes.len(), 3 * PAGE);
    assert!(
        bytes
            .iter()
            .enumerate()
            .all(|(at, b)| *b == if at == 2 * PAGE { 42 } else { 0 })
    );
    // The fork's slot is as good as new, and its addresses show its own range again.
    assert_eq!(bed.arena.taken(), 1);
    let (next_i, mut next) = bed.make(0).ok().unwrap();
    assert!(next.memories().all(|m| m.iter().all(|b| *b == 0)));
    set(&next_i, next.store_mut(), 2 * PAGE as u32 - 1 - PAGE as u32, 5);
    assert_eq!(get(&live_i, live.store_mut(), 2 * PAGE as u32), 42);
    assert_eq!(get(&live_i, live.store_mut(), PAGE as u32 - 1), 0);
}

#[test]
fn a_fork_that_is_too_short_is_refused() {
    let bed = bed(2);
    let (i, mut live) = bed.make(0).ok().unwrap();
    grow(&i, live.store_mut(), 1);
    let (_, fork) = bed.make(0).ok().unwrap();
    assert!(Spare::new(fork).show(&live).is_err());
    assert_eq!(bed.arena.taken(), 1);
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

#[test]
fn a_spare_that_is_used_again_shows_nothing_of_before() {
    let bed = bed(3);
    let live = |value: u32| {
        let (i, mut live) = bed.make(0).ok().unwrap();
        set(&i, live.store_mut(), 100, value);
        live
    };
    let (first, second) = (live(1), live(2));
    let (i, fork) = bed.make(0).ok().unwrap();
    let mut view = Spare::new(fork).show(&first).unwrap();
    assert_eq!(get(&i, view.store_mut(), 100), 1);
    set(&i, view.store_mut(), 200, 9);
    let mut view = view.into_spare().show(&second).unwrap();
    assert_eq!(
        (get(&i, view.store_mut(), 100), get(&i, view.store_mut(), 200)),
        (2, 0)
    );
    set(&i, view.store_mut(), 100, 9);
    let mut view = view.into_spare().show(&second).unwrap();
    assert_eq!(get(&i, view.store_mut(), 100), 2);
    drop(view);
    assert!(second.memories().all(|m| m[100] == 2 && m[200] == 0));
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
    let mut bed = bed_in(Arena::with_images(slots, SLOT, images_max).unwrap());
    bed.image = Some(Image::new(&bed.arena, &contents()).unwrap());
    bed
}

fn holds(tenant: &Tenant<()>, expected: &[u8]) -> bool {
    tenant.memories().all(|m| {
        let (begin, rest) = m.split_at(expected.len());
        begin == expected && rest.iter().all(|b| *b == 0)
    })
}

#[test]
fn memories_share_an_image_and_keep_apart_what_they_write() {
    for images_max in [9, 1, 0] {
        let bed = imaged(3, images_max);
        let (i, mut one) = bed.make(0).ok().unwrap();
        let (j, mut other) = bed.make(0).ok().unwrap();
        assert!(holds(&one, &contents()) && holds(&other, &contents()));
        set(&i, one.store_mut(), 8192, 7);
        set(&i, one.store_mut(), 5000, 8);
        grow(&i, one.store_mut(), 1);
        set(&i, one.store_mut(), PAGE as u32, 9);
        let mut expected = contents();
        (expected[8192], expected[5000]) = (7, 8);
        expected.push(9);
        assert!(holds(&one, &expected), "{images_max}");
        assert!(holds(&other, &contents()), "{images_max}");
        assert_eq!(get(&j, other.store_mut(), 8192), 3);

        // Slots that are used again begin as all do, whichever way round they come back.
        drop(one);
        let (_, again) = bed.make(0).ok().unwrap();
        assert!(holds(&again, &contents()), "{images_max}");
        drop((other, again));
        assert_eq!(bed.arena.taken(), 0);
        let all: Vec<Guest> = (0..3).map(|_| bed.make(2 * PAGE).ok().unwrap()).collect();
        assert!(all.iter().all(|(_, t)| holds(t, &contents())), "{images_max}");
        assert!(bed.make(0).err().unwrap(), "the arena is full");
    }
}

#[test]
fn of_an_image_only_what_was_written_to_is_resident() {
    let bed = imaged(2, 2);
    let (i, mut t) = bed.make(0).ok().unwrap();
    assert_eq!(t.resident_bytes(), 0);
    for at in (0..20_480).step_by(512) {
        let expected = contents()[at as usize];
        assert_eq!(get(&i, t.store_mut(), at), u32::from(expected));
    }
    assert_eq!(t.resident_bytes(), 0, "to read costs nothing");
    set(&i, t.store_mut(), 4096, 1);
    set(&i, t.store_mut(), 8200, 1);
    set(&i, t.store_mut(), 8201, 1);
    assert_eq!(t.resident_bytes(), 2 * 4096);
    set(&i, t.store_mut(), 32_768, 1);
    assert_eq!(t.resident_bytes(), 3 * 4096, "behind the image as well");
    let copied = imaged(1, 0);
    assert_eq!(
        copied.make(0).ok().unwrap().1.resident_bytes(),
        5 * 4096,
        "a copy is all its own"
    );
}

#[test]
fn a_private_view_of_a_memory_with_an_image_shows_all_of_it() {
    // The live memory and its fork: both share the image, one of them, none.
    for images_max in [3, 1, 0] {
        let bed = imaged(3, images_max);
        let (live_i, mut live) = bed.make(0).ok().unwrap();
        set(&live_i, live.store_mut(), 1, 42);
        set(&live_i, live.store_mut(), 17_000, 43);
        grow(&live_i, live.store_mut(), 1);
        set(&live_i, live.store_mut(), 2 * PAGE as u32 - 1, 44);
        let mut expected = contents();
        (expected[1], expected[17_000]) = (42, 43);
        expected.resize(2 * PAGE, 0);
        expected[2 * PAGE - 1] = 44;

        let (fork_i, mut fork) = bed.make(live.memory_bytes()).ok().unwrap();
        set(&fork_i, fork.store_mut(), 9000, 9);
        let mut spare = Spare::new(fork);
        for round in 0..3 {
            let mut view = spare.show(&live).unwrap();
            for (at, byte) in expected.iter().enumerate().filter(|(_, byte)| **byte != 0) {
                assert_eq!(
                    get(&fork_i, view.store_mut(), at as u32),
                    u32::from(*byte),
                    "{at}"
                );
            }
            assert_eq!(get(&fork_i, view.store_mut(), 9000), 0);
            for at in 0..2 * PAGE as u32 / 512 {
                set(&fork_i, view.store_mut(), at * 512, 255);
            }
            assert!(holds(&live, &expected), "{images_max} {round}");
            // The live one goes on between two queries.
            spare = view.into_spare();
            set(&live_i, live.store_mut(), 8192 + round, 50);
            expected[8192 + round as usize] = 50;
        }
        drop(spare);
        let rest: Vec<Guest> = (0..2).map(|_| bed.make(0).ok().unwrap()).collect();
        assert!(rest.iter().all(|(_, t)| holds(t, &contents())), "{images_max}");
        assert!(holds(&live, &expected));
    }
}

#[test]
fn slots_that_showed_an_image_hold_zeros_for_others() {
    let mut bed = imaged(2, 2);
    let image = bed.image.clone();
    let used = |bed: &Bed| {
        let (i, mut t) = bed.make(0).ok().unwrap();
        set(&i, t.store_mut(), 100, 5);
        set(&i, t.store_mut(), 60_000, 5);
        t
    };
    drop((used(&bed), used(&bed)));
    // Both stay dressed; one is needed for a memory without an image, while the image is still there.
    bed.image = None;
    let plain = used(&bed);
    drop(plain);
    let (_, plain) = bed.make(0).ok().unwrap();
    assert!(holds(&plain, &[]));
    // Nobody has the image any more.
    drop(image);
    let (_, other) = bed.make(0).ok().unwrap();
    assert!(holds(&other, &[]));
    assert_eq!(bed.arena.taken(), 2);
    assert!(bed.arena.is_full());
}

#[test]
fn slots_with_pages_of_zeros_can_show_an_image() {
    let mut bed = bed(1);
    let (i, mut t) = bed.make(0).ok().unwrap();
    set(&i, t.store_mut(), 0, 9);
    drop(t);
    bed.image = Some(Image::new(&bed.arena, &contents()).unwrap());
    let (i, mut t) = bed.make(0).ok().unwrap();
    assert_eq!((get(&i, t.store_mut(), 0), get(&i, t.store_mut(), 4095)), (1, 2));
    assert_eq!(t.resident_bytes(), 0);
    drop(t);
    // And another image after the first one.
    bed.image = Some(Image::new(&bed.arena, &[6; 5000]).unwrap());
    let (i, mut t) = bed.make(0).ok().unwrap();
    assert_eq!(
        (get(&i, t.store_mut(), 4999), get(&i, t.store_mut(), 5000)),
        (6, 0)
    );
    assert_eq!(t.resident_bytes(), 0);
}

#[test]
fn an_image_that_does_not_fit_is_refused() {
    let mut bed = bed(1);
    assert!(Image::new(&bed.arena, &vec![1; SLOT + 1]).is_err());
    bed.image = Some(Image::new(&bed.arena, &vec![1; PAGE + 1]).unwrap());
    assert!(!bed.make(0).err().unwrap(), "the memory is shorter");
    let of_another = imaged(1, 1);
    bed.image = of_another.image.clone();
    assert!(!bed.make(0).err().unwrap(), "it is another arena's");
    assert_eq!(bed.arena.taken(), 0);
}
