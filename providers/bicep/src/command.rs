//! Argument vectors and environment of `az`. Pure: nothing sensitive ever stands in them; values go through a file.

use std::collections::BTreeMap;

use crate::spec::{Deny, Mode};
use crate::target::Target;

/// What a template is sent with.
#[derive(Clone, Debug)]
pub struct Sent<'a> {
    /// The template's path.
    pub template: &'a str,
    /// The parameters' path.
    pub parameters: Option<&'a str>,
    /// Of a stack: what leaves it is left alone.
    pub detach: bool,
    /// Of a stack.
    pub deny: &'a Deny,
    /// Of a stack: all tags. Sorted.
    pub tags: &'a BTreeMap<String, String>,
    /// Of a deployment to a subscription.
    pub location: Option<&'a str>,
}

/// How long Azure keeps a what-if's result; the shortest that it allows.
const RETENTION: &str = "P1D";

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

impl Target {
    /// `az stack group create` and its like: the group of commands, the command, and which one is meant.
    fn command(&self, family: &str, command: &[&str]) -> Vec<String> {
        let scope = if self.group.is_some() { "group" } else { "sub" };
        let mut args = vec![family.to_owned(), scope.to_owned()];
        args.extend(words(command));
        args
    }

    fn named(&self, mut args: Vec<String>, name: &str) -> Vec<String> {
        args.extend(words(&["--name", name]));
        self.anywhere(args)
    }

    fn anywhere(&self, mut args: Vec<String>) -> Vec<String> {
        if let Some(group) = &self.group {
            args.extend(words(&["--resource-group", group]));
        }
        self.in_subscription(args)
    }

    fn in_subscription(&self, mut args: Vec<String>) -> Vec<String> {
        args.extend(words(&["--subscription", &self.subscription, "--output", "json"]));
        args
    }

    /// What is there now.
    pub fn show(&self) -> Vec<String> {
        self.named(self.command(self.word(), &["show"]), &self.name)
    }

    /// The template of what is there now.
    pub fn export(&self) -> Vec<String> {
        self.named(self.command(self.word(), &["export"]), &self.name)
    }

    /// Makes or changes it, and waits for its end. Never without `--yes`: the prompt for an existing stack does not stop.
    pub fn create(&self, sent: &Sent<'_>) -> Vec<String> {
        let mut args = self.named(self.command(self.word(), &["create"]), &self.name);
        self.template(&mut args, sent);
        match self.mode {
            Mode::Stack => {
                stack_settings(&mut args, sent);
                args.push("--yes".to_owned());
            }
            Mode::Deployment if self.group.is_some() => args.extend(words(&["--mode", "Incremental"])),
            Mode::Deployment => {}
        }
        args
    }

    /// What a create would do, by the stack's own what-if. `name`: of its result.
    pub fn stack_what_if(&self, sent: &Sent<'_>, name: &str) -> Vec<String> {
        let mut args = self.named(self.command("stack-whatif", &["create"]), name);
        args.extend(words(&[
            "--stack-id",
            &self.id(),
            "--retention-interval",
            RETENTION,
            "--no-pretty-print",
        ]));
        self.template(&mut args, sent);
        stack_settings(&mut args, sent);
        args
    }

    /// What a create would do, by the deployment's what-if: knows nothing of a stack.
    pub fn deployment_what_if(&self, sent: &Sent<'_>) -> Vec<String> {
        let mut args = self.named(self.command("deployment", &["what-if"]), &self.name);
        args.extend(words(&["--result-format", "FullResourcePayloads", "--no-pretty-print"]));
        self.template(&mut args, sent);
        args
    }

    fn template(&self, args: &mut Vec<String>, sent: &Sent<'_>) {
        args.extend(words(&["--template-file", sent.template]));
        if let Some(path) = sent.parameters {
            args.extend(["--parameters".to_owned(), format!("@{path}")]);
        }
        if let (None, Some(location)) = (&self.group, sent.location) {
            args.extend(words(&["--location", location]));
        }
    }

    /// Deletes a stack, and what it manages unless that is detached.
    pub fn delete_stack(&self, detach: bool) -> Vec<String> {
        let mut args = self.named(self.command("stack", &["delete"]), &self.name);
        args.extend(words(&["--action-on-unmanage", unmanage(detach), "--yes"]));
        args
    }

