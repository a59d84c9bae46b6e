//! In which order things are made, changed and taken away.

use windlass::ops::PlanOptions;
use windlass_model::Operation;

use crate::site::{Site, address, steps, text};

const DIAMOND: &str = r#"
resource "fake_thing" "top" { name = "top" }
resource "fake_thing" "left" {
  name = "left"
  tags = { of = fake_thing.top.id }
}
resource "fake_thing" "right" {
  name = "right"
  tags = { of = fake_thing.top.id }
}
resource "fake_thing" "bottom" {
  name = "bottom"
  tags = { l = fake_thing.left.id, r = fake_thing.right.id }
}
"#;

/// Where each line is, in this order.
fn in_order(log: &[String], lines: &[&str]) {
    let place =
        |line: &&str| log.iter().position(|l| l == line).unwrap_or_else(|| panic!("no `{line}` in {log:?}"));
    let places: Vec<usize> = lines.iter().map(place).collect();
    assert!(places.is_sorted(), "{lines:?} in {log:?}");
}

#[tokio::test(start_paused = true)]
async fn a_diamond_is_made_from_the_top_and_taken_away_from_the_bottom() {
    let site = Site::new();
    site.stack(DIAMOND);
    site.applied().await;
    let log = site.log();
    assert_eq!(log.len(), 4);
    in_order(&log, &["create top", "create left", "create bottom"]);
    in_order(&log, &["create top", "create right", "create bottom"]);
    assert!(site.plan().await.unwrap().file.plan.is_empty());
    let done = site.apply_with(Site::options(Operation::Destroy)).await.unwrap();
    assert_eq!(done.done, 4);
    let log = site.log_since(4);
    in_order(&log, &["delete bottom", "delete left", "delete top"]);
    in_order(&log, &["delete bottom", "delete right", "delete top"]);
    assert!(site.world.things().is_empty());
    assert!(site.state().await.records.is_empty());
    site.is_right();
}

#[tokio::test(start_paused = true)]
async fn independent_steps_run_side_by_side_up_to_the_parallelism() {
    let mut site = Site::new();
    site.stack("resource \"fake_thing\" \"a\" {\n count = 20\n name = \"a${count.index}\"\n}");
    site.world.set_delay(std::time::Duration::from_secs(1));
    let began = tokio::time::Instant::now();
    site.applied().await;
    assert_eq!(site.world.peak(), 10);
    assert_eq!(began.elapsed().as_secs(), 2);
    site.ctx.parallelism = 1;
    site.apply_with(Site::options(Operation::Destroy)).await.unwrap();
    assert_eq!(began.elapsed().as_secs(), 22);
}

#[tokio::test(start_paused = true)]
async fn a_change_changes_only_what_depends_on_it() {
    let site = Site::new();
    site.stack(DIAMOND);
    site.applied().await;
    site.stack(&DIAMOND.replace("name = \"right\"", "name = \"right\"\n size = 2"));
    let planned = site.plan().await.unwrap();
    assert_eq!(steps(&planned), ["update right"]);
    assert!(text(&planned).contains("size"), "{}", text(&planned));
    site.applied().await;
    assert_eq!(site.log_since(4), ["update right"]);
}

#[tokio::test(start_paused = true)]
async fn a_replacement_goes_before_what_is_built_upon_it_comes_anew() {
    let site = Site::new();
    site.stack(DIAMOND);
    site.applied().await;
    site.stack(&DIAMOND.replace("name = \"top\"", "name = \"peak\""));
    let planned = site.plan().await.unwrap();
    assert_eq!(steps(&planned), ["delete top", "create top", "update left", "update right"]);
    site.applied().await;
    in_order(&site.log_since(4), &["delete top", "create top", "update left"]);
    assert!(site.plan().await.unwrap().file.plan.is_empty());
}

#[tokio::test(start_paused = true)]
async fn dependents_that_are_replaced_too_go_first() {
    let site = Site::new();
    let stack = |name: &str| {
        format!(
            "resource \"fake_thing\" \"base\" {{ name = \"{name}\" }}
             resource \"fake_thing\" \"upon\" {{ name = \"upon-${{fake_thing.base.name}}\" }}"
        )
    };
    site.stack(&stack("one"));
    site.applied().await;
    site.stack(&stack("two"));
    site.applied().await;
    assert_eq!(site.log_since(2), ["delete upon", "delete base", "create base", "create upon"]);
}

#[tokio::test(start_paused = true)]
async fn shrinking_count_and_for_each_deletes_what_is_left_over() {
    let site = Site::new();
    let stack = |count: u32, keys: &str| {
        format!(
            "resource \"fake_thing\" \"n\" {{
               count = {count}
               name  = \"n${{count.index}}\"
             }}
             resource \"fake_thing\" \"k\" {{
               for_each = toset([{keys}])
               name     = \"k-${{each.key}}\"
               tags     = {{ of = join(\",\", fake_thing.n[*].id) }}
             }}"
        )
    };
    site.stack(&stack(3, "\"a\", \"b\""));
    site.applied().await;
    site.stack(&stack(1, "\"b\""));
    let planned = site.plan().await.unwrap();
    let mut wanted = steps(&planned);
    wanted.sort();
    assert_eq!(wanted, ["delete k[\"a\"]", "delete n[1]", "delete n[2]", "update k[\"b\"]"]);
    site.applied().await;
    let log = site.log_since(5);
    in_order(&log, &["delete k[\"a\"]", "delete n[1]"]);
    in_order(&log, &["update k[\"b\"]", "delete n[2]"]);
    let left: Vec<String> = site.world.things().into_keys().collect();
    assert_eq!(left, ["k-b", "n0"]);
}

