//! Copies read whole and by what differs; damage.

use proptest::prelude::*;

use super::{Broken, PolicyZone, key_of, name_of};
use crate::zone_file;

const APEX: &[u8] = b"\x03rpz\x04test\0";
const HEAD: &str = "$TTL 60\n@ SOA ns admin 1 1h 10m 1w 1m\n@ NS ns\n";

fn copy(text: &str) -> Vec<u8> {
    zone_file::read(APEX, format!("{HEAD}{text}").as_bytes(), 10_000).unwrap().data
}

/// All that a zone says of some names, and its special owners.
fn said(zone: &PolicyZone, names: &[Vec<u8>]) -> Vec<String> {
    let specials = zone.specials().map(|special| format!("{special:?}"));
    let names = names.iter().map(|name| match zone.names.find(name) {
        Some(found) => format!("{:?} below {}", zone.action(found.value), found.below),
        None => "nothing".to_owned(),
    });
    names.chain(specials).collect()
}

fn wire(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for label in text.split('.').filter(|label| !label.is_empty()) {
        out.push(label.len() as u8);
        out.extend_from_slice(label.as_bytes());
    }
    out.push(0);
    out
}

#[test]
fn keys_lead_back_to_names() {
    for name in [&b"\0"[..], b"\x03a\0b\x02\x01\x02\x03com\0", b"\x01*\x07example\0"] {
        assert_eq!(name_of(&key_of(name)).unwrap(), name);
    }
    assert_eq!(name_of(b"a"), None);
    assert_eq!(name_of(b"\x01\x05\0"), None);
}

#[test]
fn triggers_of_other_kinds_are_left_to_python() {
    let zone = PolicyZone::new(
        APEX,
        &copy(
            "bad.example CNAME .\n*.bad.example CNAME .\nws A 10.0.0.1\nws TXT x\n\
             32.1.0.0.127.rpz-ip CNAME .\nns.bad.rpz-nsdname CNAME *.\nrpz-odd CNAME .\n\
             signed TYPE46 \\# 2 0001\nsub NS ns.\n",
        ),
    )
    .unwrap();
    assert_eq!((zone.names.len(), zone.actions(), zone.unusable()), (3, 2, 2));
    let owners: Vec<_> = zone.specials().map(|(owner, _)| owner.to_vec()).collect();
    let wanted = [wire("32.1.0.0.127.rpz-ip"), wire("ns.bad.rpz-nsdname"), wire("rpz-odd")];
    assert_eq!(owners, wanted);
    assert!(zone.action(99).is_none());
}

#[test]
fn what_is_not_a_copy_is_told() {
    let good = copy("bad.example CNAME .\n");
    for end in 1..good.len() {
        match PolicyZone::new(APEX, &good[..end]) {
            Ok(zone) => assert!(zone.names.is_empty()), // whole nodes were left
            Err(error) => assert_eq!(error, Broken::Torn),
        }
    }
    assert_eq!(PolicyZone::new(b"\x05other\0", &good).err(), Some(Broken::Torn));
}

fn text() -> impl Strategy<Value = String> {
    let owner = prop_oneof!["[a-c](\\.[a-c]){0,2}", "\\*(\\.[a-c]){1,2}", "[a-c]\\.rpz-nsdname"];
    let line = (owner, "[1-9]").prop_map(|(owner, n)| format!("{owner} A 10.0.0.{n}\n"));
    prop::collection::vec(line, 0..30).prop_map(|lines| lines.concat())
}

proptest! {
    #[test]
    fn what_differs_leads_to_the_same_as_all_of_it(texts in prop::collection::vec(text(), 2..5)) {
        let labels = ["", "a", "b", "c"];
        let mut names = Vec::new();
        for one in labels {
            for two in labels {
                for three in labels {
                    names.push(wire(&format!("{one}.{two}.{three}")));
                }
            }
        }
        let mut before = copy(&texts[0]);
        let mut zone = PolicyZone::new(APEX, &before).unwrap();
        for text in &texts[1..] {
            let data = copy(text);
            zone = zone.changed(&before, &data).unwrap();
            let whole = PolicyZone::new(APEX, &data).unwrap();
            prop_assert_eq!(said(&zone, &names), said(&whole, &names));
            prop_assert_eq!(zone.names.len(), whole.names.len());
            before = data;
        }
    }
}
