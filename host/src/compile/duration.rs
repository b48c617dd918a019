//! Durations such as `15m` or `1h30m`.

/// Why a text is not a duration that policies can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A number alone.
    NoUnit,
    /// No duration at all.
    NotOne,
    /// Nothing lasts zero.
    Zero,
    /// Beyond what a double counts exactly in milliseconds.
    TooLong,
}

/// The milliseconds of a duration.
///
/// # Errors
/// What is wrong with it.
pub fn parse(text: &str) -> Result<u64, Fault> {
    let mut total: u64 = 0;
    let mut rest = text;
    if rest.is_empty() {
        return Err(Fault::NotOne);
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, following) = after.split_at(letters);
        let ms: u64 = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            "" if digits > 0 && after.is_empty() => return Err(Fault::NoUnit),
            _ => return Err(Fault::NotOne),
        };
        if number.is_empty() {
            return Err(Fault::NotOne);
        }
        let part = number.parse::<u64>().ok().and_then(|n| n.checked_mul(ms));
        total = part.and_then(|part| total.checked_add(part)).ok_or(Fault::TooLong)?;
        rest = following;
    }
    match total {
        0 => Err(Fault::Zero),
        ms if ms >= 1 << 53 => Err(Fault::TooLong),
        ms => Ok(ms),
    }
}
