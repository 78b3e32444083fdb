//! What the server says about itself: version, capabilities, namespaces.

use longhaul_runtime::Namespace;
use prost_wkt_types::Duration;
use temporalio_protos::temporal::api::{
    enums::v1::{ArchivalState, NamespaceState},
    namespace::v1::{NamespaceConfig, NamespaceInfo, namespace_info},
    replication::v1::{ClusterReplicationConfig, NamespaceReplicationConfig},
    workflowservice::v1::{
        DescribeNamespaceResponse, GetClusterInfoResponse, GetSystemInfoResponse, get_system_info_response,
    },
};

/// The server's own version.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Temporal's name for the only cluster.
const CLUSTER: &str = "active";

/// The answer to `GetSystemInfo`. A capability is only true where it is honoured: clients rely on it.
pub(crate) fn system_info() -> GetSystemInfoResponse {
    GetSystemInfoResponse {
        server_version: VERSION.into(),
        capabilities: Some(get_system_info_response::Capabilities {
            signal_and_query_header: true,
            internal_error_differentiation: true,
            encoded_failure_attributes: true,
            upsert_memo: true,
            activity_failure_include_heartbeat: true,
            count_group_by_execution_status: true,
            ..Default::default()
        }),
    }
}

/// The answer to `DescribeNamespace`.
pub(crate) fn namespace(namespace: Namespace) -> DescribeNamespaceResponse {
    DescribeNamespaceResponse {
        namespace_info: Some(NamespaceInfo {
            name: namespace.name,
            state: NamespaceState::Registered.into(),
            id: namespace.id,
            capabilities: Some(namespace_info::Capabilities {
                sync_update: true,
                async_update: true,
                worker_poll_complete_on_shutdown: true,
                ..Default::default()
            }),
            ..Default::default()
        }),
        config: Some(NamespaceConfig {
            workflow_execution_retention_ttl: Some(Duration {
                seconds: i64::try_from(namespace.retention.as_secs()).unwrap_or(i64::MAX),
                // Below 10^9, so it always fits.
                nanos: namespace.retention.subsec_nanos() as i32,
            }),
            history_archival_state: ArchivalState::Disabled.into(),
            visibility_archival_state: ArchivalState::Disabled.into(),
            ..Default::default()
        }),
        replication_config: Some(NamespaceReplicationConfig {
            active_cluster_name: CLUSTER.into(),
            clusters: vec![ClusterReplicationConfig {
                cluster_name: CLUSTER.into(),
                ..Default::default()
            }],
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// The answer to `GetClusterInfo`.
pub(crate) fn cluster_info(cluster_id: String) -> GetClusterInfoResponse {
    GetClusterInfoResponse {
        server_version: VERSION.into(),
        cluster_id,
        cluster_name: CLUSTER.into(),
        history_shard_count: 1,
        persistence_store: "redb".into(),
        visibility_store: "redb".into(),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_registered_with_its_retention() {
        let answer = namespace(Namespace {
            name: "default".into(),
            id: "7f9c".into(),
            retention: std::time::Duration::from_millis(86_400_500),
            cluster_id: "c".into(),
        });
        let info = answer.namespace_info.unwrap();
        assert_eq!(
            (info.name.as_str(), info.id.as_str(), info.state()),
            ("default", "7f9c", NamespaceState::Registered)
        );
        let retention = answer.config.unwrap().workflow_execution_retention_ttl.unwrap();
        assert_eq!((retention.seconds, retention.nanos), (86_400, 500_000_000));
    }
}
