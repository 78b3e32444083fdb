//! What a workflow may know: the contract's interface `context`.

use crate::log::LogLevel;
use crate::state::{Phase, State};
use crate::trap::Refusal;
use crate::wit::context::{Host, WorkflowTask};
use crate::wit::types::{self, ExecutionInfo, Payload, Timestamp};

/// Bytes that one call of `random` may ask for.
const RANDOM_MAX_BYTES: u32 = 64 << 10;

impl types::Host for State {}

impl Host for State {
    fn now(&mut self) -> wasmtime::Result<Timestamp> {
        Ok(self.task.now_ns)
    }

    fn info(&mut self) -> wasmtime::Result<ExecutionInfo> {
        match &self.info {
            Some(info) => Ok(ExecutionInfo::clone(info)),
            None => Err(Refusal::call(
                "context.info",
                "there is no execution before `start`",
            )),
        }
    }

    fn task_info(&mut self) -> wasmtime::Result<WorkflowTask> {
        Ok(WorkflowTask {
            history_length: self.task.history_length,
            history_size_bytes: self.task.history_size_bytes,
            continue_as_new_suggested: self.task.continue_as_new_suggested,
            continue_as_new_reasons: self.task.continue_as_new_reasons.clone(),
        })
    }

    fn memo(&mut self) -> wasmtime::Result<Vec<(String, Payload)>> {
        Ok(self.memo.iter().map(|(k, v)| (k.clone(), v.clone())).collect())
    }

    fn search_attributes(&mut self) -> wasmtime::Result<Vec<(String, Payload)>> {
        Ok(self
            .search_attributes
            .iter()
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect())
    }

    fn random(&mut self, stream: String, length: u32) -> wasmtime::Result<Vec<u8>> {
        let refuse = |why: String| Err(Refusal::call("context.random", why));
        match self.phase {
            Phase::Read(call) => {
                return refuse(format!("`{call}` is read-only, and drawing changes the stream"));
            }
            Phase::Prepare => return refuse("there is no execution before `start`".to_owned()),
            Phase::Start | Phase::Deliver | Phase::Mark => {}
        }
        if length > RANDOM_MAX_BYTES {
            return refuse(format!("{length} bytes at once are more than {RANDOM_MAX_BYTES}"));
        }
        let max = self.options.random_streams_max;
        match self.random.draw(&stream, length as usize, max) {
            Some(bytes) => Ok(bytes),
            None => refuse(format!(
                "more than {max} named streams; use one stream for many numbers"
            )),
        }
    }

    fn is_replaying(&mut self) -> wasmtime::Result<bool> {
        Ok(self.task.replaying)
    }

    fn log(
        &mut self,
        level: LogLevel,
        message: String,
        fields: Vec<(String, String)>,
    ) -> wasmtime::Result<()> {
        self.logs.log(level, message, fields);
        Ok(())
    }
}
