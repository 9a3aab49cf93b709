//! Times as text: points in time, of a fixed width, so that texts of one unit sort like the times; dates, times of day
//! and durations, in ISO 8601's forms. Every value has a text.

use arrow::datatypes::TimeUnit;

/// How a point in time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeStyle {
    /// `2026-11-21T08:59:02.123456Z` (RFC 3339, in UTC).
    Rfc3339,
    /// `2026-11-21T08:59:02.123456`: a time of day in no known zone.
    Local,
    /// `2026-11-21 08:59:02.123456`: what SQL databases read as a timestamp.
    Sql,
}

/// Appends a number with at least `width` digits.
fn digits(mut value: u64, width: usize, out: &mut Vec<u8>) {
    let mut buffer = [b'0'; 20];
    let mut at = buffer.len();
    while value > 0 || buffer.len() - at < width {
        at -= 1;
        buffer[at] = b'0' + (value % 10) as u8;
        value /= 10;
    }
    out.extend_from_slice(&buffer[at..]);
}

/// Year, month and day of a number of days since 1970-01-01 in the proleptic Gregorian calendar, by counting in eras
/// of 400 years that begin on the first of March, so that the leap day is the last of a year.
fn civil(days: i64) -> (i64, u64, u64) {
    const ERA: i64 = 146_097;
    let since_march_0000 = days + 719_468;
    let era = since_march_0000.div_euclid(ERA);
    let day = since_march_0000.rem_euclid(ERA);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + carry, month as u64, day_of_month as u64)
}

/// Parts of a second that a unit has, and how many digits these are.
fn fraction(unit: TimeUnit) -> (i64, usize) {
    match unit {
        TimeUnit::Second => (1, 0),
        TimeUnit::Millisecond => (1_000, 3),
        TimeUnit::Microsecond => (1_000_000, 6),
        TimeUnit::Nanosecond => (1_000_000_000, 9),
    }
}

/// Appends a date, given in days since 1970-01-01. A year beyond 0000 to 9999 has a sign and six digits or more (ISO
/// 8601's expanded form).
pub fn write_date(days: i64, out: &mut Vec<u8>) {
    let (year, month, day) = civil(days);
    if (0..=9999).contains(&year) {
        digits(year as u64, 4, out);
    } else {
        out.push(if year < 0 { b'-' } else { b'+' });
        digits(year.unsigned_abs(), 6, out);
    }
    for value in [month, day] {
        out.push(b'-');
        digits(value, 2, out);
    }
}

