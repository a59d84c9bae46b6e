//! What outputs will be (rule P4), and which of them are secrets.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use windlass_model::{Type, Value};

use super::evaluate::Facts;
use super::references::References;
use super::{Output, Template};

/// What is recorded of the stack.
#[derive(Clone, Copy)]
pub struct Recorded<'a> {
    /// Its template.
    pub template: &'a Template,
    /// Its parameters.
    pub facts: &'a Facts,
    /// Its outputs.
    pub outputs: &'a Value,
}

/// What is to come.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// The template.
    pub template: &'a Template,
    /// Its parameters as far as they are known.
    pub facts: &'a Facts,
    /// The logical ids of what changes; `None`: that is not known.
    pub touched: Option<&'a BTreeSet<String>>,
    /// Parameters whose values are secret.
    pub secret: &'a BTreeSet<String>,
}

/// The outputs as far as they are certain: the prior value where the expression is the same and refers to nothing that
/// changes, else unknown. Unknown as a whole where not even their names are certain.
pub fn foreseen(before: Option<Recorded<'_>>, wanted: Wanted<'_>) -> Value {
    let template = wanted.template;
    if !template.transforms.is_empty() {
        return Value::unknown(Type::Any);
    }
    let mut entries: Vec<(Arc<str>, Value)> = Vec::new();
    for (name, output) in &template.outputs {
        match template.there(output.condition.as_deref(), wanted.facts) {
            Some(false) => continue,
            Some(true) => {}
            None => return Value::unknown(Type::Any),
        }
        let kept = before.and_then(|before| kept(name, output, before, wanted));
        let value = kept.unwrap_or_else(|| Value::unknown(Type::String));
        let secret = is_secret(template, output, wanted.secret);
        entries.push((name.as_str().into(), if secret { value.sensitive() } else { value }));
    }
    Value::object(entries)
}

fn kept(name: &str, output: &Output, before: Recorded<'_>, wanted: Wanted<'_>) -> Option<Value> {
    let old = before.template.outputs.get(name)?;
    let touched = wanted.touched?;
    let value = before.outputs.get(name).filter(|value| value.is_known())?;
    let (was, now) = (before.template, wanted.template);
    let mut references = References::of(&output.value);
    references.conditions.extend(output.condition.clone());
    let (names, outside) = now.reach(&references);
    let same_words = old.value == output.value
        && was.tree["Mappings"] == now.tree["Mappings"]
        && (references.conditions.is_empty() || was.conditions == now.conditions)
        && was.transforms.is_empty();
    let still = |name: &String| match now.parameters.get(name) {
        Some(parameter) => {
            let then = parameter_value(was, before.facts, name);
            !parameter.kind.starts_with("AWS::SSM::")
                && then.is_some()
                && then == parameter_value(now, wanted.facts, name)
        }
        None => !touched.contains(name),
    };
    (same_words && !outside && names.iter().all(still)).then(|| value.clone())
}

fn parameter_value(template: &Template, facts: &Facts, name: &str) -> Option<String> {
    match facts.parameters.get(name) {
        Some(value) => value.clone(),
        None => template.parameters.get(name)?.default.clone(),
    }
}

fn is_secret(template: &Template, output: &Output, secret: &BTreeSet<String>) -> bool {
    let names = template.parameters_of(&output.value);
    let no_echo = |name: &String| template.parameters.get(name).is_some_and(|parameter| parameter.no_echo);
    names.iter().any(|name| secret.contains(name) || no_echo(name))
}

/// Outputs as the service tells them, secrets marked.
pub fn seen(
    told: &BTreeMap<String, String>,
    template: Option<&Template>,
    secret: &BTreeSet<String>,
) -> Value {
    Value::object(told.iter().map(|(name, text)| {
        let value = Value::from(text.as_str());
        let marked = template.is_some_and(|template| {
            template.outputs.get(name).is_some_and(|output| is_secret(template, output, secret))
        });
        (name.as_str(), if marked { value.sensitive() } else { value })
    }))
}

