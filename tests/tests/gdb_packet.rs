//! Encoded packets of GDB's remote protocol decode to their bodies, and invalid bytes are harmless.

use mmstats_tools::source::gdb::packet::{
    Decoder, Event, MAX_BODY_BYTES, PacketError, encode, hex, unhex,
};
use proptest::collection::vec;
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

fn decode(bytes: &[u8]) -> Vec<Event> {
    let mut decoder = Decoder::default();
    bytes.iter().filter_map(|byte| decoder.push(*byte)).collect()
}

proptest! {
    #[test]
    fn encoded_bodies_are_decoded(bodies in vec(vec(any::<u8>(), 0..300), 0..5)) {
        let packets: Vec<u8> = bodies.iter().flat_map(|body| encode(body)).collect();
        let expected: Vec<_> = bodies.into_iter().map(Event::Packet).collect();
        prop_assert_eq!(decode(&packets), expected);
    }

    #[test]
    fn an_encoded_body_has_no_special_byte(body in vec(any::<u8>(), 0..300)) {
        let packet = encode(&body);
        let inside = &packet[1..packet.len() - 3];
        prop_assert!(!inside.iter().any(|byte| b"$#*".contains(byte)));
    }

    #[test]
    fn arbitrary_bytes_are_harmless(bytes in vec(any::<u8>(), 0..2000)) {
        decode(&bytes);
        let _ = unhex(&bytes);
    }

    #[test]
    fn special_bytes_are_harmless(bytes in "[-+$%#*}0-9a-f !~]{0,300}") {
        decode(bytes.as_bytes());
    }

    #[test]
    fn a_packet_is_found_after_noise(
        noise in vec(any::<u8>(), 0..300),
        body in vec(any::<u8>(), 0..30),
    ) {
        let last = decode(&[noise, encode(&body)].concat()).pop();
        prop_assert_eq!(last, Some(Event::Packet(body)));
    }

    #[test]
    fn a_flipped_bit_is_detected(
        body in vec(any::<u8>(), 1..300),
        at in any::<proptest::sample::Index>(),
        bit in 0..8,
    ) {
        let mut packet = encode(&body);
        let inside = 1..packet.len() - 3;
        packet[inside.start + at.index(inside.len())] ^= 1_u8 << bit;
        prop_assert!(!decode(&packet).contains(&Event::Packet(body)));
    }

    #[test]
    fn hexadecimal_digits_are_decoded(bytes in vec(any::<u8>(), 0..300)) {
        prop_assert_eq!(unhex(&hex(&bytes)), Some(bytes.clone()));
        prop_assert_eq!(unhex(&hex(&bytes).to_ascii_uppercase()), Some(bytes));
    }

    #[test]
    fn repetitions_are_expanded(byte in "[a-z]", times in 3_u8..=97) {
        let packet = packet(&[byte.as_bytes(), b"*", &[times + 29]].concat());
// Counts encoded as # and $ are not allowed, because these delimit packets.
        if ![b'#', b'$'].contains(&(times + 29)) {
            let expected = byte.repeat(usize::from(times) + 1).into_bytes();
            prop_assert_eq!(decode(&packet), vec![Event::Packet(expected)]);
        }
    }
}

/// Returns a packet with an already encoded body.
fn packet(encoded: &[u8]) -> Vec<u8> {
    let sum = encoded.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    [b"$", encoded, format!("#{sum:02x}").as_bytes()].concat()
}

#[test]
fn packets_have_the_specified_bytes() {
    assert_eq!(encode(b"m20000100,800"), b"$m20000100,800#b4");
    assert_eq!(encode(b"}$#*"), b"$}]}\x04}\x03}\n#62");
    assert_eq!(
        decode(b"+-$OK#9a%Stop:T05#00$OK#9A"),
        [
            Event::Acknowledged,
            Event::Refused,
            Event::Packet(b"OK".to_vec()),
            Event::Notification,
            Event::Packet(b"OK".to_vec())
        ]
    );
    // The server started over.
    assert_eq!(decode(b"$00$OK#9a"), [Event::Packet(b"OK".to_vec())]);
}

#[test]
fn invalid_packets_are_reported() {
    assert_eq!(decode(b"$OK#9b"), [Event::Damaged(PacketError::Sum { computed: 0x9a })]);
    assert_eq!(decode(b"$OK#x9"), [Event::Damaged(PacketError::Sum { computed: 0x9a })]);
    for body in [&b"0}"[..], b"0*"] {
        assert_eq!(decode(&packet(body)), [Event::Damaged(PacketError::Unfinished)]);
    }
    for body in [&b"*!"[..], b"0*\x1f", b"0*\x7f", b"0*\xff"] {
        assert_eq!(decode(&packet(body)), [Event::Damaged(PacketError::Repetition)]);
    }
}

#[test]
fn the_size_of_a_packet_is_limited() {
    let body = vec![b'0'; MAX_BODY_BYTES];
    assert_eq!(decode(&packet(&body)), [Event::Packet(body.clone())]);
    assert_eq!(
        decode(&packet(&[&body[..], b"0"].concat())),
        [Event::Damaged(PacketError::TooLong)]
    );
    // Also after repetitions are expanded.
    let bomb = [b"0", &b"*~".repeat(MAX_BODY_BYTES / 97)[..], b"*~"].concat();
    assert_eq!(decode(&packet(&bomb)), [Event::Damaged(PacketError::TooLong)]);
}
