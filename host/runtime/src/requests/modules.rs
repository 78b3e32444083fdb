//! Upload, list, describe, remove.

use std::{collections::BTreeSet, sync::Arc};

use longhaul_sandbox::{Eligibility, Module, wit::types};
use longhaul_store::{Change, ModuleRecord, NamespaceId, Transition, TypeDescription};

use crate::{
    Error, Runtime,
    core::Core,
    module_config,
    modules::{Handler, Info, Upload, Uploaded, WorkflowType},
    names,
    registry::{Extra, Owner, Service, Version},
    shard::Notice,
};

/// Characters of a module's name.
const NAME_CHARS: usize = 200;
/// Runs that a refused removal lists.
const RUNS_LISTED: usize = 10;

impl Runtime {
    /// Store a component as the newest version of a module. The same bytes and settings as the newest version change nothing.
    ///
    /// # Errors
    ///
    /// The component is refused (B3), with the list of what is wrong; or one of its types belongs to another module.
    pub async fn upload_module(&self, upload: Upload) -> Result<Uploaded, Error> {
        let core = self.inner.core.clone();
        let namespace = self.namespace_id(if upload.namespace.is_empty() {
            "default"
        } else {
            &upload.namespace
        })?;
        blocking(move || store(&core, namespace, upload)).await
    }

    /// The newest version of every module, by name.
    ///
    /// # Errors
    ///
    /// The namespace does not exist.
    pub async fn list_modules(&self, namespace: &str) -> Result<Vec<Info>, Error> {
        let namespace = self.namespace_id(namespace)?;
        Ok(self
            .inner
            .core
            .registry
            .newest(namespace)
            .iter()
            .map(|version| version.info())
            .collect())
    }

    /// One version (0: the newest) and the numbers of all versions.
    ///
    /// # Errors
    ///
    /// There is no such module or version.
    pub async fn describe_module(
        &self,
        namespace: &str,
        name: &str,
        version: u32,
    ) -> Result<(Info, Vec<u32>), Error> {
        let namespace = self.namespace_id(namespace)?;
        let registry = &self.inner.core.registry;
        let found = registry.version(namespace, name, version);
        let found = found.ok_or_else(|| not_found(&self.inner.core, namespace, name, version))?;
        Ok((found.info(), registry.numbers(namespace, name)))
    }

    /// Delete a version, or with 0 every version.
    ///
    /// # Errors
    ///
    /// There is no such module or version, or open executions are pinned to it.
    pub async fn remove_module(&self, namespace: &str, name: &str, version: u32) -> Result<(), Error> {
        let (core, namespace, name) = (
            self.inner.core.clone(),
            self.namespace_id(namespace)?,
            name.to_owned(),
        );
        blocking(move || remove(&core, namespace, &name, version)).await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Error::Internal(format!("the request has panicked: {error}"))))
}

/// Why there is no such version; where the module exists, with the versions that it has.
pub(super) fn not_found(core: &Core, namespace: NamespaceId, name: &str, version: u32) -> Error {
    let numbers = core.registry.numbers(namespace, name);
    if numbers.is_empty() {
        let modules: Vec<String> = core
            .registry
            .newest(namespace)
            .iter()
            .map(|v| v.name.clone())
            .collect();
        let known = names::known(name, modules.iter().map(String::as_str));
        return Error::NotFound(format!("there is no module {name:?}; known modules: {known}"));
    }
    let known: Vec<String> = numbers.iter().map(u32::to_string).collect();
    Error::NotFound(format!(
        "module {name:?} has no version {version}; it has {}",
        known.join(", ")
    ))
}