/// Those outputs that can be worked out from parameters and the physical ids of resources, for a service that tells none.
pub fn worked_out(template: &Template, facts: &Facts) -> BTreeMap<String, String> {
    let there = |output: &Output| template.there(output.condition.as_deref(), facts) == Some(true);
    let outputs = template.outputs.iter().filter(|(_, output)| there(output));
    outputs
        .filter_map(|(name, output)| Some((name.clone(), template.text_of(&output.value, facts)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    const TEMPLATE: &str = "Parameters: {P: {Type: String}, K: {Type: String, Default: k}, N: {Type: String, NoEcho: true, \
                            Default: n}}\nResources: {A: {Type: T}, B: {Type: T}}\nOutputs:\n  OfA: {Value: !Ref A}\n  \
                            OfB: {Value: !GetAtt B.Arn}\n  OfP: {Value: !Sub 'x${P}'}\n  OfK: {Value: !Ref K}\n  \
                            OfN: {Value: !Ref N}\n  Import: {Value: !ImportValue x}\n";

    fn facts(p: Option<&str>) -> Facts {
        let parameters = BTreeMap::from([("P".to_owned(), p.map(str::to_owned))]);
        Facts { parameters, ..Facts::default() }
    }

    fn known(value: &Value) -> Vec<&str> {
        let entries = value.entries().unwrap().iter();
        entries.filter(|(_, value)| value.is_known()).map(|(name, _)| &**name).collect()
    }

    #[test]
    fn an_output_that_nothing_touches_keeps_its_value() {
        let template = parse(TEMPLATE).unwrap();
        let outputs = ["OfA", "OfB", "OfP", "OfK", "OfN", "Import"].map(|name| (name, Value::from("was")));
        let outputs = Value::object(outputs);
        let (old, new) = (facts(Some("1")), facts(Some("2")));
        let before = Some(Recorded { template: &template, facts: &old, outputs: &outputs });
        let touched = BTreeSet::from(["A".to_owned()]);
        let secret = BTreeSet::new();
        let wanted = Wanted { template: &template, facts: &new, touched: Some(&touched), secret: &secret };
        let planned = foreseen(before, wanted);
        assert_eq!(known(&planned), ["OfB", "OfK", "OfN"]);
        assert!(planned.get("OfN").unwrap().is_sensitive() && !planned.get("OfK").unwrap().is_sensitive());

        let unknown = Wanted { facts: &facts(None), ..wanted };
        assert_eq!(known(&foreseen(before, unknown)), ["OfB", "OfK", "OfN"]);
        assert!(known(&foreseen(None, wanted)).is_empty());
        assert!(known(&foreseen(before, Wanted { touched: None, ..wanted })).is_empty());

        let other = parse(&TEMPLATE.replace("!Ref K", "!Sub '${K}!'")).unwrap();
        assert_eq!(known(&foreseen(before, Wanted { template: &other, ..wanted })), ["OfB", "OfN"]);
        let mapped = parse(&format!("Mappings: {{M: {{a: {{b: c}}}}}}\n{TEMPLATE}")).unwrap();
        assert!(known(&foreseen(before, Wanted { template: &mapped, ..wanted })).is_empty());
    }

    #[test]
    fn outputs_whose_being_is_not_known_are_unknown_as_a_whole() {
        let template = parse(
            "Parameters: {P: {Type: String}}\nConditions: {C: !Equals [!Ref P, x]}\nResources: {A: {Type: T}}\n\
             Outputs: {O: {Value: y, Condition: C}, Q: {Value: z}}",
        )
        .unwrap();
        let secret = BTreeSet::new();
        let planned = |p: Option<&str>| {
            let facts = facts(p);
            foreseen(None, Wanted { template: &template, facts: &facts, touched: None, secret: &secret })
        };
        assert!(planned(None).is_unknown());
        assert_eq!(planned(Some("y")).entries().unwrap().len(), 1);
        assert_eq!(planned(Some("x")).entries().unwrap().len(), 2);
    }

    #[test]
    fn what_the_service_does_not_tell_is_worked_out_where_it_can_be() {
        let template = parse(TEMPLATE).unwrap();
        let names = BTreeMap::from([("A".to_owned(), "a-id".to_owned())]);
        let all = worked_out(&template, &Facts { names, ..facts(Some("1")) });
        assert_eq!(all.keys().map(String::as_str).collect::<Vec<_>>(), ["OfA", "OfK", "OfN", "OfP"]);
        assert_eq!(all["OfA"], "a-id");
    }
}
