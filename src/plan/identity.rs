//! Digests of steps and plans (rule P1), and fingerprints of resources (rule P3).

use std::collections::BTreeMap;

use serde::Serialize;
use windlass_model::canon::{self, Sealed};
use windlass_model::{Address, Digest, Header, Need, Op, Operation, PlanId, Step, StepId, Value};

#[derive(Serialize)]
struct StepIdentity<'a> {
    slot: &'a windlass_model::Slot,
    op: Op,
    replaces: bool,
    desired: Sealed<'a>,
    planned: Sealed<'a>,
    nested: Vec<(&'a str, &'a str)>,
    sources: &'a Option<Digest>,
    tool: &'a str,
    account: &'a Option<String>,
    provider: &'a str,
    waits_for: &'a [String],
    deferred: bool,
}

/// The digest of a step: what it does, to what, by which tool, where.
pub fn step_digest(step: &Step, key: &[u8]) -> Digest {
    let nested = step.nested.iter().map(|change| (change.address.as_str(), change.action.as_str()));
    canon::digest(&StepIdentity {
        slot: &step.id.slot,
        op: step.id.op,
        replaces: step.replaces || step.announces_replacement(),
        desired: Sealed { value: &step.desired.0, key },
        planned: Sealed { value: &step.planned.0, key },
        nested: nested.collect(),
        sources: &step.sources,
        tool: &step.tool,
        account: &step.account,
        provider: &step.provider,
        waits_for: step.deferred.as_ref().map_or(&[], |deferred| &deferred.waits_for),
        deferred: step.deferred.is_some(),
    })
}

#[derive(Serialize)]
struct PlanIdentity<'a> {
    stack: &'a str,
    environment: &'a str,
    operation: Operation,
    rollback_to: Option<u64>,
    targets: &'a [Address],
    outputs: BTreeMap<&'a str, Option<Sealed<'a>>>,
    steps: Vec<(&'a Digest, &'a [Need])>,
    refreshed: Vec<Digest>,
    gone: Vec<&'a windlass_model::Slot>,
}

/// The id of a plan: header, steps with their edges, and what refresh takes in.
pub fn plan_id(
    header: &Header,
    steps: &[Step],
    refreshed: &[windlass_model::Record],
    gone: &[windlass_model::Slot],
    key: &[u8],
) -> PlanId {
    let outputs = header.outputs.iter().map(|(name, output)| {
        (name.as_str(), output.after.as_ref().map(|after| Sealed { value: &after.0, key }))
    });
    let seen = |record: &windlass_model::Record| canon::digest(&Sealed { value: &record.value.0, key });
    canon::digest(&PlanIdentity {
        stack: &header.stack,
        environment: &header.environment,
        operation: header.operation,
        rollback_to: header.rollback_to,
        targets: &header.targets,
        outputs: outputs.collect(),
        steps: steps.iter().map(|step| (&step.digest, step.needs.as_slice())).collect(),
        refreshed: refreshed.iter().map(seen).collect(),
        gone: gone.iter().collect(),
    })
}

/// The id of a supplement: the plan's id and the settled step's digest, chained (rule P5).
pub fn supplement_id(plan: &PlanId, step: &StepId, settled: Option<&Digest>) -> PlanId {
    canon::digest(&(plan, step, settled))
}

/// What a resource is made from: equal to that of the record, then its tool need not be asked (rule P3).
pub fn fingerprint(
    kind: &str,
    schema: u32,
    desired: &Value,
    sources: Option<&Digest>,
    config: &Digest,
    tool: &str,
    key: &[u8],
) -> Digest {
    canon::digest(&(kind, schema, Sealed { value: desired, key }, sources, config, tool))
}
