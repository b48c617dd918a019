//! Parts of timestamps, in UTC or a named zone, and of durations.

use jiff::tz::TimeZone;
use placet_model::Timestamp;

use super::{Outcome, no_overload};
use crate::error::EvalError;
use crate::function::Function;
use crate::pool::OpenPool;
use crate::text::time;
use crate::value::Value;

pub(super) fn accessor<'a>(function: Function, args: &[Value<'a>], pool: &OpenPool) -> Outcome<'a> {
    match args {
        [Value::Timestamp(t)] => of_timestamp(function, *t, 0).ok_or_else(|| no_overload(function, args)),
        [Value::Timestamp(t), Value::Str(zone)] => {
            let offset = offset(*t, zone.as_str(), pool)?;
            of_timestamp(function, *t, offset).ok_or_else(|| no_overload(function, args))
        }
        [Value::Duration(d)] => of_duration(function, d.nanos).ok_or_else(|| no_overload(function, args)),
        _ => Err(no_overload(function, args)),
    }
}

fn of_timestamp<'a>(function: Function, timestamp: Timestamp, offset: i64) -> Option<Value<'a>> {
    let civil = time::civil(timestamp.seconds.saturating_add(offset));
    Some(Value::Int(match function {
        Function::GetDate => civil.day,
        Function::GetDayOfMonth => civil.day - 1,
        Function::GetDayOfWeek => civil.weekday,
        Function::GetDayOfYear => civil.yearday - 1,
        Function::GetFullYear => civil.year,
        Function::GetHours => civil.hour,
        Function::GetMilliseconds => i64::from(timestamp.nanos / 1_000_000),
        Function::GetMinutes => civil.minute,
        Function::GetMonth => civil.month - 1,
        Function::GetSeconds => civil.second,
        _ => return None,
    }))
}

/// The whole duration in a unit, but the milliseconds only of its last second.
fn of_duration<'a>(function: Function, nanos: i128) -> Option<Value<'a>> {
    let whole = match function {
        Function::GetHours => nanos / 3_600_000_000_000,
        Function::GetMinutes => nanos / 60_000_000_000,
        Function::GetSeconds => nanos / 1_000_000_000,
        Function::GetMilliseconds => nanos / 1_000_000 % 1_000,
        _ => return None,
    };
    i64::try_from(whole).ok().map(Value::Int)
}

/// Seconds east of UTC at that time: `UTC`, a fixed offset, or an IANA name that the policy carries.
fn offset(timestamp: Timestamp, zone: &str, pool: &OpenPool) -> Result<i64, EvalError> {
    if zone == "UTC" || zone.is_empty() {
        return Ok(0);
    }
    if let Some(offset) = time::parse_offset(zone) {
        return Ok(offset);
    }
    let unknown = || {
        EvalError::value("the time zone is not known; name it by a constant so that the policy carries it")
    };
    let zone: &TimeZone = pool.zone(zone).ok_or_else(unknown)?;
    let instant = jiff::Timestamp::from_second(timestamp.seconds)
        .map_err(|_| EvalError::value("the timestamp is outside the range of time zones"))?;
    Ok(zone.to_offset(instant).seconds().into())
}
