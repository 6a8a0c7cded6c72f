//! Signatures made here and by the RFCs, and octets that are none.

use proptest::prelude::*;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};

use super::signed::{Rrsig, canonical};
use super::{Job, Outcome, TooMuch, batch, keys};

fn run(algorithm: u8, key: &[u8], data: &[u8], signature: &[u8]) -> Outcome {
    keys::verify(&Job { algorithm, key, data, signature }, true)
}

#[test]
fn a_signature_is_that_of_its_key_over_its_data() {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let (key, signature) = (pair.public_key().as_ref(), pair.sign(b"data"));
    assert_eq!(run(15, key, b"data", signature.as_ref()), Outcome::Valid);
    assert_eq!(run(15, key, b"Data", signature.as_ref()), Outcome::Bogus);
    assert_eq!(run(15, &key[1..], b"data", signature.as_ref()), Outcome::Malformed);
    assert_eq!(run(15, key, b"data", &signature.as_ref()[1..]), Outcome::Malformed);
    assert_eq!(run(16, key, b"data", signature.as_ref()), Outcome::Unsupported);
}

#[test]
fn a_point_stands_without_the_octet_that_says_what_form_it_has() {
    let chance = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let document = EcdsaKeyPair::generate_pkcs8(algorithm, &chance).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &chance).unwrap();
    let signature = pair.sign(&chance, b"data").unwrap();
    let key = &pair.public_key().as_ref()[1..];
    assert_eq!(run(13, key, b"data", signature.as_ref()), Outcome::Valid);
    assert_eq!(run(13, key, b"", signature.as_ref()), Outcome::Bogus);
    assert_eq!(run(13, &[0; 64], b"data", signature.as_ref()), Outcome::Bogus);
    assert_eq!(run(13, pair.public_key().as_ref(), b"", signature.as_ref()), Outcome::Malformed);
    assert_eq!(run(14, key, b"data", signature.as_ref()), Outcome::Malformed);
}

/// An RSA key of these octets, e = 65537 unless said otherwise; its modulus is odd and no more.
fn rsa(octets: usize) -> Vec<u8> {
    [&[3, 1, 0, 1][..], &vec![0xFF; octets]].concat()
}

#[test]
fn keys_of_rsa_are_held_to_their_form_and_size() {
    let of = |key: &[u8], octets: usize| run(8, key, b"data", &vec![1; octets]);
    assert_eq!(of(&rsa(256), 256), Outcome::Bogus);
    assert_eq!(of(&rsa(512), 512), Outcome::Bogus);
    assert_eq!(of(&rsa(513), 513), Outcome::Malformed); // over 4096 bits
    assert_eq!(of(&rsa(63), 63), Outcome::Malformed); // under 512
    assert_eq!(of(&rsa(64), 64), Outcome::Unsupported);
    assert_eq!(run(10, &rsa(64), b"data", &[1; 64]), Outcome::Malformed);
    assert_eq!(of(&rsa(256), 255), Outcome::Malformed); // the signature is as long as the modulus
    let with = |front: &[u8]| of(&[front, &[0xFF; 256]].concat(), 256);
    assert_eq!(with(&[4, 0, 1, 0, 1]), Outcome::Malformed); // a leading zero
    assert_eq!(with(&[0, 0, 3, 1, 0, 1]), Outcome::Malformed); // a short length the long way
    assert_eq!(with(&[1, 1]), Outcome::Malformed); // an exponent of 1
    assert_eq!(with(&[1, 2]), Outcome::Malformed); // an even one
    assert_eq!(with(&[5, 1, 0, 0, 0, 1]), Outcome::Bogus); // 33 bits
    assert_eq!(with(&[5, 3, 0, 0, 0, 1]), Outcome::Unsupported); // 34
    let long = [&[0, 1, 0][..], &[0xFF; 256], &[0xFF; 256]].concat();
    assert_eq!(of(&long, 256), Outcome::Unsupported);
    let zero = [&[3, 1, 0, 1, 0][..], &[0xFF; 256]].concat();
    assert_eq!(of(&zero, 257), Outcome::Malformed);
    for torn in [&[][..], &[0], &[0, 1], &[3, 1, 0], &[3, 1, 0, 1]] {
        assert_eq!(of(torn, 256), Outcome::Malformed);
    }
    assert_eq!(
        keys::verify(&Job { algorithm: 5, key: &rsa(256), data: b"", signature: b"" }, false),
        Outcome::Unsupported
    );
}

