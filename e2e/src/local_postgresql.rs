//! A PostgreSQL server of one's own: on a free port of the loopback, in a temporary folder, gone with its value.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::output::tail;

/// How long the server may take to start.
const START: Duration = Duration::from_secs(30);

/// The server; it ends when this is dropped.
pub struct LocalPostgresql {
    folder: TempDir,
    binaries: PathBuf,
    port: u16,
    server: Option<Child>,
    settings: Vec<&'static str>,
}

/// The password of the server's one user, `headwater`.
pub const PASSWORD: &str = "a pass/word";

impl LocalPostgresql {
    /// The folder with `initdb` and `postgres`, where they are installed.
    pub fn binaries() -> Option<PathBuf> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut folders: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
            .collect();
        folders.sort();
        // The newest version first.
        folders.reverse();
        folders.extend(std::env::split_paths(&path));
        folders.into_iter().find(|folder| folder.join("initdb").is_file() && folder.join("postgres").is_file())
    }

    /// Starts a server without tables.
    pub fn start() -> Result<Self> {
        Self::start_with(None, &[])
    }

    /// The same with settings of its own, such as `wal_level=logical`.
    pub fn start_set(settings: &[&'static str]) -> Result<Self> {
        Self::start_with(None, settings)
    }

    /// The same with a certificate and its key, in PEM; connections may be encrypted then.
    pub fn start_encrypted(certificate: &str, key: &str) -> Result<Self> {
        Self::start_with(Some((certificate, key)), &[])
    }

    fn start_with(encryption: Option<(&str, &str)>, settings: &[&'static str]) -> Result<Self> {
        let binaries = Self::binaries().context(
            "no PostgreSQL server is installed; on Debian: apt-get install --no-install-recommends postgresql",
        )?;
        let folder = tempfile::Builder::new().prefix("headwater-pg-").tempdir_in(temporary())?;
        let mut server = Self { folder, binaries, port: 0, server: None, settings: settings.to_vec() };
        let password = server.folder.path().join("password");
        fs::write(&password, PASSWORD)?;
        server.own(server.folder.path())?;
        server.own(&password)?;
        let mut initdb = server.command("initdb");
        initdb.args(["--username=headwater", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"]);
        initdb.arg(format!("--pwfile={}", password.display())).arg("-D").arg(server.data());
        let output = initdb.output().context("initdb cannot be run")?;
        ensure!(output.status.success(), "initdb failed: {}", String::from_utf8_lossy(&output.stderr));
        if let Some((certificate, key)) = encryption {
            for (name, text) in [("server.crt", certificate), ("server.key", key)] {
                let file = server.data().join(name);
                fs::write(&file, text)?;
                #[cfg(unix)]
                fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
                server.own(&file)?;
            }
            let settings = server.data().join("postgresql.conf");
            let text = fs::read_to_string(&settings)?;
            fs::write(&settings, format!("{text}\nssl = on\n"))?;
        }
        server.run()?;
        Ok(server)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Starts the server where it does not run, on the port that it had.
    pub fn run(&mut self) -> Result<()> {
        let any_port = self.port == 0;
        if any_port {
            self.port = free_port()?;
        }
        let began = Instant::now();
        self.spawn()?;
        loop {
            let log = fs::read_to_string(self.log()).unwrap_or_default();
            if log.contains("ready to accept connections") && TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return Ok(());
            }
            let ended = self.server.as_mut().is_some_and(|server| !matches!(server.try_wait(), Ok(None)));
            // Someone else may have taken a port that was free a moment ago.
            let taken = any_port && log.contains("Address already in use");
            if began.elapsed() > START || ended && !taken && !log.contains("pre-existing shared memory") {
                bail!("PostgreSQL did not start: {}", tail(&self.log()));
            }
            std::thread::sleep(Duration::from_millis(if ended { 200 } else { 20 }));
            if ended && taken {
                self.port = free_port()?;
            }
            if ended {
                // Processes of one that was killed have not noticed it yet.
                self.spawn()?;
            }
        }
    }

    fn spawn(&mut self) -> Result<()> {
        let log = fs::File::create(self.log())?;
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data()).args(["-h", "127.0.0.1", "-k", "", "-p", &self.port.to_string()]);
        command.args(self.settings.iter().flat_map(|setting| ["-c", *setting]));
        command.args(["-c", "fsync=off"]).stdout(Stdio::null()).stderr(log);
        self.server = Some(command.spawn().context("postgres cannot be run")?);
        Ok(())
    }

    /// Ends the server as `kill -9` does.
    pub fn kill(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
            // The other processes of the server notice it on their own; only then can it be started again.
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    /// How to connect, with the password.
    pub fn url(&self) -> String {
        let password = PASSWORD.replace(' ', "%20").replace('/', "%2F");
        format!("postgresql://headwater:{password}@127.0.0.1:{}/postgres", self.port)
    }

    /// What a query answers, a line for each row, as `psql` shows it without frills.
    pub fn query(&self, sql: &str) -> Result<String> {
        self.query_in("postgres", sql)
    }

    /// The same in another database of the server.
    pub fn query_in(&self, database: &str, sql: &str) -> Result<String> {
        let mut psql = self.psql(database);
        psql.args(["--command", sql]);
        let output = psql.stdin(Stdio::null()).output().context("psql cannot be run")?;
        ensure!(output.status.success(), "psql: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }

    /// The command `psql`, told where a database is, and to show a line for each row.
    pub fn psql(&self, database: &str) -> Command {
        let mut psql = Command::new(self.binaries.join("psql"));
        if !self.binaries.join("psql").is_file() {
            psql = Command::new("psql");
        }
        psql.args(["--no-psqlrc", "--tuples-only", "--no-align"]);
        psql.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "headwater", "-d", database]);
        psql.envs([("PGPASSWORD", PASSWORD), ("PGOPTIONS", "-c TimeZone=UTC")]);
        psql
    }

    /// The process of the server, of which those of its connections are children.
    pub fn process(&self) -> Option<u32> {
        self.server.as_ref().map(Child::id)
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.binaries.join(name));
        command.current_dir(self.folder.path()).stdin(Stdio::null()).env_remove("PGDATA").env_remove("PGPORT");
        #[cfg(unix)]
        if let Some((user, group)) = other_user() {
            use std::os::unix::process::CommandExt;
            command.uid(user).gid(group);
        }
        command
    }

    /// Gives a file to the user that the server runs as.
    fn own(&self, path: &Path) -> Result<()> {
        #[cfg(unix)]
        if let Some((user, group)) = other_user() {
            std::os::unix::fs::chown(path, Some(user), Some(group))?;
        }
        let _ = path;
        Ok(())
    }
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// A folder for temporary files that the server's user can reach: root's own may be closed to others.
fn temporary() -> PathBuf {
    let own = std::env::temp_dir();
    #[cfg(unix)]
    if other_user().is_some() {
        use std::os::unix::fs::MetadataExt;
        let open = |folder: &Path| fs::metadata(folder).is_ok_and(|found| found.mode() & 0o001 != 0);
        let reached = |folder: &PathBuf| folder.ancestors().all(|above| above.as_os_str().is_empty() || open(above));
        return [own.clone(), "/tmp".into(), "/var/tmp".into()].into_iter().find(reached).unwrap_or(own);
    }
    own
}

/// PostgreSQL does not run as root: then it runs as the user that its package has made.
#[cfg(unix)]
fn other_user() -> Option<(u32, u32)> {
    use std::os::unix::fs::MetadataExt;
    let root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    let users = fs::read_to_string("/etc/passwd").ok().filter(|_| root)?;
    let of = |name: &str| {
        let mut fields = users.lines().find_map(|line| line.strip_prefix(&format!("{name}:")))?.split(':').skip(1);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    of("postgres").or_else(|| of("nobody"))
}

impl Drop for LocalPostgresql {
    fn drop(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        // A fast shutdown; where that cannot be asked for, the end is as good for a server that nobody needs.
        let asked = Command::new("kill").args(["-INT", &server.id().to_string()]).status();
        let began = Instant::now();
        while asked.is_ok() && matches!(server.try_wait(), Ok(None)) && began.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = server.kill();
        let _ = server.wait();
    }
}
