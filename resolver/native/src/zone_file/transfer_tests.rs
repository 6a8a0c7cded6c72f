use super::*;

const APEX: &[u8] = b"\x03rpz\0";
const RDATA: &[u8] = b"\0\0\0\0\0\x01\0\0\0\x02\0\0\0\x03\0\0\0\x04\0\0\0\x05";

fn record(owner: &[u8], rtype: u16, class: u16, rdata: &[u8]) -> Vec<u8> {
    let mut out = owner.to_vec();
    out.extend(rtype.to_be_bytes());
    out.extend(class.to_be_bytes());
    out.extend(60_u32.to_be_bytes());
    out.extend((rdata.len() as u16).to_be_bytes());
    out.extend_from_slice(rdata);
    out
}

fn soa() -> Vec<u8> {
    record(APEX, SOA, 1, RDATA)
}

fn message(records: &[Vec<u8>], more: &[Vec<u8>]) -> Vec<u8> {
    let mut out = vec![0, 0, 0x84, 0, 0, 0, 0, records.len() as u8, 0, 0, 0, more.len() as u8];
    out.extend(records.concat());
    out.extend(more.concat());
    out
}

fn whole(records: &[Vec<u8>]) -> Result<(Vec<u8>, Vec<u8>, usize), Fault> {
    let mut transfer = Transfer::new(APEX, 10);
    for record in records {
        transfer.take(&message(std::slice::from_ref(record), &[]))?;
    }
    transfer.finish()
}

#[test]
fn a_zone_begins_and_ends_with_its_soa() {
    let bad = record(b"\x03BAD\x03rpz\0", 5, 1, b"\0");
    let (data, offsets, records) = whole(&[soa(), bad.clone(), bad.clone(), soa()]).unwrap();
    assert_eq!((offsets.len(), records), (16, 2), "equal records are one");
    assert_eq!(data.windows(3).filter(|three| *three == b"bad").count(), 1);
    assert_eq!(whole(&[soa(), bad.clone()]), Err(Fault::Torn("it has not ended")));
    assert_eq!(whole(&[bad.clone(), soa()]), Err(Fault::Torn("it does not begin with a SOA")));
    let after = whole(&[soa(), soa(), bad]);
    assert_eq!(after, Err(Fault::Torn("records after the last SOA")));
    let mut other = soa();
    *other.last_mut().unwrap() = 9;
    assert!(matches!(whole(&[soa(), other]), Err(Fault::Torn(_))));
}

#[test]
fn what_is_of_no_sound_zone_is_refused() {
    let outside = record(b"\x03bad\x03com\0", 5, 1, b"\0");
    assert!(matches!(whole(&[soa(), outside, soa()]), Err(Fault::Unsound(_))));
    let second = record(b"\x01a\x03rpz\0", SOA, 1, RDATA);
    assert!(matches!(whole(&[soa(), second, soa()]), Err(Fault::Unsound(_))));
    let chaos = record(b"\x01a\x03rpz\0", 5, 3, b"\0");
    assert!(matches!(whole(&[soa(), chaos, soa()]), Err(Fault::Torn(_))));
    let option = record(b"\0", 41, 1, b"");
    assert!(matches!(whole(&[soa(), option, soa()]), Err(Fault::Torn(_))));
    let many: Vec<_> = (0..12).map(|at| record(b"\x03rpz\0", 1, 1, &[1, 2, 3, at])).collect();
    assert_eq!(whole(&[vec![soa()], many, vec![soa()]].concat()), Err(Fault::Size));
}

#[test]
fn a_message_is_read_to_its_last_octet() {
    let good = message(&[soa(), soa()], &[]);
    assert!(Transfer::new(APEX, 10).take(&good).unwrap().done);
    for cut in 0..good.len() {
        assert!(Transfer::new(APEX, 10).take(&good[..cut]).is_err(), "{cut}");
    }
    let more = [&good[..], b"\0"].concat();
    assert!(Transfer::new(APEX, 10).take(&more).is_err());
    // A pointer to itself.
    let looped = message(&[record(b"\xc0\x0c", SOA, 1, RDATA)], &[]);
    assert!(Transfer::new(APEX, 10).take(&looped).is_err());
}

#[test]
fn a_signature_is_the_last_record() {
    let signed = message(&[soa()], &[record(b"\x03KEY\0", TSIG, 255, b"abc")]);
    let taken = Transfer::new(APEX, 10).take(&signed).unwrap();
    let (start, owner, (begin, end)) = taken.signature.unwrap();
    assert_eq!((&signed[start..start + 4], &*owner), (&b"\x03KEY"[..], &b"\x03key\0"[..]));
    assert_eq!(&signed[begin..end], b"abc");
    let tsig = record(b"\x03KEY\0", TSIG, 255, b"abc");
    let twice = message(&[soa()], &[tsig.clone(), tsig]);
    assert!(Transfer::new(APEX, 10).take(&twice).is_err());
}
