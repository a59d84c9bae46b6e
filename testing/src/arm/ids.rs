//! Resource ids: made, taken apart. As keys they are in lower case: ARM does not tell cases apart.

/// Where a deployment works: a subscription, or a group in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The subscription's id.
    pub subscription: String,
    /// The resource group's name.
    pub group: Option<String>,
}

impl Place {
    /// Its id.
    pub fn id(&self) -> String {
        match &self.group {
            Some(group) => format!("/subscriptions/{}/resourceGroups/{group}", self.subscription),
            None => format!("/subscriptions/{}", self.subscription),
        }
    }

    /// From an id that begins with it.
    pub fn of(id: &str) -> Option<Self> {
        let parts: Vec<&str> = id.trim_matches('/').split('/').collect();
        let subscription = parts.get(1).filter(|_| parts[0].eq_ignore_ascii_case("subscriptions"))?;
        let group = parts.get(3).filter(|_| parts[2].eq_ignore_ascii_case("resourceGroups"));
        Some(Self { subscription: (*subscription).to_owned(), group: group.map(|&name| name.to_owned()) })
    }

    /// The id of a resource in it, by type (`A.B/c/d`) and name (`x/y`).
    pub fn resource(&self, kind: &str, name: &str) -> String {
        if kind.eq_ignore_ascii_case(GROUP) {
            return Self { group: Some(name.to_owned()), ..self.clone() }.id();
        }
        format!("{}/{}", self.id(), relative(kind, name))
    }
}

/// The type of resource groups.
pub const GROUP: &str = "Microsoft.Resources/resourceGroups";

/// The type of deployments.
pub const DEPLOYMENT: &str = "Microsoft.Resources/deployments";

/// An id below a place or another resource: `providers/A.B/c/x/d/y`.
pub fn relative(kind: &str, name: &str) -> String {
    let mut segments = kind.split('/');
    let mut id = format!("providers/{}", segments.next().unwrap_or_default());
    let mut names = name.split('/');
    for segment in segments {
        id.push_str(&format!("/{segment}/{}", names.next().unwrap_or_default()));
    }
    id
}

/// As a key.
pub fn key(id: &str) -> String {
    let id = id.trim_end_matches('/').to_lowercase();
    // The long way to say a group.
    match id.split_once("/providers/microsoft.resources/resourcegroups/") {
        Some((before, name)) => format!("{before}/resourcegroups/{name}"),
        None => id,
    }
}

/// Type and name of a resource: `A.B/c/d` and `x/y`.
pub fn kind_and_name(id: &str) -> (String, String) {
    let lower = id.to_lowercase();
    let Some(at) = lower.rfind("/providers/") else {
        let name = id.rsplit('/').next().unwrap_or_default();
        return (GROUP.to_owned(), name.to_owned());
    };
    let mut parts = id[at + "/providers/".len()..].split('/');
    let mut kind = parts.next().unwrap_or_default().to_owned();
    let mut names = Vec::new();
    while let Some(segment) = parts.next() {
        kind = format!("{kind}/{segment}");
        names.extend(parts.next());
    }
    (kind, names.join("/"))
}

/// Whether a fault that names a resource, by name, type or id, means this one.
pub fn means(wanted: &str, id: &str) -> bool {
    let (kind, name) = kind_and_name(id);
    let last = name.rsplit('/').next().unwrap_or_default();
    [kind.as_str(), name.as_str(), last, id].iter().any(|known| known.eq_ignore_ascii_case(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_made_and_taken_apart() {
        let place = Place::of("/subscriptions/s/resourceGroups/g/providers/A.B/c/x").unwrap();
        assert_eq!(place.id(), "/subscriptions/s/resourceGroups/g");
        let id = place.resource("A.B/c/d", "x/y");
        assert_eq!(id, "/subscriptions/s/resourceGroups/g/providers/A.B/c/x/d/y");
        assert_eq!(kind_and_name(&id), ("A.B/c/d".to_owned(), "x/y".to_owned()));
        assert!(means("y", &id) && means("a.b/C/d", &id) && !means("x", &id));
        assert_eq!(Place::of("/tenants/t"), None);
    }

    #[test]
    fn a_group_has_one_key() {
        let long = "/subscriptions/S/providers/Microsoft.Resources/resourceGroups/G";
        assert_eq!(key(long), key("/subscriptions/s/resourceGroups/g/"));
        assert_eq!(kind_and_name("/subscriptions/s/resourceGroups/g"), (GROUP.to_owned(), "g".to_owned()));
    }
}
