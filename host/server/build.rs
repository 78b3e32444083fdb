//! Generates the server traits of Temporal's services, the module service, and the table of all methods.

use std::{collections::BTreeSet, env, fmt::Write as _, fs, path::PathBuf};

use prost::Message as _;
use prost_types::FileDescriptorSet;

type Error = Box<dyn std::error::Error>;

/// The services that are served under Temporal's names.
const TEMPORAL_SERVICES: [&str; 2] = [
    "temporal/api/workflowservice/v1/service.proto",
    "temporal/api/operatorservice/v1/service.proto",
];

const MODULE_SERVICE: &str = "proto/longhaul/module/v1/module.proto";

fn main() -> Result<(), Error> {
    let out = PathBuf::from(env::var("OUT_DIR")?);

    let descriptors = env::var("DEP_TEMPORALIO_PROTOS_DESCRIPTOR_PATH")?;
    println!("cargo::rerun-if-env-changed=DEP_TEMPORALIO_PROTOS_DESCRIPTOR_PATH");
    println!("cargo::rerun-if-changed={descriptors}");
    let temporal = with_imports(
        FileDescriptorSet::decode(fs::read(&descriptors)?.as_slice())?,
        TEMPORAL_SERVICES.map(str::to_owned).into(),
    );
    let mut methods = method_table(&temporal);
    // The messages are those of `temporalio-protos`; only the traits are generated here.
    tonic_prost_build::configure()
        .build_client(false)
        .build_server(true)
        .generate_default_stubs(true)
        .extern_path(".temporal.api", "::temporalio_protos::temporal::api")
        .compile_fds(temporal)?;

    println!("cargo::rerun-if-changed={MODULE_SERVICE}");
    let module = protox::compile([MODULE_SERVICE], ["proto"])?;
    methods.extend(method_table(&module));
    tonic_prost_build::configure()
        .extern_path(".google.protobuf.Timestamp", "::prost_wkt_types::Timestamp")
        .compile_fds(module)?;

    methods.insert(("grpc.health.v1.Health".into(), "Check".into()));
    methods.insert(("grpc.health.v1.Health".into(), "Watch".into()));
    let mut table = String::from("[\n");
    for (service, name) in &methods {
        writeln!(
            table,
            "Method {{ path: \"/{service}/{name}\", service: {service:?}, name: {name:?} }},"
        )?;
    }
    table.push_str("]\n");
    fs::write(out.join("methods.rs"), table)?;
    Ok(())
}

/// `set` without the files that the files `wanted` do not need.
fn with_imports(mut set: FileDescriptorSet, mut wanted: BTreeSet<String>) -> FileDescriptorSet {
    // A descriptor set lists a file after what it imports.
    for file in set.file.iter().rev() {
        if wanted.contains(file.name()) {
            wanted.extend(file.dependency.iter().cloned());
        }
    }
    set.file.retain(|file| wanted.contains(file.name()));
    set
}

/// Service and name of every method in `set`, sorted.
fn method_table(set: &FileDescriptorSet) -> BTreeSet<(String, String)> {
    set.file
        .iter()
        .flat_map(|file| file.service.iter().map(move |service| (file.package(), service)))
        .flat_map(|(package, service)| {
            service
                .method
                .iter()
                .map(move |m| (format!("{package}.{}", service.name()), m.name().to_owned()))
        })
        .collect()
}
