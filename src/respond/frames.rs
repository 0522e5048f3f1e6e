//! Where a body of gRPC-Web or Connect stands between its frames.

use crate::common::base64_digit::base64_digit;

/// Follows a body frame by frame: a flag, four bytes of length, and a message.
///
/// A last frame of ours may follow a whole frame, and nothing else: within a message it would be taken for a part of it, and behind
/// the service's own last frame it is one too many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FramesSent {
    /// What is left of the message that is being sent.
    left: u32,
    /// The bits of the text that make no byte yet, how many they are, and how many digits of a group of four were sent, pads included.
    bits: u16,
    bit_count: u8,
    digits: u8,
    /// How many bytes of a prefix were sent.
    prefix: u8,
    is_last: bool,
}

/// Whether a last frame can follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Between {
    Frames,
    /// In the midst of a frame.
    Nothing,
    /// The last frame was sent.
    LastAndEnd,
}

impl FramesSent {
    /// Follows a piece. `last` is the bit of a flag that says that its frame is the last one.
    pub(crate) fn read(&mut self, mut piece: &[u8], last: u8) {
        while let Some((first, rest)) = piece.split_first() {
            if self.prefix < PREFIX {
                self.read_byte(*first, last);
                piece = rest;
            } else {
                let length = piece.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
                // No more than is left, which fits.
                self.left -= u32::try_from(length).unwrap_or(self.left);
                piece = piece.get(length..).unwrap_or_default();
                self.end_frame();
            }
        }
    }

    /// Follows a piece in base64. Each pad ends a text of its own.
    pub(crate) fn read_base64(&mut self, piece: &[u8], last: u8) {
        for digit in piece {
            self.digits = (self.digits + 1) % 4;
            let Some(value) = base64_digit(*digit) else {
                (self.bits, self.bit_count) = (0, 0);
                continue;
            };
            self.bits = self.bits << 6 | u16::from(value);
            self.bit_count += 6;
            if self.bit_count >= 8 {
                self.bit_count -= 8;
                let [_, byte] = (self.bits >> self.bit_count).to_be_bytes();
                self.read(&[byte], last);
            }
        }
    }

    pub(crate) const fn between(self) -> Between {
        match (self.prefix, self.digits, self.is_last) {
            (0, 0, false) => Between::Frames,
            (0, 0, true) => Between::LastAndEnd,
            _ => Between::Nothing,
        }
    }

    fn read_byte(&mut self, byte: u8, last: u8) {
        match self.prefix {
            0 => self.is_last |= byte & last != 0,
            _ => self.left = self.left << 8 | u32::from(byte),
        }
        self.prefix += 1;
        self.end_frame();
    }

    fn end_frame(&mut self) {
        if self.prefix == PREFIX && self.left == 0 {
            self.prefix = 0;
        }
    }
}

/// A flag and a length.
const PREFIX: u8 = 5;

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    const BODY: &[u8] = b"\0\0\0\0\x03one\0\0\0\0\0\x80\0\0\0\x02ok";
    const LAST: u8 = 0x80;

    fn expected(sent: usize) -> Between {
        match sent {
            0 | 8 | 13 => Between::Frames,
            20 => Between::LastAndEnd,
            _ => Between::Nothing,
        }
    }

    #[test]
    fn tells_where_a_frame_may_follow_however_the_body_is_cut_into_pieces() {
        for first in 0..=BODY.len() {
            for second in first..=BODY.len() {
                let mut sent = FramesSent::default();
                sent.read(&BODY[..first], LAST);
                assert_eq!(sent.between(), expected(first), "{first}");
                sent.read(&BODY[first..second], LAST);
                assert_eq!(sent.between(), expected(second), "{first} {second}");
            }
        }
    }

    #[test]
    fn tells_it_of_base64_in_one_text_and_in_several() {
        let frames = [&BODY[..8], &BODY[8..13], &BODY[13..]];
        let texts: String = frames.iter().map(|frame| STANDARD.encode(frame)).collect();
        for text in [STANDARD.encode(BODY), texts] {
            let (mut whole, mut by_digit) = (FramesSent::default(), FramesSent::default());
            whole.read_base64(text.as_bytes(), LAST);
            text.bytes().for_each(|digit| by_digit.read_base64(&[digit], LAST));
            assert_eq!(
                (whole.between(), by_digit.between()),
                (Between::LastAndEnd, Between::LastAndEnd)
            );
        }
        // Within a frame; within a group of four, pads included, whose bytes are all there.
        for half in [
            &STANDARD.encode(&BODY[..7])[..],
            "AAAAAANvbmU",
            "AAAAAAA",
            "AAAAAAE",
            "AAAAAAEAAA=",
        ] {
            let mut sent = FramesSent::default();
            sent.read_base64(half.as_bytes(), LAST);
            assert_eq!(sent.between(), Between::Nothing, "{half}");
        }
    }

    #[test]
    fn a_frame_of_the_largest_length_is_followed() {
        let mut sent = FramesSent::default();
        sent.read(b"\0\xff\xff\xff\xff", LAST);
        sent.read(&[0; 100], LAST);
        assert_eq!((sent.between(), sent.left), (Between::Nothing, u32::MAX - 100));
    }
}
