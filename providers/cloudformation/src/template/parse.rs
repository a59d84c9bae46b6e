//! YAML with CloudFormation's short tags, or JSON, as one tree.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};
use serde_json::{Map, Value as Json};

use super::Template;

/// More nodes than any template of a megabyte has: aliases may multiply them.
const MOST_NODES: usize = 500_000;
/// Deeper than any template.
const MOST_DEPTH: usize = 200;

/// Reads a template.
///
/// # Errors
/// What is wrong, and in which line.
pub fn parse(text: &str) -> Result<Template, String> {
    Template::of(tree(text)?)
}

/// The tree: every scalar is text but `null`.
///
/// # Errors
/// What is wrong, and in which line.
pub fn tree(text: &str) -> Result<Json, String> {
    if text.trim_start().starts_with('{')
        && let Ok(json) = serde_json::from_str::<Json>(text)
    {
        return Ok(plain(json));
    }
    let mut parser = Parser::new_from_str(text);
    let mut reader = Reader { open: Vec::new(), anchors: BTreeMap::new(), nodes: 0, document: None };
    while let Some(next) = parser.next_event() {
        let (event, span) = next.map_err(|error| at(error.marker().line(), error.info()))?;
        reader.take(event, span)?;
    }
    reader.document.ok_or_else(|| "the template is empty".to_owned())
}

fn at(line: usize, what: &str) -> String {
    format!("line {line}: {what}")
}

/// JSON in the same form: numbers and booleans as their text.
fn plain(json: Json) -> Json {
    match json {
        Json::Bool(value) => Json::String(value.to_string()),
        Json::Number(number) => Json::String(number.to_string()),
        Json::Array(items) => Json::Array(items.into_iter().map(plain).collect()),
        Json::Object(map) => Json::Object(map.into_iter().map(|(key, value)| (key, plain(value))).collect()),
        other => other,
    }
}

/// A collection that is not closed yet.
struct Open {
    tag: Option<String>,
    anchor: usize,
    line: usize,
    node: Node,
}

enum Node {
    List(Vec<Json>),
    /// What is there, and the key whose value comes next.
    Map(Map<String, Json>, Option<String>),
}

struct Reader {
    open: Vec<Open>,
    anchors: BTreeMap<usize, Json>,
    nodes: usize,
    document: Option<Json>,
}

impl Reader {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), String> {
        let line = span.start.line();
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let tag = tag.as_deref().map(tag_name);
                let value = scalar(&text, style, tag.as_deref());
                let value = tagged(tag.as_deref(), value, line)?;
                self.put(value, anchor, line)
            }
            Event::SequenceStart(anchor, tag) => {
                self.begin(Node::List(Vec::new()), anchor, tag.as_deref(), line)
            }
            Event::MappingStart(anchor, tag) => {
                self.begin(Node::Map(Map::new(), None), anchor, tag.as_deref(), line)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => {
                let known = self.anchors.get(&anchor);
                let value = known.ok_or_else(|| at(line, "an alias of something that is not complete"))?;
                self.nodes += size(value);
                self.put(value.clone(), 0, line)
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, node: Node, anchor: usize, tag: Option<&Tag>, line: usize) -> Result<(), String> {
        if self.open.len() >= MOST_DEPTH {
            return Err(at(line, "nested too deep"));
        }
        self.open.push(Open { tag: tag.map(tag_name), anchor, line, node });
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let value = match open.node {
            Node::List(items) => Json::Array(items),
            Node::Map(map, _) => Json::Object(map),
        };
        let value = tagged(open.tag.as_deref(), value, open.line)?;
        self.put(value, open.anchor, open.line)
    }

    fn put(&mut self, value: Json, anchor: usize, line: usize) -> Result<(), String> {
        self.nodes += 1;
        if self.nodes > MOST_NODES {
            return Err(at(line, "too large"));
        }
        if anchor != 0 {
            self.nodes += size(&value);
            self.anchors.insert(anchor, value.clone());
        }
        match self.open.last_mut().map(|open| &mut open.node) {
            None => {
                if self.document.replace(value).is_some() {
                    return Err(at(line, "a second document"));
                }
            }
            Some(Node::List(items)) => items.push(value),
            Some(Node::Map(map, key)) => match key.take() {
                None => {
                    let text = value.as_str().ok_or_else(|| at(line, "a key that is not text"))?;
                    if map.contains_key(text) {
                        return Err(at(line, &format!("`{text}` stands twice in the same map")));
                    }
                    *key = Some(text.to_owned());
                }
                Some(key) => {
                    map.insert(key, value);
                }
            },
        }
        Ok(())
    }
}

/// How many nodes a copy of it has.
fn size(value: &Json) -> usize {
    match value {
        Json::Array(items) => 1 + items.iter().map(size).sum::<usize>(),
        Json::Object(map) => 1 + map.values().map(size).sum::<usize>(),
        _ => 1,
    }
}