    /// Deletes a deployment's entry, and nothing that it made.
    pub fn delete_deployment(&self) -> Vec<String> {
        self.named(self.command("deployment", &["delete"]), &self.name)
    }

    /// Cancels a running deployment.
    pub fn cancel(&self) -> Vec<String> {
        self.named(self.command("deployment", &["cancel"]), &self.name)
    }

    /// The operations of a deployment: of a stack the one that it runs.
    pub fn operations(&self, deployment: &str) -> Vec<String> {
        let scope = if self.group.is_some() { "group" } else { "sub" };
        self.named(words(&["deployment", "operation", scope, "list"]), deployment)
    }

    /// The group, with its tags.
    pub fn group_show(&self, group: &str) -> Vec<String> {
        self.in_subscription(words(&["group", "show", "--name", group]))
    }

    /// Makes the group.
    pub fn group_create(&self, group: &str, location: &str, tags: &BTreeMap<String, String>) -> Vec<String> {
        let mut args = words(&["group", "create", "--name", group, "--location", location]);
        push_tags(&mut args, tags);
        self.in_subscription(args)
    }

    /// Deletes the group and all that is in it.
    pub fn group_delete(&self, group: &str) -> Vec<String> {
        self.in_subscription(words(&["group", "delete", "--name", group, "--yes"]))
    }

    /// All that is in a group, or in the subscription.
    pub fn resources(&self, group: Option<&str>) -> Vec<String> {
        let mut args = words(&["resource", "list"]);
        args.extend(group.into_iter().flat_map(|group| words(&["--resource-group", group])));
        self.in_subscription(args)
    }

    /// Deletes resources, in as many passes as their order needs.
    pub fn delete_resources(&self, ids: &[String]) -> Vec<String> {
        let mut args = words(&["resource", "delete", "--ids"]);
        args.extend(ids.iter().cloned());
        self.in_subscription(args)
    }
}

fn stack_settings(args: &mut Vec<String>, sent: &Sent<'_>) {
    args.extend(words(&[
        "--action-on-unmanage",
        unmanage(sent.detach),
        "--deny-settings-mode",
        &sent.deny.mode,
    ]));
    if sent.deny.children {
        args.push("--deny-settings-apply-to-child-scopes".to_owned());
    }
    for (flag, list) in [
        ("--deny-settings-excluded-actions", &sent.deny.actions),
        ("--deny-settings-excluded-principals", &sent.deny.principals),
    ] {
        if !list.is_empty() {
            // One argument: az splits it at blanks itself.
            args.extend([flag.to_owned(), list.join(" ")]);
        }
    }
    push_tags(args, sent.tags);
}

fn push_tags(args: &mut Vec<String>, tags: &BTreeMap<String, String>) {
    if !tags.is_empty() {
        args.push("--tags".to_owned());
        args.extend(tags.iter().map(|(name, value)| format!("{name}={value}")));
    }
}

fn unmanage(detach: bool) -> &'static str {
    if detach { "detachAll" } else { "deleteAll" }
}

/// `az version`.
pub fn version() -> Vec<String> {
    words(&["version", "--output", "json"])
}

/// What a missing az needs.
pub fn get_it() -> String {
    "install the Azure CLI (2.85 or newer: https://aka.ms/installazurecli), or name its path in the provider's `binary`".to_owned()
}

