//! Applying: announced steps, side by side, each written down before and after.
//!
//! One dispatcher loop owns the world, the queue, the events and the signals. A task owns nothing: it is given a plain
//! value and gives one back. One recorder task owns the held lock and the journal. A step's way:
//!
//! ```text
//! ready -> (settle: evaluate, plan late, rule P5) -> intent durable -> provider -> (health) -> outcome durable -> done
//! ```

mod dispatcher;
mod ending;
mod engine;
pub mod health;
mod late;
mod outcome;
mod queue;
mod recorder;
mod run;
mod steps;
mod within;

pub use dispatcher::apply;
pub use ending::learn_secrets;
pub use engine::{StepEngine, Told};
pub use outcome::{Act, Mold, NEVER, with_marks};
pub use queue::Queue;
pub use recorder::{Recorder, Request};
pub use run::{Ended, Failure, Gate, Late, Permission, Question, Run, Signal};
pub use within::{Within, fits, within};
