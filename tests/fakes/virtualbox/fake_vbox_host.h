// A host with the fake VirtualBox, for tests.
#ifndef TESTS_FAKES_VIRTUALBOX_FAKE_VBOX_HOST_H_
#define TESTS_FAKES_VIRTUALBOX_FAKE_VBOX_HOST_H_

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace machine::fakes {

/// Puts the fake first in this process's PATH, where the programs that it starts find it, too. One
/// at a time in a process, except for programs that are given PATH and FAKE_VBOX_DIR by name.
class FakeVboxHost {
 public:
  explicit FakeVboxHost(absl::string_view version = "7.2.0r170228");
  ~FakeVboxHost();

  FakeVboxHost(const FakeVboxHost&) = delete;
  FakeVboxHost& operator=(const FakeVboxHost&) = delete;

  /// A folder of the test's own.
  std::string Path(absl::string_view leaf) const;
  /// An image of 1024 MiB in format VMDK.
  std::string image() const { return Path("image.vmdk"); }

  /// What the fake knows, see fake_vbox.h.
  nlohmann::ordered_json State() const;
  void Change(const std::function<void(nlohmann::ordered_json&)>& change) const;
  /// Sets an order.
  template <typename T>
  void Order(const char* name, T value) const {
    Change([&](nlohmann::ordered_json& state) { state["orders"][name] = value; });
  }
  /// Command lines so far that begin with `command`, words ended by tabs.
  std::vector<std::string> Log(absl::string_view command) const;

 private:
  std::string folder_;
};

}  // namespace machine::fakes

#endif  // TESTS_FAKES_VIRTUALBOX_FAKE_VBOX_HOST_H_
