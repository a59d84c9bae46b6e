//! What a template's maker must have said yes to.

use std::collections::BTreeMap;

use super::Template;

/// Resource types that need CAPABILITY_IAM, and the property that names one: then it is CAPABILITY_NAMED_IAM.
const IAM: &[(&str, Option<&str>)] = &[
    ("AWS::IAM::AccessKey", None),
    ("AWS::IAM::Group", Some("GroupName")),
    ("AWS::IAM::GroupPolicy", None),
    ("AWS::IAM::InstanceProfile", Some("InstanceProfileName")),
    ("AWS::IAM::ManagedPolicy", Some("ManagedPolicyName")),
    ("AWS::IAM::Policy", None),
    ("AWS::IAM::Role", Some("RoleName")),
    ("AWS::IAM::RolePolicy", None),
    ("AWS::IAM::User", Some("UserName")),
    ("AWS::IAM::UserPolicy", None),
    ("AWS::IAM::UserToGroupAddition", None),
];

/// Resources that do nothing but allow.
pub const IAM_NAME: &str = "CAPABILITY_IAM";
/// The same with names of their own.
pub const NAMED_IAM: &str = "CAPABILITY_NAMED_IAM";
/// Macros.
pub const AUTO_EXPAND: &str = "CAPABILITY_AUTO_EXPAND";

/// The capabilities that are needed, each with what needs it.
pub fn needed(template: &Template) -> BTreeMap<&'static str, Vec<String>> {
    let mut needed: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    for (id, resource) in &template.resources {
        let Some((_, name)) = IAM.iter().find(|(kind, _)| *kind == resource.kind) else { continue };
        let named = name.filter(|name| resource.properties.contains_key(*name));
        let capability = if named.is_some() { NAMED_IAM } else { IAM_NAME };
        let with = named.map(|name| format!(" with {name}")).unwrap_or_default();
        needed.entry(capability).or_default().push(format!("{id} ({}{with})", resource.kind));
    }
    for (id, resource) in &template.resources {
        if resource.body.to_string().contains("\"Fn::Transform\"") {
            needed.entry(AUTO_EXPAND).or_default().push(format!("{id} (Fn::Transform)"));
        }
    }
    for transform in &template.transforms {
        needed.entry(AUTO_EXPAND).or_default().push(format!("Transform {transform}"));
    }
    needed
}

/// The capabilities that are needed and were not stated, each with what needs it. That for named things includes the other.
pub fn missing(template: &Template, stated: &[String]) -> BTreeMap<&'static str, Vec<String>> {
    let has = |name: &str| stated.iter().any(|stated| stated == name);
    let mut missing = needed(template);
    missing.retain(|name, _| !(has(name) || *name == IAM_NAME && has(NAMED_IAM)));
    // Said once is enough.
    if missing.contains_key(NAMED_IAM)
        && let Some(unnamed) = missing.remove(IAM_NAME)
    {
        missing.entry(NAMED_IAM).or_default().extend(unnamed);
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    const TEMPLATE: &str = "Resources:\n  R: {Type: AWS::IAM::Role, Properties: {RoleName: x}}\n  \
                            P: {Type: AWS::IAM::Policy, Properties: {PolicyName: p}}\n  Q: {Type: AWS::SQS::Queue}\n";

    #[test]
    fn who_needs_what_is_named() {
        let template = parse(TEMPLATE).unwrap();
        let found = missing(&template, &[]);
        assert_eq!(
            found[NAMED_IAM],
            ["R (AWS::IAM::Role with RoleName)".to_owned(), "P (AWS::IAM::Policy)".to_owned()]
        );
        assert_eq!(missing(&template, &[IAM_NAME.to_owned()]).len(), 1);
        assert!(missing(&template, &[NAMED_IAM.to_owned()]).is_empty());
    }

    #[test]
    fn macros_need_to_be_expanded() {
        let sam =
            parse("Transform: AWS::Serverless-2016-10-31\nResources: {F: {Type: AWS::Serverless::Function}}")
                .unwrap();
        assert_eq!(missing(&sam, &[])[AUTO_EXPAND], ["Transform AWS::Serverless-2016-10-31".to_owned()]);
        let part = parse(
            "Resources: {F: {Type: T, Properties: {X: !Transform {Name: M}}}}\nOutputs: {O: {Value: x}}",
        )
        .unwrap();
        assert_eq!(missing(&part, &[])[AUTO_EXPAND], ["F (Fn::Transform)".to_owned()]);
        assert!(needed(&parse("Resources: {Q: {Type: AWS::SQS::Queue}}").unwrap()).is_empty());
    }
}
