//! What was found out once in a process and holds for its whole life.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use crate::error::ProviderError;

/// Answers by question. Who asks while somebody else is finding out waits for that answer.
#[derive(Default)]
pub struct Known(Mutex<BTreeMap<String, Arc<OnceCell<String>>>>);

impl Known {
    /// The answer, found out by `find` if nobody knows it yet. A failure is not remembered.
    ///
    /// # Errors
    /// As `find`.
    pub async fn once(
        &self,
        question: &str,
        find: impl Future<Output = Result<String, ProviderError>>,
    ) -> Result<String, ProviderError> {
        let cell = {
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            known.entry(question.to_owned()).or_default().clone()
        };
        cell.get_or_try_init(|| find).await.cloned()
    }
}

#[cfg(test)]
mod tests {
    use windlass_model::ErrorClass;

    use super::*;

    #[tokio::test]
    async fn an_answer_is_found_out_once_and_a_failure_again() {
        let known = Known::default();
        let fails = async { Err(ProviderError::new(ErrorClass::Unknown, "no")) };
        assert!(known.once("who", fails).await.is_err());
        assert_eq!(known.once("who", async { Ok("me".to_owned()) }).await.unwrap(), "me");
        assert_eq!(known.once("who", async { Ok("you".to_owned()) }).await.unwrap(), "me");
    }
}
