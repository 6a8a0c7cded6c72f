//! What client addresses are: which may ask, and in which view each stands.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::ranges::{Layer, Row, Steps};
use crate::sys::thread::lock;

/// Networks as sorted ranges that do not overlap, one list a family.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks {
    ipv4: Vec<(u32, u32)>,
    ipv6: Vec<(u128, u128)>,
}

impl Networks {
    /// Read networks in CIDR notation; a lone address is a network of one.
    ///
    /// # Errors
    ///
    /// The first entry that is none, and why.
    pub fn parse<S: AsRef<str>>(entries: &[S]) -> Result<Self, String> {
        let mut networks = Self::default();
        for entry in entries {
            let entry = entry.as_ref();
            networks.add(entry).map_err(|why| format!("{entry:?}: {why}"))?;
        }
        networks.ipv4 = merge(std::mem::take(&mut networks.ipv4));
        networks.ipv6 = merge(std::mem::take(&mut networks.ipv6));
        Ok(networks)
    }

    fn add(&mut self, entry: &str) -> Result<(), &'static str> {
        match network(entry)? {
            Network::V4(first, last) => self.ipv4.push((first, last)),
            Network::V6(first, last) => self.ipv6.push((first, last)),
        }
        Ok(())
    }

    /// Whether an address is in one of the networks.
    pub fn contain(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(v4) => within(&self.ipv4, u32::from(v4)),
            IpAddr::V6(v6) => within(&self.ipv6, u128::from(v6)),
        }
    }
}

/// The first and the last address of a network.
enum Network {
    V4(u32, u32),
    V6(u128, u128),
}

/// Read a network in CIDR notation, or a lone address.
fn network(entry: &str) -> Result<Network, &'static str> {
    let (address, length) = entry.split_once('/').map_or((entry, None), |(a, b)| (a, Some(b)));
    let address: IpAddr = address.parse().map_err(|_| "not an address")?;
    let bits: u32 = if address.is_ipv4() { 32 } else { 128 };
    let length = match length {
        None => bits,
        Some(text) => text.parse().map_err(|_| "the prefix length is not a number")?,
    };
    let host = bits.checked_sub(length).ok_or("the prefix is longer than an address")?;
    let mask = low_bits(host);
    Ok(match address {
        IpAddr::V4(v4) => {
            let (first, last) = range(u32::from(v4), mask as u32)?;
            Network::V4(first, last)
        }
        IpAddr::V6(v6) => {
            let (first, last) = range(u128::from(v6), mask)?;
            Network::V6(first, last)
        }
    })
}

/// Which view a client's address stands in: that of the longest prefix that covers it, else 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Views(Layer);

impl Views {
    /// Compile prefixes in CIDR notation, each with the number of its view.
    ///
    /// # Errors
    ///
    /// The first entry that is no network, or a prefix that stands twice.
    pub fn parse<S: AsRef<str>>(entries: &[(S, u32)]) -> Result<Self, String> {
        let (mut v4, mut v6): (Vec<Row<u32>>, Vec<Row<u128>>) = Default::default();
        for (entry, view) in entries {
            let entry = entry.as_ref();
            match network(entry).map_err(|why| format!("{entry:?}: {why}"))? {
                Network::V4(first, last) => v4.push((first, last, *view)),
                Network::V6(first, last) => v6.push((first, last, *view)),
            }
        }
        // Prefixes lie inside each other or apart, so only equal ones can be in doubt.
        let twice = |_| "a prefix stands twice".to_owned();
        let (v4, v6) = (Steps::flatten(&v4).map_err(twice)?, Steps::flatten(&v6).map_err(twice)?);
        Ok(Self(Layer { v4, v6 }))
    }

    /// The view of an address.
    #[must_use]
    pub fn of(&self, address: IpAddr) -> u32 {
        match address {
            IpAddr::V4(v4) => self.0.v4.at(u32::from(v4)),
            IpAddr::V6(v6) => self.0.v6.at(u128::from(v6)),
        }
    }
}

/// A number with so many ones at its end, 0 to 128.
const fn low_bits(count: u32) -> u128 {
    match u128::MAX.checked_shr(128 - count) {
        Some(mask) => mask,
        None => 0,
    }
}

fn range<T>(first: T, mask: T) -> Result<(T, T), &'static str>
where
    T: std::ops::BitAnd<Output = T> + std::ops::BitOr<Output = T> + Copy + Default + PartialEq,
{
    if first & mask == T::default() {
        Ok((first, first | mask))
    } else {
        Err("has bits set beyond its prefix")
    }
}

fn merge<T: Ord + Copy>(mut ranges: Vec<(T, T)>) -> Vec<(T, T)> {
    ranges.sort_unstable();
    let mut merged: Vec<(T, T)> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match merged.last_mut() {
            Some(before) if first <= before.1 => before.1 = before.1.max(last),
            _ => merged.push((first, last)),
        }
    }
    merged
}

fn within<T: Ord + Copy>(ranges: &[(T, T)], number: T) -> bool {
    let after = ranges.partition_point(|(first, _)| *first <= number);
    after > 0 && number <= ranges[after - 1].1
}

