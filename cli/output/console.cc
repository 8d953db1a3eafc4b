#include "cli/output/console.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cli/output/terminal.h"

namespace machine::cli {

ProcessConsole::ProcessConsole() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
    // The lowest number that is free, which is this one. Of no use in the direction it is for.
    open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

bool ProcessConsole::Write(int fd, absl::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

void ProcessConsole::Out(absl::string_view text) {
  absl::MutexLock lock(&mu_);
  if (!Write(STDOUT_FILENO, text)) ok_ = false;
}

void ProcessConsole::Err(absl::string_view text) {
  absl::MutexLock lock(&mu_);
  Write(STDERR_FILENO, text);
}

bool ProcessConsole::ReadLine(std::string& line) {
  line.clear();
  // Byte by byte: what follows the line belongs to whoever reads next.
  char c = 0;
  while (true) {
    const ssize_t got = read(STDIN_FILENO, &c, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return !line.empty();
    if (c == '\n') return true;
    line += c;
  }
}

bool ProcessConsole::OutIsTerminal() const { return isatty(STDOUT_FILENO) == 1; }

int ProcessConsole::OutColumns() const { return SizeOfTerminal(STDOUT_FILENO).columns; }

bool ProcessConsole::ok() const {
  absl::MutexLock lock(&mu_);
  return ok_;
}

void FakeConsole::Out(absl::string_view text) {
  absl::MutexLock lock(&mu_);
  absl::StrAppend(&out_, text);
}

void FakeConsole::Err(absl::string_view text) {
  absl::MutexLock lock(&mu_);
  absl::StrAppend(&err_, text);
}

bool FakeConsole::ReadLine(std::string& line) {
  if (input_.empty()) return false;
  const size_t end = input_.find('\n');
  line = input_.substr(0, end);
  input_ = end == std::string::npos ? "" : input_.substr(end + 1);
  return true;
}

std::string FakeConsole::out() const {
  absl::MutexLock lock(&mu_);
  return out_;
}

std::string FakeConsole::err() const {
  absl::MutexLock lock(&mu_);
  return err_;
}

void FakeConsole::AwaitOut(absl::string_view text) const {
  absl::MutexLock lock(&mu_);
  const auto has_text = [&] {
    mu_.AssertHeld();
    return absl::StrContains(out_, text);
  };
  mu_.Await(absl::Condition(&has_text));
}

void FakeConsole::AwaitErr(absl::string_view text) const {
  absl::MutexLock lock(&mu_);
  const auto has_text = [&] {
    mu_.AssertHeld();
    return absl::StrContains(err_, text);
  };
  mu_.Await(absl::Condition(&has_text));
}

void FakeConsole::Clear() {
  absl::MutexLock lock(&mu_);
  out_.clear();
  err_.clear();
}

}  // namespace machine::cli
