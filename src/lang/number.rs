//! Arithmetic that never rounds a value a person would write: checked `i64`, else decimals.
//!
//! Sums, differences and products are exact up to 154 significant digits. Longer results, and quotients, are rounded to
//! the nearest binary number of 512 bits and written as the shortest decimal that names it, which is what Terraform
//! computes and prints (`1/3` has 155 digits, and `1/3 * 3 == 1`).

use std::cmp::Ordering;

use bigdecimal::num_bigint::{BigInt, BigUint, Sign};
use bigdecimal::num_traits::{One, Zero};
use bigdecimal::{BigDecimal, RoundingMode};
use windlass_model::Number;

/// Digits before or behind the point beyond which a number is refused: `1e999999999` must not take all memory.
const MOST_DIGITS: i64 = 10_000;
/// Decimals of so many digits always survive 512 bits.
const EXACT_DIGITS: u64 = 154;
const MANTISSA_BITS: i64 = 512;

/// Why there is no number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NumberError {
    /// The text is not a decimal number.
    Text,
    /// It has more than 10,000 digits.
    Size,
    /// Divided by zero.
    Zero,
}

impl NumberError {
    pub(crate) fn message(self) -> &'static str {
        match self {
            NumberError::Text => "a number is required",
            NumberError::Size => "the number has more than 10,000 digits",
            NumberError::Zero => "division by zero",
        }
    }
}

type Outcome = Result<Number, NumberError>;

/// Reads decimal text: sign, digits, fraction, exponent. Exact.
pub(crate) fn parse(text: &str) -> Outcome {
    if let Ok(int) = text.parse::<i64>() {
        return Ok(Number::Int(int));
    }
    let (sign, rest) = match text.as_bytes().first() {
        Some(b'-') => (Sign::Minus, &text[1..]),
        Some(b'+') => (Sign::Plus, &text[1..]),
        _ => (Sign::Plus, text),
    };
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent_of(exponent)?),
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [whole, fraction].concat();
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(NumberError::Text);
    }
    if digits.len() as i64 > MOST_DIGITS {
        return Err(NumberError::Size);
    }
    let digits = BigUint::parse_bytes(digits.as_bytes(), 10).ok_or(NumberError::Text)?;
    let scale = fraction.len() as i64 - exponent;
    bounded(BigDecimal::new(BigInt::from_biguint(sign, digits), scale))
}

fn exponent_of(text: &str) -> Result<i64, NumberError> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(NumberError::Text);
    }
    let exponent = text.parse::<i64>().map_err(|_| NumberError::Size)?;
    if exponent.abs() > 2 * MOST_DIGITS { Err(NumberError::Size) } else { Ok(exponent) }
}

/// Refuses what has too many digits before or behind the point.
fn bounded(value: BigDecimal) -> Outcome {
    if value.is_zero() {
        return Ok(Number::Int(0));
    }
    let value = value.normalized();
    let (_, scale) = value.as_bigint_and_exponent();
    let whole = value.digits() as i64 - scale;
    if whole > MOST_DIGITS || scale > MOST_DIGITS {
        return Err(NumberError::Size);
    }
    Ok(Number::from(value))
}

/// A result of a computation: rounded where it is longer than any decimal that 512 bits always tell apart.
fn settle(value: BigDecimal) -> Outcome {
    if value.digits() <= EXACT_DIGITS {
        return bounded(value);
    }
    let (digits, scale) = value.normalized().into_bigint_and_exponent();
    match scale > 0 {
        true => bounded(nearest(&digits, &power_of_ten(scale))),
        false => bounded(nearest(&(digits * power_of_ten(-scale)), &BigInt::one())),
    }
}

fn power_of_ten(exponent: i64) -> BigInt {
    BigInt::from(10u8).pow(u32::try_from(exponent).unwrap_or(u32::MAX))
}

pub(crate) fn add(a: &Number, b: &Number) -> Outcome {
    if let (Number::Int(a), Number::Int(b)) = (a, b)
        && let Some(sum) = a.checked_add(*b)
    {
        return Ok(Number::Int(sum));
    }
    settle(a.decimal() + b.decimal())
}

pub(crate) fn subtract(a: &Number, b: &Number) -> Outcome {
    if let (Number::Int(a), Number::Int(b)) = (a, b)
        && let Some(difference) = a.checked_sub(*b)
    {
        return Ok(Number::Int(difference));
    }
    settle(a.decimal() - b.decimal())
}

