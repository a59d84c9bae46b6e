//! The functions of the language on texts.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::evaluate::as_text;
use super::functions::{guid, unique_string};

/// Calls a function on texts. `None`: there is none of that name, or not for these values.
pub fn call(name: &str, values: &[Value]) -> Option<Value> {
    made(name, values)
        .or_else(|| changed(name, values))
        .or_else(|| searched(name, values))
        .or_else(|| cut(name, values))
}

fn made(name: &str, values: &[Value]) -> Option<Value> {
    let text = match (name, values) {
        ("concat", [first, ..]) if !first.is_array() => values.iter().map(as_text).collect(),
        ("format", [Value::String(format), arguments @ ..]) => formatted(format, arguments),
        ("uniquestring", all) => unique_string(all),
        ("guid", all) => guid(all),
        ("newguid", []) => guid(&[Value::from("new")]),
        ("utcnow", _) => jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string(),
        ("join", [Value::Array(list), delimiter]) => {
            list.iter().map(as_text).collect::<Vec<_>>().join(delimiter.as_str()?)
        }
        ("string", [Value::String(text)]) => text.clone(),
        ("string", [value]) => value.to_string(),
        ("uri", [base, relative]) => format!("{}/{}", as_text(base).trim_end_matches('/'), as_text(relative)),
        ("base64", [value]) => STANDARD.encode(as_text(value)),
        ("base64tostring", [value]) => String::from_utf8(STANDARD.decode(as_text(value)).ok()?).ok()?,
        _ => return None,
    };
    Some(Value::from(text))
}

/// `{0}`, `{1}`, and `{{` for a brace; with `:D2` and its like, padded.
fn formatted(format: &str, arguments: &[Value]) -> String {
    let mut text = String::new();
    let mut rest = format;
    while let Some(at) = rest.find(['{', '}']) {
        text.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(brace) {
            text.push_str(brace);
            rest = after;
        } else if let Some((slot, after)) = rest.split_once('}') {
            let (index, shape) = slot.split_once(':').unwrap_or((slot, ""));
            let value = index.trim().parse::<usize>().ok().and_then(|index| arguments.get(index));
            let value = value.map(as_text).unwrap_or_default();
            let width = shape.trim_start_matches(['D', 'd']).parse().unwrap_or(0);
            text.push_str(&format!("{value:0>width$}"));
            rest = after;
        }
    }
    text.push_str(rest);
    text
}

fn changed(name: &str, values: &[Value]) -> Option<Value> {
    let first = values.first()?.as_str();
    let text = match (name, values) {
        ("tolower", [_]) => first?.to_lowercase(),
        ("toupper", [_]) => first?.to_uppercase(),
        ("trim", [_]) => first?.trim().to_owned(),
        ("replace", [_, from, to]) => first?.replace(from.as_str()?, to.as_str()?),
        ("padleft", [value, width, ..]) => {
            let (text, width) = (as_text(value), usize::try_from(width.as_u64()?).ok()?);
            let sign =
                values.get(2).and_then(Value::as_str).and_then(|sign| sign.chars().next()).unwrap_or(' ');
            let missing = width.saturating_sub(text.chars().count());
            std::iter::repeat_n(sign, missing).collect::<String>() + &text
        }
        ("uricomponent", [_]) => first?
            .bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                    char::from(byte).to_string()
                }
                byte => format!("%{byte:02X}"),
            })
            .collect(),
        ("json", [_]) => return serde_json::from_str(first?).ok(),
        ("split", [_, delimiter]) => {
            let delimiters: Vec<String> = match delimiter {
                Value::Array(list) => list.iter().map(as_text).collect(),
                one => vec![as_text(one)],
            };
            let first = delimiters.first()?;
            let same = delimiters
                .iter()
                .skip(1)
                .fold(values[0].as_str()?.to_owned(), |text, one| text.replace(one, first));
            return Some(same.split(first.as_str()).map(Value::from).collect());
        }
        _ => return None,
    };
    Some(Value::from(text))
}

