//! Ranges of addresses with a value: what many sources say, compiled into one table a family.
//!
//! A source is a [`Layer`]: steps in ascending order, each with the value that holds from its
//! start up to the next; 0 stands for silence. A [`Table`] lays several layers over each other:
//! between two of its steps no source changes its mind, so one binary search finds what all of them
//! say. What the values mean, and what follows from them, is Python's affair.

pub mod mmdb;

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::net::IpAddr;

/// An address as a number: `u32` for IPv4, `u128` for IPv6.
pub trait Key: Copy + Ord + Hash + Default {
    /// The address after this one; none after the last.
    fn next(self) -> Option<Self>;
}

impl Key for u32 {
    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }
}

impl Key for u128 {
    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }
}

/// First and last address, and the value.
pub type Row<K> = (K, K, u32);

/// Two rows, by their index, that cover the same addresses and neither of which is the narrower.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub struct Overlap {
    pub earlier: usize,
    pub later: usize,
}

impl fmt::Display for Overlap {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "rows {} and {} overlap", self.earlier, self.later)
    }
}

/// The value at each address of a family, as the starts of stretches of one value. The first
/// start is 0; neighbours differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Steps<K> {
    starts: Vec<K>,
    values: Vec<u32>,
}

impl<K: Key> Default for Steps<K> {
    fn default() -> Self {
        Self { starts: vec![K::default()], values: vec![0] }
    }
}

impl<K: Key> Steps<K> {
    /// Flatten rows. The narrowest row that covers an address gives its value.
    ///
    /// # Errors
    /// Two rows are equal, or cross without one lying inside the other.
    pub fn flatten(rows: &[Row<K>]) -> Result<Self, Overlap> {
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by_key(|&at| (rows[at].0, std::cmp::Reverse(rows[at].1)));
        let mut steps = Self::default();
        let mut open: Vec<usize> = Vec::new();
        for at in order {
            let (first, last, value) = rows[at];
            steps.close(&mut open, rows, Some(first));
            if let Some(&outer) = open.last() {
                let (outer_first, outer_last, _) = rows[outer];
                if last > outer_last || (first, last) == (outer_first, outer_last) {
                    return Err(Overlap { earlier: outer.min(at), later: outer.max(at) });
                }
            }
            steps.push(first, value);
            open.push(at);
        }
        steps.close(&mut open, rows, None);
        Ok(steps)
    }

    /// End the open rows whose last address stands before `up_to` (`None`: all).
    fn close(&mut self, open: &mut Vec<usize>, rows: &[Row<K>], up_to: Option<K>) {
        while let Some(&at) = open.last() {
            let last = rows[at].1;
            if up_to.is_some_and(|limit| last >= limit) {
                return;
            }
            open.pop();
            if let Some(next) = last.next() {
                self.push(next, open.last().map_or(0, |&outer| rows[outer].2));
            }
        }
    }

    /// From `start` on, `value` holds. Starts never go down; the last word on a start counts.
    fn push(&mut self, start: K, value: u32) {
        if self.starts.last() == Some(&start) {
            self.starts.pop();
            self.values.pop();
        }
        if self.values.last() != Some(&value) {
            self.starts.push(start);
            self.values.push(value);
        }
    }

    /// The value that holds at `key`.
    #[must_use]
    pub fn at(&self, key: K) -> u32 {
        // The first start is 0, so there is always one at or below the key.
        self.values[self.starts.partition_point(|&start| start <= key) - 1]
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.iter().all(|&value| value == 0)
    }

    fn octets(&self) -> usize {
        self.starts.capacity() * size_of::<K>() + self.values.capacity() * size_of::<u32>()
    }

    fn shrink(&mut self) {
        self.starts.shrink_to_fit();
        self.values.shrink_to_fit();
    }
}

/// One source.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Layer {
    pub v4: Steps<u32>,
    pub v6: Steps<u128>,
}

impl Layer {
    /// Whether something is said of an address.
    #[must_use]
    pub fn holds(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(v4) => self.v4.at(v4.into()) != 0,
            IpAddr::V6(v6) => self.v6.at(v6.into()) != 0,
        }
    }
}

/// Several sources, and for each stretch of addresses the combination of what they say.
#[derive(Debug)]
pub struct Table {
    v4: Steps<u32>,
    v6: Steps<u128>,
    layers: usize,
    combinations: Vec<u32>,
}

type Known = HashMap<Box<[u32]>, u32>;

impl Table {
    /// Lay the layers over each other, the first first.
    #[must_use]
    pub fn new(layers: &[&Layer]) -> Self {
        let mut known = Known::new();
        let mut combinations = Vec::new();
        let fours: Vec<_> = layers.iter().map(|layer| &layer.v4).collect();
        let sixes: Vec<_> = layers.iter().map(|layer| &layer.v6).collect();
        let v4 = merge(&fours, &mut known, &mut combinations);
        let v6 = merge(&sixes, &mut known, &mut combinations);
        combinations.shrink_to_fit();
        Self { v4, v6, layers: layers.len(), combinations }
    }

