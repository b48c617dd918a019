//! Points in time as RFC 3339 writes them.

/// A point in time: seconds since 1970-01-01T00:00:00Z and nanoseconds (0 to 999,999,999) after that second.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct Timestamp {
    /// Seconds since the Unix epoch; negative before it.
    pub seconds: i64,
    /// Nanoseconds after `seconds`, always forward.
    pub nanos: u32,
}

impl Timestamp {
    /// Nanoseconds since the Unix epoch.
    pub fn nanos_since_epoch(self) -> i128 {
        i128::from(self.seconds) * 1_000_000_000 + i128::from(self.nanos)
    }
}

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar (Hinnant's algorithm, years from March).
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The date that is so many days after 1970-01-01.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// 0001-01-01T00:00:00Z
pub const MIN_SECONDS: i64 = -62_135_596_800;
/// 9999-12-31T23:59:59Z
pub const MAX_SECONDS: i64 = 253_402_300_799;

impl Timestamp {
    /// Reads an RFC 3339 date-time: years 0001 to 9999, `Z` or an offset, up to nine digits of fraction, no leap
    /// seconds. `None` when the text is anything else.
    pub fn parse_rfc3339(text: &str) -> Option<Timestamp> {
        let bytes = text.as_bytes();
        let digits = |from: usize, count: usize| -> Option<i64> {
            let part = bytes.get(from..from + count)?;
            part.iter().try_fold(0_i64, |n, b| b.is_ascii_digit().then(|| n * 10 + i64::from(b - b'0')))
        };
        let is = |at: usize, what: &[u8]| bytes.get(at).is_some_and(|b| what.contains(b));
        let (year, month, day) = (digits(0, 4)?, digits(5, 2)?, digits(8, 2)?);
        let (hour, minute, second) = (digits(11, 2)?, digits(14, 2)?, digits(17, 2)?);
        let separators = is(4, b"-") && is(7, b"-") && is(10, b"Tt") && is(13, b":") && is(16, b":");
        let in_range = (1..=12).contains(&month) && day >= 1 && day <= days_in_month(year, month);
        if !(separators && year >= 1 && in_range && hour < 24 && minute < 60 && second < 60) {
            return None;
        }
        let mut at = 19;
        let mut nanos = 0;
        if is(at, b".") {
            let count = bytes.get(20..)?.iter().take_while(|b| b.is_ascii_digit()).count();
            if !(1..=9).contains(&count) {
                return None;
            }
            nanos = digits(20, count)? * 10_i64.pow(9 - count as u32);
            at = 20 + count;
        }
        let offset = if is(at, b"Zz") && bytes.len() == at + 1 {
            0
        } else if is(at, b"+-") && is(at + 3, b":") && bytes.len() == at + 6 {
            let (hours, minutes) = (digits(at + 1, 2)?, digits(at + 4, 2)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let seconds = hours * 3600 + minutes * 60;
            if is(at, b"-") { -seconds } else { seconds }
        } else {
            return None;
        };
        let of_day = hour * 3600 + minute * 60 + second;
        let seconds = days_from_civil(year, month, day) * 86_400 + of_day - offset;
        if !(MIN_SECONDS..=MAX_SECONDS).contains(&seconds) {
            return None;
        }
        Some(Timestamp { seconds, nanos: nanos as u32 })
    }

    /// The moment so many nanoseconds after the Unix epoch, within the years 0001 to 9999.
    pub fn from_nanos(nanos: i128) -> Option<Timestamp> {
        let seconds = i64::try_from(nanos.div_euclid(1_000_000_000)).ok()?;
        let nanos = nanos.rem_euclid(1_000_000_000) as u32;
        (MIN_SECONDS..=MAX_SECONDS).contains(&seconds).then_some(Timestamp { seconds, nanos })
    }
}

impl std::fmt::Display for Timestamp {
    /// RFC 3339 in UTC, with as many digits of fraction as are needed.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (year, month, day) = civil_from_days(self.seconds.div_euclid(86_400));
        let of_day = self.seconds.rem_euclid(86_400);
        let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        if self.nanos > 0 {
            let fraction = format!("{:09}", self.nanos);
            write!(f, ".{}", fraction.trim_end_matches('0'))?;
        }
        f.write_str("Z")
    }
}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    #[test]
    fn round_trips() {
        for (text, seconds, printed) in [
            ("1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00Z"),
            ("2026-11-21T04:30:00+04:30", 1_795_219_200, "2026-11-21T00:00:00Z"),
            ("2024-02-29T12:00:00.500Z", 1_709_208_000, "2024-02-29T12:00:00.5Z"),
            ("0001-01-01T00:00:00Z", super::MIN_SECONDS, "0001-01-01T00:00:00Z"),
            ("9999-12-31T23:59:59.999999999Z", super::MAX_SECONDS, "9999-12-31T23:59:59.999999999Z"),
            ("1969-12-31t23:59:59z", -1, "1969-12-31T23:59:59Z"),
        ] {
            let parsed = Timestamp::parse_rfc3339(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((parsed.seconds, parsed.to_string().as_str()), (seconds, printed), "{text}");
        }
    }

    #[test]
    fn refuses() {
        for text in [
            "",
            "now",
            "2026-11-21",
            "2026-11-21T04:30:00",
            "2026-11-21 04:30:00Z",
            "2026-13-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T23:60:00Z",
            "2026-11-21T23:59:60Z",
            "2026-11-21T04:30:00.Z",
            "2026-11-21T04:30:00.1234567890Z",
            "2026-11-21T04:30:00+24:00",
            "2026-11-21T04:30:00Z ",
            "0000-01-01T00:00:00Z",
            "0001-01-01T00:00:00+01:00",
            "20260-1-21T04:30:00Z",
            "2026-11-21T04:30:00+0430",
            "+026-11-21T04:30:00Z",
        ] {
            assert_eq!(Timestamp::parse_rfc3339(text), None, "{text}");
        }
    }
}
