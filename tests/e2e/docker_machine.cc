#include "tests/e2e/docker_machine.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace machine::tests {
namespace {

std::vector<std::string> Lines(const Outcome& outcome) {
  EXPECT_EQ(outcome.exit_code, 0) << outcome;
  return absl::StrSplit(outcome.out, '\n', absl::SkipEmpty());
}

}  // namespace

DockerMachine::DockerMachine(const Bed& bed) : bed_(bed), name_(absl::StrCat("e2e-", getpid())) {}

DockerMachine::~DockerMachine() {
  for (const std::string& id : Containers()) bed_.Docker({"rm", "--force", "--volumes", id});
  for (const std::string& volume : Volumes()) bed_.Docker({"volume", "rm", volume});
}

std::string DockerMachine::CreateLine(absl::string_view more) const {
  return absl::StrCat("create -d docker --docker-endpoint=", bed_.engine(), " ", more, " ", name_);
}

std::vector<std::string> DockerMachine::Containers() const {
  return Lines(bed_.Docker({"ps", "-aq", "--filter", "label=org.machine.name=" + name_}));
}

std::vector<std::string> DockerMachine::Volumes() const {
  return Lines(bed_.Docker({"volume", "ls", "-q", "--filter", "name=machine-" + name_ + "-"}));
}

void DockerMachine::DoBehindItsBack(absl::string_view verb) const {
  std::vector<std::string> words = absl::StrSplit(verb, ' ');
  for (std::string& id : Containers()) words.push_back(std::move(id));
  const Outcome outcome = bed_.Docker(words);
  EXPECT_EQ(outcome.exit_code, 0) << outcome;
}

}  // namespace machine::tests
