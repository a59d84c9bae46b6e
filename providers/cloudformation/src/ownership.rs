//! Whose a stack is, and whether its name is free.

use windlass_model::ErrorClass;
use windlass_provider::ProviderError;

use crate::answers::Stack;
use crate::job::{Job, quoted};
use crate::schema::OWN_TAGS;
use crate::states::{Means, means, words};

impl Job<'_> {
    /// Whether a stack carries the tags of this very address.
    pub(crate) fn is_own(&self, stack: &Stack) -> bool {
        let tags = stack.tag_map();
        self.own_tags().iter().all(|(key, value)| tags.get(key) == Some(value))
    }

    /// Fails where the name is taken (rule T8).
    pub(crate) fn name_is_free(&self, there: Option<&Stack>, known: bool) -> Result<(), ProviderError> {
        let Some(stack) = there else { return Ok(()) };
        let address = quoted(&self.aws.call.address.to_string());
        let own = self.is_own(stack);
        let name = &self.name;
        let empty = means(&stack.stack_status) == Means::Empty;
        if own && empty && !known {
            return Ok(());
        }
        let tags = stack.tag_map();
        let of = |what: &str| tags.get(&format!("{OWN_TAGS}{what}")).cloned();
        let whose = match (own, of("stack"), of("environment"), of("address")) {
            (true, ..) => {
                "it carries the tags of this very address, but state does not know of it".to_owned()
            }
            (false, Some(stack), Some(environment), Some(address)) => {
                format!("it belongs to {address} of stack {stack}, environment {environment}")
            }
            _ => "it was not made by Windlass".to_owned(),
        };
        let message = format!(
            "a stack named {name} exists in {} already ({}): {whose}",
            self.aws.place.region,
            words(&stack.stack_status)
        );
        let hint = match empty {
            true => format!(
                "it holds nothing but a change set: `aws cloudformation delete-stack --stack-name {name} --region {}` removes it",
                self.aws.place.region
            ),
            false => format!("take it in: windlass state import {address} {name}; or use another name"),
        };
        Err(ProviderError::new(ErrorClass::NameTaken, message).hint(hint).at("name"))
    }
}
