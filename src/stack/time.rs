//! Durations as a stack writes them: `"30s"`, `"1h30m"`, or a number of seconds.

use bigdecimal::{BigDecimal, ToPrimitive};
use windlass_model::{Kind, Number, Value};

/// A duration in milliseconds.
///
/// # Errors
/// What a duration looks like.
pub fn duration_ms(value: &Value) -> Result<u64, String> {
    let wrong = || "a duration is needed: \"30s\", \"5m\", \"1h30m\", or a number of seconds".to_owned();
    match &value.kind {
        Kind::Number(number) => from_number(number).ok_or_else(wrong),
        Kind::String(text) => parse(text).ok_or_else(wrong),
        _ => Err(wrong()),
    }
}

/// A duration in whole seconds, rounded up.
///
/// # Errors
/// What a duration looks like.
pub fn duration_seconds(value: &Value) -> Result<u64, String> {
    Ok(duration_ms(value)?.div_ceil(1000))
}

fn from_number(number: &Number) -> Option<u64> {
    if let Some(seconds) = number.as_i64() {
        return u64::try_from(seconds).ok()?.checked_mul(1000);
    }
    let decimal = number.decimal();
    // Fractions down to a nanosecond; a huge exponent is not worked out at all.
    let (_, scale) = decimal.as_bigint_and_exponent();
    if !(1..=9).contains(&scale) { None } else { (decimal * BigDecimal::from(1000)).to_u64() }
}

fn parse(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    if let Ok(seconds) = rest.parse::<u64>() {
        return seconds.checked_mul(1000);
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at(digits);
        let unit = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit);
        let factor: u64 = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(factor)?)?;
        rest = tail;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        let ms = |value: Value| duration_ms(&value);
        assert_eq!(ms(Value::from("30s")), Ok(30_000));
        assert_eq!(ms(Value::from("1h30m")), Ok(5_400_000));
        assert_eq!(ms(Value::from("250ms")), Ok(250));
        assert_eq!(ms(Value::from("7")), Ok(7_000));
        assert_eq!(ms(Value::from(5)), Ok(5_000));
        assert_eq!(ms(Value::from("0.5".parse::<windlass_model::Number>().unwrap())), Ok(500));
        assert_eq!(duration_seconds(&Value::from("1500ms")), Ok(2));
        for wrong in ["", "s", "5x", "5 m", "m5", "99999999999999999999h", "-5s", "1h-5m"] {
            assert!(ms(Value::from(wrong)).is_err(), "{wrong}");
        }
        assert!(ms(Value::from(-5)).is_err());
        assert!(ms(Value::NULL).is_err());
    }
}
