//! Which questions policy leaves to Python: those for names that some rule concerns, and those of
//! views whose answers are made one by one.

use std::collections::HashSet;
use std::sync::Arc;

use crate::names::Names;

/// What Python has said of a policy. Immutable; replaced whole with the generation.
#[derive(Default)]
pub struct Concern {
    names: Vec<Arc<Names>>,
    views: HashSet<u32>,
}

impl Concern {
    /// A name is concerned when one of the tables has it.
    pub fn new(names: Vec<Arc<Names>>, views: Vec<u32>) -> Self {
        Self { names, views: views.into_iter().collect() }
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

    fn concern(owners: &[&[u8]], views: Vec<u32>) -> Concern {
        let table = Names::new(owners.iter().map(|owner| (*owner, 0))).unwrap();
        Concern::new(vec![Arc::new(table)], views)
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
