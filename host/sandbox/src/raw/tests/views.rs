//! Slots that show what another one holds.

use std::sync::atomic::Ordering;

use super::super::view::{COPIED_BYTES_MAX, KEPT_BYTES_MAX};
use super::*;
use crate::raw::tenant::Spare;

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

/// A slot in which a memory may have so much of its own that it is not copied.
const LARGE: usize = 4 << 20;
/// Of the memories in such slots.
const LENGTH: usize = 2 << 20;
/// Pages of a memory that is copied, and of one that is not.
const FEW: u32 = 20;
const MANY: u32 = 200;
const _: () =
    assert!(FEW as usize * 4096 < COPIED_BYTES_MAX && (MANY as usize - 5) * 4096 > COPIED_BYTES_MAX);

/// Where so many slots may be dressed.
fn large(slots: u32, images_max: usize) -> Bed {
    imaged_in(Arena::with_images(slots, LARGE, images_max).unwrap())
}

fn plain(slots: u32) -> Bed {
    Bed {
        image: None,
        ..large(slots, 0)
    }
}

/// What the arena's file takes, whichever slot it is.
fn file_bytes(bed: &Bed) -> usize {
    use std::os::unix::fs::MetadataExt;
    let file = std::fs::File::from(bed.arena.0.file.try_clone().unwrap());
    file.metadata().unwrap().blocks() as usize * 512
}

/// A live memory of as many bytes, in which so many kernel pages were written to, each with its number.
fn filled(bed: &Bed, bytes: usize, pages: u32) -> Guest {
    let (i, mut live) = bed.make(bytes).ok().unwrap();
    fill(&i, &mut live, pages);
    (i, live)
}

fn fill(i: &Instance, live: &mut Tenant<()>, pages: u32) {
    for page in 0..pages {
        set(i, live.store_mut(), page * 4096 + 7, page % 250 + 1);
    }
}

fn expected(pages: usize) -> Vec<u8> {
    let mut expected = contents();
    expected.resize(LENGTH, 0);
    for page in 0..pages {
        expected[page * 4096 + 7] = (page % 250 + 1) as u8;
    }
    expected
}

#[test]
fn views_of_much_and_of_little_follow_each_other() {
    // All share the image; only the live ones do; only the fork does; none.
    for (live_shares, fork_shares) in [(true, true), (true, false), (false, true), (false, false)] {
        let bed = large(4, 9);
        let without = Bed {
            arena: bed.arena.clone(),
            engine: bed.engine.clone(),
            module: bed.module.clone(),
            image: None,
        };
        let of = |shares| if shares { &bed } else { &without };
        let live = |pages| {
            let (i, mut live) = of(live_shares).make(LENGTH).ok().unwrap();
            for (at, byte) in contents().into_iter().enumerate().filter(|(_, byte)| *byte != 0) {
                set(&i, live.store_mut(), at as u32, byte.into());
            }
            fill(&i, &mut live, pages);
            live
        };
        let (few, many) = (live(FEW), live(MANY));
        let (i, mut fork) = of(fork_shares).make(LENGTH).ok().unwrap();
        // What the fork held before.
        fill(&i, &mut fork, 400);
        let mut spare = Spare::new(fork);
        for (round, lives) in [&few, &many, &many, &few, &few, &many].into_iter().enumerate() {
            let pages = if std::ptr::eq(lives, &few) { FEW } else { MANY } as usize;
            let mut view = spare.show(lives).unwrap();
            let shown: Vec<u8> = view.memories().flatten().copied().collect();
            assert!(shown == expected(pages), "{live_shares} {fork_shares} {round}");
            // It writes to all of it, in its own way each time.
            for at in (0..LENGTH).step_by(1024 << (round % 3)) {
                set(&i, view.store_mut(), at as u32, 255);
            }
            spare = view.into_spare();
        }
        assert!(holds(&few, &expected(FEW as usize)) && holds(&many, &expected(MANY as usize)));
        drop((spare, few, many));
        let all: Vec<Guest> = (0..4).map(|_| bed.make(0).ok().unwrap()).collect();
        assert!(all.iter().all(|(_, t)| holds(t, &contents())));
    }
}

