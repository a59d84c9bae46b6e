//! Argument vectors, environment and request files of `aws`. Pure: values of parameters and tags, and templates, stand in
//! request files, never in an argument.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use crate::place::Place;
use crate::spec::{OnFailure, Spec};

/// What the error of a missing tool says.
pub const GET_IT: &str = "the AWS command line is wanted; get it from https://aws.amazon.com/cli, or set `binary` in provider \"cloudformation\"";

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// The whole environment: what is inherited, and what keeps `aws` from asking, paging and giving up at once.
pub fn environment(inherited: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut env = inherited;
    // A user who tunes retries means it.
    let gentle = [("AWS_RETRY_MODE", "standard"), ("AWS_MAX_ATTEMPTS", "5")];
    for (name, value) in gentle {
        env.entry(name.to_owned()).or_insert_with(|| value.to_owned());
    }
    let ours = [("AWS_PAGER", ""), ("AWS_CLI_AUTO_PROMPT", "off"), ("PYTHONIOENCODING", "utf-8")];
    env.extend(ours.map(|(name, value)| (name.to_owned(), value.to_owned())));
    env
}

/// A whole argument vector: the call and where it is aimed.
pub fn aimed(mut args: Vec<String>, place: &Place) -> Vec<String> {
    args.extend(words(&["--output", "json", "--region", &place.region]));
    if let Some(profile) = &place.profile {
        args.extend(words(&["--profile", profile]));
    }
    if let Some(endpoint) = &place.endpoint {
        args.extend(words(&["--endpoint-url", endpoint]));
    }
    args
}

/// A call of CloudFormation with options that have values.
pub fn cloudformation(operation: &str, options: &[(&str, &str)]) -> Vec<String> {
    let mut args = words(&["cloudformation", operation]);
    for (name, value) in options {
        args.extend([format!("--{name}"), (*value).to_owned()]);
    }
    args
}

/// What a change set is made of besides its names.
pub struct Content<'a> {
    /// The template: its text, or where it was put.
    pub template: Source<'a>,
    /// The inputs.
    pub spec: &'a Spec,
    /// Whose it is.
    pub own_tags: &'a BTreeMap<String, String>,
    /// It makes the stack.
    pub new: bool,
    /// It puts right what drifted.
    pub revert: bool,
}

/// Where a template is.
#[derive(Clone, Copy)]
pub enum Source<'a> {
    /// It goes with the request.
    Body(&'a str),
    /// It lies in a bucket.
    Url(&'a str),
}

impl Content<'_> {
    /// The request file of `create-change-set`.
    pub fn request(&self) -> Json {
        let spec = self.spec;
        let mut request = Map::new();
        let mut put = |name: &str, value: Json| request.insert(name.to_owned(), value);
        match self.template {
            Source::Body(text) => put("TemplateBody", json!(text)),
            Source::Url(url) => put("TemplateURL", json!(url)),
        };
        let given = spec.parameters.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
        let parameters: Vec<Json> =
            given.map(|(name, value)| json!({"ParameterKey": name, "ParameterValue": value})).collect();
        put("Parameters", json!(parameters));
        put("Tags", tags(spec, self.own_tags));
        put("Capabilities", json!(spec.capabilities));
        put("NotificationARNs", json!(spec.notification_arns));
        put("IncludeNestedStacks", json!(true));
        if let Some(role) = &spec.role_arn {
            put("RoleARN", json!(role));
        }
        // What happens to a failed stack is always said: defaults differ from call to call.
        let on_failure = match (spec.on_failure, self.new) {
            (OnFailure::Keep, _) => "DO_NOTHING",
            (OnFailure::Delete, true) => "DELETE",
            _ => "ROLLBACK",
        };
        put("OnStackFailure", json!(on_failure));
        if self.revert && !self.new {
            put("DeploymentMode", json!("REVERT_DRIFT"));
        }
        Json::Object(request)
    }
}

/// All tags of a stack, the user's and ours.
pub fn tags(spec: &Spec, own: &BTreeMap<String, String>) -> Json {
    let all: BTreeMap<&String, &String> = spec.tags.iter().chain(own).collect();
    json!(all.into_iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect::<Vec<_>>())
}

/// JSON in ASCII, so that no locale can bend it.
pub fn ascii(json: &Json) -> String {
    let mut text = String::new();
    for c in json.to_string().chars() {
        match c.is_ascii() {
            true => text.push(c),
            false => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    text.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_aimed() {
        let place = Place { region: "eu-west-1".to_owned(), profile: Some("p".to_owned()), endpoint: None };
        let args = aimed(cloudformation("describe-stacks", &[("stack-name", "s")]), &place);
        assert_eq!(
            args.join(" "),
            "cloudformation describe-stacks --stack-name s --output json --region eu-west-1 --profile p"
        );
    }

    #[test]
    fn what_is_not_for_everyone_is_in_the_request() {
        let spec = Spec {
            parameters: BTreeMap::from([("P".to_owned(), Some("geheim".to_owned())), ("U".to_owned(), None)]),
            tags: BTreeMap::from([("a".to_owned(), "b".to_owned())]),
            on_failure: OnFailure::Delete,
            ..Spec::default()
        };
        let own = BTreeMap::from([("windlass:store".to_owned(), "s".to_owned())]);
        let content =
            Content { template: Source::Body("t"), spec: &spec, own_tags: &own, new: true, revert: true };
        let request = content.request();
        assert_eq!(request["Parameters"], json!([{"ParameterKey": "P", "ParameterValue": "geheim"}]));
        assert_eq!(request["Tags"].as_array().unwrap().len(), 2);
        assert_eq!(request["OnStackFailure"], "DELETE");
        assert!(request.get("DeploymentMode").is_none());
        let update = Content { new: false, ..content }.request();
        assert_eq!(update["OnStackFailure"], "ROLLBACK");
        assert_eq!(update["DeploymentMode"], "REVERT_DRIFT");
    }

    #[test]
    fn text_survives_every_locale() {
        let json = json!({"k": "ä😀\n"});
        let text = ascii(&json);
        assert!(text.is_ascii());
        assert_eq!(serde_json::from_str::<Json>(&text).unwrap(), json);
    }

    #[test]
    fn the_environment_neither_asks_nor_pages() {
        let env = environment(BTreeMap::from([("AWS_MAX_ATTEMPTS".to_owned(), "1".to_owned())]));
        assert_eq!(env["AWS_PAGER"], "");
        assert_eq!(env["AWS_MAX_ATTEMPTS"], "1");
        assert_eq!(env["AWS_RETRY_MODE"], "standard");
    }
}
