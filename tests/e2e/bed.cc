#include "tests/e2e/bed.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/common/file/file.h"
#include "services/common/process/run.h"

namespace machine::tests {
namespace {

std::string Variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string Script(absl::string_view name) {
  return absl::StrCat(Variable("MACHINE_BED_SCRIPTS"), "/", name);
}

}  // namespace

Outcome RunHere(const std::vector<std::string>& argv) {
  const auto result = common::RunProgram(argv, {.timeout = absl::Minutes(5)});
  if (!result.ok()) return {-1, "", std::string(result.status().message())};
  return {result->exit_code, result->stdout_data, result->stderr_data};
}

bool Bed::IsThere() {
  return !Variable("MACHINE_BED_SCRIPTS").empty() && !DockerHost().empty() &&
         RunHere({"docker", "-H", DockerHost(), "version"}).exit_code == 0;
}

std::string Bed::DockerHost() { return Variable("MACHINE_BED_DOCKER_HOST"); }

std::string Bed::KeyPath() { return Variable("MACHINE_BED") + "/id_ed25519"; }

bool Bed::WriteBusybox(const std::string& path) {
  const Outcome made = RunHere({Script("busybox.sh")});
  return made.exit_code == 0 && common::WriteFileAtomically(path, made.out, 0644).ok();
}

void Bed::RemoveContainers(const std::string& label) {
  const Outcome list =
      RunHere({"docker", "-H", DockerHost(), "ps", "-aq", "--filter", "label=" + label});
  for (absl::string_view id : absl::StrSplit(list.out, '\n', absl::SkipEmpty())) {
    RunHere({"docker", "-H", DockerHost(), "rm", "-fv", std::string(id)});
  }
}

BareHost::BareHost(const std::string& name, const std::string& image) : name_(name) {
  RunHere({Script("host.sh"), "rm", name_});  // Left over from a run that was killed.
  const Outcome up = RunHere({Script("host.sh"), "up", name_, image});
  EXPECT_EQ(up.exit_code, 0) << up;
  ip_ = std::string(absl::StripAsciiWhitespace(up.out));
}

BareHost::~BareHost() { RunHere({Script("host.sh"), "rm", name_}); }

Outcome BareHost::Shell(absl::string_view command) const {
  return RunHere({Script("host.sh"), "exec", name_, "sh", "-c", std::string(command)});
}

}  // namespace machine::tests
