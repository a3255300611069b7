//! How a future ended.

use crate::error::{Code, Error, Result};
use crate::value::{Bytes, Failure, Value};

/// Where a future stands. The numbers are the C constants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It has not ended.
    Pending = 0,
    /// It ended with a value.
    Finished = 1,
    /// It ended with a failure.
    Failed = 2,
    /// It was cancelled.
    Cancelled = 3,
}

/// What a future ended with.
#[derive(Debug)]
pub(crate) enum Ending {
    Finished(Value),
    Failed(Failure),
    Cancelled,
}

impl Ending {
    /// It will never come, because of `code`.
    pub(crate) fn never(code: Code, why: &'static str) -> Self {
        Ending::Failed(Failure::from(&Error::new(code, why)))
    }

    pub(crate) fn state(&self) -> State {
        match self {
            Ending::Finished(_) => State::Finished,
            Ending::Failed(_) => State::Failed,
            Ending::Cancelled => State::Cancelled,
        }
    }

    /// A copy for one of many. A pointer that must be freed goes to one of them only, so this is not the one.
    pub(crate) fn share(&self) -> Self {
        self.copy(|value| if value.owns_pointer() { Ok(Value::Nil) } else { value.lend() })
    }

    /// A copy for one who only looks, while whoever has the future keeps what it points to.
    pub(crate) fn show(&self) -> Self {
        self.copy(Value::lend)
    }

    /// A copy for one who takes: a pointer moves.
    pub(crate) fn take(&mut self) -> Self {
        match self {
            Ending::Finished(value) if value.owns_pointer() => Ending::Finished(std::mem::take(value)),
            _ => self.share(),
        }
    }

    fn copy(&self, of_value: impl FnOnce(&Value) -> Result<Value>) -> Self {
        let copied = match self {
            Ending::Finished(value) => of_value(value).map(Ending::Finished),
            Ending::Failed(failure) => {
                Bytes::copy(failure.text.as_slice()).map(|text| Ending::Failed(Failure { code: failure.code, text }))
            }
            Ending::Cancelled => Ok(Ending::Cancelled),
        };
        copied.unwrap_or_else(|error| Ending::Failed(Failure::from(&error)))
    }

    /// For those to whom a cancellation is a failure like others.
    pub(crate) fn into_result(self) -> Result<Value, Failure> {
        match self {
            Ending::Finished(value) => Ok(value),
            Ending::Failed(failure) => Err(failure),
            Ending::Cancelled => Err(Failure::from(&Error::from(Code::Cancelled))),
        }
    }
}

impl From<Result<Value, Failure>> for Ending {
    fn from(result: Result<Value, Failure>) -> Self {
        match result {
            Ok(value) => Ending::Finished(value),
            Err(failure) => Ending::Failed(failure),
        }
    }
}
