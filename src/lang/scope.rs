//! What names mean while an expression is evaluated.

use windlass_model::{Files, Key, Value};

use super::expr::Reference;

/// Gives names their values. The values are already marked and may be unknown.
pub trait Scope {
    /// The value of a reference. A resource block with `count` is a tuple of its instances, with `for_each` an object.
    ///
    /// # Errors
    /// A title for the diagnostic: what is wrong with the reference.
    fn value(&self, reference: &Reference) -> Result<Value, String>;

    /// One instance of a resource block, so that `type.name[key]` need not build all of them; `None`: no shortcut here.
    fn instance(&self, kind: &str, name: &str, key: &Key) -> Option<Value> {
        let _ = (kind, name, key);
        None
    }

    /// Source files, for `file()` and its kin; `None`: no files can be read here.
    fn files(&self) -> Option<&dyn Files> {
        None
    }
}