#[tokio::test(start_paused = true)]
async fn what_others_were_built_upon_goes_after_they_let_go() {
    let site = Site::new();
    let tail = "resource \"fake_thing\" \"user\" {\n name = \"user\"\n tags = { of = fake_thing.base.id }\n}";
    site.stack(&format!("resource \"fake_thing\" \"base\" {{ name = \"base\" }}\n{tail}"));
    site.applied().await;
    site.stack("resource \"fake_thing\" \"user\" {\n name = \"user\"\n tags = { of = \"nobody\" }\n}");
    site.applied().await;
    assert_eq!(site.log_since(2), ["update user", "delete base"]);
    let record = site.record("fake_thing.user").await.unwrap();
    assert!(record.depends_on.is_empty(), "{:?}", record.depends_on);
}

#[tokio::test(start_paused = true)]
async fn a_target_takes_what_it_depends_on_and_leaves_the_rest() {
    let site = Site::new();
    site.stack(DIAMOND);
    let options = PlanOptions { targets: vec![address("fake_thing.left")], ..PlanOptions::default() };
    site.apply_with(options.clone()).await.unwrap();
    assert_eq!(site.log(), ["create top", "create left"]);
    let destroy = PlanOptions {
        operation: Operation::Destroy,
        targets: vec![address("fake_thing.top")],
        ..PlanOptions::default()
    };
    site.applied().await;
    site.apply_with(destroy).await.unwrap();
    let log = site.log_since(4);
    in_order(&log, &["delete bottom", "delete left", "delete top"]);
    assert!(site.world.things().is_empty());
    site.is_right();
}

#[tokio::test(start_paused = true)]
async fn a_destroy_of_one_target_leaves_what_it_stands_on() {
    let site = Site::new();
    site.stack(DIAMOND);
    site.applied().await;
    let destroy = PlanOptions {
        operation: Operation::Destroy,
        targets: vec![address("fake_thing.left")],
        ..PlanOptions::default()
    };
    site.apply_with(destroy).await.unwrap();
    assert_eq!(site.log_since(4), ["delete bottom", "delete left"]);
}

#[tokio::test(start_paused = true)]
async fn replace_is_done_when_asked_for() {
    let site = Site::new();
    site.stack(DIAMOND);
    site.applied().await;
    let options = PlanOptions { replace: vec![address("fake_thing.top")], ..PlanOptions::default() };
    let planned = site.plan_with(&options).await.unwrap();
    assert!(steps(&planned).starts_with(&["delete top".to_owned(), "create top".to_owned()]));
    site.apply_with(options).await.unwrap();
    in_order(&site.log_since(4), &["delete top", "create top", "update left"]);
    assert!(site.plan().await.unwrap().file.plan.is_empty());
    let unknown = PlanOptions { replace: vec![address("fake_thing.nobody")], ..PlanOptions::default() };
    assert!(site.plan_with(&unknown).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn the_same_inputs_give_the_same_plan() {
    let (one, two) = (Site::new(), Site::new());
    for site in [&one, &two] {
        site.stack(DIAMOND);
    }
    let (a, again) = (one.plan().await.unwrap(), one.plan().await.unwrap());
    assert_eq!(a.file.plan.id, again.file.plan.id);
    let json = |planned: &windlass::ops::Planned| {
        serde_json::to_string(&windlass::plan::render::document(&planned.file.plan, false)).unwrap()
    };
    assert_eq!(json(&a), json(&again));
    assert_eq!(text(&a), text(&again));
    two.stack(&DIAMOND.replace("name = \"left\"", "name = \"links\""));
    assert_ne!(a.file.plan.id, two.plan().await.unwrap().file.plan.id);
}

#[tokio::test(start_paused = true)]
async fn both_providers_work_in_one_stack() {
    let site = Site::new();
    site.stack(
        r#"
resource "local_data" "facts" { input = { size = 3 } }
resource "fake_thing" "a" {
  name = "a"
  size = local_data.facts.output.size
}
resource "local_file" "note" {
  path    = "note.txt"
  content = "made ${fake_thing.a.id}\n"
}
output "id" { value = fake_thing.a.id }
"#,
    );
    let done = site.applied().await;
    assert_eq!(std::fs::read_to_string(site.dir.path().join("note.txt")).unwrap(), "made thing-1\n");
    assert_eq!(done.outputs["id"].value.0.as_str(), Some("thing-1"));
    assert!(site.plan().await.unwrap().file.plan.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_long_chain_of_what_stays_does_not_use_up_the_stack() {
    let mut text = String::from("resource \"local_data\" \"r0\" { input = 0 }\n");
    const LENGTH: usize = 6000;
    for i in 1..LENGTH {
        text += &format!(
            "resource \"local_data\" \"r{i}\" {{\n input = {}\n depends_on = [local_data.r{}]\n}}\n",
            if i == LENGTH - 1 { "var.last" } else { "0" },
            i - 1
        );
    }
    let site = Site::new();
    let head = |last: u32| format!("variable \"last\" {{ default = {last} }}\n{text}");
    site.stack(&head(1));
    site.applied().await;
    site.stack(&head(2));
    assert_eq!(steps(&site.plan().await.unwrap()).len(), 1);
}
