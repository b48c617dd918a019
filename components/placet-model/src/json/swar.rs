//! Eight bytes at a time: where the next interesting byte is, without intrinsics.
//!
//! The lowest marked byte of each mask is exact; a borrow can mark bytes above it wrongly, and only the lowest is
//! ever used.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// The first byte at or after `from` that a string cannot hold as it stands: `"`, `\` or a control character. The
/// length of the text when there is none.
#[inline]
pub(super) fn string_special(bytes: &[u8], from: usize) -> usize {
    find(
        bytes,
        from,
        |word| equal(word, b'"') | equal(word, b'\\') | (word.wrapping_sub(ONES * 0x20) & !word & HIGH),
        |byte| byte == b'"' || byte == b'\\' || byte < 0x20,
    )
}

/// The first `"` or `\` at or after `from`, or the length of the text.
#[inline]
pub(super) fn quote_or_escape(bytes: &[u8], from: usize) -> usize {
    find(bytes, from, |word| equal(word, b'"') | equal(word, b'\\'), |byte| byte == b'"' || byte == b'\\')
}

/// The first `"`, bracket or brace at or after `from`, or the length of the text.
#[inline]
pub(super) fn structure(bytes: &[u8], from: usize) -> usize {
    // `[` and `{`, `]` and `}` differ in one bit.
    find(
        bytes,
        from,
        |word| {
            let folded = word | (ONES * 0x20);
            equal(word, b'"') | equal(folded, b'{') | equal(folded, b'}')
        },
        |byte| matches!(byte, b'"' | b'{' | b'}' | b'[' | b']'),
    )
}

/// The high bit of every byte of `word` that is `byte`.
#[inline]
fn equal(word: u64, byte: u8) -> u64 {
    let zero = word ^ (ONES * u64::from(byte));
    zero.wrapping_sub(ONES) & !zero & HIGH
}

#[inline]
fn find(bytes: &[u8], from: usize, mask: impl Fn(u64) -> u64, is: impl Fn(u8) -> bool) -> usize {
    let rest = bytes.get(from..).unwrap_or(&[]);
    let (words, tail) = rest.as_chunks::<8>();
    for (n, word) in words.iter().enumerate() {
        let found = mask(u64::from_le_bytes(*word));
        if found != 0 {
            return from + n * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let at = tail.iter().position(|byte| is(*byte)).unwrap_or(tail.len());
    from + words.len() * 8 + at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_a_plain_loop_finds() {
        let alphabet = b"a\"\\{}[]\x1f\x20\x7f\x80\xff:,!#z|\x5a\x5c\x00";
        let mut state = 1_u32;
        for length in 0..400 {
            let text: Vec<u8> = (0..length % 40)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    alphabet[(state >> 16) as usize % alphabet.len()]
                })
                .collect();
            for from in 0..=text.len() {
                let plain = |is: &dyn Fn(u8) -> bool| {
                    text[from..].iter().position(|b| is(*b)).map_or(text.len(), |at| from + at)
                };
                let special = plain(&|b| b == b'"' || b == b'\\' || b < 0x20);
                assert_eq!(string_special(&text, from), special, "{text:?} {from}");
                assert_eq!(
                    quote_or_escape(&text, from),
                    plain(&|b| b == b'"' || b == b'\\'),
                    "{text:?} {from}"
                );
                assert_eq!(structure(&text, from), plain(&|b| b"\"{}[]".contains(&b)), "{text:?} {from}");
            }
        }
    }
}
