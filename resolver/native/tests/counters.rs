//! Counters: sums, labels, and what survives the process; the clock.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use inland_native::clock::Clock;
use inland_native::counters::{
    Counters, Field, HIT_BUCKETS, SCALAR_NAMES, SLOTS_MAX, Scalar, Shown, StateError, read_file,
};
use proptest::prelude::*;

/// A directory that goes with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("inland-{test}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("temporary directory");
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn areas_of_many_threads_add_up() {
    let counters = Arc::new(Counters::new(None, 4).expect("anonymous memory"));
    let slot = counters.slot("domestic,XA,answer,none,udp");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let area = counters.area().expect("one each");
            scope.spawn(move || {
                for _ in 0..10_000 {
                    area.add(slot, Field::Intended, 1);
                    area.add(slot, Field::OctetsSent, 40);
                    area.count(Scalar::QueriesUdp, 1);
                }
            });
        }
    });
    assert_eq!(counters.slots()[1].1, [40_000, 0, 0, 1_600_000, 0, 0, 0, 0]);
    let queries = SCALAR_NAMES.iter().position(|name| *name == "queries_udp").expect("named");
    assert_eq!(counters.scalars()[queries], 40_000);
}

#[test]
fn an_area_has_one_owner_and_comes_back_with_its_counts() {
    let counters = Counters::new(None, 1).expect("anonymous memory");
    let area = counters.area().expect("free");
    assert!(counters.area().is_none());
    area.count(Scalar::Refused, 2);
    drop(area);
    counters.area().expect("free again").count(Scalar::Refused, 3);
    assert_eq!(counters.scalars()[Scalar::Refused as usize], 5);
}

#[test]
fn a_reader_never_sees_more_sent_than_intended() {
    let counters = Counters::new(None, 1).expect("anonymous memory");
    let area = counters.area().expect("free");
    std::thread::scope(|scope| {
        let writer = scope.spawn(move || {
            for _ in 0..200_000 {
                area.add(0, Field::Intended, 1);
                area.add(0, Field::Sent, 1);
            }
        });
        while !writer.is_finished() {
            let [intended, sent, ..] = counters.slots()[0].1;
            assert!(intended >= sent);
        }
    });
}

#[test]
fn what_questions_have_shown_is_summed_and_what_the_zone_needs_is_left_out() {
    let counters = Counters::new(None, 1).expect("anonymous memory");
    let area = counters.area().expect("free");
    for (name, needed) in [
        (&b"\0"[..], 1),
        (b"\x03www\x02xa\0", 2),
        (b"\x01a\x01b\x02xa\0", 2),
        (b"\x01a\x01b\x02xa\0\0\x01\0\x01", u8::MAX),
        (b"\x3Fcut short", 2),
    ] {
        area.sent(0, Shown::of(name, needed));
    }
    let [_, sent, .., labels, beyond] = counters.slots()[0].1;
    assert_eq!((sent, labels, beyond), (5, 2 + 3 + 3 + 1, 1));
}

#[test]
fn labels_keep_their_slots_and_a_full_table_overflows_to_slot_0() {
    let counters = Counters::new(None, 1).expect("anonymous memory");
    assert_eq!(counters.slot("overflow"), 0);
    let first = counters.slot("first");
    for index in 0..SLOTS_MAX {
        counters.slot(&format!("label {index}"));
    }
    assert_eq!(counters.slot("one too many"), 0);
    assert_eq!(counters.slot("first"), first);
    assert_eq!(counters.slot(&"x".repeat(89)), 0);
    assert_eq!(counters.slots().len(), SLOTS_MAX);
    counters.area().expect("free").add(u32::MAX, Field::Sent, 1);
    assert_eq!(counters.slots()[0].1[1], 1);
}

#[test]
fn hits_are_counted_by_transport_destination_and_time() {
    let counters = Counters::new(None, 2).expect("anonymous memory");
    let (one, two) = (counters.area().expect("free"), counters.area().expect("free"));
    one.hit(0, 0);
    one.hit_seconds(1, 1e-6);
    two.hit(1, 3);
    two.hit_seconds(1, 3e-6);
    two.hit(1, 3);
    two.hit_seconds(1, 5.0);
    assert_eq!(counters.hits(), [[1, 0, 0, 0], [0, 0, 0, 2]]);
    let (buckets, seconds) = counters.hit_seconds();
    assert_eq!((buckets[0], buckets[1], buckets[HIT_BUCKETS - 1]), (1, 1, 1));
    assert!((seconds - 5.000_004).abs() < 1e-9);
}

