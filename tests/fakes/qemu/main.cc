#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "tests/fakes/qemu/fake_image.h"
#include "tests/fakes/qemu/fake_machine.h"

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return absl::EndsWith(argv[0], "qemu-img") ? machine::fakes::RunFakeImage(arguments)
                                             : machine::fakes::RunFakeMachine(arguments);
}
