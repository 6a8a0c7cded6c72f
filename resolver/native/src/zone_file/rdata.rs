//! From the words of a record to its rdata (RFC 1035 section 3.3, RFC 3597).

use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::words::Word;
use crate::wire::name::{LABEL_MAX, OCTETS_MAX};

const TYPES: [(&str, u16); 10] = [
    ("A", 1),
    ("NS", 2),
    ("CNAME", 5),
    ("SOA", 6),
    ("PTR", 12),
    ("MX", 15),
    ("TXT", 16),
    ("AAAA", 28),
    ("SRV", 33),
    ("DNAME", 39),
];

/// RFC 2181 section 8.
const TTL_MAX: u32 = (1 << 31) - 1;

fn text<'a>(word: Word<'a>) -> Result<&'a str, String> {
    std::str::from_utf8(word.text).map_err(|_| format!("{} is not ASCII", word.shown()))
}

/// The number of a type.
pub(super) fn type_of(word: Word<'_>) -> Result<u16, String> {
    let upper = text(word)?.to_ascii_uppercase();
    if let Some((_, number)) = TYPES.iter().find(|(name, _)| *name == upper) {
        return Ok(*number);
    }
    if let Some(number) = upper.strip_prefix("TYPE").and_then(|number| number.parse().ok()) {
        return Ok(number);
    }
    if matches!(upper.as_str(), "CH" | "CS" | "HS" | "ANY" | "NONE") {
        return Err(format!("class {} is not IN", word.shown()));
    }
    Err(format!("type {} is not understood; write it as TYPEn \\# (RFC 3597)", word.shown()))
}

/// Seconds: digits, or digits with units as BIND writes them (`1h30m`).
pub(super) fn seconds(word: Word<'_>) -> Result<u32, String> {
    let bad = || format!("{} is not a number of seconds", word.shown());
    let (mut sum, mut digits): (u64, Option<u64>) = (0, None);
    for &octet in word.text {
        if octet.is_ascii_digit() {
            let more = digits.unwrap_or(0) * 10 + u64::from(octet - b'0');
            digits = Some(more);
            if more > u64::from(TTL_MAX) {
                return Err(bad());
            }
            continue;
        }
        let unit = match octet.to_ascii_lowercase() {
            b's' => 1,
            b'm' => 60,
            b'h' => 3600,
            b'd' => 86_400,
            b'w' => 604_800,
            _ => return Err(bad()),
        };
        sum += digits.take().ok_or_else(bad)? * unit;
    }
    sum += digits.unwrap_or(0);
    u32::try_from(sum).ok().filter(|&sum| sum <= TTL_MAX && !word.text.is_empty()).ok_or_else(bad)
}

/// The octets of a text with escapes (`\DDD`, `\X`); `each` is told whether one was escaped.
fn unescape(
    word: Word<'_>,
    mut each: impl FnMut(u8, bool) -> Result<(), String>,
) -> Result<(), String> {
    let mut rest = word.text;
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        if octet != b'\\' {
            each(octet, false)?;
            continue;
        }
        let bad = || format!("{} has a bad escape", word.shown());
        if let Some((digits, after)) = rest.split_first_chunk::<3>()
            && digits.iter().all(u8::is_ascii_digit)
        {
            let number = digits.iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
            each(u8::try_from(number).map_err(|_| bad())?, true)?;
            rest = after;
        } else {
            let (&octet, after) = rest.split_first().ok_or_else(bad)?;
            if octet.is_ascii_digit() {
                return Err(bad());
            }
            each(octet, true)?;
            rest = after;
        }
    }
    Ok(())
}

/// The wire form of a name, case kept; without a final dot it is below the origin.
pub(super) fn name(word: Word<'_>, origin: &[u8]) -> Result<Vec<u8>, String> {
    match word.text {
        b"@" if !word.quoted => return Ok(origin.to_vec()),
        b"." => return Ok(vec![0]),
        b"" => return Err("an empty name".to_owned()),
        _ => {}
    }
    let mut out = Vec::with_capacity(word.text.len() + 1 + origin.len());
    let mut length_at = 0;
    out.push(0);
    let mut absolute = false;
    unescape(word, |octet, escaped| {
        if absolute || (octet == b'.' && !escaped) {
            // The label ends, or one begins after a dot.
            if octet == b'.' && !escaped {
                if absolute || out.len() == length_at + 1 {
                    return Err(format!("{} has an empty label", word.shown()));
                }
                absolute = true;
                return Ok(());
            }
            absolute = false;
            length_at = out.len();
            out.push(0);
        }
        if !octet.is_ascii() && !escaped {
            return Err(format!("{}: write names as A-labels (xn--…)", word.shown()));
        }
        out.push(octet);
        let length = out.len() - length_at - 1;
        if length > LABEL_MAX {
            return Err(format!("{} has a label of more than 63 octets", word.shown()));
        }
        out[length_at] = length as u8;
        Ok(())
    })?;
    if absolute {
        out.push(0);
    } else {
        out.extend_from_slice(origin);
    }
    if out.len() > OCTETS_MAX {
        return Err(format!("{} is longer than 255 octets", word.shown()));
    }
    Ok(out)
}