/// `!Ref` -> `Ref`; those of YAML itself -> `!!str`.
fn tag_name(tag: &Tag) -> String {
    match tag.handle.as_str() {
        "!" => tag.suffix.clone(),
        _ => format!("!!{}", tag.suffix),
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&str>) -> Json {
    let plain = style == ScalarStyle::Plain && tag.is_none();
    if plain && matches!(text, "" | "~" | "null" | "Null" | "NULL") {
        return Json::Null;
    }
    if plain && matches!(text, "True" | "TRUE" | "False" | "FALSE") {
        return Json::String(text.to_ascii_lowercase());
    }
    Json::String(text.to_owned())
}

/// The long form of a short tag.
fn tagged(tag: Option<&str>, value: Json, line: usize) -> Result<Json, String> {
    let Some(tag) = tag.filter(|tag| !tag.starts_with("!!") && !tag.is_empty()) else { return Ok(value) };
    let (name, value) = match tag {
        "Ref" | "Condition" => (tag.to_owned(), value),
        "GetAtt" => match value {
            Json::String(text) => {
                let (name, attribute) = text
                    .split_once('.')
                    .ok_or_else(|| at(line, &format!("`!GetAtt {text}` names no attribute")))?;
                ("Fn::GetAtt".to_owned(), Json::Array(vec![name.into(), attribute.into()]))
            }
            other => ("Fn::GetAtt".to_owned(), other),
        },
        other => (format!("Fn::{other}"), value),
    };
    Ok(Json::Object(Map::from_iter([(name, value)])))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn short_tags_are_the_long_forms() {
        let yaml = "a: !Ref Q\nb: !GetAtt Q.Arn.x\nc: !Sub 'x-${Q}'\nd: !If [C, 1, !Ref AWS::NoValue]\n\
                    e: !Join\n  - ','\n  - - a\n    - !ImportValue n\nf: !Condition C\ng: !GetAtt [Q, Arn]\n\
                    h: !FindInMap [A, !Ref B, c]\ni: !Base64\n  Fn::Sub: x\n";
        let long = json!({
            "a": {"Ref": "Q"}, "b": {"Fn::GetAtt": ["Q", "Arn.x"]}, "c": {"Fn::Sub": "x-${Q}"},
            "d": {"Fn::If": ["C", "1", {"Ref": "AWS::NoValue"}]},
            "e": {"Fn::Join": [",", ["a", {"Fn::ImportValue": "n"}]]}, "f": {"Condition": "C"},
            "g": {"Fn::GetAtt": ["Q", "Arn"]}, "h": {"Fn::FindInMap": ["A", {"Ref": "B"}, "c"]},
            "i": {"Fn::Base64": {"Fn::Sub": "x"}},
        });
        assert_eq!(tree(yaml).unwrap(), long);
    }

    #[test]
    fn yaml_and_json_of_the_same_meaning_are_equal() {
        let yaml = "AWSTemplateFormatVersion: 2010-09-09\nResources:\n  Q:\n    Type: AWS::SQS::Queue\n    \
                    Properties: {DelaySeconds: 5, FifoQueue: True, Tags: ~}\n";
        let json = r#"{"AWSTemplateFormatVersion":"2010-09-09","Resources":{"Q":{"Type":"AWS::SQS::Queue",
            "Properties":{"DelaySeconds":5,"FifoQueue":true,"Tags":null}}}}"#;
        assert_eq!(parse(yaml).unwrap(), parse(json).unwrap());
    }

    #[test]
    fn anchors_are_followed_and_do_not_explode() {
        let yaml = "a: &x {k: v}\nb: *x\n";
        assert_eq!(tree(yaml).unwrap(), json!({"a": {"k": "v"}, "b": {"k": "v"}}));
        let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for i in 1..30 {
            let before = format!("*a{}", i - 1);
            bomb.push_str(&format!("a{i}: &a{i} [{}]\n", vec![before; 10].join(", ")));
        }
        assert!(tree(&bomb).unwrap_err().contains("too large"));
    }

    #[test]
    fn what_is_wrong_names_the_line() {
        assert!(tree("a: 1\na: 2\n").unwrap_err().starts_with("line 2:"));
        assert!(tree("a: [1\nb: 2").unwrap_err().starts_with("line "));
        assert!(tree("a: !GetAtt Q").unwrap_err().contains("names no attribute"));
        assert!(tree("").is_err() && tree("--- a\n--- b\n").is_err());
        assert!(parse("Resources: {}").unwrap_err().contains("no Resources"));
        assert!(parse("Resources: {Q: {Properties: {}}}").unwrap_err().contains("Q has no Type"));
        assert!(parse("[]").is_err() && parse("Resources: [a]").is_err());
    }
}
