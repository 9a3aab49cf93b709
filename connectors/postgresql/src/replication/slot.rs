//! The replication slot: by it the server keeps what has not been read yet.

use std::time::{Duration, Instant};

use headwater_postgresql_client::errors::explain;
use headwater_sdk::{Class, Error, Result};
use tokio_postgres::Client;

use super::message::Lsn;
use super::spec::ReplicationSpec;

/// How long a slot is waited for that someone else uses: a process that was ended is noticed by the server a moment later.
const BUSY: Duration = Duration::from_secs(15);
/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(250);

/// What goes over one connection to the server about a slot.
pub struct Slot<'a> {
    /// The connection.
    pub client: &'a Client,
    /// What the configuration says.
    pub spec: &'a ReplicationSpec,
    /// The server, for messages.
    pub shown: &'a str,
}

/// A slot that is there and can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// All before it was read, and is not told again.
    pub confirmed: Lsn,
    /// How many bytes of the log it holds back.
    pub lag: u64,
    /// The same, as people read it.
    pub lag_text: String,
    /// Who uses it.
    pub active: Option<i32>,
}

impl Slot<'_> {
    fn explained(&self, error: &tokio_postgres::Error) -> Error {
        let error = explain(error, self.shown).while_doing(format_args!("slot {}", self.spec.slot));
        // The slot is in use, which may pass.
        if error.has_code(&["55006"]) { Error { class: Class::Transient, ..error } } else { error }
    }

    fn wrong(&self, why: &str) -> Error {
        Error::fatal(format!("{}: the slot `{}` {why}", self.shown, self.spec.slot))
    }

    /// How the slot is; none where it is not there.
    ///
    /// # Errors
    /// If it cannot be used.
    pub async fn status(&self) -> Result<Option<Status>> {
        let sql = "
            SELECT plugin::text, slot_type, database::text = current_database(), active_pid, confirmed_flush_lsn::text,
                   coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::bigint,
                   pg_size_pretty(coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)),
                   coalesce(to_jsonb(s) ->> 'wal_status', '') = 'lost', to_jsonb(s) ->> 'invalidation_reason'
            FROM pg_replication_slots s WHERE slot_name = $1";
        let row = self.client.query_opt(sql, &[&self.spec.slot]).await.map_err(|error| self.explained(&error))?;
        let Some(row) = row else { return Ok(None) };
        let (plugin, kind, ours): (Option<String>, String, Option<bool>) = (row.get(0), row.get(1), row.get(2));
        if kind != "logical" || plugin.as_deref() != Some("pgoutput") {
            let plugin = plugin.unwrap_or_else(|| "physical replication".to_owned());
            return Err(self.wrong(&format!("is one of {plugin}, not of pgoutput; name another one in `slot`")));
        }
        if ours != Some(true) {
            return Err(self.wrong("is one of another database; name another one in `slot`"));
        }
        let reason: Option<String> = row.get(8);
        let lost: bool = row.get(7);
        if lost || reason.is_some() {
            let why = reason.unwrap_or_else(|| "it held back more than max_slot_wal_keep_size".to_owned());
            let name = &self.spec.slot;
            return Err(self.wrong(&format!(
                "is lost, and with it changes that have not been read ({why}); to copy all tables anew, drop it (SELECT \
                 pg_drop_replication_slot('{name}')) and name another one in `slot`"
            )));
        }
        let confirmed: Option<String> = row.get(4);
        let confirmed = confirmed.ok_or_else(|| self.wrong("is not ready yet: someone is making it"))?.parse()?;
        let lag = u64::try_from(row.get::<_, i64>(5)).unwrap_or(0);
        Ok(Some(Status { confirmed, lag, lag_text: row.get(6), active: row.get(3) }))
    }

    /// The same of a slot that nobody uses, for which it waits a while.
    ///
    /// # Errors
    /// If it cannot be used.
    pub async fn free(&self) -> Result<Option<Status>> {
        let began = Instant::now();
        loop {
            match self.status().await? {
                Some(Status { active: Some(pid), .. }) if began.elapsed() > BUSY => {
                    let why = format!(
                        "is in use by another process (pid {pid} of the server); is another sync running, or does something \
                         else read it? Each source needs a slot of its own"
                    );
                    return Err(self.wrong(&why));
                }
                Some(Status { active: Some(_), .. }) => tokio::time::sleep(PAUSE).await,
                status => return Ok(status),
            }
        }
    }

    /// Makes it.
    ///
    /// # Errors
    /// If the server does not.
    pub async fn create(&self) -> Result<Status> {
        let sql = "SELECT pg_create_logical_replication_slot($1::text::name, 'pgoutput')";
        tracing::info!(slot = self.spec.slot, "the slot is made, when all transactions that run now have ended");
        self.client.execute(sql, &[&self.spec.slot]).await.map_err(|error| self.explained(&error))?;
        self.status().await?.ok_or_else(|| self.wrong("was made, and is gone"))
    }

    /// Tells the server that all before a place has been read and kept.
    ///
    /// # Errors
    /// If the server cannot be told.
    pub async fn advance(&self, to: Lsn) -> Result<Status> {
        let gone = || self.wrong("is gone");
        let status = self.free().await?.ok_or_else(gone)?;
        if status.confirmed >= to {
            return Ok(status);
        }
        let sql = "SELECT pg_replication_slot_advance($1::text::name, $2::text::pg_lsn)";
        let advanced = self.client.execute(sql, &[&self.spec.slot, &to.to_string()]).await;
        advanced.map_err(|error| self.explained(&error))?;
        self.status().await?.ok_or_else(gone)
    }

    /// How the slot is, in a line.
    ///
    /// # Errors
    /// If changes cannot be read by it.
    pub async fn check(&self) -> Result<String> {
        let name = &self.spec.slot;
        let Some(status) = self.status().await? else {
            return match self.spec.create {
                true => Ok(format!("slot {name}: the first sync makes it")),
                false => {
                    Err(self
                        .wrong("is not there; make it with pg_create_logical_replication_slot, or say `create: true`"))
                }
            };
        };
        self.check_lag(&status)?;
        Ok(format!("slot {name}: holds back {} of the server's log", status.lag_text))
    }

    /// Refuses a slot that holds back more than it may.
    ///
    /// # Errors
    /// If it does.
    pub fn check_lag(&self, status: &Status) -> Result<()> {
        if self.spec.max_lag.is_none_or(|most| status.lag <= most) {
            return Ok(());
        }
        let (name, lag) = (&self.spec.slot, &status.lag_text);
        Err(self.wrong(&format!(
            "holds back {lag} of the server's log, more than `max_lag` allows: sync more often, end long transactions, or \
             raise `max_lag`; if the disk is about to be full, SELECT pg_drop_replication_slot('{name}'), and all is to be \
             copied anew by another `slot`"
        )))
    }

    /// Waits until all transactions have ended that run now: none of them is missed by both the slot and a copy.
    ///
    /// # Errors
    /// If the server cannot be asked.
    pub async fn wait_for_running(&self) -> Result<()> {
        let explained = |error: tokio_postgres::Error| self.explained(&error);
        let end = "SELECT txid_snapshot_xmax(txid_current_snapshot())";
        let end: i64 = self.client.query_one(end, &[]).await.map_err(explained)?.get(0);
        let (began, mut told) = (Instant::now(), false);
        loop {
            let sql = "SELECT txid_snapshot_xmin(txid_current_snapshot()) >= $1";
            if self.client.query_one(sql, &[&end]).await.map_err(explained)?.get(0) {
                return Ok(());
            }
            if !told && began.elapsed() > Duration::from_secs(5) {
                told = true;
                tracing::warn!(
                    "tables are copied when the transactions have ended that run now (see pg_stat_activity)"
                );
            }
            tokio::time::sleep(PAUSE / 5).await;
        }
    }
}
