//! Random source ports: a fresh one for every exchange (RFC 5452 section 9.2).
//!
//! Half of what an exchange costs in the kernel is to make a socket, to watch it and to close it.
//! So one that has rested after its exchange serves another: it gives up its peer and its port, is
//! emptied, and gets a port again when it is connected, at random, by the kernel, from the range of
//! ephemeral ports. Where that range is small, each exchange has a fresh socket instead, bound to
//! a random port of all of them: a port that was bound cannot be given up.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::counters::{Area, Field, Scalar};
use crate::sys::random::Random;
use crate::sys::socket::{Socket, would_block};

/// How long a socket rests after a reply before it serves again: a second reply, by a network that
/// duplicates, comes at once. The kernel answers what comes later with an ICMP error.
pub const REST: Duration = Duration::from_millis(20);

/// Sockets that rest or linger after a reply, in one thread. One question has one reply, so what
/// comes later is rare; a socket that has been silent for its wait lingers its full time.
pub const RESTING_MAX: usize = 1024;

/// Datagrams read from a socket to empty it: one with more is flooded, and is closed.
const LEFT_MAX: usize = 16;

/// Ports below belong to services; RFC 6056 section 3.2 wants all the others used.
const PORT_MIN: u16 = 1024;

/// Tries before the kernel may choose. With half of all ports taken, one exchange in a thousand
/// gets there, and the kernel's choice is random too, from a smaller range.
const TRIES: usize = 10;

/// A port from `PORT_MIN` up, each as likely as another.
fn random_port(random: &mut Random) -> u16 {
    loop {
        let port = random.u16();
        if port >= PORT_MIN {
            return port;
        }
    }
}

/// Ports in the kernel's range from which on it may choose: 15 bits. Linux comes with 28,232.
const WIDE: usize = 1 << 15;

/// The kernel's range of ephemeral ports, for IPv4 and IPv6 alike.
const RANGE: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// Sockets of all kinds that may hold ports at the same time where we choose: half of the ports. A
/// random choice among those that are free must stay both quick and hard to guess.
const OWN_MAX: usize = (65_536 - PORT_MIN as usize) / 2;

/// Whether the kernel's own random choice of a source port is from a range that is wide enough
/// (RFC 5452 section 9.2: as large as possible and practicable).
pub fn kernel_range_is_wide() -> bool {
    kernel_range() >= WIDE
}

/// Sockets that one user of ports, of two, may hold.
pub fn sockets_max(kernel_ports: bool) -> usize {
    if kernel_ports { kernel_range() / 3 } else { OWN_MAX }
}

fn kernel_range() -> usize {
    std::fs::read_to_string(RANGE).map_or(0, |text| size(&text))
}

fn size(range: &str) -> usize {
    let mut ends = range.split_whitespace().map(str::parse::<usize>);
    match (ends.next(), ends.next()) {
        (Some(Ok(least)), Some(Ok(most))) if most >= least => most - least + 1,
        _ => 0,
    }
}

/// Free a socket of its peer, of the port that the kernel gave it, and of what came for them, which
/// is counted; false when that cannot be done.
pub fn free(socket: &Socket, slot: u32, scratch: &mut [u8], books: &Area) -> bool {
    if socket.disconnect().is_err() {
        return false;
    }
    for _ in 0..LEFT_MAX {
        match socket.receive(scratch) {
            Ok(octets) => {
                books.add(slot, Field::OctetsReceived, octets as u64);
                books.count(Scalar::UpstreamLate, 1);
            }
            Err(error) if would_block(&error) => return true,
            Err(_) => books.count(Scalar::IcmpErrors, 1),
        }
    }
    false
}

/// Bind `socket` to a random port that is free.
pub fn bind_random(socket: &Socket, server: &SocketAddr, random: &mut Random) -> io::Result<()> {
    for _ in 0..TRIES {
        match socket.bind_port(server, random_port(random)) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(error),
        }
    }
    socket.bind_port(server, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_a_range() {
        assert_eq!(size("32768\t60999\n"), 28_232);
        assert_eq!(size("1 1"), 1);
        for broken in ["65535 1024", "", "1024", "a b", "-1 65535"] {
            assert_eq!(size(broken), 0, "{broken:?}");
        }
    }

    #[test]
    fn ports_spread_over_the_whole_range() {
        let mut random = Random::default();
        let ports: Vec<u16> = (0..20_000).map(|_| random_port(&mut random)).collect();
        assert!(ports.iter().all(|port| *port >= PORT_MIN));
        // Each of 63 slices of 1,024 ports holds about 317 of 20,000.
        for slice in 1..64 {
            let hits = ports.iter().filter(|port| **port / 1024 == slice).count();
            assert!((200..450).contains(&hits), "slice {slice}: {hits}");
        }
    }
}
