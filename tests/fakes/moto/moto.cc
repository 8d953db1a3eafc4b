#include "tests/fakes/moto/moto.h"

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace machine::fakes {
namespace {

// Up to the end of the line, or of all that there is. The program bounds its own start.
std::string ReadLine(int fd) {
  std::string line;
  char c = 0;
  while (true) {
    const ssize_t count = read(fd, &c, 1);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0 || c == '\n') return line;
    line.push_back(c);
  }
}

}  // namespace

std::optional<std::string> Moto::Python() {
  const char* const python = std::getenv("MACHINE_MOTO_PYTHON");
  if (python == nullptr || access(python, X_OK) != 0) return std::nullopt;
  return python;
}

absl::StatusOr<std::unique_ptr<Moto>> Moto::Start(const std::string& python,
                                                  const std::string& script) {
  absl::StatusOr<common::Process> process =
      common::Process::Spawn({.argv = {python, "-I", script},
                              .stdin_from = common::Stdio::Pipe(),
                              .stdout_to = common::Stdio::Pipe(),
                              .new_session = true});
  if (!process.ok()) return process.status();
  std::unique_ptr<Moto> moto(new Moto(*std::move(process)));
  const std::string line = ReadLine(moto->process_.stdout_fd().get());
  const std::vector<std::string> words = absl::StrSplit(line, ' ');
  if (words.size() != 4 || words[0] != "listening") {
    return absl::UnavailableError(absl::StrCat("moto does not listen: ", line));
  }
  moto->url_ = words[1];
  moto->access_key_ = words[2];
  moto->secret_key_ = words[3];
  return moto;
}

Moto::~Moto() { process_.SignalGroup(SIGKILL).IgnoreError(); }

}  // namespace machine::fakes