    /// The number of the combination that holds at an address of 4 or 16 octets.
    #[must_use]
    pub fn find(&self, address: &[u8]) -> Option<u32> {
        if let Ok(octets) = address.try_into() {
            return Some(self.v4.at(u32::from_be_bytes(octets)));
        }
        let octets = address.try_into().ok()?;
        Some(self.v6.at(u128::from_be_bytes(octets)))
    }

    /// What each layer says in a combination, in the order of the layers.
    #[must_use]
    pub fn values(&self, combination: u32) -> Option<&[u32]> {
        let start = usize::try_from(combination).ok()?.checked_mul(self.layers)?;
        self.combinations.get(start..start.checked_add(self.layers)?)
    }

    /// Steps of IPv4, steps of IPv6, combinations, octets held.
    #[must_use]
    pub fn sizes(&self) -> (usize, usize, usize, usize) {
        let combinations = self.combinations.len().checked_div(self.layers).unwrap_or(1);
        let octets = self.combinations.capacity() * size_of::<u32>();
        (self.v4.len(), self.v6.len(), combinations, self.v4.octets() + self.v6.octets() + octets)
    }
}

fn merge<K: Key>(layers: &[&Steps<K>], known: &mut Known, combinations: &mut Vec<u32>) -> Steps<K> {
    let mut steps = Steps { starts: Vec::new(), values: Vec::new() };
    let mut at = vec![0_usize; layers.len()];
    let mut said: Vec<u32> = layers.iter().map(|layer| layer.values[0]).collect();
    let mut start = K::default();
    loop {
        let number = known.get(said.as_slice()).copied().unwrap_or_else(|| {
            let number = u32::try_from(known.len()).expect("fewer combinations than steps");
            known.insert(said.clone().into_boxed_slice(), number);
            combinations.extend_from_slice(&said);
            number
        });
        steps.push(start, number);
        let next = layers.iter().zip(&at).filter_map(|(layer, &at)| layer.starts.get(at + 1)).min();
        let Some(&next) = next else { break };
        start = next;
        for ((layer, at), said) in layers.iter().zip(&mut at).zip(&mut said) {
            if layer.starts.get(*at + 1) == Some(&next) {
                *at += 1;
                *said = layer.values[*at];
            }
        }
    }
    steps.shrink();
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrowest_row_speaks() {
        let steps = Steps::<u32>::flatten(&[(10, 99, 1), (20, 29, 2), (20, 24, 3), (200, 300, 1)]);
        let steps = steps.unwrap();
        let heard: Vec<u32> =
            [9, 10, 19, 20, 24, 25, 29, 30, 99, 100, 200, 301].map(|at| steps.at(at)).to_vec();
        assert_eq!(heard, [0, 1, 1, 3, 3, 2, 2, 1, 1, 0, 1, 0]);
    }

    #[test]
    fn the_whole_space_may_be_covered() {
        let steps = Steps::<u32>::flatten(&[(0, u32::MAX, 7), (u32::MAX, u32::MAX, 8)]).unwrap();
        assert_eq!((steps.at(0), steps.at(u32::MAX - 1), steps.at(u32::MAX)), (7, 7, 8));
        let steps = Steps::<u128>::flatten(&[(0, u128::MAX, 7)]).unwrap();
        assert_eq!(steps.at(u128::MAX), 7);
    }

    #[test]
    fn neighbours_of_one_value_become_one_step() {
        let steps = Steps::<u32>::flatten(&[(0, 9, 1), (10, 19, 1), (12, 13, 1)]).unwrap();
        assert_eq!(steps.len(), 2);
    }

    #[test]
    fn rows_that_cross_or_are_equal_are_told() {
        let crossed = Steps::<u32>::flatten(&[(15, 30, 2), (10, 20, 1)]);
        assert_eq!(crossed, Err(Overlap { earlier: 0, later: 1 }));
        let equal = Steps::<u32>::flatten(&[(1, 2, 1), (10, 20, 1), (10, 20, 1)]);
        assert_eq!(equal, Err(Overlap { earlier: 1, later: 2 }));
    }

    #[test]
    fn a_table_gives_what_each_layer_says() {
        let layer = |rows: &[Row<u32>]| Layer {
            v4: Steps::flatten(rows).unwrap(),
            v6: Steps::flatten(&[(5, 9, rows[0].2)]).unwrap(),
        };
        let (one, two) = (layer(&[(10, 29, 1)]), layer(&[(20, 39, 2)]));
        let table = Table::new(&[&one, &two]);
        let heard = |address: &[u8]| table.values(table.find(address).unwrap()).unwrap().to_vec();
        assert_eq!(heard(&[0, 0, 0, 9]), [0, 0]);
        assert_eq!(heard(&[0, 0, 0, 10]), [1, 0]);
        assert_eq!(heard(&[0, 0, 0, 20]), [1, 2]);
        assert_eq!(heard(&[0, 0, 0, 30]), [0, 2]);
        assert_eq!(heard(&[0; 16]), [0, 0]);
        assert_eq!(heard(&7_u128.to_be_bytes()), [1, 2]);
        assert_eq!(table.find(&[1, 2, 3]), None);
        assert_eq!(table.values(99), None);
        assert_eq!(table.sizes().2, 4);
        let nothing = Table::new(&[]);
        assert_eq!(nothing.values(nothing.find(&[0; 4]).unwrap()), Some(&[][..]));
    }
}
