//! Timestamps and durations: RFC 3339 and the duration syntax of CEL (`1h30m`, `1.5s`, `-250ms`).

use placet_model::Timestamp;

use crate::error::EvalError;

/// 0001-01-01T00:00:00Z
const MIN_SECONDS: i64 = -62_135_596_800;
/// 9999-12-31T23:59:59Z
const MAX_SECONDS: i64 = 253_402_300_799;
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
pub fn check_timestamp(seconds: i64, nanos: u32) -> Result<Timestamp, EvalError> {
    if (MIN_SECONDS..=MAX_SECONDS).contains(&seconds) {
        Ok(Timestamp { seconds, nanos })
    } else {
        Err(EvalError::value("the timestamp is outside years 1 to 9999"))
    }
}

/// The timestamp so many nanoseconds after the Unix epoch.
///
/// # Errors
/// When it is outside CEL's range.
pub fn timestamp_of_nanos(nanos: i128) -> Result<Timestamp, EvalError> {
    let seconds = i64::try_from(nanos.div_euclid(SECOND)).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX });
    check_timestamp(seconds, u32::try_from(nanos.rem_euclid(SECOND)).unwrap_or_default())
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

/// Reads an RFC 3339 timestamp: upper-case `T` and `Z`; digits beyond nanoseconds are dropped; no leap second.
///
/// # Errors
/// When the text is not one, or it is outside CEL's range.
pub fn parse_timestamp(text: &str) -> Result<Timestamp, EvalError> {
    let malformed = || EvalError::value("the text is not an RFC 3339 timestamp");
    let mut reader = Reader { rest: text.as_bytes() };
    let (seconds, nanos) = reader.timestamp().ok_or_else(malformed)?;
    check_timestamp(seconds, nanos)
}

/// Writes a timestamp as RFC 3339 in UTC, with as many digits after the second as it needs.
pub fn format_timestamp(timestamp: Timestamp) -> String {
    let c = civil(timestamp.seconds);
    let (date, time) = ((c.year, c.month, c.day), (c.hour, c.minute, c.second));
    let fraction = fraction(timestamp.nanos);
    format!("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{fraction}Z", date.0, date.1, date.2, time.0, time.1, time.2)
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
        total = check_duration(total.saturating_add(nanos)).or_else(|error| {
            // The most negative duration has no positive counterpart.
            if negative && total.saturating_add(nanos) == -i128::from(i64::MIN) {
                Ok(-i128::from(i64::MIN))
            } else {
                Err(error)
            }
        })?;
        rest = after;
        if rest.is_empty() {
            return Ok(if negative { -total } else { total });
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
    let push = |n: i128, digit: u8| n.saturating_mul(10).saturating_add(i128::from(digit.saturating_sub(b'0')));
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

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

struct Reader<'t> {
    rest: &'t [u8],
}

impl Reader<'_> {
    fn timestamp(&mut self) -> Option<(i64, u32)> {
        let year = self.number(4, 0, 9_999)?;
        self.byte(b'-')?;
        let month = self.number(2, 1, 12)?;
        self.byte(b'-')?;
        let day = self.number(2, 1, days_in_month(year, month))?;
        self.byte(b'T')?;
        let hour = self.number(2, 0, 23)?;
        self.byte(b':')?;
        let minute = self.number(2, 0, 59)?;
        self.byte(b':')?;
        let second = self.number(2, 0, 59)?;
        let nanos = if self.byte(b'.').is_some() { self.nanos()? } else { 0 };
        let offset = self.offset()?;
        let clock = hour * 3_600 + minute * 60 + second;
        self.rest.is_empty().then_some((days_from_civil(year, month, day) * 86_400 + clock - offset, nanos))
    }

    fn offset(&mut self) -> Option<i64> {
        if self.byte(b'Z').is_some() {
            return Some(0);
        }
        let sign = if self.byte(b'-').is_some() { -1 } else { self.byte(b'+').map(|()| 1)? };
        let hours = self.number(2, 0, 23)?;
        self.byte(b':')?;
        Some(sign * (hours * 3_600 + self.number(2, 0, 59)? * 60))
    }

    fn nanos(&mut self) -> Option<u32> {
        let (mut nanos, mut scale, mut any) = (0, 100_000_000, false);
        while let Some((digit @ b'0'..=b'9', rest)) = self.rest.split_first() {
            nanos += u32::from(digit - b'0') * scale;
            scale /= 10;
            self.rest = rest;
            any = true;
        }
        any.then_some(nanos)
    }

    fn number(&mut self, digits: usize, min: i64, max: i64) -> Option<i64> {
        let (head, rest) = self.rest.split_at_checked(digits)?;
        if !head.iter().all(u8::is_ascii_digit) {
            return None;
        }
        self.rest = rest;
        let number = head.iter().fold(0, |n, digit| n * 10 + i64::from(digit - b'0'));
        (min..=max).contains(&number).then_some(number)
    }

    fn byte(&mut self, expected: u8) -> Option<()> {
        let (first, rest) = self.rest.split_first()?;
        if *first != expected {
            return None;
        }
        self.rest = rest;
        Some(())
    }
}
