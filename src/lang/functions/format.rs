//! `format` and `formatlist`: the verbs of Go, over numbers of any size.

mod number;

use windlass_model::{Kind, Number, Type, Value};

use super::LONGEST;
use super::string::made;
use super::{Context, Failure, Function, Run, Shape, fail, function, json, misfit, param, text, wrong};
use crate::lang::convert::{converted, kind_name};
use crate::lang::eval::access::unknown_of;
use crate::lang::lower::normal;
use unicode_segmentation::UnicodeSegmentation as _;

pub(super) const TABLE: &[Function] = &[
    function("format", &[param("format", Shape::String)], Shape::String, |_, args| {
        made(formatted(text(&args[0]), args.get(1..).unwrap_or_default())?)
    })
    .rest(param("args", Shape::Any).nullable().deep()),
    function("formatlist", &[param("format", Shape::String)], Shape::Strings, formatlist)
        .rest(param("args", Shape::Any).nullable().taken()),
];

/// One `%…` of a format.
#[derive(Default)]
struct Verb {
    plus: bool,
    minus: bool,
    sharp: bool,
    zero: bool,
    space: bool,
    width: Option<usize>,
    precision: Option<usize>,
    argument: Option<usize>,
    letter: char,
}

fn formatted(format: &str, args: &[Value]) -> Result<String, Failure> {
    let mut out = String::with_capacity(format.len() + 16);
    let mut next = 0;
    let mut used = 0;
    let mut explicit = false;
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(behind) = rest.strip_prefix('%') {
            out.push('%');
            rest = behind;
            continue;
        }
        let verb = read_verb(&mut rest)?;
        let position = match verb.argument {
            Some(position) => {
                explicit = true;
                position.checked_sub(1).ok_or_else(|| wrong(0, "arguments are counted from 1"))?
            }
            None => next,
        };
        next = position + 1;
        used = used.max(next);
        let arg = args
            .get(position)
            .ok_or_else(|| fail(format!("the format wants argument {next}, which is not there")))?;
        verb.write(&mut out, arg, position + 1)?;
        if out.len() > LONGEST {
            return Err(fail("the result is longer than 64 MiB"));
        }
    }
    out.push_str(rest);
    if used < args.len() && !explicit {
        return Err(fail(format!("the format uses only {used} of {} arguments", args.len())));
    }
    Ok(out)
}

fn read_verb(rest: &mut &str) -> Result<Verb, Failure> {
    let mut verb = Verb::default();
    let mut chars = rest.char_indices().peekable();
    let end = loop {
        let Some((at, c)) = chars.next() else { return Err(wrong(0, "it ends within a verb")) };
        match c {
            '+' => verb.plus = true,
            '-' => verb.minus = true,
            '#' => verb.sharp = true,
            ' ' => verb.space = true,
            '0' if verb.width.is_none() => verb.zero = true,
            '0'..='9' => verb.width = Some(digits(c, &mut chars)?),
            '.' => {
                let first = chars.next_if(|(_, c)| c.is_ascii_digit()).map_or('0', |(_, c)| c);
                verb.precision = Some(digits(first, &mut chars)?);
            }
            '[' => {
                let first = chars.next_if(|(_, c)| c.is_ascii_digit()).map_or('0', |(_, c)| c);
                verb.argument = Some(digits(first, &mut chars)?);
                if chars.next().is_none_or(|(_, c)| c != ']') {
                    return Err(wrong(0, "`[` without `]`"));
                }
            }
            letter => {
                verb.letter = letter;
                break at + letter.len_utf8();
            }
        }
    };
    *rest = &rest[end..];
    Ok(verb)
}

fn digits(first: char, chars: &mut std::iter::Peekable<std::str::CharIndices<'_>>) -> Result<usize, Failure> {
    let mut number = first.to_digit(10).unwrap_or_default() as usize;
    while let Some((_, c)) = chars.next_if(|(_, c)| c.is_ascii_digit()) {
        number = number * 10 + c.to_digit(10).unwrap_or_default() as usize;
        if number > 10_000 {
            return Err(wrong(0, "a width or precision is over 10,000"));
        }
    }
    Ok(number)
}