/// The environment of `az`: the user's, without what would bend it, and ours.
pub fn environment(mut inherited: BTreeMap<String, String>, cloud: Option<&str>) -> BTreeMap<String, String> {
    let ours = [
        ("AZURE_CORE_COLLECT_TELEMETRY", "no"),
        ("AZURE_CORE_NO_COLOR", "true"),
        ("AZURE_CORE_ONLY_SHOW_ERRORS", "true"),
        ("AZURE_CORE_OUTPUT", "json"),
        ("AZURE_CORE_SURVEY_MESSAGE", "no"),
        ("AZURE_CORE_DISABLE_PROGRESS_BAR", "true"),
        ("AZURE_EXTENSION_USE_DYNAMIC_INSTALL", "no"),
        ("AZURE_BICEP_CHECK_VERSION", "false"),
        ("PYTHONUNBUFFERED", "1"),
    ];
    inherited.extend(ours.map(|(name, value)| (name.to_owned(), value.to_owned())));
    if let Some(cloud) = cloud {
        inherited.insert("AZURE_CLOUD_NAME".to_owned(), cloud.to_owned());
    }
    inherited
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(group: Option<&str>, mode: Mode) -> Target {
        Target {
            subscription: "s1".to_owned(),
            group: group.map(str::to_owned),
            mode,
            name: "app".to_owned(),
        }
    }

    fn line(args: &[String]) -> String {
        args.join(" ")
    }

    #[test]
    fn a_stack_is_made_with_all_its_settings() {
        let deny = Deny {
            mode: "denyDelete".to_owned(),
            children: true,
            actions: vec!["a/read".to_owned(), "b/*".to_owned()],
            principals: vec!["p".to_owned()],
        };
        let tags = BTreeMap::from([("windlass:stack".to_owned(), "shop".to_owned())]);
        let sent = Sent {
            template: "t.json",
            parameters: Some("p.json"),
            detach: false,
            deny: &deny,
            tags: &tags,
            location: Some("westeurope"),
        };
        let args = target(Some("g"), Mode::Stack).create(&sent);
        assert_eq!(
            line(&args),
            "stack group create --name app --resource-group g --subscription s1 --output json --template-file t.json \
             --parameters @p.json --action-on-unmanage deleteAll --deny-settings-mode denyDelete \
             --deny-settings-apply-to-child-scopes --deny-settings-excluded-actions a/read b/* \
             --deny-settings-excluded-principals p --tags windlass:stack=shop --yes"
        );
        assert!(args.contains(&"a/read b/*".to_owned()));
        let what_if = target(None, Mode::Stack).stack_what_if(&sent, "w");
        assert!(line(&what_if).starts_with(
            "stack-whatif sub create --name w --subscription s1 --output json --stack-id \
             /subscriptions/s1/providers/Microsoft.Resources/deploymentStacks/app --retention-interval P1D"
        ));
        assert!(line(&what_if).contains("--location westeurope"));
    }

    #[test]
    fn a_deployment_is_incremental_and_has_no_settings() {
        let (deny, tags) = (Deny::default(), BTreeMap::new());
        let sent = Sent {
            template: "t",
            parameters: None,
            detach: true,
            deny: &deny,
            tags: &tags,
            location: Some("l"),
        };
        let create = target(Some("g"), Mode::Deployment).create(&sent);
        assert_eq!(
            line(&create),
            "deployment group create --name app --resource-group g --subscription s1 --output json --template-file t \
             --mode Incremental"
        );
        let create = target(None, Mode::Deployment).create(&sent);
        assert_eq!(
            line(&create),
            "deployment sub create --name app --subscription s1 --output json --template-file t --location l"
        );
    }

    #[test]
    fn operations_are_listed_in_az_s_odd_order() {
        let args = target(Some("g"), Mode::Stack).operations("d");
        assert_eq!(
            line(&args),
            "deployment operation group list --name d --resource-group g --subscription s1 --output json"
        );
    }

    #[test]
    fn deletes_say_what_becomes_of_the_rest() {
        let here = target(Some("g"), Mode::Stack);
        assert!(line(&here.delete_stack(true)).ends_with("--action-on-unmanage detachAll --yes"));
        assert!(line(&here.group_delete("g")).contains("--yes"));
        assert_eq!(
            line(&here.delete_resources(&["/a".to_owned(), "/b".to_owned()])),
            "resource delete --ids /a /b --subscription s1 --output json"
        );
    }

    #[test]
    fn the_environment_is_quiet_and_of_the_cloud() {
        let env = environment(BTreeMap::from([("HOME".to_owned(), "/h".to_owned())]), Some("local"));
        assert_eq!(env["AZURE_CORE_COLLECT_TELEMETRY"], "no");
        assert_eq!(env["AZURE_CLOUD_NAME"], "local");
        assert_eq!(env["HOME"], "/h");
    }
}