#[test]
fn the_view_of_a_shorter_memory_ends_with_zeros() {
    for pages in [FEW, MANY] {
        let bed = plain(3);
        let (_, live) = filled(&bed, LENGTH, pages);
        let (j, other) = filled(&bed, LARGE, 400);
        let (i, mut fork) = bed.make(LARGE).ok().unwrap();
        fill(&i, &mut fork, 1000);
        let held = Spare::new(fork).show(&other).unwrap().into_spare();
        let mut view = held.show(&live).unwrap();
        assert_eq!(view.memory_bytes(), LARGE);
        for page in 0..1024 {
            let value = if page < pages { page % 250 + 1 } else { 0 };
            assert_eq!(
                get(&i, view.store_mut(), page * 4096 + 7),
                value,
                "page {page} of {pages}"
            );
        }
        drop((j, other));
    }
}

#[test]
fn a_view_has_no_pages_beneath_it() {
    let bed = plain(2);
    let (_, live) = filled(&bed, LENGTH, MANY);
    let (i, mut fork) = bed.make(LENGTH).ok().unwrap();
    fill(&i, &mut fork, 50);
    assert_eq!(file_bytes(&bed), (MANY + 50) as usize * 4096);
    let view = Spare::new(fork).show(&live).unwrap();
    assert_eq!(file_bytes(&bed), MANY as usize * 4096);
    drop(view.into_spare());
    assert_eq!(file_bytes(&bed), MANY as usize * 4096);
}

#[test]
fn a_spare_keeps_few_pages() {
    for (touched, kept) in [(0, FEW), (30, 30), (257, 0)] {
        let bed = plain(2);
        let (_, live) = filled(&bed, LENGTH, FEW);
        let (i, fork) = bed.make(LENGTH).ok().unwrap();
        let mut view = Spare::new(fork).show(&live).unwrap();
        for page in 0..touched {
            set(&i, view.store_mut(), page * 4096, 1);
        }
        let spare = view.into_spare();
        assert_eq!(file_bytes(&bed), (FEW + kept) as usize * 4096, "{touched}");
        assert!(kept as usize * 4096 <= KEPT_BYTES_MAX);
        drop(spare);
    }
}

#[test]
fn to_read_what_was_never_written_takes_no_memory() {
    // Copied; mapped, with pages that are few enough to be told; mapped, with more.
    for (pages, alike) in [(FEW, true), (FEW, false), (MANY, true)] {
        let mut bed = if alike { plain(3) } else { large(3, 9) };
        let (_, live) = filled(&bed, LENGTH, pages);
        let before = live.resident_bytes();
        bed.image = None;
        let first = Spare::new(bed.make(LENGTH).ok().unwrap().1);
        let (i, second) = bed.make(LENGTH).ok().unwrap();
        let first = first.show(&live).unwrap();
        let mut second = Spare::new(second).show(&live).unwrap();
        for at in (0..LENGTH).step_by(4096) {
            get(&i, second.store_mut(), at as u32);
            set(&i, second.store_mut(), at as u32 + 1, 255);
        }
        drop(second);
        assert!(first.memories().flatten().all(|byte| *byte != 255));
        drop(first.into_spare());
        // Where there are many it would cost each view a walk over all of them, so what was read stays, and is counted.
        let before = if pages == MANY { LENGTH } else { before };
        assert_eq!(
            live.resident_bytes(),
            before,
            "by a view of {pages} pages, {alike}"
        );
        let mut read = Vec::new();
        live.read(
            &mut read,
            |read, length| {
                assert_eq!(length, LENGTH);
                read.clear();
            },
            |read, part| read.extend_from_slice(part),
        );
        assert_eq!(live.resident_bytes(), before, "by the host");
        assert!(live.memories().eq([read.as_slice()]));
    }
}

