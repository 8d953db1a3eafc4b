#include "services/orchestrator/store/postgres_for_test.h"

#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/common/process/run.h"
#include "services/common/status/status.h"

namespace machine::orchestrator {
namespace {

constexpr char kPrograms[] = "/usr/lib/postgresql/15/bin/";
constexpr char kUser[] = "postgres";
constexpr absl::Duration kLimit = absl::Minutes(2);

// `argv` as the user that the server runs as, who must not be root. It ends with this thread.
std::vector<std::string> AsUser(std::vector<std::string> argv) {
  argv[0] = absl::StrCat(kPrograms, argv[0]);
  std::vector<std::string> all = {"setpriv", "--pdeathsig=QUIT"};
  if (geteuid() == 0) {
    for (const absl::string_view option : {"--reuid=", "--regid="}) {
      all.push_back(absl::StrCat(option, kUser));
    }
    all.push_back("--clear-groups");
  }
  all.push_back("--");
  all.insert(all.end(), argv.begin(), argv.end());
  return all;
}

absl::StatusOr<std::string> RunAsUser(std::vector<std::string> argv, absl::string_view input = "") {
  common::RunOptions options;
  options.timeout = kLimit;
  options.stdin_data = std::string(input);
  options.cwd = "/";
  DM_ASSIGN_OR_RETURN(common::RunResult result,
                      common::RunProgram(AsUser(std::move(argv)), options));
  if (result.exit_code != 0) return absl::InternalError(result.stderr_data);
  return std::move(result.stdout_data);
}

}  // namespace

bool PostgresForTest::Installed() {
  return access(absl::StrCat(kPrograms, "postgres").c_str(), X_OK) == 0;
}

absl::StatusOr<std::unique_ptr<PostgresForTest>> PostgresForTest::Start() {
  // Short, for the sake of the socket, whose path has at most 107 bytes.
  std::string folder = "/tmp/pgXXXXXX";
  if (mkdtemp(folder.data()) == nullptr) return absl::InternalError("no folder for the server");
  std::unique_ptr<PostgresForTest> postgres(new PostgresForTest(folder));
  DM_RETURN_IF_ERROR(postgres->MakeCluster());
  DM_RETURN_IF_ERROR(postgres->StartServer());
  return postgres;
}

absl::Status PostgresForTest::MakeCluster() {
  if (geteuid() == 0) {
    const passwd* const user = getpwnam(kUser);
    if (user == nullptr || chown(folder_.c_str(), user->pw_uid, user->pw_gid) != 0) {
      return absl::InternalError("cannot give the folder to user postgres");
    }
  }
  return RunAsUser({"initdb", "--auth=trust", "--username=postgres", "--encoding=UTF8",
                    "--locale=C", "--no-sync", absl::StrCat("--pgdata=", folder_, "/data")})
      .status();
}

PostgresForTest::~PostgresForTest() {
  Stop().IgnoreError();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

absl::Status PostgresForTest::StartServer() {
  common::SpawnOptions options;
  // Small: many tests may have one each.
  options.argv = AsUser({"postgres", "-D", absl::StrCat(folder_, "/data"), "-k", folder_, "-c",
                         "listen_addresses=", "-c", "unix_socket_permissions=0777", "-c",
                         "shared_buffers=16MB", "-c", "max_wal_size=64MB"});
  options.stdout_to = common::Stdio::Null();
  options.stderr_to = common::Stdio::Null();
  options.cwd = "/";
  DM_ASSIGN_OR_RETURN(server_, common::Process::Spawn(options));
  // Others must get to the socket, and nobody else lists the folder.
  chmod(folder_.c_str(), 0711);
  absl::Status ready;
  for (const absl::Time deadline = absl::Now() + kLimit; absl::Now() < deadline;) {
    ready = Run("postgres", "SELECT 1").status();
    if (ready.ok()) return ready;
    if (server_->WaitFor(absl::Now() + absl::Milliseconds(50)).ok()) break;  // It has ended.
  }
  return common::Annotate(ready, "the server does not start");
}

absl::Status PostgresForTest::Stop() {
  if (!server_.has_value()) return absl::OkStatus();
  const absl::Status sent = server_->Signal(SIGQUIT);
  const absl::Status ended = server_->WaitFor(absl::Now() + kLimit).status();
  server_.reset();
  return sent.ok() ? ended : sent;
}

absl::StatusOr<std::string> PostgresForTest::Run(absl::string_view database,
                                                 absl::string_view sql) {
  return RunAsUser({"psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-h", folder_, "-U", kUser, "-d",
                    std::string(database), "-f", "-"},
                   sql);
}

absl::StatusOr<std::string> PostgresForTest::Database(absl::string_view name) {
  DM_ASSIGN_OR_RETURN(
      const std::string known,
      Run("postgres", absl::StrCat("SELECT 1 FROM pg_database WHERE datname = '", name, "'")));
  if (known.empty()) {
    DM_RETURN_IF_ERROR(Run("postgres", absl::StrCat("CREATE DATABASE \"", name, "\"")).status());
  }
  return absl::StrCat("postgres://", kUser, "@/", name, "?host=", folder_);
}

}  // namespace machine::orchestrator
