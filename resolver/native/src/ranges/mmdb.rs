//! The search tree of a MaxMind DB (format 2.0) as steps: each address to the record it leads to.
//!
//! Only the tree is walked; records are decoded in Python, one each time it is first met. A tree
//! of IPv6 holds IPv4 below `::/96`; other places that lead there (`::ffff:0:0/96`, `2002::/16`, …)
//! are aliases and stay silent, as does `::/96` itself.
//!
//! Limitations: a tree that shares more than the IPv4 part is refused as damaged once it has been
//! walked four times over.

use super::{Key, Layer, Steps};
use std::fmt;

/// What is wrong with a tree.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub enum Damage {
    RecordSize,
    IpVersion,
    Short,
    Pointer,
    Shared,
}

impl fmt::Display for Damage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::RecordSize => "record size is not 24, 28 or 32 bits",
            Self::IpVersion => "IP version is not 4 or 6",
            Self::Short => "the file ends within the search tree",
            Self::Pointer => "the search tree points outside the file",
            Self::Shared => "the search tree leads round in circles",
        })
    }
}

/// Octets between tree and data, all 0.
const SEPARATOR: usize = 16;

/// Visits to nodes, as a multiple of their number; honest trees need one, cycles have no end.
const VISITS: usize = 4;

struct Tree<'a> {
    octets: &'a [u8],
    nodes: u32,
    record_size: u16,
    data_length: u32,
}

/// Where a record of the tree leads.
enum Place {
    Node(u32),
    Nothing,
    /// Offset in the data section, plus one.
    Data(u32),
}

/// Walk the tree that `data` (the whole file, or tree and data) begins with. Values are offsets in
/// the data section plus one.
///
/// # Errors
/// The tree is damaged.
pub fn walk(data: &[u8], nodes: u32, record_size: u16, ip_version: u16) -> Result<Layer, Damage> {
    if !matches!(record_size, 24 | 28 | 32) {
        return Err(Damage::RecordSize);
    }
    let node_octets = usize::from(record_size) / 4;
    let length = usize::try_from(nodes).ok().and_then(|nodes| nodes.checked_mul(node_octets));
    let length = length.ok_or(Damage::Short)?;
    let octets = data.get(..length).ok_or(Damage::Short)?;
    let rest = data.len().checked_sub(length + SEPARATOR).ok_or(Damage::Short)?;
    // Values are 32 bits with one to spare; files are 1 GiB at most.
    let data_length = u32::try_from(rest).map_err(|_| Damage::Short)?;
    let tree = Tree { octets, nodes, record_size, data_length };
    let root = if nodes == 0 { Place::Nothing } else { Place::Node(0) };
    match ip_version {
        4 => Ok(Layer { v4: tree.steps(root, 32, None)?, v6: Steps::default() }),
        6 => {
            let four = tree.below_zeros(root, 96)?;
            let shared = if let Place::Node(node) = four { Some(node) } else { None };
            let v6 =
                tree.steps(if nodes == 0 { Place::Nothing } else { Place::Node(0) }, 128, shared)?;
            Ok(Layer { v4: tree.steps(four, 32, None)?, v6 })
        }
        _ => Err(Damage::IpVersion),
    }
}

impl Tree<'_> {
    fn record(&self, node: u32, side: usize) -> Result<Place, Damage> {
        let width = usize::from(self.record_size) / 4;
        let start = node as usize * width;
        let at = self.octets.get(start..start + width).ok_or(Damage::Short)?;
        let byte = |index: usize| u32::from(at[index]);
        let value = match (self.record_size, side) {
            (24, _) => byte(3 * side) << 16 | byte(3 * side + 1) << 8 | byte(3 * side + 2),
            (28, 0) => (byte(3) >> 4) << 24 | byte(0) << 16 | byte(1) << 8 | byte(2),
            (28, _) => (byte(3) & 15) << 24 | byte(4) << 16 | byte(5) << 8 | byte(6),
            _ => {
                let first = 4 * side;
                byte(first) << 24 | byte(first + 1) << 16 | byte(first + 2) << 8 | byte(first + 3)
            }
        };
        if value < self.nodes {
            return Ok(Place::Node(value));
        }
        if value == self.nodes {
            return Ok(Place::Nothing);
        }
        let offset = (value - self.nodes).checked_sub(16).ok_or(Damage::Pointer)?;
        if offset < self.data_length { Ok(Place::Data(offset + 1)) } else { Err(Damage::Pointer) }
    }

    fn below_zeros(&self, mut place: Place, depth: usize) -> Result<Place, Damage> {
        for _ in 0..depth {
            let Place::Node(node) = place else { break };
            place = self.record(node, 0)?;
        }
        Ok(place)
    }

    /// Depth first, zero before one, so that starts come in order.
    fn steps<K>(&self, root: Place, bits: u32, silent: Option<u32>) -> Result<Steps<K>, Damage>
    where
        K: Key + std::ops::BitOr<Output = K> + From<u32> + std::ops::Shl<u32, Output = K>,
    {
        let mut steps = Steps::default();
        let mut visits = VISITS * (self.nodes as usize + 1);
        let mut left = vec![(root, K::default(), bits)];
        while let Some((place, start, below)) = left.pop() {
            match place {
                Place::Node(node) if silent == Some(node) => steps.push(start, 0),
                Place::Node(node) => {
                    visits = visits.checked_sub(1).ok_or(Damage::Shared)?;
                    // A node below the last bit has no addresses to part.
                    let below = below.checked_sub(1).ok_or(Damage::Shared)?;
                    left.push((self.record(node, 1)?, start | K::from(1) << below, below));
                    left.push((self.record(node, 0)?, start, below));
                }
                Place::Nothing => steps.push(start, 0),
                Place::Data(value) => steps.push(start, value),
            }
        }
        steps.shrink();
        Ok(steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree of IPv4 from 24-bit records; data of 8 octets.
    fn file(records: &[[u32; 2]]) -> Vec<u8> {
        let tree = records.iter().flatten().flat_map(|record| record.to_be_bytes()[1..].to_vec());
        tree.chain([0; SEPARATOR + 8]).collect()
    }

    #[test]
    fn leaves_become_steps() {
        // 0/1 → nothing, 128/2 → data 0, 192/2 → data 5.
        let layer = walk(&file(&[[2, 1], [2 + 16, 2 + 21]]), 2, 24, 4).unwrap();
        let at = |octet: u32| layer.v4.at(octet << 24);
        assert_eq!([at(0), at(127), at(128), at(191), at(192), at(255)], [0, 0, 1, 1, 6, 6]);
        assert!(layer.v6.is_empty());
    }

    #[test]
    fn damage_is_an_error() {
        let walked = |records: &[[u32; 2]], nodes| walk(&file(records), nodes, 24, 4);
        assert_eq!(walked(&[[1, 1]], 9), Err(Damage::Short));
        assert_eq!(walked(&[[1, 2]], 1), Err(Damage::Pointer));
        assert_eq!(walked(&[[1, 99]], 1), Err(Damage::Pointer));
        assert_eq!(walked(&[[0, 0]], 1), Err(Damage::Shared));
        assert_eq!(walked(&[[1, 0], [0, 1]], 2), Err(Damage::Shared));
        assert_eq!(walk(&[], 0, 25, 4), Err(Damage::RecordSize));
        assert_eq!(walk(&[0; 16], 0, 24, 5), Err(Damage::IpVersion));
        assert!(walk(&[0; 16], 0, 24, 6).unwrap().v6.is_empty());
    }
}
