//! Where a stack is: region, profile, endpoint. Pure, but for a look into the profile's configuration.

use std::collections::BTreeMap;

use windlass_model::ErrorClass;
use windlass_provider::ProviderError;

/// Where `aws` is aimed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place {
    /// `eu-west-1`
    pub region: String,
    /// `--profile`; `None`: as the environment says.
    pub profile: Option<String>,
    /// `--endpoint-url`; `None`: as the environment says, else AWS itself.
    pub endpoint: Option<String>,
}

/// What a resource or a provider block says of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Aim {
    /// `region`
    pub region: Option<String>,
    /// `profile`
    pub profile: Option<String>,
    /// `endpoint_url`
    pub endpoint: Option<String>,
}

impl Aim {
    /// This, and where it says nothing, the other.
    pub fn or(&self, other: &Aim) -> Aim {
        Aim {
            region: self.region.clone().or_else(|| other.region.clone()),
            profile: self.profile.clone().or_else(|| other.profile.clone()),
            endpoint: self.endpoint.clone().or_else(|| other.endpoint.clone()),
        }
    }

    /// The place, the region taken from the user's environment or profile where nobody says it.
    ///
    /// # Errors
    /// `invalid_config` where no region is set anywhere.
    pub fn place(&self, env: &BTreeMap<String, String>) -> Result<Place, ProviderError> {
        let named = |name: &str| env.get(name).filter(|value| !value.is_empty()).cloned();
        let region = self.region.clone().or_else(|| {
            named("AWS_REGION").or_else(|| named("AWS_DEFAULT_REGION")).or_else(|| {
                let profile = self.profile.clone().or_else(|| named("AWS_PROFILE"));
                let profile = profile.or_else(|| named("AWS_DEFAULT_PROFILE"));
                of_profile(profile.as_deref().unwrap_or("default"), env)
            })
        });
        let region = region.ok_or_else(|| {
            ProviderError::new(ErrorClass::InvalidConfig, "no region is set")
                .hint(
                    "set `region` here or in the provider block, AWS_REGION, or the profile's `region` \
                     (`aws configure set region eu-west-1`)",
                )
                .at("region")
        })?;
        Ok(Place { region, profile: self.profile.clone(), endpoint: self.endpoint.clone() })
    }
}

/// The region that the profile's configuration says.
fn of_profile(profile: &str, env: &BTreeMap<String, String>) -> Option<String> {
    let file = |name: &str, beside: &str| {
        env.get(name).cloned().or_else(|| env.get("HOME").map(|home| format!("{home}/.aws/{beside}")))
    };
    let read = |path: String| std::fs::read_to_string(path).ok();
    let config = file("AWS_CONFIG_FILE", "config").and_then(read);
    let section = if profile == "default" { "default".to_owned() } else { format!("profile {profile}") };
    config.and_then(|text| setting(&text, &section, "region")).or_else(|| {
        let credentials = file("AWS_SHARED_CREDENTIALS_FILE", "credentials").and_then(read)?;
        setting(&credentials, profile, "region")
    })
}

/// A setting of a section of an INI file.
fn setting(text: &str, section: &str, name: &str) -> Option<String> {
    let mut inside = false;
    for line in text.lines() {
        let trimmed = line.trim();
        if let Some(head) = trimmed.strip_prefix('[').and_then(|head| head.strip_suffix(']')) {
            inside = head.split_whitespace().collect::<Vec<_>>().join(" ").trim_matches('"') == section;
        } else if let (true, Some((key, value))) = (inside && !line.starts_with(' '), trimmed.split_once('='))
            && key.trim() == name
        {
            return Some(value.trim().to_owned());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_wins() {
        let env = BTreeMap::from([("AWS_DEFAULT_REGION".to_owned(), "env".to_owned())]);
        let own = Aim { region: Some("own".to_owned()), ..Aim::default() };
        let block = Aim { region: Some("block".to_owned()), profile: Some("p".to_owned()), ..Aim::default() };
        assert_eq!(own.or(&block).place(&env).unwrap().region, "own");
        assert_eq!(own.or(&block).profile.as_deref(), Some("p"));
        assert_eq!(Aim::default().or(&block).place(&env).unwrap().region, "block");
        assert_eq!(Aim::default().place(&env).unwrap().region, "env");
        let error = Aim::default().place(&BTreeMap::new()).unwrap_err();
        assert!(error.hint.unwrap().contains("AWS_REGION"));
    }

    #[test]
    fn a_profile_may_say_the_region() {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("config");
        std::fs::write(
            &config,
            "[default]\nregion=d\n[profile a b]\nregion = x\n[profile p]\ns3 =\n  region = no\nregion = eu\n",
        )
        .unwrap();
        let env = BTreeMap::from([("AWS_CONFIG_FILE".to_owned(), config.display().to_string())]);
        assert_eq!(Aim::default().place(&env).unwrap().region, "d");
        let aim = Aim { profile: Some("p".to_owned()), ..Aim::default() };
        assert_eq!(aim.place(&env).unwrap().region, "eu");
    }
}
