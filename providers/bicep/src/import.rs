//! Taking in a stack or deployment that exists.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use windlass_model::{ErrorClass, Type, Value};
use windlass_provider::{Observed, ProviderError};

use crate::arm::template::Template;
use crate::compile::Build;
use crate::job::{Given, Job, PARAMETERS, TEMPLATE};
use crate::outputs;
use crate::read::{ids, parts};
use crate::seen::Seen;
use crate::sources;
use crate::target::group_of_id;

impl Job<'_> {
    /// Takes in what an id or a name means: the stack or deployment that the block describes, or the group that it makes.
    ///
    /// # Errors
    /// `not_found`, or `invalid_config` where it is not what the block describes.
    pub async fn take_in(&self, id: &str, bicep: Option<&str>) -> Result<Observed, ProviderError> {
        let of_group = group_of_id(id).is_some();
        if !of_group {
            self.fits(id)?;
        } else if !self.target.scope_id().eq_ignore_ascii_case(id) || !self.spec.creates_group {
            let message = format!("{id} is not the group that {} makes", self.call.address);
            return Err(ProviderError::new(ErrorClass::InvalidConfig, message)
                .hint(format!("give {}", self.target.id()))
                .at("resource_group"));
        }
        let seen = match self.show().await? {
            Some(seen) => seen,
            None if of_group => Seen::default(),
            None => {
                let message = format!("there is no such thing: {}", self.target.id());
                return Err(ProviderError::new(ErrorClass::NotFound, message)
                    .hint("give its id, as `az stack group list` or `az deployment group list` shows it"));
            }
        };
        let template = if seen.state.is_empty() { None } else { self.exported().await? };
        // Parameters of a file are those of the block: Azure keeps no secret ones.
        let file = match sources::is_bicep(&self.spec.template) || self.spec.parameters_file.is_some() {
            true => Build::new(self.call, &self.spec, bicep)?.run().await?.parameters,
            false => None,
        };
        self.imported(&seen, template, file).await
    }

    /// Whether an id or a name is the block's own.
    fn fits(&self, id: &str) -> Result<(), ProviderError> {
        let own = self.target.id();
        let wanted = if id.starts_with('/') { own.as_str() } else { self.target.name.as_str() };
        if id.eq_ignore_ascii_case(wanted) {
            return Ok(());
        }
        let message = format!("{id} is not what {} describes: that is {own}", self.call.address);
        Err(ProviderError::new(ErrorClass::InvalidConfig, message)
            .hint("make name, resource_group, scope, mode and subscription agree with it")
            .at("name"))
    }

    /// The template that was deployed last, where Azure gives it.
    async fn exported(&self) -> Result<Option<Template>, ProviderError> {
        let args = self.target.export();
        let exit = self.ask("export", args.clone()).await?;
        if !exit.success() {
            return Err(self.error(&args, &exit));
        }
        let json: Json = serde_json::from_slice(&exit.stdout).unwrap_or_default();
        let template = json.get("template").filter(|template| template.is_object()).unwrap_or(&json);
        Ok(Template::parse(template.to_string()).ok())
    }

    async fn imported(
        &self,
        seen: &Seen,
        template: Option<Template>,
        file: Option<Json>,
    ) -> Result<Observed, ProviderError> {
        let mut blobs = BTreeMap::new();
        if let Some(template) = &template {
            blobs.insert(TEMPLATE.to_owned(), self.call.engine.keep(template.text.as_bytes()).await?);
        }
        if let Some(file) = &file {
            blobs.insert(PARAMETERS.to_owned(), self.call.engine.keep(file.to_string().as_bytes()).await?);
        }
        let template = template.unwrap_or(Template { text: String::new(), json: Json::Null });
        let given: Given = self.given(&template, file.as_ref());
        let outputs = outputs::values(&seen.outputs, &self.made(&template, &given));
        let drift = Value::list(Type::String, Vec::new());
        let value = self.value(&given.secret, outputs, ids(&seen.resources), drift);
        let private = self.private(&template, blobs, Some(seen), self.spec.creates_group);
        Ok(Observed { value, private, nested: parts(&self.target, &seen.resources) })
    }
}