pub(crate) fn multiply(a: &Number, b: &Number) -> Outcome {
    if let (Number::Int(a), Number::Int(b)) = (a, b)
        && let Some(product) = a.checked_mul(*b)
    {
        return Ok(Number::Int(product));
    }
    settle(a.decimal() * b.decimal())
}

pub(crate) fn divide(a: &Number, b: &Number) -> Outcome {
    if let (Number::Int(a), Number::Int(b)) = (a, b)
        && a.checked_rem(*b) == Some(0)
    {
        return a.checked_div(*b).map(Number::Int).ok_or(NumberError::Size);
    }
    let (top, top_scale) = a.decimal().into_bigint_and_exponent();
    let (bottom, bottom_scale) = b.decimal().into_bigint_and_exponent();
    if bottom.is_zero() {
        return Err(NumberError::Zero);
    }
    let shift = bottom_scale - top_scale;
    match shift >= 0 {
        true => bounded(nearest(&(top * power_of_ten(shift)), &bottom)),
        false => bounded(nearest(&top, &(bottom * power_of_ten(-shift)))),
    }
}

/// The remainder of a division that drops the fraction: it has the sign of `a`.
pub(crate) fn remainder(a: &Number, b: &Number) -> Outcome {
    if let (Number::Int(a), Number::Int(b)) = (a, b) {
        return match *b {
            0 => Err(NumberError::Zero),
            b => Ok(Number::Int(a.checked_rem(b).unwrap_or(0))),
        };
    }
    let divisor = b.decimal();
    if divisor.is_zero() {
        return Err(NumberError::Zero);
    }
    settle(a.decimal() % divisor)
}

pub(crate) fn negate(a: &Number) -> Outcome {
    match a {
        Number::Int(int) => match int.checked_neg() {
            Some(int) => Ok(Number::Int(int)),
            None => settle(-a.decimal()),
        },
        Number::Decimal(_) => Ok(Number::from(-a.decimal())),
    }
}

/// Without fraction: the nearest whole number in a direction.
pub(crate) fn round(a: &Number, mode: RoundingMode) -> Number {
    match a {
        Number::Int(int) => Number::Int(*int),
        Number::Decimal(decimal) => Number::from(decimal.with_scale_round(0, mode)),
    }
}

/// The shortest decimal that names the 512-bit binary number nearest to `top / bottom`.
fn nearest(top: &BigInt, bottom: &BigInt) -> BigDecimal {
    let negative = (top.sign() == Sign::Minus) != (bottom.sign() == Sign::Minus);
    let (top, bottom) = (top.magnitude(), bottom.magnitude());
    if top.is_zero() {
        return BigDecimal::zero();
    }
    let mut shift = MANTISSA_BITS - (top.bits() as i64 - bottom.bits() as i64);
    let (mut mantissa, mut rest, mut divisor) = scaled(top, bottom, shift);
    if mantissa.bits() as i64 > MANTISSA_BITS {
        shift -= 1;
        (mantissa, rest, divisor) = scaled(top, bottom, shift);
    }
    let up = match (rest << 1u8).cmp(&divisor) {
        Ordering::Greater => true,
        Ordering::Equal => mantissa.bit(0),
        Ordering::Less => false,
    };
    if up {
        mantissa += 1u8;
    }
    let (digits, scale) = shortest(&mantissa, shift);
    let sign = if negative { Sign::Minus } else { Sign::Plus };
    BigDecimal::new(BigInt::from_biguint(sign, digits), scale)
}

/// Quotient and remainder of `top * 2^shift / bottom`, and what was divided by.
fn scaled(top: &BigUint, bottom: &BigUint, shift: i64) -> (BigUint, BigUint, BigUint) {
    let bits = shift.unsigned_abs();
    let (top, bottom) =
        if shift >= 0 { (top << bits, bottom.clone()) } else { (top.clone(), bottom << bits) };
    (&top / &bottom, &top % &bottom, bottom)
}