/// What holds of client addresses at one time. Views are those of one policy, whose generation
/// stands beside them: an answer of another one must not be given to a client of theirs.
#[derive(Clone, Debug, Default)]
pub struct Admission {
    networks: Arc<Networks>,
    views: Arc<Views>,
    pub generation: u64,
}

impl Admission {
    /// Whether an address may ask.
    pub fn contain(&self, address: IpAddr) -> bool {
        self.networks.contain(address)
    }

    /// The view that it stands in.
    pub fn view(&self, address: IpAddr) -> u32 {
        self.views.of(address)
    }
}

/// What is in force; replaced whole, and looked at once a batch.
pub struct Access {
    admission: Mutex<Arc<Admission>>,
    /// Goes up with each replacement, so that looking costs no more than a load.
    edition: AtomicU64,
}

/// A thread's own hold of it.
pub struct Held {
    admission: Arc<Admission>,
    edition: u64,
}

impl std::ops::Deref for Held {
    type Target = Admission;

    fn deref(&self) -> &Admission {
        &self.admission
    }
}

impl Access {
    pub fn new(networks: Networks) -> Self {
        let admission = Admission { networks: Arc::new(networks), ..Admission::default() };
        Self { admission: Mutex::new(Arc::new(admission)), edition: AtomicU64::new(0) }
    }

    /// What is in force now.
    pub fn hold(&self) -> Held {
        let admission = lock(&self.admission);
        Held { admission: Arc::clone(&admission), edition: self.edition.load(Ordering::Relaxed) }
    }

    /// Hold what is in force if that is another one.
    pub fn renew(&self, held: &mut Held) {
        if self.edition.load(Ordering::Acquire) != held.edition {
            *held = self.hold();
        }
    }

    /// Put another access list in force.
    pub fn replace(&self, networks: Networks) {
        self.change(|now| Admission { networks: Arc::new(networks), ..now.clone() });
    }

    /// Put the views of another policy in force, with its generation.
    pub fn replace_views(&self, views: Views, generation: u64) {
        self.change(|now| Admission { views: Arc::new(views), generation, ..now.clone() });
    }

    fn change(&self, make: impl FnOnce(&Admission) -> Admission) {
        let mut admission = lock(&self.admission);
        *admission = Arc::new(make(&admission));
        self.edition.fetch_add(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(networks: &Networks, address: &str) -> bool {
        networks.contain(address.parse().unwrap())
    }

    #[test]
    fn networks_hold_their_first_and_last_address_and_no_more() {
        let list = ["10.0.0.0/8", "192.0.2.7", "2001:db8::/33", "10.1.0.0/16"];
        let networks = Networks::parse(&list).unwrap();
        for inside in ["10.0.0.0", "10.255.255.255", "192.0.2.7", "2001:db8:7fff::1"] {
            assert!(contains(&networks, inside), "{inside}");
        }
        for outside in ["9.255.255.255", "11.0.0.0", "192.0.2.8", "2001:db8:8000::", "::a00:1"] {
            assert!(!contains(&networks, outside), "{outside}");
        }
    }

    #[test]
    fn everything_and_nothing() {
        let all = Networks::parse(&["0.0.0.0/0", "::/0"]).unwrap();
        assert!(contains(&all, "255.255.255.255") && contains(&all, "ffff::ffff"));
        let none = Networks::parse::<&str>(&[]).unwrap();
        assert!(!contains(&none, "127.0.0.1") && !contains(&none, "::1"));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for wrong in ["", "10.0.0.1/8", "10.0.0.0/33", "::/129", "host", "10.0.0.0/x", "10/8"] {
            assert!(Networks::parse(&[wrong]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_longest_prefix_gives_the_view() {
        let rows = [("10.0.0.0/8", 1), ("10.1.0.0/16", 2), ("2001:db8::/32", 3), ("::/0", 4)];
        let views = Views::parse(&rows).unwrap();
        let of = |address: &str| views.of(address.parse().unwrap());
        let heard = ["10.0.0.1", "10.1.2.3", "10.2.0.0", "11.0.0.0", "2001:db8::1", "::1"].map(of);
        assert_eq!(heard, [1, 2, 1, 0, 3, 4]);
        let twice = [("10.0.0.0/8", 1), ("10.0.0.0/8", 2)];
        assert!(Views::parse(&twice).is_err() && Views::parse(&[("10.0.0.1/8", 1)]).is_err());
        assert_eq!(Views::default().of("10.0.0.1".parse().unwrap()), 0);
    }

    #[test]
    fn list_and_views_are_replaced_apart_and_seen_together() {
        let access = Access::new(Networks::parse(&["10.0.0.0/8"]).unwrap());
        let mut held = access.hold();
        access.replace_views(Views::parse(&[("10.1.0.0/16", 7)]).unwrap(), 5);
        let client = "10.1.0.1".parse().unwrap();
        assert_eq!((held.view(client), held.generation), (0, 0), "until it is looked at again");
        access.renew(&mut held);
        assert_eq!((held.view(client), held.generation), (7, 5));
        access.replace(Networks::default());
        access.renew(&mut held);
        assert!(!held.contain(client) && held.view(client) == 7);
    }
}
