//! The door against a socket on loopback, without Python.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use inland_native::counters::Counters;
use inland_native::exchange::{Ask, Door, Failure, Got, Outcome, Settings};
use inland_native::wire::ask::Options;

const NAME: &[u8] = b"\x03www\x07example\x02in\0";

fn door(counters: &Arc<Counters>, port: u16) -> Door {
    let settings = Settings {
        port,
        workers: 2,
        in_flight_max: 100,
        linger: Duration::from_secs(1),
        tcp_idle: Duration::from_secs(1),
        kernel_ports: true,
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
        edns: Options::Plain,
        randomise_case: true,
        needed: 2,
        raw: None,
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
            let Got::Message(message) = outcome.result.unwrap() else { panic!("octets") };
            assert_eq!(&*message.question.unwrap().name, NAME);
            outcome.ticket
        })
        .collect();
    tickets.sort_unstable();
    assert_eq!(tickets, (0..50).collect::<Vec<u64>>());
    let [intended, sent, replies, .., labels, beyond] = row(&counters);
    assert_eq!((intended, sent, replies), (50, 50, 50));
    assert_eq!((labels, beyond), (150, 50), "three labels each, of which the zone needs two");
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
        kernel_ports: false,
    };
    let error = Door::open(&counters, settings).err().unwrap();
    assert!(error.to_string().contains("areas"));
    assert!(counters.area().is_some(), "the area of the thread that had started is free again");
}

const QUERY: &[u8] = b"\x12\x34\0\0\0\x01\0\0\0\0\0\0\0\0\xfc\0\x01";

fn raw(ticket: u64, slot: u32, timeout: Duration, tcp: bool) -> Ask {
    Ask { raw: Some(QUERY.into()), tcp, ..ask(ticket, slot, timeout) }
}

/// Accept the connection of a transfer and read its query.
fn accept(server: &TcpListener) -> TcpStream {
    let (mut stream, _) = server.accept().unwrap();
    let mut query = [0; QUERY.len() + 2];
    stream.read_exact(&mut query).unwrap();
    assert_eq!(&query[2..], QUERY);
    stream
}

fn message(id: u16, octets: usize) -> Vec<u8> {
    let mut message = vec![0; octets + 2];
    message[..2].copy_from_slice(&(octets as u16).to_be_bytes());
    message[2..4].copy_from_slice(&id.to_be_bytes());
    message[4] = 0x84;
    message
}

fn row(counters: &Counters) -> [u64; 8] {
    counters.slots().into_iter().find(|(label, _)| label == "test").unwrap().1
}

#[test]
fn a_transfer_has_many_messages_and_one_end() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let counters = Arc::new(Counters::new(None, 2).unwrap());
    let slot = counters.slot("test");
    let door = door(&counters, server.local_addr().unwrap().port());
    door.submit(vec![raw(7, slot, Duration::from_secs(10), true)]);
    let mut stream = accept(&server);
    stream.write_all(&message(0x9999, 100)).unwrap(); // of another query: not handed on
    for octets in [20, 30_000, 40] {
        stream.write_all(&message(0x1234, octets)).unwrap();
    }
    let sizes: Vec<usize> = outcomes(&door, 3)
        .into_iter()
        .map(|outcome| match outcome.result {
            Ok(Got::Octets { octets, more: true }) => octets.len(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(sizes, [20, 30_000, 40]);
    assert_eq!(door.in_flight(), 1);
    door.abandon(7);
    assert_eq!(outcomes(&door, 1).pop().unwrap().result.unwrap_err(), Failure::Closed);
    assert_eq!(door.in_flight(), 0);
    assert_eq!(stream.read(&mut [0; 1]).unwrap(), 0);
    let arrived = (102 + 22 + 30_002 + 42) as u64;
    assert_eq!(row(&counters), [1, 1, 3, QUERY.len() as u64 + 2, arrived, 1, 0, 0]);
}

#[test]
fn a_transfer_that_breaks_off_or_falls_silent_ends() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let counters = Arc::new(Counters::new(None, 2).unwrap());
    let door = door(&counters, server.local_addr().unwrap().port());
    door.submit(vec![raw(1, 0, Duration::from_secs(10), true)]);
    let mut stream = accept(&server);
    stream.write_all(&message(0x1234, 500)[..200]).unwrap();
    drop(stream);
    assert_eq!(outcomes(&door, 1).pop().unwrap().result.unwrap_err(), Failure::Closed);
    door.submit(vec![raw(2, 0, Duration::from_millis(100), true)]);
    let _silent = accept(&server);
    assert_eq!(outcomes(&door, 1).pop().unwrap().result.unwrap_err(), Failure::Timeout);
    assert_eq!(door.in_flight(), 0);
}

#[test]
fn a_transfer_is_read_no_faster_than_it_is_taken_in() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let counters = Arc::new(Counters::new(None, 2).unwrap());
    let door = door(&counters, server.local_addr().unwrap().port());
    door.submit(vec![raw(3, 0, Duration::from_secs(10), true)]);
    let mut stream = accept(&server);
    let writer = std::thread::spawn(move || {
        for _ in 0..2_000 {
            stream.write_all(&message(0x1234, 60_000)).unwrap();
        }
        stream
    });
    assert_eq!(outcomes(&door, 64).len(), 64);
    // A second look finds nothing although megabytes wait to be read.
    let mut wait = libc::pollfd { fd: door.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one valid pollfd, and its count.
    unsafe { libc::poll(&raw mut wait, 1, 200) };
    assert!(door.take(1).is_empty());
    for _ in 0..2_000 - 64 {
        door.proceed(3);
        let more = outcomes(&door, 1).pop().unwrap();
        assert!(matches!(more.result, Ok(Got::Octets { more: true, .. })));
    }
    drop(writer.join().unwrap());
    door.proceed(3);
    assert_eq!(outcomes(&door, 1).pop().unwrap().result.unwrap_err(), Failure::Closed);
}

#[test]
fn a_raw_datagram_goes_as_it_is_and_its_reply_comes_as_it_is() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let counters = Arc::new(Counters::new(None, 2).unwrap());
    let door = door(&counters, server.local_addr().unwrap().port());
    door.submit(vec![raw(4, 0, Duration::from_secs(10), false)]);
    let mut room = [0; 512];
    let (length, from) = server.recv_from(&mut room).unwrap();
    assert_eq!(&room[..length], QUERY);
    room[2] = 0x84;
    room[0] ^= 1;
    server.send_to(&room[..length], from).unwrap(); // another ID
    room[0] ^= 1;
    server.send_to(&room[..length], from).unwrap();
    match outcomes(&door, 1).pop().unwrap().result {
        Ok(Got::Octets { octets, more: false }) => assert_eq!(&*octets, &room[..length]),
        other => panic!("{other:?}"),
    }
}
