//! Every key of the file: its doc text, its kind, and the setting that it stands for.

use std::{fmt::Write as _, net::IpAddr, num::NonZeroUsize, path::PathBuf};

use serde::Deserialize;

use super::{
    Settings,
    kinds::{Count, Kind, Plain, Size, Time},
};

/// From one list: what is read, what is set, what is described, and the names for whoever mistypes one.
macro_rules! settings {
    ($(
        $(#[doc = $about:literal])+
        $section:ident {
            $( $(#[doc = $doc:literal])+ $key:ident: $kind:ty => $($path:ident).+; )+
        }
    )+) => {
        /// A file. What it does not set is none.
        #[derive(Debug, Default, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub(super) struct File {
            $( $section: $section::Section, )+
        }

        $(
            mod $section {
                use super::*;

                #[derive(Debug, Default, Deserialize)]
                #[serde(default, deny_unknown_fields)]
                pub(super) struct Section {
                    $( pub(super) $key: Option<$kind>, )+
                }
            }
        )+

        /// The names: sections, and the keys of each.
        pub(super) const NAMES: [(&str, &[&str]); [$(stringify!($section)),+].len()] = [
            $( (stringify!($section), &[$(stringify!($key)),+]), )+
        ];

        impl File {
            /// Set what the file sets.
            pub(super) fn apply(self, settings: &mut Settings) {
                $( $(
                    if let Some(value) = self.$section.$key {
                        settings.$($path).+ = value.into_value();
                    }
                )+ )+
            }
        }

        /// Write every key with its value, behind a `#`.
        pub(super) fn describe(settings: &Settings, text: &mut String) {
            $(
                text.push('\n');
                $( let _ = writeln!(text, "#{}", $about); )+
                let _ = writeln!(text, "[{}]", stringify!($section));
                $(
                    $( let _ = writeln!(text, "#{}", $doc); )+
                    let value = <$kind as Kind>::show(&settings.$($path).+);
                    let _ = writeln!(text, "#{} = {value}", stringify!($key));
                )+
            )+
        }
    };
}

settings! {
    /// Where the server listens, and what it takes.
    server {
        /// The database file; it is made if it does not exist.
        db: Plain<PathBuf> => db;
        /// Address to listen on.
        ip: Plain<IpAddr> => server.ip;
        /// Port of gRPC; 0 takes a free one.
        port: Plain<u16> => server.grpc_port;
        /// Port of HTTP (/metrics, /health); 0 takes a free one.
        http_port: Plain<u16> => server.http_port;
        /// Largest request, decompressed.
        request_size: Size<usize> => server.request_max_bytes;
        /// Open connections on each port; further ones wait.
        connections: Count<usize> => server.connections_max;
        /// Requests that one connection may have open.
        streams: Count<u32> => server.streams_max;
        /// Requests in hand at once, long polls included.
        requests: Count<usize> => server.requests_max;
        /// How long a new connection may send nothing.
        first_byte_timeout: Time => server.first_byte_timeout;
        /// How long a connection may be silent before it is probed.
        keep_alive_interval: Time => server.keep_alive_interval;
        /// How long the answer to a probe may take.
        keep_alive_timeout: Time => server.keep_alive_timeout;
        /// How long requests in hand may take once the server is told to stop.
        shutdown_grace: Time => server.shutdown_grace;
        /// Largest component that may be uploaded.
        module_size: Size<usize> => server.module_max_bytes;
        /// Uploads that are received at once; further ones wait.
        uploads: Count<usize> => server.uploads_max;
        /// How long an upload may be silent between two chunks.
        upload_idle_timeout: Time => server.upload_idle_timeout;
    }
    /// The engine: how much it holds, how long it waits.
    runtime {
        /// Loops that share the executions among them; one for each core.
        shards: Plain<NonZeroUsize> => runtime.shards;
        /// Threads that compile, replay and read for the shards.
        workers: Plain<NonZeroUsize> => runtime.workers;
        /// Requests that may wait in one shard, as many again that wait there for what has to be read, as many for code to be compiled,
        /// and as many for one execution; more are refused with RESOURCE_EXHAUSTED.
        mailbox: Count<usize> => runtime.mailbox_capacity;
        /// Memory of all live executions; above it the least recently used are dropped, and replayed when they are needed.
        instance_memory: Size<usize> => runtime.instance_bytes;
        /// Live executions, in number.
        instances: Count<usize> => runtime.instances;
        /// Activity attempts that run at once.
        activity_slots: Count<usize> => runtime.activity_slots;
        /// Threads on which they run, and nothing else; one for each core.
        activity_threads: Plain<NonZeroUsize> => runtime.activity_threads;
        /// Longest wait of a long poll; then the stage or page reached so far is the answer.
        long_poll: Time => runtime.long_poll;
        /// Longest wait of a worker's poll of a task queue; then the answer is empty, and the worker polls again.
        task_poll: Time => runtime.task_poll;
        /// Polls of task queues that wait at once; more are refused with RESOURCE_EXHAUSTED.
        polls: Count<usize> => runtime.polls;
        /// The same in one task queue.
        polls_of_queue: Count<usize> => runtime.polls_of_queue;
        /// Task queues for which operators may have set a rate limit; more are refused with RESOURCE_EXHAUSTED.
        queue_configs: Count<usize> => runtime.queue_configs;
        /// Events in one page of history.
        history_page: Count<usize> => runtime.history_page;
        /// Executions in one page of a list.
        list_page: Count<usize> => runtime.list_page;
        /// Reads of ten pages each that one page of a list may take while it finds nothing.
        list_reads: Count<usize> => runtime.list_reads;
        /// Reads of ten pages each that one count may take.
        count_reads: Count<usize> => runtime.count_reads;
        /// How long closed executions are kept before they are deleted.
        retention: Time => runtime.retention;
        /// Most children in flight at once in one run.
        children_in_flight: Count<usize> => runtime.limits.children_in_flight;
        /// Most signals to other executions in flight at once in one run.
        signals_in_flight: Count<usize> => runtime.limits.signals_in_flight;
        /// Most cancellation requests for other executions in flight at once in one run.
        cancels_in_flight: Count<usize> => runtime.limits.cancels_in_flight;
        /// First wait before a failed workflow task is tried again; doubled each time.
        task_retry_initial: Time => runtime.task_retry_initial;
        /// Longest such wait.
        task_retry_maximum: Time => runtime.task_retry_maximum;
        /// Limit of one workflow task where a start asks for no other; at most 2m, and no longer than the run. Local activities keep a
        /// task open for four fifths of it, then the next one follows.
        task_timeout: Time => runtime.task_timeout;
        /// Activities in flight at once in one run.
        activities_in_flight: Count<usize> => runtime.limits.activities_in_flight;
        /// Timers in flight at once in one run.
        timers_in_flight: Count<usize> => runtime.limits.timers_in_flight;
        /// Let modules ask for folders, network and environment; whoever can upload then gets them.
        allow_grants: Plain<bool> => runtime.allow_grants;
        /// Let the clock jump to the next timer whenever nothing can run and a client waits for a result.
        time_skipping: Plain<bool> => runtime.time_skipping;
    }
    /// What one workflow execution may use.
    workflows {
        /// Fuel of one activation, about one unit an instruction.
        fuel_per_activation: Count<u64> => runtime.sandbox.fuel_per_activation;
        /// Fuel of one query or validator.
        fuel_per_query: Count<u64> => runtime.sandbox.fuel_per_read;
        /// Time that a workflow may run within one activation.
        activation_timeout: Time => runtime.sandbox.activation_timeout;
        /// Memory of one execution.
        memory: Size<usize> => runtime.sandbox.memory_max_bytes;
        /// Elements of all tables of one execution.
        table_elements: Count<usize> => runtime.sandbox.table_elements_max;
        /// Bytes that one call between host and guest may copy.
        hostcall_size: Size<usize> => runtime.sandbox.hostcall_max_bytes;
        /// Commands of one activation.
        commands: Count<usize> => runtime.sandbox.commands_max;
        /// Bytes of all commands of one activation.
        command_size: Size<usize> => runtime.sandbox.command_bytes_max;
        /// Workflow memories that can be live at once, copies for queries included: address space that costs no memory.
        arena_slots: Count<u32> => runtime.sandbox.arena_slots;
        /// Prepared instances that are kept ready to be copies for queries; 0: none. Each keeps at most 2 MiB, counted in no limit of memory.
        spare_forks: Plain<usize> => runtime.sandbox.spare_forks;
    }
    /// What one activity attempt may use.
    activities {
        /// Memory of one attempt.
        memory: Size<usize> => runtime.sandbox.activity_memory_max_bytes;
        /// Attempts whose memory can be live at once, 16 to 8192: each reserves address space, which costs no memory.
        instances: Count<u32> => runtime.sandbox.activity_instances;
        /// Time of one attempt; the activity's own timeouts are shorter.
        timeout: Time => runtime.sandbox.activity_timeout;
        /// Files, connections and other things of the machine that one attempt may hold.
        handles: Count<usize> => runtime.sandbox.activity_handles_max;
        /// Files and connections that all attempts together may hold; 0: half of the files that the server may have open (ulimit -n).
        descriptors: Plain<usize> => runtime.sandbox.activity_descriptors_max;
    }
    /// What workflows and activities may log.
    log {
        /// Bytes of one line; the rest is cut off.
        line_size: Size<usize> => runtime.sandbox.log.line_max_bytes;
        /// Fields of one line; further ones are dropped.
        fields: Count<usize> => runtime.sandbox.log.fields_max;
        /// Lines of one activation or one attempt; further ones are counted and dropped.
        lines: Count<u32> => runtime.sandbox.log.lines_max;
    }
    /// How large a run may become, and what it may be sent.
    history {
        /// Largest list of payloads: the input of a call, a result.
        payload_size: Size<usize> => runtime.limits.history.payload_bytes;
        /// From this size on a list of payloads is worth a warning.
        payload_warn_size: Size<usize> => runtime.limits.history.payload_warn_bytes;
        /// Largest memo.
        memo_size: Size<usize> => runtime.limits.history.memo_bytes;
        /// Updates of a run that are admitted or accepted and not complete.
        updates_in_flight: Count<usize> => runtime.limits.history.updates_in_flight;
        /// Size of the requests of those updates together.
        updates_in_flight_size: Size<usize> => runtime.limits.history.updates_in_flight_bytes;
        /// Updates of a run in all.
        updates_per_run: Count<usize> => runtime.limits.history.updates_per_run;
        /// Size of the signals together that a run's code has not seen; further ones are refused with RESOURCE_EXHAUSTED.
        unseen_signals_size: Size<usize> => runtime.limits.history.unseen_signals_bytes;
        /// From this many events on a run is told to continue as new.
        suggest_events: Count<u64> => runtime.limits.history.suggest_events;
        /// From this size on a run is told to continue as new.
        suggest_size: Size<u64> => runtime.limits.history.suggest_bytes;
        /// From this many updates on a run is told to continue as new.
        suggest_updates: Count<usize> => runtime.limits.history.suggest_updates;
        /// From this many events on every task of the run warns.
        warn_events: Count<u64> => runtime.limits.history.warn_events;
        /// From this size on every task of the run warns.
        warn_size: Size<u64> => runtime.limits.history.warn_bytes;
        /// At this many events a run takes no further messages.
        stop_events: Count<u64> => runtime.limits.history.stop_events;
        /// At this size a run takes no further messages.
        stop_size: Size<u64> => runtime.limits.history.stop_bytes;
    }
}
