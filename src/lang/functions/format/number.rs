//! Decimals in the forms of `%e`, `%f` and `%g`. All take a number that is not negative.

use bigdecimal::num_traits::Zero;
use bigdecimal::{BigDecimal, RoundingMode};

/// `%f`: so many digits behind the point.
pub(super) fn fixed(number: &BigDecimal, places: usize) -> String {
    number.with_scale_round(places as i64, RoundingMode::HalfEven).to_plain_string()
}

/// The significant digits, and the power of ten of the first one.
fn parts(number: &BigDecimal) -> (String, i64) {
    if number.is_zero() {
        return ("0".to_owned(), 0);
    }
    let (digits, scale) = number.normalized().into_bigint_and_exponent();
    let digits = digits.to_string();
    let power = digits.len() as i64 - 1 - scale;
    (digits, power)
}

/// The number with so many significant digits.
fn rounded(number: &BigDecimal, digits: usize) -> BigDecimal {
    let (_, power) = parts(number);
    number.with_scale_round(digits as i64 - 1 - power, RoundingMode::HalfEven)
}

/// `%e`: one digit, a point, so many digits, the exponent.
pub(super) fn exponential(number: &BigDecimal, places: Option<usize>, letter: char) -> String {
    let places = places.unwrap_or(6);
    let (digits, power) = parts(&rounded(number, places + 1));
    let padded = format!("{digits:0<width$}", width = places + 1);
    with_exponent(&padded, power, letter)
}

fn with_exponent(digits: &str, power: i64, letter: char) -> String {
    let (first, rest) = digits.split_at(1);
    let point = if rest.is_empty() { "" } else { "." };
    let sign = if power < 0 { '-' } else { '+' };
    format!("{first}{point}{rest}{letter}{sign}{:02}", power.abs())
}

/// `%g`: the shorter of both, without trailing zeros.
pub(super) fn general(number: &BigDecimal, places: Option<usize>, letter: char) -> String {
    let number = places.map_or_else(|| number.clone(), |places| rounded(number, places.max(1)));
    let (digits, power) = parts(&number);
    let mut limit = places.map_or(6, |places| places.max(1)) as i64;
    if limit > digits.len() as i64 && digits.len() as i64 > power {
        limit = digits.len() as i64;
    }
    if places.is_none() {
        limit = limit.max(21);
    }
    if power < -4 || power >= limit {
        let letter = if letter == 'G' { 'E' } else { 'e' };
        return with_exponent(&digits, power, letter);
    }
    number.normalized().to_plain_string()
}
