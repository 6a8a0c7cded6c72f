//! The door against a socket on loopback, without Python.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use inland_native::counters::Counters;
use inland_native::exchange::{Ask, Door, Failure, Outcome, Settings};

const NAME: &[u8] = b"\x03www\x07example\x02in\0";

fn door(counters: &Arc<Counters>, port: u16) -> Door {
    let settings = Settings {
        port,
        workers: 2,
        in_flight_max: 100,
        linger: Duration::from_secs(1),
        tcp_idle: Duration::from_secs(1),
    };
    Door::open(counters, settings).unwrap()
}

fn ask(ticket: u64, slot: u32, timeout: Duration) -> Ask {
    Ask {
        ticket,
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        name: NAME.into(),
        rtype: 1,
        slot,
        timeout,
        tcp: false,
        edns: false,
        randomise_case: true,
    }
}

fn outcomes(door: &Door, count: usize) -> Vec<Outcome> {
    let mut found = Vec::new();
    let start = Instant::now();
    while found.len() < count {
        let mut wait = libc::pollfd { fd: door.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one valid pollfd, and its count.
        unsafe { libc::poll(&raw mut wait, 1, 1000) };
        found.extend(door.take(count));
        assert!(start.elapsed() < Duration::from_secs(20), "{} of {count}", found.len());
    }
    found
}

#[test]
fn each_ticket_comes_back_once_and_what_was_sent_is_what_arrived() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let counters = Arc::new(Counters::new(None, 2).unwrap());
    let slot = counters.slot("test");
    let door = door(&counters, server.local_addr().unwrap().port());
    door.submit((0..50).map(|ticket| ask(ticket, slot, Duration::from_secs(10))).collect());
    let mut room = [0; 512];
    for _ in 0..50 {
        let (length, from) = server.recv_from(&mut room).unwrap();
        room[2] = 0x84;
        server.send_to(&room[..length], from).unwrap();
    }
    let mut tickets: Vec<u64> = outcomes(&door, 50)
        .into_iter()
        .map(|outcome| {
            let message = outcome.result.unwrap();
            assert_eq!(&*message.question.unwrap().name, NAME);
            outcome.ticket
        })
        .collect();
    tickets.sort_unstable();
    assert_eq!(tickets, (0..50).collect::<Vec<u64>>());
    let (_, [intended, sent, replies, ..]) =
        counters.slots().into_iter().find(|(label, _)| label == "test").unwrap();
    assert_eq!((intended, sent, replies), (50, 50, 50));
}

#[test]
fn closing_ends_what_waits_and_later_asks_at_once() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let counters = Arc::new(Counters::new(None, 2).unwrap());
    let door = door(&counters, server.local_addr().unwrap().port());
    door.submit(vec![ask(1, 0, Duration::from_secs(100))]);
    server.recv_from(&mut [0; 512]).unwrap();
    door.close();
    door.submit(vec![ask(2, 0, Duration::from_secs(100))]);
    let ends: Vec<_> = outcomes(&door, 2)
        .into_iter()
        .map(|outcome| (outcome.ticket, outcome.result.unwrap_err()))
        .collect();
    assert_eq!(ends, [(1, Failure::Closed), (2, Failure::NotSent)]);
    assert_eq!(door.in_flight(), 0);
}

#[test]
fn areas_that_are_missing_are_an_error() {
    let counters = Arc::new(Counters::new(None, 1).unwrap());
    let settings = Settings {
        port: 53,
        workers: 2,
        in_flight_max: 1,
        linger: Duration::ZERO,
        tcp_idle: Duration::ZERO,
    };
    let error = Door::open(&counters, settings).err().unwrap();
    assert!(error.to_string().contains("areas"));
    assert!(counters.area().is_some(), "the area of the thread that had started is free again");
}
