use super::*;

const SECOND: i128 = 1_000_000_000;

#[test]
fn a_charge_counts_until_its_window_has_passed_exactly() {
    let mut window = Window::default();
    window.take(Amount(5), 1_000, 0);
    for (now, sum) in [(0, 5), (SECOND - 1, 5), (SECOND, 0)] {
        assert_eq!(window.sum(1_000, now), Amount(sum), "{now}");
    }
}

#[test]
fn an_earlier_now_frees_nothing() {
    let mut window = Window::default();
    window.take(Amount(5), 1_000, 10 * SECOND);
    assert_eq!(window.sum(1_000, 0), Amount(5));
    window.take(Amount(5), 1_000, 0);
    assert_eq!(window.sum(1_000, 10 * SECOND), Amount(10));
    assert_eq!(window.sum(1_000, 11 * SECOND), Amount(0));
}

#[test]
fn settling_replaces_the_reservation_at_its_time() {
    let mut window = Window::default();
    window.take(Amount(100), 1_000, 0);
    window.settle(Amount(100), Amount(30), 1_000, SECOND / 2);
    assert_eq!(window.sum(1_000, SECOND - 1), Amount(30));
    window.settle(Amount(7), Amount(10), 1_000, SECOND / 2);
    assert_eq!(window.sum(1_000, SECOND / 2), Amount(33));
    window.settle(Amount(7), Amount(1), 1_000, SECOND / 2);
    assert_eq!(window.sum(1_000, SECOND / 2), Amount(33));
}

/// Against a list of every charge: the same sum up to 1,024 charges, never a smaller one beyond.
#[test]
fn never_looser_than_an_exact_window() {
    use proptest::prelude::*;
    proptest!(ProptestConfig::with_cases(64), |(steps in prop::collection::vec((0_u64..20_000_000, 1_u64..10), 1..3000),
                                               window_ms in 1_u64..5_000)| {
        let (mut window, mut all, mut now) = (Window::default(), Vec::new(), 0_i128);
        for (count, (wait, amount)) in steps.into_iter().enumerate() {
            now += i128::from(wait);
            let exact: u64 = all.iter().filter(|(at, _)| now < at + nanos(window_ms)).map(|(_, a)| *a).sum();
            let sum = window.sum(window_ms, now).0;
            prop_assert!(sum >= exact);
            if count <= EXACT {
                prop_assert_eq!(sum, exact);
            }
            window.take(Amount(amount), window_ms, now);
            all.push((now, amount));
        }
        // Pooling holds a charge for at most one part of the window longer.
        let later = now + nanos(window_ms) + nanos(window_ms) / 128 + 1;
        prop_assert_eq!(window.sum(window_ms, later), Amount(0));
    });
}

#[test]
fn what_is_given_back_no_longer_counts() {
    let mut window = Window::default();
    assert_eq!(window.take(Amount(5), 1_000, 10), 10);
    assert_eq!(window.take(Amount(5), 1_000, 3), 10);
    assert_eq!(window.take(Amount(7), 1_000, 20), 20);
    // (amount, taken, what is left)
    for (amount, taken, left) in [(7, 19, 17), (9, 20, 17), (5, 10, 12), (7, 20, 5), (5, 30, 0), (5, 30, 0)] {
        window.give_back(Amount(amount), taken);
        assert_eq!(window.sum(1_000, 20), Amount(left), "{amount} {taken}");
    }
}

#[test]
fn bytes_and_back() {
    let mut window = Window::default();
    let mut sizes = Vec::new();
    let start = 1_763_719_200 * SECOND;
    for n in 0..3_000_i128 {
        assert_eq!(Window::decode(&window.encode()).as_ref(), Some(&window), "after {n}");
        window.take(Amount(1_000_000), 3_600_000, start + n * SECOND / 10);
        sizes.push(window.encode().len());
    }
    assert!(sizes[0] < 20 && sizes.iter().max().unwrap() < &16_384, "{:?}", sizes.iter().max());

    let good = window.encode();
    for length in 0..good.len() {
        assert_eq!(Window::decode(&good[..length]), None, "{length} bytes of it");
    }
    // Anything may be in the bytes: read or refused, never a panic.
    for at in 0..good.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut bytes = good.clone();
            bytes[at] ^= flip;
            if let Some(mut window) = Window::decode(&bytes) {
                window.take(Amount(1), 1_000, start);
                window.sum(1_000, start);
            }
        }
    }
    for (what, bytes) in [
        ("nothing", &[][..]),
        ("another version", &[2, 0, 0, 0]),
        ("more behind it", &[1, 0, 0, 0, 0]),
        ("out of order", &[1, 20, 2, 1, 1, 3, 1, 0]),
        ("later than the latest", &[1, 20, 1, 2, 1, 0]),
        ("a length without contents", &[1, 0, 0xff, 0xff, 0xff, 0xff, 0x0f]),
    ] {
        assert_eq!(Window::decode(bytes), None, "{what}");
    }
    assert_eq!(Window::decode(&[1, 0, 0, 0]), Some(Window::default()));
}
