//! From a template to the resources that it stands for, in the order in which they can be made.

use serde_json::{Map, Value, json};

use super::errors::Failure;
use super::http::drop_key;
use super::ids::{self, Place};
use super::template::Template;
use super::template::evaluate::{Frame, Missing, as_text};
use super::template::parameters::{self, Bound};
use super::world::World;

/// A resource of a template, not made yet.
#[derive(Clone, Debug)]
pub struct Step {
    /// The id that it gets.
    pub id: String,
    /// As the template has it.
    pub raw: Value,
    /// Its symbolic name.
    pub symbol: Option<String>,
    /// The loops that it comes from: name and index.
    pub copies: Vec<(String, usize)>,
    /// The keys of those that come first.
    pub after: Vec<String>,
}

impl Step {
    /// Whether it is a deployment in the deployment.
    pub fn is_nested(&self) -> bool {
        ids::kind_and_name(&self.id).0.eq_ignore_ascii_case(ids::DEPLOYMENT)
    }
}

/// What a template says, evaluated as far as it can be before anything is made.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The template.
    pub template: Template,
    /// Its parameters.
    pub parameters: Bound,
    /// The deployment's name.
    pub name: String,
    /// Where.
    pub place: Place,
    /// The region of a deployment outside of a group.
    pub location: Option<String>,
    /// What it makes.
    pub steps: Vec<Step>,
}

impl Plan {
    /// From the `properties` of a deployment.
    ///
    /// # Errors
    /// A wrong template or wrong parameters.
    pub fn new(
        world: &World,
        place: &Place,
        name: &str,
        location: Option<String>,
        properties: &Value,
    ) -> Result<Self, Failure> {
        if let Some(failure) = &world.behaviour.invalid {
            return Err(failure.clone());
        }
        let parse = |why: String| Failure::template(format!("Deployment template parse failed: '{why}'."));
        let template = Template::new(&properties["template"]).map_err(parse)?;
        let given = properties["parameters"].as_object().cloned().unwrap_or_default();
        let mut plan = Self {
            template,
            parameters: Bound::new(),
            name: name.to_owned(),
            place: place.clone(),
            location,
            steps: Vec::new(),
        };
        plan.parameters = parameters::bind(&plan.template, &given, |value, bound| {
            Frame { parameters: bound, ..plan.frame(world, false) }.value(value)
        })
        .map_err(invalid)?;
        plan.steps = plan.steps(world).map_err(invalid)?;
        Ok(plan)
    }

    /// Its template in its surroundings.
    pub fn frame<'a>(&'a self, world: &'a World, preview: bool) -> Frame<'a> {
        Frame {
            template: &self.template,
            parameters: &self.parameters,
            place: &self.place,
            deployment: &self.name,
            location: self.location.as_deref(),
            around: world,
            preview,
            copies: Vec::new(),
        }
    }

    /// The values of a step, all but what belongs to the template of a nested deployment.
    ///
    /// # Errors
    /// Where they are wrong or not known yet.
    pub fn body(&self, world: &World, step: &Step, preview: bool) -> Result<Value, Missing> {
        let frame = Frame { copies: step.copies.clone(), ..self.frame(world, preview) };
        let mut raw = step.raw.clone();
        drop_key(&mut raw, "copy");
        let inner = step.is_nested()
            && raw["properties"]["expressionEvaluationOptions"]["scope"]
                .as_str()
                .is_some_and(|scope| scope.eq_ignore_ascii_case("inner"));
        let template = if inner { raw["properties"]["template"].take() } else { Value::Null };
        let mut body = frame.value(&raw)?;
        if inner {
            body["properties"]["template"] = template;
        }
        Ok(body)
    }

    /// The plan of a nested deployment.
    ///
    /// # Errors
    /// As [`Plan::new`], and where there is no such place.
    pub fn nested(world: &World, step: &Step, body: &Value) -> Result<Self, Failure> {
        let place =
            Place::of(&step.id).ok_or_else(|| Failure::template("a nested deployment without a place"))?;
        let name = ids::kind_and_name(&step.id).1;
        let location = body["location"].as_str().map(str::to_owned);
        Self::new(world, &place, &name, location, &body["properties"])
    }

    /// Its outputs, once all is made.
    ///
    /// # Errors
    /// Where one is wrong.
    pub fn outputs(&self, world: &World) -> Result<Value, Missing> {
        let frame = self.frame(world, false);
        let mut outputs = Map::new();
        for (name, output) in self.template.section("outputs") {
            if output
                .get("condition")
                .is_some_and(|condition| frame.value(condition) == Ok(Value::Bool(false)))
            {
                continue;
            }
            let kind = output["type"].as_str().unwrap_or("String");
            let shown = if parameters::is_secure(kind) {
                // Evaluated all the same: a wrong one fails.
                frame.value(&output["value"])?;
                json!({"type": parameters::title(kind)})
            } else {
                json!({"type": parameters::title(kind), "value": frame.value(&output["value"])?})
            };
            outputs.insert(name.clone(), shown);
        }
        Ok(Value::Object(outputs))
    }

