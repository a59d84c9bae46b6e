//! What is asked and what is answered.

use std::collections::BTreeMap;

use serde_json::Value;

use super::template::lenient;

/// A request that came in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// `GET`, `PUT` …
    pub method: String,
    /// As it was sent.
    pub path: String,
    /// Decoded.
    pub query: BTreeMap<String, String>,
    /// Names in lower case. The token is not kept, only that there was one.
    pub headers: BTreeMap<String, String>,
    /// As it was sent.
    pub body: String,
}

impl Request {
    /// The body, read leniently; `Null` where there is none or it is no JSON.
    pub fn json(&self) -> Value {
        lenient::parse(&self.body).unwrap_or_default()
    }

    /// The path's segments, as they were sent, decoded.
    pub fn segments(&self) -> Vec<String> {
        self.path.split('/').filter(|segment| !segment.is_empty()).map(decoded).collect()
    }

    /// `METHOD path`, for comparisons.
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// `a%20b+c` decoded.
pub fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(if bytes[at] == b'+' { b' ' } else { bytes[at] });
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// `a=b&c=d` decoded.
pub fn pairs(text: &str) -> BTreeMap<String, String> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    };
    text.split('&').filter(|text| !text.is_empty()).map(pair).collect()
}

/// Takes a key out of an object.
pub fn drop_key(object: &mut Value, key: &str) {
    if let Some(object) = object.as_object_mut() {
        object.remove(key);
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// Besides the usual ones.
    pub headers: Vec<(String, String)>,
    /// JSON, if any.
    pub body: Option<Value>,
}

impl Reply {
    /// With a body.
    pub fn json(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body: Some(body) }
    }

    /// Without one.
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: None }
    }

    /// With one more header.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_and_paths_are_decoded() {
        let pairs = pairs("api-version=2024-11-01&$filter=resourceGroup%20eq%20'g'&a=b+c%");
        assert_eq!(pairs["$filter"], "resourceGroup eq 'g'");
        assert_eq!(pairs["a"], "b c%");
        let request = Request { path: "/a/b%2Fc/".to_owned(), ..Request::default() };
        assert_eq!(request.segments(), ["a", "b/c"]);
    }
}
