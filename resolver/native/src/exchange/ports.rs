//! Random source ports: a fresh one for every exchange (RFC 5452 section 9.2).

use std::io;
use std::net::SocketAddr;

use crate::sys::random::Random;
use crate::sys::socket::Socket;

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
