//! Encodings and hashes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256, Sha512};
use windlass_model::{Type, Value};

use super::string::made;
use super::{Context, Function, Param, Run, Shape, fail, function, json, param, text, wrong};
use crate::lang::eval::access::unknown_of;

const STRING: Param = param("string", Shape::String);
const ANY: Param = param("value", Shape::Any).nullable().deep();

pub(super) const TABLE: &[Function] = &[
    function("jsonencode", &[ANY], Shape::String, |_, args| made(json::encode(&args[0]))),
    function("jsondecode", &[STRING], Shape::Any, jsondecode),
    function("base64encode", &[STRING], Shape::String, |_, args| made(STANDARD.encode(text(&args[0])))),
    function("base64decode", &[STRING], Shape::String, base64decode),
    function("urlencode", &[STRING], Shape::String, |_, args| made(urlencode(text(&args[0])))),
    function("sha256", &[STRING], Shape::String, |_, args| made(hex(&Sha256::digest(text(&args[0]))))),
    function("sha512", &[STRING], Shape::String, |_, args| made(hex(&Sha512::digest(text(&args[0]))))),
    function("base64sha256", &[STRING], Shape::String, |_, args| {
        made(STANDARD.encode(Sha256::digest(text(&args[0]))))
    }),
    function("base64sha512", &[STRING], Shape::String, |_, args| {
        made(STANDARD.encode(Sha512::digest(text(&args[0]))))
    }),
    function("md5", &[STRING], Shape::String, |_, args| made(hex(&md5::Md5::digest(text(&args[0]))))),
    // Never the same twice, so a plan cannot know them.
    function("timestamp", &[], Shape::String, later),
    function("plantimestamp", &[], Shape::String, later),
    function("uuid", &[], Shape::String, later),
];

fn later(context: &Context<'_>, _: &[Value]) -> Run {
    let mut value = unknown_of(Type::String, true, &Value::NULL);
    if let windlass_model::Kind::Unknown(unknown) = &value.kind {
        let mut unknown = (**unknown).clone();
        unknown.source = Some(format!("{}()", context.function).into());
        value = Value::new(windlass_model::Kind::Unknown(std::sync::Arc::new(unknown)));
    }
    Ok(value)
}

fn jsondecode(_: &Context<'_>, args: &[Value]) -> Run {
    json::decode(text(&args[0]))
        .map_err(|error| wrong(0, format!("it is not JSON: {} at byte {}", error.message, error.at)))
}

fn base64decode(_: &Context<'_>, args: &[Value]) -> Run {
    let bytes = STANDARD.decode(text(&args[0])).map_err(|_| wrong(0, "it is not base64"))?;
    let decoded = String::from_utf8(bytes).map_err(|_| fail("what it holds is not UTF-8 text"))?;
    made(decoded)
}

fn urlencode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

pub(super) fn hex(bytes: &[u8]) -> String {
    windlass_model::hex(bytes)
}