/// Words left of a record.
struct Left<'a> {
    words: std::vec::IntoIter<Word<'a>>,
}

impl<'a> Left<'a> {
    fn next(&mut self, what: &str) -> Result<Word<'a>, String> {
        self.words.next().ok_or_else(|| format!("{what} is missing"))
    }

    fn number<T: FromStr>(&mut self, what: &str) -> Result<T, String> {
        let word = self.next(what)?;
        text(word)?.parse().map_err(|_| format!("{what}: {} is not such a number", word.shown()))
    }

    fn name(&mut self, origin: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        let word = self.next("a name")?;
        out.extend_from_slice(&name(word, origin)?);
        Ok(())
    }
}

/// Write the rdata that these words spell.
pub(super) fn write(
    rtype: u16,
    words: Vec<Word<'_>>,
    origin: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), String> {
    let generic = words.first().is_some_and(|word| word.text == b"\\#" && !word.quoted);
    let mut left = Left { words: words.into_iter() };
    if generic {
        return unknown(&mut left, out);
    }
    match rtype {
        1 => {
            let word = left.next("an IPv4 address")?;
            let address = text(word)?.parse::<Ipv4Addr>();
            let address =
                address.map_err(|_| format!("{} is not an IPv4 address", word.shown()))?;
            out.extend_from_slice(&address.octets());
        }
        28 => {
            let word = left.next("an IPv6 address")?;
            let address = text(word)?.parse::<Ipv6Addr>();
            let address =
                address.map_err(|_| format!("{} is not an IPv6 address", word.shown()))?;
            out.extend_from_slice(&address.octets());
        }
        2 | 5 | 12 | 39 => left.name(origin, out)?,
        6 => {
            left.name(origin, out)?;
            left.name(origin, out)?;
            out.extend_from_slice(&left.number::<u32>("the serial")?.to_be_bytes());
            for what in ["REFRESH", "RETRY", "EXPIRE", "MINIMUM"] {
                out.extend_from_slice(&seconds(left.next(what)?)?.to_be_bytes());
            }
        }
        15 => {
            out.extend_from_slice(&left.number::<u16>("the preference")?.to_be_bytes());
            left.name(origin, out)?;
        }
        16 => {
            strings(&mut left, out)?;
        }
        33 => {
            for what in ["the priority", "the weight", "the port"] {
                out.extend_from_slice(&left.number::<u16>(what)?.to_be_bytes());
            }
            left.name(origin, out)?;
        }
        _ => return Err(format!("TYPE{rtype}: write its rdata as \\# (RFC 3597)")),
    }
    match left.words.next() {
        Some(word) => Err(format!("{} is too much here", word.shown())),
        None => Ok(()),
    }
}

fn strings(left: &mut Left<'_>, out: &mut Vec<u8>) -> Result<(), String> {
    let mut first = true;
    while first || left.words.len() > 0 {
        first = false;
        let word = left.next("a text")?;
        let start = out.len();
        out.push(0);
        unescape(word, |octet, _| {
            out.push(octet);
            Ok(())
        })?;
        let length = out.len() - start - 1;
        out[start] = u8::try_from(length).map_err(|_| "a text of more than 255 octets")?;
    }
    Ok(())
}

/// RFC 3597 section 5: `\# LENGTH HEX…`.
fn unknown(left: &mut Left<'_>, out: &mut Vec<u8>) -> Result<(), String> {
    left.next("\\#")?;
    let length: u16 = left.number("the length of the rdata")?;
    let start = out.len();
    for word in left.words.by_ref() {
        let (pairs, rest) = word.text.as_chunks::<2>();
        let bad = || format!("{} is not hexadecimal", word.shown());
        if !rest.is_empty() || !word.text.iter().all(u8::is_ascii_hexdigit) {
            return Err(bad());
        }
        for pair in pairs {
            let digits = std::str::from_utf8(pair).map_err(|_| bad())?;
            out.push(u8::from_str_radix(digits, 16).map_err(|_| bad())?);
        }
    }
    if out.len() - start != usize::from(length) {
        return Err(format!("{} octets of rdata where {length} are announced", out.len() - start));
    }
    Ok(())
}
