//! Where a deployment is: its id, and how ids below it are said in short.

use crate::spec::{Mode, Spec};

/// A place in Azure, all of it known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// The subscription's id.
    pub subscription: String,
    /// `None`: the subscription itself.
    pub group: Option<String>,
    /// What Azure keeps.
    pub mode: Mode,
    /// Of the stack or deployment.
    pub name: String,
}

impl Target {
    /// The place of a deployment in a subscription.
    pub fn new(spec: &Spec, subscription: &str) -> Target {
        Target {
            subscription: subscription.to_owned(),
            group: spec.group.clone(),
            mode: spec.mode,
            name: spec.name.clone(),
        }
    }

    /// The id of the stack or deployment.
    pub fn id(&self) -> String {
        let kind = match self.mode {
            Mode::Stack => "deploymentStacks",
            Mode::Deployment => "deployments",
        };
        format!("{}/providers/Microsoft.Resources/{kind}/{}", self.scope_id(), self.name)
    }

    /// The id of what it is deployed to.
    pub fn scope_id(&self) -> String {
        match &self.group {
            Some(group) => format!("/subscriptions/{}/resourceGroups/{group}", self.subscription),
            None => format!("/subscriptions/{}", self.subscription),
        }
    }

    /// The real place (rule P8). Azure's names do not mind case.
    pub fn place(&self) -> String {
        let group = self.group.as_deref().unwrap_or("-");
        format!("azure {} {group} {} {}", self.subscription, self.word(), self.name).to_lowercase()
    }

    /// `stack` or `deployment`.
    pub fn word(&self) -> &'static str {
        match self.mode {
            Mode::Stack => "stack",
            Mode::Deployment => "deployment",
        }
    }

    /// What people call it: ``stack `app` in the resource group `g` ``.
    pub fn say(&self) -> String {
        match &self.group {
            Some(group) => format!("the {} `{}` in the resource group `{group}`", self.word(), self.name),
            None => format!("the {} `{}` of the subscription", self.word(), self.name),
        }
    }

    /// The command that shows it, for people.
    pub fn show_words(&self) -> String {
        self.show().into_iter().take_while(|word| word != "--output").collect::<Vec<_>>().join(" ")
    }

    /// The command that makes it, by its words.
    pub fn create_words(&self) -> Vec<String> {
        let mut words = self.show();
        words.truncate(2);
        words.push("create".to_owned());
        words
    }

    /// An id, as short as it can be said here: `Microsoft.Network/virtualNetworks/main`, with `resourceGroups/x/` in front where
    /// it is in another group, and whole where it is in another subscription.
    pub fn short(&self, id: &str) -> String {
        let Some(rest) = after(id, &format!("/subscriptions/{}/", self.subscription)) else {
            return after(id, "/").unwrap_or(id).to_owned();
        };
        let own = self.group.as_ref().and_then(|group| after(rest, &format!("resourceGroups/{group}/")));
        if let Some(own) = own {
            return after(own, "providers/").unwrap_or(own).to_owned();
        }
        let Some(in_group) = after(rest, "resourceGroups/") else {
            return after(rest, "providers/").unwrap_or(rest).to_owned();
        };
        match in_group.split_once('/') {
            Some((group, below)) => {
                format!("resourceGroups/{group}/{}", after(below, "providers/").unwrap_or(below))
            }
            None => format!("resourceGroups/{in_group}"),
        }
    }

    /// The short form of a resource by type and name, whose segments belong together: `A.B/c/d` and `x/y` make
    /// `A.B/c/x/d/y`. `group`: where it is another one.
    pub fn short_of(&self, kind: &str, name: &str, group: Option<&str>) -> String {
        let mut types = kind.split('/');
        let mut text = types.next().unwrap_or_default().to_owned();
        let names: Vec<&str> = split_name(name);
        for (at, part) in types.enumerate() {
            text.push_str(&format!("/{part}/{}", names.get(at).copied().unwrap_or("?")));
        }
        let same = match (group, &self.group) {
            (None, _) => true,
            (Some(group), Some(own)) => group.eq_ignore_ascii_case(own),
            (Some(_), None) => false,
        };
        if kind.eq_ignore_ascii_case("Microsoft.Resources/resourceGroups") {
            return format!("resourceGroups/{name}");
        }
        if same { text } else { format!("resourceGroups/{}/{text}", group.unwrap_or_default()) }
    }
}