#[test]
fn to_show_a_memory_of_much_does_not_walk_over_it() {
    let bed = plain(2);
    let (i, mut live) = bed.make(LARGE).ok().unwrap();
    // Every second page, so that each is a run of its own.
    for page in (0..1024).step_by(2) {
        set(&i, live.store_mut(), page * 4096, 1);
    }
    let mut spare = Spare::new(bed.make(LARGE).ok().unwrap().1);
    bed.arena.0.seeks.store(0, Ordering::Relaxed);
    // As far as it might be copied, and one run more; afterwards it is known. Each run takes two.
    for runs in [COPIED_BYTES_MAX / 4096 + 1, 0, 0] {
        spare = spare.show(&live).unwrap().into_spare();
        // And one in the spare's own range, which has no pages.
        assert_eq!(bed.arena.0.seeks.swap(0, Ordering::Relaxed), 2 * runs + 1);
    }
}

#[test]
fn a_spare_that_has_shown_a_memory_of_the_other_dress_is_dressed_again() {
    for fork_shares in [true, false] {
        let mut bed = large(3, 9);
        let (_, dressed) = filled(&bed, LENGTH, FEW);
        let image = bed.image.take();
        let (_, plain) = filled(&bed, LENGTH, FEW);
        let (alike, other) = if fork_shares {
            bed.image = image;
            (dressed, plain)
        } else {
            (plain, dressed)
        };
        let fork = bed.make(LENGTH).ok().unwrap().1;
        let spare = Spare::new(fork).show(&other).unwrap().into_spare();
        let before = file_bytes(&bed);
        let view = spare.show(&alike).unwrap();
        // A copy has pages of its own, and a view that is mapped has none.
        let own = if fork_shares { FEW - 5 } else { FEW };
        assert_eq!(file_bytes(&bed), before + own as usize * 4096, "{fork_shares}");
        let mut spare = view.into_spare();
        assert_eq!(file_bytes(&bed), before + own as usize * 4096, "it keeps them");
        for live in [&alike, &other, &alike] {
            let view = spare.show(live).unwrap();
            assert!(view.memories().eq(live.memories()));
            spare = view.into_spare();
        }
    }
}

#[test]
fn a_slot_that_has_shown_a_memory_shorter_than_its_image_is_as_good_as_new() {
    let mut bed = imaged(2, 2);
    let image = bed.image.take();
    let short = r#"(module (memory 0)
        (func (export "set") (param i32 i32) (i32.store8 (local.get 0) (local.get 1))))"#;
    bed.module = Module::new(&bed.engine, wat::parse_str(short).unwrap()).unwrap();
    let (_, live) = bed.make(0).ok().unwrap();
    bed.image = image;
    let (i, fork) = bed.make(PAGE).ok().unwrap();
    let mut view = Spare::new(fork).show(&live).unwrap();
    assert!(
        view.memories()
            .all(|m| m.len() == PAGE && m.iter().all(|b| *b == 0))
    );
    // Beneath the image.
    set(&i, view.store_mut(), 100, 9);
    drop(view);
    bed.image = None;
    let (_, next) = bed.make(PAGE).ok().unwrap();
    assert!(next.memories().all(|m| m.iter().all(|b| *b == 0)));
}

#[test]
fn all_that_a_memory_with_an_image_holds_is_read() {
    for images_max in [1, 0] {
        let bed = large(1, images_max);
        let (_, live) = filled(&bed, LENGTH, 3);
        let mut read = Vec::new();
        live.read(&mut read, |_, _| {}, |read, part| read.extend_from_slice(part));
        assert!(read == expected(3));
    }
}

#[test]
fn views_take_mappings_that_images_then_do_not_have() {
    // One slot may be dressed, or show another one.
    let mut bed = large(4, 1);
    let image = bed.image.take();
    let (_, live) = filled(&bed, LENGTH, MANY);
    let fork = bed.make(LENGTH).ok().unwrap().1;
    let view = Spare::new(fork).show(&live).unwrap();
    bed.image = image;
    let (_, copied) = bed.make(0).ok().unwrap();
    assert_eq!(copied.resident_bytes(), 5 * 4096);
    drop(view);
    let (_, dressed) = bed.make(0).ok().unwrap();
    assert_eq!(dressed.resident_bytes(), 0);
}
