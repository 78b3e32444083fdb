//! Memories that begin with an image.

use super::*;

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

/// The memory begins so. Only what is compared is read.
fn begins(tenant: &Tenant<()>, expected: &[u8]) -> bool {
    tenant.memories().all(|m| &m[..expected.len()] == expected)
}

#[test]
fn an_image_takes_the_place_of_another_that_nobody_shows() {
    // One slot may be dressed.
    let mut bed = imaged(2, 1);
    drop(bed.make(0).ok().unwrap());
    let first = bed.image.replace(Image::new(&bed.arena, &[6; 9000]).unwrap());
    let (i, mut t) = bed.make(0).ok().unwrap();
    assert!(begins(&t, &[6; 9000]));
    assert_eq!(t.resident_bytes(), 0, "it shows the image, and has no copy of it");
    set(&i, t.store_mut(), 100, 1);
    // While it does, the other one is copied.
    bed.image = first;
    let (_, copied) = bed.make(0).ok().unwrap();
    assert_eq!(copied.resident_bytes(), 5 * 4096);
    drop((t, copied));
    let (_, t) = bed.make(0).ok().unwrap();
    assert!(begins(&t, &contents()[..20_480]));
    assert_eq!(t.resident_bytes(), 0);
    assert!(holds(&t, &contents()));
}

#[test]
fn pages_that_are_locked_in_memory_are_not_shown_again() {
    let bed = imaged(1, 1);
    let (i, mut t) = bed.make(0).ok().unwrap();
    set(&i, t.store_mut(), 1, 9);
    // The kernel refuses to drop such pages.
    let begin = t.slots[0].base().as_ptr();
    // SAFETY: the range is mapped, and nothing is written to it.
    assert_eq!(unsafe { libc::mlock(begin.cast(), 5 * 4096) }, 0);
    assert_eq!(t.resident_bytes(), 5 * 4096);
    drop(t);
    let (_, t) = bed.make(0).ok().unwrap();
    assert_eq!(t.resident_bytes(), 0);
    assert!(holds(&t, &contents()));
}

#[test]
fn an_arena_is_not_full_while_slots_are_being_undressed() {
    const SLOTS: u32 = 200;
    for _ in 0..20 {
        let mut bed = imaged(SLOTS, SLOTS as usize);
        let live: Vec<Guest> = (0..SLOTS).map(|_| bed.make(0).ok().unwrap()).collect();
        drop(live);
        let image = bed.image.take();
        std::thread::scope(|scope| {
            scope.spawn(move || drop(image));
            for _ in 0..SLOTS {
                assert!(!bed.arena.is_full());
                let (_, t) = bed.make(0).expect("nobody has a slot");
                assert!(holds(&t, &[]));
            }
        });
        assert_eq!(bed.arena.taken(), 0);
    }
}
