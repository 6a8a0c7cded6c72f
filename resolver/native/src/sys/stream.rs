//! Messages on a stream: each has its length before it (RFC 1035 section 4.2.2).

use std::ops::Range;

/// Octets of the length.
pub const PREFIX: usize = 2;

/// Where the next whole message stands in `arrived` from `at` on, without its length.
pub fn next(arrived: &[u8], at: usize) -> Option<Range<usize>> {
    let start = at + PREFIX;
    let prefix = arrived.get(at..start)?;
    let end = start + usize::from(u16::from_be_bytes([prefix[0], prefix[1]]));
    (end <= arrived.len()).then_some(start..end)
}

/// Append a message of at most 65,535 octets with its length.
pub fn append(out: &mut Vec<u8>, message: &[u8]) {
    debug_assert!(u16::try_from(message.len()).is_ok(), "a message has a 16-bit length");
    out.extend((message.len() as u16).to_be_bytes());
    out.extend(message);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_found_only_when_whole() {
        let mut stream = Vec::new();
        append(&mut stream, b"one");
        append(&mut stream, b"");
        append(&mut stream, b"three");
        assert_eq!(next(&stream, 0), Some(2..5));
        assert_eq!(next(&stream, 5), Some(7..7));
        assert_eq!(next(&stream, 7), Some(9..14));
        assert_eq!(next(&stream[..13], 7), None);
        assert_eq!(next(&stream, 14), None);
        assert_eq!(next(&stream[..1], 0), None);
    }
}