fn searched(name: &str, values: &[Value]) -> Option<Value> {
    let [Value::String(text), Value::String(part)] = values else { return None };
    let (lower, wanted) = (text.to_lowercase(), part.to_lowercase());
    let place = |at: Option<usize>| at.map_or(Value::from(-1), |at| Value::from(lower[..at].chars().count()));
    Some(match name {
        "startswith" => Value::from(lower.starts_with(&wanted)),
        "endswith" => Value::from(lower.ends_with(&wanted)),
        "contains" => Value::from(text.contains(part.as_str())),
        "indexof" => place(lower.find(&wanted)),
        "lastindexof" => place(lower.rfind(&wanted)),
        _ => return None,
    })
}

fn cut(name: &str, values: &[Value]) -> Option<Value> {
    let (Value::String(text), rest) = values.split_first()? else { return None };
    let number = |at: usize| rest.get(at).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
    let text = match (name, rest.len()) {
        ("length", 0) => return Some(Value::from(text.chars().count())),
        ("first", 0) => text.chars().take(1).collect(),
        ("last", 0) => text.chars().last().map(String::from).unwrap_or_default(),
        ("take", 1) => text.chars().take(number(0)?).collect(),
        ("skip", 1) => text.chars().skip(number(0)?).collect(),
        ("substring", 1) => text.chars().skip(number(0)?).collect(),
        ("substring", 2) => text.chars().skip(number(0)?).take(number(1)?).collect::<String>(),
        _ => return None,
    };
    Some(Value::from(text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::functions;
    use super::*;

    #[test]
    fn functions_give_what_arm_gives() {
        for (name, arguments, wanted) in [
            ("concat", json!(["a", 1, "b"]), json!("a1b")),
            ("concat", json!([["a"], ["b"]]), json!(["a", "b"])),
            ("format", json!(["{0}-{{x}}-{1:D3}", "a", 7]), json!("a-{x}-007")),
            ("toLower", json!(["AB"]), json!("ab")),
            ("replace", json!(["a-b-c", "-", ""]), json!("abc")),
            ("padLeft", json!([7, 3, "0"]), json!("007")),
            ("split", json!(["a,b;c", [",", ";"]]), json!(["a", "b", "c"])),
            ("substring", json!(["abcdef", 2, 3]), json!("cde")),
            ("indexOf", json!(["abC", "c"]), json!(2)),
            ("union", json!([{"a": {"b": 1}}, {"a": {"c": 2}}]), json!({"a": {"b": 1, "c": 2}})),
            ("union", json!([[1, 2], [2, 3]]), json!([1, 2, 3])),
            ("items", json!([{"b": 1, "a": 2}]), json!([{"key": "a", "value": 2}, {"key": "b", "value": 1}])),
            ("base64ToString", json!(["YQ=="]), json!("a")),
            ("range", json!([2, 3]), json!([2, 3, 4])),
            ("tryGet", json!([{"a": [1]}, "a", 3]), json!(null)),
            ("and", json!([true, false]), json!(false)),
            ("json", json!(["{\"a\": null}"]), json!({"a": null})),
        ] {
            assert_eq!(
                functions::call(name, arguments.as_array().unwrap()).unwrap(),
                wanted,
                "{name} {arguments}"
            );
        }
        assert!(functions::call("nosuch", &[]).is_err());
        assert!(functions::call("div", &[json!(1), json!(0)]).is_err());
    }

    #[test]
    fn unique_texts_follow_from_their_values() {
        let of = |text: &str| unique_string(&[json!(text)]);
        assert_eq!(of("a"), of("a"));
        assert_ne!(of("a"), of("b"));
        assert_eq!(of("a").len(), 13);
        assert_eq!(guid(&[json!("a")]).len(), 36);
    }
}