#[test]
fn the_file_can_be_read_while_it_is_written_and_after() {
    let scratch = Scratch::new("read");
    let path = scratch.file("counters");
    let counters = Counters::new(Some(&path), 2).expect("made");
    let slot = counters.slot("foreign,XB,answer,none,tcp");
    let area = counters.area().expect("free");
    area.add(slot, Field::Connections, 7);
    let expected = ("foreign,XB,answer,none,tcp".to_owned(), [0, 0, 0, 0, 0, 7, 0, 0]);
    assert_eq!(read_file(&path).expect("live").0[1], expected);
    drop((area, counters));
    let (slots, scalars) = read_file(&path).expect("dead");
    assert_eq!((&slots[1], scalars.len()), (&expected, SCALAR_NAMES.len()));

    drop(Counters::new(Some(&path), 1).expect("made anew"));
    assert_eq!(read_file(&path).expect("new").0.len(), 1);
    assert_eq!(read_file(&scratch.file("counters.previous")).expect("kept").0[1], expected);
}

/// Damage to the octets of a file.
type Change<'a> = &'a dyn Fn(&mut Vec<u8>);

#[test]
fn foreign_torn_and_missing_files_are_refused() {
    let scratch = Scratch::new("foreign");
    let path = scratch.file("counters");
    drop(Counters::new(Some(&path), 1).expect("made"));
    let good = std::fs::read(&path).expect("readable");
    let damaged = |change: Change<'_>| {
        let mut octets = good.clone();
        change(&mut octets);
        let path = scratch.file("damaged");
        std::fs::write(&path, octets).expect("writable");
        read_file(&path)
    };
    assert!(damaged(&|_| ()).is_ok());
    let changes: [Change<'_>; 6] = [
        &|octets| octets.truncate(octets.len() - 4096),
        &|octets| octets.extend([0; 4096]),
        &|octets| octets.truncate(100),
        &|octets| octets[0] ^= 1,
        &|octets| octets[8] ^= 1,
        &|octets| octets[16] ^= 1,
    ];
    for change in changes {
        assert!(matches!(damaged(change), Err(StateError::Foreign(_))));
    }
    for change in [0, 7] {
        assert!(damaged(&|octets| octets.truncate(change)).is_err());
    }
    assert!(matches!(read_file(&scratch.file("absent")), Err(StateError::Io(_))));
    assert!(Counters::new(Some(&scratch.file("no/such/folder")), 1).is_err());
}

/// What the child of the next test does: count, say so, and wait to be killed.
#[test]
#[ignore = "runs in the process that the next test kills"]
fn child_that_counts_until_killed() {
    let Some(path) = std::env::var_os("INLAND_TEST_COUNTERS") else { return };
    let counters = Counters::new(Some(&PathBuf::from(path)), 1).expect("made");
    let slot = counters.slot("domestic,XA,answer,none,udp");
    let area = counters.area().expect("free");
    loop {
        area.add(slot, Field::Intended, 1);
        area.add(slot, Field::Sent, 1);
    }
}

#[test]
fn counts_survive_kill_9_within_one_send() {
    let scratch = Scratch::new("kill");
    let path = scratch.file("counters");
    let mut child = std::process::Command::new(std::env::current_exe().expect("this test"))
        .args(["--ignored", "--exact", "child_that_counts_until_killed"])
        .env("INLAND_TEST_COUNTERS", &path)
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("started");
    let seen = || read_file(&path).ok().and_then(|(slots, _)| Some(slots.get(1)?.1[1]));
    let start = Instant::now();
    while seen().unwrap_or(0) == 0 {
        assert!(start.elapsed() < Duration::from_secs(20), "the child does not count");
        std::thread::yield_now();
    }
    child.kill().expect("killed");
    child.wait().expect("gone");
    let (slots, _) = read_file(&path).expect("readable");
    let [intended, sent, ..] = slots[1].1;
    assert!(sent > 0 && (intended == sent || intended == sent + 1), "{intended} {sent}");
}

proptest! {
    #[test]
    fn labels_come_back_as_they_were(
        labels in proptest::collection::hash_set("[a-zA-Z,_]{1,88}", 1..40),
    ) {
        let counters = Counters::new(None, 1).expect("anonymous memory");
        for label in &labels {
            prop_assert_ne!(counters.slot(label), 0);
        }
        let read: std::collections::HashSet<_> =
            counters.slots().into_iter().skip(1).map(|(label, _)| label).collect();
        prop_assert_eq!(read, labels);
    }
}

#[test]
fn the_clock_moves_by_the_offset_in_its_file() {
    let scratch = Scratch::new("clock");
    let path = scratch.file("offset");
    let still = Clock::new(None);
    let clock = Clock::new(Some(path.clone()));
    assert!((clock.now() - still.now()).abs() < 5.0);
    let wait_for = |offset: f64| {
        let start = Instant::now();
        while (clock.now() - still.now() - offset).abs() > 5.0 {
            assert!(start.elapsed() < Duration::from_secs(20), "offset {offset} is not seen");
            std::thread::yield_now();
        }
        assert!((clock.wall() - still.wall() - offset).abs() < 5.0);
    };
    for (text, offset) in [("3600\n", 3600.0), ("nonsense", 3600.0), ("-50.5", -50.5)] {
        std::fs::write(&path, text).expect("writable");
        wait_for(offset);
    }
    std::fs::remove_file(&path).expect("there");
    wait_for(-50.5);
}
