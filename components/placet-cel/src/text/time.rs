//! Timestamps and durations: RFC 3339 and the duration syntax of CEL (`1h30m`, `1.5s`, `-250ms`).

use placet_model::Timestamp;

use crate::error::EvalError;

const SECOND: i128 = 1_000_000_000;

/// A date and time of day in some zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    /// Year of the common era.
    pub year: i64,
    /// 1 to 12
    pub month: i64,
    /// 1 to 31
    pub day: i64,
    /// 0 (Sunday) to 6
    pub weekday: i64,
    /// 1 to 366
    pub yearday: i64,
    /// 0 to 23
    pub hour: i64,
    /// 0 to 59
    pub minute: i64,
    /// 0 to 59
    pub second: i64,
}

/// A timestamp within CEL's range, years 1 to 9999.
///
/// # Errors
/// When it is outside.
pub fn timestamp_of_nanos(nanos: i128) -> Result<Timestamp, EvalError> {
    Timestamp::from_nanos(nanos).ok_or_else(|| EvalError::value("the timestamp is outside years 1 to 9999"))
}

/// A number of nanoseconds that a CEL duration can hold: a signed 64-bit integer.
///
/// # Errors
/// When it is outside.
pub fn check_duration(nanos: i128) -> Result<i128, EvalError> {
    match i64::try_from(nanos) {
        Ok(_) => Ok(nanos),
        Err(_) => Err(EvalError::value("the duration is outside plus or minus 292 years")),
    }
}

/// Reads an RFC 3339 timestamp.
///
/// # Errors
/// When the text is not one, or it is outside years 1 to 9999.
pub fn parse_timestamp(text: &str) -> Result<Timestamp, EvalError> {
    Timestamp::parse_rfc3339(text).ok_or_else(|| EvalError::value("the text is not an RFC 3339 timestamp"))
}

/// Writes a duration in seconds: `90s`, `-1.5s`.
pub fn format_duration(nanos: i128) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let magnitude = nanos.unsigned_abs();
    let nanos = u32::try_from(magnitude % SECOND.unsigned_abs()).unwrap_or_default();
    format!("{sign}{}{}s", magnitude / SECOND.unsigned_abs(), fraction(nanos))
}

/// Reads a duration: an optional sign, then numbers with units `h`, `m`, `s`, `ms`, `us` (`µs`), `ns`; or `0`.
///
/// # Errors
/// When the text is not one, or it does not fit 64 bits of nanoseconds.
pub fn parse_duration(text: &str) -> Result<i128, EvalError> {
    let malformed = || EvalError::value("the text is not a duration such as `1h30m` or `1.5s`");
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0);
    }
    let mut total: i128 = 0;
    while let Some((nanos, after)) = leading_span(rest) {
        total = total.saturating_add(nanos);
        rest = after;
        if rest.is_empty() {
            return check_duration(if negative { -total } else { total });
        }
    }
    Err(malformed())
}

/// A number and its unit at the head of the text, as nanoseconds, and what follows.
fn leading_span(text: &str) -> Option<(i128, &str)> {
    const UNITS: [(&str, i128); 8] = [
        ("ns", 1),
        ("us", 1_000),
        ("\u{b5}s", 1_000),
        ("\u{3bc}s", 1_000),
        ("ms", 1_000_000),
        ("s", SECOND),
        ("m", 60 * SECOND),
        ("h", 3_600 * SECOND),
    ];
    let (whole, rest) = digits(text);
    let (part, rest) = match rest.strip_prefix('.') {
        Some(rest) => digits(rest),
        None => ("", rest),
    };
    if whole.is_empty() && part.is_empty() {
        return None;
    }
    let (unit, rest) = UNITS.iter().find_map(|(name, unit)| Some((*unit, rest.strip_prefix(name)?)))?;
    let mut nanos = saturating_number(whole).saturating_mul(unit);
    let mut scale = unit;
    for digit in part.bytes() {
        scale /= 10;
        nanos = nanos.saturating_add(i128::from(digit.saturating_sub(b'0')).saturating_mul(scale));
    }
    Some((nanos, rest))
}

fn digits(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

fn saturating_number(digits: &str) -> i128 {
    let push =
        |n: i128, digit: u8| n.saturating_mul(10).saturating_add(i128::from(digit.saturating_sub(b'0')));
    digits.bytes().fold(0, push)
}

fn fraction(nanos: u32) -> String {
    if nanos == 0 {
        return String::new();
    }
    format!(".{nanos:09}").trim_end_matches('0').to_owned()
}

/// Seconds east of UTC that `+02:00`, `-02:30` or `02:00` writes.
pub fn parse_offset(text: &str) -> Option<i64> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (hours, minutes) = rest.split_once(':')?;
    let number = |text: &str, max: i64| {
        let plain = matches!(text.len(), 1..=2) && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<i64>().ok().filter(|n| plain && *n <= max)
    };
    Some(sign * (number(hours, 23)? * 3_600 + number(minutes, 59)? * 60))
}

/// The date and time of day so many seconds after 1970-01-01T00:00:00 on the same clock (proleptic Gregorian).
pub fn civil(seconds: i64) -> Civil {
    let days = seconds.div_euclid(86_400);
    let clock = seconds.rem_euclid(86_400);
    // Days since 0000-03-01, so that leap days end a year; an era is 400 years.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    Civil {
        year,
        month,
        day: day_of_year - (153 * shifted_month + 2) / 5 + 1,
        weekday: (days + 4).rem_euclid(7),
        yearday: days - days_from_civil(year, 1, 1) + 1,
        hour: clock / 3_600,
        minute: clock % 3_600 / 60,
        second: clock % 60,
    }
}

/// Days from 1970-01-01 to a date.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}