/// The segments of a name. An expression that could not be evaluated may have slashes of its own.
fn split_name(name: &str) -> Vec<&str> {
    if name.contains('[') { vec![name] } else { name.split('/').collect() }
}

/// What follows a beginning, whatever its case.
fn after<'t>(text: &'t str, beginning: &str) -> Option<&'t str> {
    let head = text.get(..beginning.len())?;
    head.eq_ignore_ascii_case(beginning).then(|| &text[beginning.len()..])
}

/// The type in a resource's id: `Microsoft.Network/virtualNetworks/subnets`; of a group `Microsoft.Resources/resourceGroups`.
pub fn type_of(id: &str) -> String {
    let lower = id.to_ascii_lowercase();
    let Some(at) = lower.rfind("/providers/") else {
        return "Microsoft.Resources/resourceGroups".to_owned();
    };
    let mut segments = id[at + "/providers/".len()..].split('/');
    let mut kind = segments.next().unwrap_or_default().to_owned();
    for part in segments.step_by(2) {
        kind.push('/');
        kind.push_str(part);
    }
    kind
}

/// Whether an id is that of a resource group.
pub fn group_of_id(id: &str) -> Option<&str> {
    let rest = after(id, "/subscriptions/")?;
    let (_, rest) = rest.split_once('/')?;
    let group = after(rest, "resourceGroups/")?;
    (!group.contains('/')).then_some(group)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(group: Option<&str>) -> Target {
        Target {
            subscription: "s1".to_owned(),
            group: group.map(str::to_owned),
            mode: Mode::Stack,
            name: "app".to_owned(),
        }
    }

    #[test]
    fn ids_are_said_in_short() {
        let here = target(Some("G"));
        let vnet =
            "/subscriptions/S1/resourcegroups/g/providers/Microsoft.Network/virtualNetworks/v/subnets/s";
        assert_eq!(here.short(vnet), "Microsoft.Network/virtualNetworks/v/subnets/s");
        assert_eq!(
            here.short("/subscriptions/s1/resourceGroups/x/providers/A.B/c/d"),
            "resourceGroups/x/A.B/c/d"
        );
        assert_eq!(here.short("/subscriptions/s2/resourceGroups/x"), "subscriptions/s2/resourceGroups/x");
        assert_eq!(target(None).short("/subscriptions/s1/resourceGroups/x"), "resourceGroups/x");
        assert_eq!(here.short_of("Microsoft.Network/virtualNetworks/subnets", "v/s", None), here.short(vnet));
        assert_eq!(target(None).short_of("A.B/c", "d", Some("x")), "resourceGroups/x/A.B/c/d");
        assert_eq!(here.short_of("A.B/c", "d", Some("g")), "A.B/c/d");
        assert_eq!(type_of(vnet), "Microsoft.Network/virtualNetworks/subnets");
        assert_eq!(group_of_id("/subscriptions/s1/resourceGroups/x"), Some("x"));
        assert_eq!(group_of_id(vnet), None);
    }

    #[test]
    fn places_do_not_mind_case() {
        assert_eq!(target(Some("G")).place(), "azure s1 g stack app");
        assert_eq!(target(None).place(), "azure s1 - stack app");
        assert_eq!(
            target(Some("G")).id(),
            "/subscriptions/s1/resourceGroups/G/providers/Microsoft.Resources/deploymentStacks/app"
        );
    }
}