#[test]
fn a_batch_has_bounds() {
    let job = Job { algorithm: 0, key: b"12", data: b"345", signature: b"6" };
    assert_eq!(batch(&[job; 3], 3, 18, false), Ok(vec![Outcome::Unsupported; 3]));
    assert_eq!(batch(&[job; 4], 3, 1000, false), Err(TooMuch::Jobs));
    assert_eq!(batch(&[job; 3], 3, 17, false), Err(TooMuch::Octets));
}

/// RRSIG of A over labels of a name, by EXAMPLE, from 1000 to 2000.
fn rrsig(labels: u8) -> Vec<u8> {
    let head = [&[0, 1, 13, labels, 0, 0, 0, 60][..], &[0, 0, 7, 0xD0, 0, 0, 3, 0xE8, 0x12, 0x34]];
    [&head.concat()[..], b"\x07EXAMPLE\0", b"signature"].concat()
}

#[test]
fn records_are_signed_in_canonical_form() {
    let rdata = rrsig(2);
    let signature = Rrsig::read(&rdata).unwrap();
    let records: [&[u8]; 3] = [&[9, 0, 0, 1], &[1, 0, 0, 1], &[9, 0, 0, 1]];
    let found = signature.signed(b"\x03wWw\x07Example\0", 1, records.into_iter()).unwrap();
    let record = |address: &[u8]| {
        let fixed = b"\x03www\x07example\0\0\x01\0\x01\0\0\0\x3C\0\x04";
        [&fixed[..], address].concat()
    };
    let expected =
        [&rdata[..18], b"\x07example\0", &record(&[1, 0, 0, 1]), &record(&[9, 0, 0, 1])].concat();
    assert_eq!((found.data, found.expanded), (expected, false));
    assert!(signature.signed(b"\x03www\x07example\0", 28, records.into_iter()).is_err());
}

#[test]
fn labels_tell_a_wildcard_from_a_name() {
    let none = || std::iter::once(&[1, 2, 3, 4][..]);
    let of = |labels: u8, owner: &[u8]| {
        let rdata = rrsig(labels);
        let found = Rrsig::read(&rdata).unwrap().signed(owner, 1, none()).ok()?;
        let start = 18 + 9;
        Some((found.data[start..found.data.len() - 14].to_vec(), found.expanded))
    };
    assert_eq!(of(1, b"\x01a\x01b\x07example\0"), Some((b"\x01*\x07example\0".to_vec(), true)));
    assert_eq!(
        of(2, b"\x01a\x01b\x07example\0"),
        Some((b"\x01*\x01b\x07example\0".to_vec(), true))
    );
    assert_eq!(of(1, b"\x01*\x07example\0"), Some((b"\x01*\x07example\0".to_vec(), false)));
    assert_eq!(of(0, b"\x01*\x07example\0"), Some((b"\x01*\0".to_vec(), true)));
    assert_eq!(of(2, b"\x01*\x07example\0"), None);
    assert_eq!(of(4, b"\x01a\x01b\x07example\0"), None);
    assert_eq!(of(0, b"\0"), Some((b"\0".to_vec(), false)));
    assert_eq!(of(1, b"\x01a"), None);
}

#[test]
fn dates_go_round() {
    let rdata = rrsig(1);
    let mut signature = Rrsig::read(&rdata).unwrap();
    let at = |signature: &Rrsig<'_>, wall| signature.holds_at(wall);
    assert!(at(&signature, 1000) && at(&signature, 2000));
    assert!(!at(&signature, 999) && !at(&signature, 2001));
    (signature.inception, signature.expiration) = (u32::MAX - 10, 10);
    assert!(at(&signature, u32::MAX) && at(&signature, 0) && !at(&signature, 11));
}

proptest! {
    #[test]
    fn no_octets_make_it_panic(
        algorithm in 0u8..18,
        key in proptest::collection::vec(any::<u8>(), 0..600),
        data in proptest::collection::vec(any::<u8>(), 0..100),
        signature in proptest::collection::vec(any::<u8>(), 0..600),
    ) {
        prop_assert_ne!(run(algorithm, &key, &data, &signature), Outcome::Valid);
    }

    #[test]
    fn no_rdata_makes_it_panic(
        rrtype in 0u16..70,
        owner in proptest::collection::vec(0u8..70, 0..40),
        rdata in proptest::collection::vec(0u8..70, 0..80),
    ) {
        let mut out = Vec::new();
        if canonical(rrtype, &rdata, &mut out).is_ok() {
            prop_assert!(out.eq_ignore_ascii_case(&rdata));
        }
        if let Ok(mut read) = Rrsig::read(&rdata) {
            read.covered = rrtype;
            let _ = read.signed(&owner, rrtype, [&rdata[..], &owner[..]].into_iter());
        }
    }
}
