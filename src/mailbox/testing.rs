//! A message for tests: a number, and a caller that may wait for the answer.

use super::Parcel;
use crate::error::{Code, Error};
use crate::value::Value;
use crate::waiting::waiter::{Outcome, Ticket};

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) number: i64,
    pub(super) caller: Option<Ticket>,
}

impl Note {
    pub(super) fn new(number: i64) -> Self {
        Self { number, caller: None }
    }
}

impl Parcel for Note {
    type Reply = Option<Ticket>;

    fn caller(&self) -> Option<Ticket> {
        self.caller
    }

    fn forget(&mut self, _caller: Ticket) -> bool {
        false
    }

    fn hang_up(&mut self) -> Option<Ticket> {
        self.caller.take()
    }

    fn refused(self, code: Code, _text: Option<String>) -> Outcome {
        Outcome::Refused(Error::from(code), Some(Value::Integer(self.number)))
    }

    fn abandon(self) {}

    fn again(&self) -> Option<Self> {
        Some(Self::new(self.number))
    }
}