fn store(core: &Arc<Core>, namespace: NamespaceId, upload: Upload) -> Result<Uploaded, Error> {
    check_name(&upload.name)?;
    let queue = if upload.queue.is_empty() {
        "default".to_owned()
    } else {
        upload.queue
    };
    super::check::name(&core.options.limits.history, "task queue", &queue)?;
    let config =
        module_config::parse(&upload.config).map_err(|error| Error::InvalidArgument(error.to_string()))?;
    if config.asks_for_grants() && !core.options.allow_grants {
        return Err(Error::PermissionDenied(
            "the module's settings ask for [grants], and this server gives none; start it with --allow-grants if you trust \
             everybody who can upload"
                .into(),
        ));
    }
    config
        .limits
        .check(&core.options.sandbox)
        .map_err(|error| Error::InvalidArgument(format!("the module's settings are refused: {error}")))?;
    core.sandbox
        .check_folders(&config.grants)
        .map_err(|error| Error::InvalidArgument(format!("the module's settings are refused: {error}")))?;
    let module = core
        .sandbox
        .compile(&upload.bytes)
        .map_err(|error| Error::InvalidArgument(format!("the component is refused: {error}")))?;
    // One upload at a time: the next version's number is decided here.
    let _turn = core
        .uploads
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let newest = core.registry.version(namespace, &upload.name, 0);
    if let Some(newest) = &newest
        && newest.record.digest == module.digest()
        && newest.record.config == upload.config
        && newest.record.queue == queue
    {
        return Ok(Uploaded {
            module: newest.info(),
            unchanged: true,
        });
    }
    let number = newest.map_or(0, |version| version.number) + 1;
    let record = record(
        namespace,
        &upload.name,
        number,
        &queue,
        &upload.config,
        &module,
        core.clock.now_ns(),
    )?;
    check_owners(core, namespace, &record)?;
    let version = Arc::new(Version::from_record(record.clone())?);
    version.set_compiled(&module);
    let component = upload.bytes;
    core.write_now(Transition::new(vec![Change::PutModule {
        record: Box::new(record),
        component,
    }]))?;
    core.registry.insert(namespace, version.clone());
    let services: Arc<[Service]> = version.services().into();
    core.tell_all(|| Notice::ModulesChanged(services.clone()));
    tracing::info!(module = %version.name, version = version.number, queue, "module stored");
    Ok(Uploaded {
        module: version.info(),
        unchanged: false,
    })
}

fn check_name(name: &str) -> Result<(), Error> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() || name.chars().count() > NAME_CHARS || !name.chars().all(allowed) {
        return Err(Error::InvalidArgument(format!(
            "{name:?} is no name for a module: it takes 1 to {NAME_CHARS} of A-Z a-z 0-9 . _ -"
        )));
    }
    Ok(())
}

/// A type belongs to one module name.
fn check_owners(core: &Core, namespace: NamespaceId, record: &ModuleRecord) -> Result<(), Error> {
    let mut taken = Vec::new();
    for workflow_type in &record.workflow_types {
        if let Some(owner) = core
            .registry
            .owner(namespace, &workflow_type.name)
            .filter(|owner| *owner != record.name)
        {
            taken.push(format!(
                "workflow type {:?} belongs to module {owner:?}",
                workflow_type.name
            ));
        }
    }
    for activity_type in &record.activity_types {
        let owner = core
            .registry
            .activity_owner(namespace, &record.queue, &activity_type.name);
        if let Some(owner) = owner.filter(|owner| *owner != Owner::Module(record.name.clone())) {
            taken.push(format!(
                "activity type {:?} on queue {:?} belongs to {owner}",
                activity_type.name, record.queue
            ));
        }
    }
    if taken.is_empty() {
        return Ok(());
    }
    Err(Error::FailedPrecondition(format!(
        "module {:?} cannot be stored: {}; upload it under that module's name, or rename the type",
        record.name,
        taken.join("; ")
    )))
}

