//! Modules as the faces see them.

/// A component to store.
#[derive(Debug, Clone)]
pub struct Upload {
    /// The namespace; empty stands for `default`.
    pub namespace: String,
    /// The module's name.
    pub name: String,
    /// Task queue of executions that are started without one, and of the module's activities; empty stands for `default`.
    pub queue: String,
    /// Settings as TOML; empty stands for the server's defaults.
    pub config: String,
    /// The component.
    pub bytes: Vec<u8>,
}

/// What an upload led to.
#[derive(Debug, Clone)]
pub struct Uploaded {
    /// The version that now is the newest.
    pub module: Info,
    /// True if the newest version already had these bytes and settings.
    pub unchanged: bool,
}

/// One version of a module.
#[derive(Debug, Clone)]
pub struct Info {
    /// The module's name.
    pub name: String,
    /// From 1.
    pub version: u32,
    /// SHA-256 of the component, in lower-case hexadecimal.
    pub digest: String,
    /// Its task queue.
    pub queue: String,
    /// In bytes.
    pub size: u64,
    /// Nanoseconds since 1970.
    pub uploaded_at_ns: u64,
    /// Name and version of the SDK it was built with.
    pub sdk: String,
    /// What it defines.
    pub workflow_types: Vec<WorkflowType>,
    /// What it serves.
    pub activity_types: Vec<Handler>,
    /// Its settings.
    pub config: String,
    /// Why queries need a replay each; empty if they run on a fork.
    pub fork_refusal: String,
}

/// A workflow type.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
pub struct WorkflowType {
    /// Its name.
    pub name: String,
    /// Its doc text.
    pub description: String,
    /// True if handlers may be registered while the workflow runs.
    pub dynamic_handlers: bool,
    /// Signal handlers.
    pub signals: Vec<Handler>,
    /// Query handlers.
    pub queries: Vec<Handler>,
    /// Update handlers.
    pub updates: Vec<Handler>,
}

/// A handler or an activity.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
pub struct Handler {
    /// Its name.
    pub name: String,
    /// Its doc text.
    pub description: String,
    /// JSON schema of the arguments, where known.
    pub input_schema: String,
    /// JSON schema of the result, where known.
    pub output_schema: String,
    /// Updates only.
    pub has_validator: bool,
}
