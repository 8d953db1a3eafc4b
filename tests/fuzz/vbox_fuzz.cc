// What VBoxManage prints.
#include "drivers/virtualbox/outputs.h"
#include "tests/fuzz/expect.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace virtualbox = machine::driver::virtualbox;
  const absl::string_view text = machine::fuzz::TextOf(data, size);
  for (const auto& [key, value] : virtualbox::ParseMachineReadable(text)) {
    machine::fuzz::Expect(!key.empty() && key.size() + value.size() <= size, "it made up a field");
  }
  for (const virtualbox::Fields& group : virtualbox::ParseGroups(text)) {
    machine::fuzz::Expect(!group.empty() && group.count("") == 0, "an empty group");
  }
  for (const virtualbox::ListedVm& vm : virtualbox::ParseVmList(text)) {
    machine::fuzz::Expect(vm.name.size() + vm.uuid.size() < size, "it made up a machine");
  }
  const auto version = virtualbox::ParseVersion(text);
  machine::fuzz::Expect(!version.ok() || version->major >= 0, "a negative version");
  virtualbox::NumbersAfter(text, "host port = ");
  virtualbox::ParseValue(text);
  return 0;
}