fn record(
    namespace: NamespaceId,
    name: &str,
    version: u32,
    queue: &str,
    config: &str,
    module: &Module,
    now_ns: u64,
) -> Result<ModuleRecord, Error> {
    fn described<T: serde::Serialize>(name: &str, what: &T) -> Result<TypeDescription, Error> {
        let description = serde_json::to_vec(what).map_err(|error| Error::Internal(error.to_string()))?;
        Ok(TypeDescription {
            name: name.to_owned(),
            description,
        })
    }
    let mut seen = BTreeSet::new();
    let mut workflow_types = Vec::new();
    for definition in module.workflows() {
        if !seen.insert(&definition.name) {
            return Err(Error::InvalidArgument(format!(
                "the component is refused: it defines workflow type {:?} twice",
                definition.name
            )));
        }
        let shown = WorkflowType {
            name: definition.name.clone(),
            description: definition.description.clone(),
            dynamic_handlers: definition.dynamic_handlers,
            signals: definition
                .signals
                .iter()
                .map(|handler| shown(handler, false))
                .collect(),
            queries: definition
                .queries
                .iter()
                .map(|handler| shown(handler, false))
                .collect(),
            updates: definition
                .updates
                .iter()
                .map(|update| shown(&update.handler, update.has_validator))
                .collect(),
        };
        workflow_types.push(described(&definition.name, &shown)?);
    }
    let activity_types = module
        .activities()
        .iter()
        .map(|handler| described(&handler.name, &shown(handler, false)))
        .collect::<Result<_, _>>()?;
    let fork_refusal = match module.fork_eligible() {
        Eligibility::NotEligible(reason) => reason.clone(),
        _ => String::new(),
    };
    let extra = Extra {
        sdk_name: module.sdk().name.clone(),
        sdk_version: module.sdk().version.clone(),
        fork_refusal,
    };
    Ok(ModuleRecord {
        namespace,
        name: name.to_owned(),
        version,
        digest: module.digest(),
        size: module.size() as u64,
        queue: queue.to_owned(),
        uploaded_at_ns: now_ns,
        workflow_types,
        activity_types,
        config: config.to_owned(),
        extra: serde_json::to_vec(&extra).map_err(|error| Error::Internal(error.to_string()))?,
    })
}

fn shown(handler: &types::Handler, has_validator: bool) -> Handler {
    Handler {
        name: handler.name.clone(),
        description: handler.description.clone(),
        input_schema: handler.input_schema.clone().unwrap_or_default(),
        output_schema: handler.output_schema.clone().unwrap_or_default(),
        has_validator,
    }
}

fn remove(core: &Core, namespace: NamespaceId, name: &str, version: u32) -> Result<(), Error> {
    let _turn = core
        .uploads
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let numbers = match version {
        0 => core.registry.numbers(namespace, name),
        number => vec![number],
    };
    if numbers.is_empty()
        || numbers
            .iter()
            .any(|number| core.registry.version(namespace, name, *number).is_none())
    {
        return Err(not_found(core, namespace, name, version));
    }
    // New executions can no longer choose it; then whoever is pinned to it is counted.
    let taken: Vec<Arc<Version>> = numbers
        .iter()
        .filter_map(|number| core.registry.version(namespace, name, *number))
        .collect();
    for number in &numbers {
        core.registry.remove(namespace, name, *number);
    }
    let back = |error: Error| {
        for version in &taken {
            core.registry.insert(namespace, version.clone());
        }
        error
    };
    // A start that chose it before is durable after this, and counted.
    core.settle().map_err(back)?;
    let users = users(core, namespace, name, &numbers).map_err(back)?;
    if !users.is_empty() {
        let shown: Vec<&str> = users.iter().take(RUNS_LISTED).map(String::as_str).collect();
        let more = users.len().saturating_sub(RUNS_LISTED);
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        return Err(back(Error::FailedPrecondition(format!(
            "module {name:?} is in use by open executions: {}{more}; wait for them, or terminate them",
            shown.join(", ")
        ))));
    }
    let changes = numbers
        .iter()
        .map(|number| Change::RemoveModule {
            namespace,
            name: name.to_owned(),
            version: *number,
        })
        .collect();
    core.write_now(Transition::new(changes)).map_err(back)
}

fn users(core: &Core, namespace: NamespaceId, name: &str, numbers: &[u32]) -> Result<Vec<String>, Error> {
    let mut users = Vec::new();
    for record in core.snapshot()?.open_executions()? {
        let record = record?;
        if record.namespace == namespace
            && record.module.name == name
            && numbers.contains(&record.module.version)
        {
            users.push(format!("{} (run {})", record.workflow_id, record.run_id));
        }
    }
    Ok(users)
}
