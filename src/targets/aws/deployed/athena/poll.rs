//! Waiting for a query to end, or ending it.

use super::{Athena, cost::Spent, failure::Sent};
use crate::{
    error::{Error, ExitStatus},
    targets::{Asked, aws::failed},
};
use aws_sdk_athena::types::{QueryExecution, QueryExecutionState as State, StatementType};
use std::time::{Duration, Instant};

/// So soon it is looked again at first, and so late at last: most queries end within seconds.
const FIRST_LOOK: Duration = Duration::from_millis(100);
const LAST_LOOK: Duration = Duration::from_secs(1);
/// How often Ctrl-C is looked for.
const LISTEN_EVERY: Duration = Duration::from_millis(50);

/// What to do about a query that was asked after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Look again.
    Wait,
    /// Tell Athena to end it.
    Stop,
    /// Read the answer.
    Read,
    /// Say why there is none.
    Fail,
}

/// What to do, by how the query does and by whether the user asked to finish.
const fn next(state: &State, is_interrupted: bool) -> Next {
    match state {
        State::Succeeded => Next::Read,
        State::Failed | State::Cancelled => Next::Fail,
        // Also a state that is unknown here: it may end yet.
        _ if is_interrupted => Next::Stop,
        _ => Next::Wait,
    }
}

/// How long until the next look: the more has passed the longer.
fn pause(passed: Duration) -> Duration {
    (passed / 4).clamp(FIRST_LOOK, LAST_LOOK)
}

impl Athena<'_> {
    /// Waits until the query has ended, and gives what it took.
    pub(super) async fn end_of(
        &self,
        id: &str,
        sent: &Sent<'_>,
        tell: &mut dyn FnMut(Asked<'_>),
    ) -> Result<Spent, Error> {
        let started = Instant::now();
        loop {
            let execution = self.look(id).await?;
            let spent = spent(&execution);
            let status =
                execution.status.unwrap_or_else(|| aws_sdk_athena::types::QueryExecutionStatus::builder().build());
            let state = status.state.unwrap_or(State::Queued);
            match next(&state, self.interrupt.is_set()) {
                Next::Read => return Ok(spent),
                Next::Fail => {
                    let reason = status.state_change_reason.unwrap_or_default();
                    return Err(sent.failed(self.deployed, &state, &reason));
                }
                Next::Stop => return Err(self.stop(id).await),
                Next::Wait => tell(Asked::GoingOn(&going_on(&state, &spent))),
            }
            let until = Instant::now() + pause(started.elapsed());
            while Instant::now() < until && !self.interrupt.is_set() {
                tokio::time::sleep(LISTEN_EVERY).await;
            }
        }
    }

    async fn look(&self, id: &str) -> Result<QueryExecution, Error> {
        let get = self.deployed.aws.athena().get_query_execution().query_execution_id(id).send().await;
        let got = get.map_err(|e| failed("how the query does cannot be read", "Athena.GetQueryExecution", &e))?;
        got.query_execution.ok_or_else(|| Error::new("Athena does not know the query that it was given"))
    }

    /// Tells Athena to end the query; the error that says so.
    async fn stop(&self, id: &str) -> Error {
        let stop = self.deployed.aws.athena().stop_query_execution().query_execution_id(id).send().await;
        if let Err(error) = stop {
            return failed("the query goes on: it could not be stopped", "Athena.StopQueryExecution", &error)
                .status(ExitStatus::Interrupted);
        }
        // What it scanned until now is charged.
        let spent = self.look(id).await.map(|execution| format!("; {}", spent(&execution).text()));
        Error::new(format!("the query was stopped{}", spent.unwrap_or_default())).status(ExitStatus::Interrupted)
    }
}

/// That only the reading was stopped.
pub fn stopped_reading(spent: &Spent) -> Error {
    Error::new(format!("interrupted: not all of the answer was read; {}", spent.text())).status(ExitStatus::Interrupted)
}

fn spent(execution: &QueryExecution) -> Spent {
    let statistics = execution.statistics();
    let scanned = statistics.and_then(|s| s.data_scanned_in_bytes).unwrap_or(0);
    let reused = statistics.and_then(|s| s.result_reuse_information());
    Spent {
        scanned: u64::try_from(scanned).unwrap_or(0),
        is_reused: reused.is_some_and(|reused| reused.reused_previous_result),
        is_free: execution.statement_type().is_some_and(|of| *of != StatementType::Dml),
    }
}

fn going_on(state: &State, spent: &Spent) -> String {
    match state {
        State::Running if spent.scanned > 0 => format!("running, {} so far", spent.text()),
        State::Running => "running".into(),
        _ => "queued".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a Ctrl-C that leaves a query running, or that throws an answer away which is there.
    #[test]
    fn what_follows_from_a_look() {
        for state in [State::Queued, State::Running, State::from("PAUSED")] {
            assert_eq!([next(&state, false), next(&state, true)], [Next::Wait, Next::Stop], "{state:?}");
        }
        for is_interrupted in [false, true] {
            assert_eq!(next(&State::Succeeded, is_interrupted), Next::Read);
            assert_eq!(next(&State::Failed, is_interrupted), Next::Fail);
            assert_eq!(next(&State::Cancelled, is_interrupted), Next::Fail);
        }
    }

    /// Would catch an answer of half a second that is seen after a second, and a long query that is asked after too often.
    #[test]
    fn looks_become_rarer() {
        let millis = |passed| pause(Duration::from_millis(passed)).as_millis();
        assert_eq!([0, 400, 1000, 4000, 60_000].map(millis), [100, 100, 250, 1000, 1000]);
    }

    #[test]
    fn what_goes_on_is_said_with_its_cost() {
        let spent = Spent { scanned: 120 << 20, ..Spent::default() };
        assert_eq!(going_on(&State::Queued, &spent), "queued");
        assert_eq!(going_on(&State::Running, &Spent::default()), "running");
        assert_eq!(going_on(&State::Running, &spent), "running, 126 MB scanned, $0.00057 so far");
    }
}
