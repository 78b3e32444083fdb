//! The table of all gRPC methods that clients may know.

/// A method of a service that this server has, whether it offers the method or not.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Method {
    /// As in the request: `/temporal.api.workflowservice.v1.WorkflowService/StartWorkflowExecution`.
    pub(crate) path: &'static str,
    /// With its package.
    pub(crate) service: &'static str,
    /// The method alone.
    pub(crate) name: &'static str,
}

/// Written by the build script from the services' descriptors, sorted by path.
static METHODS: &[Method] = &include!(concat!(env!("OUT_DIR"), "/methods.rs"));

/// Stands for every path that is in no table, so that a client cannot make up labels of metrics.
pub(crate) static UNKNOWN: Method = Method {
    path: "",
    service: "unknown",
    name: "unknown",
};

/// The method at `path`, if there is one.
pub(crate) fn find(path: &str) -> Option<&'static Method> {
    METHODS
        .binary_search_by(|method| method.path.cmp(path))
        .ok()
        .map(|index| &METHODS[index])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_so_that_find_works() {
        assert!(METHODS.is_sorted_by(|a, b| a.path < b.path));
        for method in METHODS {
            assert_eq!(find(method.path), Some(method));
            assert_eq!(method.path, format!("/{}/{}", method.service, method.name));
        }
    }

    #[test]
    fn it_has_all_services() {
        for path in [
            "/temporal.api.workflowservice.v1.WorkflowService/StartWorkflowExecution",
            "/temporal.api.operatorservice.v1.OperatorService/ListSearchAttributes",
            "/longhaul.module.v1.ModuleService/Upload",
            "/grpc.health.v1.Health/Check",
        ] {
            assert!(find(path).is_some(), "{path}");
        }
        assert_eq!(
            find("/temporal.api.workflowservice.v1.WorkflowService/Nonsense"),
            None
        );
    }
}
