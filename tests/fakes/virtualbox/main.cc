// Stands for VBoxManage. What it knows is in $FAKE_VBOX_DIR/state.json, shared by all its runs.
#include <fcntl.h>
#include <sys/file.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "services/common/file/file.h"
#include "services/common/process/unique_fd.h"
#include "tests/fakes/killer/driver_killer.h"
#include "tests/fakes/virtualbox/fake_vbox.h"

int main(int argc, char** argv) {
  const char* const folder = std::getenv("FAKE_VBOX_DIR");
  if (folder == nullptr) return 3;
  const std::string path = std::string(folder) + "/state.json";
  const machine::common::UniqueFd lock(
      open((std::string(folder) + "/lock").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  flock(lock.get(), LOCK_EX);
  machine::fakes::DriverKiller killer(folder);
  killer.BeforeEffect();
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  nlohmann::ordered_json state = nlohmann::ordered_json::parse(text);
  const std::vector<std::string> args(argv + 1, argv + argc);
  {
    std::ofstream log(std::string(folder) + "/log", std::ios::app);
    for (const std::string& arg : args) log << arg << "\t";
    log << "\n";
  }
  const nlohmann::ordered_json before = state;
  int result = 0;
  // As the program that starts the real one does where the kernel's module is missing.
  if (state["orders"].value("warns", false)) {
    std::puts(
        "WARNING: The character device /dev/vboxdrv does not exist.\n\t Please install it.\n");
  }
  try {
    std::fputs(machine::fakes::FakeVbox(state).Run(args).c_str(), stdout);
  } catch (const machine::fakes::Refused& refused) {
    result = refused.code.empty() ? 2 : 1;
    std::fprintf(stderr, "VBoxManage: error: %s\n", refused.what());
    if (!refused.code.empty()) {
      std::fprintf(stderr,
                   "VBoxManage: error: Details: code %s (0x80bb0000), component MachineWrap, "
                   "interface IMachine, callee nsISupports\nVBoxManage: error: Context: \"…\" at "
                   "line 1 of file VBoxManage.cpp\n",
                   refused.code.c_str());
    }
  }
  if (state != before &&
      !machine::common::WriteFileAtomically(path, state.dump(1), 0600, {.fsync = false}).ok()) {
    return 3;
  }
  killer.AfterEffect();
  return result;
}
