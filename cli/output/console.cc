#include "cli/output/console.h"

#include <unistd.h>

#include <cerrno>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace machine::cli {

void ProcessConsole::Write(int fd, absl::string_view text) {
  absl::MutexLock lock(&mu_);
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      ok_ = false;
      return;
    }
    text.remove_prefix(static_cast<size_t>(written));
  }
}

void ProcessConsole::Out(absl::string_view text) { Write(STDOUT_FILENO, text); }

void ProcessConsole::Err(absl::string_view text) { Write(STDERR_FILENO, text); }

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
