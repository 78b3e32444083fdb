//! Modules: which version of which component runs a workflow type, and which one serves an activity type.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use longhaul_sandbox::{Module, Sandbox};
use longhaul_store::{ModuleRecord, ModuleRef, NamespaceId, TypeDescription};

use crate::{
    Error,
    activities::{Activity, Server},
    module_config,
    modules::{Handler, Info, WorkflowType},
};

/// One version of a module; its machine code is made when it is first needed.
pub(crate) struct Version {
    pub(crate) name: String,
    pub(crate) number: u32,
    pub(crate) record: ModuleRecord,
    pub(crate) config: module_config::Config,
    /// What it defines, by name.
    pub(crate) workflow_types: BTreeMap<String, WorkflowType>,
    pub(crate) activity_types: BTreeMap<String, Handler>,
    extra: Extra,
    module: Mutex<Option<Module>>,
}

/// What the store keeps of a version for this crate alone.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct Extra {
    pub(crate) sdk_name: String,
    pub(crate) sdk_version: String,
    pub(crate) fork_refusal: String,
}

impl Version {
    /// A version as the store has it.
    pub(crate) fn from_record(record: ModuleRecord) -> Result<Self, Error> {
        let damaged = |error: serde_json::Error| {
            Error::Internal(format!(
                "the description of module {}@{} is damaged: {error}",
                record.name, record.version
            ))
        };
        fn types<T: serde::de::DeserializeOwned>(
            types: &[TypeDescription],
        ) -> Result<BTreeMap<String, T>, serde_json::Error> {
            types
                .iter()
                .map(|t| Ok((t.name.clone(), serde_json::from_slice(&t.description)?)))
                .collect()
        }
        Ok(Self {
            name: record.name.clone(),
            number: record.version,
            config: module_config::parse(&record.config)
                .map_err(|error| Error::Internal(error.to_string()))?,
            workflow_types: types(&record.workflow_types).map_err(damaged)?,
            activity_types: types(&record.activity_types).map_err(damaged)?,
            extra: serde_json::from_slice(&record.extra).map_err(damaged)?,
            module: Mutex::new(None),
            record,
        })
    }

    /// What executions keep of it.
    pub(crate) fn reference(&self) -> ModuleRef {
        ModuleRef {
            name: self.name.clone(),
            version: self.number,
            digest: self.record.digest,
        }
    }

    pub(crate) fn sdk_name(&self) -> &str {
        &self.extra.sdk_name
    }

    pub(crate) fn sdk_version(&self) -> &str {
        &self.extra.sdk_version
    }

    /// Whether queries and validators run on a fork of the live instance.
    pub(crate) fn forks(&self) -> bool {
        self.extra.fork_refusal.is_empty()
    }

