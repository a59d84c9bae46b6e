//! What names mean while a stack is planned or applied: variables, locals, and of each resource instance the value it
//! has by now (applied, else planned, else recorded).

use std::collections::BTreeMap;
use std::sync::Arc;

use windlass_model::{Diagnostic, Files, Key, Type, Value};

use super::expand::Expansion;
use crate::graph::{Graph, Uses};
use crate::lang::{self, Reference, Scope};
use crate::stack::Stack;

/// Names of the place that a run is for.
#[derive(Clone, Debug)]
pub struct Names {
    /// `stack.name`
    pub stack: Arc<str>,
    /// `environment.name`
    pub environment: Arc<str>,
}

/// The values of a stack in the course of a plan or an apply. One owner; never shared.
pub struct World {
    /// The stack.
    pub stack: Arc<Stack>,
    /// Its graph.
    pub graph: Arc<Graph>,
    names: Names,
    variables: BTreeMap<Arc<str>, Value>,
    /// The stack's files.
    pub files: Arc<dyn Files>,
    blocks: Vec<Block>,
    locals: BTreeMap<Arc<str>, Result<Value, Box<Diagnostic>>>,
    /// Which locals use a block, directly or through other locals.
    locals_of: BTreeMap<u32, Vec<Arc<str>>>,
}

#[derive(Default)]
struct Block {
    expansion: Option<Expansion>,
    values: BTreeMap<Option<Key>, Value>,
    /// The block as one value; built when it is needed and thrown away when an instance changes.
    whole: Option<Value>,
}

impl World {
    /// A world in which no resource has a value yet.
    pub fn new(
        stack: Arc<Stack>,
        graph: Arc<Graph>,
        names: Names,
        variables: BTreeMap<Arc<str>, Value>,
        files: Arc<dyn Files>,
    ) -> World {
        let blocks = stack.resources.iter().map(|_| Block::default()).collect();
        let mut locals_of: BTreeMap<u32, Vec<Arc<str>>> = BTreeMap::new();
        for (name, uses) in &graph.locals {
            for used in &uses.blocks {
                locals_of.entry(used.block).or_default().push(name.clone());
            }
        }
        World { stack, graph, names, variables, files, blocks, locals: BTreeMap::new(), locals_of }
    }

    /// The variables' values.
    pub fn variables(&self) -> &BTreeMap<Arc<str>, Value> {
        &self.variables
    }

    /// Sets what a block's instances are.
    pub fn expand(&mut self, block: u32, expansion: Expansion) {
        if let Some(state) = self.blocks.get_mut(block as usize) {
            state.expansion = Some(expansion);
        }
    }

    /// A block's instances, once they are known.
    pub fn expansion(&self, block: u32) -> Option<&Expansion> {
        self.blocks.get(block as usize)?.expansion.as_ref()
    }

    /// Sets the value that an instance has from now on.
    pub fn set(&mut self, block: u32, key: Option<Key>, value: Value) {
        if let Some(state) = self.blocks.get_mut(block as usize) {
            state.values.insert(key, value);
            state.whole = None;
        }
        if let Some(names) = self.locals_of.get(&block) {
            for name in names {
                self.locals.remove(name);
            }
        }
    }

    /// The value that an instance has by now.
    pub fn get(&self, block: u32, key: &Option<Key>) -> Option<&Value> {
        self.blocks.get(block as usize)?.values.get(key)
    }

    /// Makes ready what these uses need, so that a scope can look it up without changing anything.
    pub fn prepare(&mut self, uses: &Uses) {
        for used in uses.blocks.iter().filter(|used| used.whole) {
            self.prepare_block(used.block);
        }
        for name in &uses.locals {
            self.prepare_local(name);
        }
    }

    fn prepare_block(&mut self, block: u32) {
        if let Some(state) = self.blocks.get_mut(block as usize)
            && state.whole.is_none()
        {
            state.whole = state.as_one();
        }
    }

    /// Evaluates a local and, before it, those it uses: by a list of what is to be done, so that a long chain of locals
    /// does not use up the stack.
    fn prepare_local(&mut self, name: &Arc<str>) {
        let mut todo = vec![name.clone()];
        while let Some(name) = todo.last().cloned() {
            let graph = self.graph.clone();
            let missing = |local: &&Arc<str>| !self.locals.contains_key(*local) && !todo.contains(*local);
            let inner: Vec<Arc<str>> = match graph.locals.get(&name) {
                Some(uses) => uses.locals.iter().filter(missing).cloned().collect(),
                None => Vec::new(),
            };
            if !inner.is_empty() {
                todo.extend(inner);
                continue;
            }
            todo.pop();
            if self.locals.contains_key(&name) {
                continue;
            }
            if let (Some(local), Some(uses)) = (self.stack.clone().locals.get(&name), graph.locals.get(&name))
            {
                for used in uses.blocks.iter().filter(|used| used.whole) {
                    self.prepare_block(used.block);
                }
                let value = lang::evaluate(&local.value, &local.file, &self.scope(Instance::default()));
                self.locals.insert(name, value);
            }
        }
    }

