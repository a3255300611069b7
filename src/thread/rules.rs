//! Merging messages by key.

use super::letter::Letter;
use crate::mailbox::Rules;
use crate::value::Value;

/// The key of a message; none: it is not merged.
pub(crate) type Key = Box<dyn FnMut(&Value) -> Option<Value> + Send>;
/// Merges the second into the first; false: they stay two.
pub(crate) type Merge = Box<dyn FnMut(&mut Value, &Value) -> bool + Send>;

/// The rules of a receive loop that merges.
pub(super) struct ByKey {
    /// None: a message is its own key.
    pub(super) key: Option<Key>,
    /// None: the later one takes the place of the earlier one.
    pub(super) merge: Option<Merge>,
}

impl Rules<Letter> for ByKey {
    fn key(&mut self, message: &Letter) -> Option<Value> {
        let key = match &mut self.key {
            Some(key) => crate::waiting::under_lock(|| key(&message.value)),
            None => message.value.lend().ok(),
        };
        key.filter(|key| *key != Value::Nil)
    }

    fn merge(&mut self, pending: &mut Letter, incoming: Letter, dropped: &mut Vec<Value>) -> Result<(), Letter> {
        match &mut self.merge {
            Some(merge) => {
                if !crate::waiting::under_lock(|| merge(&mut pending.value, &incoming.value)) {
                    return Err(incoming);
                }
                dropped.push(incoming.value);
            }
            None => dropped.push(std::mem::replace(&mut pending.value, incoming.value)),
        }
        pending.reply.join(incoming.reply);
        Ok(())
    }
}
