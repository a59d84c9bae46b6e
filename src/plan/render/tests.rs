//! Whole texts and documents of plans that hold every case.

use std::collections::BTreeMap;

use windlass_model::{
    Address, AttrPath, Deferred, Diagnostic, Digest, Header, Inputs, Key, NestedChange, Op, Operation,
    OutputChange, Plan, Policy, Private, Reason, Record, Seal, Slot, Span, Step, StepId, Stored, Type, Value,
};

use super::{Style, document, text};

fn slot(address: &str) -> Slot {
    address.parse().unwrap()
}

fn object(entries: Vec<(&str, Value)>) -> Value {
    Value::object(entries)
}

fn step(op: Op, address: &str, why: Vec<Reason>, before: Value, planned: Value) -> Step {
    Step {
        id: StepId { slot: slot(address), op },
        digest: Digest::of(address.as_bytes()),
        provider: "local".into(),
        account: None,
        tool: String::new(),
        sources: None,
        needs: vec![],
        why,
        prior: None,
        before: before.into(),
        desired: planned.clone().into(),
        planned: planned.into(),
        forces_replace: vec![],
        replaces: false,
        nested: vec![],
        policy: Policy {
            timeout_s: 3600,
            attempts: 3,
            health: false,
            reverts: false,
            protect: false,
            uses_checkout: false,
        },
        deferred: None,
        place: None,
        fingerprint: None,
        depends_on: vec![],
        artefact: None,
    }
}

fn plan(steps: Vec<Step>) -> Plan {
    Plan {
        id: Digest::of(b"plan"),
        header: Header {
            stack: "shop".into(),
            environment: "production".into(),
            operation: Operation::Apply,
            rollback_to: None,
            targets: vec![],
            outputs: BTreeMap::new(),
        },
        seal: Seal {
            base_version: 41,
            store_id: "store".into(),
            snapshot: Digest::of(b"snapshot"),
            tools: BTreeMap::new(),
            who: "ann@desk".into(),
            created_ms: 0,
            reason: None,
            after_rollback: None,
        },
        inputs: Inputs::default(),
        steps,
        refreshed: vec![],
        gone: vec![],
        diagnostics: vec![],
        unchanged: 7,
        not_asked: None,
    }
}

fn path(name: &str) -> AttrPath {
    AttrPath::from(name)
}

