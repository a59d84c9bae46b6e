//! Numbers: checked `i64` where the value fits, else an arbitrary-precision decimal. Never `f64`.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use bigdecimal::{BigDecimal, ToPrimitive};

/// A number. Whole values within `i64` are always `Int`, so equal numbers have equal forms.
#[derive(Clone)]
pub enum Number {
    /// A whole number within `i64`.
    Int(i64),
    /// Anything else, without trailing zeros.
    Decimal(Arc<BigDecimal>),
}

impl Number {
    /// The exact value, as a decimal.
    pub fn decimal(&self) -> BigDecimal {
        match self {
            Number::Int(i) => BigDecimal::from(*i),
            Number::Decimal(d) => (**d).clone(),
        }
    }

    /// The value as `i64`, where it is whole and fits.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Number::Int(i) => Some(*i),
            Number::Decimal(_) => None,
        }
    }

    /// Whether there is no fraction.
    pub fn is_whole(&self) -> bool {
        match self {
            Number::Int(_) => true,
            Number::Decimal(d) => d.is_integer(),
        }
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Number::Int(value)
    }
}

impl From<BigDecimal> for Number {
    fn from(value: BigDecimal) -> Self {
        if value.is_integer()
            && let Some(int) = value.to_i64()
        {
            return Number::Int(int);
        }
        Number::Decimal(Arc::new(value.normalized()))
    }
}

impl FromStr for Number {
    type Err = ();

    /// Reads decimal text with an optional sign, fraction and exponent.
    fn from_str(text: &str) -> Result<Self, ()> {
        if let Ok(int) = text.parse::<i64>() {
            return Ok(Number::Int(int));
        }
        let plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'+' | b'-' | b'e' | b'E'));
        if !plain {
            return Err(());
        }
        BigDecimal::from_str(text).map(Number::from).map_err(|_| ())
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Number {}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Number::Int(a), Number::Int(b)) => a.cmp(b),
            _ => self.decimal().cmp(&other.decimal()),
        }
    }
}

impl fmt::Display for Number {
    /// Plain decimal text: no exponent, no trailing zeros.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Number::Int(i) => write!(f, "{i}"),
            Number::Decimal(d) => f.write_str(&d.to_plain_string()),
        }
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
