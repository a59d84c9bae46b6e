//! What is sensitive stays out of events, texts and documents (invariant 5).

use windlass::plan::render;
use windlass_model::ErrorClass;
use windlass_provider::fake::{Act, Phase};

use crate::site::{Site, text};

const SECRET: &str = "hunter2-and-more";

#[tokio::test(start_paused = true)]
async fn a_secret_is_in_no_plan_and_no_event() {
    let site = Site::new();
    site.stack(&format!(
        "variable \"password\" {{\n  type = string\n  sensitive = true\n  default = \"{SECRET}\"\n}}\n\
         resource \"fake_thing\" \"a\" {{\n  name = \"a\"\n  secret = var.password\n  tags = {{ x = \"${{var.password}}!\" }}\n}}\n\
         output \"p\" {{\n  value = fake_thing.a.secret\n  sensitive = true\n}}\n"
    ));
    site.world.script("fake_thing.a", Phase::Create, 1, Act::FailAfter(ErrorClass::Unknown));
    let planned = site.plan().await.unwrap();
    let document = serde_json::to_string(&render::document(&planned.file.plan, false)).unwrap();
    assert!(!text(&planned).contains(SECRET) && !document.contains(SECRET));
    let done = site.apply().await.unwrap();
    assert!(!format!("{done:?}").contains(SECRET), "{done:?}");
    let events = serde_json::to_string(&*site.events.lock().unwrap()).unwrap();
    assert!(!events.contains(SECRET), "{events}");
    assert!(!site.shown.lock().unwrap().concat().contains(SECRET));
}