    /// The machine code if it is there.
    pub(crate) fn compiled(&self) -> Option<Module> {
        self.module.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Give it its machine code.
    pub(crate) fn set_compiled(&self, module: &Module) {
        let module = module.with_limits(self.config.limits);
        *self.module.lock().unwrap_or_else(PoisonError::into_inner) = Some(module);
    }

    /// The machine code; compiles (or loads it from the cache) if it is not there. Blocks.
    pub(crate) fn compile(
        &self,
        sandbox: &Sandbox,
        component: impl FnOnce() -> Result<Vec<u8>, Error>,
    ) -> Result<Module, Error> {
        if let Some(module) = self.compiled() {
            return Ok(module);
        }
        let module = sandbox.compile(&component()?).map_err(|error| {
            Error::Unavailable(format!(
                "module {}@{} cannot be compiled: {error}",
                self.name, self.number
            ))
        })?;
        self.set_compiled(&module);
        Ok(self.compiled().unwrap_or(module))
    }

    /// What it serves.
    pub(crate) fn services(&self) -> Vec<Service> {
        let types = self.activity_types.keys();
        types
            .map(|name| (self.record.namespace, self.record.queue.clone(), name.clone()))
            .collect()
    }

    /// As the faces show it.
    pub(crate) fn info(&self) -> Info {
        Info {
            name: self.name.clone(),
            version: self.number,
            digest: hex::encode(self.record.digest),
            queue: self.record.queue.clone(),
            size: self.record.size,
            uploaded_at_ns: self.record.uploaded_at_ns,
            sdk: format!("{} {}", self.extra.sdk_name, self.extra.sdk_version),
            workflow_types: self.workflow_types.values().cloned().collect(),
            activity_types: self.activity_types.values().cloned().collect(),
            config: self.record.config.clone(),
            fork_refusal: self.extra.fork_refusal.clone(),
        }
    }
}

/// All modules, in memory. The store has the truth; this is written after it.
#[derive(Default)]
pub(crate) struct Registry {
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    modules: BTreeMap<(NamespaceId, String), BTreeMap<u32, Arc<Version>>>,
    /// Which module's newest version defines a workflow type.
    workflow_types: HashMap<(NamespaceId, String), String>,
    /// Which module serves an activity type on a queue.
    activity_types: HashMap<(NamespaceId, String, String), String>,
    /// What the code that embeds the runtime serves.
    natives: HashMap<(NamespaceId, String, String), Native>,
}

/// What somebody serves: a namespace's task queue, and an activity type.
pub(crate) type Service = (NamespaceId, String, String);

/// An activity of the code that embeds the runtime.
pub(crate) type Native = Arc<dyn Activity>;

/// Whose an activity type is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// A module's, by its name.
    Module(String),
    /// The code's that embeds the runtime.
    Native,
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Module(name) => write!(f, "module {name:?}"),
            Self::Native => f.write_str("the program that embeds this server"),
        }
    }
}

impl Registry {
    /// Add a version; its types belong to its module from now on.
    pub(crate) fn insert(&self, namespace: NamespaceId, version: Arc<Version>) {
        let mut state = self.write();
        for name in version.workflow_types.keys() {
            state
                .workflow_types
                .insert((namespace, name.clone()), version.name.clone());
        }
        for name in version.activity_types.keys() {
            let key = (namespace, version.record.queue.clone(), name.clone());
            state.activity_types.insert(key, version.name.clone());
        }
        state
            .modules
            .entry((namespace, version.name.clone()))
            .or_default()
            .insert(version.number, version);
    }

    /// Take a version out, and with a module's last version its types.
    pub(crate) fn remove(&self, namespace: NamespaceId, name: &str, number: u32) {
        let mut state = self.write();
        let key = (namespace, name.to_owned());
        let left: Vec<Arc<Version>> = match state.modules.get_mut(&key) {
            None => return,
            Some(versions) => {
                versions.remove(&number);
                versions.values().cloned().collect()
            }
        };
        if left.is_empty() {
            state.modules.remove(&key);
        }
        let still = |name: &str| {
            left.iter()
                .any(|version| version.workflow_types.contains_key(name))
        };
        state
            .workflow_types
            .retain(|(ns, workflow_type), owner| *ns != namespace || owner != name || still(workflow_type));
        let still = |queue: &str, name: &str| {
            left.iter()
                .any(|version| version.record.queue == queue && version.activity_types.contains_key(name))
        };
        state.activity_types.retain(|(ns, queue, activity_type), owner| {
            *ns != namespace || owner != name || still(queue, activity_type)
        });
    }

    /// The version that a new execution of this type runs: the newest of the type's module that has it.
    pub(crate) fn for_workflow_type(
        &self,
        namespace: NamespaceId,
        workflow_type: &str,
    ) -> Option<Arc<Version>> {
        let state = self.read();
        let owner = state.workflow_types.get(&(namespace, workflow_type.to_owned()))?;
        let versions = state.modules.get(&(namespace, owner.clone()))?;
        versions
            .values()
            .rev()
            .find(|version| version.workflow_types.contains_key(workflow_type))
            .cloned()
    }

    /// Serve an activity type with code of this process.
    pub(crate) fn insert_native(
        &self,
        namespace: NamespaceId,
        queue: &str,
        activity_type: &str,
        code: Native,
    ) {
        let key = (namespace, queue.to_owned(), activity_type.to_owned());
        self.write().natives.insert(key, code);
    }

