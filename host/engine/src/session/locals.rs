//! Local activities as the code knows them (A5): begun and cancelled in one round of a task, ended in a later one.

use std::sync::Arc;

use super::{Kind, Session, State, checks::check_local_activity};
use crate::{
    Call, Command, InFlight, LocalActivityOptions, Outcome, Violation,
    execution::Limits,
    local::{LocalActivity, LocalMarker},
};

/// What the calls of a round ask of whoever runs local activities.
#[derive(Debug, Default)]
pub struct LocalCalls {
    /// These begin.
    pub start: Vec<(u32, Arc<LocalActivityOptions>)>,
    /// These are to stop; the code waits for their end.
    pub cancel: Vec<u32>,
    /// The code does not wait for the end of these any more; those with `true` are to stop.
    pub abandon: Vec<(u32, bool)>,
}

impl Session {
    /// Take the calls about local activities out of a round's calls, which begin at `from`. Where the code cancels one and does not wait
    /// for its end, its marker stands in their place.
    ///
    /// # Errors
    ///
    /// The guest has broken the contract or a limit; its task fails, and this session is of no further use.
    pub fn local_calls(
        &mut self,
        calls: &mut Vec<Call>,
        from: usize,
        round: u64,
        limits: &Limits,
    ) -> Result<LocalCalls, Violation> {
        let mut asked = LocalCalls::default();
        let is_local = |call: &Call| {
            matches!(
                call.command,
                Command::ScheduleLocalActivity { .. } | Command::CancelLocalActivity { .. }
            )
        };
        if !calls[from..].iter().any(is_local) {
            return Ok(asked);
        }
        for call in calls.split_off(from) {
            match call.command {
                Command::ScheduleLocalActivity { seq, options } => {
                    check_local_activity(seq, &options, limits)?;
                    self.open(seq, Kind::Local(options.clone()))?;
                    self.locals.insert(seq);
                    self.open_activities += 1;
                    if self.open_activities > limits.activities_in_flight {
                        return Err(Violation::TooMany {
                            what: InFlight::Activities,
                            limit: limits.activities_in_flight,
                        });
                    }
                    asked.start.push((seq, options));
                }
                Command::CancelLocalActivity { seq } => {
                    let marker = self.cancel_local(seq, round, &mut asked)?;
                    calls.extend(marker.map(|marker| Call {
                        index: call.index,
                        command: Command::RecordLocalActivity(Box::new(marker)),
                    }));
                }
                command => calls.push(Call {
                    index: call.index,
                    command,
                }),
            }
        }
        Ok(asked)
    }

    fn cancel_local(
        &mut self,
        seq: u32,
        round: u64,
        asked: &mut LocalCalls,
    ) -> Result<Option<LocalMarker>, Violation> {
        const COMMAND: &str = "cancel-local-activity";
        const EXPECTED: &str = "local activity";
        let Some(operation) = self.operation(seq, COMMAND, EXPECTED)? else {
            return Ok(None);
        };
        let Kind::Local(options) = &operation.kind else {
            return Err(Violation::UnknownSeq {
                command: COMMAND,
                seq,
                expected: EXPECTED,
            });
        };
        if operation.state != State::Open {
            return Ok(None);
        }
        if let Some(place) = asked.start.iter().position(|(begun, _)| *begun == seq) {
            // It was never sent: as if it had not been.
            asked.start.remove(place);
            self.operations.remove(&seq);
            self.closed_local(seq);
            return Ok(None);
        }
        if !options.cancellation_type.resolves_at_once() {
            operation.state = State::CancelRequested;
            asked.cancel.push(seq);
            return Ok(None);
        }
        let mut marker = LocalActivity::abandoned(seq, options);
        marker.round = round + 1;
        asked.abandon.push((seq, options.cancellation_type.asks()));
        operation.state = State::Ended;
        self.ended.push(seq);
        self.closed_local(seq);
        Ok(Some(marker))
    }

    /// A local activity has ended: what the code is to be told. None: it is not waited for any more, or never was.
    pub fn end_local(&mut self, marker: &mut LocalMarker) -> Option<Outcome> {
        let operation = self.operations.get_mut(&marker.seq)?;
        let Kind::Local(options) = &operation.kind else {
            return None;
        };
        if !matches!(operation.state, State::Open | State::CancelRequested) {
            return None;
        }
        // What the code says now is compared with what history says.
        marker.activity_id = options.id(marker.seq);
        marker.activity_type.clone_from(&options.activity_type);
        operation.state = State::Ended;
        self.ended.push(marker.seq);
        self.closed_local(marker.seq);
        Some(marker.outcome())
    }

    /// Local activities that have not ended, and whether the code has asked for their end.
    pub fn open_locals(&self) -> impl Iterator<Item = (u32, &Arc<LocalActivityOptions>, bool)> {
        self.locals.iter().filter_map(|seq| {
            let operation = self.operations.get(seq)?;
            match &operation.kind {
                Kind::Local(options) => Some((*seq, options, operation.state == State::CancelRequested)),
                _ => None,
            }
        })
    }

    /// Whether a local activity has not ended.
    pub fn has_open_locals(&self) -> bool {
        !self.locals.is_empty()
    }

    fn closed_local(&mut self, seq: u32) {
        self.locals.remove(&seq);
        self.open_activities -= 1;
    }
}

#[cfg(test)]
mod tests;
