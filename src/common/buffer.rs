//! Room for what is decoded.

/// Hands on so many bytes, zeroed: of the stack, up to 4 KiB, and of the heap beyond.
///
/// No more is zeroed than four times what is asked for, or 64 bytes: a header has room for thousands of small texts, and a large
/// buffer for each of them would cost more than all else that is done with them.
pub(crate) fn with_buffer<T>(length: usize, use_it: impl FnOnce(&mut [u8]) -> T) -> T {
    // Only that which is taken is zeroed.
    let (mut tiny, mut small, mut large, mut largest, mut heap);
    let buffer: &mut [u8] = match length {
        0..=64 => {
            tiny = [0; 64];
            &mut tiny
        }
        65..=256 => {
            small = [0; 256];
            &mut small
        }
        257..=1024 => {
            large = [0; 1024];
            &mut large
        }
        1025..=4096 => {
            largest = [0; 4096];
            &mut largest
        }
        _ => {
            heap = vec![0; length];
            &mut heap
        }
    };
    use_it(&mut buffer[..length])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_as_long_as_was_asked_for_and_zeroed() {
        for length in (0..5_000).chain([65_536]) {
            with_buffer(length, |buffer| {
                assert!(buffer.len() == length && buffer.iter().all(|byte| *byte == 0));
                buffer.fill(0xff);
            });
        }
    }
}
