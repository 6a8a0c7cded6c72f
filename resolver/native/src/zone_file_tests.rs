//! What zone files are read as, and what is refused, with the line.

use super::{Wrong, Zone, read};
use crate::policy_zone::PolicyZone;

const APEX: &[u8] = b"\x03rpz\x04test\0";
const HEAD: &str = "$TTL 60\n@ SOA ns admin 1 1h 10m 1w 1m\n@ NS ns\n";

fn zone(text: &str) -> Zone {
    read(APEX, format!("{HEAD}{text}").as_bytes(), 1000).unwrap()
}

fn wrong(text: &str) -> Vec<(u32, String)> {
    let wrong = read(APEX, format!("{HEAD}{text}").as_bytes(), 1000).unwrap_err();
    wrong.into_iter().map(|Wrong { line, text }| (line, text)).collect()
}

#[test]
fn a_record_below_blanks_has_the_owner_before_it() {
    let read = zone("b.example 300 IN CNAME .\na.example A 192.0.2.1\n 5 AAAA ::1\n");
    assert_eq!((read.records, read.offsets.len() / 8), (5, 3));
    assert_eq!(wrong("\ta CNAME *.\n")[0].0, 4);
}

#[test]
fn owners_blanks_parentheses_comments_and_escapes() {
    let text = "b.example IN 300 CNAME . ; comment\n\
        a.example (\n  CNAME ; here\n  *.\n)\n\
        $ORIGIN sub.rpz.test.\n\
        c TXT \"two ; words\" three\\;four \"\\065\"\n\
        \x20 A 192.0.2.1\n\
        32.1.2.0.192.rpz-ip.rpz.test. CNAME rpz-drop.\n\
        Upper\\.dot A 192.0.2.2\n";
    let read = zone(text);
    assert_eq!(read.records, 8);
    assert_eq!(read.specials, [(b"\x0232\x011\x012\x010\x03192\x06rpz-ip\0".to_vec(), 12)]);
    let policy = PolicyZone::new(APEX, &read.data).unwrap();
    assert_eq!(policy.names.len(), 4);
    let said = |name: &[u8]| {
        let found = policy.names.find(name).unwrap();
        policy.action(found.value).unwrap()
    };
    assert_eq!(said(b"\x01b\x07example\0"), [(5, 300, vec![&b"\0"[..]])]);
    assert_eq!(said(b"\x01a\x07example\0"), [(5, 60, vec![&b"\x01*\0"[..]])]);
    let texts = &b"\x0btwo ; words\x0athree;four\x01A"[..];
    assert_eq!(
        said(b"\x01c\x03sub\0"),
        [(1, 60, vec![&[192, 0, 2, 1][..]]), (16, 60, vec![texts])]
    );
    assert_eq!(said(b"\x09upper.dot\x03sub\0"), [(1, 60, vec![&[192, 0, 2, 2][..]])]);
    assert_eq!(policy.specials().count(), 1);
}

#[test]
fn every_type_that_is_understood() {
    let text = "x MX 10 mail\nx TXT a\nx SRV 1 2 53 ns.test.\nx PTR p.\nx A 10.0.0.1\n\
        x A 10.0.0.2\n\
        x A 10.0.0.1\nx AAAA 2001:db8::1\nx TYPE65 \\# 4 0001 0000\nx 5 TYPE1234 \\# 0\n";
    let read = zone(text);
    let policy = PolicyZone::new(APEX, &read.data).unwrap();
    let sets = policy.action(policy.names.find(b"\x01x\0").unwrap().value).unwrap();
    let kinds: Vec<_> =
        sets.iter().map(|(rtype, ttl, rdatas)| (*rtype, *ttl, rdatas.len())).collect();
    let wanted = [
        (1, 60, 2),
        (12, 60, 1),
        (15, 60, 1),
        (16, 60, 1),
        (28, 60, 1),
        (33, 60, 1),
        (65, 60, 1),
        (1234, 5, 1),
    ];
    assert_eq!(kinds, wanted);
}

#[test]
fn what_is_wrong_is_told_at_once_with_its_line() {
    let text = "a CNAME\nb A 1.2.3\nc A 1.2.3.4 5\nd WKS x\nother.zone. A 1.2.3.4\n\
        e.. CNAME .\n$INCLUDE file\nf TXT \"open\ng CNAME . )\nh CH CNAME .\n\
        i 99999999999 A 1.2.3.4\n\
        j TYPE9 \\# 3 0102\nk SOA ns admin 1 1 1 1 1\n\\300 CNAME .\nl TXT \\\n";
    let lines: Vec<_> = wrong(text).into_iter().map(|(line, _)| line).collect();
    assert_eq!(lines, [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18]);
    assert_eq!(wrong("a CNAME .\na A 1.2.3.4\n")[0].0, 5);
    assert_eq!(wrong("a CNAME .\na CNAME *.\n")[0].0, 5);
    assert_eq!(wrong("@ SOA ns admin 1 1 1 1 1\n")[0].0, 4);
    assert_eq!(wrong("a CNAME ( .\n")[0], (4, "a parenthesis that is not closed".to_owned()));
    assert_eq!(
        read(APEX, b"a 5 CNAME .\n", 9).unwrap_err()[0].text,
        "no SOA at the apex of the zone"
    );
    assert_eq!(read(APEX, b" 5 CNAME .\n", 9).unwrap_err()[0].line, 1);
    assert_eq!(read(APEX, b"@ SOA ns admin 1 1 1 1 1\n", 9).unwrap_err()[0].line, 1);
    assert_eq!(wrong(&"x A 1\n".repeat(100)).len(), 20);
    let many = format!("{HEAD}{}", "x A 10.0.0.1\n".repeat(10));
    assert_eq!(read(APEX, many.as_bytes(), 5).unwrap_err()[0].text, "more than 5 records");
}

#[test]
fn labels_and_names_are_bounded() {
    let label = "a".repeat(64);
    assert!(wrong(&format!("{label} CNAME .\n"))[0].1.contains("63 octets"));
    let name = "abcdefg.".repeat(31);
    assert!(wrong(&format!("{name}x CNAME .\n"))[0].1.contains("255 octets"));
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_stumble(text in "(\\PC|[\n\t ;()\"\\\\]){0,200}") {
        let _ = read(APEX, format!("{HEAD}{text}").as_bytes(), 100);
    }

    #[test]
    fn nor_do_lines_of_likely_words(
        words in proptest::collection::vec(
            proptest::sample::select(vec![
                "\n", "a", "A", "CNAME", ".", "*.", "@", "$TTL", "$ORIGIN", "(", ")", "\"x\"", "IN",
                "5", "1.2.3.4", "TXT", "\\#", ";", "rpz-ip", "\n ", "SOA", "TYPE5", "\\", "00",
            ]),
            0..60,
        ),
    ) {
        let _ = read(APEX, format!("{HEAD}{}", words.join(" ")).as_bytes(), 100);
    }
}
