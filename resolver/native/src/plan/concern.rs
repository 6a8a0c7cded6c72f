//! Which questions policy leaves to Python: those for names that some rule concerns, and those of
//! views whose answers are made one by one. And which replies: those with an address in an answer
//! on which some rule matches.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use crate::names::Names;
use crate::ranges::Layer;

/// What Python has said of a policy. Immutable; replaced whole with the generation.
#[derive(Default)]
pub struct Concern {
    names: Vec<Arc<Names>>,
    views: HashSet<u32>,
    ranges: Vec<Arc<Layer>>,
}

impl Concern {
    /// A name is concerned when one of the tables has it, an address when one of the ranges has.
    pub fn new(names: Vec<Arc<Names>>, views: Vec<u32>, ranges: Vec<Arc<Layer>>) -> Self {
        Self { names, views: views.into_iter().collect(), ranges }
    }

    /// Whether an answer with these addresses is Python's.
    pub fn touches(&self, mut addresses: impl Iterator<Item = IpAddr>) -> bool {
        !self.ranges.is_empty()
            && addresses.any(|address| self.ranges.iter().any(|layer| layer.holds(address)))
    }

    /// Whether a question for a name from a view is Python's. `name` is plain and in lower case.
    pub fn holds(&self, name: &[u8], view: u32) -> bool {
        self.names.iter().any(|table| table.find(name).is_some())
            || !self.views.is_empty() && self.views.contains(&view)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ranges::Steps;

    fn concern(owners: &[&[u8]], views: Vec<u32>) -> Concern {
        let table = Names::new(owners.iter().map(|owner| (*owner, 0))).unwrap();
        Concern::new(vec![Arc::new(table)], views, Vec::new())
    }

    #[test]
    fn an_address_in_one_of_the_ranges() {
        let layer = |first: u32, last: u32, sixth: u128| {
            Arc::new(Layer {
                v4: Steps::flatten(&[(first, last, 1)]).unwrap(),
                v6: Steps::flatten(&[(sixth, sixth, 1)]).unwrap(),
            })
        };
        let concern = Concern::new(Vec::new(), Vec::new(), vec![layer(5, 9, 1), layer(20, 20, 2)]);
        let four = |at: u32| IpAddr::V4(at.into());
        let six = |at: u128| IpAddr::V6(at.into());
        for address in [four(5), four(9), four(20), six(1), six(2)] {
            assert!(concern.touches([four(0), address].into_iter()));
        }
        assert!(!concern.touches([four(4), four(10), four(1), six(5), six(9)].into_iter()));
        assert!(!Concern::default().touches([four(5)].into_iter()));
    }

    #[test]
    fn a_name_alone_and_a_name_with_all_below() {
        let concern =
            concern(&[b"\x01a\x02xa\0", b"\x01b\x02xa\0", b"\x01*\x01b\x02xa\0"], vec![3]);
        for name in [&b"\x01a\x02xa\0"[..], b"\x01b\x02xa\0", b"\x01c\x01b\x02xa\0"] {
            assert!(concern.holds(name, 0));
        }
        for name in [&b"\x01c\x01a\x02xa\0"[..], b"\x02xa\0", b"\0"] {
            assert!(!concern.holds(name, 0) && concern.holds(name, 3));
        }
        assert!(!Concern::default().holds(b"\0", 0));
    }

    #[test]
    fn all_names_are_the_root_and_all_below() {
        let all = concern(&[b"\0", b"\x01*\0"], Vec::new());
        assert!(all.holds(b"\x02xa\0", 0) && all.holds(b"\0", 0));
    }
}
