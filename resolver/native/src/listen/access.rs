//! The access list: which addresses may ask.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

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
        let (address, length) = entry.split_once('/').map_or((entry, None), |(a, b)| (a, Some(b)));
        let address: IpAddr = address.parse().map_err(|_| "not an address")?;
        let bits: u32 = if address.is_ipv4() { 32 } else { 128 };
        let length = match length {
            None => bits,
            Some(text) => text.parse().map_err(|_| "the prefix length is not a number")?,
        };
        let host = bits.checked_sub(length).ok_or("the prefix is longer than an address")?;
        let mask = low_bits(host);
        match address {
            IpAddr::V4(v4) => self.ipv4.push(range(u32::from(v4), mask as u32)?),
            IpAddr::V6(v6) => self.ipv6.push(range(u128::from(v6), mask)?),
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

/// The list in force; replaced whole, and looked at once a batch.
pub struct Access {
    networks: Mutex<Arc<Networks>>,
    /// Goes up with each replacement, so that looking costs no more than a load.
    edition: AtomicU64,
}

/// A thread's own hold of the list.
pub struct Held {
    networks: Arc<Networks>,
    edition: u64,
}

impl std::ops::Deref for Held {
    type Target = Networks;

    fn deref(&self) -> &Networks {
        &self.networks
    }
}

impl Access {
    pub fn new(networks: Networks) -> Self {
        Self { networks: Mutex::new(Arc::new(networks)), edition: AtomicU64::new(0) }
    }

    /// The list in force now.
    pub fn hold(&self) -> Held {
        let networks = lock(&self.networks);
        Held { networks: Arc::clone(&networks), edition: self.edition.load(Ordering::Relaxed) }
    }

    /// Hold another list if another one is in force.
    pub fn renew(&self, held: &mut Held) {
        if self.edition.load(Ordering::Acquire) != held.edition {
            *held = self.hold();
        }
    }

    /// Put another list in force.
    pub fn replace(&self, networks: Networks) {
        *lock(&self.networks) = Arc::new(networks);
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
}
