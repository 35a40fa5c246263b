//! Looking on while AWS works on a stack: what `up` and `down` share. Ctrl-C stops nothing by itself; it asks.

use crate::{
    error::{Error, ExitStatus},
    interrupt::Interrupt,
    report::{deploy::Deploy, progress::Progress, style},
    targets::aws::{
        Aws,
        deploy::{
            change_set,
            follow::{self, Followed},
            survey::Stack,
        },
        failed,
        stack::{
            events::{Act, Board, Event, Outcome},
            failure,
        },
    },
};
use std::{cell::RefCell, pin::pin, time::Duration};

/// From one picture of a spinner to the next.
const TICK: Duration = Duration::from_millis(100);

/// An operation on a stack, under way.
pub struct Operation<'a> {
    /// Where.
    pub aws: &'a Aws,
    /// The stack's name.
    pub stack: &'a str,
    /// Its id.
    pub stack_id: &'a str,
    /// What to add to a command to mean this stack.
    pub flags: &'a str,
    /// Its token and what is known of it.
    pub board: Board,
    /// The names of the resources, where a plan tells them.
    pub names: Vec<String>,
}

/// How looking on ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// As it was to.
    Done,
    /// The user had it cancelled, or what was made so far removed.
    Cancelled,
    /// The user left; it goes on.
    Left,
}

impl<'a> Operation<'a> {
    /// One that no plan tells of.
    pub fn on(aws: &'a Aws, stack: &'a Stack, flags: &'a str, board: Board) -> Self {
        Self { aws, stack: &stack.name, stack_id: &stack.id, flags, board, names: Vec::new() }
    }

    /// Looks on to the end.
    ///
    /// # Errors
    /// When it fails: the report says where, why and what to do.
    pub async fn watch(mut self, interrupt: &Interrupt) -> Result<Ended, Error> {
        let mut is_cancelled = false;
        loop {
            let mut screen = Deploy::new(self.names.iter().map(String::as_str));
            let mut show = |events: &[Event], board: &Board, now| screen.show(events, board, now);
            let followed = follow::follow(self.aws, self.stack_id, &mut self.board, interrupt, &mut show).await?;
            drop(screen);
            if followed == Followed::Ended {
                return match self.board.outcome() {
                    Some(Outcome::Done | Outcome::RolledBack) if is_cancelled => Ok(Ended::Cancelled),
                    Some(Outcome::Done) => Ok(Ended::Done),
                    // A rollback was what was asked for.
                    Some(Outcome::RolledBack) if self.board.act() == Some(Act::Rollback) => Ok(Ended::Done),
                    _ => Err(failure::report(&self.board, self.stack, self.flags)),
                };
            }
            interrupt.clear();
            match self.ask(interrupt).await? {
                Answer::Leave => {
                    style::say(&format!(
                        "AWS goes on without this command. `stockpipe status --watch{}` looks on.",
                        self.flags
                    ));
                    return Ok(Ended::Left);
                }
                Answer::LookOn => {}
                Answer::Undo => is_cancelled = true,
            }
        }
    }

    /// What to do after Ctrl-C.
    async fn ask(&mut self, interrupt: &Interrupt) -> Result<Answer, Error> {
        let (what, question) = match (self.board.act(), self.board.status()) {
            (Some(Act::Create), Some("CREATE_IN_PROGRESS")) => ("a creation", Some("remove what was made so far")),
            (Some(Act::Update), Some("UPDATE_IN_PROGRESS")) => ("an update", Some("cancel it and go back to what was")),
            (Some(Act::Delete), _) => ("a removal", None),
            _ => ("what is under way", None),
        };
        style::say(&format!("\nLeaving does not stop {what}: AWS does it, not this command."));
        let Some(question) = question else { return Ok(Answer::Leave) };
        let asked = format!("l: leave it to AWS   u: {question}   Enter: look on");
        // Where nobody can answer, or does not, it is left.
        let answer = super::ask_unless(interrupt, &asked, "nothing was cancelled").unwrap_or_else(|_| "l".into());
        match answer.as_str() {
            "u" | "U" => self.undo().await.map(|()| Answer::Undo),
            "" => Ok(Answer::LookOn),
            _ => Ok(Answer::Leave),
        }
    }

    /// Takes back what is under way.
    async fn undo(&mut self) -> Result<(), Error> {
        let client = self.aws.cloudformation();
        if self.board.act() == Some(Act::Create) {
            let token = change_set::token();
            let delete = client.delete_stack().stack_name(self.stack_id).client_request_token(&token).send().await;
            delete.map_err(|e| failed("the stack cannot be removed", "CloudFormation.DeleteStack", &e))?;
            style::say("Removing what was made so far.");
            self.board = Board::new(token, 0);
            return Ok(());
        }
        let cancel = client.cancel_update_stack().stack_name(self.stack_id);
        let cancel = cancel.client_request_token(change_set::token()).send().await;
        cancel.map_err(|e| failed("the update cannot be cancelled", "CloudFormation.CancelUpdateStack", &e))?;
        style::say("Cancelled; AWS goes back to what was.");
        Ok(())
    }
}

enum Answer {
    /// Look on.
    LookOn,
    /// Go away.
    Leave,
    /// It is being taken back; look on at that.
    Undo,
}

/// Waits for work that can be left at any moment, and leaves it at Ctrl-C.
pub async fn unless_interrupted<T>(
    interrupt: &Interrupt,
    undone: &str,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let mut work = pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(TICK) => {
                if interrupt.is_set() {
                    return Err(Error::new(format!("interrupted: {undone}")).status(ExitStatus::Interrupted));
                }
            }
        }
    }
}

/// Waits for work that tells nothing until it is done, and shows that it goes on.
pub async fn shown<T>(what: &str, work: impl Future<Output = T>) -> T {
    let progress = RefCell::new(Progress::new(what, None));
    shown_in(&progress, work).await
}

/// The same, where the work itself says more in the same place.
pub async fn shown_in<T>(progress: &RefCell<Progress>, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(TICK) => progress.borrow_mut().set(0),
        }
    }
}

/// What a command ends with whose work the user left to AWS.
pub const LEFT: ExitStatus = ExitStatus::Interrupted;