/// The shortest decimal between the neighbours of `mantissa / 2^shift`: digits and scale.
fn shortest(mantissa: &BigUint, shift: i64) -> (BigUint, i64) {
    // Four times the mantissa, so that half-way points are whole; a power of two has a nearer lower neighbour.
    let even = !mantissa.bit(0);
    let centre: BigUint = mantissa << 2u8;
    let power = mantissa.count_ones() == 1;
    let below = &centre - if power { 1u8 } else { 2u8 };
    let above = &centre + 2u8;
    let scale = (shift + 2).max(0);
    let digits = |value: &BigUint| match shift + 2 >= 0 {
        true => (value * BigUint::from(5u8).pow(scale as u32)).to_str_radix(10),
        false => (value << (shift + 2).unsigned_abs()).to_str_radix(10),
    };
    let (low, mid, high) = (digits(&below), digits(&centre), digits(&above));
    let width = high.len();
    let padded = |text: String| format!("{text:0>width$}").into_bytes();
    let kept = cut(&padded(low), &padded(mid), &padded(high), even);
    let places = kept.len() as i64;
    let digits = BigUint::parse_bytes(&kept, 10).unwrap_or_default();
    (digits, scale - (width as i64 - places))
}

/// The fewest leading digits of `mid` (rounded) that still lie between `low` and `high`; all three are of one length.
fn cut(low: &[u8], mid: &[u8], high: &[u8], inclusive: bool) -> Vec<u8> {
    let length = |digits: &[u8]| digits.iter().rposition(|d| *d != b'0').map_or(0, |last| last + 1);
    let (low_length, high_length) = (length(low), length(high));
    for i in 0..mid.len() {
        let (l, m, u) = (low[i], mid[i], high[i]);
        let down = l != m || inclusive && i + 1 >= low_length;
        let up = m != u && (inclusive || m + 1 < u || i + 1 < high_length);
        let next = mid.get(i + 1).copied().unwrap_or(b'0');
        match (down, up) {
            (false, false) => {}
            (true, true) if next < b'5' => return mid[..=i].to_vec(),
            (true, false) => return mid[..=i].to_vec(),
            _ => return increment(&mid[..=i]),
        }
    }
    mid.to_vec()
}

fn increment(digits: &[u8]) -> Vec<u8> {
    let mut digits = digits.to_vec();
    for digit in digits.iter_mut().rev() {
        if *digit < b'9' {
            *digit += 1;
            return digits;
        }
        *digit = b'0';
    }
    digits.insert(0, b'1');
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn n(text: &str) -> Number {
        parse(text).unwrap()
    }

    #[test]
    fn a_third_is_printed_as_terraform_does() {
        let third = divide(&n("1"), &n("3")).unwrap();
        let text = third.to_string();
        assert_eq!(text.len(), 157);
        assert!(text.ends_with("3335"), "{text}");
        assert_eq!(multiply(&third, &n("3")).unwrap(), n("1"));
    }

    #[test]
    fn sums_are_exact() {
        assert_eq!(add(&n("0.1"), &n("0.2")).unwrap().to_string(), "0.3");
        assert_eq!(add(&n("9223372036854775807"), &n("1")).unwrap().to_string(), "9223372036854775808");
        assert_eq!(divide(&n("1"), &n("8")).unwrap().to_string(), "0.125");
        assert_eq!(divide(&n("10"), &n("5")).unwrap().as_i64(), Some(2));
        assert_eq!(negate(&n("-9223372036854775808")).unwrap().to_string(), "9223372036854775808");
        assert_eq!(remainder(&n("7"), &n("-3")).unwrap().as_i64(), Some(1));
        assert_eq!(remainder(&n("7.5"), &n("2")).unwrap().to_string(), "1.5");
    }

    #[test]
    fn the_hostile_are_refused_at_once() {
        assert_eq!(parse("1e999999999"), Err(NumberError::Size));
        assert_eq!(parse("1e99999999999999999999999"), Err(NumberError::Size));
        assert_eq!(parse("1e-999999999"), Err(NumberError::Size));
        assert_eq!(multiply(&n("1e9999"), &n("1e9999")), Err(NumberError::Size));
        assert_eq!(divide(&n("1e9999"), &n("1e-9999")), Err(NumberError::Size));
        assert_eq!(divide(&n("1"), &n("0")), Err(NumberError::Zero));
        assert_eq!(remainder(&n("1.5"), &n("0")), Err(NumberError::Zero));
    }

    #[test]
    fn text_is_read_strictly() {
        for text in ["", " 1", "1_000", "0x10", "inf", "-", ".", "1e", "1.2.3", "--1"] {
            assert_eq!(parse(text), Err(NumberError::Text), "{text}");
        }
        assert_eq!(n(".5").to_string(), "0.5");
        assert_eq!(n("1E-3").to_string(), "0.001");
        assert_eq!(n("+5").as_i64(), Some(5));
        assert_eq!(n("1e30").to_string(), format!("1{}", "0".repeat(30)));
    }
}