impl Verb {
    fn write(&self, out: &mut String, arg: &Value, argument: usize) -> Result<(), Failure> {
        if arg.is_null() {
            return Err(wrong(argument, "it is null"));
        }
        let shown = match self.letter {
            'v' if self.sharp => json::encode(arg),
            'v' => match &arg.kind {
                Kind::String(text) => text.to_string(),
                Kind::Number(number) => return self.number(out, number, argument),
                Kind::Bool(flag) => flag.to_string(),
                _ => json::encode(arg),
            },
            't' => to(arg, &Type::Bool, argument)?.as_bool().unwrap_or_default().to_string(),
            's' => text(&to(arg, &Type::String, argument)?).to_owned(),
            'q' => json::encode(&to(arg, &Type::String, argument)?),
            'b' | 'd' | 'o' | 'x' | 'X' | 'e' | 'E' | 'f' | 'g' | 'G' => {
                let number = to(arg, &Type::Number, argument)?;
                let number = number.as_number().cloned().unwrap_or(Number::Int(0));
                return self.number(out, &number, argument);
            }
            _ => {
                return Err(wrong(0, "it has a verb that does not exist")
                    .help("verbs are %v %s %q %t %d %b %o %x %X %e %f %g, and %% for a percent sign"));
            }
        };
        let shown = match self.precision {
            Some(most) if matches!(self.letter, 's' | 'q' | 'v') => {
                shown.graphemes(true).take(most).collect()
            }
            _ => shown,
        };
        self.pad(out, &shown);
        Ok(())
    }

    fn number(&self, out: &mut String, number: &Number, argument: usize) -> Result<(), Failure> {
        let negative = *number < Number::Int(0);
        let magnitude = number.decimal().abs();
        let digits = match self.letter {
            'b' | 'd' | 'o' | 'x' | 'X' => {
                if !number.is_whole() {
                    return Err(wrong(argument, "a whole number is required"));
                }
                self.whole(&magnitude)
            }
            'e' | 'E' => number::exponential(&magnitude, self.precision, self.letter),
            'f' => number::fixed(&magnitude, self.precision.unwrap_or(6)),
            'g' | 'G' => number::general(&magnitude, self.precision, self.letter),
            _ => Number::from(magnitude).to_string(),
        };
        let sign = match (negative, self.plus, self.space) {
            (true, ..) => "-",
            (_, true, _) => "+",
            (_, _, true) => " ",
            _ => "",
        };
        match self.width {
            Some(width) if self.zero && !self.minus => {
                let zeros = width.saturating_sub(sign.len() + digits.len());
                out.push_str(sign);
                out.extend(std::iter::repeat_n('0', zeros));
                out.push_str(&digits);
            }
            _ => self.pad(out, &format!("{sign}{digits}")),
        }
        Ok(())
    }

    fn whole(&self, magnitude: &bigdecimal::BigDecimal) -> String {
        let (integer, _) = magnitude.with_scale(0).into_bigint_and_exponent();
        let (radix, prefix) = match self.letter {
            'b' => (2, "0b"),
            'o' => (8, "0"),
            'x' => (16, "0x"),
            'X' => (16, "0X"),
            _ => (10, ""),
        };
        let digits = integer.to_str_radix(radix);
        let digits = if self.letter == 'X' { digits.to_uppercase() } else { digits };
        if self.sharp { format!("{prefix}{digits}") } else { digits }
    }

    /// To the width, in characters as a reader counts them.
    fn pad(&self, out: &mut String, shown: &str) {
        let blanks = self.width.map_or(0, |width| width.saturating_sub(shown.graphemes(true).count()));
        if self.minus {
            out.push_str(shown);
        }
        out.extend(std::iter::repeat_n(if self.zero && !self.minus { '0' } else { ' ' }, blanks));
        if !self.minus {
            out.push_str(shown);
        }
    }
}

fn to(arg: &Value, ty: &Type, argument: usize) -> Result<Value, Failure> {
    converted(arg, ty).map_err(|error| misfit(argument, *error))
}

/// `format` for each row: lists give an element each, anything else is in every row.
fn formatlist(_: &Context<'_>, args: &[Value]) -> Run {
    let (format, args) = (text(&args[0]), args.get(1..).unwrap_or_default());
    let mut length: Option<usize> = None;
    for (i, arg) in args.iter().enumerate() {
        let count = match &arg.kind {
            Kind::Set(_) if arg.has_unknown() => return Ok(unknown_of(Type::list(Type::String), true, arg)),
            Kind::Unknown(unknown) if !unknown.ty.is_primitive() => {
                return Ok(unknown_of(Type::list(Type::String), true, arg));
            }
            Kind::Map(_) | Kind::Object(_) => {
                return Err(wrong(i + 1, format!("a list is required, but this is {}", kind_name(arg))));
            }
            _ => arg.items().map(<[Value]>::len),
        };
        let Some(count) = count else { continue };
        if length.is_some_and(|length| length != count) {
            return Err(wrong(i + 1, "all lists must be of one length"));
        }
        length = Some(count);
    }
    let row = |i: usize| -> Run {
        let row: Vec<Value> = args
            .iter()
            .map(|arg| arg.items().and_then(|items| items.get(i)).unwrap_or(arg).clone())
            .collect();
        match row.iter().find(|value| value.has_unknown()) {
            Some(unknown) => Ok(unknown_of(Type::String, true, unknown)),
            None => Ok(Value::string(normal(&formatted(format, &row)?))),
        }
    };
    let rows: Result<Vec<Value>, Failure> = (0..length.unwrap_or(1)).map(row).collect();
    Ok(Value::list(Type::String, rows?))
}
