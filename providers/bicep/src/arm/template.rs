//! A compiled template: its parameters, and whether it is the same as another one.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json};
use windlass_model::{AttrPath, Digest, ErrorClass, canon};
use windlass_provider::ProviderError;

/// A compiled template.
#[derive(Clone, Debug)]
pub struct Template {
    /// Strict JSON, as it is sent.
    pub text: String,
    /// Read.
    pub json: Json,
}

/// A parameter as the template declares it.
#[derive(Clone, Debug)]
pub struct Declared {
    /// `string`, `secureString`, `int`, …; lower case.
    pub kind: String,
    /// It may be left out.
    pub optional: bool,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: String) -> Result<Template, String> {
        let json: Json = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        match json.get("resources") {
            Some(Json::Array(_) | Json::Object(_)) | None if json.is_object() => Ok(Template { text, json }),
            _ => Err("it is no ARM template: `resources` is missing".to_owned()),
        }
    }

    /// The parameters by name.
    pub fn parameters(&self) -> BTreeMap<&str, Declared> {
        let all = self.json.get("parameters").and_then(Json::as_object).into_iter().flatten();
        let read = |(name, json): (&'_ String, &Json)| {
            let kind = json.get("type").and_then(Json::as_str).unwrap_or("object").to_lowercase();
            let nullable = json.get("nullable").and_then(Json::as_bool) == Some(true);
            (name.clone(), Declared { kind, optional: nullable || json.get("defaultValue").is_some() })
        };
        let mut found = BTreeMap::new();
        for (name, json) in all {
            found.insert(name.as_str(), read((name, json)).1);
        }
        found
    }

    /// Names of the parameters whose values are secret.
    pub fn secure_parameters(&self) -> BTreeSet<String> {
        let secure =
            self.parameters().into_iter().filter(|(_, declared)| declared.kind.starts_with("secure"));
        secure.map(|(name, _)| name.to_owned()).collect()
    }

    /// Which of the given parameters the template does not know, or misses.
    ///
    /// # Errors
    /// `invalid_config`, naming it.
    pub fn check(&self, given: &BTreeSet<String>, at: &str) -> Result<(), ProviderError> {
        let declared = self.parameters();
        let known = |name: &String| declared.keys().any(|known| known.eq_ignore_ascii_case(name));
        if let Some(name) = given.iter().find(|name| !known(name)) {
            let error = ProviderError::new(
                ErrorClass::InvalidConfig,
                format!("the template declares no parameter `{name}`"),
            );
            let near = declared.keys().map(|known| (strsim::jaro_winkler(known, name), *known));
            let near = near.filter(|(score, _)| *score > 0.8).max_by(|a, b| a.0.total_cmp(&b.0));
            let all: Vec<&str> = declared.keys().copied().collect();
            let hint = match (near, all.is_empty()) {
                (Some((_, near)), _) => format!("did you mean `{near}`?"),
                (None, true) => "it declares none".to_owned(),
                (None, false) => format!("it declares {}", all.join(", ")),
            };
            return Err(error.hint(hint).at(AttrPath::from(at).name(name.as_str())));
        }
        let missing = declared.iter().filter(|(_, declared)| !declared.optional).map(|(name, _)| *name);
        let missing: Vec<&str> =
            missing.filter(|name| !given.iter().any(|given| given.eq_ignore_ascii_case(name))).collect();
        match missing.as_slice() {
            [] => Ok(()),
            names => {
                let message = format!(
                    "the template's parameter{} `{}` has no value",
                    if names.len() == 1 { "" } else { "s" },
                    names.join("`, `")
                );
                Err(ProviderError::new(ErrorClass::InvalidConfig, message)
                    .hint(format!("add to parameters: {} = …", names.first().copied().unwrap_or_default()))
                    .at("parameters"))
            }
        }
    }

    /// The names of outputs whose values Azure keeps to itself.
    pub fn secure_outputs(&self) -> BTreeSet<String> {
        let all = self.json.get("outputs").and_then(Json::as_object).into_iter().flatten();
        let secure = all.filter(|(_, output)| {
            let kind = output.get("type").and_then(Json::as_str).unwrap_or_default();
            kind.to_lowercase().starts_with("secure")
        });
        secure.map(|(name, _)| name.clone()).collect()
    }

    /// What the template says, without what its compiler writes about itself.
    pub fn meaning(&self) -> Digest {
        canon::digest(&without_metadata(&self.json))
    }
}

fn without_metadata(json: &Json) -> Json {
    match json {
        Json::Object(fields) => {
            let kept = fields
                .iter()
                .filter(|(name, value)| !(name.as_str() == "metadata" && value.get("_generator").is_some()));
            Json::Object(
                kept.map(|(name, value)| (name.clone(), without_metadata(value))).collect::<Map<_, _>>(),
            )
        }
        Json::Array(items) => Json::Array(items.iter().map(without_metadata).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> Template {
        Template::parse(text.to_owned()).unwrap()
    }

    #[test]
    fn parameters_are_checked_before_azure_is_asked() {
        let template = template(
            r#"{"parameters":{"prefix":{"type":"string"},"sku":{"type":"string","defaultValue":"x"},"key":{"type":"secureString","nullable":true}},"resources":[]}"#,
        );
        let given =
            |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<String>>();
        assert!(template.check(&given(&["Prefix"]), "parameters").is_ok());
        let error = template.check(&given(&["prefx"]), "parameters").unwrap_err();
        assert_eq!(error.hint.as_deref(), Some("did you mean `prefix`?"));
        let error = template.check(&given(&[]), "parameters").unwrap_err();
        assert!(error.message.contains("`prefix` has no value"), "{}", error.message);
        assert_eq!(template.secure_parameters(), given(&["key"]));
    }

    #[test]
    fn another_compiler_s_version_is_no_other_template() {
        let one = template(r#"{"metadata":{"_generator":{"version":"1"}},"resources":[]}"#);
        let two = template(r#"{"resources":[],"metadata":{"_generator":{"version":"2"}}}"#);
        let other = template(r#"{"resources":[{}]}"#);
        assert_eq!(one.meaning(), two.meaning());
        assert_ne!(one.meaning(), other.meaning());
        assert!(Template::parse("[]".to_owned()).is_err() && Template::parse("{".to_owned()).is_err());
    }
}
