//! The lease: which process runs the consumers. It lasts three seconds and is renewed every second; every
//! transaction of a consumer checks it, so one that lost it without noticing changes nothing.

use super::stream::now;
use rusqlite::{Connection, TransactionBehavior, params};
use std::time::Duration;

/// How long a lease lasts, in milliseconds.
const LASTS: i64 = 3000;
/// How often it is renewed.
pub const RENEWED_EVERY: Duration = Duration::from_secs(1);

/// The right to run the consumers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    token: i64,
}

/// Who holds the lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The process, as it named itself.
    pub name: String,
}

/// What came of asking for the lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acquired {
    /// It is ours. `abandoned` when the last holder did not give it back: it may have left files behind.
    Ours {
        /// The lease.
        lease: Lease,
        /// Whether the last holder ended without giving it back.
        abandoned: bool,
    },
    /// Another process has it.
    Held(Holder),
}

impl Lease {
    /// Asks for the lease, without waiting for it.
    pub fn acquire(db: &mut Connection) -> rusqlite::Result<Acquired> {
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if let Some(holder) = holder(&tx)? {
            return Ok(Acquired::Held(holder));
        }
        let (token, expires_at): (i64, i64) =
            tx.query_row("SELECT token, expires_at FROM lease", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let lease = Self { token: token + 1 };
        tx.execute(
            "UPDATE lease SET token = ?, holder = ?, expires_at = ?",
            params![lease.token, our_name(), now().millis() + LASTS],
        )?;
        tx.commit()?;
        Ok(Acquired::Ours { lease, abandoned: expires_at != 0 })
    }

    /// Whether it is still ours: to be asked within the transaction that depends on it.
    pub fn is_held(self, tx: &Connection) -> rusqlite::Result<bool> {
        let token: i64 = tx.prepare_cached("SELECT token FROM lease")?.query_row([], |row| row.get(0))?;
        Ok(token == self.token)
    }

    /// Renews it; false when another process has it now.
    pub fn renew(self, db: &Connection) -> rusqlite::Result<bool> {
        let renewed = db
            .prepare_cached("UPDATE lease SET expires_at = ? WHERE token = ?")?
            .execute([now().millis() + LASTS, self.token])?;
        Ok(renewed == 1)
    }

    /// Gives it back.
    pub fn release(self, db: &Connection) -> rusqlite::Result<()> {
        db.execute("UPDATE lease SET expires_at = 0 WHERE token = ?", [self.token]).map(|_| ())
    }
}

/// How this process names itself.
pub fn our_name() -> String {
    format!("process {}", std::process::id())
}

/// Who holds the lease now, if anybody.
pub fn holder(db: &Connection) -> rusqlite::Result<Option<Holder>> {
    let (name, expires_at): (String, i64) = db
        .prepare_cached("SELECT holder, expires_at FROM lease")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    // Further ahead than a lease lasts means that the clock was set back: it would block for that long.
    let remaining = expires_at - now().millis();
    Ok((1..=LASTS).contains(&remaining).then_some(Holder { name }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::local::state::Folder;

    #[test]
    fn one_holder_at_a_time() {
        let home = tempfile::tempdir().expect("a folder");
        let folder = Folder::new(home.path(), "s");
        folder.create().expect("a stack");
        let (mut a, mut b) = (folder.table().expect("a table"), folder.table().expect("a table"));
        let Acquired::Ours { lease, abandoned: false } = Lease::acquire(&mut a).expect("acquire") else {
            panic!("nobody had it")
        };
        assert!(matches!(Lease::acquire(&mut b).expect("acquire"), Acquired::Held(_)));

        // It ran out: the next one has it, and the first one can neither renew nor change anything.
        a.execute("UPDATE lease SET expires_at = 1", []).expect("update");
        let Acquired::Ours { lease: second, abandoned: true } = Lease::acquire(&mut b).expect("acquire") else {
            panic!("it had run out")
        };
        assert!(!lease.renew(&a).expect("renew") && !lease.is_held(&a).expect("check"));
        lease.release(&a).expect("release");
        assert!(second.is_held(&b).expect("check") && second.renew(&b).expect("renew"));

        second.release(&b).expect("release");
        assert!(matches!(Lease::acquire(&mut a).expect("acquire"), Acquired::Ours { abandoned: false, .. }));
    }
}