fn creates() -> Vec<Step> {
    let planned = object(vec![
        ("content", "<html>\n  <body/>\n</html>\n".into()),
        ("id", Value::unknown(Type::String)),
        ("mode", "0644".into()),
        ("path", "out/index.html".into()),
        ("sha256", Value::unknown(Type::String)),
        ("token", Value::from("hunter2").sensitive()),
        ("url", Value::unknown_from(Type::String, "terraform_root.network.outputs.url")),
    ]);
    let mut file = step(Op::Create, r#"local_file.web["a \" b"]"#, vec![Reason::New], Value::NULL, planned);
    file.desired = object(vec![
        ("content", "".into()),
        ("path", "".into()),
        ("token", Value::from("hunter2").sensitive()),
        ("url", Value::unknown(Type::String)),
        ("mode", Value::NULL),
    ])
    .into();
    file.depends_on = vec![Address::new("local_data", "seed")];
    let nested = object(vec![
        ("empty", object(vec![])),
        (
            "env",
            object(vec![
                ("A LONG KEY", "x".repeat(60).into()),
                ("PORT", "80".into()),
                ("SECRET", Value::from("hunter2").sensitive()),
                ("WHERE", Value::unknown(Type::String)),
            ]),
        ),
        ("none", Value::tuple(vec![])),
        ("ports", Value::tuple(vec![80.into(), 443.into()])),
        ("when", true.into()),
    ]);
    let mut command = step(Op::Create, "module.m.local_command.run", vec![Reason::New], Value::NULL, nested);
    command.policy.uses_checkout = true;
    command.policy.health = true;
    vec![file, command]
}

fn update() -> Step {
    let lines = |change: &str| (1..=12).map(|i| format!("line {i}{change}\n")).collect::<String>();
    let before = object(vec![
        ("content", lines("").into()),
        ("gone", "x".into()),
        ("env", object(vec![("A", "1".into()), ("B", Value::from("old").sensitive())])),
        ("id", "i-123".into()),
        ("image", "registry.example/a-rather-long-name/api:1.2.3-rc1".into()),
        ("policy", r#"{"Version":"2012","Statement":[{"Effect":"Allow"}]}"#.into()),
        ("ports", Value::tuple(vec![80.into(), 443.into(), 9000.into()])),
        ("regions", Value::set(Type::String, vec!["ams".into(), "fra".into()])),
        ("size", 1.into()),
    ]);
    let planned = object(vec![
        ("content", lines("").replace("line 6\n", "line six\n").trim_end().into()),
        ("env", object(vec![("A", "2".into()), ("B", Value::from("new").sensitive()), ("C", true.into())])),
        ("id", Value::unknown_from(Type::String, "local_data.x.id")),
        ("image", "registry.example/a-rather-long-name/api:1.2.3-rc2-with-a-much-longer-tag-behind".into()),
        ("policy", r#"{"Version":"2012","Statement":[{"Effect":"Deny"}]}"#.into()),
        ("ports", Value::tuple(vec![80.into(), 8443.into(), 444.into(), 9000.into()])),
        ("regions", Value::set(Type::String, vec!["ams".into(), "lhr".into()])),
        ("size", 2.into()),
    ]);
    let why = ["content", "env", "image", "policy", "ports", "regions"];
    let mut why: Vec<Reason> = why.iter().map(|name| Reason::Changed(path(name))).collect();
    why.push(Reason::Drifted(path("size")));
    why.push(Reason::SourcesChanged);
    step(Op::Update, "fly_app.api", why, before, planned)
}

/// The two steps of a replacement, with another step between them.
fn replacement() -> Vec<Step> {
    let before = object(vec![("input", "a".into()), ("triggers_replace", Value::tuple(vec![1.into()]))]);
    let planned = object(vec![
        ("id", Value::unknown(Type::String)),
        ("input", "a".into()),
        ("triggers_replace", Value::tuple(vec![2.into()])),
    ]);
    let why = vec![Reason::Changed(path("triggers_replace"))];
    let mut delete = step(Op::Delete, "local_data.key", why.clone(), before, Value::NULL);
    let mut create = step(Op::Create, "local_data.key", why, Value::NULL, planned);
    (delete.replaces, create.replaces) = (true, true);
    create.forces_replace = vec![path("triggers_replace")];
    create.policy.protect = true;
    let old = object(vec![("path", "old.txt".into())]);
    let between = step(Op::Delete, "local_file.old", vec![Reason::NotInStack], old, Value::NULL);
    vec![delete, between, create]
}

fn root(count: usize) -> Step {
    let before = object(vec![("variables", object(vec![("n", 1.into())]))]);
    let planned = object(vec![("variables", object(vec![("n", 2.into())]))]);
    let why = vec![Reason::Changed(path("variables").name("n"))];
    let mut root = step(Op::Update, "terraform_root.network", why, before, planned);
    root.tool = "terraform 1.11.4".into();
    root.account = Some("aws 123456789012 eu-west-1".into());
    let nested = |address: String, action: &str| NestedChange {
        address,
        action: action.into(),
        because: vec![],
        lines: vec![],
    };
    root.nested = (0..count).map(|i| nested(format!("terraform_data.many[{i}]"), "create")).collect();
    let mut replace = nested("aws_db_instance.main".into(), "replace");
    replace.because = vec!["subnet_id".into()];
    replace.lines = vec!["~ subnet_id: \"a\" -> \"b\"".into()];
    root.nested.push(replace);
    root.nested.push(nested("aws_eip.old".into(), "delete"));
    root.nested.push(nested("data.aws_ami.ubuntu".into(), "read"));
    root
}

fn deferred() -> Step {
    let planned = object(vec![
        ("source", "./cluster".into()),
        ("variables", Value::unknown_from(Type::map(Type::String), "terraform_root.network.outputs.vpc_id")),
    ]);
    let mut step = step(Op::Create, "terraform_root.cluster", vec![Reason::New], Value::NULL, planned);
    step.deferred =
        Some(Deferred { waits_for: vec!["terraform_root.network.outputs.vpc_id".into(), "var.x".into()] });
    step
}

fn record(address: &str) -> Record {
    Record {
        slot: slot(address),
        provider: "local".into(),
        schema: 0,
        inputs: Stored::default(),
        value: object(vec![("path", "x".into())]).into(),
        private: Private::default(),
        nested: vec![],
        depends_on: vec![],
        fingerprint: Digest::of(b""),
        place: None,
        account: None,
        protect: false,
        tainted: None,
        in_doubt: None,
    }
}

fn everything() -> Plan {
    let mut steps = creates();
    steps.push(update());
    steps.extend(replacement());
    steps.push(root(2));
    steps.push(deferred());
    steps.push(step(
        Op::Delete,
        "local_file.web[\"z\"]~ab12",
        vec![Reason::NoSuchInstance],
        Value::NULL,
        Value::NULL,
    ));
    steps.push(step(Op::Forget, "local_file.kept", vec![], Value::NULL, Value::NULL));
    let imported = object(vec![("path", "there.txt".into())]);
    steps.push(step(Op::Import, "local_file.there", vec![], Value::NULL, imported));
    steps.push(step(Op::Move, "local_file.moved", vec![], Value::NULL, Value::NULL));
    let mut plan = plan(steps);
    plan.header.targets = vec![Address::new("local_file", "web").with_key(Some(Key::Index(0)))];
    plan.header.outputs = BTreeMap::from([
        ("new".into(), output(None, Some("https://shop.example".into()), false)),
        ("password".into(), output(Some("a".into()), Some("b".into()), true)),
        ("same".into(), output(Some(1.into()), Some(1.into()), false)),
        ("url".into(), output(Some("https://old".into()), Some(Value::unknown(Type::String)), false)),
        ("zone".into(), output(Some("eu".into()), None, false)),
        ("mark".into(), output(Some(1.into()), Some(Value::from(1).sensitive()), false)),
    ]);
    plan.refreshed = vec![record("local_file.seen"), record("fly_app.api")];
    plan.gone = vec![slot("local_file.lost")];
    let span = Span { file: "main.stack.hcl".into(), start: 0, end: 5 };
    plan.diagnostics = vec![
        Diagnostic::warning("variable `x` is not used").at(&span, "declared here").help("remove it"),
        Diagnostic::warning("a tool wrote into its snapshot").note("it is thrown away:\n.terraform.lock.hcl"),
    ];
    plan.seal.reason = Some("ticket 12\u{1b}[2J".into());
    plan.seal.after_rollback = Some(40);
    plan.not_asked = Some((5, 1_000 * 60 * (60 * 34 + 7)));
    plan
}

fn output(before: Option<Value>, after: Option<Value>, sensitive: bool) -> OutputChange {
    OutputChange { before: before.map(Stored), after: after.map(Stored), sensitive }
}

#[test]
fn text_of_everything() {
    insta::assert_snapshot!(text(&everything(), &Style::default()));
}

#[test]
fn text_of_everything_verbose() {
    insta::assert_snapshot!(text(&everything(), &Style { verbose: true, ..Style::default() }));
}

#[test]
fn document_of_everything() {
    insta::assert_snapshot!(serde_json::to_string_pretty(&document(&everything(), false)).unwrap());
}

#[test]
fn colours_change_nothing_but_colours() {
    let plain = text(&everything(), &Style::default());
    let coloured = text(&everything(), &Style { color: true, ..Style::default() });
    let mut stripped = String::new();
    let mut rest = coloured.as_str();
    while let Some(at) = rest.find('\x1b') {
        stripped.push_str(&rest[..at]);
        rest = &rest[at + rest[at..].find('m').unwrap() + 1..];
    }
    stripped.push_str(rest);
    assert_eq!(stripped, plain);
    assert!(coloured.len() > plain.len());
}

#[test]
fn nothing_sensitive_is_shown() {
    let plan = everything();
    let document = serde_json::to_string(&document(&plan, false)).unwrap();
    for style in [Style::default(), Style { verbose: true, ..Style::default() }] {
        assert!(!text(&plan, &style).contains("hunter2"));
    }
    assert!(!document.contains("hunter2") && document.contains("(sensitive)"));
    let shown = serde_json::to_string(&super::document(&plan, true)).unwrap();
    assert!(shown.contains("hunter2") && !shown.contains("(sensitive)"));
}

#[test]
fn equal_plans_give_equal_bytes() {
    let bytes =
        |plan: &Plan| (text(plan, &Style::default()), serde_json::to_string(&document(plan, false)).unwrap());
    assert_eq!(bytes(&everything()), bytes(&everything()));
    let stored = serde_json::to_string(&everything()).unwrap();
    let read: Plan = serde_json::from_str(&stored).unwrap();
    assert_eq!(bytes(&read), bytes(&everything()), "a saved plan reads the same");
}

#[test]
fn text_of_nothing() {
    let mut empty = plan(vec![]);
    let mut out = text(&empty, &Style::default());
    empty.unchanged = 0;
    empty.seal.base_version = 0;
    out += &text(&empty, &Style::default());
    empty.header.outputs = BTreeMap::from([("x".into(), output(None, Some(1.into()), false))]);
    empty.not_asked = Some((0, 5));
    out += &text(&empty, &Style::default());
    insta::assert_snapshot!(out);
}

#[test]
fn text_of_destroy_and_rollback() {
    let delete = |address| {
        let mut step = step(Op::Delete, address, vec![Reason::Destroy], Value::NULL, Value::NULL);
        step.policy.protect = address == "local_file.a";
        step
    };
    let mut destroy = plan(vec![delete("local_file.b"), delete("local_file.a")]);
    destroy.header.operation = Operation::Destroy;
    destroy.unchanged = 0;
    let mut out = text(&destroy, &Style::default());
    let tainted = Reason::Tainted("its health gate failed".into());
    let why = vec![tainted, Reason::Requested, Reason::Gone, Reason::InDoubt("look at fly".into())];
    let mut rollback = plan(vec![step(Op::Update, "fly_app.api", why, Value::NULL, Value::NULL)]);
    rollback.header.operation = Operation::Rollback;
    rollback.header.rollback_to = Some(3);
    out += &text(&rollback, &Style::default());
    insta::assert_snapshot!(out);
}

#[test]
fn many_nested_changes_are_cut_but_never_the_dangerous_ones() {
    let plan = plan(vec![root(100)]);
    insta::assert_snapshot!(text(&plan, &Style::default()));
    assert!(text(&plan, &Style { verbose: true, ..Style::default() }).contains("terraform_data.many[99]"));
}

#[test]
fn a_replacement_with_a_deposed_object_is_one_item() {
    let mut steps = replacement();
    steps.rotate_right(1);
    let object = steps.iter_mut().find(|step| step.id.op == Op::Delete && step.replaces).unwrap();
    object.id.slot.deposed = Some("ab12".into());
    let items = text(&plan(steps), &Style::default());
    assert!(items.contains("1 to replace, 1 to delete; 7 unchanged."), "{items}");
}

#[test]
fn half_a_replacement_stays_what_it_is() {
    // `resume` goes on after the delete was done.
    let create = replacement().remove(2);
    let text = text(&plan(vec![create]), &Style::default());
    assert!(text.contains("Plan: 1 to create; 7 unchanged."), "{text}");
}
