//! Address ranges.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bigdecimal::ToPrimitive as _;
use windlass_model::{Type, Value};

use super::string::made;
use super::{Context, Failure, Function, Param, Run, Shape, fail, function, param, text, whole, wrong};

const PREFIX: Param = param("prefix", Shape::String);

pub(super) const TABLE: &[Function] = &[
    function("cidrhost", &[PREFIX, param("hostnum", Shape::Number)], Shape::String, cidrhost),
    function("cidrnetmask", &[PREFIX], Shape::String, cidrnetmask),
    function(
        "cidrsubnet",
        &[PREFIX, param("newbits", Shape::Number), param("netnum", Shape::Number)],
        Shape::String,
        cidrsubnet,
    ),
    function("cidrsubnets", &[PREFIX], Shape::Strings, cidrsubnets).rest(param("newbits", Shape::Number)),
];

/// A range: its first address, how many bits of it are fixed, how many there are.
#[derive(Clone, Copy)]
struct Range {
    first: u128,
    fixed: u32,
    bits: u32,
}

impl Range {
    fn read(written: &str) -> Result<Range, Failure> {
        let refuse =
            || wrong(0, "it is not an address range").help("a range is written 10.0.0.0/16 or fd00::/48");
        let (address, fixed) = written.split_once('/').ok_or_else(refuse)?;
        let address: IpAddr = address.parse().map_err(|_| refuse())?;
        let (first, bits) = match address {
            IpAddr::V4(address) => (u128::from(u32::from(address)), 32),
            IpAddr::V6(address) => (u128::from(address), 128),
        };
        let plain = !fixed.is_empty() && fixed.bytes().all(|b| b.is_ascii_digit());
        let fixed: u32 = fixed.parse().ok().filter(|fixed| plain && *fixed <= bits).ok_or_else(refuse)?;
        Ok(Range { first: first & !low_mask(bits - fixed), fixed, bits })
    }

    fn address(self, offset: u128) -> String {
        let address = self.first | offset;
        match self.bits {
            32 => Ipv4Addr::from(u32::try_from(address).unwrap_or(u32::MAX)).to_string(),
            _ => Ipv6Addr::from(address).to_string(),
        }
    }

    /// With so many more bits fixed, the one of this number.
    fn part(self, more: u32, number: u128) -> Range {
        let fixed = self.fixed + more;
        let shift = self.bits - fixed;
        Range { first: self.first | number.checked_shl(shift).unwrap_or(0), fixed, bits: self.bits }
    }
}

impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address(0), self.fixed)
    }
}

/// So many ones, from the right.
fn low_mask(bits: u32) -> u128 {
    1u128.checked_shl(bits).map_or(u128::MAX, |one| one - 1)
}

fn big(value: &Value, argument: usize) -> Result<i128, Failure> {
    let number = value.as_number().filter(|number| number.is_whole());
    number
        .and_then(|number| number.decimal().to_i128())
        .ok_or_else(|| wrong(argument, "a whole number is required"))
}

fn cidrhost(_: &Context<'_>, args: &[Value]) -> Run {
    let range = Range::read(text(&args[0]))?;
    let number = big(&args[1], 1)?;
    let last = low_mask(range.bits - range.fixed);
    let offset = match u128::try_from(number) {
        Ok(offset) => Some(offset),
        // From the end: -1 is the last one.
        Err(_) => last.checked_sub(number.unsigned_abs() - 1),
    };
    let offset =
        offset.filter(|offset| *offset <= last).ok_or_else(|| wrong(1, "the range has no such host"))?;
    made(range.address(offset))
}

fn cidrnetmask(_: &Context<'_>, args: &[Value]) -> Run {
    let range = Range::read(text(&args[0]))?;
    if range.bits != 32 {
        return Err(wrong(0, "only IPv4 has netmasks"));
    }
    let mask = !low_mask(32 - range.fixed) & u128::from(u32::MAX);
    made(Range { first: mask, ..range }.address(0))
}

fn cidrsubnet(_: &Context<'_>, args: &[Value]) -> Run {
    let range = Range::read(text(&args[0]))?;
    let more = new_bits(range, args, 1)?;
    let number = u128::try_from(big(&args[2], 2)?).ok().filter(|number| *number <= low_mask(more));
    let number = number.ok_or_else(|| wrong(2, "there is no subnet of that number"))?;
    made(range.part(more, number).to_string())
}

fn new_bits(range: Range, args: &[Value], argument: usize) -> Result<u32, Failure> {
    let more = whole(args, argument, 0, 128)? as u32;
    match range.fixed + more <= range.bits {
        true => Ok(more),
        false => Err(wrong(argument, "the range has fewer bits left")),
    }
}

fn cidrsubnets(_: &Context<'_>, args: &[Value]) -> Run {
    let range = Range::read(text(&args[0]))?;
    let mut parts = Vec::new();
    // The first address, counted from that of the range, that is free.
    let mut free: u128 = 0;
    for argument in 1..args.len() {
        let more = new_bits(range, args, argument)?;
        let size = low_mask(range.bits - range.fixed - more);
        let start = free
            .checked_add(size)
            .map(|end| end & !size)
            .filter(|start| *start <= low_mask(range.bits - range.fixed));
        let start = start.filter(|start| parts.is_empty() || *start >= free && *start != 0);
        let start = start.ok_or_else(|| fail("the range has no room for all of them"))?;
        let part = Range { first: range.first | start, fixed: range.fixed + more, bits: range.bits };
        parts.push(Value::string(part.to_string()));
        free = start.wrapping_add(size).wrapping_add(1);
    }
    Ok(Value::list(Type::String, parts))
}
