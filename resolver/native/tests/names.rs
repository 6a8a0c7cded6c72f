//! Names: RFC 1035 sections 2.3.4 and 4.1.4.

mod common;

use common::name;
use inland_native::wire::Malformed;
use inland_native::wire::name::{NameBuf, is_plain, is_subdomain, read};
use proptest::prelude::*;

/// Twelve octets of header, then the pieces.
fn message(pieces: &[&[u8]]) -> Vec<u8> {
    [&[0; 12], pieces.concat().as_slice()].concat()
}

fn read_at(message: &[u8], at: usize) -> Result<(Vec<u8>, usize), Malformed> {
    let mut out = NameBuf::new();
    let end = read(message, at, &mut out)?;
    Ok((out.to_vec(), end))
}

#[test]
fn a_pointer_backwards_is_followed_and_case_is_kept() {
    let message = message(&[&name("Example.com"), b"\x03wWw\xC0\x0C", b"\xFF"]);
    assert_eq!(read_at(&message, 25), Ok((name("wWw.Example.com").to_vec(), 31)));
}

#[test]
fn a_pointer_to_itself_forwards_or_into_the_header_is_refused() {
    for pointer in [b"\xC0\x0C", b"\xC0\x0E", b"\xC0\x00", b"\xC0\x0B", b"\xFF\xFF"] {
        assert_eq!(read_at(&message(&[pointer, b"\0\0"]), 12), Err(Malformed::Pointer));
    }
}

#[test]
fn two_pointers_to_each_other_are_refused() {
    let message = message(&[b"\xC0\x0E", b"\xC0\x0C"]);
    assert_eq!(read_at(&message, 14), Err(Malformed::Pointer));
}

#[test]
fn a_pointer_whose_labels_run_into_it_again_is_refused() {
    // At 12 label "a", at 14 a pointer to 12: reading from 14 goes 12, 14, and back to 12.
    assert_eq!(read_at(&message(&[b"\x01a\xC0\x0C"]), 14), Err(Malformed::Pointer));
}

#[test]
fn as_many_pointers_as_a_name_has_labels_are_followed() {
    let mut wire = message(&[b"\x01a\0"]);
    let mut target = 12u16;
    for _ in 0..125 {
        let here = wire.len() as u16;
        wire.extend(b"\x01b");
        wire.extend((0xC000 | target).to_be_bytes());
        target = here;
    }
    let (name, _) = read_at(&wire, usize::from(target)).expect("126 labels");
    assert_eq!(name.len(), 126 * 2 + 1);
}

#[test]
fn names_over_255_octets_and_reserved_labels_are_refused() {
    let label = [&[63u8][..], &[b'x'; 63]].concat();
    let longest = [&label[..], &label, &label, &[61], &[b'y'; 61], &[0]].concat();
    assert_eq!(longest.len(), 255);
    assert!(is_plain(&longest));
    assert_eq!(read_at(&message(&[&longest]), 12).map(|(name, _)| name), Ok(longest.clone()));
    let over = [&label[..], &label, &label, &label, &[0]].concat();
    assert!(!is_plain(&over));
    assert_eq!(read_at(&message(&[&over]), 12), Err(Malformed::NameLong));
    for kind in [0x40, 0x80] {
        assert_eq!(read_at(&message(&[&[kind, 1, 0]]), 12), Err(Malformed::LabelKind));
    }
}

#[test]
fn a_suffix_inside_a_label_is_not_a_zone() {
    assert!(is_subdomain(&name("a.b.com"), &name("b.com")));
    assert!(is_subdomain(&name("b.com"), &name(".")));
    assert!(!is_subdomain(&name("com"), &name("b.com")));
    // One label that ends in the octets of `b.com`.
    assert!(!is_subdomain(b"\x08xx\x01b\x03com\0", &name("b.com")));
}

proptest! {
    #[test]
    fn whatever_is_read_is_a_plain_name_and_ends_inside(
        tail in proptest::collection::vec(any::<u8>(), 0..400), at in 0usize..420,
    ) {
        let message = message(&[&tail]);
        if let Ok((name, end)) = read_at(&message, at) {
            prop_assert!(is_plain(&name));
            prop_assert!(end > at && end <= message.len());
        }
    }
}