/// A date, given in days since 1970-01-01, as text.
pub fn date_text(days: i32) -> String {
    let mut text = Vec::new();
    write_date(i64::from(days), &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// Appends a date in milliseconds, as Arrow's `Date64` has it, which may be one with a time of day.
pub(super) fn write_date_ms(ms: i64, out: &mut Vec<u8>) {
    match ms.rem_euclid(1000) {
        0 => write_time(ms.div_euclid(1000), TimeUnit::Second, TimeStyle::Local, out),
        _ => write_time(ms, TimeUnit::Millisecond, TimeStyle::Local, out),
    }
}

/// Appends a time of day: `08:59:02.123`, with 0, 3, 6 or 9 digits as it needs. The end of a day is `24:00:00`; what is
/// beyond, and no time of day any more, has more hours or a sign.
pub(super) fn write_time_of_day(value: i64, unit: TimeUnit, out: &mut Vec<u8>) {
    let (per_second, width) = fraction(unit);
    if value < 0 {
        out.push(b'-');
    }
    let (value, per_second) = (value.unsigned_abs(), per_second as u64);
    let (second, mut part) = (value / per_second, value % per_second);
    for (before, value) in [(None, second / 3600), (Some(b':'), second / 60 % 60), (Some(b':'), second % 60)] {
        out.extend(before);
        digits(value, 2, out);
    }
    if part > 0 {
        let mut width = width;
        while part % 1000 == 0 {
            (part, width) = (part / 1000, width - 3);
        }
        out.push(b'.');
        digits(part, width, out);
    }
}

/// Appends a duration in ISO 8601's form, in seconds: `PT90.5S`, `-PT1S`, and `P0D` for none.
pub(super) fn write_duration(value: i64, unit: TimeUnit, out: &mut Vec<u8>) {
    if value == 0 {
        return out.extend_from_slice(b"P0D");
    }
    let (per_second, width) = fraction(unit);
    out.extend_from_slice(if value < 0 { b"-PT" } else { b"PT" });
    let (value, per_second) = (value.unsigned_abs(), per_second as u64);
    digits(value / per_second, 1, out);
    if value % per_second > 0 {
        out.push(b'.');
        digits(value % per_second, width, out);
        while out.last() == Some(&b'0') {
            out.pop();
        }
    }
    out.push(b'S');
}

/// Appends a point in time, given since 1970-01-01T00:00:00 in `unit`: the fraction has 0, 3, 6 or 9 digits by unit. A
/// year beyond 0000 to 9999 has a sign and six digits (ISO 8601's expanded form), so that none is ever wrong.
pub fn write_time(value: i64, unit: TimeUnit, style: TimeStyle, out: &mut Vec<u8>) {
    let (per_second, width) = fraction(unit);
    let seconds = value.div_euclid(per_second);
    let second = seconds.rem_euclid(86_400) as u64;
    write_date(seconds.div_euclid(86_400), out);
    for (before, value) in [
        (if style == TimeStyle::Sql { b' ' } else { b'T' }, second / 3600),
        (b':', second / 60 % 60),
        (b':', second % 60),
    ] {
        out.push(before);
        digits(value, 2, out);
    }
    if width > 0 {
        out.push(b'.');
        digits(value.rem_euclid(per_second) as u64, width, out);
    }
    if style == TimeStyle::Rfc3339 {
        out.push(b'Z');
    }
}

/// A point in time as text, as [`write_time`] writes it.
pub fn time_text(value: i64, unit: TimeUnit, style: TimeStyle) -> String {
    let mut out = Vec::new();
    write_time(value, unit, style, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{TimeStyle, TimeUnit, time_text as text, write_date, write_date_ms, write_duration, write_time_of_day};

    #[test]
    fn agrees_with_jiff_over_all_its_years() {
        let day = 86_400_000_000_i64;
        // Every 11th day and a bit, so that all months, leap days and times of day come up.
        let mut micros = jiff::Timestamp::MIN.as_microsecond();
        while micros < jiff::Timestamp::MAX.as_microsecond() {
            let ours = text(micros, TimeUnit::Microsecond, TimeStyle::Rfc3339);
            let theirs = jiff::Timestamp::from_microsecond(micros).map(|time| format!("{time:.6}"));
            assert_eq!(Ok(ours), theirs.map_err(|error| error.to_string()));
            micros += 11 * day + 3_723_456_789;
        }
    }

    #[test]
    fn units_styles_and_ends() {
        assert_eq!(text(-1, TimeUnit::Second, TimeStyle::Sql), "1969-12-31 23:59:59");
        assert_eq!(text(951_782_400_001, TimeUnit::Millisecond, TimeStyle::Local), "2000-02-29T00:00:00.001");
        assert_eq!(text(i64::MAX, TimeUnit::Nanosecond, TimeStyle::Rfc3339), "2262-04-11T23:47:16.854775807Z");
        assert_eq!(text(i64::MIN, TimeUnit::Microsecond, TimeStyle::Sql), "-290308-12-21 19:59:05.224192");
        assert_eq!(text(i64::MAX, TimeUnit::Microsecond, TimeStyle::Sql), "+294247-01-10 04:00:54.775807");
        assert_eq!(text(-62_167_219_200, TimeUnit::Second, TimeStyle::Sql), "0000-01-01 00:00:00");
    }

    fn shown(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn dates_of_all_numbers() {
        let date = |days| shown(|out| write_date(days, out));
        assert_eq!(date(-1), "1969-12-31");
        assert_eq!(date(2_932_897), "+010000-01-01");
        assert_eq!(date(i32::MAX.into()), "+5881580-07-11");
        assert_eq!(date(i32::MIN.into()), "-5877641-06-23");
        let date = |ms| shown(|out| write_date_ms(ms, out));
        assert_eq!(date(86_400_000), "1970-01-02T00:00:00");
        assert_eq!(date(-1), "1969-12-31T23:59:59.999");
        assert_eq!(date(i64::MIN), "-292275055-05-16T16:47:04.192");
    }

    #[test]
    fn times_of_day_and_what_is_none() {
        let time = |value, unit| shown(|out| write_time_of_day(value, unit, out));
        assert_eq!(time(86_399, TimeUnit::Second), "23:59:59");
        assert_eq!(time(86_400_000_000, TimeUnit::Microsecond), "24:00:00", "PostgreSQL has it");
        assert_eq!(time(1_000, TimeUnit::Microsecond), "00:00:00.001");
        assert_eq!(time(1_001, TimeUnit::Nanosecond), "00:00:00.000001001");
        assert_eq!(time(-3_020_399, TimeUnit::Second), "-838:59:59", "MySQL has it");
        assert_eq!(time(i64::MIN, TimeUnit::Nanosecond), "-2562047:47:16.854775808");
    }

    #[test]
    fn durations_of_all_numbers() {
        let duration = |value, unit| shown(|out| write_duration(value, unit, out));
        assert_eq!(duration(0, TimeUnit::Second), "P0D");
        assert_eq!(duration(-1, TimeUnit::Nanosecond), "-PT0.000000001S");
        assert_eq!(duration(90_500, TimeUnit::Millisecond), "PT90.5S");
        assert_eq!(duration(i64::MAX, TimeUnit::Second), "PT9223372036854775807S");
        assert_eq!(duration(i64::MIN, TimeUnit::Millisecond), "-PT9223372036854775.808S");
    }
}