    /// A scope for an instance. What it needs must be prepared.
    pub fn scope(&self, instance: Instance) -> InstanceScope<'_> {
        InstanceScope { world: self, instance }
    }
}

impl Block {
    fn as_one(&self) -> Option<Value> {
        let value =
            |key: Option<Key>| self.values.get(&key).cloned().unwrap_or_else(|| Value::unknown(Type::Any));
        Some(match self.expansion.as_ref()? {
            Expansion::Single => value(None),
            Expansion::Count(count) => {
                Value::tuple((0..*count).map(|i| value(Some(Key::Index(i)))).collect())
            }
            Expansion::Each(entries) => {
                Value::object(entries.keys().map(|key| (key.clone(), value(Some(Key::Name(key.clone()))))))
            }
        })
    }
}

/// Which instance of a block is looked at.
#[derive(Clone, Debug, Default)]
pub struct Instance {
    /// Its key.
    pub key: Option<Key>,
    /// `each.value`
    pub each: Option<Value>,
    /// `self`, where it has a meaning.
    pub this: Option<Value>,
}

/// The world as one instance sees it.
pub struct InstanceScope<'w> {
    world: &'w World,
    instance: Instance,
}

impl Scope for InstanceScope<'_> {
    fn value(&self, reference: &Reference) -> Result<Value, String> {
        let world = self.world;
        match reference {
            Reference::Variable(name) => {
                world.variables.get(name).cloned().ok_or_else(|| format!("variable `{name}` has no value"))
            }
            Reference::Local(name) => match world.locals.get(name) {
                Some(Ok(value)) => Ok(value.clone()),
                Some(Err(why)) => Err(format!("local `{name}` has no value: {}", why.title)),
                None => Err(format!("local `{name}` has no value")),
            },
            Reference::Resource(kind, name) => self.resource(kind, name),
            Reference::Module(name) => Err(format!("module `{name}`: modules are not supported yet")),
            Reference::EachKey => match &self.instance.key {
                Some(Key::Name(name)) => Ok(Value::string(name.clone())),
                _ => Err("`each.key` has a meaning only in a block with `for_each`".to_owned()),
            },
            Reference::EachValue => {
                let missing = || "`each.value` has a meaning only in a block with `for_each`".to_owned();
                self.instance.each.clone().ok_or_else(missing)
            }
            Reference::CountIndex => match &self.instance.key {
                Some(Key::Index(index)) => Ok(Value::from(i64::try_from(*index).unwrap_or(i64::MAX))),
                _ => Err("`count.index` has a meaning only in a block with `count`".to_owned()),
            },
            Reference::SelfObject => {
                self.instance.this.clone().ok_or_else(|| "`self` has no meaning here".to_owned())
            }
            Reference::Path(which) => Ok(self.path(which)),
            Reference::StackName => Ok(Value::string(world.names.stack.clone())),
            Reference::EnvironmentName => Ok(Value::string(world.names.environment.clone())),
            Reference::Unknown(name) => Err(format!("unknown name `{name}`")),
        }
    }

    fn instance(&self, kind: &str, name: &str, key: &Key) -> Option<Value> {
        let block = self.world.graph.find(&Arc::from(kind), &Arc::from(name))?;
        self.world.get(block, &Some(key.clone())).cloned()
    }

    fn files(&self) -> Option<&dyn Files> {
        Some(&*self.world.files)
    }
}

impl InstanceScope<'_> {
    fn resource(&self, kind: &Arc<str>, name: &Arc<str>) -> Result<Value, String> {
        let world = self.world;
        let block =
            world.graph.find(kind, name).ok_or_else(|| format!("unknown resource `{kind}.{name}`"))?;
        let state = world.blocks.get(block as usize).ok_or("no such block")?;
        if let Some(whole) = &state.whole {
            return Ok(whole.clone());
        }
        match &state.expansion {
            Some(Expansion::Single) => match state.values.get(&None) {
                Some(value) => Ok(value.clone()),
                None => Ok(Value::unknown_from(Type::Any, format!("{kind}.{name}"))),
            },
            Some(_) => state.as_one().ok_or_else(|| format!("`{kind}.{name}` is not known yet")),
            None => Ok(Value::unknown_from(Type::Any, format!("{kind}.{name}"))),
        }
    }

    /// Nothing in a plan is absolute: paths are relative to the stack's directory, where `local_*` act.
    fn path(&self, which: &str) -> Value {
        match which {
            "cwd" => match self.world.files.checkout() {
                Some(dir) => Value::string(dir.to_string_lossy().into_owned()),
                None => Value::from("."),
            },
            _ => Value::from("."),
        }
    }
}
