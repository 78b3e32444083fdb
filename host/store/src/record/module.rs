//! Namespaces, modules and task queues.

use serde::{Deserialize, Serialize};

use crate::{NamespaceId, codec::blob};

/// SHA-256 of a component's bytes.
pub type ComponentDigest = [u8; 32];

/// A namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamespaceRecord {
    /// Its name.
    pub name: String,
    /// The number that its keys start with; never used again, even when the namespace is gone.
    pub id: NamespaceId,
    /// A UUID, stable for the life of the database.
    pub uuid: u128,
    /// How long closed executions are kept, in seconds.
    pub retention_s: u64,
    /// When it was made, in nanoseconds since 1970.
    pub created_at_ns: u64,
}

/// Names a task queue that was configured.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskQueueKey {
    /// Its namespace.
    pub namespace: NamespaceId,
    /// What it is for, a number of the caller's.
    pub kind: u8,
    /// Its name; at most 65,535 bytes.
    pub name: String,
}

/// A workflow type or an activity type that a module defines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeDescription {
    /// Its name.
    pub name: String,
    /// What `describe` said about it, encoded by the caller.
    #[serde(with = "blob")]
    pub description: Vec<u8>,
}

/// One version of a module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleRecord {
    /// Its namespace.
    pub namespace: NamespaceId,
    /// The module's name.
    pub name: String,
    /// The version's number, from 1.
    pub version: u32,
    /// SHA-256 of the component; several versions may share one component.
    #[serde(with = "blob")]
    pub digest: ComponentDigest,
    /// Size of the component in bytes.
    pub size: u64,
    /// Task queue of executions that are started without one, and of its activities.
    pub queue: String,
    /// When it was uploaded, in nanoseconds since 1970.
    pub uploaded_at_ns: u64,
    /// The workflow types that it defines.
    pub workflow_types: Vec<TypeDescription>,
    /// The activity types that it serves.
    pub activity_types: Vec<TypeDescription>,
    /// Its settings, as the user wrote them.
    pub config: String,
    /// Whatever else the caller keeps of a module version.
    #[serde(with = "blob")]
    pub extra: Vec<u8>,
}