    fn steps(&self, world: &World) -> Result<Vec<Step>, Missing> {
        let frame = self.frame(world, false);
        let mut steps: Vec<Step> = Vec::new();
        // What can be waited for by another name than its id: symbol or loop, and the keys of what it stands for.
        let mut names: Vec<(String, Vec<String>)> = Vec::new();
        for (symbol, raw) in &self.template.resources {
            check(raw)?;
            let made = Self::expand(&frame, symbol.as_deref(), raw)?;
            let keys: Vec<String> = made.iter().map(|step| ids::key(&step.id)).collect();
            let copy = raw["copy"]["name"].as_str().map(str::to_owned);
            names.extend(symbol.clone().into_iter().chain(copy).map(|name| (name, keys.clone())));
            if let Some(twice) =
                made.iter().find(|new| steps.iter().any(|step| ids::key(&step.id) == ids::key(&new.id)))
            {
                let (kind, name) = ids::kind_and_name(&twice.id);
                return Err(Missing::wrong(format!(
                    "Deployment template validation failed: 'The resource '{kind}/{name}' at line '1' and column '1' is defined multiple times in a template. Please see https://aka.ms/arm-syntax-resources for usage details.'."
                )));
            }
            steps.extend(made);
        }
        for index in 0..steps.len() {
            let step = steps[index].clone();
            steps[index].after = self.waits(&frame, &step, &steps, &names)?;
        }
        Ok(steps)
    }

    /// None where the condition says so, several for a loop.
    fn expand(frame: &Frame<'_>, symbol: Option<&str>, raw: &Value) -> Result<Vec<Step>, Missing> {
        if raw["existing"] == true {
            return Ok(Vec::new());
        }
        let (name, count) = match raw.get("copy") {
            Some(copy) => (as_text(&copy["name"]), frame.value(&copy["count"])?.as_u64().unwrap_or(0)),
            None => (String::new(), 1),
        };
        let mut steps = Vec::new();
        for index in 0..usize::try_from(count).unwrap_or(0) {
            let frame = if raw.get("copy").is_some() { frame.within(&name, index) } else { frame.clone() };
            if raw.get("condition").is_some_and(|condition| frame.value(condition) == Ok(Value::Bool(false)))
            {
                continue;
            }
            let step = Step {
                id: frame.id_of(raw)?,
                raw: raw.clone(),
                symbol: symbol.map(str::to_owned),
                copies: frame.copies.clone(),
                after: Vec::new(),
            };
            steps.push(step);
        }
        Ok(steps)
    }

    /// The keys of what a step waits for.
    fn waits(
        &self,
        frame: &Frame<'_>,
        step: &Step,
        steps: &[Step],
        names: &[(String, Vec<String>)],
    ) -> Result<Vec<String>, Missing> {
        let frame = Frame { copies: step.copies.clone(), ..frame.clone() };
        let mut after = Vec::new();
        for one in step.raw["dependsOn"].as_array().into_iter().flatten() {
            let wanted = as_text(&frame.value(one)?);
            if let Some((_, keys)) = names.iter().find(|(name, _)| *name == wanted) {
                after.extend(keys.clone());
                continue;
            }
            let named = |step: &&Step| {
                ids::kind_and_name(&step.id).1 == wanted
                    || ids::key(&step.id).ends_with(&format!("/{}", wanted.to_lowercase()))
            };
            let id = frame
                .named(&wanted)
                .or_else(|missing| steps.iter().find(named).map(|step| step.id.clone()).ok_or(missing));
            match id {
                Ok(id) => after.push(ids::key(&id)),
                Err(_) => {
                    let (kind, name) = ids::kind_and_name(&step.id);
                    return Err(Missing::wrong(format!(
                        "Deployment template validation failed: 'The resource '{wanted}' is not defined in the template, but '{kind}/{name}' depends on it. Please see https://aka.ms/arm-syntax-resources for usage details.'."
                    )));
                }
            }
        }
        // What is not made in this deployment is there, or not its business.
        after.retain(|key| steps.iter().any(|step| ids::key(&step.id) == *key));
        Ok(after)
    }
}

fn check(raw: &Value) -> Result<(), Missing> {
    for key in ["type", "apiVersion", "name"] {
        if raw[key].as_str().is_none_or(str::is_empty) {
            return Err(Missing::wrong(format!(
                "Deployment template validation failed: 'The template resource '{}' at line '1' and column '1' is not valid. The property '{key}' is missing. Please see https://aka.ms/arm-syntax-resources for usage details.'.",
                as_text(&raw["name"])
            )));
        }
    }
    Ok(())
}

fn invalid(missing: Missing) -> Failure {
    match missing {
        Missing::Wrong(why) if why.starts_with("Deployment template") => Failure::template(why),
        Missing::Wrong(why) => Failure::template(format!("Deployment template validation failed: '{why}'.")),
        Missing::Unknown(what) => Failure::template(format!(
            "Deployment template validation failed: 'The template function 'reference' is not expected at this location: {what}'."
        )),
    }
}
