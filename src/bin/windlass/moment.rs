//! Times and durations as text.

use std::time::Duration;

/// A time (milliseconds since 1970) to the minute: `2026-11-25 03:48 UTC`.
pub fn minute(ms: u64) -> String {
    format(ms, "%Y-%m-%d %H:%M UTC")
}

/// A time (milliseconds since 1970) as RFC 3339, to the second.
pub fn rfc3339(ms: u64) -> String {
    format(ms, "%Y-%m-%dT%H:%M:%SZ")
}

fn format(ms: u64, form: &str) -> String {
    let time = i64::try_from(ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    time.map_or_else(|| format!("{ms} ms since 1970"), |time| time.strftime(form).to_string())
}

/// How long something took: `120 ms`, `3.4 s`, `2 m 05 s`, `1 h 02 m`.
pub fn span(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        60_000..3_600_000 => format!("{} m {:02} s", ms / 60_000, ms % 60_000 / 1_000),
        _ => format!("{} h {:02} m", ms / 3_600_000, ms % 3_600_000 / 60_000),
    }
}

/// Reads a duration: `90s`, `10m`, `1h30m`, `500ms`; a bare number is seconds.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a duration: it reads `90s`, `10m` or `1h30m`");
    if let Ok(seconds) = text.parse() {
        return Ok(Duration::from_secs(seconds));
    }
    let (mut rest, mut total, mut last) = (text, 0_u64, u64::MAX);
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let unit = match &rest[..letters] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(wrong()),
        };
        // Units go down, so that `1m1h` is not taken for something meant.
        if unit >= last {
            return Err(wrong());
        }
        last = unit;
        rest = &rest[letters..];
        let part = number.checked_mul(unit).ok_or_else(wrong)?;
        total = total.checked_add(part).ok_or_else(wrong)?;
    }
    if text.is_empty() { Err(wrong()) } else { Ok(Duration::from_millis(total)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        let ms = |text| parse_duration(text).map(|d| d.as_millis());
        assert_eq!(ms("90"), Ok(90_000));
        assert_eq!(ms("1h30m"), Ok(5_400_000));
        assert_eq!(ms("500ms"), Ok(500));
        assert_eq!(ms("2d1s"), Ok(172_801_000));
        for wrong in ["", "m", "1x", "1m1h", "1s1s", "-1s", "1.5s", "99999999999999999999s", "1 m", "ä"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn spans_and_times_are_written() {
        let spans = [0, 999, 1_000, 59_990, 60_000, 125_000, 3_720_000].map(span);
        assert_eq!(spans, ["0 ms", "999 ms", "1.0 s", "59.9 s", "1 m 00 s", "2 m 05 s", "1 h 02 m"]);
        assert_eq!(minute(0), "1970-01-01 00:00 UTC");
        assert_eq!(rfc3339(1_764_042_480_000), "2025-11-25T03:48:00Z");
        assert!(minute(u64::MAX).contains("ms since 1970"));
    }
}
