#include "services/common/process/process_id.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <vector>

// glibc 2.36 declares these without the language linkage that C++ needs.
extern "C" {
#include <sys/pidfd.h>
}

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/common/process/unique_fd.h"
#include "services/common/status/status.h"

namespace machine::common {
namespace {

struct ProcStat {
  char state = '?';
  int64_t start_time = 0;
};

absl::Status NoSuchProcess(pid_t pid) {
  return absl::NotFoundError(absl::StrCat("no process ", pid));
}

absl::StatusOr<ProcStat> ReadProcStat(pid_t pid) {
  const UniqueFd fd(open(absl::StrCat("/proc/", pid, "/stat").c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return NoSuchProcess(pid);
  std::array<char, 4096> buffer;
  const ssize_t count = read(fd.get(), buffer.data(), buffer.size());
  if (count <= 0) return NoSuchProcess(pid);
  const absl::string_view text(buffer.data(), static_cast<size_t>(count));
  // The second field is the program's name in brackets, which may itself hold blanks and brackets.
  const size_t name_end = text.rfind(')');
  if (name_end == absl::string_view::npos) return NoSuchProcess(pid);
  const std::vector<absl::string_view> fields =
      absl::StrSplit(text.substr(name_end + 1), ' ', absl::SkipEmpty());
  // fields[0] is field 3 of the manual: the state.
  constexpr size_t kStartTime = 22 - 3;
  ProcStat stat;
  if (fields.size() <= kStartTime || !absl::SimpleAtoi(fields[kStartTime], &stat.start_time)) {
    return absl::InternalError(absl::StrCat("cannot read /proc/", pid, "/stat"));
  }
  stat.state = fields[0][0];
  return stat;
}

}  // namespace

absl::StatusOr<int64_t> ProcessStartTime(pid_t pid) {
  DM_ASSIGN_OR_RETURN(const ProcStat stat, ReadProcStat(pid));
  return stat.start_time;
}

bool IsAlive(pid_t pid, int64_t start_time) {
  const absl::StatusOr<ProcStat> stat = ReadProcStat(pid);
  return stat.ok() && stat->start_time == start_time && stat->state != 'Z' && stat->state != 'X';
}

absl::Status SignalProcess(pid_t pid, int64_t start_time, int signal) {
  if (pid <= 0) return NoSuchProcess(pid);
  // The pidfd is taken first: from then on it means one process, the one compared below.
  const UniqueFd pidfd(pidfd_open(pid, 0));
  if (!pidfd.valid()) return NoSuchProcess(pid);
  if (!IsAlive(pid, start_time)) return NoSuchProcess(pid);
  if (pidfd_send_signal(pidfd.get(), signal, nullptr, 0) == 0) return absl::OkStatus();
  if (errno == ESRCH) return NoSuchProcess(pid);
  return absl::ErrnoToStatus(errno, absl::StrCat("signalling process ", pid));
}

}  // namespace machine::common