    /// Who in this process serves an activity type on a queue.
    pub(crate) fn server_of(
        &self,
        namespace: NamespaceId,
        queue: &str,
        activity_type: &str,
    ) -> Option<Server> {
        let key = (namespace, queue.to_owned(), activity_type.to_owned());
        let native = self.read().natives.get(&key).cloned();
        native.map(Server::Native).or_else(|| {
            self.for_activity(namespace, queue, activity_type)
                .map(Server::Module)
        })
    }

    /// The version that serves an activity type on a queue.
    fn for_activity(&self, namespace: NamespaceId, queue: &str, activity_type: &str) -> Option<Arc<Version>> {
        let state = self.read();
        let owner = state
            .activity_types
            .get(&(namespace, queue.to_owned(), activity_type.to_owned()))?;
        let versions = state.modules.get(&(namespace, owner.clone()))?;
        versions
            .values()
            .rev()
            .find(|version| {
                version.record.queue == queue && version.activity_types.contains_key(activity_type)
            })
            .cloned()
    }

    /// Where else an activity type is served: `module m serves it on queue q`.
    pub(crate) fn elsewhere(&self, namespace: NamespaceId, activity_type: &str) -> Vec<(String, String)> {
        let state = self.read();
        let mut places: Vec<_> = state
            .activity_types
            .iter()
            .filter(|((ns, _, name), _)| *ns == namespace && name == activity_type)
            .map(|((_, queue, _), module)| (module.clone(), queue.clone()))
            .collect();
        places.sort();
        places
    }

    /// The activity types that modules or the process itself serve on a queue.
    pub(crate) fn activity_types(&self, namespace: NamespaceId, queue: &str) -> Vec<String> {
        let state = self.read();
        let of_modules = state.activity_types.keys();
        let keys = of_modules.chain(state.natives.keys());
        keys.filter(|(ns, on, _)| *ns == namespace && on == queue)
            .map(|(_, _, name)| name.clone())
            .collect()
    }

    /// Who owns a workflow type.
    pub(crate) fn owner(&self, namespace: NamespaceId, workflow_type: &str) -> Option<String> {
        self.read()
            .workflow_types
            .get(&(namespace, workflow_type.to_owned()))
            .cloned()
    }

    /// Who serves an activity type on a queue.
    pub(crate) fn activity_owner(
        &self,
        namespace: NamespaceId,
        queue: &str,
        activity_type: &str,
    ) -> Option<Owner> {
        let key = (namespace, queue.to_owned(), activity_type.to_owned());
        let state = self.read();
        if state.natives.contains_key(&key) {
            return Some(Owner::Native);
        }
        state.activity_types.get(&key).cloned().map(Owner::Module)
    }

    /// Every workflow type.
    pub(crate) fn workflow_types(&self, namespace: NamespaceId) -> Vec<String> {
        let state = self.read();
        let types = state.workflow_types.keys().filter(|(ns, _)| *ns == namespace);
        types.map(|(_, name)| name.clone()).collect()
    }

    /// One version; number 0 is the newest.
    pub(crate) fn version(&self, namespace: NamespaceId, name: &str, number: u32) -> Option<Arc<Version>> {
        let state = self.read();
        let versions = state.modules.get(&(namespace, name.to_owned()))?;
        match number {
            0 => versions.values().next_back().cloned(),
            number => versions.get(&number).cloned(),
        }
    }

    /// The numbers of a module's versions, ascending.
    pub(crate) fn numbers(&self, namespace: NamespaceId, name: &str) -> Vec<u32> {
        let state = self.read();
        state
            .modules
            .get(&(namespace, name.to_owned()))
            .map(|versions| versions.keys().copied().collect())
            .unwrap_or_default()
    }

    /// The newest version of every module, by name.
    pub(crate) fn newest(&self, namespace: NamespaceId) -> Vec<Arc<Version>> {
        let state = self.read();
        let modules = state.modules.iter().filter(|((ns, _), _)| *ns == namespace);
        modules
            .filter_map(|(_, versions)| versions.values().next_back().cloned())
            .collect()
    }

    /// Give every version that was made of a component its machine code.
    pub(crate) fn set_compiled(&self, module: &Module) {
        let state = self.read();
        let versions = state.modules.values().flat_map(BTreeMap::values);
        for version in versions.filter(|version| version.record.digest == module.digest()) {
            version.set_compiled(module);
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}
