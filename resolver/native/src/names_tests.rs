//! The table of names against plain words, and against a map on random names.

use std::collections::HashMap;

use proptest::prelude::*;

use super::{Bad, Found, Names, OVERLAY_MIN, VALUE_MAX};

/// `www.example` in wire form.
fn name(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for label in text.split('.').filter(|label| !label.is_empty()) {
        out.push(label.len() as u8);
        out.extend_from_slice(label.as_bytes());
    }
    out.push(0);
    out
}

fn table(entries: &[(&str, u32)]) -> Names {
    let entries: Vec<_> = entries.iter().map(|&(owner, value)| (name(owner), value)).collect();
    Names::new(entries.iter().map(|(owner, value)| (owner.as_slice(), *value))).unwrap()
}

fn said(table: &Names, text: &str) -> Option<u32> {
    table.find(&name(text)).map(|found| found.value)
}

#[test]
fn the_exact_name_beats_the_longest_wildcard() {
    let table =
        table(&[("*.example", 1), ("*.b.example", 2), ("a.b.example", 3), ("b.example", 900)]);
    assert_eq!(said(&table, "example"), None);
    assert_eq!(said(&table, "x.example"), Some(1));
    assert_eq!(said(&table, "b.example"), Some(900));
    assert_eq!(said(&table, "a.b.example"), Some(3));
    assert_eq!(said(&table, "c.b.example"), Some(2));
    assert_eq!(said(&table, "d.c.b.example"), Some(2));
    assert_eq!(said(&table, "z.a.b.example"), Some(2));
    assert_eq!(said(&table, "other"), None);
    assert_eq!(said(&table, ""), None);
    let found = table.find(&name("d.c.b.example")).unwrap();
    assert_eq!(found, Found { value: 2, below: 4 });
}

#[test]
fn the_root_may_be_listed_and_everything_below_it() {
    let table = table(&[("", 5), ("*", 6)]);
    assert_eq!(said(&table, ""), Some(5));
    assert_eq!(said(&table, "com"), Some(6));
    assert_eq!(said(&table, "a.b.com"), Some(6));
}

#[test]
fn numbers_of_every_width_come_back() {
    let numbers = [0, 1, 127, 128, 16_383, 16_384, 1 << 21, 1 << 28, VALUE_MAX];
    let owners: Vec<_> = (0..numbers.len()).map(|at| name(&format!("n{at}"))).collect();
    let table =
        Names::new(owners.iter().zip(numbers).map(|(owner, value)| (owner.as_slice(), value)));
    let table = table.unwrap();
    for (owner, value) in owners.iter().zip(numbers) {
        assert_eq!(table.find(owner), Some(Found { value, below: 0 }));
    }
}

#[test]
fn the_last_of_two_entries_counts() {
    let table = table(&[("a", 1), ("a", 200), ("a", 3)]);
    assert_eq!((said(&table, "a"), table.len()), (Some(3), 1));
}

#[test]
fn a_name_of_127_labels_is_looked_up() {
    let longest = "a.".repeat(127);
    let table = table(&[("*.a", 1), (longest.as_str(), 2)]);
    assert_eq!(said(&table, &longest), Some(2));
    assert_eq!(said(&table, &"a.".repeat(126)), Some(1));
}

#[test]
fn what_is_not_a_plain_name_is_told() {
    let bad = |owner: &[u8]| Names::new([(owner, 1)].into_iter()).map(|_| ()).unwrap_err();
    assert_eq!(bad(b""), Bad::Owner(0));
    assert_eq!(bad(b"\x03www"), Bad::Owner(0));
    assert_eq!(bad(b"\xC0\x0C"), Bad::Owner(0));
    assert_eq!(bad(b"\x01A\0"), Bad::Owner(0));
    let large = Names::new([(&b"\0"[..], u32::MAX)].into_iter()).err();
    assert_eq!(large, Some(Bad::Value(0)));
}

#[test]
fn changes_lie_over_until_they_are_many() {
    let first = table(&[("a", 1), ("*.a", 2), ("b", 3)]);
    let (a, below_a, c) = (name("a"), name("*.a"), name("c"));
    let second =
        first.with(&[(a.as_slice(), None), (below_a.as_slice(), Some(7)), (c.as_slice(), Some(8))]);
    let second = second.unwrap();
    assert_eq!((second.len(), second.overlaid()), (3, 3));
    assert_eq!([said(&second, "a"), said(&second, "x.a")], [None, Some(7)]);
    assert_eq!([said(&second, "b"), said(&second, "c")], [Some(3), Some(8)]);
    assert_eq!(
        [said(&first, "a"), said(&first, "x.a"), said(&first, "c")],
        [Some(1), Some(2), None]
    );
    let many: Vec<_> = (0..=OVERLAY_MIN).map(|at| name(&format!("m{at}"))).collect();
    let changes: Vec<_> = many.iter().map(|owner| (owner.as_slice(), Some(9))).collect();
    let third = second.with(&changes).unwrap();
    assert_eq!((third.len(), third.overlaid()), (3 + OVERLAY_MIN + 1, 0));
    assert_eq!(
        [said(&third, "a"), said(&third, "x.a"), said(&third, "m5")],
        [None, Some(7), Some(9)]
    );
}

/// What the table is to say, one suffix after the other.
fn naive(entries: &HashMap<Vec<u8>, u32>, name: &[u8]) -> Option<Found> {
    if let Some(&value) = entries.get(name) {
        return Some(Found { value, below: 0 });
    }
    let mut at = 0;
    while name[at] != 0 {
        at += 1 + usize::from(name[at]);
        let owner = [b"\x01*", &name[at..]].concat();
        if let Some(&value) = entries.get(&owner) {
            return Some(Found { value, below: at });
        }
    }
    None
}

fn names() -> impl Strategy<Value = Vec<u8>> {
    let label = prop_oneof![4 => "[a-c*]", 1 => "[a-z0-9_-]{1,20}"];
    prop::collection::vec(label, 0..5).prop_map(|labels| name(&labels.join(".")))
}

proptest! {
    #[test]
    fn the_table_says_what_a_map_says(
        entries in prop::collection::vec((names(), 0..VALUE_MAX), 0..60),
        changes in prop::collection::vec((names(), prop::option::of(0..1000_u32)), 0..20),
        asked in prop::collection::vec(names(), 0..60),
    ) {
        let mut known: HashMap<_, _> = entries.iter().cloned().collect();
        let pairs = entries.iter().map(|(owner, value)| (owner.as_slice(), *value));
        let table = Names::new(pairs).unwrap();
        prop_assert_eq!(table.len(), known.len());
        for name in &asked {
            prop_assert_eq!(table.find(name), naive(&known, name));
        }
        let pairs: Vec<_> =
            changes.iter().map(|(owner, value)| (owner.as_slice(), *value)).collect();
        let table = table.with(&pairs).unwrap();
        for (owner, value) in &changes {
            match value {
                Some(value) => known.insert(owner.clone(), *value),
                None => known.remove(owner),
            };
        }
        prop_assert_eq!(table.len(), known.len());
        for name in &asked {
            prop_assert_eq!(table.find(name), naive(&known, name));
        }
    }
}
