//! A run as events, one a line of JSON on stdout. The last line is `run_finished`.

use windlass::event::Reporter;
use windlass_model::Event;

use crate::output::Output;

/// Writes events to stdout.
pub struct Json {
    output: Output,
}

impl Json {
    /// To this output.
    pub fn new(output: Output) -> Json {
        Json { output }
    }
}

impl Reporter for Json {
    fn event(&mut self, event: &Event) {
        self.output.document(event);
    }
}

#[cfg(test)]
mod tests {
    use windlass_model::RunStatus;

    use super::super::human::tests::recorded;
    use super::*;
    use crate::output::Captured;

    #[test]
    fn events_can_be_read_again() {
        let out = Captured::default();
        let mut json = Json::new(Output::to(Box::new(out.clone()), Box::new(Captured::default())));
        let events = recorded(RunStatus::Applied);
        events.iter().for_each(|event| json.event(event));
        let read: Vec<Event> = out.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(read, events);
        let last = out.text().lines().last().unwrap().to_owned();
        insta::assert_snapshot!(last, @r#"{"seq":15,"at":1764042480150,"kind":"run_finished","status":"applied","version":42,"run":"01JX0000000000000000000000","done":2,"failed":1,"skipped":1,"left":1,"elapsed_ms":63400}"#);
    }
}
